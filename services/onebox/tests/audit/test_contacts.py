"""Invariant 1: one end, one queue at a time, and the right turn."""

from typing import Any

import pytest

from huntgroup.routing.v1 import events_pb2 as routing
from huntgroup.session.v1 import events_pb2 as session

from .story import (
    T,
    abandoned,
    accepted,
    at,
    completed,
    eligible,
    enqueued,
    initiated,
    joined,
    offered,
    queued,
    signed_on,
    tell_the_day,
)
from .written_log import DOMAIN, WrittenLog


async def test_a_contact_that_ends_twice_is_found() -> None:
    log = WrittenLog()
    tell_the_day(log)
    position = log.tell("session", completed("ada", 80))
    violation = await log.the_violation(1)
    assert violation.place is not None
    assert violation.place.position == position
    assert violation.place.topic == "huntgroup.session.journal.v1"
    assert violation.why == "contact ada has a ContactCompleted after it had ended"


async def test_whatever_comes_after_the_end_is_found_but_for_a_failed_connection() -> None:
    log = WrittenLog()
    tell_the_day(log)
    log.tell(
        "session", session.ContactConnectionFailed(at_ms=at(98), contact_id="ben", offer_id="ben.1")
    )
    assert (await log.report()).clean
    log.tell("session", session.ContactHeld(at_ms=at(99), contact_id="ben", agent_id="grace"))
    assert "ContactHeld after it had ended" in (await log.the_violation(1)).why


async def test_a_contact_without_a_beginning_is_found() -> None:
    log = WrittenLog()
    log.tell("session", queued("eve", 1))
    assert "has a ContactQueued but never came in" in (await log.the_violation(1)).why


async def test_a_contact_that_comes_in_twice_is_found() -> None:
    log = WrittenLog()
    log.tell("session", initiated("eve", 1), initiated("eve", 2))
    assert "came in a second time" in (await log.the_violation(1)).why


async def test_a_contact_that_comes_in_again_after_its_end_is_found() -> None:
    log = WrittenLog()
    tell_the_day(log)
    log.tell("session", initiated("ben", 90))
    assert "came in again after it had ended" in (await log.the_violation(1)).why


async def test_a_contact_in_two_queues_is_found_in_sessions_journal() -> None:
    log = WrittenLog()
    log.tell("session", initiated("eve", 1), queued("eve", 2), queued("eve", 3, "support"))
    why = (await log.the_violation(1)).why
    assert why == "contact eve was put into queue support while it waited in sales"


async def test_a_contact_in_two_queues_is_found_in_routings_journal() -> None:
    log = WrittenLog()
    log.tell("session", initiated("eve", 1))
    log.tell("routing", enqueued("eve", 1), enqueued("eve", 2))
    assert "was put into queue sales while it stood in sales" in (await log.the_violation(1)).why


async def test_live_contacts_are_counted_and_no_violation() -> None:
    log = WrittenLog()
    log.tell("session", initiated("eve", 1), initiated("bob", 2))
    report = await log.report()
    assert report.clean
    assert report.lines[0].counts["live"] == 2


def two_agents_and_waiting(log: WrittenLog, *waiting: routing.ContactEnqueued) -> None:
    log.tell("agent-state", signed_on("grace", 0, slots=2), signed_on("alan", 0))
    log.tell("routing", joined("grace", 0, slots=2), eligible("grace", 0), joined("alan", 0))
    log.tell("routing", *waiting)


async def test_the_older_contact_passed_over_is_named() -> None:
    log = WrittenLog()
    two_agents_and_waiting(log, enqueued("ada", 1), enqueued("ben", 2))
    position = log.tell("routing", offered("ben", "grace", 3, since=2))
    violation = await log.the_violation(1)
    assert violation.place is not None
    assert violation.place.position == position
    assert (
        violation.why
        == "contact ben was offered to grace out of turn: contact ada stands before it"
    )


