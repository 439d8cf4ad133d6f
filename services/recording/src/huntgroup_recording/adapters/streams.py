"""Streams of audio as they come in: placed on the contact's clock, silenced while paused, stored about every second."""

import asyncio
from collections.abc import AsyncIterator
from typing import Final

import structlog
from grpc import StatusCode

from huntgroup.recording.v1.commands_pb2 import (
    AudioChunk,
    IngestAudioRequest,
    IngestAudioResponse,
)
from huntgroup_eventlog.application import NotOwnerError, OutcomeUnknownError, OverloadedError
from huntgroup_recording.adapters.mapping import refused
from huntgroup_recording.adapters.media import SAMPLE_BYTES, SegmentWriter, WavArchive
from huntgroup_recording.app.handlers import CommandRefusedError, OwnCommands
from huntgroup_recording.app.ports import VaultError
from huntgroup_recording.app.queries import (
    LiveRecording,
    LiveRecordings,
    StreamEnd,
    why_not_recordable,
)
from huntgroup_recording.core.messages import Reason
from huntgroup_recording.core.values import HOLE_MS_MAX, GapReason
from huntgroup_recording.telemetry import AUDIO_LOST, GAP_UNTOLD, STORAGE_FAILED
from huntgroup_runtime.clock import Activity, Clock
from huntgroup_runtime.ports import Journals
from huntgroup_runtime.rpc.errors import INVALID_REQUEST, RpcRefusedError

CHUNK_MS_MAX: Final = 1_000
DURATION_MS_MAX: Final = 4 * 3_600_000
"""No audio is taken beyond this moment of a contact: at 48 kHz the file stays below the 4 GiB of WAV."""
REPEATED_MS_MAX: Final = 10_000
"""A client that comes back may send again what it sent last; what is older is a client that counts wrongly."""

_log = structlog.stdlib.get_logger(__name__)


class AudioIntake:
    """Takes the streams of `IngestAudio`, at the owner of their domain: one at a time for each contact."""

    def __init__(
        self,
        *,
        journals: Journals,
        archive: WavArchive,
        clock: Clock,
        activity: Activity,
        live: LiveRecordings,
        hello_wait_ms: int,
        silent_stream_ms: int,
    ) -> None:
        self._journals = journals
        self._archive = archive
        self._clock = clock
        self._activity = activity
        self._live = live
        self._hello_wait_ms = hello_wait_ms
        self._silent_stream_ms = silent_stream_ms

    async def take(self, requests: AsyncIterator[IngestAudioRequest]) -> IngestAudioResponse:
        """Take one stream to its end. Raises `RpcRefusedError`, and what the journal raises."""
        first = await anext(requests)
        if not first.HasField("hello"):
            raise invalid("message", "the first one must be hello")
        hello = first.hello
        recording = await self._find(hello.domain, hello.contact_id)
        await self._make_way(recording)
        commands = OwnCommands(
            self._journals, hello.domain, hello.contact_id, recording.traceparent
        )
        stream = IncomingAudio(
            recording,
            self._archive,
            commands,
            clock=self._clock,
            activity=self._activity,
            rate_hz=hello.sample_rate_hz,
        )
        recording.stream = stream
        recording.without_stream.clear()
        recording.delivered.clear()
        try:
            await stream.run(requests)
        except CommandRefusedError as error:
            raise refused(error.reason, error.detail) from None
        finally:
            try:
                await stream.settle()
            finally:
                recording.stream = None
                recording.without_stream.set()
                if stream.closed_by_client:
                    recording.delivered.set()
        return IngestAudioResponse(
            recording_id=recording.recording_id, received_ms=stream.received_ms
        )

    async def _find(self, domain: str, contact_id: str) -> LiveRecording:
        """Return the recording of a contact; one that has just connected may not be known here yet."""
        late = asyncio.create_task(self._clock.sleep(self._hello_wait_ms))
        try:
            while True:
                expected = self._live.expect(domain, contact_id)
                try:
                    recording = self._live.find(domain, contact_id)
                    if recording is not None:
                        return recording
                    why_not = await self._journals.query(
                        domain, lambda state: why_not_recordable(state, contact_id)
                    )
                    if why_not and (late.done() or why_not.reason is not Reason.CONTACT_UNKNOWN):
                        raise refused(why_not.reason, why_not.detail)
                    await asyncio.wait([expected, late], return_when=asyncio.FIRST_COMPLETED)
                finally:
                    expected.cancel()
        finally:
            late.cancel()

    async def _make_way(self, recording: LiveRecording) -> None:
        """Let only one stream in; one that has fallen silent gives way to the one that comes after it."""
        while not recording.closed:
            other = recording.stream
            if other is None:
                return
            silent_ms = self._clock.elapsed_ms() - other.heard_at_ms
            if silent_ms < self._silent_stream_ms:
                raise RpcRefusedError(
                    StatusCode.ALREADY_EXISTS,
                    "STREAM_EXISTS",
                    f"contact_id {recording.contact_id!r} has a stream that was heard {silent_ms} ms ago; "
                    f"another is taken after {self._silent_stream_ms} ms of silence",
                )
            other.end(StreamEnd.DISPLACED)
            await recording.without_stream.wait()
        raise refused(
            Reason.WRONG_STATE,
            f"the recording of contact {recording.contact_id!r} has stopped and is being sealed",
        )


