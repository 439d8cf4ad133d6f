"""The contacts that wait in a queue, in lanes of those alike: each in order, with the pace at which it is left."""

import heapq
from collections.abc import Iterator
from dataclasses import dataclass, field

from huntgroup_routing.core.lines import SortedKeys
from huntgroup_routing.core.pace import Estimate, Pace
from huntgroup_routing.core.values import LANES_MAX, Place, Skill

LaneKey = tuple[int, tuple[Skill, ...]]
"""Priority and own skills: contacts that share them are served first come, first served."""


@dataclass(slots=True, eq=False)
class Lane:
    """Contacts alike that wait, and what is known of their pace."""

    line: SortedKeys[Place] = field(default_factory=SortedKeys)
    pace: Pace = field(default_factory=Pace)


class Lanes:
    """All who wait in a queue. Of lanes where nobody waits, the oldest are forgotten beyond `LANES_MAX` in all."""

    __slots__ = ("_lanes", "_waiting")

    def __init__(self) -> None:
        self._lanes: dict[LaneKey, Lane] = {}
        self._waiting = 0

    def __len__(self) -> int:
        return self._waiting

    @property
    def head(self) -> Place | None:
        """Who is first, or None."""
        heads = (lane.line.head for lane in self._lanes.values())
        return min((head for head in heads if head is not None), default=None)

    def in_order(self) -> Iterator[Place]:
        """Yield the places of all who wait, the first first; nobody may come or go meanwhile."""
        lines = [lane.line for lane in self._lanes.values() if lane.line]
        return iter(lines[0]) if len(lines) == 1 else heapq.merge(*lines)

    def position(self, place: Place) -> int:
        """Return the position of a place, from 1, whether somebody stands there or not."""
        return 1 + sum(lane.line.position(place) for lane in self._lanes.values())

    def add(self, key: LaneKey, place: Place, at_ms: int) -> None:
        """Let a contact join that does not wait here."""
        lane = self._lanes.get(key) or self._open(key)
        if not lane.line:
            lane.pace.since_ms = at_ms
        lane.line.add(place)
        self._waiting += 1

    def fetch(self, key: LaneKey, place: Place, at_ms: int, waited_ms: int) -> None:
        """Let a contact go that was found an agent."""
        lane = self._leave(key, place)
        last = not lane.line
        # Who is fetched at once, and was alone, did not wait.
        if not last or at_ms != lane.pace.since_ms:
            lane.pace.fetch(at_ms, max(0, waited_ms))

    def give_up(self, key: LaneKey, place: Place, at_ms: int, waited_ms: int) -> None:
        """Let a contact go that leaves without an agent."""
        lane = self._leave(key, place)
        lane.pace.give_up(at_ms, max(0, waited_ms), last=not lane.line)

    def withdraw(self, key: LaneKey, place: Place) -> None:
        """Let a contact go that came a moment ago and did not wait: it tells nothing of the pace."""
        self._leave(key, place)

    @property
    def heads(self) -> Iterator[Place]:
        """Who is first of each lane: among those alike nobody has waited longer."""
        return (lane.line.head for lane in self._lanes.values() if lane.line.head is not None)

    def come_back(self, key: LaneKey, place: Place, at_ms: int) -> None:
        """Let a contact join again whom its agent did not take."""
        self.add(key, place, at_ms)
        self._lanes[key].pace.come_back()

    def estimate(self, key: LaneKey, place: Place | None, at_ms: int) -> Estimate | None:
        """Return the wait of who stands at a place, or who comes now; None when nobody was fetched so far.

        A lane of which nothing is known goes by that of which most is, and by the position among all.
        """
        lane = self._lanes.get(key)
        if lane is not None:
            ahead = len(lane.line) if place is None else lane.line.position(place)
            found = lane.pace.estimate(ahead + 1, at_ms, empty=not lane.line)
            if found is not None:
                return found
        known = max(self._lanes.values(), key=lambda one: one.pace.fetched, default=None)
        if known is None:
            return None
        position = self._waiting + 1 if place is None else self.position(place)
        return known.pace.estimate(position, at_ms, empty=not known.line)

    @property
    def paces(self) -> Iterator[tuple[LaneKey, Pace]]:
        """All that is known of the lanes, in the order in which they were opened."""
        return ((key, lane.pace) for key, lane in self._lanes.items())

    def restore(self, key: LaneKey, pace: Pace) -> None:
        """Open a lane with what was known of it."""
        self._lanes[key] = Lane(pace=pace)

    def put_back(self, key: LaneKey, place: Place) -> None:
        """Let a contact stand where it stood when the paces were written down."""
        self._lanes[key].line.add(place)
        self._waiting += 1

    def _open(self, key: LaneKey) -> Lane:
        if len(self._lanes) >= LANES_MAX:
            unused = next((one for one, lane in self._lanes.items() if not lane.line), None)
            if unused is not None:
                del self._lanes[unused]
        lane = self._lanes[key] = Lane()
        return lane

    def _leave(self, key: LaneKey, place: Place) -> Lane:
        lane = self._lanes[key]
        lane.line.remove(place)
        self._waiting -= 1
        return lane
