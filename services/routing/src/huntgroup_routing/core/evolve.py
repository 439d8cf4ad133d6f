"""What each event makes of the state. The state is changed in place: it belongs to whoever folds."""

from typing import assert_never

from huntgroup_routing.core.attendance import agent_changed, doubt, take_slot
from huntgroup_routing.core.lending import lent, look_at_blends
from huntgroup_routing.core.messages import (
    AgentBecameEligible,
    AgentBecameIneligible,
    AgentCapacityFreed,
    AgentJoined,
    AgentLeft,
    ContactDequeued,
    ContactEnqueued,
    ContactKept,
    ContactMoved,
    ContactReplanned,
    ContactReprioritized,
    ContactRequeued,
    ContactStepped,
    Event,
    GroupBlended,
    GroupUnblended,
    OfferAccepted,
    OfferCanceled,
    OfferCreated,
    OfferExpired,
    OfferRejected,
    OfferRescinded,
    PolicyApplied,
    PreferenceLapsed,
    QueueClosed,
    QueueConfigured,
    QueueOpened,
    QueueReprioritized,
    QueueRetired,
    RingWidened,
    ScorerFailed,
)
from huntgroup_routing.core.opening import opened_or_closed
from huntgroup_routing.core.preferring import (
    let_anybody_have,
    remember_last_agent,
    stand_again,
    take_place,
)
from huntgroup_routing.core.queues import policy_changed
from huntgroup_routing.core.requirements import Requirement
from huntgroup_routing.core.resuming import came, went
from huntgroup_routing.core.ringing import (
    end_ring,
    offer_rings,
    stop_ringing_at,
    widened,
)
from huntgroup_routing.core.state import Contact, Offer, Queue, State
from huntgroup_routing.core.stepping import replanned, stepped
from huntgroup_routing.core.turns import count_offer
from huntgroup_routing.core.values import (
    ENDED_CONTACTS_MAX,
    ENDED_OFFERS_MAX,
    LET_GO_MAX,
    NOTHING,
    AgentId,
    DequeueReason,
    OfferId,
    OfferState,
    Own,
    RescindReason,
    place_of,
)
from huntgroup_routing.core.waiting import (
    begin_to_wait,
    comes_again,
    give_up_waiting,
    leaves_at_ms,
    look_up,
    step_out,
    stood_otherwise,
)
from huntgroup_routing.core.watching import count_answer, look, unwatch, watch


def evolve(state: State, event: Event) -> State:
    """Return the state after `event`: the same object, changed."""
    match event:
        case OfferCreated():
            _offer_created(state, event)
        case OfferAccepted():
            _offer_accepted(state, event)
        case ContactEnqueued():
            _contact_enqueued(state, event)
        case (
            AgentCapacityFreed()
            | AgentBecameEligible()
            | AgentBecameIneligible()
            | AgentJoined()
            | AgentLeft()
        ):
            agent_changed(state, event)
        case ContactDequeued():
            _contact_dequeued(state, event)
        case ContactStepped():
            stepped(state, event)
        case ContactMoved() | ContactKept() | ContactReprioritized() | QueueReprioritized():
            stood_otherwise(state, event)
        case QueueClosed() | QueueOpened():
            opened_or_closed(state, event)
        case ScorerFailed():
            pass  # a fact for people: the offer that follows says whom it went to
        case ContactRequeued():
            _contact_requeued(state, event)
        case OfferRejected() | OfferExpired():
            _offer_failed(state, event)
        case RingWidened():
            widened(state, event)
        case PreferenceLapsed():
            let_anybody_have(state, state.contacts[event.contact_id])
        case OfferCanceled():
            _end_offer(state, event.offer_id, OfferState.CANCELED)
        case OfferRescinded():
            _offer_rescinded(state, event)
        case QueueConfigured() | QueueRetired() | PolicyApplied():
            policy_changed(state, event)
        case GroupBlended() | GroupUnblended():
            lent(state, event)
        case ContactReplanned():
            replanned(state, event)
        case _:
            assert_never(event)
    watching = state.watching
    if watching.queues or watching.deserted:
        look(state, event)
    if state.lending:
        look_at_blends(state, event)
    return state


