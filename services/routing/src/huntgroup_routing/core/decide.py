"""What follows from a command: events, or a refusal. Nothing is changed here.

An event that makes an agent idle or lets a contact wait is followed, in the same decision, by the offers it makes
possible. So between decisions nobody waits while somebody idle could serve them, but for one case: a contact is not
offered at once to the agent who just declined it, only when that slot is free again.
"""

from typing import Final, assert_never

from huntgroup_routing.core.agents import Agent
from huntgroup_routing.core.by_hand import assign_contact, pull_contact
from huntgroup_routing.core.changes import apply_policy, roll_back_policy
from huntgroup_routing.core.concurrency import concurrency_of
from huntgroup_routing.core.deadlines import due
from huntgroup_routing.core.exiting import exit_queue
from huntgroup_routing.core.leaving import customer_left
from huntgroup_routing.core.lending import lend_groups
from huntgroup_routing.core.messages import (
    AcceptOffer,
    AgentBecameEligible,
    AgentBecameIneligible,
    AgentCapacityFreed,
    AgentJoined,
    AgentLeft,
    ApplyPolicy,
    AssignContact,
    CloseQueue,
    Command,
    ConfigureQueue,
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
    OfferExpired,
    OfferRejected,
    OpenQueue,
    PassTime,
    PullContact,
    Reason,
    Refused,
    RejectOffer,
    RollBackPolicy,
    SetContactPriority,
    SetQueuePriority,
)
from huntgroup_routing.core.moving import (
    in_time,
    move_contact,
    set_contact_priority,
    set_queue_priority,
)
from huntgroup_routing.core.opening import close_queue, open_queue
from huntgroup_routing.core.policy import configure_queue
from huntgroup_routing.core.queueing import (
    lapse_preferences,
    lapse_without,
    queue_contact,
    step_by_condition,
    step_contacts,
    widen_rings,
)
from huntgroup_routing.core.ranking import offers_to
from huntgroup_routing.core.replanning import replan_contacts
from huntgroup_routing.core.returning import requeue, rescinded
from huntgroup_routing.core.ringing import others_ringing, taken_by_another
from huntgroup_routing.core.state import Offer, State
from huntgroup_routing.core.values import (
    AGENTS_MAX,
    AgentId,
    IneligibleReason,
    OfferId,
    OfferState,
    RescindReason,
    skill_set,
)

Decision = tuple[Event, ...]

IN_TIME: Final = (
    *(step_contacts, step_by_condition, widen_rings),
    *(lapse_preferences, replan_contacts, lend_groups, in_time),
)
"""What time brings beside the ends of offers, one after the other."""


def decide(state: State, command: Command, at_ms: int) -> Decision | Refused:
    """Return the events that follow from `command` at log time `at_ms`, or a refusal; observations get no refusal."""
    match command:
        case AcceptOffer():
            return _accept_offer(state, command, at_ms)
        case ObserveContactQueued():
            return queue_contact(state, command, at_ms)
        case ObserveAgentReleased():
            return _observe_agent_released(state, command, at_ms)
        case ObserveAgentWentReady():
            return _observe_agent_went_ready(state, command, at_ms)
        case ObserveAgentWentNotReady():
            return _stop(state, command.agent_id, IneligibleReason.NOT_READY, at_ms)
        case ObserveContactAbandoned():
            return customer_left(state, command, at_ms)
        case PassTime():
            return _pass_time(state, at_ms)
        case ExitQueue():
            return exit_queue(state, command, at_ms)
        case MoveContact():
            return move_contact(state, command, at_ms)
        case SetContactPriority():
            return set_contact_priority(state, command, at_ms)
        case SetQueuePriority():
            return set_queue_priority(state, command, at_ms)
        case CloseQueue():
            return close_queue(state, command, at_ms)
        case OpenQueue():
            return open_queue(state, command, at_ms)
        case RejectOffer():
            return _reject_offer(state, command, at_ms)
        case PullContact():
            return pull_contact(state, command, at_ms)
        case AssignContact():
            return assign_contact(state, command, at_ms)
        case ObserveAgentStoppedResponding():
            return _stop(state, command.agent_id, IneligibleReason.NOT_RESPONDING, at_ms)
        case ObserveOfferTurnedAway():
            return _observe_offer_turned_away(state, command, at_ms)
        case ObserveAgentSignedOn():
            return _observe_agent_signed_on(state, command, at_ms)
        case ObserveAgentSignedOff():
            return _observe_agent_signed_off(state, command, at_ms)
        case ConfigureQueue():
            return configure_queue(state, command, at_ms)
        case ApplyPolicy():
            return apply_policy(state, command, at_ms)
        case RollBackPolicy():
            return roll_back_policy(state, command, at_ms)
        case _:
            assert_never(command)


