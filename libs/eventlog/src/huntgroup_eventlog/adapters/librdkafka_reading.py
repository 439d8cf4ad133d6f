"""Reading Kafka with librdkafka: one consumer and one thread for all readers of a log.

The consumer is in no group: partitions are assigned and placed by us. Its thread alone changes the assignment, so that
a record never reaches another reader than the one its partition was assigned for.
"""

import asyncio
import logging
import queue
import threading
import time
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from typing import Any, cast

from confluent_kafka import Consumer, KafkaError, KafkaException, Message, TopicPartition

from huntgroup_eventlog.adapters.kafka_connection import RECONNECT, KafkaConnection
from huntgroup_eventlog.port import LogCorruptError, LogRecord, LogUnavailableError

BUFFER_RECORDS_MAX = 8_192
BUFFER_BYTES_MAX = 8 * 1_048_576
"""A partition whose reader lags by so much is paused; it goes on when half of it is read."""

_LOG = logging.getLogger("huntgroup_eventlog.librdkafka")
_POLL_S = 0.02
_LEARN_S = 1.0
_FETCH_WAIT_MAX_MS = 100
"""A new reader waits for the fetch of all others to come back: so long at most."""
_POLL_RECORDS_MAX = 2_000

_Place = tuple[str, int]


class _Arrived:
    """What one poll brought for a reader: records, and what failed, if anything. Nothing counts after damage."""

    __slots__ = ("damage", "failure", "records")

    def __init__(self) -> None:
        self.records: list[LogRecord] = []
        self.failure: LogUnavailableError | None = None
        self.damage: LogCorruptError | None = None


class LibrdkafkaReader:
    """The port's `Reader` on one partition."""

    def __init__(
        self,
        place: _Place,
        position: int,
        consumer: "SharedConsumer",
        *,
        end: Callable[[str, int], Awaitable[int]],
        unanswered_ms_max: int,
        closed: Callable[["LibrdkafkaReader"], None],
    ) -> None:
        """Prepare a reader that tells `closed` when it is; `end` asks the broker for a partition's end."""
        self.place = place
        self.position = position
        self._consumer = consumer
        self._end = end
        self._tell_closed = closed
        self._unanswered_s_max = unanswered_ms_max / 1000
        self._buffer: deque[LogRecord] = deque()
        self._buffer_bytes = 0
        self._paused = False
        self._failure: LogUnavailableError | None = None
        self._damage: LogCorruptError | None = None
        self._arrived = asyncio.Event()
        self._heard_at = time.monotonic()
        self._asking: asyncio.Task[None] | None = None
        self._closed = False

    async def read(self, limit: int, wait_ms: int) -> Sequence[LogRecord]:
        if self._closed:
            raise self._failure or LogUnavailableError(f"the reader of {self.place} is closed")
        if not self._buffer and self._failure is None and self._damage is None:
            self._arrived.clear()
            with suppress(TimeoutError):
                async with asyncio.timeout(wait_ms / 1000):
                    await self._arrived.wait()
        if self._buffer:
            return self._take(limit)
        if self._damage is not None:
            raise self._damage
        if self._failure is not None:
            failure = self._failure
            # Not for good: the consumer tries again where it was, and so may the caller.
            self._failure = None if not self._closed else failure
            raise failure
        self._check_answered()
        return ()

    async def close(self) -> None:
        if not self._closed:
            self._closed = True
            self._arrived.set()
            if self._asking is not None:
                self._asking.cancel()
            self._tell_closed(self)
            self._consumer.leave(self)

    async def close_with_log(self) -> None:
        """Close because the log is closed: a pending read says so."""
        self._failure = LogUnavailableError(f"the log of {self.place} was closed")
        self._buffer.clear()
        await self.close()

    def deliver(self, arrived: _Arrived) -> None:
        """Take what came for this partition; called on the event loop, in order."""
        if self._closed or self._damage is not None:
            return
        self._failure, self._damage = arrived.failure, arrived.damage
        self._buffer.extend(arrived.records)
        self._buffer_bytes += sum(len(each.value) for each in arrived.records)
        if not self._paused and (self._damage is not None or self._is_over(1)):
            self._paused = True
            self._consumer.pause(self)
        self._heard_at = time.monotonic()
        self._arrived.set()

    def _take(self, limit: int) -> list[LogRecord]:
        buffer = self._buffer
        taken = [buffer.popleft() for _ in range(min(limit, len(buffer)))]
        self._buffer_bytes -= sum(len(each.value) for each in taken)
        self.position = taken[-1].position + 1
        if self._paused and self._damage is None and not self._is_over(2):
            self._paused = False
            self._consumer.resume(self)
        return taken

    def _is_over(self, divisor: int) -> bool:
        return (
            len(self._buffer) * divisor > BUFFER_RECORDS_MAX
            or self._buffer_bytes * divisor > BUFFER_BYTES_MAX
        )

    def _check_answered(self) -> None:
        """Nothing may mean that there is nothing, or that nobody answers: ask the broker from time to time."""
        silent_s = time.monotonic() - self._heard_at
        if not self._closed and self._asking is None and silent_s > self._unanswered_s_max:
            self._asking = asyncio.get_running_loop().create_task(self._ask())

    async def _ask(self) -> None:
        try:
            end = await self._end(*self.place)
            if end > self.position and not self._buffer:
                raise LogUnavailableError(
                    f"{self.place} ends at {end}, but nothing comes from {self.position} on"
                )
        except LogUnavailableError as error:
            self._failure = error
            self._arrived.set()
        finally:
            self._heard_at = time.monotonic()
            self._asking = None


