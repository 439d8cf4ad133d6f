"""Invariants 1 to 3 across journals: what must follow from a fact, and does not."""

from collections.abc import Callable
from typing import Any

import pytest
from google.protobuf.message import Message

from huntgroup.agent_state.v1 import events_pb2 as agent_state
from huntgroup.journal.v1 import journal_pb2 as wire
from huntgroup.routing.v1 import events_pb2 as routing
from huntgroup.session.v1 import events_pb2 as session

from .story import (
    abandoned,
    accepted,
    at,
    enqueued,
    freed,
    initiated,
    offered,
    queued,
    released,
    reserved,
    signed_on,
    tell_the_day,
)
from .written_log import WrittenLog

CALL: dict[str, Any] = {"contact_id": "ada", "offer_id": "ada.1", "agent_id": "grace"}


def told(*without: type[Message], services: tuple[str, ...] = ()) -> WrittenLog:
    """Return the day, in which nobody wrote some of the events; 1,000 s later everything goes on."""
    log = Forgetful(without)
    tell_the_day(log)
    for service in ("session", "agent-state", "routing"):
        if service not in services:
            log.tell(service, at_ms=at(1_000))
    return log


class Forgetful(WrittenLog):
    """A log into which some events do not find their way."""

    def __init__(self, without: tuple[type[Message], ...]) -> None:
        super().__init__()
        self.without = without

    def tell(self, service: str, *events: Message, **more: Any) -> int:
        kept = [one for one in events if not isinstance(one, self.without)]
        return super().tell(service, *kept, **more)


async def firsts(log: WrittenLog, **options: Any) -> dict[int, str]:
    """Return the first violation of each broken line."""
    report = await log.report(**options)
    return {line.invariant: str(line.first) for line in report.lines if line.first is not None}


async def test_a_day_in_which_all_follows_is_clean() -> None:
    report = await told().report(ended=True)
    assert report.clean, str(report)


@pytest.mark.parametrize(
    ("without", "invariant", "why"),
    [
        ([routing.ContactDequeued], 1, "contact ben has a ContactAbandoned, but routing has no"),
        ([session.ContactCompleted], 1, "contact ada has a AgentFinishedWrapUp, but session has"),
        ([agent_state.AgentReserved], 2, "offer ada.1 has a OfferCreated, but agent-state has no"),
        ([agent_state.AgentReleased], 2, "offer ada.1 has a AgentStartedWrapUp, but agent-state"),
        ([routing.AgentCapacityFreed], 2, "offer ada.1 has a AgentReleased, but routing has no"),
        ([session.ContactConnected], 3, "offer ada.1 has a OfferAccepted, but session has no"),
        (
            [
                agent_state.AgentStartedWrapUp,
                agent_state.AgentFinishedWrapUp,
                agent_state.AgentReleased,
            ],
            2,
            "offer ada.1 has a ContactDisconnected, but agent-state has no AgentStartedWrapUp or",
        ),
    ],
)
async def test_what_does_not_follow_is_named_by_its_cause(
    without: list[type[Message]], invariant: int, why: str
) -> None:
    report = await told(*without).report()
    assert any(why in one.why for one in report.violations if one.invariant == invariant)


async def test_a_contact_that_routing_never_heard_of_is_lost() -> None:
    log = WrittenLog()
    log.tell("routing", at_ms=at(0))
    position = log.tell("session", initiated("ada", 1), queued("ada", 1))
    log.tell("session", at_ms=at(7))
    assert (await log.report()).clean, "routing has said nothing since"
    log.tell("routing", at_ms=at(7))
    violation = await log.the_violation(1)
    assert violation.place is not None
    assert violation.place.topic == "huntgroup.session.journal.v1"
    assert violation.place.position == position
    assert violation.why == (
        "contact ada has a ContactQueued, but routing has no ContactEnqueued for it"
        " at least 6,000 ms later, and has taken in only what is before 0"
    )
    log.tell("routing", at_ms=at(7), sources=log.taken_in())
    assert (await log.report()).clean, "it has just taken it in"
    log.tell("routing", at_ms=at(12.001))
    why = (await log.the_violation(1)).why
    assert why.endswith("at least 5,001 ms later, and has taken in it")


async def test_what_is_still_to_follow_is_excused_for_a_moment_of_log_time() -> None:
    log = WrittenLog()
    log.tell("routing", at_ms=at(0))
    log.tell("session", initiated("ada", 1), queued("ada", 1))
    log.tell("session", at_ms=at(6))
    log.tell("routing", at_ms=at(6))
    report = await log.report()
    assert report.clean, str(report)
    assert report.lines[0].counts["about to follow"] == 1
    assert not (await log.report(epsilon_ms=4_999)).clean


