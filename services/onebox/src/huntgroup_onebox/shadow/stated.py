"""The command or the fact that a decision of routing's journal followed from, as its events tell it."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

from msgspec.structs import replace

from huntgroup_routing.core.hours import ClosedReason
from huntgroup_routing.core.messages import (
    AcceptOffer,
    AgentBecameEligible,
    AgentBecameIneligible,
    AgentCapacityFreed,
    AgentJoined,
    AgentLeft,
    AssignContact,
    CloseQueue,
    Command,
    ContactDequeued,
    ContactEnqueued,
    ContactMoved,
    ContactReprioritized,
    Event,
    ExitQueue,
    MoveContact,
    ObserveAgentReleased,
    ObserveAgentSignedOff,
    ObserveAgentSignedOn,
    ObserveAgentStoppedResponding,
    ObserveAgentWentNotReady,
    ObserveAgentWentReady,
    ObserveContactAbandoned,
    ObserveContactQueued,
    ObserveOfferTurnedAway,
    OfferAccepted,
    OfferCanceled,
    OfferCreated,
    OfferRejected,
    OfferRescinded,
    OpenQueue,
    PassTime,
    PullContact,
    QueueClosed,
    QueueOpened,
    QueueReprioritized,
    RejectOffer,
    SetContactPriority,
    SetQueuePriority,
)
from huntgroup_routing.core.overflow import OverflowTrigger
from huntgroup_routing.core.state import Queue, State
from huntgroup_routing.core.values import (
    AgentId,
    DecisionRule,
    DequeueReason,
    IneligibleReason,
    RescindReason,
)

SOMEBODY_GONE: Final = AgentId("?")
"""The agent that a contact was for alone and who was not to be had, so that the journal does not name them."""


def comes_plainly(event: ContactEnqueued, state: State) -> bool:
    """Return whether a contact stands in a queue where nothing but whom to offer it to is decided.

    Nobody is waited for then, and no step, delay, overflow or time is looked at.
    """
    if (
        event.awaited_agents
        or event.preferred_agents
        or event.customer_key
        or event.awaits_turn
        or event.queue_id not in state.queues
    ):
        return False
    queue = state.queues[event.queue_id]
    plan = queue.plan
    return not (plan.steps or plan.crews or plan.overflow or queue.is_closed)


def comes_as_it_did(event: ContactEnqueued, state: State) -> bool:
    """Return whether it does so by its real rules, whatever else is different."""
    contact_id = event.contact_id
    if contact_id in state.contacts or contact_id in state.ended_contacts:
        return False
    return comes_plainly(event, state)


def asks_as_it_did(event: ContactEnqueued, queue: Queue) -> bool:
    """Return whether a queue where it stands plainly asks the same of agents for it, and gives it the same place."""
    plan = queue.plan
    return (
        event.required_skills == plan.required_skills
        and event.requirement == plan.requirement
        and event.priority_point_ms == queue.priority_point_ms
        and not (event.own_skills or event.own_requirement or event.groups)
        and queue.takes(event.channel)
    )


def queued(event: ContactEnqueued, state: State) -> ObserveContactQueued:
    """Return the fact that a contact came, for the agents that it was for.

    Older journals do not tell whether somebody named them or the customer knew them: who was served last by the one
    agent that the contact waited for is taken to have been given that agent by the queue.
    """
    queue, agents = state.queues.get(event.queue_id), event.awaited_agents
    last = state.last_agents.get(event.customer_key)
    by_queue = queue is not None and queue.rules.prefers_last_agent and agents == (last,)
    return ObserveContactQueued(
        contact_id=event.contact_id,
        queue_id=event.queue_id,
        channel=event.channel,
        priority=event.priority,
        required_skills=event.own_skills,
        enqueued_at_ms=event.enqueued_at_ms,
        preferred_agents=event.preferred_agents or (() if event.direct or by_queue else agents),
        direct_agent_id=agents[0] if event.direct and agents else AgentId(""),
        customer_key=event.customer_key,
        stay=event.stay,
        attempts=event.attempts,
        awaits_turn=event.awaits_turn,
        requirement=event.own_requirement,
        returns=event.returns,
    )


def for_somebody_gone(fact: ObserveContactQueued) -> ObserveContactQueued:
    """Return the same of a contact that was for one agent alone who was not to be had."""
    return replace(fact, direct_agent_id=SOMEBODY_GONE)


def command_of(decision: Sequence[Event]) -> Command:
    """Return what a decision followed from: time, where its first event tells nothing else.

    Offers have the ids that they really had. Of a contact that comes, `queued` tells, and the policy is not asked for.
    """
    stated = _STATED.get(type(decision[0]))
    return PassTime() if stated is None else stated(decision)


def _of_offer(decision: Sequence[Any]) -> Command:
    """An offer that nothing comes before was asked for by hand."""
    real = decision[0]
    if real.explanation is None or real.explanation.rule is not DecisionRule.ASSIGNED:
        return PullContact(contact_id=real.contact_id, agent_id=real.agent_id)
    return AssignContact(
        contact_id=real.contact_id,
        agent_id=real.agent_id,
        supervisor_id=AgentId(real.explanation.asked_by),
        waive_requirement=True,
    )


def _of_accepted(decision: Sequence[Any]) -> Command:
    return AcceptOffer(offer_id=decision[0].offer_id, agent_id=decision[0].agent_id)


def _of_rejected(decision: Sequence[Any]) -> Command:
    real = decision[0]
    return RejectOffer(offer_id=real.offer_id, agent_id=real.agent_id, reason=real.reason)


def _of_freed(decision: Sequence[Any]) -> Command:
    return ObserveAgentReleased(agent_id=decision[0].agent_id, offer_id=decision[0].offer_id)


def _of_rescinded(decision: Sequence[Any]) -> Command:
    """Agent-state may say that an offer was turned away, or that its slot is free already: that frees it at once."""
    real = decision[0]
    if real.reason is RescindReason.AGENT_SIGNED_OFF:
        return ObserveAgentSignedOff(agent_id=real.agent_id)
    is_freed = any(isinstance(one, AgentCapacityFreed) for one in decision)
    kind = ObserveAgentReleased if is_freed else ObserveOfferTurnedAway
    return kind(agent_id=real.agent_id, offer_id=real.offer_id)


def _of_leaving(decision: Sequence[Any]) -> Command:
    """A contact that leaves was told to by its customer, by key, by somebody, or by time alone."""
    gone = next(one for one in decision if isinstance(one, ContactDequeued | ContactMoved))
    if gone.overflow is not None:
        if gone.overflow.trigger is OverflowTrigger.EXIT_KEY:
            return ExitQueue(contact_id=gone.contact_id, key=gone.overflow.key)
        return PassTime()
    if isinstance(gone, ContactMoved):
        return MoveContact(contact_id=gone.contact_id, queue_id=gone.queue_id)
    if gone.reason in (DequeueReason.CALLBACK_DUE, DequeueReason.OVERFLOWED):
        return PassTime()
    return ObserveContactAbandoned(contact_id=gone.contact_id, reason=gone.reason)


def _of_priority(decision: Sequence[Any]) -> Command:
    """Contacts of a queue that was given another priority follow by time; of one alone it is the same who said so."""
    if len(decision) > 1:
        return PassTime()
    return SetContactPriority(contact_id=decision[0].contact_id, priority=decision[0].priority)


def _of_queue_priority(decision: Sequence[Any]) -> Command:
    return SetQueuePriority(queue_id=decision[0].queue_id, priority=decision[0].priority)


def _of_closed(decision: Sequence[Any]) -> Command:
    if decision[0].reason is not ClosedReason.BY_COMMAND:
        return PassTime()
    return CloseQueue(queue_id=decision[0].queue_id, note=decision[0].note)


def _of_opened(decision: Sequence[Any]) -> Command:
    if decision[0].reason is not ClosedReason.BY_COMMAND:
        return PassTime()
    return OpenQueue(queue_id=decision[0].queue_id)


def _of_joined(decision: Sequence[Any]) -> Command:
    real = decision[0]
    return ObserveAgentSignedOn(
        agent_id=real.agent_id,
        skills=real.skills,
        capacity=real.capacity,
        traits=real.traits,
        capacity_units=real.capacity_units,
    )


def _of_left(decision: Sequence[Any]) -> Command:
    return ObserveAgentSignedOff(agent_id=decision[0].agent_id)


def _of_ready(decision: Sequence[Any]) -> Command:
    return ObserveAgentWentReady(agent_id=decision[0].agent_id)


def _of_not_ready(decision: Sequence[Any]) -> Command:
    if decision[0].reason is IneligibleReason.NOT_RESPONDING:
        return ObserveAgentStoppedResponding(agent_id=decision[0].agent_id)
    return ObserveAgentWentNotReady(agent_id=decision[0].agent_id)


_STATED: Final[Mapping[type[Event], Callable[[Sequence[Any]], Command]]] = {
    OfferCreated: _of_offer,
    OfferAccepted: _of_accepted,
    OfferRejected: _of_rejected,
    OfferRescinded: _of_rescinded,
    AgentCapacityFreed: _of_freed,
    **dict.fromkeys((OfferCanceled, ContactDequeued, ContactMoved), _of_leaving),
    ContactReprioritized: _of_priority,
    QueueReprioritized: _of_queue_priority,
    QueueClosed: _of_closed,
    QueueOpened: _of_opened,
    AgentJoined: _of_joined,
    AgentLeft: _of_left,
    AgentBecameEligible: _of_ready,
    AgentBecameIneligible: _of_not_ready,
}
"""By the first event of a decision."""
