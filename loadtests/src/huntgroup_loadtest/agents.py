"""Simulated agents: each has a desktop stream, answers or does not, takes breaks, signs off, loses the connection."""

import asyncio
import math
import random
from collections import Counter
from collections.abc import Sequence
from typing import Any, Self

import grpc

from huntgroup.agent_state.v1 import commands_pb2 as pb
from huntgroup.agent_state.v1.events_pb2 import PRESENCE_NOT_READY, PRESENCE_READY
from huntgroup.routing.v1 import commands_pb2 as routing_pb
from huntgroup.session.v1 import commands_pb2 as session_pb
from huntgroup_loadtest import behaviour as plan
from huntgroup_loadtest.api import Api
from huntgroup_loadtest.arrivals import Day
from huntgroup_loadtest.audio import Recorder
from huntgroup_loadtest.behaviour import MINUTE_MS, SECOND_MS
from huntgroup_loadtest.switchboard import Call, Switchboard


class Agent:
    """One agent and their desktop."""

    def __init__(
        self,
        number: int,
        api: Api,
        switchboard: Switchboard,
        recorder: Recorder,
        seed: int,
        *,
        skills: Sequence[str] | None = None,
    ) -> None:
        """Make an agent with the `skills` of that number, unless others are given."""
        self.agent_id = f"agent-{number:03d}"
        self.counts: Counter[str] = Counter()
        self.failures: list[str] = []
        """What ended work of theirs that should have been finished."""
        self.messages_received = 0
        self.messages_sent = 0
        self._number = number
        self._api = api
        self._switchboard = switchboard
        self._recorder = recorder
        self._skills = plan.skills_of(number) if skills is None else skills
        self._chance = random.Random(f"{seed} agent {number}")
        self._ringing: dict[str, asyncio.Task[None]] = {}
        self._work: set[asyncio.Task[None]] = set()
        self._state = ""
        self._connected = False
        self._on = False
        self._silence_s_max: float | None = None
        self._home = asyncio.get_running_loop().create_future()

    async def work(self) -> None:
        """Be signed on, with breaks and lost connections, until told to `go_home`."""
        await self._shift(math.inf)

    def go_home(self) -> None:
        """End the shift: finish what is at hand and sign off."""
        if not self._home.done():
            self._home.set_result(None)

    async def close(self) -> None:
        """Drop everything at once."""
        for task in self._work:
            task.cancel()
        await asyncio.gather(*self._work, return_exceptions=True)

    async def play(self, day: Day) -> None:
        """Work through the day: on, breaks, a lunch off, and off when everything is done."""
        timeline = self._api.timeline
        await timeline.until(day.opens_ms - (10 - self._number % 10) * SECOND_MS)
        lunch_ms = day.opens_ms + (4 * 60 + 20 * (self._number % 9)) * MINUTE_MS
        await self._shift(min(lunch_ms, day.closes_ms))
        if lunch_ms + 30 * MINUTE_MS < day.closes_ms:
            await timeline.until(lunch_ms + 30 * MINUTE_MS)
            await self._shift(day.closes_ms)

    async def _shift(self, ends_ms: float) -> None:
        """Be signed on until `ends_ms`, with breaks and lost connections."""
        timeline = self._api.timeline
        while self._is_working(ends_ms):
            desktop = asyncio.create_task(self._desktop(), name=f"desktop {self.agent_id}")
            try:
                await self._sign_on()
                while self._is_working(ends_ms) and not desktop.done():
                    span_ms = self._chance.uniform(70, 130) * MINUTE_MS
                    left_ms = max(1.0, ends_ms - timeline.day_ms())
                    if await timeline.within(min(span_ms, left_ms), desktop, self._home):
                        break
                    if self._is_working(ends_ms):
                        await self._take_break()
                self._on = False
                if not desktop.done():
                    await self._finish_work()
                    await self._agent_command("SignOff", pb.SignOffRequest(agent_id=self.agent_id))
                    self.counts["signed off"] += 1
            finally:
                self._on = False
                desktop.cancel()
                await asyncio.gather(desktop, return_exceptions=True)
            if self._is_working(ends_ms):
                self.counts["lost connection"] += 1
                await timeline.sleep(15 * MINUTE_MS)
        await self._finish_work()

    def _is_working(self, ends_ms: float) -> bool:
        return self._api.timeline.day_ms() < ends_ms and not self._home.done()

    async def _sign_on(self) -> None:
        request = pb.SignOnRequest(agent_id=self.agent_id, skills=self._skills)
        await self._agent_command("SignOn", request)
        self._on = True
        await self._ready()

    async def _ready(self) -> None:
        request = pb.SetPresenceRequest(agent_id=self.agent_id, presence=PRESENCE_READY)
        await self._agent_command("SetPresence", request)

    async def _take_break(self) -> None:
        request = pb.SetPresenceRequest(
            agent_id=self.agent_id, presence=PRESENCE_NOT_READY, reason="break"
        )
        await self._agent_command("SetPresence", request)
        self.counts["breaks"] += 1
        await self._api.timeline.sleep(self._chance.uniform(5, 12) * MINUTE_MS)
        await self._ready()

    async def _finish_work(self) -> None:
        while self._work:
            await asyncio.wait(set(self._work))

    async def _agent_command(self, method: str, request: Any) -> None:
        await self._api.command("agent-state", getattr(self._api.agent_state, method), request)

    # The desktop.

    async def _desktop(self) -> None:
        """Keep the stream open until the connection is lost on purpose or the agent signs off; reconnect otherwise."""
        self._connected = True
        while self._is_connected():
            answers = Outbox(maxsize=100)
            hello = pb.DesktopHello(domain=self._api.domain, agent_id=self.agent_id)
            answers.put_nowait(pb.OpenDesktopRequest(hello=hello))
            self.messages_sent += 1
            stream = self._api.open_desktop(answers)
            try:
                while (message := await self._hear(stream)) is not None:
                    for event in message.events:
                        self._on_event(event, answers)
                    self.messages_received += 1
                    if not self._is_connected():
                        return
            except (grpc.aio.AioRpcError, TimeoutError):
                await self._api.timeline.sleep(SECOND_MS)
            finally:
                stream.cancel()
                answers.close()

    async def _hear(self, stream: Any) -> pb.OpenDesktopResponse | None:
        """Return the next message, None at the end; a stream that is silent for half a lease raises `TimeoutError`."""
        async with asyncio.timeout(self._silence_s_max):
            message = await stream.read()
        return message if isinstance(message, pb.OpenDesktopResponse) else None

    def _is_connected(self) -> bool:
        return self._connected

    def _on_event(self, event: pb.DesktopEvent, answers: "Outbox") -> None:
        match event.WhichOneof("event"):
            case "heartbeat_requested":
                nonce = event.heartbeat_requested.nonce
                self._silence_s_max = event.heartbeat_requested.answer_within_ms / 2_000
                beat = pb.OpenDesktopRequest(heartbeat=pb.DesktopHeartbeat(nonce=nonce))
                answers.put_nowait(beat)
                self.messages_sent += 1
            case "offer_presented":
                self._ring(event.offer_presented)
            case "offer_withdrawn":
                ringing = self._ringing.pop(event.offer_withdrawn.offer_id, None)
                if ringing is not None:
                    ringing.cancel()
            case "agent":
                if event.agent.state == "NOT_RESPONDING" != self._state:
                    self._spawn(self._come_back())
                if event.agent.state == "OFFLINE" != self._state and self._on:
                    self._spawn(self._sign_on())
                self._state = event.agent.state
            case _:
                pass  # the stream ends next

    def _spawn(self, work: Any) -> "asyncio.Task[None]":
        task = asyncio.get_running_loop().create_task(work)
        self._work.add(task)
        task.add_done_callback(self._done)
        return task

    def _done(self, task: "asyncio.Task[None]") -> None:
        self._work.discard(task)
        error = None if task.cancelled() else task.exception()
        if error is not None:
            self.failures.append(f"{self.agent_id}: {error!r}")

    async def _come_back(self) -> None:
        self.counts["missed"] += 1
        await self._api.timeline.sleep(self._chance.uniform(20, 90) * SECOND_MS)
        await self._ready()

    # One contact.

    def _ring(self, offer: pb.OfferPresented) -> None:
        if offer.offer_id not in self._ringing:
            self._ringing[offer.offer_id] = self._spawn(self._react(offer))

    async def _react(self, offer: pb.OfferPresented) -> None:
        reaction = plan.plan_offer(self._chance)
        await self._api.timeline.sleep(reaction.after_ms)
        self._ringing.pop(offer.offer_id, None)
        match reaction.action:
            case plan.ANSWER:
                await self._answer(offer)
            case plan.DECLINE:
                self.counts["declined"] += 1
                request = routing_pb.RejectOfferRequest(
                    offer_id=offer.offer_id, agent_id=self.agent_id, reason="busy"
                )
                await self._api.command("routing", self._api.routing.RejectOffer, request)
            case plan.LOSE_CONNECTION:
                self._connected = False
            case _:
                self.counts["let ring"] += 1

    async def _answer(self, offer: pb.OfferPresented) -> None:
        api = self._api
        call = self._switchboard.find(offer.contact_id)
        accept = routing_pb.AcceptOfferRequest(offer_id=offer.offer_id, agent_id=self.agent_id)
        refused = await api.command("routing", api.routing.AcceptOffer, accept)
        if refused is not None or call is None or call.gone or call.answered.done():
            self.counts["too late"] += 1
            return
        self.counts["answered"] += 1
        call.answered.set_result(self.agent_id)
        recording = self._recorder.begin(call) if call.plan.queue.recorded else None
        await self._talk(call)
        if recording is not None:
            await recording
        await api.timeline.sleep(plan.plan_wrap_up_ms(self._chance))
        wrapped = pb.CompleteWrapUpRequest(agent_id=self.agent_id, contact_id=call.contact_id)
        await self._agent_command("CompleteWrapUp", wrapped)

    async def _talk(self, call: Call) -> None:
        api, planned = self._api, call.plan
        if planned.hold_ms:
            await api.timeline.sleep(planned.service_ms / 2)
            await self._session_command("HoldContact", session_pb.HoldContactRequest, call)
            await api.timeline.sleep(planned.hold_ms)
            await self._session_command("RetrieveContact", session_pb.RetrieveContactRequest, call)
        await api.timeline.sleep(planned.service_ms / (2 if planned.hold_ms else 1))
        self._switchboard.clear(call.contact_id)
        if planned.hangs_up:
            hung_up = session_pb.HangUpContactRequest(contact_id=call.contact_id)
            await api.command("session", api.session.HangUpContact, hung_up)
        else:
            await self._session_command("EndContact", session_pb.EndContactRequest, call)

    async def _session_command(self, method: str, request: Any, call: Call) -> None:
        sent = request(contact_id=call.contact_id, agent_id=self.agent_id)
        await self._api.command("session", getattr(self._api.session, method), sent)


class Outbox(asyncio.Queue[pb.OpenDesktopRequest | None]):
    """What a desktop sends, as gRPC takes it; `close` ends it. No generator: none may be closed in mid-wait."""

    def close(self) -> None:
        """Send nothing more."""
        while not self.empty():
            self.get_nowait()
        self.put_nowait(None)

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> pb.OpenDesktopRequest:
        request = await self.get()
        if request is None:
            raise StopAsyncIteration
        return request
