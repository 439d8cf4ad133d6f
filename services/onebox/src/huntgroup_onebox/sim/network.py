"""gRPC without sockets: the same handlers, guards and statuses, with a network between that loses, delays and cuts.

A node serves what its services registered; a call runs in the context of the node that serves it and ends with it.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import suppress
from typing import Any, Final, cast

import grpc
from grpc.aio import AioRpcError

from huntgroup_onebox.sim.calls import Call, Pairs, Pipe, Served, rpc_error
from huntgroup_onebox.sim.seeded_loop import Node, SeededLoop
from huntgroup_onebox.sim.weather import Weather
from huntgroup_runtime.rpc.errors import from_rpc_error
from huntgroup_runtime.rpc.forwarding import SERVED, StreamNotTakenError
from huntgroup_runtime.rpc.guard import CallGuard, Context, Handler

NOBODY: Final = "nobody listens there"


class Endpoint:
    """What a node serves at its address; stands for `grpc.aio.Server` when services register."""

    def __init__(self, node: Node, guard: CallGuard) -> None:
        self.node = node
        self.draining = False
        """Whether it takes no more calls."""
        self._guard = guard
        self._generic: list[grpc.GenericRpcHandler] = []

    def add_generic_rpc_handlers(self, handlers: tuple[grpc.GenericRpcHandler, ...]) -> None:
        self._generic.extend(handlers)

    async def drain(self, streams_s: float) -> None:
        """Take no more calls, and end streams, as a server does that stops."""
        self.draining = True
        self._guard.end_streams()
        await self._guard.streams_ended(streams_s)

    async def serve_unary(self, method: str, request: bytes, context: Any) -> bytes:
        handler = await self._handler(method)
        assert handler.unary_unary is not None
        answer: bytes = await cast("Any", handler.unary_unary)(request, context)
        return answer

    async def serve_stream(self, method: str, requests: AsyncIterator[bytes], context: Any) -> None:
        handler = await self._handler(method)
        assert handler.stream_stream is not None
        await cast("Any", handler.stream_stream)(requests, context)

    async def _handler(self, method: str) -> "Handler":
        details = cast("grpc.HandlerCallDetails", _Details(method))

        async def find(wanted: grpc.HandlerCallDetails) -> "Handler | None":
            return next((found for one in self._generic if (found := one.service(wanted))), None)

        handler = await self._guard.intercept_service(find, details)
        if handler is None:
            raise rpc_error(grpc.StatusCode.UNIMPLEMENTED, method)
        return handler


class _Details:
    def __init__(self, method: str) -> None:
        self.method = method
        self.invocation_metadata: Pairs = ()


class Network:
    """Who can be reached where, and every call under way."""

    def __init__(self, loop: SeededLoop, weather: Weather) -> None:
        self.loop = loop
        self.weather = weather
        self.endpoints: dict[str, Endpoint] = {}
        self.messages = 0
        """Delivered to a server."""
        self.before_reply: Callable[[Node], bool] = lambda _: False
        self._under_way: dict[Call, None] = {}

    def unary(
        self,
        caller: Node,
        address: str,
        method: str,
        request: bytes,
        *,
        metadata: Pairs = (),
        timeout_s: float,
    ) -> Call:
        """Begin a unary call; await `done` of it."""
        call = self._begin(caller, address, metadata=metadata, timeout_s=timeout_s, unary=True)

        async def serve(endpoint: Endpoint) -> None:
            context = Served(call)
            response = await endpoint.serve_unary(method, request, context)
            call.answer_later(context.answer(response))

        self._deliver(call, address, serve)
        return call

    def stream(
        self, caller: Node, address: str, method: str, *, metadata: Pairs = (), timeout_s: float
    ) -> Call:
        """Begin a stream; send on `up`, receive from `down` of it."""
        call = self._begin(caller, address, metadata=metadata, timeout_s=timeout_s, unary=False)

        async def serve(endpoint: Endpoint) -> None:
            await endpoint.serve_stream(method, _received(call.up), Served(call))
            with suppress(AioRpcError):
                await call.down.send(None)

        self._deliver(call, address, serve)
        return call

    async def refuses(self, caller: Node, address: str) -> bool:
        """Return whether the machine at an address says that nobody listens there."""
        await asyncio.sleep(self.weather.delay_s())
        endpoint = self.endpoints.get(address)
        if endpoint is None or not self.weather.connected(caller, endpoint.node):
            return False
        # A process that stops closes its port first, and hands over afterwards.
        return endpoint.draining or not endpoint.node.alive

    def serves(self, node: Node) -> bool:
        """Return whether calls to `node` are under way."""
        return any(one.server is node for one in self._under_way)

    def node_ended(self, node: Node) -> None:
        """Tell who talked to a dead node that their connection is gone."""
        for call in [one for one in self._under_way if node in (one.server, one.caller)]:
            error = rpc_error(grpc.StatusCode.UNAVAILABLE, "the connection was reset")
            self.loop.call_in_world(self.weather.delay_s(), call.end, error)

    def broken(self, cut: set[str]) -> None:
        """Break the streams of nodes that were cut off, once their keepalive has noticed."""
        for call in self._under_way:
            if (call.caller.name in cut) != (call.server.name in cut):
                error = rpc_error(grpc.StatusCode.UNAVAILABLE, "keepalive")
                self.loop.call_in_world(self.weather.chance.uniform(0.5, 2.0), call.end, error)

    def _begin(
        self, caller: Node, address: str, *, metadata: Pairs, timeout_s: float, unary: bool
    ) -> Call:
        endpoint = self.endpoints.get(address)
        server = endpoint.node if endpoint else caller
        call = Call(
            self.loop,
            self.weather,
            caller,
            server,
            metadata=metadata,
            timeout_s=timeout_s,
            unary=unary,
        )
        self._under_way[call] = None
        call.ended = lambda: self._under_way.pop(call, None)
        return call

    def _deliver(
        self,
        call: Call,
        address: str,
        serve: Callable[[Endpoint], Awaitable[None]],
    ) -> None:
        endpoint, weather = self.endpoints.get(address), self.weather
        if endpoint is None or endpoint.draining or not endpoint.node.alive:
            error = rpc_error(grpc.StatusCode.UNAVAILABLE, NOBODY)
            self.loop.call_in_world(weather.delay_s(), call.end, error)
            return
        if not weather.connected(call.caller, call.server):
            error = rpc_error(grpc.StatusCode.UNAVAILABLE, "no connection")
            self.loop.call_in_world(1.0, call.end, error)
            return
        if call.unary and weather.loses():
            return  # streams live on connections that send again
        call.before_reply = lambda: self.before_reply(endpoint.node)

        def start() -> None:
            self.messages += 1
            call.task = self.loop.create_task(self._run(call, endpoint, serve))

        self.loop.call_on(endpoint.node, weather.delay_s(), start)

    async def _run(
        self, call: Call, endpoint: Endpoint, serve: Callable[[Endpoint], Awaitable[None]]
    ) -> None:
        try:
            await serve(endpoint)
        except grpc.aio.AbortError:
            pass
        except AioRpcError as error:
            call.answer_later(error)
        except asyncio.CancelledError:
            call.answer_later(rpc_error(grpc.StatusCode.CANCELLED, "cancelled"))


class SimPeers:
    """Calls to other replicas: stands for `huntgroup_runtime.rpc.forwarding.Peers`."""

    def __init__(self, node: Node, network: Network, own_address: str) -> None:
        self.own_address = own_address
        self._node = node
        self._network = network

    async def unary(
        self, address: str, method: str, request: bytes, *, metadata: Any, timeout_s: float
    ) -> bytes:
        call = self._network.unary(
            self._node, address, method, request, metadata=tuple(metadata), timeout_s=timeout_s
        )
        try:
            return await call.done
        finally:
            call.cancel()

    async def stream(
        self,
        address: str,
        method: str,
        first: bytes,
        rest: AsyncIterator[bytes],
        context: Context,
        *,
        metadata: Any,
        timeout_s: float,
    ) -> None:
        call = self._network.stream(
            self._node, address, method, metadata=tuple(metadata), timeout_s=timeout_s
        )
        try:
            await self._join(call, first, rest, context)
        except AioRpcError as error:
            raise from_rpc_error(error) from None
        finally:
            call.cancel()

    async def close(self) -> None:
        """Nothing is held."""

    async def _join(
        self, call: Call, first: bytes, rest: AsyncIterator[bytes], context: Context
    ) -> None:
        with suppress(AioRpcError):
            await call.up.send(first)
        if not any(key == SERVED for key, _ in await call.taken):
            self._not_taken(call)
        await context.send_initial_metadata(((SERVED, "forwarded"),))
        pump = asyncio.create_task(_pump(rest, call.up))
        try:
            while (message := await call.down.receive()) is not None:
                await context.write(message)
        finally:
            pump.cancel()
            await asyncio.wait([pump])

    def _not_taken(self, call: Call) -> None:
        error = call.down.broken or rpc_error(grpc.StatusCode.UNAVAILABLE, NOBODY)
        if error.code() is grpc.StatusCode.UNAVAILABLE:
            raise StreamNotTakenError
        raise from_rpc_error(error)


async def _received(pipe: Pipe) -> AsyncIterator[bytes]:
    try:
        while (message := await pipe.receive()) is not None:
            yield message
    except AioRpcError:
        await asyncio.Event().wait()  # whose client has gone is cancelled


async def _pump(messages: AsyncIterator[bytes], pipe: Pipe) -> None:
    try:
        async for message in messages:
            await pipe.send(message)
        await pipe.send(None)
    except AioRpcError:
        return
