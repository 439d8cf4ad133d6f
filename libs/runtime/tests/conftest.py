"""A small service of its own, stand-ins for journals, and replicas that serve it over real gRPC on the loopback."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from dataclasses import dataclass, field
from typing import Any

import grpc
import pytest
import pytest_asyncio
from google.protobuf import descriptor_pool
from google.protobuf.descriptor import ServiceDescriptor
from google.protobuf.descriptor_pb2 import FieldDescriptorProto, FileDescriptorProto
from google.protobuf.message_factory import GetMessageClass

from huntgroup.event.v1 import envelope_pb2, options_pb2
from huntgroup_eventlog.application import CommandOutcome, NotOwnerError
from huntgroup_runtime.rpc.commands import RpcApi
from huntgroup_runtime.rpc.errors import NotFoundError
from huntgroup_runtime.rpc.forwarding import Peers
from huntgroup_runtime.rpc.server import RpcServer
from huntgroup_runtime.settings import RuntimeSettings, load_settings
from huntgroup_runtime.telemetry import Telemetry

PACKAGE = "huntgroup.bell_tower.v1"
SERVICE = f"{PACKAGE}.BellService"
CONTEXT = ".huntgroup.event.v1.CommandContext"
RECEIPT = ".huntgroup.event.v1.Receipt"
STRING, INT32, MESSAGE = (
    FieldDescriptorProto.TYPE_STRING,
    FieldDescriptorProto.TYPE_INT32,
    FieldDescriptorProto.TYPE_MESSAGE,
)

MESSAGES: dict[str, list[tuple[str, Any, dict[str, Any]]]] = {
    "RingRequest": [
        ("context", CONTEXT, {"required": True}),
        ("bell_id", STRING, {"required": True, "max_length": 8, "pattern": "[a-z]+"}),
        ("strokes", INT32, {"min": 1, "max": 12}),
        ("note", STRING, {}),
    ],
    "RingResponse": [("receipt", RECEIPT, {})],
    "GetBellRequest": [("domain", STRING, {"required": True}), ("bell_id", STRING, {})],
    "GetBellResponse": [("bell_id", STRING, {}), ("strokes", INT32, {})],
    "CountBellsRequest": [("domain", STRING, {"required": True})],
    "CountBellsResponse": [("bells", INT32, {})],
    "WatchRequest": [("domain", STRING, {"required": True}), ("strokes", INT32, {})],
    "WatchResponse": [("text", STRING, {})],
    "ListenRequest": [("domain", STRING, {"required": True}), ("number", INT32, {})],
    "ListenResponse": [("text", STRING, {}), ("number", INT32, {})],
    "CollectRequest": [("domain", STRING, {}), ("text", STRING, {"max_length": 100})],
    "CollectResponse": [("text", STRING, {})],
    "TalkRequest": [("domain", STRING, {}), ("text", STRING, {"max_length": 100})],
    "TalkResponse": [("text", STRING, {})],
}
WORK = {
    "Ring": options_pb2.WORK_NEW,
    "GetBell": options_pb2.WORK_READ,
    "Listen": options_pb2.WORK_READ,
}
"""The class of each rpc; the others say nothing and count as work in progress."""
RPCS = {
    "Ring": ("RingRequest", "RingResponse", False, False),
    "GetBell": ("GetBellRequest", "GetBellResponse", False, False),
    "CountBells": ("CountBellsRequest", "CountBellsResponse", False, False),
    "Watch": ("WatchRequest", "WatchResponse", False, True),
    "Listen": ("ListenRequest", "ListenResponse", False, True),
    "Collect": ("CollectRequest", "CollectResponse", True, False),
    "Talk": ("TalkRequest", "TalkResponse", True, True),
}


def declare(
    package: str, service_name: str, messages: dict[str, Any], rpcs: dict[str, Any]
) -> ServiceDescriptor:
    """Make a service known to the default pool, as a generated module would."""
    file = FileDescriptorProto(name=f"{package}.proto", package=package, syntax="proto3")
    file.dependency.extend([envelope_pb2.DESCRIPTOR.name, options_pb2.DESCRIPTOR.name])
    for message_name, fields in messages.items():
        message = file.message_type.add(name=message_name)
        for number, (name, kind, rules) in enumerate(fields, start=1):
            added = message.field.add(
                name=name, number=number, label=FieldDescriptorProto.LABEL_OPTIONAL
            )
            added.type = MESSAGE if isinstance(kind, str) else kind
            if isinstance(kind, str):
                added.type_name = kind
            if rules:
                added.options.Extensions[options_pb2.rules].CopyFrom(
                    options_pb2.FieldRules(**rules)
                )
    service = file.service.add(name=service_name)
    for name, (request, response, client_streaming, server_streaming) in rpcs.items():
        method = service.method.add(
            name=name,
            input_type=f".{package}.{request}",
            output_type=f".{package}.{response}",
            client_streaming=client_streaming,
            server_streaming=server_streaming,
        )
        if name in WORK:
            method.options.Extensions[options_pb2.work] = WORK[name]
    POOL.AddSerializedFile(file.SerializeToString())
    return POOL.FindServiceByName(f"{package}.{service_name}")


POOL = descriptor_pool.Default()
DESCRIPTOR = declare(PACKAGE, "BellService", MESSAGES, RPCS)


class Messages:
    """The classes of the messages, as `bells.RingRequest(…)`."""

    def __getattr__(self, name: str) -> Any:
        return GetMessageClass(POOL.FindMessageTypeByName(f"{PACKAGE}.{name}"))

    def ring(self, command_id: str = "c1", domain: str = "acme/emea", **fields: Any) -> Any:
        context = envelope_pb2.CommandContext(domain=domain, command_id=command_id)
        return self.RingRequest(context=context, **{"bell_id": "tom", "strokes": 3, **fields})


@dataclass(frozen=True, slots=True, kw_only=True)
class Ring:
    """The command."""

    bell_id: str
    strokes: int
    note: str


def _serialized(message: Any) -> bytes:
    raw: bytes = message.SerializeToString()
    return raw


class Stub:
    """The callables of the service on one channel, by the name of the rpc."""

    def __init__(self, channel: grpc.aio.Channel) -> None:
        for name, (_, response, client_streaming, server_streaming) in RPCS.items():
            kind = {
                (False, False): channel.unary_unary,
                (False, True): channel.unary_stream,
                (True, False): channel.stream_unary,
                (True, True): channel.stream_stream,
            }[client_streaming, server_streaming]
            response_class = getattr(Messages(), response)
            made = kind(
                f"/{SERVICE}/{name}",
                request_serializer=_serialized,
                response_deserializer=response_class.FromString,
            )
            setattr(self, name, made)

    def __getattr__(self, name: str) -> Any:
        raise AttributeError(name)


@dataclass
class StandInJournals:
    """Answers as told: `script` first (an error to raise, or an outcome), then whatever ownership says."""

    owned: bool = True
    address: str = ""
    script: list[Any] = field(default_factory=list)
    submitted: list[tuple[str, str, Any, int, str]] = field(default_factory=list)
    in_progress: list[bool] = field(default_factory=list)
    state: dict[str, int] = field(default_factory=lambda: {"tom": 3})
    delay_s: float = 0.0
    remembered: set[str] = field(default_factory=set)

    async def submit(
        self,
        domain: str,
        command_id: str,
        command: Any,
        *,
        check: int,
        traceparent: str,
        in_progress: bool = True,
    ) -> CommandOutcome:
        self.in_progress.append(in_progress)
        self.submitted.append((domain, command_id, command, check, traceparent))
        await asyncio.sleep(self.delay_s)
        self._follow_script()
        if self.script:
            answer: CommandOutcome = self.script.pop(0)
            return answer
        return CommandOutcome(command_id=command_id, position=41)

    async def query(self, domain: str, read: Callable[[Any], Any]) -> Any:
        self._follow_script()
        return read(self.state)

    def owner_address(self, domain: str) -> str:
        return self.address

    def owns(self, domain: str) -> bool:
        return self.owned

    def remembers(self, domain: str, command_id: str) -> bool:
        return command_id in self.remembered

    def caught_up(self) -> bool:
        return True

    def subscribe(self, listener: Any) -> None:
        raise NotImplementedError

    def _follow_script(self) -> None:
        if self.script and isinstance(self.script[0], Exception):
            raise self.script.pop(0)
        if not self.owned:
            raise NotOwnerError(self.address)


@dataclass
class Replica:
    """One server of the bell service, with what it is made of."""

    journals: StandInJournals
    server: RpcServer
    peers: Peers
    telemetry: Telemetry
    channel: grpc.aio.Channel
    stub: Any
    ended_streams: list[str] = field(default_factory=list)
    seen: list[str] = field(default_factory=list)
    shouted: int = 0

    @property
    def address(self) -> str:
        return self.server.address

    async def watch(self, request: Any) -> AsyncGenerator[Any, None]:
        try:
            for stroke in range(request.strokes):
                yield Messages().WatchResponse(text=f"stroke {stroke + 1}")
            while request.domain == "acme/loud":
                self.shouted += 1
                yield Messages().WatchResponse(text="!" * 100_000)
            while request.strokes == 0:
                yield Messages().WatchResponse(text="tick")
                await asyncio.sleep(0.01)
        finally:
            self.ended_streams.append("Watch")

    async def listen(self, request: Any) -> AsyncGenerator[Any, None]:
        number = request.number + 1
        try:
            yield Messages().ListenResponse(number=number)
            while request.domain == "acme/loud":
                number += 1
                yield Messages().ListenResponse(number=number, text="!" * 100_000)
            await asyncio.Event().wait()
        finally:
            self.ended_streams.append("Listen")

    async def collect(self, requests: AsyncIterator[Any]) -> Any:
        return Messages().CollectResponse(text="+".join([one.text async for one in requests]))

    async def talk(self, requests: AsyncIterator[Any]) -> AsyncGenerator[Any, None]:
        try:
            async for request in requests:
                self.seen.append(request.text)
                if request.text == "not mine":
                    raise NotOwnerError
                yield Messages().TalkResponse(text=request.text.upper())
        finally:
            self.ended_streams.append("Talk")

    async def count_bells(self, request: Any) -> Any:
        if request.domain == "acme/slow":
            await asyncio.sleep(60)
        if request.domain == "acme/broken":
            raise RuntimeError("secret detail of 10.1.2.3")
        return Messages().CountBellsResponse(bells=len(self.journals.state))


def get_bell(request: Any, state: dict[str, int]) -> Any:
    if request.bell_id not in state:
        raise NotFoundError("UNKNOWN_BELL", f"bell_id={request.bell_id!r}: no such bell")
    return Messages().GetBellResponse(bell_id=request.bell_id, strokes=state[request.bell_id])


@pytest.fixture(scope="session")
def declare_service() -> Callable[..., ServiceDescriptor]:
    return declare


@pytest.fixture
def bells() -> Messages:
    return Messages()


@pytest.fixture
def make_settings() -> Callable[..., RuntimeSettings]:
    def make(**overrides: Any) -> RuntimeSettings:
        loopback = {"grpc_listen": "127.0.0.1:0", "http_listen": "127.0.0.1:0"}
        return load_settings(
            RuntimeSettings, **{"log_url": "memory://", "drain_ms": 2_000, **loopback, **overrides}
        )

    return make


@pytest.fixture
def journals() -> Callable[..., StandInJournals]:
    return StandInJournals


@pytest_asyncio.fixture
async def start_replica(
    make_settings: Callable[..., RuntimeSettings],
) -> AsyncIterator[Callable[..., Any]]:
    replicas: list[Replica] = []

    async def start(
        journals: StandInJournals | None = None,
        telemetry: Telemetry | None = None,
        **overrides: Any,
    ) -> Replica:
        journals = journals or StandInJournals()
        telemetry = telemetry or Telemetry.off()
        settings = make_settings(**overrides)
        server = RpcServer(settings, telemetry)
        peers = Peers(
            own_address=server.address,
            telemetry=telemetry,
            message_bytes_max=settings.grpc_message_bytes_max,
            slow_reader_ms=settings.grpc_slow_reader_ms,
        )
        channel = grpc.aio.insecure_channel(server.address)
        replica = Replica(journals, server, peers, telemetry, channel, Stub(channel))
        statuses = {
            "BELL_CRACKED": grpc.StatusCode.FAILED_PRECONDITION,
            "NO_BELL": grpc.StatusCode.NOT_FOUND,
        }
        api = RpcApi(
            DESCRIPTOR, journals=journals, peers=peers, telemetry=telemetry, statuses=statuses
        )
        api.gate = server.gate(api.name)
        api.command("Ring", Ring)
        api.query("GetBell", get_bell)
        api.unary("CountBells", replica.count_bells)
        api.unary_stream("Watch", replica.watch)
        api.unary_stream("Listen", replica.listen, position=lambda one: str(one.number))
        api.stream_unary("Collect", replica.collect, domain=lambda first: first.domain)
        api.stream_stream("Talk", replica.talk, domain=lambda first: first.domain)
        server.add(api.name, api.register)
        await server.start()
        replicas.append(replica)
        return replica

    yield start
    for replica in replicas:
        await replica.channel.close()
        await replica.peers.close()
        await replica.server.stop()
