"""Recorders that are lost and storage that fails: nothing goes missing without a word."""

from collections.abc import AsyncIterator, Sequence
from typing import TYPE_CHECKING

import grpc
import pytest
from structlog.testing import capture_logs

from huntgroup_recording.adapters.store import MemoryVault
from huntgroup_recording.app.ports import StoredObject, VaultError
from huntgroup_recording.telemetry import EFFECT_FAILED, STORAGE_FAILED

if TYPE_CHECKING:
    from services.recording.tests.adapters.conftest import Caller, Studio, Studios

pytestmark = pytest.mark.integration


class FailingVault(MemoryVault):
    """A vault whose methods fail while they are named."""

    def __init__(self) -> None:
        super().__init__()
        self.failing: set[str] = set()

    async def put(self, path: str, data: bytes) -> None:
        self._may_fail("put")
        await super().put(path, data)

    async def put_stream(self, path: str, pieces: AsyncIterator[bytes]) -> None:
        self._may_fail("put_stream")
        await super().put_stream(path, pieces)

    async def objects(self, folder: str) -> Sequence[StoredObject]:
        self._may_fail("objects")
        return await super().objects(folder)

    async def delete(self, paths: Sequence[str]) -> None:
        self._may_fail("delete")
        await super().delete(paths)

    async def get(self, path: str) -> bytes:
        self._may_fail("get")
        return await super().get(path)

    def _may_fail(self, what: str) -> None:
        if what in self.failing:
            raise VaultError(f"{what}: the disk is full")


@pytest.fixture
def vault(monkeypatch: pytest.MonkeyPatch) -> FailingVault:
    vault = FailingVault()
    monkeypatch.setattr("huntgroup_recording.wiring.open_vault", lambda url, timeout_ms: vault)
    return vault


async def speaking(studio: "Studio", contact_id: str, to_ms: int) -> "Caller":
    """Let a contact be recorded for some time."""
    await studio.connect(contact_id)
    caller = studio.caller(contact_id)
    await caller.speak(0, to_ms)
    await studio.settled(caller)
    return caller


async def lose_recorder(studio: "Studio") -> None:
    """Let the recorder die as by kill -9: nothing more is stored, and nothing is told."""
    for recording in studio.live:
        stream = recording.stream
        if stream is not None:
            stream._writer.drop()  # type: ignore[attr-defined]


async def test_audio_that_cannot_be_stored_is_a_gap_and_silence(
    studio: "Studio", vault: FailingVault
) -> None:
    caller = await speaking(studio, "ada", 2_000)
    vault.failing = {"put"}
    await caller.speak(2_000, 4_000)
    await studio.until(studio.gaps, "told at once")
    assert studio.gaps()[0] == (2_000, 3_000, "STORAGE_FAILED")
    await caller.speak(4_000, 8_000)
    await studio.settled(caller)
    vault.failing = set()
    await caller.speak(8_000, 10_000)
    await caller.finish()
    await studio.part("ada", 10_000)
    sealed = await studio.sealed("ada")
    told = [(from_ms, to_ms) for from_ms, to_ms, _ in studio.gaps()]
    assert told == [(2_000, 3_000), (3_000, 4_000), (4_000, 6_000), (6_000, 8_000)], (
        "ever less often"
    )
    assert sealed.gaps == 4
    sound = await studio.sound("ada")
    assert sound.is_tone(0, 2_000)
    assert sound.is_silent(2_000, 8_000)
    assert sound.is_tone(8_000, 10_000)


async def test_storage_that_fails_to_the_end_is_told_when_the_stream_ends(
    studio: "Studio", vault: FailingVault
) -> None:
    caller = await speaking(studio, "ada", 2_000)
    told = [(2_000, 3_000, "STORAGE_FAILED"), (3_000, 3_300, "STORAGE_FAILED")]
    vault.failing = {"put", "put_stream", "objects"}
    await caller.speak(2_000, 3_300)
    await caller.finish()
    assert studio.gaps() == told
    await studio.part("ada", 3_300)
    await studio.pass_ms(5_000)
    assert studio.events("RecordingSealed") == []
    vault.failing = set()
    await studio.pass_ms(30_000)
    assert (await studio.sealed("ada")).duration_ms == 3_300
    assert studio.gaps() == told


async def test_a_recording_of_which_nothing_could_be_stored_is_absent_for_that(
    studio: "Studio", vault: FailingVault
) -> None:
    vault.failing = {"put"}
    caller = await speaking(studio, "ada", 2_000)
    await caller.finish()
    await studio.part("ada", 2_000)
    await studio.until(lambda: studio.events("RecordingAbsent"), "absent")
    (absent,) = studio.events("RecordingAbsent")
    assert absent.reason == "AUDIO_LOST"
    assert studio.gaps() == [(0, 1_000, "STORAGE_FAILED"), (1_000, 2_000, "STORAGE_FAILED")]


async def test_a_file_that_cannot_be_made_is_tried_again_until_it_is_there(
    studio: "Studio", vault: FailingVault
) -> None:
    caller = await speaking(studio, "ada", 2_000)
    vault.failing = {"put_stream"}
    with capture_logs() as logs:
        await caller.finish()
        await studio.part("ada", 2_000)
        await studio.pass_ms(10_000)
    assert (await studio.view("ada")).state == "STOPPED"
    assert {log["what"] for log in logs if log["event"] == STORAGE_FAILED} == {"seal"}
    vault.failing = {"delete"}
    await studio.pass_ms(30_000)
    await studio.sealed("ada")
    assert len([path for path in vault.stored if "/parts/" in path]) == 2
    vault.failing = set()
    await studio.pass_ms(30_000)
    await studio.until(lambda: len(vault.stored) == 2, "tidied up")
    assert (await studio.sound("ada")).is_tone(0, 2_000)


