"""The frame of a process: one gRPC server, one HTTP server, the journals of its services, and an orderly end.

A service's `wire(process)` adds its parts; onebox calls five of them on one process.
"""

import asyncio
import gc
import signal
import sys
import threading
from collections.abc import Awaitable, Callable, Coroutine, Mapping
from typing import Any, Final

import structlog
import uvloop

from huntgroup_eventlog.application import Application
from huntgroup_eventlog.port import Log, LogCorruptError, LogUnavailableError
from huntgroup_eventlog.snapshots import SnapshotStore
from huntgroup_runtime.clock import Activity, Clock, SystemClock
from huntgroup_runtime.exposition import Exposition
from huntgroup_runtime.health import HealthServer
from huntgroup_runtime.journals import ServiceJournals
from huntgroup_runtime.logs import configure_logs
from huntgroup_runtime.rpc.commands import RpcApi
from huntgroup_runtime.rpc.forwarding import Peers
from huntgroup_runtime.rpc.server import Register, RpcServer
from huntgroup_runtime.settings import RuntimeSettings, SettingsError, load_settings
from huntgroup_runtime.storage import open_log, open_snapshots
from huntgroup_runtime.telemetry import Telemetry
from huntgroup_runtime.watchdog import LoopWatchdog

EXIT_OK: Final = 0
EXIT_FAILED: Final = 1
EXIT_BAD_SETTINGS: Final = 2

READY_CHECK_S: Final = 0.1
GC_THRESHOLDS: Final = (10_000, 20, 20)
TELEMETRY_S_MAX: Final = 3.0
"""So long a stop waits for the last spans and metrics to be sent."""

Step = Callable[[], Awaitable[None]]
Wire = Callable[["Process"], Awaitable[None]]
"""Adds the parts of one service to a process; the only place where they are made."""

_log = structlog.stdlib.get_logger(__name__)


