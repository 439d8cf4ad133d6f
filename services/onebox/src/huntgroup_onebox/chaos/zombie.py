"""What a frozen owner must not do when it runs again: answer calls that wait at its door from what it knew before."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, Final

import grpc

from huntgroup.agent_state.v1 import commands_pb2 as agent_pb
from huntgroup.agent_state.v1.service_pb2_grpc import AgentStateServiceStub
from huntgroup.event.v1.envelope_pb2 import Receipt
from huntgroup.recording.v1 import commands_pb2 as recording_pb
from huntgroup.recording.v1.events_pb2 import RECORDING_MODE_OFF
from huntgroup.recording.v1.service_pb2_grpc import RecordingServiceStub
from huntgroup.reporting.v1 import commands_pb2 as reporting_pb
from huntgroup.reporting.v1.service_pb2_grpc import ReportingServiceStub
from huntgroup.routing.v1 import commands_pb2 as routing_pb
from huntgroup.routing.v1.events_pb2 import CHANNEL_VOICE
from huntgroup.routing.v1.service_pb2_grpc import RoutingServiceStub
from huntgroup.session.v1 import commands_pb2 as session_pb
from huntgroup.session.v1.events_pb2 import CHANNEL_VOICE as SESSION_VOICE
from huntgroup.session.v1.service_pb2_grpc import SessionServiceStub
from huntgroup_onebox.chaos.load import Load
from huntgroup_onebox.chaos.recorded_calls import recorded_call
from huntgroup_runtime.rpc.errors import from_rpc_error

WAIT_S: Final = 30.0
CALL_S: Final = 4.0
ELSEWHERE: Final = (grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.CANCELLED)
"""Says that somebody else must be asked: always right."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """A call about something that is so at the successor already."""

    rpc: str
    request: Any
    wrong: Callable[[Any], str]
    """What is out of date in an answer; empty when it is right."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Fact:
    """Something that came to be at the successor: how to ask about it, and how to undo it."""

    questions: tuple[Question, ...]
    undo: Callable[[], Awaitable[Any]] | None = None


def repeats(known: Receipt) -> Callable[[Any], str]:
    """Return what judges the answer to a command that was carried out before: the same reply, once more."""

    def wrong(response: Any) -> str:
        told: Receipt = response.receipt
        same = (told.command_id, told.position) == (known.command_id, known.position)
        if same and told.repeated:
            return ""
        return f"carried out at {known.position}, then again: {told}"

    return wrong


def shows(field: str, key: str, name: str) -> Callable[[Any], str]:
    """Return what judges the answer to a question: it is about `name`."""

    def wrong(response: Any) -> str:
        found = getattr(getattr(response, field), key)
        return "" if found == name else f"{found!r} instead of {name!r}"

    return wrong


def not_before(known: Any) -> Callable[[Any], str]:
    """Return what judges a report: it has taken in at least what an earlier one had."""
    had = {one.service: one.position for one in known.sources}

    def wrong(response: Any) -> str:
        has = {one.service: one.position for one in response.sources}
        behind = [one for one, position in had.items() if has.get(one, 0) < position]
        return f"{has}, after a report that had taken in {had}" if behind or not had else ""

    return wrong


async def _session(load: Load, name: str) -> Fact:
    api = load.api
    start = session_pb.StartContactRequest(contact_id=name, channel=SESSION_VOICE)
    asked = session_pb.GetContactRequest(domain=load.domain, contact_id=name)
    questions = (
        Question(rpc="GetContact", request=asked, wrong=shows("contact", "contact_id", name)),
        await _told(load, "session", "StartContact", start),
    )
    ends = session_pb.HangUpContactRequest(contact_id=name)
    return Fact(
        questions=questions, undo=lambda: api.command("session", api.session.HangUpContact, ends)
    )


async def _routing(load: Load, name: str) -> Fact:
    queue = routing_pb.ConfigureQueueRequest(
        queue_id=name,
        channel=CHANNEL_VOICE,
        ring_timeout_ms=1_000,
        wrap_up_timeout_ms=1_000,
        service_level_threshold_ms=1_000,
    )
    asked = routing_pb.GetQueueRequest(domain=load.domain, queue_id=name)
    questions = (
        Question(rpc="GetQueue", request=asked, wrong=shows("queue", "queue_id", name)),
        await _told(load, "routing", "ConfigureQueue", queue),
    )
    return Fact(questions=questions)


