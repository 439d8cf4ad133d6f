"""Which of the idle agents gets a contact: by what each strategy measures them, and who comes first by that.

All measures are whole numbers that do not change while an agent is idle, but by events: so agents can be kept sorted.
Idle time that runs on is the same for all, so the most idle is whose (idle since - idle before) is least. Chance is a
number drawn from the name of the domain, of the queue, and how many offers the queue has made: a replay draws the same.
"""

from bisect import insort
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from enum import StrEnum
from hashlib import blake2b
from itertools import islice
from typing import Final

from huntgroup_routing.core.agents import Agent
from huntgroup_routing.core.lines import Key, SortedKeys
from huntgroup_routing.core.values import AgentId, Channel, QueueId, Skill, Strategy


class Measure(StrEnum):
    """By what idle agents are sorted, least first; between equals decides who became idle first."""

    IDLE_IN_ALL = "IDLE_IN_ALL"
    CONTACTS = "CONTACTS"
    HANDLE_TIME = "HANDLE_TIME"
    OCCUPANCY = "OCCUPANCY"
    SKILL = "SKILL"
    WEIGHT = "WEIGHT"
    """Between equals decides the id."""
    NAME = "NAME"
    """All are equal, so the id alone decides."""
    IDLE_SINCE = "IDLE_SINCE"
    """Longest idle, where agents may come back to a place in the middle: their contact was taken by another one."""


MEASURE_OF: Final[Mapping[Strategy, Measure]] = {
    Strategy.MOST_IDLE: Measure.IDLE_IN_ALL,
    Strategy.FEWEST_CONTACTS: Measure.CONTACTS,
    Strategy.LEAST_HANDLE_TIME: Measure.HANDLE_TIME,
    Strategy.LEAST_OCCUPIED: Measure.OCCUPANCY,
    Strategy.BEST_SKILL: Measure.SKILL,
    Strategy.WEIGHTED_RANDOM: Measure.WEIGHT,
    Strategy.RANDOM: Measure.NAME,
    Strategy.ROUND_ROBIN: Measure.NAME,
    Strategy.LINEAR: Measure.NAME,
    Strategy.RING_ALL: Measure.IDLE_SINCE,
    Strategy.RING_PROGRESSIVELY: Measure.IDLE_SINCE,
}
"""LONGEST_IDLE needs no measure: the order of becoming idle is kept as it comes."""

BY_CHANCE: Final = frozenset({Strategy.RANDOM, Strategy.WEIGHTED_RANDOM})
MOVED_MAX: Final = 64
"""So many agents become idle or busy, at most, before they are sorted."""
BY_NAME: Final = frozenset({Measure.WEIGHT, Measure.NAME})


