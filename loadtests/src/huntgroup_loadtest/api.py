"""The public gRPC API as the day's actors use it: each command with an id of its own, retried until it is answered."""

import random
from collections.abc import AsyncIterator
from typing import Any

import grpc

from huntgroup.agent_state.v1 import commands_pb2 as agent_pb
from huntgroup.agent_state.v1.service_pb2_grpc import AgentStateServiceStub
from huntgroup.event.v1.envelope_pb2 import CommandContext
from huntgroup.recording.v1.service_pb2_grpc import RecordingServiceStub
from huntgroup.reporting.v1.service_pb2_grpc import ReportingServiceStub
from huntgroup.routing.v1.service_pb2_grpc import RoutingServiceStub
from huntgroup.session.v1.service_pb2_grpc import SessionServiceStub
from huntgroup_loadtest.timeline import Timeline
from huntgroup_runtime.rpc.client import RpcClient
from huntgroup_runtime.rpc.errors import RpcRefusedError

TIMEOUT_MS = 10_000

Addresses = dict[str, str]
"""`host:port` per service (session, agent-state, routing, recording, reporting), or of several replicas by commas."""


class Api:
    """One caller of all five services, in one domain."""

    def __init__(
        self,
        addresses: Addresses,
        *,
        domain: str,
        run: str,
        timeline: Timeline,
        timeout_ms: int = TIMEOUT_MS,
    ) -> None:
        self.domain = domain
        self.timeline = timeline
        self.acknowledged: list[tuple[str, str]] = []
        """(service, command id) of every command that was answered, carried out or refused by a core."""
        self.refused = 0
        self._run = run
        self._timeout_ms = timeout_ms
        self._sent = 0
        self._clients = {address: RpcClient(address) for address in set(addresses.values())}
        client = {service: self._clients[address] for service, address in addresses.items()}
        self.session = SessionServiceStub(client["session"].channel)
        self.agent_state = AgentStateServiceStub(client["agent-state"].channel)
        self.routing = RoutingServiceStub(client["routing"].channel)
        self.recording = RecordingServiceStub(client["recording"].channel)
        self.reporting = ReportingServiceStub(client["reporting"].channel)
        self._call = next(iter(self._clients.values())).call

    async def close(self) -> None:
        """Close all channels."""
        for client in self._clients.values():
            await client.close()

    def context(self) -> CommandContext:
        """Return the context of a new command."""
        self._sent += 1
        return CommandContext(domain=self.domain, command_id=f"{self._run}-{self._sent}")

    async def command(self, service: str, method: Any, request: Any) -> RpcRefusedError | None:
        """Send a command; return None when it was carried out, or how a core refused it. Other errors are raised."""
        request.context.CopyFrom(self.context())
        try:
            await self.timeline.working(self.send(method, request))
        except RpcRefusedError as refused:
            if refused.status not in REFUSALS:
                raise
            self.refused += 1
            self.acknowledged.append((service, request.context.command_id))
            return refused
        self.acknowledged.append((service, request.context.command_id))
        return None

    async def query(self, method: Any, request: Any) -> Any:
        """Return the answer to a query."""
        return await self.timeline.working(self.send(method, request))

    async def send(self, method: Any, request: Any) -> Any:
        """Return the response to a command or query; raises `RpcRefusedError`."""
        return await self._call(method, request, timeout_ms=self._timeout_ms)

    def open_desktop(
        self, requests: AsyncIterator[agent_pb.OpenDesktopRequest]
    ) -> "grpc.aio.StreamStreamCall[Any, Any]":
        """Open the stream of one agent desktop."""
        return self.agent_state.OpenDesktop(requests)


REFUSALS = frozenset(
    {
        grpc.StatusCode.FAILED_PRECONDITION,
        grpc.StatusCode.NOT_FOUND,
        grpc.StatusCode.ALREADY_EXISTS,
    }
)


def uuid7(at_ms: int, chance: random.Random) -> str:
    """Return a UUIDv7 for `at_ms` (RFC 9562 §5.7), random by `chance` so that a played day repeats."""
    value = (at_ms & (1 << 48) - 1) << 80 | 0x7 << 76 | chance.getrandbits(12) << 64
    value |= 0b10 << 62 | chance.getrandbits(62)
    text = f"{value:032x}"
    return f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}"
