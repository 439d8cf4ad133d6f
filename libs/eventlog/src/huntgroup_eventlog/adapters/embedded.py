"""The log of one machine: a SQLite file that one thread writes with group commit; who keeps up reads from memory.

`EmbeddedLog` owns a directory; `EmbeddedLog.open_read_only` looks into one, also while its owner runs.
"""

import asyncio
import sqlite3
import sys
from collections import deque
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from huntgroup_eventlog.adapters.arrivals import Arrivals
from huntgroup_eventlog.adapters.cursor import Cursor
from huntgroup_eventlog.adapters.embedded_file import (
    DamagedRowError,
    Durability,
    OwnerLock,
    failure,
    insert_topics,
    open_for_reading,
    open_for_writing,
    read_end,
    read_records,
    read_topics,
)
from huntgroup_eventlog.adapters.embedded_read_only import ReadOnlyEmbeddedLog
from huntgroup_eventlog.adapters.group_commit import GroupCommit, PendingAppend, PendingWork
from huntgroup_eventlog.adapters.header_bytes import pack_headers
from huntgroup_eventlog.adapters.limits import check_partition, check_topic_names, record_bytes
from huntgroup_eventlog.adapters.tail_cache import TailCache
from huntgroup_eventlog.port import (
    AppendFailedError,
    LogCorruptError,
    LogRecord,
    LogUnavailableError,
    NewRecord,
    Reader,
)


@dataclass(slots=True)
class _Stream:
    """One partition of one topic: `number` is its place in the file."""

    topic: str
    partition: int
    number: int
    next_position: int
    end: int


