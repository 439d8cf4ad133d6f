"""A whole agent-state service on a log in memory, next to puppets of the services whose journals it reads."""

import asyncio
import itertools
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any

import grpc
import pytest
from google.protobuf.message import Message

from huntgroup.agent_state.v1 import commands_pb2
from huntgroup.agent_state.v1.events_pb2 import PRESENCE_READY
from huntgroup.agent_state.v1.service_pb2_grpc import AgentStateServiceStub
from huntgroup.event.v1.envelope_pb2 import CommandContext, Envelope
from huntgroup.event.v1.options_pb2 import event_type
from huntgroup_agent_state.app.reactions import AgentStateReactions
from huntgroup_agent_state.settings import AgentStateSettings
from huntgroup_agent_state.telemetry import DESKTOP_STREAMS
from huntgroup_agent_state.wiring import wire
from huntgroup_contracts.cloudevents import read_envelope
from huntgroup_contracts.registry import event_class, service_of, topic_events
from huntgroup_eventlog.adapters.memory import MemoryLog
from huntgroup_eventlog.application import Application, ForeignEvent
from huntgroup_eventlog.partitioning import partition_of
from huntgroup_eventlog.port import Log
from huntgroup_eventlog.snapshots import ObjectSnapshotStore, SnapshotStore
from huntgroup_runtime.clock import VirtualClock
from huntgroup_runtime.journals import ServiceJournals, all_idle, unrelayed
from huntgroup_runtime.process import Process
from huntgroup_runtime.rpc.client import RpcClient
from huntgroup_runtime.rpc.errors import RpcRefusedError
from huntgroup_runtime.settings import RuntimeSettings
from huntgroup_runtime.telemetry import Telemetry

DOMAIN = "acme/emea"
NUMBERS = itertools.count(1)
"""For ids: a command id is never used twice, not even after a restart."""

SETTINGS = RuntimeSettings(
    log_url="memory://",
    grpc_listen="127.0.0.1:0",
    http_listen="127.0.0.1:0",
    heartbeat_ms=0,
    takeover_after_ms=0,
)


class Puppet:
    """A service that says what it is told to say: its commands are its events."""

    sources = ()
    types = ()

    def initial(self, domain: str) -> str:
        return domain

    def decide(self, state: str, command: Message, at_ms: int) -> tuple[Message, ...]:
        return (command,)

    def evolve(self, state: str, event: Message) -> str:
        return state

    def next_deadline(self, state: str) -> None:
        return None

    def pass_time(self) -> None:
        raise NotImplementedError

    def dump(self, state: str) -> bytes:
        return b""

    def load(self, domain: str, dumped: bytes) -> str:
        return domain

    def react(self, event: ForeignEvent) -> None:
        return None

    def encode(self, event: Message) -> tuple[str, bytes]:
        return type_of(event), event.SerializeToString()

    def decode(self, type_: str, payload: bytes) -> Message:
        return event_class(type_).FromString(payload)


def puppet_of(service: str) -> Application:
    puppet = Puppet()
    return Application(
        service=service, core=puppet, codec=puppet, reactions=puppet, code_version="1"
    )


def type_of(event: Message) -> str:
    type_: str = event.DESCRIPTOR.GetOptions().Extensions[event_type]
    return type_


