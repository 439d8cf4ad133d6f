"""The streams of agent desktops: state and offers are pushed, heartbeats pulled."""

import asyncio
from collections import deque
from collections.abc import AsyncGenerator, AsyncIterator
from typing import Any, Final

import grpc
import structlog

from huntgroup.agent_state.v1.commands_pb2 import (
    AgentView,
    DesktopClosed,
    DesktopEvent,
    HeartbeatRequested,
    OfferPresented,
    OpenDesktopRequest,
    OpenDesktopResponse,
)
from huntgroup_agent_state.adapters.mapping import (
    agent_view,
    offer_presented,
    offer_withdrawn,
    offline_view,
)
from huntgroup_agent_state.app.effects import DesktopRegistry
from huntgroup_agent_state.app.ports import CloseReason
from huntgroup_agent_state.app.queries import find_agent
from huntgroup_agent_state.core.messages import (
    AgentBecameBusy,
    AgentReleased,
    AgentReserved,
    AgentSignedOff,
    Event,
)
from huntgroup_agent_state.core.state import State
from huntgroup_agent_state.core.values import AgentId, ReleaseReason, SlotPhase
from huntgroup_agent_state.telemetry import DESKTOP_RECEIVED, DESKTOP_SENT, DESKTOP_STREAMS
from huntgroup_eventlog.application import NotOwnerError, OutcomeUnknownError
from huntgroup_runtime.ports import Journals
from huntgroup_runtime.rpc.errors import RpcRefusedError
from huntgroup_runtime.rpc.streams import SNAPSHOT, slow_reader
from huntgroup_runtime.telemetry import Telemetry

HELLO_MISSING: Final = "HELLO_MISSING"
"""The first message of a stream says who it is."""

_log = structlog.stdlib.get_logger(__name__)


def desktop_domain(first: OpenDesktopRequest) -> str:
    """Return the domain a stream is for; raises `RpcRefusedError` when the first message is no hello."""
    if first.WhichOneof("message") != "hello":
        raise RpcRefusedError(
            grpc.StatusCode.INVALID_ARGUMENT,
            HELLO_MISSING,
            "message is not hello, but the first message of a stream says who it is",
        )
    return first.hello.domain


class DesktopStreams:
    """Serves `OpenDesktop` at the owner of the agent's domain."""

    def __init__(
        self, journals: Journals, registry: DesktopRegistry, telemetry: Telemetry, backlog_max: int
    ) -> None:
        self._journals = journals
        self._registry = registry
        self._backlog_max = backlog_max
        self._streams = telemetry.gauge(DESKTOP_STREAMS)
        self._sent = telemetry.counter(DESKTOP_SENT)
        self._received = telemetry.counter(DESKTOP_RECEIVED)
        self._open = 0

    async def converse(
        self, requests: AsyncIterator[OpenDesktopRequest]
    ) -> AsyncGenerator[OpenDesktopResponse, None]:
        """Yield what happens to the agent that the first request names, until the desktop or the service ends it."""
        hello = (await anext(requests)).hello
        self._received.add()
        agent_id = AgentId(hello.agent_id)
        stream = DesktopStream(agent_id, self._backlog_max)
        self._registry.open(hello.domain, agent_id, stream)
        listening = asyncio.create_task(self._listen(requests, hello.domain, stream))
        self._count(1)
        try:
            while (response := await self._next(hello.domain, stream)) is not None:
                self._sent.add()
                yield response
            if stream.closed is CloseReason.SLOW_READER:
                bound = f"{self._backlog_max} offers and withdrawals waited to be read"
                raise slow_reader(bound, "HUNTGROUP_DESKTOP_BACKLOG_MAX", SNAPSHOT)
        finally:
            self._count(-1)
            self._registry.closed(hello.domain, agent_id, stream)
            stream.end()
            listening.cancel()
            await asyncio.wait([listening])
            _log.info("desktop closed", domain=hello.domain, reason=stream.closed or "BY_DESKTOP")

    async def _next(self, domain: str, stream: "DesktopStream") -> OpenDesktopResponse | None:
        """Return the next message, or None when the stream is over."""
        while True:
            await stream.wake.wait()
            stream.wake.clear()
            if stream.ended:
                return None
            if stream.error is not None:
                raise stream.error
            view = None
            if stream.begin_view():
                try:
                    view = await self._journals.query(domain, stream.read)
                except (NotOwnerError, OutcomeUnknownError):
                    stream.close(CloseReason.OWNER_MOVED)
            events = stream.take(view)
            if events:
                return OpenDesktopResponse(events=events)

    async def _listen(
        self, requests: AsyncIterator[Any], domain: str, stream: "DesktopStream"
    ) -> None:
        try:
            async for request in requests:
                self._received.add()
                if request.WhichOneof("message") != "heartbeat":
                    stream.close(CloseReason.UNEXPECTED_MESSAGE)
                    return
                nonce = request.heartbeat.nonce
                self._registry.heard(domain, stream.agent_id, stream, nonce)
        except Exception as error:  # noqa: BLE001 - whatever it is, it is the stream's end
            stream.fail(error)
        else:
            stream.end()

    def _count(self, change: int) -> None:
        self._open += change
        self._streams.set(self._open)