def _contact_enqueued(state: State, event: ContactEnqueued) -> None:
    queue = state.queues[event.queue_id]
    plan, own = queue.plan, NOTHING
    if event.own_skills or event.own_requirement:
        own = Own(event.own_skills, event.own_requirement)
    contact = Contact(
        contact_id=event.contact_id,
        queue_id=event.queue_id,
        place=place_of(
            event.priority, event.enqueued_at_ms, event.contact_id, event.priority_point_ms
        ),
        priority=event.priority,
        priority_point_ms=event.priority_point_ms,
        enqueued_at_ms=event.enqueued_at_ms,
        requirement=_requirement_of(state, queue, event, own),
        plan=plan,
        plan_version=queue.plan_version,
        own=own,
        attempts=event.attempts,
        entered_at_ms=event.at_ms,
        stay=event.stay,
        returns=event.returns,
        leaves_at_ms=leaves_at_ms(plan, event.at_ms, returns=event.returns)
        if plan.overflow
        else None,
        customer_key=event.customer_key,
        preferred=event.preferred_agents,
        counted_from_ms=event.counted_from_ms,
    )
    state.contacts[event.contact_id] = contact
    came(state, event)
    take_place(state, contact, event)
    queue.waiting.add((event.priority, own), contact.place, event.at_ms)
    begin_to_wait(state, contact)
    if (plan.steps or plan.crews) and (due := contact.step_due) is not None:
        state.steps_due.add(due)
    if plan.overflow:
        look_up(state, contact)
    if plan.steps:
        watch(state, contact)


def _requirement_of(state: State, queue: Queue, event: ContactEnqueued, own: Own) -> Requirement:
    """Return what a contact that comes requires, with one user more: mostly what its queue does."""
    at_first = queue.requirement
    if (
        own is NOTHING
        and event.channel is at_first.channel
        and event.required_skills == at_first.ask[0]
        and event.requirement == at_first.ask[1]
    ):
        return state.pool.use_also(at_first)
    ask = (event.required_skills, event.requirement, queue.plan.crew(0), own.requirement)
    return state.pool.use(event.channel, ask, queue.measure)


def _contact_requeued(state: State, event: ContactRequeued) -> None:
    contact = state.contacts[event.contact_id]
    contact.offer_id = None
    end_ring(state, contact)
    _let_go(contact, state.ended_offers[event.offer_id].agent_id, event.at_ms)
    queue = state.queues[contact.queue_id]
    queue.ringing -= 1
    stand_again(state, contact, event)
    queue.waiting.come_back(contact.lane, contact.place, event.at_ms)
    begin_to_wait(state, contact)
    if contact.plan_version < queue.followed_from:
        state.outdated.add(contact.place)


def _let_go(contact: Contact, agent_id: AgentId, at_ms: int) -> None:
    contact.let_go_by = (*contact.let_go_by[1 - LET_GO_MAX :], (agent_id, at_ms))


def _contact_dequeued(state: State, event: ContactDequeued) -> None:
    contact = state.contacts[event.contact_id]
    went(state, contact, event)
    if event.reason is DequeueReason.CUSTOMER_LEFT:
        waited_ms = contact.counts_ms(event.at_ms)
        count_answer(state.queues[contact.queue_id], waited_ms, answered_now=False)
    _forget_contact(state, contact, event.at_ms, comes_again=comes_again(event))


def _forget_contact(
    state: State, contact: Contact, at_ms: int, *, comes_again: bool = False
) -> None:
    """Forget a contact that left; who was handed back may be queued again."""
    if contact.offer_id is None:
        give_up_waiting(state, contact, at_ms)
    else:
        state.queues[contact.queue_id].ringing -= 1
    end_ring(state, contact)
    if contact.watches:
        unwatch(state, contact)
    if state.reprioritizing:
        state.reprioritizing.pop(contact.contact_id, None)
    state.pool.give_back(contact.requirement)
    if (due := contact.step_due) is not None:
        state.steps_due.remove(due)
    del state.contacts[contact.contact_id]
    if comes_again:
        return
    state.ended_contacts[contact.contact_id] = contact.stay
    if len(state.ended_contacts) > ENDED_CONTACTS_MAX:
        state.ended_contacts.popitem(last=False)


