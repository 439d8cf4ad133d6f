"""A contact that rings at several agents at once: at whom, who comes along later, and how it ends.

The first to accept has it; every other offer is taken back, and those agents go on being idle where they were. While a
contact rings, its agents are reserved for it: whoever comes next waits. It goes back to its place when its last open
offer ended in vain. At more than `RINGS_PER_DECISION_MAX` agents it rings decision by decision, each at once.
"""

import heapq
from collections import Counter
from collections.abc import Collection, Iterable, Iterator
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, replace
from itertools import islice

from huntgroup_routing.core.agents import Agent, Parked
from huntgroup_routing.core.messages import (
    ContactEnqueued,
    OfferCreated,
    OfferRescinded,
    RingWidened,
)
from huntgroup_routing.core.offering import Given, by_strategy, offer_created, offer_waiting
from huntgroup_routing.core.requirements import Requirement
from huntgroup_routing.core.state import Contact, Offer, Queue, Ring, State
from huntgroup_routing.core.values import (
    RINGS_LOOKED_AT_MAX,
    AgentId,
    Channel,
    ContactId,
    DecisionRule,
    Explanation,
    OfferId,
    Place,
    RescindReason,
    Strategy,
)

NOBODY: frozenset[AgentId] = frozenset()


@dataclass(frozen=True, slots=True, kw_only=True)
class Rung:
    """A contact as it rings: it may have come only now, and be in no state yet."""

    queue: Queue
    contact_id: ContactId
    channel: Channel
    enqueued_at_ms: int
    attempts: int
    at_ms: int
    priority: int
    customer_key: str


def rung_on_arrival(queue: Queue, enqueued: ContactEnqueued) -> Rung:
    """Return a contact that comes now."""
    return Rung(
        queue=queue,
        contact_id=enqueued.contact_id,
        channel=enqueued.channel,
        enqueued_at_ms=enqueued.enqueued_at_ms,
        attempts=enqueued.attempts,
        at_ms=enqueued.at_ms,
        priority=enqueued.priority,
        customer_key=enqueued.customer_key,
    )


def rung(queue: Queue, contact: Contact, at_ms: int) -> Rung:
    """Return a contact that is here."""
    return Rung(
        queue=queue,
        contact_id=contact.contact_id,
        channel=contact.requirement.channel,
        enqueued_at_ms=contact.enqueued_at_ms,
        attempts=contact.attempts,
        at_ms=at_ms,
        priority=contact.priority,
        customer_key=contact.customer_key,
    )


# What is decided.


def ring_first(
    given: Given,
    rung: Rung,
    requirement: Requirement,
    let_go_by: Collection[AgentId],
) -> list[OfferCreated]:
    """Return the offers of a contact that waits, to the longest idle; none when nobody is idle for it."""
    queue, target, at_ms = rung.queue, rung.queue.ring_target, rung.at_ms
    most = max(1, given.rings_left)
    wanted = min(target, most + 1)
    agents, rule = idle_in_turn(given, requirement, let_go_by, wanted), DecisionRule.STRATEGY
    if not agents and let_go_by:
        agents, rule = idle_in_turn(given, requirement, NOBODY, wanted), DecisionRule.NOBODY_ELSE
    is_cut, agents = len(agents) > most, agents[:most]
    widens_at_ms = at_ms if is_cut else queue.widens_at_ms(target, at_ms)
    ring = Ring(offers={}, asked=set(), target=target, widens_at_ms=widens_at_ms)
    aside = sum(one in requirement.idle for one in let_go_by if one not in agents)
    return _offers(given, rung, requirement, agents, (at_ms, ring, rule, aside))


def ring_on(
    given: Given, contact: Contact, queue: Queue, wider: Ring, at_ms: int
) -> list[OfferCreated]:
    """Return offers to further agents of a contact that rings, as many as fit beside its open offers."""
    agents = _further(given, contact, queue, wider, at_ms, most=given.rings_left)
    said = (at_ms, wider, DecisionRule.STRATEGY, 0)
    return _offers(given, rung(queue, contact, at_ms), contact.requirement, agents, said)


