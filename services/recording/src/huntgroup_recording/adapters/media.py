"""Stereo WAV, the customer on the left and the agent on the right: parts while a contact talks, one file afterwards.

In the vault, below the name of the domain:

    parts/<recording_id>/<segment>-<first sample>.wav    about a second each; every one can be played by itself
    sealed/<recording_id>-<digest>.wav                   the finished file; the digest is of the parts it was made of
    sealed/<recording_id>.json                           what is known of it
"""

import hashlib
import struct
from array import array
from collections.abc import AsyncIterator, Iterator, Sequence
from typing import Final

import msgspec

from huntgroup_recording.app.ports import (
    Composition,
    ObjectMissingError,
    Part,
    RecordingVault,
    StoredObject,
    VaultError,
)
from huntgroup_recording.app.queries import RecordingFacts
from huntgroup_recording.core.values import ContactId, recording_id_of

SAMPLE_BYTES: Final = 2
FRAME_BYTES: Final = 2 * SAMPLE_BYTES
"""One sample of each side."""
HEADER_BYTES: Final = 44
SILENCE_BYTES: Final = 65_536
PART_MS: Final = 1_000

_HEADER: Final = struct.Struct("<4sI4s4sIHHIIHH4sI")
_PCM: Final = 1


def wav_header(frames: int, rate_hz: int) -> bytes:
    """Return the header of a stereo file of 16-bit samples."""
    length = frames * FRAME_BYTES
    return _HEADER.pack(
        b"RIFF",
        HEADER_BYTES - 8 + length,
        b"WAVE",
        b"fmt ",
        16,
        _PCM,
        2,
        rate_hz,
        rate_hz * FRAME_BYTES,
        FRAME_BYTES,
        8 * SAMPLE_BYTES,
        b"data",
        length,
    )


def interleave(left: bytes, right: bytes) -> bytes:
    """Return the frames of two sides of equal length."""
    frames = array("H", bytes(2 * len(left)))
    frames[0::2] = array("H", left)
    frames[1::2] = array("H", right)
    return frames.tobytes()


class SegmentWriter:
    """Collects the frames of one segment and stores them as parts. Holds less than two seconds."""

    def __init__(
        self, vault: RecordingVault, folder: str, *, segment: int, rate_hz: int, position: int
    ) -> None:
        self._vault = vault
        self._folder = folder
        self._segment = segment
        self._rate_hz = rate_hz
        self._stored_to = position
        self._buffer = bytearray()

    @property
    def position(self) -> int:
        """The sample of the contact's clock that comes next."""
        return self._stored_to + self.waiting

    @property
    def waiting(self) -> int:
        """How many samples are not stored yet."""
        return len(self._buffer) // FRAME_BYTES

    @property
    def full(self) -> bool:
        """Whether it is time to store a part."""
        return self.waiting * 1_000 >= PART_MS * self._rate_hz

    def add(self, customer: bytes, agent: bytes) -> None:
        """Append samples of both sides."""
        self._buffer += interleave(customer, agent)

    def add_silence(self, samples: int) -> None:
        """Append silence."""
        self._buffer += bytes(samples * FRAME_BYTES)

    async def store(self) -> None:
        """Store what waits as a part; raises `VaultError`, then it still waits. Safe to repeat after a cancellation."""
        if not self._buffer:
            return
        path = f"{self._folder}/{self._segment:04d}-{self._stored_to:010d}.wav"
        await self._vault.put(path, wav_header(self.waiting, self._rate_hz) + self._buffer)
        self.drop()

    def drop(self) -> None:
        """Go on without what waits: it was stored, or is lost."""
        self._stored_to = self.position
        self._buffer.clear()

    def skip_to(self, sample: int) -> None:
        """Leave a hole up to `sample`; nothing may wait."""
        assert not self._buffer, "what waits must be stored or dropped before"
        assert sample >= self._stored_to, "time does not run back"
        self._stored_to = sample


