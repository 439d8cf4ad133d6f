"""Every metric of the platform's frame, by name, and instruments that cost an addition on the hot path."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Literal

from opentelemetry.metrics import CallbackOptions, Meter, Observation
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import (
    InMemoryMetricReader,
    MetricReader,
    MetricsData,
    PeriodicExportingMetricReader,
)
from opentelemetry.sdk.resources import Resource

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
    "huntgroup.journal.halted",  # 1 while a bug keeps the partition stopped on this replica, else 0
    "huntgroup.journal.lag",  # {record}: records that are in the log but not read yet
    "huntgroup.journal.inflight",  # {record}: records appended but not read back yet
    # Commands, counted where they enter by gRPC; attributes huntgroup.service, rpc.method.
    "huntgroup.commands.accepted",  # {command}: carried out
    "huntgroup.commands.refused",  # {command}: refused by the core; attribute reason
    "huntgroup.commands.repeated",  # {command}: answered from memory, carried out before
    # The relay to the public topics; attributes huntgroup.service, partition.
    "huntgroup.relay.published",  # {event}: events published
    "huntgroup.relay.lag",  # {event}: accepted, not published yet
    # The process.
    "huntgroup.loop.blocked",  # {time}: times the event loop stood still for more than half a second
    "huntgroup.desktop.streams",  # {stream}: agent desktops connected to this replica
    "huntgroup.desktop.sent",  # {message}: messages sent to agent desktops
    "huntgroup.desktop.received",  # {message}: messages received from agent desktops
]

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
    "huntgroup.journal.halted": MetricSpec("gauge", "", "1 while a bug stops the partition here."),
    "huntgroup.journal.lag": MetricSpec("gauge", "{record}", "Records not read yet."),
    "huntgroup.journal.inflight": MetricSpec("gauge", "{record}", "Records not read back yet."),
    "huntgroup.commands.accepted": MetricSpec("counter", "{command}", "Commands carried out."),
    "huntgroup.commands.refused": MetricSpec("counter", "{command}", "Commands refused."),
    "huntgroup.commands.repeated": MetricSpec("counter", "{command}", "Commands seen before."),
    "huntgroup.relay.published": MetricSpec("counter", "{event}", "Public events published."),
    "huntgroup.relay.lag": MetricSpec("gauge", "{event}", "Public events not published yet."),
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
    """Durations in seconds by bucket; a record costs about 7 µs, so one per batch or call, not per event."""

    __slots__ = ("_instrument",)

    def __init__(self, meter: Meter | None, name: MetricName) -> None:
        self._instrument = None
        if meter is not None:
            self._instrument = meter.create_histogram(
                name,
                unit=METRICS[name].unit,
                description=METRICS[name].meaning,
                explicit_bucket_boundaries_advisory=SECONDS_BOUNDS,
            )

    def record(self, seconds: float, attributes: Attributes) -> None:
        """Count one duration."""
        if self._instrument is not None:
            self._instrument.record(seconds, attributes)


class Metrics:
    """The instruments of one process. Counters and gauges are only read when somebody asks for them."""

    def __init__(self, resource: Resource | None, readers: Sequence[MetricReader] = ()) -> None:
        self._pull = InMemoryMetricReader()
        self._provider = (
            MeterProvider([self._pull, *readers], resource, shutdown_on_exit=False)
            if resource is not None
            else None
        )
        self._meter = self._provider.get_meter("huntgroup") if self._provider else None
        self._series: dict[str, dict[frozenset[tuple[str, str]], Counter | Gauge]] = {}
        self._histograms: dict[str, Histogram] = {}

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

    def histogram(self, name: MetricName) -> Histogram:
        """Return the histogram of `name`."""
        assert METRICS[name].kind == "histogram", f"{name} is a {METRICS[name].kind}"
        if name not in self._histograms:
            self._histograms[name] = Histogram(self._meter, name)
        return self._histograms[name]

    def collect(self) -> MetricsData | None:
        """Return what all instruments say now."""
        return self._pull.get_metrics_data() if self._provider is not None else None

    def shutdown(self) -> None:
        """Export once more and stop; blocks for as long as the exporter takes (5 s at most)."""
        if self._provider is not None:
            self._provider.shutdown(timeout_millis=5_000)

    def _find(
        self, name: MetricName, attributes: Attributes, made: type[Counter | Gauge]
    ) -> Counter | Gauge:
        series = self._series.get(name)
        if series is None:
            series = self._series[name] = {}
            self._observe(name, series)
        key = frozenset(attributes.items())
        if key not in series:
            series[key] = made(dict(attributes))
        return series[key]

    def _observe(
        self, name: MetricName, series: Mapping[frozenset[tuple[str, str]], Counter | Gauge]
    ) -> None:
        if self._meter is None:
            return

        def read(_: CallbackOptions) -> Iterable[Observation]:
            return [Observation(item.value, item.attributes) for item in list(series.values())]

        spec = METRICS[name]
        create = (
            self._meter.create_observable_counter
            if spec.kind == "counter"
            else self._meter.create_observable_gauge
        )
        create(name, [read], spec.unit, spec.meaning)


def otlp_metric_reader(endpoint: str) -> MetricReader:
    """Return a reader that sends everything to `endpoint` once a minute."""
    from opentelemetry.exporter.otlp.proto.grpc.metric_exporter import (  # noqa: PLC0415 - slow, optional
        OTLPMetricExporter,
    )

    return PeriodicExportingMetricReader(OTLPMetricExporter(endpoint=endpoint))