@pytest.mark.parametrize("ahead_s", [6, 120, 3_600])
@pytest.mark.parametrize("ahead", ["session", "routing", "agent-state", "recording", "reporting"])
async def test_nobody_is_accused_because_a_clock_is_ahead(ahead: str, ahead_s: int) -> None:
    log = told()
    for service in ("session", "agent-state", "routing", "recording"):
        log.tell(service, at_ms=at(1_001), sources=log.taken_in())
    log.tell("session", initiated("eve", 1_001), queued("eve", 1_001))
    log.tell("agent-state", signed_on("alan", 1_001), reserved("eve", "alan", 1_001))
    wrapping_up = CALL | {"contact_id": "eve", "offer_id": "eve.1", "agent_id": "alan"}
    started = agent_state.AgentStartedWrapUp(at_ms=at(1_001), ends_at_ms=at(1_031), **wrapping_up)
    log.tell("agent-state", started)
    if ahead != "agent-state":  # whose timer it is
        log.tell(ahead, at_ms=at(1_001 + ahead_s))
    other = 1 - log.journal("session").partition
    log.in_partition(ahead, other).batch(domain="", at_ms=at(1_001 + ahead_s), key="")
    report = await log.report()
    assert report.clean, str(report)


def taken_in(log: WrittenLog) -> list[wire.SourcePosition]:
    sent = log.journal("session")
    return [wire.SourcePosition(topic=sent.topic, position=sent.end)]


@pytest.mark.parametrize("ahead_s", [-3_600, 3_600])
async def test_what_is_missing_is_found_whoever_is_ahead(ahead_s: int) -> None:
    log = WrittenLog(services=["session", "routing"])
    log.tell("routing", at_ms=at(1_000 + ahead_s))
    log.tell("session", initiated("eve", 1_001), queued("eve", 1_001))
    log.tell("routing", at_ms=at(1_001 + ahead_s), sources=taken_in(log))
    assert (await log.report()).clean
    log.tell("routing", at_ms=at(1_006 + ahead_s))
    assert (await log.report()).clean
    log.tell("routing", at_ms=at(1_006.1 + ahead_s))
    assert (await log.the_violation(1)).why.startswith("contact eve has a ContactQueued, but")


@pytest.mark.parametrize("ahead_s", [-3_600, 3_600])
async def test_what_is_never_taken_in_is_found_whoever_is_ahead(ahead_s: int) -> None:
    log = WrittenLog(services=["session", "routing"])
    log.tell("routing", at_ms=at(1_000 + ahead_s), sources=taken_in(log))
    log.tell("session", initiated("eve", 1_001), queued("eve", 1_001))
    log.tell("routing", at_ms=at(1_007 + ahead_s))
    assert (await log.report()).clean, "session has said nothing since"
    log.tell("session", at_ms=at(1_007))
    assert (await log.the_violation(1)).why.startswith("contact eve has a ContactQueued, but")


async def test_a_new_owner_has_a_moment_to_catch_up() -> None:
    log = WrittenLog()
    log.tell("routing", at_ms=at(0))
    log.tell("session", initiated("ada", 1), queued("ada", 1))
    log.tell("session", at_ms=at(60))
    log.journal("routing").claim(at_ms=at(56))
    log.tell("routing", at_ms=at(61))
    assert (await log.report()).clean
    log.tell("routing", at_ms=at(62))
    assert not (await log.report()).clean


async def test_journals_of_one_moment_may_be_seen_in_any_order() -> None:
    log = WrittenLog(services=["session", "routing"])
    log.tell("routing", enqueued("ada", 1))
    log.tell("session", initiated("ada", 2), queued("ada", 2))
    log.tell("session", at_ms=at(60))
    assert (await log.report()).clean


async def test_a_conversation_that_goes_on_is_live_and_not_lost() -> None:
    log = WrittenLog(services=["session", "agent-state"])
    log.tell("agent-state", signed_on("grace", 0), reserved("ada", "grace", 1))
    log.tell("session", initiated("ada", 1), queued("ada", 1))
    connected = session.ContactConnected(at_ms=at(2), queue_id="sales", **CALL)
    log.tell("session", connected)
    log.tell("session", at_ms=at(9_000))
    report = await log.report()
    assert report.clean, str(report)
    assert report.lines[0].counts["live"] == 1


async def test_an_accepted_offer_is_answered_once() -> None:
    log = WrittenLog(services=["session", "routing"])
    tell_the_day_until_connected(log)
    position = log.tell("session", session.ContactConnectionFailed(at_ms=at(15), **CALL))
    violation = await log.the_violation(3)
    assert violation.place is not None
    assert violation.place.position == position
    assert "offer ada.1 has a ContactConnectionFailed, but was answered before" in violation.why


