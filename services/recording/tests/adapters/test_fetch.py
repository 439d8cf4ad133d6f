"""Fetching a sealed file: from any byte on, and by a reader who stops reading and comes back."""

import asyncio
from typing import TYPE_CHECKING, Any

import grpc
import pytest

from huntgroup.recording.v1 import commands_pb2 as pb
from huntgroup.recording.v1.service_pb2_grpc import RecordingServiceStub
from huntgroup_runtime.rpc.errors import RpcRefusedError, from_rpc_error

if TYPE_CHECKING:
    from services.recording.tests.adapters.conftest import Studio

pytestmark = pytest.mark.integration

DOMAIN = "acme/emea"
METHOD = "huntgroup.recording.v1.RecordingService/FetchRecording"
SMALL_WINDOW = [("grpc.http2.bdp_probe", 0), ("grpc.http2.lookahead_bytes", 65_536)]
"""A reader whose machine takes in little ahead of it, so that a small file is more than that."""


async def sealed_file(studio: "Studio", duration_ms: int) -> bytes:
    await studio.connect("ada")
    caller = studio.caller("ada", 48_000)
    await caller.speak(0, duration_ms, step_ms=1_000)
    await caller.finish()
    await studio.part("ada", duration_ms)
    await studio.sealed("ada")
    return await studio.fetch("ada")


def fetch(stub: Any, from_byte: int = 0) -> Any:
    request = pb.FetchRecordingRequest(domain=DOMAIN, contact_id="ada", from_byte=from_byte)
    return stub.FetchRecording(request, timeout=60)


async def test_a_reader_who_stops_is_cut_off_and_loses_nothing_by_going_on(
    studio: "Studio",
) -> None:
    whole = await sealed_file(studio, 20_000)
    cut = studio.process.telemetry.counter("huntgroup.streams.cut", {"rpc.method": METHOD})
    read = b""
    async with grpc.aio.insecure_channel(studio.process.address, SMALL_WINDOW) as channel:
        stub: Any = RecordingServiceStub(channel)
        stream = fetch(stub)
        read += (await stream.read()).data
        async with asyncio.timeout(20):
            while not cut.value:  # noqa: ASYNC110 - the server's end is no event here
                await asyncio.sleep(0.02)
        with pytest.raises(grpc.aio.AioRpcError) as caught:  # noqa: PT012 - one of many reads
            while message := await stream.read():
                assert message.offset_bytes == len(read)
                read += message.data
        refused = from_rpc_error(caught.value)
        assert (refused.status, refused.reason) == (
            grpc.StatusCode.RESOURCE_EXHAUSTED,
            "SLOW_READER",
        )
        position = int(refused.metadata["position"])
        assert 0 < position == len(read) < len(whole), "what was being sent came, and is counted"
        assert read + b"".join([one.data async for one in fetch(stub, position)]) == whole


async def test_a_fetch_begins_where_it_is_asked_to_and_not_beyond_the_end(
    studio: "Studio",
) -> None:
    whole = await sealed_file(studio, 2_000)
    messages = [one async for one in fetch(studio.stub, 1_000)]
    assert b"".join(one.data for one in messages) == whole[1_000:]
    assert messages[0].offset_bytes == 1_000
    assert [one async for one in fetch(studio.stub, len(whole))] == []
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await fetch(studio.stub, len(whole) + 1).read()
    refused: RpcRefusedError = from_rpc_error(caught.value)
    assert refused.status is grpc.StatusCode.OUT_OF_RANGE
    assert refused.detail == f"from_byte={len(whole) + 1}: the file has {len(whole)} bytes"
