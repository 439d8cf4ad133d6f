"""Puts the routing service together; nothing else here makes concrete things."""

from huntgroup_eventlog.application import Application
from huntgroup_eventlog.code_version import code_version
from huntgroup_routing.adapters.grpc_api import routing_api
from huntgroup_routing.adapters.mapping import event_codec
from huntgroup_routing.app.reactions import RoutingReactions
from huntgroup_routing.core import RoutingCore
from huntgroup_runtime.process import Process


async def wire(process: Process) -> None:
    """Add the journal of queues and offers and its API to `process`."""
    journals = process.add_journals(application())
    process.add_api(routing_api(journals, process.peers, process.telemetry, process.clock))


def application() -> Application:
    """Return the service as the journal runs it."""
    return Application(
        service="routing",
        core=RoutingCore(),
        codec=event_codec(),
        reactions=RoutingReactions(),
        code_version=code_version("huntgroup_routing.core", "huntgroup.routing.v1"),
    )
