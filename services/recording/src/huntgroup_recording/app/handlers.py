"""The recorder's own commands: each with an id that follows from what it says, so that it has one effect."""

import zlib

from huntgroup_recording.app.ports import Composition
from huntgroup_recording.core.messages import (
    Command,
    DeclareAudioLost,
    NoteGap,
    SealRecording,
    StartSegment,
)
from huntgroup_recording.core.values import ContactId, GapReason, recording_id_of
from huntgroup_runtime.ports import Journals


class CommandRefusedError(Exception):
    """The core said no to a command of the recorder."""

    def __init__(self, reason: str, detail: str) -> None:
        super().__init__(f"{reason}: {detail}")
        self.reason = reason
        self.detail = detail


class OwnCommands:
    """Submits, for one contact, the commands that no caller sends.

    Each raises what `Journals.submit` does, or `CommandRefusedError`.
    """

    def __init__(
        self, journals: Journals, domain: str, contact_id: str, traceparent: str = ""
    ) -> None:
        self._journals = journals
        self._domain = domain
        self._contact_id = ContactId(contact_id)
        self._recording_id = recording_id_of(self._contact_id)
        self._traceparent = traceparent

    async def start_segment(self, segment: int, *, rate_hz: int) -> None:
        """Say that audio of a segment begins to arrive."""
        command = StartSegment(contact_id=self._contact_id, segment=segment, sample_rate_hz=rate_hz)
        # With the rate in it: a stream that was refused for its rate may come again with the right one.
        await self._submit(f"start-{self._recording_id}-{segment}-{rate_hz}", command)

    async def note_gap(self, from_ms: int, to_ms: int, reason: GapReason) -> None:
        """Say that a stream, while it lasts, lacks audio."""
        await self._note("gap", from_ms, to_ms, reason)

    async def note_hole(self, from_ms: int, to_ms: int, reason: GapReason) -> None:
        """Say that the stored parts lack audio, when all are there that will be: noted before or not."""
        await self._note("hole", from_ms, to_ms, reason)

    async def seal(self, file: Composition) -> None:
        """Say that the recording is one file now."""
        command = SealRecording(
            contact_id=self._contact_id,
            location=file.location,
            length_bytes=file.length_bytes,
            duration_ms=file.duration_ms,
            sha256=file.sha256,
        )
        await self._submit(f"seal-{self._recording_id}", command)

    async def declare_audio_lost(self) -> None:
        """Say that nothing of what arrived is in the store."""
        command = DeclareAudioLost(contact_id=self._contact_id)
        await self._submit(f"lost-{self._recording_id}", command)

    async def _note(self, kind: str, from_ms: int, to_ms: int, reason: GapReason) -> None:
        command = NoteGap(contact_id=self._contact_id, from_ms=from_ms, to_ms=to_ms, reason=reason)
        await self._submit(f"{kind}-{self._recording_id}-{from_ms}-{to_ms}-{reason}", command)

    async def _submit(self, command_id: str, command: Command) -> None:
        outcome = await self._journals.submit(
            self._domain,
            command_id,
            command,
            check=zlib.crc32(repr(command).encode()),
            traceparent=self._traceparent,
        )
        if outcome.reason:
            raise CommandRefusedError(outcome.reason, outcome.detail)
