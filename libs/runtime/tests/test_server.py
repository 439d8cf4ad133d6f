"""The gRPC server as a platform team meets it: deadlines, bounds, health, reflection and the end."""

import asyncio
from typing import Any

import grpc
import pytest
from google.protobuf.descriptor_pool import DescriptorPool
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection_pb2, reflection_pb2_grpc
from grpc_reflection.v1alpha.proto_reflection_descriptor_database import (
    ProtoReflectionDescriptorDatabase,
)

from huntgroup_runtime.rpc.errors import RpcRefusedError, from_rpc_error
from huntgroup_runtime.settings import SettingsError

pytestmark = pytest.mark.integration

SERVICE = "huntgroup.bell_tower.v1.BellService"


async def refusal(call: Any) -> RpcRefusedError:
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await call
    return from_rpc_error(caught.value)


async def submitted_to(replica: Any) -> None:
    """Return once a command is under way there."""
    async with asyncio.timeout(5):
        while not replica.journals.submitted:  # noqa: ASYNC110 - no event says so
            await asyncio.sleep(0.01)


async def read_all(stream: Any) -> None:
    while await stream.read() is not grpc.aio.EOF:
        pass


def slow(bells: Any) -> Any:
    return bells.CountBellsRequest(domain="acme/slow")


async def test_a_call_without_a_deadline_gets_one(start_replica: Any, bells: Any) -> None:
    replica = await start_replica(grpc_deadline_ms=200)
    refused = await refusal(replica.stub.CountBells(slow(bells)))
    assert (refused.status, refused.reason) == (
        grpc.StatusCode.DEADLINE_EXCEEDED,
        "DEADLINE_PASSED",
    )


async def test_a_deadline_beyond_the_maximum_is_cut(start_replica: Any, bells: Any) -> None:
    replica = await start_replica(grpc_deadline_ms=200, grpc_deadline_ms_max=300)
    started = asyncio.get_running_loop().time()
    refused = await refusal(replica.stub.CountBells(slow(bells), timeout=3_600))
    assert refused.reason == "DEADLINE_PASSED"
    assert asyncio.get_running_loop().time() - started < 2


async def test_a_deadline_of_the_caller_ends_the_work(
    start_replica: Any, journals: Any, bells: Any
) -> None:
    replica = await start_replica(journals(delay_s=30))
    refused = await refusal(replica.stub.Ring(bells.ring(), timeout=0.2))
    assert refused.status is grpc.StatusCode.DEADLINE_EXCEEDED


async def test_a_stream_has_an_end_too(start_replica: Any, bells: Any) -> None:
    replica = await start_replica(grpc_stream_ms_max=1_000)
    call = replica.stub.Watch(bells.WatchRequest(domain="acme/emea"))
    refused = await refusal(read_all(call))
    assert (refused.status, refused.reason) == (
        grpc.StatusCode.DEADLINE_EXCEEDED,
        "DEADLINE_PASSED",
    )
    assert replica.ended_streams == ["Watch"]


async def test_an_oversize_message_is_refused(start_replica: Any, bells: Any) -> None:
    replica = await start_replica(grpc_message_bytes_max=4_096)
    refused = await refusal(replica.stub.Ring(bells.ring(note="x" * 5_000), timeout=5))
    assert refused.status is grpc.StatusCode.RESOURCE_EXHAUSTED
    assert replica.journals.submitted == []


async def test_calls_beyond_the_bound_are_refused_not_queued(
    start_replica: Any, journals: Any, bells: Any
) -> None:
    replica = await start_replica(journals(delay_s=0.3), grpc_concurrent_rpcs_max=2)
    calls = [replica.stub.Ring(bells.ring(f"c{n}"), timeout=5) for n in range(10)]
    answers = await asyncio.gather(*calls, return_exceptions=True)
    codes = [one.code() for one in answers if isinstance(one, grpc.aio.AioRpcError)]
    assert codes
    assert set(codes) == {grpc.StatusCode.RESOURCE_EXHAUSTED}


async def test_an_unknown_method_is_unimplemented(start_replica: Any) -> None:
    replica = await start_replica()
    refused = await refusal(replica.channel.unary_unary(f"/{SERVICE}/Toll")(b"", timeout=5))
    assert refused.status is grpc.StatusCode.UNIMPLEMENTED


