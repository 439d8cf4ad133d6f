"""A whole routing service on a log in memory, next to puppets of the services whose journals it reads."""

import asyncio
import itertools
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any

import pytest
from google.protobuf.message import Message

from huntgroup.event.v1.envelope_pb2 import CommandContext, Envelope
from huntgroup.event.v1.options_pb2 import event_type
from huntgroup.routing.v1 import commands_pb2
from huntgroup.routing.v1.service_pb2_grpc import RoutingServiceStub
from huntgroup_contracts.cloudevents import read_envelope
from huntgroup_contracts.registry import event_class, service_of, topic_events
from huntgroup_eventlog.adapters.memory import MemoryLog
from huntgroup_eventlog.application import Application, ForeignEvent
from huntgroup_eventlog.partitioning import partition_of
from huntgroup_eventlog.port import Log
from huntgroup_eventlog.snapshots import ObjectSnapshotStore, SnapshotStore
from huntgroup_routing.app.reactions import RoutingReactions
from huntgroup_routing.wiring import wire
from huntgroup_runtime.clock import VirtualClock
from huntgroup_runtime.journals import ServiceJournals, all_idle, unrelayed
from huntgroup_runtime.process import Process
from huntgroup_runtime.rpc.client import RpcClient
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
        self._stub = RoutingServiceStub(client.channel)

    async def call(self, rpc: str, command_id: str = "", **fields: Any) -> Any:
        """Send a command, with a new id unless one is given."""
        command_id = command_id or f"command-{next(NUMBERS)}"
        context = CommandContext(domain=DOMAIN, command_id=command_id)
        request = getattr(commands_pb2, f"{rpc}Request")(context=context, **fields)
        return await self._client.call(getattr(self._stub, rpc), request, timeout_ms=5_000)

    async def ask(self, rpc: str, request: Message) -> Any:
        """Send a query."""
        return await self._client.call(getattr(self._stub, rpc), request, timeout_ms=5_000)

    async def contact(self, contact_id: str) -> commands_pb2.GetContactResponse:
        """Ask for a contact that waits or rings."""
        request = commands_pb2.GetContactRequest(domain=DOMAIN, contact_id=contact_id)
        told: commands_pb2.GetContactResponse = await self._client.call(
            self._stub.GetContact, request, timeout_ms=5_000
        )
        return told

    async def explain(self, offer_id: str) -> commands_pb2.ExplainDecisionResponse:
        """Ask why an offer was made."""
        request = commands_pb2.ExplainDecisionRequest(domain=DOMAIN, offer_id=offer_id)
        told: commands_pb2.ExplainDecisionResponse = await self._client.call(
            self._stub.ExplainDecision, request, timeout_ms=5_000
        )
        return told

    async def queue(self, queue_id: str) -> commands_pb2.QueueView:
        """Ask for a queue."""
        request = commands_pb2.GetQueueRequest(domain=DOMAIN, queue_id=queue_id)
        response = await self._client.call(self._stub.GetQueue, request, timeout_ms=5_000)
        return response.queue

    async def offer(self, offer_id: str) -> commands_pb2.OfferView:
        """Ask for an offer."""
        request = commands_pb2.GetOfferRequest(domain=DOMAIN, offer_id=offer_id)
        response = await self._client.call(self._stub.GetOffer, request, timeout_ms=5_000)
        return response.offer

    async def say(self, fact: Message) -> None:
        """Let the service that owns this fact say it, and wait until routing has taken it in."""
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
        await asyncio.sleep(0)  # those who waited for that moment begin to act
        await self.settle()

    async def published(self) -> list[Envelope]:
        """Return the public events of routing, in order."""
        await self.settle()
        topic, log = topic_events("routing"), self._process.log
        reader = await log.reader(topic, partition_of(DOMAIN, log.partitions), 0)
        records = await reader.read(1_000, 0)
        await reader.close()
        return [read_envelope(one.headers, one.key, one.value) for one in records]


Houses = Callable[[], AbstractAsyncContextManager[House]]


@pytest.fixture
async def houses() -> AsyncIterator[Houses]:
    """Return what opens a house; the next one finds the log and the snapshots of the last."""
    log, snapshots = MemoryLog(2), ObjectSnapshotStore.from_url("")
    yield lambda: open_house(log, snapshots)
    await log.close()


@pytest.fixture
async def house(houses: Houses) -> AsyncIterator[House]:
    async with houses() as house:
        yield house


@asynccontextmanager
async def open_house(log: Log, snapshots: SnapshotStore) -> AsyncIterator[House]:
    clock = VirtualClock(1_000_000)
    off = Telemetry.off()
    process = Process("routing", SETTINGS, log=log, snapshots=snapshots, clock=clock, telemetry=off)
    puppets = {service: puppet_of(service) for service in RoutingReactions.sources}
    journals = {service: process.add_journals(puppet) for service, puppet in puppets.items()}
    await wire(process)
    async with RpcClient(process.address) as client:
        await process.start()
        try:
            house = House(process, client, clock, journals)
            await house.settle()
            yield house
        finally:
            await process.stop()
