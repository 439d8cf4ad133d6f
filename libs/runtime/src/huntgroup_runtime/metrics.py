"""Every metric of the platform's frame, by name, and instruments that cost an addition on the hot path."""

import time
from bisect import bisect_left
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal

from opentelemetry.metrics import CallbackOptions, Meter, Observation
from opentelemetry.sdk.metrics import Exemplar, MeterProvider
from opentelemetry.sdk.metrics.export import (
    AggregationTemporality,
    HistogramDataPoint,
    InMemoryMetricReader,
    Metric,
    MetricExportResult,
    MetricReader,
    MetricsData,
    PeriodicExportingMetricReader,
    ResourceMetrics,
    ScopeMetrics,
)
from opentelemetry.sdk.metrics.export import Histogram as HistogramData
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.util.instrumentation import InstrumentationScope

MetricName = Literal[
    # gRPC, semantic conventions 1.44; attributes rpc.system.name, rpc.method, rpc.response.status_code.
    "rpc.server.call.duration",  # s: a call, from its first byte to its status, as the server saw it
    "rpc.client.call.duration",  # s: the same as the caller saw it; calls forwarded to an owner are among them
    # Messaging, semantic conventions 1.44; attributes messaging.system, .operation.*, .destination.*.
    "messaging.client.operation.duration",  # s: one append to, or one read from, a journal
    "messaging.client.sent.messages",  # {message}: records appended
    "messaging.client.consumed.messages",  # {message}: records read
    "messaging.process.duration",  # s: deciding one batch of inputs
    # Journals; attributes huntgroup.service, partition.
    "huntgroup.journal.appended",  # {record}: records this replica appended
    "huntgroup.journal.accepted",  # {record}: records read that the reader rule accepted
    "huntgroup.journal.ignored",  # {record}: records read that it did not accept
    "huntgroup.journal.parked",  # {event}: foreign events that could not be read and were set aside
    "huntgroup.journal.claims",  # {claim}: claims this replica appended
    "huntgroup.journal.retired",  # {retirement}: times this replica stopped being an owner
    "huntgroup.journal.owned",  # 1 while this replica owns the partition, else 0
    "huntgroup.journal.halted",  # 1 while a bug keeps the partition stopped on this replica, else 0
    "huntgroup.journal.inflight",  # {record}: records appended but not read back yet
    "huntgroup.snapshots.stored",  # {snapshot}: snapshots this replica stored
    "huntgroup.snapshots.failed",  # {snapshot}: snapshots that were due and are not stored
    # Commands, counted where they enter by gRPC; attributes huntgroup.service, rpc.method.
    "huntgroup.commands.accepted",  # {command}: carried out
    "huntgroup.commands.refused",  # {command}: refused by the core; attribute reason
    "huntgroup.commands.repeated",  # {command}: answered from memory, carried out before
    # Admission; attribute huntgroup.service.
    "huntgroup.admission.shed",  # {call}: calls and streams turned away, at any bound; attributes reason, work
    "huntgroup.admission.waiting",  # {call}: calls that were let in and are not answered yet
    "huntgroup.admission.delay",  # s: how long a call waits before the process sees it, measured ten times a second
    "huntgroup.streams.open",  # {stream}: streams that are open, of all services of the process
    "huntgroup.streams.cut",  # {stream}: streams that were read too slowly and cut off; attribute rpc.method
    # The relay to the public topics; attributes huntgroup.service, partition.
    "huntgroup.relay.published",  # {event}: events published
    "huntgroup.relay.lag",  # {event}: accepted, not published yet, all of them
    # Recordings.
    "huntgroup.recordings.absent",  # {recording}: asked for by the policy, and there is none; attribute reason
    # The auditor.
    "huntgroup.audit.violations",  # {violation}: records that broke an invariant; attribute invariant
    "huntgroup.audit.unchecked",  # {part}: parts of an invariant that are not looked at; attribute invariant
    "huntgroup.audit.records",  # {record}: records read
    "huntgroup.audit.lag",  # {record}: there, not read yet
    "huntgroup.audit.last.pass",  # s: when all that was there had been audited, seconds since the epoch; 0 before
    # The process.
    "huntgroup.loop.blocked",  # {time}: times the event loop stood still for more than half a second
    "huntgroup.desktop.streams",  # {stream}: agent desktops connected to this replica
    "huntgroup.desktop.sent",  # {message}: messages sent to agent desktops
    "huntgroup.desktop.received",  # {message}: messages received from agent desktops
]

