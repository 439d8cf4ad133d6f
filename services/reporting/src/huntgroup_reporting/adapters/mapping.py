"""Reporting's words on the wire: events, statuses, and the figures, which are derived here and nowhere else.

Formulas, attribution and sources are written down in docs/reference/kpi.md.
"""

from collections.abc import Mapping
from typing import Final, get_args

from grpc import StatusCode

from huntgroup.reporting.v1 import events_pb2
from huntgroup.reporting.v1.commands_pb2 import (
    AgentsInterval,
    AgentsLive,
    GetReportResponse,
    QueueInterval,
    QueueLive,
    SourceProgress,
    WatchDomainResponse,
)
from huntgroup_contracts.codec import EventCodec
from huntgroup_reporting.app.ports import LedgerRows, Span
from huntgroup_reporting.app.queries import agents_total_of, totals_of
from huntgroup_reporting.core.messages import Event, Reason
from huntgroup_reporting.core.projections import LiveDomain, LiveQueue
from huntgroup_reporting.core.state import AgentTimes, QueueCounts

STATUSES: Final[Mapping[str, StatusCode]] = {
    Reason.SPAN_EMPTY: StatusCode.INVALID_ARGUMENT,
    Reason.INTERVAL_NOT_MULTIPLE: StatusCode.INVALID_ARGUMENT,
    Reason.ROWS_TOO_MANY: StatusCode.INVALID_ARGUMENT,
    Reason.HISTORY_UNAVAILABLE: StatusCode.UNAVAILABLE,
}


def event_codec() -> EventCodec[Event]:
    """Return the codec of the events; raises `ContractMismatchError` when core and .proto differ."""
    return EventCodec(events_pb2, get_args(Event))


def report(span: Span, rows: LedgerRows, sources: Mapping[str, int]) -> GetReportResponse:
    """Return a report, rows in the order of time and queue."""
    return GetReportResponse(
        queues=[
            queue_interval(start_ms, queue_id, counts)
            for (start_ms, queue_id), counts in sorted(rows.queues.items(), key=lambda row: row[0])
        ],
        agents=[
            agents_interval(start_ms, times)
            for start_ms, times in sorted(rows.agents.items(), key=lambda row: row[0])
        ],
        totals=[
            queue_interval(span.from_ms, queue_id, counts) for queue_id, counts in totals_of(rows)
        ],
        agents_total=agents_interval(span.from_ms, agents_total_of(rows)),
        interval_ms=span.interval_ms,
        sources=[
            SourceProgress(service=service, position=position)
            for service, position in sources.items()
        ],
    )


def queue_interval(start_ms: int, queue_id: str, counts: QueueCounts) -> QueueInterval:
    """Return a row of a queue with its figures."""
    handling_ms = counts.talk_ms + counts.hold_ms + counts.wrap_up_ms
    return QueueInterval(
        queue_id=queue_id,
        interval_start_ms=start_ms,
        **{name: getattr(counts, name) for name in QueueCounts.__struct_fields__},
        service_level=service_level(
            counts.answered,
            counts.answered_within_threshold,
            counts.abandoned,
            counts.abandoned_within_threshold,
        ),
        asa_ms=ratio(counts.answered_wait_ms, counts.answered),
        aht_ms=ratio(handling_ms, counts.handled),
        abandonment=ratio(counts.abandoned, counts.offered),
    )


def agents_interval(start_ms: int, times: AgentTimes) -> AgentsInterval:
    """Return a row of the agents' time with its figure."""
    handling_ms = times.talking_ms + times.wrapping_up_ms
    return AgentsInterval(
        interval_start_ms=start_ms,
        **{name: getattr(times, name) for name in AgentTimes.__struct_fields__},
        occupancy=ratio(handling_ms, handling_ms + times.idle_ms),
    )


def live_view(now_ms: int, live: LiveDomain) -> WatchDomainResponse:
    """Return a live view with its figures."""
    return WatchDomainResponse(
        as_of_ms=now_ms,
        queues=[queue_live(queue) for queue in live.queues],
        agents=[AgentsLive(state=state, agents=agents) for state, agents in live.agents],
        events=live.noted,
    )


def queue_live(queue: LiveQueue) -> QueueLive:
    """Return a queue of a live view with its figures."""
    return QueueLive(
        queue_id=queue.queue_id,
        waiting=queue.waiting,
        ringing=queue.ringing,
        talking=queue.talking,
        waiting_since_ms=queue.waiting_since_ms,
        offered=queue.offered,
        answered=queue.answered,
        abandoned=queue.abandoned,
        service_level=service_level(
            queue.answered,
            queue.answered_within_threshold,
            queue.abandoned,
            queue.abandoned_within_threshold,
        ),
        asa_ms=ratio(queue.answered_wait_ms, queue.answered),
    )


def service_level(
    answered: int, answered_within: int, abandoned: int, abandoned_within: int
) -> float:
    """Return SL_offered: answered in time, of all who were answered or gave up later than that."""
    return ratio(answered_within, answered + abandoned - abandoned_within)


def ratio(part: int, whole: int) -> float:
    """Return a quotient; 0 where there is nothing to divide by."""
    return part / whole if whole else 0.0