class WavArchive:
    """Parts and files of recordings in a vault; implements the port `Archive`."""

    def __init__(self, vault: RecordingVault) -> None:
        self._vault = vault

    def writer(
        self, domain: str, recording_id: str, *, segment: int, rate_hz: int, position: int
    ) -> SegmentWriter:
        """Return a writer of one segment that begins at sample `position`."""
        return SegmentWriter(
            self._vault,
            parts_folder(domain, recording_id),
            segment=segment,
            rate_hz=rate_hz,
            position=position,
        )

    async def parts(self, domain: str, recording_id: str) -> Sequence[Part]:
        """Return what has been stored, in the order of its time."""
        listed = await self._vault.objects(parts_folder(domain, recording_id))
        return sorted(map(_part_of, listed), key=lambda part: (part.first_sample, part.segment))

    async def compose(
        self, domain: str, recording_id: str, parts: Sequence[Part], *, rate_hz: int, until_ms: int
    ) -> Composition:
        """Put the parts together; see `Archive`."""
        until = -(-until_ms * rate_hz // 1_000)
        frames = max(until, *(part.end_sample for part in parts))
        location = f"{domain}/sealed/{recording_id}-{_digest(parts, frames)}.wav"
        hashed = hashlib.sha256()

        async def pieces() -> AsyncIterator[bytes]:
            async for piece in self._pieces(parts, frames, rate_hz):
                hashed.update(piece)
                yield piece

        await self._vault.put_stream(location, pieces())
        return Composition(
            location=location,
            length_bytes=HEADER_BYTES + frames * FRAME_BYTES,
            duration_ms=frames * 1_000 // rate_hz,
            sha256=hashed.hexdigest(),
        )

    async def keep(self, facts: RecordingFacts) -> None:
        """Store what is known of a recording."""
        path = _facts_path(facts.domain, facts.recording_id)
        await self._vault.put(path, msgspec.json.encode(facts))

    async def kept(self, domain: str, contact_id: str) -> RecordingFacts | None:
        """Return what was kept of a recording, or None."""
        path = _facts_path(domain, recording_id_of(ContactId(contact_id)))
        try:
            return msgspec.json.decode(await self._vault.get(path), type=RecordingFacts)
        except ObjectMissingError:
            return None
        except msgspec.MsgspecError as error:
            raise VaultError(f"{path}: {error}") from error

    async def discard_parts(self, domain: str, recording_id: str) -> None:
        """Delete the parts of a recording."""
        listed = await self._vault.objects(parts_folder(domain, recording_id))
        await self._vault.delete([one.path for one in listed])

    async def unfinished(self, domain: str) -> Sequence[str]:
        """Return the ids of the recordings that have parts."""
        return await self._vault.folders(f"{domain}/parts")

    async def _pieces(
        self, parts: Sequence[Part], frames: int, rate_hz: int
    ) -> AsyncIterator[bytes]:
        """Yield a file: header, parts and the silence between them; where two parts overlap, the first one counts."""
        yield wav_header(frames, rate_hz)
        position = 0
        for part in parts:
            for silence in silent(part.first_sample - position):
                yield silence
            position = max(position, part.first_sample)
            known = position - part.first_sample
            if known < part.samples:
                yield (await self._frames(part))[known * FRAME_BYTES :]
                position = part.end_sample
        for silence in silent(frames - position):
            yield silence

    async def _frames(self, part: Part) -> bytes:
        data = await self._vault.get(part.path)
        if len(data) != HEADER_BYTES + part.samples * FRAME_BYTES:
            raise VaultError(f"{part.path}: its length is not as it was listed")
        return data[HEADER_BYTES:]


def parts_folder(domain: str, recording_id: str) -> str:
    """Return where the parts of a recording are."""
    return f"{domain}/parts/{recording_id}"


def silent(frames: int) -> Iterator[bytes]:
    """Yield silence of so many frames; none when negative."""
    left = frames * FRAME_BYTES
    while left > 0:
        yield bytes(min(left, SILENCE_BYTES))
        left -= SILENCE_BYTES


def _facts_path(domain: str, recording_id: str) -> str:
    return f"{domain}/sealed/{recording_id}.json"


def _part_of(stored: StoredObject) -> Part:
    name = stored.path.rpartition("/")[2].removesuffix(".wav")
    segment, _, first_sample = name.partition("-")
    if not (segment.isdecimal() and first_sample.isdecimal()):
        raise VaultError(f"{stored.path}: this is no part of a recording")
    return Part(
        path=stored.path,
        segment=int(segment),
        first_sample=int(first_sample),
        samples=(stored.length_bytes - HEADER_BYTES) // FRAME_BYTES,
    )


def _digest(parts: Sequence[Part], frames: int) -> str:
    """Return a name for what will be put together: other parts never replace a file that was sealed."""
    said = hashlib.sha256(str(frames).encode())
    for part in parts:
        said.update(f"{part.path}:{part.samples}\n".encode())
    return said.hexdigest()[:12]
