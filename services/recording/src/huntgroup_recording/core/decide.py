"""What follows from a command: events, or a refusal. Nothing is changed here, and an observation is never refused."""

from typing import assert_never

from huntgroup_recording.core.messages import (
    Command,
    DeclareAudioLost,
    Event,
    NoteGap,
    ObserveContactConnected,
    ObserveContactDisconnected,
    ObserveContactHeld,
    ObserveContactRetrieved,
    PassTime,
    PauseRecording,
    Reason,
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
    Refused,
    ResumeRecording,
    SealRecording,
    SetRecordingPolicy,
    StartSegment,
)
from huntgroup_recording.core.state import (
    GAPS_MAX,
    POLICIES_MAX,
    Absent,
    Live,
    Recording,
    Sealed,
    State,
    Stopped,
)
from huntgroup_recording.core.values import (
    HOLE_MS_MAX,
    AbsenceReason,
    ContactId,
    GapReason,
    OmissionReason,
    PauseReason,
    RecordingMode,
    recording_id_of,
)

Decision = tuple[Event, ...] | Refused

GIVEN_UP_AT_ONCE_MAX = 500
"""One decision about time gives up so many silent recordings; the rest follow at once, in the next."""


def decide(state: State, command: Command, at_ms: int) -> Decision:
    """Return what follows from `command` at log time `at_ms`."""
    match command:
        case SetRecordingPolicy():
            return set_policy(state, command, at_ms)
        case PauseRecording():
            return pause_by_command(state, command, at_ms)
        case ResumeRecording():
            return resume_by_command(state, command, at_ms)
        case StartSegment():
            return start_segment(state, command, at_ms)
        case NoteGap():
            return note_gap(state, command, at_ms)
        case SealRecording():
            return seal(state, command, at_ms)
        case DeclareAudioLost():
            return declare_audio_lost(state, command, at_ms)
        case ObserveContactConnected():
            return on_connected(state, command, at_ms)
        case ObserveContactHeld():
            return on_held(state, command, at_ms)
        case ObserveContactRetrieved():
            return on_retrieved(state, command, at_ms)
        case ObserveContactDisconnected():
            return on_disconnected(state, command, at_ms)
        case PassTime():
            return pass_time(state, at_ms)
        case _:
            assert_never(command)


# Commands of the API.


def set_policy(state: State, command: SetRecordingPolicy, at_ms: int) -> Decision:
    """A policy holds for contacts that connect from now on; without one a queue is OFF."""
    current = state.policies.get(command.queue_id, RecordingMode.OFF)
    if command.mode is current:
        return ()
    if current is RecordingMode.OFF and len(state.policies) >= POLICIES_MAX:
        return Refused(
            reason=Reason.TOO_MANY_POLICIES,
            detail=f"queue_id {command.queue_id!r}: {POLICIES_MAX} queues of the domain are recorded already",
        )
    return (RecordingPolicySet(at_ms=at_ms, queue_id=command.queue_id, mode=command.mode),)


def pause_by_command(state: State, command: PauseRecording, at_ms: int) -> Decision:
    """A pause may begin before any audio does, so that nothing slips through."""
    recording = _live(state, command.contact_id)
    if isinstance(recording, Refused):
        return recording
    return _pause(recording, PauseReason.BY_COMMAND, at_ms - recording.connected_at_ms, at_ms)


def resume_by_command(state: State, command: ResumeRecording, at_ms: int) -> Decision:
    """Only the pause of a command ends; the customer may still be on hold."""
    recording = _live(state, command.contact_id)
    if isinstance(recording, Refused):
        return recording
    return _resume(recording, PauseReason.BY_COMMAND, at_ms - recording.connected_at_ms, at_ms)


# Commands of the recorder itself.