async def test_priority_comes_before_age_and_the_id_decides_last() -> None:
    log = WrittenLog()
    two_agents_and_waiting(
        log, enqueued("b", 1), enqueued("a", 1), enqueued("urgent", 2, priority=5)
    )
    log.tell("routing", offered("urgent", "grace", 3, since=2), offered("a", "grace", 3, since=1))
    assert (await log.report()).clean
    log.tell("routing", enqueued("z", 4), offered("z", "alan", 4, since=4))
    assert "contact b stands before it" in (await log.the_violation(1)).why


async def test_where_priority_is_worth_time_the_older_contact_may_come_first() -> None:
    log, urgent = WrittenLog(), enqueued("urgent", 100, priority=5)
    urgent.priority_point_ms = 1_000
    two_agents_and_waiting(log, enqueued("ada", 1), urgent, enqueued("ben", 99))
    log.tell("routing", offered("ada", "grace", 101, since=1))
    assert (await log.report()).clean
    log.tell("routing", offered("ben", "alan", 101, since=99))
    assert "contact urgent stands before it" in (await log.the_violation(1)).why


async def test_contacts_that_need_other_skills_stand_in_another_line() -> None:
    log = WrittenLog()
    first = enqueued("ada", 1)
    first.required_skills.append("italian")
    two_agents_and_waiting(log, first, enqueued("ben", 2))
    log.tell("routing", offered("ben", "grace", 3, since=2))
    assert (await log.report()).clean


async def test_a_contact_that_comes_back_keeps_its_age_and_its_place() -> None:
    log = WrittenLog()
    two_agents_and_waiting(log, enqueued("ada", 1), enqueued("ben", 2))
    log.tell("routing", offered("ada", "alan", 3, since=1))
    rejected = routing.OfferRejected(
        at_ms=at(4), offer_id="ada.1", contact_id="ada", agent_id="alan", queue_id="sales"
    )
    requeued = routing.ContactRequeued(
        at_ms=at(4), contact_id="ada", queue_id="sales", offer_id="ada.1"
    )
    log.tell("routing", rejected, requeued, offered("ada", "grace", 4, since=1, attempt=2))
    assert (await log.report()).clean
    late = WrittenLog()
    two_agents_and_waiting(late, enqueued("ada", 1), enqueued("ben", 2))
    late.tell("routing", offered("ada", "alan", 3, since=1), rejected, requeued)
    late.tell("routing", offered("ada", "grace", 4, since=4, attempt=2))
    why = (await late.the_violation(1)).why
    assert why == f"contact ada lost its age: queued at {T + 1_000}, offered as of {T + 4_000}"


async def test_who_just_declined_a_contact_may_be_offered_the_next_one() -> None:
    log = WrittenLog()
    two_agents_and_waiting(log, enqueued("ada", 1), enqueued("ben", 2))
    log.tell("routing", offered("ada", "grace", 3, since=1))
    log.tell(
        "routing",
        routing.OfferRejected(
            at_ms=at(4), offer_id="ada.1", contact_id="ada", agent_id="grace", queue_id="sales"
        ),
        routing.ContactRequeued(at_ms=at(4), contact_id="ada", queue_id="sales", offer_id="ada.1"),
    )
    log.tell("routing", offered("ben", "grace", 5, since=2))
    assert (await log.report()).clean
    log.tell("routing", enqueued("eve", 6), offered("eve", "alan", 6))
    assert "eve was offered to alan out of turn: contact ada" in (await log.the_violation(1)).why


async def test_an_offer_of_a_contact_that_does_not_wait_is_found() -> None:
    log = WrittenLog()
    two_agents_and_waiting(log, enqueued("ada", 1))
    log.tell("routing", offered("ada", "grace", 3, since=1))
    log.tell("routing", offered("ada", "alan", 3, since=1, attempt=2))
    assert "was offered while it rings with ada.1" in (await log.the_violation(1)).why


