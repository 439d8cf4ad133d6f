"""Calls that come when they come: an open loop of short contacts against the public API, to load it and beyond.

Arrivals are drawn ahead and do not wait for the system (a closed loop would slow down with it and hide the wait), and
every latency counts from the moment a call was meant to be made. Agents close the loop: they answer what rings, talk,
end it and finish their wrap-up, so a contact that counts has gone the whole way.
"""

import asyncio
import random
from collections import Counter
from collections.abc import AsyncIterator, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import grpc

from huntgroup.agent_state.v1 import commands_pb2 as agent_pb
from huntgroup.agent_state.v1.events_pb2 import PRESENCE_READY
from huntgroup.routing.v1 import commands_pb2 as routing_pb
from huntgroup.routing.v1.events_pb2 import CHANNEL_VOICE
from huntgroup.session.v1 import commands_pb2 as session_pb
from huntgroup.session.v1.events_pb2 import CHANNEL_VOICE as SESSION_VOICE
from huntgroup_loadtest.api import Addresses, Api
from huntgroup_loadtest.timeline import Timeline
from huntgroup_runtime.clock import Activity, SystemClock
from huntgroup_runtime.rpc.errors import RpcRefusedError

QUEUE: Final = "sales"
CHANNELS: Final = 4
CALL_TIMEOUT_MS: Final = 2_000
"""A gateway that gets no answer to a new call for so long plays the busy tone."""
SETTLE_S: Final = 15.0
ASK_AGAIN_S: Final = 0.05
RING_MS: Final = 30_000
WARM_SHARE: Final = 0.25
LATE_S: Final = 0.1
"""A call that the driver itself makes so late is counted: beyond a few, the driver was the bottleneck."""


@dataclass(slots=True, kw_only=True)
class Outcome:
    """What became of the calls of one span of time."""

    calls_per_s: float
    seconds: float
    window_s: tuple[float, float] = (0.0, 0.0)
    """Of the machine's monotonic clock: the span in which goodput is counted, all but its first quarter."""
    offered: int = 0
    late: int = 0
    """Calls that this driver made more than `LATE_S` after they were meant to come."""
    shed: Counter[str] = field(default_factory=Counter)
    """Calls that got the busy tone, by reason or status."""
    taken: int = 0
    """Calls whose place in the queue was acknowledged."""
    done: int = 0
    """Of those taken: answered, ended and wrapped up."""
    done_in_time: int = 0
    """Contacts that were finished within `window_s`."""
    failed: Counter[str] = field(default_factory=Counter)
    """Commands of contacts in progress that were not carried out, by reason or status."""
    start_ms: list[float] = field(default_factory=list)
    """From the intended moment of a call to the acknowledgement of its place."""
    progress_ms: list[float] = field(default_factory=list)
    """How long commands of contacts in progress took."""

    @property
    def goodput_per_s(self) -> float:
        """Contacts finished per second."""
        return self.done_in_time / (self.seconds * (1 - WARM_SHARE))

    @property
    def stuck(self) -> int:
        """Contacts that were taken and never finished."""
        return self.taken - self.done

    def values(self) -> dict[str, Any]:
        """Return the figures for programs."""
        return {
            "calls_per_s": round(self.calls_per_s, 1),
            "seconds": self.seconds,
            "window_s": self.window_s,
            "done_in_time": self.done_in_time,
            "offered": self.offered,
            "late": self.late,
            "shed": dict(self.shed),
            "taken": self.taken,
            "done": self.done,
            "stuck": self.stuck,
            "failed": dict(self.failed),
            "goodput_per_s": round(self.goodput_per_s, 1),
            "start_ms": percentiles(self.start_ms),
            "progress_ms": percentiles(self.progress_ms),
        }


def percentiles(values: Sequence[float]) -> dict[str, float]:
    """Return median, p99 and the highest of some durations."""
    ranked = sorted(values)
    if not ranked:
        return {}
    last = len(ranked) - 1
    return {
        name: round(ranked[round(share * last)], 1)
        for name, share in (("p50", 0.5), ("p99", 0.99), ("max", 1.0))
    }


