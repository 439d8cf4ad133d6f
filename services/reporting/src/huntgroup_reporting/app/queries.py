"""What may be asked of the ledger. All in integers; figures are derived where the reply is written.

The state holds the newest intervals, the database all of them. A report takes each interval from the state as long as
that has it, since it is exact, and older ones from the database.
"""

from bisect import bisect_left
from collections.abc import Iterator
from dataclasses import dataclass

from huntgroup_reporting.app.ports import LedgerRows, Span
from huntgroup_reporting.core.messages import Reason, Refused
from huntgroup_reporting.core.state import AgentTimes, QueueCounts, State
from huntgroup_reporting.core.values import interval_start

ROWS_MAX = 4_000
"""Rows of one report; with the longest names they are just below gRPC's usual 4 MiB, and mostly far below 1 MiB."""

_COUNTS = tuple(name for name in QueueCounts.__struct_fields__ if name != "wait_ms_max")


@dataclass(frozen=True, slots=True, kw_only=True)
class KeptRows:
    """What the state has of a span; intervals before `kept_from_ms` are only in the database."""

    kept_from_ms: int
    rows: LedgerRows


def span_refusal(span: Span, ledger_interval_ms: int) -> Refused | None:
    """Return why there can be no report of the span, or None."""
    if span.from_ms >= span.to_ms:
        return Refused(
            reason=Reason.SPAN_EMPTY,
            detail=f"to_ms {span.to_ms} must be later than from_ms {span.from_ms}",
        )
    if span.interval_ms % ledger_interval_ms:
        return Refused(
            reason=Reason.INTERVAL_NOT_MULTIPLE,
            detail=f"interval_ms {span.interval_ms} must be a multiple of {ledger_interval_ms}",
        )
    return None


def rows_refusal(rows: LedgerRows) -> Refused | None:
    """Return why a report with so many rows is not given, or None."""
    if rows.count <= ROWS_MAX:
        return None
    return Refused(
        reason=Reason.ROWS_TOO_MANY,
        detail=f"the report has more than {ROWS_MAX} rows; ask for a shorter span, "
        "a longer interval_ms or one queue_id",
    )


def kept_rows(state: State, span: Span) -> KeptRows:
    """Return the part of a span that the state has; shares nothing with it."""
    rows = LedgerRows()
    begin = bisect_left(state.starts, span.from_ms)
    end = bisect_left(state.starts, span.to_ms)
    for start_ms in state.starts[begin:end]:
        interval = state.intervals[start_ms]
        row_ms = interval_start(start_ms, span.interval_ms)
        for queue_id, counts in interval.queues.items():
            if not span.queue_id or span.queue_id == queue_id:
                add_counts(rows.queues.setdefault((row_ms, queue_id), QueueCounts()), counts)
        add_times(rows.agents.setdefault(row_ms, AgentTimes()), interval.agents)
    return KeptRows(kept_from_ms=state.kept_from_ms, rows=rows)


def combined(older: LedgerRows, newer: LedgerRows) -> LedgerRows:
    """Add `newer` to `older`, and return that without rows in which nothing happened."""
    for key, counts in newer.queues.items():
        add_counts(older.queues.setdefault(key, QueueCounts()), counts)
    for start_ms, times in newer.agents.items():
        add_times(older.agents.setdefault(start_ms, AgentTimes()), times)
    older.agents = {start: times for start, times in older.agents.items() if times != AgentTimes()}
    return older


def totals_of(rows: LedgerRows) -> Iterator[tuple[str, QueueCounts]]:
    """Yield each queue with its numbers over all rows, by id."""
    totals: dict[str, QueueCounts] = {}
    for (_, queue_id), counts in rows.queues.items():
        add_counts(totals.setdefault(queue_id, QueueCounts()), counts)
    yield from sorted(totals.items())


def agents_total_of(rows: LedgerRows) -> AgentTimes:
    """Return the agents' time over all rows."""
    total = AgentTimes()
    for times in rows.agents.values():
        add_times(total, times)
    return total


def add_counts(to: QueueCounts, more: QueueCounts) -> None:
    """Add one row's numbers to another's."""
    for name in _COUNTS:
        setattr(to, name, getattr(to, name) + getattr(more, name))
    to.wait_ms_max = max(to.wait_ms_max, more.wait_ms_max)


def add_times(to: AgentTimes, more: AgentTimes) -> None:
    """Add one row's times to another's."""
    for name in AgentTimes.__struct_fields__:
        setattr(to, name, getattr(to, name) + getattr(more, name))
