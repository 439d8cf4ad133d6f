"""A steady load on one domain: callers, agents with desktops, callers who only wait, and a question to each service."""

import asyncio
import random
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, Final

from huntgroup.agent_state.v1 import commands_pb2 as agent_pb
from huntgroup.agent_state.v1.events_pb2 import PRESENCE_NOT_READY
from huntgroup.recording.v1 import commands_pb2 as recording_pb
from huntgroup.recording.v1.events_pb2 import RECORDING_MODE_OFF
from huntgroup.reporting.v1 import commands_pb2 as reporting_pb
from huntgroup.routing.v1 import commands_pb2 as routing_pb
from huntgroup.routing.v1.events_pb2 import CHANNEL_VOICE
from huntgroup.session.v1 import commands_pb2 as session_pb
from huntgroup.session.v1.events_pb2 import CHANNEL_VOICE as SESSION_VOICE
from huntgroup_loadtest.agents import Agent
from huntgroup_loadtest.api import Addresses, uuid7
from huntgroup_loadtest.audio import Recorder
from huntgroup_loadtest.behaviour import CallerPlan, Queue
from huntgroup_loadtest.callers import Callers
from huntgroup_loadtest.play import set_up
from huntgroup_loadtest.switchboard import Switchboard
from huntgroup_loadtest.timeline import Timeline
from huntgroup_onebox.chaos.clients import StubbornApi
from huntgroup_runtime.clock import Activity, SystemClock
from huntgroup_runtime.rpc.errors import RpcRefusedError

SPEED: Final = 40.0
AGENTS: Final = 8
CALLS_PER_S: Final = 1.0
WAITERS: Final = 8
ASK_EVERY_S: Final = 0.08
PARKED: Final = "parked"
QUEUES: Final = (
    Queue(queue_id="regular", share=0.55),
    Queue(queue_id="new-customer", share=0.15, priority=5),
    Queue(queue_id="internet", share=0.15, skills=("internet",)),
    Queue(queue_id="recorded", share=0.15, recorded=True),
    Queue(queue_id=PARKED, share=0.0, skills=("nobody",)),
)

Line = tuple[tuple[str, int, int], ...]
"""Who waits in a queue, in order: contact id, priority, queued since."""


@dataclass(slots=True, kw_only=True)
class LoadCounts:
    """What was done to a domain."""

    calls: int = 0
    acknowledged: int = 0
    repeated: int = 0
    sent_again: int = 0


