"""What follows from each command, told as given, when, then."""

import pytest

from huntgroup_agent_state.core.decide import decide
from huntgroup_agent_state.core.evolve import evolve
from huntgroup_agent_state.core.messages import (
    AgentAskedForPresence,
    AgentBecameBusy,
    AgentReserved,
    AgentSignedOff,
    AgentSignedOn,
    AgentStartedWrapUp,
    AgentStoppedResponding,
    AgentWentReady,
    Command,
    CompleteWrapUp,
    ObserveOfferCanceled,
    ObserveOfferRescinded,
    OfferTurnedAway,
    PassTime,
    Reason,
    Refused,
    SignOff,
    SignOn,
)
from huntgroup_agent_state.core.state import Agent, next_deadline
from huntgroup_agent_state.core.values import (
    AGENTS_MAX,
    AgentAttribute,
    AgentId,
    AgentTraits,
    Channel,
    ChannelCapacity,
    ContactId,
    OfferId,
    Presence,
    QueueId,
    ReleaseReason,
    RoutingState,
    SignOffReason,
    SkillLevel,
    TurnAwayReason,
    WrapUpEnd,
)

from .floor import (
    ADA,
    BREAK,
    WRAP_UP_MS,
    Floor,
    canceled,
    completed,
    connected,
    disconnected,
    expired,
    failed,
    finished,
    offer,
    presence,
    rejected,
    released,
    rescinded,
    turned_away,
    went_on_break,
)

# Signing on.


def test_an_agent_signs_on_not_ready_with_one_voice_slot_unless_they_say_more(floor: Floor) -> None:
    events = floor.do(SignOn(agent_id=ADA, skills=("german", "billing", "german")))
    one_voice = ChannelCapacity(channel=Channel.VOICE, slots=1)
    skills = ("billing", "german")
    assert events == (
        AgentSignedOn(at_ms=1_000, agent_id=ADA, skills=skills, capacity=(one_voice,)),
    )
    assert floor.is_() is RoutingState.NOT_READY


def test_traits_are_written_in_one_order_and_levels_of_one_are_left_out(floor: Floor) -> None:
    traits = AgentTraits(
        skill_levels=(SkillLevel(skill="sales", level=7), SkillLevel(skill="billing", level=1)),
        languages=("fa", "ar", "fa"),
        attributes=(
            AgentAttribute(name="site", value="cairo"),
            AgentAttribute(name="desk", value="4"),
        ),
        groups=("vip", "day"),
    )
    (event,) = floor.do(SignOn(agent_id=ADA, skills=("german",), traits=traits))
    assert isinstance(event, AgentSignedOn)
    assert event.skills == ("billing", "german", "sales")
    assert event.traits == AgentTraits(
        skill_levels=(SkillLevel(skill="sales", level=7),),
        languages=("ar", "fa"),
        attributes=(
            AgentAttribute(name="desk", value="4"),
            AgentAttribute(name="site", value="cairo"),
        ),
        groups=("day", "vip"),
    )
    assert floor.state.agents[ADA].traits == event.traits


def test_traits_that_say_nothing_are_none(floor: Floor) -> None:
    said = AgentTraits(skill_levels=(SkillLevel(skill="billing", level=1),))
    (event,) = floor.do(SignOn(agent_id=ADA, traits=said))
    assert isinstance(event, AgentSignedOn)
    assert (event.skills, event.traits) == (("billing",), None)


@pytest.mark.parametrize(
    ("traits", "named"),
    [
        (AgentTraits(skill_levels=(SkillLevel(skill="a", level=1),) * 2), "skill_levels names 'a'"),
        (AgentTraits(attributes=(AgentAttribute(name="b", value=""),) * 2), "attributes names 'b'"),
    ],
)
def test_a_trait_named_twice_is_refused(floor: Floor, traits: AgentTraits, named: str) -> None:
    refused = floor.refused(SignOn(agent_id=ADA, traits=traits))
    assert refused.reason is Reason.TRAITS_INVALID
    assert named in refused.detail


def test_signing_on_twice_is_refused(ready: Floor) -> None:
    refused = ready.refused(SignOn(agent_id=ADA))
    assert refused.reason is Reason.ALREADY_SIGNED_ON
    assert "'ada'" in refused.detail


