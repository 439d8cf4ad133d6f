"""What a replica asks of the world, which carries it out in order and tells the replica what it read."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from huntgroup.journal.v1 import journal_pb2 as wire
from huntgroup_eventlog.application import AcceptedEvent
from huntgroup_eventlog.journal.fold import accepted_event


@dataclass(frozen=True, slots=True)
class Append:
    """Append this value to the own journal; keep the order. Failure or silence: tell `append_failed`."""

    key: bytes
    value: bytes
    causes: tuple[str, ...] = ()
    """The W3C trace contexts of what was decided in it, each once."""


@dataclass(frozen=True, slots=True)
class Answer:
    """Hand `result` to whoever holds `ticket`; an exception is raised there."""

    ticket: Any
    result: Any


@dataclass(frozen=True, slots=True)
class Accepted:
    """A batch of this owner was accepted; effects, streams and projections may act on its events."""

    batch: wire.Batch
    decided: Sequence[Any]
    position: int
    record_hash: bytes

    def events(self) -> list[AcceptedEvent]:
        """Return the events for whoever wants to know; in most services nobody does, so they are made only now."""
        return [
            accepted_event(self.batch, index, event, self.position, self.record_hash)
            for index, event in enumerate(self.decided)
        ]


@dataclass(frozen=True, slots=True)
class Owned:
    """This replica became the owner and serves from now on."""


@dataclass(frozen=True, slots=True)
class Retired:
    """This replica is the owner no more; it discards its state and must be built anew from snapshot and log."""

    reason: str


@dataclass(frozen=True, slots=True)
class Parked:
    """An input that cannot be decoded, with its context, for the dead-letter topic. Nothing else stops for it."""

    topic: str
    position: int
    value: bytes
    error: str
    domain: str = ""
    event_type: str = ""


@dataclass(frozen=True, slots=True)
class SnapshotTaken:
    """Store this snapshot, which holds every entry below `position`."""

    position: int
    dumped: bytes


@dataclass(frozen=True, slots=True)
class Halted:
    """A bug stopped the partition on this replica; say so loudly."""

    error: BaseException
    during: str


Effect = Append | Answer | Accepted | Owned | Retired | Parked | SnapshotTaken | Halted
