"""Calls to Huntgroup from within this tree: with a deadline, safe to repeat, and errors as Python exceptions."""

import asyncio
import random
from types import TracebackType
from typing import Any, Final, Self, TypeVar

import grpc
from google.protobuf.message import Message

from huntgroup_runtime.rpc.channel import PEER_OPTIONS, message_limits
from huntgroup_runtime.rpc.errors import RpcRefusedError, from_rpc_error
from huntgroup_runtime.rpc.guard import TRACEPARENT
from huntgroup_runtime.telemetry import Telemetry

ResponseT = TypeVar("ResponseT", bound=Message)

MESSAGE_BYTES_MAX: Final = 1_048_576
RETRIED: Final = frozenset({grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.CANCELLED})
"""CANCELLED comes from a server that stops in mid-call; who cancels a call here never sees a status."""
_IN_TURN: Final = '{"loadBalancingConfig": [{"round_robin": {}}]}'
_PAUSE_S: Final = 0.02
_PAUSE_S_MAX: Final = 1.0


class RpcClient:
    """A channel to a service. Make the stubs on its `channel`; close it, or use `with`.

    `address` is any replica's `host:port`, or those of several, separated by commas: calls take turns among them, and
    one that is gone is passed over. With `telemetry` each call is a client span and a child of the work that makes it.
    """

    def __init__(
        self,
        address: str,
        *,
        telemetry: Telemetry | None = None,
        message_bytes_max: int = MESSAGE_BYTES_MAX,
    ) -> None:
        self._telemetry = telemetry or Telemetry.off()
        options = [*PEER_OPTIONS, *message_limits(message_bytes_max)]
        if "," in address:
            address = f"ipv4:{address}"
            options.append(("grpc.service_config", _IN_TURN))
        self.channel = grpc.aio.insecure_channel(address, options)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        where: TracebackType | None,
    ) -> None:
        await self.close()

    async def close(self) -> None:
        """Close the channel; calls under way are cancelled."""
        await self.channel.close()

    async def call(
        self,
        stub_method: grpc.aio.UnaryUnaryMultiCallable[Any, ResponseT],
        request: Message,
        *,
        timeout_ms: int,
    ) -> ResponseT:
        """Return the response; when the status is `RETRIED`, send the same again (same id) until the deadline.

        So it does when it is told when to come again (`RetryInfo`), and not before then.
        Raises `RpcRefusedError` with the reason, the detail and the violations that the service gave.
        """
        loop = asyncio.get_running_loop()
        end = loop.time() + timeout_ms / 1_000
        pause_s = _PAUSE_S
        while True:
            try:
                return await self._attempt(stub_method, request, end - loop.time())
            except grpc.aio.AioRpcError as error:
                refused = from_rpc_error(error)
            told_s = refused.retry_after_ms / 1_000
            if refused.status not in RETRIED and not told_s:
                raise refused
            spread = random.uniform(0.5, 1.0)  # noqa: S311 - only spreads retries
            wait_s = told_s * (0.5 + spread) if told_s else pause_s * spread
            if loop.time() + wait_s >= end:
                raise refused
            await asyncio.sleep(wait_s)
            pause_s = min(pause_s * 2, _PAUSE_S_MAX)

    async def _attempt(
        self,
        stub_method: grpc.aio.UnaryUnaryMultiCallable[Any, ResponseT],
        request: Message,
        timeout_s: float,
    ) -> ResponseT:
        with self._telemetry.client_call(_method_name(stub_method)) as span:
            metadata = [(TRACEPARENT, span.traceparent)] if span.traceparent else None
            call = stub_method(request, timeout=timeout_s, metadata=metadata)
            try:
                response = await call
            except grpc.aio.AioRpcError as error:
                span.finish(error.code())
                raise
            finally:
                call.cancel()  # an abandoned call is never ended by the library
            span.finish(grpc.StatusCode.OK)
            return response


def _method_name(stub_method: object) -> str:
    """Return `package.Service/Method`; the library keeps it in a private place only."""
    raw = getattr(stub_method, "_method", b"")
    return raw.decode().lstrip("/") if isinstance(raw, bytes) else str(raw).lstrip("/")


__all__ = ["RpcClient", "RpcRefusedError"]