def test_an_agent_too_many_is_refused_unless_they_left_holding_a_contact(ready: Floor) -> None:
    """Ada has a place as long as her conversation has not ended."""
    ready.do(offer(), connected(), SignOff(agent_id=ADA))
    others = (AgentId(f"a{number}") for number in range(AGENTS_MAX - 1))
    ready.state.agents.update((other, Agent(agent_id=other)) for other in others)
    refused = decide(ready.state, SignOn(agent_id=AgentId("grace")), ready.at_ms)
    assert isinstance(refused, Refused)
    assert refused.reason is Reason.AGENTS_FULL
    assert "'grace'" in refused.detail
    assert "50000" in refused.detail
    back = decide(ready.state, SignOn(agent_id=ADA), ready.at_ms)
    assert not isinstance(back, Refused)


def test_a_place_comes_free_when_somebody_leaves(ready: Floor) -> None:
    others = (AgentId(f"a{number}") for number in range(AGENTS_MAX - 1))
    ready.state.agents.update((other, Agent(agent_id=other)) for other in others)
    evolve(
        ready.state,
        AgentSignedOff(at_ms=2_000, agent_id=ADA, reason=SignOffReason.BY_AGENT),
    )
    decided = decide(ready.state, SignOn(agent_id=AgentId("grace")), ready.at_ms)
    assert not isinstance(decided, Refused)


@pytest.mark.parametrize("slots", [0, -1, 26])
def test_a_capacity_out_of_bounds_is_refused(floor: Floor, slots: int) -> None:
    capacity = (ChannelCapacity(channel=Channel.CHAT, slots=slots),)
    refused = floor.refused(SignOn(agent_id=ADA, capacity=capacity))
    assert refused.reason is Reason.CAPACITY_INVALID
    assert f"CHAT is {slots}, not 1 to 25" in refused.detail


def test_a_channel_named_twice_is_refused(floor: Floor) -> None:
    voice = ChannelCapacity(channel=Channel.VOICE, slots=1)
    refused = floor.refused(SignOn(agent_id=ADA, capacity=(voice, voice)))
    assert refused.reason is Reason.CAPACITY_INVALID


# Presence.


def test_an_idle_agent_becomes_ready_and_not_ready_at_once(floor: Floor) -> None:
    floor.do(SignOn(agent_id=ADA))
    assert floor.do(presence(Presence.READY)) == (AgentWentReady(at_ms=1_000, agent_id=ADA),)
    assert floor.is_() is RoutingState.READY
    assert floor.do(BREAK) == (went_on_break(),)
    assert floor.is_() is RoutingState.NOT_READY


def test_the_same_presence_again_changes_nothing_but_another_reason_does(ready: Floor) -> None:
    assert ready.do(presence(Presence.READY)) == ()
    assert ready.do(BREAK, BREAK) == ()
    assert ready.names(presence(Presence.NOT_READY, "training")) == ["AgentWentNotReady"]


def test_not_ready_needs_a_reason(ready: Floor) -> None:
    assert ready.refused(presence(Presence.NOT_READY)).reason is Reason.REASON_MISSING


def test_presence_of_nobody_is_refused(floor: Floor) -> None:
    assert floor.refused(BREAK).reason is Reason.NOT_SIGNED_ON


@pytest.mark.parametrize("steps", [[], [connected()], [connected(), disconnected()]])
def test_an_agent_without_a_free_slot_gets_the_presence_when_it_comes_free(
    ready: Floor, steps: list[Command]
) -> None:
    ready.do(offer(), *steps)
    before = ready.is_()
    assert ready.do(BREAK) == (
        AgentAskedForPresence(
            at_ms=1_000, agent_id=ADA, presence=Presence.NOT_READY, reason="break"
        ),
    )
    assert ready.is_() is before
    assert ready.do(BREAK) == ()
    ready.do(*[connected(), disconnected()][len(steps) :])
    events = ready.do(completed())
    assert events[1:] == (went_on_break(), released(ReleaseReason.WRAPPED_UP))
    assert ready.is_() is RoutingState.NOT_READY


