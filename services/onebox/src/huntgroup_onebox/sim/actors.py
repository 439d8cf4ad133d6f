"""The agents of a story, with their desktops, who use the public API as anybody."""

import asyncio
import random
from collections.abc import Callable
from typing import Any, Final

from grpc.aio import AioRpcError

from huntgroup.agent_state.v1 import commands_pb2 as agent_pb
from huntgroup.agent_state.v1.events_pb2 import (
    CHANNEL_CHAT,
    CHANNEL_VOICE,
    PRESENCE_NOT_READY,
    PRESENCE_READY,
    AgentTraits,
    ChannelCapacity,
    Presence,
)
from huntgroup.recording.v1 import commands_pb2 as recording_pb
from huntgroup.routing.v1 import commands_pb2 as routing_pb
from huntgroup.session.v1 import commands_pb2 as session_pb
from huntgroup_onebox.sim.books import ViolationError
from huntgroup_onebox.sim.client import Client, Mark
from huntgroup_onebox.sim.customers import SESSION
from huntgroup_onebox.sim.plan import CALL_UNITS, CHAT_UNITS, QUEUES, Agent, happens
from huntgroup_runtime.rpc.errors import SLOW_READER, RpcRefusedError

AGENT_STATE: Final = "/huntgroup.agent_state.v1.AgentStateService/"
ROUTING: Final = "/huntgroup.routing.v1.RoutingService/"
RECORDING: Final = "/huntgroup.recording.v1.RecordingService/"
RATE_HZ: Final = 8_000
CHUNK_MS: Final = 250
RECORDED_QUEUE: Final = "sales"
LAST_TALK_S: Final = 0.6
"""At the end of the story: long enough for some audio."""
SLOW_READ_S: Final = 1.9
"""Longer than a server waits for a reader; two of them are shorter than a desktop's lease."""
HELD_FROM_S: Final = 1.0
"""Shorter conversations are not put on hold."""
WITHOUT_UNITS: Final = 0.15
"""So often an agent signs on as if nothing cost anything."""


