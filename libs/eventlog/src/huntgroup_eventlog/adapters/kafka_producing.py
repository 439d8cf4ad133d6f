"""Appending to Kafka with aiokafka's idempotent producer, which is thrown away at the first error.

Two things are wrong with that producer, and both are handled here: it never times out, and after an error it keeps
numbering later batches so that they fail or, worse, hang. So every append has a deadline of ours, and after an error
the producer is stopped in the background and the next append makes a new one. An error stops its own partition only:
appends of other partitions that are under way stay with the old producer, and later ones wait for them, in order.
"""

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Any

from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaError

from huntgroup_eventlog.adapters.kafka_connection import MESSAGE_BYTES_MAX, KafkaConnection
from huntgroup_eventlog.port import AppendFailedError, LogUnavailableError, NewRecord

RECORDS_PER_PRODUCER_MAX = 500_000_000
"""A producer is replaced before so many records of one partition: aiokafka's sequence numbers break at 2**31."""

BATCH_BYTES_MAX = 131_072


class _Lane:
    """The appends to one partition of one topic, in the order of the calls."""

    __slots__ = ("order", "pending", "producer")

    def __init__(self) -> None:
        self.order = asyncio.Lock()
        self.pending: set[asyncio.Future[Any]] = set()
        self.producer: AIOKafkaProducer | None = None
        """The one that `pending` went to."""


class KafkaProducing:
    """All appends of one log."""

    def __init__(
        self,
        connection: KafkaConnection,
        check_topic: Callable[[str], Awaitable[None]],
        *,
        records_per_producer_max: int = RECORDS_PER_PRODUCER_MAX,
    ) -> None:
        self._connection = connection
        self._check_topic = check_topic
        self._records_per_producer_max = records_per_producer_max
        self._lanes: dict[tuple[str, int], _Lane] = {}
        self._current: AIOKafkaProducer | None = None
        self._appended: Counter[_Lane] = Counter()
        self._starting = asyncio.Lock()
        self._stopping: set[asyncio.Task[None]] = set()
        self._closing = asyncio.Event()
        self.producers_made = 0
        """How many producers were made so far: one, and one more for each that was thrown away."""

    async def append(self, topic: str, partition: int, record: NewRecord) -> int:
        """Append one record; see the port. Raises `AppendFailedError`."""
        lane = self._lanes.get((topic, partition))
        if lane is None:
            lane = self._lanes[topic, partition] = _Lane()
        try:
            async with asyncio.timeout(self._connection.append_timeout_ms / 1000):
                sent = await self._send(lane, topic, partition, record)
                position: int = (await sent).offset
        except LogUnavailableError as error:
            raise AppendFailedError(str(error)) from error
        except (KafkaError, OSError, AssertionError) as error:
            self._throw_away(lane)
            raise AppendFailedError(
                f"the append to {topic}[{partition}] on {self._connection.bootstrap_servers} failed:"
                f" {error!r} (a timeout means {self._connection.append_timeout_ms} ms)"
            ) from error
        if position < 0:
            # The broker took it for a repetition and no longer knows its position.
            self._throw_away(lane)
            raise AppendFailedError(f"the broker did not tell a position in {topic}[{partition}]")
        return position

    async def close(self) -> None:
        """Fail what is pending and stop the producers."""
        self._closing.set()
        for lane in self._lanes.values():
            _fail_pending(lane, "the log was closed; the outcome is unknown")
        self._retire()
        await asyncio.gather(*self._stopping, return_exceptions=True)

    async def _send(
        self, lane: _Lane, topic: str, partition: int, record: NewRecord
    ) -> asyncio.Future[Any]:
        async with lane.order:
            await self._check_topic(topic)
            producer = await self._producer()
            if lane.producer is not producer and lane.pending:
                # Of two producers the later could overtake the earlier.
                await asyncio.wait(set(lane.pending))
            lane.producer = producer
            sent: asyncio.Future[Any] = await producer.send(
                topic,
                value=record.value,
                key=record.key,
                partition=partition,
                headers=list(record.headers.items()),
            )
            lane.pending.add(sent)
            sent.add_done_callback(lane.pending.discard)
            self._appended[lane] += 1
            if self._appended[lane] >= self._records_per_producer_max:
                self._retire()
            return sent

    async def _producer(self) -> AIOKafkaProducer:
        async with self._starting:
            if self._current is None:
                self._current = await self._make()
            producer = self._current
        if self._closing.is_set():
            self._retire()
            raise AppendFailedError("the log is closed; nothing was appended")
        return producer

    async def _make(self) -> AIOKafkaProducer:
        producer = AIOKafkaProducer(
            acks="all",
            enable_idempotence=True,
            linger_ms=0,
            max_batch_size=BATCH_BYTES_MAX,
            max_request_size=MESSAGE_BYTES_MAX,
            **self._connection.common(),
        )
        try:
            await producer.start()
        except BaseException:
            self._stop_in_background(producer)
            raise
        self._appended.clear()
        self.producers_made += 1
        return producer

    def _throw_away(self, lane: _Lane) -> None:
        """After an error: what else is pending in the lane has failed, and the producer is used no more."""
        if lane.producer is None or lane.producer is self._current:
            self._retire()
        _fail_pending(lane, "an earlier append to the partition failed; the outcome is unknown")

    def _retire(self) -> None:
        producer, self._current = self._current, None
        if producer is not None:
            self._stop_in_background(producer)

    def _stop_in_background(self, producer: AIOKafkaProducer) -> None:
        task = asyncio.get_running_loop().create_task(self._stop(producer))
        self._stopping.add(task)
        task.add_done_callback(self._stopping.discard)

    async def _stop(self, producer: AIOKafkaProducer) -> None:
        """Let the producer bring out what others still wait for, but not for ever."""
        loop = asyncio.get_running_loop()
        stopping = loop.create_task(producer.stop())
        closing = loop.create_task(self._closing.wait())
        bound_s = self._connection.append_timeout_ms / 1000
        await asyncio.wait(
            {stopping, closing}, timeout=bound_s, return_when=asyncio.FIRST_COMPLETED
        )
        closing.cancel()
        if not stopping.done():
            await _abandon(producer)
            await asyncio.wait({stopping}, timeout=bound_s)
        stopping.cancel()
        with suppress(Exception, asyncio.CancelledError):
            await stopping


async def _abandon(producer: AIOKafkaProducer) -> None:
    """Make the producer forget its batches, which it would repeat for ever; there is no public way to.

    In this order: the sender takes up nothing new, then what it waits for fails, then its requests do.
    """
    sender = producer._sender  # noqa: SLF001
    sender._txn_manager = None  # noqa: SLF001
    if sender.sender_task is not None:
        sender.sender_task.cancel()
    producer._message_accumulator.fail_all(KafkaError("the producer was thrown away"))  # noqa: SLF001
    with suppress(Exception):
        await producer.client.close()


def _fail_pending(lane: _Lane, reason: str) -> None:
    for sent in set(lane.pending):
        if not sent.done():
            sent.set_exception(AppendFailedError(reason))