class OpenLoop:
    """One domain with many agents, and callers at any rate. `set_up` once, then `load` as often as wanted."""

    def __init__(
        self,
        addresses: Addresses,
        *,
        domain: str,
        run: str,
        agents: int,
        talk_ms: int = 200,
        call_timeout_ms: int = CALL_TIMEOUT_MS,
    ) -> None:
        timeline = Timeline(
            clock=SystemClock(), activity=Activity(), start_ms=0, opens_ms=0, speed=1.0
        )
        self.domain = domain
        self.apis = [
            Api(addresses, domain=domain, run=f"{run}.{number}", timeline=timeline)
            for number in range(CHANNELS)
        ]
        self._gateway = Api(
            addresses,
            domain=domain,
            run=f"{run}.new",
            timeline=timeline,
            timeout_ms=call_timeout_ms,
        )
        self._run = run
        self.talk_s = talk_ms / 1_000
        self._contacts = 0
        self._open: dict[str, Outcome] = {}
        self._outcome = Outcome(calls_per_s=0, seconds=0)
        self._desks = [
            Desk(f"agent-{number:04d}", self, self.apis[number % CHANNELS])
            for number in range(agents)
        ]

    @property
    def all_apis(self) -> list[Api]:
        """Return what calls are made with: of agents, and of the gateway."""
        return [*self.apis, self._gateway]

    async def set_up(self) -> None:
        """Configure the queue, sign everybody on, and wait until they are ready."""
        api = self.apis[0]
        queue = routing_pb.ConfigureQueueRequest(
            queue_id=QUEUE,
            channel=CHANNEL_VOICE,
            ring_timeout_ms=RING_MS,
            wrap_up_timeout_ms=RING_MS,
            service_level_threshold_ms=20_000,
        )
        await api.command("routing", api.routing.ConfigureQueue, queue)
        await asyncio.gather(*(desk.sign_on() for desk in self._desks))
        while await self._try_queue():  # noqa: ASYNC110 - only another try tells
            await asyncio.sleep(ASK_AGAIN_S)

    async def close(self) -> None:
        """Let everybody go."""
        await asyncio.gather(*(desk.close() for desk in self._desks))
        for api in self.all_apis:
            await api.close()

    async def load(self, calls_per_s: float, seconds: float, seed: int = 1) -> Outcome:
        """Let calls come for `seconds`, wait until those taken are over, and say what became of them."""
        chance, loop = random.Random(seed), asyncio.get_running_loop()
        begins = loop.time()
        window_s = (begins + WARM_SHARE * seconds, begins + seconds)
        outcome = self._outcome = Outcome(
            calls_per_s=calls_per_s, seconds=seconds, window_s=window_s
        )
        calls: set[asyncio.Task[None]] = set()
        for at in _arrivals(chance, calls_per_s, seconds):
            await asyncio.sleep(max(0.0, begins + at - loop.time()))
            outcome.offered += 1
            outcome.late += loop.time() - begins - at > LATE_S
            call = loop.create_task(self._call(begins + at, outcome))
            calls.add(call)
            call.add_done_callback(calls.discard)
        await asyncio.gather(*calls)
        ends = loop.time() + SETTLE_S
        while self._open and loop.time() < ends:  # noqa: ASYNC110 - no one event says so
            await asyncio.sleep(ASK_AGAIN_S)
        return outcome

    def forget(self) -> None:
        """Forget which commands were acknowledged: for a load that runs for long and is not audited."""
        for api in self.all_apis:
            api.acknowledged.clear()

    def finished(self, contact_id: str) -> None:
        """Count a contact that an agent has wrapped up."""
        outcome = self._open.pop(contact_id, None)
        if outcome is not None:
            outcome.done += 1
            first_s, last_s = outcome.window_s
            outcome.done_in_time += first_s <= asyncio.get_running_loop().time() <= last_s

    async def progress(self, api: Api, service: str, method: Any, request: Any) -> str:
        """Send a command of a contact in progress; return how it was refused, empty when it was carried out."""
        loop = asyncio.get_running_loop()
        begins = loop.time()
        try:
            refused = await api.command(service, method, request)
        except RpcRefusedError as error:
            refused = error
        self._outcome.progress_ms.append((loop.time() - begins) * 1_000)
        return "" if refused is None else refused.reason or refused.status.name

    def failed(self, what: str) -> None:
        """Count a command of a contact in progress that was not carried out."""
        self._outcome.failed[what] += 1

    async def _call(self, intended: float, outcome: Outcome) -> None:
        self._contacts += 1
        contact_id = f"{self._run}.{self._contacts}"
        api, gateway = self.apis[self._contacts % CHANNELS], self._gateway
        started = session_pb.StartContactRequest(contact_id=contact_id, channel=SESSION_VOICE)
        try:
            await gateway.command("session", gateway.session.StartContact, started)
        except RpcRefusedError as error:
            outcome.shed[error.reason or error.status.name] += 1
            if error.status is not grpc.StatusCode.RESOURCE_EXHAUSTED:
                await self._hang_up(contact_id)
            return
        queued = session_pb.QueueContactRequest(contact_id=contact_id, queue_id=QUEUE)
        self._open[contact_id] = outcome
        outcome.taken += 1
        refused = await self.progress(api, "session", api.session.QueueContact, queued)
        if refused:
            self.failed(f"QueueContact {refused}")
            return
        outcome.start_ms.append((asyncio.get_running_loop().time() - intended) * 1_000)

    async def _hang_up(self, contact_id: str) -> None:
        """Leave, when it is not known whether the call was taken."""
        request = session_pb.HangUpContactRequest(contact_id=contact_id)
        refused = await self.progress(
            self.apis[0], "session", self.apis[0].session.HangUpContact, request
        )
        if refused not in ("", "CONTACT_UNKNOWN"):
            self.failed(f"HangUpContact {refused}")

    async def _try_queue(self) -> str:
        """Return how a first contact is refused; session reads of the queue a moment after it is configured."""
        self._contacts += 1
        contact_id, api = f"{self._run}.{self._contacts}", self.apis[0]
        started = session_pb.StartContactRequest(contact_id=contact_id, channel=SESSION_VOICE)
        await api.command("session", api.session.StartContact, started)
        queued = session_pb.QueueContactRequest(contact_id=contact_id, queue_id=QUEUE)
        return await self.progress(api, "session", api.session.QueueContact, queued)


