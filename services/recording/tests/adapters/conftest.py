"""A whole recording service on a log in memory, next to a puppet of the session service, and callers with tones."""

import asyncio
import io
import itertools
import math
import wave
from array import array
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from itertools import pairwise
from typing import Any

import grpc
import pytest
from google.protobuf.message import Message

from huntgroup.event.v1.envelope_pb2 import CommandContext
from huntgroup.event.v1.options_pb2 import event_type
from huntgroup.recording.v1 import commands_pb2 as pb
from huntgroup.recording.v1 import events_pb2
from huntgroup.recording.v1.service_pb2_grpc import RecordingServiceStub
from huntgroup.session.v1 import events_pb2 as session
from huntgroup_contracts.registry import event_class
from huntgroup_eventlog.adapters.memory import MemoryLog
from huntgroup_eventlog.application import AcceptedEvent, Application, ForeignEvent
from huntgroup_eventlog.port import Log
from huntgroup_eventlog.snapshots import ObjectSnapshotStore, SnapshotStore
from huntgroup_recording.adapters.store import MemoryVault
from huntgroup_recording.app.queries import LiveRecordings
from huntgroup_recording.settings import RecordingSettings
from huntgroup_recording.wiring import wire
from huntgroup_runtime.clock import SystemClock, VirtualClock
from huntgroup_runtime.journals import ServiceJournals, all_idle, unrelayed
from huntgroup_runtime.process import Process
from huntgroup_runtime.rpc.client import RpcClient
from huntgroup_runtime.settings import RuntimeSettings
from huntgroup_runtime.telemetry import Telemetry

DOMAIN = "acme/emea"
RATE_HZ = 8_000
CUSTOMER_HZ, AGENT_HZ = 400, 1_000
START_MS = 1_000_000
NUMBERS = itertools.count(1)

SETTINGS = RuntimeSettings(
    log_url="memory://",
    grpc_listen="127.0.0.1:0",
    http_listen="127.0.0.1:0",
    heartbeat_ms=0,
    takeover_after_ms=0,
    grpc_slow_reader_ms=1_000,
)