class EmbeddedLog:
    """The log port on a directory of this machine; one process at a time may own it.

    `durability` is what an acknowledged record survives: "power" (loss of the machine's power) or "process" (kill -9).
    Opening reads the file's state and blocks for some milliseconds, longer after a crash. Raises `LogUnavailableError`
    when another process owns the directory, or when the log has another number of partitions, `LogCorruptError`
    when its file is damaged.
    """

    def __init__(
        self,
        directory: Path | str,
        partitions: int,
        durability: Durability = "power",
        *,
        pending_records_max: int = 16_384,
        pending_bytes_max: int = 64 * 1_048_576,
        tail_bytes_max: int = 64 * 1_048_576,
    ) -> None:
        """Open the log.

        Beyond `pending_records_max` or `pending_bytes_max` on their way to the disk, appends wait for their turn.
        `tail_bytes_max` bounds the memory that the newest records of all partitions are kept in.
        """
        if partitions < 1:
            raise ValueError("a log has at least one partition")
        self._directory = Path(directory)
        self._partitions = partitions
        self._pending_records_max = pending_records_max
        self._pending_bytes_max = pending_bytes_max
        self._lock = OwnerLock(self._directory)
        try:
            connection = open_for_writing(self._directory, partitions, durability)
            self._reading = open_for_reading(self._directory)
        except BaseException:
            self._lock.release()
            raise
        self._tails = TailCache(tail_bytes_max)
        self._streams: dict[str, list[_Stream]] = {}
        try:
            for topic, topic_id in read_topics(connection).items():
                ends = [read_end(connection, number) for number in self._numbers(topic_id)]
                self._add_topic(topic, topic_id, ends)
        except sqlite3.Error as error:
            self._lock.release()
            raise failure(self._directory, error, "opened") from error
        self._writer = GroupCommit(connection, self._committed)
        self._read_thread = ThreadPoolExecutor(1, thread_name_prefix="eventlog-reader")
        self._arrivals = Arrivals()
        self._pending: dict[PendingAppend, None] = {}
        self._pending_bytes = 0
        self._gathering: list[PendingAppend] = []
        self._waiting: deque[PendingAppend] = deque()
        self._closed = False

    @staticmethod
    def open_read_only(directory: Path | str) -> ReadOnlyEmbeddedLog:
        """Open a log to look into it, also while another process owns it; raises `LogUnavailableError`."""
        return ReadOnlyEmbeddedLog(directory)

    @property
    def partitions(self) -> int:
        return self._partitions

    async def append(self, topic: str, partition: int, record: NewRecord) -> int:
        size = record_bytes(record)
        check_partition(partition, self._partitions)
        if self._closed:
            raise AppendFailedError("the log is closed; nothing was appended")
        streams = self._streams.get(topic)
        if streams is None:
            raise AppendFailedError(f"there is no topic {topic!r}: call ensure_topics first")
        stream = streams[partition]
        pending = PendingAppend(
            topic=topic,
            partition=partition,
            stream=stream.number,
            record=LogRecord(
                position=stream.next_position,
                key=record.key,
                value=record.value,
                # The names are the same in every record, and kept once.
                headers={sys.intern(name): value for name, value in record.headers.items()},
            ),
            packed_headers=pack_headers(record.headers),
            size=size,
            done=asyncio.get_running_loop().create_future(),
        )
        stream.next_position += 1
        if self._waiting or not self._has_room(pending):
            self._waiting.append(pending)
        else:
            self._gather(pending)
        return await pending.done

    async def reader(self, topic: str, partition: int, position: int) -> Reader:
        stream = self._stream(topic, partition)
        if position > stream.end:
            raise LogUnavailableError(
                f"{topic}[{partition}] ends at {stream.end}, before position {position}"
            )
        return Cursor(
            position,
            partial(self._fetch, stream),
            partial(self._arrivals.wait, topic, partition),
            partial(self._arrivals.announce, topic, partition),
        )

    async def end(self, topic: str, partition: int) -> int:
        return self._stream(topic, partition).end

    async def topics(self) -> Sequence[str]:
        self._check_open()
        return sorted(self._streams)

    async def ensure_topics(self, topics: Sequence[str]) -> None:
        self._check_open()
        check_topic_names(topics)
        if all(topic in self._streams for topic in topics):
            return
        done: asyncio.Future[object] = asyncio.get_running_loop().create_future()
        self._writer.submit(PendingWork(partial(insert_topics, topics=list(topics)), done))
        ids = await done
        assert isinstance(ids, dict)
        for topic, topic_id in ids.items():
            if topic not in self._streams:
                self._add_topic(topic, topic_id, [0] * self._partitions)

    async def close(self) -> None:
        if self._closed:
            return
        self._closed = True
        for pending in [*self._pending, *self._waiting]:
            _fail(pending, AppendFailedError("the log was closed; the outcome is unknown"))
        self._waiting.clear()
        self._arrivals.announce_all()
        await asyncio.to_thread(self._release)

    def _release(self) -> None:
        self._read_thread.shutdown()
        self._reading.close()
        self._writer.close()
        self._lock.release()

    def _numbers(self, topic_id: int) -> range:
        return range(topic_id * self._partitions, (topic_id + 1) * self._partitions)

    def _add_topic(self, topic: str, topic_id: int, ends: Sequence[int]) -> None:
        numbers = self._numbers(topic_id)
        self._streams[topic] = [
            _Stream(topic, partition, number, end, end)
            for partition, (number, end) in enumerate(zip(numbers, ends, strict=True))
        ]
        for number, end in zip(numbers, ends, strict=True):
            self._tails.start(number, end)

    def _check_open(self) -> None:
        if self._closed:
            raise LogUnavailableError(f"the log in {self._directory} is closed")

    def _stream(self, topic: str, partition: int) -> _Stream:
        self._check_open()
        check_partition(partition, self._partitions)
        streams = self._streams.get(topic)
        if streams is None:
            raise LogUnavailableError(f"there is no topic {topic!r}: call ensure_topics first")
        return streams[partition]

    async def _fetch(self, stream: _Stream, position: int, limit: int) -> Sequence[LogRecord]:
        self._check_open()
        if position >= stream.end:
            return ()
        found = self._tails.read(stream.number, position, limit)
        if found is not None:
            return found
        try:
            return await asyncio.get_running_loop().run_in_executor(
                self._read_thread, read_records, self._reading, stream.number, position, limit
            )
        except DamagedRowError as error:
            raise LogCorruptError(
                f"a record in {self._directory} is not as it was written (checksum)",
                topic=stream.topic,
                partition=stream.partition,
                position=error.position,
            ) from None
        except sqlite3.Error as error:
            raise failure(self._directory, error) from error

    def _has_room(self, pending: PendingAppend) -> bool:
        return not self._pending or (
            len(self._pending) < self._pending_records_max
            and self._pending_bytes + pending.size <= self._pending_bytes_max
        )

    def _gather(self, pending: PendingAppend) -> None:
        self._pending[pending] = None
        self._pending_bytes += pending.size
        if not self._gathering:
            # Handed over once per turn of the loop: what was appended together is written together.
            asyncio.get_running_loop().call_soon(self._hand_over)
        self._gathering.append(pending)

    def _hand_over(self) -> None:
        gathered, self._gathering = self._gathering, []
        if not self._closed:
            self._writer.submit(gathered)

    def _committed(self, batch: Sequence[PendingAppend], failure: Exception | None) -> None:
        for pending in batch:
            del self._pending[pending]
            self._pending_bytes -= pending.size
        if self._closed:
            return
        if failure is None:
            self._publish(batch)
        else:
            self._refuse(batch, failure)
        while self._waiting and self._has_room(self._waiting[0]):
            pending = self._waiting.popleft()
            if not pending.done.done():
                self._gather(pending)

    def _publish(self, batch: Sequence[PendingAppend]) -> None:
        changed: dict[tuple[str, int], None] = {}
        for pending in batch:
            record = pending.record
            self._streams[pending.topic][pending.partition].end = record.position + 1
            self._tails.add(pending.stream, record, pending.size)
            changed[pending.topic, pending.partition] = None
            if not pending.done.done():
                pending.done.set_result(record.position)
        for topic, partition in changed:
            self._arrivals.announce(topic, partition)

    def _refuse(self, batch: Sequence[PendingAppend], failure: Exception) -> None:
        for pending in batch:
            # What the file holds of these is unknown: let readers look there.
            stream = self._streams[pending.topic][pending.partition]
            self._tails.start(stream.number, stream.next_position)
            _fail(
                pending,
                AppendFailedError(f"the append to the log in {self._directory} failed: {failure}"),
            )


def _fail(pending: PendingAppend, error: AppendFailedError) -> None:
    if not pending.done.done():
        pending.done.set_exception(error)
