"""A short version of `make chaos`, under load: owners are killed and frozen, the broker dies, the disk is full."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from huntgroup_onebox.chaos import faults, full_disk
from huntgroup_onebox.chaos.checks import at_end
from huntgroup_onebox.chaos.load import WAITERS
from huntgroup_onebox.chaos.results import Series, text
from huntgroup_onebox.chaos.stage import Stage
from huntgroup_onebox.chaos.tiny_disk import NoTinyDiskError, TinyDisk
from huntgroup_runtime.local_kafka_install import (
    LocalKafkaUnavailableError,
    ensure_jars,
    kafka_home,
)

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(600)]

FROZEN_S, AWAY_S = 4.0, 1.0
SERVED_WITHIN_S = 60.0
"""Only that it comes to an end: how quickly is what `make chaos` measures."""


@pytest.fixture(autouse=True)
def _kafka() -> None:
    try:
        ensure_jars(kafka_home())
    except LocalKafkaUnavailableError as error:
        pytest.skip(f"NOT TESTED ON KAFKA: {error}")


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[TinyDisk | None]:
    """A file system that can be filled; None where none may be mounted."""
    tiny = TinyDisk(tmp_path / "tiny-disk")
    try:
        with tiny:
            yield tiny
    except NoTinyDiskError:
        yield None


async def test_nothing_is_lost_when_owners_are_killed_and_frozen_under_load(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(faults, "FROZEN_S", FROZEN_S)
    series = Series(fault="kill-owner", what="kill and freeze owners")
    async with Stage(tmp_path, seed="7") as stage:
        for number, service in enumerate(("routing", "session", "recording")):
            domain = stage.domains[number % len(stage.domains)]
            await faults.kill_once(stage, series, service, domain)
        await faults.freeze_once(stage, series, "agent-state", stage.domains[0])
        await at_end(stage, series)
    assert series.clean, text([series])
    assert len(series.seconds) == 4
    assert max(series.seconds) < SERVED_WITHIN_S
    assert series.sent_again > 0
    assert series.places >= 4 * len(stage.domains) * WAITERS
    assert series.audits == 5


async def test_nothing_is_lost_when_the_broker_dies_and_the_disk_is_full(
    tmp_path: Path, disk: TinyDisk | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, seconds in (("HEARD_S", 1.5), ("FULL_S", 2.0), ("CALL_S", 8.0), ("FINISHED_S", 1.0)):
        monkeypatch.setattr(full_disk, name, seconds)
    store = {"HUNTGROUP_RECORDING_STORE_URL": disk.path.as_uri()} if disk else {}
    series = Series(fault="kill-broker", what="kill the broker, fill the disk")
    async with Stage(tmp_path, seed="7", environment=store) as stage:
        await faults.kill_broker_once(stage, series, AWAY_S)
        if disk:
            await full_disk.fill_once(stage, series, disk, stage.domains[1], 0)
        await at_end(stage, series)
    assert series.clean, text([series])
    assert max(series.seconds) < SERVED_WITHIN_S
    if disk is None:
        pytest.skip("NOT TESTED WITH A FULL DISK: no file system may be mounted here")
    assert len(series.seconds) == 2
    assert any("missing, told" in note for note in series.notes)
