"""A small contact centre for stories: callers and agents that do what the story says, over the public API."""

import asyncio
import uuid
from collections.abc import AsyncIterator, Callable
from typing import Any

import grpc

from huntgroup.agent_state.v1 import commands_pb2 as agent_pb
from huntgroup.agent_state.v1.events_pb2 import PRESENCE_NOT_READY, PRESENCE_READY
from huntgroup.reporting.v1 import commands_pb2 as reporting_pb
from huntgroup.routing.v1 import commands_pb2 as routing_pb
from huntgroup.routing.v1.events_pb2 import CHANNEL_VOICE
from huntgroup.session.v1 import commands_pb2 as session_pb
from huntgroup.session.v1.events_pb2 import CHANNEL_VOICE as SESSION_VOICE
from huntgroup.session.v1.events_pb2 import DialOutcome
from huntgroup_loadtest.api import Addresses, Api
from huntgroup_loadtest.timeline import Timeline
from huntgroup_runtime.clock import Activity, SystemClock

WITHIN_S = 20.0


async def eventually(read: Callable[[], Any], holds: Callable[[Any], bool]) -> Any:
    """Return what `read` gives once it `holds`; services learn of each other a few milliseconds later."""
    found: Any = None
    try:
        async with asyncio.timeout(WITHIN_S):
            while True:
                found = await read()
                if holds(found):
                    return found
                await asyncio.sleep(0.01)
    except TimeoutError:
        raise AssertionError(f"never came true; at last: {found}") from None


class Desktop:
    """An agent's desktop: what was pushed to it, and whether it answers heartbeats."""

    def __init__(self, centre: "Centre", agent_id: str) -> None:
        self.agent_id = agent_id
        self.states: list[str] = []
        self.offers: list[agent_pb.OfferPresented] = []
        self.withdrawn: list[str] = []
        self.answers_heartbeats = True
        self._centre = centre
        self._changed = asyncio.Condition()
        self._task = asyncio.create_task(self._run())

    async def offer(self, number: int = 1) -> agent_pb.OfferPresented:
        """Return the `number`-th offer that rang here, once it rings."""
        await self.until(lambda: len(self.offers) >= number, f"offer {number}")
        return self.offers[number - 1]

    async def until(self, condition: Callable[[], bool], what: str) -> None:
        """Wait until a condition on what was pushed holds."""
        try:
            async with asyncio.timeout(WITHIN_S), self._changed:
                await self._changed.wait_for(condition)
        except TimeoutError:
            raise AssertionError(f"{self.agent_id} never saw {what}: {self.states}") from None

    async def in_state(self, state: str) -> None:
        """Wait until the desktop shows a state as the latest."""
        await self.until(lambda: bool(self.states) and self.states[-1] == state, state)

    async def close(self) -> None:
        """Cut the stream."""
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)

    async def _run(self) -> None:
        while True:
            answers: asyncio.Queue[agent_pb.OpenDesktopRequest] = asyncio.Queue()
            hello = agent_pb.DesktopHello(domain=self._centre.api.domain, agent_id=self.agent_id)
            answers.put_nowait(agent_pb.OpenDesktopRequest(hello=hello))
            stream = self._centre.api.open_desktop(_sent(answers))
            try:
                async for message in stream:
                    async with self._changed:
                        for event in message.events:
                            self._on(event, answers)
                        self._changed.notify_all()
            except grpc.aio.AioRpcError:
                await asyncio.sleep(0.1)
            finally:
                stream.cancel()

    def _on(
        self, event: agent_pb.DesktopEvent, answers: "asyncio.Queue[agent_pb.OpenDesktopRequest]"
    ) -> None:
        match event.WhichOneof("event"):
            case "agent":
                self.states.append(event.agent.state)
            case "offer_presented":
                if event.offer_presented.offer_id not in {one.offer_id for one in self.offers}:
                    self.offers.append(event.offer_presented)
            case "offer_withdrawn":
                self.withdrawn.append(event.offer_withdrawn.offer_id)
            case "heartbeat_requested" if self.answers_heartbeats:
                beat = agent_pb.DesktopHeartbeat(nonce=event.heartbeat_requested.nonce)
                answers.put_nowait(agent_pb.OpenDesktopRequest(heartbeat=beat))
            case _:
                pass


