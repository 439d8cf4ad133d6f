"""Invariant 5, in the store: a sealed file is what the journal says of it, and nothing is heard in its pauses."""

import hashlib
import struct
from collections.abc import Iterable, Sequence
from typing import Final

from huntgroup_onebox.audit.recordings import SealedFile
from huntgroup_onebox.audit.report import Findings
from huntgroup_recording.app.ports import ObjectMissingError, RecordingVault, VaultError

INVARIANT: Final = 5
HEADER: Final = struct.Struct("<4sI4s4sIHHIIHH4sI")
FRAME_BYTES: Final = 4
CHUNK_MS: Final = 2_000
"""So much of the beginning and the end of a pause may be heard: chunks under way, and clocks that differ."""


async def check_files(
    findings: Findings, vault: RecordingVault, files: Iterable[SealedFile], *, again: bool
) -> list[SealedFile]:
    """Compare sealed files with the journal's word; with `again`, return those to be asked for again."""
    unknown = []
    for file in files:
        try:
            faults = await _faults(findings, vault, file)
        except ObjectMissingError:
            faults = ["it is not in the store"]
        except VaultError as error:
            if again:
                unknown.append(file)
                continue
            faults = [f"cannot be read: {error}"]
        findings.count(INVARIANT, "files")
        for fault in faults:
            why = f"recording {file.recording_id}, {file.location}: {fault}"
            findings.violation(INVARIANT, file.place, file.domain, why)
    return unknown


async def _faults(findings: Findings, vault: RecordingVault, file: SealedFile) -> list[str]:
    hashed, length, first = hashlib.sha256(), 0, b""
    windows = Windows(silences(file.silent), file.rate_hz)
    async for piece in vault.read(file.location):
        hashed.update(piece)
        if length < HEADER.size:
            first += piece[: HEADER.size - length]
        windows.hear(piece, length)
        length += len(piece)
    findings.count(INVARIANT, "pauses listened to", len(windows.spans))
    found = []
    if length != file.length_bytes:
        found.append(f"it has {length:,} bytes, the journal says {file.length_bytes:,}")
    elif hashed.hexdigest() != file.sha256:
        found.append(f"its sha256 is {hashed.hexdigest()}, the journal says {file.sha256}")
    elif why := _header_fault(first, file):
        found.append(why)
    if windows.heard_at_ms is not None:
        found.append(f"something is heard at {windows.heard_at_ms} ms, in a pause")
    return found


def _header_fault(first: bytes, file: SealedFile) -> str:
    if len(first) < HEADER.size:
        return "it is shorter than a header"
    riff, _, wave, *_, rate_hz, _, _, _, data, data_bytes = HEADER.unpack(first)
    if (riff, wave, data) != (b"RIFF", b"WAVE", b"data") or rate_hz != file.rate_hz:
        return f"its header is not that of a WAV file at {file.rate_hz} Hz"
    duration_ms = data_bytes // FRAME_BYTES * 1_000 // rate_hz
    if HEADER.size + data_bytes != file.length_bytes or duration_ms != file.duration_ms:
        return f"its header says {data_bytes:,} bytes of audio, the journal {file.duration_ms} ms"
    return ""


def silences(pauses: Sequence[tuple[int, int]]) -> list[tuple[int, int]]:
    """Return the insides of pauses: what overlaps is one, and a little of both ends is left out."""
    found: list[tuple[int, int]] = []
    for begin, end in sorted(pauses):
        if found and begin <= found[-1][1]:
            found[-1] = (found[-1][0], max(found[-1][1], end))
        else:
            found.append((begin, end))
    inside = ((begin + CHUNK_MS, end - CHUNK_MS) for begin, end in found)
    return [(begin, end) for begin, end in inside if begin < end]


class Windows:
    """Listens to a file, piece by piece, where it must be silent."""

    def __init__(self, spans: Sequence[tuple[int, int]], rate_hz: int) -> None:
        """Listen within `spans`, in milliseconds of the audio."""
        self.spans = spans
        self.heard_at_ms: int | None = None
        self._rate_hz = rate_hz
        self._bytes = [(self._offset(begin), self._offset(end)) for begin, end in spans]

    def hear(self, piece: bytes, at: int) -> None:
        """Take the bytes of the file from `at` on."""
        for begin, end in self._bytes:
            part = piece[max(0, begin - at) : max(0, end - at)]
            if self.heard_at_ms is None and part.strip(b"\0"):
                place = max(at, begin) + len(part) - len(part.lstrip(b"\0")) - HEADER.size
                self.heard_at_ms = place // FRAME_BYTES * 1_000 // self._rate_hz

    def _offset(self, at_ms: int) -> int:
        return HEADER.size + at_ms * self._rate_hz // 1_000 * FRAME_BYTES
