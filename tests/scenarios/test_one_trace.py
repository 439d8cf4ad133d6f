"""One contact is one connected trace over five services, through gRPC and through journal records."""

from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from huntgroup.recording.v1 import commands_pb2 as recording_pb
from huntgroup.recording.v1.events_pb2 import RECORDING_MODE_ALL
from huntgroup_eventlog.adapters.memory import MemoryLog
from huntgroup_eventlog.snapshots import ObjectSnapshotStore
from huntgroup_onebox.box import SERVICES, Box, box_settings
from huntgroup_runtime.telemetry import Telemetry

from .centre import Centre


async def test_what_a_queued_contact_causes_is_one_trace(monkeypatch: object) -> None:
    del monkeypatch
    spans = InMemorySpanExporter()
    settings = box_settings(
        log_url="memory://", grpc_listen="127.0.0.1:0", http_listen="127.0.0.1:0"
    )
    box = Box(
        settings,
        MemoryLog(settings.log_partitions),
        ObjectSnapshotStore.from_url(""),
        telemetry=Telemetry(service="onebox", span_exporter=spans),
    )
    await box.wire()
    await box.process.start()
    await box.ready(20)
    centre = Centre(dict.fromkeys(SERVICES, box.address))
    try:
        await centre.queue()
        policy = recording_pb.SetRecordingPolicyRequest(queue_id="sales", mode=RECORDING_MODE_ALL)
        await centre.api.command("recording", centre.api.recording.SetRecordingPolicy, policy)
        alice = await centre.agent("alice")
        spans.clear()
        await centre.call("c1")
        await centre.accept(await alice.offer(), alice)
        await centre.totals(lambda one: one.answered == 1)
    finally:
        await centre.close()
        await box.stop()
    finished = spans.get_finished_spans()
    queued = [one for one in finished if one.name.endswith("QueueContact")]
    assert queued, sorted({one.name for one in finished})
    trace_id = queued[0].context.trace_id
    names = {one.name for one in finished if one.context.trace_id == trace_id}
    for service in ("routing", "agent-state", "session", "reporting"):
        assert any(name == f"process huntgroup.{service}.journal.v1" for name in names), names
    accepted = [one for one in finished if one.name.endswith("AcceptOffer")]
    connected = {
        one.name for one in finished if one.context.trace_id == accepted[0].context.trace_id
    }
    assert "process huntgroup.recording.journal.v1" in connected
    by_id = {one.context.span_id for one in finished}
    orphans = [
        one.name
        for one in finished
        if one.context.trace_id == trace_id
        and one.parent is not None
        and one.parent.span_id not in by_id
    ]
    assert not orphans
