"""Agents whose channels share units, and calls that may interrupt chats: what rings where, and when it must wait."""

import random
from typing import TYPE_CHECKING

from huntgroup_routing.core.invariants import check
from huntgroup_routing.core.messages import (
    AgentJoined,
    AssignContact,
    ChannelCapacity,
    Event,
    ObserveAgentSignedOn,
    Reason,
    Refused,
)
from huntgroup_routing.core.values import (
    AgentId,
    AgentTraits,
    Channel,
    ContactId,
    ServingGroup,
    Strategy,
)

if TYPE_CHECKING:
    from services.routing.tests.conftest import Floor

VOICE, CHAT, MESSAGE = Channel.VOICE, Channel.CHAT, Channel.MESSAGE


def channel(
    which: Channel, slots: int, cost: int = 0, interrupts: tuple[Channel, ...] = ()
) -> ChannelCapacity:
    return ChannelCapacity(channel=which, slots=slots, cost=cost, interrupts=interrupts)


def signs_on(
    *capacity: ChannelCapacity, units: int = 0, agent_id: str = "ada", groups: tuple[str, ...] = ()
) -> ObserveAgentSignedOn:
    return ObserveAgentSignedOn(
        agent_id=AgentId(agent_id),
        skills=(),
        capacity=capacity,
        capacity_units=units,
        traits=AgentTraits(groups=groups) if groups else None,
    )


def open_for(floor: "Floor", *capacity: ChannelCapacity, units: int = 0) -> None:
    """Have a queue for each channel, and Ada ready."""
    for which in (VOICE, CHAT, MESSAGE):
        floor.queue(f"{which.lower()}s", channel=which)
    floor.tell(signs_on(*capacity, units=units))
    floor.ready("ada")


def comes(floor: "Floor", contact_id: str, which: Channel, at_ms: int = 0) -> list[tuple[str, str]]:
    events = floor.contact(contact_id, queue_id=f"{which.lower()}s", channel=which, at_ms=at_ms)
    return floor.offered(events)


def test_units_are_shared_a_call_leaves_no_room_for_a_chat(floor: "Floor") -> None:
    open_for(floor, channel(VOICE, 1, 4), channel(CHAT, 4, 1), units=4)
    assert comes(floor, "call", VOICE) == [("call", "ada")]
    assert comes(floor, "chat", CHAT) == []
    floor.accept("call.1", "ada")
    assert floor.offered(floor.release("call.1", "ada", at_ms=5)) == [("chat", "ada")]


def test_chats_leave_no_room_for_a_call_that_costs_more_than_is_left(floor: "Floor") -> None:
    open_for(floor, channel(VOICE, 1, 3), channel(CHAT, 4, 1), units=4)
    assert comes(floor, "c1", CHAT) == [("c1", "ada")]
    assert comes(floor, "c2", CHAT) == [("c2", "ada")]
    assert comes(floor, "call", VOICE) == []
    floor.accept("c1.1", "ada")
    assert floor.offered(floor.release("c1.1", "ada")) == [("call", "ada")]
    assert comes(floor, "c3", CHAT) == []


def test_slots_of_a_channel_hold_however_many_units_are_left(floor: "Floor") -> None:
    open_for(floor, channel(CHAT, 2, 1), units=9)
    assert [comes(floor, f"c{n}", CHAT) != [] for n in range(3)] == [True, True, False]


def test_a_call_interrupts_chats_and_no_further_chat_is_offered_while_it_lasts(
    floor: "Floor",
) -> None:
    open_for(floor, channel(VOICE, 1, 4, (CHAT,)), channel(CHAT, 4, 1), units=4)
    for n in range(4):
        assert comes(floor, f"c{n}", CHAT) == [(f"c{n}", "ada")]
    assert comes(floor, "call", VOICE) == [("call", "ada")]
    floor.accept("c0.1", "ada")
    floor.accept("c1.1", "ada")
    floor.release("c0.1", "ada")
    floor.release("c1.1", "ada")
    assert comes(floor, "c4", CHAT) == []
    floor.accept("call.1", "ada")
    assert floor.offered(floor.release("call.1", "ada")) == [("c4", "ada")]


def test_interruption_needs_no_units_slots_are_enough(floor: "Floor") -> None:
    open_for(floor, channel(VOICE, 1, 0, (CHAT,)), channel(CHAT, 3))
    assert comes(floor, "c1", CHAT) == [("c1", "ada")]
    assert comes(floor, "call", VOICE) == [("call", "ada")]
    assert comes(floor, "c2", CHAT) == []


