"""What every command does in every state of a recording: the state machine as a table, and its events in full."""

from typing import TYPE_CHECKING

import pytest

from huntgroup_recording.core.messages import (
    Command,
    DeclareAudioLost,
    NoteGap,
    ObserveContactDisconnected,
    ObserveContactHeld,
    ObserveContactRetrieved,
    PassTime,
    PauseRecording,
    RecordingAbsent,
    RecordingPaused,
    RecordingResumed,
    RecordingSealed,
    RecordingStarted,
    RecordingStopped,
    Refused,
    ResumeRecording,
    SealRecording,
    StartSegment,
)
from huntgroup_recording.core.state import ENDED_MAX, Absent
from huntgroup_recording.core.values import (
    AbsenceReason,
    ContactId,
    GapReason,
    PauseReason,
    RecordingId,
)

if TYPE_CHECKING:
    from services.recording.tests.conftest import Story

ADA, REC = ContactId("ada"), RecordingId("rec-ada")
ZERO = 100_000
"""Ada's clock begins here."""


def held(at_ms: int = ZERO + 50_000) -> ObserveContactHeld:
    return ObserveContactHeld(contact_id=ADA, held_at_ms=at_ms)


def retrieved(at_ms: int = ZERO + 55_000) -> ObserveContactRetrieved:
    return ObserveContactRetrieved(contact_id=ADA, retrieved_at_ms=at_ms)


def segment(number: int, rate_hz: int = 8_000) -> StartSegment:
    return StartSegment(contact_id=ADA, segment=number, sample_rate_hz=rate_hz)


COMMANDS: dict[str, Command] = {
    "pause": PauseRecording(contact_id=ADA),
    "resume": ResumeRecording(contact_id=ADA),
    "segment 1": segment(1),
    "segment 2": segment(2),
    "segment 3": segment(3),
    "at 16 kHz": segment(2, 16_000),
    "gap": NoteGap(contact_id=ADA, from_ms=1_000, to_ms=2_000, reason=GapReason.STREAM_LOST),
    "seal": SealRecording(
        contact_id=ADA, location="there", length_bytes=44, duration_ms=0, sha256="0" * 64
    ),
    "lost": DeclareAudioLost(contact_id=ADA),
    "held": held(),
    "retrieved": retrieved(),
    "disconnected": ObserveContactDisconnected(contact_id=ADA, disconnected_at_ms=ZERO + 70_000),
    "time": PassTime(),
}

# "-": nothing happens; capitals: refused; else the event, without its "Recording".
REFUSALS = {
    "UNKNOWN": "CONTACT_UNKNOWN",
    "OMITTED": "NOT_RECORDED",
    "STATE": "WRONG_STATE",
    "SEGMENT": "WRONG_SEGMENT",
    "RATE": "RATE_CHANGED",
}
TABLE = """
             | unknown omitted requested recording held     paused   stopped  silent   sealed absent
pause        | UNKNOWN OMITTED Paused    Paused    Paused   -        STATE    STATE    STATE  STATE
resume       | UNKNOWN OMITTED -         -         -        Resumed  STATE    STATE    STATE  STATE
segment 1    | UNKNOWN OMITTED Started   -         -        -        -        Started  STATE  STATE
segment 2    | UNKNOWN OMITTED SEGMENT   Started   Started  Started  Started  SEGMENT  STATE  STATE
segment 3    | UNKNOWN OMITTED SEGMENT   SEGMENT   SEGMENT  SEGMENT  SEGMENT  SEGMENT  STATE  STATE
at 16 kHz    | UNKNOWN OMITTED SEGMENT   RATE      RATE     RATE     RATE     SEGMENT  STATE  STATE
gap          | UNKNOWN OMITTED GapNoted  GapNoted  GapNoted GapNoted GapNoted GapNoted STATE  STATE
seal         | UNKNOWN OMITTED STATE     STATE     STATE    STATE    Sealed   Sealed   -      STATE
lost         | UNKNOWN OMITTED STATE     STATE     STATE    STATE    Absent   Absent   -      -
held         | -       -       Paused    Paused    -        Paused   -        -        -      -
retrieved    | -       -       -         -         Resumed  -        -        -        -      -
disconnected | -       -       Stopped   Stopped   Stopped  Stopped  -        -        -      -
time         | -       -       -         -         -        -        -        Absent   -      -
"""
ROWS = [line.split("|") for line in TABLE.strip("\n").splitlines()]
STATES = ROWS[0][1].split()
CASES = [
    (state, name.strip(), outcome)
    for name, outcomes in ROWS[1:]
    for state, outcome in zip(STATES, outcomes.split(), strict=True)
]


