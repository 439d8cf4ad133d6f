"""Reading Kafka with librdkafka: one consumer for all readers of a log.

The consumer is in no group: partitions are assigned and placed by us. The event loop's thread takes what was fetched,
woken by the client itself: each change of threads on the way would be as dear as a tenth of the whole way.
"""

import asyncio
import logging
import time
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from typing import Any, cast

from confluent_kafka import Consumer, KafkaError, KafkaException, Message, TopicPartition

from huntgroup_eventlog.adapters.kafka_connection import RECONNECT, KafkaConnection
from huntgroup_eventlog.adapters.librdkafka_wakeups import Wakeups
from huntgroup_eventlog.port import LogCorruptError, LogRecord, LogUnavailableError

BUFFER_RECORDS_MAX = 8_192
BUFFER_BYTES_MAX = 8 * 1_048_576
"""A partition whose reader lags by so much is paused; it goes on when half of it is read."""

_LOG = logging.getLogger("huntgroup_eventlog.librdkafka")
_IDLE_S = 0.2
_LEARN_S = 1.0
_FETCH_WAIT_MAX_MS = 20
"""A new reader waits for the fetch of all others to come back: so long at most."""
_FETCH_RECORDS_MAX = 500

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
        self._waiting: asyncio.Future[None] | None = None
        self._until_s = 0.0
        self._timer: asyncio.TimerHandle | None = None
        self._heard_at = time.monotonic()
        self._asking: asyncio.Task[None] | None = None
        self._closed = False

    async def read(self, limit: int, wait_ms: int) -> Sequence[LogRecord]:
        if self._closed:
            raise self._failure or LogUnavailableError(f"the reader of {self.place} is closed")
        if not self._buffer and self._failure is None and self._damage is None:
            await self._wait(wait_ms / 1000)
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

    async def _wait(self, timeout_s: float) -> None:
        """Return when something came, at the latest after `timeout_s`.

        The timer of an earlier wait is kept and put off: to start and stop one for each record would cost more.
        """
        loop = asyncio.get_running_loop()
        self._waiting = waiting = loop.create_future()
        self._until_s = loop.time() + timeout_s
        if self._timer is None or self._timer.when() > self._until_s:
            self._set_timer(loop)
        await waiting

    def _set_timer(self, loop: asyncio.AbstractEventLoop) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._timer = loop.call_at(self._until_s, self._time_over, loop)

    def _time_over(self, loop: asyncio.AbstractEventLoop) -> None:
        self._timer = None
        if self._waiting is None or self._waiting.done():
            return
        if loop.time() < self._until_s:
            self._set_timer(loop)
        else:
            self._wake()

    def _wake(self) -> None:
        if self._waiting is not None and not self._waiting.done():
            self._waiting.set_result(None)

    async def close(self) -> None:
        if not self._closed:
            self._closed = True
            self._wake()
            if self._timer is not None:
                self._timer.cancel()
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
        self._wake()

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
            self._wake()
        finally:
            self._heard_at = time.monotonic()
            self._asking = None


class SharedConsumer:
    """One consumer and the readers it serves: at most one per partition. Belongs to the event loop."""

    def __init__(self, connection: KafkaConnection, fetched: Callable[[], None]) -> None:
        """Connect; `fetched` is called whenever something came."""
        self._tell_fetched = fetched
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
        self._known: set[str] = set()
        self._closing = False
        self.places: set[_Place] = set()
        """What is read here or about to be."""
        try:
            self._wakeups = Wakeups(self._consumer, self._fetch)
        except LogUnavailableError:
            self._consumer.close()
            raise
        self._again: asyncio.Handle = self._loop.call_soon(self._look)

    async def join(self, reader: LibrdkafkaReader) -> None:
        """Begin to serve a reader at its position. Raises `LogUnavailableError`."""
        self.places.add(reader.place)
        await self._learn(reader.place[0])
        if self._closing:
            raise LogUnavailableError(f"the log of {reader.place} was closed")
        self._readers[reader.place] = reader
        try:
            self._consumer.incremental_assign([TopicPartition(*reader.place, reader.position)])
        except KafkaException as error:
            raise LogUnavailableError(f"{reader.place} cannot be read: {error}") from error

    def leave(self, reader: LibrdkafkaReader) -> None:
        """Stop serving a reader."""
        if self._readers.get(reader.place) is reader:
            del self._readers[reader.place]
            with suppress(KafkaException):
                self._consumer.incremental_unassign([TopicPartition(*reader.place)])
        self.places.discard(reader.place)

    def pause(self, reader: LibrdkafkaReader) -> None:
        """Fetch no more for a reader for now."""
        with suppress(KafkaException):
            self._consumer.pause([TopicPartition(*reader.place)])

    def resume(self, reader: LibrdkafkaReader) -> None:
        """Undo `pause`."""
        with suppress(KafkaException):
            self._consumer.resume([TopicPartition(*reader.place)])

    async def close(self) -> None:
        """End the consumer; its readers are closed already."""
        self._closing = True
        self._again.cancel()
        self._wakeups.stop()
        await asyncio.to_thread(self._consumer.close)
        self._wakeups.close()

    async def _learn(self, topic: str) -> None:
        """Ask for a topic's leaders now: by itself the consumer would look for them up to a second later."""
        if topic not in self._known:
            self._known.add(topic)
            with suppress(KafkaException):
                await asyncio.to_thread(self._consumer.list_topics, topic, _LEARN_S)

    def _look(self) -> None:
        """Take what there is, and look again later: the client has things to tell also when nothing comes."""
        self._again = self._loop.call_later(_IDLE_S, self._look)
        self._fetch()

    def _fetch(self) -> None:
        messages = self._consumer.consume(_FETCH_RECORDS_MAX, 0)
        if len(messages) == _FETCH_RECORDS_MAX and not self._closing:
            # Nobody tells again of what is left; but others have their turn first.
            self._again.cancel()
            self._again = self._loop.call_soon(self._look)
        if messages:
            self._hand_over(messages)
            # After those who read: they are in a hurry.
            self._loop.call_soon(self._tell_fetched)

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
