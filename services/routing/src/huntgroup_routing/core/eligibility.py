"""Who may serve whom: agents by their skills, contacts by what they require, and both in order where they meet.

A *requirement* is a distinct (channel, skills) that contacts have; everybody idle who satisfies it stands in it,
longest idle first. A *profile* is a distinct set of skills that agents have; it knows the requirements it satisfies.
So an arrival looks at one head and an idle agent at as many heads as there are requirements for them; nothing is
scanned. Only a requirement that is new, or long unused, is filled by looking through the idle agents who satisfy it.
"""

from collections import Counter, OrderedDict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from huntgroup_routing.core.agents import Agent
from huntgroup_routing.core.lines import Line
from huntgroup_routing.core.selection import Measure, Roster
from huntgroup_routing.core.values import (
    UNUSED_REQUIREMENTS_MAX,
    AgentId,
    AgentTraits,
    Channel,
    Place,
    Skill,
)

ProfileKey = tuple[tuple[Skill, ...], AgentTraits | None]


@dataclass(slots=True, kw_only=True, eq=False)
class Requirement:
    """What some contacts need, those who wait for it, and those who are idle for it, longest idle first."""

    channel: Channel
    skills: tuple[Skill, ...]
    waiting: Line[Place] = field(default_factory=Line)
    idle: OrderedDict[AgentId, Agent] = field(default_factory=OrderedDict)
    rosters: dict[Measure, Roster] = field(default_factory=dict)
    """The idle again, sorted by the measures that queues of its contacts ask for."""
    users: int = 0
    """Queues and contacts that refer to it."""

    def roster(self, measure: Measure) -> Roster:
        """Return the idle sorted by a measure: the roster that is kept, or else one made now."""
        roster = self.rosters.get(measure)
        if roster is None:
            roster = Roster(measure, self.channel, self.skills)
            for agent in self.idle.values():
                roster.put(agent)
        return roster


@dataclass(slots=True, kw_only=True, eq=False)
class Profile:
    """Skills and traits that agents have in common."""

    levels: dict[Skill, int]
    agents: int = 0
    """How many are joined."""
    idle: dict[Channel, dict[AgentId, Agent]]
    satisfies: dict[Channel, dict[tuple[Skill, ...], Requirement]]


