"""The public events of several services as one stream: what there is by log time, then what comes as it comes."""

import asyncio
import heapq
from collections.abc import AsyncGenerator, Callable, Sequence
from dataclasses import dataclass, field
from typing import Final

from huntgroup.event.v1.envelope_pb2 import Envelope
from huntgroup_contracts.cloudevents import read_envelope
from huntgroup_contracts.registry import topic_events
from huntgroup_eventlog.port import Log, LogCorruptError, LogRecord, LogUnavailableError

READ_RECORDS: Final = 500
READ_WAIT_MS: Final = 1_000
BUFFERED_MAX: Final = 1_000
LOOK_FOR_TOPIC_S: Final = 1.0


@dataclass(frozen=True, slots=True)
class Received:
    """One record of a public topic, and the event in it, or why there is none."""

    service: str
    topic: str
    partition: int
    position: int
    envelope: Envelope | None
    error: str = ""


@dataclass(slots=True)
class _Seen:
    """Which sequences of one (service, domain) were received."""

    following: int
    gaps: list[range] = field(default_factory=list)


class Sequences:
    """Tells of each event whether it is the next one, came before, or leaves a gap behind it."""

    def __init__(self, first: int | None) -> None:
        """Expect every (service, domain) to begin at sequence `first`; None: wherever it does."""
        self._first = first
        self._seen: dict[tuple[str, str], _Seen] = {}

    def take(self, service: str, domain: str, sequence: int) -> tuple[str, range | None]:
        """Return what this event is, and a gap that it leaves behind it.

        It is `first`, `duplicate`, or `late` when it was missing so far.
        """
        key = (service, domain)
        seen = self._seen.get(key)
        if seen is None:
            seen = self._seen[key] = _Seen(sequence if self._first is None else self._first)
        if sequence < seen.following:
            return ("late" if self._fill(seen, sequence) else "duplicate"), None
        gap = range(seen.following, sequence)
        seen.following = sequence + 1
        if not gap:
            return "first", None
        seen.gaps.append(gap)
        return "first", gap

    def _fill(self, seen: _Seen, sequence: int) -> bool:
        for index, gap in enumerate(seen.gaps):
            if sequence in gap:
                parts = (range(gap.start, sequence), range(sequence + 1, gap.stop))
                seen.gaps[index : index + 1] = [part for part in parts if part]
                return True
        return False


class EventStream:
    """Reads the public topics of `services` in `partitions`; each record comes once."""

    def __init__(self, log: Log, services: Sequence[str], partitions: Sequence[int]) -> None:
        self._log = log
        self._sources = [(service, partition) for service in services for partition in partitions]
        self._next: dict[tuple[str, int], int] = {}
        self._there: set[str] = set()

    async def open(self, *, at_end: bool) -> None:
        """Find where the topics end now; begin there, or at the beginning. Raises `LogUnavailableError`."""
        self._there = set(await self._log.topics())
        if not any(topic_events(service) in self._there for service, _ in self._sources):
            services = dict.fromkeys(service for service, _ in self._sources)
            missing = ", ".join(topic_events(service) for service in services)
            raise LogUnavailableError(f"this log has no topic {missing}")
        for service, partition in self._sources:
            if at_end and topic_events(service) in self._there:
                end = await self._log.end(topic_events(service), partition)
                self._next[service, partition] = end

    async def backlog(self) -> AsyncGenerator[Received, None]:
        """Yield everything up to where the topics end now, by log time; each topic in its own order."""
        heads: list[tuple[int, int, Received, AsyncGenerator[Received, None]]] = []
        for order, (service, partition) in enumerate(self._sources):
            if topic_events(service) in self._there:
                records = self._to_end(service, partition)
                async for first in records:
                    heads.append((_time_ms(first, 0), order, first, records))
                    break
        heapq.heapify(heads)
        while heads:
            before_ms, order, received, records = heads[0]
            yield received
            async for following in records:
                # What cannot be read has no time: it comes right after what it stands behind.
                time_ms = _time_ms(following, before_ms)
                heapq.heapreplace(heads, (time_ms, order, following, records))
                break
            else:
                heapq.heappop(heads)

    async def live(self, idle: Callable[[], None]) -> AsyncGenerator[Received, None]:
        """Yield what comes, as it comes, without end; `idle` is called when there is nothing at the moment.

        Topics that are missing are waited for. Raises `LogUnavailableError`, `LogCorruptError`.
        """
        received: asyncio.Queue[Received | Exception] = asyncio.Queue(BUFFERED_MAX)
        tasks = [
            asyncio.create_task(self._receive(service, partition, received))
            for service, partition in self._sources
        ]
        try:
            while True:
                if received.empty():
                    idle()
                one = await received.get()
                if isinstance(one, Exception):
                    raise one
                yield one
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def _to_end(self, service: str, partition: int) -> AsyncGenerator[Received, None]:
        topic = topic_events(service)
        position = self._next.get((service, partition), 0)
        end = await self._log.end(topic, partition)
        if position >= end:
            return
        reader = await self._log.reader(topic, partition, position)
        try:
            while position < end:
                for record in await reader.read(READ_RECORDS, READ_WAIT_MS):
                    position = record.position + 1
                    if position > end:
                        break
                    self._next[service, partition] = position
                    yield _received(service, topic, partition, record)
        finally:
            await reader.close()

    async def _receive(
        self,
        service: str,
        partition: int,
        received: "asyncio.Queue[Received | Exception]",
    ) -> None:
        try:
            topic = topic_events(service)
            while topic not in self._there:
                await asyncio.sleep(LOOK_FOR_TOPIC_S)
                self._there = set(await self._log.topics())
            position = self._next.get((service, partition), 0)
            reader = await self._log.reader(topic, partition, position)
            try:
                while True:
                    for record in await reader.read(READ_RECORDS, READ_WAIT_MS):
                        await received.put(_received(service, topic, partition, record))
            finally:
                await reader.close()
        except (LogUnavailableError, LogCorruptError) as error:
            await received.put(error)


def _received(service: str, topic: str, partition: int, record: LogRecord) -> Received:
    try:
        envelope = read_envelope(record.headers, record.key, record.value)
    except ValueError as error:
        return Received(service, topic, partition, record.position, None, str(error))
    return Received(service, topic, partition, record.position, envelope)


def _time_ms(received: Received, otherwise: int) -> int:
    return received.envelope.time_ms if received.envelope is not None else otherwise
