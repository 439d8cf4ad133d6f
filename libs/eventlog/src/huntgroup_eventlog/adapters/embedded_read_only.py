"""A look into an embedded log from outside: for auditing and for printing events, also while its owner runs."""

import asyncio
import sqlite3
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import TypeVar

from huntgroup_eventlog.adapters.cursor import Cursor
from huntgroup_eventlog.adapters.embedded_file import (
    DamagedRowError,
    failure,
    find_faults,
    open_for_reading,
    read_end,
    read_records,
    read_topics,
    stored_partitions,
)
from huntgroup_eventlog.adapters.limits import check_partition
from huntgroup_eventlog.port import (
    AppendFailedError,
    LogCorruptError,
    LogRecord,
    LogUnavailableError,
    NewRecord,
    Reader,
)

T = TypeVar("T")

POLL_INTERVAL_S = 0.05
"""How often a waiting reader looks at the file: no other process can wake it."""


class ReadOnlyEmbeddedLog:
    """The log port without appends: every append fails, and topics cannot be created."""

    def __init__(self, directory: Path | str) -> None:
        """Open the log; raises `LogUnavailableError`, `LogCorruptError`."""
        self._directory = Path(directory)
        self._connection = open_for_reading(self._directory)
        self._partitions = stored_partitions(self._connection)
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="eventlog-read-only")
        self._closed = False

    @property
    def partitions(self) -> int:
        return self._partitions

    async def append(self, topic: str, partition: int, record: NewRecord) -> int:
        raise AppendFailedError(
            f"the log in {self._directory} is open read-only:"
            f" nothing was appended to {topic}[{partition}] of {len(record.value)} bytes"
        )

    async def reader(self, topic: str, partition: int, position: int) -> Reader:
        stream = await self._stream(topic, partition)
        end = await self._in_thread(read_end, stream)
        if position > end:
            raise LogUnavailableError(
                f"{topic}[{partition}] ends at {end}, before position {position}"
            )

        async def fetch(at: int, limit: int) -> Sequence[LogRecord]:
            try:
                return await self._in_thread(read_records, stream, at, limit)
            except DamagedRowError as error:
                raise LogCorruptError(
                    f"a record in {self._directory} is not as it was written (checksum)",
                    topic=topic,
                    partition=partition,
                    position=error.position,
                ) from None

        return Cursor(position, fetch, _wait)

    async def end(self, topic: str, partition: int) -> int:
        return await self._in_thread(read_end, await self._stream(topic, partition))

    async def topics(self) -> Sequence[str]:
        return sorted(await self._in_thread(read_topics))

    async def ensure_topics(self, topics: Sequence[str]) -> None:
        missing = sorted(set(topics) - set(await self.topics()))
        if missing:
            raise LogUnavailableError(
                f"the log in {self._directory} is open read-only and lacks {', '.join(missing)}"
            )

    async def faults(self) -> Sequence[str]:
        """Return what is wrong with the structure of the file; takes a second for every few hundred megabytes."""
        return await self._in_thread(partial(find_faults, directory=self._directory))

    async def close(self) -> None:
        if not self._closed:
            self._closed = True
            await asyncio.to_thread(self._thread.shutdown)
            self._connection.close()

    async def _stream(self, topic: str, partition: int) -> int:
        check_partition(partition, self._partitions)
        ids = await self._in_thread(read_topics)
        if topic not in ids:
            raise LogUnavailableError(f"there is no topic {topic!r} in {self._directory}")
        return ids[topic] * self._partitions + partition

    async def _in_thread(self, read: Callable[..., T], *arguments: int) -> T:
        if self._closed:
            raise LogUnavailableError(f"the log in {self._directory} is closed")
        try:
            return await asyncio.get_running_loop().run_in_executor(
                self._thread, partial(read, self._connection, *arguments)
            )
        except sqlite3.Error as error:
            raise failure(self._directory, error) from error


async def _wait(timeout_s: float) -> None:
    await asyncio.sleep(min(timeout_s, POLL_INTERVAL_S))
