"""Spans and metrics of a process, under current OpenTelemetry names (semantic conventions 1.44), none of older ones.

One contact is one connected trace: a trace context travels as a W3C `traceparent` string through gRPC metadata and
through journal records. Without an exporter nothing is recorded, but what callers sent is still passed on.
"""

import re
import time
from collections.abc import Mapping, Sequence
from contextvars import ContextVar, Token
from types import TracebackType
from typing import Final, Literal, Self
from urllib.parse import urlsplit

from grpc import StatusCode
from opentelemetry import context as otel_context
from opentelemetry import trace
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SimpleSpanProcessor, SpanExporter
from opentelemetry.trace import Link, SpanContext, SpanKind, Status, TraceFlags, Tracer
from opentelemetry.trace import StatusCode as SpanStatus

from huntgroup_runtime.metrics import (
    Attributes,
    Counter,
    Gauge,
    Histogram,
    MetricName,
    Metrics,
)
from huntgroup_runtime.settings import RuntimeSettings

_TRACEPARENT: Final = re.compile(
    r"(?!ff)[0-9a-f]{2}-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}"
)
_CURRENT: Final[ContextVar[str]] = ContextVar("huntgroup_traceparent", default="")

SERVER_ERRORS: Final = frozenset(
    {
        StatusCode.UNKNOWN,
        StatusCode.DEADLINE_EXCEEDED,
        StatusCode.UNIMPLEMENTED,
        StatusCode.INTERNAL,
        StatusCode.UNAVAILABLE,
        StatusCode.DATA_LOSS,
    }
)
"""The statuses that are a server's fault; others are answers."""
CLIENT_ERRORS: Final = frozenset(StatusCode) - {StatusCode.OK}

OpenSpan = tuple[str, trace.Span | None]
"""The trace context to hand on, and the span when it is recorded."""


def valid_traceparent(text: str) -> str:
    """Return `text` when it is a W3C trace context, else the empty string: it may come from anybody."""
    return text if len(text) == 55 and _TRACEPARENT.fullmatch(text) else ""  # noqa: PLR2004 - fixed by W3C


def current_traceparent() -> str:
    """Return the W3C trace context of the work under way in this task, or the empty string."""
    return _CURRENT.get()


class Span:
    """A piece of work in a trace; use it with `with`. An exception that leaves the block marks it as failed."""

    __slots__ = ("_attached", "_span", "_token", "traceparent")

    def __init__(self, traceparent: str, span: trace.Span | None) -> None:
        self.traceparent = traceparent
        """What to hand on: to callees, and into journal records."""
        self._span = span
        self._token: Token[str] | None = None
        self._attached: Token[otel_context.Context] | None = None

    def __enter__(self) -> Self:
        self._token = _CURRENT.set(self.traceparent)
        if self._span is not None:
            self._attached = otel_context.attach(trace.set_span_in_context(self._span))
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        where: TracebackType | None,
    ) -> None:
        if self._token is not None:
            _CURRENT.reset(self._token)
        if self._span is None:
            return
        if self._attached is not None:
            otel_context.detach(self._attached)
        if kind is not None:
            self.fail(kind.__name__)
        self._span.end()

    def set(self, attribute: str, value: str | int) -> None:
        """Say something about the work."""
        if self._span is not None:
            self._span.set_attribute(attribute, value)

    def fail(self, error_type: str) -> None:
        """Mark the work as failed; the name of the error's kind only, never its text."""
        if self._span is not None:
            self._span.set_attribute("error.type", error_type)
            self._span.set_status(Status(SpanStatus.ERROR))


class RpcDurations:
    """The histograms of one side of all calls, by method and status: as many as there are rpcs and answers."""

    def __init__(
        self,
        metrics: Metrics,
        name: Literal["rpc.server.call.duration", "rpc.client.call.duration"],
    ) -> None:
        self._metrics = metrics
        self._name: MetricName = name
        self._by_answer: dict[tuple[str, StatusCode, bool], Histogram] = {}

    def of(self, method: str, status: StatusCode, *, failed: bool) -> Histogram:
        """Return the histogram of one method's answers with one status."""
        key = (method, status, failed)
        found = self._by_answer.get(key)
        if found is None:
            words = {**rpc_attributes(method), "rpc.response.status_code": status.name}
            if failed:
                words["error.type"] = status.name
            found = self._by_answer[key] = self._metrics.histogram(self._name, words)
        return found


class RpcCall(Span):
    """One gRPC call, as its server or its caller sees it; `finish` counts and times it."""

    __slots__ = ("_durations", "_errors", "_method", "_started")

    def __init__(
        self,
        opened: OpenSpan,
        durations: RpcDurations,
        method: str,
        errors: frozenset[StatusCode],
    ) -> None:
        super().__init__(*opened)
        self._durations = durations
        self._method = method
        self._errors = errors
        self._started = time.perf_counter()

    def finish(self, status: StatusCode) -> None:
        """Say how the call ended; call it once, inside the block."""
        seconds = time.perf_counter() - self._started
        failed = status in self._errors
        histogram = self._durations.of(self._method, status, failed=failed)
        if self._span is None:
            histogram.record(seconds)
            return
        histogram.record(seconds, self.traceparent)
        self.set("rpc.response.status_code", status.name)
        if failed:
            self.fail(status.name)


