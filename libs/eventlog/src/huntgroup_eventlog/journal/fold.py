"""The state of one journal partition: every domain's state, folded from accepted batches and nothing else."""

import heapq
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from huntgroup.journal.v1 import journal_pb2 as wire
from huntgroup_eventlog.application import AcceptedEvent, Application
from huntgroup_eventlog.journal.chain import ChainState
from huntgroup_eventlog.journal.command_memory import CommandMemory, Remembered


@dataclass(slots=True)
class Domain:
    """One routing domain within the partition."""

    state: Any
    sequence: int = 0
    memory: CommandMemory = field(default_factory=CommandMemory)


@dataclass(frozen=True, slots=True)
class SourceCursor:
    """How far a foreign journal has been taken in: the next position, and where the reader rule stands there."""

    position: int = 0
    epoch: int = 0
    owner: str = ""
    chain: bytes = ChainState().chain
    events_taken: int = 0
    """Of the entry at the position."""

    @classmethod
    def of(cls, source: wire.SourcePosition) -> "SourceCursor":
        """Return what a batch or a snapshot says."""
        return cls(source.position, source.epoch, source.owner, source.chain, source.events_taken)


@dataclass(frozen=True, slots=True)
class RelayItem:
    """The events of one accepted batch, as the relay publishes them."""

    position: int
    record_hash: bytes
    domain: str
    at_ms: int
    events: Sequence[wire.RecordedEvent]


_RECORDED_BYTES = 256
"""About what an event costs in memory beside its payload."""
_STALE_MAX = 64


class Fold:
    """What follows from the accepted batches of one partition."""

    def __init__(self, application: Application) -> None:
        self.application = application
        self.domains: dict[str, Domain] = {}
        self.sources: dict[str, SourceCursor] = {}
        self.relayed = 0
        self.unrelayed: deque[RelayItem] = deque()
        self.unrelayed_bytes = 0
        """About what `unrelayed` takes in memory."""
        self.unrelayed_events = 0
        """How many events `unrelayed` holds."""
        self.at_ms = 0
        self._deadlines: list[tuple[int, str]] = []
        self._deadline_of: dict[str, int] = {}

    def domain(self, name: str) -> Domain:
        """Return the domain, made when it is new."""
        found = self.domains.get(name)
        if found is None:
            found = self.domains[name] = Domain(self.application.core.initial(name))
        return found

    def apply(self, batch: wire.Batch, position: int, record_hash: bytes) -> None:
        """Fold an accepted batch of this or another owner."""
        if batch.domain:
            domain = self.domain(batch.domain)
            for outcome in batch.outcomes:
                remembered = Remembered(position, outcome.check, outcome.reason, outcome.detail)
                domain.memory.remember(outcome.command_id, remembered, batch.at_ms)
            for recorded in batch.events:
                event = self.application.codec.decode(recorded.type, recorded.payload)
                domain.state = self.application.core.evolve(domain.state, event)
            domain.sequence += len(batch.events)
            self.refresh_deadline(batch.domain)
        self.note(batch, position, record_hash)

    def note(self, batch: wire.Batch, position: int, record_hash: bytes) -> None:
        """Take in what a batch says beside its events: time, sources, the relay."""
        self.at_ms = max(self.at_ms, batch.at_ms)
        for source in batch.sources:
            self.sources[source.topic] = SourceCursor.of(source)
        if batch.events:
            self.keep_for_relay(
                RelayItem(position, record_hash, batch.domain, batch.at_ms, batch.events)
            )
        self.relay_moved(batch.relayed)

    def keep_for_relay(self, item: RelayItem) -> None:
        """Keep events until they are published."""
        self.unrelayed.append(item)
        self.unrelayed_bytes += _bytes_of(item)
        self.unrelayed_events += len(item.events)

    def relay_moved(self, relayed: int) -> None:
        """Forget relay items below the position `relayed`."""
        self.relayed = max(self.relayed, relayed)
        while self.unrelayed and self.unrelayed[0].position < self.relayed:
            published = self.unrelayed.popleft()
            self.unrelayed_bytes -= _bytes_of(published)
            self.unrelayed_events -= len(published.events)

    def refresh_deadline(self, name: str) -> None:
        """Learn anew when time alone will change the domain."""
        deadline = self.application.core.next_deadline(self.domains[name].state)
        if deadline == self._deadline_of.get(name):
            return
        if deadline is None:
            self._deadline_of.pop(name, None)
        else:
            self._deadline_of[name] = deadline
            heapq.heappush(self._deadlines, (deadline, name))
            if len(self._deadlines) > 2 * len(self._deadline_of) + _STALE_MAX:
                # Most are void: a deadline that was put off stays in the heap until its time.
                self._deadlines = [(at, one) for one, at in self._deadline_of.items()]
                heapq.heapify(self._deadlines)

    def next_deadline(self) -> int | None:
        """Return the earliest log time at which a domain wants to be told the time, or None."""
        while self._deadlines:
            deadline, name = self._deadlines[0]
            if self._deadline_of.get(name) == deadline:
                return deadline
            heapq.heappop(self._deadlines)
        return None

    def due(self, now_ms: int, most: int) -> list[str]:
        """Return up to `most` domains whose deadline has come, each once, earliest first."""
        names: list[str] = []
        while (
            len(names) < most
            and (deadline := self.next_deadline()) is not None
            and deadline <= now_ms
        ):
            name = heapq.heappop(self._deadlines)[1]
            del self._deadline_of[name]
            names.append(name)
        return names


def _bytes_of(item: RelayItem) -> int:
    return sum(len(one.payload) + _RECORDED_BYTES for one in item.events)


def accepted_event(
    batch: wire.Batch, index: int, event: Any, position: int, record_hash: bytes
) -> AcceptedEvent:
    """Return the event at `index` of an accepted batch with its deterministic id: record hash and index."""
    recorded = batch.events[index]
    return AcceptedEvent(
        domain=batch.domain,
        event=event,
        type=recorded.type,
        payload=recorded.payload,
        at_ms=batch.at_ms,
        sequence=recorded.sequence,
        event_id=event_id(record_hash, index),
        position=position,
        traceparent=recorded.traceparent,
        causation_id=recorded.causation_id,
    )


def event_id(record_hash: bytes, index: int) -> str:
    """Return the public id of an event: the hash of its record, a hyphen, its index."""
    return f"{record_hash.hex()}-{index}"
