"""Everything the recording service can be told, and everything it can say.

Commands of the API have the fields of their request in `proto/huntgroup/recording/v1/commands.proto`; events are the
messages of `events.proto`, field by field. Every event carries the log time of its decision, commands carry none.
"""

from dataclasses import dataclass
from enum import StrEnum

from huntgroup_recording.core.values import (
    AbsenceReason,
    AgentId,
    ContactId,
    GapReason,
    OmissionReason,
    PauseReason,
    QueueId,
    RecordingId,
    RecordingMode,
)

# Commands of the API.


@dataclass(frozen=True, slots=True, kw_only=True)
class SetRecordingPolicy:
    """From now on, contacts of this queue are recorded like this when they connect."""

    queue_id: QueueId
    mode: RecordingMode


@dataclass(frozen=True, slots=True, kw_only=True)
class PauseRecording:
    """Write silence until resumed, for example while a card number is spoken."""

    contact_id: ContactId


@dataclass(frozen=True, slots=True, kw_only=True)
class ResumeRecording:
    """End the pause that a command began; a hold goes on."""

    contact_id: ContactId


# Commands of the recorder itself.


@dataclass(frozen=True, slots=True, kw_only=True)
class StartSegment:
    """Audio begins to arrive; `segment` is one more than the last one's number."""

    contact_id: ContactId
    segment: int
    sample_rate_hz: int


@dataclass(frozen=True, slots=True, kw_only=True)
class NoteGap:
    """Audio is missing between two moments on the contact's clock; what is known of them already counts once."""

    contact_id: ContactId
    from_ms: int
    to_ms: int
    reason: GapReason


@dataclass(frozen=True, slots=True, kw_only=True)
class SealRecording:
    """The recording is in the store as one file."""

    contact_id: ContactId
    location: str
    length_bytes: int
    duration_ms: int
    sha256: str


@dataclass(frozen=True, slots=True, kw_only=True)
class DeclareAudioLost:
    """Audio arrived, but the store holds none of it."""

    contact_id: ContactId


# Facts of others, and of time.


@dataclass(frozen=True, slots=True, kw_only=True)
class ObserveContactConnected:
    """Customer and agent talk."""

    contact_id: ContactId
    queue_id: QueueId
    agent_id: AgentId
    carries_audio: bool
    connected_at_ms: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ObserveContactHeld:
    """The agent put the customer on hold."""

    contact_id: ContactId
    held_at_ms: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ObserveContactRetrieved:
    """The agent took the customer off hold."""

    contact_id: ContactId
    retrieved_at_ms: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ObserveContactDisconnected:
    """The conversation ended."""

    contact_id: ContactId
    disconnected_at_ms: int


@dataclass(frozen=True, slots=True, kw_only=True)
class PassTime:
    """Time has passed; nothing else happened."""


# Events.


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordingPolicySet:
    """What is recorded of a queue's contacts from now on."""

    at_ms: int
    queue_id: QueueId
    mode: RecordingMode


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordingRequested:
    """A connected contact is to be recorded; its clock began at `connected_at_ms`."""

    at_ms: int
    recording_id: RecordingId
    contact_id: ContactId
    queue_id: QueueId
    agent_id: AgentId
    connected_at_ms: int


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordingOmitted:
    """A connected contact is not to be recorded."""

    at_ms: int
    contact_id: ContactId
    queue_id: QueueId
    reason: OmissionReason


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordingStarted:
    """Audio of both sides began to arrive: the first segment, or another one after a stream broke."""

    at_ms: int
    recording_id: RecordingId
    contact_id: ContactId
    segment: int
    sample_rate_hz: int


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordingPaused:
    """What arrives from now on is written as silence, until no pause stands."""

    at_ms: int
    recording_id: RecordingId
    contact_id: ContactId
    reason: PauseReason
    offset_ms: int


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordingResumed:
    """This pause is over; what arrives is written again unless the other pause still stands."""

    at_ms: int
    recording_id: RecordingId
    contact_id: ContactId
    reason: PauseReason
    offset_ms: int


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordingGapNoted:
    """Audio is missing; `segment` is the one that was current when this was noticed."""

    at_ms: int
    recording_id: RecordingId
    contact_id: ContactId
    segment: int
    from_ms: int
    to_ms: int
    reason: GapReason


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordingStopped:
    """The conversation ended; what there is will be sealed."""

    at_ms: int
    recording_id: RecordingId
    contact_id: ContactId
    segment: int
    offset_ms: int


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordingSealed:
    """The recording is in the store and will not change. A terminal fact."""

    at_ms: int
    recording_id: RecordingId
    contact_id: ContactId
    location: str
    length_bytes: int
    duration_ms: int
    sha256: str
    segments: int
    gaps: int


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordingAbsent:
    """The policy asked for a recording and there is none. A terminal fact."""

    at_ms: int
    recording_id: RecordingId
    contact_id: ContactId
    reason: AbsenceReason


# Refusals.


class Reason(StrEnum):
    """Why a command was refused."""

    CONTACT_UNKNOWN = "CONTACT_UNKNOWN"
    NOT_RECORDED = "NOT_RECORDED"
    RATE_CHANGED = "RATE_CHANGED"
    TOO_MANY_GAPS = "TOO_MANY_GAPS"
    TOO_MANY_POLICIES = "TOO_MANY_POLICIES"
    WRONG_SEGMENT = "WRONG_SEGMENT"
    WRONG_STATE = "WRONG_STATE"


@dataclass(frozen=True, slots=True, kw_only=True)
class Refused:
    """An expected "no": `detail` names the field, the value and the rule in one sentence."""

    reason: Reason
    detail: str


Command = (
    SetRecordingPolicy
    | PauseRecording
    | ResumeRecording
    | StartSegment
    | NoteGap
    | SealRecording
    | DeclareAudioLost
    | ObserveContactConnected
    | ObserveContactHeld
    | ObserveContactRetrieved
    | ObserveContactDisconnected
    | PassTime
)

Event = (
    RecordingPolicySet
    | RecordingRequested
    | RecordingOmitted
    | RecordingStarted
    | RecordingPaused
    | RecordingResumed
    | RecordingGapNoted
    | RecordingStopped
    | RecordingSealed
    | RecordingAbsent
)
