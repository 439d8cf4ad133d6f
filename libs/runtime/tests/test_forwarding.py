"""Calls that reach a replica that is not the owner: carried on as they came, for as long as they may take."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import grpc
import pytest

from huntgroup_eventlog.application import CommandOutcome, OverloadedError
from huntgroup_runtime.rpc.errors import RpcRefusedError, from_rpc_error
from huntgroup_runtime.rpc.forwarding import Peers
from huntgroup_runtime.telemetry import Telemetry

pytestmark = pytest.mark.integration

SERVICE = "huntgroup.bell_tower.v1.BellService"


async def refusal(call: Any) -> RpcRefusedError:
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await call
    return from_rpc_error(caught.value)


async def pair(start_replica: Any, journals: Any, **overrides: Any) -> tuple[Any, Any]:
    """Return two replicas: the first forwards to the second, which is the owner."""
    owner = await start_replica(**overrides)
    entry = await start_replica(journals(owned=False, address=owner.address), **overrides)
    return entry, owner


async def test_a_command_reaches_the_owner_with_its_command_id(
    start_replica: Any, journals: Any, bells: Any
) -> None:
    entry, owner = await pair(start_replica, journals)
    response = await entry.stub.Ring(bells.ring("c9", note="ü"), timeout=5)
    assert response.receipt.command_id == "c9"
    assert owner.journals.submitted[0][1] == "c9"
    # The owner sees the bytes that came in, so both compute the same checksum.
    assert owner.journals.submitted[0][3] == entry.journals.submitted[0][3]


async def test_a_refusal_of_the_owner_comes_back_as_it_was(
    start_replica: Any, journals: Any, bells: Any
) -> None:
    entry, owner = await pair(start_replica, journals)
    owner.journals.script = [
        CommandOutcome(command_id="c1", position=3, reason="NO_BELL", detail="none there")
    ]
    refused = await refusal(entry.stub.Ring(bells.ring(), timeout=5))
    assert (refused.status, refused.reason) == (grpc.StatusCode.NOT_FOUND, "NO_BELL")
    assert (refused.detail, refused.metadata["position"]) == ("none there", "3")


async def test_a_query_is_answered_by_the_owner(
    start_replica: Any, journals: Any, bells: Any
) -> None:
    entry, owner = await pair(start_replica, journals)
    owner.journals.state["ben"] = 12
    request = bells.GetBellRequest(domain="acme/emea", bell_id="ben")
    assert (await entry.stub.GetBell(request, timeout=5)).strokes == 12
    counted = await entry.stub.CountBells(bells.CountBellsRequest(domain="acme/emea"), timeout=5)
    assert counted.bells == 2


async def test_the_deadline_goes_with_the_call(
    start_replica: Any, journals: Any, bells: Any
) -> None:
    entry, owner = await pair(start_replica, journals)
    owner.journals.delay_s = 30
    started = asyncio.get_running_loop().time()
    refused = await refusal(entry.stub.Ring(bells.ring(), timeout=0.3))
    assert refused.status is grpc.StatusCode.DEADLINE_EXCEEDED
    assert asyncio.get_running_loop().time() - started < 1


async def test_replicas_that_point_at_each_other_end_a_call_quickly(
    start_replica: Any, journals: Any, bells: Any
) -> None:
    one = await start_replica(journals(owned=False))
    other = await start_replica(journals(owned=False, address=one.address))
    one.journals.address = other.address
    refused = await refusal(one.stub.Ring(bells.ring(), timeout=0.5))
    assert (refused.status, refused.reason) == (grpc.StatusCode.UNAVAILABLE, "NO_OWNER")
    tries_of_first_replica = len(one.journals.submitted)
    # one -> other -> one is the whole way, and only the replica that was called first goes it again.
    assert len(other.journals.submitted) <= tries_of_first_replica < 30


async def test_a_call_that_was_forwarded_twice_goes_no_further(
    start_replica: Any, journals: Any, bells: Any
) -> None:
    entry, owner = await pair(start_replica, journals)
    call = entry.stub.Ring(bells.ring(), timeout=5, metadata=[("huntgroup-hops", "2")])
    refused = await refusal(call)
    assert (refused.status, refused.reason) == (grpc.StatusCode.UNAVAILABLE, "NO_OWNER")
    assert owner.journals.submitted == []


async def test_a_call_waits_for_an_owner_and_finds_the_new_one(
    start_replica: Any, journals: Any, bells: Any
) -> None:
    entry, owner = await pair(start_replica, journals)
    entry.journals.address = "127.0.0.1:1"  # nobody listens there

    async def move() -> None:
        await asyncio.sleep(0.2)
        entry.journals.address = ""
        await asyncio.sleep(0.2)
        entry.journals.address = owner.address

    async with asyncio.TaskGroup() as group:
        group.create_task(move())
        response = await entry.stub.Ring(bells.ring("c4"), timeout=5)
    assert response.receipt.command_id == "c4"


async def test_an_owner_that_hangs_is_given_up_for_the_next(
    start_replica: Any, journals: Any, bells: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("huntgroup_runtime.rpc.ownership.ATTEMPT_S", 0.2)
    entry, owner = await pair(start_replica, journals)
    hanging = await start_replica(journals(delay_s=30))
    entry.journals.address = hanging.address

    async def move() -> None:
        while not hanging.journals.submitted:  # noqa: ASYNC110 - no event says so
            await asyncio.sleep(0.01)
        entry.journals.address = owner.address

    async with asyncio.TaskGroup() as group:
        group.create_task(move())
        await entry.stub.Ring(bells.ring("c4"), timeout=5)
    assert hanging.journals.submitted[0][1] == owner.journals.submitted[0][1] == "c4"


@pytest.mark.parametrize("forwarded", [False, True])
async def test_a_stream_of_responses(
    start_replica: Any, journals: Any, bells: Any, *, forwarded: bool
) -> None:
    entry, owner = await pair(start_replica, journals)
    stub = entry.stub if forwarded else owner.stub
    call = stub.Watch(bells.WatchRequest(domain="acme/emea", strokes=3), timeout=5)
    assert [one.text async for one in call] == ["stroke 1", "stroke 2", "stroke 3"]
    assert owner.ended_streams == ["Watch"]


@pytest.mark.parametrize("forwarded", [False, True])
async def test_a_stream_of_requests(
    start_replica: Any, journals: Any, bells: Any, *, forwarded: bool
) -> None:
    entry, owner = await pair(start_replica, journals)
    stub = entry.stub if forwarded else owner.stub

    async def requests() -> AsyncIterator[Any]:
        yield bells.CollectRequest(domain="acme/emea", text="a")
        for text in "bcd":
            yield bells.CollectRequest(text=text)

    assert (await stub.Collect(requests(), timeout=5)).text == "a+b+c+d"


@pytest.mark.parametrize("forwarded", [False, True])
async def test_a_conversation(
    start_replica: Any, journals: Any, bells: Any, *, forwarded: bool
) -> None:
    entry, owner = await pair(start_replica, journals)
    stub = entry.stub if forwarded else owner.stub
    call = stub.Talk(timeout=5)
    await call.write(bells.TalkRequest(domain="acme/emea", text="one"))
    assert (await call.read()).text == "ONE"
    await call.write(bells.TalkRequest(text="two"))
    assert (await call.read()).text == "TWO"
    await call.done_writing()
    assert await call.read() is grpc.aio.EOF
    assert await call.code() is grpc.StatusCode.OK
    assert owner.ended_streams == ["Talk"]


@pytest.mark.parametrize("forwarded", [False, True])
async def test_a_bad_message_within_a_stream_is_told(
    start_replica: Any, journals: Any, bells: Any, *, forwarded: bool
) -> None:
    entry, owner = await pair(start_replica, journals)
    call = (entry if forwarded else owner).stub.Talk(timeout=5)
    await call.write(bells.TalkRequest(domain="acme/emea", text="one"))
    await call.read()
    await call.write(bells.TalkRequest(text="x" * 101))
    refused = await refusal(call.read())
    assert (refused.status, refused.reason) == (
        grpc.StatusCode.INVALID_ARGUMENT,
        "INVALID_REQUEST",
    )
    assert refused.violations[0].field == "text"


@pytest.mark.parametrize("forwarded", [False, True])
async def test_a_stream_whose_owner_loses_the_domain_ends_with_the_reason(
    start_replica: Any, journals: Any, bells: Any, *, forwarded: bool
) -> None:
    entry, owner = await pair(start_replica, journals)
    call = (entry if forwarded else owner).stub.Talk(timeout=5)
    await call.write(bells.TalkRequest(domain="acme/emea", text="not mine"))
    refused = await refusal(call.read())
    assert (refused.status, refused.reason) == (grpc.StatusCode.UNAVAILABLE, "NO_OWNER")


@pytest.mark.parametrize("forwarded", [False, True])
async def test_a_client_that_leaves_ends_the_stream_at_the_owner(
    start_replica: Any, journals: Any, bells: Any, *, forwarded: bool
) -> None:
    entry, owner = await pair(start_replica, journals)
    stub = (entry if forwarded else owner).stub
    call = stub.Watch(bells.WatchRequest(domain="acme/emea"), timeout=60)
    assert (await call.read()).text == "tick"
    call.cancel()
    for _ in range(100):
        if owner.ended_streams:
            break
        await asyncio.sleep(0.02)
    assert owner.ended_streams == ["Watch"]


async def test_a_stream_waits_for_its_owner_and_loses_no_message(
    start_replica: Any, journals: Any, bells: Any
) -> None:
    entry, owner = await pair(start_replica, journals)
    owner.journals.owned = False  # the owner itself has not noticed yet
    call = entry.stub.Talk(timeout=5)
    await call.write(bells.TalkRequest(domain="acme/emea", text="one"))
    await call.write(bells.TalkRequest(text="two"))
    await asyncio.sleep(0.3)
    owner.journals.owned = True
    assert [(await call.read()).text, (await call.read()).text] == ["ONE", "TWO"]
    assert owner.seen == ["one", "two"]
    call.cancel()


async def test_a_stream_that_finds_no_owner_ends_with_the_reason(
    start_replica: Any, journals: Any, bells: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("huntgroup_runtime.rpc.ownership.OWNER_WAIT_S", 0.3)
    lonely = await start_replica(journals(owned=False))
    refused = await refusal(lonely.stub.Watch(bells.WatchRequest(domain="a/b"), timeout=5).read())
    assert (refused.status, refused.reason) == (grpc.StatusCode.UNAVAILABLE, "NO_OWNER")
    lost = await start_replica(journals(owned=False, address="127.0.0.1:1"))
    refused = await refusal(lost.stub.Watch(bells.WatchRequest(domain="a/b"), timeout=5).read())
    assert (refused.status, refused.reason) == (grpc.StatusCode.UNAVAILABLE, "NO_OWNER")


async def test_metadata_of_the_caller_goes_along(start_replica: Any, journals: Any) -> None:
    entry, _ = await pair(start_replica, journals)
    seen: dict[str, Any] = {}

    class Recorder(grpc.aio.ServerInterceptor):
        async def intercept_service(self, continuation: Any, details: Any) -> Any:
            seen.update(dict(details.invocation_metadata))
            return await continuation(details)

    server = grpc.aio.server(interceptors=[Recorder()])
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    entry.journals.address = f"127.0.0.1:{port}"
    request = entry.channel.unary_unary(f"/{SERVICE}/GetBell")
    traceparent = f"00-{'a' * 32}-{'b' * 16}-01"
    sent = [
        ("x-tenant", "acme"),
        ("x-raw-bin", b"\x00\xff"),
        ("traceparent", traceparent),
    ]
    with pytest.raises(grpc.aio.AioRpcError):
        await request(b"\x0a\x03a/b\x12\x03tom", timeout=5, metadata=sent)
    assert (seen["x-tenant"], seen["x-raw-bin"], seen["huntgroup-hops"]) == (
        "acme",
        b"\x00\xff",
        "1",
    )
    assert seen["traceparent"] == traceparent
    await server.stop(None)


async def test_channels_are_bounded_and_the_oldest_unused_one_is_closed(
    start_replica: Any, bells: Any
) -> None:
    replicas = [await start_replica() for _ in range(3)]
    peers = Peers(
        own_address="", telemetry=Telemetry.off(), message_bytes_max=10_000, channels_max=2
    )
    for replica in replicas:
        raw = await peers.unary(
            replica.address,
            f"/{SERVICE}/GetBell",
            bells.GetBellRequest(domain="a/b", bell_id="tom").SerializeToString(),
            metadata=[],
            timeout_s=5,
        )
        assert bells.GetBellResponse.FromString(raw).strokes == 3
    assert list(peers._peers) == [replica.address for replica in replicas[1:]]
    with (
        peers._using("127.0.0.1:1"),
        peers._using("127.0.0.1:2"),
        pytest.raises(OverloadedError, match="2 other replicas"),
        peers._using("127.0.0.1:3"),
    ):
        pass
    await peers.close()
    assert not peers._peers
