"""The contacts that wait in a queue, in lanes of those alike: each in order, with the pace at which it is left."""

import heapq
from collections.abc import Iterator

from huntgroup_routing.core.lines import BestKnown, LaneKey, SortedKeys
from huntgroup_routing.core.pace import Estimate, Pace
from huntgroup_routing.core.values import LANES_MAX, Place


class Lane(SortedKeys[Place]):
    """The places of contacts alike that wait, and what is known of their pace."""

    __slots__ = ("pace", "waiting")

    def __init__(self, pace: Pace | None = None) -> None:
        super().__init__()
        self.pace = Pace() if pace is None else pace
        self.waiting = 0
        """How many."""


class Lanes:
    """All who wait in a queue. Of lanes where nobody waits, the longest empty are forgotten beyond `LANES_MAX` in all.

    While all who ever came were alike, as in most queues, nothing is kept beside their one lane. Up to `LANES_MAX`
    lanes are looked through where all count. Once there are more, the places of all who wait and the lanes by what is
    known of them are kept sorted beside, until the queue is empty.
    """

    __slots__ = ("_empty", "_every", "_known", "_lanes", "_only", "_only_key", "_waiting")

    def __init__(self) -> None:
        self._lanes: dict[LaneKey, Lane] = {}
        self._only: Lane | None = None
        """The one that was ever opened."""
        self._only_key: LaneKey | None = None
        self._empty: dict[LaneKey, None] = {}
        """The longest empty first; not kept of the only lane."""
        self._waiting = 0
        self._every: SortedKeys[Place] | None = None
        self._known: SortedKeys[BestKnown] | None = None

    def __len__(self) -> int:
        return self._waiting

    def in_order(self) -> Iterator[Place]:
        """Yield the places of all who wait, the first first; nobody may come or go meanwhile."""
        if self._every is not None:
            return iter(self._every)
        lines = [lane for lane in self._lanes.values() if lane.waiting]
        return iter(lines[0]) if len(lines) == 1 else heapq.merge(*lines)

    def position(self, place: Place) -> int:
        """Return the position of a place, from 1, whether somebody stands there or not."""
        if self._every is not None:
            return 1 + self._every.position(place)
        return 1 + sum(lane.position(place) for lane in self._lanes.values())

    def add(self, key: LaneKey, place: Place, at_ms: int) -> None:
        """Let a contact join that does not wait here."""
        lane = self._find(key)
        if lane is None:
            lane = self._open(key)
        if not lane.waiting:
            lane.pace.since_ms = at_ms
        self._enter(key, lane, place)

    def fetch(self, key: LaneKey, place: Place, at_ms: int, waited_ms: int) -> None:
        """Let a contact go that was found an agent."""
        lane = self._there(key)
        # Who is fetched at once, and was alone, did not wait.
        if lane.waiting > 1 or at_ms != lane.pace.since_ms:
            self._unlist(key, lane)
            lane.pace.fetch(at_ms, max(0, waited_ms))
            self._list(key, lane)
        self._leave(key, lane, place)

    def give_up(self, key: LaneKey, place: Place, at_ms: int, waited_ms: int) -> None:
        """Let a contact go that leaves without an agent."""
        lane = self._there(key)
        lane.pace.give_up(at_ms, max(0, waited_ms), last=lane.waiting == 1)
        self._leave(key, lane, place)

    def withdraw(self, key: LaneKey, place: Place) -> None:
        """Let a contact go that came a moment ago and did not wait: it tells nothing of the pace."""
        self._leave(key, self._lanes[key], place)

    def come_back(self, key: LaneKey, place: Place, at_ms: int) -> None:
        """Let a contact join again whom its agent did not take."""
        self.add(key, place, at_ms)
        lane = self._lanes[key]
        self._unlist(key, lane)
        lane.pace.come_back()
        self._list(key, lane)

    def estimate(self, key: LaneKey, place: Place | None, at_ms: int) -> Estimate | None:
        """Return the wait of who stands at a place, or who comes now; None when nobody was fetched so far.

        A lane of which nothing is known goes by that of which most is, and by the position among all.
        """
        lane = self._lanes.get(key)
        if lane is not None:
            ahead = lane.waiting if place is None else lane.position(place)
            found = lane.pace.estimate(ahead + 1, at_ms, empty=not lane.waiting)
            if found is not None:
                return found
        best = self._best_known()
        if best is None:
            return None
        known = self._lanes[best[1]]
        position = self._waiting + 1 if place is None else self.position(place)
        return known.pace.estimate(position, at_ms, empty=not known.waiting)

    def _best_known(self) -> BestKnown | None:
        if self._known is not None:
            return self._known.head
        known = ((-lane.pace.fetched, key) for key, lane in self._lanes.items())
        return min(known, default=None)

    @property
    def paces(self) -> Iterator[tuple[LaneKey, Pace]]:
        """All that is known of the lanes: those where somebody waits, then the others, the longest empty first."""
        if self._only_key is not None:
            return ((key, lane.pace) for key, lane in self._lanes.items())
        used = sorted(self._lanes.keys() - self._empty.keys())
        return ((key, self._lanes[key].pace) for key in (*used, *self._empty))

    def restore(self, key: LaneKey, pace: Pace) -> None:
        """Open a lane with what was known of it."""
        self._put(key, Lane(pace=pace))

    def put_back(self, key: LaneKey, place: Place) -> None:
        """Let a contact stand where it stood when the paces were written down."""
        self._enter(key, self._lanes[key], place)

    def all_are_back(self) -> None:
        """Keep sorted from now on what was: after the last is put back."""
        if self._waiting and len(self._lanes) > LANES_MAX:
            self._sort_all()

    def _open(self, key: LaneKey) -> Lane:
        if len(self._lanes) >= LANES_MAX and self._empty:
            self._forget(next(iter(self._empty)))
        lane = Lane()
        self._put(key, lane)
        self._list(key, lane)
        if self._every is None and len(self._lanes) > LANES_MAX:
            self._sort_all()
        return lane

    def _put(self, key: LaneKey, lane: Lane) -> None:
        """Put in a lane where nobody waits."""
        if not self._lanes:
            self._only, self._only_key = lane, key
        else:
            if self._only_key is not None and self._only is not None:
                self._empty = {} if self._only.waiting else {self._only_key: None}
                self._only = self._only_key = None
            self._empty[key] = None
        self._lanes[key] = lane

    def _find(self, key: LaneKey) -> Lane | None:
        return self._only if key == self._only_key else self._lanes.get(key)

    def _there(self, key: LaneKey) -> Lane:
        only = self._only
        return only if only is not None and key == self._only_key else self._lanes[key]

    def _sort_all(self) -> None:
        self._every, self._known = SortedKeys(), SortedKeys()
        self._every.fill(place for lane in self._lanes.values() for place in lane)
        self._known.fill((-lane.pace.fetched, key) for key, lane in self._lanes.items())

    def _enter(self, key: LaneKey, lane: Lane, place: Place) -> None:
        if not lane.waiting and self._only is None:
            del self._empty[key]
        lane.add(place)
        lane.waiting += 1
        self._waiting += 1
        if self._every is not None:
            self._every.add(place)

    def _leave(self, key: LaneKey, lane: Lane, place: Place) -> None:
        lane.remove(place)
        lane.waiting -= 1
        self._waiting -= 1
        if self._every is not None:
            self._every.remove(place)
        if not lane.waiting and self._only is None:
            self._empty[key] = None
            if len(self._lanes) > LANES_MAX:
                self._forget(next(iter(self._empty)))
        if not self._waiting:
            self._every = self._known = None

    def _forget(self, key: LaneKey) -> None:
        self._unlist(key, self._lanes[key])
        del self._lanes[key], self._empty[key]

    def _list(self, key: LaneKey, lane: Lane) -> None:
        if self._known is not None:
            self._known.add((-lane.pace.fetched, key))

    def _unlist(self, key: LaneKey, lane: Lane) -> None:
        if self._known is not None:
            self._known.remove((-lane.pace.fetched, key))