async def test_while_a_customer_is_dialled_the_answer_is_owed_later() -> None:
    log = WrittenLog(services=["session", "routing"])
    log.tell("session", initiated("ada", 10), queued("ada", 10))
    log.tell("routing", agent_joined(), enqueued("ada", 10), offered("ada", "grace", 10))
    log.tell("routing", accepted("ada", "grace", 14, 4_000))
    dialled = session.CallbackDialRequested(
        at_ms=at(14), queue_id="sales", dial=1, number="1", answer_by_ms=at(134), **CALL
    )
    log.tell("session", dialled)
    log.tell("session", at_ms=at(130))
    report = await log.report()
    assert report.clean, str(report)
    log.tell("session", at_ms=at(150))
    violation = await log.the_violation(3)
    assert "offer ada.1 has a CallbackDialRequested, but session has no" in violation.why


def tell_the_day_until_connected(log: WrittenLog) -> None:
    log.tell("session", initiated("ada", 10), queued("ada", 10))
    log.tell("routing", agent_joined(), enqueued("ada", 10), offered("ada", "grace", 10))
    log.tell("routing", accepted("ada", "grace", 14, 4_000))
    log.tell("session", session.ContactConnected(at_ms=at(14), queue_id="sales", **CALL))


def agent_joined() -> routing.AgentJoined:
    capacity = [routing.ChannelCapacity(channel=routing.CHANNEL_VOICE, slots=1)]
    return routing.AgentJoined(at_ms=at(0), agent_id="grace", capacity=capacity)


async def test_a_slot_of_an_offer_that_came_to_nothing_is_given_back() -> None:
    log = WrittenLog(services=["agent-state", "routing"])
    log.tell("routing", agent_joined(), enqueued("ada", 1), offered("ada", "grace", 1))
    log.tell("agent-state", signed_on("grace", 0), reserved("ada", "grace", 1))
    rejected = routing.OfferRejected(at_ms=at(2), queue_id="sales", **CALL)
    log.tell("routing", rejected)
    log.tell("routing", at_ms=at(9))
    log.tell("agent-state", at_ms=at(9))
    why = (await log.the_violation(2)).why
    assert why.startswith("offer ada.1 has a OfferRejected, but agent-state has no AgentReleased")
    log.tell("agent-state", released("ada", "grace", 9))
    log.tell("routing", freed("ada", "grace", 9))
    assert (await log.report()).clean


async def test_a_slot_that_was_taken_anew_is_to_be_given_back_anew() -> None:
    log = WrittenLog(services=["session", "agent-state"])
    log.tell("session", initiated("ada", 1), queued("ada", 1))
    log.tell("session", session.ContactConnected(at_ms=at(2), queue_id="sales", **CALL))
    log.tell("agent-state", signed_on("grace", 0), reserved("ada", "grace", 1))
    left = released("ada", "grace", 2)
    left.reason = agent_state.RELEASE_REASON_AGENT_LEFT
    log.tell("agent-state", left, reserved("ada", "grace", 3))
    over = session.ContactDisconnected(
        at_ms=at(4), queue_id="sales", completes_by_ms=at(4_000), **CALL
    )
    log.tell("session", over)
    log.tell("session", at_ms=at(60))
    log.tell("agent-state", at_ms=at(60))
    assert "offer ada.1 has a ContactDisconnected" in (await log.the_violation(2)).why


async def test_who_wraps_up_has_until_the_timer() -> None:
    log = WrittenLog(services=["agent-state"])
    log.tell("agent-state", signed_on("grace", 0), reserved("ada", "grace", 1))
    log.tell("agent-state", agent_state.AgentStartedWrapUp(at_ms=at(2), ends_at_ms=at(62), **CALL))
    log.tell("agent-state", at_ms=at(67))
    assert (await log.report()).clean
    log.tell("agent-state", at_ms=at(67.001))
    assert "has a AgentStartedWrapUp, but" in (await log.the_violation(2)).why


async def test_who_left_in_the_menu_had_no_place_to_give_up() -> None:
    log = WrittenLog(services=["session", "routing"])
    gone = abandoned("ada", 2, 0)
    gone.queue_id, gone.stage = "", session.ABANDON_STAGE_IN_MENU
    log.tell("session", initiated("ada", 1), gone)
    log.tell("session", at_ms=at(60))
    assert (await log.report()).clean


def contact_that_waits(log: WrittenLog) -> None:
    log.tell("session", initiated("eve", 95), queued("eve", 95))
    log.tell("routing", enqueued("eve", 95))