def start_segment(state: State, command: StartSegment, at_ms: int) -> Decision:
    """Late audio of a stopped recording is welcome until it is sealed or given up."""
    recording = not_over(state, command.contact_id)
    if isinstance(recording, Refused):
        return recording
    if recording.sample_rate_hz not in (0, command.sample_rate_hz):
        return Refused(
            reason=Reason.RATE_CHANGED,
            detail=f"sample_rate_hz is {command.sample_rate_hz}, but the recording of contact "
            f"{command.contact_id!r} began with {recording.sample_rate_hz}",
        )
    if command.segment <= recording.segment:
        return ()
    if command.segment != recording.segment + 1:
        return Refused(
            reason=Reason.WRONG_SEGMENT,
            detail=f"segment is {command.segment}, but the next one of contact "
            f"{command.contact_id!r} is {recording.segment + 1}",
        )
    return (
        RecordingStarted(
            at_ms=at_ms,
            recording_id=recording.recording_id,
            contact_id=recording.contact_id,
            segment=command.segment,
            sample_rate_hz=command.sample_rate_hz,
        ),
    )


def note_gap(state: State, command: NoteGap, at_ms: int) -> Decision:
    """What pauses and earlier gaps explain is no new gap; of a failed store even the shortest rest is one."""
    recording = not_over(state, command.contact_id)
    if isinstance(recording, Refused):
        return recording
    if isinstance(recording.phase, Live) and len(recording.gaps) >= GAPS_MAX:
        return Refused(
            reason=Reason.TOO_MANY_GAPS,
            detail=f"the recording of contact {command.contact_id!r} has {GAPS_MAX} gaps already",
        )
    jitter_ms = 0 if command.reason is GapReason.STORAGE_FAILED else HOLE_MS_MAX
    return tuple(
        RecordingGapNoted(
            at_ms=at_ms,
            recording_id=recording.recording_id,
            contact_id=recording.contact_id,
            segment=recording.segment,
            from_ms=from_ms,
            to_ms=to_ms,
            reason=command.reason,
        )
        for from_ms, to_ms in recording.unexplained(command.from_ms, command.to_ms)
        if to_ms - from_ms > jitter_ms
    )


def seal(state: State, command: SealRecording, at_ms: int) -> Decision:
    """A recording is sealed once, after its stop."""
    recording = _to_close(state, command.contact_id)
    if isinstance(recording, Refused):
        return recording
    if isinstance(recording.phase, Sealed):
        return ()
    if isinstance(recording.phase, Absent):
        return _wrong_state(recording, "have stopped")
    return (
        RecordingSealed(
            at_ms=at_ms,
            recording_id=recording.recording_id,
            contact_id=recording.contact_id,
            location=command.location,
            length_bytes=command.length_bytes,
            duration_ms=command.duration_ms,
            sha256=command.sha256,
            segments=recording.segment,
            gaps=len(recording.gaps),
        ),
    )


def declare_audio_lost(state: State, command: DeclareAudioLost, at_ms: int) -> Decision:
    """Audio began to arrive, but there is nothing to seal."""
    recording = _to_close(state, command.contact_id)
    if isinstance(recording, Refused):
        return recording
    return () if recording.over else (_absent(recording, AbsenceReason.AUDIO_LOST, at_ms),)


# Facts of others, and of time.


def on_connected(state: State, command: ObserveContactConnected, at_ms: int) -> Decision:
    """The policy of the moment decides, once and for all of this contact."""
    if state.find(command.contact_id) or command.contact_id in state.omitted:
        return ()
    omission = _omission(state, command)
    if omission is not None:
        return (
            RecordingOmitted(
                at_ms=at_ms,
                contact_id=command.contact_id,
                queue_id=command.queue_id,
                reason=omission,
            ),
        )
    return (
        RecordingRequested(
            at_ms=at_ms,
            recording_id=recording_id_of(command.contact_id),
            contact_id=command.contact_id,
            queue_id=command.queue_id,
            agent_id=command.agent_id,
            connected_at_ms=command.connected_at_ms,
        ),
    )


def on_held(state: State, command: ObserveContactHeld, at_ms: int) -> Decision:
    """Music on hold and what an agent says beside it are not recorded."""
    recording = state.recordings.get(command.contact_id)
    if recording is None or not isinstance(recording.phase, Live):
        return ()
    return _pause(
        recording, PauseReason.HOLD, command.held_at_ms - recording.connected_at_ms, at_ms
    )


def on_retrieved(state: State, command: ObserveContactRetrieved, at_ms: int) -> Decision:
    """The conversation goes on."""
    recording = state.recordings.get(command.contact_id)
    if recording is None or not isinstance(recording.phase, Live):
        return ()
    return _resume(
        recording, PauseReason.HOLD, command.retrieved_at_ms - recording.connected_at_ms, at_ms
    )


