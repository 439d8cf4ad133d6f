"""The log as one node reaches it: the memory log's records, with the network between, and crashes around an append."""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final, TypeVar

from huntgroup_eventlog.adapters.memory import MemoryPartitions
from huntgroup_eventlog.port import (
    AppendFailedError,
    LogRecord,
    LogUnavailableError,
    NewRecord,
    Reader,
)
from huntgroup_onebox.sim.plan import happens
from huntgroup_onebox.sim.seeded_loop import Node, SeededLoop
from huntgroup_onebox.sim.weather import Weather

REQUEST_TIMEOUT_S: Final = 2.0
"""A client of the broker gives up on an append after so long."""
LOOK_AGAIN_S: Final = 0.05
"""A reader that was given less than there is asks again after so long."""
T = TypeVar("T")
Moment = Callable[[Node, str], bool]
"""Told a moment of a node's life (`before append`, `after append`, …); returns whether the node dies of it."""


class Broker:
    """The records, and who waits for more of them, as a broker answers a fetch once there is something."""

    def __init__(self, storage: MemoryPartitions, loop: SeededLoop, weather: Weather) -> None:
        self.storage = storage
        self.loop = loop
        self.weather = weather
        self.sent_s: dict[bytes, float] = {}
        """When each record was handed to its client of the broker, by value."""
        self._waiting: dict[tuple[str, int], list[_Fetch]] = {}
        storage.listen(self._announce)

    def fetch_later(self, fetch: "_Fetch") -> None:
        """Answer when there is something to read."""
        if self.storage.end_now(fetch.topic, fetch.partition) > fetch.position:
            # A slow read left records behind, and nobody announces them again.
            self.loop.call_in_world(LOOK_AGAIN_S, self._serve, fetch)
        else:
            self._waiting.setdefault((fetch.topic, fetch.partition), []).append(fetch)

    def _announce(self, topic: str, partition: int) -> None:
        waiting = self._waiting.pop((topic, partition), ())
        for fetch in waiting:
            self._serve(fetch)

    def _serve(self, fetch: "_Fetch") -> None:
        if fetch.answer.done():
            return
        if records := fetch.log.fetch(fetch.topic, fetch.partition, fetch.position, fetch.limit):
            self.loop.call_in_world(self.weather.delay_s(), _tell, fetch.answer, records)
        else:
            self.fetch_later(fetch)


@dataclass(slots=True, kw_only=True)
class _Fetch:
    """A read that waits at the broker."""

    log: "SimLog"
    topic: str
    partition: int
    position: int
    limit: int
    answer: "asyncio.Future[list[LogRecord]]"


