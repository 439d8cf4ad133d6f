"""Whole contacts at a rate that rises: start, queue, offer, accept, end, wrap-up, each by its own gRPC call.

    python -m huntgroup_loadtest.whole_contacts PLAN.json RESULT.json

A process of its own, so that what it costs can be told from what the services cost. It never polls: an agent's desktop
stream says when to go on. The load stops by itself on the first step that the services cannot keep up with.
"""

import asyncio
import json
import random
import resource
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import uvloop

from huntgroup.agent_state.v1 import commands_pb2 as agent_pb
from huntgroup.agent_state.v1.events_pb2 import PRESENCE_READY
from huntgroup.event.v1.envelope_pb2 import CommandContext
from huntgroup.recording.v1 import commands_pb2 as recording_pb
from huntgroup.recording.v1.events_pb2 import RECORDING_MODE_OFF
from huntgroup.routing.v1 import commands_pb2 as routing_pb
from huntgroup.routing.v1.events_pb2 import CHANNEL_VOICE
from huntgroup.session.v1 import commands_pb2 as session_pb
from huntgroup.session.v1.events_pb2 import CHANNEL_VOICE as VOICE
from huntgroup_loadtest.api import uuid7
from huntgroup_loadtest.raw_calls import RawCalls
from huntgroup_loadtest.staircase import Staircase

QUEUE = "sales"
RING_MS, WRAP_UP_MS, SERVICE_LEVEL_MS = 60_000, 600_000, 20_000
DRAIN_S = 15.0
"""So long contacts that are under way at the end are waited for."""
AT_ONCE = 50
"""Agents that sign on, and contacts that begin to wait, at the same time."""
TRIES, TRY_AGAIN_S = 100, 0.2
WAITING_MAX = 100_000
NO_STAIRS = {"first_rate": 1.0, "factor": 1.0, "step_s": 0.0, "steps": 0}


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What is to be played, and where."""

    addresses: dict[str, str]
    domain: str
    agents: int
    seed: int
    stairs: dict[str, float] = field(default_factory=dict)
    """The fields of a `Staircase`; empty: only `waiting`."""
    waiting: int = 0
    """So many contacts are queued for a skill that nobody has, and stay until this process is told to end."""
    queue_after_ms: int = 0
    """A contact is due to be queued so long after it was due to start; 0: when its start was answered."""
    behind_s_max: float = 1.5
    """The load ends after a step at whose end more contacts are under way than arrive in so many seconds."""


@dataclass(slots=True)
class Contact:
    """One contact; times are nanoseconds on the machine's monotonic clock, 0 when it never came to that."""

    contact_id: str
    step: int
    due_ns: int
    queue_due_ns: int = 0
    queue_sent_ns: int = 0
    queued_ns: int = 0
    offered_ns: int = 0
    completed_ns: int = 0


@dataclass(slots=True)
class Played:
    """What became of the load."""

    contacts: list[Contact] = field(default_factory=list)
    steps: list[dict[str, float]] = field(default_factory=list)
    failures: dict[str, int] = field(default_factory=dict)
    cpu_s: float = 0.0
    wall_s: float = 0.0


