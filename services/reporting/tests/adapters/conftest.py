"""A whole reporting service next to puppets of the services whose journals it reads, and databases to write to."""

import asyncio
import itertools
import os
import secrets
import shutil
import socket
import subprocess
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Iterator, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from typing import Any

import grpc
import pytest
from google.protobuf.message import Message

from huntgroup.agent_state.v1 import events_pb2 as agent_state
from huntgroup.event.v1.options_pb2 import event_type
from huntgroup.reporting.v1.commands_pb2 import (
    GetReportRequest,
    GetReportResponse,
    WatchDomainRequest,
    WatchDomainResponse,
)
from huntgroup.reporting.v1.service_pb2_grpc import ReportingServiceStub
from huntgroup.routing.v1 import events_pb2 as routing
from huntgroup.session.v1 import events_pb2 as session
from huntgroup_contracts.registry import event_class, service_of
from huntgroup_eventlog.adapters.memory import MemoryLog
from huntgroup_eventlog.application import Application, ForeignEvent
from huntgroup_eventlog.port import Log
from huntgroup_eventlog.snapshots import ObjectSnapshotStore, SnapshotStore
from huntgroup_reporting.app.reactions import ReportingReactions
from huntgroup_reporting.wiring import wire
from huntgroup_runtime.clock import VirtualClock
from huntgroup_runtime.journals import ServiceJournals, all_idle, unrelayed
from huntgroup_runtime.process import Process
from huntgroup_runtime.rpc.client import RpcClient
from huntgroup_runtime.rpc.errors import from_rpc_error
from huntgroup_runtime.settings import RuntimeSettings
from huntgroup_runtime.telemetry import Telemetry

DOMAIN = "acme/emea"
NINE_MS = 20_000 * 86_400_000 + 9 * 3_600_000
"""Nine o'clock of some day (UTC)."""
NUMBERS = itertools.count(1)

POSTGRES_START_S = 30


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
    """The process, a client of it, and the hands in the puppets. Times are milliseconds since nine o'clock."""

    NINE_MS = NINE_MS

    def __init__(
        self,
        process: Process,
        client: RpcClient,
        clock: VirtualClock,
        puppets: Mapping[str, ServiceJournals],
    ) -> None:
        self.process = process
        self.clock = clock
        self._client = client
        self._puppets = puppets
        self._stub = ReportingServiceStub(client.channel)

    async def say(self, fact: Message, domain: str = DOMAIN) -> None:
        """Let the service that owns this fact say it."""
        puppet = self._puppets[service_of(type_of(fact))]
        fact_id = f"fact-{next(NUMBERS)}"
        await puppet.submit(domain, fact_id, fact, check=0, traceparent="")

    async def settle(self) -> None:
        """Wait until nothing is under way: everything is decided, taken in and published."""
        async with asyncio.timeout(30):
            while not all_idle(self.process.journals) or unrelayed(self.process.journals):  # noqa: ASYNC110
                await asyncio.sleep(0.001)

    async def advance_to(self, at_ms: int) -> None:
        """Let time go on, and everything happen that is due on the way."""
        await self.settle()
        alarm = asyncio.create_task(self.clock.sleep_until(NINE_MS + at_ms))
        await asyncio.sleep(0)
        while not alarm.done():
            assert self.clock.jump()
            await asyncio.sleep(0)
            await self.settle()

    async def report(self, from_ms: int, to_ms: int, **fields: Any) -> GetReportResponse:
        """Ask for a report."""
        await self.settle()
        request = GetReportRequest(
            **{"domain": DOMAIN} | fields, from_ms=NINE_MS + from_ms, to_ms=NINE_MS + to_ms
        )
        response = await self._client.call(self._stub.GetReport, request, timeout_ms=8_000)
        assert isinstance(response, GetReportResponse)
        return response

    async def ask_once(self, from_ms: int, to_ms: int) -> GetReportResponse:
        """Ask for a report without trying again while it is unavailable."""
        request = GetReportRequest(domain=DOMAIN, from_ms=NINE_MS + from_ms, to_ms=NINE_MS + to_ms)
        try:
            response: GetReportResponse = await self._stub.GetReport(request, timeout=10)
        except grpc.aio.AioRpcError as error:
            raise from_rpc_error(error) from None
        return response

    async def watch(self, interval_ms: int) -> AsyncGenerator[WatchDomainResponse, None]:
        """Yield live views until the reader has enough of them."""
        request = WatchDomainRequest(domain=DOMAIN, interval_ms=interval_ms)
        call = self._stub.WatchDomain(request, timeout=20)
        try:
            async for view in call:
                yield view
        finally:
            call.cancel()


