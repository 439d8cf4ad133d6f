"""Whole recordings: what callers say, holds, pauses and breaks, and what is in the file at the end."""

import hashlib
from importlib import import_module
from typing import TYPE_CHECKING

import grpc
import pytest

from huntgroup_recording.adapters.store import MemoryVault

if TYPE_CHECKING:
    from services.recording.tests.adapters.conftest import Studio, Studios

pytestmark = pytest.mark.integration


async def test_a_call_becomes_one_file_with_customer_left_and_agent_right(
    studio: "Studio", vault: MemoryVault
) -> None:
    await studio.connect("ada")
    caller = studio.caller("ada")
    await caller.speak(0, 5_300)
    answer = await caller.finish()
    assert (answer.recording_id, answer.received_ms) == ("rec-ada", 5_300)
    await studio.part("ada", 5_350)
    sealed = await studio.sealed("ada")

    data = await studio.fetch("ada")
    sound = await studio.sound("ada")
    assert sound.rate_hz == 8_000
    assert sound.duration_ms == sealed.duration_ms == 5_300
    assert sound.pitch(0, 5_300) == pytest.approx((400, 1_000), abs=1)
    assert sound.loudness(0, 5_300) == pytest.approx((7_071, 7_071), abs=10)
    assert sealed.length_bytes == len(data) == 44 + 5_300 * 8 * 4
    assert sealed.sha256 == hashlib.sha256(data).hexdigest()
    assert (sealed.segments, sealed.gaps) == (1, 0)
    view = await studio.view("ada")
    assert (view.state, view.location, view.sha256) == ("SEALED", sealed.location, sealed.sha256)
    assert [type(event).__name__ for event in studio.events(contact_id="ada")] == [
        "RecordingRequested",
        "RecordingStarted",
        "RecordingStopped",
        "RecordingSealed",
    ]
    assert set(vault.stored) == {sealed.location, "acme/emea/sealed/rec-ada.json"}


@pytest.mark.parametrize("rate_hz", [8_000, 11_025, 16_000, 44_100, 48_000])
async def test_every_rate_is_kept(studio: "Studio", rate_hz: int) -> None:
    await studio.connect("ada")
    caller = studio.caller("ada", rate_hz)
    await caller.speak(0, 2_000, step_ms=20)
    assert (await caller.finish()).received_ms == pytest.approx(2_000, abs=2)
    await studio.part("ada", 2_000)
    assert (await studio.sealed("ada")).duration_ms == pytest.approx(2_000, abs=1)
    sound = await studio.sound("ada")
    assert sound.rate_hz == rate_hz
    assert sound.is_tone(0, 1_990)
    assert studio.gaps() == []


async def test_parts_are_stored_while_they_talk_and_each_can_be_played(
    studio: "Studio", vault: MemoryVault, sound: type
) -> None:
    await studio.connect("ada")
    caller = studio.caller("ada")
    await caller.speak(0, 3_500, step_ms=250)
    await studio.until(lambda: len(vault.stored) == 3, "three parts")
    assert list(vault.stored) == [
        "acme/emea/parts/rec-ada/0001-0000000000.wav",
        "acme/emea/parts/rec-ada/0001-0000008000.wav",
        "acme/emea/parts/rec-ada/0001-0000016000.wav",
    ]
    for data in vault.stored.values():
        part = sound(data)
        assert part.duration_ms == 1_000
        assert part.is_tone(0, 1_000)
    assert (await studio.view("ada")).state == "RECORDING"
    await caller.finish()


async def test_a_hold_is_silence_of_the_right_length_and_no_gap(studio: "Studio") -> None:
    await studio.connect("ada")
    caller = studio.caller("ada")
    await caller.speak(0, 2_000)
    await studio.settled(caller)
    await studio.hold("ada", 2_000)
    await caller.speak(2_000, 5_000)
    await studio.settled(caller)
    await studio.retrieve("ada", 5_000)
    await caller.speak(5_000, 7_000)
    await caller.finish()
    await studio.part("ada", 7_000)
    await studio.sealed("ada")
    sound = await studio.sound("ada")
    assert sound.duration_ms == 7_000
    assert sound.is_tone(0, 2_000)
    assert sound.is_silent(2_000, 5_000)
    assert sound.is_tone(5_000, 7_000)
    assert studio.gaps() == []


