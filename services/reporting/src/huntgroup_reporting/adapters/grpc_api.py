"""The gRPC API: reports from the journal's state and the database, live views as streams."""

from collections.abc import AsyncGenerator
from dataclasses import replace
from typing import Final

from huntgroup.reporting.v1 import service_pb2
from huntgroup.reporting.v1.commands_pb2 import (
    GetReportRequest,
    GetReportResponse,
    WatchDomainRequest,
    WatchDomainResponse,
)
from huntgroup_reporting.adapters.mapping import STATUSES, report
from huntgroup_reporting.adapters.streams import watch
from huntgroup_reporting.app.effects import LedgerWriter
from huntgroup_reporting.app.ports import (
    History,
    HistoryUnavailableError,
    JournalPoint,
    JournalPoints,
    LedgerRows,
    LiveViews,
    Span,
)
from huntgroup_reporting.app.queries import (
    ROWS_MAX,
    KeptRows,
    combined,
    kept_rows,
    rows_refusal,
    span_refusal,
)
from huntgroup_reporting.core.messages import Reason, Refused
from huntgroup_reporting.core.state import State
from huntgroup_runtime.ports import Journals
from huntgroup_runtime.rpc.commands import RpcApi
from huntgroup_runtime.rpc.errors import RpcRefusedError
from huntgroup_runtime.rpc.forwarding import Peers
from huntgroup_runtime.telemetry import Telemetry

SERVICE: Final = service_pb2.DESCRIPTOR.services_by_name["ReportingService"]

HISTORY_WAIT_S: Final = 3.0
"""A report of old intervals waits so long for the database to come up with the journal."""


class Reports:
    """Answers `GetReport`."""

    def __init__(
        self,
        *,
        journals: Journals,
        points: JournalPoints,
        history: History,
        writer: LedgerWriter,
        interval_ms: int,
    ) -> None:
        self._journals = journals
        self._points = points
        self._history = history
        self._writer = writer
        self._interval_ms = interval_ms

    async def get_report(self, request: GetReportRequest) -> GetReportResponse:
        """Return the report of a span; raises `NotOwnerError`, `RpcRefusedError`."""
        span = Span(
            domain=request.domain,
            from_ms=request.from_ms,
            to_ms=request.to_ms,
            interval_ms=request.interval_ms or self._interval_ms,
            queue_id=request.queue_id,
        )
        _refuse(span_refusal(span, self._interval_ms))

        def read(state: State) -> tuple[KeptRows, JournalPoint]:
            return kept_rows(state, span), self._points(span.domain)

        kept, point = await self._journals.query(span.domain, read)
        rows = kept.rows
        if span.from_ms < kept.kept_from_ms:
            older = replace(span, to_ms=min(span.to_ms, kept.kept_from_ms))
            rows = combined(await self._older_rows(older, point), rows)
        _refuse(rows_refusal(rows))
        return report(span, rows, point.sources)

    async def _older_rows(self, span: Span, point: JournalPoint) -> LedgerRows:
        try:
            await self._writer.reach(point.partition, point.position, HISTORY_WAIT_S)
            return await self._history.rows(span, ROWS_MAX)
        except HistoryUnavailableError as error:
            detail = f"intervals before {span.to_ms} are not to be had now: {error}"
            refused = Refused(reason=Reason.HISTORY_UNAVAILABLE, detail=detail)
            raise _refusal(refused) from None


def reporting_api(
    reports: Reports, views: LiveViews, *, journals: Journals, peers: Peers, telemetry: Telemetry
) -> RpcApi:
    """Return the API over `journals`; calls for domains of other replicas go to their owners by `peers`."""
    api = RpcApi(SERVICE, journals=journals, peers=peers, telemetry=telemetry, statuses=STATUSES)

    def watch_domain(request: WatchDomainRequest) -> AsyncGenerator[WatchDomainResponse, None]:
        return watch(views, request)

    api.unary("GetReport", reports.get_report)
    api.unary_stream("WatchDomain", watch_domain)
    return api


def _refuse(refused: Refused | None) -> None:
    if refused is not None:
        raise _refusal(refused)


def _refusal(refused: Refused) -> RpcRefusedError:
    return RpcRefusedError(STATUSES[refused.reason], refused.reason, refused.detail)