class Process:
    """One operating-system process; made on its event loop. Raises `SettingsError` when its port cannot be had.

    Add parts, then `start` and `stop`, or `run_until_stopped`. What is passed in stays its maker's to close.
    """

    def __init__(
        self,
        name: str,
        settings: RuntimeSettings,
        *,
        log: Log,
        snapshots: SnapshotStore,
        clock: Clock | None = None,
        telemetry: Telemetry | None = None,
    ) -> None:
        self.name = name
        self.settings = settings
        self.log = log
        self.snapshots = snapshots
        self.clock: Clock = clock or SystemClock()
        self.activity = Activity()
        """Work outside the journals that a virtual clock must wait for."""
        self.telemetry = telemetry or Telemetry.of(name, settings)
        self._server = RpcServer(settings, self.telemetry)
        self.address = settings.grpc_advertised or self._server.address
        """Where other replicas reach this one by gRPC, `host:port`; claims carry it."""
        self.peers = Peers(
            own_address=self.address,
            telemetry=self.telemetry,
            message_bytes_max=settings.grpc_message_bytes_max,
            slow_reader_ms=settings.grpc_slow_reader_ms,
        )
        self._http = HealthServer(
            settings.http_listen,
            alive=self._alive,
            ready=self._ready,
            exposition=Exposition(self.telemetry.metrics),
        )
        self._watchdog = LoopWatchdog(self.telemetry.counter("huntgroup.loop.blocked"))
        self._journals: dict[str, ServiceJournals] = {}
        self._tasks: list[tuple[str, Callable[[], Coroutine[Any, Any, None]]]] = []
        self._closers: list[tuple[str, Step]] = []
        self._supervisor: asyncio.Task[None] | None = None
        self._stopping = asyncio.Event()
        self._failed = False
        self._draining = False
        self._freeze_heap = False

    @property
    def http_address(self) -> str:
        """Where /livez, /readyz and /metrics are, `host:port`; known after `start`."""
        return self._http.address

    @property
    def journals(self) -> list[ServiceJournals]:
        """The journals of all services in this process."""
        return list(self._journals.values())

    def add_journals(self, application: Application) -> ServiceJournals:
        """Own and follow the journal of one service in this process; before `start`."""
        if application.service in self._journals:
            raise ValueError(f"the journals of {application.service} are there already")
        journals = ServiceJournals(
            application,
            log=self.log,
            clock=self.clock,
            snapshots=self.snapshots,
            settings=self.settings,
            telemetry=self.telemetry,
            address=self.address,
        )
        self._journals[application.service] = journals
        return journals

    def add_api(self, api: RpcApi) -> None:
        """Serve a gRPC service that is written as a table; before `start`."""
        api.gate = self._server.gate(api.name)
        self.add_servicer(api.name, api.register)

    def add_servicer(self, full_service_name: str, register: Register) -> None:
        """Serve any other gRPC service, for example `huntgroup.session.v1.SessionService`; before `start`."""
        self._server.add(full_service_name, register)

    def add_task(self, name: str, run: Callable[[], Coroutine[Any, Any, None]]) -> None:
        """Run `run()` beside the servers until the process stops; before `start`.

        It is cancelled then. When it raises, the process logs that, stops, and exits with code 1.
        """
        self._tasks.append((name, run))

    def add_closer(self, name: str, close: Step) -> None:
        """Await `close()` at the end, after everything added later has been closed."""
        self._closers.append((name, close))

    async def start(self) -> None:
        """Start everything; returns before the journals are caught up. When it raises, what had started is stopped."""
        try:
            self._watchdog.start()
            await self._http.start()
            # First the server: a claim names its address, and calls are forwarded there.
            await self._server.start()
            for journals in self._journals.values():
                await journals.start()
            self._supervisor = asyncio.create_task(self._supervise(), name="supervisor")
        except BaseException:
            await self.stop()
            raise
        _log.info("process started", process=self.name, grpc=self.address, http=self.http_address)

    async def stop(self) -> None:
        """Drain and stop everything, in the order in which nothing lacks what it needs; a failing step is logged."""
        self._draining = True
        await self._step("grpc server", lambda: self._server.stop(self._hand_over))
        await self._step("tasks", self._stop_tasks)
        await self._step("peers", self.peers.close)
        for service, journals in self._journals.items():
            await self._step(f"journals of {service}", journals.stop)
        for name, close in reversed(self._closers):
            await self._step(name, close)
        self._closers.clear()
        await self._step("http server", self._http.stop)
        self._watchdog.stop()
        await self._step("telemetry", self._stop_telemetry)
        _log.info("process stopped", process=self.name)

    async def _hand_over(self) -> None:
        async with asyncio.TaskGroup() as group:
            for service, journals in self._journals.items():
                group.create_task(self._step(f"partitions of {service}", journals.hand_over))

    async def run_until_stopped(self) -> int:
        """Start, serve until SIGTERM, SIGINT or the failure of a task, stop; return the exit code.

        A second signal ends the process at once.
        """
        self._freeze_heap = True
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self._on_signal, number)
        await self.start()
        await self._stopping.wait()
        await self.stop()
        return EXIT_FAILED if self._failed else EXIT_OK

    def _on_signal(self, number: signal.Signals) -> None:
        _log.info("process is asked to stop", signal=number.name)
        for one in (signal.SIGTERM, signal.SIGINT):
            asyncio.get_running_loop().remove_signal_handler(one)
        self._stopping.set()

    async def _supervise(self) -> None:
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(self._tell_readiness(), name="readiness")
                for name, run in self._tasks:
                    group.create_task(self._run_task(name, run), name=name)
        except* Exception:  # noqa: BLE001 - each was logged where it failed
            self._failed = True
            self._stopping.set()

    async def _run_task(self, name: str, run: Callable[[], Coroutine[Any, Any, None]]) -> None:
        try:
            await run()
        except Exception:
            _log.critical("task failed; the process stops", task=name, exc_info=True)
            raise

    async def _stop_tasks(self) -> None:
        if self._supervisor is not None:
            self._supervisor.cancel()
            await asyncio.wait([self._supervisor])

    async def _stop_telemetry(self) -> None:
        # A collector that is away holds the exporter for many seconds; the process need not wait that long.
        sending = threading.Thread(target=self.telemetry.shutdown, name="telemetry", daemon=True)
        sending.start()
        await asyncio.to_thread(sending.join, TELEMETRY_S_MAX)

    async def _tell_readiness(self) -> None:
        while True:
            ready = self._ready()[0]
            if ready and self._freeze_heap:
                self._freeze_heap = False
                # What is loaded stays: full collections need not look at it again (60 ms each otherwise). And what
                # comes is mostly freed by its last reference, so there is no need to look after every 700 objects.
                gc.collect()
                gc.freeze()
                gc.set_threshold(*GC_THRESHOLDS)
            await self._server.set_ready(ready=ready)
            await asyncio.sleep(READY_CHECK_S)

    def _alive(self) -> tuple[bool, Mapping[str, object]]:
        return not self._failed, {"alive": not self._failed}

    def _ready(self) -> tuple[bool, Mapping[str, object]]:
        caught_up = {name: one.caught_up() for name, one in self._journals.items()}
        ready = all(caught_up.values()) and not self._draining
        return ready, {"ready": ready, "draining": self._draining, "journals_caught_up": caught_up}

    async def _step(self, name: str, step: Step) -> None:
        try:
            await step()
        except Exception:  # noqa: BLE001 - the next step is to be tried all the same
            _log.exception("could not be stopped in order", part=name)


def run_service(name: str, wire: Wire) -> int:
    """Run one service, configured by the environment, until it is told to stop; return the exit code.

    0: stopped as asked, 1: failed, 2: a setting cannot be used (standard error names it).
    """
    try:
        settings = load_settings(RuntimeSettings)
        configure_logs(service=name, level=settings.log_level, style=settings.log_format)
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            return runner.run(_run(name, settings, wire))
    except SettingsError as error:
        sys.stderr.write(f"{name}: {error}\n")
        return EXIT_BAD_SETTINGS
    except LogUnavailableError as error:
        _log.critical("the log is not there", error=str(error))
        return EXIT_FAILED
    except LogCorruptError as error:
        _log.critical("the log is damaged", error=str(error))
        return EXIT_FAILED
    except Exception:  # noqa: BLE001 - the last resort: loud, and an exit code
        _log.critical("process failed", exc_info=True)
        return EXIT_FAILED


async def _run(name: str, settings: RuntimeSettings, wire: Wire) -> int:
    log = open_log(settings)
    try:
        process = Process(name, settings, log=log, snapshots=open_snapshots(settings))
        await wire(process)
        return await process.run_until_stopped()
    finally:
        await log.close()