def slot_that_is_held(log: WrittenLog) -> None:
    log.tell("agent-state", signed_on("alan", 100), reserved("eve", "alan", 100))


def offer_that_is_open(log: WrittenLog) -> None:
    joined = agent_joined()
    joined.at_ms = at(100)
    log.tell("routing", joined, enqueued("eve", 100), offered("eve", "grace", 100))


@pytest.mark.parametrize(
    ("tell", "services", "whys"),
    [
        (
            contact_that_waits,
            ["session", "routing"],
            {1: "contact eve is still live after the end of the day"},
        ),
        (
            slot_that_is_held,
            ["agent-state"],
            {2: "agent alan still holds a slot for offer eve.1 after the end of the day"},
        ),
        (
            offer_that_is_open,
            ["routing"],
            {
                2: "agent grace still holds a slot for offer eve.1 after the end of the day",
                3: "offer eve.1 is still open after the end of the day",
            },
        ),
    ],
)
async def test_at_the_end_of_the_day_nothing_is_left(
    tell: Callable[[WrittenLog], None], services: list[str], whys: dict[int, str]
) -> None:
    log = WrittenLog(services=services)
    tell(log)
    assert (await log.report()).clean
    found = await firsts(log, ended=True)
    assert found.keys() == whys.keys()
    for invariant, why in whys.items():
        assert found[invariant].endswith(why)
        assert "journal.v1 partition" in found[invariant]


def a_callback_that_comes_back(without: tuple[type[Message], ...]) -> WrittenLog:
    """Ada is let go by a rule of the queue, and comes back a minute later."""
    log = Forgetful(())
    log.tell("session", initiated("ada", 1), queued("ada", 1))
    log.tell("routing", enqueued("ada", 1), let_go("ada", 2, stay=0))
    log.tell("session", scheduled("ada", 2, until=62, stay=0))
    log.without = without
    back = queued("ada", 62)
    back.stay, back.returns = 1, True
    came = enqueued("ada", 62)
    came.stay, came.returns = 1, True
    log.tell("session", back)
    log.tell("routing", came, let_go("ada", 63, stay=1))
    log.tell("session", scheduled("ada", 63, until=123, stay=1))
    log.tell("session", at_ms=at(1_000))
    log.tell("routing", at_ms=at(1_000))
    return log


def let_go(contact_id: str, seconds: float, *, stay: int) -> routing.ContactDequeued:
    return routing.ContactDequeued(
        at_ms=at(seconds),
        contact_id=contact_id,
        queue_id="sales",
        reason=routing.DEQUEUE_REASON_OVERFLOWED,
        overflow=routing.Overflow(
            trigger=routing.OVERFLOW_TRIGGER_CLOSED, action=routing.OVERFLOW_ACTION_HAND_BACK
        ),
        stay=stay,
    )


def scheduled(contact_id: str, seconds: float, *, until: float, stay: int) -> Message:
    return session.CallbackScheduled(
        at_ms=at(seconds),
        contact_id=contact_id,
        queue_id="sales",
        resume_at_ms=at(until),
        in_line=True,
        wait_ms=1_000,
        stay=stay,
    )


@pytest.mark.parametrize(
    ("without", "why"),
    [
        ((), ""),
        ((routing.ContactEnqueued, routing.ContactDequeued), "but routing has no ContactEnqueued"),
        ((session.CallbackScheduled,), "has a ContactDequeued, but session has no"),
    ],
)
async def test_each_stay_of_a_callback_that_comes_back_is_followed(
    without: tuple[type[Message], ...], why: str
) -> None:
    report = await a_callback_that_comes_back(without).report()
    found = [one.why for one in report.violations if one.invariant == 1]
    assert len(found) == bool(why), found
    assert why in "".join(found)


async def test_who_has_left_is_owed_nothing_of_a_move() -> None:
    log = WrittenLog()
    log.tell("session", initiated("ada", 1), queued("ada", 1))
    moved = routing.ContactMoved(
        at_ms=at(2), contact_id="ada", from_queue_id="sales", queue_id="night", stay=1
    )
    moved.enqueued_at_ms = at(1)
    log.tell("routing", enqueued("ada", 1), moved)
    log.tell("session", abandoned("ada", 2, 1_000))
    gone = routing.ContactDequeued(at_ms=at(2), contact_id="ada", queue_id="night", stay=1)
    gone.reason = routing.DEQUEUE_REASON_CUSTOMER_LEFT
    log.tell("routing", gone)
    log.tell("session", at_ms=at(1_000))
    report = await log.report()
    assert report.clean, str(report)