async def test_who_is_passed_over_by_hand_was_not_forgotten() -> None:
    log = WrittenLog()
    two_agents_and_waiting(log, enqueued("ada", 1), enqueued("ben", 2))
    by_hand = offered("ben", "grace", 3, since=2)
    by_hand.explanation.rule = routing.DECISION_RULE_PULLED
    log.tell("routing", by_hand)
    assert (await log.report()).clean


async def test_who_waits_for_certain_agents_stands_in_no_line_until_that_lapses() -> None:
    log = WrittenLog()
    awaiting = enqueued("ada", 1)
    awaiting.awaited_agents.append("mary")
    two_agents_and_waiting(log, awaiting, enqueued("ben", 2))
    log.tell("routing", offered("ben", "grace", 3, since=2))
    assert (await log.report()).clean
    lapsed = routing.PreferenceLapsed(at_ms=at(4), contact_id="ada", queue_id="sales")
    log.tell("routing", lapsed, enqueued("cai", 5), offered("cai", "alan", 6, since=5))
    assert "cai was offered to alan out of turn: contact ada" in (await log.the_violation(1)).why
    log.tell("routing", lapsed)
    whys = [one.why for one in (await log.report()).violations]
    assert "contact ada waited for nobody in particular, but lapsed" in whys


def awaiting_ada() -> routing.ContactEnqueued:
    awaiting = enqueued("ada", 1)
    awaiting.awaited_agents.append("mary")
    return awaiting


async def test_another_priority_puts_nobody_into_line_who_waits_for_certain_agents() -> None:
    log = WrittenLog()
    two_agents_and_waiting(log, awaiting_ada(), enqueued("ben", 2))
    first = routing.ContactReprioritized(
        at_ms=at(3), contact_id="ada", queue_id="sales", priority=9
    )
    log.tell("routing", first, offered("ben", "grace", 4, since=2))
    assert (await log.report()).clean


async def test_who_is_moved_waits_for_nobody_in_particular_and_steps_like_all() -> None:
    log = WrittenLog()
    moved = routing.ContactMoved(
        at_ms=at(2),
        contact_id="ada",
        from_queue_id="sales",
        queue_id="support",
        enqueued_at_ms=at(1),
    )
    stepped = routing.ContactStepped(
        at_ms=at(3), contact_id="ada", queue_id="support", step=1, requirement="x"
    )
    later = enqueued("ben", 2)
    later.requirement = "x"
    offer = offered("ada", "grace", 4, since=1)
    offer.queue_id = "support"
    two_agents_and_waiting(log, awaiting_ada(), later)
    log.tell("routing", moved, stepped, offer)
    assert (await log.report()).clean


@pytest.mark.parametrize("stood_in_line", [False, True])
async def test_who_is_moved_and_waits_for_certain_agents_stands_in_no_line(
    *, stood_in_line: bool
) -> None:
    log = WrittenLog()
    moved = routing.ContactMoved(
        at_ms=at(2),
        contact_id="ada",
        from_queue_id="sales",
        queue_id="support",
        enqueued_at_ms=at(1),
        awaited_agents=["mary"],
    )
    ada = enqueued("ada", 1) if stood_in_line else awaiting_ada()
    two_agents_and_waiting(log, ada, enqueued("ben", 2))
    log.tell("routing", moved, offered("ben", "grace", 4, since=2))
    assert (await log.report()).clean


def ringing(agent_id: str, attempt: int, most: int) -> routing.OfferCreated:
    """Return an offer of `ada`, who may ring at so many."""
    created = offered("ada", agent_id, 3, since=1, attempt=attempt)
    created.ring_target = most
    return created


def taken_back(agent_id: str, attempt: int) -> routing.OfferRescinded:
    return routing.OfferRescinded(
        at_ms=at(4),
        offer_id=f"ada.{attempt}",
        contact_id="ada",
        agent_id=agent_id,
        queue_id="sales",
        reason=routing.RESCIND_REASON_TAKEN_BY_ANOTHER,
    )