async def test_a_caller_may_send_nothing_while_on_hold(studio: "Studio") -> None:
    await studio.connect("ada")
    caller = studio.caller("ada")
    await caller.speak(0, 2_000)
    await studio.hold("ada", 2_000)
    await studio.retrieve("ada", 60_000)
    await caller.speak(60_000, 61_000)
    await caller.finish()
    await studio.hold("ada", 61_000)
    await studio.part("ada", 90_000)
    await studio.sealed("ada")
    sound = await studio.sound("ada")
    assert sound.duration_ms == 90_000
    assert sound.is_silent(2_000, 60_000)
    assert sound.is_tone(60_000, 61_000)
    assert sound.is_silent(61_000, 90_000)
    assert studio.gaps() == []


async def test_what_arrives_after_a_pause_was_acknowledged_is_not_in_the_file(
    studio: "Studio",
) -> None:
    await studio.connect("ada")
    await studio.command("PauseRecording", contact_id="ada")
    caller = studio.caller("ada")
    await caller.speak(0, 1_000)
    assert (await studio.view("ada")).state == "PAUSED"
    await studio.hold("ada", 500)
    await studio.settled(caller)
    await studio.command("ResumeRecording", contact_id="ada")
    await caller.speak(1_000, 2_000)
    await studio.settled(caller)
    await studio.retrieve("ada", 2_000)
    await caller.speak(2_000, 3_000)
    await caller.finish()
    await studio.part("ada", 3_000)
    await studio.sealed("ada")
    sound = await studio.sound("ada")
    assert sound.is_silent(0, 2_000)
    assert sound.is_tone(2_000, 3_000)


async def test_what_was_said_in_a_pause_and_arrives_after_it_is_not_in_the_file(
    studio: "Studio",
) -> None:
    await studio.connect("ada")
    caller = studio.caller("ada")
    await caller.speak(0, 1_000)
    await studio.settled(caller)
    await studio.hold("ada", 1_000)
    await studio.retrieve("ada", 4_500)
    await caller.speak(1_000, 6_000)
    await caller.finish()
    await studio.part("ada", 6_000)
    await studio.sealed("ada")
    sound = await studio.sound("ada")
    assert sound.is_tone(0, 1_000)
    assert sound.is_silent(1_000, 4_500)
    assert sound.is_tone(4_500, 6_000)


async def test_audio_that_comes_late_after_a_stop_on_hold_stays_silent(studio: "Studio") -> None:
    await studio.connect("ada")
    caller = studio.caller("ada")
    await caller.speak(0, 1_000)
    await studio.settled(caller)
    await studio.hold("ada", 1_000)
    await studio.part("ada", 2_000)
    await caller.speak(1_000, 2_000)
    await caller.finish()
    await studio.sealed("ada")
    sound = await studio.sound("ada")
    assert sound.is_tone(0, 1_000)
    assert sound.is_silent(1_000, 2_000)


async def test_a_long_hole_is_a_gap_and_a_short_one_is_jitter(studio: "Studio") -> None:
    await studio.connect("ada")
    caller = studio.caller("ada")
    await caller.speak(300, 1_000, step_ms=100)
    await caller.speak(1_200, 2_000, step_ms=100)
    await caller.speak(2_201, 3_000, step_ms=799)
    await caller.speak(9_000, 10_000)
    await caller.finish()
    await studio.part("ada", 10_000)
    sealed = await studio.sealed("ada")
    assert studio.gaps() == [
        (0, 300, "STREAM_LOST"),
        (2_000, 2_201, "STREAM_LOST"),
        (3_000, 9_000, "STREAM_LOST"),
    ]
    assert sealed.gaps == 3
    sound = await studio.sound("ada")
    assert sound.duration_ms == 10_000
    for from_ms, to_ms in [(0, 300), (1_000, 1_200), (2_000, 2_200), (3_000, 9_000)]:
        assert sound.is_silent(from_ms, to_ms)
    for from_ms, to_ms in [(300, 1_000), (1_200, 2_000), (2_201, 3_000), (9_000, 10_000)]:
        assert sound.is_tone(from_ms, to_ms)
    assert [(gap.from_ms, gap.to_ms) for gap in (await studio.view("ada")).gaps] == [
        (0, 300),
        (2_000, 2_201),
        (3_000, 9_000),
    ]


async def test_a_stream_that_breaks_is_followed_by_another_segment_after_a_gap(
    studio: "Studio",
) -> None:
    await studio.connect("ada")
    first = studio.caller("ada")
    await first.speak(0, 2_500)
    await studio.settled(first)
    first.vanish()
    second = studio.caller("ada")
    await studio.until(lambda: studio.without_stream("ada"), "the stream is gone")
    await second.speak(6_000, 8_000)
    await second.finish()
    await studio.part("ada", 8_000)
    sealed = await studio.sealed("ada")
    assert sealed.segments == 2
    assert studio.gaps() == [(2_500, 6_000, "STREAM_LOST")]
    sound = await studio.sound("ada")
    assert sound.is_tone(0, 2_500)
    assert sound.is_silent(2_500, 6_000)
    assert sound.is_tone(6_000, 8_000)