class Teller:
    """Tells what happened, in the words of those who own the facts. Times are seconds since nine o'clock."""

    def __init__(self, house: House) -> None:
        self.house = house
        self.at_ms = 0

    async def at(self, second: int) -> "Teller":
        """Let time go on to this second."""
        await self.house.advance_to(second * 1_000)
        self.at_ms = self.house.NINE_MS + second * 1_000
        return self

    async def queue(self, threshold_s: int) -> None:
        await self.house.say(
            routing.QueueConfigured(
                at_ms=self.at_ms, queue_id="sales", service_level_threshold_ms=threshold_s * 1_000
            )
        )

    async def sign_on(self, agent_id: str) -> None:
        await self.house.say(agent_state.AgentSignedOn(at_ms=self.at_ms, agent_id=agent_id))

    async def ready(self, agent_id: str) -> None:
        await self.house.say(agent_state.AgentWentReady(at_ms=self.at_ms, agent_id=agent_id))

    async def not_ready(self, agent_id: str) -> None:
        fact = agent_state.AgentWentNotReady(at_ms=self.at_ms, agent_id=agent_id, reason="pause")
        await self.house.say(fact)

    async def sign_off(self, agent_id: str) -> None:
        await self.house.say(agent_state.AgentSignedOff(at_ms=self.at_ms, agent_id=agent_id))

    async def queued(self, contact_id: str) -> None:
        fields: dict[str, Any] = {
            "contact_id": contact_id,
            "queue_id": "sales",
            "enqueued_at_ms": self.at_ms,
        }
        await self.house.say(session.ContactInitiated(at_ms=self.at_ms, contact_id=contact_id))
        await self.house.say(session.ContactQueued(at_ms=self.at_ms, **fields))
        await self.house.say(routing.ContactEnqueued(at_ms=self.at_ms, **fields))

    async def rings(self, offer_id: str, agent_id: str) -> None:
        fields = self.offer(offer_id, agent_id)
        await self.house.say(routing.OfferCreated(**fields))
        await self.house.say(agent_state.AgentReserved(**fields))

    async def ended(self, outcome: Any, offer_id: str, agent_id: str, ring_s: int) -> None:
        fields = self.offer(offer_id, agent_id)
        await self.house.say(outcome(**fields, ring_ms=ring_s * 1_000))
        if outcome is routing.OfferExpired:
            fact = agent_state.AgentStoppedResponding(
                at_ms=self.at_ms, agent_id=agent_id, offer_id=offer_id
            )
            await self.house.say(fact)
        if outcome is not routing.OfferAccepted:
            await self.released(offer_id, agent_id)

    async def released(self, offer_id: str, agent_id: str) -> None:
        fact = agent_state.AgentReleased(at_ms=self.at_ms, agent_id=agent_id, offer_id=offer_id)
        await self.house.say(fact)

    async def connected(self, offer_id: str, agent_id: str, wait_s: int, ring_s: int) -> None:
        await self.ended(routing.OfferAccepted, offer_id, agent_id, ring_s)
        fields = self.offer(offer_id, agent_id)
        await self.house.say(session.ContactConnected(**fields, wait_ms=wait_s * 1_000))
        del fields["queue_id"]
        await self.house.say(agent_state.AgentBecameBusy(**fields))

    async def abandoned(self, contact_id: str, wait_s: int) -> None:
        fields: dict[str, Any] = {
            "contact_id": contact_id,
            "queue_id": "sales",
            "wait_ms": wait_s * 1_000,
        }
        stage = session.ABANDON_STAGE_IN_QUEUE
        await self.house.say(session.ContactAbandoned(at_ms=self.at_ms, stage=stage, **fields))

    async def disconnected(self, offer_id: str, agent_id: str, talk_s: int, hold_s: int) -> None:
        fields = self.offer(offer_id, agent_id)
        talked: dict[str, Any] = {"talk_ms": talk_s * 1_000, "hold_ms": hold_s * 1_000}
        await self.house.say(session.ContactDisconnected(**fields, **talked))
        del fields["queue_id"]
        await self.house.say(agent_state.AgentStartedWrapUp(**fields))

    async def wrapped_up(self, offer_id: str, agent_id: str, wrap_up_s: int) -> None:
        fields = self.offer(offer_id, agent_id)
        del fields["queue_id"]
        wrap_up_ms = wrap_up_s * 1_000
        await self.house.say(agent_state.AgentFinishedWrapUp(**fields, wrap_up_ms=wrap_up_ms))
        await self.released(offer_id, agent_id)

    def offer(self, offer_id: str, agent_id: str) -> dict[str, Any]:
        return {
            "at_ms": self.at_ms,
            "offer_id": offer_id,
            "contact_id": offer_id.partition(".")[0],
            "agent_id": agent_id,
            "queue_id": "sales",
        }

    async def known_day(self) -> None:
        """Two agents, six contacts, 35 minutes; every figure of it is computed by hand in test_kpi_day.py."""
        await self._first_quarter()
        await self._second_quarter()
        await self._third_quarter()

    async def _first_quarter(self) -> None:
        await (await self.at(0)).queue(threshold_s=20)
        await self.sign_on("grace")
        await (await self.at(60)).ready("grace")

        await (await self.at(120)).queued(
            "a"
        )  # A waits 5 s, talks 150 s with 30 s of hold; 60 s of wrap-up
        await self.rings("a.1", "grace")
        await (await self.at(125)).connected("a.1", "grace", wait_s=5, ring_s=5)
        await (await self.at(305)).disconnected("a.1", "grace", talk_s=150, hold_s=30)
        await (await self.at(365)).wrapped_up("a.1", "grace", wrap_up_s=60)

        await (await self.at(600)).sign_on("alan")
        await (await self.at(720)).ready("alan")
        await (await self.at(780)).queued(
            "b"
        )  # B rings at Alan for 20 s in vain; Grace answers after 30 s
        await self.rings("b.1", "alan")
        await (await self.at(800)).ended(routing.OfferExpired, "b.1", "alan", ring_s=20)
        await self.rings("b.2", "grace")
        await (await self.at(810)).connected("b.2", "grace", wait_s=30, ring_s=10)
        await (await self.at(890)).queued("c")  # C gives up after 10 s, as the next quarter begins

    async def _second_quarter(self) -> None:
        await (await self.at(900)).abandoned("c", wait_s=10)
        await self.ready("alan")
        await (await self.at(960)).queued("d")  # D is declined by Alan, and gives up after 40 s
        await self.rings("d.1", "alan")
        await (await self.at(970)).ended(routing.OfferRejected, "d.1", "alan", ring_s=10)
        await self.not_ready("alan")
        await (await self.at(990)).disconnected("b.2", "grace", talk_s=180, hold_s=0)
        await (await self.at(1_000)).abandoned("d", wait_s=40)
        await (await self.at(1_050)).wrapped_up("b.2", "grace", wrap_up_s=60)

        await (await self.at(1_200)).queued("e")  # E gives up after 25 s, while it rings at Grace
        await self.rings("e.1", "grace")
        await (await self.at(1_225)).abandoned("e", wait_s=25)
        await self.ended(routing.OfferCanceled, "e.1", "grace", ring_s=25)

        await (await self.at(1_440)).ready("alan")
        await (await self.at(1_490)).queued(
            "f"
        )  # Alan leaves while F rings; Grace answers after 20 s in all
        await self.rings("f.1", "alan")
        await (await self.at(1_500)).sign_off("alan")
        await self.ended(routing.OfferRescinded, "f.1", "alan", ring_s=10)
        await self.rings("f.2", "grace")
        await (await self.at(1_510)).connected("f.2", "grace", wait_s=20, ring_s=10)

    async def _third_quarter(self) -> None:
        await (await self.at(1_810)).disconnected("f.2", "grace", talk_s=300, hold_s=0)
        await (await self.at(1_860)).wrapped_up("f.2", "grace", wrap_up_s=50)
        await self.not_ready("grace")
        await (await self.at(2_100)).sign_off("grace")


