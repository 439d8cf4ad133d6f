"""Which streams are not taken, or not taken any further, and how that is told."""

from importlib import import_module
from typing import TYPE_CHECKING

import grpc
import pytest

from huntgroup.recording.v1.commands_pb2 import AudioChunk, IngestAudioRequest
from huntgroup.session.v1.events_pb2 import CHANNEL_CHAT
from huntgroup_runtime.rpc.errors import RpcRefusedError, from_rpc_error

if TYPE_CHECKING:
    from services.recording.tests.adapters.conftest import Caller, Studio

pytestmark = pytest.mark.integration

S = grpc.StatusCode


async def refusal(caller: "Caller") -> RpcRefusedError:
    return from_rpc_error(await caller.fails())


def chunk(customer: bytes, agent: bytes, offset_ms: int = 0) -> IngestAudioRequest:
    return IngestAudioRequest(chunk=AudioChunk(offset_ms=offset_ms, customer=customer, agent=agent))


async def test_a_contact_that_is_not_known_is_not_found_after_a_wait(studio: "Studio") -> None:
    caller = studio.caller("nobody")
    await caller.greet()
    await studio.until(lambda: studio.live._expected, "waited for")
    await studio.pass_ms(1_000)
    told = await refusal(caller)
    assert (told.status, told.reason) == (S.NOT_FOUND, "CONTACT_UNKNOWN")
    assert "nobody" in told.detail
    assert not studio.live._expected


@pytest.mark.parametrize("why", ["POLICY_OFF", "NO_AUDIO_CHANNEL"])
async def test_a_contact_that_is_not_recorded_is_told_so(studio: "Studio", why: str) -> None:
    if why == "POLICY_OFF":
        await studio.record(on=False)
        await studio.connect("ada")
    else:
        await studio.connect("ada", CHANNEL_CHAT)
    caller = studio.caller("ada")
    await caller.greet()
    told = await refusal(caller)
    assert (told.status, told.reason) == (S.FAILED_PRECONDITION, "NOT_RECORDED")
    assert why in told.detail


async def test_a_recording_that_is_over_takes_no_audio(studio: "Studio") -> None:
    await studio.connect("ada")
    caller = studio.caller("ada")
    await caller.speak(0, 1_000)
    await caller.finish()
    await studio.part("ada", 1_000)
    await studio.sealed("ada")
    late = studio.caller("ada")
    await late.greet()
    told = await refusal(late)
    assert (told.status, told.reason) == (S.FAILED_PRECONDITION, "WRONG_STATE")


async def test_a_contact_has_one_stream_at_a_time(studio: "Studio") -> None:
    await studio.connect("ada")
    first = studio.caller("ada")
    await first.speak(0, 1_000)
    await studio.settled(first)
    await studio.pass_ms(2_999)
    second = studio.caller("ada")
    await second.greet()
    told = await refusal(second)
    assert (told.status, told.reason) == (S.ALREADY_EXISTS, "STREAM_EXISTS")
    await first.speak(1_000, 2_000)
    assert (await first.finish()).received_ms == 2_000


async def test_a_stream_that_has_fallen_silent_gives_way_to_the_next_one(studio: "Studio") -> None:
    await studio.connect("ada")
    silent = studio.caller("ada")
    await silent.speak(0, 1_500)
    await studio.settled(silent)
    await studio.pass_ms(3_000)
    second = studio.caller("ada")
    await second.speak(4_500, 5_500)
    await second.finish()
    told = await refusal(silent)
    assert (told.status, told.reason) == (S.ABORTED, "STREAM_DISPLACED")
    await studio.part("ada", 5_500)
    await studio.sealed("ada")
    sound = await studio.sound("ada")
    assert sound.is_tone(0, 1_500)
    assert sound.is_tone(4_500, 5_500)


@pytest.mark.parametrize(
    ("request_", "field"),
    [
        (chunk(b"\0" * 16_002, b"\0" * 16_002), "customer: 1000 ms are more than 1000 ms"),
        (chunk(b"\0" * 3, b"\0" * 3), "customer: 3 bytes"),
        (chunk(b"\0" * 320, b"\0" * 318), "agent: 318 bytes"),
        (chunk(b"", b""), "customer: 0 bytes"),
        (chunk(b"\0" * 320, b"\0" * 320, -20), "chunk.offset_ms='-20'"),
    ],
    ids=["more than a second", "half a sample", "unequal sides", "nothing", "before the call"],
)
async def test_a_chunk_that_breaks_a_rule_ends_the_stream_and_what_came_before_is_kept(
    studio: "Studio", request_: IngestAudioRequest, field: str
) -> None:
    await studio.connect("ada")
    caller = studio.caller("ada")
    await caller.speak(0, 700)
    await caller.send(request_)
    told = await refusal(caller)
    assert told.status is S.INVALID_ARGUMENT
    assert told.detail.startswith(field)
    again = studio.caller("ada")
    await again.speak(700, 1_500)
    await again.finish()
    await studio.part("ada", 1_500)
    await studio.sealed("ada")
    assert (await studio.sound("ada")).is_tone(0, 1_500)