async def test_health_is_told_per_service_and_for_all(start_replica: Any) -> None:
    replica = await start_replica()
    health: Any = health_pb2_grpc.HealthStub(replica.channel)
    kinds = health_pb2.HealthCheckResponse

    async def status(name: str) -> int:
        request = health_pb2.HealthCheckRequest(service=name)
        answer: int = (await health.Check(request, timeout=5)).status
        return answer

    assert [await status(""), await status(SERVICE)] == [kinds.NOT_SERVING] * 2
    await replica.server.set_ready(ready=True)
    assert [await status(""), await status(SERVICE)] == [kinds.SERVING] * 2
    await replica.server.set_ready(ready=False)
    assert [await status(""), await status(SERVICE)] == [kinds.NOT_SERVING] * 2
    refused = await refusal(health.Check(health_pb2.HealthCheckRequest(service="no.Such")))
    assert refused.status is grpc.StatusCode.NOT_FOUND


async def test_reflection_lists_and_describes_the_services(start_replica: Any) -> None:
    replica = await start_replica()
    stub: Any = reflection_pb2_grpc.ServerReflectionStub(replica.channel)
    call = stub.ServerReflectionInfo(timeout=5)
    await call.write(reflection_pb2.ServerReflectionRequest(list_services=""))
    listed = [one.name for one in (await call.read()).list_services_response.service]
    await call.done_writing()
    assert SERVICE in listed
    assert "grpc.health.v1.Health" in listed

    def describe() -> list[str]:
        with grpc.insecure_channel(replica.address) as channel:
            pool = DescriptorPool(ProtoReflectionDescriptorDatabase(channel))
            return [method.name for method in pool.FindServiceByName(SERVICE).methods]

    assert (await asyncio.to_thread(describe))[0] == "Ring"


async def test_a_drain_lets_calls_finish_ends_streams_and_refuses_new_ones(
    start_replica: Any, journals: Any, bells: Any
) -> None:
    replica = await start_replica(journals(delay_s=0.4))
    await replica.server.set_ready(ready=True)
    health: Any = health_pb2_grpc.HealthStub(replica.channel)
    watched = health.Watch(health_pb2.HealthCheckRequest(service=SERVICE), timeout=5)
    assert (await watched.read()).status == health_pb2.HealthCheckResponse.SERVING
    stream = replica.stub.Watch(bells.WatchRequest(domain="acme/emea"), timeout=60)
    await stream.read()
    under_way = asyncio.ensure_future(replica.stub.Ring(bells.ring(), timeout=5))
    await submitted_to(replica)
    stopping = asyncio.create_task(replica.server.stop())
    ended = await refusal(read_all(stream))
    assert (ended.status, ended.reason) == (grpc.StatusCode.UNAVAILABLE, "DRAINING")
    late = replica.stub.Ring(bells.ring("c2"), timeout=0.2)
    assert (await refusal(late)).status is grpc.StatusCode.UNAVAILABLE
    assert (await under_way).receipt.command_id == "c1"
    assert (await watched.read()).status == health_pb2.HealthCheckResponse.NOT_SERVING
    await stopping
    assert replica.ended_streams == ["Watch"]
    assert [one[1] for one in replica.journals.submitted] == ["c1"]


async def test_a_drain_does_not_wait_for_ever(
    start_replica: Any, journals: Any, bells: Any
) -> None:
    replica = await start_replica(journals(delay_s=30), drain_ms=200)
    under_way = asyncio.ensure_future(replica.stub.Ring(bells.ring(), timeout=60))
    await submitted_to(replica)
    started = asyncio.get_running_loop().time()
    await replica.server.stop()
    assert asyncio.get_running_loop().time() - started < 2
    assert (await refusal(under_way)).status is grpc.StatusCode.UNAVAILABLE


async def test_a_port_that_is_taken_is_a_bad_setting(start_replica: Any) -> None:
    replica = await start_replica()
    with pytest.raises(SettingsError, match=f"HUNTGROUP_GRPC_LISTEN='{replica.address}'"):
        await start_replica(grpc_listen=replica.address)