async def test_a_bug_in_the_making_of_a_file_is_told_by_its_name(
    studio: "Studio", vault: FailingVault, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def put_stream(path: str, pieces: AsyncIterator[bytes]) -> None:
        raise ZeroDivisionError(path)

    caller = await speaking(studio, "ada", 2_000)
    monkeypatch.setattr(vault, "put_stream", put_stream)
    with capture_logs() as logs:
        await caller.finish()
        await studio.part("ada", 2_000)
        await studio.pass_ms(10_000)
    (failed,) = [log for log in logs if log["event"] == EFFECT_FAILED]
    assert failed["log_level"] == "critical"
    assert isinstance(failed["exc_info"], ZeroDivisionError)


async def test_storage_that_cannot_be_read_turns_a_stream_away_for_now(
    studio: "Studio", vault: FailingVault
) -> None:
    first = await speaking(studio, "ada", 1_000)
    await first.finish()
    vault.failing = {"objects"}
    second = studio.caller("ada")
    with capture_logs() as logs:
        await second.speak(1_000, 1_500)
        assert (await second.fails()).code() is grpc.StatusCode.UNAVAILABLE
    assert [log["what"] for log in logs if log["event"] == STORAGE_FAILED] == ["resume"]
    vault.failing = set()
    third = studio.caller("ada")
    await third.speak(1_000, 1_500)
    await third.finish()
    assert studio.gaps() == []


async def test_a_file_that_the_storage_does_not_give_is_unavailable_for_now(
    studio: "Studio", vault: FailingVault
) -> None:
    caller = await speaking(studio, "ada", 1_000)
    await caller.finish()
    await studio.part("ada", 1_000)
    await studio.sealed("ada")
    vault.failing = {"get"}
    with pytest.raises(grpc.aio.AioRpcError) as failed:
        await studio.fetch("ada")
    assert failed.value.code() is grpc.StatusCode.UNAVAILABLE


async def test_a_recorder_that_dies_loses_what_it_had_not_stored_and_the_next_one_says_so(
    studios: "Studios", vault: FailingVault
) -> None:
    async with studios() as studio:
        await studio.record()
        await speaking(studio, "ada", 2_700)
        await lose_recorder(studio)
    assert len(vault.stored) == 2
    async with studios() as studio:
        caller = studio.caller("ada")
        await caller.speak(4_000, 5_000)
        await caller.finish()
        await studio.part("ada", 5_000)
        sealed = await studio.sealed("ada")
        assert sealed.segments == 2
        assert studio.gaps() == [(2_000, 4_000, "RECORDER_LOST")]
        sound = await studio.sound("ada")
        assert sound.is_tone(0, 2_000)
        assert sound.is_silent(2_000, 4_000)
        assert sound.is_tone(4_000, 5_000)


async def test_when_nobody_comes_back_the_gap_lasts_until_the_stop(
    studios: "Studios", vault: FailingVault
) -> None:
    async with studios() as studio:
        await studio.record()
        await speaking(studio, "ada", 2_700)
        await lose_recorder(studio)
    async with studios() as studio:
        await studio.part("ada", 9_000)
        await studio.pass_ms(15_000)
        assert (await studio.sealed("ada")).duration_ms == 9_000
        assert studio.gaps() == [(2_000, 9_000, "RECORDER_LOST")]


async def test_an_owner_that_dies_between_stop_and_seal_is_made_good_by_the_next(
    studios: "Studios", vault: FailingVault
) -> None:
    async with studios() as studio:
        await studio.record()
        caller = await speaking(studio, "ada", 2_000)
        vault.failing = {"put_stream"}
        await caller.finish()
        await studio.part("ada", 2_000)
    vault.failing = set()
    async with studios() as studio:
        await studio.pass_ms(15_000)
        await studio.sealed("ada")
        assert studio.gaps() == []
        assert (await studio.sound("ada")).is_tone(0, 2_000)


async def test_an_owner_that_dies_between_seal_and_tidying_up_is_made_good_by_the_next(
    studios: "Studios", vault: FailingVault
) -> None:
    async with studios() as studio:
        await studio.record()
        caller = await speaking(studio, "ada", 2_000)
        vault.failing = {"put", "delete"}
        await caller.finish()
        await studio.part("ada", 2_000)
        await studio.sealed("ada")
        await studio.pass_ms(1_000)
    assert any("/parts/" in path for path in vault.stored)
    vault.failing = set()
    async with studios() as studio:
        await studio.until(lambda: len(vault.stored) == 2, "tidied up")
        assert (await studio.view("ada")).state == "SEALED"
        assert (await studio.sound("ada")).is_tone(0, 2_000)


async def test_parts_that_belong_to_no_known_recording_are_left_alone(
    studios: "Studios", vault: FailingVault
) -> None:
    async with studios() as studio:
        await studio.record()
        await studio.connect("ada")
    await vault.put("acme/emea/parts/rec-stranger/0001-0000000000.wav", b"")
    async with studios() as studio:
        await studio.connect("ben")
        assert "acme/emea/parts/rec-stranger/0001-0000000000.wav" in vault.stored


async def test_a_pause_outlives_its_recorder(studios: "Studios", vault: FailingVault) -> None:
    async with studios() as studio:
        await studio.record()
        await speaking(studio, "ada", 1_000)
        await studio.command("PauseRecording", contact_id="ada")
    async with studios() as studio:
        caller = studio.caller("ada")
        await caller.speak(1_000, 2_000)
        await caller.finish()
        await studio.part("ada", 2_000)
        await studio.sealed("ada")
        sound = await studio.sound("ada")
        assert sound.is_tone(0, 1_000)
        assert sound.is_silent(1_000, 2_000)