class Load:
    """Callers and agents of one domain."""

    def __init__(self, plan: Plan) -> None:
        self._plan = plan
        self._stairs = Staircase(**(plan.stairs or NO_STAIRS))  # type: ignore[arg-type]
        self._calls = RawCalls(plan.addresses)
        self._chance = random.Random(f"{plan.seed} ids")
        self._open: dict[str, Contact] = {}
        self._sent = 0
        self._work: set[asyncio.Task[None]] = set()
        self._played = Played()

    async def play(self) -> Played:
        """Set up, play all steps or as many as the services can take, and wait for the last contacts."""
        played = self._played
        try:
            desktops = await self._set_up()
            self._calls.failures.clear()
            started_s, cpu_s = time.monotonic(), cpu_seconds()
            for step in range(self._stairs.steps):
                if not await self._play_step(step):
                    break
            await self._drain()
            played.wall_s, played.cpu_s = time.monotonic() - started_s, cpu_seconds() - cpu_s
            for task in desktops:
                task.cancel()
            await asyncio.gather(*desktops, return_exceptions=True)
        finally:
            await self._calls.close()
        played.failures = dict(self._calls.failures)
        return played

    async def wait(self, filled: Callable[[], None]) -> None:
        """Queue the contacts that wait, say that they do, and let them until cancelled."""
        await self._set_up()
        for at in range(0, self._plan.waiting, AT_ONCE):
            some = range(at, min(at + AT_ONCE, self._plan.waiting))
            await asyncio.gather(*(self._wait_in_queue() for _ in some))
        filled()
        await asyncio.Event().wait()

    # Setting up.

    async def _set_up(self) -> list[asyncio.Task[None]]:
        queue = routing_pb.ConfigureQueueRequest(
            queue_id=QUEUE,
            channel=CHANNEL_VOICE,
            required_skills=["rare"] if self._plan.waiting else [],
            waiting_max=WAITING_MAX,
            ring_timeout_ms=RING_MS,
            wrap_up_timeout_ms=WRAP_UP_MS,
            service_level_threshold_ms=SERVICE_LEVEL_MS,
        )
        policy = recording_pb.SetRecordingPolicyRequest(queue_id=QUEUE, mode=RECORDING_MODE_OFF)
        await self._must("routing", "ConfigureQueue", queue)
        await self._must("recording", "SetRecordingPolicy", policy)
        desktops = []
        agents = [f"agent-{number:05d}" for number in range(self._plan.agents)]
        for at in range(0, len(agents), AT_ONCE):
            some = agents[at : at + AT_ONCE]
            desktops += await asyncio.gather(*(self._sign_on(agent) for agent in some))
        return desktops

    async def _sign_on(self, agent_id: str) -> asyncio.Task[None]:
        opened = asyncio.Event()
        desktop = asyncio.create_task(self._desktop(agent_id, opened))
        await opened.wait()
        await self._must("agent-state", "SignOn", agent_pb.SignOnRequest(agent_id=agent_id))
        ready = agent_pb.SetPresenceRequest(agent_id=agent_id, presence=PRESENCE_READY)
        await self._must("agent-state", "SetPresence", ready)
        return desktop

    async def _wait_in_queue(self) -> None:
        contact_id = self._contact(0, 0).contact_id
        await self._must("session", "StartContact", start_of(contact_id))
        queue = session_pb.QueueContactRequest(contact_id=contact_id, queue_id=QUEUE)
        await self._must("session", "QueueContact", queue)

    async def _must(self, service: str, method: str, request: Any) -> None:
        """Have a command carried out, however busy the services are; raises `RuntimeError` when they never do."""
        self._name(request)
        for _ in range(TRIES):
            if await self._calls.call(service, method, request):
                return
            await asyncio.sleep(TRY_AGAIN_S)
        raise RuntimeError(f"the load cannot be set up: {dict(self._calls.failures)}")

    async def _command(self, service: str, method: str, request: Any) -> bool:
        self._name(request)
        return await self._calls.call(service, method, request)

    def _name(self, request: Any) -> None:
        self._sent += 1
        context = CommandContext(domain=self._plan.domain, command_id=f"load-{self._sent}")
        request.context.CopyFrom(context)

    # Callers.

    async def _play_step(self, step: int) -> bool:
        """Play a step; return whether the services kept up."""
        rate = self._stairs.rate(step)
        begins_ns = time.monotonic_ns()
        late_ns = 0
        arrivals = self._stairs.arrivals_s(step, self._plan.seed)
        for arrival_s in arrivals:
            due_ns = begins_ns + round(arrival_s * 1e9)
            wait_s = (due_ns - time.monotonic_ns()) / 1e9
            if wait_s > 0:
                await asyncio.sleep(wait_s)
            late_ns = max(late_ns, time.monotonic_ns() - due_ns)
            self._spawn(self._arrive(self._contact(step, due_ns)))
        ends_ns = begins_ns + round(self._stairs.step_s * 1e9)
        await asyncio.sleep(max(0, ends_ns - time.monotonic_ns()) / 1e9)
        ended_ns = time.monotonic_ns()
        self._played.steps.append(
            {
                "rate": rate,
                "arrived": len(arrivals),
                "begins_ns": begins_ns,
                "ends_ns": ended_ns,
                "under_way": len(self._open),
                "late_ms_max": late_ns / 1e6,
            }
        )
        return len(self._open) <= rate * self._plan.behind_s_max

    def _contact(self, step: int, due_ns: int) -> Contact:
        contact = Contact(uuid7(time.time_ns() // 1_000_000, self._chance), step, due_ns)
        self._open[contact.contact_id] = contact
        self._played.contacts.append(contact)
        return contact

    async def _arrive(self, contact: Contact) -> None:
        if not await self._command("session", "StartContact", start_of(contact.contact_id)):
            self._open.pop(contact.contact_id, None)
            return
        queued = session_pb.QueueContactRequest(contact_id=contact.contact_id, queue_id=QUEUE)
        if self._plan.queue_after_ms:
            contact.queue_due_ns = contact.due_ns + self._plan.queue_after_ms * 1_000_000
            await asyncio.sleep(max(0, contact.queue_due_ns - time.monotonic_ns()) / 1e9)
        contact.queue_sent_ns = time.monotonic_ns()
        contact.queue_due_ns = contact.queue_due_ns or contact.queue_sent_ns
        if await self._command("session", "QueueContact", queued):
            contact.queued_ns = time.monotonic_ns()
        else:
            self._open.pop(contact.contact_id, None)

    async def _drain(self) -> None:
        end_s = time.monotonic() + DRAIN_S
        while self._open and time.monotonic() < end_s:  # noqa: ASYNC110 - the last of many
            await asyncio.sleep(0.05)

    # Agents.

    async def _desktop(self, agent_id: str, opened: asyncio.Event) -> None:
        """Follow one agent's stream: take what rings, end what is talked about, wrap up what has ended."""
        stream = self._calls.converse("agent-state", "OpenDesktop")
        hello = agent_pb.DesktopHello(domain=self._plan.domain, agent_id=agent_id)
        await stream.write(agent_pb.OpenDesktopRequest(hello=hello).SerializeToString())
        done: tuple[str, str] = ("", "")
        while raw := await stream.read():
            opened.set()
            for event in agent_pb.OpenDesktopResponse.FromString(raw).events:
                kind = event.WhichOneof("event")
                if kind == "offer_presented":
                    self._answer(agent_id, event.offer_presented)
                elif kind == "heartbeat_requested":
                    beat = agent_pb.DesktopHeartbeat(nonce=event.heartbeat_requested.nonce)
                    answer = agent_pb.OpenDesktopRequest(heartbeat=beat)
                    await stream.write(answer.SerializeToString())
                elif kind == "agent":
                    for slot in event.agent.slots:
                        if (slot.contact_id, slot.phase) != done:
                            done = (slot.contact_id, slot.phase)
                            self._go_on(agent_id, slot.contact_id, slot.phase)

    def _answer(self, agent_id: str, offer: agent_pb.OfferPresented) -> None:
        contact = self._open.get(offer.contact_id)
        if contact is not None and not contact.offered_ns:
            contact.offered_ns = time.monotonic_ns()
        accept = routing_pb.AcceptOfferRequest(offer_id=offer.offer_id, agent_id=agent_id)
        self._spawn(self._say("routing", "AcceptOffer", accept))

    def _go_on(self, agent_id: str, contact_id: str, phase: str) -> None:
        if phase == "TALKING":
            end = session_pb.EndContactRequest(contact_id=contact_id, agent_id=agent_id)
            self._spawn(self._say("session", "EndContact", end))
        elif phase == "WRAPPING_UP":
            self._spawn(self._wrap_up(agent_id, contact_id))

    async def _say(self, service: str, method: str, request: Any) -> None:
        await self._command(service, method, request)

    async def _wrap_up(self, agent_id: str, contact_id: str) -> None:
        done = agent_pb.CompleteWrapUpRequest(agent_id=agent_id, contact_id=contact_id)
        if await self._command("agent-state", "CompleteWrapUp", done):
            contact = self._open.pop(contact_id, None)
            if contact is not None:
                contact.completed_ns = time.monotonic_ns()

    def _spawn(self, work: Any) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._work.add(task)
        task.add_done_callback(self._work.discard)


def start_of(contact_id: str) -> session_pb.StartContactRequest:
    """Return the command that begins a contact."""
    return session_pb.StartContactRequest(
        contact_id=contact_id, channel=VOICE, customer_endpoint="+15550100"
    )


def cpu_seconds() -> float:
    """Return the CPU time of this process, in seconds."""
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


def read_plan(values: Mapping[str, Any]) -> Plan:
    """Return the plan that `values` describe; raises `TypeError` for what is none."""
    return Plan(**values)


def main(plan_file: str, result_file: str) -> None:
    """Play the plan of one file and write what came of it to another."""
    plan = read_plan(json.loads(Path(plan_file).read_text(encoding="utf-8")))

    def write(played: Played) -> None:
        Path(result_file).write_text(json.dumps(asdict(played)), encoding="utf-8")

    async def play() -> None:
        load = Load(plan)
        if plan.waiting:
            await load.wait(lambda: write(Played()))
        else:
            write(await load.play())

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(play())


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2])
