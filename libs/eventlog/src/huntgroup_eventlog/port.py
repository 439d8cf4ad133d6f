"""The log port: an append-only log of topics with numbered partitions.

Everything above it (the journal, the relay, the auditor) needs no more of a broker than this, so that memory,
SQLite and Kafka are interchangeable. It promises less than a broker does: an append may be lost, late or
duplicated, and its outcome may be unknown. What is read is the truth; positions grow, but need not be dense.
"""

from collections.abc import Awaitable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

RECORD_BYTES_MAX = 1_048_576
"""A record's value may hold this many bytes on every adapter (Kafka's default limit); journals stay at half of it."""

KEY_AND_HEADERS_BYTES_MAX = 65_536
"""A record's key, header names (UTF-8) and header values may hold this many bytes together, on every adapter."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LogRecord:
    """One record as it was read: `position` is unique and growing within (topic, partition)."""

    position: int
    key: bytes
    value: bytes
    headers: Mapping[str, bytes] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class NewRecord:
    """One record to append."""

    key: bytes
    value: bytes
    headers: Mapping[str, bytes] = field(default_factory=dict)


class AppendFailedError(Exception):
    """The append failed, or its outcome is unknown: only reading tells. The writer must stop and read again."""


class RecordTooLargeError(ValueError):
    """The record exceeds `RECORD_BYTES_MAX` or `KEY_AND_HEADERS_BYTES_MAX`; nothing was appended."""


class LogUnavailableError(Exception):
    """The log cannot be opened or read at the moment; the message names the address or directory and the reason."""


class LogCorruptError(Exception):
    """A record, or the file around it, is not as it was written: nothing after it may be relied on.

    No `LogUnavailableError`: reading again does not help, and whoever reads must stop and say so.
    """

    def __init__(
        self, why: str, *, topic: str = "", partition: int = -1, position: int = -1
    ) -> None:
        """Say why; `topic`, `partition` and `position` name the record, where one is to blame."""
        place = f"{topic}[{partition}] at {position}: " if topic else ""
        super().__init__(f"{place}{why}")
        self.why = why
        self.topic = topic
        self.partition = partition
        self.position = position


class Reader(Protocol):
    """A cursor on one partition. Not safe for use by two tasks at once."""

    async def read(self, limit: int, wait_ms: int) -> Sequence[LogRecord]:
        """Return up to `limit` next records in order; wait up to `wait_ms` for the first, then return an empty list.

        Raises `LogUnavailableError` when the log cannot be read; the cursor has not moved then. Raises
        `LogCorruptError` at a record that is damaged, once those before it were returned, and again at every call.
        """
        ...

    async def close(self) -> None:
        """Free the cursor; a pending `read` ends with an empty list, a later one raises `LogUnavailableError`."""
        ...


class Log(Protocol):
    """A log that any number of processes may append to and read."""

    @property
    def partitions(self) -> int:
        """How many partitions every topic has (the same for all, so that domains are co-partitioned)."""
        ...

    def append(self, topic: str, partition: int, record: NewRecord) -> Awaitable[int]:
        """Append one record atomically; what is returned gives its position once it is durable.

        Await it, or make a future of it, at once: some adapters begin at the call, some only then. Calls that overlap
        are appended to a partition in the order of the calls. At the adapter's bound of pending appends the call
        waits. Awaiting raises `RecordTooLargeError` (nothing done) or `AppendFailedError` (outcome unknown;
        also for a topic that does not exist, and on a closed log).
        """
        ...

    async def reader(self, topic: str, partition: int, position: int) -> Reader:
        """Open a cursor whose first record is the first one at or after `position` (0 = from the beginning).

        Raises `LogUnavailableError` when the topic does not exist, when records at `position` are no longer kept,
        or when the partition ends before `position` (it is not the log that the position was taken from).
        """
        ...

    async def end(self, topic: str, partition: int) -> int:
        """Return the position after the last readable record: everything below it can be read now.

        Raises `LogUnavailableError`; also when the topic does not exist.
        """
        ...

    async def topics(self) -> Sequence[str]:
        """Return the names of the topics that exist, sorted."""
        ...

    async def ensure_topics(self, topics: Sequence[str]) -> None:
        """Create the topics that do not exist yet, with `partitions` partitions each; then they can be used.

        Raises `LogUnavailableError` when one exists with another number, `ValueError` for a name Kafka would refuse.
        """
        ...

    async def close(self) -> None:
        """Release the log; pending appends fail with `AppendFailedError`, pending and later reads with
        `LogUnavailableError`.
        """
        ...
