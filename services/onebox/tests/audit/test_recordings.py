"""Invariant 5: one life for every recording, a reason for every gap, silence in every pause, the file as sealed."""

import hashlib
from pathlib import Path
from typing import Any

import pytest
from google.protobuf.message import Message

from huntgroup.recording.v1 import events_pb2 as recording
from huntgroup.session.v1 import events_pb2 as session
from huntgroup_onebox.audit.report import Violation
from huntgroup_recording.adapters.media import wav_header
from huntgroup_recording.adapters.store import MemoryVault, open_vault

from .story import at, initiated
from .written_log import WrittenLog

RATE_HZ = 8_000
WHO: dict[str, Any] = {"recording_id": "rec-ada", "contact_id": "ada"}
LOCATION = "acme/emea/sealed/rec-ada.wav"


def life(**changed: Message | None) -> list[Message]:
    """Return the facts of a recording of 60 s, paused from 20 to 40, with what is `changed` (None: left out)."""
    facts: dict[str, Message | None] = {
        "requested": recording.RecordingRequested(at_ms=at(14), connected_at_ms=at(14), **WHO),
        "started": recording.RecordingStarted(
            at_ms=at(15), segment=1, sample_rate_hz=RATE_HZ, **WHO
        ),
        "paused": recording.RecordingPaused(
            at_ms=at(34), reason=recording.PAUSE_REASON_BY_COMMAND, offset_ms=20_000, **WHO
        ),
        "resumed": recording.RecordingResumed(
            at_ms=at(54), reason=recording.PAUSE_REASON_BY_COMMAND, offset_ms=40_000, **WHO
        ),
        "gap": recording.RecordingGapNoted(
            at_ms=at(60),
            segment=1,
            from_ms=45_000,
            to_ms=46_000,
            reason=recording.GAP_REASON_STREAM_LOST,
            **WHO,
        ),
        "stopped": recording.RecordingStopped(at_ms=at(74), segment=1, offset_ms=60_000, **WHO),
        "sealed": sealed(),
    }
    return [fact for fact in (facts | changed).values() if fact is not None]


def sealed(data: bytes = b"", **changed: Any) -> recording.RecordingSealed:
    said: dict[str, Any] = {
        "at_ms": at(75),
        "location": LOCATION,
        "length_bytes": len(data),
        "duration_ms": 60_000,
        "sha256": hashlib.sha256(data).hexdigest(),
        "segments": 1,
        "gaps": 1,
    }
    return recording.RecordingSealed(**(said | WHO | changed))


def written(facts: list[Message]) -> WrittenLog:
    log = WrittenLog(services=["recording"])
    for fact in facts:
        log.tell("recording", fact)
    return log


async def test_a_recording_with_a_pause_and_a_gap_is_clean() -> None:
    report = await written(life()).report()
    assert report.clean, str(report)
    assert dict(report.lines[4].counts) == {"requested": 1, "sealed": 1, "gaps": 1, "pauses": 1}
    assert report.lines[4].unchecked == ("the store of recordings",)


@pytest.mark.parametrize(
    ("changed", "why"),
    [
        ({"again": life()[0]}, "has a RecordingRequested"),
        ({"sealed": None, "again": life()[0]}, "was requested a second time"),
        ({"requested": None}, "has a RecordingStarted, but was never requested"),
        ({"stopped": None}, "is sealed, but has not stopped"),
        ({"gap": None}, "is sealed with segments and gaps (1, 1), the journal has (1, 0)"),
        ({"more": life()[1]}, "has a RecordingStarted, but was over"),
        ({"paused": None}, "is resumed, but was not paused before"),
        ({"sealed": sealed(duration_ms=58_000)}, "ends at 58000 ms, it stopped at 60000"),
        (
            {
                "gap": recording.RecordingGapNoted(
                    at_ms=at(60), segment=1, from_ms=1, to_ms=2, **WHO
                )
            },
            "has a gap without a reason",
        ),
        (
            {
                "sealed": recording.RecordingAbsent(
                    at_ms=at(75), reason=recording.ABSENCE_REASON_NO_AUDIO, **WHO
                )
            },
            "is absent for ABSENCE_REASON_NO_AUDIO after 1 segments",
        ),
    ],
)
async def test_a_life_that_cannot_be_is_found(changed: dict[str, Message], why: str) -> None:
    violations = await written(life(**changed)).violations(5)
    if why == "has a RecordingRequested":
        why = "was requested a second time"
    assert any(why in one.why for one in violations), violations