async def test_a_contact_may_ring_at_several_where_its_offers_say_so_and_one_gets_it() -> None:
    log = WrittenLog()
    two_agents_and_waiting(log, enqueued("ada", 1))
    log.tell("routing", ringing("grace", 1, 2), ringing("alan", 2, 2))
    log.tell("routing", accepted("ada", "grace", 4, 1_000), taken_back("alan", 2))
    assert (await log.report()).clean
    twice = accepted("ada", "alan", 5, 1_000)
    twice.offer_id = "ada.2"
    log.tell("routing", twice)
    whys = " ".join(one.why for one in (await log.report()).violations)
    assert "ada has a OfferAccepted without a place" in whys
    assert "offer ada.2 was accepted, but had found its outcome before" in whys


@pytest.mark.parametrize(
    ("second", "why"),
    [
        (ringing("grace", 2, 2), "was offered while it rings at grace already"),
        (ringing("alan", 2, 1), "was offered while it rings with ada.1"),
    ],
)
async def test_a_contact_that_rings_twice_at_one_agent_or_at_too_many_is_found(
    second: routing.OfferCreated, why: str
) -> None:
    log = WrittenLog()
    two_agents_and_waiting(log, enqueued("ada", 1))
    log.tell("routing", ringing("grace", 1, 2), second)
    assert any(why in one.why for one in (await log.report()).violations)


async def test_a_contact_that_goes_back_while_it_rings_elsewhere_is_found() -> None:
    log = WrittenLog()
    two_agents_and_waiting(log, enqueued("ada", 1))
    log.tell("routing", ringing("grace", 1, 2), ringing("alan", 2, 2))
    back = routing.ContactRequeued(
        at_ms=at(4), contact_id="ada", queue_id="sales", offer_id="ada.1"
    )
    log.tell("routing", taken_back("grace", 1), back)
    assert any("but rings at alan" in one.why for one in (await log.report()).violations)


async def test_an_abandoned_contact_is_over() -> None:
    log = WrittenLog()
    log.tell("session", initiated("eve", 1), queued("eve", 2), abandoned("eve", 3, 1_000))
    log.tell("session", completed("eve", 4), domain=DOMAIN)
    assert "after it had ended" in (await log.the_violation(1)).why


async def test_a_contact_that_leaves_routing_without_having_been_there_is_found() -> None:
    log = WrittenLog()
    log.tell("routing", joined("grace", 0), enqueued("ada", 1), offered("ada", "grace", 1))
    log.tell("routing", accepted("ada", "grace", 2, 1_000))
    log.tell("routing", routing.ContactDequeued(at_ms=at(3), contact_id="ada", queue_id="sales"))
    assert "has a ContactDequeued without a place" in (await log.the_violation(1)).why


def stepped(contact_id: str, seconds: float) -> routing.ContactStepped:
    return routing.ContactStepped(
        at_ms=at(seconds),
        contact_id=contact_id,
        queue_id="sales",
        step=1,
        requirement='lang == "ar"',
    )


async def test_who_comes_to_a_step_stands_in_another_line_with_its_old_turn() -> None:
    log = WrittenLog()
    log.tell("routing", joined("grace", 0), eligible("grace", 0))
    log.tell("routing", enqueued("ada", 1), enqueued("ben", 2), enqueued("cai", 3))
    log.tell("routing", stepped("ada", 4))
    log.tell("routing", offered("ben", "grace", 5, since=2))
    assert not (await log.report()).violations
    log.tell("routing", stepped("cai", 6))
    log.tell("routing", offered("cai", "grace", 7, since=3))
    whys = [one.why for one in (await log.report()).violations if one.invariant == 1]
    assert whys == ["contact cai was offered to grace out of turn: contact ada stands before it"]


async def test_a_step_of_nobody_is_found() -> None:
    log = WrittenLog()
    log.tell("routing", stepped("ada", 1))
    assert "came to a step without a place" in (await log.the_violation(1)).why


