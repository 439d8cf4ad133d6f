"""Events and views on the wire."""

import dataclasses
import typing
from enum import StrEnum

import pytest

from huntgroup.agent_state.v1 import events_pb2
from huntgroup_agent_state.adapters.mapping import EVENTS, STATUSES, agent_view, offline_view
from huntgroup_agent_state.core import messages
from huntgroup_agent_state.core.state import Agent, Slot
from huntgroup_agent_state.core.values import (
    AgentAttribute,
    AgentId,
    AgentTraits,
    Channel,
    ChannelCapacity,
    ContactId,
    OfferId,
    Presence,
    QueueId,
    RoutingState,
    SkillLevel,
    SlotPhase,
)

CHATS = ChannelCapacity(channel=Channel.CHAT, slots=3)

TRAITS = AgentTraits(
    skill_levels=(SkillLevel(skill="german", level=3),),
    languages=("fa",),
    attributes=(AgentAttribute(name="site", value="cairo"),),
    groups=("vip",),
)


def filled(event_class: type) -> messages.Event:
    """Return an event whose every field holds something that is not the default."""
    hints = typing.get_type_hints(event_class)
    fields = {
        name: value_of(hints[name]) for name in (f.name for f in dataclasses.fields(event_class))
    }
    event: messages.Event = event_class(**fields)
    return event


def value_of(hint: object) -> object:
    if hint is int:
        return 7
    if hint == tuple[str, ...]:
        return ("billing", "german")
    if hint == tuple[ChannelCapacity, ...]:
        return (CHATS,)
    if hint == AgentTraits | None:
        return TRAITS
    if isinstance(hint, type) and issubclass(hint, StrEnum):
        return list(hint)[-1]
    return "some-text"


@pytest.mark.parametrize("event_class", typing.get_args(messages.Event))
def test_every_event_comes_back_as_it_went(event_class: type) -> None:
    event = filled(event_class)
    type_, payload = EVENTS.encode(event)
    assert type_.startswith("huntgroup.agent-state.")
    assert EVENTS.decode(type_, payload) == event


def test_every_reason_has_a_status() -> None:
    assert set(STATUSES) == set(messages.Reason)


def test_a_view_tells_all_three_layers() -> None:
    slot = Slot(
        offer_id=OfferId("c1.1"),
        contact_id=ContactId("c1"),
        agent_id=AgentId("ada"),
        queue_id=QueueId("sales"),
        channel=Channel.CHAT,
        phase=SlotPhase.WRAPPING_UP,
        phase_since_ms=5,
        ends_at_ms=9,
        wrap_up_timeout_ms=4,
    )
    view = agent_view(
        Agent(
            agent_id=AgentId("ada"),
            signed_on=True,
            skills=("german",),
            capacity=(CHATS,),
            capacity_units=7,
            traits=TRAITS,
            presence=Presence.READY,
            pending=Presence.NOT_READY,
            pending_reason="break",
            routing_state=RoutingState.WORKING_AFTER_CALL,
            state_since_ms=5,
            slots={slot.offer_id: slot},
        )
    )
    assert (view.state, view.state_since_ms) == ("WORKING_AFTER_CALL", 5)
    assert (view.presence, view.not_ready_reason) == (events_pb2.PRESENCE_READY, "")
    assert (view.pending_presence, view.pending_reason) == (events_pb2.PRESENCE_NOT_READY, "break")
    assert (list(view.traits.languages), list(view.traits.groups)) == (["fa"], ["vip"])
    assert (list(view.skills), view.capacity[0].slots) == (["german"], 3)
    assert view.capacity_units == 7
    (shown,) = view.slots
    assert (shown.offer_id, shown.contact_id, shown.queue_id) == ("c1.1", "c1", "sales")
    assert (shown.channel, shown.phase) == (events_pb2.CHANNEL_CHAT, "WRAPPING_UP")
    assert shown.ends_at_ms == 9


def test_who_is_not_signed_on_has_no_presence() -> None:
    view = agent_view(Agent(agent_id=AgentId("ada")))
    assert view.presence == events_pb2.PRESENCE_UNSPECIFIED
    assert view.state == offline_view(AgentId("ada")).state == "OFFLINE"
