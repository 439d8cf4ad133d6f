"""The newest records of every partition in memory, so that whoever keeps up reads without SQL."""

import bisect
from collections import deque
from collections.abc import Sequence

from huntgroup_eventlog.port import LogRecord

_RECORD_OVERHEAD_BYTES = 400
"""About what a record costs in memory beside its contents (CPython 3.11)."""

_HEADER_OVERHEAD_BYTES = 60
"""The same of one header: its value is an object; its name is shared."""

_COMPACT_AT = 256
"""Evicted places are given back in steps of at least so many, to keep eviction cheap."""


class _Tail:
    """The newest records of one partition: every one at or after `complete_from`."""

    __slots__ = ("complete_from", "first", "positions", "records", "sizes")

    def __init__(self, complete_from: int) -> None:
        self.complete_from = complete_from
        self.first = 0
        self.positions: list[int] = []
        self.records: list[LogRecord | None] = []
        self.sizes: list[int] = []

    def drop_first(self) -> int:
        """Evict the oldest record; return its size."""
        size = self.sizes[self.first]
        self.complete_from = max(self.complete_from, self.positions[self.first] + 1)
        self.records[self.first] = None
        self.first += 1
        if self.first >= _COMPACT_AT and self.first * 2 >= len(self.records):
            del self.positions[: self.first], self.records[: self.first], self.sizes[: self.first]
            self.first = 0
        return size


class TailCache:
    """Newest records per stream (a number for topic and partition), bounded by `bytes_max` over all streams.

    What entered first leaves first, whatever its stream: an idle partition holds no memory that a busy one needs.
    """

    def __init__(self, bytes_max: int) -> None:
        self._bytes_max = bytes_max
        self._bytes = 0
        self._tails: dict[int, _Tail] = {}
        self._entered: deque[_Tail] = deque()

    @property
    def bytes_held(self) -> int:
        """How many bytes the records held here take, overhead included."""
        return self._bytes

    def start(self, stream: int, position: int) -> None:
        """Count the stream as complete from `position` on; what was held of it before is forgotten."""
        self._tails[stream] = _Tail(position)

    def add(self, stream: int, record: LogRecord, size: int) -> None:
        """Append the stream's newest record; `size` is that of its contents, in bytes."""
        tail = self._tails[stream]
        held = size + _RECORD_OVERHEAD_BYTES + len(record.headers) * _HEADER_OVERHEAD_BYTES
        tail.positions.append(record.position)
        tail.records.append(record)
        tail.sizes.append(held)
        self._entered.append(tail)
        self._bytes += held
        while self._bytes > self._bytes_max:
            self._bytes -= self._entered.popleft().drop_first()

    def read(self, stream: int, position: int, limit: int) -> Sequence[LogRecord] | None:
        """Return up to `limit` records at or after `position`, or None when older ones must be fetched elsewhere."""
        tail = self._tails[stream]
        if position < tail.complete_from:
            return None
        start = bisect.bisect_left(tail.positions, position, lo=tail.first)
        found = tail.records[start : start + limit]
        return [record for record in found if record is not None]
