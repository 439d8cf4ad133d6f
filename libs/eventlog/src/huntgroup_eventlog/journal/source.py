"""Takes in another service's journal: by the reader rule, event by event, as commands of this service."""

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from typing import Any, Protocol

from huntgroup.journal.v1 import journal_pb2 as wire
from huntgroup_eventlog.application import ForeignEvent, Reactions
from huntgroup_eventlog.journal.chain import ChainReader, ChainState, Unreadable
from huntgroup_eventlog.journal.effects import Parked
from huntgroup_eventlog.journal.fold import SourceCursor, event_id


@dataclass(frozen=True, slots=True)
class SourceCommand:
    """An `Observe…` command that follows from one foreign event."""

    command: Any
    traceparent: str
    causation_id: str
    event_type: str
    index: int
    """Of the foreign event in its entry."""


@dataclass(frozen=True, slots=True)
class SourceInput:
    """What follows from one foreign entry: commands of one domain (maybe none), and the cursors before and after it."""

    topic: str
    domain: str
    commands: Sequence[SourceCommand]
    before: SourceCursor
    cursor: SourceCursor
    parked: list[Parked]

    def cursor_after(self, count: int) -> SourceCursor:
        """Return the cursor once so many of the commands were decided, at least one."""
        if count == len(self.commands):
            return self.cursor
        return replace(self.before, events_taken=self.commands[count - 1].index + 1)

    def without(self, count: int) -> "SourceInput":
        """Return what is left when so many of the commands were decided."""
        return replace(self, commands=self.commands[count:])

    def traced(
        self, process_span: "Callable[[str, int], AbstractContextManager[Traced]]"
    ) -> "SourceInput":
        """Return the same with each command's trace context that of a span of its own; called only while tracing."""
        commands = []
        for one in self.commands:
            with process_span(one.traceparent, self.cursor.position - 1) as span:
                commands.append(replace(one, traceparent=span.traceparent))
        return replace(self, commands=commands)


class Traced(Protocol):
    """A span that is open."""

    @property
    def traceparent(self) -> str:
        """The W3C trace context of the span."""
        ...


class SourceFeed:
    """One foreign journal partition, from where the own journal says it has been taken in."""

    def __init__(
        self, topic: str, service: str, cursor: SourceCursor, reactions: Reactions
    ) -> None:
        self.topic = topic
        self.service = service
        self.position = cursor.position
        self._taken = cursor.events_taken
        self._reactions = reactions
        self._types = frozenset(reactions.types)
        self._reader = ChainReader(ChainState(cursor.epoch, cursor.owner, cursor.chain))

    @classmethod
    def begin(
        cls, topic: str, service: str, cursor: SourceCursor | None, reactions: Reactions
    ) -> "SourceFeed":
        """Begin where `cursor` says; without one, at the beginning of the log."""
        return cls(topic, service, cursor or SourceCursor(), reactions)

    def read(self, position: int, value: bytes) -> SourceInput:
        """Return what follows from the foreign entry at `position`."""
        before, taken = self.cursor(), self._taken
        entry = self._reader.read(value)
        self.position, self._taken = position + 1, 0
        commands: list[SourceCommand] = []
        parked: list[Parked] = []
        domain = ""
        if isinstance(entry, wire.Batch):
            domain = entry.domain
            for index, recorded in enumerate(entry.events):
                if index >= taken and recorded.type in self._types:
                    self._react(entry, index, position, commands, parked)
        elif isinstance(entry, Unreadable):
            parked.append(Parked(self.topic, position, value, entry.error))
        return SourceInput(self.topic, domain, commands, before, self.cursor(), parked)

    def cursor(self) -> SourceCursor:
        """Return where this feed stands."""
        chain = self._reader.state
        return SourceCursor(self.position, chain.epoch, chain.owner, chain.chain, self._taken)

    def _react(
        self,
        batch: wire.Batch,
        index: int,
        position: int,
        commands: list[SourceCommand],
        parked: list[Parked],
    ) -> None:
        recorded = batch.events[index]
        caused_by = event_id(self._reader.state.chain, index)
        event = ForeignEvent(
            service=self.service,
            domain=batch.domain,
            type=recorded.type,
            payload=recorded.payload,
            at_ms=batch.at_ms,
            sequence=recorded.sequence,
            event_id=caused_by,
            traceparent=recorded.traceparent,
        )
        try:
            command = self._reactions.react(event)
        except ValueError as error:
            parked.append(
                Parked(
                    self.topic, position, recorded.payload, str(error), batch.domain, recorded.type
                )
            )
            return
        if command is not None:
            commands.append(
                SourceCommand(command, recorded.traceparent, caused_by, recorded.type, index)
            )