async def _agent_state(load: Load, name: str) -> Fact:
    api = load.api
    sign_on = agent_pb.SignOnRequest(agent_id=name)
    asked = agent_pb.GetAgentRequest(domain=load.domain, agent_id=name)
    questions = (
        Question(rpc="GetAgent", request=asked, wrong=shows("agent", "agent_id", name)),
        await _told(load, "agent-state", "SignOn", sign_on),
    )
    ends = agent_pb.SignOffRequest(agent_id=name)
    return Fact(
        questions=questions, undo=lambda: api.command("agent-state", api.agent_state.SignOff, ends)
    )


async def _recording(load: Load, name: str) -> Fact:
    policy = recording_pb.SetRecordingPolicyRequest(queue_id=name, mode=RECORDING_MODE_OFF)
    asked = recording_pb.GetRecordingRequest(domain=load.domain, contact_id=name)
    questions = [await _told(load, "recording", "SetRecordingPolicy", policy)]
    if await recorded_call(load, name, CALL_S):
        shown = shows("recording", "contact_id", name)
        questions.append(Question(rpc="GetRecording", request=asked, wrong=shown))
    return Fact(questions=tuple(questions))


async def _reporting(load: Load, _: str) -> Fact:
    asked = reporting_pb.GetReportRequest(domain=load.domain, from_ms=0, to_ms=1)
    known = await load.api.query(load.api.reporting.GetReport, asked)
    return Fact(questions=(Question(rpc="GetReport", request=asked, wrong=not_before(known)),))


FACTS: Final[dict[str, Callable[[Load, str], Awaitable[Fact]]]] = {
    "session": _session,
    "routing": _routing,
    "agent-state": _agent_state,
    "recording": _recording,
    "reporting": _reporting,
}
STUBS: Final[dict[str, Callable[[grpc.aio.Channel], Any]]] = {
    "session": SessionServiceStub,
    "routing": RoutingServiceStub,
    "agent-state": AgentStateServiceStub,
    "recording": RecordingServiceStub,
    "reporting": ReportingServiceStub,
}


async def _told(load: Load, service: str, rpc: str, request: Any) -> Question:
    """Carry a command out, and return the question that tells it once more."""
    api = load.api
    request.context.CopyFrom(api.context())
    stub = getattr(api, service.replace("-", "_"))
    receipt = (await api.send(getattr(stub, rpc), request)).receipt
    api.acknowledged.append((service, request.context.command_id))
    return Question(rpc=rpc, request=request, wrong=repeats(receipt))


class CallsAtTheDoor:
    """Calls sent to a frozen replica, about what happened at its successor; they are served when it runs again."""

    def __init__(self, address: str, service: str, load: Load, name: str) -> None:
        self._service = service
        self._load = load
        self._name = name
        self._fact: Fact | None = None
        self._channel = grpc.aio.insecure_channel(address)
        self._waiting: list[asyncio.Task[str]] = []

    async def send(self) -> None:
        """Make something so at the successor, then ask the frozen one about it, and tell it the same once more."""
        self._fact = await FACTS[self._service](self._load, self._name)
        frozen = STUBS[self._service](self._channel)
        self._waiting = [
            asyncio.create_task(answer(one, getattr(frozen, one.rpc)(one.request, timeout=WAIT_S)))
            for one in self._fact.questions
        ]

    async def stale(self) -> list[str]:
        """Return the answers that were out of date, once all are there; undo what was done."""
        answers = await asyncio.gather(*self._waiting)
        await self._channel.close()
        if self._fact is None:
            return [f"nobody could make anything new while {self._service} stood still"]
        if self._fact.undo:
            await self._fact.undo()
        return [f"the frozen {self._service}, {said}" for said in answers if said]


async def answer(question: Question, call: Awaitable[Any]) -> str:
    """Return what is wrong with an answer: nothing, if it is right, or says that somebody else must be asked."""
    try:
        wrong = question.wrong(await call)
    except grpc.aio.AioRpcError as error:
        refused = from_rpc_error(error)
        wrong = "" if refused.status in ELSEWHERE else str(refused)
    return f"{question.rpc}: {wrong}" if wrong else ""