class House:
    """The process, a client of it, and the hands in the puppets. Time stands still until `jump`."""

    def __init__(
        self,
        process: Process,
        client: RpcClient,
        clock: VirtualClock,
        puppets: Mapping[str, ServiceJournals],
    ) -> None:
        self.clock = clock
        self._process = process
        self._client = client
        self._puppets = puppets
        self.stub = AgentStateServiceStub(client.channel)

    async def call(self, rpc: str, command_id: str = "", **fields: Any) -> Any:
        """Send a command, with a new id unless one is given."""
        command_id = command_id or f"command-{next(NUMBERS)}"
        context = CommandContext(domain=DOMAIN, command_id=command_id)
        request = getattr(commands_pb2, f"{rpc}Request")(context=context, **fields)
        return await self._client.call(getattr(self.stub, rpc), request, timeout_ms=5_000)

    async def agent(self, agent_id: str = "ada") -> commands_pb2.AgentView:
        """Ask for an agent."""
        request = commands_pb2.GetAgentRequest(domain=DOMAIN, agent_id=agent_id)
        response = await self._client.call(self.stub.GetAgent, request, timeout_ms=5_000)
        return response.agent

    async def agent_state(self, agent_id: str = "ada") -> str:
        """Return what an agent does; who is not signed on is OFFLINE."""
        try:
            return (await self.agent(agent_id)).state
        except RpcRefusedError:
            return "OFFLINE"

    def streams(self) -> int:
        """Return how many desktops are connected."""
        return self._process.telemetry.gauge(DESKTOP_STREAMS).value

    async def until_owned(self) -> None:
        """Wait until this replica owns the domain."""
        async with asyncio.timeout(5):
            while not all(one.owns(DOMAIN) for one in self._process.journals):  # noqa: ASYNC110
                await asyncio.sleep(0.01)

    async def ready(self, agent_id: str = "ada") -> None:
        """Let an agent sign on with one voice slot and be ready."""
        await self.call("SignOn", agent_id=agent_id)
        await self.call("SetPresence", agent_id=agent_id, presence=PRESENCE_READY)

    @asynccontextmanager
    async def desktop(self, agent_id: str = "ada") -> AsyncIterator["OpenedDesktop"]:
        """Open an agent's desktop, which takes in little when nobody reads it."""
        options = (("grpc.http2.bdp_probe", 0), ("grpc.http2.lookahead_bytes", 1_000))
        channel = grpc.aio.insecure_channel(self._process.address, options)
        desktop = OpenedDesktop(AgentStateServiceStub(channel).OpenDesktop(timeout=20))
        await desktop.say(
            commands_pb2.OpenDesktopRequest(
                hello=commands_pb2.DesktopHello(domain=DOMAIN, agent_id=agent_id)
            )
        )
        try:
            yield desktop
        finally:
            desktop.call.cancel()
            await channel.close()

    async def say(self, fact: Message) -> None:
        """Let the service that owns this fact say it, and wait until agent state has taken it in."""
        puppet = self._puppets[service_of(type_of(fact))]
        fact_id = f"fact-{next(NUMBERS)}"
        await puppet.submit(DOMAIN, fact_id, fact, check=0, traceparent="")
        await self.settle()

    async def settle(self) -> None:
        """Wait until nothing is under way: everything is decided, taken in and published."""
        async with asyncio.timeout(5):
            while not all_idle(self._process.journals) or unrelayed(self._process.journals):  # noqa: ASYNC110
                await asyncio.sleep(0.001)

    async def jump(self) -> None:
        """Let time go on to the next deadline, and let everything that is due happen."""
        assert self.clock.jump()
        for _ in range(5):
            await asyncio.sleep(0)  # those who waited for that moment begin to act
        await self.settle()

    async def published(self) -> list[Envelope]:
        """Return the public events of agent state, in order."""
        await self.settle()
        topic, log = topic_events("agent-state"), self._process.log
        reader = await log.reader(topic, partition_of(DOMAIN, log.partitions), 0)
        records = await reader.read(1_000, 0)
        await reader.close()
        return [read_envelope(one.headers, one.key, one.value) for one in records]


class OpenedDesktop:
    """The far end of a desktop's stream."""

    def __init__(self, call: Any) -> None:
        self.call = call
        self.events: list[commands_pb2.DesktopEvent] = []

    async def say(self, request: commands_pb2.OpenDesktopRequest) -> None:
        await self.call.write(request)

    async def answer(self, nonce: int) -> None:
        """Answer a heartbeat, and give the service the time to take that in."""
        heartbeat = commands_pb2.DesktopHeartbeat(nonce=nonce)
        await self.say(commands_pb2.OpenDesktopRequest(heartbeat=heartbeat))
        await asyncio.sleep(0.05)

    async def next(self) -> list[str]:
        """Return what the next message tells, by the names of its events; an empty list is the end."""
        async with asyncio.timeout(5):
            message = await self.call.read()
        if message is grpc.aio.EOF:
            return []
        self.events = list(message.events)
        return [str(event.WhichOneof("event")) for event in self.events]

    async def until(self, name: str) -> commands_pb2.DesktopEvent:
        """Return the next event of that name."""
        while names := await self.next():
            if name in names:
                return self.events[names.index(name)]
        raise AssertionError(f"the stream ended without {name}")


Houses = Callable[..., AbstractAsyncContextManager[House]]


@pytest.fixture
async def houses() -> AsyncIterator[Houses]:
    """Return what opens a house; the next one finds the log and the snapshots of the last."""
    log, snapshots = MemoryLog(2), ObjectSnapshotStore.from_url("")
    yield lambda **settings: open_house(log, snapshots, **settings)
    await log.close()


@pytest.fixture
async def house(houses: Houses) -> AsyncIterator[House]:
    async with houses() as house:
        yield house


@asynccontextmanager
async def open_house(log: Log, snapshots: SnapshotStore, **settings: Any) -> AsyncIterator[House]:
    clock = VirtualClock(1_000_000)
    off = Telemetry.off()
    frame = SETTINGS.model_copy(update=settings.pop("frame", {}))
    process = Process(
        "agent-state", frame, log=log, snapshots=snapshots, clock=clock, telemetry=off
    )
    puppets = {service: puppet_of(service) for service in AgentStateReactions.sources}
    journals = {service: process.add_journals(puppet) for service, puppet in puppets.items()}
    await wire(process, AgentStateSettings(**settings))
    async with RpcClient(process.address) as client:
        await process.start()
        try:
            house = House(process, client, clock, journals)
            if frame.replica_count == 1:
                await house.settle()
            yield house
        finally:
            await process.stop()
