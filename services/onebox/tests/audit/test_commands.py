"""Invariant 4: carried out once, refused without effect, acknowledged and there."""

from huntgroup.journal.v1 import journal_pb2 as wire

from .story import T, initiated
from .written_log import DOMAIN, WrittenLog

HOUR_MS = 3_600_000


def outcome(command_id: str, events: int = 0, reason: str = "") -> wire.Outcome:
    return wire.Outcome(command_id=command_id, events=events, reason=reason)


async def test_a_command_carried_out_twice_is_found() -> None:
    log = WrittenLog()
    log.tell("session", initiated("ada", 1), outcomes=[outcome("one", 1)])
    position = log.tell("session", at_ms=T + HOUR_MS, outcomes=[outcome("one")])
    violation = await log.the_violation(4)
    assert violation.place is not None
    assert violation.place.position == position
    assert violation.why == "command one was carried out a second time"


async def test_ids_are_those_of_one_service_in_one_domain_and_are_forgotten_after_a_day() -> None:
    log = WrittenLog()
    log.tell("session", at_ms=T, outcomes=[outcome("one")])
    log.tell("routing", at_ms=T, outcomes=[outcome("one")])
    log.tell("session", domain="globex/us", at_ms=T, outcomes=[outcome("one")])
    log.tell("session", at_ms=T + 24 * HOUR_MS, outcomes=[outcome("one")])
    assert (await log.report()).clean
    log.tell("session", at_ms=T + 47 * HOUR_MS, outcomes=[outcome("one")])
    assert "a second time" in (await log.the_violation(4)).why


async def test_a_refused_command_with_events_is_found() -> None:
    log = WrittenLog()
    log.tell("session", initiated("ada", 1), outcomes=[outcome("one", 1, "CONTACT_EXISTS")])
    why = (await log.the_violation(4)).why
    assert why == "command one was refused (CONTACT_EXISTS), but 1 events follow from it"


async def test_a_count_of_events_that_does_not_fit_is_found() -> None:
    log = WrittenLog()
    log.tell("session", initiated("ada", 1), outcomes=[outcome("one", 2)])
    assert "claims 2 events of its batch, which has 1" in (await log.the_violation(4)).why


async def test_every_acknowledged_command_must_be_there_refused_ones_too() -> None:
    log = WrittenLog()
    log.tell("session", initiated("ada", 1), outcomes=[outcome("one", 1)])
    log.tell("session", at_ms=T + 2_000, outcomes=[outcome("two", 0, "CONTACT_EXISTS")])
    acked = [("session", "one"), ("session", "two")]
    report = await log.report(acked=acked)
    assert report.clean
    assert report.lines[3].counts == {"carried out": 1, "refused": 1, "acknowledged to clients": 2}
    violation = await log.the_violation(4, acked=[*acked, ("routing", "one")])
    assert violation.place is None
    assert "command one was acknowledged, but routing's journal" in violation.why


async def test_a_command_in_an_ignored_batch_does_not_count() -> None:
    log = WrittenLog()
    journal = log.journal("session")
    log.tell("session", at_ms=T, outcomes=[outcome("one")])
    stale = wire.Batch(
        epoch=journal.epoch, owner="zombie", domain=DOMAIN, outcomes=[outcome("two")]
    )
    journal.record(DOMAIN, wire.JournalEntry(batch=stale).SerializeToString())
    report = await log.report(acked=[("session", "two")])
    assert report.counts["ignored"] == 1
    assert not report.clean
