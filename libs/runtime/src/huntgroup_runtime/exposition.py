"""Metrics in the text that Prometheus reads: from the OpenTelemetry instruments, with exemplars, and of the process."""

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

from opentelemetry.sdk.metrics.export import Gauge as GaugeData
from opentelemetry.sdk.metrics.export import Histogram as HistogramData
from opentelemetry.sdk.metrics.export import (
    HistogramDataPoint,
    Metric,
    MetricsData,
    NumberDataPoint,
    Sum,
)
from prometheus_client import CollectorRegistry, GCCollector, ProcessCollector
from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    InfoMetricFamily,
)
from prometheus_client.exposition import choose_encoder
from prometheus_client.registry import Collector
from prometheus_client.samples import Exemplar

from huntgroup_runtime.metrics import Metrics

Family = CounterMetricFamily | GaugeMetricFamily | HistogramMetricFamily | InfoMetricFamily

_ILLEGAL: Final = re.compile(r"[^a-zA-Z0-9_]")
_SUFFIXES: Final = {"s": "_seconds", "By": "_bytes"}


class Exposition:
    """The text of one process's metrics. Names: dots become `_`, seconds end in `_seconds`, counters in `_total`."""

    def __init__(self, metrics: Metrics) -> None:
        self._registry = CollectorRegistry()
        self._registry.register(_Instruments(metrics))
        ProcessCollector(registry=self._registry)
        GCCollector(registry=self._registry)

    def text(self, accept: str) -> tuple[bytes, str]:
        """Return the text and its content type: OpenMetrics, with exemplars, when `accept` names it.

        Takes milliseconds: call it from a thread.
        """
        encode, content_type = choose_encoder(accept)
        return encode(self._registry), content_type


class _Instruments(Collector):
    def __init__(self, metrics: Metrics) -> None:
        self._metrics = metrics

    def collect(self) -> Iterable[Family]:
        return list(_families(self._metrics.collect()))


def _families(data: MetricsData) -> Iterable[Family]:
    for resource in data.resource_metrics:
        words = {_label(key): str(value) for key, value in resource.resource.attributes.items()}
        yield InfoMetricFamily("target", "What this process is.", value=words)
        for scope in resource.scope_metrics:
            for metric in scope.metrics:
                family = _family(metric)
                if family is not None:
                    yield family


def _family(metric: Metric) -> Family | None:
    name = _ILLEGAL.sub("_", metric.name) + _SUFFIXES.get(metric.unit or "", "")
    points = metric.data.data_points
    labels = _labels(points)
    named = [_label(label) for label in labels]
    meaning = metric.description or ""
    match metric.data:
        case HistogramData():
            histogram = HistogramMetricFamily(name, meaning, labels=named)
            for point in points:
                assert isinstance(point, HistogramDataPoint)
                values = _values(point.attributes, labels)
                histogram.add_metric(values, _buckets(point), point.sum)
            return histogram
        case Sum(is_monotonic=True):
            counter = CounterMetricFamily(name, meaning, labels=named)
            for point in points:
                assert isinstance(point, NumberDataPoint)
                counter.add_metric(_values(point.attributes, labels), point.value)
            return counter
        case Sum() | GaugeData():
            gauge = GaugeMetricFamily(name, meaning, labels=named)
            for point in points:
                assert isinstance(point, NumberDataPoint)
                gauge.add_metric(_values(point.attributes, labels), point.value)
            return gauge
        case _:
            return None


def _buckets(point: HistogramDataPoint) -> list[Any]:
    """Return (upper bound, count so far, exemplar) of each bucket."""
    bounds = [*point.explicit_bounds, float("inf")]
    buckets = []
    count = 0
    for index, bound in enumerate(bounds):
        count += point.bucket_counts[index]
        low = bounds[index - 1] if index else float("-inf")
        shown = "+Inf" if bound == float("inf") else str(bound)
        buckets.append((shown, count, _exemplar(point, low, bound)))
    return buckets


def _exemplar(point: HistogramDataPoint, low: float, high: float) -> Exemplar | None:
    """Return a measurement of the bucket that names its trace, if there is one."""
    for found in point.exemplars:
        if low < found.value <= high and found.trace_id and found.span_id:
            words = {
                "trace_id": f"{_number(found.trace_id):032x}",
                "span_id": f"{_number(found.span_id):016x}",
            }
            return Exemplar(words, found.value, found.time_unix_nano / 1e9)
    return None


def _number(identity: int | str) -> int:
    return identity if isinstance(identity, int) else int(identity, 16)


def _labels(points: Sequence[Any]) -> list[str]:
    """Return every attribute that any point has; a point without it has the empty label."""
    return sorted({str(key) for point in points for key in point.attributes})


def _values(attributes: Mapping[str, Any] | None, labels: Sequence[str]) -> list[str]:
    return [str((attributes or {}).get(label, "")) for label in labels]


def _label(attribute: str) -> str:
    return _ILLEGAL.sub("_", attribute)