def _accept_offer(state: State, command: AcceptOffer, at_ms: int) -> Decision | Refused:
    found = _offer_to_answer(state, command, at_ms)
    if isinstance(found, Refused):
        return found
    if found.state is OfferState.ACCEPTED:
        return ()
    if found.state is not OfferState.PENDING:
        return _ended(found)
    accepted = OfferAccepted(
        at_ms=at_ms,
        offer_id=found.offer_id,
        contact_id=found.contact_id,
        agent_id=found.agent_id,
        queue_id=found.queue_id,
        ring_ms=at_ms - found.created_at_ms,
    )
    contact = state.contacts[found.contact_id]
    if contact.ring is None:
        return (accepted,)
    return (accepted, *taken_by_another(state, contact, found.offer_id, at_ms))


def _reject_offer(state: State, command: RejectOffer, at_ms: int) -> Decision | Refused:
    found = _offer_to_answer(state, command, at_ms)
    if isinstance(found, Refused):
        return found
    if found.state is OfferState.REJECTED:
        return ()
    if found.state is not OfferState.PENDING:
        return _ended(found)
    rejected = OfferRejected(
        at_ms=at_ms,
        offer_id=found.offer_id,
        contact_id=found.contact_id,
        agent_id=found.agent_id,
        queue_id=found.queue_id,
        reason=command.reason,
        ring_ms=at_ms - found.created_at_ms,
        others_ringing=others_ringing(state, [found])[0],
    )
    return (rejected, *requeue(state, [found], at_ms))


def _offer_to_answer(
    state: State, command: AcceptOffer | RejectOffer, at_ms: int
) -> Offer | Refused:
    offer_id = command.offer_id
    offer = state.find_offer(offer_id)
    if offer is None:
        return Refused(
            reason=Reason.OFFER_UNKNOWN,
            detail=f"offer_id {offer_id!r} names no offer of this domain",
        )
    if offer.agent_id != command.agent_id:
        return Refused(
            reason=Reason.WRONG_AGENT,
            detail=f"agent_id {command.agent_id!r} cannot answer offer_id {offer_id!r}: it rings at another agent",
        )
    if offer.state is OfferState.PENDING and at_ms >= offer.expires_at_ms:
        return Refused(
            reason=Reason.OFFER_ENDED,
            detail=f"offer_id {offer_id!r} was to be answered before {offer.expires_at_ms}, it is {at_ms}",
        )
    return offer


def _ended(offer: Offer) -> Refused:
    return Refused(
        reason=Reason.OFFER_ENDED,
        detail=f"offer_id {offer.offer_id!r} is {offer.state}, only a pending offer can be answered",
    )


def _pass_time(state: State, at_ms: int) -> Decision:
    offers = due(state, at_ms)
    if not offers:
        return next((events for come in IN_TIME if (events := come(state, at_ms))), ())
    expired = tuple(
        OfferExpired(
            at_ms=at_ms,
            offer_id=offer.offer_id,
            contact_id=offer.contact_id,
            agent_id=offer.agent_id,
            queue_id=offer.queue_id,
            ring_ms=at_ms - offer.created_at_ms,
            others_ringing=others,
        )
        for offer, others in zip(offers, others_ringing(state, offers), strict=True)
    )
    return (*expired, *requeue(state, offers, at_ms))


