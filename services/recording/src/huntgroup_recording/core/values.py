"""The words of the recording service: identifiers, and the closed lists of its contract.

Two clocks: `…_at_ms` is log time, milliseconds since the epoch; `offset_ms`, `from_ms` and `to_ms` are on the
contact's clock, milliseconds since it was connected. Audio is placed on the contact's clock.
"""

from enum import StrEnum
from typing import NewType

ContactId = NewType("ContactId", str)
RecordingId = NewType("RecordingId", str)
QueueId = NewType("QueueId", str)
AgentId = NewType("AgentId", str)

HOLE_MS_MAX = 200
"""Silence between two chunks up to this length is jitter; a longer one is a gap unless a pause explains it."""


class RecordingMode(StrEnum):
    """What a queue's contacts are recorded of."""

    OFF = "OFF"
    ALL = "ALL"


class PauseReason(StrEnum):
    """Why a recording is silent: each reason begins and ends by itself."""

    HOLD = "HOLD"
    BY_COMMAND = "BY_COMMAND"


class GapReason(StrEnum):
    """Why audio is missing."""

    RECORDER_LOST = "RECORDER_LOST"
    STREAM_LOST = "STREAM_LOST"
    STORAGE_FAILED = "STORAGE_FAILED"


class AbsenceReason(StrEnum):
    """Why there is no recording although the policy asked for one."""

    NO_AUDIO = "NO_AUDIO"
    AUDIO_LOST = "AUDIO_LOST"


class OmissionReason(StrEnum):
    """Why a connected contact is not recorded."""

    POLICY_OFF = "POLICY_OFF"
    NO_AUDIO_CHANNEL = "NO_AUDIO_CHANNEL"


def recording_id_of(contact_id: ContactId) -> RecordingId:
    """Return the id of a contact's one recording."""
    return RecordingId(f"rec-{contact_id}")