class Desk:
    """One agent who answers at once, and their desktop's stream."""

    def __init__(self, agent_id: str, loop: OpenLoop, api: Api) -> None:
        self.agent_id = agent_id
        self._loop = loop
        self._api = api
        self._offers: set[str] = set()
        self._wrapping: dict[str, asyncio.Future[None]] = {}
        self._work: set[asyncio.Task[None]] = set()
        self._stream: asyncio.Task[None] | None = None

    async def sign_on(self) -> None:
        """Sign on, ready, and open the desktop."""
        signed_on = agent_pb.SignOnRequest(agent_id=self.agent_id)
        await self._api.command("agent-state", self._api.agent_state.SignOn, signed_on)
        ready = agent_pb.SetPresenceRequest(agent_id=self.agent_id, presence=PRESENCE_READY)
        await self._api.command("agent-state", self._api.agent_state.SetPresence, ready)
        self._stream = asyncio.create_task(self._follow())

    async def close(self) -> None:
        """Leave everything as it is."""
        tasks = [*self._work, *([self._stream] if self._stream else [])]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _follow(self) -> None:
        while True:
            answers: asyncio.Queue[agent_pb.OpenDesktopRequest] = asyncio.Queue()
            hello = agent_pb.DesktopHello(domain=self._api.domain, agent_id=self.agent_id)
            answers.put_nowait(agent_pb.OpenDesktopRequest(hello=hello))
            stream = self._api.open_desktop(_sent(answers))
            try:
                async for message in stream:
                    for event in message.events:
                        self._on(event, answers)
            except grpc.aio.AioRpcError as error:
                self._loop.failed(f"OpenDesktop {error.code().name}")
                await asyncio.sleep(ASK_AGAIN_S)
            finally:
                stream.cancel()

    def _on(
        self, event: agent_pb.DesktopEvent, answers: "asyncio.Queue[agent_pb.OpenDesktopRequest]"
    ) -> None:
        match event.WhichOneof("event"):
            case "offer_presented" if event.offer_presented.offer_id not in self._offers:
                self._offers = {event.offer_presented.offer_id}
                task = asyncio.get_running_loop().create_task(self._serve(event.offer_presented))
                self._work.add(task)
                task.add_done_callback(self._work.discard)
            case "agent":
                for slot in event.agent.slots:
                    waiting = self._wrapping.get(slot.contact_id)
                    if waiting and slot.phase == "WRAPPING_UP" and not waiting.done():
                        waiting.set_result(None)
            case "heartbeat_requested":
                beat = agent_pb.DesktopHeartbeat(nonce=event.heartbeat_requested.nonce)
                answers.put_nowait(agent_pb.OpenDesktopRequest(heartbeat=beat))
            case _:
                pass

    async def _serve(self, offer: agent_pb.OfferPresented) -> None:
        api, loop, contact_id = self._api, self._loop, offer.contact_id
        accept = routing_pb.AcceptOfferRequest(offer_id=offer.offer_id, agent_id=self.agent_id)
        if refused := await loop.progress(api, "routing", api.routing.AcceptOffer, accept):
            loop.failed(f"AcceptOffer {refused}")
            return
        wrapping = self._wrapping[contact_id] = asyncio.get_running_loop().create_future()
        try:
            await asyncio.sleep(loop.talk_s)
            await self._end(contact_id)
            await wrapping
        finally:
            del self._wrapping[contact_id]
        wrapped = agent_pb.CompleteWrapUpRequest(agent_id=self.agent_id, contact_id=contact_id)
        command = api.agent_state.CompleteWrapUp
        if refused := await loop.progress(api, "agent-state", command, wrapped):
            loop.failed(f"CompleteWrapUp {refused}")
            return
        loop.finished(contact_id)

    async def _end(self, contact_id: str) -> None:
        """End the conversation; right after AcceptOffer, session may not have read of it yet."""
        api, loop = self._api, self._loop
        while True:
            end = session_pb.EndContactRequest(contact_id=contact_id, agent_id=self.agent_id)
            refused = await loop.progress(api, "session", api.session.EndContact, end)
            if refused not in ("WRONG_STATE", "WRONG_AGENT"):
                break
            await asyncio.sleep(ASK_AGAIN_S)
        if refused:
            loop.failed(f"EndContact {refused}")


def _arrivals(chance: random.Random, per_s: float, seconds: float) -> Iterator[float]:
    """Yield the moments of a Poisson process."""
    at = chance.expovariate(per_s)
    while at < seconds:
        yield at
        at += chance.expovariate(per_s)


async def _sent(
    answers: "asyncio.Queue[agent_pb.OpenDesktopRequest]",
) -> AsyncIterator[agent_pb.OpenDesktopRequest]:
    while True:
        yield await answers.get()