async def test_a_second_segment_that_is_not_the_next_is_found() -> None:
    third = recording.RecordingStarted(at_ms=at(61), segment=3, sample_rate_hz=16_000, **WHO)
    facts = life(sealed=None)
    found = await written([*facts[:-1], third, facts[-1]]).violations(5)
    assert [one.why for one in found] == [
        "recording rec-ada begins segment 3 after 1",
        "recording rec-ada goes on at 16000 Hz, it began at 8000",
    ]


async def test_a_connected_contact_of_which_recording_says_nothing_is_found() -> None:
    log = WrittenLog(services=["session", "recording"])
    connected = session.ContactConnected(at_ms=at(14), contact_id="ada", offer_id="ada.1")
    log.tell("recording", at_ms=at(10))
    log.tell("session", initiated("ada", 10), connected)
    log.tell("session", at_ms=at(100))
    later = recording.RecordingPolicySet(at_ms=at(100), queue_id="sales")
    log.tell("recording", later)
    found = await log.violations(5)
    assert "recording has no RecordingRequested or RecordingOmitted for it" in found[0].why


async def test_a_stopped_recording_that_is_never_sealed_is_found_after_its_time() -> None:
    log = written(life(sealed=None))
    log.tell("recording", recording.RecordingPolicySet(at_ms=at(74 + 64), queue_id="sales"))
    assert (await log.report()).clean
    log.tell("recording", recording.RecordingPolicySet(at_ms=at(74 + 66), queue_id="sales"))
    violation = await log.the_violation(5)
    assert "has a RecordingStopped, but recording has no RecordingSealed" in violation.why


# The store.


def audio(*, silent: bool = True) -> bytes:
    frames = bytearray(b"\x01\x02\x03\x04" * 60 * RATE_HZ)
    if silent:
        frames[20 * RATE_HZ * 4 : 40 * RATE_HZ * 4] = bytes(20 * RATE_HZ * 4)
    return wav_header(60 * RATE_HZ, RATE_HZ) + bytes(frames)


async def files(stored: bytes | None, data: bytes, **changed: Any) -> list[Violation]:
    vault = MemoryVault()
    if stored is not None:
        vault.stored[LOCATION] = stored
    log = written(life(sealed=sealed(data, **changed)))
    return await log.violations(5, vault=vault)


async def test_a_file_that_is_as_it_was_sealed_is_clean() -> None:
    assert await files(audio(), audio()) == []


@pytest.mark.parametrize("at_byte", [0, 43, 44, 100_000, -1])
async def test_a_file_with_one_changed_byte_is_named(at_byte: int) -> None:
    damaged = bytearray(audio())
    damaged[at_byte] ^= 1
    [violation] = await files(bytes(damaged), audio())
    assert f"{LOCATION}: its sha256 is" in violation.why
    assert violation.place is not None
    assert violation.place.position == 7


@pytest.mark.parametrize(
    ("stored", "why"),
    [
        (None, "it is not in the store"),
        (audio()[:-4], "it has 1,920,040 bytes, the journal says 1,920,044"),
    ],
)
async def test_a_file_that_is_gone_or_cut_is_named(stored: bytes | None, why: str) -> None:
    [violation] = await files(stored, audio())
    assert why in violation.why


async def test_what_is_heard_in_a_pause_is_found_with_its_moment() -> None:
    [violation] = await files(audio(silent=False), audio(silent=False))
    assert violation.why.endswith("something is heard at 22000 ms, in a pause")


async def test_chunks_under_way_at_both_ends_of_a_pause_are_let_pass() -> None:
    data = bytearray(audio())
    for second in (20, 39):
        data[44 + second * RATE_HZ * 4] = 1
    assert await files(bytes(data), bytes(data)) == []


async def test_a_header_that_says_something_else_is_found() -> None:
    data = wav_header(30 * RATE_HZ, RATE_HZ) + audio()[44:]
    [violation] = await files(data, data)
    assert "its header says 960,000 bytes of audio, the journal 60000 ms" in violation.why


async def test_the_store_of_a_directory_is_read_and_not_made(tmp_path: Path) -> None:
    vault = open_vault(tmp_path.as_uri(), timeout_ms=30_000)
    await vault.put(LOCATION, audio())
    report = await written(life(sealed=sealed(audio()))).report(vault=vault)
    assert report.clean, str(report)
    assert report.lines[4].counts["files"] == 1
