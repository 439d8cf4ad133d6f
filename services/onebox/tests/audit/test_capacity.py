"""Invariant 2: nobody beyond capacity, every reservation released once."""

from collections.abc import Callable

import pytest
from google.protobuf.message import Message

from huntgroup.agent_state.v1 import events_pb2 as agent_state
from huntgroup.routing.v1 import events_pb2 as routing

from .story import (
    at,
    enqueued,
    freed,
    joined,
    offered,
    released,
    reserved,
    signed_on,
    tell_the_day,
)
from .written_log import WrittenLog


def signed_off(agent_id: str, seconds: float) -> agent_state.AgentSignedOff:
    return agent_state.AgentSignedOff(at_ms=at(seconds), agent_id=agent_id)


async def test_an_agent_reserved_beyond_capacity_is_found() -> None:
    log = WrittenLog()
    log.tell("agent-state", signed_on("grace", 0), reserved("ada", "grace", 1))
    position = log.tell("agent-state", reserved("ben", "grace", 2))
    violation = await log.the_violation(2)
    assert violation.place is not None
    assert violation.place.position == position
    assert violation.why == "agent grace has 1 voice slots and got offer ben.1 while holding ada.1"


async def test_a_slot_that_was_released_is_free_again() -> None:
    log = WrittenLog()
    log.tell("agent-state", signed_on("grace", 0), reserved("ada", "grace", 1))
    log.tell("agent-state", released("ada", "grace", 2), reserved("ben", "grace", 2))
    assert (await log.report()).clean


async def test_a_reservation_released_twice_is_found() -> None:
    log = WrittenLog()
    tell_the_day(log)
    log.tell("agent-state", signed_on("grace", 110))
    log.tell("agent-state", released("ada", "grace", 111))
    assert "ada.1, which holds no slot" in (await log.the_violation(2)).why


async def test_an_offer_reserved_twice_is_found() -> None:
    log = WrittenLog()
    log.tell("agent-state", signed_on("grace", 0, slots=2), reserved("ada", "grace", 1))
    log.tell("agent-state", reserved("ada", "grace", 2))
    assert "is reserved twice for offer ada.1" in (await log.the_violation(2)).why


async def test_channels_have_slots_of_their_own() -> None:
    log = WrittenLog()
    both = signed_on("grace", 0)
    both.capacity.add(channel=agent_state.CHANNEL_CHAT, slots=1)
    chat = reserved("ben", "grace", 2)
    chat.channel = agent_state.CHANNEL_CHAT
    log.tell("agent-state", both, reserved("ada", "grace", 1), chat)
    assert (await log.report()).clean


def shares(
    units: int, voice: int, chat: int, *, interrupts: bool = False
) -> agent_state.AgentSignedOn:
    """Return that Grace has two slots of each channel, which share units."""
    both = signed_on("grace", 0, slots=2)
    both.capacity_units = units
    both.capacity[0].cost = voice
    both.capacity.add(channel=agent_state.CHANNEL_CHAT, slots=2, cost=chat)
    if interrupts:
        both.capacity[0].interrupts.append(agent_state.CHANNEL_CHAT)
    return both


def chat(contact_id: str, seconds: float) -> agent_state.AgentReserved:
    event = reserved(contact_id, "grace", seconds)
    event.channel = agent_state.CHANNEL_CHAT
    return event


async def test_channels_that_share_units_do_not_hold_more_than_there_are() -> None:
    log = WrittenLog()
    log.tell("agent-state", shares(3, voice=2, chat=1), reserved("ada", "grace", 1), chat("ben", 2))
    assert (await log.report()).clean
    log.tell("agent-state", chat("cai", 3))
    assert (await log.the_violation(2)).why == (
        "agent grace has 3 of 3 units taken, chat costs 1, and got offer cai.1 while holding"
        " ada.1, ben.1"
    )


async def test_a_call_may_go_above_the_units_of_chats_and_no_chat_beside_it() -> None:
    log = WrittenLog()
    log.tell("agent-state", shares(3, voice=2, chat=2, interrupts=True), chat("ada", 1))
    log.tell("agent-state", reserved("ben", "grace", 2))
    assert (await log.report()).clean
    log.tell("agent-state", released("ada", "grace", 3), chat("cai", 4))
    assert (await log.the_violation(2)).why == (
        "agent grace talks to voice, which interrupts chat, and got offer cai.1 while holding ben.1"
    )


async def test_units_are_followed_in_routings_journal_too() -> None:
    log = WrittenLog()
    event = joined("grace", 0, slots=2)
    event.capacity_units, event.capacity[0].cost = 3, 2
    log.tell("routing", event, enqueued("ada", 1), offered("ada", "grace", 1))
    log.tell("routing", enqueued("ben", 2), offered("ben", "grace", 2))
    assert (
        "has 2 of 3 units taken, voice costs 2, and got offer ben.1"
        in (await log.the_violation(2)).why
    )


def turned_away(seconds: float) -> agent_state.OfferTurnedAway:
    return agent_state.OfferTurnedAway(
        at_ms=at(seconds), agent_id="grace", offer_id="ada.1", contact_id="ada"
    )


def overtaken(seconds: float) -> agent_state.OfferOvertaken:
    return agent_state.OfferOvertaken(
        at_ms=at(seconds), agent_id="grace", offer_id="ada.1", contact_id="ada"
    )


def taken_back(seconds: float) -> agent_state.AgentReleased:
    left = released("ada", "grace", seconds)
    left.reason = agent_state.RELEASE_REASON_AGENT_LEFT
    return left


