"""Spans and metrics: their names, one connected trace, and what they cost when nobody listens."""

import time
import typing
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise
from types import SimpleNamespace
from typing import Any

import grpc
import pytest
from opentelemetry.proto.collector.metrics.v1 import metrics_service_pb2, metrics_service_pb2_grpc
from opentelemetry.proto.collector.trace.v1 import trace_service_pb2, trace_service_pb2_grpc
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import SpanKind
from prometheus_client.openmetrics.parser import text_string_to_metric_families as parse_openmetrics
from prometheus_client.parser import text_string_to_metric_families as parse_text

from huntgroup_runtime.exposition import Exposition
from huntgroup_runtime.journal_telemetry import JournalTelemetry
from huntgroup_runtime.metrics import METRICS, MetricName
from huntgroup_runtime.rpc.client import RpcClient
from huntgroup_runtime.telemetry import Telemetry, current_traceparent, valid_traceparent

PARENT = f"00-{'a' * 32}-{'b' * 16}-01"
RING = "huntgroup.bell_tower.v1.BellService/Ring"


def traced() -> tuple[Telemetry, InMemorySpanExporter]:
    exporter = InMemorySpanExporter()
    return Telemetry(service="test", span_exporter=exporter), exporter


def trace_id(span: ReadableSpan) -> str:
    assert span.context is not None
    return f"{span.context.trace_id:032x}"


def test_every_metric_of_the_literal_has_kind_unit_and_meaning() -> None:
    assert set(typing.get_args(MetricName)) == set(METRICS)
    assert all(spec.meaning for spec in METRICS.values())


@pytest.mark.integration
async def test_client_server_and_owner_are_one_trace(
    start_replica: Any, journals: Any, bells: Any
) -> None:
    telemetry, exporter = traced()
    owner = await start_replica(telemetry=telemetry)
    entry = await start_replica(journals(owned=False, address=owner.address), telemetry)
    async with RpcClient(entry.address, telemetry=telemetry) as client:
        with telemetry.start_process_span("process a contact", "") as root:
            stub = type(entry.stub)(client.channel)
            await client.call(stub.Ring, bells.ring(), timeout_ms=5_000)
    spans = exporter.get_finished_spans()
    by_start = sorted(spans, key=lambda span: span.start_time or 0)
    assert [(span.name, span.kind) for span in by_start] == [
        ("process a contact", SpanKind.CONSUMER),
        (RING, SpanKind.CLIENT),
        (RING, SpanKind.SERVER),
        (RING, SpanKind.CLIENT),
        (RING, SpanKind.SERVER),
    ]
    assert len({trace_id(span) for span in spans}) == 1
    for parent, child in pairwise(by_start):
        assert child.parent is not None
        assert parent.context is not None
        assert child.parent.span_id == parent.context.span_id
    # What the journal records is the owner's server span.
    last = by_start[-1].context
    assert last is not None
    assert owner.journals.submitted[0][4] == f"00-{root.traceparent[3:35]}-{last.span_id:016x}-01"
    server = by_start[-1].attributes or {}
    assert server["rpc.system.name"] == "grpc"
    assert server["rpc.method"] == RING
    assert server["rpc.response.status_code"] == "OK"
    assert "rpc.system" not in server, "no older names"


async def test_without_an_exporter_the_callers_trace_is_passed_on(
    start_replica: Any, journals: Any, bells: Any
) -> None:
    owner = await start_replica()
    entry = await start_replica(journals(owned=False, address=owner.address))
    await entry.stub.Ring(bells.ring(), timeout=5, metadata=[("traceparent", PARENT)])
    await entry.stub.Ring(bells.ring(), timeout=5, metadata=[("traceparent", "00-forged")])
    assert [one[4] for one in owner.journals.submitted] == [PARENT, ""]


def test_a_trace_context_is_checked_before_it_is_believed() -> None:
    assert valid_traceparent(PARENT) == PARENT
    for text in ("", "x" * 55, PARENT.upper(), PARENT + "0", f"00-{'0' * 32}-{'b' * 16}-01"):
        assert valid_traceparent(text) == ""


