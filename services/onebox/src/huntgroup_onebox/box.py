"""All five services in one process, on one log: the demo, the developer's laptop, the cheapest end-to-end test."""

import asyncio
from collections.abc import Awaitable, Callable
from importlib import import_module
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from pydantic_settings import BaseSettings

from huntgroup_agent_state.telemetry import DESKTOP_RECEIVED, DESKTOP_SENT
from huntgroup_eventlog.adapters.embedded import EmbeddedLog
from huntgroup_eventlog.journal.replica import Role
from huntgroup_eventlog.port import Log
from huntgroup_eventlog.snapshots import ObjectSnapshotStore
from huntgroup_runtime.clock import Clock
from huntgroup_runtime.journals import all_idle, lag, unrelayed
from huntgroup_runtime.process import Process
from huntgroup_runtime.settings import RuntimeSettings, SettingsError, load_settings
from huntgroup_runtime.telemetry import Telemetry

SERVICES = {
    "session": "huntgroup_session",
    "agent-state": "huntgroup_agent_state",
    "routing": "huntgroup_routing",
    "recording": "huntgroup_recording",
    "reporting": "huntgroup_reporting",
}
"""Each service's name, as in topics, and its package."""

ONLOOKERS = ("reporting",)
LAG_MAX = 400
"""So many entries the onlookers and public topics of a box may be behind."""


def wire_of(service: str) -> Callable[..., Awaitable[None]]:
    """Return the `wire(process, settings=None)` function of a service."""
    wire: Callable[..., Awaitable[None]] = import_module(f"{SERVICES[service]}.wiring").wire
    return wire


def directory_problem(directory: Path) -> str:
    """Return why a box cannot be kept in `directory`; empty when it can."""
    # The services find the place of their own files in the log's URL.
    name = str(directory)
    try:
        url = urlsplit(f"embedded://{name}")
        whole = url.netloc + url.path == name
    except ValueError:
        whole = False
    return "" if whole else f"{name!r}: the name must be without ?, # and line breaks"


def box_settings(**overrides: Any) -> RuntimeSettings:
    """Return settings for one process that owns everything: no standby, so no heartbeats and no waiting."""
    alone = {"heartbeat_ms": 0, "takeover_after_ms": 0, "log_partitions": 4}
    return load_settings(RuntimeSettings, **(alone | overrides))


class Box:
    """The five services on one log; `start` returns when all of them serve."""

    def __init__(
        self,
        settings: RuntimeSettings,
        log: Log,
        snapshots: ObjectSnapshotStore,
        *,
        clock: Clock | None = None,
        telemetry: Telemetry | None = None,
    ) -> None:
        self.process = Process(
            "onebox", settings, log=log, snapshots=snapshots, clock=clock, telemetry=telemetry
        )
        self.log = log

    @classmethod
    def in_directory(
        cls, directory: Path, *, clock: Clock | None = None, **overrides: Any
    ) -> "Box":
        """Keep the log, its snapshots and the recordings in `directory`.

        Raises `LogUnavailableError`, and `SettingsError` for a name that does not do.
        """
        if problem := directory_problem(directory):
            raise SettingsError(problem)
        settings = box_settings(log_url=f"embedded://{directory}", **overrides)
        log = EmbeddedLog(directory, settings.log_partitions, settings.log_durability)
        snapshots = ObjectSnapshotStore.from_url((directory / "snapshots").absolute().as_uri())
        return cls(settings, log, snapshots, clock=clock)

    @property
    def address(self) -> str:
        """Where all five services serve gRPC, `host:port`."""
        return self.process.address

    async def wire(self, **settings: BaseSettings) -> None:
        """Add the five services; `settings` are a service's own by its package, else read from the environment."""
        for service, package in SERVICES.items():
            wire = wire_of(service)
            await (
                wire(self.process, settings[package]) if package in settings else wire(self.process)
            )

    async def ready(self, within_s: float) -> None:
        """Return when every partition of every service is owned here; raises `TimeoutError`."""
        async with asyncio.timeout(within_s):
            while not all(  # noqa: ASYNC110 - ownership is no event of one partition
                owner.replica.role is Role.OWNING
                for journals in self.process.journals
                for owner in journals.partitions
            ):
                await asyncio.sleep(0.01)

    async def stop(self) -> None:
        """Drain, hand over, and close the log."""
        await self.process.stop()
        await self.log.close()

    def desktop_messages(self) -> tuple[int, int]:
        """Return how many messages were sent to agent desktops, and received from them."""
        telemetry = self.process.telemetry
        return telemetry.counter(DESKTOP_SENT).value, telemetry.counter(DESKTOP_RECEIVED).value

    def idle(self) -> bool:
        """Return whether nothing is under way that callers or agents could notice; for a virtual clock.

        Reporting and the public topics only look on: they may lag, but not far.
        """
        journals = self.process.journals
        if self.process.activity.under_way or not all_idle(
            [one for one in journals if one.application.service not in ONLOOKERS]
        ):
            return False
        onlookers = [one for one in journals if one.application.service in ONLOOKERS]
        return lag(onlookers, journals) + unrelayed(journals) <= LAG_MAX

    async def settled(self, within_s: float) -> None:
        """Return when nothing at all is under way; raises `TimeoutError`."""
        journals = self.process.journals
        async with asyncio.timeout(within_s):
            while (  # noqa: ASYNC110 - no one event says so
                self.process.activity.under_way or not all_idle(journals) or unrelayed(journals)
            ):
                await asyncio.sleep(0.005)
