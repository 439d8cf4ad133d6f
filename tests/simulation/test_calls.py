"""Calls between simulated nodes: what is sent on one arrives in its order, as on a connection."""

import asyncio
import random

import grpc
import pytest

from huntgroup_onebox.sim.calls import AbortedError, Call, Served
from huntgroup_onebox.sim.network import Endpoint, Network
from huntgroup_onebox.sim.seeded_loop import Node, SeededLoop
from huntgroup_onebox.sim.weather import Weather
from huntgroup_runtime.rpc.deadline import CallLimits
from huntgroup_runtime.rpc.errors import RpcRefusedError, to_status
from huntgroup_runtime.rpc.guard import CallGuard
from huntgroup_runtime.settings import RuntimeSettings
from huntgroup_runtime.telemetry import Telemetry

pytestmark = pytest.mark.sim

CUT_OFF = RpcRefusedError(grpc.StatusCode.RESOURCE_EXHAUSTED, "SLOW_READER", "nothing was read")


class Delays(Weather):
    """A network in which each message takes a time that is known."""

    def __init__(self, *delays_s: float) -> None:
        super().__init__(chance=random.Random(0))
        self._left = list(delays_s)

    def delay_s(self) -> float:
        return self._left.pop(0) if self._left else 0.001


async def heard_on(call: Call) -> list[bytes | str]:
    """Return the messages that a client reads, and how the stream ended."""
    heard: list[bytes | str] = []
    try:
        while (message := await call.down.receive()) is not None:
            heard.append(message)
    except grpc.aio.AioRpcError as error:
        heard.append(error.code().name)
    return heard


def test_the_end_of_a_stream_does_not_overtake_its_messages() -> None:
    loop = SeededLoop()
    weather = Delays(0.5, 0.001)  # the message is slow, what follows it is not
    call = Call(
        loop, weather, Node("client"), Node("server"), metadata=(), timeout_s=60, unary=False
    )

    async def told() -> list[bytes | str]:
        served = Served(call)
        await served.write(b"4096 bytes")
        with pytest.raises(AbortedError):
            await served.abort_with_status(to_status(CUT_OFF, "huntgroup.recording"))
        return await heard_on(call)

    assert loop.run_until_complete(told()) == [b"4096 bytes", "RESOURCE_EXHAUSTED"]
    loop.dispose()


def test_a_message_whose_sender_gave_up_arrives_all_the_same() -> None:
    loop = SeededLoop()
    call = Call(
        loop, Delays(), Node("client"), Node("server"), metadata=(), timeout_s=60, unary=False
    )

    async def told() -> list[bytes | str]:
        served = Served(call)
        await served.write(b"first")
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(1):
                await served.write(b"second")
        with pytest.raises(AbortedError):
            await served.abort_with_status(to_status(CUT_OFF, "huntgroup.recording"))
        return await heard_on(call)

    assert loop.run_until_complete(told()) == [b"first", b"second", "RESOURCE_EXHAUSTED"]
    loop.dispose()


def test_a_node_that_stops_refuses_connections_before_it_has_ended() -> None:
    loop, node = SeededLoop(), Node("server")
    network = Network(loop, Delays())
    endpoint = Endpoint(node, CallGuard(CallLimits.of(RuntimeSettings()), Telemetry.off()))
    network.endpoints["server:1"] = endpoint

    async def seen() -> list[bool]:
        before = await network.refuses(Node("client"), "server:1")
        await endpoint.drain(1)
        return [before, await network.refuses(Node("client"), "server:1"), node.alive]

    assert loop.run_until_complete(seen()) == [False, True, True]
    loop.dispose()
