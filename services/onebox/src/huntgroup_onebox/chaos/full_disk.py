"""A full disk under the recordings: what is missing is told at once, what was finished can be read, calls go on."""

import asyncio
import hashlib
import io
import time
import wave
from pathlib import Path
from typing import Final

from huntgroup.recording.v1 import commands_pb2 as pb
from huntgroup.recording.v1.events_pb2 import GAP_REASON_STORAGE_FAILED
from huntgroup_onebox.box import SERVICES
from huntgroup_onebox.chaos.checks import after_fault, at_end
from huntgroup_onebox.chaos.load import Load
from huntgroup_onebox.chaos.patience import comes
from huntgroup_onebox.chaos.recorded_calls import recorded_call, recording_of
from huntgroup_onebox.chaos.results import Series
from huntgroup_onebox.chaos.run import MOMENT_S_MAX, Run
from huntgroup_onebox.chaos.stage import Stage
from huntgroup_onebox.chaos.tiny_disk import TinyDisk

FINISHED_S, CALL_S = 2.0, 16.0
HEARD_S: Final = 4.0
FULL_S: Final = 6.0
TOLD_WITHIN_S: Final = 4.0
"""A part is about a second of audio: so long until one cannot be stored, and some for a busy machine."""
STILL_S_MAX: Final = 5.0


async def full_disk(run: Run) -> None:
    """Fill the file system of the recordings in the middle of a recorded call, then make room again."""
    what = "fill the disk of the recordings"
    chance = run.chance(what)
    with (
        TinyDisk(run.folder / "tiny-disk") as disk,
        run.series("full-disk", what, "until the gap is told") as series,
    ):
        store = {"HUNTGROUP_RECORDING_STORE_URL": disk.path.as_uri()}
        async with run.stage("disk", environment=store) as stage:
            for number in range(run.fewer):
                await asyncio.sleep(chance.uniform(0, MOMENT_S_MAX))
                await fill_once(
                    stage, series, disk, stage.domains[number % len(stage.domains)], number
                )
                told = f"{series.seconds[-1]:.2f} s" if series.seconds else "never told"
                run.say(f"{series.what}: {number + 1} of {run.fewer}, {told}")
            await at_end(stage, series)


async def fill_once(stage: Stage, series: Series, disk: TinyDisk, domain: str, number: int) -> None:
    """Fill the disk in the middle of a call that is recorded, make room again, and look for harm."""
    load = stage.loads[domain]
    finished, talking = f"finished-{number}", f"talking-{number}"
    await recorded_call(load, finished, FINISHED_S)
    await comes(lambda: _in_state(load, finished, "SEALED"))
    sealed = (await recording_of(load, finished)).sha256
    await recorded_call(load, talking, CALL_S)
    await comes(lambda: _in_state(load, talking, "RECORDING"))
    await asyncio.sleep(HEARD_S)
    before, began_s = await stage.lines(), time.monotonic()
    disk.fill()
    try:
        if await comes(lambda: _gap_told(load, talking), TOLD_WITHIN_S):
            series.seconds.append(time.monotonic() - began_s)
        else:
            series.problem(f"no gap of {talking} was told within {TOLD_WITHIN_S:.0f} s")
        if await _fetched(load, finished) != sealed:
            series.problem(f"the finished recording of {finished} is not what was sealed")
        for part in broken_parts(disk.path):
            series.problem(f"a finished part cannot be read: {part}")
        await asyncio.sleep(max(0.0, began_s + FULL_S - time.monotonic()))
        _judge_stillness(stage, series, began_s)
    finally:
        disk.make_room()
    await _judge_recovery(load, series, talking)
    await after_fault(stage, series, before)


def _judge_stillness(stage: Stage, series: Series, began_s: float) -> None:
    for service in SERVICES:
        silence_s = stage.silence_s(service, stage.domains, began_s)
        if silence_s > STILL_S_MAX:
            series.problem(f"{service} stood still for {silence_s:.1f} s while the disk was full")


async def _judge_recovery(load: Load, series: Series, contact_id: str) -> None:
    """Once there is room the recording goes on, and is sealed: its end is there, its gaps are told."""
    if not await comes(lambda: _in_state(load, contact_id, "SEALED")):
        series.problem(f"the recording of {contact_id} was not sealed after there was room again")
        return
    recording = await recording_of(load, contact_id)
    missing_ms = sum(
        one.to_ms - one.from_ms for one in recording.gaps if one.reason == GAP_REASON_STORAGE_FAILED
    )
    if not missing_ms or recording.gaps[-1].to_ms >= recording.duration_ms - 1_000:
        series.problem(f"the recording of {contact_id} did not go on: {recording}")
    if await _fetched(load, contact_id) != recording.sha256:
        series.problem(f"the recording of {contact_id} is not what was sealed")
    series.note(
        f"{missing_ms / 1_000:.1f} s of {recording.duration_ms / 1_000:.1f} s missing, told"
    )


async def _in_state(load: Load, contact_id: str, state: str) -> bool:
    found: bool = (await recording_of(load, contact_id)).state == state
    return found


async def _gap_told(load: Load, contact_id: str) -> bool:
    gaps = (await recording_of(load, contact_id)).gaps
    return any(one.reason == GAP_REASON_STORAGE_FAILED for one in gaps)


async def _fetched(load: Load, contact_id: str) -> str:
    """Return the hash of what the recorder gives out."""
    request = pb.FetchRecordingRequest(domain=load.domain, contact_id=contact_id)
    digest = hashlib.sha256()
    async for piece in load.api.recording.FetchRecording(request):
        digest.update(piece.data)
    return digest.hexdigest()


def broken_parts(folder: Path) -> list[str]:
    """Return the WAV files below a folder that cannot be read to their end."""
    broken = []
    for path in folder.rglob("*.wav"):
        try:
            data = path.read_bytes()
            with wave.open(io.BytesIO(data)) as file:
                frame_bytes = file.getnchannels() * file.getsampwidth()
                if len(file.readframes(file.getnframes())) != file.getnframes() * frame_bytes:
                    broken.append(f"{path.name} is cut off")
        except FileNotFoundError:
            continue  # tidied up meanwhile
        except (wave.Error, EOFError) as error:
            broken.append(f"{path.name}: {error}")
    return broken
