"""What can be known of a recording, and of those that go on here."""

from typing import TYPE_CHECKING

from huntgroup_eventlog.application import AcceptedEvent
from huntgroup_recording.app.effects import holes
from huntgroup_recording.app.ports import Part
from huntgroup_recording.app.queries import (
    LiveRecordings,
    RecordingFacts,
    StreamEnd,
    find_recording,
    why_not_recordable,
)
from huntgroup_recording.core.messages import Event, NoteGap, Refused
from huntgroup_recording.core.state import Gap
from huntgroup_recording.core.values import ContactId, GapReason, PauseReason

if TYPE_CHECKING:
    from services.recording.tests.conftest import Story

DOMAIN = "acme/emea"


def accepted(event: Event, traceparent: str = "") -> AcceptedEvent:
    return AcceptedEvent(
        domain=DOMAIN,
        event=event,
        type="",
        payload=b"",
        at_ms=0,
        sequence=1,
        event_id="",
        position=0,
        traceparent=traceparent,
        causation_id="",
    )


def followed(story: "Story") -> LiveRecordings:
    """Return what is known after all that happened in a story."""
    live = LiveRecordings()
    for event in story.events:
        live.apply(0, accepted(event, "00-trace"))
    return live


class Stream:
    """A stream that only remembers why it was ended."""

    heard_at_ms = 0

    def __init__(self) -> None:
        self.ended: list[StreamEnd] = []

    def end(self, why: StreamEnd) -> None:
        self.ended.append(why)


def test_a_sealed_recording_is_told_with_its_gaps(story: "Story") -> None:
    story.recording_since()
    gap = NoteGap(
        contact_id=ContactId("ada"), from_ms=1_000, to_ms=2_000, reason=GapReason.STREAM_LOST
    )
    story.given(gap, 102_000)
    before = find_recording(story.state, "ada")
    assert isinstance(before, RecordingFacts)
    assert (before.state, before.location, before.length_bytes) == ("RECORDING", "", 0)
    story.given(story.disconnect(), 160_005)
    story.given(story.seal(), 161_000)
    assert find_recording(story.state, "ada") == RecordingFacts(
        domain=DOMAIN,
        recording_id="rec-ada",
        contact_id="ada",
        state="SEALED",
        location="acme/emea/sealed/rec-ada-0.wav",
        length_bytes=960_044,
        duration_ms=30_000,
        sha256="0" * 64,
        gaps=(Gap(from_ms=1_000, to_ms=2_000, reason=GapReason.STREAM_LOST),),
    )


def test_who_is_not_recorded_is_told_why(story: "Story") -> None:
    story.omitted()
    for question in (find_recording, why_not_recordable):
        answer = question(story.state, "ada")
        assert isinstance(answer, Refused)
        assert answer.reason == "NOT_RECORDED"
        unknown = question(story.state, "ben")
        assert isinstance(unknown, Refused)
        assert unknown.reason == "CONTACT_UNKNOWN"


def test_audio_is_taken_until_a_recording_is_over(story: "Story") -> None:
    story.stopped()
    assert why_not_recordable(story.state, "ada") is None
    story.given(story.seal(), 161_000)
    answer = why_not_recordable(story.state, "ada")
    assert answer is not None
    assert answer.reason == "WRONG_STATE"


def test_the_events_and_a_takeover_give_the_same_live_recordings(story: "Story") -> None:
    story.held().given(story.disconnect(), 160_005)
    told = followed(story).find(DOMAIN, "ada")
    taken_over = LiveRecordings()
    taken_over.owned(0, {DOMAIN: story.state})
    found = taken_over.find(DOMAIN, "ada")
    assert told is not None
    assert found is not None
    assert told.traceparent == "00-trace"
    for recording in (told, found):
        assert (recording.segment, recording.rate_hz) == (1, 8_000)
        assert list(recording.standing) == [PauseReason.HOLD]
        assert recording.stop_offset_ms == 60_000


def test_what_is_over_is_live_no_more(story: "Story") -> None:
    assert followed(story.sealed()).find(DOMAIN, "ada") is None


def test_a_partition_that_is_lost_ends_its_streams_and_no_others(story: "Story") -> None:
    live = followed(story.recording_since())
    recording = live.find(DOMAIN, "ada")
    assert recording is not None
    recording.stream = stream = Stream()
    live.lost(1)
    assert stream.ended == []
    live.lost(0)
    assert stream.ended == [StreamEnd.MOVED]
    assert list(live) == []


async def test_whoever_waits_for_a_contact_is_told_when_it_is_decided(story: "Story") -> None:
    live = LiveRecordings()
    expected, given_up = live.expect(DOMAIN, "ada"), live.expect(DOMAIN, "ada")
    given_up.cancel()
    for event in story.requested().events:
        live.apply(0, accepted(event))
    await expected
    assert given_up.cancelled()


def part(first_sample: int, samples: int) -> Part:
    return Part(path="", segment=1, first_sample=first_sample, samples=samples)


def test_holes_are_what_no_part_covers() -> None:
    parts = [part(800, 800), part(1_200, 800), part(8_000, 80)]
    assert list(holes(parts, 8_000, 1_010, 200)) == [(0, 100), (250, 1_000)]
    assert list(holes(parts, 8_000, 1_211, 200)) == [(0, 100), (250, 1_000), (1_010, 1_211)]
    assert list(holes(parts, 8_000, 1_211, 1_000)) == [(0, 100), (250, 1_000)]
