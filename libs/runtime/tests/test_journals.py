"""The owner loop on asyncio, with real logs: memory and SQLite."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import Any

import pytest
from structlog.testing import capture_logs

from huntgroup_contracts.cloudevents import read_envelope
from huntgroup_eventlog.adapters.embedded import EmbeddedLog
from huntgroup_eventlog.adapters.memory import MemoryLog
from huntgroup_eventlog.application import (
    AcceptedEvent,
    NotOwnerError,
    OverloadedError,
    PartitionHaltedError,
)
from huntgroup_eventlog.port import AppendFailedError, Log, NewRecord
from huntgroup_eventlog.snapshots import End, ObjectSnapshotStore
from huntgroup_runtime.clock import SystemClock
from huntgroup_runtime.journals import ServiceJournals, all_idle, unrelayed
from huntgroup_runtime.membership import boot_time_s
from huntgroup_runtime.relay import BATCHES_AT_ONCE_MAX
from huntgroup_runtime.settings import RuntimeSettings
from huntgroup_runtime.telemetry import Telemetry
from huntgroup_testkit.counter import Add, Remind, counter_application

DOMAIN = "acme/emea"


def journals(
    log: Log, name: str = "a", *, service: str = "counter", **more: Any
) -> ServiceJournals:
    sources = more.pop("sources", ())
    now_s = more.pop("now_s", boot_time_s)
    snapshots = more.pop("snapshots", None) or ObjectSnapshotStore.from_url("")
    settings: dict[str, Any] = {
        "owner_id": name,
        "heartbeat_ms": 50,
        "takeover_after_ms": 200,
        **more,
    }
    return ServiceJournals(
        counter_application(service, sources),
        log=log,
        clock=SystemClock(),
        snapshots=snapshots,
        settings=RuntimeSettings(**settings),
        telemetry=Telemetry(service=service, metrics=False),
        address=f"{name}:1",
        now_s=now_s,
    )


async def until(condition: Any, what: str) -> None:
    async with asyncio.timeout(5):
        while not condition():  # noqa: ASYNC110 - conditions here are plain reads
            await asyncio.sleep(0.005)
    assert condition(), what


async def add(one: ServiceJournals, command_id: str, amount: int = 1, name: str = "x") -> Any:
    return await one.submit(
        DOMAIN, command_id, Add(name=name, amount=amount), check=1, traceparent=""
    )


async def total(one: ServiceJournals, name: str = "x") -> int:
    return await one.query(DOMAIN, lambda state: state.totals.get(name, 0))


@pytest.fixture(params=["memory", "embedded"])
async def log(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Log]:
    made: Log = MemoryLog(2) if request.param == "memory" else EmbeddedLog(tmp_path / "log", 2)
    yield made
    await made.close()


class Heard:
    def __init__(self) -> None:
        self.events: list[AcceptedEvent] = []
        self.partitions: list[tuple[str, int]] = []

    def owned(self, partition: int, states: dict[str, Any]) -> None:
        del states
        self.partitions.append(("owned", partition))

    def accepted(self, partition: int, events: list[AcceptedEvent]) -> None:
        del partition
        self.events.extend(events)

    def lost(self, partition: int) -> None:
        self.partitions.append(("lost", partition))


async def test_a_command_is_carried_out_told_to_listeners_and_published(log: Log) -> None:
    one, heard = journals(log), Heard()
    one.subscribe(heard)
    await one.start()
    await until(one.caught_up, "an owner")
    outcomes = await asyncio.gather(*(add(one, f"c{n}") for n in range(200)))
    assert all(outcome.reason == "" for outcome in outcomes)
    assert await total(one) == 200
    assert [event.sequence for event in heard.events] == list(range(1, 201))
    await until(lambda: all_idle([one]) and not unrelayed([one]), "everything relayed")
    published = []
    for partition in range(2):
        reader = await log.reader("huntgroup.counter.events.v1", partition, 0)
        published += [
            read_envelope(r.headers, r.key, r.value) for r in await reader.read(1_000, 10)
        ]
        await reader.close()
    assert [one.sequence for one in published] == list(range(1, 201))
    assert published[0].id == heard.events[0].event_id
    await one.stop()
    assert sorted(heard.partitions) == [("lost", 0), ("lost", 1), ("owned", 0), ("owned", 1)]


async def test_new_work_is_refused_at_half_and_calls_in_progress_are_carried_out() -> None:
    one = journals(MemoryLog(1), waiting_commands_max=6, linger_ms=20)
    await one.start()
    await until(one.caught_up, "an owner")

    def asked(kind: str, *, in_progress: bool) -> list[Any]:
        return [
            one.submit(
                DOMAIN,
                f"{kind}{number}",
                Add(name="x", amount=1),
                check=1,
                traceparent="",
                in_progress=in_progress,
            )
            for number in range(5)
        ]

    told = await asyncio.gather(
        *asked("new", in_progress=False), *asked("here", in_progress=True), return_exceptions=True
    )
    refused = [isinstance(answer, OverloadedError) for answer in told]
    assert refused == [False, False, False, True, True] * 2
    await one.stop()


class UnpublishedLog(MemoryLog):
    """Takes everything but public events."""

    async def append(self, topic: str, partition: int, record: NewRecord) -> int:
        if ".events." in topic:
            raise AppendFailedError("no room for public events")
        return await super().append(topic, partition, record)


async def test_the_lag_of_the_relay_counts_every_event_that_is_not_published() -> None:
    one = journals(UnpublishedLog(1))
    await one.start()
    await until(one.caught_up, "an owner")
    for number in range(2 * BATCHES_AT_ONCE_MAX):
        await add(one, f"c{number}")
    lag = one.partitions[0].telemetry.relay_lag
    await until(lambda: lag.value == 2 * BATCHES_AT_ONCE_MAX, "all are counted")
    assert unrelayed([one]) == 2 * BATCHES_AT_ONCE_MAX, "each in a batch of its own"
    await one.stop()


async def test_a_timer_of_the_core_fires_on_the_clock(log: Log) -> None:
    one = journals(log)
    await one.start()
    await until(one.caught_up, "an owner")
    await one.submit(DOMAIN, "r", Remind(name="r", delay_ms=30), check=1, traceparent="")
    async with asyncio.timeout(3):
        while await one.query(DOMAIN, lambda state: dict(state.due)):  # noqa: ASYNC110
            await asyncio.sleep(0.01)
    await one.stop()


async def test_facts_of_another_service_are_taken_in_once_also_after_a_restart(log: Log) -> None:
    source, sink = (
        journals(log, service="source"),
        journals(log, service="sink", sources=("source",)),
    )
    await source.start()
    await sink.start()
    await until(lambda: source.caught_up() and sink.caught_up(), "owners")
    for n in range(50):
        await add(source, f"c{n}")
    await until(lambda: all_idle([source, sink]), "all taken in")
    assert await total(sink) == 50
    await sink.stop()
    await add(source, "late", 7)
    again = journals(log, "b", service="sink", sources=("source",))
    await again.start()
    await until(lambda: again.caught_up() and all_idle([source, again]), "all taken in again")
    assert await total(again) == 57
    await again.stop()
    await source.stop()


async def test_a_standby_takes_over_when_the_owner_resigns_and_when_it_falls_silent(
    log: Log,
) -> None:
    first = journals(log, "a", replica_count=2, replica_index=0)
    second = journals(log, "b", replica_count=2, replica_index=1)
    await first.start()
    await until(
        lambda: all(p.replica.role.value == "owning" for p in first.partitions if p.partition == 0),
        "a owns",
    )
    await second.start()
    await until(lambda: first.caught_up() and second.caught_up(), "both follow")
    owner, other = (first, second) if first.owns(DOMAIN) else (second, first)
    await add(owner, "c1", 5)
    with pytest.raises(NotOwnerError) as refused:
        await add(other, "c2", 5)
    assert refused.value.address == owner._address
    await owner.stop()
    await until(lambda: other.owns(DOMAIN), "the other takes over")
    assert (await add(other, "c1", 5)).repeated
    assert await total(other) == 5
    await other.stop()


async def test_a_bug_halts_its_partition_and_the_rest_goes_on(log: Log) -> None:
    one = journals(log)
    await one.start()
    await until(one.caught_up, "an owner")
    elsewhere = next(
        f"acme/d{n}"
        for n in range(99)
        if one._partition(f"acme/d{n}") is not one._partition(DOMAIN)
    )
    with pytest.raises(PartitionHaltedError):
        await one.submit(
            DOMAIN, "b", Add(name="x", amount=1, explode=True), check=1, traceparent=""
        )
    assert not one.caught_up()
    outcome = await one.submit(elsewhere, "c", Add(name="x", amount=1), check=1, traceparent="")
    assert outcome.reason == ""
    await one.stop()


async def test_what_cannot_be_decoded_becomes_a_dead_letter_and_stops_nothing(log: Log) -> None:
    one = journals(log)
    await one.start()
    await until(one.caught_up, "an owner")
    partition = one._partition(DOMAIN).partition
    await log.append(
        "huntgroup.counter.journal.v1", partition, NewRecord(key=b"k", value=b"\xffgarbage")
    )
    await add(one, "c1")
    reader = await log.reader("huntgroup.counter.dlq.v1", partition, 0)
    (letter,) = await reader.read(10, 2_000)
    assert letter.value == b"\xffgarbage"
    assert letter.headers["huntgroup-source-topic"] == b"huntgroup.counter.journal.v1"
    assert one._partition(DOMAIN).telemetry.parked.value == 1
    await one.stop()
    await reader.close()


async def test_a_call_that_comes_before_the_start_is_told_to_look_for_an_owner(log: Log) -> None:
    early = journals(log)
    with pytest.raises(NotOwnerError):
        await add(early, "c1")
    assert not early.owns(DOMAIN)
    assert early.owner_address(DOMAIN) == ""
    assert not early.caught_up()


async def test_a_restart_goes_on_from_a_snapshot(log: Log) -> None:
    store = ObjectSnapshotStore.from_url("")
    one = journals(log, snapshot_every_records=10, snapshots=store)
    await one.start()
    await until(one.caught_up, "an owner")
    for n in range(40):
        await add(one, f"c{n}")
    partition = one._partition(DOMAIN).partition
    async with asyncio.timeout(5):
        while not await store.newest_first("counter", partition):  # noqa: ASYNC110
            await asyncio.sleep(0.01)
    await one.stop()
    again = journals(log, "b", snapshots=store)
    await again.start()
    await until(lambda: again.owns(DOMAIN), "an owner")
    assert await total(again) == 40
    assert (await add(again, "c3")).repeated
    assert again._partition(DOMAIN).replica.reader.accepted < 40
    await again.stop()


async def with_snapshots(log: Log, store: ObjectSnapshotStore, adds: int, name: str) -> None:
    """Let a replica count, and end when a snapshot of it is stored."""
    one = journals(log, name, snapshot_every_records=10, snapshots=store)
    await one.start()
    await until(lambda: one.owns(DOMAIN), "an owner")
    for n in range(adds):
        await add(one, f"{name}{n}")
    partition = one._partition(DOMAIN).partition
    async with asyncio.timeout(5):
        while not await store.newest_first("counter", partition):  # noqa: ASYNC110
            await asyncio.sleep(0.01)
    await one.stop()


async def test_a_snapshot_of_another_log_is_not_begun_from(log: Log) -> None:
    store = ObjectSnapshotStore.from_url("")
    await with_snapshots(MemoryLog(2), store, 40, "other")
    await with_snapshots(log, ObjectSnapshotStore.from_url(""), 60, "this")
    with capture_logs() as logs:
        again = journals(log, "b", snapshots=store)
        await again.start()
        await until(lambda: again.owns(DOMAIN), "an owner")
    assert await total(again) == 60
    await add(again, "c")
    told = [one["reason"] for one in logs if one["event"] == "snapshot_rejected"]
    assert told
    assert all(one.endswith("it is of another one") for one in told)
    await again.stop()
    standby = journals(log, "c", snapshots=store)
    await standby.start()
    await until(lambda: standby.owns(DOMAIN), "an owner")
    assert await total(standby) == 61, "what was acknowledged counts for everybody"
    await standby.stop()


async def test_snapshots_of_a_log_that_is_gone_give_way_to_those_of_the_log_that_is(
    log: Log,
) -> None:
    store = ObjectSnapshotStore.from_url("")
    await store.put("counter", 1, 9_000, b"gone")
    await store.put("counter", 0, 9_000, b"gone")
    await with_snapshots(log, store, 40, "this")
    found = [await store.newest_first("counter", partition) for partition in range(2)]
    assert b"gone" not in max(found, key=lambda one: one != [b"gone"])
    again = journals(log, "b", snapshots=store)
    await again.start()
    await until(lambda: again.owns(DOMAIN), "an owner")
    assert await total(again) == 40
    assert again._partition(DOMAIN).replica.reader.accepted < 40
    await again.stop()


class StuckStore:
    """A store of snapshots that never finishes."""

    def __init__(self) -> None:
        self.begun: Counter[int] = Counter()
        """By partition."""

    async def put(
        self,
        service: str,
        partition: int,
        position: int,
        dumped: bytes,
        *,
        code: str = "",
        end: End | None = None,
    ) -> None:
        del service, position, dumped, code, end
        self.begun[partition] += 1
        await asyncio.Event().wait()

    async def newest_first(self, service: str, partition: int) -> Sequence[bytes]:
        del service, partition
        return []


async def test_snapshots_do_not_pile_up_before_a_store_that_hangs(log: Log) -> None:
    store = StuckStore()
    one = journals(log, snapshots=store, snapshot_every_records=1)
    await one.start()
    await until(one.caught_up, "an owner")
    with capture_logs() as logs:
        for number in range(10):
            await add(one, f"c{number}")
    assert set(store.begun.values()) == {1}
    assert "snapshot_not_stored" in {one["event"] for one in logs}
    telemetry = one._partition(DOMAIN).telemetry
    assert telemetry.snapshots_failed.value > 0
    assert telemetry.snapshots_stored.value == 0
    await one.stop()


async def test_a_store_that_hangs_is_tried_again_with_a_later_snapshot(
    log: Log, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("huntgroup_runtime.life.STORED_WITHIN_S", 0.01)
    store = StuckStore()
    one = journals(log, snapshots=store, snapshot_every_records=1)
    await one.start()
    await until(lambda: one.owns(DOMAIN), "an owner")
    partition, number = one._partition(DOMAIN).partition, 0
    with capture_logs() as logs:
        async with asyncio.timeout(5):
            while store.begun[partition] < 3:
                await add(one, f"c{number}")
                number += 1
    errors = {one["error"] for one in logs if one["event"] == "snapshot_not_stored"}
    assert any(error.startswith("not done within") for error in errors)
    await one.stop()
