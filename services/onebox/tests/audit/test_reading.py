"""What is not read, or does not count, is told; what the services go on to write is left for the next audit."""

from collections.abc import Sequence
from typing import Any

import pytest

from huntgroup.journal.v1 import journal_pb2 as wire
from huntgroup_eventlog.adapters.memory import Faults, MemoryLog
from huntgroup_eventlog.port import Log, LogRecord, LogUnavailableError, Reader
from huntgroup_onebox.audit import audit, reading
from huntgroup_onebox.audit.report import Findings

from .story import T, at, initiated, tell_the_day, tell_the_ledger
from .written_log import DOMAIN, WrittenLog


async def test_a_record_that_is_no_journal_entry_is_counted_and_passed_over() -> None:
    log = WrittenLog()
    log.journal("session").record("", b"\xff\xff\xff")
    log.journal("routing").record("", b"")
    tell_the_day(log)
    tell_the_ledger(log)
    report = await log.report()
    assert report.clean, str(report)
    assert report.counts["unreadable"] == 2


async def test_entries_of_who_does_not_own_the_partition_are_counted_and_passed_over() -> None:
    log = WrittenLog()
    tell_the_day(log)
    tell_the_ledger(log)
    journal = log.journal("session")
    stale = wire.Batch(epoch=journal.epoch, owner="zombie", domain=DOMAIN, prev_hash=journal.chain)
    stale.events.add(type="huntgroup.session.contact.completed.v1")
    journal.record(DOMAIN, wire.JournalEntry(batch=stale).SerializeToString())
    claim = wire.Claim(epoch=journal.epoch, owner="late")
    journal.record("", wire.JournalEntry(claim=claim).SerializeToString())
    report = await log.report()
    assert report.clean, str(report)
    assert report.counts["ignored"] == 2


def repeat(log: WrittenLog, service: str = "session") -> int:
    """Append the last record of a journal once more, as who lost the answer to an append might."""
    journal = log.journal(service)
    [last] = log.log.storage.read_now(journal.topic, journal.partition, journal.end - 1, 1)
    return journal.record(DOMAIN, last.value)


async def test_what_an_owner_writes_in_vain_within_its_claim_is_named() -> None:
    log = WrittenLog(services=["session"])
    log.tell("session", initiated("ada", 1))
    position = repeat(log)
    repeat(log)
    place = f"huntgroup.session.journal.v1 partition {log.journal('session').partition}"
    report = await log.report()
    assert report.clean
    assert report.notes == (
        (
            f"{place} position {position}: batch 1 and 1 after it of the current claim (epoch 1,"
            " owner-1) was passed over: it does not follow the last accepted entry,"
            " and nothing was accepted afterwards"
        ),
    )
    log.tell("session", initiated("ben", 2))
    report = await log.report()
    [note] = report.notes
    assert note.endswith("and its owner went on")
    assert f"note      {note}" in str(report)
    assert report.values()["notes"] == [note]


async def test_what_is_written_in_vain_before_a_new_claim_is_in_order() -> None:
    log = WrittenLog(services=["session"])
    log.tell("session", initiated("ada", 1))
    repeat(log)
    log.journal("session").claim()
    log.tell("session", initiated("ben", 2))
    report = await log.report()
    assert (report.notes, report.counts["ignored"]) == ((), 1)


async def test_an_event_that_cannot_be_decoded_is_counted_and_passed_over() -> None:
    log = WrittenLog()
    journal = log.journal("session")
    journal.claim()
    batch = wire.Batch(epoch=1, owner=journal.owner, seq=1, prev_hash=journal.chain, domain=DOMAIN)
    batch.events.add(type="huntgroup.session.contact.initiated.v1", payload=b"\xff", sequence=1)
    batch.events.add(type="huntgroup.session.contact.cloned.v9", sequence=2)
    journal.accepted(DOMAIN, wire.JournalEntry(batch=batch))
    report = await log.report()
    assert report.clean
    assert report.counts["unreadable events"] == 2


async def test_a_log_without_a_journal_is_not_ours() -> None:
    log = MemoryLog(1)
    log.storage.ensure_topics(["orders"])
    with pytest.raises(LogUnavailableError, match="has no journal of Huntgroup"):
        await audit(log)


async def test_a_log_of_some_of_the_services_is_audited() -> None:
    log = MemoryLog(1)
    log.storage.ensure_topics(["huntgroup.session.journal.v1"])
    report = await audit(log, applications={})
    assert report.clean


class Growing:
    """A log whose services go on while it is read: each reader that is opened lets one contact come in."""

    def __init__(self, written: WrittenLog) -> None:
        self._written = written
        self.contacts = 0

    def __getattr__(self, name: str) -> Any:
        return getattr(self._written.log, name)

    async def reader(self, topic: str, partition: int, position: int) -> Reader:
        self.contacts += 1
        self._written.tell("session", initiated(f"new-{self.contacts}", 200 + self.contacts))
        return await self._written.log.reader(topic, partition, position)


async def test_only_what_was_there_at_the_start_is_judged() -> None:
    log = WrittenLog()
    tell_the_day(log)
    tell_the_ledger(log)
    growing = Growing(log)
    report = await audit(growing, applications={})
    assert growing.contacts > 0
    assert report.clean, str(report)
    assert report.lines[0].counts["contacts"] == 2


async def test_positions_need_not_be_dense_and_reads_may_be_short() -> None:
    log = WrittenLog()
    log.log = MemoryLog(2, Faults(seed=3, gap=300, slow_read=500))
    log.log.storage.ensure_topics(WrittenLog().log.storage.topics())
    tell_the_day(log)
    tell_the_ledger(log)
    report = await log.report()
    assert report.clean, str(report)
    assert report.lines[0].counts["contacts"] == 2


class Silent:
    async def read(self, limit: int, wait_ms: int) -> Sequence[LogRecord]:
        return ()

    async def close(self) -> None:
        pass


async def test_a_log_that_falls_silent_before_its_end_cannot_be_read() -> None:
    log = WrittenLog()
    tell_the_day(log)

    class Mute(Growing):
        async def reader(self, topic: str, partition: int, position: int) -> Reader:
            return Silent()

    mute: Any = Mute(log)
    checked: Log = mute
    with pytest.raises(LogUnavailableError, match="gives nothing at 0, before its end"):
        await audit(checked, applications={})


async def test_progress_is_told_up_to_everything_that_was_there() -> None:
    log = WrittenLog()
    tell_the_day(log)
    told: list[tuple[int, int]] = []
    await log.report(progress=lambda done, total: told.append((done, total)))
    assert told[-1][0] == told[-1][1] > 0
    assert [done for done, _ in told] == sorted(done for done, _ in told)


async def test_entries_of_several_journals_come_by_log_time() -> None:
    log = WrittenLog()
    for seconds in (1, 4, 5):
        log.tell("session", at_ms=at(seconds))
    for seconds in (2, 3, 6):
        log.tell("routing", at_ms=at(seconds))
    partition = log.journal("session").partition
    ends = await reading.find_ends(log.log, [partition])
    journals = []
    for service in ("session", "routing"):
        topic, end = log.journal(service).topic, ends.journals[service, partition]
        records = reading.Records(log.log, service, topic, partition)
        records.end = end
        journals.append(reading.Entries(records, service, Findings()))
    times = [entry.kind.at_ms - T async for entry in reading.by_time(journals)]
    assert times == [0 - T, 0 - T, 1_000, 2_000, 3_000, 4_000, 5_000, 6_000]