class DesktopStream:
    """What one desktop has yet to be told: bounded, with the agent's state at most once. A `Desktop`."""

    def __init__(self, agent_id: AgentId, backlog_max: int) -> None:
        self.agent_id = agent_id
        self.wake = asyncio.Event()
        """Set when there may be something to send."""
        self.closed: CloseReason | None = None
        self.ended = False
        self.error: Exception | None = None
        self._backlog_max = backlog_max
        self._offers: deque[DesktopEvent] = deque()
        self._ringing: dict[str, str] = {}
        """Offers that were presented here and may still ring, with their contacts."""
        self._over: set[str] = set()
        """Offers that ceased to ring before the first view was there."""
        self._left = False
        """The agent left since the stream was opened: what rang before that does not ring any more."""
        self._heartbeat: HeartbeatRequested | None = None
        self._changed = True
        self._shown: AgentView | None = None
        self.wake.set()

    # From the registry.

    def notice(self, event: Event) -> None:
        """Queue the offer that an event presents or withdraws, and have the agent's state sent."""
        self._changed = True
        match event:
            case AgentReserved():
                self._present(offer_presented(event))
            case AgentBecameBusy():
                self._ceased(event.offer_id)
                if self._offers and self._offers[-1].offer_presented.offer_id == event.offer_id:
                    self._offers.pop()  # it was connected as soon as it was reserved
            case AgentReleased():
                if self._ceased(event.offer_id):
                    self._withdraw(event.offer_id, event.contact_id, event.reason)
            case AgentSignedOff():
                self._left = True
                for offer_id, contact_id in self._ringing.items():
                    self._withdraw(offer_id, contact_id, ReleaseReason.AGENT_LEFT)
                self._ringing.clear()
            case _:
                pass
        self.wake.set()

    def ask(self, nonce: int, answer_within_ms: int) -> None:
        """Have the latest heartbeat request sent."""
        self._heartbeat = HeartbeatRequested(nonce=nonce, answer_within_ms=answer_within_ms)
        self.wake.set()

    def close(self, reason: CloseReason) -> None:
        """Have the reason sent as the last message, whenever the desktop reads again; nothing more is queued.

        gRPC can neither send a status past a message that waits to be read nor take that message back.
        """
        if self.closed is not None or self.ended:
            return
        self.closed = reason
        self._offers.clear()
        self.wake.set()

    # From the handler.

    def fail(self, error: Exception) -> None:
        """Let the stream end with `error`."""
        self.error = error
        self.wake.set()

    def end(self) -> None:
        """Let the stream end; nothing more is sent."""
        self.ended = True
        self.wake.set()

    def begin_view(self) -> bool:
        """Return whether the agent is to be read; what changes from now on asks for another time."""
        changed = self._changed and self.closed is None
        self._changed = False
        return changed

    def read(self, state: State) -> AgentView:
        """Return the agent as `state` has them."""
        agent = find_agent(state, self.agent_id)
        return offline_view(self.agent_id) if agent is None else agent_view(agent)

    def take(self, view: AgentView | None) -> list[DesktopEvent]:
        """Return all there is to send, once: the agent, offers in their order, a heartbeat; or the end."""
        if self.closed is not None:
            self.ended = True
            self.wake.set()
            return [DesktopEvent(closed=DesktopClosed(reason=self.closed))]
        if self._shown is None and view is not None:
            events = [DesktopEvent(agent=view), *self._first_offers(view), *self._offers]
        else:
            events = list(self._offers)
            if view is not None and view != self._shown:
                events.append(DesktopEvent(agent=view))
        self._shown = view or self._shown
        self._offers.clear()
        if self._heartbeat is not None:
            events.append(DesktopEvent(heartbeat_requested=self._heartbeat))
            self._heartbeat = None
        return events

    def _first_offers(self, view: AgentView) -> list[DesktopEvent]:
        """Return the offers that rang before the stream was opened and still do."""
        known = self._over | self._ringing.keys()
        self._over.clear()
        if self._left:
            return []
        first = [
            OfferPresented(
                offer_id=slot.offer_id,
                contact_id=slot.contact_id,
                queue_id=slot.queue_id,
                channel=slot.channel,
                expires_at_ms=slot.ends_at_ms,
            )
            for slot in view.slots
            if slot.phase == SlotPhase.RINGING and slot.offer_id not in known
        ]
        self._ringing.update((offer.offer_id, offer.contact_id) for offer in first)
        return [DesktopEvent(offer_presented=offer) for offer in first]

    def _present(self, offer: OfferPresented) -> None:
        self._ringing[offer.offer_id] = offer.contact_id
        self._push(DesktopEvent(offer_presented=offer))

    def _withdraw(self, offer_id: str, contact_id: str, reason: ReleaseReason) -> None:
        withdrawn = offer_withdrawn(offer_id, contact_id, reason)
        self._push(DesktopEvent(offer_withdrawn=withdrawn))

    def _ceased(self, offer_id: str) -> bool:
        """Note that an offer does not ring any more; return whether it was presented here."""
        if self._shown is None:
            self._over.add(offer_id)
        return self._ringing.pop(offer_id, None) is not None

    def _push(self, event: DesktopEvent) -> None:
        if self.closed is not None:
            return
        if len(self._offers) >= self._backlog_max:
            self.close(CloseReason.SLOW_READER)
            return
        self._offers.append(event)
