"""Two ways to stand in order: a line served from its head, and sorted keys that are read from any place on."""

import heapq
from bisect import bisect_left, bisect_right, insort
from collections.abc import Iterable, Iterator
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

    The first stands apart, all others in a heap with lazy deletion whose own first is always a member: most lines have
    one member or none, and touch nothing else.

    Who leaves from the middle stays in the heap as stale until surfacing, or until the stale outnumber the members.
    Everything costs O(log n) amortised. The key of a member never changes, so one who comes back while still in the
    heap is simply no longer stale.
    """

    __slots__ = ("_behind", "_stale", "head")

    def __init__(self) -> None:
        self.head: K | None = None
        """The first member, or None."""
        self._behind: list[K] | None = None
        self._stale: set[K] | None = None

    def __len__(self) -> int:
        return (self.head is not None) + len(self._behind or ()) - len(self._stale or ())

    def __bool__(self) -> bool:
        return self.head is not None

    @property
    def second(self) -> K | None:
        """The member after the first, or None."""
        return self._behind[0] if self._behind else None

    def add(self, key: K) -> None:
        """Let one join who is not in line."""
        head = self.head
        if head is None:
            self.head = key
            return
        if self._stale and key in self._stale:
            self._stale.remove(key)
            return
        if key < head:
            self.head, key = key, head
        if self._behind is None:
            self._behind = [key]
        else:
            heapq.heappush(self._behind, key)

    def add_all(self, keys: Iterable[K]) -> None:
        """Let many join at once who are not in line, for O(n)."""
        stale, self._stale = self._stale or (), None
        every = [kept for kept in self._behind or () if kept not in stale]
        every.extend(keys)
        if self.head is not None:
            every.append(self.head)
        heapq.heapify(every)
        self.head = heapq.heappop(every) if every else None
        self._behind = every

    def remove(self, key: K) -> None:
        """Let one leave who is in line."""
        behind = self._behind
        if key == self.head:
            self.head = heapq.heappop(behind) if behind else None
        elif behind is not None and key != behind[0]:
            if self._stale is None:
                self._stale = set()
            self._stale.add(key)
            if len(self._stale) > max(STALE_MIN, len(behind) // 2):
                self._behind = [kept for kept in behind if kept not in self._stale]
                heapq.heapify(self._behind)
                self._stale.clear()
            return
        elif behind is not None:
            heapq.heappop(behind)
        if self._stale and behind:
            while behind and behind[0] in self._stale:
                self._stale.remove(heapq.heappop(behind))

    def in_order(self) -> Iterator[K]:
        """Yield the members from the first on, each for O(log n); the line must not change meanwhile."""
        if self.head is not None:
            yield self.head
        if not self._behind:
            return
        heap, stale, front = self._behind, self._stale or (), [(self._behind[0], 0)]
        while front:
            key, index = heapq.heappop(front)
            if key not in stale:
                yield key
            for child in (2 * index + 1, 2 * index + 2):
                if child < len(heap):
                    heapq.heappush(front, (heap[child], child))


class SortedKeys(Generic[S]):
    """Keys in order: up to `BLOCK_MAX` in one list, more in blocks of at most that, so that moves are a few hundred.

    Adding, removing and finding a key or a position cost O(log n) comparisons and a step for each block: with 50,000
    keys some hundred blocks, whose lengths are added up in C.
    """

    __slots__ = ("_blocks", "_few", "_lasts")

    def __init__(self) -> None:
        self._few: list[S] = []
        """All, while there are no blocks."""
        self._blocks: list[list[S]] | None = None
        self._lasts: list[S] = []

    def __len__(self) -> int:
        return len(self._few) if self._blocks is None else sum(map(len, self._blocks))

    def __bool__(self) -> bool:
        return bool(self._few) or self._blocks is not None

    @property
    def head(self) -> S | None:
        """The first, or None."""
        first = self._few if self._blocks is None else self._blocks[0]
        return first[0] if first else None

    def fill(self, keys: Iterable[S]) -> None:
        """Put in all keys at once; none is there yet."""
        self._few = sorted(keys)
        if len(self._few) > BLOCK_MAX:
            self._split()

    def _split(self) -> None:
        every, half = self._few, BLOCK_MAX // 2
        self._blocks = [every[start : start + half] for start in range(0, len(every), half)]
        self._lasts = [block[-1] for block in self._blocks]
        self._few = []

    def add(self, key: S) -> None:
        """Put in a key that is not there."""
        if self._blocks is None:
            few = self._few
            if not few or key > few[-1]:
                few.append(key)
            else:
                insort(few, key)
            if len(few) > BLOCK_MAX:
                self._split()
            return
        self._add_to_block(self._blocks, key)

    def _add_to_block(self, blocks: list[list[S]], key: S) -> None:
        lasts = self._lasts
        if key > lasts[-1] and len(blocks[-1]) < BLOCK_MAX:
            blocks[-1].append(key)
            lasts[-1] = key
            return
        index = min(bisect_left(lasts, key), len(lasts) - 1)
        block = blocks[index]
        insort(block, key)
        if len(block) > BLOCK_MAX:
            blocks[index : index + 1] = [block[: BLOCK_MAX // 2], block[BLOCK_MAX // 2 :]]
            lasts.insert(index, blocks[index][-1])
            index += 1
        lasts[index] = blocks[index][-1]

    def remove(self, key: S) -> None:
        """Take out a key that is there."""
        blocks = self._blocks
        if blocks is None:
            del self._few[0 if self._few[0] == key else bisect_left(self._few, key)]
            return
        index = bisect_left(self._lasts, key)
        block = blocks[index]
        del block[0 if block[0] == key else bisect_left(block, key)]
        if block:
            self._lasts[index] = block[-1]
            return
        del blocks[index], self._lasts[index]
        if not blocks:
            self._blocks = None

    def position(self, key: S) -> int:
        """Return how many keys are less; that is the key's own position when it is there."""
        blocks = self._blocks
        if blocks is None:
            return bisect_left(self._few, key)
        index = bisect_left(self._lasts, key)
        before = sum(map(len, blocks[:index]))
        return before + (bisect_left(blocks[index], key) if index < len(blocks) else 0)

    def at(self, position: int) -> S:
        """Return the key at a position from 0; raises `IndexError` beyond the last."""
        for block in self._all_blocks():
            if position < len(block):
                return block[position]
            position -= len(block)
        raise IndexError

    def after(self, key: S) -> Iterator[S]:
        """Yield every key once, those greater than `key` first; the keys must not change meanwhile."""
        blocks = self._all_blocks()
        first = bisect_right([block[-1] for block in blocks], key)
        for index in range(first, len(blocks)):
            block = blocks[index]
            yield from block[bisect_right(block, key) :] if index == first else block
        for index in range(min(first + 1, len(blocks))):
            block = blocks[index]
            yield from block[: bisect_right(block, key)] if index == first else block

    def __iter__(self) -> Iterator[S]:
        for block in self._all_blocks():
            yield from block

    def _all_blocks(self) -> list[list[S]]:
        if self._blocks is not None:
            return self._blocks
        return [self._few] if self._few else []
