"""Who may serve whom: agents by their skills, contacts by what they require, and both in order where they meet.

A *requirement* is a distinct (channel, skills) that contacts have; everybody idle who satisfies it stands in it,
longest idle first. A *profile* is a distinct set of skills that agents have; it knows the requirements it satisfies.
So an arrival looks at one head and an idle agent at as many heads as there are requirements for them; nothing is
scanned. Only a requirement that is new, or long unused, is filled by looking through the idle agents who satisfy it.
"""

import heapq
from collections import OrderedDict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Generic, TypeVar

from huntgroup_routing.core.values import (
    UNUSED_REQUIREMENTS_MAX,
    AgentId,
    Channel,
    Lease,
    OfferId,
    Place,
    Skill,
)

K = TypeVar("K", Place, Lease)

STALE_MIN = 64


class Line(Generic[K]):
    """Members in the order of their keys, who may leave from the middle: contacts by place, offers by lease.

    A heap with lazy deletion whose head is always a member.

    Who leaves from the middle stays in the heap as stale until surfacing, or until the stale outnumber the members.
    Everything costs O(log n) amortised. The key of a member never changes, so one who comes back while still in the
    heap is simply no longer stale.
    """

    __slots__ = ("_heap", "_stale")

    def __init__(self) -> None:
        self._heap: list[K] = []
        self._stale: set[K] = set()

    def __len__(self) -> int:
        return len(self._heap) - len(self._stale)

    @property
    def head(self) -> K | None:
        """The first member, or None."""
        return self._heap[0] if self._heap else None

    def add(self, key: K) -> None:
        """Let one join who is not in line."""
        if key in self._stale:
            self._stale.remove(key)
        else:
            heapq.heappush(self._heap, key)

    def remove(self, key: K) -> None:
        """Let one leave who is in line."""
        if self._heap[0] != key:
            self._stale.add(key)
            if len(self._stale) > max(STALE_MIN, len(self._heap) // 2):
                self._heap = [kept for kept in self._heap if kept not in self._stale]
                heapq.heapify(self._heap)
                self._stale.clear()
            return
        heapq.heappop(self._heap)
        while self._heap and self._heap[0] in self._stale:
            self._stale.remove(heapq.heappop(self._heap))

    def in_order(self) -> Iterator[K]:
        """Yield the members from the first on, each for O(log n); the line must not change meanwhile."""
        heap, front = self._heap, [(self._heap[0], 0)] if self._heap else []
        while front:
            key, index = heapq.heappop(front)
            if key not in self._stale:
                yield key
            for child in (2 * index + 1, 2 * index + 2):
                if child < len(heap):
                    heapq.heappush(front, (heap[child], child))


@dataclass(slots=True, kw_only=True, eq=False)
class Agent:
    """An agent who is joined, or who left with slots still taken."""

    agent_id: AgentId
    joined: bool = False
    eligible: bool = False
    in_doubt: bool = False
    """An offer came to nothing in a way that agent-state has more to say about: no offers until it has."""
    skills: tuple[Skill, ...] = ()
    profile: "Profile | None" = None
    """While joined, what they share with others of the same skills."""
    slots: dict[Channel, int] = field(default_factory=dict)
    held: dict[OfferId, Channel] = field(default_factory=dict)
    """The offers that took a slot, oldest first."""
    idle: dict[Channel, tuple[int, int]] = field(default_factory=dict)
    """Per channel with a free slot, while available: rank in the order of becoming idle, and since when (ms)."""

    @property
    def available(self) -> bool:
        """Whether a free slot would make the agent idle."""
        return self.joined and self.eligible and not self.in_doubt

    def free(self, channel: Channel, after: OfferId | None = None) -> int:
        """Return how many slots are free, or will be once `after` holds none; never fewer than none."""
        free = self.slots.get(channel, 0)
        for offer_id, held in self.held.items():
            if held is channel and offer_id != after:
                free -= 1
        return max(0, free)


@dataclass(slots=True, kw_only=True, eq=False)
class Requirement:
    """What some contacts need, those who wait for it, and those who are idle for it, longest idle first."""

    channel: Channel
    skills: tuple[Skill, ...]
    waiting: Line[Place] = field(default_factory=Line)
    idle: OrderedDict[AgentId, Agent] = field(default_factory=OrderedDict)
    users: int = 0
    """Queues and contacts that refer to it."""


@dataclass(slots=True, kw_only=True, eq=False)
class Profile:
    """A set of skills that agents have."""

    skills: frozenset[Skill]
    agents: int = 0
    """How many are joined."""
    idle: dict[Channel, dict[AgentId, Agent]]
    satisfies: dict[Channel, dict[tuple[Skill, ...], Requirement]]


class Pool:
    """The index of agents and requirements. It holds nothing that cannot be derived from the rest of the state."""

    def __init__(self) -> None:
        self._requirements: dict[tuple[Channel, tuple[Skill, ...]], Requirement] = {}
        self._unused: OrderedDict[tuple[Channel, tuple[Skill, ...]], None] = OrderedDict()
        self._profiles: dict[tuple[Skill, ...], Profile] = {}
        self._by_skill: dict[Skill, dict[tuple[Skill, ...], Profile]] = {}
        self._rank = 0

    @property
    def requirements(self) -> Iterable[Requirement]:
        """All that are indexed, used or lately used."""
        return self._requirements.values()

    def find(self, channel: Channel, skills: tuple[Skill, ...]) -> Requirement | None:
        """Return the requirement if it is indexed."""
        return self._requirements.get((channel, skills))

    def satisfied_by(self, agent: Agent, channel: Channel) -> Iterable[Requirement]:
        """Return the requirements of a channel that a joined agent satisfies, in no particular order."""
        assert agent.profile is not None
        return agent.profile.satisfies[channel].values()

    def idle_for(self, channel: Channel, skills: tuple[Skill, ...]) -> list[Agent]:
        """Return the idle agents for a requirement that need not be indexed, in no particular order."""
        return [
            agent
            for profile in self._profiles_with(skills)
            for agent in profile.idle[channel].values()
        ]

    def use(self, channel: Channel, skills: tuple[Skill, ...]) -> Requirement:
        """Return the requirement with one user more, indexed if it was not."""
        key = (channel, skills)
        requirement = self._requirements.get(key)
        if requirement is None:
            requirement = Requirement(channel=channel, skills=skills)
            self._requirements[key] = requirement
            idle = self.idle_for(channel, skills)
            for agent in sorted(idle, key=lambda agent: agent.idle[channel]):
                requirement.idle[agent.agent_id] = agent
            for profile in self._profiles_with(skills):
                profile.satisfies[channel][skills] = requirement
        elif requirement.users == 0:
            del self._unused[key]
        requirement.users += 1
        return requirement

    def give_back(self, requirement: Requirement) -> None:
        """Take one user off; of the unused, the longest unused are forgotten."""
        requirement.users -= 1
        if requirement.users > 0:
            return
        self._unused[(requirement.channel, requirement.skills)] = None
        if len(self._unused) > UNUSED_REQUIREMENTS_MAX:
            key, _ = self._unused.popitem(last=False)
            self._forget(self._requirements.pop(key))

    def join(self, agent: Agent) -> None:
        """Index a newly joined agent by their skills."""
        profile = self._profiles.get(agent.skills)
        if profile is None:
            profile = self._add_profile(agent.skills)
        profile.agents += 1
        agent.profile = profile

    def leave(self, agent: Agent) -> None:
        """Forget an agent who is joined no more and was made busy before."""
        profile = self._profiles[agent.skills]
        agent.profile = None
        profile.agents -= 1
        if profile.agents == 0:
            del self._profiles[agent.skills]
            for skill in agent.skills:
                del self._by_skill[skill][agent.skills]
                if not self._by_skill[skill]:
                    del self._by_skill[skill]

    def make_idle(self, agent: Agent, channel: Channel, since_ms: int) -> None:
        """Put an available agent at the end of the idle order of a channel."""
        again = channel in agent.idle
        self._rank += 1
        agent.idle[channel] = (self._rank, since_ms)
        agent_id, profile = agent.agent_id, agent.profile
        assert profile is not None
        profile.idle[channel][agent_id] = agent
        for requirement in profile.satisfies[channel].values():
            if again:
                requirement.idle.move_to_end(agent_id)
            else:
                requirement.idle[agent_id] = agent

    def make_busy(self, agent: Agent, channel: Channel) -> None:
        """Take an agent out of the idle order of a channel, if they are in it."""
        if agent.idle.pop(channel, None) is None:
            return
        agent_id, profile = agent.agent_id, agent.profile
        assert profile is not None
        del profile.idle[channel][agent_id]
        for requirement in profile.satisfies[channel].values():
            del requirement.idle[agent_id]

    def _profiles_with(self, skills: tuple[Skill, ...]) -> Iterator[Profile]:
        """Yield the profiles that have all the skills, looking through those that have the rarest."""
        if not skills:
            yield from self._profiles.values()
            return
        rarest = min((self._by_skill.get(skill, {}) for skill in skills), key=len)
        for profile in rarest.values():
            if profile.skills.issuperset(skills):
                yield profile

    def _add_profile(self, skills: tuple[Skill, ...]) -> Profile:
        profile = Profile(
            skills=frozenset(skills),
            idle={channel: {} for channel in Channel},
            satisfies={channel: {} for channel in Channel},
        )
        self._profiles[skills] = profile
        for skill in skills:
            self._by_skill.setdefault(skill, {})[skills] = profile
        for requirement in self._requirements.values():
            if profile.skills.issuperset(requirement.skills):
                profile.satisfies[requirement.channel][requirement.skills] = requirement
        return profile

    def _forget(self, requirement: Requirement) -> None:
        for profile in self._profiles_with(requirement.skills):
            del profile.satisfies[requirement.channel][requirement.skills]