class SimLog:
    """The log port for one node."""

    def __init__(self, node: Node, broker: Broker, moment: Moment) -> None:
        self.node = node
        self._broker = broker
        self._loop = broker.loop
        self._storage = broker.storage
        self._weather = broker.weather
        self._moment = moment
        self._arrivals: dict[tuple[str, int], float] = {}

    @property
    def partitions(self) -> int:
        return self._storage.partitions

    async def append(self, topic: str, partition: int, record: NewRecord) -> int:
        if self._moment(self.node, "before append"):
            await asyncio.Event().wait()
        done: asyncio.Future[int | None] = self._loop.create_future()
        self._broker.sent_s.setdefault(record.value, self._loop.time())
        at_s = self._loop.time() + self._weather.delay_s()
        # What is sent first arrives first: one connection, and a queue of its own for each partition.
        at_s = max(at_s, self._arrivals.get((topic, partition), 0.0) + 1e-6)
        self._arrivals[topic, partition] = at_s
        self._loop.call_in_world(
            at_s - self._loop.time(), self._arrive, topic, partition, record, done
        )
        gives_up = self._loop.call_later(REQUEST_TIMEOUT_S, _tell, done, None)
        position = await done
        gives_up.cancel()
        if position is None:
            raise AppendFailedError(f"the outcome of an append to {topic}[{partition}] is unknown")
        return position

    async def reader(self, topic: str, partition: int, position: int) -> Reader:
        end = await self.end(topic, partition)
        if position > end:
            raise LogUnavailableError(f"{topic}[{partition}] ends at {end}, before {position}")
        return _SimReader(self, topic, partition, position)

    async def end(self, topic: str, partition: int) -> int:
        await self.reach_broker()
        return self._storage.end_now(topic, partition)

    async def topics(self) -> Sequence[str]:
        await self.reach_broker()
        return self._storage.topics()

    async def ensure_topics(self, topics: Sequence[str]) -> None:
        await self.reach_broker()
        self._storage.ensure_topics(topics)

    async def close(self) -> None:
        """Nothing: the node's end is the end of its connection."""

    async def reach_broker(self) -> None:
        """Take the time of one message there and back; raises `LogUnavailableError`."""
        await asyncio.sleep(self._weather.delay_s())
        await self.check_broker()

    async def check_broker(self) -> None:
        """Raise `LogUnavailableError`, after the time in which a client gives up."""
        if not self._weather.reaches_broker(self.node):
            await asyncio.sleep(REQUEST_TIMEOUT_S)
            raise LogUnavailableError("the broker cannot be reached")

    def fetch(self, topic: str, partition: int, position: int, limit: int) -> list[LogRecord]:
        """Return what can be read at this moment."""
        if not self._weather.reaches_broker(self.node):
            return []
        return self._storage.read_now(topic, partition, position, limit)

    async def fetch_later(
        self, topic: str, partition: int, position: int, limit: int, wait_s: float
    ) -> list[LogRecord]:
        """Return what can be read as soon as there is something; nothing after the time."""
        answer: asyncio.Future[list[LogRecord]] = self._loop.create_future()
        gives_up = self._loop.call_later(wait_s, _tell, answer, [])
        self._broker.fetch_later(
            _Fetch(
                log=self,
                topic=topic,
                partition=partition,
                position=position,
                limit=limit,
                answer=answer,
            )
        )
        records = await answer
        gives_up.cancel()
        return records

    def _arrive(
        self, topic: str, partition: int, record: NewRecord, done: "asyncio.Future[int | None]"
    ) -> None:
        """At the broker: append, and send the answer, which may be lost like any message."""
        if not self._weather.reaches_broker(self.node):
            if happens(self._weather.chance, 0.3):
                # It went out before the cable was cut, and comes in when nobody expects it.
                self._loop.call_in_world(
                    self._weather.chance.uniform(0.5, 6.0), self._append, topic, partition, record
                )
            return
        position = self._append(topic, partition, record)
        if self._moment(self.node, "after append"):
            return
        if position is None:
            self._loop.call_in_world(self._weather.chance.uniform(0.0, 1.0), _tell, done, None)
        elif not self._weather.loses():
            self._loop.call_in_world(self._weather.delay_s(), _tell, done, position)

    def _append(self, topic: str, partition: int, record: NewRecord) -> int | None:
        return self._storage.append_now(topic, partition, record)


class _SimReader:
    """A cursor over the network."""

    def __init__(self, log: SimLog, topic: str, partition: int, position: int) -> None:
        self._log = log
        self._topic = topic
        self._partition = partition
        self._position = position
        self._closed = False

    async def read(self, limit: int, wait_ms: int) -> Sequence[LogRecord]:
        if self._closed:
            return []
        where = self._topic, self._partition, self._position, limit
        if records := self._log.fetch(*where):
            await self._log.reach_broker()
        elif wait_ms > 0:
            records = await self._log.fetch_later(*where, wait_ms / 1_000)
        await self._log.check_broker()
        if records:
            self._position = records[-1].position + 1
        return records

    async def close(self) -> None:
        self._closed = True


def _tell(done: "asyncio.Future[T]", outcome: T) -> None:
    if not done.done():
        done.set_result(outcome)
