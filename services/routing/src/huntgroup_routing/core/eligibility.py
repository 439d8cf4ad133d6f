"""Who may serve whom: agents by their skills, contacts by what they require, and both in order where they meet.

A *requirement* is a distinct (channel, skills, expression) that contacts have; everybody idle who satisfies it stands
in it, longest idle first. A *profile* is what agents have in common, skills and traits; it knows the requirements it
satisfies. An agent whom an expression names has a profile of their own. So an arrival looks at one head, and an idle
agent at as many heads as there are requirements for them; nothing is scanned. Only a requirement that is new, or long
unused, is filled by looking through the idle agents who satisfy it, and only for it or a new profile is an expression
asked.
"""

from collections import Counter, OrderedDict
from collections.abc import Iterable, Iterator, Mapping
from typing import Final

from huntgroup_routing.core.agents import Agent, Parked
from huntgroup_routing.core.expressions import agents_named, both, parse, who_is
from huntgroup_routing.core.requirements import Ask, Profile, ProfileKey, Requirement
from huntgroup_routing.core.selection import Measure
from huntgroup_routing.core.sharing import Team
from huntgroup_routing.core.values import UNUSED_REQUIREMENTS_MAX, AgentId, Channel, Skill

SLOTS_SHARED_MAX: Final = 256