async def test_what_a_client_sends_again_is_in_the_file_once(studio: "Studio") -> None:
    await studio.connect("ada")
    first = studio.caller("ada")
    await first.speak(0, 2_500)
    await first.finish()
    second = studio.caller("ada")
    await second.speak(500, 4_000, step_ms=700)
    await second.finish()
    await studio.part("ada", 4_000)
    assert (await studio.sealed("ada")).duration_ms == 4_000
    assert (await studio.sound("ada")).is_tone(0, 4_000)
    assert studio.gaps() == []


async def test_the_stop_ends_a_stream_that_its_client_leaves_open(studio: "Studio") -> None:
    await studio.connect("ada")
    caller = studio.caller("ada")
    await caller.speak(0, 1_500)
    await studio.settled(caller)
    await studio.part("ada", 1_500)
    await studio.pass_ms(14_999)
    assert studio.events("RecordingSealed") == []
    await studio.pass_ms(1)
    assert (await caller.answer()).received_ms == 1_500
    await studio.sealed("ada")
    assert (await studio.sound("ada")).is_tone(0, 1_500)


async def test_audio_that_ends_long_before_the_stop_is_missing_up_to_the_stop(
    studio: "Studio",
) -> None:
    await studio.connect("ada")
    caller = studio.caller("ada")
    await caller.speak(0, 1_000)
    await caller.finish()
    await studio.part("ada", 4_000)
    assert (await studio.sealed("ada")).duration_ms == 4_000
    assert studio.gaps() == [(1_000, 4_000, "STREAM_LOST")]


async def test_a_recording_of_which_nothing_arrives_is_absent(studio: "Studio") -> None:
    await studio.connect("ada")
    await studio.part("ada", 4_000)
    await studio.pass_ms(15_000)
    await studio.until(lambda: studio.events("RecordingAbsent"), "absent")
    (absent,) = studio.events("RecordingAbsent")
    assert absent.reason == "NO_AUDIO"
    assert (await studio.view("ada")).state == "ABSENT"
    with pytest.raises(grpc.aio.AioRpcError) as failed:
        await studio.fetch("ada")
    assert failed.value.code() is grpc.StatusCode.FAILED_PRECONDITION


async def test_a_stream_may_come_before_its_contact_is_known(studio: "Studio") -> None:
    caller = studio.caller("ada")
    await caller.speak(0, 1_000)
    await studio.connect("ada")
    await caller.finish()
    await studio.part("ada", 1_000)
    await studio.sealed("ada")
    assert (await studio.sound("ada")).is_tone(0, 1_000)


async def test_a_recording_that_the_state_forgot_is_answered_from_the_store(
    studio: "Studio", monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(import_module("huntgroup_recording.core.evolve"), "ENDED_MAX", 1)
    for contact_id in ("ada", "ben"):
        await studio.connect(contact_id)
        caller = studio.caller(contact_id)
        await caller.speak(0, 1_000)
        await caller.speak(3_000, 4_000)
        await caller.finish()
        await studio.part(contact_id, 4_000)
        await studio.sealed(contact_id)
    view = await studio.view("ada")
    sealed = await studio.sealed("ada")
    assert (view.state, view.sha256, view.location) == ("SEALED", sealed.sha256, sealed.location)
    assert [(gap.from_ms, gap.to_ms) for gap in view.gaps] == [(1_000, 3_000)]
    assert (await studio.sound("ada")).is_tone(3_000, 4_000)


async def test_an_owner_that_stops_in_order_stores_what_it_has_and_the_next_goes_on(
    studios: "Studios",
) -> None:
    async with studios() as studio:
        await studio.record()
        await studio.connect("ada")
        caller = studio.caller("ada")
        await caller.speak(0, 2_700)
        await studio.settled(caller)
    failed = await caller.fails()
    assert failed.code() is grpc.StatusCode.UNAVAILABLE
    async with studios() as studio:
        caller = studio.caller("ada")
        await caller.speak(5_000, 6_000)
        await caller.finish()
        await studio.part("ada", 6_000)
        await studio.sealed("ada")
        assert studio.gaps() == [(2_700, 5_000, "RECORDER_LOST")]
        sound = await studio.sound("ada")
        assert sound.is_tone(0, 2_700)
        assert sound.is_silent(2_700, 5_000)
        assert sound.is_tone(5_000, 6_000)
