"""Agents come, go, stop and fill up, and agent-state's facts arrive in any order relative to our own."""

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from huntgroup_routing.core.messages import (
    AgentBecameEligible,
    AgentBecameIneligible,
    AgentCapacityFreed,
    AgentJoined,
    AgentLeft,
    ChannelCapacity,
    ContactRequeued,
    Event,
    ObserveAgentSignedOn,
    ObserveAgentStoppedResponding,
    OfferCreated,
    OfferRescinded,
)
from huntgroup_routing.core.values import (
    AGENTS_MAX,
    AgentId,
    Channel,
    ContactId,
    IneligibleReason,
    OfferId,
    QueueId,
    RescindReason,
    Skill,
)

if TYPE_CHECKING:
    from services.routing.tests.conftest import Floor

ADA, GRACE, SALES = ContactId("ada"), AgentId("grace"), QueueId("sales")
FIRST = OfferId("ada.1")


def rescinded(reason: RescindReason, at_ms: int, ring_ms: int) -> tuple[Event, Event]:
    return (
        OfferRescinded(
            at_ms=at_ms,
            offer_id=FIRST,
            contact_id=ADA,
            agent_id=GRACE,
            queue_id=SALES,
            reason=reason,
            ring_ms=ring_ms,
        ),
        ContactRequeued(at_ms=at_ms, contact_id=ADA, queue_id=SALES, offer_id=FIRST),
    )


# Coming and going


def test_an_agent_joins_with_skills_and_capacity_in_order_and_gets_nothing_yet(
    floor: "Floor",
) -> None:
    floor.contact("ada")
    assert floor.sign_on("grace", "german", "billing", "german", voice=1, chat=3, at_ms=5) == (
        AgentJoined(
            at_ms=5,
            agent_id=GRACE,
            skills=(Skill("billing"), Skill("german")),
            capacity=(
                ChannelCapacity(channel=Channel.CHAT, slots=3),
                ChannelCapacity(channel=Channel.VOICE, slots=1),
            ),
        ),
    )


def test_signing_on_as_before_changes_nothing_and_with_other_skills_counts(floor: "Floor") -> None:
    floor.queue("german", "german")
    floor.agent("grace")
    assert floor.sign_on("grace") == ()
    floor.contact("ada", queue_id="german")
    floor.sign_on("grace", "german")
    assert floor.offered(floor.ready("grace")) == [("ada", "grace")]


def test_an_agent_too_many_is_not_reckoned_with(floor: "Floor") -> None:
    sign_on = ObserveAgentSignedOn(agent_id=GRACE, skills=(), capacity=())
    floor.quickly(
        *(replace(sign_on, agent_id=AgentId(f"a{number}")) for number in range(AGENTS_MAX))
    )
    assert floor.quickly(sign_on) == ()
    assert (
        len(floor.quickly(replace(sign_on, skills=(Skill("german"),), agent_id=AgentId("a7")))) == 1
    )


def test_an_agent_who_becomes_eligible_is_offered_the_first_contact(floor: "Floor") -> None:
    floor.contact("ada", at_ms=1)
    floor.sign_on("grace", at_ms=2)
    eligible, offer = floor.ready("grace", at_ms=3)
    assert eligible == AgentBecameEligible(at_ms=3, agent_id=GRACE)
    assert isinstance(offer, OfferCreated)
    assert (offer.contact_id, offer.idle_since_ms, offer.idle_agents) == (ADA, 3, 1)


def test_facts_about_agents_nobody_knows_are_of_no_concern(floor: "Floor") -> None:
    assert floor.ready("grace") == ()
    assert floor.not_ready("grace") == ()
    assert floor.tell(ObserveAgentStoppedResponding(agent_id=GRACE)) == ()
    assert floor.release("ada.1", "grace") == ()
    assert floor.turn_away("ada.1", "grace") == ()
    assert floor.sign_off("grace") == ()


def test_facts_told_twice_count_once(floor: "Floor") -> None:
    floor.agent("grace")
    assert floor.ready("grace") == ()
    floor.not_ready("grace")
    assert floor.not_ready("grace") == ()
    assert floor.tell(ObserveAgentStoppedResponding(agent_id=GRACE)) == ()
    floor.sign_off("grace")
    assert floor.sign_off("grace") == ()
    assert floor.ready("grace") == ()


def test_an_agent_who_is_not_ready_gets_nothing_and_keeps_what_rings(floor: "Floor") -> None:
    floor.agent("grace")
    floor.contact("ada")
    assert floor.not_ready("grace", at_ms=2) == (
        AgentBecameIneligible(at_ms=2, agent_id=GRACE, reason=IneligibleReason.NOT_READY),
    )
    assert floor.accept("ada.1", "grace", at_ms=3)
    assert floor.release("ada.1", "grace", at_ms=4) == (
        AgentCapacityFreed(at_ms=4, agent_id=GRACE, offer_id=FIRST),
    )
    assert floor.offered(floor.contact("ben")) == []
    assert floor.offered(floor.ready("grace")) == [("ben", "grace")]