class AgentAtWork:
    """One agent, from sign-on to the end of the story. `failed` is told what goes wrong in the background."""

    def __init__(
        self,
        client: Client,
        agent: Agent,
        talk_s: Callable[[str], float],
        failed: Callable[[BaseException], None],
    ) -> None:
        self.agent_id = agent.name.replace(" ", "-")
        self.silent = False
        """The desktop answers no heartbeat."""
        self.reads_slowly = False
        """Takes so long for each message that a server may wait in vain to write the next; heartbeats come late."""
        self.serves = False
        """The end of the story: accept everything at once, end everything soon."""
        self.node = client.node
        self._client = client
        self._agent = agent
        self._chance: random.Random = client.chance
        self._talk_s = talk_s
        self._failed = failed
        self._ringing: dict[str, asyncio.Task[None]] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._talking: dict[str, str] = {}
        self._state = ""

    async def work(self) -> None:
        """Keep a desktop open; sign on, and again whenever signed off; now and then take a break."""
        self._spawn(self._desktop())
        while True:
            await self.come()
            await asyncio.sleep(self._chance.uniform(1.5, 6.0))
            if happens(self._chance, 0.5):
                await self._take_by_hand()
            if not self.serves and happens(self._chance, 0.25):
                await self._leave_for_a_while()

    async def come(self) -> None:
        """Sign on, unless signed on, and be ready."""
        agent = self._agent
        units = 0 if agent.units and happens(self._chance, WITHOUT_UNITS) else agent.units
        sign_on = agent_pb.SignOnRequest(
            agent_id=self.agent_id,
            skills=["german"] if agent.skilled else [],
            capacity=_capacity(agent, units),
            capacity_units=units,
            traits=AgentTraits(groups=[agent.group]) if agent.group else None,
        )
        await self._command("SignOn", sign_on, agent_pb.SignOnResponse)
        await self._want(PRESENCE_READY, "")

    async def _take_by_hand(self) -> None:
        """Look who waits somewhere, and take the last of them, or be given it by a supervisor."""
        waiting = await self._first_waiting(self._chance.choice(tuple(QUEUES)))
        if not waiting:
            return
        contact_id = waiting[-1]
        if happens(self._chance, 0.5):
            pull = routing_pb.PullContactRequest(contact_id=contact_id, agent_id=self.agent_id)
            await self._client.command(
                "routing", f"{ROUTING}PullContact", pull, routing_pb.PullContactResponse
            )
            return
        assign = routing_pb.AssignContactRequest(
            contact_id=contact_id,
            agent_id=self.agent_id,
            supervisor_id="supervisor",
            waive_requirement=True,
        )
        await self._client.command(
            "routing", f"{ROUTING}AssignContact", assign, routing_pb.AssignContactResponse
        )

    async def _first_waiting(self, queue_id: str) -> list[str]:
        """Return who waits in a queue; who was known to wait no more is not to be shown."""
        books, asked, before = self._client.books, Mark(), set[str]()

        def asking() -> None:
            asked.at(len(books.enqueued))
            before.clear()
            before.update(books.waiting)

        read = routing_pb.GetQueueRequest(domain=self._client.domain, queue_id=queue_id)
        found = await self._client.query(
            "routing", f"{ROUTING}GetQueue", read, routing_pb.GetQueueResponse, asking=asking
        )
        if isinstance(found, RpcRefusedError):
            return []
        shown = [one.contact_id for one in found.queue.first_waiting]
        if gone := set(shown) - before - set(books.enqueued[asked.number :]):
            raise ViolationError(f"4: {sorted(gone)} waited no more, and a read says that they do")
        return shown

    async def _leave_for_a_while(self) -> None:
        if happens(self._chance, 0.5):
            off = agent_pb.SignOffRequest(agent_id=self.agent_id)
            await self._command("SignOff", off, agent_pb.SignOffResponse)
        else:
            await self._want(PRESENCE_NOT_READY, "break")
        await asyncio.sleep(self._chance.uniform(0.2, 2.0))

    async def _want(self, presence: Presence.ValueType, reason: str) -> None:
        wish = agent_pb.SetPresenceRequest(agent_id=self.agent_id, presence=presence, reason=reason)
        await self._command("SetPresence", wish, agent_pb.SetPresenceResponse)

    async def _command(self, method: str, request: Any, response: Any) -> RpcRefusedError | None:
        return await self._client.command("agent-state", AGENT_STATE + method, request, response)

    # The desktop.

    async def _desktop(self) -> None:
        while True:
            was_slow = False
            stream = self._client.open_stream("agent-state", f"{AGENT_STATE}OpenDesktop")
            hello = agent_pb.DesktopHello(domain=self._client.domain, agent_id=self.agent_id)
            try:
                await stream.up.send(agent_pb.OpenDesktopRequest(hello=hello).SerializeToString())
                while (message := await stream.down.receive()) is not None:
                    for event in agent_pb.OpenDesktopResponse.FromString(message).events:
                        await self._on_event(event, stream.up)
                    if self.reads_slowly and not self.serves:
                        was_slow = True
                        await asyncio.sleep(SLOW_READ_S)
            except AioRpcError as error:
                refused = self._client.stream_ended("OpenDesktop", error)
                if refused.reason == SLOW_READER and was_slow:
                    self._client.saw("desktops cut off")
            finally:
                stream.cancel()
            await asyncio.sleep(0.1)

    async def _on_event(self, event: agent_pb.DesktopEvent, up: Any) -> None:
        match event.WhichOneof("event"):
            case "heartbeat_requested" if not self.silent or self.serves:
                beat = agent_pb.DesktopHeartbeat(nonce=event.heartbeat_requested.nonce)
                await up.send(agent_pb.OpenDesktopRequest(heartbeat=beat).SerializeToString())
            case "offer_presented":
                offer = event.offer_presented
                if offer.offer_id not in self._ringing:
                    self._ringing[offer.offer_id] = self._spawn(self._react(offer))
            case "agent":
                self._state = event.agent.state
                for slot in event.agent.slots:
                    self._look_at(slot)
            case _:
                pass

    def _look_at(self, slot: agent_pb.SlotView) -> None:
        """A desktop that comes back finds what it was doing."""
        if slot.phase in {"TALKING", "HOLDING"} and slot.contact_id not in self._talking:
            self._talking[slot.contact_id] = slot.offer_id
            self._spawn(self._talk(slot.contact_id, slot.queue_id))
        elif slot.phase == "WRAPPING_UP" and happens(self._chance, 0.5):
            self._spawn(self._wrap_up(slot.contact_id))

    def _spawn(self, work: Any) -> "asyncio.Task[None]":
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._done)
        return task

    def _done(self, task: "asyncio.Task[None]") -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            self._failed(error)

    # A contact.

    async def _react(self, offer: agent_pb.OfferPresented) -> None:
        await asyncio.sleep(0.05 if self.serves else self._chance.uniform(0.05, 1.2))
        answers = self.serves or happens(self._chance, self._agent.reliable)
        if answers:
            accept = routing_pb.AcceptOfferRequest(offer_id=offer.offer_id, agent_id=self.agent_id)
            await self._client.command(
                "routing", f"{ROUTING}AcceptOffer", accept, routing_pb.AcceptOfferResponse
            )
        elif happens(self._chance, 0.5):
            reject = routing_pb.RejectOfferRequest(
                offer_id=offer.offer_id, agent_id=self.agent_id, reason="busy"
            )
            await self._client.command(
                "routing", f"{ROUTING}RejectOffer", reject, routing_pb.RejectOfferResponse
            )

    async def _talk(self, contact_id: str, queue_id: str) -> None:
        recording = None
        if queue_id == RECORDED_QUEUE:
            recording = self._spawn(self._record(contact_id))
        talk_s = LAST_TALK_S if self.serves else self._talk_s(contact_id)
        await asyncio.sleep(talk_s)
        if talk_s > HELD_FROM_S and happens(self._chance, 0.4):
            await self._hold(contact_id)
        end = session_pb.EndContactRequest(contact_id=contact_id, agent_id=self.agent_id)
        await self._client.command(
            "session", f"{SESSION}EndContact", end, session_pb.EndContactResponse
        )
        if recording is not None:
            recording.cancel()
        if happens(self._chance, 0.7):
            await self._wrap_up(contact_id)
        self._talking.pop(contact_id, None)

    async def _hold(self, contact_id: str) -> None:
        hold = session_pb.HoldContactRequest(contact_id=contact_id, agent_id=self.agent_id)
        await self._client.command(
            "session", f"{SESSION}HoldContact", hold, session_pb.HoldContactResponse
        )
        await asyncio.sleep(0.3)
        retrieve = session_pb.RetrieveContactRequest(contact_id=contact_id, agent_id=self.agent_id)
        await self._client.command(
            "session", f"{SESSION}RetrieveContact", retrieve, session_pb.RetrieveContactResponse
        )

    async def _wrap_up(self, contact_id: str) -> None:
        await asyncio.sleep(self._chance.uniform(0.05, 0.6))
        done = agent_pb.CompleteWrapUpRequest(agent_id=self.agent_id, contact_id=contact_id)
        await self._command("CompleteWrapUp", done, agent_pb.CompleteWrapUpResponse)

    async def _record(self, contact_id: str) -> None:
        """Send audio from where the contact's clock may be, until cancelled; open again after a failure."""
        offset_ms, chunk = 0, b"\x11\x22" * (RATE_HZ * CHUNK_MS // 1_000)
        while True:
            stream = self._client.open_stream("recording", f"{RECORDING}IngestAudio")
            hello = recording_pb.AudioHello(
                domain=self._client.domain, contact_id=contact_id, sample_rate_hz=RATE_HZ
            )
            try:
                first = recording_pb.IngestAudioRequest(hello=hello)
                await stream.up.send(first.SerializeToString())
                while True:
                    await asyncio.sleep(CHUNK_MS / 1_000)
                    audio = recording_pb.AudioChunk(
                        offset_ms=offset_ms, customer=chunk, agent=chunk
                    )
                    await stream.up.send(
                        recording_pb.IngestAudioRequest(chunk=audio).SerializeToString()
                    )
                    offset_ms += CHUNK_MS
            except AioRpcError as error:
                self._client.stream_ended("IngestAudio", error)
                await asyncio.sleep(0.3)
                offset_ms += 300
            finally:
                stream.cancel()


def _capacity(agent: Agent, units: int) -> list[ChannelCapacity]:
    """Return how many calls and chats an agent takes, what they cost, and which come first."""
    calls = ChannelCapacity(
        channel=CHANNEL_VOICE, slots=agent.slots, cost=CALL_UNITS if units else 0
    )
    if not agent.chats:
        return [calls]
    if agent.calls_interrupt:
        calls.interrupts.append(CHANNEL_CHAT)
    chats = ChannelCapacity(
        channel=CHANNEL_CHAT, slots=agent.chats, cost=CHAT_UNITS if units else 0
    )
    return [calls, chats]
