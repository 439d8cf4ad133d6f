"""Invariant 3: exactly one outcome, in time."""

from huntgroup.routing.v1 import events_pb2 as routing

from .story import accepted, at, enqueued, freed, joined, offered
from .written_log import WrittenLog


def expired(contact_id: str, seconds: float) -> routing.OfferExpired:
    return routing.OfferExpired(
        at_ms=at(seconds),
        offer_id=f"{contact_id}.1",
        contact_id=contact_id,
        agent_id="grace",
        queue_id="sales",
    )


def ringing() -> WrittenLog:
    """Ada's offer was made at 1 s; its lease ends at 11 s."""
    log = WrittenLog(services=["routing"])
    log.tell("routing", joined("grace", 0), enqueued("ada", 1), offered("ada", "grace", 1))
    return log


async def test_an_offer_with_two_outcomes_is_found() -> None:
    log = ringing()
    log.tell("routing", expired("ada", 11))
    position = log.tell("routing", expired("ada", 12))
    violation = await log.the_violation(3)
    assert violation.place is not None
    assert violation.place.position == position
    assert violation.why == "offer ada.1 was expired, but had found its outcome before"


async def test_an_outcome_without_an_offer_is_found() -> None:
    log = WrittenLog(services=["routing"])
    log.tell("routing", enqueued("ada", 1))
    log.tell("routing", expired("ada", 12))
    assert "but was never made" in (await log.the_violation(3)).why


async def test_an_offer_made_twice_is_found() -> None:
    log = ringing()
    log.tell("routing", expired("ada", 11), freed("ada", "grace", 11))
    log.tell(
        "routing",
        routing.ContactRequeued(at_ms=at(11), contact_id="ada", queue_id="sales", offer_id="ada.1"),
        offered("ada", "grace", 12, since=1),
    )
    assert "ada.1 was made twice" in (await log.the_violation(3)).why


async def test_an_outcome_may_come_a_little_after_the_lease_and_not_later() -> None:
    log = ringing()
    log.tell("routing", expired("ada", 16))
    assert (await log.report()).clean
    late = ringing()
    late.tell("routing", expired("ada", 16.001))
    assert "was expired 5,001 ms after its lease" in (await late.the_violation(3)).why
    assert (await late.report(epsilon_ms=6_000)).clean


async def test_an_open_offer_is_a_violation_once_the_log_is_past_its_lease() -> None:
    log = ringing()
    log.tell("routing", at_ms=at(16))
    report = await log.report()
    assert report.clean
    assert report.lines[2].counts["open"] == 1
    log.tell("routing", at_ms=at(20))
    violation = await log.the_violation(3)
    assert violation.place is not None
    assert violation.place.position == 1
    assert violation.why == "offer ada.1 has no outcome 9,000 ms after its lease ended"


async def test_time_in_which_nobody_owned_the_partition_is_not_counted() -> None:
    log = ringing()
    log.tell("routing", at_ms=at(13))
    log.journal("routing").claim(at_ms=at(3_600))
    log.tell("routing", at_ms=at(3_600))
    assert (await log.report()).clean
    log.tell("routing", expired("ada", 3_602))
    report = await log.report()
    assert report.clean, str(report)
    assert report.lines[2].counts["late for want of an owner"] == 1


async def test_a_new_owner_has_no_more_time_than_epsilon_from_its_claim() -> None:
    log = ringing()
    log.journal("routing").claim(at_ms=at(60))
    log.tell("routing", expired("ada", 70))
    assert "was expired 10,000 ms after its lease" in (await log.the_violation(3)).why


async def test_the_silence_of_an_owner_that_was_behind_already_is_no_excuse() -> None:
    log = ringing()
    log.tell("routing", at_ms=at(17))
    log.journal("routing").claim(at_ms=at(3_600))
    log.tell("routing", expired("ada", 3_600))
    assert "was expired 3,589,000 ms after its lease" in (await log.the_violation(3)).why


async def test_a_claim_right_after_another_adds_its_own_silence_only() -> None:
    log = ringing()
    log.journal("routing").claim(at_ms=at(60))
    log.journal("routing").claim(at_ms=at(100))
    log.tell("routing", expired("ada", 104))
    assert (await log.report()).clean
    late = ringing()
    late.journal("routing").claim(at_ms=at(60))
    late.journal("routing").claim(at_ms=at(100))
    late.tell("routing", expired("ada", 106))
    assert "was expired 6,000 ms after its lease" in (await late.the_violation(3)).why


async def test_an_owner_that_is_there_and_does_nothing_is_late() -> None:
    log = ringing()
    log.journal("routing").claim(at_ms=at(2))
    log.tell("routing", at_ms=at(2))
    log.tell("routing", expired("ada", 60))
    assert "49,000 ms after its lease" in (await log.the_violation(3)).why


async def test_every_outcome_counts() -> None:
    log = ringing()
    log.tell("routing", accepted("ada", "grace", 2, 1_000))
    report = await log.report()
    assert report.clean
    assert report.lines[2].counts == {"offers": 1, "accepted": 1, "open": 0}