def widen(
    given: Given, contact: Contact, queue: Queue, at_ms: int
) -> Iterator[RingWidened | OfferCreated]:
    """Yield that a contact may ring at one agent more, or at those whom one decision could not hold, and its offers."""
    ring = contact.ring
    assert ring is not None
    target, widens_at_ms, most = ring.target, 0, max(0, given.rings_left)
    if queue.strategy is Strategy.RING_PROGRESSIVELY:
        target = max(target, min(target + 1, queue.ring_max))
        widens_at_ms = queue.widens_at_ms(target, at_ms)
    agents = _further(given, contact, queue, replace(ring, target=target), at_ms, most=most + 1)
    if len(agents) > most and queue.strategy is not Strategy.RING_PROGRESSIVELY:
        widens_at_ms = at_ms
    yield RingWidened(
        at_ms=at_ms,
        contact_id=contact.contact_id,
        queue_id=contact.queue_id,
        ring_target=target,
        widens_at_ms=widens_at_ms,
    )
    wider = replace(ring, target=target, widens_at_ms=widens_at_ms)
    said = (at_ms, wider, DecisionRule.STRATEGY, 0)
    yield from _offers(given, rung(queue, contact, at_ms), contact.requirement, agents[:most], said)


def _further(
    given: Given, contact: Contact, queue: Queue, ring: Ring, at_ms: int, *, most: int
) -> list[AgentId]:
    """Return at whom a contact that rings may ring besides its open offers, at most so many."""
    room = ring.target - len(ring.offers)
    but = ring.asked | let_go_lately(contact, queue, at_ms)
    return idle_in_turn(given, contact.requirement, but, min(room, most))


def idle_in_turn(
    given: Given, requirement: Requirement, but: Collection[AgentId], most: int
) -> list[AgentId]:
    """Return the longest idle; who was given an offer in this decision and has a slot left stands at the end."""
    channel = requirement.channel
    natural = (
        agent_id
        for agent_id in requirement.in_order()
        if agent_id not in given.without
        and agent_id not in but
        and (agent_id, channel) not in given.left
    )
    agents = list(islice(natural, max(0, most)))
    for agent_id in given.turn.get(channel, {}):
        if len(agents) < most and agent_id in requirement.idle and agent_id not in but:
            agents.append(agent_id)
    return agents


def _offers(
    given: Given,
    rung: Rung,
    requirement: Requirement,
    agents: list[AgentId],
    said: tuple[int, Ring, DecisionRule, int],
) -> list[OfferCreated]:
    """Return an offer to each; `said` of all: when, how far the contact rings, by which rule, how many set aside."""
    at_ms, ring, rule, set_aside = said
    channel, idle, offers = requirement.channel, requirement.idle, []
    left = len(idle) - given.gone(channel, idle) if agents else 0
    for count, agent_id in enumerate(agents):
        agent = idle[agent_id]
        again = (agent_id, channel) in given.left
        since_ms = at_ms if again else agent.idle[channel][1]
        offers.append(
            offer_created(
                rung.queue,
                contact_id=rung.contact_id,
                channel=channel,
                attempt=rung.attempts + count + 1,
                enqueued_at_ms=rung.enqueued_at_ms,
                agent_id=agent_id,
                at_ms=at_ms,
                idle_since_ms=since_ms,
                idle_agents=left,
                explanation=by_strategy(rung.queue, [(agent_id, since_ms)], rule, set_aside),
                ring=ring,
            )
        )
        given.give(rung.queue.queue_id, agent, channel)
        left -= given.left[agent_id, channel] == 0
    given.rings_left -= len(agents)
    return offers


def let_go_lately(contact: Contact, queue: Queue, at_ms: int) -> AbstractSet[AgentId]:
    """Return who let a contact go so short a time ago that they are not asked again."""
    if not contact.let_go_by:
        return NOBODY
    after_ms = queue.reoffer_after_ms
    return {agent_id for agent_id, let_go_ms in contact.let_go_by if at_ms < let_go_ms + after_ms}


def ringing_for(
    state: State, agent: Agent, channel: Channel, count: int, at_ms: int
) -> list[Contact]:
    """Return the first contacts that ring at others and may ring at an agent, too, who was not asked yet."""
    found: list[Contact] = []
    lines: list[Iterator[Place]] = []
    for one in state.pool.satisfied_by(agent, channel):
        if one.roomy.head is not None:
            lines.append(one.roomy.in_order())  # noqa: PERF401 - mostly there is none
    if not lines:
        return found
    for place in islice(heapq.merge(*lines), RINGS_LOOKED_AT_MAX):
        contact = state.contacts[place[2]]
        queue, ring = state.queues[contact.queue_id], contact.ring
        assert ring is not None
        if agent.agent_id in ring.asked:
            continue
        if agent.agent_id not in let_go_lately(contact, queue, at_ms):
            found.append(contact)
            if len(found) == count:
                break
    return found


