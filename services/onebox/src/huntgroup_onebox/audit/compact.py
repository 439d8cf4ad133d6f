"""Remembers millions of ids, with a small number each, in a few bytes per id.

An id is kept as its 64-bit hash: among ten million ids the chance that any two are taken for each other is about one
in 370,000.
"""

from array import array
from bisect import bisect_left
from typing import Final

RECENT_MAX: Final = 65_536
RUN_MAX: Final = 1_048_576


class CompactMap:
    """From id to a number below 2³²: the newest in a dictionary, older ones in sorted arrays of 12 bytes an id.

    `forget` makes it lose, from time to time, what was put long ago.
    """

    __slots__ = ("_before", "_count", "_recent", "_runs")

    def __init__(self) -> None:
        self._before: CompactMap | None = None
        self._recent: dict[int, int] = {}
        self._runs: list[tuple[array[int], array[int]]] = []
        self._count = 0

    def __len__(self) -> int:
        """Return how often an id was put that was not there yet."""
        return self._count

    def forget(self) -> None:
        """Forget all that was not put since the last call but one."""
        older = CompactMap()
        older._recent, older._runs = self._recent, self._runs
        self._before, self._recent, self._runs = older, {}, []

    def get(self, key: str) -> int | None:
        """Return the number that was put last for `key`, or None."""
        found = self._kept(key)
        return found if found is not None or self._before is None else self._before.get(key)

    def _kept(self, key: str) -> int | None:
        hashed = hash(key)
        found = self._recent.get(hashed)
        if found is not None or not self._runs:
            return found
        for keys, numbers in reversed(self._runs):
            index = bisect_left(keys, hashed)
            if index < len(keys) and keys[index] == hashed:
                return numbers[index]
        return None

    def put(self, key: str, number: int = 0) -> None:
        """Remember `key` with `number`, which replaces an earlier one."""
        self._count += self.get(key) is None
        self._recent[hash(key)] = number
        if len(self._recent) >= RECENT_MAX:
            self._settle()

    def _settle(self) -> None:
        """Move the recent ones into a sorted run, merged with the run before while both are small."""
        entries = self._recent
        while self._runs and len(self._runs[-1][0]) <= len(entries) < RUN_MAX:
            keys, numbers = self._runs.pop()
            entries = dict(zip(keys, numbers, strict=True)) | entries
        ordered = sorted(entries)
        self._runs.append(
            (array("q", ordered), array("I", (entries[hashed] for hashed in ordered)))
        )
        self._recent = {}
