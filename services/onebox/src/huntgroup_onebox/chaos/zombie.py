"""What a frozen owner must not do when it runs again: answer calls that wait at its door from what it knew before."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, Final

import grpc

from huntgroup.agent_state.v1 import commands_pb2 as agent_pb
from huntgroup.agent_state.v1.service_pb2_grpc import AgentStateServiceStub
from huntgroup.routing.v1 import commands_pb2 as routing_pb
from huntgroup.routing.v1.events_pb2 import CHANNEL_VOICE
from huntgroup.routing.v1.service_pb2_grpc import RoutingServiceStub
from huntgroup.session.v1 import commands_pb2 as session_pb
from huntgroup.session.v1.events_pb2 import CHANNEL_VOICE as SESSION_VOICE
from huntgroup.session.v1.service_pb2_grpc import SessionServiceStub
from huntgroup_onebox.chaos.load import Load
from huntgroup_runtime.rpc.errors import from_rpc_error

WAIT_S: Final = 30.0

Stub = Callable[[grpc.aio.Channel], Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Fact:
    """Something new: the command that makes it so, the question that shows it, and the command that undoes it."""

    command: str
    request: Any
    query: str
    question: Any
    undo: str = ""
    undoing: Any = None


def fact(service: str, load: Load, name: str) -> Fact | None:
    """Return a fact that a service can be asked about; None for those whose questions have no such answer."""
    match service:
        case "session":
            return Fact(
                command="StartContact",
                request=session_pb.StartContactRequest(contact_id=name, channel=SESSION_VOICE),
                query="GetContact",
                question=session_pb.GetContactRequest(domain=load.domain, contact_id=name),
                undo="HangUpContact",
                undoing=session_pb.HangUpContactRequest(contact_id=name),
            )
        case "routing":
            return Fact(
                command="ConfigureQueue",
                request=routing_pb.ConfigureQueueRequest(
                    queue_id=name,
                    channel=CHANNEL_VOICE,
                    ring_timeout_ms=1_000,
                    wrap_up_timeout_ms=1_000,
                    service_level_threshold_ms=1_000,
                ),
                query="GetQueue",
                question=routing_pb.GetQueueRequest(domain=load.domain, queue_id=name),
            )
        case "agent-state":
            return Fact(
                command="SignOn",
                request=agent_pb.SignOnRequest(agent_id=name),
                query="GetAgent",
                question=agent_pb.GetAgentRequest(domain=load.domain, agent_id=name),
                undo="SignOff",
                undoing=agent_pb.SignOffRequest(agent_id=name),
            )
        case _:
            return None


STUBS: Final[dict[str, Stub]] = {
    "session": SessionServiceStub,
    "routing": RoutingServiceStub,
    "agent-state": AgentStateServiceStub,
}


class CallsAtTheDoor:
    """Calls sent to a frozen replica, about what happened at its successor; they are served when it runs again."""

    def __init__(self, address: str, service: str, load: Load, name: str) -> None:
        self._service = service
        self._load = load
        self._fact = fact(service, load, name)
        self._channel = grpc.aio.insecure_channel(address)
        self._waiting: list[asyncio.Task[str]] = []

    async def send(self) -> None:
        """Make something so at the successor, then ask the frozen one about it, and tell it the same once more."""
        known, api = self._fact, self._load.api
        if known is None:
            return
        stub = {"session": api.session, "routing": api.routing, "agent-state": api.agent_state}
        own: Any = stub[self._service]
        await api.command(self._service, getattr(own, known.command), known.request)
        frozen = STUBS[self._service](self._channel)
        calls: list[Awaitable[Any]] = [
            getattr(frozen, known.query)(known.question, timeout=WAIT_S),
            getattr(frozen, known.command)(known.request, timeout=WAIT_S),
        ]
        self._waiting = [asyncio.create_task(answer(call)) for call in calls]

    async def stale(self) -> list[str]:
        """Return the answers that were out of date, once all are there; undo what was done."""
        known, api = self._fact, self._load.api
        answers = await asyncio.gather(*self._waiting)
        await self._channel.close()
        if known is not None and known.undo:
            own: Any = api.session if self._service == "session" else api.agent_state
            await api.command(self._service, getattr(own, known.undo), known.undoing)
        told = zip(("asked about it", "told it again"), answers, strict=False)
        return [f"the frozen {self._service}, {what}: {said}" for what, said in told if said]


async def answer(call: Awaitable[Any]) -> str:
    """Return what is wrong with an answer: nothing, if it is right, or says that somebody else must be asked."""
    try:
        await call
    except grpc.aio.AioRpcError as error:
        refused = from_rpc_error(error)
        elsewhere = (grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.CANCELLED)
        return "" if refused.status in elsewhere else str(refused)
    return ""
