"""What the facts of the session service become."""

import pytest
from google.protobuf.message import Message

from huntgroup.event.v1.options_pb2 import event_type
from huntgroup.session.v1 import events_pb2 as session
from huntgroup_eventlog.application import ForeignEvent
from huntgroup_recording.app.reactions import RecordingReactions
from huntgroup_recording.core.messages import (
    ObserveContactConnected,
    ObserveContactDisconnected,
    ObserveContactHeld,
    ObserveContactRetrieved,
)
from huntgroup_recording.core.values import AgentId, ContactId, QueueId

ADA = ContactId("ada")


def foreign(fact: Message, payload: bytes | None = None) -> ForeignEvent:
    return ForeignEvent(
        service="session",
        domain="acme/emea",
        type=fact.DESCRIPTOR.GetOptions().Extensions[event_type],
        payload=fact.SerializeToString() if payload is None else payload,
        at_ms=9_000,
        sequence=7,
        event_id="hash-0",
        traceparent="",
    )


@pytest.mark.parametrize(
    ("channel", "carries_audio"),
    [
        (session.CHANNEL_VOICE, True),
        (session.CHANNEL_CALLBACK, True),
        (session.CHANNEL_CHAT, False),
        (session.CHANNEL_MESSAGE, False),
    ],
)
def test_the_clock_of_a_contact_begins_when_session_connected_it(
    channel: session.Channel.ValueType, *, carries_audio: bool
) -> None:
    fact = session.ContactConnected(
        at_ms=5_000,
        contact_id="ada",
        offer_id="ada.1",
        agent_id="grace",
        queue_id="sales",
        channel=channel,
    )
    assert RecordingReactions().react(foreign(fact)) == ObserveContactConnected(
        contact_id=ADA,
        queue_id=QueueId("sales"),
        agent_id=AgentId("grace"),
        carries_audio=carries_audio,
        connected_at_ms=5_000,
    )


@pytest.mark.parametrize(
    ("fact", "command"),
    [
        (
            session.ContactHeld(at_ms=6_000, contact_id="ada", agent_id="grace"),
            ObserveContactHeld(contact_id=ADA, held_at_ms=6_000),
        ),
        (
            session.ContactRetrieved(at_ms=7_000, contact_id="ada", hold_ms=1_000),
            ObserveContactRetrieved(contact_id=ADA, retrieved_at_ms=7_000),
        ),
        (
            session.ContactDisconnected(at_ms=8_000, contact_id="ada"),
            ObserveContactDisconnected(contact_id=ADA, disconnected_at_ms=8_000),
        ),
    ],
    ids=["held", "retrieved", "disconnected"],
)
def test_holds_and_the_end_are_observed_at_the_moments_of_the_session(
    fact: Message, command: object
) -> None:
    assert RecordingReactions().react(foreign(fact)) == command


def test_other_facts_are_of_no_concern() -> None:
    assert RecordingReactions().react(foreign(session.ContactQueued(contact_id="ada"))) is None


def test_a_payload_that_cannot_be_read_is_told() -> None:
    damaged = foreign(session.ContactHeld(), payload=b"\xff\xff")
    with pytest.raises(ValueError, match="hash-0 cannot be read"):
        RecordingReactions().react(damaged)


def test_the_session_service_is_the_only_source() -> None:
    assert RecordingReactions().sources == ("session",)
