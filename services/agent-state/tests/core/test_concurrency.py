"""What an agent takes at once: slots, units that channels share, and calls that interrupt chats."""

import pytest

from huntgroup_agent_state.adapters.mapping import agent_view
from huntgroup_agent_state.core.messages import (
    AgentBecameBusy,
    AgentReserved,
    AgentSignedOn,
    Command,
    ContactInterrupted,
    Reason,
    SignOn,
)
from huntgroup_agent_state.core.values import (
    UNITS_MAX,
    Channel,
    ChannelCapacity,
    Presence,
    TurnAwayReason,
)

from .floor import ADA, Floor, completed, connected, disconnected, offer, presence, turned_away

VOICE, CHAT, MESSAGE = Channel.VOICE, Channel.CHAT, Channel.MESSAGE


def channel(
    which: Channel, slots: int, cost: int = 0, interrupts: tuple[Channel, ...] = ()
) -> ChannelCapacity:
    return ChannelCapacity(channel=which, slots=slots, cost=cost, interrupts=interrupts)


def ready_with(*capacity: ChannelCapacity, units: int = 0) -> Floor:
    floor = Floor()
    floor.do(SignOn(agent_id=ADA, capacity=capacity, capacity_units=units))
    floor.do(presence(Presence.READY))
    return floor


CALLS_OVER_CHATS = (channel(VOICE, 1, 4, (CHAT,)), channel(CHAT, 4, 1))


def test_what_sign_on_says_is_kept_in_one_form() -> None:
    floor = Floor()
    said = (channel(VOICE, 1, 3, (MESSAGE, CHAT)), channel(CHAT, 2), channel(MESSAGE, 1))
    (event,) = floor.do(SignOn(agent_id=ADA, capacity=said, capacity_units=4))
    assert isinstance(event, AgentSignedOn)
    assert [(one.cost, one.interrupts) for one in event.capacity] == [
        (3, (CHAT, MESSAGE)),
        (1, ()),
        (1, ()),
    ]
    assert event.capacity_units == 4


@pytest.mark.parametrize(
    ("capacity", "units", "detail"),
    [
        ((channel(VOICE, 1, 2),), 0, "cost of channel VOICE is 2, but without capacity_units"),
        ((channel(VOICE, 1, 5),), 4, "cost of channel VOICE is 5, not 0 to 4"),
        ((channel(VOICE, 1, -1),), 4, "cost of channel VOICE is -1"),
        ((channel(VOICE, 1),), UNITS_MAX + 1, f"capacity_units is {UNITS_MAX + 1}, not 0 to"),
        ((channel(VOICE, 1, 0, (VOICE,)),), 0, "interrupts of channel VOICE names VOICE, itself"),
        ((channel(VOICE, 1, 0, (CHAT,)),), 0, "names CHAT, which capacity does not name"),
    ],
)
def test_what_makes_no_sense_is_refused(
    capacity: tuple[ChannelCapacity, ...], units: int, detail: str
) -> None:
    refused = Floor().refused(SignOn(agent_id=ADA, capacity=capacity, capacity_units=units))
    assert refused.reason is Reason.CAPACITY_INVALID
    assert detail in refused.detail


def test_an_offer_that_costs_more_units_than_are_left_is_turned_away() -> None:
    floor = ready_with(channel(VOICE, 1, 3), channel(CHAT, 4, 1), units=4)
    assert floor.names(offer(1, CHAT)) == ["AgentReserved"]
    assert floor.names(offer(2, CHAT)) == ["AgentReserved"]
    assert turned_away(floor, 3, VOICE) is TurnAwayReason.NO_CAPACITY
    assert floor.names(offer(4, CHAT)) == ["AgentReserved"]


def test_a_call_is_reserved_over_chats_and_holds_further_chats_off() -> None:
    floor = ready_with(*CALLS_OVER_CHATS, units=4)
    for n in range(1, 4):
        floor.do(offer(n, CHAT))
    assert floor.names(offer(5, VOICE)) == ["AgentReserved"]
    assert turned_away(floor, 6, CHAT) is TurnAwayReason.NO_CAPACITY


def test_whom_a_call_interrupts_is_told_for_each_chat_and_they_go_on_afterwards() -> None:
    floor = ready_with(*CALLS_OVER_CHATS, units=4)
    floor.do(offer(1, CHAT), connected(1, CHAT), offer(2, CHAT), connected(2, CHAT), offer(3, CHAT))
    busy, *interrupted = floor.do(offer(5, VOICE), connected(5))
    assert isinstance(busy, AgentBecameBusy)
    assert [
        (one.contact_id, one.channel, one.by_contact_id, one.by_channel)
        for one in interrupted
        if isinstance(one, ContactInterrupted)
    ] == [("c1", CHAT, "c5", VOICE), ("c2", CHAT, "c5", VOICE)]
    assert interrupted_by(floor) == {"c1": "c5", "c2": "c5", "c3": "", "c5": ""}
    floor.do(disconnected(5))
    assert interrupted_by(floor) == {"c1": "", "c2": "", "c3": "", "c5": ""}
    assert floor.names(disconnected(1)) == ["AgentStartedWrapUp"]