class Sound:
    """A stereo file, opened by the standard library."""

    def __init__(self, data: bytes) -> None:
        with wave.open(io.BytesIO(data)) as opened:
            assert opened.getnchannels() == 2
            assert opened.getsampwidth() == 2
            self.rate_hz: int = opened.getframerate()
            frames = array("h", opened.readframes(opened.getnframes()))
        assert len(data) == 44 + len(frames) * 2
        self._sides = frames[0::2], frames[1::2]

    @property
    def duration_ms(self) -> int:
        return len(self._sides[0]) * 1_000 // self.rate_hz

    def loudness(self, from_ms: int, to_ms: int) -> tuple[int, ...]:
        """Return the root mean square of customer and agent; 7,071 is the tone."""
        return tuple(rms(side) for side in self._cut(from_ms, to_ms))

    def pitch(self, from_ms: int, to_ms: int) -> tuple[int, ...]:
        """Return the frequency of customer and agent, counted by upward crossings of zero."""
        seconds = (to_ms - from_ms) / 1_000
        return tuple(round(crossings(side) / seconds) for side in self._cut(from_ms, to_ms))

    def is_tone(self, from_ms: int, to_ms: int) -> bool:
        """Return whether both sides sing as they should, from beginning to end."""
        low, high = self.pitch(from_ms, to_ms)
        steps = range(from_ms, to_ms - 49, 50)
        return (
            abs(low - CUSTOMER_HZ) <= 20
            and abs(high - AGENT_HZ) <= 20
            and all(min(self.loudness(step, step + 50)) > 7_000 for step in steps)
        )

    def is_silent(self, from_ms: int, to_ms: int) -> bool:
        """Return whether nothing is to be heard."""
        return not any(any(side) for side in self._cut(from_ms, to_ms))

    def _cut(self, from_ms: int, to_ms: int) -> tuple["array[int]", ...]:
        assert to_ms <= self.duration_ms
        samples = slice(from_ms * self.rate_hz // 1_000, to_ms * self.rate_hz // 1_000)
        return tuple(side[samples] for side in self._sides)


def rms(samples: "array[int]") -> int:
    return round(math.sqrt(sum(sample * sample for sample in samples) / len(samples)))


def crossings(samples: "array[int]") -> int:
    return sum(before < 0 <= after for before, after in pairwise(samples))


class Puppet:
    """A session service that says what it is told to say: its commands are its events."""

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
        return event.DESCRIPTOR.GetOptions().Extensions[event_type], event.SerializeToString()

    def decode(self, type_: str, payload: bytes) -> Message:
        return event_class(type_).FromString(payload)


def puppet_session() -> Application:
    puppet = Puppet()
    return Application(
        service="session", core=puppet, codec=puppet, reactions=puppet, code_version="1"
    )


def tone(frequency_hz: int, from_ms: int, to_ms: int, rate_hz: int = RATE_HZ) -> bytes:
    """Return a sine on the contact's clock, so that pieces of it join without a click."""
    samples = range(from_ms * rate_hz // 1_000, to_ms * rate_hz // 1_000)
    turn = 2 * math.pi * frequency_hz / rate_hz
    return array("h", (round(10_000 * math.sin(turn * n)) for n in samples)).tobytes()


def chunk(from_ms: int, to_ms: int, rate_hz: int = RATE_HZ) -> pb.IngestAudioRequest:
    """Return audio of both sides: the customer sings low, the agent high."""
    return pb.IngestAudioRequest(
        chunk=pb.AudioChunk(
            offset_ms=from_ms,
            customer=tone(CUSTOMER_HZ, from_ms, to_ms, rate_hz),
            agent=tone(AGENT_HZ, from_ms, to_ms, rate_hz),
        )
    )


class Caller:
    """One stream of audio of one contact."""

    def __init__(self, stub: Any, contact_id: str, rate_hz: int, domain: str) -> None:
        self._call = stub.IngestAudio()
        self._rate_hz = rate_hz
        self._hello = pb.AudioHello(domain=domain, contact_id=contact_id, sample_rate_hz=rate_hz)
        self._greeted = False
        self.contact_id = contact_id
        self.sent_ms = 0

    async def greet(self) -> None:
        """Open the stream."""
        self._greeted = True
        await self._call.write(pb.IngestAudioRequest(hello=self._hello))

    async def send(self, request: pb.IngestAudioRequest) -> None:
        """Send any message."""
        if not self._greeted:
            await self.greet()
        await self._call.write(request)

    async def speak(self, from_ms: int, to_ms: int, step_ms: int = 500) -> None:
        """Send the tones of some time."""
        for begin_ms in range(from_ms, to_ms, step_ms):
            end_ms = min(begin_ms + step_ms, to_ms)
            await self.send(chunk(begin_ms, end_ms, self._rate_hz))
            self.sent_ms += end_ms - begin_ms

    async def finish(self) -> pb.IngestAudioResponse:
        """Close the stream in order."""
        await self._call.done_writing()
        return await self.answer()

    async def answer(self) -> pb.IngestAudioResponse:
        """Wait until the service ends the stream."""
        async with asyncio.timeout(5):
            response: pb.IngestAudioResponse = await self._call
        return response

    async def fails(self) -> grpc.aio.AioRpcError:
        """Wait until the service ends the stream with an error."""
        with pytest.raises(grpc.aio.AioRpcError) as failed:
            await self.answer()
        return failed.value

    def vanish(self) -> None:
        """Break off."""
        self._call.cancel()


class Studio:
    """The process, a client of it, and the hand in the puppet. Time stands still until `jump` or `pass_ms`."""

    def __init__(
        self,
        process: Process,
        client: RpcClient,
        clock: VirtualClock | SystemClock,
        puppet: ServiceJournals,
    ) -> None:
        self.process = process
        self.clock = clock
        self.client = client
        self.stub = RecordingServiceStub(client.channel)
        self._puppet = puppet
        (sealing,) = process.journals[1]._listeners
        self.live: LiveRecordings = sealing._live  # type: ignore[attr-defined]
        self._heard: list[AcceptedEvent] = []

    # A listener of the recording service.

    def owned(self, partition: int, states: dict[str, Any]) -> None:
        return None

    def accepted(self, partition: int, events: list[AcceptedEvent]) -> None:
        self._heard += events

    def lost(self, partition: int) -> None:
        return None

    def events(self, name: str = "", contact_id: str = "") -> list[Any]:
        """Return what recording said, in order: all, or of one kind or contact."""
        return [
            one.event
            for one in self._heard
            if name in ("", type(one.event).__name__)
            and contact_id in ("", getattr(one.event, "contact_id", ""))
        ]

    def gaps(self, contact_id: str = "") -> list[tuple[int, int, str]]:
        """Return from, to and reason of the gaps that were noted."""
        noted = self.events("RecordingGapNoted", contact_id)
        return [(gap.from_ms, gap.to_ms, str(gap.reason)) for gap in noted]

    # What the session service says.

    async def connect(
        self, contact_id: str, channel: session.Channel.ValueType = session.CHANNEL_VOICE
    ) -> None:
        """Customer and agent talk in the queue `sales`; their clock begins when the studio opened."""
        await self.say(
            session.ContactConnected(
                at_ms=START_MS,
                contact_id=contact_id,
                agent_id="grace",
                queue_id="sales",
                channel=channel,
            )
        )

    async def hold(self, contact_id: str, offset_ms: int) -> None:
        """The agent put the customer on hold."""
        at_ms = START_MS + offset_ms
        await self.say(session.ContactHeld(at_ms=at_ms, contact_id=contact_id))

    async def retrieve(self, contact_id: str, offset_ms: int) -> None:
        """The agent took the customer off hold."""
        at_ms = START_MS + offset_ms
        await self.say(session.ContactRetrieved(at_ms=at_ms, contact_id=contact_id))

    async def part(self, contact_id: str, offset_ms: int) -> None:
        """The conversation is over."""
        at_ms = START_MS + offset_ms
        await self.say(session.ContactDisconnected(at_ms=at_ms, contact_id=contact_id))

    async def say(self, fact: Message) -> None:
        """Let the session service say something, and wait until recording has taken it in."""
        fact_id = f"fact-{next(NUMBERS)}"
        await self._puppet.submit(DOMAIN, fact_id, fact, check=0, traceparent="")
        if isinstance(self.clock, SystemClock):
            return
        async with asyncio.timeout(5):
            while not all_idle(self.process.journals) or unrelayed(self.process.journals):  # noqa: ASYNC110
                await asyncio.sleep(0.001)

    # What callers do.

    async def record(self, *, on: bool = True) -> None:
        """Let the queue `sales` be recorded."""
        mode = events_pb2.RECORDING_MODE_ALL if on else events_pb2.RECORDING_MODE_OFF
        await self.command("SetRecordingPolicy", queue_id="sales", mode=mode)

    async def command(self, rpc: str, **fields: Any) -> Any:
        """Send a command with a new id."""
        context = CommandContext(domain=DOMAIN, command_id=f"command-{next(NUMBERS)}")
        request = getattr(pb, f"{rpc}Request")(context=context, **fields)
        return await self.client.call(getattr(self.stub, rpc), request, timeout_ms=5_000)

    def caller(self, contact_id: str, rate_hz: int = RATE_HZ, domain: str = DOMAIN) -> Caller:
        """Return a stream that is not open yet."""
        return Caller(self.stub, contact_id, rate_hz, domain)

    async def view(self, contact_id: str) -> pb.RecordingView:
        """Ask for a recording."""
        request = pb.GetRecordingRequest(domain=DOMAIN, contact_id=contact_id)
        response = await self.client.call(self.stub.GetRecording, request, timeout_ms=5_000)
        return response.recording

    async def fetch(self, contact_id: str) -> bytes:
        """Fetch a sealed file."""
        request = pb.FetchRecordingRequest(domain=DOMAIN, contact_id=contact_id)
        pieces = [piece.data async for piece in self.stub.FetchRecording(request)]
        assert all(len(piece) <= 65_536 for piece in pieces)
        return b"".join(pieces)

    async def sound(self, contact_id: str) -> Sound:
        """Fetch a sealed file and open it."""
        return Sound(await self.fetch(contact_id))

    async def settled(self, caller: Caller) -> None:
        """Wait until all that a caller has sent is taken."""

        def taken() -> bool:
            recording = self.live.find(DOMAIN, caller.contact_id)
            stream: Any = recording and recording.stream
            return bool(stream) and stream.received_ms >= caller.sent_ms

        await self.until(taken, f"{caller.sent_ms} ms of {caller.contact_id}")

    def without_stream(self, contact_id: str) -> bool:
        """Return whether nobody sends audio of the contact."""
        recording = self.live.find(DOMAIN, contact_id)
        return recording is not None and recording.stream is None

    # Time.

    async def until(self, condition: Callable[[], Any], what: str) -> None:
        """Wait, in real time, for something that happens while the clock stands still."""
        try:
            async with asyncio.timeout(5):
                while not condition():  # noqa: ASYNC110
                    await asyncio.sleep(0.002)
        except TimeoutError:
            raise AssertionError(f"{what}: not in time; said: {self.events()}") from None

    async def pass_ms(self, span_ms: int) -> None:
        """Let time go on."""
        assert isinstance(self.clock, VirtualClock)
        until_ms = self.clock.now_ms() + span_ms
        asleep = asyncio.create_task(self.clock.sleep_until(until_ms))
        await asyncio.sleep(0)
        while self.clock.now_ms() < until_ms:
            assert self.clock.jump()
            await asyncio.sleep(0.005)
        await asleep

    async def sealed(self, contact_id: str) -> Any:
        """Wait until the recording is sealed and tidied up, and return the event."""
        await self.until(
            lambda: (
                self.events("RecordingSealed", contact_id) and not self.process.activity.under_way
            ),
            f"{contact_id} sealed",
        )
        (event,) = self.events("RecordingSealed", contact_id)
        return event


@pytest.fixture
def sound() -> type[Sound]:
    """Return what opens a file."""
    return Sound


@pytest.fixture
def caller_of() -> Callable[[Any, str], Caller]:
    """Return what makes a caller of any stub."""
    return lambda stub, contact_id: Caller(stub, contact_id, RATE_HZ, DOMAIN)


Studios = Callable[[], AbstractAsyncContextManager[Studio]]


@pytest.fixture
def vault(monkeypatch: pytest.MonkeyPatch) -> MemoryVault:
    """Return the vault that every studio of this test finds."""
    vault = MemoryVault()
    monkeypatch.setattr("huntgroup_recording.wiring.open_vault", lambda url, timeout_ms: vault)
    return vault


@pytest.fixture
async def studios(vault: MemoryVault) -> AsyncIterator[Studios]:
    """Return what opens a studio; the next one finds log, snapshots and recordings of the last."""
    log, snapshots = MemoryLog(2), ObjectSnapshotStore.from_url("")
    clock = VirtualClock(START_MS)
    yield lambda: open_studio(log, snapshots, clock)
    await log.close()


@pytest.fixture
async def studio(studios: Studios) -> AsyncIterator[Studio]:
    async with studios() as studio:
        await studio.record()
        yield studio


@pytest.fixture
async def replicas(vault: MemoryVault) -> AsyncIterator[Callable[[int], Any]]:
    """Return what opens one of two replicas on one log; time is real, so that ownership moves."""
    log, snapshots = MemoryLog(1), ObjectSnapshotStore.from_url("")
    yield lambda index: open_studio(
        log,
        snapshots,
        SystemClock(),
        SETTINGS.model_copy(
            update={
                "owner_id": f"replica-{index}",
                "replica_index": index,
                "replica_count": 2,
                "heartbeat_ms": 50,
                "takeover_after_ms": 400,
            }
        ),
    )
    await log.close()


@asynccontextmanager
async def open_studio(
    log: Log,
    snapshots: SnapshotStore,
    clock: VirtualClock | SystemClock,
    settings: RuntimeSettings = SETTINGS,
) -> AsyncIterator[Studio]:
    off = Telemetry.off()
    process = Process(
        "recording", settings, log=log, snapshots=snapshots, clock=clock, telemetry=off
    )
    puppet = process.add_journals(puppet_session())
    await wire(process, RecordingSettings())
    async with RpcClient(process.address) as client:
        studio = Studio(process, client, clock, puppet)
        process.journals[1].subscribe(studio)
        await process.start()
        try:
            await studio.until(lambda: ready(process), "ready")
            yield studio
        finally:
            await process.stop()


def ready(process: Process) -> bool:
    """Return whether everything is owned: here, or by some replica."""
    if process.settings.replica_count == 1:
        return all_idle(process.journals) and not unrelayed(process.journals)
    return all(one.caught_up() for one in process.journals)