def _offer_created(state: State, event: OfferCreated) -> None:
    contact, agent = state.contacts[event.contact_id], state.agents[event.agent_id]
    queue = state.queues[contact.queue_id]
    if contact.offer_id is None:
        step_out(state, contact, queue)
        waited_ms = event.at_ms - contact.entered_at_ms
        queue.waiting.fetch(contact.lane, contact.place, event.at_ms, waited_ms)
        contact.offer_id = event.offer_id
        queue.ringing += 1
        if state.weighted:
            count_offer(state, agent, contact)
    if event.ring_target:
        offer_rings(state, contact, event)
    contact.attempts = event.attempt
    queue.offers += 1
    queue.last_agent_id = event.agent_id
    state.offers[event.offer_id] = Offer(
        offer_id=event.offer_id,
        contact_id=event.contact_id,
        agent_id=event.agent_id,
        queue_id=event.queue_id,
        channel=event.channel,
        state=OfferState.PENDING,
        created_at_ms=event.at_ms,
        expires_at_ms=event.expires_at_ms,
        idle_agents=event.idle_agents,
        why=event.explanation,
    )
    state.leases.add((event.expires_at_ms, event.offer_id))
    take_slot(state, agent, event)


def _offer_failed(state: State, event: OfferRejected | OfferExpired) -> None:
    _let_ring_on(state, event)
    agent = state.agents[event.agent_id]
    if isinstance(event, OfferRejected):
        _end_offer(state, event.offer_id, OfferState.REJECTED)
        agent.parked.pop(event.offer_id, None)
    else:
        _end_offer(state, event.offer_id, OfferState.EXPIRED)
        doubt(state, agent, event.at_ms)


def _offer_accepted(state: State, event: OfferAccepted) -> None:
    offer = _end_offer(state, event.offer_id, OfferState.ACCEPTED)
    agent = state.agents[offer.agent_id]
    agent.accept(offer.offer_id, event.at_ms)
    contact = state.contacts[offer.contact_id]
    agent.forget_parked(offer.channel)
    remember_last_agent(state, contact.customer_key, offer.agent_id)
    state.pool.count_anew(agent, offer.channel)
    waited_ms = contact.counts_ms(event.at_ms)
    count_answer(state.queues[contact.queue_id], waited_ms, answered_now=True)
    _forget_contact(state, contact, event.at_ms)


def _end_offer(state: State, offer_id: OfferId, outcome: OfferState) -> Offer:
    """End an offer; its contact is dealt with by the event that follows, its slot by agent-state's word."""
    offer = state.offers.pop(offer_id)
    offer.state = outcome
    state.leases.remove((offer.expires_at_ms, offer_id))
    contact = state.contacts.get(offer.contact_id)
    if contact is not None:
        stop_ringing_at(contact, offer_id)
    state.ended_offers[offer_id] = offer
    if len(state.ended_offers) > ENDED_OFFERS_MAX:
        state.ended_offers.popitem(last=False)
    return offer


def _let_ring_on(state: State, event: OfferRejected | OfferExpired | OfferRescinded) -> None:
    """Remember who let a contact go that rings on at others; of one that goes back, that event says it."""
    if event.others_ringing:
        _let_go(state.contacts[event.contact_id], event.agent_id, event.at_ms)


def _offer_rescinded(state: State, event: OfferRescinded) -> None:
    _let_ring_on(state, event)
    _end_offer(state, event.offer_id, OfferState.RESCINDED)
    if event.reason is RescindReason.AGENT_TURNED_AWAY:
        agent = state.agents[event.agent_id]
        agent.drop(event.offer_id)
        doubt(state, agent, event.at_ms)