Houses = Callable[[], AbstractAsyncContextManager[House]]


@pytest.fixture
async def houses() -> AsyncIterator[Houses]:
    """Return what opens a house; the next one finds the log and the snapshots of the last."""
    log, snapshots = MemoryLog(2), ObjectSnapshotStore.from_url("")
    yield lambda: open_house(log, snapshots)
    await log.close()


@pytest.fixture
async def houses_of_another_log() -> AsyncIterator[Houses]:
    """Return what opens a house on a log, with snapshots, of its own."""
    log, snapshots = MemoryLog(2), ObjectSnapshotStore.from_url("")
    yield lambda: open_house(log, snapshots)
    await log.close()


@pytest.fixture
async def house(houses: Houses) -> AsyncIterator[House]:
    async with houses() as house:
        yield house


@asynccontextmanager
async def open_house(
    log: Log, snapshots: SnapshotStore, log_url: str = "memory://"
) -> AsyncIterator[House]:
    settings = RuntimeSettings(
        log_url=log_url,
        grpc_listen="127.0.0.1:0",
        http_listen="127.0.0.1:0",
        heartbeat_ms=0,
        takeover_after_ms=0,
    )
    clock = VirtualClock(NINE_MS)
    off = Telemetry.off()
    process = Process(
        "reporting", settings, log=log, snapshots=snapshots, clock=clock, telemetry=off
    )
    puppets = {service: puppet_of(service) for service in ReportingReactions.sources}
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


