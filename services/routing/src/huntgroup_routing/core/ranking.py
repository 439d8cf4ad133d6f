"""Who is next: the longest idle agent for a contact, the first contact for an agent.

Contacts stand by priority, then age, then id. Agents stand, per channel, by when they became idle in the log; an offer
ends that even where another slot is free, so several slots are filled agent by agent in turn.
"""

import heapq
from collections.abc import Iterable, Iterator, Mapping
from itertools import islice

from huntgroup_routing.core.eligibility import Agent, Requirement
from huntgroup_routing.core.messages import ContactEnqueued, OfferCreated
from huntgroup_routing.core.state import Contact, Queue, State
from huntgroup_routing.core.values import (
    AgentId,
    Channel,
    ContactId,
    OfferId,
    Place,
    offer_id_of,
)


def offer_on_arrival(state: State, enqueued: ContactEnqueued) -> OfferCreated | None:
    """Return the offer of a contact that arrives to the longest idle agent, or None when nobody is idle for it."""
    queue, channel = state.queues[enqueued.queue_id], enqueued.channel
    requirement: Requirement | None = queue.requirement
    if channel is not queue.channel or enqueued.required_skills != queue.required_skills:
        requirement = state.pool.find(channel, enqueued.required_skills)
    if requirement is not None:
        agent, idle_agents = next(iter(requirement.idle.values()), None), len(requirement.idle)
    else:
        idle = state.pool.idle_for(channel, enqueued.required_skills)
        agent = min(idle, key=lambda agent: agent.idle[channel], default=None)
        idle_agents = len(idle)
    if agent is None:
        return None
    return _offer_created(
        queue,
        contact_id=enqueued.contact_id,
        channel=channel,
        attempt=1,
        enqueued_at_ms=enqueued.enqueued_at_ms,
        agent_id=agent.agent_id,
        at_ms=enqueued.at_ms,
        idle_since_ms=agent.idle[channel][1],
        idle_agents=idle_agents,
    )


class Matching:
    """Offers contacts to idle agents, one after another within one decision; each offer sees those before it."""

    __slots__ = ("_at_ms", "_cursors", "_left", "_state", "_turn", "_without")

    def __init__(self, state: State, at_ms: int, without: Iterable[AgentId]) -> None:
        self._state = state
        self._at_ms = at_ms
        self._without = dict.fromkeys(without)
        self._left: dict[tuple[AgentId, Channel], int] = {}
        """Free slots of the agents who were given an offer in this decision."""
        self._turn: dict[Channel, dict[AgentId, Agent]] = {}
        """Those of them with a slot left, at the end of the idle order again."""
        self._cursors: dict[Requirement, Iterator[Agent]] = {}
        """How far the idle order of before the decision has been used up."""

    def offer(self, contact: Contact) -> OfferCreated | None:
        """Return the offer to the agent who is next, or None when nobody is idle for the contact."""
        requirement = contact.requirement
        channel, idle = requirement.channel, requirement.idle
        agent = self._next(requirement)
        if agent is None:
            return None
        key = (agent.agent_id, channel)
        again = key in self._left
        created = _offer_waiting(
            self._state,
            contact,
            agent_id=agent.agent_id,
            at_ms=self._at_ms,
            idle_since_ms=self._at_ms if again else agent.idle[channel][1],
            idle_agents=len(idle) - self._gone(channel, idle),
        )
        left = self._left[key] if again else agent.free(channel)
        self._left[key] = left - 1
        turn = self._turn.setdefault(channel, {})
        turn.pop(agent.agent_id, None)
        if left > 1:
            turn[agent.agent_id] = agent
        return created

    def _next(self, requirement: Requirement) -> Agent | None:
        channel = requirement.channel
        cursor = self._cursors.get(requirement)
        if cursor is None:
            cursor = self._cursors[requirement] = iter(requirement.idle.values())
        for agent in cursor:
            agent_id = agent.agent_id
            if agent_id not in self._without and (agent_id, channel) not in self._left:
                return agent
        for agent_id, agent in self._turn.get(channel, {}).items():
            if agent_id in requirement.idle:
                return agent
        return None

    def _gone(self, channel: Channel, idle: Mapping[AgentId, Agent]) -> int:
        """Return how many of those who were idle are so no longer, or are not to be asked."""
        gone = sum(agent_id in idle for agent_id in self._without)
        for (agent_id, of_channel), left in self._left.items():
            gone += of_channel is channel and left == 0 and agent_id in idle
        return gone