def test_an_agent_who_leaves_loses_what_rings_to_the_next(floor: "Floor") -> None:
    floor.agent("grace")
    floor.contact("ada", at_ms=100)
    floor.agent("alan")
    offer_rescinded, requeued = rescinded(RescindReason.AGENT_SIGNED_OFF, 300, 200)
    events = floor.sign_off("grace", at_ms=300)
    assert events[:3] == (offer_rescinded, AgentLeft(at_ms=300, agent_id=GRACE), requeued)
    assert floor.offered(events) == [("ada", "alan")]


def test_an_agent_who_left_is_forgotten_when_nothing_is_held(floor: "Floor") -> None:
    floor.agent("grace")
    floor.agent("alan")
    floor.contact("ada")
    floor.accept("ada.1", "grace")
    floor.sign_off("alan")
    floor.sign_off("grace")
    assert set(floor.state.agents) == {"grace"}
    floor.release("ada.1", "grace")
    assert floor.state.agents == {}


def test_a_conversation_survives_the_agents_signing_off_and_on(floor: "Floor") -> None:
    floor.agent("grace")
    floor.contact("ada")
    floor.accept("ada.1", "grace")
    floor.sign_off("grace")
    floor.agent("grace")
    assert floor.offered(floor.contact("ben")) == [], "she still talks with ada"
    assert floor.offered(floor.release("ada.1", "grace")) == [("ben", "grace")]


def test_who_leaves_while_it_rings_and_comes_back_is_offered_nothing_until_that_slot_is_freed(
    floor: "Floor",
) -> None:
    floor.agent("grace")
    floor.contact("ada")
    floor.sign_off("grace")
    floor.agent("grace")
    assert floor.offered(floor.contact("ben")) == [], "agent-state holds her slot for ada still"
    assert floor.offered(floor.release("ada.1", "grace")) == [("ada", "grace")]


def test_who_signs_on_with_fewer_slots_than_taken_has_none_free(floor: "Floor") -> None:
    floor.queue(channel=None)
    floor.agent("grace", chat=3)
    for number in range(3):
        floor.contact(f"c{number}", channel=Channel.CHAT)
        floor.accept(f"c{number}.1", "grace")
    floor.sign_off("grace")
    floor.agent("grace", chat=1)
    floor.contact("ada", channel=Channel.CHAT)
    assert floor.offered(floor.release("c0.1", "grace")) == []
    assert floor.offered(floor.release("c1.1", "grace")) == []
    assert floor.offered(floor.release("c2.1", "grace")) == [("ada", "grace")]


# The order of becoming idle


def test_the_longest_idle_agent_is_whose_idleness_began_first_in_the_log(floor: "Floor") -> None:
    for agent_id in ("grace", "alan", "edsger"):
        floor.agent(agent_id, at_ms=1)
    floor.not_ready("grace")
    floor.ready("grace", at_ms=1)
    order = [floor.offered(floor.contact(f"c{number}"))[0][1] for number in range(3)]
    assert order == ["alan", "edsger", "grace"]


def test_an_agent_whose_slot_comes_free_is_idle_from_then(floor: "Floor") -> None:
    floor.agent("grace", at_ms=1)
    floor.contact("ada")
    floor.agent("alan", at_ms=2)
    floor.accept("ada.1", "grace")
    floor.release("ada.1", "grace", at_ms=50)
    floor.contact("ben", at_ms=60)
    _, offer = floor.contact("cai", at_ms=60)
    assert isinstance(offer, OfferCreated)
    assert (offer.agent_id, offer.idle_since_ms) == ("grace", 50)


def test_several_slots_are_filled_agent_by_agent_in_turn(floor: "Floor") -> None:
    floor.queue(channel=None)
    floor.agent("grace", chat=2, at_ms=1)
    floor.agent("alan", chat=2, at_ms=2)
    offers = [floor.contact(f"c{n}", channel=Channel.CHAT, at_ms=10 + n)[1] for n in range(4)]
    assert [
        (one.agent_id, one.idle_since_ms) for one in offers if isinstance(one, OfferCreated)
    ] == [
        ("grace", 1),
        ("alan", 2),
        ("grace", 10),
        ("alan", 11),
    ]


def test_an_agent_with_free_slots_on_several_channels_is_offered_all_they_can_take(
    floor: "Floor",
) -> None:
    floor.queue(channel=None)
    for number, channel in enumerate([Channel.VOICE, Channel.CHAT, Channel.CHAT, Channel.CHAT]):
        floor.contact(f"c{number}", channel=channel, enqueued_at_ms=9 - number)
    floor.contact("v", channel=Channel.VOICE, enqueued_at_ms=20)
    events = floor.agent("grace", voice=1, chat=2, at_ms=30)
    assert floor.offered(events) == [("c3", "grace"), ("c2", "grace"), ("c0", "grace")]
    assert {one.idle_since_ms for one in events if isinstance(one, OfferCreated)} == {30}


