"""Invariant 7: the same entries give the same bytes."""

import asyncio
import random
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from obstore.store import MemoryStore

from huntgroup_eventlog.application import Application
from huntgroup_eventlog.journal.chain import ChainReader
from huntgroup_eventlog.journal.replica import Replica
from huntgroup_eventlog.snapshots import ObjectSnapshotStore
from huntgroup_onebox.audit import partition as partition_module
from huntgroup_session.core import SessionCore
from huntgroup_session.wiring import application

from .story import initiated, queued, tell_the_day
from .written_log import WrittenLog


def day() -> WrittenLog:
    log = WrittenLog()
    log.journal("session").claim(at_ms=1, address="10.0.0.1:7400")
    tell_the_day(log)
    return log


def replica_after(log: WrittenLog, position: int, by: Application) -> Replica:
    """Return a service's replica that has read the journal below `position`."""
    journal = log.journal("session")
    replica = Replica(by, partition=journal.partition, owner="x", address="x:1")
    for record in log.log.storage.read_now(journal.topic, journal.partition, 0, position):
        replica.read(record.position, record.value)
    return replica


async def store(directory: Path, replica: Replica, dumped: bytes | None = None) -> None:
    snapshots = ObjectSnapshotStore.from_url(directory.as_uri())
    dumped = replica.snapshot() if dumped is None else dumped
    await snapshots.put("session", replica.partition, replica.position, dumped)


async def test_a_core_that_does_not_fold_alike_through_a_snapshot_is_found() -> None:
    class Forgetful(SessionCore):
        def load(self, domain: str, dumped: bytes) -> Any:
            state = super().load(domain, dumped)
            state.ended.clear()
            return state

    log = day()
    log.tell("session", initiated("eve", 200))
    by = replace(application(), core=Forgetful())
    assert (await log.report(applications={"session": application()})).clean
    # Ben's end is read before the middle of the journal: it is gone after the snapshot is loaded.
    for number in range(20):
        log.tell("session", initiated(f"c{number}", 201))
    violation = await log.the_violation(7, applications={"session": by})
    assert violation.place is not None
    assert violation.place.position == log.journal("session").end - 1
    assert "the state of acme/emea differs at the end" in violation.why


async def test_a_core_that_leaves_something_to_chance_is_found() -> None:
    class Random(SessionCore):
        chance = random.Random(1)

        def dump(self, state: Any) -> bytes:
            return super().dump(state) + self.chance.randbytes(1)

        def load(self, domain: str, dumped: bytes) -> Any:
            return super().load(domain, dumped[:-1])

    log = day()
    by = replace(application(), core=Random())
    assert "differs at the end" in (await log.the_violation(7, applications={"session": by})).why


async def test_an_entry_that_cannot_be_folded_is_named() -> None:
    log = day()
    position = log.tell("session", queued("nobody", 200))
    report = await log.report(applications={"session": application()})
    [violation] = [one for one in report.violations if one.invariant == 7]
    assert violation.place is not None
    assert violation.place.position == position
    assert violation.why == "cannot be folded: KeyError: 'nobody'"


def kept_in(directory: Path) -> ObjectSnapshotStore:
    return ObjectSnapshotStore.from_url(directory.as_uri())


async def test_snapshots_are_read_from_whatever_store_they_are_kept_in() -> None:
    log, kept = day(), ObjectSnapshotStore.from_url("memory:///")
    replica = replica_after(log, 4, application())
    await kept.put("session", log.journal("session").partition, 4, replica.snapshot())
    report = await log.report(applications={"session": application()}, snapshots=kept)
    assert report.clean, str(report)
    assert report.lines[6].counts["stored snapshots"] == 1
    assert report.lines[6].unchecked == ()


async def test_snapshots_that_are_kept_in_memory_are_nothing_to_check() -> None:
    line = (await day().report(snapshots_in_memory=True)).lines[6]
    assert line.unchecked == ()
    assert str(line).endswith("not applicable: stored snapshots, which are kept in memory")