def test_process_spans_nest_and_hand_on_their_context() -> None:
    telemetry, exporter = traced()
    assert current_traceparent() == ""
    with telemetry.start_process_span("process topic", PARENT, {"partition": 3}) as span:
        assert current_traceparent() == span.traceparent
        assert span.traceparent[:36] == PARENT[:36]
        assert span.traceparent != PARENT
    assert current_traceparent() == ""
    with pytest.raises(RuntimeError), telemetry.start_process_span("process topic", PARENT):
        raise RuntimeError("people's names")
    failed = exporter.get_finished_spans()[-1]
    assert (failed.attributes or {})["error.type"] == "RuntimeError"
    assert "people" not in failed.to_json()


def test_an_append_is_a_child_of_its_one_cause_or_linked_to_many() -> None:
    telemetry, exporter = traced()
    journal = JournalTelemetry(telemetry, service="routing", topic="huntgroup.t", partition=3)
    other = PARENT.replace("a", "c")
    with journal.send_span([PARENT, PARENT]):
        pass
    with journal.send_span([PARENT, other, ""]):
        pass
    with journal.process_span(PARENT, 17):
        pass
    child, linked, processed = exporter.get_finished_spans()
    assert (child.name, child.kind) == ("send huntgroup.t", SpanKind.PRODUCER)
    assert child.parent is not None
    assert linked.parent is None
    assert [f"{link.context.trace_id:032x}" for link in linked.links] == ["a" * 32, "c" * 32]
    assert processed.name == "process huntgroup.t"
    words = processed.attributes or {}
    assert words["messaging.system"] == "kafka"
    assert words["messaging.destination.partition.id"] == "3"
    assert words["messaging.kafka.offset"] == 17


@pytest.mark.integration
async def test_metrics_are_shown_under_their_names(start_replica: Any, bells: Any) -> None:
    telemetry = Telemetry(service="bells", owner_id="run-1")
    journal = JournalTelemetry(telemetry, service="bells", topic="huntgroup.t", partition=3)
    replica = await start_replica(telemetry=telemetry)
    await replica.stub.Ring(bells.ring(), timeout=5)
    journal.accepted.add(2)
    journal.halted.set(1)
    journal.sent(0.0031)
    journal.received(0.002, 5)
    journal.processed(0.0001)
    telemetry.gauge("huntgroup.desktop.streams", {"huntgroup.service": "agent-state"}).set(7)
    raw, content_type = Exposition(telemetry.metrics).text("")
    assert content_type.startswith("text/plain")
    families = {family.name: family for family in parse_text(raw.decode())}

    def value(family: str, sample: str = "", **labels: str) -> float:
        return sum(
            one.value
            for one in families[family].samples
            if one.name == family + sample and labels.items() <= one.labels.items()
        )

    method = {"rpc_method": RING, "rpc_response_status_code": "OK", "rpc_system_name": "grpc"}
    assert value("rpc_server_call_duration_seconds", "_count", **method) == 1
    assert value("huntgroup_commands_accepted", "_total", huntgroup_service="bell-tower") == 1
    own = {"huntgroup_service": "bells", "partition": "3"}
    assert value("huntgroup_journal_accepted", "_total", **own) == 2
    assert value("huntgroup_journal_ignored", "_total", **own) == 0
    assert value("huntgroup_journal_halted", **own) == 1
    assert value("messaging_client_sent_messages", "_total") == 1
    assert value("messaging_client_consumed_messages", "_total") == 5
    assert value("messaging_client_operation_duration_seconds", "_count") == 2
    assert value("messaging_process_duration_seconds", "_count") == 1
    assert value("huntgroup_desktop_streams") == 7
    assert value("process_resident_memory_bytes") > 0
    target = families["target_info"].samples[0].labels
    assert (target["service_name"], target["service_instance_id"]) == ("bells", "run-1")


