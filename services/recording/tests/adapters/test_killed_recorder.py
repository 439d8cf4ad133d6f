"""A recorder in a process of its own is killed in a call: what it stored can be played, what it lost is told."""

import asyncio
import hashlib
import json
import signal
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import grpc
import pytest

from huntgroup.event.v1.envelope_pb2 import CommandContext
from huntgroup.recording.v1.commands_pb2 import SetRecordingPolicyRequest
from huntgroup.recording.v1.events_pb2 import RECORDING_MODE_ALL
from huntgroup.recording.v1.service_pb2_grpc import RecordingServiceStub
from huntgroup_runtime.rpc.client import RpcClient

if TYPE_CHECKING:
    from services.recording.tests.adapters.conftest import Caller

pytestmark = pytest.mark.e2e

PROGRAM = Path(__file__).with_name("recorder_process.py")
DOMAIN = "acme/emea"


class Recorder:
    """The process, and what it has said."""

    def __init__(self, process: asyncio.subprocess.Process, address: str) -> None:
        self.process = process
        self.client = RpcClient(address)
        self.stub = RecordingServiceStub(self.client.channel)

    async def say(self, line: str) -> None:
        """Let the session service in it say something."""
        assert self.process.stdin is not None
        self.process.stdin.write(f"{line}\n".encode())
        await self.process.stdin.drain()

    async def until(self, event: str) -> list[dict[str, Any]]:
        """Return what it says up to an event."""
        said: list[dict[str, Any]] = []
        async with asyncio.timeout(20):
            while not said or said[-1]["event"] != event:
                said.append(await heard(self.process))
        return said

    async def kill(self) -> None:
        """Kill it, as by kill -9."""
        self.process.send_signal(signal.SIGKILL)
        assert await self.process.wait() == -signal.SIGKILL


async def heard(process: asyncio.subprocess.Process) -> dict[str, Any]:
    assert process.stdout is not None
    line = await process.stdout.readline()
    assert line, "the recorder ended"
    told: dict[str, Any] = json.loads(line)
    return told


@asynccontextmanager
async def recorder(directory: Path) -> AsyncIterator[Recorder]:
    pipe = asyncio.subprocess.PIPE
    process = await asyncio.create_subprocess_exec(
        sys.executable, str(PROGRAM), str(directory), stdin=pipe, stdout=pipe
    )
    made = Recorder(process, (await heard(process))["address"])
    try:
        yield made
    finally:
        await made.client.close()
        if process.returncode is None:
            assert process.stdin is not None
            process.stdin.close()
            async with asyncio.timeout(20):
                assert await process.wait() == 0


async def stored(directory: Path, count: int) -> list[Path]:
    """Wait until so many parts are on the disk."""
    folder = directory / "recordings" / DOMAIN / "parts" / "rec-ada"
    async with asyncio.timeout(20):
        while len(found := sorted(folder.glob("*.wav"))) < count:  # noqa: ASYNC110
            await asyncio.sleep(0.02)
    return found


async def test_a_killed_recorder_leaves_parts_that_play_and_a_gap_that_is_told(
    tmp_path: Path, caller_of: "Callable[[Any, str], Caller]", sound: Any
) -> None:
    async with recorder(tmp_path) as first:
        policy = SetRecordingPolicyRequest(
            context=CommandContext(domain=DOMAIN, command_id="policy"),
            queue_id="sales",
            mode=RECORDING_MODE_ALL,
        )
        await first.client.call(first.stub.SetRecordingPolicy, policy, timeout_ms=10_000)
        await first.say("connected ada")
        await first.until("RecordingRequested")
        caller = caller_of(first.stub, "ada")
        await caller.speak(0, 3_600, step_ms=200)
        parts = await stored(tmp_path, 3)
        await first.kill()
    for part in parts:
        played = sound(part.read_bytes())
        assert played.duration_ms == 1_000
        assert played.is_tone(0, 1_000)
    assert (await caller.fails()).code() is grpc.StatusCode.UNAVAILABLE

    async with recorder(tmp_path) as second:
        caller = caller_of(second.stub, "ada")
        await caller.speak(6_000, 7_500)
        *_, gap = await second.until("RecordingGapNoted")
        assert (gap["from_ms"], gap["to_ms"]) == (3_000, 6_000)
        assert gap["reason"] == "RECORDER_LOST"
        await caller.finish()
        await second.say("disconnected ada 7500")
        *_, sealed = await second.until("RecordingSealed")
    assert (sealed["segments"], sealed["gaps"], sealed["duration_ms"]) == (2, 1, 7_500)
    data = (tmp_path / "recordings" / sealed["location"]).read_bytes()
    assert hashlib.sha256(data).hexdigest() == sealed["sha256"]
    whole = sound(data)
    assert whole.is_tone(0, 3_000)
    assert whole.is_silent(3_000, 6_000)
    assert whole.is_tone(6_000, 7_500)