def test_a_voice_offer_does_not_end_an_agents_idleness_for_chats(floor: "Floor") -> None:
    floor.queue(channel=None)
    floor.agent("grace", voice=1, chat=1, at_ms=1)
    floor.agent("alan", voice=1, chat=1, at_ms=2)
    floor.contact("ada")
    assert floor.offered(floor.contact("ben", channel=Channel.CHAT)) == [("ben", "grace")]


# Agents who miss or cannot take an offer


def test_who_let_it_ring_out_gets_nothing_until_agent_state_has_spoken(floor: "Floor") -> None:
    floor.queue(channel=None)
    floor.agent("grace", chat=2)
    floor.contact("ada", channel=Channel.CHAT)
    floor.pass_time(20_000)
    floor.contact("ben", channel=Channel.CHAT)
    assert floor.tell(ObserveAgentStoppedResponding(agent_id=GRACE), 20_010) == (
        AgentBecameIneligible(at_ms=20_010, agent_id=GRACE, reason=IneligibleReason.NOT_RESPONDING),
    )
    assert floor.offered(floor.release("ada.1", "grace", at_ms=20_010)) == []
    assert floor.offered(floor.ready("grace")) == [("ada", "grace"), ("ben", "grace")]


def test_an_offer_turned_away_goes_to_the_next_agent_and_its_slot_is_free(floor: "Floor") -> None:
    floor.agent("grace")
    floor.contact("ada", at_ms=100)
    floor.agent("alan")
    events = floor.turn_away("ada.1", "grace", at_ms=105)
    assert events[:2] == rescinded(RescindReason.AGENT_TURNED_AWAY, 105, 5)
    assert floor.offered(events) == [("ada", "alan")]
    assert floor.state.agents[GRACE].held == {}


def test_who_turned_an_offer_away_because_of_a_break_is_back_when_ready(floor: "Floor") -> None:
    floor.agent("grace")
    floor.contact("ada")
    floor.not_ready("grace")
    floor.turn_away("ada.1", "grace")
    assert floor.offered(floor.ready("grace")) == [("ada", "grace")]


def test_who_is_full_for_agent_state_is_not_asked_again_and_again(floor: "Floor") -> None:
    floor.agent("grace")
    floor.contact("ada")
    assert floor.offered(floor.turn_away("ada.1", "grace")) == []
    assert floor.offered(floor.contact("ben")) == []


def test_who_was_full_for_agent_state_is_back_with_the_next_slot_that_comes_free(
    floor: "Floor",
) -> None:
    floor.agent("grace")
    floor.contact("ada")
    floor.turn_away("ada.1", "grace")
    events = floor.release("one-we-never-knew.1", "grace", at_ms=7)
    assert events[0] == AgentCapacityFreed(
        at_ms=7, agent_id=GRACE, offer_id=OfferId("one-we-never-knew.1")
    )
    assert floor.offered(events) == [("ada", "grace")]


def test_who_was_full_for_agent_state_is_back_when_ready_is_told_once_more(floor: "Floor") -> None:
    floor.agent("grace")
    floor.contact("ada")
    floor.turn_away("ada.1", "grace")
    assert floor.offered(floor.ready("grace")) == [("ada", "grace")]


def test_a_slot_that_was_never_ours_comes_free_without_a_trace(floor: "Floor") -> None:
    floor.agent("grace")
    assert floor.release("ada.1", "grace") == ()


@pytest.mark.parametrize("ending", ["sign off", "abandon", "expire"])
def test_an_offer_turned_away_after_it_ended_frees_its_slot(floor: "Floor", ending: str) -> None:
    floor.agent("grace")
    floor.contact("ada")
    match ending:
        case "sign off":
            floor.sign_off("grace")
            floor.agent("grace")
        case "abandon":
            floor.abandon("ada")
        case _:
            floor.pass_time(20_000)
    floor.abandon("ada")
    freed = AgentCapacityFreed(at_ms=20_001, agent_id=GRACE, offer_id=FIRST)
    assert floor.turn_away("ada.1", "grace", at_ms=20_001) == (freed,)
    assert floor.offered(floor.contact("ben")) == [("ben", "grace")]


def test_a_slot_freed_while_its_offer_rings_sends_the_contact_on(floor: "Floor") -> None:
    floor.agent("grace")
    floor.contact("ada", at_ms=100)
    floor.agent("alan")
    events = floor.release("ada.1", "grace", at_ms=130)
    assert events[:2] == rescinded(RescindReason.AGENT_TURNED_AWAY, 130, 30)
    assert floor.offered(events) == [("ada", "alan")], "rather than to grace again"
    assert events[-1] == AgentCapacityFreed(at_ms=130, agent_id=GRACE, offer_id=FIRST)
    assert floor.offered(floor.contact("ben")) == [("ben", "grace")]


def test_a_slot_freed_while_its_offer_rings_gets_it_again_when_nobody_else_can(
    floor: "Floor",
) -> None:
    floor.agent("grace")
    floor.contact("ada", at_ms=100)
    assert floor.offered(floor.release("ada.1", "grace", at_ms=130)) == [("ada", "grace")]
    assert floor.abandon("ada", at_ms=131)