@pytest.fixture(scope="session")
def teller() -> type[Teller]:
    """Return what tells facts, and the known day."""
    return Teller


# A PostgreSQL of the tests' own.


@pytest.fixture(scope="session")
def postgresql_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Start a PostgreSQL on a loopback port and stop it at the end; skipped, and counted, where there is none."""
    programs = find_programs("initdb", "pg_ctl", "postgres")
    folder = Path("/tmp") / f"huntgroup-pg-{secrets.token_hex(4)}"  # its user must get there
    folder.mkdir(mode=0o755)
    data, other_user = folder / "data", []
    if os.geteuid() == 0:  # PostgreSQL refuses to run as root
        other_user = ["runuser", "-u", "postgres", "--"]
        shutil.chown(folder, "postgres")
    port = free_port()
    try:
        subprocess.run(
            [*other_user, programs["initdb"], "-D", data, "-U", "ledger", "-A", "trust", "-N"],
            check=True,
            capture_output=True,
        )
        options = ("listen_addresses=127.0.0.1", f"unix_socket_directories={folder}", "fsync=off")
        set_options = itertools.chain.from_iterable(("-c", option) for option in options)
        with (folder / "log").open("wb") as log:
            server = subprocess.Popen(
                [*other_user, programs["postgres"], "-D", data, "-p", str(port), *set_options],
                stdout=log,
                stderr=log,
            )
            try:
                yield f"postgresql://ledger@127.0.0.1:{port}/postgres"
            finally:
                subprocess.run(
                    [*other_user, programs["pg_ctl"], "stop", "-D", data, "-m", "immediate"],
                    check=False,
                    capture_output=True,
                )
                server.wait(timeout=POSTGRES_START_S)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def find_programs(*names: str) -> dict[str, str]:
    """Find programs of PostgreSQL's server, which Debian keeps off the path; skip when there are none."""
    folders = [
        *sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True),
        *os.get_exec_path(),
    ]
    found = {name: shutil.which(name, path=os.pathsep.join(map(str, folders))) for name in names}
    if None in found.values():
        pytest.skip(f"NOT TESTED ON POSTGRESQL: programs of its server were not found: {found}")
    return {name: path for name, path in found.items() if path}


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    return port