class Telemetry:
    """Spans, metrics and trace context of one process; made once, in its composition root, and passed on."""

    def __init__(
        self,
        *,
        service: str,
        owner_id: str = "",
        otlp_endpoint: str = "",
        messaging_system: str = "kafka",
        span_exporter: SpanExporter | None = None,
        metrics: bool = True,
    ) -> None:
        resource = Resource.create(
            {
                "service.namespace": "huntgroup",
                "service.name": service,
                "service.instance.id": owner_id,
            }
        )
        self.metrics = Metrics(resource if metrics else None, otlp_endpoint)
        self.messaging_system = messaging_system
        self._provider = _tracer_provider(resource, otlp_endpoint, span_exporter)
        self._tracer: Tracer | None = None
        if self._provider is not None:
            self._tracer = self._provider.get_tracer("huntgroup")
        self._server_durations = RpcDurations(self.metrics, "rpc.server.call.duration")
        self._client_durations = RpcDurations(self.metrics, "rpc.client.call.duration")

    @classmethod
    def of(cls, service: str, settings: RuntimeSettings) -> "Telemetry":
        """Return that of a process: it exports when `otlp_endpoint` is set, and always counts for /metrics."""
        return cls(
            service=service,
            owner_id=settings.owner_id,
            otlp_endpoint=settings.otlp_endpoint,
            messaging_system=urlsplit(settings.log_url).scheme,
        )

    @classmethod
    def off(cls) -> "Telemetry":
        """Return one that records nothing, for tests and simulations."""
        return cls(service="off", metrics=False)

    @property
    def tracing(self) -> bool:
        """Whether spans are recorded."""
        return self._tracer is not None

    def counter(self, name: MetricName, attributes: Attributes | None = None) -> Counter:
        """Return a counter to keep and to `add` to; the same one for the same name and attributes."""
        return self.metrics.counter(name, attributes)

    def gauge(self, name: MetricName, attributes: Attributes | None = None) -> Gauge:
        """Return a gauge to keep and to `set`; the same one for the same name and attributes."""
        return self.metrics.gauge(name, attributes)

    def server_call(self, method: str, traceparent: str) -> RpcCall:
        """Begin the server's span of a call to `package.Service/Method`; `traceparent` is the caller's, unchecked."""
        parent = valid_traceparent(traceparent)
        span: OpenSpan = (parent, None)
        if self._tracer is not None:
            span = self._open(method, SpanKind.SERVER, parent, rpc_attributes(method))
        return RpcCall(span, self._server_durations, method, SERVER_ERRORS)

    def client_call(self, method: str) -> RpcCall:
        """Begin the caller's span of a call; send its `traceparent` as metadata of that name."""
        parent = current_traceparent()
        span: OpenSpan = (parent, None)
        if self._tracer is not None:
            span = self._open(method, SpanKind.CLIENT, parent, rpc_attributes(method))
        return RpcCall(span, self._client_durations, method, CLIENT_ERRORS)

    def start_process_span(
        self, name: str, traceparent: str, attributes: Mapping[str, str | int] | None = None
    ) -> Span:
        """Begin the span of taking in one record or event, as a child of the work that wrote it.

        `name` is `{operation} {destination}`, for example `process huntgroup.session.journal.v1`. With spans off this
        costs less than a microsecond and the span hands on `traceparent` itself.
        """
        if self._tracer is None:
            return Span(traceparent, None)
        return Span(
            *self._open(name, SpanKind.CONSUMER, valid_traceparent(traceparent), attributes)
        )

    def start_send_span(
        self,
        name: str,
        traceparents: Sequence[str],
        attributes: Mapping[str, str | int] | None = None,
    ) -> Span:
        """Begin the span of appending one record: a child of its one cause, or linked to its several ones."""
        if self._tracer is None:
            return Span(current_traceparent(), None)
        causes = list(dict.fromkeys(filter(valid_traceparent, traceparents)))
        parent = causes[0] if len(causes) == 1 else ""
        links = [] if parent else [Link(_span_context(cause)) for cause in causes]
        return Span(*self._open(name, SpanKind.PRODUCER, parent, attributes, links))

    def shutdown(self) -> None:
        """Send what is left and stop; blocks, so call it from a thread."""
        if self._provider is not None:
            self._provider.shutdown()
        self.metrics.shutdown()

    def _open(
        self,
        name: str,
        kind: SpanKind,
        parent: str,
        attributes: Mapping[str, str | int] | None,
        links: Sequence[Link] = (),
    ) -> OpenSpan:
        if self._tracer is None:
            return parent, None
        context = otel_context.Context()
        if parent:
            context = trace.set_span_in_context(
                trace.NonRecordingSpan(_span_context(parent)), context
            )
        span = self._tracer.start_span(name, context, kind, dict(attributes or {}), links)
        return _traceparent(span.get_span_context()), span


def rpc_attributes(method: str) -> dict[str, str]:
    """Return what every span and metric of calls to `package.Service/Method` says."""
    return {"rpc.system.name": "grpc", "rpc.method": method}


def _span_context(traceparent: str) -> SpanContext:
    return SpanContext(
        trace_id=int(traceparent[3:35], 16),
        span_id=int(traceparent[36:52], 16),
        is_remote=True,
        trace_flags=TraceFlags(int(traceparent[53:], 16)),
    )


def _traceparent(context: SpanContext) -> str:
    return f"00-{context.trace_id:032x}-{context.span_id:016x}-{context.trace_flags & 1:02x}"


def _tracer_provider(
    resource: Resource, otlp_endpoint: str, span_exporter: SpanExporter | None
) -> TracerProvider | None:
    if not otlp_endpoint and span_exporter is None:
        return None
    provider = TracerProvider(resource=resource, shutdown_on_exit=False)
    if span_exporter is not None:
        provider.add_span_processor(SimpleSpanProcessor(span_exporter))
    if otlp_endpoint:
        from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import (  # noqa: PLC0415 - slow, optional
            OTLPSpanExporter,
        )

        provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter(endpoint=otlp_endpoint)))
    return provider