class IncomingAudio:
    """One stream of one contact, as long as it lasts. Holds less than two seconds of audio."""

    def __init__(
        self,
        recording: LiveRecording,
        archive: WavArchive,
        commands: OwnCommands,
        *,
        clock: Clock,
        activity: Activity,
        rate_hz: int,
    ) -> None:
        self._recording = recording
        self._archive = archive
        self._commands = commands
        self._clock = clock
        self._activity = activity
        self._rate_hz = rate_hz
        self._writer: SegmentWriter | None = None
        self._gap_reason = GapReason.STREAM_LOST
        self._failed: tuple[int, int] | None = None
        """What could not be stored and has not been told."""
        self._told_failed_ms = 0
        """How much of that, since storing last worked, has been told."""
        self._received = 0
        self._task: asyncio.Task[object] | None = None
        self._reading = False
        self._ended: StreamEnd | None = None
        self.closed_by_client = False
        self.heard_at_ms = clock.elapsed_ms()

    @property
    def received_ms(self) -> int:
        """How much audio has come."""
        return self._received * 1_000 // self._rate_hz

    def end(self, why: StreamEnd) -> None:
        """Take nothing more; a chunk that is being taken is finished first."""
        if self._ended is None:
            self._ended = why
            if self._reading and self._task is not None:
                self._task.cancel()

    async def run(self, requests: AsyncIterator[IngestAudioRequest]) -> None:
        """Take chunks until the client closes the stream, or somebody here ends it."""
        self._task = asyncio.current_task()
        assert self._task is not None
        try:
            while self._ended is None:
                request = await self._next(requests)
                if request is None:
                    self.closed_by_client = True
                    return
                if not request.HasField("chunk"):
                    raise invalid("message", "only the first one may be hello, all others a chunk")
                with self._activity:
                    await self._take(request.chunk)
        except asyncio.CancelledError:
            if self._ended is None:
                raise
            self._task.uncancel()
        if self._ended is StreamEnd.MOVED:
            raise NotOwnerError
        if self._ended is StreamEnd.DISPLACED:
            detail = "another stream of this contact took the place of this silent one"
            raise RpcRefusedError(StatusCode.ABORTED, "STREAM_DISPLACED", detail)

    async def settle(self) -> None:
        """Store what waits. What cannot be told now is found and told when the recording is sealed."""
        if self._writer is None:
            return
        try:
            await self._store(self._writer)
            if self._failed is not None:
                await self._tell_failed(self._failed)
        except (NotOwnerError, OutcomeUnknownError, OverloadedError, CommandRefusedError) as error:
            _log.warning(
                GAP_UNTOLD,
                recording_id=self._recording.recording_id,
                error=str(error),
            )

    async def _next(self, requests: AsyncIterator[IngestAudioRequest]) -> IngestAudioRequest | None:
        self._reading = True
        try:
            return await anext(requests, None)
        finally:
            self._reading = False

    async def _take(self, chunk: AudioChunk) -> None:
        samples = self._check(chunk)
        self.heard_at_ms = self._clock.elapsed_ms()
        writer = self._writer or await self._begin()
        start = chunk.offset_ms * self._rate_hz // 1_000
        ahead = start - writer.position
        jitter = self._rate_hz // 1_000
        if ahead > jitter:
            await self._leave_hole(writer, start)
        known = max(0, -ahead) if ahead < -jitter else 0
        if known > REPEATED_MS_MAX * self._rate_hz // 1_000:
            stored_ms = writer.position * 1_000 // self._rate_hz
            raise invalid(
                "offset_ms",
                f"{chunk.offset_ms} is long before {stored_ms}, up to where audio is there; "
                "it counts from when the contact was connected",
            )
        self._received += samples
        if self._recording.standing:
            writer.add_silence(max(0, samples - known))
        else:
            skipped = known * SAMPLE_BYTES
            customer, agent = self._silenced(chunk, start)
            writer.add(customer[skipped:], agent[skipped:])
        if writer.full:
            await self._store(writer)

    def _silenced(self, chunk: AudioChunk, start: int) -> tuple[bytes, bytes]:
        """Return both sides without what was said in pauses that are over: it may come late."""
        sides = chunk.customer, chunk.agent
        end = start + len(chunk.customer) // SAMPLE_BYTES
        for from_ms, to_ms in self._recording.pauses:
            first = max(start, from_ms * self._rate_hz // 1_000) - start
            last = min(end, -(-to_ms * self._rate_hz // 1_000)) - start
            if first < last:
                silence = bytes((last - first) * SAMPLE_BYTES)
                until, after = first * SAMPLE_BYTES, last * SAMPLE_BYTES
                sides = (
                    sides[0][:until] + silence + sides[0][after:],
                    sides[1][:until] + silence + sides[1][after:],
                )
        return sides

    def _check(self, chunk: AudioChunk) -> int:
        """Return the number of samples of a chunk that keeps to the rules."""
        length = len(chunk.customer)
        if length != len(chunk.agent):
            raise invalid("agent", f"{len(chunk.agent)} bytes, but customer has {length}")
        if length == 0 or length % SAMPLE_BYTES:
            raise invalid("customer", f"{length} bytes are not whole 16-bit samples, one at least")
        samples = length // SAMPLE_BYTES
        chunk_ms = samples * 1_000 // self._rate_hz
        if samples * 1_000 > CHUNK_MS_MAX * self._rate_hz:
            raise invalid("customer", f"{chunk_ms} ms are more than {CHUNK_MS_MAX} ms")
        if chunk.offset_ms + chunk_ms > DURATION_MS_MAX:
            raise RpcRefusedError(
                StatusCode.OUT_OF_RANGE,
                INVALID_REQUEST,
                f"chunk.offset_ms={chunk.offset_ms}: a recording ends after {DURATION_MS_MAX} ms",
            )
        return samples

    async def _begin(self) -> SegmentWriter:
        """Begin a segment where the stored audio ends."""
        recording, position = self._recording, 0
        segment = recording.segment + 1
        if segment > 1:
            try:
                parts = await self._archive.parts(recording.domain, recording.recording_id)
            except VaultError as error:
                detail = "the storage cannot be read at the moment; open the stream again"
                name = recording.recording_id
                _log.error(STORAGE_FAILED, what="resume", name=name, error=str(error))
                raise RpcRefusedError(StatusCode.UNAVAILABLE, "STORAGE_FAILED", detail) from None
            position = max((part.end_sample for part in parts), default=0)
            if not recording.heard_here:
                self._gap_reason = GapReason.RECORDER_LOST
        await self._commands.start_segment(segment, rate_hz=self._rate_hz)
        recording.heard_here = True
        self._writer = self._archive.writer(
            recording.domain,
            recording.recording_id,
            segment=segment,
            rate_hz=self._rate_hz,
            position=position,
        )
        return self._writer

    async def _leave_hole(self, writer: SegmentWriter, start: int) -> None:
        """Write a short hole as silence; note a longer one before anything that comes after it is stored."""
        from_ms = writer.position * 1_000 // self._rate_hz
        to_ms = start * 1_000 // self._rate_hz
        if to_ms - from_ms <= HOLE_MS_MAX:
            writer.add_silence(start - writer.position)
            return
        await self._store(writer)
        await self._commands.note_gap(from_ms, to_ms, self._gap_reason)
        self._gap_reason = GapReason.STREAM_LOST
        writer.skip_to(start)

    async def _store(self, writer: SegmentWriter) -> None:
        """Store what waits; what cannot be stored is dropped and told, at once, then whenever as much again is lost."""
        from_sample, to_sample = writer.position - writer.waiting, writer.position
        if from_sample == to_sample:
            return
        try:
            await writer.store()
        except VaultError as error:
            _log.error(
                AUDIO_LOST,
                recording_id=self._recording.recording_id,
                error=str(error),
            )
            writer.drop()
            from_ms = from_sample * 1_000 // self._rate_hz
            to_ms = -(-to_sample * 1_000 // self._rate_hz)
            self._failed = (self._failed[0] if self._failed else from_ms, to_ms)
            # So that a storage that fails for hours does not use up the gaps a recording may have.
            if to_ms - self._failed[0] >= self._told_failed_ms:
                self._told_failed_ms += to_ms - self._failed[0]
                await self._tell_failed(self._failed)
        else:
            self._told_failed_ms = 0
            if self._failed is not None:
                await self._tell_failed(self._failed)

    async def _tell_failed(self, failed: tuple[int, int]) -> None:
        await self._commands.note_gap(*failed, GapReason.STORAGE_FAILED)
        self._failed = None


def invalid(field: str, what: str) -> RpcRefusedError:
    """Return the answer to a message that breaks a rule of the contract."""
    return RpcRefusedError(StatusCode.INVALID_ARGUMENT, INVALID_REQUEST, f"{field}: {what}")
