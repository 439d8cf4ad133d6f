"""How long a call waits before this process so much as sees it.

gRPC hands calls to the event loop one at a time, some turns apart; under load the queue of those that are not handed
over yet is the longest of all, and nothing shows it from within. So the process calls itself: what that takes, others
wait too.
"""

import asyncio
from typing import Any, Final

import grpc

from huntgroup_runtime.rpc.admission import StandingQueue
from huntgroup_runtime.rpc.channel import PEER_OPTIONS
from huntgroup_runtime.telemetry import Telemetry

SERVICE: Final = "huntgroup.runtime.Door"
KNOCK: Final = f"/{SERVICE}/Knock"
KNOCK_EVERY_S: Final = 0.1
GIVEN_UP_S: Final = 5.0
_WILDCARDS: Final = ("0.0.0.0", "[::]", "::", "*")  # noqa: S104 - only compared


class Door:
    """The entrance of one gRPC server, and the wait before it."""

    def __init__(
        self, target_s: float, telemetry: Telemetry, *, give_up_s: float = GIVEN_UP_S
    ) -> None:
        self._give_up_s = give_up_s
        self._queue = StandingQueue(target_s)
        self._seconds = telemetry.metrics.histogram("huntgroup.admission.delay")
        self._took_s = 0.0
        self._knocked_s: float | None = None
        self._task: asyncio.Task[None] | None = None

    def delay_s(self, now_s: float) -> float:
        """Return how long calls wait: what the last knock took, or the one under way has taken already."""
        under_way_s = now_s - self._knocked_s if self._knocked_s is not None else 0.0
        return max(self._took_s, under_way_s)

    def crowded(self, now_s: float) -> bool:
        """Return whether a queue stands before it."""
        return self._queue.observe(self.delay_s(now_s), now_s)

    def add_to(self, server: grpc.aio.Server) -> None:
        """Let the server answer knocks."""
        answers: grpc.RpcMethodHandler[bytes, bytes] = grpc.unary_unary_rpc_method_handler(_open)
        handler = grpc.method_handlers_generic_handler(SERVICE, {"Knock": answers})
        server.add_generic_rpc_handlers((handler,))

    def start(self, address: str) -> None:
        """Knock at `address`, the server's own, until `stop`."""
        host, _, port = address.rpartition(":")
        near = f"127.0.0.1:{port}" if host in _WILDCARDS else address
        self._task = asyncio.create_task(self._knock(near), name="door")

    async def stop(self) -> None:
        """Knock no more."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait([self._task])

    async def _knock(self, address: str) -> None:
        loop = asyncio.get_running_loop()
        async with grpc.aio.insecure_channel(address, [*PEER_OPTIONS]) as channel:
            knock: grpc.aio.UnaryUnaryMultiCallable[bytes, bytes] = channel.unary_unary(KNOCK)
            while True:
                begun_s = self._knocked_s = loop.time()
                try:
                    await knock(b"", timeout=self._give_up_s)
                    heard = True
                except grpc.aio.AioRpcError as error:
                    # Whatever it is answered, it was handed over, and what is not answered waits at least so long; a
                    # server that cannot be reached tells nothing.
                    heard = error.code() is not grpc.StatusCode.UNAVAILABLE
                if heard:
                    self._took_s = loop.time() - begun_s
                    self._seconds.record(self._took_s)
                self._knocked_s = None
                self.crowded(loop.time())
                await asyncio.sleep(KNOCK_EVERY_S)


async def _open(_: bytes, __: Any) -> bytes:
    return b""
