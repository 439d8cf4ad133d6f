"""Reading one partition of Kafka: one consumer per cursor, assigned and placed by us, in no group."""

import asyncio
import time
from collections.abc import Callable, Sequence
from typing import Any

from aiokafka import AIOKafkaConsumer, ConsumerRecord, TopicPartition
from aiokafka.errors import (
    ConsumerStoppedError,
    CorruptRecordException,
    KafkaError,
    OffsetOutOfRangeError,
)

from huntgroup_eventlog.adapters.kafka_connection import MESSAGE_BYTES_MAX, KafkaConnection
from huntgroup_eventlog.port import LogCorruptError, LogRecord, LogUnavailableError


class KafkaReader:
    """The port's `Reader` on one partition, with a consumer of its own."""

    def __init__(
        self,
        connection: KafkaConnection,
        topic: str,
        partition: int,
        closed: Callable[["KafkaReader"], None],
    ) -> None:
        """Prepare a reader that tells `closed` when it is."""
        self._connection = connection
        self._tell_closed = closed
        self._partition = TopicPartition(topic, partition)
        self._name = f"{topic}[{partition}] on {connection.bootstrap_servers}"
        self._consumer = AIOKafkaConsumer(
            group_id=None,
            enable_auto_commit=False,
            auto_offset_reset="none",
            isolation_level="read_uncommitted",
            fetch_min_bytes=1,
            fetch_max_wait_ms=connection.fetch_max_wait_ms,
            max_partition_fetch_bytes=2 * MESSAGE_BYTES_MAX,
            **connection.common(),
        )
        self._position = 0
        self._near_damage = False
        self._answered_at = 0.0
        self._answer_seen: int | None = None
        self._closed = False
        self._log_closed = False

    async def start(self, position: int) -> None:
        """Connect, and begin at `position`, which the caller knows to exist; raises `LogUnavailableError`."""
        try:
            await self._consumer.start()
        except (KafkaError, OSError) as error:
            await self._consumer.stop()
            raise LogUnavailableError(f"{self._name} cannot be read: {error!r}") from error
        # Its tasks must have begun: aiokafka cannot stop a consumer before (the stop is taken for a cancellation).
        await asyncio.sleep(0)
        self._consumer.assign([self._partition])
        self._consumer.seek(self._partition, position)
        self._position = position
        self._answered_at = time.monotonic()

    async def read(self, limit: int, wait_ms: int) -> Sequence[LogRecord]:
        if self._closed:
            raise LogUnavailableError(f"the reader of {self._name} is closed")
        try:
            found = await self._get(limit, wait_ms)
        except ConsumerStoppedError:
            found = {}
        except OffsetOutOfRangeError as error:
            raise LogUnavailableError(
                f"{self._name} no longer has the records at the reader's position: {error!r}"
            ) from error
        except CorruptRecordException as error:
            raise LogCorruptError(
                f"the batch that begins here is not as it was written ({error})",
                topic=self._partition.topic,
                partition=self._partition.partition,
                position=self._position,
            ) from error
        except KafkaError as error:
            raise LogUnavailableError(f"{self._name} cannot be read: {error!r}") from error
        if not found:
            self._check_answered()
            return ()
        self._answered_at = time.monotonic()
        records = [_as_log_record(record) for record in found[self._partition]]
        self._position = records[-1].position + 1
        return records

    async def _get(self, limit: int, wait_ms: int) -> "dict[TopicPartition, list[Any]]":
        """Return what is next. aiokafka drops what it read before a damaged batch: there it is taken one by one."""
        if not self._near_damage:
            try:
                return await self._get_at_most(limit, wait_ms)
            except CorruptRecordException:
                self._near_damage = True
                self._consumer.seek(self._partition, self._position)
        return await self._get_at_most(1, max(wait_ms, 1_000))

    async def _get_at_most(self, limit: int, wait_ms: int) -> "dict[TopicPartition, list[Any]]":
        found: dict[TopicPartition, list[Any]] = await self._consumer.getmany(
            timeout_ms=wait_ms, max_records=limit
        )
        return found

    async def close(self) -> None:
        if not self._closed:
            self._closed = True
            self._tell_closed(self)
            await self._consumer.stop()

    async def close_with_log(self) -> None:
        """Close because the log is closed: a pending read says so."""
        self._log_closed = True
        await self.close()

    def _check_answered(self) -> None:
        """An empty read may mean that there is nothing, or that nobody answers; aiokafka does not say which."""
        if self._log_closed:
            raise LogUnavailableError(f"the log of {self._name} was closed")
        if self._closed:
            return
        seen = self._consumer.last_poll_timestamp(self._partition)
        now = time.monotonic()
        if seen != self._answer_seen:
            self._answer_seen = seen
            self._answered_at = now
        silent_ms = round((now - self._answered_at) * 1000)
        if silent_ms > self._connection.unanswered_ms_max + self._connection.fetch_max_wait_ms:
            raise LogUnavailableError(f"{self._name} has not answered for {silent_ms} ms")


def _as_log_record(record: "ConsumerRecord[Any, Any]") -> LogRecord:
    return LogRecord(
        position=record.offset,
        key=record.key or b"",
        value=record.value or b"",
        headers={name: value or b"" for name, value in record.headers} if record.headers else {},
    )
