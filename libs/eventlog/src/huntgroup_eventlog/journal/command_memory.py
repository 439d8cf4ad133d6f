"""Remembers which commands of a domain were carried out, for at least 24 hours of log time, in bounded memory.

One hour is one bucket. The newest is a dictionary; older ones are sorted arrays of 20 bytes per command (a 64-bit
hash of the id, a checksum, a position), because a busy domain has millions of commands a day. Refusals keep their
reason and sentence beside. Everything follows from log time, so a replay remembers the same.
"""

from array import array
from bisect import bisect_left
from dataclasses import dataclass, field
from hashlib import blake2b

import msgspec

RETENTION_MS = 24 * 3_600_000
BUCKET_MS = 3_600_000


@dataclass(frozen=True, slots=True)
class Remembered:
    """What became of a command; `position` is -1 until its record was read back."""

    position: int
    check: int
    reason: str = ""
    detail: str = ""


@dataclass(slots=True)
class _Closed:
    start_ms: int
    keys: "array[int]"
    positions: "array[int]"
    checks: "array[int]"
    refusals: dict[int, tuple[str, str]]

    def get(self, key: int) -> Remembered | None:
        index = bisect_left(self.keys, key)
        if index == len(self.keys) or self.keys[index] != key:
            return None
        reason, detail = self.refusals.get(key, ("", ""))
        return Remembered(self.positions[index], self.checks[index], reason, detail)


@dataclass(slots=True)
class CommandMemory:
    """The commands of one domain."""

    count: int = 0
    _open_start_ms: int = 0
    _open: dict[int, Remembered] = field(default_factory=dict)
    _closed: list[_Closed] = field(default_factory=list)

    def recall(self, command_id: str) -> Remembered | None:
        """Return what became of the command, or None when it is not remembered."""
        key = _key(command_id)
        found = self._open.get(key)
        if found is not None:
            return found
        for bucket in reversed(self._closed):
            found = bucket.get(key)
            if found is not None:
                return found
        return None

    def remember(self, command_id: str, remembered: Remembered, at_ms: int) -> None:
        """Remember a command decided at log time `at_ms`; forget what is older than the retention."""
        start_ms = at_ms - at_ms % BUCKET_MS
        if start_ms > self._open_start_ms:
            self._turn(start_ms)
        self._open[_key(command_id)] = remembered
        self.count += 1

    def confirm(self, command_id: str, position: int) -> None:
        """Note the position of a remembered command's record once it was accepted."""
        key = _key(command_id)
        found = self._open.get(key)
        if found is not None:
            self._open[key] = Remembered(position, found.check, found.reason, found.detail)
            return
        for bucket in reversed(self._closed):
            index = bisect_left(bucket.keys, key)
            if index < len(bucket.keys) and bucket.keys[index] == key:
                bucket.positions[index] = position
                return

    def _turn(self, start_ms: int) -> None:
        if self._open:
            self._closed.append(_close(self._open_start_ms, self._open))
        self._open, self._open_start_ms = {}, start_ms
        while self._closed and self._closed[0].start_ms + BUCKET_MS + RETENTION_MS <= start_ms:
            self.count -= len(self._closed.pop(0).keys)

    def dump(self) -> bytes:
        """Return everything in a canonical form."""
        buckets = [*self._closed, _close(self._open_start_ms, self._open)]
        return msgspec.msgpack.encode(
            [
                (
                    b.start_ms,
                    b.keys.tobytes(),
                    b.positions.tobytes(),
                    b.checks.tobytes(),
                    sorted(b.refusals.items()),
                )
                for b in buckets
            ]
        )

    @classmethod
    def load(cls, dumped: bytes) -> "CommandMemory":
        """Return the memory that `dump` wrote; raise `ValueError` when it cannot be read."""
        rows = msgspec.msgpack.decode(dumped, type=list[_Row])
        closed = [
            _Closed(
                start,
                _array("Q", keys),
                _array("q", positions),
                _array("I", checks),
                dict(refusals),
            )
            for start, keys, positions, checks, refusals in rows
        ]
        last = closed.pop()
        memory = cls(_open_start_ms=last.start_ms, _closed=closed)
        for key, position, check in zip(last.keys, last.positions, last.checks, strict=True):
            memory._open[key] = Remembered(position, check, *last.refusals.get(key, ("", "")))
        memory.count = len(last.keys) + sum(len(bucket.keys) for bucket in closed)
        return memory


_Row = tuple[int, bytes, bytes, bytes, list[tuple[int, tuple[str, str]]]]


def _key(command_id: str) -> int:
    return int.from_bytes(blake2b(command_id.encode(), digest_size=8).digest(), "little")


def _close(start_ms: int, entries: dict[int, Remembered]) -> _Closed:
    keys = sorted(entries)
    return _Closed(
        start_ms,
        array("Q", keys),
        array("q", (entries[key].position for key in keys)),
        array("I", (entries[key].check for key in keys)),
        {key: (entries[key].reason, entries[key].detail) for key in keys if entries[key].reason},
    )


def _array(typecode: str, data: bytes) -> "array[int]":
    values: array[int] = array(typecode)
    values.frombytes(data)
    return values
