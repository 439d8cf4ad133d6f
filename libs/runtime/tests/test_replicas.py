"""Two replicas of one service on one log, whole: servers, journals, forwarding, takeover and one trace."""

import asyncio
from collections.abc import AsyncIterator, Callable
from functools import partial
from typing import Any

import pytest
import pytest_asyncio
from google.protobuf.descriptor import FieldDescriptor, ServiceDescriptor
from google.protobuf.message_factory import GetMessageClass
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from huntgroup.event.v1 import envelope_pb2
from huntgroup_eventlog.adapters.memory import MemoryLog, MemoryPartitions
from huntgroup_eventlog.application import AcceptedEvent
from huntgroup_eventlog.snapshots import ObjectSnapshotStore
from huntgroup_runtime.journals import ServiceJournals
from huntgroup_runtime.process import Process
from huntgroup_runtime.rpc.client import RpcClient
from huntgroup_runtime.rpc.commands import RpcApi
from huntgroup_runtime.rpc.errors import RpcRefusedError
from huntgroup_runtime.telemetry import Telemetry
from huntgroup_testkit.counter import Add, counter_application

pytestmark = pytest.mark.integration

PACKAGE = "huntgroup.counter.v1"
STRING, INT64, BOOL = (
    FieldDescriptor.TYPE_STRING,
    FieldDescriptor.TYPE_INT64,
    FieldDescriptor.TYPE_BOOL,
)
CONTEXT = ".huntgroup.event.v1.CommandContext"
MESSAGES = {
    "AddRequest": [
        ("context", CONTEXT, {"required": True}),
        ("name", STRING, {"required": True}),
        ("amount", INT64, {}),
        ("explode", BOOL, {}),
    ],
    "AddResponse": [("receipt", ".huntgroup.event.v1.Receipt", {})],
    "GetTotalRequest": [("domain", STRING, {"required": True}), ("name", STRING, {})],
    "GetTotalResponse": [("total", INT64, {})],
    "TakeLongRequest": [("domain", STRING, {"required": True})],
    "TakeLongResponse": [("total", INT64, {})],
}
RPCS = {
    "Add": ("AddRequest", "AddResponse", False, False),
    "GetTotal": ("GetTotalRequest", "GetTotalResponse", False, False),
    "TakeLong": ("TakeLongRequest", "TakeLongResponse", False, False),
}


class Heard:
    """Remembers what its replica accepted as the owner."""

    def __init__(self) -> None:
        self.events: list[AcceptedEvent] = []

    def owned(self, partition: int, states: dict[str, Any]) -> None:
        pass

    def accepted(self, partition: int, events: list[AcceptedEvent]) -> None:
        self.events.extend(events)

    def lost(self, partition: int) -> None:
        pass


class Counters:
    """Makes replicas of the counter service, and calls them."""

    def __init__(self, make_settings: Any, service: ServiceDescriptor) -> None:
        self.service = service
        self.exporter = InMemorySpanExporter()
        self._make_settings = make_settings
        self._storage = MemoryPartitions(2)
        methods = self.service.methods_by_name
        self._classes = {
            name: (GetMessageClass(one.input_type), GetMessageClass(one.output_type))
            for name, one in methods.items()
        }
        self.running: list[Process] = []
        self.long_ones = 0
        self.enough = asyncio.Event()

    async def start(self, index: int) -> tuple[Process, Heard]:
        settings = self._make_settings(
            owner_id=f"replica-{index}",
            replica_index=index,
            replica_count=2,
            heartbeat_ms=50,
            takeover_after_ms=300,
        )
        process = Process(
            "counter",
            settings,
            log=MemoryLog(2, storage=self._storage),
            snapshots=ObjectSnapshotStore.from_url(""),
            telemetry=Telemetry(service="counter", span_exporter=self.exporter),
        )
        journals = process.add_journals(counter_application("counter"))
        heard = Heard()
        journals.subscribe(heard)
        api = RpcApi(
            self.service, journals=journals, peers=process.peers, telemetry=process.telemetry
        )
        api.command("Add", Add)
        api.query("GetTotal", self._get_total)
        api.unary("TakeLong", partial(self._take_long, journals))
        process.add_api(api)
        await process.start()
        self.running.append(process)
        return process, heard

    async def stop(self, process: Process) -> None:
        self.running.remove(process)
        await process.stop()
        await process.log.close()

    async def add(self, address: str, command_id: str, **fields: Any) -> Any:
        context = envelope_pb2.CommandContext(domain="acme/emea", command_id=command_id)
        return await self._call(address, "Add", context=context, **{"name": "x", **fields})

    async def total(self, address: str) -> int:
        found = await self._call(address, "GetTotal", domain="acme/emea", name="x")
        total: int = found.total
        return total

    async def take_long(self, address: str) -> int:
        found = await self._call(address, "TakeLong", domain="acme/emea")
        total: int = found.total
        return total

    async def _call(self, address: str, rpc: str, **fields: Any) -> Any:
        request_class, response_class = self._classes[rpc]
        async with RpcClient(address) as client:
            method: Any = client.channel.unary_unary(
                f"/{PACKAGE}.CounterService/{rpc}",
                request_class.SerializeToString,
                response_class.FromString,
            )
            return await client.call(method, request_class(**fields), timeout_ms=10_000)

    def _get_total(self, request: Any, state: Any) -> Any:
        return self._classes["GetTotal"][1](total=state.totals.get(request.name, 0))

    async def _take_long(self, journals: ServiceJournals, request: Any) -> Any:
        self.long_ones += 1
        await self.enough.wait()
        total = await journals.query(request.domain, lambda state: state.totals["x"])
        return self._classes["TakeLong"][1](total=total)


