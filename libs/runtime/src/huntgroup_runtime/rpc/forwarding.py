"""Calls to other replicas, as the raw bytes that came in: the owner sees the same request and the same command id."""

import asyncio
from collections import OrderedDict
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Final

import grpc

from huntgroup_eventlog.application import OverloadedError
from huntgroup_runtime.rpc.channel import PEER_OPTIONS, message_limits
from huntgroup_runtime.rpc.errors import RpcRefusedError, from_rpc_error, refused_with
from huntgroup_runtime.rpc.guard import TRACEPARENT, Context
from huntgroup_runtime.rpc.streams import reads_nothing
from huntgroup_runtime.telemetry import Telemetry

HOPS: Final = "huntgroup-hops"
"""Metadata: how often a call was forwarded."""
HOPS_MAX: Final = 2
SERVED: Final = "huntgroup-served"
"""Initial metadata of a stream that its owner has taken: until it is seen, the stream may be tried elsewhere."""
CHANNELS_MAX: Final = 64
OWNER_FIRST_S: Final = 2.0

_OWN_KEYS: Final = frozenset({HOPS, TRACEPARENT, "user-agent", "content-type", "te"})

Metadata = Sequence[tuple[str, str | bytes]]


class StreamNotTakenError(Exception):
    """The other replica ended a stream before it took it: nothing has happened."""


class _Peer:
    """One channel, with the callables made for it, and how many calls use it now."""

    def __init__(self, address: str, options: list[tuple[str, Any]]) -> None:
        self.channel = grpc.aio.insecure_channel(address, options)
        self.unary: dict[str, grpc.aio.UnaryUnaryMultiCallable[bytes, bytes]] = {}
        self.stream: dict[str, grpc.aio.StreamStreamMultiCallable[bytes, bytes]] = {}
        self.calls = 0


class Peers:
    """The other replicas, by address. Its channels are bounded: the one unused for longest is closed for a new one."""

    def __init__(
        self,
        *,
        own_address: str,
        telemetry: Telemetry,
        message_bytes_max: int,
        slow_reader_ms: int | None = None,
        channels_max: int = CHANNELS_MAX,
    ) -> None:
        self.own_address = own_address
        self._telemetry = telemetry
        self._options = [*PEER_OPTIONS, *message_limits(message_bytes_max)]
        # The owner, who knows the position, is to be the first to cut a slow reader off.
        self._slow_reader_s = slow_reader_ms / 1_000 + OWNER_FIRST_S if slow_reader_ms else None
        self._channels_max = channels_max
        self._peers: OrderedDict[str, _Peer] = OrderedDict()
        self._closing: set[asyncio.Task[None]] = set()

    async def unary(
        self, address: str, method: str, request: bytes, *, metadata: Metadata, timeout_s: float
    ) -> bytes:
        """Call `/package.Service/Method` at `address`; raises `grpc.aio.AioRpcError`, or `OverloadedError`."""
        with self._using(address) as peer:
            callable_ = peer.unary.get(method)
            if callable_ is None:
                callable_ = peer.unary[method] = peer.channel.unary_unary(method)
            with self._telemetry.client_call(method.lstrip("/")) as span:
                sent = _with_trace(metadata, span.traceparent)
                call = callable_(request, timeout=timeout_s, metadata=sent)
                try:
                    response = await call
                except grpc.aio.AioRpcError as error:
                    span.finish(error.code())
                    raise
                finally:
                    call.cancel()  # an abandoned call is never ended by the library
                span.finish(grpc.StatusCode.OK)
                return response

    async def stream(
        self,
        address: str,
        method: str,
        first: bytes,
        rest: AsyncIterator[bytes],
        context: Context,
        *,
        metadata: Metadata,
        timeout_s: float,
    ) -> None:
        """Join the caller of `context` to the stream `method` at `address` until it ends.

        On the wire a single message is a stream of one, so this serves all three kinds of streams. Raises
        `StreamNotTakenError` (try again), `RpcRefusedError` with what the owner said, or `OverloadedError`.
        """
        with self._using(address) as peer:
            callable_ = peer.stream.get(method)
            if callable_ is None:
                callable_ = peer.stream[method] = peer.channel.stream_stream(method)
            with self._telemetry.client_call(method.lstrip("/")) as span:
                sent = _with_trace(metadata, span.traceparent)
                call = callable_(timeout=timeout_s, metadata=sent)
                try:
                    await _join(call, first, rest, context, self._slow_reader_s)
                except grpc.aio.AioRpcError as error:
                    span.finish(error.code())
                    raise from_rpc_error(error) from None
                except RpcRefusedError as error:
                    span.finish(error.status)
                    raise
                except StreamNotTakenError:
                    span.finish(grpc.StatusCode.UNAVAILABLE)
                    raise
                finally:
                    call.cancel()
                span.finish(grpc.StatusCode.OK)

    async def close(self) -> None:
        """Close all channels; calls under way are cancelled."""
        peers = list(self._peers.values())
        self._peers.clear()
        for peer in peers:
            await peer.channel.close()
        await asyncio.gather(*self._closing)

    @contextmanager
    def _using(self, address: str) -> Iterator[_Peer]:
        peer = self._peers.get(address)
        if peer is None:
            self._make_room()
            peer = self._peers[address] = _Peer(address, self._options)
        self._peers.move_to_end(address)
        peer.calls += 1
        try:
            yield peer
        finally:
            peer.calls -= 1

    def _make_room(self) -> None:
        if len(self._peers) < self._channels_max:
            return
        for address, peer in self._peers.items():
            if peer.calls == 0:
                del self._peers[address]
                closing = asyncio.create_task(peer.channel.close())
                self._closing.add(closing)
                closing.add_done_callback(self._closing.discard)
                return
        raise OverloadedError(f"calls to {self._channels_max} other replicas are under way")


