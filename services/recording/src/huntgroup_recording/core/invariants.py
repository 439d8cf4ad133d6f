"""What is true of every state, checked by tests and simulations after every step."""

from itertools import pairwise

from huntgroup_recording.core.state import (
    ENDED_MAX,
    GAPS_MAX,
    OMITTED_MAX,
    PAUSES_MAX,
    POLICIES_MAX,
    Live,
    Recording,
    State,
    Stopped,
)
from huntgroup_recording.core.values import RecordingMode, recording_id_of


def check(state: State) -> None:
    """Raise `AssertionError` that names what does not hold."""
    assert RecordingMode.OFF not in state.policies.values(), "OFF is written by leaving out"
    assert len(state.policies) <= POLICIES_MAX, "too many policies"
    assert len(state.ended) <= ENDED_MAX, "too many ended recordings"
    assert len(state.omitted) <= OMITTED_MAX, "too many omitted contacts"
    assert not state.recordings.keys() & state.ended.keys(), "over and not over"
    for recording in state.recordings.values():
        assert not recording.over, f"{recording.recording_id} is over, but among the others"
        check_recording(recording)
    for recording in state.ended.values():
        assert recording.over, f"{recording.recording_id} is not over, but among the ended"
        check_recording(recording)
    check_silent(state)


def check_recording(recording: Recording) -> None:
    """One recording holds together."""
    name = recording.recording_id
    assert name == recording_id_of(recording.contact_id), f"{name} has an id that is not derived"
    assert (recording.segment == 0) == (recording.sample_rate_hz == 0), f"{name}: rate and segment"
    reasons = [pause.reason for pause in recording.standing]
    assert len(reasons) == len(set(reasons)), f"{name} is paused twice for one reason"
    assert len(recording.pauses) <= PAUSES_MAX, f"{name} has too many pauses"
    assert all(0 <= begin <= end for begin, end in recording.pauses), f"{name}: a pause runs back"
    assert all(0 <= gap.from_ms < gap.to_ms for gap in recording.gaps), f"{name}: an empty gap"
    spans = sorted((gap.from_ms, gap.to_ms) for gap in recording.gaps)
    for (_, end), (begin, _) in pairwise(spans):
        assert end <= begin, f"{name}: the same audio is missing twice"
    if isinstance(recording.phase, Live):
        assert len(recording.gaps) < GAPS_MAX + PAUSES_MAX, f"{name} has too many gaps"


def check_silent(state: State) -> None:
    """Exactly the stopped recordings without audio wait to be given up, the next one first."""
    silent = {
        contact_id
        for contact_id, recording in state.recordings.items()
        if isinstance(recording.phase, Stopped) and recording.segment == 0
    }
    assert silent == state.silent.keys(), "who is silent and who waits differ"
    due = list(state.silent.values())
    assert due == sorted(due), "the next one is not first"