def _observe_agent_signed_on(state: State, command: ObserveAgentSignedOn, at_ms: int) -> Decision:
    agent = state.agents.get(command.agent_id)
    if agent is None and len(state.agents) >= AGENTS_MAX:
        return ()
    skills = skill_set(command.skills)
    slots = {capacity.channel: capacity.slots for capacity in command.capacity}
    concurrency = concurrency_of(command.capacity_units, command.capacity)
    if (
        agent is not None
        and agent.joined
        and (agent.skills, agent.slots, agent.traits) == (skills, slots, command.traits)
        and agent.concurrency == concurrency
    ):
        return ()
    return (
        AgentJoined(
            at_ms=at_ms,
            agent_id=command.agent_id,
            skills=skills,
            capacity=tuple(sorted(command.capacity, key=lambda one: one.channel)),
            traits=command.traits,
            capacity_units=command.capacity_units,
        ),
        *lapse_without(state, command.agent_id, slots, at_ms),
    )


def _observe_agent_signed_off(state: State, command: ObserveAgentSignedOff, at_ms: int) -> Decision:
    """Slots stay taken until agent-state frees them, so that who signs on again is not booked twice."""
    agent = state.agents.get(command.agent_id)
    if agent is None or not agent.joined:
        return ()
    ringing = [state.offers[offer_id] for offer_id in agent.held if offer_id in state.offers]
    taken_back = rescinded(state, ringing, RescindReason.AGENT_SIGNED_OFF, at_ms)
    left = AgentLeft(at_ms=at_ms, agent_id=agent.agent_id)
    return (*taken_back, left, *requeue(state, ringing, at_ms))


def _observe_agent_went_ready(state: State, command: ObserveAgentWentReady, at_ms: int) -> Decision:
    agent = state.agents.get(command.agent_id)
    if agent is None or not agent.joined or agent.available:
        return ()
    became_eligible = AgentBecameEligible(at_ms=at_ms, agent_id=agent.agent_id)
    return (became_eligible, *offers_to(state, agent, at_ms))


def _stop(state: State, agent_id: AgentId, reason: IneligibleReason, at_ms: int) -> Decision:
    agent = state.agents.get(agent_id)
    if agent is None or not agent.eligible:
        return ()
    return (AgentBecameIneligible(at_ms=at_ms, agent_id=agent_id, reason=reason),)


def _observe_agent_released(state: State, command: ObserveAgentReleased, at_ms: int) -> Decision:
    """A slot freed while its offer still rings: agent-state knew first that nothing comes of it."""
    agent = state.agents.get(command.agent_id)
    if agent is None:
        return ()
    offer_id = command.offer_id
    if offer_id not in agent.held:
        return _free(state, agent, offer_id, at_ms) if agent.in_doubt else ()
    offer = state.offers.get(offer_id)
    if offer is None:
        return _free(state, agent, offer_id, at_ms)
    taken_back = rescinded(state, [offer], RescindReason.AGENT_TURNED_AWAY, at_ms)
    back = requeue(state, [offer], at_ms)
    told = (*taken_back, *back)
    return (*told, *_free(state, agent, offer_id, at_ms, told))


def _observe_offer_turned_away(
    state: State, command: ObserveOfferTurnedAway, at_ms: int
) -> Decision:
    agent = state.agents.get(command.agent_id)
    if agent is None or command.offer_id not in agent.held:
        return ()
    offer = state.offers.get(command.offer_id)
    if offer is None:
        return _free(state, agent, command.offer_id, at_ms)
    taken_back = rescinded(state, [offer], RescindReason.AGENT_TURNED_AWAY, at_ms)
    return (*taken_back, *requeue(state, [offer], at_ms))


def _free(
    state: State,
    agent: Agent,
    offer_id: OfferId,
    at_ms: int,
    told: Decision = (),
) -> Decision:
    """Free the slot, end any doubt about the agent, and give them what they are now idle for."""
    freed = AgentCapacityFreed(at_ms=at_ms, agent_id=agent.agent_id, offer_id=offer_id)
    if not (agent.joined and agent.eligible):
        return (freed,)
    return (freed, *offers_to(state, agent, at_ms, freed=offer_id, told=told))