def hops_of(context: Context) -> int:
    """Return how often the call under way was forwarded; nonsense counts as too often."""
    for key, value in context.invocation_metadata() or ():
        if key == HOPS:
            return int(value) if isinstance(value, str) and value.isdecimal() else HOPS_MAX
    return 0


def forwarded_metadata(context: Context, hops: int) -> Metadata:
    """Return the caller's metadata for the next replica, which is `hops` away from the caller."""
    kept = [
        (key, value)
        for key, value in context.invocation_metadata() or ()
        if key not in _OWN_KEYS and not key.startswith(("grpc-", ":"))
    ]
    return [*kept, (HOPS, str(hops))]


def _with_trace(metadata: Metadata, traceparent: str) -> Metadata:
    return [*metadata, (TRACEPARENT, traceparent)] if traceparent else metadata


async def _join(
    call: "grpc.aio.StreamStreamCall[bytes, bytes]",
    first: bytes,
    rest: AsyncIterator[bytes],
    context: Context,
    slow_reader_s: float | None,
) -> None:
    await _until_taken(call, first)
    await context.send_initial_metadata(((SERVED, "forwarded"),))
    pump = asyncio.create_task(_pump(rest, call))
    try:
        while (message := await call.read()) is not grpc.aio.EOF:
            assert isinstance(message, bytes)
            try:
                async with asyncio.timeout(slow_reader_s):
                    await context.write(message)
            except TimeoutError:
                raise await _cut_off(call, slow_reader_s or 0) from None
    finally:
        pump.cancel()
        await asyncio.wait([pump])


async def _cut_off(
    call: "grpc.aio.StreamStreamCall[bytes, bytes]", slow_reader_s: float
) -> RpcRefusedError:
    """Return why a stream ends whose reader took nothing: as its owner says, if the owner has said it."""
    if not call.done() or await call.code() is grpc.StatusCode.OK:
        return reads_nothing(slow_reader_s, "")
    return refused_with(
        await call.code(), await call.details() or "", await call.trailing_metadata() or ()
    )


async def _until_taken(call: "grpc.aio.StreamStreamCall[bytes, bytes]", first: bytes) -> None:
    try:
        await call.write(first)
        if SERVED in (await call.initial_metadata() or ()):
            return
    except (grpc.aio.AioRpcError, asyncio.InvalidStateError):
        pass  # it ended while the first message was on its way
    if await call.code() is grpc.StatusCode.UNAVAILABLE:
        raise StreamNotTakenError
    raise refused_with(
        await call.code(), await call.details() or "", await call.trailing_metadata() or ()
    )


async def _pump(
    messages: AsyncIterator[bytes], call: "grpc.aio.StreamStreamCall[bytes, bytes]"
) -> None:
    try:
        async for message in messages:
            await call.write(message)
        await call.done_writing()
    except (asyncio.InvalidStateError, grpc.RpcError):
        return  # the call has ended; its reader learns why
