"""The only module that builds the concrete parts of agent state."""

from huntgroup_agent_state.adapters.grpc_api import agent_state_api
from huntgroup_agent_state.adapters.mapping import EVENTS
from huntgroup_agent_state.adapters.streams import DesktopStreams
from huntgroup_agent_state.app.effects import DesktopRegistry, Liveness
from huntgroup_agent_state.app.reactions import AgentStateReactions
from huntgroup_agent_state.core import AgentStateCore
from huntgroup_agent_state.settings import AgentStateSettings
from huntgroup_eventlog.application import Application
from huntgroup_eventlog.code_version import code_version
from huntgroup_runtime.process import Process
from huntgroup_runtime.settings import load_settings


def application() -> Application:
    """Return the service as a journal runs it."""
    return Application(
        service="agent-state",
        core=AgentStateCore(),
        codec=EVENTS,
        reactions=AgentStateReactions(),
        code_version=code_version("huntgroup_agent_state.core", "huntgroup.agent_state"),
    )


async def wire(process: Process, settings: AgentStateSettings | None = None) -> None:
    """Add agent state to a process; without `settings` they are read from the environment."""
    settings = settings or load_settings(AgentStateSettings)
    journals = process.add_journals(application())
    liveness = Liveness(
        heartbeat_interval_ms=settings.desktop_heartbeat_interval_ms,
        lease_ms=settings.desktop_lease_ms,
    )
    registry = DesktopRegistry(journals, process.clock, liveness, partitions=process.log.partitions)
    journals.subscribe(registry)
    streams = DesktopStreams(journals, registry, process.telemetry, settings.desktop_backlog_max)
    process.add_api(agent_state_api(journals, process.peers, process.telemetry, streams))
