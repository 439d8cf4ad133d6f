"""The log in memory: for simulation and tests, with the faults a real log may show, injected by seed."""

import asyncio
import bisect
import random
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

from huntgroup_eventlog.adapters.arrivals import Arrivals
from huntgroup_eventlog.adapters.cursor import Cursor
from huntgroup_eventlog.adapters.limits import check_partition, check_topic_names, record_bytes
from huntgroup_eventlog.port import (
    AppendFailedError,
    LogRecord,
    LogUnavailableError,
    NewRecord,
    Reader,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Faults:
    """How often what goes wrong: probabilities per mille of appends (`slow_read`: of reads), all drawn from `seed`.

    The port allows all but the two last: a journal must be safe under those, too, since it trusts only what it reads,
    but they break the promise of `append` and are therefore for tests that say so.
    """

    seed: int
    lost: int = 0
    """Not appended; the caller is told that the outcome is unknown."""
    late: int = 0
    """The caller is told that the outcome is unknown; appended after 0 to `late_by_max` later appends."""
    duplicated: int = 0
    """Appended, and once more after 0 to `late_by_max` later appends."""
    slow_read: int = 0
    """The read returns fewer records than there are, perhaps none."""
    gap: int = 0
    """A position is skipped before the record, as Kafka does for its control records."""
    late_by_max: int = 5
    """Upper limit, in later appends to the same partition, of every delay."""
    late_acked: int = 0
    """As `late`, but the caller is told a position, which the record will not have (breaks the port)."""
    lost_acked: int = 0
    """As `lost`, but the caller is told a position (breaks the port)."""


@dataclass(slots=True)
class _Late:
    """A record on its way: appended when `appends_left` reaches zero."""

    record: NewRecord
    appends_left: int


class _Stream:
    """The records of one partition of one topic."""

    __slots__ = ("end", "late", "positions", "records")

    def __init__(self) -> None:
        self.records: list[LogRecord] = []
        self.positions: list[int] = []
        self.late: list[_Late] = []
        self.end = 0


class MemoryPartitions:
    """The records themselves, without asyncio: what a seeded scheduler drives, step by step.

    Equal calls in equal order give equal results, whatever the faults.
    """

    def __init__(self, partitions: int, faults: Faults | None = None) -> None:
        self.partitions = partitions
        self.faults = faults or Faults(seed=0)
        self.injected: Counter[str] = Counter()
        """How often each fault struck, by its name."""
        self._random = random.Random(self.faults.seed)  # noqa: S311 - a simulation must repeat
        self._streams: dict[str, list[_Stream]] = {}
        self._listeners: list[Callable[[str, int], None]] = []

    def ensure_topics(self, topics: Sequence[str]) -> None:
        """Create the topics that do not exist yet."""
        check_topic_names(topics)
        for topic in topics:
            if topic not in self._streams:
                self._streams[topic] = [_Stream() for _ in range(self.partitions)]

    def topics(self) -> list[str]:
        """Return the names of the topics, sorted."""
        return sorted(self._streams)

    def append_now(self, topic: str, partition: int, record: NewRecord) -> int | None:
        """Append, unless a fault strikes; return the position the caller is told, None for an unknown outcome.

        Raises `RecordTooLargeError`, or `LogUnavailableError` when there is no such topic.
        """
        record_bytes(record)
        stream = self._stream(topic, partition)
        told = self._append_or_fail(stream, record)
        self._bring_due(stream)
        self._announce(topic, partition)
        return told

    def read_now(self, topic: str, partition: int, position: int, limit: int) -> list[LogRecord]:
        """Return up to `limit` records at or after `position`; with `slow_read` perhaps fewer than there are."""
        stream = self._stream(topic, partition)
        first = bisect.bisect_left(stream.positions, position)
        found = stream.records[first : first + limit]
        if found and self._strikes("slow_read"):
            return found[: self._random.randrange(len(found))]
        return found

    def records_from(self, topic: str, partition: int, position: int) -> list[LogRecord]:
        """Return all records at or after `position`, whatever the faults: for who watches a simulation."""
        stream = self._stream(topic, partition)
        return stream.records[bisect.bisect_left(stream.positions, position) :]

    def end_now(self, topic: str, partition: int) -> int:
        """Return the position after the last record."""
        return self._stream(topic, partition).end

    def late_now(self, topic: str, partition: int) -> int:
        """Return how many records are on their way to the partition."""
        return len(self._stream(topic, partition).late)

    def deliver_late(self, topic: str, partition: int) -> int:
        """Append every record that is on its way, in the order of the calls; return how many there were."""
        stream = self._stream(topic, partition)
        late, stream.late = stream.late, []
        for each in late:
            self._put(stream, each.record)
        if late:
            self._announce(topic, partition)
        return len(late)

    def listen(self, listener: Callable[[str, int], None]) -> None:
        """Have `listener(topic, partition)` called after each change of a partition."""
        self._listeners.append(listener)

    def unlisten(self, listener: Callable[[str, int], None]) -> None:
        """Undo `listen`."""
        self._listeners.remove(listener)

    def _stream(self, topic: str, partition: int) -> _Stream:
        check_partition(partition, self.partitions)
        streams = self._streams.get(topic)
        if streams is None:
            raise LogUnavailableError(f"there is no topic {topic!r}: call ensure_topics first")
        return streams[partition]

    def _strikes(self, fault: str) -> bool:
        per_mille: int = getattr(self.faults, fault)
        # No draw for a fault that cannot happen, so that adding a fault does not change older seeds.
        struck = per_mille > 0 and self._random.randrange(1000) < per_mille
        if struck:
            self.injected[fault] += 1
        return struck

    def _append_or_fail(self, stream: _Stream, record: NewRecord) -> int | None:
        if self._strikes("lost"):
            return None
        if self._strikes("late"):
            self._delay(stream, record)
            return None
        if self._strikes("lost_acked"):
            return stream.end
        if self._strikes("late_acked"):
            told = stream.end
            self._delay(stream, record)
            return told
        position = self._put(stream, record)
        if self._strikes("duplicated"):
            self._delay(stream, record)
        return position

    def _delay(self, stream: _Stream, record: NewRecord) -> None:
        # One more than drawn: the append that is under way counts down as well.
        appends_left = self._random.randint(0, self.faults.late_by_max) + 1
        stream.late.append(_Late(record, appends_left))

    def _bring_due(self, stream: _Stream) -> None:
        if not stream.late:
            return
        for each in stream.late:
            each.appends_left -= 1
        due = [each for each in stream.late if each.appends_left <= 0]
        stream.late = [each for each in stream.late if each.appends_left > 0]
        for each in due:
            self._put(stream, each.record)

    def _put(self, stream: _Stream, record: NewRecord) -> int:
        position = stream.end + 1 if self._strikes("gap") else stream.end
        stream.records.append(
            LogRecord(
                position=position,
                key=record.key,
                value=record.value,
                headers=dict(record.headers),
            )
        )
        stream.positions.append(position)
        stream.end = position + 1
        return position

    def _announce(self, topic: str, partition: int) -> None:
        for listener in self._listeners:
            listener(topic, partition)


class MemoryLog:
    """The log port over `MemoryPartitions`. Several logs on one `storage` act as several processes on one broker."""

    def __init__(
        self,
        partitions: int,
        faults: Faults | None = None,
        *,
        storage: MemoryPartitions | None = None,
    ) -> None:
        if storage is not None and (storage.partitions != partitions or faults is not None):
            raise ValueError("a shared storage has its own number of partitions and faults")
        self.storage = storage or MemoryPartitions(partitions, faults)
        self._arrivals = Arrivals()
        self._closed = False
        self.storage.listen(self._arrivals.announce)

    @property
    def partitions(self) -> int:
        return self.storage.partitions

    async def append(self, topic: str, partition: int, record: NewRecord) -> int:
        if self._closed:
            raise AppendFailedError("the log is closed; nothing was appended")
        try:
            position = self.storage.append_now(topic, partition, record)
        except LogUnavailableError as error:
            raise AppendFailedError(str(error)) from error
        # The others get a turn, as with every real log: code that never waits would hide its races here.
        await asyncio.sleep(0)
        if position is None:
            raise AppendFailedError(f"the outcome of an append to {topic}[{partition}] is unknown")
        return position

    async def reader(self, topic: str, partition: int, position: int) -> Reader:
        end = await self.end(topic, partition)
        if position > end:
            raise LogUnavailableError(
                f"{topic}[{partition}] ends at {end}, before position {position}"
            )

        async def fetch(at: int, limit: int) -> Sequence[LogRecord]:
            self._check_open()
            return self.storage.read_now(topic, partition, at, limit)

        async def wait(timeout_s: float) -> None:
            # A slow read left records behind, and nobody will announce them: look again soon.
            slow = self.storage.faults.slow_read > 0
            await self._arrivals.wait(
                topic, partition, min(timeout_s, 0.001 if slow else timeout_s)
            )

        return Cursor(position, fetch, wait, partial(self._arrivals.announce, topic, partition))

    async def end(self, topic: str, partition: int) -> int:
        self._check_open()
        return self.storage.end_now(topic, partition)

    async def topics(self) -> Sequence[str]:
        self._check_open()
        return self.storage.topics()

    async def ensure_topics(self, topics: Sequence[str]) -> None:
        self._check_open()
        self.storage.ensure_topics(topics)

    async def close(self) -> None:
        if not self._closed:
            self._closed = True
            self.storage.unlisten(self._arrivals.announce)
            self._arrivals.announce_all()

    def _check_open(self) -> None:
        if self._closed:
            raise LogUnavailableError("the log is closed")
