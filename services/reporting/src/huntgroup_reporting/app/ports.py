"""What reporting needs of the outside: a database for what its state no longer holds, and a live view."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Protocol

from huntgroup_reporting.core.projections import LiveDomain
from huntgroup_reporting.core.state import AgentTimes, QueueCounts

QueueKey = tuple[int, str]
"""Start of an interval, queue."""


@dataclass(slots=True, kw_only=True)
class LedgerRows:
    """Numbers by interval and queue, and the agents' time by interval."""

    queues: dict[QueueKey, QueueCounts] = field(default_factory=dict)
    agents: dict[int, AgentTimes] = field(default_factory=dict)

    @property
    def count(self) -> int:
        """How many rows there are."""
        return len(self.queues) + len(self.agents)


@dataclass(frozen=True, slots=True, kw_only=True)
class Span:
    """What a report is about: intervals that begin from `from_ms` up to before `to_ms`, in rows of `interval_ms`."""

    domain: str
    from_ms: int
    to_ms: int
    interval_ms: int
    queue_id: str
    """Only this queue; empty means all."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Cursor:
    """How far a journal partition has been taken into the database, and where the reader rule stands there."""

    position: int
    epoch: int
    owner: str
    chain: bytes
    last_record: bytes = b""
    """`record_digest` of the one before the position; empty at the beginning, or when an older version stored it."""


@dataclass(slots=True, kw_only=True)
class LedgerChanges:
    """What a batch of entries adds to the rows, by domain; agents' time also by agent."""

    queues: dict[tuple[str, int, str], QueueCounts] = field(default_factory=dict)
    agents: dict[tuple[str, int, str], AgentTimes] = field(default_factory=dict)


class HistoryUnavailableError(Exception):
    """The database cannot be used at the moment; the message says why."""


class CursorMovedError(Exception):
    """Another replica has taken the partition further in the meantime: read the cursor again."""


class History(Protocol):
    """The database of the ledger's rows: a copy of what the journal says, for intervals the state no longer holds."""

    async def cursor(self, partition: int) -> Cursor:
        """Return how far a partition has been taken in; raises `HistoryUnavailableError`."""
        ...

    async def add(
        self, partition: int, changes: LedgerChanges, before: Cursor, after: Cursor
    ) -> None:
        """Add the changes and move the cursor, both or neither.

        Raises `CursorMovedError` when the cursor is not `before`, `HistoryUnavailableError`.
        """
        ...

    async def begin_again(
        self, partition: int, belongs: Callable[[str], bool], before: Cursor
    ) -> None:
        """Delete the rows of every domain that `belongs` and put the cursor to the beginning, both or neither.

        Raises `CursorMovedError` when the cursor is not `before`, `HistoryUnavailableError`.
        """
        ...

    async def rows(self, span: Span, rows_max: int) -> LedgerRows:
        """Return the span's rows, at most about `rows_max`; raises `HistoryUnavailableError`."""
        ...


class LiveViews(Protocol):
    """Where the live view of a domain comes from."""

    async def live(self, domain: str) -> tuple[int, LiveDomain]:
        """Return the time now and the view; raises `NotOwnerError` when the domain is served elsewhere."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class JournalPoint:
    """What is in a domain's numbers at some moment."""

    partition: int
    position: int
    """Every record of the own journal below it."""
    sources: Mapping[str, int]
    """By service: every event below the position."""


JournalPoints = Callable[[str], JournalPoint]
"""Tells the point of a domain at the moment of the call, from within a query."""