def test_a_chat_that_rang_before_is_interrupted_from_its_first_moment() -> None:
    floor = ready_with(*CALLS_OVER_CHATS, units=4)
    floor.do(offer(1, CHAT), offer(5, VOICE), connected(5))
    assert floor.names(connected(1, CHAT)) == ["AgentBecameBusy", "ContactInterrupted"]


def pairs(floor: Floor, *commands: Command) -> list[tuple[str, str]]:
    """Return who is interrupted by whom, by what is said of it."""
    said = floor.do(*commands)
    return [
        (one.contact_id, one.by_contact_id) for one in said if isinstance(one, ContactInterrupted)
    ]


def test_a_chat_waits_until_both_calls_that_interrupt_it_are_over() -> None:
    floor = ready_with(channel(VOICE, 2, 1, (CHAT,)), channel(CHAT, 2, 1), units=4)
    floor.do(offer(1, CHAT), connected(1, CHAT), offer(3, CHAT), offer(5), offer(6))
    assert pairs(floor, connected(5)) == [("c1", "c5")]
    assert pairs(floor, connected(6)) == [("c1", "c6")]
    assert pairs(floor, connected(3, CHAT)) == [("c3", "c5"), ("c3", "c6")]
    floor.do(disconnected(5))
    assert interrupted_by(floor)["c1"] == "c6"
    floor.do(disconnected(6))
    assert interrupted_by(floor)["c1"] == ""


def test_each_of_three_tiers_says_what_it_interrupts() -> None:
    """The message waits for the chat, and both for the call; when the call is over, the message still does."""
    floor = ready_with(
        channel(VOICE, 1, 0, (CHAT, MESSAGE)), channel(CHAT, 1, 0, (MESSAGE,)), channel(MESSAGE, 1)
    )
    floor.do(offer(1, MESSAGE), connected(1, MESSAGE), offer(2, CHAT), offer(3))
    assert pairs(floor, connected(3)) == [("c1", "c3")]
    assert pairs(floor, connected(2, CHAT)) == [("c1", "c2"), ("c2", "c3")]
    floor.do(disconnected(3))
    assert interrupted_by(floor)["c1"] == "c2"


def test_nothing_is_interrupted_where_channels_may_interrupt_each_other() -> None:
    floor = ready_with(channel(VOICE, 1, 0, (CHAT,)), channel(CHAT, 1, 0, (VOICE,)))
    floor.do(offer(1, CHAT), connected(1, CHAT))
    assert floor.names(offer(2, VOICE), connected(2)) == ["AgentBecameBusy"]


def test_after_call_work_keeps_its_units_until_it_is_over() -> None:
    floor = ready_with(channel(VOICE, 1, 3), channel(CHAT, 2, 2), units=4)
    floor.do(offer(1), connected(1), disconnected(1))
    assert turned_away(floor, 2, CHAT) is TurnAwayReason.NO_CAPACITY
    assert floor.names(completed(1))[-1] == "AgentReleased"
    assert floor.names(offer(3, CHAT)) == ["AgentReserved"]


def test_a_break_waits_while_no_channel_has_room_and_comes_with_the_next_release() -> None:
    floor = ready_with(channel(VOICE, 1, 2), channel(CHAT, 2, 2), units=2)
    floor.do(offer(1), connected(1))
    assert floor.names(presence(Presence.NOT_READY, "lunch")) == ["AgentAskedForPresence"]
    floor.do(disconnected(1))
    assert floor.names(completed(1)) == [
        "AgentFinishedWrapUp",
        "AgentWentNotReady",
        "AgentReleased",
    ]


def test_a_yes_to_what_was_turned_away_is_honoured_and_interrupts() -> None:
    """The agent had said yes by another way before routing heard that the offer was turned away."""
    floor = ready_with(channel(VOICE, 1, 4, (CHAT,)), channel(CHAT, 1, 1), units=4)
    floor.do(offer(1, CHAT), connected(1, CHAT), presence(Presence.NOT_READY, "break"))
    turned_away(floor, 2)
    reserved, busy, interrupted = floor.do(connected(2))
    assert isinstance(reserved, AgentReserved)
    assert isinstance(busy, AgentBecameBusy)
    assert isinstance(interrupted, ContactInterrupted)
    assert interrupted.contact_id == "c1"


def interrupted_by(floor: Floor) -> dict[str, str]:
    """Return what a desktop shows."""
    view = agent_view(floor.state.agents[ADA])
    return {slot.contact_id: slot.interrupted_by_contact_id for slot in view.slots}
