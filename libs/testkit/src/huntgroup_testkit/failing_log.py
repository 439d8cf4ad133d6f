"""A log that can be away for a while: what a broker's outage looks like through the port."""

import asyncio
from collections.abc import Sequence

from huntgroup_eventlog.port import (
    AppendFailedError,
    Log,
    LogCorruptError,
    LogRecord,
    LogUnavailableError,
    NewRecord,
    Reader,
)

READ_WAIT_MS_MAX = 50


class FailingLog:
    """Passes everything on to another log, unless it is `away`, or the topic is one that cannot be opened."""

    def __init__(self, log: Log) -> None:
        self.away = False
        self.cannot_open = ""
        """Readers of topics whose name holds this cannot be opened."""
        self.damaged = ""
        """Topics whose name holds this have a record at their readers' next position that is not as it was written."""
        self.held = False
        """Readers get nothing for now, as in a process that does not run: it hears late, and knows of nothing."""
        self._log = log

    @property
    def partitions(self) -> int:
        """As the log behind."""
        return self._log.partitions

    async def append(self, topic: str, partition: int, record: NewRecord) -> int:
        """Append, unless away."""
        if self.away:
            raise AppendFailedError("the log is away")
        return await self._log.append(topic, partition, record)

    async def reader(self, topic: str, partition: int, position: int) -> Reader:
        """Open a cursor, unless away."""
        self._check()
        if self.cannot_open and self.cannot_open in topic:
            raise LogUnavailableError(f"{topic} cannot be opened")
        return _FailingReader(self, topic, await self._log.reader(topic, partition, position))

    async def end(self, topic: str, partition: int) -> int:
        """Return the end, unless away."""
        self._check()
        return await self._log.end(topic, partition)

    async def topics(self) -> Sequence[str]:
        """Return the topics."""
        return await self._log.topics()

    async def ensure_topics(self, topics: Sequence[str]) -> None:
        """Create topics, unless away."""
        self._check()
        await self._log.ensure_topics(topics)

    async def close(self) -> None:
        """Close the log behind."""
        await self._log.close()

    def _check(self) -> None:
        if self.away:
            raise LogUnavailableError("the log is away")


class _FailingReader:
    def __init__(self, log: FailingLog, topic: str, reader: Reader) -> None:
        self._log = log
        self._topic = topic
        self._reader = reader

    async def read(self, limit: int, wait_ms: int) -> Sequence[LogRecord]:
        if self._log.away:
            raise LogUnavailableError("the log is away")
        records = await self._reader.read(limit, min(wait_ms, READ_WAIT_MS_MAX))
        while self._log.held:  # noqa: ASYNC110 - a test sets it
            await asyncio.sleep(READ_WAIT_MS_MAX / 1_000)
        if self._log.away:
            raise LogUnavailableError("the log is away")
        if self._log.damaged and self._log.damaged in self._topic:
            raise LogCorruptError("not as it was written", topic=self._topic)
        return records

    async def close(self) -> None:
        await self._reader.close()