def offers_to(
    state: State,
    agent: Agent,
    at_ms: int,
    *,
    freed: OfferId | None = None,
    returned: Contact | None = None,
) -> list[OfferCreated]:
    """Return the offers to an agent who becomes idle, first contacts first, until slots or contacts run out.

    `freed` is the offer whose slot becomes free now; `returned` its contact when that still rang, and so put the agent
    in doubt: nobody in doubt is idle, so they are idle anew on every channel.
    """
    places: list[Place] = []
    for channel in agent.slots:
        free = agent.free(channel, after=freed)
        if free > 0:
            places += _first_places(state, agent, channel, free, returned)
    places.sort()
    since: dict[Channel, int] = {}
    if returned is None:
        since.update((channel, since_ms) for channel, (_, since_ms) in agent.idle.items())
        if freed in agent.held:
            since.pop(agent.held[freed], None)
    offers = []
    for place in places:
        contact = state.contacts[place[2]]
        idle = contact.requirement.idle
        offers.append(
            _offer_waiting(
                state,
                contact,
                agent_id=agent.agent_id,
                at_ms=at_ms,
                idle_since_ms=since.pop(contact.requirement.channel, at_ms),
                idle_agents=len(idle) + (agent.agent_id not in idle),
            )
        )
    return offers


def _first_places(
    state: State, agent: Agent, channel: Channel, count: int, returned: Contact | None
) -> list[Place]:
    requirements = state.pool.satisfied_by(agent, channel)
    if returned is None and count == 1:
        head = min(
            (place for one in requirements if (place := one.waiting.head) is not None), default=None
        )
        return [] if head is None else [head]
    lines: list[Iterable[Place]] = [one.waiting.in_order() for one in requirements]
    if returned is not None and returned.requirement in requirements:
        lines.append([returned.place])
    return list(islice(heapq.merge(*lines), count))


def _offer_waiting(
    state: State,
    contact: Contact,
    *,
    agent_id: AgentId,
    at_ms: int,
    idle_since_ms: int,
    idle_agents: int,
) -> OfferCreated:
    return _offer_created(
        state.queues[contact.queue_id],
        contact_id=contact.contact_id,
        channel=contact.requirement.channel,
        attempt=contact.attempts + 1,
        enqueued_at_ms=contact.enqueued_at_ms,
        agent_id=agent_id,
        at_ms=at_ms,
        idle_since_ms=idle_since_ms,
        idle_agents=idle_agents,
    )


def _offer_created(
    queue: Queue,
    *,
    contact_id: ContactId,
    channel: Channel,
    attempt: int,
    enqueued_at_ms: int,
    agent_id: AgentId,
    at_ms: int,
    idle_since_ms: int,
    idle_agents: int,
) -> OfferCreated:
    return OfferCreated(
        at_ms=at_ms,
        offer_id=offer_id_of(contact_id, attempt),
        contact_id=contact_id,
        agent_id=agent_id,
        queue_id=queue.queue_id,
        channel=channel,
        attempt=attempt,
        expires_at_ms=at_ms + queue.ring_timeout_ms,
        wrap_up_timeout_ms=queue.wrap_up_timeout_ms,
        enqueued_at_ms=enqueued_at_ms,
        idle_since_ms=idle_since_ms,
        idle_agents=idle_agents,
    )
