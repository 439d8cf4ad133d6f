"""What one service says because another did, one by one: nothing missing, nothing made up, nothing changed."""

from typing import Any

import pytest
from google.protobuf.message import Message

from huntgroup.agent_state.v1 import events_pb2 as agent_state
from huntgroup.routing.v1 import events_pb2 as routing
from huntgroup.session.v1 import events_pb2 as session

from .story import at, enqueued, initiated, queued
from .written_log import DOMAIN, WrittenLog

VOICE, CHAT = agent_state.CHANNEL_VOICE, agent_state.CHANNEL_CHAT
SHARED: dict[str, Any] = {
    "skills": ["german", "billing"],
    "capacity": [
        {"channel": VOICE, "slots": 1, "cost": 2, "interrupts": [CHAT]},
        {"channel": CHAT, "slots": 2, "cost": 1},
    ],
    "capacity_units": 3,
    "traits": {"groups": ["spare"], "skill_levels": [{"skill": "german", "level": 3}]},
}
TOLD = (
    "skills billing, german; takes 1 voice at 2 before chat, 2 chat at 1; units 3; levels german 3;"
    " groups spare"
)


def signed_on(seconds: float, **says: Any) -> agent_state.AgentSignedOn:
    return agent_state.AgentSignedOn(at_ms=at(seconds), agent_id="grace", **says)


def signed_off(seconds: float) -> agent_state.AgentSignedOff:
    return agent_state.AgentSignedOff(at_ms=at(seconds), agent_id="grace")


def joined(seconds: float, **says: Any) -> routing.AgentJoined:
    return routing.AgentJoined(at_ms=at(seconds), agent_id="grace", **says)


def left(seconds: float) -> routing.AgentLeft:
    return routing.AgentLeft(at_ms=at(seconds), agent_id="grace")


def floor(*events: Message, mirrored: tuple[Message, ...] = ()) -> WrittenLog:
    """Return what agent-state says, and what routing makes of it; 1,000 s later both go on."""
    log = WrittenLog(services=["agent-state", "routing"])
    log.tell("agent-state", at_ms=at(0))
    log.tell("routing", at_ms=at(0))
    for one in events:
        log.tell("agent-state", one)
    for one in mirrored:
        log.tell("routing", one)
    log.tell("agent-state", at_ms=at(1_000))
    log.tell("routing", at_ms=at(1_000))
    return log


async def test_who_joins_as_they_signed_on_is_in_order_whoever_is_seen_first() -> None:
    there, back = signed_on(1, **SHARED), signed_on(5, skills=["german"])
    for earlier in (0, 1):
        log = floor(
            there,
            signed_off(3),
            back,
            mirrored=(
                joined(1 - earlier, **SHARED),
                left(3 - earlier),
                joined(5 - earlier, skills=["german"]),
            ),
        )
        report = await log.report()
        assert report.clean, str(report)


async def test_who_signs_on_again_as_they_were_has_said_nothing() -> None:
    costless = {"capacity": [{"channel": VOICE, "slots": 1, "cost": 0}]}
    same = {"capacity": [{"channel": VOICE, "slots": 1, "cost": 7}]}
    log = floor(signed_on(1, **costless), signed_on(2, **same), mirrored=(joined(1, **costless),))
    report = await log.report()
    assert report.clean, str(report)


@pytest.mark.parametrize(
    ("changed", "told"),
    [
        ({"capacity_units": 2}, TOLD.replace("units 3", "units 2")),
        ({"skills": ["german"]}, TOLD.replace("billing, ", "")),
        ({"traits": None}, TOLD.partition("; levels")[0]),
        (
            {"capacity": [{"channel": VOICE, "slots": 1, "cost": 2}, SHARED["capacity"][1]]},
            TOLD.replace(" before chat", ""),
        ),
        (
            {"capacity": [SHARED["capacity"][0], {"channel": CHAT, "slots": 3, "cost": 1}]},
            TOLD.replace("2 chat at", "3 chat at"),
        ),
    ],
)
async def test_who_joins_with_something_else_is_told_with_both(
    changed: dict[str, Any], told: str
) -> None:
    log = floor(signed_on(1, **SHARED), mirrored=(joined(1, **(SHARED | changed)),))
    violation = await log.the_violation(2)
    assert violation.why == f"agent grace has a AgentJoined: {told}; but agent-state says: {TOLD}"
    assert violation.place is not None
    assert violation.place.topic == "huntgroup.routing.journal.v1"


async def test_who_joins_as_they_were_before_is_not_who_signed_on_now() -> None:
    log = floor(
        signed_on(1, skills=["german"]),
        signed_on(2, skills=["billing"]),
        signed_on(3, skills=["german"]),
        mirrored=(joined(1, skills=["german"]),),
    )
    whys = [one.why for one in await log.violations(2)]
    assert (
        whys
        == ["agent grace has a AgentSignedOn, but routing has no AgentJoined or AgentLeft for it"]
        * 2
    )