def test_a_presence_asked_for_can_be_taken_back(ready: Floor) -> None:
    ready.do(offer(), BREAK)
    assert ready.names(presence(Presence.READY)) == ["AgentAskedForPresence"]
    assert ready.do(rejected()) == (released(ReleaseReason.REJECTED),)


def test_an_agent_with_a_slot_left_stops_getting_offers_at_once(chatting: Floor) -> None:
    chatting.do(offer(1, Channel.CHAT))
    assert chatting.do(BREAK) == (went_on_break(),)
    assert chatting.is_() is RoutingState.RESERVED
    (turned_away,) = chatting.do(offer(2, Channel.CHAT))
    assert isinstance(turned_away, OfferTurnedAway)
    assert turned_away.reason is TurnAwayReason.NOT_READY


# Offers.


def test_an_offer_reserves_a_slot_of_a_ready_agent(ready: Floor) -> None:
    assert ready.do(offer()) == (
        AgentReserved(
            at_ms=1_000,
            agent_id=ADA,
            offer_id=OfferId("c1.1"),
            contact_id=ContactId("c1"),
            queue_id=QueueId("sales"),
            channel=Channel.VOICE,
            expires_at_ms=21_000,
            wrap_up_timeout_ms=WRAP_UP_MS,
        ),
    )
    assert ready.is_() is RoutingState.RESERVED
    assert ready.do(offer()) == ()


def test_an_offer_for_nobody_is_turned_away(floor: Floor) -> None:
    assert turned_away(floor) is TurnAwayReason.NOT_SIGNED_ON


def test_an_offer_for_an_agent_who_is_not_ready_is_turned_away(ready: Floor) -> None:
    ready.do(BREAK)
    assert turned_away(ready) is TurnAwayReason.NOT_READY


def test_an_offer_for_an_agent_who_missed_one_is_turned_away(ready: Floor) -> None:
    ready.do(offer(), expired())
    assert turned_away(ready, 2) is TurnAwayReason.NOT_READY


def test_an_offer_beyond_capacity_is_turned_away(ready: Floor) -> None:
    ready.do(offer())
    assert turned_away(ready, 2) is TurnAwayReason.NO_CAPACITY
    assert turned_away(ready, 3, Channel.CHAT) is TurnAwayReason.NO_CAPACITY


def test_who_was_told_to_have_no_capacity_is_told_ready_again_before_the_release(
    ready: Floor,
) -> None:
    ready.do(offer())
    turned_away(ready, 2)
    assert ready.names(rejected()) == ["AgentWentReady", "AgentReleased"]
    assert ready.names(offer(3), rejected(3)) == ["AgentReleased"]


def test_capacity_counts_for_each_channel(chatting: Floor) -> None:
    assert chatting.names(offer(1, Channel.CHAT)) == ["AgentReserved"]
    assert chatting.names(offer(2, Channel.CHAT)) == ["AgentReserved"]
    assert turned_away(chatting, 3, Channel.CHAT) is TurnAwayReason.NO_CAPACITY


@pytest.mark.parametrize(
    ("ending", "reason"),
    [
        (rejected(), ReleaseReason.REJECTED),
        (canceled(), ReleaseReason.CUSTOMER_LEFT),
        (
            ObserveOfferCanceled(offer_id=OfferId("c1.1"), contact_moved=True),
            ReleaseReason.CONTACT_MOVED,
        ),
        (rescinded(), ReleaseReason.AGENT_LEFT),
        (
            ObserveOfferRescinded(offer_id=OfferId("c1.1"), taken_by_another=True),
            ReleaseReason.TAKEN_BY_ANOTHER,
        ),
        (failed(), ReleaseReason.CONNECTION_FAILED),
    ],
)
def test_an_offer_that_comes_to_nothing_releases_a_ready_agent(
    ready: Floor, ending: Command, reason: ReleaseReason
) -> None:
    assert ready.do(offer(), ending) == (released(reason),)
    assert ready.is_() is RoutingState.READY
    assert ready.do(ending) == ()
    assert ready.do(offer()) == ()


@pytest.mark.parametrize("ending", [rejected(), canceled(), rescinded(), expired()])
def test_the_end_of_an_offer_that_is_not_held_is_of_no_concern(
    ready: Floor, ending: Command
) -> None:
    assert ready.do(ending) == ()
    assert ready.do(offer(), connected(), ending) == ()


