"""What follows from accepted events: stopped recordings are sealed and then tidied up, here or after a takeover.

Everything is derived from accepted state and from what the vault holds, and is safe to repeat: a new owner begins
again where the old one was lost.
"""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Iterator, Sequence
from typing import Any, Final

import structlog

from huntgroup_eventlog.application import (
    AcceptedEvent,
    NotOwnerError,
    OutcomeUnknownError,
    OverloadedError,
    PartitionHaltedError,
)
from huntgroup_recording.app.handlers import OwnCommands
from huntgroup_recording.app.ports import Archive, Part, VaultError
from huntgroup_recording.app.queries import (
    LiveRecording,
    LiveRecordings,
    StreamEnd,
    find_recording,
)
from huntgroup_recording.core.messages import (
    RecordingAbsent,
    RecordingSealed,
    RecordingStarted,
    RecordingStopped,
    Refused,
)
from huntgroup_recording.core.state import State
from huntgroup_recording.core.values import HOLE_MS_MAX, AbsenceReason, GapReason
from huntgroup_recording.telemetry import EFFECT_FAILED, PARTS_ORPHANED, STORAGE_FAILED
from huntgroup_runtime.clock import Activity, Clock
from huntgroup_runtime.ports import Journals
from huntgroup_runtime.telemetry import Telemetry

TAIL_MS_MAX: Final = 1_000
"""Audio that came in to its end may end so long before the stop, which is told by another clock."""
RETRY_MS: Final = 500
RETRY_MS_MAX: Final = 30_000
_ID_PREFIX: Final = "rec-"

_log = structlog.stdlib.get_logger(__name__)