def on_disconnected(state: State, command: ObserveContactDisconnected, at_ms: int) -> Decision:
    """What there is will be sealed; audio that is under way may still come in."""
    recording = state.recordings.get(command.contact_id)
    if recording is None or not isinstance(recording.phase, Live):
        return ()
    return (
        RecordingStopped(
            at_ms=at_ms,
            recording_id=recording.recording_id,
            contact_id=recording.contact_id,
            segment=recording.segment,
            offset_ms=max(0, command.disconnected_at_ms - recording.connected_at_ms),
        ),
    )


def pass_time(state: State, at_ms: int) -> Decision:
    """Stopped recordings of which nothing arrived in time are given up."""
    given_up: list[Event] = []
    for contact_id, due_ms in state.silent.items():
        if due_ms > at_ms or len(given_up) == GIVEN_UP_AT_ONCE_MAX:
            break
        given_up.append(_absent(state.recordings[contact_id], AbsenceReason.NO_AUDIO, at_ms))
    return tuple(given_up)


# How.


def _omission(state: State, command: ObserveContactConnected) -> OmissionReason | None:
    if state.policies.get(command.queue_id, RecordingMode.OFF) is RecordingMode.OFF:
        return OmissionReason.POLICY_OFF
    return None if command.carries_audio else OmissionReason.NO_AUDIO_CHANNEL


def _pause(recording: Recording, reason: PauseReason, offset_ms: int, at_ms: int) -> Decision:
    if recording.pause_for(reason):
        return ()
    return (
        RecordingPaused(
            at_ms=at_ms,
            recording_id=recording.recording_id,
            contact_id=recording.contact_id,
            reason=reason,
            offset_ms=max(0, offset_ms),
        ),
    )


def _resume(recording: Recording, reason: PauseReason, offset_ms: int, at_ms: int) -> Decision:
    pause = recording.pause_for(reason)
    if pause is None:
        return ()
    return (
        RecordingResumed(
            at_ms=at_ms,
            recording_id=recording.recording_id,
            contact_id=recording.contact_id,
            reason=reason,
            offset_ms=max(pause.from_ms, offset_ms),
        ),
    )


def _absent(recording: Recording, reason: AbsenceReason, at_ms: int) -> RecordingAbsent:
    return RecordingAbsent(
        at_ms=at_ms,
        recording_id=recording.recording_id,
        contact_id=recording.contact_id,
        reason=reason,
    )


def known(state: State, contact_id: ContactId) -> Recording | Refused:
    """Return the contact's recording, or say why there is none."""
    recording = state.find(contact_id)
    if recording is not None:
        return recording
    omission = state.omitted.get(contact_id)
    if omission is not None:
        return Refused(
            reason=Reason.NOT_RECORDED,
            detail=f"contact_id {contact_id!r} is not recorded: {omission}",
        )
    return Refused(
        reason=Reason.CONTACT_UNKNOWN,
        detail=f"contact_id {contact_id!r} is not a connected contact of domain {state.domain!r}",
    )


def not_over(state: State, contact_id: ContactId) -> Recording | Refused:
    """Return a recording that is live, or stopped and still open to late audio."""
    recording = known(state, contact_id)
    if isinstance(recording, Refused) or not recording.over:
        return recording
    return _wrong_state(recording, "not be over")


def _live(state: State, contact_id: ContactId) -> Recording | Refused:
    """Return a recording whose conversation goes on."""
    recording = known(state, contact_id)
    if isinstance(recording, Refused) or isinstance(recording.phase, Live):
        return recording
    return _wrong_state(recording, "be live")


def _to_close(state: State, contact_id: ContactId) -> Recording | Refused:
    """Return a recording that is stopped, or over already."""
    recording = known(state, contact_id)
    if isinstance(recording, Refused) or recording.over:
        return recording
    if isinstance(recording.phase, Stopped):
        return recording
    return _wrong_state(recording, "have stopped")


def _wrong_state(recording: Recording, rule: str) -> Refused:
    return Refused(
        reason=Reason.WRONG_STATE,
        detail=f"the recording of contact {recording.contact_id!r} is {recording.state}; it must {rule}",
    )