@pytest.mark.integration
async def test_openmetrics_shows_a_trace_for_a_duration(start_replica: Any, bells: Any) -> None:
    telemetry, exporter = traced()
    replica = await start_replica(telemetry=telemetry)
    await replica.stub.Ring(bells.ring(), timeout=5)
    raw, _ = Exposition(telemetry.metrics).text("application/openmetrics-text; version=1.0.0")
    parse: Any = parse_openmetrics  # untyped
    families = {family.name: family for family in parse(raw.decode())}
    samples = families["rpc_server_call_duration_seconds"].samples
    exemplars = [one.exemplar for one in samples if one.exemplar]
    expected = trace_id(exporter.get_finished_spans()[0])
    assert exemplars[0].labels["trace_id"] == expected


@pytest.fixture
def collector() -> Iterator[SimpleNamespace]:
    """Stands in for an OpenTelemetry collector; `metrics` and `spans` are the names it was sent."""
    sent = SimpleNamespace(metrics=[], spans=[], address="")

    class Metrics(metrics_service_pb2_grpc.MetricsServiceServicer):
        def Export(self, request: Any, context: Any) -> Any:
            scopes = [scope for one in request.resource_metrics for scope in one.scope_metrics]
            sent.metrics.extend(metric.name for scope in scopes for metric in scope.metrics)
            return metrics_service_pb2.ExportMetricsServiceResponse()

    class Traces(trace_service_pb2_grpc.TraceServiceServicer):
        def Export(self, request: Any, context: Any) -> Any:
            scopes = [scope for one in request.resource_spans for scope in one.scope_spans]
            sent.spans.extend(span.name for scope in scopes for span in scope.spans)
            return trace_service_pb2.ExportTraceServiceResponse()

    server = grpc.server(ThreadPoolExecutor(2))
    add_to: Any = metrics_service_pb2_grpc.add_MetricsServiceServicer_to_server
    add_to(Metrics(), server)
    add_to = trace_service_pb2_grpc.add_TraceServiceServicer_to_server
    add_to(Traces(), server)
    sent.address = f"127.0.0.1:{server.add_insecure_port('127.0.0.1:0')}"
    server.start()
    yield sent
    server.stop(None).wait()


@pytest.mark.integration
def test_a_collector_is_sent_spans_and_metrics_of_every_kind(collector: SimpleNamespace) -> None:
    telemetry = Telemetry(service="bells", otlp_endpoint=f"http://{collector.address}")
    journal = JournalTelemetry(telemetry, service="bells", topic="huntgroup.t", partition=3)
    with journal.process_span("", 1):
        journal.processed(0.001)
    telemetry.shutdown()
    assert collector.spans == ["process huntgroup.t"]
    assert {
        *("huntgroup.journal.accepted", "huntgroup.journal.halted"),
        *("messaging.process.duration", "messaging.client.operation.duration"),
    } <= set(collector.metrics)


def test_a_metric_keeps_its_kind_and_one_instrument_for_the_same_words() -> None:
    telemetry = Telemetry(service="test")
    one = telemetry.counter("huntgroup.relay.published", {"partition": "1"})
    assert telemetry.counter("huntgroup.relay.published", {"partition": "1"}) is one
    assert telemetry.counter("huntgroup.relay.published", {"partition": "2"}) is not one
    with pytest.raises(AssertionError):
        telemetry.gauge("huntgroup.relay.published")


def test_telemetry_that_is_off_costs_almost_nothing() -> None:
    telemetry = Telemetry.off()
    journal = JournalTelemetry(telemetry, service="s", topic="t", partition=0)
    rounds = 20_000
    started = time.perf_counter()
    for _ in range(rounds):
        with journal.process_span(PARENT, 1):
            journal.accepted.add()
    each_us = (time.perf_counter() - started) / rounds * 1e6
    assert each_us < 20, "about 1 µs; far from that even on a busy machine"