class Sealing:
    """Puts the parts of stopped recordings together. A listener of the journals, and the owner of its tasks."""

    def __init__(
        self,
        *,
        journals: Journals,
        archive: Archive,
        clock: Clock,
        activity: Activity,
        live: LiveRecordings,
        stop_grace_ms: int,
        compositions_max: int,
        telemetry: Telemetry,
    ) -> None:
        self._journals = journals
        self._archive = archive
        self._clock = clock
        self._activity = activity
        self._live = live
        self._stop_grace_ms = stop_grace_ms
        self._composing = asyncio.Semaphore(compositions_max)
        self._tasks: dict[asyncio.Task[None], int] = {}
        # From the start, for a counter that begins at one has not risen.
        self._absent = {
            reason: telemetry.counter("huntgroup.recordings.absent", {"reason": reason.value})
            for reason in AbsenceReason
        }

    def owned(self, partition: int, states: dict[str, State]) -> None:
        """Go on where the last owner was lost."""
        self._live.owned(partition, states)
        for recording in self._live:
            if recording.partition == partition:
                self._seal_if_due(recording)
        for domain in states:
            self._spawn(partition, self._tidy_domain(domain))

    def accepted(self, partition: int, events: list[AcceptedEvent]) -> None:
        """Do what each event asks for."""
        for accepted in events:
            recording = self._live.apply(partition, accepted)
            match accepted.event:
                case RecordingStopped() | RecordingStarted():
                    assert recording is not None
                    self._seal_if_due(recording)
                case RecordingAbsent(contact_id=contact_id, reason=reason):
                    self._absent[reason].add()
                    self._spawn(partition, self._tidy(accepted.domain, contact_id))
                case RecordingSealed(contact_id=contact_id):
                    self._spawn(partition, self._tidy(accepted.domain, contact_id))
                case _:
                    pass

    def lost(self, partition: int) -> None:
        """Leave everything to the next owner."""
        self._live.lost(partition)
        for task, of_partition in self._tasks.items():
            if of_partition == partition:
                task.cancel()

    async def close(self) -> None:
        """End all tasks."""
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    # Sealing.

    def _seal_if_due(self, recording: LiveRecording) -> None:
        if recording.stop_offset_ms is None or recording.segment == 0 or recording.sealing:
            return
        recording.sealing = True
        self._spawn(recording.partition, self._seal(recording))

    async def _seal(self, recording: LiveRecording) -> None:
        await self._late_audio(recording)
        recording.closed = True
        if recording.stream is not None:
            recording.stream.end(StreamEnd.STOPPED)
        await recording.without_stream.wait()
        async with self._composing:
            await self._until_done("seal", recording.recording_id, lambda: self._compose(recording))

    async def _late_audio(self, recording: LiveRecording) -> None:
        """Wait until the client has closed its stream, or a grace has passed."""
        waits: list[asyncio.Task[Any]] = [
            asyncio.create_task(recording.delivered.wait()),
            asyncio.create_task(self._clock.sleep(self._stop_grace_ms)),
        ]
        try:
            await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for wait in waits:
                wait.cancel()

    async def _compose(self, recording: LiveRecording) -> None:
        stop_ms = recording.stop_offset_ms
        assert stop_ms is not None
        commands = OwnCommands(
            self._journals, recording.domain, recording.contact_id, recording.traceparent
        )
        reason = GapReason.STREAM_LOST if recording.heard_here else GapReason.RECORDER_LOST
        parts = await self._archive.parts(recording.domain, recording.recording_id)
        if not parts:
            await commands.note_hole(0, stop_ms, reason)
            await commands.declare_audio_lost()
            return
        until_ms = 0
        tail_ms_max = TAIL_MS_MAX if recording.heard_here else HOLE_MS_MAX
        for from_ms, to_ms in holes(parts, recording.rate_hz, stop_ms, tail_ms_max):
            await commands.note_hole(from_ms, to_ms, reason)
            until_ms = to_ms
        file = await self._archive.compose(
            recording.domain,
            recording.recording_id,
            parts,
            rate_hz=recording.rate_hz,
            until_ms=until_ms,
        )
        await commands.seal(file)

    # Tidying up.

    async def _tidy_domain(self, domain: str) -> None:
        """Finish what the last owner sealed and could not tidy up."""

        async def tidy_all() -> None:
            for recording_id in await self._archive.unfinished(domain):
                contact_id = recording_id.removeprefix(_ID_PREFIX)
                if self._live.find(domain, contact_id) is None:
                    await self._tidy_once(domain, contact_id)

        await self._until_done("tidy up", domain, tidy_all)

    async def _tidy(self, domain: str, contact_id: str) -> None:
        await self._until_done("tidy up", contact_id, lambda: self._tidy_once(domain, contact_id))

    async def _tidy_once(self, domain: str, contact_id: str) -> None:
        """Parts go last: while there are any, the recording is found again."""
        facts = await self._journals.query(domain, lambda state: find_recording(state, contact_id))
        if isinstance(facts, Refused):
            if await self._archive.kept(domain, contact_id) is None:
                _log.warning(PARTS_ORPHANED, domain=domain, contact_id=contact_id)
                return
        elif facts.state == "SEALED":
            await self._archive.keep(facts)
        elif facts.state != "ABSENT":
            return
        await self._archive.discard_parts(domain, f"{_ID_PREFIX}{contact_id}")

    # How.

    async def _until_done(self, what: str, name: str, step: Callable[[], Awaitable[None]]) -> None:
        """Try until it is done; what fails for want of ownership is left to the next owner."""
        pause_ms = RETRY_MS
        while True:
            try:
                with self._activity:
                    await step()
            except (VaultError, OverloadedError) as error:
                _log.error(STORAGE_FAILED, what=what, name=name, error=str(error))
            except (NotOwnerError, OutcomeUnknownError, PartitionHaltedError):
                return
            else:
                return
            await self._clock.sleep(pause_ms)
            pause_ms = min(2 * pause_ms, RETRY_MS_MAX)

    def _spawn(self, partition: int, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work)
        self._tasks[task] = partition
        task.add_done_callback(self._done)

    def _done(self, task: "asyncio.Task[None]") -> None:
        del self._tasks[task]
        if not task.cancelled() and (error := task.exception()) is not None:
            _log.critical(EFFECT_FAILED, exc_info=error)


def holes(
    parts: Sequence[Part], rate_hz: int, stop_ms: int, tail_ms_max: int
) -> Iterator[tuple[int, int]]:
    """Yield from and to, in milliseconds, of what no part covers until the stop; a short rest at the end is none."""
    end_sample = 0
    for part in parts:
        if part.first_sample > end_sample:
            yield end_sample * 1_000 // rate_hz, part.first_sample * 1_000 // rate_hz
        end_sample = max(end_sample, part.end_sample)
    end_ms = end_sample * 1_000 // rate_hz
    if stop_ms - end_ms > tail_ms_max:
        yield end_ms, stop_ms