async def test_a_stream_begins_with_hello_and_says_it_once(studio: "Studio") -> None:
    await studio.connect("ada")
    rude = studio.stub.IngestAudio()
    await rude.write(chunk(b"\0" * 320, b"\0" * 320))
    with pytest.raises(grpc.aio.AioRpcError) as failed:
        await rude
    assert failed.value.code() is S.INVALID_ARGUMENT
    twice = studio.caller("ada")
    await twice.greet()
    await twice.greet()
    assert (await refusal(twice)).status is S.INVALID_ARGUMENT


@pytest.mark.parametrize("rate_hz", [0, 7_999, 48_001])
async def test_a_rate_that_nobody_speaks_at_is_refused(studio: "Studio", rate_hz: int) -> None:
    caller = studio.caller("ada", rate_hz)
    await caller.greet()
    assert (await refusal(caller)).status is S.INVALID_ARGUMENT


@pytest.mark.parametrize("domain", ["", "acme", "../..", "acme/emea/../x"])
async def test_a_domain_that_is_none_is_refused(studio: "Studio", domain: str) -> None:
    caller = studio.caller("ada", domain=domain)
    await caller.greet()
    assert (await refusal(caller)).status is S.INVALID_ARGUMENT


async def test_the_rate_stays_that_of_the_first_segment(studio: "Studio") -> None:
    await studio.connect("ada")
    first = studio.caller("ada", 8_000)
    await first.speak(0, 1_000)
    await first.finish()
    other = studio.caller("ada", 16_000)
    await other.speak(1_000, 2_000)
    told = await refusal(other)
    assert (told.status, told.reason) == (S.FAILED_PRECONDITION, "RATE_CHANGED")
    right = studio.caller("ada", 8_000)
    await right.speak(1_000, 2_000)
    assert (await right.finish()).received_ms == 1_000


async def test_no_audio_is_taken_beyond_four_hours(studio: "Studio") -> None:
    await studio.connect("ada")
    caller = studio.caller("ada")
    await caller.send(chunk(b"\0" * 320, b"\0" * 320, 4 * 3_600_000 - 19))
    told = await refusal(caller)
    assert told.status is S.OUT_OF_RANGE


async def test_a_client_that_counts_from_its_own_beginning_is_told(studio: "Studio") -> None:
    await studio.connect("ada")
    first = studio.caller("ada")
    await first.speak(11_000, 12_000)
    await first.finish()
    second = studio.caller("ada")
    await second.speak(0, 500)
    told = await refusal(second)
    assert told.status is S.INVALID_ARGUMENT
    assert "counts from when the contact was connected" in told.detail


async def test_a_stream_with_too_many_gaps_is_refused_and_its_end_is_one_gap(
    studio: "Studio", monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(import_module("huntgroup_recording.core.decide"), "GAPS_MAX", 2)
    await studio.connect("ada")
    caller = studio.caller("ada")
    for offset_ms in (0, 1_000, 2_000, 3_000):
        await caller.send(chunk(b"\1" * 1_600, b"\1" * 1_600, offset_ms))
    told = await refusal(caller)
    assert (told.status, told.reason) == (S.RESOURCE_EXHAUSTED, "TOO_MANY_GAPS")
    await studio.part("ada", 10_000)
    await studio.pass_ms(15_000)
    await studio.sealed("ada")
    assert studio.gaps() == [
        (100, 1_000, "STREAM_LOST"),
        (1_100, 2_000, "STREAM_LOST"),
        (2_100, 10_000, "STREAM_LOST"),
    ]


async def test_a_file_that_is_not_there_yet_cannot_be_fetched(studio: "Studio") -> None:
    with pytest.raises(grpc.aio.AioRpcError) as failed:
        await studio.fetch("nobody")
    assert failed.value.code() is S.NOT_FOUND
    await studio.connect("ada")
    with pytest.raises(grpc.aio.AioRpcError) as failed:
        await studio.fetch("ada")
    assert failed.value.code() is S.FAILED_PRECONDITION
    with pytest.raises(RpcRefusedError) as unknown:
        await studio.view("nobody")
    assert unknown.value.status is S.NOT_FOUND
