"""Events on the wire, figures, settings."""

from dataclasses import fields
from typing import Any, get_args, get_type_hints

import pytest

from huntgroup_eventlog.adapters.memory import MemoryLog
from huntgroup_eventlog.snapshots import ObjectSnapshotStore
from huntgroup_reporting.adapters.mapping import (
    STATUSES,
    agents_interval,
    event_codec,
    queue_interval,
    ratio,
    service_level,
)
from huntgroup_reporting.core.messages import Event, Reason
from huntgroup_reporting.core.state import AgentTimes, QueueCounts
from huntgroup_reporting.core.values import Presence, SlotPhase, WaitOutcome
from huntgroup_reporting.settings import ReportingSettings
from huntgroup_reporting.wiring import database_url, wire
from huntgroup_runtime.process import Process
from huntgroup_runtime.settings import RuntimeSettings, SettingsError, load_settings
from huntgroup_runtime.telemetry import Telemetry

VALUES: dict[Any, list[Any]] = {
    int: [0, -7, 2_000_000_000],
    bool: [True, False],
    str: ["accepted"],
    Presence: list(Presence),
    SlotPhase: list(SlotPhase),
    WaitOutcome: list(WaitOutcome),
}


@pytest.mark.parametrize("kind", get_args(Event))
def test_events_come_back_as_they_went(kind: type) -> None:
    codec = event_codec()
    hints = get_type_hints(kind)
    for number in range(5):
        event = kind(
            **{
                field.name: (pool := VALUES.get(hints[field.name], ["an id"]))[number % len(pool)]
                for field in fields(kind)
            }
        )
        event_type, payload = codec.encode(event)
        assert event_type.startswith("huntgroup.reporting.")
        assert codec.decode(event_type, payload) == event


def test_entries_of_the_ledger_and_nothing_else_have_ledger_types() -> None:
    codec = event_codec()
    counted = {type_ for type_ in codec.event_types if "counted" in type_}
    ledger = {type_ for type_ in codec.event_types if ".ledger." in type_}
    assert counted == ledger
    assert len(ledger) == 7


def test_every_reason_has_a_status() -> None:
    assert STATUSES.keys() == set(Reason)


def test_figures_without_anything_to_divide_by_are_zero() -> None:
    row = queue_interval(0, "sales", QueueCounts())
    assert (row.service_level, row.asa_ms, row.aht_ms, row.abandonment) == (0, 0, 0, 0)
    assert agents_interval(0, AgentTimes(not_ready_ms=5, ringing_ms=5)).occupancy == 0
    assert ratio(1, 0) == 0


@pytest.mark.parametrize(
    ("answered", "answered_within", "abandoned", "abandoned_within", "expected"),
    [
        (10, 8, 0, 0, 0.8),
        (10, 8, 2, 2, 0.8),  # short abandonments are left out
        (10, 8, 6, 0, 0.5),  # long ones count against it
        (0, 0, 3, 3, 0.0),
        (0, 0, 3, 0, 0.0),
    ],
)
def test_the_service_level_is_that_of_offered_contacts(
    answered: int, answered_within: int, abandoned: int, abandoned_within: int, expected: float
) -> None:
    level = service_level(answered, answered_within, abandoned, abandoned_within)
    assert level == pytest.approx(expected)


@pytest.mark.parametrize("interval_ms", ["0", "500", "59999", "420001", "172800000", "-900000"])
def test_an_interval_that_does_not_divide_a_day_is_refused(
    monkeypatch: pytest.MonkeyPatch, interval_ms: str
) -> None:
    monkeypatch.setenv("HUNTGROUP_LEDGER_INTERVAL_MS", interval_ms)
    with pytest.raises(SettingsError, match="divide a day"):
        load_settings(ReportingSettings)


def test_a_database_url_that_is_refused_is_not_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HUNTGROUP_REPORTING_DATABASE_URL", "mysql://me:secret@host/db")
    with pytest.raises(SettingsError, match="postgresql://") as refused:
        load_settings(ReportingSettings)
    assert "secret" not in str(refused.value)


@pytest.mark.parametrize(
    ("log_url", "expected"),
    [
        ("memory://", "sqlite://"),
        ("kafka://127.0.0.1:9092", "sqlite://"),
        ("embedded://var/log", "sqlite:///var/log/reporting.sqlite"),
        ("embedded:///data/log", "sqlite:////data/log/reporting.sqlite"),
    ],
)
def test_the_database_is_beside_an_embedded_log(log_url: str, expected: str) -> None:
    assert database_url(ReportingSettings(), RuntimeSettings(log_url=log_url)) == expected


async def test_faust_without_kafka_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HUNTGROUP_REPORTING_LIVE_VIEWS", "faust")
    settings = RuntimeSettings(
        log_url="memory://", grpc_listen="127.0.0.1:0", http_listen="127.0.0.1:0"
    )
    log, off = MemoryLog(1), Telemetry.off()
    snapshots = ObjectSnapshotStore.from_url("")
    process = Process("reporting", settings, log=log, snapshots=snapshots, telemetry=off)
    with pytest.raises(SettingsError, match="needs HUNTGROUP_LOG_URL=kafka"):
        await wire(process)
    await process.stop()
    await log.close()