@pytest.fixture(scope="module")
def counter_service(declare_service: Callable[..., ServiceDescriptor]) -> ServiceDescriptor:
    return declare_service(PACKAGE, "CounterService", MESSAGES, RPCS)


@pytest_asyncio.fixture
async def counters(
    make_settings: Callable[..., Any], counter_service: ServiceDescriptor
) -> AsyncIterator[Counters]:
    made = Counters(make_settings, counter_service)
    yield made
    for process in list(made.running):
        await made.stop(process)


async def test_any_replica_takes_a_command_and_one_carries_it_out(counters: Any) -> None:
    (one, heard_one), (other, heard_other) = await counters.start(0), await counters.start(1)
    await counters.add(one.address, "c1", amount=2)
    await counters.add(other.address, "c2", amount=3)
    again = await counters.add(other.address, "c1", amount=2)
    assert again.receipt.repeated
    assert await counters.total(one.address) == await counters.total(other.address) == 5
    owners = [heard for heard in (heard_one, heard_other) if heard.events]
    assert len(owners) == 1, "one owner of the partition"
    assert [one.causation_id for one in owners[0].events] == ["c1", "c2"]


async def test_a_reused_command_id_and_a_refusal_are_told_through_a_forward(counters: Any) -> None:
    both = [(await counters.start(index))[0] for index in (0, 1)]
    await counters.add(both[0].address, "c1", amount=2)
    for process in both:
        with pytest.raises(RpcRefusedError) as caught:
            await counters.add(process.address, "c1", amount=7)
        assert caught.value.reason == "COMMAND_ID_REUSED"
        with pytest.raises(RpcRefusedError) as caught:
            await counters.add(process.address, "c9", amount=-1)
        assert (caught.value.status.name, caught.value.reason) == (
            "FAILED_PRECONDITION",
            "NEGATIVE",
        )


async def test_calls_go_on_when_the_owner_is_stopped(counters: Any) -> None:
    (one, heard_one), (other, heard_other) = await counters.start(0), await counters.start(1)
    await counters.add(one.address, "c0", amount=1)
    owner, survivor = (one, other) if heard_one.events else (other, one)

    async def calls() -> None:
        for number in range(1, 41):
            await counters.add(survivor.address, f"c{number}", amount=1)
            await asyncio.sleep(0.01)

    async with asyncio.TaskGroup() as group:
        under_way = group.create_task(calls())
        await asyncio.sleep(0.15)
        await counters.stop(owner)
        assert not under_way.done()
    assert await counters.total(survivor.address) == 41
    causes = [event.causation_id for event in [*heard_one.events, *heard_other.events]]
    assert sorted(causes) == sorted(f"c{number}" for number in range(41)), "each had one effect"


async def test_ownership_does_not_wait_for_a_long_call_and_the_call_ends_at_the_next_owner(
    counters: Any,
) -> None:
    (one, heard_one), (other, _) = await counters.start(0), await counters.start(1)
    await counters.add(one.address, "c0", amount=1)
    owner, survivor = (one, other) if heard_one.events else (other, one)
    long_call = asyncio.create_task(counters.take_long(owner.address))
    async with asyncio.timeout(5):
        while not counters.long_ones:  # noqa: ASYNC110 - a plain read
            await asyncio.sleep(0.01)
    stopping = asyncio.create_task(counters.stop(owner))
    async with asyncio.timeout(5):
        while not survivor.journals[0].owns("acme/emea"):
            assert not long_call.done(), "it was cut off before anybody else became the owner"
            await asyncio.sleep(0.01)
    await counters.add(survivor.address, "c1", amount=2)
    assert not stopping.done()
    counters.enough.set()
    assert await long_call == 3, "carried on to the next owner, who knows of both"
    await stopping


async def test_one_trace_reaches_from_the_caller_into_the_journal(counters: Any) -> None:
    started = [await counters.start(index) for index in (0, 1)]
    events: list[AcceptedEvent] = []
    for process, _ in started:
        with process.telemetry.start_process_span("a contact", "") as root:
            pass
        async with RpcClient(process.address, telemetry=process.telemetry) as client:
            request_class, response_class = counters._classes["Add"]
            method: Any = client.channel.unary_unary(
                f"/{PACKAGE}.CounterService/Add",
                request_class.SerializeToString,
                response_class.FromString,
            )
            context = envelope_pb2.CommandContext(domain="acme/emea", command_id=process.address)
            request = request_class(context=context, name="x", amount=1)
            with process.telemetry.start_process_span("a contact", root.traceparent):
                await client.call(method, request, timeout_ms=5_000)
        events = [event for _, heard in started for event in heard.events]
        assert events[-1].causation_id == process.address
        assert events[-1].traceparent[3:35] == root.traceparent[3:35]
    span_ids = {f"{span.context.span_id:016x}" for span in counters.exporter.get_finished_spans()}
    assert all(event.traceparent[36:52] in span_ids for event in events)


async def test_ready_says_which_journals_are_not(counters: Any) -> None:
    process, _ = await counters.start(0)
    ready, body = process._ready()
    assert (ready, body["journals_caught_up"]) == (False, {"counter": False})
    await counters.add(process.address, "c1", amount=1)
    async with asyncio.timeout(5):
        while not process._ready()[0]:  # noqa: ASYNC110 - a plain read
            await asyncio.sleep(0.01)
    assert process._ready()[1]["journals_caught_up"] == {"counter": True}