def test_a_missed_offer_takes_the_agent_out_until_they_act(ready: Floor) -> None:
    assert ready.do(offer(), expired()) == (
        AgentStoppedResponding(at_ms=1_000, agent_id=ADA, offer_id=OfferId("c1.1")),
        released(ReleaseReason.EXPIRED),
    )
    assert ready.is_() is RoutingState.NOT_RESPONDING
    assert ready.names(presence(Presence.READY)) == ["AgentWentReady"]
    assert ready.is_() is RoutingState.READY


def test_a_missed_offer_does_not_undo_the_break_that_was_asked_for(ready: Floor) -> None:
    events = ready.do(offer(), BREAK, expired())
    assert events[1:] == (went_on_break(), released(ReleaseReason.EXPIRED))
    assert ready.is_() is RoutingState.NOT_READY


# Conversation and after-call work.


def test_a_conversation_makes_busy_and_then_wraps_up_until_the_timer(ready: Floor) -> None:
    ready.do(offer())
    busy = AgentBecameBusy(
        at_ms=1_000, agent_id=ADA, offer_id=OfferId("c1.1"), contact_id=ContactId("c1")
    )
    assert ready.do(connected()) == (busy,)
    assert ready.is_() is RoutingState.BUSY
    assert ready.do(connected()) == ()
    assert ready.at(60_000).do(disconnected()) == (
        AgentStartedWrapUp(
            at_ms=60_000,
            agent_id=ADA,
            offer_id=OfferId("c1.1"),
            contact_id=ContactId("c1"),
            ends_at_ms=90_000,
        ),
    )
    assert ready.is_() is RoutingState.WORKING_AFTER_CALL
    assert ready.do(disconnected()) == ()
    assert next_deadline(ready.state) == 90_000
    assert ready.at(89_999).do(PassTime()) == ()
    assert ready.at(90_001).do(PassTime()) == (
        finished(WrapUpEnd.TIMER, 90_001, 30_001),
        released(ReleaseReason.WRAPPED_UP, 90_001),
    )
    assert next_deadline(ready.state) is None
    assert ready.is_() is RoutingState.READY


def test_an_agent_completes_after_call_work_and_may_say_so_again(ready: Floor) -> None:
    ready.do(offer(), connected(), disconnected())
    assert ready.at(8_000).do(completed()) == (
        finished(WrapUpEnd.BY_AGENT, 8_000, 7_000),
        released(ReleaseReason.WRAPPED_UP, 8_000),
    )
    assert ready.do(completed()) == ()
    assert ready.do(PassTime()) == ()


def test_after_call_work_is_completed_only_once_it_runs(ready: Floor) -> None:
    ready.do(offer())
    assert ready.refused(completed()).reason is Reason.NOT_WRAPPING_UP
    ready.do(connected())
    assert "TALKING" in ready.refused(completed()).detail


def test_after_call_work_of_an_unknown_contact_or_agent_is_refused(ready: Floor) -> None:
    assert ready.refused(completed()).reason is Reason.CONTACT_UNKNOWN
    ready.do(offer(), connected(), disconnected(), completed())
    other = CompleteWrapUp(agent_id=AgentId("bob"), contact_id=ContactId("c1"))
    assert ready.refused(other).reason is Reason.CONTACT_UNKNOWN


def test_without_a_wrap_up_time_the_slot_is_free_at_once(ready: Floor) -> None:
    assert ready.do(offer(wrap_up=0), connected(), disconnected()) == (
        finished(WrapUpEnd.TIMER, 1_000, 0),
        released(ReleaseReason.WRAPPED_UP),
    )


def test_one_passing_of_time_ends_several_and_applies_a_presence_once(chatting: Floor) -> None:
    for n in (1, 2):
        chatting.do(offer(n, Channel.CHAT), connected(n, Channel.CHAT))
    chatting.do(BREAK, disconnected(1), disconnected(2))
    assert chatting.at(31_000).names(PassTime()) == [
        "AgentFinishedWrapUp",
        "AgentWentNotReady",
        "AgentReleased",
        "AgentFinishedWrapUp",
        "AgentReleased",
    ]