def here_and_gone(*between: Message) -> WrittenLog:
    log = WrittenLog(services=["agent-state"])
    log.tell("agent-state", signed_on("grace", 0), *between, signed_off("grace", 1))
    return log


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ([], [turned_away(2)]),
        ([], [overtaken(2)]),
        ([reserved("ada", "grace", 1)], [taken_back(1)]),
    ],
)
async def test_who_accepted_and_left_at_the_same_moment_is_counted_but_not_overbooked(
    before: list[Message], after: list[Message]
) -> None:
    log = here_and_gone(*before)
    log.tell("agent-state", *after)
    log.tell("agent-state", reserved("ada", "grace", 2), released("ada", "grace", 3))
    report = await log.report()
    assert report.clean, str(report)
    assert report.lines[1].counts["connected after leaving"] == 1
    log.tell("agent-state", reserved("ada", "grace", 4))
    why = (await log.the_violation(2)).why
    assert why == "offer ada.1 is reserved for agent grace, who has left, a second time"


@pytest.mark.parametrize("units", [0, 2])
@pytest.mark.parametrize("word", [turned_away, overtaken])
async def test_who_had_said_yes_to_what_was_turned_away_is_connected_beyond_capacity_once(
    word: Callable[[float], Message], units: int
) -> None:
    log = WrittenLog(services=["agent-state"])
    on = shares(units, voice=2, chat=1) if units else signed_on("grace", 0)
    log.tell("agent-state", on, reserved("ben", "grace", 1), word(2))
    log.tell("agent-state", reserved("ada", "grace", 3), released("ada", "grace", 4))
    report = await log.report()
    assert report.clean, str(report)
    assert report.lines[1].counts["connected beyond capacity"] == 1
    log.tell("agent-state", reserved("ada", "grace", 5))
    assert "and got offer ada.1 while holding ben.1" in (await log.the_violation(2)).why


async def test_a_yes_to_one_offer_excuses_no_other_that_does_not_fit() -> None:
    log = WrittenLog(services=["agent-state"])
    log.tell("agent-state", signed_on("grace", 0), reserved("ben", "grace", 1), turned_away(2))
    log.tell("agent-state", reserved("cai", "grace", 3))
    assert "and got offer cai.1 while holding ben.1" in (await log.the_violation(2)).why


async def test_who_has_left_is_not_booked_without_a_cause() -> None:
    log = here_and_gone()
    position = log.tell("agent-state", reserved("ada", "grace", 2))
    violation = await log.the_violation(2)
    assert violation.place is not None
    assert violation.place.position == position
    assert "who has left, and nothing shows that they had accepted" in violation.why


async def test_who_never_signed_on_is_not_booked_whatever_was_said_of_the_offer() -> None:
    log = WrittenLog(services=["agent-state"])
    log.tell("agent-state", overtaken(1), reserved("ada", "grace", 2))
    why = (await log.the_violation(2)).why
    assert why == "offer ada.1 is reserved for agent grace, who never signed on"


async def test_a_slot_that_still_rings_after_its_agent_left_counts_until_routings_word() -> None:
    log = here_and_gone(reserved("ada", "grace", 1))
    log.tell("agent-state", signed_on("grace", 2))
    report = await log.report()
    assert report.clean
    assert report.lines[1].counts["held now"] == 1
    log.tell("agent-state", reserved("ben", "grace", 3))
    assert "got offer ben.1 while holding ada.1" in (await log.the_violation(2)).why


async def test_who_signs_on_anew_while_talking_is_overbooked_only_by_what_comes_then() -> None:
    log = WrittenLog()
    log.tell("agent-state", signed_on("grace", 0), reserved("ada", "grace", 1))
    log.tell("agent-state", signed_off("grace", 2))
    log.tell("agent-state", signed_on("grace", 3))
    assert (await log.report()).clean
    log.tell("agent-state", reserved("ben", "grace", 4))
    assert "got offer ben.1 while holding ada.1" in (await log.the_violation(2)).why


async def test_an_agent_offered_beyond_capacity_is_found_in_routings_journal() -> None:
    log = WrittenLog()
    log.tell("routing", joined("grace", 0), enqueued("ada", 1), offered("ada", "grace", 1))
    position = log.tell("routing", enqueued("ben", 2), offered("ben", "grace", 2))
    violation = await log.the_violation(2)
    assert violation.place is not None
    assert violation.place.position == position
    assert violation.place.topic == "huntgroup.routing.journal.v1"
    assert "1 voice slots and got offer ben.1 while holding ada.1" in violation.why


async def test_an_offer_that_was_turned_away_holds_no_slot() -> None:
    log = WrittenLog()
    log.tell("routing", joined("grace", 0), enqueued("ada", 1), offered("ada", "grace", 1))
    log.tell(
        "routing",
        routing.OfferRescinded(
            at_ms=at(2),
            offer_id="ada.1",
            contact_id="ada",
            agent_id="grace",
            queue_id="sales",
            reason=routing.RESCIND_REASON_AGENT_TURNED_AWAY,
        ),
        routing.ContactRequeued(at_ms=at(2), contact_id="ada", queue_id="sales", offer_id="ada.1"),
        freed("ada", "grace", 3),
        offered("ada", "grace", 3, since=1, attempt=2),
    )
    assert (await log.report()).clean


async def test_an_offer_to_who_is_not_there_is_found() -> None:
    log = WrittenLog()
    log.tell("routing", joined("grace", 0), routing.AgentLeft(at_ms=at(1), agent_id="grace"))
    log.tell("routing", enqueued("ada", 1), offered("ada", "grace", 2, since=1))
    assert "agent grace, who has not joined" in (await log.the_violation(2)).why
