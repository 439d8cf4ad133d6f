"""Who is next: the longest idle agent for a contact, the first contact for an agent.

Contacts stand by priority, then age, then id. Agents stand, per channel, by when they became idle in the log; an offer
ends that even where another slot is free, so several slots are filled agent by agent in turn.
"""

import heapq
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import islice

from huntgroup_routing.core.eligibility import Agent
from huntgroup_routing.core.messages import OfferCreated
from huntgroup_routing.core.state import Contact, Queue, State
from huntgroup_routing.core.values import (
    AgentId,
    Channel,
    ContactId,
    OfferId,
    Place,
    Skill,
    offer_id_of,
)


@dataclass(slots=True, kw_only=True)
class Candidate:
    """A contact that may be offered; it need not be part of the state yet."""

    contact_id: ContactId
    queue: Queue
    channel: Channel
    skills: tuple[Skill, ...]
    enqueued_at_ms: int
    attempts: int


def candidate_of(state: State, contact: Contact) -> Candidate:
    """Return a contact of the state as a candidate."""
    return Candidate(
        contact_id=contact.contact_id,
        queue=state.queues[contact.queue_id],
        channel=contact.requirement.channel,
        skills=contact.requirement.skills,
        enqueued_at_ms=contact.enqueued_at_ms,
        attempts=contact.attempts,
    )


class Matching:
    """Offers contacts to idle agents, one after another within one decision; each offer sees those before it."""

    __slots__ = ("_at_ms", "_cursors", "_left", "_state", "_turn", "_without")

    def __init__(self, state: State, at_ms: int, without: Iterable[AgentId] = ()) -> None:
        self._state = state
        self._at_ms = at_ms
        self._without = dict.fromkeys(without)
        self._left: dict[tuple[AgentId, Channel], int] = {}
        """Free slots of the agents who were given an offer in this decision."""
        self._turn: dict[Channel, dict[AgentId, Agent]] = {}
        """Those of them with a slot left, at the end of the idle order again."""
        self._cursors: dict[
            tuple[Channel, tuple[Skill, ...]], tuple[Mapping[AgentId, Agent], Iterator[Agent]]
        ] = {}
        """Per requirement: who was idle before the decision, and how far the order has been used up."""

    def offer(self, candidate: Candidate) -> OfferCreated | None:
        """Return the offer to the agent who is next, or None when nobody is idle for the contact."""
        channel = candidate.channel
        idle, cursor = self._idle(channel, candidate.skills)
        agent = self._next(channel, idle, cursor)
        if agent is None:
            return None
        key = (agent.agent_id, channel)
        again = key in self._left
        created = _offer_created(
            candidate,
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

    def _idle(
        self, channel: Channel, skills: tuple[Skill, ...]
    ) -> tuple[Mapping[AgentId, Agent], Iterator[Agent]]:
        known = self._cursors.get((channel, skills))
        if known is None:
            pool = self._state.pool
            requirement = pool.find(channel, skills)
            idle: Mapping[AgentId, Agent]
            if requirement is not None:
                idle = requirement.idle
            else:
                idle = {agent.agent_id: agent for agent in pool.idle_for(channel, skills)}
            known = self._cursors[(channel, skills)] = (idle, iter(idle.values()))
        return known

    def _next(
        self, channel: Channel, idle: Mapping[AgentId, Agent], cursor: Iterator[Agent]
    ) -> Agent | None:
        for agent in cursor:
            agent_id = agent.agent_id
            if agent_id not in self._without and (agent_id, channel) not in self._left:
                return agent
        for agent_id, agent in self._turn.get(channel, {}).items():
            if agent_id in idle:
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
        candidate = candidate_of(state, state.contacts[place[2]])
        idle = state.contacts[place[2]].requirement.idle
        offers.append(
            _offer_created(
                candidate,
                agent_id=agent.agent_id,
                at_ms=at_ms,
                idle_since_ms=since.pop(candidate.channel, at_ms),
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


def _offer_created(
    candidate: Candidate,
    *,
    agent_id: AgentId,
    at_ms: int,
    idle_since_ms: int,
    idle_agents: int,
) -> OfferCreated:
    queue = candidate.queue
    attempt = candidate.attempts + 1
    return OfferCreated(
        at_ms=at_ms,
        offer_id=offer_id_of(candidate.contact_id, attempt),
        contact_id=candidate.contact_id,
        agent_id=agent_id,
        queue_id=queue.queue_id,
        channel=candidate.channel,
        attempt=attempt,
        expires_at_ms=at_ms + queue.ring_timeout_ms,
        wrap_up_timeout_ms=queue.wrap_up_timeout_ms,
        enqueued_at_ms=candidate.enqueued_at_ms,
        idle_since_ms=idle_since_ms,
        idle_agents=idle_agents,
    )