class Pool:
    """The index of agents and requirements. It holds nothing that cannot be derived from the rest of the state."""

    def __init__(self) -> None:
        self._requirements: dict[tuple[Channel, Ask], Requirement] = {}
        self._unused: OrderedDict[tuple[Channel, Ask], None] = OrderedDict()
        self._profiles: dict[ProfileKey, Profile] = {}
        self._by_skill: dict[Skill, dict[ProfileKey, Profile]] = {}
        self._joined: dict[AgentId, Agent] = {}
        self._named = Counter[AgentId]()
        """How many of the requirements name an agent."""
        self._measures = Counter[Measure]()
        """How many queues choose by each."""
        self.teams = Counter[Team]()
        """How many are joined of each."""
        self._slots: dict[tuple[tuple[Channel, int], ...], Mapping[Channel, int]] = {}
        """Those that agents share."""
        self._rank = 0
        self.keeps_places = False
        """Whether agents may come back to earlier places in the idle order: some queue lets several ring."""

    @property
    def requirements(self) -> Iterable[Requirement]:
        """All that are indexed, used or lately used."""
        return self._requirements.values()

    def find(self, channel: Channel, ask: Ask) -> Requirement | None:
        """Return the requirement if it is indexed."""
        return self._requirements.get((channel, ask))

    def satisfied_by(self, agent: Agent, channel: Channel) -> Iterable[Requirement]:
        """Return the requirements of a channel that a joined agent satisfies, in no particular order."""
        assert agent.profile is not None
        return agent.profile.satisfies[channel].values()

    def preview(
        self, channel: Channel, ask: Ask, meeting: list[Profile] | None = None
    ) -> Requirement:
        """Return a requirement that is not indexed, with all who are idle for it; `meeting` takes whose agents do."""
        _, asked, _, own = ask
        term = both(*(parse(one, accepted=True) if one else None for one in (asked, own)))
        requirement = Requirement(channel=channel, ask=ask, term=term)
        named = agents_named(term)
        idle: list[Agent] = []
        for profile in self._profiles_with(requirement.needs):
            all_do = requirement.met_by(profile, profile.key[2])
            if all_do:
                requirement.able += profile.slotted[channel]
                if meeting is not None:
                    meeting.append(profile)
            elif not named:
                continue
            for agent_id in named if profile.key[2] is None else ():
                agent_here = self._joined.get(agent_id)
                if (
                    agent_here is not None
                    and agent_here.profile is profile
                    and channel in agent_here.slots
                ):
                    requirement.able += requirement.met_by(profile, agent_id) - all_do
            for agent_id, agent in profile.idle.items():
                does = requirement.met_by(profile, agent_id) if agent_id in named else all_do
                if does and channel in agent.idle:
                    idle.append(agent)
        for agent in sorted(idle, key=lambda agent: agent.idle[channel]):
            requirement.idle[agent.agent_id] = agent
        return requirement

    def use(self, channel: Channel, ask: Ask, measure: Measure | None) -> Requirement:
        """Return the requirement with one user more, indexed if it was not, with the idle sorted by the measure."""
        key = (channel, ask)
        requirement = self._requirements.get(key)
        if requirement is None:
            requirement = self._requirements[key] = self._indexed(channel, ask)
        elif requirement.users == 0:
            del self._unused[key]
        requirement.users += 1
        if measure is not None:
            requirement.keep_sorted(measure)
        if self.keeps_places:
            requirement.keep_sorted(Measure.IDLE_SINCE)
        return requirement

    def _indexed(self, channel: Channel, ask: Ask) -> Requirement:
        """Return a requirement that profiles know from now on."""
        meeting: list[Profile] = []
        requirement = self.preview(channel, ask, meeting)
        if named := agents_named(requirement.term):
            for agent_id in named:
                self._named[agent_id] += 1
                self._set_apart(agent_id)
            meeting = [
                profile
                for profile in self._profiles_with(requirement.needs)
                if requirement.met_by(profile, profile.key[2])
            ]
        for profile in meeting:
            profile.add(requirement)
        return requirement

    def use_also(self, requirement: Requirement) -> Requirement:
        """Return a requirement that a queue uses with one user more, who sorts by the same measure as that queue."""
        requirement.users += 1
        return requirement

    def choose_by(self, measure: Measure | None) -> None:
        """Count a queue that chooses by a measure."""
        if measure is None:
            return
        self._measures[measure] += 1
        if measure is Measure.IDLE_SINCE and not self.keeps_places:
            self.keeps_places = True
            for requirement in self._requirements.values():
                requirement.keep_sorted(measure)

    def choose_no_more_by(self, measure: Measure | None) -> None:
        """Take a queue off; what no queue chooses by is not kept sorted any more."""
        if measure is None:
            return
        self._measures[measure] -= 1
        if self._measures[measure] == 0:
            self.keeps_places = self.keeps_places and measure is not Measure.IDLE_SINCE
            for requirement in self._requirements.values():
                if measure is Measure.IDLE_SINCE:
                    for agent_id in requirement.in_order():
                        requirement.idle.move_to_end(agent_id)
                requirement.keep_sorted_no_more(measure)

    def give_back(self, requirement: Requirement) -> None:
        """Take one user off; of the unused, the longest unused are forgotten."""
        requirement.users -= 1
        if requirement.users > 0:
            return
        self._unused[(requirement.channel, requirement.ask)] = None
        if len(self._unused) > UNUSED_REQUIREMENTS_MAX:
            key, _ = self._unused.popitem(last=False)
            self._forget(self._requirements.pop(key))

    def join(self, agent: Agent) -> None:
        """Index a newly joined agent by their skills and traits."""
        named = agent.agent_id if agent.agent_id in self._named else None
        key = (agent.skills, agent.traits, named)
        profile = self._profiles.get(key)
        if profile is None:
            profile = self._add_profile(key)
            for requirement in self._requirements.values():
                if requirement.met_by(profile, named):
                    profile.add(requirement)
        profile.agents += 1
        self._count(agent, profile, 1)
        agent.profile, agent.levels = profile, profile.levels
        agent.slots = self._shared(agent.slots)
        self.teams[agent.team] += 1
        self._joined[agent.agent_id] = agent

    def _shared(self, slots: Mapping[Channel, int]) -> Mapping[Channel, int]:
        """Return the same slots, one mapping for all agents alike: so it is at hand whoever of them becomes idle."""
        if len(self._slots) == SLOTS_SHARED_MAX:
            self._slots.clear()
        return self._slots.setdefault(tuple(slots.items()), slots)

    def leave(self, agent: Agent) -> None:
        """Forget an agent who is joined no more and was made busy before."""
        profile = agent.profile
        assert profile is not None
        agent.profile, agent.levels = None, {}
        self.teams[agent.team] -= 1
        if not self.teams[agent.team]:
            del self.teams[agent.team]
        del self._joined[agent.agent_id]
        self._count(agent, profile, -1)
        self._leave_profile(profile)

    def make_idle(self, agent: Agent, channel: Channel, since_ms: int) -> None:
        """Put an available agent at the end of the idle order of a channel, where they may be already."""
        again = channel in agent.idle
        if again:
            agent.work[channel].idle_ms += since_ms - agent.idle[channel][1]
        self._rank += 1
        agent.idle[channel] = (self._rank, since_ms)
        agent_id, profile = agent.agent_id, agent.profile
        assert profile is not None
        profile.idle[agent_id] = agent
        for requirement in profile.satisfies[channel].values():
            if again:
                requirement.idle.move_to_end(agent_id)
            else:
                requirement.idle[agent_id] = agent
            for roster in requirement.kept:
                roster.put(agent)

    def next_rank(self) -> int:
        """Return the end of the idle order; it is given once."""
        self._rank += 1
        return self._rank

    def make_idle_as_before(self, agent: Agent, channel: Channel, parked: Parked) -> None:
        """Put an available agent who is not idle back at a place they had; only while places are kept."""
        rank, since_ms, agent.work[channel].idle_ms = parked
        agent.idle[channel] = (rank, since_ms)
        profile = agent.profile
        assert profile is not None
        profile.idle[agent.agent_id] = agent
        for requirement in profile.satisfies[channel].values():
            requirement.idle[agent.agent_id] = agent
            for roster in requirement.kept:
                roster.put(agent)

    def make_busy(self, agent: Agent, channel: Channel, at_ms: int) -> None:
        """Take an agent out of the idle order of a channel, if they are in it."""
        idle = agent.idle.pop(channel, None)
        if idle is None:
            return
        agent.work[channel].idle_ms += at_ms - idle[1]
        agent_id, profile = agent.agent_id, agent.profile
        assert profile is not None
        if not agent.idle:
            del profile.idle[agent_id]
        for requirement in profile.satisfies[channel].values():
            del requirement.idle[agent_id]
            for roster in requirement.kept:
                roster.drop(agent_id)

    def count_anew(self, agent: Agent, channel: Channel) -> None:
        """Sort an agent anew who accepted a contact and has a slot left, where contacts are counted."""
        if channel not in agent.idle or not self._measures[Measure.CONTACTS]:
            return
        for requirement in self.satisfied_by(agent, channel):
            if Measure.CONTACTS in requirement.rosters:
                requirement.rosters[Measure.CONTACTS].put(agent)

    def able(self, channel: Channel, ask: Ask) -> int:
        """Return how many agents who are joined could serve, idle or not."""
        requirement = self._requirements.get((channel, ask))
        return (self.preview(channel, ask) if requirement is None else requirement).able

    def _count(self, agent: Agent, profile: Profile, more: int) -> None:
        """Count an agent who comes or goes among those able to serve."""
        for channel in agent.slots:
            profile.slotted[channel] += more
            for requirement in profile.satisfies[channel].values():
                requirement.able += more

    def _profiles_with(self, skills: tuple[Skill, ...]) -> Iterator[Profile]:
        """Yield the profiles that have all the skills, looking through those that have the rarest."""
        if not skills:
            yield from self._profiles.values()
            return
        rarest, wanted = min((self._by_skill.get(one, {}) for one in skills), key=len), set(skills)
        for profile in rarest.values():
            if profile.levels.keys() >= wanted:
                yield profile

    def _add_profile(self, key: ProfileKey) -> Profile:
        skills, traits, _ = key
        levels = dict.fromkeys(skills, 1)
        if traits is not None:
            levels.update((one.skill, one.level) for one in traits.skill_levels)
        profile = Profile(
            key=key,
            who=who_is(levels, traits),
            levels=levels,
            satisfies={channel: {} for channel in Channel},
        )
        self._profiles[key] = profile
        for skill in levels:
            self._by_skill.setdefault(skill, {})[key] = profile
        return profile

    def _leave_profile(self, profile: Profile) -> None:
        profile.agents -= 1
        if profile.agents == 0:
            key = profile.key
            del self._profiles[key]
            for skill in profile.levels:
                del self._by_skill[skill][key]
                if not self._by_skill[skill]:
                    del self._by_skill[skill]

    def _set_apart(self, agent_id: AgentId) -> None:
        """Give an agent who is named for the first time a profile of their own; what they satisfy so far stays so."""
        agent = self._joined.get(agent_id)
        if agent is None or agent.profile is None or agent.profile.key[2] is not None:
            return
        before = agent.profile
        own = self._add_profile((*before.key[:2], agent_id))
        own.agents = 1
        own.slotted.update(agent.slots.keys())
        before.slotted.subtract(agent.slots.keys())
        for channel in Channel:
            own.satisfies[channel] = dict(before.satisfies[channel])
            own.standings = dict(before.standings)
        if before.idle.pop(agent_id, None) is not None:
            own.idle[agent_id] = agent
        agent.profile, agent.levels = own, own.levels
        self._leave_profile(before)

    def _forget(self, requirement: Requirement) -> None:
        for profile in self._profiles_with(requirement.needs):
            profile.drop(requirement)
        for agent_id in agents_named(requirement.term):
            self._named[agent_id] -= 1
            if not self._named[agent_id]:
                del self._named[agent_id]