@pytest.mark.parametrize(
    ("events", "mirrored", "why"),
    [
        (
            (signed_on(1),),
            (),
            "a AgentSignedOn, but routing has no AgentJoined or AgentLeft for it",
        ),
        (
            (),
            (joined(1, skills=["german"]),),
            "a AgentJoined, but agent-state has no AgentSignedOn",
        ),
        (
            (signed_on(1, skills=["german"]), signed_off(2)),
            (joined(1, skills=["german"]),),
            "a AgentSignedOff, but routing has no AgentJoined or AgentLeft for it",
        ),
        (
            (signed_on(1, skills=["german"]), signed_off(2), signed_on(3, skills=["german"])),
            (joined(1, skills=["german"]), left(2)),
            "a AgentSignedOn, but routing has no",
        ),
        (
            (signed_on(1, skills=["german"]), signed_on(2, skills=["billing"])),
            (joined(1, skills=["german"]), left(2)),
            "a AgentLeft: is gone; but agent-state says: skills billing",
        ),
    ],
)
async def test_what_only_one_of_the_two_says_is_a_violation(
    events: tuple[Message, ...], mirrored: tuple[Message, ...], why: str
) -> None:
    violation = await floor(*events, mirrored=mirrored).the_violation(2)
    assert why in violation.why


async def test_an_agent_who_has_just_come_may_join_in_a_moment() -> None:
    log = WrittenLog(services=["agent-state", "routing"])
    log.tell("routing", at_ms=at(0))
    log.tell("agent-state", signed_on(1, skills=["german"]))
    log.tell("agent-state", at_ms=at(6))
    log.tell("routing", at_ms=at(6))
    report = await log.report()
    assert report.clean, str(report)
    [counts] = [line.counts for line in report.lines if line.invariant == 2]
    assert counts["about to follow"] == 1
    assert not (await log.report(epsilon_ms=4_999)).clean


async def test_a_domain_alone_is_held_against_itself() -> None:
    log = floor(signed_on(1, skills=["german"]), mirrored=(joined(1, skills=["german"]),))
    log.tell("agent-state", signed_on(1, skills=["german"]), domain="globex/emea")
    assert (await log.report(domain=DOMAIN)).clean


def due(seconds: float) -> routing.ContactDequeued:
    return routing.ContactDequeued(
        at_ms=at(seconds),
        contact_id="ada",
        queue_id="sales",
        reason=routing.DEQUEUE_REASON_CALLBACK_DUE,
    )


def dialled(seconds: float, dial: int = 1, offer_id: str = "") -> session.CallbackDialRequested:
    return session.CallbackDialRequested(
        at_ms=at(seconds),
        contact_id="ada",
        queue_id="sales",
        dial=dial,
        offer_id=offer_id,
        answer_by_ms=at(seconds + 60),
    )


def canceled(seconds: float) -> session.CallbackEnded:
    return session.CallbackEnded(
        at_ms=at(seconds),
        contact_id="ada",
        queue_id="sales",
        reason=session.CALLBACK_END_REASON_CANCELED,
    )


def in_turn(routed: tuple[Message, ...], *said: Message) -> WrittenLog:
    """Return what routing says of a callback in line, and what session does."""
    log = WrittenLog(services=["session", "routing"])
    log.tell("session", initiated("ada", 1), queued("ada", 1))
    log.tell("routing", enqueued("ada", 1), *routed)
    for one in said:
        log.tell("session", one)
    log.tell("session", at_ms=at(1_000))
    log.tell("routing", at_ms=at(1_000))
    return log


@pytest.mark.parametrize(
    ("routed", "said", "why"),
    [
        ((due(3),), (dialled(4),), ""),
        ((due(3),), (dialled(2),), ""),
        ((due(3),), (canceled(4),), ""),
        ((due(3),), (canceled(2),), ""),
        ((), (dialled(4, offer_id="ada.1"),), ""),
        (
            (due(3),),
            (),
            "contact ada has a ContactDequeued, but session has no CallbackDialRequested",
        ),
        ((due(3),), (dialled(4, offer_id="ada.1"),), "has a ContactDequeued, but session has no"),
        ((due(3), due(30)), (dialled(4),), "has a ContactDequeued, but session has no"),
        ((), (dialled(4),), "has a CallbackDialRequested, but routing has no ContactDequeued"),
        ((due(3),), (dialled(4), dialled(5, dial=2)), "a CallbackDialRequested, but routing has"),
    ],
)
async def test_each_callback_whose_turn_is_near_is_dialled_once(
    routed: tuple[Message, ...], said: tuple[Message, ...], why: str
) -> None:
    report = await in_turn(routed, *said).report()
    found = [one.why for one in report.violations]
    told = [one for one in found if "CallbackDialRequested" in one and "ContactDequeued" in one]
    assert len(told) == bool(why), found
    assert why in "".join(told)
