"""What counts as missing audio."""

from typing import TYPE_CHECKING

import pytest

from huntgroup_recording.core.messages import NoteGap, RecordingGapNoted, ResumeRecording
from huntgroup_recording.core.state import GAPS_MAX, PAUSES_MAX, Gap
from huntgroup_recording.core.values import ContactId, GapReason, RecordingId

if TYPE_CHECKING:
    from services.recording.tests.conftest import Story

ADA = ContactId("ada")
ZERO = 100_000
"""Ada's clock begins here."""


def gap(
    from_ms: int, to_ms: int, reason: GapReason = GapReason.STREAM_LOST, contact_id: str = "ada"
) -> NoteGap:
    return NoteGap(contact_id=ContactId(contact_id), from_ms=from_ms, to_ms=to_ms, reason=reason)


def noted(story: "Story", command: NoteGap) -> list[tuple[int, int]]:
    """Return from and to of the gaps that follow."""
    events = story.given(command, ZERO + 90_000)
    return [(e.from_ms, e.to_ms) for e in events if isinstance(e, RecordingGapNoted)]


def test_a_gap_is_noted_with_segment_and_reason(story: "Story") -> None:
    assert story.recording_since().given(gap(1_000, 2_000), ZERO + 2_000) == (
        RecordingGapNoted(
            at_ms=ZERO + 2_000,
            recording_id=RecordingId("rec-ada"),
            contact_id=ADA,
            segment=1,
            from_ms=1_000,
            to_ms=2_000,
            reason=GapReason.STREAM_LOST,
        ),
    )
    assert story.recording.gaps == [Gap(from_ms=1_000, to_ms=2_000, reason=GapReason.STREAM_LOST)]


@pytest.mark.parametrize(
    ("command", "expected"),
    [
        (gap(1_000, 1_200), []),
        (gap(1_000, 1_201), [(1_000, 1_201)]),
        (gap(1_000, 1_010, GapReason.STORAGE_FAILED), [(1_000, 1_010)]),
        (gap(1_000, 1_000, GapReason.STORAGE_FAILED), []),
        (gap(2_000, 1_000), []),
        (gap(-500, 400), [(0, 400)]),
    ],
    ids=["jitter", "a gap", "a failed store", "nothing", "backwards", "before the beginning"],
)
def test_a_short_hole_is_jitter_unless_the_store_failed(
    story: "Story", command: NoteGap, expected: list[tuple[int, int]]
) -> None:
    story.recording_since()
    assert noted(story, command) == expected


def test_the_same_hole_is_missing_once(story: "Story") -> None:
    story.recording_since()
    assert noted(story, gap(1_000, 2_000)) == [(1_000, 2_000)]
    assert noted(story, gap(1_000, 2_000)) == []
    assert noted(story, gap(500, 5_000, GapReason.RECORDER_LOST)) == [
        (500, 1_000),
        (2_000, 5_000),
    ]
    assert noted(story, gap(0, 5_100, GapReason.RECORDER_LOST)) == [(0, 500)]


def test_a_pause_explains_a_hole_and_what_sticks_out_on_either_side_is_missing(
    story: "Story",
) -> None:
    story.paused().given(ResumeRecording(contact_id=ADA), ZERO + 30_000)
    assert noted(story, gap(20_000, 30_150)) == []
    assert noted(story, gap(19_900, 31_000)) == [(30_000, 31_000)]
    assert noted(story, gap(15_000, 40_000)) == [(15_000, 20_000), (31_000, 40_000)]


def test_a_pause_that_stands_explains_everything_after_it(story: "Story") -> None:
    story.held()
    assert noted(story, gap(19_000, 3_600_000)) == [(19_000, 20_000)]


def test_a_stream_with_too_many_gaps_is_refused_more_until_the_stop(story: "Story") -> None:
    story.recording_since()
    for number in range(GAPS_MAX):
        story.quickly(gap(1_000 * number, 1_000 * number + 300), ZERO + 2_000)
    far = gap(2_000_000, 2_001_000)
    assert story.refusal(far, ZERO + 3_000) == "TOO_MANY_GAPS"
    story.given(story.disconnect(), ZERO + 60_000)
    assert noted(story, far) == [(2_000_000, 2_001_000)]


def test_pauses_are_bounded_and_the_oldest_become_one(story: "Story") -> None:
    story.recording_since()
    for number in range(PAUSES_MAX + 1):
        story.quickly(story.hold(2_000 * number), ZERO)
        story.quickly(story.retrieve(2_000 * number + 1_000), ZERO)
    assert len(story.recording.pauses) == PAUSES_MAX
    assert story.recording.pauses[:2] == [(0, 3_000), (4_000, 5_000)]