def offer_along(
    state: State, contact: Contact, agent: Agent, at_ms: int, idle: tuple[int, int]
) -> OfferCreated:
    """Return the offer to an agent who became idle while the contact rang at others; `idle`: since when, how many."""
    queue, ring = state.queues[contact.queue_id], contact.ring
    assert ring is not None
    return offer_waiting(
        state.queues[contact.queue_id],
        contact,
        agent_id=agent.agent_id,
        at_ms=at_ms,
        idle_since_ms=idle[0],
        idle_agents=idle[1],
        explanation=Explanation(
            rule=DecisionRule.RINGS_ALONG,
            strategy=queue.strategy,
            policy_version=queue.version,
            value=len(ring.offers) + 1,
            runner_up_id="",
            runner_up_value=0,
            priority=0,
            runner_up_priority=0,
            set_aside=0,
        ),
        ring=ring,
    )


def others_ringing(state: State, offers: Iterable[Offer]) -> list[int]:
    """Return at how many other agents each contact rings on, as offers end one after the other."""
    ended = Counter[ContactId]()
    others: list[int] = []
    for offer in offers:
        ended[offer.contact_id] += 1
        ring = state.contacts[offer.contact_id].ring
        others.append(0 if ring is None else len(ring.offers) - ended[offer.contact_id])
    return others


def taken_by_another(
    state: State, contact: Contact, winner: OfferId, at_ms: int
) -> Iterator[OfferRescinded]:
    """Yield that every offer but one is taken back."""
    for offer_id in contact.open_offers:
        if offer_id != winner:
            offer = state.offers[offer_id]
            yield OfferRescinded(
                at_ms=at_ms,
                offer_id=offer_id,
                contact_id=offer.contact_id,
                agent_id=offer.agent_id,
                queue_id=offer.queue_id,
                reason=RescindReason.TAKEN_BY_ANOTHER,
                ring_ms=at_ms - offer.created_at_ms,
            )


def idle_as_before(state: State, agent: Agent, offer_id: OfferId) -> Parked | None:
    """Return the idleness that goes on when the slot of an offer comes free; None: it begins anew."""
    parked = agent.parked.get(offer_id) if state.pool.keeps_places else None
    if parked is None:
        return None
    channel = agent.held[offer_id]
    idle = agent.idle.get(channel)
    if idle is None or parked < idle:
        return parked
    return (*idle, agent.work[channel].idle_ms)


# What the events make of it.


def offer_rings(state: State, contact: Contact, event: OfferCreated) -> None:
    """Let a contact ring at one agent more."""
    if contact.ring is None:
        contact.ring = Ring(offers={}, asked=set(), target=0)
    contact.ring.offers[event.offer_id] = event.agent_id
    contact.ring.asked.add(event.agent_id)
    set_target(state, contact, event.ring_target, event.widens_at_ms)


def widened(state: State, event: RingWidened) -> None:
    """Let a contact ring at more."""
    set_target(state, state.contacts[event.contact_id], event.ring_target, event.widens_at_ms)


def set_target(state: State, contact: Contact, target: int, widens_at_ms: int) -> None:
    """Let a contact ring at so many agents, and at more from that time on."""
    ring = contact.ring
    assert ring is not None
    ring.target = target
    if ring.widens_at_ms != widens_at_ms:
        if ring.widens_at_ms:
            state.rings_due.remove((ring.widens_at_ms, contact.contact_id))
        ring.widens_at_ms = widens_at_ms
        if widens_at_ms:
            state.rings_due.add((widens_at_ms, contact.contact_id))
    _make_room(contact, ring)


def stop_ringing_at(contact: Contact, offer_id: OfferId) -> None:
    """Let an offer be open no more."""
    ring = contact.ring
    if ring is None:
        return
    del ring.offers[offer_id]
    if contact.offer_id == offer_id and ring.offers:
        contact.offer_id = next(iter(ring.offers))
    _make_room(contact, ring)


def end_ring(state: State, contact: Contact) -> None:
    """Let a contact ring at nobody."""
    if contact.ring is None:
        return
    contact.ring.offers.clear()
    set_target(state, contact, 0, 0)
    contact.ring = None


def move_room(contact: Contact, before: Requirement) -> None:
    """Follow a contact that came to another requirement while it rang."""
    if contact.ring is not None and contact.ring.roomy:
        before.roomy.remove(contact.place)
        contact.requirement.make_room(contact.place)


def _make_room(contact: Contact, ring: Ring) -> None:
    """Let a contact stand where agents who become idle look, if and only if it rings and may ring at one more."""
    roomy = 0 < len(ring.offers) < ring.target
    if roomy and not ring.roomy:
        contact.requirement.make_room(contact.place)
    elif ring.roomy and not roomy:
        contact.requirement.roomy.remove(contact.place)
    ring.roomy = roomy
