"""The process of the continuous auditor: what it serves by HTTP, what it logs, and how it ends."""

import asyncio
import signal
from collections.abc import Mapping
from typing import Final

import structlog

from huntgroup_onebox.audit.checks import Scope
from huntgroup_onebox.audit.follow import Follower
from huntgroup_runtime.exposition import Exposition
from huntgroup_runtime.health import HealthServer
from huntgroup_runtime.logs import configure_logs
from huntgroup_runtime.settings import RuntimeSettings, load_settings
from huntgroup_runtime.telemetry import Telemetry

NAME: Final = "auditor"

_log = structlog.stdlib.get_logger(__name__)


async def follow(
    scope: Scope, *, log_name: str, interval_ms: int | None, every_ms: int
) -> Mapping[int, int]:
    """Follow a log until SIGTERM or SIGINT; return how often each invariant was broken.

    Where it serves /livez, /readyz and /metrics, and how it logs, is in the environment as for every process. Raises
    `SettingsError` when its port cannot be had, and whatever a bug raises.
    """
    settings = load_settings(RuntimeSettings)
    configure_logs(service=NAME, level=settings.log_level, style=settings.log_format)
    telemetry = Telemetry.of(NAME, settings)
    follower = Follower(scope, telemetry, interval_ms=interval_ms, every_ms=every_ms)
    http = HealthServer(
        settings.http_listen,
        alive=lambda: (True, {"alive": True}),
        ready=lambda: (follower.ready, follower.state()),
        exposition=Exposition(telemetry.metrics),
    )
    await http.start()
    stopping = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stopping.set)
    _log.info("auditor started", log=log_name, http=http.address)
    following = asyncio.create_task(follower.run(), name="follower")
    waiting = asyncio.create_task(stopping.wait(), name="stop")
    try:
        await asyncio.wait([following, waiting], return_when=asyncio.FIRST_COMPLETED)
        if following.done():
            following.result()
    finally:
        waiting.cancel()
        following.cancel()
        await asyncio.gather(following, waiting, return_exceptions=True)
        await http.stop()
        await asyncio.to_thread(telemetry.shutdown)
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.remove_signal_handler(number)
    _log.info("auditor stopped", violated=scope.findings.violated)
    return scope.findings.violated