SCOPE: Final = "huntgroup"

Kind = Literal["counter", "gauge", "histogram"]
Attributes = Mapping[str, str]


@dataclass(frozen=True, slots=True)
class MetricSpec:
    """Kind, unit (UCUM) and meaning of one metric."""

    kind: Kind
    unit: str
    meaning: str


METRICS: Final[Mapping[MetricName, MetricSpec]] = {
    "rpc.server.call.duration": MetricSpec("histogram", "s", "Duration of a call at its server."),
    "rpc.client.call.duration": MetricSpec("histogram", "s", "Duration of a call at its caller."),
    "messaging.client.operation.duration": MetricSpec("histogram", "s", "One append or read."),
    "messaging.client.sent.messages": MetricSpec("counter", "{message}", "Records appended."),
    "messaging.client.consumed.messages": MetricSpec("counter", "{message}", "Records read."),
    "messaging.process.duration": MetricSpec("histogram", "s", "Deciding one batch of inputs."),
    "huntgroup.journal.appended": MetricSpec("counter", "{record}", "Records appended."),
    "huntgroup.journal.accepted": MetricSpec("counter", "{record}", "Records accepted."),
    "huntgroup.journal.ignored": MetricSpec("counter", "{record}", "Records not accepted."),
    "huntgroup.journal.parked": MetricSpec("counter", "{event}", "Foreign events set aside."),
    "huntgroup.journal.claims": MetricSpec("counter", "{claim}", "Claims appended."),
    "huntgroup.journal.retired": MetricSpec("counter", "{retirement}", "Ownerships lost."),
    "huntgroup.journal.owned": MetricSpec("gauge", "", "1 while the partition is owned here."),
    "huntgroup.journal.halted": MetricSpec("gauge", "", "1 while a bug stops the partition here."),
    "huntgroup.journal.inflight": MetricSpec("gauge", "{record}", "Records not read back yet."),
    "huntgroup.snapshots.stored": MetricSpec("counter", "{snapshot}", "Snapshots stored."),
    "huntgroup.snapshots.failed": MetricSpec("counter", "{snapshot}", "Snapshots not stored."),
    "huntgroup.commands.accepted": MetricSpec("counter", "{command}", "Commands carried out."),
    "huntgroup.commands.refused": MetricSpec("counter", "{command}", "Commands refused."),
    "huntgroup.commands.repeated": MetricSpec("counter", "{command}", "Commands seen before."),
    "huntgroup.admission.shed": MetricSpec("counter", "{call}", "Calls that were not let in."),
    "huntgroup.admission.waiting": MetricSpec("gauge", "{call}", "Calls not answered yet."),
    "huntgroup.admission.delay": MetricSpec("histogram", "s", "Wait before a call is seen."),
    "huntgroup.streams.open": MetricSpec("gauge", "{stream}", "Streams that are open."),
    "huntgroup.streams.cut": MetricSpec("counter", "{stream}", "Streams cut off as too slow."),
    "huntgroup.relay.published": MetricSpec("counter", "{event}", "Public events published."),
    "huntgroup.relay.lag": MetricSpec("gauge", "{event}", "Public events not published yet."),
    "huntgroup.recordings.absent": MetricSpec("counter", "{recording}", "Recordings not there."),
    "huntgroup.audit.violations": MetricSpec("counter", "{violation}", "Broken invariants."),
    "huntgroup.audit.unchecked": MetricSpec("gauge", "{part}", "Parts not looked at."),
    "huntgroup.audit.records": MetricSpec("counter", "{record}", "Records audited."),
    "huntgroup.audit.lag": MetricSpec("gauge", "{record}", "Records not audited yet."),
    "huntgroup.audit.last.pass": MetricSpec("gauge", "s", "When all there was had been audited."),
    "huntgroup.loop.blocked": MetricSpec("counter", "{time}", "Times the event loop stood still."),
    "huntgroup.desktop.streams": MetricSpec("gauge", "{stream}", "Agent desktops connected."),
    "huntgroup.desktop.sent": MetricSpec("counter", "{message}", "Messages sent to desktops."),
    "huntgroup.desktop.received": MetricSpec("counter", "{message}", "Messages from desktops."),
}

