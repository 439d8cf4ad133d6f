"""A sorted map of command hashes in small pages: 20 bytes per command, and no call touches more than a page.

The leaves of a B+-tree under one directory: a page is three arrays of at most `PAGE_MAX` entries, sorted by key, and
splits in halves when it is full. What it holds is the same in whatever order it was filled, so its raw form is
canonical. Refusals keep their reason and sentence beside, in the order of the log.
"""

from array import array
from bisect import bisect_left, bisect_right
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final

PAGE_MAX: Final = 512
"""A page that has so many entries is split."""
REFUSALS_MAX: Final = 4_096
"""So many refusals are in one dictionary: growing a larger one would take milliseconds."""
SHRUNK_PAGES: Final = 64
"""So many pages are freed in one step."""

_KEY, _POSITION, _CHECK = "Q", "q", "I"
ENTRY_BYTES: Final = sum(array(code).itemsize for code in (_KEY, _POSITION, _CHECK))


@dataclass(frozen=True, slots=True)
class Remembered:
    """What became of a command; `position` is -1 until its record was read back."""

    position: int
    check: int
    reason: str = ""
    detail: str = ""


@dataclass(slots=True)
class Pages:
    """The commands of one hour. Page `n` has the keys from `_firsts[n]` up to `_firsts[n + 1]`."""

    count: int = 0
    refusals: list[dict[int, tuple[str, str]]] = field(default_factory=list)
    _firsts: list[int] = field(default_factory=lambda: [0])
    _keys: "list[array[int]]" = field(default_factory=lambda: [array(_KEY)])
    _positions: "list[array[int]]" = field(default_factory=lambda: [array(_POSITION)])
    _checks: "list[array[int]]" = field(default_factory=lambda: [array(_CHECK)])

    def find(self, key: int) -> tuple[int, int] | None:
        """Return page and index of the key, or None."""
        page = bisect_right(self._firsts, key) - 1
        keys = self._keys[page]
        index = bisect_left(keys, key)
        return (page, index) if index < len(keys) and keys[index] == key else None

    def get(self, key: int, place: tuple[int, int]) -> Remembered:
        """Return what is remembered of the key that was found at `place`."""
        page, index = place
        refusal = next((some[key] for some in self.refusals if key in some), ("", ""))
        return Remembered(self._positions[page][index], self._checks[page][index], *refusal)

    def put(self, key: int, remembered: Remembered) -> None:
        """Enter a command. The later one of the same key counts."""
        page = bisect_right(self._firsts, key) - 1
        keys, positions, checks = self._keys[page], self._positions[page], self._checks[page]
        index = bisect_left(keys, key)
        if index == len(keys) or keys[index] != key:
            keys.insert(index, key)
            positions.insert(index, remembered.position)
            checks.insert(index, remembered.check)
            self.count += 1
            if len(keys) >= PAGE_MAX:
                self._split(page)
        else:
            positions[index], checks[index] = remembered.position, remembered.check
            for some in self.refusals:
                some.pop(key, None)
        if remembered.reason:
            if not self.refusals or len(self.refusals[-1]) >= REFUSALS_MAX:
                self.refusals.append({})
            self.refusals[-1][key] = (remembered.reason, remembered.detail)

    def move(self, place: tuple[int, int], position: int) -> None:
        """Note another position for the command found at `place`."""
        self._positions[place[0]][place[1]] = position

    def _split(self, page: int) -> None:
        for pages in (self._keys, self._positions, self._checks):
            whole = pages[page]
            half = len(whole) // 2
            pages[page : page + 1] = [whole[:half], whole[half:]]
        self._firsts.insert(page + 1, self._keys[page + 1][0])

    def shrink(self) -> bool:
        """Free a little of what nobody will look up again; return whether nothing is left."""
        if self.refusals:
            self.refusals.pop()
            return False
        for pages in (self._keys, self._positions, self._checks):
            del pages[-SHRUNK_PAGES:]
        return not self._keys

    def raw(self) -> "Iterator[array[int]]":
        """Yield all keys, then all positions, then all checks, in the order of the keys."""
        for pages in (self._keys, self._positions, self._checks):
            yield from pages

    @classmethod
    def of_raw(cls, raw: memoryview, refusals: list[dict[int, tuple[str, str]]]) -> "Pages":
        """Return what `raw` wrote; raise `ValueError` when its pages are not in order."""
        count = len(raw) // ENTRY_BYTES
        pages = cls(count, refusals)
        if not count:
            return pages
        at = 0
        for code, column in (
            (_KEY, pages._keys),
            (_POSITION, pages._positions),
            (_CHECK, pages._checks),
        ):
            column.clear()
            size = array(code).itemsize
            end, step = at + size * count, size * PAGE_MAX * 3 // 4
            for start in range(at, end, step):
                column.append(array(code))
                column[-1].frombytes(raw[start : min(start + step, end)])
            at = end
        pages._firsts = [0, *(keys[0] for keys in pages._keys[1:])]
        lasts = [keys[-1] for keys in pages._keys]
        if any(keys[0] > last for keys, last in zip(pages._keys, lasts, strict=True)) or any(
            first <= last for first, last in zip(pages._firsts[1:], lasts[:-1], strict=True)
        ):
            raise ValueError("the pages of the command memory are not in order")
        return pages