class SharedConsumer:
    """One consumer, its thread, and the readers it serves: at most one per partition."""

    def __init__(self, connection: KafkaConnection) -> None:
        self._consumer = Consumer(
            {
                "bootstrap.servers": connection.bootstrap_servers,
                "group.id": "huntgroup-no-group",  # must be given; without subscriptions it is not joined
                "enable.auto.commit": False,
                "enable.auto.offset.store": False,
                "auto.offset.reset": "error",
                "check.crcs": True,
                "isolation.level": "read_uncommitted",
                "fetch.min.bytes": 1,
                "fetch.wait.max.ms": min(connection.fetch_max_wait_ms, _FETCH_WAIT_MAX_MS),
                "fetch.error.backoff.ms": 1,  # an empty fetch counts as one, too
                "fetch.queue.backoff.ms": 1,
                "queued.min.messages": 2_000,
                "queued.max.messages.kbytes": 8_192,
                "socket.nagle.disable": True,
                **RECONNECT,
                "socket.timeout.ms": max(connection.request_timeout_ms, 1_000),
                **connection.librdkafka_options,
            },
            logger=_LOG,
        )
        self._loop = asyncio.get_running_loop()
        self._readers: dict[_Place, LibrdkafkaReader] = {}
        self._changes: queue.SimpleQueue[Callable[[], None]] = queue.SimpleQueue()
        self._known: set[str] = set()
        self._stopping = False
        self.places: set[_Place] = set()
        """What is read here or about to be; belongs to the event loop."""
        self._thread = threading.Thread(target=self._run, name="eventlog-kafka-in", daemon=True)
        self._thread.start()

    def join(self, reader: LibrdkafkaReader) -> None:
        """Begin to serve a reader at its position."""
        self.places.add(reader.place)

        def assign() -> None:
            self._learn(reader.place[0])
            self._readers[reader.place] = reader
            self._consumer.incremental_assign([TopicPartition(*reader.place, reader.position)])

        self._changes.put(assign)

    def leave(self, reader: LibrdkafkaReader) -> None:
        """Stop serving a reader."""

        def unassign() -> None:
            del self._readers[reader.place]
            self._consumer.incremental_unassign([TopicPartition(*reader.place)])
            with suppress(RuntimeError):
                self._loop.call_soon_threadsafe(self.places.discard, reader.place)

        self._changes.put(unassign)

    def pause(self, reader: LibrdkafkaReader) -> None:
        """Fetch no more for a reader for now."""
        self._change_if_read(reader, self._consumer.pause)

    def resume(self, reader: LibrdkafkaReader) -> None:
        """Undo `pause`."""
        self._change_if_read(reader, self._consumer.resume)

    async def close(self) -> None:
        """End the thread and the consumer."""
        self._stopping = True
        await asyncio.to_thread(self._thread.join)

    def _learn(self, topic: str) -> None:
        """Ask for a topic's leaders now: by itself the consumer would look for them up to a second later.

        Not from another thread: it would wait for ever for a moment in which this one does not poll.
        """
        if topic not in self._known:
            self._known.add(topic)
            with suppress(KafkaException):
                self._consumer.list_topics(topic, _LEARN_S)

    def _change_if_read(
        self, reader: LibrdkafkaReader, change: Callable[[list[TopicPartition]], None]
    ) -> None:
        def apply() -> None:
            if self._readers.get(reader.place) is reader:
                change([TopicPartition(*reader.place)])

        self._changes.put(apply)

    def _run(self) -> None:
        while not self._stopping:
            while not self._changes.empty():
                with suppress(KafkaException):
                    self._changes.get()()
            message = self._consumer.poll(_POLL_S)
            if message is not None:
                self._hand_over([message, *self._consumer.consume(_POLL_RECORDS_MAX, 0)])
        self._consumer.close()

    def _hand_over(self, messages: "Sequence[Message[Any, Any]]") -> None:
        arrived: dict[LibrdkafkaReader, _Arrived] = {}
        for message in messages:
            reader = self._readers.get((message.topic() or "", message.partition() or 0))
            if reader is None:
                continue
            mine = arrived.setdefault(reader, _Arrived())
            error = message.error()
            if mine.damage is not None:
                continue
            if error is None:
                mine.records.append(_as_log_record(message))
            elif error.code() == KafkaError._BAD_MSG:  # noqa: SLF001 - librdkafka's own codes begin so
                mine.damage = _damage(reader.place, message, error)
            else:
                mine.failure = LogUnavailableError(f"{reader.place} cannot be read: {error}")
        if arrived:
            with suppress(RuntimeError):
                self._loop.call_soon_threadsafe(_deliver, arrived)


def _deliver(arrived: dict[LibrdkafkaReader, _Arrived]) -> None:
    for reader, what in arrived.items():
        reader.deliver(what)


def _damage(place: _Place, message: "Message[Any, Any]", error: KafkaError) -> LogCorruptError:
    topic, partition = place
    return LogCorruptError(
        f"the batch that begins here is not as it was written ({error.str()})",
        topic=topic,
        partition=partition,
        position=message.offset() or 0,
    )


def _as_log_record(message: "Message[Any, Any]") -> LogRecord:
    headers = cast("list[tuple[str, bytes | None]] | None", message.headers())
    return LogRecord(
        position=message.offset() or 0,
        key=message.key() or b"",
        value=message.value() or b"",
        headers={name: value or b"" for name, value in headers or ()},
    )
