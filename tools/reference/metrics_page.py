"""docs/reference/metrics.md: every metric, as OpenTelemetry and as Prometheus name it."""

import inspect
import re
from collections.abc import Iterator

from opentelemetry.sdk.resources import Resource

from huntgroup_runtime import metrics
from huntgroup_runtime.exposition import Exposition
from huntgroup_runtime.metrics import METRICS, SECONDS_BOUNDS, MetricName, Metrics
from tools.reference.markdown import code, page, sentence, table

HEADING = re.compile(r"^    # (.+)\.$")
NAMED = re.compile(r'^    "([a-z.]+)",  # (?:s|\{\w+\}|)(?:: )?(.+)$')
OURS = re.compile(r"^# TYPE (?!target_info|process_|python_)(\w+) ", re.MULTILINE)

INTRODUCTION = """Every process shows its metrics in Prometheus' text format at `/metrics` of `HUNTGROUP_HTTP_LISTEN`,
and sends them by OTLP once a minute when `HUNTGROUP_OTLP_ENDPOINT` is set. In the text, attributes are labels, with
underscores for dots; histograms have `_bucket`, `_count` and `_sum`, and with OpenMetrics exemplars that name their
trace. `target_info` says what the process is; `process_…` and `python_gc_…` are those of the Prometheus client."""


def metrics_page() -> str:
    """Return the page; raises `ValueError` for a metric that has no comment, or a comment without a metric."""
    bounds = ", ".join(f"{bound:g}" for bound in SECONDS_BOUNDS)
    return page(
        "Metrics", [INTRODUCTION, f"Buckets of histograms, in seconds: {bounds}."], groups()
    )


def groups() -> Iterator[str]:
    """Yield the metrics under the headings that their names have in the source."""
    found: dict[str, dict[MetricName, str]] = {}
    heading = ""
    known: dict[str, MetricName] = {str(name): name for name in METRICS}
    for line in inspect.getsource(metrics).splitlines():
        if match := HEADING.match(line):
            heading = match[1]
        elif match := NAMED.match(line):
            found.setdefault(heading, {})[known[match[1]]] = match[2]
    named = [name for group in found.values() for name in group]
    if named != list(METRICS):
        raise ValueError(f"not in MetricName with a comment: {set(METRICS) ^ set(named)}")
    for heading, group in found.items():
        title, *more = re.split(r"[,;] ", heading, maxsplit=1)
        yield f"## {title}"
        yield from (sentence(text[0].upper() + text[1:]) for text in more)
        yield table(("metric", "Prometheus", "kind", "unit", "meaning"), rows(group))


def rows(group: dict[MetricName, str]) -> Iterator[tuple[str, ...]]:
    """Yield the metrics of one group."""
    for name, meaning in group.items():
        spec = METRICS[name]
        shown = (code(name), code(prometheus_name(name)), spec.kind, code(spec.unit))
        yield *shown, sentence(meaning[0].upper() + meaning[1:])


def prometheus_name(name: MetricName) -> str:
    """Return how the metric is called at /metrics: ask the one that shows it."""
    shown = Metrics(Resource({}))
    match METRICS[name].kind:
        case "counter":
            shown.counter(name)
        case "gauge":
            shown.gauge(name)
        case "histogram":
            shown.histogram(name)
    text, _ = Exposition(shown).text("")
    (found,) = OURS.findall(text.decode())
    return str(found)