SECONDS_BOUNDS: Final[Sequence[float]] = (
    *(0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1),
    *(0.25, 0.5, 1, 2.5, 5, 10),
)


class Counter:
    """A number that grows; `add` is one addition, for the thread that made it."""

    __slots__ = ("attributes", "value")

    def __init__(self, attributes: Attributes) -> None:
        self.attributes = attributes
        self.value = 0

    def add(self, amount: int = 1) -> None:
        """Grow by `amount`, not negative."""
        self.value += amount


class Gauge:
    """A number that is what it is now."""

    __slots__ = ("attributes", "value")

    def __init__(self, attributes: Attributes) -> None:
        self.attributes = attributes
        self.value = 0

    def set(self, value: int) -> None:
        """Be `value` from now on."""
        self.value = value


class Histogram:
    """Durations in seconds, counted by bucket; `record` is a search among a few bounds and some additions.

    The SDK's own costs ten times that, on every call and every batch. Each bucket keeps its last traced duration.
    """

    __slots__ = ("attributes", "counts", "exemplars", "highest", "lowest", "started_ns", "total")

    def __init__(self, attributes: Attributes) -> None:
        self.attributes = attributes
        self.counts = [0] * (len(SECONDS_BOUNDS) + 1)
        self.exemplars: dict[int, tuple[float, int, str]] = {}
        self.total = 0.0
        self.lowest = float("inf")
        self.highest = float("-inf")
        self.started_ns = time.time_ns()

    def record(self, seconds: float, traceparent: str = "") -> None:
        """Count one duration; `traceparent` is that of its span, when it is recorded."""
        bucket = bisect_left(SECONDS_BOUNDS, seconds)
        self.counts[bucket] += 1
        self.total += seconds
        self.lowest = min(self.lowest, seconds)
        self.highest = max(self.highest, seconds)
        if traceparent.endswith("1"):  # the trace is sampled
            self.exemplars[bucket] = (seconds, time.time_ns(), traceparent)

    def point(self) -> HistogramDataPoint:
        """Return what was counted since the start, as exporters take it."""
        return HistogramDataPoint(
            attributes=dict(self.attributes),
            start_time_unix_nano=self.started_ns,
            time_unix_nano=time.time_ns(),
            count=sum(self.counts),
            sum=self.total,
            bucket_counts=tuple(self.counts),
            explicit_bounds=SECONDS_BOUNDS,
            min=self.lowest if self.total else 0,
            max=self.highest if self.total else 0,
            exemplars=[
                Exemplar({}, seconds, at_ns, int(traced[36:52], 16), int(traced[3:35], 16))
                for seconds, at_ns, traced in list(self.exemplars.values())
            ],
        )


Instrument = Counter | Gauge | Histogram


