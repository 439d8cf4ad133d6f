"""Contacts that people take or give by hand, out of turn: by right, and with a reason when it cannot be."""

from huntgroup_routing.core.agents import Agent
from huntgroup_routing.core.expressions import meets, parse
from huntgroup_routing.core.messages import (
    AssignContact,
    OfferAccepted,
    OfferCreated,
    PullContact,
    Reason,
    Refused,
)
from huntgroup_routing.core.offering import offer_waiting
from huntgroup_routing.core.state import Contact, Ring, State
from huntgroup_routing.core.values import DecisionRule, Explanation


def pull_contact(
    state: State, command: PullContact, at_ms: int
) -> tuple[OfferCreated, OfferAccepted] | Refused:
    """Let an agent take a contact whom the queue lets pull: the offer is accepted as it is made."""
    found = _contact_and_agent(state, command)
    if isinstance(found, Refused):
        return found
    contact, agent = found
    allowed = state.queues[contact.queue_id].rules.pull_requirement
    if not allowed or not _meets(agent, allowed):
        return Refused(
            reason=Reason.PULL_NOT_ALLOWED,
            detail=f"agent_id {agent.agent_id!r} may not pull from queue {contact.queue_id!r}:"
            f" its pull_requirement is {allowed or 'empty, so nobody may'}",
        )
    offer = _offer(state, contact, agent, at_ms, (DecisionRule.PULLED, agent.agent_id))
    accepted = OfferAccepted(
        at_ms=at_ms,
        offer_id=offer.offer_id,
        contact_id=offer.contact_id,
        agent_id=offer.agent_id,
        queue_id=offer.queue_id,
        ring_ms=0,
    )
    return offer, accepted


def assign_contact(
    state: State, command: AssignContact, at_ms: int
) -> tuple[()] | tuple[OfferCreated] | Refused:
    """Let a contact ring at an agent whom a supervisor names; nothing when it rings there already."""
    contact = state.contacts.get(command.contact_id)
    if contact is not None and any(
        state.offers[offer_id].agent_id == command.agent_id for offer_id in contact.open_offers
    ):
        return ()
    found = _contact_and_agent(state, command)
    if isinstance(found, Refused):
        return found
    contact, agent = found
    assert agent.profile is not None
    if not command.waive_requirement and not contact.requirement.met_by(
        agent.profile, agent.agent_id
    ):
        return Refused(
            reason=Reason.AGENT_NOT_ABLE,
            detail=f"agent_id {agent.agent_id!r} does not meet what contact_id"
            f" {contact.contact_id!r} requires: {_asked(contact)}",
        )
    said = (DecisionRule.ASSIGNED, command.supervisor_id)
    return (_offer(state, contact, agent, at_ms, said),)


def _contact_and_agent(
    state: State, command: PullContact | AssignContact
) -> tuple[Contact, Agent] | Refused:
    """Return both when the contact waits and the agent has a slot for it."""
    contact_id, agent_id = command.contact_id, command.agent_id
    contact, agent = state.contacts.get(contact_id), state.agents.get(agent_id)
    if contact is None:
        return Refused(
            reason=Reason.CONTACT_UNKNOWN,
            detail=f"contact_id {contact_id!r} neither waits nor rings in this domain",
        )
    if contact.offer_id is not None:
        return Refused(
            reason=Reason.CONTACT_RINGS,
            detail=f"contact_id {contact_id!r} rings with {', '.join(contact.open_offers[:3])}",
        )
    channel = contact.requirement.channel
    if agent is not None and agent.available and agent.free(channel) > 0:
        return contact, agent
    state_of = "is not signed on"
    if agent is not None and agent.joined:
        state_of = agent.why_full(channel) if agent.available else "is not ready"
    return Refused(
        reason=Reason.AGENT_NOT_AVAILABLE,
        detail=f"agent_id {agent_id!r} {state_of}: contact_id {contact_id!r} needs a ready agent with a free slot",
    )


def _meets(agent: Agent, requirement: str) -> bool:
    assert agent.profile is not None
    return meets(agent.profile.who, agent.agent_id, parse(requirement, accepted=True))


def _asked(contact: Contact) -> str:
    skills, requirement, _, own = contact.requirement.ask
    return " and ".join([*skills, *filter(None, (requirement, own))])


def _offer(
    state: State, contact: Contact, agent: Agent, at_ms: int, said: tuple[DecisionRule, str]
) -> OfferCreated:
    """Return the offer by a rule that somebody asked for; nobody rings along."""
    idle = contact.requirement.idle
    return offer_waiting(
        state.queues[contact.queue_id],
        contact,
        agent_id=agent.agent_id,
        at_ms=at_ms,
        idle_since_ms=agent.idle[contact.requirement.channel][1],
        idle_agents=len(idle) + (agent.agent_id not in idle),
        explanation=Explanation(
            rule=said[0],
            strategy=None,
            policy_version=state.queues[contact.queue_id].version,
            value=contact.enqueued_at_ms,
            runner_up_id="",
            runner_up_value=0,
            priority=contact.priority,
            runner_up_priority=0,
            set_aside=0,
            asked_by=said[1],
        ),
        ring=Ring(offers={}, asked=set(), target=0),
    )