async def _sent(
    answers: "asyncio.Queue[agent_pb.OpenDesktopRequest]",
) -> AsyncIterator[agent_pb.OpenDesktopRequest]:
    while True:
        yield await answers.get()


class Centre:
    """One domain of its own, so that stories do not meet."""

    def __init__(self, addresses: Addresses) -> None:
        self.addresses = addresses
        name = uuid.uuid4().hex[:12]
        timeline = Timeline(
            clock=SystemClock(), activity=Activity(), start_ms=0, opens_ms=0, speed=1.0
        )
        self.api = Api(addresses, domain=f"story/{name}", run=name, timeline=timeline)
        self.desktops: list[Desktop] = []
        self._contacts = 0

    async def close(self) -> None:
        """Let everybody go."""
        for desktop in self.desktops:
            await desktop.close()
        await self.api.close()

    async def queue(self, queue_id: str = "sales", **more: Any) -> None:
        """Configure a queue, and wait until session knows it."""
        words: dict[str, Any] = {
            "ring_timeout_ms": 10_000,
            "wrap_up_timeout_ms": 10_000,
            "service_level_threshold_ms": 20_000,
        }
        request = routing_pb.ConfigureQueueRequest(
            queue_id=queue_id, channel=CHANNEL_VOICE, **(words | more)
        )
        await self._done("routing", self.api.routing.ConfigureQueue, request)
        self._contacts += 1
        probe = f"probe-{self._contacts}"
        await self.start(probe)

        async def queued() -> Any:
            return await self.api.command(
                "session",
                self.api.session.QueueContact,
                session_pb.QueueContactRequest(contact_id=probe, queue_id=queue_id),
            )

        await eventually(queued, lambda refused: refused is None)
        await self.hang_up(probe)

    async def agent(self, agent_id: str, *, skills: tuple[str, ...] = ()) -> Desktop:
        """Sign an agent on, ready, with a desktop."""
        desktop = Desktop(self, agent_id)
        self.desktops.append(desktop)
        signed_on = agent_pb.SignOnRequest(agent_id=agent_id, skills=skills)
        await self._done("agent-state", self.api.agent_state.SignOn, signed_on)
        await self.ready(agent_id)
        # With a contact waiting, ready is over before it is shown.
        taken = {"READY", "RESERVED"}
        await desktop.until(lambda: bool(taken & set(desktop.states)), "READY or RESERVED")
        return desktop

    async def ready(self, agent_id: str) -> None:
        """The agent takes contacts."""
        request = agent_pb.SetPresenceRequest(agent_id=agent_id, presence=PRESENCE_READY)
        await self._done("agent-state", self.api.agent_state.SetPresence, request)

    async def take_break(self, agent_id: str) -> None:
        """The agent takes no contacts, or none after this one."""
        request = agent_pb.SetPresenceRequest(
            agent_id=agent_id, presence=PRESENCE_NOT_READY, reason="break"
        )
        await self._done("agent-state", self.api.agent_state.SetPresence, request)

    async def sign_off(self, agent_id: str) -> None:
        """The agent leaves."""
        request = agent_pb.SignOffRequest(agent_id=agent_id)
        await self._done("agent-state", self.api.agent_state.SignOff, request)

    async def start(self, contact_id: str) -> None:
        """A contact comes in."""
        request = session_pb.StartContactRequest(contact_id=contact_id, channel=SESSION_VOICE)
        await self._done("session", self.api.session.StartContact, request)

    async def call(self, contact_id: str, queue_id: str = "sales", priority: int = 0) -> None:
        """A contact comes in and begins to wait."""
        await self.start(contact_id)
        request = session_pb.QueueContactRequest(
            contact_id=contact_id, queue_id=queue_id, priority=priority
        )
        await self._done("session", self.api.session.QueueContact, request)

    async def hang_up(self, contact_id: str) -> None:
        """The customer hangs up."""
        request = session_pb.HangUpContactRequest(contact_id=contact_id)
        await self._done("session", self.api.session.HangUpContact, request)

    async def accept(self, offer: agent_pb.OfferPresented, desktop: Desktop) -> None:
        """The agent takes the contact and talks."""
        request = routing_pb.AcceptOfferRequest(offer_id=offer.offer_id, agent_id=desktop.agent_id)
        await self._done("routing", self.api.routing.AcceptOffer, request)
        await self.contact(offer.contact_id, "CONNECTED")
        await desktop.in_state("BUSY")

    async def reject(self, offer: agent_pb.OfferPresented, desktop: Desktop) -> None:
        """The agent declines."""
        request = routing_pb.RejectOfferRequest(
            offer_id=offer.offer_id, agent_id=desktop.agent_id, reason="not now"
        )
        await self._done("routing", self.api.routing.RejectOffer, request)

    async def end(self, contact_id: str, desktop: Desktop) -> None:
        """The agent ends the conversation."""
        request = session_pb.EndContactRequest(contact_id=contact_id, agent_id=desktop.agent_id)
        await self._done("session", self.api.session.EndContact, request)

    async def wrap_up(self, contact_id: str, desktop: Desktop) -> None:
        """The agent is done with the after-call work."""
        await desktop.in_state("WORKING_AFTER_CALL")
        request = agent_pb.CompleteWrapUpRequest(agent_id=desktop.agent_id, contact_id=contact_id)
        await self._done("agent-state", self.api.agent_state.CompleteWrapUp, request)

    async def contact(self, contact_id: str, state: str) -> session_pb.ContactView:
        """Return a contact once it is in a state."""
        request = session_pb.GetContactRequest(domain=self.api.domain, contact_id=contact_id)

        async def read() -> Any:
            return (await self.api.query(self.api.session.GetContact, request)).contact

        view = await eventually(read, lambda one: one.state == state)
        assert isinstance(view, session_pb.ContactView)
        return view

    async def waiting(self, queue_id: str = "sales") -> list[str]:
        """Return the contacts that wait, in the order of their places."""
        request = routing_pb.GetQueueRequest(domain=self.api.domain, queue_id=queue_id)
        answer = await self.api.query(self.api.routing.GetQueue, request)
        return [one.contact_id for one in answer.queue.first_waiting]

    async def totals(self, holds: Callable[[Any], bool]) -> reporting_pb.QueueInterval:
        """Return the report's totals of all queues together, once they hold."""
        now_ms = self.api.timeline.clock.now_ms()
        request = reporting_pb.GetReportRequest(
            domain=self.api.domain, from_ms=0, to_ms=now_ms + 3_600_000, interval_ms=0
        )

        async def read() -> Any:
            answer = await self.api.query(self.api.reporting.GetReport, request)
            totals = reporting_pb.QueueInterval()
            for one in answer.totals:
                totals.MergeFrom(one)
            return totals

        found = await eventually(read, holds)
        assert isinstance(found, reporting_pb.QueueInterval)
        return found

    async def _done(self, service: str, method: Any, request: Any) -> None:
        refused = await self.api.command(service, method, request)
        if refused is not None:
            raise refused

    async def call_back(self, contact_id: str, number: str) -> None:
        """The customer wants to be called back, and hangs up."""
        request = session_pb.RequestCallbackRequest(contact_id=contact_id, number=number)
        await self._done("session", self.api.session.RequestCallback, request)
        await self.hang_up(contact_id)

    async def dialled(
        self, offer: agent_pb.OfferPresented, desktop: Desktop, outcome: DialOutcome.ValueType
    ) -> session_pb.ContactView:
        """The agent takes a callback; return it as it was while the customer was dialled, with this outcome."""
        taken = routing_pb.AcceptOfferRequest(offer_id=offer.offer_id, agent_id=desktop.agent_id)
        await self._done("routing", self.api.routing.AcceptOffer, taken)
        view = await self.contact(offer.contact_id, "DIALING")
        report = session_pb.ReportDialOutcomeRequest(
            contact_id=offer.contact_id, dial=view.callback.dials, outcome=outcome
        )
        await self._done("session", self.api.session.ReportDialOutcome, report)
        return view