def test_channels_that_interrupt_each_other_do_not_wait_for_each_other(floor: "Floor") -> None:
    open_for(floor, channel(VOICE, 1, 2, (CHAT,)), channel(CHAT, 1, 2, (VOICE,)), units=2)
    assert comes(floor, "call", VOICE) == [("call", "ada")]
    assert comes(floor, "chat", CHAT) == [("chat", "ada")]


def test_a_third_channel_pays_for_what_it_does_not_interrupt(floor: "Floor") -> None:
    open_for(
        floor, channel(VOICE, 1, 2, (CHAT,)), channel(CHAT, 2, 1), channel(MESSAGE, 2, 1), units=4
    )
    comes(floor, "chat", CHAT)
    comes(floor, "call", VOICE)
    assert comes(floor, "m1", MESSAGE) == [("m1", "ada")]
    assert comes(floor, "m2", MESSAGE) == []


def test_one_who_becomes_idle_gets_in_turn_what_still_fits(floor: "Floor") -> None:
    """The oldest is a call that takes two of three units; of the chats behind it one fits beside it."""
    open_for(floor, channel(VOICE, 2, 2), channel(CHAT, 3, 1), units=3)
    floor.not_ready("ada")
    comes(floor, "call", VOICE, at_ms=1)
    for n in (2, 3, 4):
        comes(floor, f"c{n}", CHAT, at_ms=n)
    comes(floor, "later", VOICE, at_ms=9)
    assert floor.offered(floor.ready("ada", at_ms=10)) == [("call", "ada"), ("c2", "ada")]


def test_who_is_for_an_agent_does_not_go_before_a_higher_priority_of_another_channel(
    floor: "Floor",
) -> None:
    open_for(floor, channel(VOICE, 1), channel(CHAT, 1), units=1)
    floor.not_ready("ada")
    floor.contact("chat", queue_id="chats", channel=CHAT, direct="ada", at_ms=1)
    floor.contact("call", queue_id="voices", priority=9, at_ms=2)
    assert floor.offered(floor.ready("ada", at_ms=3)) == [("call", "ada")]
    floor.accept("call.1", "ada", at_ms=4)
    comes(floor, "next", VOICE, at_ms=0)
    assert floor.offered(floor.release("call.1", "ada", at_ms=5)) == [("chat", "ada")]


def both_ranks_wait(
    floor: "Floor", *capacity: ChannelCapacity, units: int = 0
) -> tuple[Event, ...]:
    """Have a message of rank 2 wait, then a call of rank 1; return what follows when Ada is ready."""
    for which, rank in ((VOICE, 1), (MESSAGE, 2)):
        groups = (ServingGroup(group="desk", rank=rank, weight=0, delay_ms=0),)
        floor.queue(f"{which.lower()}s", channel=which, groups=groups)
    floor.tell(signs_on(*capacity, units=units, groups=("desk",)))
    comes(floor, "note", MESSAGE, at_ms=1)
    comes(floor, "call", VOICE, at_ms=2)
    return floor.ready("ada", at_ms=3)


def test_a_better_rank_goes_first_also_on_another_channel_where_channels_share(
    floor: "Floor",
) -> None:
    events = both_ranks_wait(floor, channel(VOICE, 1, 2), channel(MESSAGE, 1, 1), units=2)
    assert floor.offered(events) == [("call", "ada")]


def test_where_each_channel_is_for_itself_all_ranks_are_served_at_once(floor: "Floor") -> None:
    events = both_ranks_wait(floor, channel(VOICE, 1), channel(MESSAGE, 1))
    assert floor.offered(events) == [("note", "ada"), ("call", "ada")]


def test_several_contacts_of_one_decision_do_not_share_what_is_left(floor: "Floor") -> None:
    """Bob signs off while a call and a chat ring at him: Ada has room for one of them."""
    open_for(floor, channel(VOICE, 1, 2), channel(CHAT, 1, 2), units=3)
    floor.not_ready("ada")
    floor.agent("bob", voice=1, chat=1)
    comes(floor, "call", VOICE, at_ms=1)
    comes(floor, "chat", CHAT, at_ms=2)
    floor.ready("ada", at_ms=3)
    assert floor.offered(floor.sign_off("bob", at_ms=4)) == [("call", "ada")]


def test_a_supervisor_is_told_why_an_agent_has_no_room(floor: "Floor") -> None:
    open_for(
        floor, channel(VOICE, 1, 3, (CHAT,)), channel(CHAT, 4, 1), channel(MESSAGE, 1, 2), units=4
    )
    comes(floor, "call", VOICE)
    for which, why in (
        (CHAT, "holds VOICE, which interrupts CHAT"),
        (MESSAGE, "has 3 of 4 units taken, and MESSAGE costs 2"),
        (VOICE, "has no free slot for VOICE"),
    ):
        comes(floor, f"next-{which}", which)
        refused = floor.refused(
            AssignContact(
                contact_id=ContactId(f"next-{which}"),
                agent_id=AgentId("ada"),
                supervisor_id=AgentId("eve"),
                waive_requirement=True,
            )
        )
        assert refused.reason is Reason.AGENT_NOT_AVAILABLE
        assert why in refused.detail


