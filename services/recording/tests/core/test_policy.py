"""Which contacts are recorded."""

from typing import TYPE_CHECKING

import pytest

from huntgroup_recording.core.messages import (
    ObserveContactConnected,
    RecordingOmitted,
    RecordingPolicySet,
    RecordingRequested,
    SetRecordingPolicy,
)
from huntgroup_recording.core.state import OMITTED_MAX, POLICIES_MAX
from huntgroup_recording.core.values import (
    AgentId,
    ContactId,
    OmissionReason,
    QueueId,
    RecordingId,
    RecordingMode,
)

if TYPE_CHECKING:
    from services.recording.tests.conftest import Story

ADA, SALES = ContactId("ada"), QueueId("sales")
ALL = SetRecordingPolicy(queue_id=SALES, mode=RecordingMode.ALL)
OFF = SetRecordingPolicy(queue_id=SALES, mode=RecordingMode.OFF)


def connected(
    contact_id: str = "ada", queue_id: str = "sales", *, carries_audio: bool = True
) -> ObserveContactConnected:
    return ObserveContactConnected(
        contact_id=ContactId(contact_id),
        queue_id=QueueId(queue_id),
        agent_id=AgentId("grace"),
        carries_audio=carries_audio,
        connected_at_ms=100_000,
    )


def test_a_policy_is_set_and_holds_for_contacts_that_connect_from_then_on(story: "Story") -> None:
    assert story.given(ALL, 1_000) == (
        RecordingPolicySet(at_ms=1_000, queue_id=SALES, mode=RecordingMode.ALL),
    )
    assert story.given(connected(), 100_005) == (
        RecordingRequested(
            at_ms=100_005,
            recording_id=RecordingId("rec-ada"),
            contact_id=ADA,
            queue_id=SALES,
            agent_id=AgentId("grace"),
            connected_at_ms=100_000,
        ),
    )
    assert story.recording.state == "REQUESTED"


def test_a_queue_without_a_policy_is_not_recorded(story: "Story") -> None:
    story.given(ALL, 1_000)
    assert story.given(connected(queue_id="billing"), 100_005) == (
        RecordingOmitted(
            at_ms=100_005,
            contact_id=ADA,
            queue_id=QueueId("billing"),
            reason=OmissionReason.POLICY_OFF,
        ),
    )
    assert story.state.find(ADA) is None


def test_a_policy_that_is_taken_back_ends_no_recording_and_begins_none(story: "Story") -> None:
    story.requested().given(OFF, 100_010)
    assert story.recording.state == "REQUESTED"
    (omitted,) = story.given(connected("ben"), 100_020)
    assert isinstance(omitted, RecordingOmitted)


def test_a_chat_is_not_recorded_whatever_the_policy_says(story: "Story") -> None:
    story.given(ALL, 1_000)
    (omitted,) = story.given(connected(carries_audio=False), 100_005)
    assert isinstance(omitted, RecordingOmitted)
    assert omitted.reason is OmissionReason.NO_AUDIO_CHANNEL


@pytest.mark.parametrize("repeated", [ALL, OFF])
def test_a_policy_that_holds_already_changes_nothing(
    story: "Story", repeated: SetRecordingPolicy
) -> None:
    if repeated is ALL:
        story.given(ALL, 1_000)
    assert story.when(repeated, 2_000) == ()


def test_a_contact_that_connects_twice_is_decided_once(story: "Story") -> None:
    story.requested()
    assert story.when(connected(), 100_050) == ()


def test_a_contact_that_is_not_recorded_stays_so_when_it_is_seen_again(story: "Story") -> None:
    story.given(connected(), 100_005)
    story.given(ALL, 100_006)
    assert story.when(connected(), 100_050) == ()


def test_a_domain_has_a_bounded_number_of_recorded_queues(story: "Story") -> None:
    for number in range(POLICIES_MAX):
        story.state.policies[QueueId(f"q{number}")] = RecordingMode.ALL
    assert story.refusal(ALL, 1_000) == "TOO_MANY_POLICIES"
    off = SetRecordingPolicy(queue_id=QueueId("q7"), mode=RecordingMode.OFF)
    story.given(off, 1_000)
    assert story.given(ALL, 1_001)


def test_only_the_last_contacts_without_a_recording_are_remembered(story: "Story") -> None:
    for number in range(OMITTED_MAX):
        story.state.omitted[ContactId(f"c{number}")] = OmissionReason.POLICY_OFF
    story.given(connected(), 100_005)
    assert len(story.state.omitted) == OMITTED_MAX
    assert ContactId("c0") not in story.state.omitted
    assert ADA in story.state.omitted
