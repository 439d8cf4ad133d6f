"""Appending to Kafka with librdkafka's idempotent producer and one thread that hears what became of the records.

Unlike aiokafka's, this producer fails a record whose time is over, starts a new sequence after it by itself, and keeps
the order of a partition throughout; only after a fatal error it must be replaced.
"""

import asyncio
import logging
import threading
import time
from collections.abc import Awaitable, Callable
from contextlib import suppress
from functools import partial

from confluent_kafka import KafkaError, KafkaException, Message, Producer

from huntgroup_eventlog.adapters.deadlines import Deadlines
from huntgroup_eventlog.adapters.kafka_connection import (
    MESSAGE_BYTES_MAX,
    RECONNECT,
    KafkaConnection,
)
from huntgroup_eventlog.port import AppendFailedError, LogUnavailableError, NewRecord

PENDING_RECORDS_MAX = 16_384
PENDING_BYTES_MAX = 64 * 1_048_576
"""Beyond these, appends wait for their turn."""

_LOG = logging.getLogger("huntgroup_eventlog.librdkafka")
_POLL_S = 0.2
_GATHER_S = 0.002
_REPORT_MAX = 2_000

_Lane = dict[asyncio.Future[int], int]
"""What is under way in one partition, and its size."""

_Outcome = tuple[_Lane, asyncio.Future[int], KafkaError | None, int]


class LibrdkafkaProducing:
    """All appends of one log."""

    def __init__(
        self, connection: KafkaConnection, check_topic: Callable[[str], Awaitable[None]]
    ) -> None:
        self._connection = connection
        self._check_topic = check_topic
        self._lanes: dict[tuple[str, int], _Lane] = {}
        self._order = asyncio.Lock()
        self._in_line = 0
        self._room = asyncio.Event()
        self._pending_records = 0
        self._pending_bytes = 0
        self._deadlines = Deadlines(connection.append_timeout_ms / 1000)
        # Made before it is needed: a new one often takes half a second until the broker lets it append.
        self._current: _PolledProducer | None = _PolledProducer(connection, self._settle)
        self._closed = False

    async def append(self, topic: str, partition: int, record: NewRecord, size: int) -> int:
        """Append one record; see the port. Raises `AppendFailedError`."""
        lane = self._lanes.get((topic, partition))
        try:
            if lane is None or self._in_line or not self._has_room(size):
                sent = await self._stand_in_line(topic, partition, record, size)
            else:
                sent = self._send(lane, topic, partition, record, size)
            return await sent
        except LogUnavailableError as error:
            raise AppendFailedError(str(error)) from error
        except (TimeoutError, BufferError, KafkaException) as error:
            _fail_all(
                self._lanes.get((topic, partition), {}),
                "an earlier append to the partition failed; the outcome is unknown",
            )
            raise AppendFailedError(
                f"the append to {topic}[{partition}] on {self._connection.bootstrap_servers} failed:"
                f" {error!r} (a timeout means {self._connection.append_timeout_ms} ms)"
            ) from error

    async def close(self) -> None:
        """Fail what is pending and stop the producer."""
        self._closed = True
        self._deadlines.close()
        for lane in self._lanes.values():
            _fail_all(lane, "the log was closed; the outcome is unknown")
        self._room.set()
        producer, self._current = self._current, None
        if producer is not None:
            producer.abandon()
            await asyncio.to_thread(producer.join)

    async def _stand_in_line(
        self, topic: str, partition: int, record: NewRecord, size: int
    ) -> asyncio.Future[int]:
        """Send when those before have been sent, the topic is known to exist and there is room."""
        self._in_line += 1
        try:
            async with self._order:
                await self._check_topic(topic)
                lane = self._lanes.setdefault((topic, partition), {})
                while not self._has_room(size) and not self._closed:
                    self._room.clear()
                    await self._room.wait()
                return self._send(lane, topic, partition, record, size)
        finally:
            self._in_line -= 1

    def _send(
        self, lane: _Lane, topic: str, partition: int, record: NewRecord, size: int
    ) -> asyncio.Future[int]:
        if self._closed:
            raise AppendFailedError("the log is closed; nothing was appended")
        if self._current is None:
            self._current = _PolledProducer(self._connection, self._settle)
        sent: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        self._current.produce(topic, partition, record, lane, sent)
        self._deadlines.add(sent)
        lane[sent] = size
        self._pending_records += 1
        self._pending_bytes += size
        return sent

    def _has_room(self, size: int) -> bool:
        return self._pending_records == 0 or (
            self._pending_records < PENDING_RECORDS_MAX
            and self._pending_bytes + size <= PENDING_BYTES_MAX
        )

    def _settle(self, outcomes: list[_Outcome]) -> None:
        fatal = False
        for lane, sent, error, position in outcomes:
            self._pending_bytes -= lane.pop(sent)
            self._pending_records -= 1
            if error is None and position >= 0:
                if not sent.done():
                    sent.set_result(position)
                continue
            fatal = fatal or (error is not None and error.fatal())
            _fail(sent, f"the append to {self._connection.bootstrap_servers} failed: {error}")
            _fail_all(lane, "an earlier append to the partition failed; the outcome is unknown")
        self._room.set()
        if fatal and self._current is not None:
            producer, self._current = self._current, None
            producer.abandon()