def test_the_order_in_which_channels_are_named_makes_no_difference_and_other_units_do(
    floor: "Floor",
) -> None:
    open_for(floor, channel(VOICE, 1, 2), channel(CHAT, 1, 1), units=3)
    assert floor.tell(signs_on(channel(CHAT, 1, 1), channel(VOICE, 1, 2), units=3)) == ()
    (joined,) = floor.tell(signs_on(channel(CHAT, 1, 1), channel(VOICE, 1, 2), units=2))
    assert isinstance(joined, AgentJoined)
    assert [one.channel for one in joined.capacity] == [CHAT, VOICE]
    assert joined.capacity_units == 2


def test_who_signs_on_again_pays_for_what_they_still_hold(floor: "Floor") -> None:
    open_for(floor, channel(VOICE, 1, 2), channel(CHAT, 2, 1), units=2)
    comes(floor, "c1", CHAT)
    floor.accept("c1.1", "ada")
    floor.sign_off("ada")
    floor.tell(signs_on(channel(VOICE, 1, 2), channel(MESSAGE, 1, 1), units=2))
    floor.ready("ada")
    assert comes(floor, "call", VOICE) == []
    assert comes(floor, "m", MESSAGE) == [("m", "ada")]


def test_a_lost_ring_frees_units_for_other_channels(floor: "Floor") -> None:
    """Both ring; Bob takes it, and Ada gets the chat for which she had no unit left meanwhile."""
    floor.queue("calls", strategy=Strategy.RING_ALL, ring_max=2)
    floor.queue("chats", channel=CHAT)
    floor.tell(signs_on(channel(VOICE, 1, 1), channel(CHAT, 1, 1), units=1))
    floor.ready("ada", at_ms=5)
    floor.agent("bob", at_ms=7)
    floor.contact("call", queue_id="calls", at_ms=20)
    assert floor.offered(floor.contact("chat", queue_id="chats", channel=CHAT, at_ms=21)) == []
    floor.accept("call.2", "bob", at_ms=22)
    assert floor.offered(floor.release("call.1", "ada", at_ms=30)) == [("chat", "ada")]
    floor.accept("chat.1", "ada", at_ms=31)
    floor.release("chat.1", "ada", at_ms=40)
    ada = floor.state.agents[AgentId("ada")]
    assert {which: since_ms for which, (_, since_ms) in ada.idle.items()} == {VOICE: 40, CHAT: 40}


def test_units_are_never_above_capacity_but_for_what_may_be_interrupted(floor: "Floor") -> None:
    """Chance plays: beside each offer held, those before it that it may not interrupt cost no more than fits."""
    costs = {VOICE: 4, CHAT: 1, MESSAGE: 2}
    interrupts: dict[Channel, tuple[Channel, ...]] = {VOICE: (CHAT,), CHAT: (), MESSAGE: ()}
    capacity = [channel(which, 3, costs[which], interrupts[which]) for which in costs]
    open_for(floor, *capacity, units=5)
    chance, most = random.Random(1), 0
    for number in range(400):
        comes(floor, f"c{number}", chance.choices(list(costs), (1, 4, 1))[0], at_ms=number)
        ada = floor.state.agents[AgentId("ada")]
        held = list(ada.held.values())
        for place, mine in enumerate(held):
            counted = [one for one in held[:place] if one not in interrupts[mine]]
            assert sum(costs[one] for one in [*counted, mine]) <= 5
        most = max(most, sum(costs[one] for one in held))
        if held and chance.random() < 0.9:
            offer_id = chance.choice(list(ada.held))
            floor.accept(offer_id, "ada", at_ms=number)
            floor.release(offer_id, "ada", at_ms=number)
        assert check(floor.state) == []
    assert most > 5, "nothing was interrupted"


def test_a_written_state_knows_what_channels_share(floor: "Floor") -> None:
    open_for(floor, channel(VOICE, 1, 4, (CHAT,)), channel(CHAT, 4, 1), units=4)
    comes(floor, "call", VOICE)
    floor.state = floor.core.load("acme/emea", floor.core.dump(floor.state))
    assert comes(floor, "chat", CHAT) == []
    assert not isinstance(floor.decide(signs_on(channel(VOICE, 1)), 0), Refused)
