"""How agent state looks on the wire."""

from collections.abc import Mapping
from typing import Final

import grpc

from huntgroup.agent_state.v1 import commands_pb2, events_pb2
from huntgroup_agent_state.core.messages import (
    AgentAskedForPresence,
    AgentBecameBusy,
    AgentFinishedWrapUp,
    AgentReleased,
    AgentReserved,
    AgentSignedOff,
    AgentSignedOn,
    AgentStartedWrapUp,
    AgentStoppedResponding,
    AgentWentNotReady,
    AgentWentReady,
    ContactInterrupted,
    Event,
    OfferOvertaken,
    OfferTurnedAway,
    Reason,
)
from huntgroup_agent_state.core.state import Agent, Slot
from huntgroup_agent_state.core.values import (
    AgentId,
    AgentTraits,
    Channel,
    ChannelCapacity,
    Presence,
    ReleaseReason,
    RoutingState,
)
from huntgroup_contracts.codec import EventCodec
from huntgroup_contracts.mapping import build_mapping

EVENTS: Final[EventCodec[Event]] = EventCodec(
    events_pb2,
    (
        AgentSignedOn,
        AgentSignedOff,
        AgentWentReady,
        AgentWentNotReady,
        AgentAskedForPresence,
        AgentStoppedResponding,
        AgentReserved,
        AgentBecameBusy,
        ContactInterrupted,
        AgentStartedWrapUp,
        AgentFinishedWrapUp,
        AgentReleased,
        OfferTurnedAway,
        OfferOvertaken,
    ),
)

STATUSES: Final[Mapping[str, grpc.StatusCode]] = {
    Reason.AGENTS_FULL: grpc.StatusCode.RESOURCE_EXHAUSTED,
    Reason.ALREADY_SIGNED_ON: grpc.StatusCode.ALREADY_EXISTS,
    Reason.NOT_SIGNED_ON: grpc.StatusCode.FAILED_PRECONDITION,
    Reason.REASON_MISSING: grpc.StatusCode.INVALID_ARGUMENT,
    Reason.CAPACITY_INVALID: grpc.StatusCode.INVALID_ARGUMENT,
    Reason.TRAITS_INVALID: grpc.StatusCode.INVALID_ARGUMENT,
    Reason.CONTACT_UNKNOWN: grpc.StatusCode.NOT_FOUND,
    Reason.NOT_WRAPPING_UP: grpc.StatusCode.FAILED_PRECONDITION,
}

_CAPACITY: Final = build_mapping(events_pb2.ChannelCapacity, ChannelCapacity)
_TRAITS: Final = build_mapping(events_pb2.AgentTraits, AgentTraits)
_CHANNELS: Final = {c: events_pb2.Channel.Value(f"CHANNEL_{c}") for c in Channel}
_PRESENCES: Final = {p: events_pb2.Presence.Value(f"PRESENCE_{p}") for p in Presence}
_RELEASES: Final = {r: events_pb2.ReleaseReason.Value(f"RELEASE_REASON_{r}") for r in ReleaseReason}


def agent_view(agent: Agent) -> commands_pb2.AgentView:
    """Return an agent as readers see them; nobody's presence is told who is not signed on."""
    view = commands_pb2.AgentView(
        agent_id=agent.agent_id,
        state=agent.routing_state,
        skills=agent.skills,
        capacity=map(_CAPACITY.to_message, agent.capacity),
        slots=[_slot_view(slot, agent.interrupter(slot)) for slot in agent.slots.values()],
        state_since_ms=agent.state_since_ms,
        capacity_units=agent.capacity_units,
    )
    if agent.traits is not None:
        view.traits.CopyFrom(_TRAITS.to_message(agent.traits))
    if agent.signed_on:
        view.presence = _PRESENCES[agent.presence]
        view.not_ready_reason = agent.not_ready_reason
    if agent.pending is not None:
        view.pending_presence = _PRESENCES[agent.pending]
        view.pending_reason = agent.pending_reason
    return view


def offline_view(agent_id: AgentId) -> commands_pb2.AgentView:
    """Return the view of an agent of whom nothing is known: not signed on."""
    return commands_pb2.AgentView(agent_id=agent_id, state=RoutingState.OFFLINE)


def _slot_view(slot: Slot, interrupter: Slot | None) -> commands_pb2.SlotView:
    return commands_pb2.SlotView(
        offer_id=slot.offer_id,
        contact_id=slot.contact_id,
        queue_id=slot.queue_id,
        channel=_CHANNELS[slot.channel],
        phase=slot.phase,
        ends_at_ms=slot.ends_at_ms,
        interrupted_by_contact_id="" if interrupter is None else interrupter.contact_id,
    )


def offer_presented(event: AgentReserved) -> commands_pb2.OfferPresented:
    """Return what a desktop is told of an offer that rings."""
    return commands_pb2.OfferPresented(
        offer_id=event.offer_id,
        contact_id=event.contact_id,
        queue_id=event.queue_id,
        channel=_CHANNELS[event.channel],
        expires_at_ms=event.expires_at_ms,
    )


def offer_withdrawn(
    offer_id: str, contact_id: str, reason: ReleaseReason
) -> commands_pb2.OfferWithdrawn:
    """Return what a desktop is told of an offer that does not ring any more."""
    return commands_pb2.OfferWithdrawn(
        offer_id=offer_id, contact_id=contact_id, reason=_RELEASES[reason]
    )
