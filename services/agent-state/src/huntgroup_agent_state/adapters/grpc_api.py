"""The gRPC interface: which rpc is which command, query or stream."""

from typing import Final

from google.protobuf.message import Message

from huntgroup.agent_state.v1 import service_pb2
from huntgroup.agent_state.v1.commands_pb2 import (
    GetAgentRequest,
    GetAgentResponse,
    ListAgentsRequest,
    ListAgentsResponse,
)
from huntgroup_agent_state.adapters.mapping import STATUSES, agent_view
from huntgroup_agent_state.adapters.streams import DesktopStreams, desktop_domain
from huntgroup_agent_state.app.queries import find_agent, list_agents
from huntgroup_agent_state.core.messages import CompleteWrapUp, SetPresence, SignOff, SignOn
from huntgroup_agent_state.core.state import State
from huntgroup_agent_state.core.values import AgentId
from huntgroup_runtime.ports import Journals
from huntgroup_runtime.rpc.commands import RpcApi
from huntgroup_runtime.rpc.errors import NotFoundError
from huntgroup_runtime.rpc.forwarding import Peers
from huntgroup_runtime.telemetry import Telemetry

AGENT_UNKNOWN: Final = "AGENT_UNKNOWN"
"""The agent is not signed on and talks to nobody."""


def agent_state_api(
    journals: Journals, peers: Peers, telemetry: Telemetry, streams: DesktopStreams
) -> RpcApi:
    """Return `huntgroup.agent_state.v1.AgentStateService`."""
    api = RpcApi(
        service_pb2.DESCRIPTOR.services_by_name["AgentStateService"],
        journals=journals,
        peers=peers,
        telemetry=telemetry,
        statuses=STATUSES,
    )
    api.command("SignOn", SignOn)
    api.command("SignOff", SignOff)
    api.command("SetPresence", SetPresence)
    api.command("CompleteWrapUp", CompleteWrapUp)
    api.query("GetAgent", _get_agent)
    api.query("ListAgents", _list_agents)
    api.stream_stream("OpenDesktop", streams.converse, domain=desktop_domain)
    return api


def _get_agent(request: GetAgentRequest, state: State) -> Message:
    agent = find_agent(state, AgentId(request.agent_id))
    if agent is None:
        raise NotFoundError(AGENT_UNKNOWN, f"agent_id {request.agent_id!r} is not signed on")
    return GetAgentResponse(agent=agent_view(agent))


def _list_agents(request: ListAgentsRequest, state: State) -> Message:
    page = list_agents(state, AgentId(request.after_agent_id), request.page_size)
    return ListAgentsResponse(agents=[agent_view(agent) for agent in page])
