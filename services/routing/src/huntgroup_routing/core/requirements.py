"""What contacts require and what agents have in common: where both meet. `core/eligibility.py` keeps them indexed."""

from collections import Counter, OrderedDict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Final

from huntgroup_routing.core.agents import Agent
from huntgroup_routing.core.expressions import AllOf, Skilled, Term, Who, leaves, meets
from huntgroup_routing.core.lines import Line
from huntgroup_routing.core.selection import Measure, Roster
from huntgroup_routing.core.sharing import Crew, Standing
from huntgroup_routing.core.values import AgentId, AgentTraits, Channel, Place, Skill, skill_set

ProfileKey = tuple[tuple[Skill, ...], AgentTraits | None, AgentId | None]
"""Skills and traits; the id too of an agent whom an expression names."""

Ask = tuple[tuple[Skill, ...], str, Crew | None, str]
"""What is asked of an agent: skills, the queue's expression in one form, its groups, the contact's own expression."""


NO_ROSTERS: Final[Mapping[Measure, Roster]] = MappingProxyType({})
NOBODY_RINGS: Final = Line[Place]()
"""Shared and always empty: few requirements ever have others, and agents who become idle look at them all."""


@dataclass(slots=True, kw_only=True, eq=False)
class Requirement:
    """What some contacts need, those who wait for it, and those who are idle for it, longest idle first."""

    channel: Channel
    ask: Ask
    term: Term | None
    """The expression."""
    waiting: Line[Place] = field(default_factory=Line)
    roomy: Line[Place] = field(default_factory=lambda: NOBODY_RINGS)
    """Contacts that ring, and may ring at one agent more; a line of its own from the first of them on."""
    idle: OrderedDict[AgentId, Agent] = field(default_factory=OrderedDict)
    """In the order of becoming idle, unless there is a roster by IDLE_SINCE."""
    rosters: Mapping[Measure, Roster] = field(default_factory=lambda: NO_ROSTERS)
    """The idle again, sorted by the measures that queues of its contacts ask for; replaced as a whole."""
    kept: tuple[Roster, ...] = ()
    """The rosters: whoever becomes idle or busy goes through those of every requirement that they meet."""
    able: int = 0
    """How many agents who are joined and have slots of the channel could serve, idle or not."""
    users: int = 0
    """Queues and contacts that refer to it."""

    @property
    def skills(self) -> tuple[Skill, ...]:
        """The skills that count: those asked for by themselves or in the expression."""
        if self.term is None:
            return self.ask[0]
        named = (one.skill for one in leaves(self.term) if isinstance(one, Skilled))
        return skill_set(self.ask[0], tuple(Skill(skill) for skill in named))

    @property
    def needs(self) -> tuple[Skill, ...]:
        """The skills without which nobody meets it."""
        every = self.term.terms if isinstance(self.term, AllOf) else (self.term,)
        named = (Skill(one.skill) for one in every if isinstance(one, Skilled))
        return skill_set(self.ask[0], tuple(named))

    def met_by(self, profile: "Profile", agent_id: AgentId | None) -> bool:
        """Return whether agents of a profile satisfy it; `agent_id` where the expression names them."""
        skills, _, crew, _ = self.ask
        if not profile.who.levels.keys() >= set(skills):
            return False
        if crew is not None and crew.standing_of(profile.who.groups) is None:
            return False
        return self.term is None or meets(profile.who, agent_id, self.term)

    def roster(self, measure: Measure) -> Roster:
        """Return the idle sorted by a measure: the roster that is kept, or else one made now."""
        roster = self.rosters.get(measure)
        if roster is None:
            roster = Roster(measure, self.channel, self.skills)
            roster.fill(self.idle.values())
        return roster

    def make_room(self, place: Place) -> None:
        """Let a contact that rings stand where it may ring at one more."""
        if self.roomy is NOBODY_RINGS:
            self.roomy = Line()
        self.roomy.add(place)

    def in_order(self) -> Iterator[AgentId]:
        """Yield the idle, longest idle first."""
        roster = self.rosters.get(Measure.IDLE_SINCE) if self.rosters else None
        return iter(self.idle) if roster is None else roster.in_order()

    def keep_sorted(self, measure: Measure) -> None:
        """Keep the idle sorted by a measure from now on."""
        if measure not in self.rosters:
            self._keep({**self.rosters, measure: self.roster(measure)})

    def keep_sorted_no_more(self, measure: Measure) -> None:
        """Sort them by it no more."""
        if measure in self.rosters:
            self._keep({one: roster for one, roster in self.rosters.items() if one is not measure})

    def _keep(self, rosters: Mapping[Measure, Roster]) -> None:
        self.rosters = MappingProxyType(rosters) if rosters else NO_ROSTERS
        self.kept = tuple(rosters.values())


@dataclass(slots=True, kw_only=True, eq=False)
class Profile:
    """Skills and traits that agents have in common."""

    key: ProfileKey
    who: Who
    levels: dict[Skill, int]
    agents: int = 0
    """How many are joined."""
    slotted: Counter[Channel] = field(default_factory=Counter)
    """How many of them have slots of a channel."""
    idle: dict[AgentId, Agent] = field(default_factory=dict)
    """On any channel."""
    satisfies: dict[Channel, dict[Ask, Requirement]]
    standings: dict[Requirement, Standing] = field(default_factory=dict)
    """How they serve the requirements of queues that name groups."""

    def add(self, requirement: Requirement) -> None:
        """Note a requirement that they satisfy."""
        self.satisfies[requirement.channel][requirement.ask] = requirement
        crew = requirement.ask[2]
        if crew and (standing := crew.standing_of(self.who.groups)):
            self.standings[requirement] = standing

    def drop(self, requirement: Requirement) -> None:
        """Forget a requirement, satisfied or not."""
        self.satisfies[requirement.channel].pop(requirement.ask, None)
        self.standings.pop(requirement, None)
