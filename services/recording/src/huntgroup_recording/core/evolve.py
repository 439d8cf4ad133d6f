"""How the state follows from the events: one branch per event, nothing refused, nothing asked."""

from collections import OrderedDict
from typing import Any, assert_never

from huntgroup_recording.core.deadlines import ABSENCE_GRACE_MS
from huntgroup_recording.core.messages import (
    Event,
    RecordingAbsent,
    RecordingGapNoted,
    RecordingOmitted,
    RecordingPaused,
    RecordingPolicySet,
    RecordingRequested,
    RecordingResumed,
    RecordingSealed,
    RecordingStarted,
    RecordingStopped,
)
from huntgroup_recording.core.state import (
    ENDED_MAX,
    OMITTED_MAX,
    Absent,
    Gap,
    Pause,
    Recording,
    Sealed,
    State,
    Stopped,
    keep_pause,
)
from huntgroup_recording.core.values import RecordingMode


def evolve(state: State, event: Event) -> State:
    """Return the state after `event`: the same object, changed."""
    match event:
        case RecordingPolicySet():
            set_policy(state, event)
        case RecordingRequested():
            request(state, event)
        case RecordingOmitted():
            state.omitted[event.contact_id] = event.reason
            _forget_oldest(state.omitted, OMITTED_MAX)
        case RecordingStarted():
            start(state, event)
        case RecordingPaused():
            pause(state.recordings[event.contact_id], event)
        case RecordingResumed():
            resume(state.recordings[event.contact_id], event)
        case RecordingGapNoted():
            gap = Gap(from_ms=event.from_ms, to_ms=event.to_ms, reason=event.reason)
            state.recordings[event.contact_id].gaps.append(gap)
        case RecordingStopped():
            stop(state, event)
        case RecordingSealed():
            seal(state, event)
        case RecordingAbsent():
            give_up(state, event)
        case _:
            assert_never(event)
    return state


def set_policy(state: State, event: RecordingPolicySet) -> None:
    """OFF is what a queue without a policy has."""
    if event.mode is RecordingMode.OFF:
        del state.policies[event.queue_id]
    else:
        state.policies[event.queue_id] = event.mode


def request(state: State, event: RecordingRequested) -> None:
    """A recording is there, and nothing has arrived yet."""
    state.recordings[event.contact_id] = Recording(
        recording_id=event.recording_id,
        contact_id=event.contact_id,
        queue_id=event.queue_id,
        agent_id=event.agent_id,
        connected_at_ms=event.connected_at_ms,
    )


def start(state: State, event: RecordingStarted) -> None:
    """Audio arrives, so the recording is not given up."""
    recording = state.recordings[event.contact_id]
    recording.segment = event.segment
    recording.sample_rate_hz = event.sample_rate_hz
    state.silent.pop(event.contact_id, None)


def pause(recording: Recording, event: RecordingPaused) -> None:
    """One more reason for silence."""
    recording.standing.append(Pause(reason=event.reason, from_ms=event.offset_ms))


def resume(recording: Recording, event: RecordingResumed) -> None:
    """One reason for silence less; the pause is kept, since it explains what is missing."""
    over = recording.pause_for(event.reason)
    assert over is not None
    recording.standing.remove(over)
    keep_pause(recording.pauses, (over.from_ms, event.offset_ms))


def stop(state: State, event: RecordingStopped) -> None:
    """The conversation is over; a recording without audio waits for it a little longer."""
    state.recordings[event.contact_id].phase = Stopped(offset_ms=event.offset_ms)
    if event.segment == 0:
        state.silent[event.contact_id] = event.at_ms + ABSENCE_GRACE_MS


def seal(state: State, event: RecordingSealed) -> None:
    """It is over, with a file."""
    recording = state.recordings.pop(event.contact_id)
    recording.phase = Sealed(
        location=event.location,
        length_bytes=event.length_bytes,
        duration_ms=event.duration_ms,
        sha256=event.sha256,
    )
    state.silent.pop(event.contact_id, None)
    _remember(state, recording)


def give_up(state: State, event: RecordingAbsent) -> None:
    """It is over, without a file."""
    recording = state.recordings.pop(event.contact_id)
    recording.phase = Absent(reason=event.reason)
    state.silent.pop(event.contact_id, None)
    _remember(state, recording)


def _remember(state: State, recording: Recording) -> None:
    state.ended[recording.contact_id] = recording
    _forget_oldest(state.ended, ENDED_MAX)


def _forget_oldest(remembered: OrderedDict[Any, Any], most: int) -> None:
    while len(remembered) > most:
        remembered.popitem(last=False)