class _PolledProducer:
    """A producer and the thread that polls it."""

    def __init__(
        self, connection: KafkaConnection, settle: Callable[[list[_Outcome]], None]
    ) -> None:
        self._producer = Producer(
            {
                "bootstrap.servers": connection.bootstrap_servers,
                "acks": "all",
                "enable.idempotence": True,
                "linger.ms": 0,
                "socket.nagle.disable": True,
                **RECONNECT,
                "message.max.bytes": MESSAGE_BYTES_MAX,
                "message.timeout.ms": connection.append_timeout_ms,
                "socket.timeout.ms": connection.request_timeout_ms,
                "queue.buffering.max.messages": 2 * PENDING_RECORDS_MAX,
                "queue.buffering.max.kbytes": 4 * PENDING_BYTES_MAX // 1024,
                **connection.librdkafka_options,
            },
            logger=_LOG,
        )
        self._loop = asyncio.get_running_loop()
        self._settle = settle
        self._heard: list[_Outcome] = []
        self._abandoned = False
        self._work = threading.Event()
        self._thread = threading.Thread(target=self._poll, name="eventlog-kafka-out", daemon=True)
        self._thread.start()

    def produce(
        self,
        topic: str,
        partition: int,
        record: NewRecord,
        lane: _Lane,
        sent: asyncio.Future[int],
    ) -> None:
        """Hand the record over; raises `BufferError` or `KafkaException`, and nothing is appended then."""
        self._producer.produce(
            topic,
            record.value,
            record.key,
            partition,
            on_delivery=partial(self._hear, lane, sent),
            headers=list(record.headers.items()) if record.headers else None,
        )
        if not self._work.is_set():
            self._work.set()

    def abandon(self) -> None:
        """Drop what is under way and end the thread soon."""
        self._abandoned = True

    def join(self) -> None:
        """Block until the thread has ended."""
        self._thread.join()

    def _hear(
        self, lane: _Lane, sent: asyncio.Future[int], error: KafkaError | None, message: Message
    ) -> None:
        position = message.offset()
        self._heard.append((lane, sent, error, -1 if position is None else position))

    def _poll(self) -> None:
        while not self._abandoned:
            self._work.wait(_POLL_S)
            self._work.clear()
            # An append's outcome is not urgent, for what counts is read; but a thread that woke up for each would take
            # the interpreter's lock just when the record itself arrives.
            while not self._abandoned:
                time.sleep(_GATHER_S)
                while len(self._heard) < _REPORT_MAX and self._producer.poll(0):
                    pass
                self._report()
                if not len(self._producer):
                    break
        self._producer.purge()
        self._producer.poll(0)
        self._report()
        # Its end may take a moment; better here than wherever the last reference goes.
        del self._producer

    def _report(self) -> None:
        heard, self._heard = self._heard, []
        if heard:
            # A closed loop has nobody left who waits.
            with suppress(RuntimeError):
                self._loop.call_soon_threadsafe(self._settle, heard)


def _fail(sent: asyncio.Future[int], reason: str) -> None:
    if not sent.done():
        sent.set_exception(AppendFailedError(reason))


def _fail_all(lane: _Lane, reason: str) -> None:
    for sent in lane:
        _fail(sent, reason)