async def test_snapshots_that_cannot_be_read_are_said_not_to_be_checked(tmp_path: Path) -> None:
    kept = kept_in(tmp_path / "there")
    (tmp_path / "there").rmdir()
    (tmp_path / "there").write_bytes(b"a file")
    report = await day().report(applications={"session": application()}, snapshots=kept)
    assert report.lines[6].unchecked == ("stored snapshots that cannot be read",)


async def test_a_store_that_never_answers_is_not_waited_for(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    class Hanging(ObjectSnapshotStore):
        async def kept(self, service: str, partition: int) -> Mapping[str, bytes]:
            await asyncio.Event().wait()
            return {}

    monkeypatch.setattr(partition_module, "SNAPSHOTS_WITHIN_S", 0.001)
    report = await day().report(
        applications={"session": application()}, snapshots=Hanging(MemoryStore())
    )
    assert report.lines[6].unchecked == ("stored snapshots that cannot be read",)
    assert "note      partition 0: no answer in time" in str(report)


@pytest.mark.parametrize("position", [1, 4, 9])
async def test_a_stored_snapshot_that_equals_the_fold_at_its_position_is_counted(
    tmp_path: Path, position: int
) -> None:
    log = day()
    await store(tmp_path, replica_after(log, position, application()))
    report = await log.report(applications={"session": application()}, snapshots=kept_in(tmp_path))
    assert report.clean, str(report)
    assert report.lines[6].counts["stored snapshots"] == 1


async def test_a_stored_snapshot_of_something_else_is_found(tmp_path: Path) -> None:
    log, other = day(), day()
    replica = replica_after(log, 6, application())
    differing = replica_after(log, 6, application())
    name = next(iter(differing.fold.domains))
    differing.fold.domains[name].state.ended.clear()
    differing.fold.domains[name].state.live.clear()
    await store(tmp_path, replica, differing.snapshot())
    options: dict[str, Any] = {
        "applications": {"session": application()},
        "snapshots": kept_in(tmp_path),
    }
    violation = await log.the_violation(7, **options)
    assert violation.place is not None
    assert violation.place.position == 6
    assert violation.why.endswith("not the fold of what is below: the state of acme/emea differs")
    assert not (await other.report(**options)).clean


async def test_a_snapshot_whose_relay_was_ahead_of_the_journal_is_no_violation(
    tmp_path: Path,
) -> None:
    log = day()
    replica = replica_after(log, 6, application())
    replica.relayed_to(4)
    await store(tmp_path, replica)
    report = await log.report(applications={"session": application()}, snapshots=kept_in(tmp_path))
    assert report.clean, str(report)


async def test_snapshots_of_other_code_are_counted_and_damaged_ones_named(tmp_path: Path) -> None:
    log = day()
    await store(tmp_path, replica_after(log, 3, replace(application(), code_version="older")))
    replica = replica_after(log, 6, application())
    await store(tmp_path, replica, replica.snapshot()[:-1] + b"\0")
    report = await log.report(applications={"session": application()}, snapshots=kept_in(tmp_path))
    assert report.lines[6].counts["snapshots of other code"] == 1
    [violation] = report.violations
    assert violation.invariant == 7
    partition = log.journal("session").partition
    file = f"session/{partition}/{6:020d}.snapshot"
    assert violation.why.startswith(f"{file} cannot be used: digest does not match")


async def test_a_snapshot_beyond_the_end_of_the_log_is_counted(tmp_path: Path) -> None:
    log = day()
    replica = replica_after(log, 6, application())
    replica.position = 1_000
    await store(tmp_path, replica)
    report = await log.report(applications={"session": application()}, snapshots=kept_in(tmp_path))
    assert report.clean
    assert report.lines[6].counts["snapshots beyond the end"] == 1


def test_the_writer_of_these_logs_keeps_the_chain() -> None:
    log = day()
    journal = log.journal("session")
    reader = ChainReader()
    for record in log.log.storage.read_now(journal.topic, journal.partition, 0, 1_000):
        reader.read(record.value)
    assert (reader.accepted, reader.ignored, reader.unreadable) == (journal.end, 0, 0)