def bring_to(story: "Story", state: str) -> None:
    """Let Ada's recording come into a state, by the ways of the story."""
    match state:
        case "unknown":
            story.policy()
        case "omitted":
            story.omitted()
        case "recording":
            story.recording_since()
        case "silent":
            story.stopped_in_silence()
        case _:
            getattr(story, state)()


@pytest.mark.parametrize(("state", "command", "outcome"), CASES)
def test_every_command_in_every_state(
    story: "Story", state: str, command: str, outcome: str
) -> None:
    bring_to(story, state)
    decision = story.when(COMMANDS[command], ZERO + 90_000)
    if outcome == "-":
        assert decision == ()
    elif outcome.isupper():
        assert isinstance(decision, Refused)
        assert decision.reason == REFUSALS[outcome]
        assert "ada" in decision.detail
    else:
        assert not isinstance(decision, Refused), decision
        assert [type(event).__name__ for event in decision] == [f"Recording{outcome}"]


@pytest.mark.parametrize(("state", "command", "outcome"), CASES)
def test_what_came_true_once_changes_nothing_when_it_is_said_again(
    story: "Story", state: str, command: str, outcome: str
) -> None:
    if outcome == "-" or outcome.isupper():
        return
    bring_to(story, state)
    story.given(COMMANDS[command], ZERO + 90_000)
    again = story.when(COMMANDS[command], ZERO + 90_001)
    assert again == () or (isinstance(again, Refused) and again.reason == "WRONG_STATE")


def test_audio_begins_to_arrive(story: "Story") -> None:
    assert story.requested().given(segment(1), ZERO + 100) == (
        RecordingStarted(
            at_ms=ZERO + 100,
            recording_id=REC,
            contact_id=ADA,
            segment=1,
            sample_rate_hz=8_000,
        ),
    )
    assert story.recording.state == "RECORDING"


def test_another_segment_follows_when_a_stream_broke(story: "Story") -> None:
    (started,) = story.recording_since().given(segment(2), ZERO + 9_000)
    assert isinstance(started, RecordingStarted)
    assert started.segment == 2
    assert story.recording.segment == 2


def test_a_hold_is_silent_from_and_to_the_moments_of_the_session(story: "Story") -> None:
    story.recording_since()
    assert story.given(held(), ZERO + 50_009) == (
        RecordingPaused(
            at_ms=ZERO + 50_009,
            recording_id=REC,
            contact_id=ADA,
            reason=PauseReason.HOLD,
            offset_ms=50_000,
        ),
    )
    assert story.recording.state == "PAUSED"
    assert story.given(retrieved(), ZERO + 55_009) == (
        RecordingResumed(
            at_ms=ZERO + 55_009,
            recording_id=REC,
            contact_id=ADA,
            reason=PauseReason.HOLD,
            offset_ms=55_000,
        ),
    )
    assert story.recording.state == "RECORDING"
    assert story.recording.pauses == [(50_000, 55_000)]


def test_a_command_pauses_also_before_any_audio_came(story: "Story") -> None:
    (paused,) = story.requested().given(PauseRecording(contact_id=ADA), ZERO + 10)
    assert isinstance(paused, RecordingPaused)
    assert paused.offset_ms == 10
    assert story.recording.state == "PAUSED"


def test_a_recording_is_silent_until_both_pauses_are_over(story: "Story") -> None:
    story.paused().given(held(ZERO + 25_000), ZERO + 25_005)
    story.given(ResumeRecording(contact_id=ADA), ZERO + 30_000)
    assert story.recording.state == "PAUSED"
    story.given(retrieved(ZERO + 35_000), ZERO + 35_005)
    assert story.recording.state == "RECORDING"
    assert story.recording.pauses == [(20_000, 30_000), (25_000, 35_000)]