class Roster:
    """The idle agents of one requirement, sorted by one measure.

    Many become idle and busy again before anybody looks: so who came, moved or went is only noted, and sorted when
    somebody looks, or when it is many.
    """

    __slots__ = ("_channel", "_keys", "_moved", "_skills", "_sorted", "_weights", "measure")

    def __init__(self, measure: Measure, channel: Channel, skills: tuple[Skill, ...]) -> None:
        self.measure = measure
        self._channel = channel
        self._skills = skills
        self._keys: dict[AgentId, Key] = {}
        self._sorted = SortedKeys[Key]()
        self._moved: dict[AgentId, Agent | None] = {}
        """Who is not sorted as they are now; None: they went."""
        self._weights = Counter[int]()
        """How many agents have each weight; only chance asks."""

    def put(self, agent: Agent) -> None:
        """Put an idle agent where they belong now, whether they stood elsewhere or not at all."""
        self._moved[agent.agent_id] = agent
        if len(self._moved) > MOVED_MAX:
            self._sort()

    def drop(self, agent_id: AgentId) -> None:
        """Take out an agent, if they are in."""
        self._moved[agent_id] = None
        if len(self._moved) > MOVED_MAX:
            self._sort()

    def fill(self, agents: Iterable[Agent]) -> None:
        """Put in all at once; nobody is in yet."""
        self._keys = {agent.agent_id: self._key(agent) for agent in agents}
        self._sorted.fill(self._keys.values())
        if self.measure is Measure.WEIGHT:
            self._weights.update(weight for weight, _, _ in self._keys.values())

    def _sort(self) -> None:
        """Sort those who came, moved or went."""
        keys, by_name = self._keys, self.measure is Measure.NAME
        for agent_id, agent in self._moved.items():
            before = keys.get(agent_id)
            if by_name and (agent is None) is (before is None):
                continue
            key = None if agent is None else self._key(agent)
            if key == before:
                continue
            if before is not None:
                self._sorted.remove(before)
                del keys[agent_id]
            if key is not None:
                self._sorted.add(key)
                keys[agent_id] = key
            if self.measure is Measure.WEIGHT:
                self._weigh(before, key)
        self._moved.clear()

    def _weigh(self, before: Key | None, now: Key | None) -> None:
        if before is not None:
            self._weights[before[0]] -= 1
            if not self._weights[before[0]]:
                del self._weights[before[0]]
        if now is not None:
            self._weights[now[0]] += 1

    def _looked_at(self) -> SortedKeys[Key]:
        """Return the keys as they are now."""
        if self._moved:
            self._sort()
        return self._sorted

    def first(self, most: int) -> list[tuple[AgentId, int]]:
        """Return the first and by what they are measured."""
        return [(agent_id, value) for value, _, agent_id in islice(self._looked_at(), most)]

    def in_order(self) -> Iterator[AgentId]:
        """Yield all, the first first."""
        return (agent_id for _, _, agent_id in self._looked_at())

    def after(self, agent_id: AgentId) -> Iterator[AgentId]:
        """Yield all by name, those after `agent_id` first; they need not be here. Only for NAME."""
        return (name for _, _, name in self._looked_at().after((1, 0, agent_id)))

    def drawn(self, number: int, without: Iterable[AgentId]) -> AgentId | None:
        """Return whom a number picks of all but some, each as likely as their weight; None when nobody is left."""
        keys, gone = self._looked_at(), list[Key]()
        for agent_id in without:
            if agent_id in self._keys:
                insort(gone, self._keys[agent_id])
        weights = self._weights if self.measure is Measure.WEIGHT else {1: len(keys)}
        total = sum(weight * count for weight, count in weights.items())
        total -= sum(weight for weight, _, _ in gone)
        if total == 0:
            return None
        left = number % total
        for weight in sorted(weights):
            taken = [key for key in gone if key[0] == weight]
            count = weights[weight] - len(taken)
            if left >= weight * count:
                left -= weight * count
                continue
            place = keys.position((weight, 0, AgentId(""))) + left // weight
            for key in taken:
                place += keys.position(key) <= place
            return keys.at(place)[2]
        raise AssertionError(total)

    def value_of(self, agent: Agent, again_at_ms: int | None = None) -> int:
        """Return the measure of an idle agent, now or as if they became idle again at a time."""
        _, since_ms = agent.idle[self._channel]
        work = agent.work[self._channel]
        match self.measure:
            case Measure.IDLE_IN_ALL:
                return since_ms - work.idle_ms
            case Measure.CONTACTS:
                return work.contacts
            case Measure.HANDLE_TIME:
                return work.handle_ms
            case Measure.OCCUPANCY:
                more_ms = 0 if again_at_ms is None else again_at_ms - since_ms
                return work.occupancy_ppm(more_ms)
            case Measure.SKILL:
                return -self._levels(agent)
            case Measure.WEIGHT:
                return max(1, self._levels(agent))
            case Measure.NAME:
                return 1
            case Measure.IDLE_SINCE:
                return since_ms

    def _key(self, agent: Agent) -> Key:
        if self.measure is Measure.NAME:
            return (1, 0, agent.agent_id)
        rank = 0 if self.measure in BY_NAME else agent.idle[self._channel][0]
        return (self.value_of(agent), rank, agent.agent_id)

    def _levels(self, agent: Agent) -> int:
        return sum(agent.levels.get(skill, 0) for skill in self._skills)


def draw(domain: str, queue_id: QueueId, number: int) -> int:
    """Return a number below 2⁶⁴ for the queue's offer of that number: always the same, and like no other."""
    said = f"{domain}/{queue_id}/{number}".encode()
    return int.from_bytes(blake2b(said, digest_size=8).digest())