class Load:
    """Everybody of one domain."""

    def __init__(
        self, addresses: Addresses, domain: str, seed: str, *, ask_every_s: float = ASK_EVERY_S
    ) -> None:
        clock = SystemClock()
        timeline = Timeline(
            clock=clock, activity=Activity(), start_ms=clock.now_ms(), opens_ms=0, speed=SPEED
        )
        self.domain = domain
        self.api = StubbornApi(
            addresses, domain=domain, run=domain.replace("/", "-"), timeline=timeline, seed=seed
        )
        self.problems: list[str] = []
        """What a client was told that it should never be told."""
        self.calls = 0
        switchboard = Switchboard()
        recorder = Recorder(self.api, switchboard)
        number = random.Random(f"{seed} numbers").randrange(1 << 32)  # noqa: S311 - chance by seed
        self._ask_every_s = ask_every_s
        self._chance = random.Random(f"{seed} arrivals")  # noqa: S311 - chance that repeats by seed
        self._callers = Callers(self.api, switchboard, number, QUEUES)
        self._agents = [
            Agent(each, self.api, switchboard, recorder, number) for each in range(1, AGENTS + 1)
        ]
        self._waiters: list[str] = []
        self._talking: set[asyncio.Task[None]] = set()
        self._shifts: list[asyncio.Task[None]] = []
        self._arriving: list[asyncio.Task[None]] = []

    async def start(self) -> None:
        """Open the queues, let some callers wait who will not be served, and begin."""
        await set_up(self.api, QUEUES)
        # A refusal leaves a trace only in a domain in which something has happened.
        somebody = agent_pb.SignOnRequest(agent_id="somebody")
        await self.api.command("agent-state", self.api.agent_state.SignOn, somebody)
        await self._until_session_knows(PARKED)
        for number in range(WAITERS):
            await self._wait_in(PARKED, priority=number % 3)
        self._shifts = [self._spawn(agent.work(), agent.agent_id) for agent in self._agents]
        self._arriving = [self._spawn(self._arrive(), "arrivals")]
        self._arriving += [
            self._spawn(self._keep_asking(service, ask), f"questions to {service}")
            for service, ask in self._questions().items()
        ]

    async def stop(self) -> None:
        """Let nobody come in, serve who is there, let those who only wait hang up, and send the agents home."""
        for task in self._arriving:
            task.cancel()
        await asyncio.gather(*self._arriving, return_exceptions=True)
        await asyncio.gather(*self._talking, return_exceptions=True)
        for contact_id in self._waiters:
            await self._session("HangUpContact", contact_id=contact_id)
        for agent in self._agents:
            agent.go_home()
        await asyncio.gather(*self._shifts, return_exceptions=True)

    async def close(self) -> None:
        """Drop everything at once."""
        tasks = [*self._arriving, *self._talking, *self._shifts]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await asyncio.gather(*(agent.close() for agent in self._agents))
        await self.api.close()

    async def lines(self) -> dict[str, Line]:
        """Return who waits in each queue, in order."""
        return {queue.queue_id: await self._line(queue.queue_id) for queue in QUEUES}

    def take_problems(self) -> list[str]:
        """Return what clients were told that they should never be told, since this was asked last."""
        found = [*self.problems, *self.api.differing]
        self.problems.clear()
        self.api.differing.clear()
        for agent in self._agents:
            found += agent.failures
            agent.failures.clear()
        return found

    def counts(self) -> LoadCounts:
        """Return what was done so far."""
        return LoadCounts(
            calls=self.calls,
            acknowledged=len(self.api.acknowledged),
            repeated=self.api.repeated,
            sent_again=self.api.sent_again,
        )

    async def _line(self, queue_id: str) -> Line:
        request = routing_pb.GetQueueRequest(domain=self.domain, queue_id=queue_id)
        answer = await self.api.query(self.api.routing.GetQueue, request)
        return tuple(
            (one.contact_id, one.priority, one.enqueued_at_ms) for one in answer.queue.first_waiting
        )

    # Callers.

    def call(self, plan: CallerPlan | None = None, contact_id: str = "") -> None:
        """Let somebody call now, with a plan drawn by chance or a given one."""
        self.calls += 1
        work = self._callers.call(self.calls, plan, contact_id)
        task = self._spawn(work, f"caller {self.calls}")
        self._talking.add(task)
        task.add_done_callback(self._talking.discard)

    async def _arrive(self) -> None:
        while True:
            await asyncio.sleep(self._chance.expovariate(CALLS_PER_S))
            self.call()

    async def _wait_in(self, queue_id: str, priority: int) -> None:
        contact_id = uuid7(self.api.timeline.clock.now_ms(), self._chance)
        await self._session("StartContact", contact_id=contact_id, channel=SESSION_VOICE)
        await self._session(
            "QueueContact", contact_id=contact_id, queue_id=queue_id, priority=priority
        )
        self._waiters.append(contact_id)

    async def _until_session_knows(self, queue_id: str) -> None:
        contact_id = uuid7(self.api.timeline.clock.now_ms(), self._chance)
        await self._session("StartContact", contact_id=contact_id, channel=SESSION_VOICE)
        while await self._session("QueueContact", contact_id=contact_id, queue_id=queue_id):  # noqa: ASYNC110
            await asyncio.sleep(0.05)
        await self._session("HangUpContact", contact_id=contact_id)

    async def _session(self, method: str, **fields: Any) -> RpcRefusedError | None:
        request = getattr(session_pb, f"{method}Request")(**fields)
        return await self.api.command("session", getattr(self.api.session, method), request)

    # Questions: one after the other, so that the time without an answer is how long a service stood still.

    def _questions(self) -> dict[str, Callable[[], Awaitable[Any]]]:
        api = self.api

        async def ask_session() -> None:
            await self._session("HangUpContact", contact_id="nobody-called")

        async def ask_agent_state() -> None:
            request = agent_pb.SetPresenceRequest(
                agent_id="nobody", presence=PRESENCE_NOT_READY, reason="asked"
            )
            await api.command("agent-state", api.agent_state.SetPresence, request)

        async def ask_routing() -> None:
            request = routing_pb.ConfigureQueueRequest(
                queue_id="asked",
                channel=CHANNEL_VOICE,
                ring_timeout_ms=1_000,
                wrap_up_timeout_ms=1_000,
                service_level_threshold_ms=1_000,
            )
            await api.command("routing", api.routing.ConfigureQueue, request)

        async def ask_recording() -> None:
            request = recording_pb.SetRecordingPolicyRequest(
                queue_id="asked", mode=RECORDING_MODE_OFF
            )
            await api.command("recording", api.recording.SetRecordingPolicy, request)

        async def ask_reporting() -> None:
            request = reporting_pb.GetReportRequest(domain=self.domain, from_ms=0, to_ms=1)
            await api.query(api.reporting.GetReport, request)

        return {
            "session": ask_session,
            "agent-state": ask_agent_state,
            "routing": ask_routing,
            "recording": ask_recording,
            "reporting": ask_reporting,
        }

    async def _keep_asking(self, service: str, ask: Callable[[], Awaitable[Any]]) -> None:
        del service
        while True:
            began_s = time.monotonic()
            await ask()
            await asyncio.sleep(max(0.0, self._ask_every_s - (time.monotonic() - began_s)))

    def _spawn(self, work: Any, name: str) -> "asyncio.Task[None]":
        task: asyncio.Task[None] = asyncio.get_running_loop().create_task(work, name=name)
        task.add_done_callback(self._ended)
        return task

    def _ended(self, task: "asyncio.Task[None]") -> None:
        error = None if task.cancelled() else task.exception()
        if error is not None:
            self.problems.append(f"{self.domain}, {task.get_name()}: {error!r}")
