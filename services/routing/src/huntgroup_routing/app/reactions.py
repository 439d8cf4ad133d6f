"""The facts of other services that concern routing, and what the core is told about each."""

from collections.abc import Callable, Collection, Mapping
from typing import Any, Final

from google.protobuf.message import DecodeError

from huntgroup.agent_state.v1 import events_pb2 as agent_state
from huntgroup.agent_state.v1.events_pb2 import (
    AgentReleased,
    AgentSignedOff,
    AgentSignedOn,
    AgentStoppedResponding,
    AgentWentNotReady,
    AgentWentReady,
    OfferTurnedAway,
)
from huntgroup.session.v1 import events_pb2 as session
from huntgroup.session.v1.events_pb2 import (
    CALLBACK_MODE_CUSTOMER_FIRST,
    CallbackEnded,
    CallbackRequested,
    ContactAbandoned,
    ContactQueued,
)
from huntgroup_contracts.registry import event_class
from huntgroup_contracts.requirements import one_form
from huntgroup_eventlog.application import ForeignEvent
from huntgroup_routing.core.messages import (
    ChannelCapacity,
    Command,
    ObserveAgentReleased,
    ObserveAgentSignedOff,
    ObserveAgentSignedOn,
    ObserveAgentStoppedResponding,
    ObserveAgentWentNotReady,
    ObserveAgentWentReady,
    ObserveContactAbandoned,
    ObserveContactQueued,
    ObserveOfferTurnedAway,
)
from huntgroup_routing.core.values import (
    AgentAttribute,
    AgentId,
    AgentTraits,
    Channel,
    ContactId,
    DequeueReason,
    OfferId,
    QueueId,
    Skill,
    SkillLevel,
)


class RoutingReactions:
    """Takes in contacts from session, and agents from agent-state."""

    sources = ("session", "agent-state")

    @property
    def types(self) -> Collection[str]:
        """What `OBSERVATIONS` says something about."""
        return OBSERVATIONS.keys()

    def react(self, event: ForeignEvent) -> Command | None:
        """Return what the core is told, or None; raise `ValueError` when the payload cannot be read."""
        observe = OBSERVATIONS.get(event.type)
        if observe is None:
            return None
        try:
            message = event_class(event.type).FromString(event.payload)
        except DecodeError as error:
            raise ValueError(f"{event.type} {event.event_id} cannot be read: {error}") from error
        return observe(message)


def on_contact_queued(fact: ContactQueued) -> Command:
    """A contact waits."""
    return ObserveContactQueued(
        contact_id=ContactId(fact.contact_id),
        queue_id=QueueId(fact.queue_id),
        channel=_channel(session.Channel.Name(fact.channel)),
        priority=fact.priority,
        required_skills=tuple(Skill(skill) for skill in fact.required_skills),
        enqueued_at_ms=fact.enqueued_at_ms,
        preferred_agents=tuple(AgentId(agent_id) for agent_id in fact.preferred_agents),
        direct_agent_id=AgentId(fact.direct_agent_id),
        customer_key=fact.customer_key,
        stay=fact.stay,
        attempts=fact.attempts,
        returns=fact.returns,
        requirement=one_form(fact.requirement, accepted=True),
        awaits_turn=fact.awaits_turn,
    )


def on_contact_abandoned(fact: ContactAbandoned) -> Command:
    """The customer left, whether waiting, ringing or before."""
    return ObserveContactAbandoned(contact_id=ContactId(fact.contact_id))


def on_callback_requested(fact: CallbackRequested) -> Command | None:
    """The customer has hung up and is called back; it leaves its place if that is later, or before agents are asked."""
    if fact.not_before_ms <= fact.at_ms and fact.mode != CALLBACK_MODE_CUSTOMER_FIRST:
        return None
    return ObserveContactAbandoned(
        contact_id=ContactId(fact.contact_id), reason=DequeueReason.CALLBACK_POSTPONED
    )


