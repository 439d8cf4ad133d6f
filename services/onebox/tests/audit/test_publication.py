"""Invariant 8, on the public topics: the journal's events, each in its turn."""

from collections.abc import Callable
from typing import Any

import pytest

from huntgroup.journal.v1 import journal_pb2 as wire
from huntgroup_eventlog.port import LogRecord, NewRecord
from huntgroup_onebox.audit.publication import said_by

from .story import T, initiated
from .written_log import DOMAIN, Journal, WrittenLog

TOPIC = "huntgroup.session.events.v1"


class Unpublished:
    """A journal of three contacts whose public events are yet to be written."""

    def __init__(self) -> None:
        self.log = WrittenLog()
        self.journal: Journal = self.log.journal("session")
        self.batches: list[tuple[wire.Batch, bytes]] = []
        for number in range(1, 4):
            self.log.tell("session", initiated(f"c{number}", number), publish=False)
            self.batches.append((self._last(), self.journal.chain))

    def _last(self) -> wire.Batch:
        journal = self.journal
        [record] = journal.log.storage.read_now(
            journal.topic, journal.partition, journal.end - 1, 1
        )
        return wire.JournalEntry.FromString(record.value).batch

    def publish(self, number: int, **changed: Any) -> int:
        batch, chain = self.batches[number - 1]
        now, self.journal.chain = self.journal.chain, chain
        position = self.journal.publish(batch, 0, **changed)
        self.journal.chain = now
        return position

    def claim_published(self) -> None:
        """Let the journal say that everything so far is public."""
        self.log.tell("session", at_ms=T + 9_000, relayed=self.journal.end)

    async def counts(self) -> dict[str, int]:
        report = await self.log.report()
        assert report.clean, str(report)
        return dict(report.lines[7].counts)


async def test_events_in_turn_are_clean() -> None:
    world = Unpublished()
    for number in (1, 2, 3):
        world.publish(number)
    world.claim_published()
    assert (await world.counts())["public events"] == 3


async def test_what_is_not_published_yet_is_no_violation() -> None:
    world = Unpublished()
    world.publish(1)
    assert (await world.counts())["public events"] == 1


async def test_what_is_claimed_to_be_published_and_is_not_is_found() -> None:
    world = Unpublished()
    world.publish(1)
    world.publish(2)
    world.claim_published()
    violation = await world.log.the_violation(8)
    assert violation.place is None
    assert "session claims to have published up to event 3, but the public topic ends at 2" in (
        violation.why
    )


async def test_duplicates_and_events_before_their_turn_are_counted() -> None:
    world = Unpublished()
    for number in (1, 3, 1, 2, 3, 3):
        world.publish(number)
    world.claim_published()
    counts = await world.counts()
    assert (counts["duplicates"], counts["early"]) == (2, 1)


@pytest.mark.parametrize("order", [(1, 3), (1, 3, 3), (3, 1), (1, 3, 2)])
async def test_a_number_that_never_comes_in_its_turn_is_found(order: tuple[int, ...]) -> None:
    world = Unpublished()
    positions = [world.publish(number) for number in order]
    violation = await world.log.the_violation(8)
    assert violation.place is not None
    assert (violation.place.topic, violation.place.position) == (TOPIC, positions[order.index(3)])
    assert "event 3 is public, but" in violation.why


@pytest.mark.parametrize(
    "changed",
    [
        {"id": "00-0"},
        {"type": "huntgroup.session.contact.queued.v1"},
        {"payload": b""},
        {"time_ms": T},
    ],
)
async def test_a_public_event_that_is_not_the_journals_is_found(changed: dict[str, Any]) -> None:
    world = Unpublished()
    position = world.publish(1, **changed)
    violation = await world.log.the_violation(8)
    assert violation.place is not None
    assert (violation.place.topic, violation.place.position) == (TOPIC, position)
    assert violation.why == (
        "public event 1 differs from the journal's in id, type, time or payload"
    )


async def test_a_public_event_that_the_journal_does_not_have_is_found() -> None:
    world = Unpublished()
    for number in (1, 2, 3):
        world.publish(number)
    world.publish(3, sequence=4)
    assert (
        "event 4 is public, but the journal has 3 events" in (await world.log.the_violation(8)).why
    )


async def test_the_source_must_be_the_service_and_the_key_the_subject() -> None:
    world = Unpublished()
    world.publish(1, source="routing")
    assert "has source routing, not session" in (await world.log.the_violation(8)).why


def key_of_another(record: LogRecord) -> NewRecord:
    return NewRecord(key=b"globex/us", value=record.value, headers=record.headers)


def without_id(record: LogRecord) -> NewRecord:
    headers = {name: value for name, value in record.headers.items() if name != "ce_id"}
    return NewRecord(key=record.key, value=record.value, headers=headers)


def without_headers(record: LogRecord) -> NewRecord:
    return NewRecord(key=record.key, value=record.value)


@pytest.mark.parametrize(
    ("spoil", "why"),
    [
        (key_of_another, "is not ce_subject"),
        (without_id, "headers lack ce_id"),
        (without_headers, "no public event: headers lack"),
    ],
)
async def test_a_record_that_is_no_public_event_of_its_key_is_found(
    spoil: Callable[[LogRecord], NewRecord], why: str
) -> None:
    world = Unpublished()
    world.publish(1)
    journal = world.journal
    [record] = journal.log.storage.read_now(TOPIC, journal.partition, 0, 1)
    journal.public_record(spoil(record))
    assert why in (await world.log.the_violation(8)).why


async def test_a_public_event_in_the_wrong_partition_is_found() -> None:
    log = WrittenLog()
    wrong = log.in_partition("session", 1 - log.journal("session").partition)
    wrong.batch(initiated("ada", 1), domain=DOMAIN)
    whys = {one.why for one in await log.violations(8)}
    assert any(why.startswith("the public event belongs in partition") for why in whys)


async def test_sequences_that_are_not_gapless_in_the_journal_are_found() -> None:
    log = WrittenLog()
    log.tell("session", initiated("ada", 1))
    log.journal("session").sequences[DOMAIN] = 7
    log.tell("session", initiated("ben", 2), publish=False)
    assert "has sequence 8, after 1 comes 2" in (await log.the_violation(8)).why


async def test_log_time_that_goes_back_is_found() -> None:
    log = WrittenLog()
    log.tell("session", at_ms=T + 1)
    log.tell("session", at_ms=T)
    assert (await log.the_violation(8)).why == f"log time goes back from {T + 1} to {T}"


def test_a_record_is_read_alike_in_both_ways(monkeypatch: pytest.MonkeyPatch) -> None:
    world = Unpublished()
    world.publish(1)
    [record] = world.journal.log.storage.read_now(TOPIC, world.journal.partition, 0, 1)
    quickly = said_by("session", record)
    monkeypatch.setattr("huntgroup_onebox.audit.publication.FIXED", {"ce_specversion": b"0.3"})
    assert said_by("session", record) == quickly