def test_a_retrieve_does_not_end_the_pause_of_a_command(story: "Story") -> None:
    story.paused()
    assert story.when(retrieved(), ZERO + 55_005) == ()
    assert story.recording.state == "PAUSED"


def test_a_pause_never_ends_before_it_began_although_clocks_differ(story: "Story") -> None:
    story.requested().given(PauseRecording(contact_id=ADA), ZERO - 400)
    assert story.recording.standing[0].from_ms == 0
    story.given(held(ZERO + 9_000), ZERO + 9_001)
    (resumed,) = story.given(retrieved(ZERO + 8_990), ZERO + 9_002)
    assert isinstance(resumed, RecordingResumed)
    assert resumed.offset_ms == 9_000


def test_a_stop_leaves_a_pause_so_that_late_audio_stays_silent(story: "Story") -> None:
    disconnected = COMMANDS["disconnected"]
    (stopped,) = story.held().given(disconnected, ZERO + 70_009)
    assert stopped == RecordingStopped(
        at_ms=ZERO + 70_009, recording_id=REC, contact_id=ADA, segment=1, offset_ms=70_000
    )
    assert story.recording.state == "STOPPED"
    assert [pause.reason for pause in story.recording.standing] == [PauseReason.HOLD]


def test_a_sealed_recording_says_where_it_is_and_what_is_missing(story: "Story") -> None:
    story.recording_since().given(COMMANDS["gap"], ZERO + 2_000)
    story.given(segment(2), ZERO + 9_000)
    story.given(COMMANDS["disconnected"], ZERO + 70_005)
    assert story.given(COMMANDS["seal"], ZERO + 71_000) == (
        RecordingSealed(
            at_ms=ZERO + 71_000,
            recording_id=REC,
            contact_id=ADA,
            location="there",
            length_bytes=44,
            duration_ms=0,
            sha256="0" * 64,
            segments=2,
            gaps=1,
        ),
    )
    assert story.recording.state == "SEALED"
    assert story.state.recordings == {}


def test_a_recording_without_audio_is_given_up_after_a_grace(story: "Story") -> None:
    story.stopped_in_silence()
    due_ms = story.core.next_deadline(story.state)
    assert due_ms == ZERO + 75_005
    assert story.when(PassTime(), due_ms - 1) == ()
    assert story.given(PassTime(), due_ms) == (
        RecordingAbsent(
            at_ms=due_ms, recording_id=REC, contact_id=ADA, reason=AbsenceReason.NO_AUDIO
        ),
    )
    assert story.recording.state == "ABSENT"
    assert story.core.next_deadline(story.state) is None


def test_audio_that_comes_within_the_grace_is_taken(story: "Story") -> None:
    story.stopped_in_silence().given(segment(1), ZERO + 75_004)
    assert story.core.next_deadline(story.state) is None
    assert story.when(PassTime(), ZERO + 99_000) == ()


def test_audio_of_which_the_store_holds_nothing_is_absent_with_that_reason(story: "Story") -> None:
    story.stopped().given(DeclareAudioLost(contact_id=ADA), ZERO + 61_000)
    assert story.recording.phase == Absent(reason=AbsenceReason.AUDIO_LOST)


def test_many_silent_recordings_are_given_up_in_bounded_decisions(story: "Story") -> None:
    story.policy()
    for number in range(1_200):
        name = ContactId(f"c{number:04d}")
        story.quickly(story.connect(name), ZERO)
        story.quickly(story.disconnect(name), ZERO + 60_000)
    left = []
    while story.core.next_deadline(story.state) is not None:
        story.quickly(PassTime(), ZERO + 99_000)
        left.append(len(story.state.recordings))
    assert left == [700, 200, 0]


def test_only_the_last_finished_recordings_are_remembered(story: "Story") -> None:
    story.policy()
    for number in range(ENDED_MAX + 1):
        name = ContactId(f"c{number:04d}")
        story.quickly(story.connect(name), ZERO)
        story.quickly(story.disconnect(name), ZERO + 60_000)
        story.quickly(DeclareAudioLost(contact_id=name), ZERO + 61_000)
    assert len(story.state.ended) == ENDED_MAX
    late = PauseRecording(contact_id=ContactId("c0000"))
    assert story.refusal(late, ZERO + 62_000) == "CONTACT_UNKNOWN"