class Metrics:
    """The instruments of one process. They are only read when somebody asks for them."""

    def __init__(self, resource: Resource | None, otlp_endpoint: str = "") -> None:
        self._series: dict[MetricName, dict[frozenset[tuple[str, str]], Instrument]] = {}
        self._resource = resource
        self._pull = InMemoryMetricReader()
        readers: list[MetricReader] = [self._pull]
        if otlp_endpoint:
            readers.append(_otlp_reader(otlp_endpoint, self._with_histograms))
        self._provider: MeterProvider | None = None
        self._meter: Meter | None = None
        if resource is not None:
            self._provider = MeterProvider(readers, resource, shutdown_on_exit=False)
            self._meter = self._provider.get_meter(SCOPE)

    def counter(self, name: MetricName, attributes: Attributes | None = None) -> Counter:
        """Return the counter of `name` with `attributes`: the same one for the same words."""
        assert METRICS[name].kind == "counter", f"{name} is a {METRICS[name].kind}"
        found = self._find(name, attributes or {}, Counter)
        assert isinstance(found, Counter)
        return found

    def gauge(self, name: MetricName, attributes: Attributes | None = None) -> Gauge:
        """Return the gauge of `name` with `attributes`: the same one for the same words."""
        assert METRICS[name].kind == "gauge", f"{name} is a {METRICS[name].kind}"
        found = self._find(name, attributes or {}, Gauge)
        assert isinstance(found, Gauge)
        return found

    def histogram(self, name: MetricName, attributes: Attributes | None = None) -> Histogram:
        """Return the histogram of `name` with `attributes`: the same one for the same words."""
        assert METRICS[name].kind == "histogram", f"{name} is a {METRICS[name].kind}"
        found = self._find(name, attributes or {}, Histogram)
        assert isinstance(found, Histogram)
        return found

    def collect(self) -> MetricsData:
        """Return what all instruments say now."""
        if self._provider is None:
            return MetricsData(resource_metrics=[])
        return self._with_histograms(self._pull.get_metrics_data())

    def shutdown(self) -> None:
        """Export once more and stop; blocks for as long as the exporter takes."""
        if self._provider is not None:
            self._provider.shutdown(timeout_millis=5_000)

    def _find(self, name: MetricName, attributes: Attributes, made: type[Instrument]) -> Instrument:
        series = self._series.get(name)
        if series is None:
            series = self._series[name] = {}
            self._observe(name, series)
        key = frozenset(attributes.items())
        if key not in series:
            series[key] = made(dict(attributes))
        return series[key]

    def _observe(
        self, name: MetricName, series: Mapping[frozenset[tuple[str, str]], Instrument]
    ) -> None:
        """Let the SDK read the counters or gauges of `name`; histograms are added when it has."""
        spec = METRICS[name]
        if self._meter is None or spec.kind == "histogram":
            return

        def read(_: CallbackOptions) -> Iterable[Observation]:
            return [
                Observation(item.value, item.attributes)
                for item in list(series.values())
                if not isinstance(item, Histogram)
            ]

        create = (
            self._meter.create_observable_counter
            if spec.kind == "counter"
            else self._meter.create_observable_gauge
        )
        create(name, [read], spec.unit, spec.meaning)

    def _with_histograms(self, data: MetricsData | None) -> MetricsData:
        """Return `data` with the histograms, which the SDK does not know."""
        assert self._resource is not None
        cumulative = AggregationTemporality.CUMULATIVE
        metrics = [
            Metric(
                name,
                METRICS[name].meaning,
                METRICS[name].unit,
                HistogramData(
                    [one.point() for one in list(series.values()) if isinstance(one, Histogram)],
                    cumulative,
                ),
            )
            for name, series in list(self._series.items())
            if METRICS[name].kind == "histogram"
        ]
        for resource in data.resource_metrics if data else ():
            for known in resource.scope_metrics:
                metrics.extend(known.metrics)
        # One scope for all: exporters keep only the last of several with the same name.
        scope = ScopeMetrics(InstrumentationScope(SCOPE), metrics, "")
        return MetricsData(resource_metrics=[ResourceMetrics(self._resource, [scope], "")])


def _otlp_reader(endpoint: str, complete: Callable[[MetricsData], MetricsData]) -> MetricReader:
    """Return a reader that sends everything to `endpoint` once a minute."""
    from opentelemetry.exporter.otlp.proto.grpc.metric_exporter import (  # noqa: PLC0415 - slow, optional
        OTLPMetricExporter,
    )

    class CompleteExporter(OTLPMetricExporter):
        def export(
            self, metrics_data: MetricsData, timeout_millis: float = 10_000, **more: Any
        ) -> MetricExportResult:
            return super().export(complete(metrics_data), timeout_millis, **more)

    return PeriodicExportingMetricReader(CompleteExporter(endpoint=endpoint))
