"""How callers and agents of a story reach the services: any replica, again and again, with the same command id."""

import asyncio
import random
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

import grpc
from google.protobuf.message import Message
from grpc.aio import AioRpcError

from huntgroup.event.v1.envelope_pb2 import CommandContext
from huntgroup_onebox.sim.books import Books, ViolationError
from huntgroup_onebox.sim.calls import Call
from huntgroup_onebox.sim.cluster import Cluster
from huntgroup_onebox.sim.onlooker import Onlooker
from huntgroup_onebox.sim.seeded_loop import Node
from huntgroup_runtime.rpc.errors import RpcRefusedError, from_rpc_error

ATTEMPT_S: Final = 2.5
GIVES_UP_AFTER_S: Final = 90.0
STREAM_S: Final = 3_600.0
AGAIN: Final = frozenset(
    {
        grpc.StatusCode.UNAVAILABLE,
        grpc.StatusCode.CANCELLED,
        grpc.StatusCode.DEADLINE_EXCEEDED,
        grpc.StatusCode.RESOURCE_EXHAUSTED,
    }
)
FAULTY: Final = frozenset(
    {
        grpc.StatusCode.INTERNAL,
        grpc.StatusCode.INVALID_ARGUMENT,
        grpc.StatusCode.UNKNOWN,
        grpc.StatusCode.UNIMPLEMENTED,
        grpc.StatusCode.DATA_LOSS,
    }
)


@dataclass(slots=True)
class Mark:
    """How much there was when a read was sent for the last time: what it says may be newer, never older."""

    number: int = 0

    def at(self, number: int) -> None:
        """It is sent now."""
        self.number = number


class Client:
    """One caller or one desktop, on a node of its own."""

    def __init__(
        self, node: Node, cluster: Cluster, onlooker: Onlooker, chance: random.Random, domain: str
    ) -> None:
        self.node = node
        self.domain = domain
        self.chance = chance
        self._cluster = cluster
        self._onlooker = onlooker
        self._sent = 0

    async def command(
        self, service: str, method: str, request: Any, response: Any, *, twice: bool = False
    ) -> RpcRefusedError | None:
        """Send a command until it is answered; return None when it was carried out, else how it was refused."""
        self._sent += 1
        command_id = f"{self.node.name}-{self._sent}".replace(" ", "-")
        context = CommandContext(domain=self.domain, command_id=command_id)
        request.context.CopyFrom(context)
        sending = [self._until_answered(service, method, request) for _ in range(1 + twice)]
        answers = await asyncio.gather(*sending)
        for answer in answers:
            self._check(service, command_id, answer, response)
        return answers[0] if isinstance(answers[0], RpcRefusedError) else None

    async def query(
        self,
        service: str,
        method: str,
        request: Message,
        response: Any,
        *,
        asking: Callable[[], object] = bool,
    ) -> Any:
        """Return the answer to a query, or a refusal; `asking` is called each time that it is sent."""
        answer = await self._until_answered(service, method, request, asking)
        return answer if isinstance(answer, RpcRefusedError) else response.FromString(answer)

    def open_stream(self, service: str, method: str) -> Call:
        """Open a stream at any replica."""
        address = self.chance.choice(self._cluster.addresses(service))
        return self._cluster.network.stream(self.node, address, method, timeout_s=STREAM_S)

    @property
    def books(self) -> Books:
        """What is true of the client's domain."""
        return self._onlooker.books[self.domain]

    def saw(self, what: str) -> None:
        """Count something that happened."""
        self._onlooker.counts[what] += 1

    def stream_ended(self, method: str, error: AioRpcError) -> RpcRefusedError:
        """Return why a stream ended; raises `ViolationError` when that is a bug."""
        refused = from_rpc_error(error)
        self._check_turned_away(method, refused)
        if refused.status in FAULTY:
            raise ViolationError(f"{method} ended with {refused}")
        return refused

    async def _until_answered(
        self,
        service: str,
        method: str,
        request: Message,
        asking: Callable[[], object] = bool,
    ) -> bytes | RpcRefusedError:
        loop = asyncio.get_running_loop()
        ends_s, pause_s, raw = loop.time() + GIVES_UP_AFTER_S, 0.05, request.SerializeToString()
        while True:
            asking()
            address = self.chance.choice(self._cluster.addresses(service))
            call = self._cluster.network.unary(self.node, address, method, raw, timeout_s=ATTEMPT_S)
            try:
                return await call.done
            except AioRpcError as error:
                refused = from_rpc_error(error)
            finally:
                call.cancel()
            self._check_turned_away(method, refused)
            if refused.status in FAULTY:
                raise ViolationError(f"{method} at {address} was answered {refused}")
            if refused.status not in AGAIN:
                return refused
            if loop.time() > ends_s:
                raise ViolationError(f"{method} was not answered for {GIVES_UP_AFTER_S:.0f} s")
            least_s = refused.retry_after_ms / 1_000
            await asyncio.sleep(least_s + pause_s * self.chance.uniform(0.5, 1.0))
            pause_s = min(2 * pause_s, 0.8)

    def _check_turned_away(self, method: str, refused: RpcRefusedError) -> None:
        """Who is turned away for load is told why, and when to come again."""
        if refused.status is not grpc.StatusCode.RESOURCE_EXHAUSTED:
            return
        self._onlooker.counts["turned away"] += 1
        if not refused.reason or not refused.retry_after_ms:
            raise ViolationError(f"10: {method} was turned away without a word on when: {refused}")

    def _check(
        self, service: str, command_id: str, answer: bytes | RpcRefusedError, response: Any
    ) -> None:
        if isinstance(answer, RpcRefusedError):
            told = answer.metadata
            if told.get("command_id") != command_id:
                raise ViolationError(f"{command_id} was answered {answer}")
            position, reason = int(told["position"]), answer.reason
        else:
            receipt = response.FromString(answer).receipt
            position, reason = receipt.position, ""
        self._onlooker.check_reply(service, self.domain, command_id, position, reason)
