"""The gRPC server of a process: bounded, with health and reflection, and an orderly end."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Final

import grpc
from grpc_health.v1 import health, health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection

from huntgroup_runtime.rpc.admission import Admission
from huntgroup_runtime.rpc.channel import server_options
from huntgroup_runtime.rpc.deadline import CallLimits
from huntgroup_runtime.rpc.door import Door
from huntgroup_runtime.rpc.gate import Gate, OpenStreams, Seekers, limits_of
from huntgroup_runtime.rpc.guard import CallGuard, service_of
from huntgroup_runtime.settings import RuntimeSettings, SettingsError
from huntgroup_runtime.telemetry import Telemetry

HEALTH_TOLD_S: Final = 0.05
"""Between NOT_SERVING and the end of streams: the watchers of the health service learn why."""
STREAMS_END_S: Final = 0.2
"""So long streams may take to store or say their last, before what they work on is handed over."""

Register = Callable[[grpc.aio.Server], None]
"""Adds the handlers of one service to a server, as the generated `add_…Servicer_to_server` does."""


class RpcServer:
    """Serves any number of gRPC services at one address, without encryption: on the loopback or a private network.

    Made on the event loop. The port is taken at once, so that `address` is known before anything runs; raises
    `SettingsError` when it cannot be.
    """

    def __init__(self, settings: RuntimeSettings, telemetry: Telemetry) -> None:
        self._settings = settings
        self._guard = CallGuard(CallLimits.of(settings), telemetry)
        self._server = grpc.aio.server(
            interceptors=[self._guard],
            options=list(
                server_options(
                    message_bytes_max=settings.grpc_message_bytes_max,
                    connection_ms_max=settings.grpc_stream_ms_max,
                )
            ),
            maximum_concurrent_rpcs=settings.grpc_concurrent_rpcs_max
            + 1,  # and one knock at the door
        )
        self.door = Door(settings.admission_delay_target_ms / 1_000, telemetry)
        self.door.add_to(self._server)
        self.streams = OpenStreams(
            tenant_max=settings.admission_tenant_streams_max,
            calls_max=settings.grpc_concurrent_rpcs_max,
            telemetry=telemetry,
        )
        self.seekers = Seekers(calls_max=settings.grpc_concurrent_rpcs_max)
        self._telemetry = telemetry
        self._health = health.aio.HealthServicer()
        health_pb2_grpc.add_HealthServicer_to_server(self._health, self._server)
        self._names = [""]
        self._ready: bool | None = None
        self.address = self._bind(settings.grpc_listen)
        """Where the server listens, `host:port`, with the port that was chosen when 0 was asked for."""

    def add(self, full_service_name: str, register: Register) -> None:
        """Serve one more service; before `start`."""
        register(self._server)
        self._names.append(full_service_name)

    def gate(self, full_service_name: str) -> Gate:
        """Return what lets the calls of one service in."""
        return Gate(
            service_of(full_service_name),
            Admission(limits_of(self._settings)),
            door=self.door,
            streams=self.streams,
            seekers=self.seekers,
            slow_reader_s=self._settings.grpc_slow_reader_ms / 1_000,
            telemetry=self._telemetry,
        )

    async def start(self) -> None:
        """Answer calls from now on; health says NOT_SERVING until `set_ready(True)`."""
        listed = [*self._names[1:], health.SERVICE_NAME, reflection.SERVICE_NAME]
        reflection.enable_server_reflection(listed, self._server)
        await self.set_ready(ready=False)
        await self._server.start()
        self.door.start(self.address)

    async def set_ready(self, *, ready: bool) -> None:
        """Let the health service say SERVING or NOT_SERVING, for each service and for the whole server (`""`)."""
        if ready == self._ready:
            return
        self._ready = ready
        kinds = health_pb2.HealthCheckResponse
        for name in self._names:
            await self._health.set(name, kinds.SERVING if ready else kinds.NOT_SERVING)

    async def stop(self, hand_over: Callable[[], Awaitable[None]] | None = None) -> None:
        """End streams with the reason DRAINING, refuse new calls, and wait `drain_ms` at most for the calls under way.

        What has not ended then is cancelled. Beside the calls under way, for nobody else is to wait for the slowest of
        them, `hand_over` runs, as soon as streams have ended.
        """
        await self.door.stop()
        await self._health.enter_graceful_shutdown()
        await asyncio.sleep(HEALTH_TOLD_S)
        self._guard.end_streams()
        async with asyncio.TaskGroup() as group:
            if hand_over is not None:
                group.create_task(self._hand_over(hand_over))
            await self._server.stop(self._settings.drain_ms / 1_000)

    async def _hand_over(self, hand_over: Callable[[], Awaitable[None]]) -> None:
        await self._guard.streams_ended(STREAMS_END_S)
        await hand_over()

    def _bind(self, listen: str) -> str:
        try:
            port = self._server.add_insecure_port(listen)
        except RuntimeError:
            raise SettingsError(
                f"HUNTGROUP_GRPC_LISTEN={listen!r}: must be an address of this machine that is free"
            ) from None
        return f"{listen.rpartition(':')[0]}:{port}"
