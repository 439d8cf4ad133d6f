"""The public gRPC API at the least cost for its caller: bytes are sent, and of answers only the status is looked at.

For load that shares its machine with what it loads; `api` is the comfortable way.
"""

import asyncio
from collections import Counter
from collections.abc import Mapping
from typing import Any

import grpc
from google.protobuf.message import Message

from huntgroup_runtime.rpc.channel import PEER_OPTIONS

TIMEOUT_S = 10.0
STREAM_TIMEOUT_S = 3_600.0

PACKAGES = {
    "session": "huntgroup.session.v1.SessionService",
    "agent-state": "huntgroup.agent_state.v1.AgentStateService",
    "routing": "huntgroup.routing.v1.RoutingService",
    "recording": "huntgroup.recording.v1.RecordingService",
    "reporting": "huntgroup.reporting.v1.ReportingService",
}


class RawCalls:
    """Calls to all five services; one connection per address."""

    def __init__(self, addresses: Mapping[str, str]) -> None:
        """Prepare calls to `addresses`, `host:port` by service."""
        self.failures: Counter[str] = Counter()
        """Calls that were not answered with OK, by method and status."""
        self._channels = {
            address: grpc.aio.insecure_channel(address, list(PEER_OPTIONS))
            for address in set(addresses.values())
        }
        self._channel_of = {name: self._channels[address] for name, address in addresses.items()}
        self._methods: dict[tuple[str, str], Any] = {}

    async def call(self, service: str, method: str, request: Message) -> bool:
        """Call and return whether the answer was OK; what it was otherwise is counted in `failures`."""
        made = self._methods.get((service, method))
        if made is None:
            path = f"/{PACKAGES[service]}/{method}"
            made = self._methods[service, method] = self._channel_of[service].unary_unary(path)
        try:
            await made(request.SerializeToString(), timeout=TIMEOUT_S, wait_for_ready=True)
        except grpc.aio.AioRpcError as error:
            self.failures[f"{method} {error.code().name}"] += 1
            return False
        return True

    def converse(self, service: str, method: str) -> Any:
        """Open a stream in both directions, of bytes."""
        path = f"/{PACKAGES[service]}/{method}"
        return self._channel_of[service].stream_stream(path)(timeout=STREAM_TIMEOUT_S)

    async def close(self) -> None:
        """Close all connections."""
        await asyncio.gather(*(channel.close() for channel in self._channels.values()))
