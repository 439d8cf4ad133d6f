"""Two ways to stand in order: a line served from its head, and sorted keys that are read from any place on."""

import heapq
from bisect import bisect_left, bisect_right, insort
from collections.abc import Iterable, Iterator
from itertools import islice
from typing import Generic, TypeVar

from huntgroup_routing.core.values import AgentId, HoursDue, Lease, Own, Place, StepDue, WatchDue

K = TypeVar("K", Place, Lease, StepDue, HoursDue, WatchDue)

Key = tuple[int, int, AgentId]
"""By what an idle agent is sorted; the least comes first."""

LaneKey = tuple[int, Own]
"""Priority and what they ask by themselves: contacts that share it are served first come, first served."""

BestKnown = tuple[int, LaneKey]
"""Minus how many of a lane of contacts were fetched, and which it is."""

S = TypeVar("S", Key, Place, BestKnown)

STALE_MIN = 64
BLOCK_MAX = 512


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

    @property
    def second(self) -> K | None:
        """The member after the first, or None."""
        behind = self._heap[1:3]
        if self._stale and not self._stale.isdisjoint(behind):
            return next(islice(self.in_order(), 1, None), None)
        return min(behind, default=None)

    def add(self, key: K) -> None:
        """Let one join who is not in line."""
        if key in self._stale:
            self._stale.remove(key)
        else:
            heapq.heappush(self._heap, key)

    def add_all(self, keys: Iterable[K]) -> None:
        """Let many join at once who are not in line, for O(n)."""
        if self._stale:
            self._heap = [kept for kept in self._heap if kept not in self._stale]
            self._stale.clear()
        self._heap.extend(keys)
        heapq.heapify(self._heap)

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


class SortedKeys(Generic[S]):
    """Keys in order, in blocks of at most `BLOCK_MAX`, so that entering and leaving moves a few hundred at most.

    Adding, removing and finding a key or a position cost O(log n) comparisons and a step for each block: with 50,000
    keys some hundred blocks, whose lengths are added up in C.
    """

    __slots__ = ("_blocks", "_lasts")

    def __init__(self) -> None:
        self._blocks: list[list[S]] = []
        self._lasts: list[S] = []

    def __len__(self) -> int:
        return sum(map(len, self._blocks))

    def __bool__(self) -> bool:
        return bool(self._blocks)

    @property
    def head(self) -> S | None:
        """The first, or None."""
        return self._blocks[0][0] if self._blocks else None

    def fill(self, keys: Iterable[S]) -> None:
        """Put in all keys at once; none is there yet."""
        every, half = sorted(keys), BLOCK_MAX // 2
        self._blocks = [every[start : start + half] for start in range(0, len(every), half)]
        self._lasts = [block[-1] for block in self._blocks]

    def add(self, key: S) -> None:
        """Put in a key that is not there."""
        lasts = self._lasts
        if not lasts:
            self._blocks.append([key])
            lasts.append(key)
            return
        if key > lasts[-1] and len(self._blocks[-1]) < BLOCK_MAX:
            self._blocks[-1].append(key)
            lasts[-1] = key
            return
        index = min(bisect_left(self._lasts, key), len(self._lasts) - 1)
        block = self._blocks[index]
        insort(block, key)
        if len(block) > BLOCK_MAX:
            self._blocks[index : index + 1] = [block[: BLOCK_MAX // 2], block[BLOCK_MAX // 2 :]]
            self._lasts.insert(index, self._blocks[index][-1])
            index += 1
        self._lasts[index] = self._blocks[index][-1]

    def remove(self, key: S) -> None:
        """Take out a key that is there."""
        index = bisect_left(self._lasts, key)
        block = self._blocks[index]
        if block[0] == key:
            del block[0]
        else:
            del block[bisect_left(block, key)]
        if block:
            self._lasts[index] = block[-1]
        else:
            del self._blocks[index], self._lasts[index]

    def position(self, key: S) -> int:
        """Return how many keys are less; that is the key's own position when it is there."""
        index = bisect_left(self._lasts, key)
        before = sum(map(len, self._blocks[:index]))
        return before + (bisect_left(self._blocks[index], key) if index < len(self._blocks) else 0)

    def at(self, position: int) -> S:
        """Return the key at a position from 0; raises `IndexError` beyond the last."""
        for block in self._blocks:
            if position < len(block):
                return block[position]
            position -= len(block)
        raise IndexError

    def after(self, key: S) -> Iterator[S]:
        """Yield every key once, those greater than `key` first; the keys must not change meanwhile."""
        first = bisect_right(self._lasts, key)
        for index in range(first, len(self._blocks)):
            block = self._blocks[index]
            yield from block[bisect_right(block, key) :] if index == first else block
        for index in range(min(first + 1, len(self._blocks))):
            block = self._blocks[index]
            yield from block[: bisect_right(block, key)] if index == first else block

    def __iter__(self) -> Iterator[S]:
        for block in self._blocks:
            yield from block
