"""WAV files: each part by itself, and the one that they become."""

import hashlib
import io
import wave

import pytest

from huntgroup_recording.adapters.media import WavArchive, interleave, silent, wav_header
from huntgroup_recording.adapters.store import MemoryVault
from huntgroup_recording.app.ports import Part, VaultError
from huntgroup_recording.app.queries import RecordingFacts
from huntgroup_recording.core.state import Gap
from huntgroup_recording.core.values import GapReason

DOMAIN, REC = "acme/emea", "rec-ada"
RATE_HZ = 8_000


@pytest.fixture
def vault() -> MemoryVault:
    return MemoryVault()


def frames(value: int, count: int) -> bytes:
    """Return frames that say `value` on the left and -`value` on the right."""
    return interleave(
        value.to_bytes(2, "little", signed=True) * count,
        (-value).to_bytes(2, "little", signed=True) * count,
    )


async def put_part(vault: MemoryVault, segment: int, first_sample: int, data: bytes) -> None:
    path = f"{DOMAIN}/parts/{REC}/{segment:04d}-{first_sample:010d}.wav"
    await vault.put(path, wav_header(len(data) // 4, RATE_HZ) + data)


async def composed(vault: MemoryVault, until_ms: int = 0) -> tuple[bytes, str]:
    """Return the frames of the file that the parts become, and where it is."""
    archive = WavArchive(vault)
    parts = await archive.parts(DOMAIN, REC)
    file = await archive.compose(DOMAIN, REC, parts, rate_hz=RATE_HZ, until_ms=until_ms)
    data = vault.stored[file.location]
    assert file.sha256 == hashlib.sha256(data).hexdigest()
    assert file.length_bytes == len(data)
    with wave.open(io.BytesIO(data)) as opened:
        assert opened.getframerate() == RATE_HZ
        assert file.duration_ms == opened.getnframes() * 1_000 // RATE_HZ
        return opened.readframes(opened.getnframes()), file.location


def test_the_header_is_what_the_standard_library_writes() -> None:
    buffer = io.BytesIO()
    with wave.open(buffer, "wb") as writer:
        writer.setnchannels(2)
        writer.setsampwidth(2)
        writer.setframerate(16_000)
        writer.writeframes(bytes(400))
    assert wav_header(100, 16_000) + bytes(400) == buffer.getvalue()


def test_two_sides_become_frames() -> None:
    assert interleave(b"aabbcc", b"xxyyzz") == b"aaxxbbyycczz"
    assert interleave(b"", b"") == b""


def test_silence_has_its_length_and_comes_in_pieces() -> None:
    assert sum(map(len, silent(100_000))) == 400_000
    assert max(map(len, silent(100_000))) <= 65_536
    assert list(silent(0)) == list(silent(-5)) == []


async def test_parts_are_put_together_with_silence_between_them(vault: MemoryVault) -> None:
    await put_part(vault, 1, 0, frames(1, 100))
    await put_part(vault, 1, 100, frames(2, 100))
    await put_part(vault, 2, 500, frames(3, 100))
    data, _ = await composed(vault)
    assert data == frames(1, 100) + frames(2, 100) + bytes(300 * 4) + frames(3, 100)


async def test_a_file_lasts_until_the_stop_at_least(vault: MemoryVault) -> None:
    await put_part(vault, 1, 80, frames(1, 80))
    data, _ = await composed(vault, until_ms=50)
    assert data == bytes(80 * 4) + frames(1, 80) + bytes(240 * 4)


async def test_where_parts_overlap_the_first_one_counts(vault: MemoryVault) -> None:
    await put_part(vault, 1, 0, frames(1, 100))
    await put_part(vault, 2, 60, frames(2, 100))
    await put_part(vault, 1, 100, frames(3, 20))
    data, _ = await composed(vault)
    assert data == frames(1, 100) + frames(2, 60)


async def test_the_same_parts_give_the_same_file_at_the_same_place(vault: MemoryVault) -> None:
    await put_part(vault, 1, 0, frames(1, 100))
    first = await composed(vault)
    assert await composed(vault) == first
    await put_part(vault, 1, 100, frames(1, 1))
    assert (await composed(vault))[1] != first[1]


async def test_a_part_that_vanishes_leaves_no_file(vault: MemoryVault) -> None:
    await put_part(vault, 1, 0, frames(1, 100))
    archive = WavArchive(vault)
    ghost = Part(path=f"{DOMAIN}/parts/{REC}/x.wav", segment=1, first_sample=100, samples=9)
    parts = [*await archive.parts(DOMAIN, REC), ghost]
    with pytest.raises(VaultError):
        await archive.compose(DOMAIN, REC, parts, rate_hz=RATE_HZ, until_ms=0)
    assert len(vault.stored) == 1


async def test_a_part_that_was_cut_short_is_noticed(vault: MemoryVault) -> None:
    await put_part(vault, 1, 0, frames(1, 100))
    archive = WavArchive(vault)
    parts = await archive.parts(DOMAIN, REC)
    vault.stored[parts[0].path] = vault.stored[parts[0].path][:-4]
    with pytest.raises(VaultError, match="length"):
        await archive.compose(DOMAIN, REC, parts, rate_hz=RATE_HZ, until_ms=0)


async def test_an_object_that_is_no_part_is_noticed(vault: MemoryVault) -> None:
    await vault.put(f"{DOMAIN}/parts/{REC}/notes.txt", b"x")
    with pytest.raises(VaultError, match=r"notes\.txt"):
        await WavArchive(vault).parts(DOMAIN, REC)


async def test_a_writer_holds_what_waits_until_it_is_stored(vault: MemoryVault) -> None:
    archive = WavArchive(vault)
    writer = archive.writer(DOMAIN, REC, segment=3, rate_hz=RATE_HZ, position=800)
    writer.add(b"aa" * 7_999, b"bb" * 7_999)
    before = writer.full
    writer.add_silence(1)
    assert (before, writer.full) == (False, True)
    assert (writer.waiting, writer.position) == (8_000, 8_800)
    await writer.store()
    assert (writer.waiting, writer.position) == (0, 8_800)
    await writer.store()
    (part,) = await archive.parts(DOMAIN, REC)
    assert (part.segment, part.first_sample, part.end_sample) == (3, 800, 8_800)
    writer.skip_to(10_000)
    assert writer.position == 10_000


async def test_what_is_known_of_a_recording_is_kept_beside_its_file(vault: MemoryVault) -> None:
    archive = WavArchive(vault)
    facts = RecordingFacts(
        domain=DOMAIN,
        recording_id=REC,
        contact_id="ada",
        state="SEALED",
        location="there",
        length_bytes=44,
        duration_ms=0,
        sha256="0" * 64,
        gaps=(Gap(from_ms=1, to_ms=2, reason=GapReason.STORAGE_FAILED),),
    )
    assert await archive.kept(DOMAIN, "ada") is None
    await archive.keep(facts)
    assert await archive.kept(DOMAIN, "ada") == facts
    vault.stored[f"{DOMAIN}/sealed/{REC}.json"] = b"{}"
    with pytest.raises(VaultError):
        await archive.kept(DOMAIN, "ada")


async def test_parts_are_found_and_discarded(vault: MemoryVault) -> None:
    archive = WavArchive(vault)
    await put_part(vault, 1, 0, frames(1, 100))
    assert await archive.unfinished(DOMAIN) == [REC]
    await archive.discard_parts(DOMAIN, REC)
    assert await archive.unfinished(DOMAIN) == []
    await archive.discard_parts(DOMAIN, REC)
