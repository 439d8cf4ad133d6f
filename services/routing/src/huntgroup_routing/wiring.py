"""Puts the routing service together; nothing else here makes concrete things."""

from collections.abc import Mapping
from functools import cache
from importlib.metadata import entry_points
from typing import Final

from huntgroup_eventlog.application import Application
from huntgroup_eventlog.code_version import code_version
from huntgroup_routing.adapters.grpc_api import routing_api
from huntgroup_routing.adapters.mapping import event_codec
from huntgroup_routing.app.reactions import RoutingReactions
from huntgroup_routing.core import RoutingCore
from huntgroup_routing.core.scorers import Scorer
from huntgroup_runtime.process import Process

SCORERS: Final = "huntgroup.scorers"


async def wire(process: Process) -> None:
    """Add the journal of queues and offers and its API to `process`."""
    journals = process.add_journals(application())
    process.add_api(routing_api(journals, process.peers, process.telemetry, process.clock))


@cache
def installed_scorers() -> Mapping[str, Scorer]:
    """Return the scorers of all installed packages by name: what their entry points in `huntgroup.scorers` name.

    Packages are looked through once: what is installed while a process runs counts when the next one starts.
    """
    return {point.name: point.load() for point in entry_points(group=SCORERS)}


def application() -> Application:
    """Return the service as the journal runs it."""
    return Application(
        service="routing",
        core=RoutingCore(installed_scorers()),
        codec=event_codec(),
        reactions=RoutingReactions(),
        code_version=code_version("huntgroup_routing.core", "huntgroup.routing.v1"),
    )