class Pool:
    """The index of agents and requirements. It holds nothing that cannot be derived from the rest of the state."""

    def __init__(self) -> None:
        self._requirements: dict[tuple[Channel, tuple[Skill, ...]], Requirement] = {}
        self._unused: OrderedDict[tuple[Channel, tuple[Skill, ...]], None] = OrderedDict()
        self._profiles: dict[ProfileKey, Profile] = {}
        self._by_skill: dict[Skill, dict[ProfileKey, Profile]] = {}
        self._measures = Counter[Measure]()
        """How many queues choose by each."""
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

    def preview(self, channel: Channel, skills: tuple[Skill, ...]) -> Requirement:
        """Return a requirement that is not indexed, with all who are idle for it."""
        requirement = Requirement(channel=channel, skills=skills)
        idle = [
            agent
            for profile in self._profiles_with(skills)
            for agent in profile.idle[channel].values()
        ]
        for agent in sorted(idle, key=lambda agent: agent.idle[channel]):
            requirement.idle[agent.agent_id] = agent
        return requirement

    def use(
        self, channel: Channel, skills: tuple[Skill, ...], measure: Measure | None
    ) -> Requirement:
        """Return the requirement with one user more, indexed if it was not, with the idle sorted by the measure."""
        key = (channel, skills)
        requirement = self._requirements.get(key)
        if requirement is None:
            requirement = self._requirements[key] = self.preview(channel, skills)
            for profile in self._profiles_with(skills):
                profile.satisfies[channel][skills] = requirement
        elif requirement.users == 0:
            del self._unused[key]
        requirement.users += 1
        if measure is not None and measure not in requirement.rosters:
            requirement.rosters[measure] = requirement.roster(measure)
        return requirement

    def choose_by(self, measure: Measure | None) -> None:
        """Count a queue that chooses by a measure."""
        if measure is not None:
            self._measures[measure] += 1

    def choose_no_more_by(self, measure: Measure | None) -> None:
        """Take a queue off; what no queue chooses by is not kept sorted any more."""
        if measure is None:
            return
        self._measures[measure] -= 1
        if self._measures[measure] == 0:
            for requirement in self._requirements.values():
                requirement.rosters.pop(measure, None)

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
        """Index a newly joined agent by their skills and traits."""
        key = (agent.skills, agent.traits)
        profile = self._profiles.get(key)
        if profile is None:
            profile = self._add_profile(key)
        profile.agents += 1
        agent.profile, agent.levels = profile, profile.levels

    def leave(self, agent: Agent) -> None:
        """Forget an agent who is joined no more and was made busy before."""
        key = (agent.skills, agent.traits)
        profile = self._profiles[key]
        agent.profile = None
        profile.agents -= 1
        if profile.agents == 0:
            del self._profiles[key]
            for skill in agent.skills:
                del self._by_skill[skill][key]
                if not self._by_skill[skill]:
                    del self._by_skill[skill]

    def make_idle(self, agent: Agent, channel: Channel, since_ms: int) -> None:
        """Put an available agent at the end of the idle order of a channel, where they may be already."""
        again = channel in agent.idle
        if again:
            agent.work[channel].idle_ms += since_ms - agent.idle[channel][1]
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
            for roster in requirement.rosters.values():
                roster.put(agent)

    def make_busy(self, agent: Agent, channel: Channel, at_ms: int) -> None:
        """Take an agent out of the idle order of a channel, if they are in it."""
        idle = agent.idle.pop(channel, None)
        if idle is None:
            return
        agent.work[channel].idle_ms += at_ms - idle[1]
        agent_id, profile = agent.agent_id, agent.profile
        assert profile is not None
        del profile.idle[channel][agent_id]
        for requirement in profile.satisfies[channel].values():
            del requirement.idle[agent_id]
            for roster in requirement.rosters.values():
                roster.drop(agent_id)

    def count_anew(self, agent: Agent, channel: Channel) -> None:
        """Sort an agent anew who accepted a contact and has a slot left, where contacts are counted."""
        if channel not in agent.idle or not self._measures[Measure.CONTACTS]:
            return
        for requirement in self.satisfied_by(agent, channel):
            if Measure.CONTACTS in requirement.rosters:
                requirement.rosters[Measure.CONTACTS].put(agent)

    def _profiles_with(self, skills: tuple[Skill, ...]) -> Iterator[Profile]:
        """Yield the profiles that have all the skills, looking through those that have the rarest."""
        if not skills:
            yield from self._profiles.values()
            return
        rarest = min((self._by_skill.get(skill, {}) for skill in skills), key=len)
        for profile in rarest.values():
            if profile.levels.keys() >= set(skills):
                yield profile

    def _add_profile(self, key: ProfileKey) -> Profile:
        skills, traits = key
        levels = dict.fromkeys(skills, 1)
        if traits is not None:
            levels.update((one.skill, one.level) for one in traits.skill_levels)
        profile = Profile(
            levels=levels,
            idle={channel: {} for channel in Channel},
            satisfies={channel: {} for channel in Channel},
        )
        self._profiles[key] = profile
        for skill in skills:
            self._by_skill.setdefault(skill, {})[key] = profile
        for requirement in self._requirements.values():
            if levels.keys() >= set(requirement.skills):
                profile.satisfies[requirement.channel][requirement.skills] = requirement
        return profile

    def _forget(self, requirement: Requirement) -> None:
        for profile in self._profiles_with(requirement.skills):
            del profile.satisfies[requirement.channel][requirement.skills]
