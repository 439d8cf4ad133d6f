"""Remembers which commands of a domain were carried out, for at least 24 hours of log time, in bounded memory.

Each hour of log time is a sorted map in small pages (see `command_pages`). Everything follows from log time, so a
replay remembers the same; and no call does more than a page's work, however many commands an hour has: nothing is
sorted, merged or rebuilt when an hour ends, and what is forgotten is freed a little at a time.
"""

from array import array
from collections import deque
from dataclasses import dataclass, field
from hashlib import blake2b
from itertools import pairwise

import msgspec

from huntgroup_eventlog.journal.command_pages import ENTRY_BYTES, Pages, Remembered

RETENTION_MS = 24 * 3_600_000
BUCKET_MS = 3_600_000


@dataclass(slots=True)
class CommandMemory:
    """The commands of one domain."""

    _hours: list[tuple[int, Pages]] = field(default_factory=list)
    _forgotten: deque[Pages] = field(default_factory=deque)

    def recall(self, command_id: str) -> Remembered | None:
        """Return what became of the command, or None when it is not remembered."""
        key = _key(command_id)
        for _, pages in reversed(self._hours):
            place = pages.find(key)
            if place is not None:
                return pages.get(key, place)
        return None

    def count_at(self, at_ms: int) -> int:
        """Return how many commands are remembered at log time `at_ms`: what is older is forgotten with the next one."""
        start_ms = at_ms - at_ms % BUCKET_MS
        return sum(pages.count for hour_ms, pages in self._hours if not _is_over(hour_ms, start_ms))

    def remember(self, command_id: str, remembered: Remembered, at_ms: int) -> None:
        """Remember a command decided at log time `at_ms`; forget what is older than the retention."""
        start_ms = at_ms - at_ms % BUCKET_MS
        if not self._hours or start_ms > self._hours[-1][0]:
            self._turn(start_ms)
        self._hours[-1][1].put(_key(command_id), remembered)
        if self._forgotten and self._forgotten[0].shrink():
            self._forgotten.popleft()

    def confirm(self, command_id: str, position: int) -> None:
        """Note the position of a remembered command's record once it was accepted."""
        key = _key(command_id)
        for _, pages in reversed(self._hours):
            place = pages.find(key)
            if place is not None:
                pages.move(place, position)
                return

    def _turn(self, start_ms: int) -> None:
        kept = 0
        while kept < len(self._hours) and _is_over(self._hours[kept][0], start_ms):
            self._forgotten.append(self._hours[kept][1])
            kept += 1
        self._hours[:kept] = []
        self._hours.append((start_ms, Pages()))

    def dump(self) -> bytes:
        """Return everything in a canonical form: a header, then the raw keys, positions and checks of each hour."""
        header = msgspec.msgpack.encode(
            [(start_ms, pages.count, pages.refusals) for start_ms, pages in self._hours]
        )
        parts: list[bytes | array[int]] = [len(header).to_bytes(_LENGTH_BYTES, "little"), header]
        for _, pages in self._hours:
            parts += pages.raw()
        return b"".join(parts)

    @classmethod
    def load(cls, dumped: bytes) -> "CommandMemory":
        """Return the memory that `dump` wrote; raise `ValueError` when it cannot be read."""
        at = _LENGTH_BYTES + int.from_bytes(dumped[:_LENGTH_BYTES], "little")
        rows = msgspec.msgpack.decode(dumped[_LENGTH_BYTES:at], type=list[_Row])
        if len(dumped) != at + ENTRY_BYTES * sum(count for _, count, _ in rows):
            raise ValueError("the command memory has another length than its header says")
        if any(late[0] <= early[0] for early, late in pairwise(rows)):
            raise ValueError("the hours of the command memory are not in order")
        memory, view = cls(), memoryview(dumped)
        for start_ms, count, refusals in rows:
            end = at + ENTRY_BYTES * count
            memory._hours.append((start_ms, Pages.of_raw(view[at:end], refusals)))
            at = end
        return memory


_LENGTH_BYTES = 8
_Count = int
_Row = tuple[int, _Count, list[dict[int, tuple[str, str]]]]


def _is_over(hour_ms: int, start_ms: int) -> bool:
    """Return whether the hour that began at `hour_ms` is forgotten in the one that begins at `start_ms`."""
    return hour_ms + BUCKET_MS + RETENTION_MS <= start_ms


def _key(command_id: str) -> int:
    return int.from_bytes(blake2b(command_id.encode(), digest_size=8).digest(), "little")


__all__ = ["BUCKET_MS", "RETENTION_MS", "CommandMemory", "Remembered"]