def moved(second: int, **fields: Any) -> routing.ContactMoved:
    return routing.ContactMoved(
        **{
            "at_ms": at(second),
            "contact_id": "eve",
            "from_queue_id": "sales",
            "queue_id": "support",
            "enqueued_at_ms": at(2),
            "stay": 1,
            "overflow": routing.Overflow(trigger=routing.OVERFLOW_TRIGGER_WAITED),
            **fields,
        }
    )


async def test_who_goes_to_another_queue_must_come_from_where_it_stood_in_both_journals() -> None:
    log = WrittenLog()
    log.tell("session", initiated("eve", 1), queued("eve", 2))
    session_moved = session.ContactMoved(
        at_ms=at(3), contact_id="eve", from_queue_id="night", queue_id="support", stay=1
    )
    log.tell("session", session_moved)
    why = (await log.the_violation(1)).why
    assert why == "contact eve was moved from queue night to support while it stood in sales"
    log = WrittenLog()
    log.tell("session", initiated("eve", 1), queued("eve", 2))
    log.tell("routing", enqueued("eve", 2), moved(3, from_queue_id="night"))
    assert "from queue night while it stood in sales" in (await log.the_violation(1)).why


async def test_who_loses_its_age_on_its_way_to_another_queue_is_found() -> None:
    log = WrittenLog()
    log.tell("session", initiated("eve", 1), queued("eve", 2))
    log.tell("routing", enqueued("eve", 2), moved(3, enqueued_at_ms=at(3)))
    assert "lost its age" in (await log.the_violation(1)).why


async def test_who_was_handed_back_may_come_again_and_who_was_diverted_may_not() -> None:
    for action, again in (
        (routing.OVERFLOW_ACTION_HAND_BACK, True),
        (routing.OVERFLOW_ACTION_VOICEMAIL, False),
    ):
        log = WrittenLog()
        log.tell("session", initiated("eve", 1), queued("eve", 2))
        left = routing.ContactDequeued(
            at_ms=at(3),
            contact_id="eve",
            queue_id="sales",
            reason=routing.DEQUEUE_REASON_OVERFLOWED,
            overflow=routing.Overflow(action=action),
        )
        log.tell("routing", enqueued("eve", 2), left, enqueued("eve", 4))
        report = await log.report()
        found = [one.why for one in report.violations if one.invariant == 1]
        assert ("after it had left" in " ".join(found)) is not again


@pytest.mark.parametrize("stay", [1, 0])
async def test_a_callback_that_was_accepted_may_come_back_in_a_later_stay_only(stay: int) -> None:
    log = WrittenLog()
    log.tell("routing", joined("grace", 0), enqueued("eve", 1), offered("eve", "grace", 1))
    again = enqueued("eve", 1)
    again.at_ms, again.stay = at(9), stay
    log.tell("routing", accepted("eve", "grace", 2, 1_000), again)
    whys = " ".join(one.why for one in (await log.report()).violations if one.invariant == 1)
    assert ("after it had left" in whys) is (stay == 0)


async def test_a_callback_lives_until_its_one_end_and_stands_in_no_queue_between() -> None:
    log = WrittenLog(services=["session"])
    log.tell("session", initiated("eve", 1), queued("eve", 2))
    scheduled = session.CallbackScheduled(
        at_ms=at(3), contact_id="eve", queue_id="sales", resume_at_ms=at(9), in_line=True
    )
    back = queued("eve", 9)
    back.stay = 1
    log.tell("session", scheduled, back)
    ended = session.CallbackEnded(at_ms=at(10), contact_id="eve", queue_id="sales", in_line=True)
    log.tell("session", ended)
    assert not [one for one in (await log.report()).violations if one.invariant == 1]
    log.tell("session", completed("eve", 11))
    assert "after it had ended" in (await log.the_violation(1)).why