def on_callback_ended(fact: CallbackEnded) -> Command:
    """Nobody is to be called back any more."""
    return ObserveContactAbandoned(
        contact_id=ContactId(fact.contact_id), reason=DequeueReason.CALLBACK_ENDED
    )


def on_agent_signed_on(fact: AgentSignedOn) -> Command:
    """An agent came."""
    return ObserveAgentSignedOn(
        agent_id=AgentId(fact.agent_id),
        skills=tuple(Skill(skill) for skill in fact.skills),
        capacity=tuple(
            ChannelCapacity(
                channel=_channel(agent_state.Channel.Name(each.channel)),
                slots=each.slots,
                cost=each.cost,
                interrupts=tuple(
                    _channel(agent_state.Channel.Name(other)) for other in each.interrupts
                ),
            )
            for each in fact.capacity
        ),
        traits=_traits(fact.traits) if fact.HasField("traits") else None,
        capacity_units=fact.capacity_units,
    )


def on_agent_signed_off(fact: AgentSignedOff) -> Command:
    """An agent left."""
    return ObserveAgentSignedOff(agent_id=AgentId(fact.agent_id))


def on_agent_went_ready(fact: AgentWentReady) -> Command:
    """An agent takes contacts."""
    return ObserveAgentWentReady(agent_id=AgentId(fact.agent_id))


def on_agent_went_not_ready(fact: AgentWentNotReady) -> Command:
    """An agent takes none for now."""
    return ObserveAgentWentNotReady(agent_id=AgentId(fact.agent_id))


def on_agent_stopped_responding(fact: AgentStoppedResponding) -> Command:
    """An agent takes none until they act."""
    return ObserveAgentStoppedResponding(agent_id=AgentId(fact.agent_id))


def on_agent_released(fact: AgentReleased) -> Command:
    """A slot is free."""
    return ObserveAgentReleased(agent_id=AgentId(fact.agent_id), offer_id=OfferId(fact.offer_id))


def on_offer_turned_away(fact: OfferTurnedAway) -> Command:
    """An offer did not reach its agent."""
    return ObserveOfferTurnedAway(agent_id=AgentId(fact.agent_id), offer_id=OfferId(fact.offer_id))


def _traits(fact: agent_state.AgentTraits) -> AgentTraits:
    return AgentTraits(
        skill_levels=tuple(
            SkillLevel(skill=Skill(each.skill), level=each.level) for each in fact.skill_levels
        ),
        languages=tuple(fact.languages),
        attributes=tuple(
            AgentAttribute(name=each.name, value=each.value) for each in fact.attributes
        ),
        groups=tuple(fact.groups),
    )


def _channel(name: str) -> Channel:
    return Channel(name.removeprefix("CHANNEL_"))


OBSERVATIONS: Final[Mapping[str, Callable[[Any], Command | None]]] = {
    "huntgroup.session.contact.queued.v1": on_contact_queued,
    "huntgroup.session.contact.abandoned.v1": on_contact_abandoned,
    "huntgroup.session.callback.requested.v1": on_callback_requested,
    "huntgroup.session.callback.ended.v1": on_callback_ended,
    "huntgroup.agent-state.agent.signed-on.v1": on_agent_signed_on,
    "huntgroup.agent-state.agent.signed-off.v1": on_agent_signed_off,
    "huntgroup.agent-state.agent.went-ready.v1": on_agent_went_ready,
    "huntgroup.agent-state.agent.went-not-ready.v1": on_agent_went_not_ready,
    "huntgroup.agent-state.agent.stopped-responding.v1": on_agent_stopped_responding,
    "huntgroup.agent-state.agent.released.v1": on_agent_released,
    "huntgroup.agent-state.offer.turned-away.v1": on_offer_turned_away,
}
"""By public type. `agent.reserved` and `agent.became-busy` are not here: the slot is taken since the offer was made."""
