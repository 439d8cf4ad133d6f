"""Appending to Kafka with librdkafka's idempotent producer.

Unlike aiokafka's, this producer fails a record whose time is over, starts a new sequence after it by itself, and keeps
the order of a partition throughout; only after a fatal error it must be replaced. Handing a record over does not
block, so the event loop's thread does it; that thread also asks, from time to time, what became of the records.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any

from confluent_kafka import KafkaError, KafkaException, Message, Producer

from huntgroup_eventlog.adapters.deadlines import Deadlines
from huntgroup_eventlog.adapters.kafka_connection import (
    MESSAGE_BYTES_MAX,
    RECONNECT,
    KafkaConnection,
)
from huntgroup_eventlog.adapters.limits import refused
from huntgroup_eventlog.port import AppendFailedError, LogUnavailableError, NewRecord

PENDING_RECORDS_MAX = 16_384
PENDING_BYTES_MAX = 64 * 1_048_576
"""Beyond these, appends wait for their turn."""

_LOG = logging.getLogger("huntgroup_eventlog.librdkafka")
_GATHER_S = 0.02
_GATHER_RECORDS = 16
"""An append's outcome is not urgent, for what counts is read: it is asked for after so long, for all at once, or when
something was read and there are so many. A timer of few milliseconds costs each command more than what it is for."""
_IDLE_S = 0.2
"""With nothing under way the client still has things to tell its log."""


class _Lane:
    """What is under way in one partition, and its size."""

    __slots__ = ("place", "sending")

    def __init__(self, topic: str, partition: int) -> None:
        self.place = f"{topic}[{partition}]"
        self.sending: dict[asyncio.Future[int], int] = {}


_Outcome = tuple[_Lane, asyncio.Future[int], KafkaError | None, int]
_DROPPED = KafkaError(KafkaError._PURGE_INFLIGHT)  # noqa: SLF001 - librdkafka's own codes begin so


class LibrdkafkaProducing:
    """All appends of one log."""

    def __init__(
        self, connection: KafkaConnection, check_topic: Callable[[str], Awaitable[None]]
    ) -> None:
        self._connection = connection
        self._check_topic = check_topic
        self._lanes: dict[tuple[str, int], _Lane] = {}
        self._order = asyncio.Lock()
        self._in_line: set[asyncio.Future[int]] = set()
        self._room = asyncio.Event()
        self._pending_records = 0
        self._pending_bytes = 0
        self._deadlines = Deadlines(connection.append_timeout_ms / 1000, self._expired)
        # Made before it is needed: a new one often takes half a second until the broker lets it append.
        self._current: _PolledProducer | None = _PolledProducer(
            connection, self._settle, self._abandon
        )
        self._ending: set[asyncio.Task[None]] = set()
        self._closed = False

    def append(
        self, topic: str, partition: int, record: NewRecord, size: int
    ) -> asyncio.Future[int]:
        """Append one record; see the port. Awaiting raises `AppendFailedError`."""
        lane = self._lanes.get((topic, partition))
        if lane is not None and not self._in_line and self._has_room(size):
            return self._send(lane, topic, partition, record, size)
        # It stands in line from now on, though it runs later: nobody may overtake it.
        waiting = asyncio.ensure_future(self._stand_in_line(topic, partition, record, size))
        self._in_line.add(waiting)
        waiting.add_done_callback(self._in_line.discard)
        return waiting

    def look(self) -> None:
        """Learn what became of appends, if there are many."""
        if self._current is not None:
            self._current.look()

    async def close(self) -> None:
        """Fail what is pending and stop the producer."""
        self._closed = True
        self._deadlines.close()
        for lane in self._lanes.values():
            _fail_all(lane, "the log was closed; the outcome is unknown")
        self._room.set()
        self._abandon(self._current)
        await asyncio.gather(*self._ending, return_exceptions=True)

    async def _stand_in_line(self, topic: str, partition: int, record: NewRecord, size: int) -> int:
        """Send when those before have been sent, the topic is known to exist and there is room."""
        async with self._order:
            try:
                await self._check_topic(topic)
            except LogUnavailableError as error:
                raise AppendFailedError(str(error)) from error
            lane = self._lanes.setdefault((topic, partition), _Lane(topic, partition))
            while not self._has_room(size) and not self._closed:
                self._room.clear()
                await self._room.wait()
            sent = self._send(lane, topic, partition, record, size)
            self._in_line.discard(asyncio.current_task())
        return await sent

    def _send(
        self, lane: _Lane, topic: str, partition: int, record: NewRecord, size: int
    ) -> asyncio.Future[int]:
        if self._closed:
            return refused(AppendFailedError("the log is closed; nothing was appended"))
        if self._current is None:
            self._current = _PolledProducer(self._connection, self._settle, self._abandon)
        sent: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        producer = self._current
        try:
            producer.produce(topic, partition, record, lane, sent)
        except (BufferError, KafkaException) as error:
            self._fail_lane(lane, sent, repr(error))
            if isinstance(error, KafkaException) and _is_fatal(error.args[0]):
                producer.give_up()
            return sent
        self._deadlines.add(sent, lane)
        lane.sending[sent] = size
        self._pending_records += 1
        self._pending_bytes += size
        return sent

    def _has_room(self, size: int) -> bool:
        return self._pending_records == 0 or (
            self._pending_records < PENDING_RECORDS_MAX
            and self._pending_bytes + size <= PENDING_BYTES_MAX
        )

    def _expired(self, sent: asyncio.Future[Any], lane: _Lane) -> None:
        self._fail_lane(lane, sent, f"no answer for {self._connection.append_timeout_ms} ms")

    def _settle(self, producer: "_PolledProducer", outcomes: list[_Outcome]) -> None:
        for lane, sent, error, position in outcomes:
            self._pending_bytes -= lane.sending.pop(sent)
            self._pending_records -= 1
            if error is None and position >= 0:
                if not sent.done():
                    sent.set_result(position)
            elif producer is self._current:
                self._fail_lane(lane, sent, str(error))
            # Else its producer was abandoned and it failed then; its lane may have appends of the next one.
        self._room.set()

    def _fail_lane(self, lane: _Lane, sent: asyncio.Future[int], why: str) -> None:
        """Fail one append, and all others in its partition: what comes after it may or may not be there."""
        address = self._connection.bootstrap_servers
        _fail(sent, f"the append to {lane.place} on {address} failed: {why}")
        _fail_all(lane, "an earlier append to the partition failed; the outcome is unknown")

    def _abandon(self, producer: "_PolledProducer | None") -> None:
        """Fail what is under way and let the producer end, if not done yet; the next append makes a new one."""
        if producer is None or producer is not self._current:
            return
        self._current = None
        for lane in self._lanes.values():
            _fail_all(lane, "the producer had a fatal error; the outcome is unknown")
        ending = asyncio.get_running_loop().create_task(producer.end())
        self._ending.add(ending)
        ending.add_done_callback(self._ending.discard)


class _PolledProducer:
    """A producer, and the timer that asks it for outcomes."""

    def __init__(
        self,
        connection: KafkaConnection,
        settle: Callable[["_PolledProducer", list[_Outcome]], None],
        over: Callable[["_PolledProducer"], None],
    ) -> None:
        """Connect; `settle` is told outcomes, `over` that after a fatal error nothing can be appended any more."""
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
        self._over = over
        self._heard: list[_Outcome] = []
        self._under_way: dict[asyncio.Future[int], _Lane] = {}
        self._timer = self._loop.call_later(_IDLE_S, self._poll)

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
        self._under_way[sent] = lane
        if len(self._under_way) == 1:
            self._poll_in(_GATHER_S)

    async def end(self) -> None:
        """Drop what is under way, tell so, and release the client."""
        self._timer.cancel()
        await asyncio.to_thread(self._producer.purge)
        self._report()
        # A client that failed for good need not tell of all.
        rest = list(self._under_way.items())
        self._settle(self, [(lane, sent, _DROPPED, -1) for sent, lane in rest])
        # Its end may take a moment; better in a thread than wherever the last reference goes.
        await asyncio.to_thread(self._release)

    def look(self) -> None:
        """Ask for outcomes now, if it is worth it."""
        if len(self._under_way) >= _GATHER_RECORDS:
            self._report()

    def give_up(self) -> None:
        """Tell the last outcomes, and that it is over."""
        self._report()
        self._over(self)

    def _release(self) -> None:
        del self._producer

    def _hear(
        self, lane: _Lane, sent: asyncio.Future[int], error: KafkaError | None, message: Message
    ) -> None:
        position = message.offset()
        self._heard.append((lane, sent, error, -1 if position is None else position))

    def _poll(self) -> None:
        self._report()
        self._poll_in(_GATHER_S if self._under_way else _IDLE_S)

    def _poll_in(self, seconds: float) -> None:
        self._timer.cancel()
        self._timer = self._loop.call_later(seconds, self._poll)

    def _report(self) -> None:
        fatal = False
        try:
            self._producer.poll(0)
        except KafkaException:
            fatal = True  # the client raises nothing else here, and this only once
        heard, self._heard = self._heard, []
        for _, sent, error, _ in heard:
            del self._under_way[sent]
            fatal = fatal or (error is not None and _is_fatal(error))
        if heard:
            self._settle(self, heard)
        if fatal:
            self._over(self)


def _is_fatal(error: KafkaError) -> bool:
    """Return whether the producer is of no use any more; what it says of one record has only the code."""
    return error.fatal() or error.code() == KafkaError._FATAL  # noqa: SLF001 - librdkafka's own codes begin so


def _fail(sent: asyncio.Future[int], reason: str) -> None:
    if not sent.done():
        sent.set_exception(AppendFailedError(reason))


def _fail_all(lane: _Lane, reason: str) -> None:
    for sent in lane.sending:
        _fail(sent, reason)
