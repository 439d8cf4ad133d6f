"""The commands that events of routing's journal state by themselves: of agents, and of what somebody did by hand."""

from huntgroup_routing.core.hours import (
    ClosedReason,
    CloseQueue,
    OpenQueue,
    QueueClosed,
    QueueOpened,
)
from huntgroup_routing.core.messages import (
    AgentBecameEligible,
    AgentBecameIneligible,
    AgentJoined,
    AgentLeft,
    Command,
    ContactEnqueued,
    ContactReprioritized,
    Event,
    GroupBlended,
    GroupUnblended,
    ObserveAgentSignedOff,
    ObserveAgentSignedOn,
    ObserveAgentStoppedResponding,
    ObserveAgentWentNotReady,
    ObserveAgentWentReady,
    ObserveContactQueued,
    PassTime,
    SetContactPriority,
)
from huntgroup_routing.core.state import State
from huntgroup_routing.core.values import AgentId, IneligibleReason


def comes_as_it_did(event: ContactEnqueued, state: State) -> bool:
    """Return whether a contact stands in a queue with its real rules as it really did, whatever else is different.

    So it is where nothing but those rules has a say: nobody is waited for, no step, delay or overflow is looked at.
    """
    queue, contact_id = state.queues.get(event.queue_id), event.contact_id
    if queue is None or event.awaited_agents or event.preferred_agents or event.customer_key:
        return False
    plan = queue.plan
    if event.awaits_turn or plan.steps or plan.crews or plan.overflow or queue.is_closed:
        return False
    return contact_id not in state.contacts and contact_id not in state.ended_contacts


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


def command_of(event: Event) -> Command | None:
    """Return the command or the fact that an event states; None when it states none."""
    match event:
        case QueueClosed(reason=ClosedReason.BY_COMMAND):
            return CloseQueue(queue_id=event.queue_id, note=event.note)
        case QueueOpened(reason=ClosedReason.BY_COMMAND):
            return OpenQueue(queue_id=event.queue_id)
        case QueueClosed() | QueueOpened() | GroupBlended() | GroupUnblended():
            return PassTime()
        case ContactReprioritized():
            return SetContactPriority(contact_id=event.contact_id, priority=event.priority)
        case _:
            return _of_agent(event)


def _of_agent(event: Event) -> Command | None:
    match event:
        case AgentJoined():
            return ObserveAgentSignedOn(
                agent_id=event.agent_id,
                skills=event.skills,
                capacity=event.capacity,
                traits=event.traits,
                capacity_units=event.capacity_units,
            )
        case AgentLeft():
            return ObserveAgentSignedOff(agent_id=event.agent_id)
        case AgentBecameEligible():
            return ObserveAgentWentReady(agent_id=event.agent_id)
        case AgentBecameIneligible(reason=IneligibleReason.NOT_RESPONDING):
            return ObserveAgentStoppedResponding(agent_id=event.agent_id)
        case AgentBecameIneligible():
            return ObserveAgentWentNotReady(agent_id=event.agent_id)
        case _:
            return None
