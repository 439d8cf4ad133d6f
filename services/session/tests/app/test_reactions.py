"""Which facts of other services are taken in, and as what."""

from dataclasses import replace
from typing import Any, get_type_hints

import pytest
from google.protobuf.message import Message

from huntgroup.agent_state.v1.events_pb2 import (
    AgentFinishedWrapUp,
    AgentReleased,
    AgentSignedOff,
    AgentSignedOn,
)
from huntgroup.event.v1.options_pb2 import event_type
from huntgroup.routing.v1.events_pb2 import (
    CHANNEL_CHAT,
    DEQUEUE_REASON_CALLBACK_DUE,
    DEQUEUE_REASON_CALLBACK_POSTPONED,
    OVERFLOW_ACTION_VOICEMAIL,
    OVERFLOW_TRIGGER_WAITED,
    RESCIND_REASON_TAKEN_BY_ANOTHER,
    ContactDequeued,
    ContactEnqueued,
    ContactMoved,
    ContactReprioritized,
    OfferAccepted,
    OfferCanceled,
    OfferCreated,
    OfferExpired,
    OfferRejected,
    OfferRescinded,
    Overflow,
    QueueConfigured,
    QueueRetired,
)
from huntgroup_contracts.registry import event_class, service_of
from huntgroup_eventlog.application import ForeignEvent
from huntgroup_session.app.reactions import OBSERVATIONS, SessionReactions
from huntgroup_session.core.messages import (
    Command,
    ObserveAgentSignedOff,
    ObserveAgentSignedOn,
    ObserveCallbackDue,
    ObserveCallbackPostponed,
    ObserveContactMoved,
    ObserveContactOverflowed,
    ObserveContactReprioritized,
    ObserveContactResumed,
    ObserveOfferAccepted,
    ObserveOfferCreated,
    ObserveOfferFailed,
    ObserveQueueConfigured,
    ObserveQueueRetired,
    ObserveWrapUpFinished,
)
from huntgroup_session.core.values import (
    AgentId,
    Channel,
    ContactId,
    DiversionAction,
    OfferId,
    OverflowTrigger,
    QueueId,
    ReturnReason,
)

ADA, FIRST, GRACE = ContactId("ada"), OfferId("ada.1"), AgentId("grace")
VOICEMAIL = Overflow(
    trigger=OVERFLOW_TRIGGER_WAITED, action=OVERFLOW_ACTION_VOICEMAIL, endpoint="box-7"
)
OFFER: dict[str, Any] = {"contact_id": ADA, "offer_id": FIRST, "agent_id": GRACE}


def foreign(message: Message) -> ForeignEvent:
    type_ = message.DESCRIPTOR.GetOptions().Extensions[event_type]
    return ForeignEvent(
        service=service_of(type_),
        domain="acme/emea",
        type=type_,
        payload=message.SerializeToString(),
        at_ms=1_000,
        sequence=1,
        event_id="hash-0",
        traceparent="",
    )


@pytest.mark.parametrize(
    ("fact", "command"),
    [
        (
            QueueConfigured(
                queue_id="sales",
                waiting_max=7,
                callback_attempts=3,
                callback_retry_ms=9,
                channel=CHANNEL_CHAT,
                one_channel=True,
            ),
            ObserveQueueConfigured(
                queue_id=QueueId("sales"),
                waiting_max=7,
                callback_attempts=3,
                callback_retry_ms=9,
                channel=Channel.CHAT,
            ),
        ),
        (  # from a journal in which a channel kept nobody out
            QueueConfigured(queue_id="sales", waiting_max=7, channel=CHANNEL_CHAT),
            ObserveQueueConfigured(queue_id=QueueId("sales"), waiting_max=7, channel=None),
        ),
        (
            QueueConfigured(queue_id="sales", waiting_max=7),
            ObserveQueueConfigured(queue_id=QueueId("sales"), waiting_max=7, channel=None),
        ),
        (QueueRetired(queue_id="sales"), ObserveQueueRetired(queue_id=QueueId("sales"))),
        (
            OfferCreated(**OFFER, attempt=2),
            ObserveOfferCreated(contact_id=ADA, offer_id=FIRST, agent_id=GRACE, attempt=2),
        ),
        (
            OfferAccepted(**OFFER),
            ObserveOfferAccepted(contact_id=ADA, offer_id=FIRST, agent_id=GRACE),
        ),
        (
            OfferRejected(**OFFER),
            ObserveOfferFailed(contact_id=ADA, offer_id=FIRST, reason=ReturnReason.REJECTED),
        ),
        (
            OfferExpired(**OFFER),
            ObserveOfferFailed(contact_id=ADA, offer_id=FIRST, reason=ReturnReason.EXPIRED),
        ),
        (
            OfferRescinded(**OFFER),
            ObserveOfferFailed(contact_id=ADA, offer_id=FIRST, reason=ReturnReason.AGENT_LOST),
        ),
        (
            ContactMoved(contact_id="ada", queue_id="night", enqueued_at_ms=5, stay=1),
            ObserveContactMoved(
                contact_id=ADA,
                queue_id=QueueId("night"),
                priority=0,
                enqueued_at_ms=5,
                stay=1,
                trigger=OverflowTrigger.UNSPECIFIED,
            ),
        ),
        (
            ContactEnqueued(contact_id="ada", resumes="ada-before", stay=1, enqueued_at_ms=5),
            ObserveContactResumed(
                contact_id=ADA, resumes=ContactId("ada-before"), stay=1, enqueued_at_ms=5
            ),
        ),
        (
            ContactDequeued(contact_id="ada", attempts=2, overflow=VOICEMAIL, opens_at_ms=7),
            ObserveContactOverflowed(
                contact_id=ADA,
                trigger=OverflowTrigger.WAITED,
                key="",
                action=DiversionAction.VOICEMAIL,
                endpoint="box-7",
                attempts=2,
                opens_at_ms=7,
            ),
        ),
        (
            ContactReprioritized(contact_id="ada", queue_id="sales", priority=7),
            ObserveContactReprioritized(contact_id=ADA, priority=7),
        ),
        (
            ContactDequeued(contact_id="ada", reason=DEQUEUE_REASON_CALLBACK_DUE),
            ObserveCallbackDue(contact_id=ADA),
        ),
        (
            ContactDequeued(contact_id="ada", reason=DEQUEUE_REASON_CALLBACK_POSTPONED),
            ObserveCallbackPostponed(contact_id=ADA),
        ),
        (AgentSignedOff(agent_id="grace"), ObserveAgentSignedOff(agent_id=AgentId("grace"))),
        (AgentSignedOn(agent_id="grace"), ObserveAgentSignedOn(agent_id=AgentId("grace"))),
        (
            AgentFinishedWrapUp(**OFFER, wrap_up_ms=15_000),
            ObserveWrapUpFinished(contact_id=ADA, offer_id=FIRST, wrap_up_ms=15_000),
        ),
    ],
)
def test_a_fact_that_concerns_a_contact_is_told_to_the_core(
    fact: Message, command: Command
) -> None:
    assert SessionReactions().react(foreign(fact)) == command


@pytest.mark.parametrize(
    "fact",
    [
        OfferRejected(**OFFER, others_ringing=2),
        OfferExpired(**OFFER, others_ringing=1),
        OfferRescinded(**OFFER, others_ringing=1),
        OfferRescinded(**OFFER, reason=RESCIND_REASON_TAKEN_BY_ANOTHER),
    ],
)
def test_a_contact_that_rings_on_at_others_or_was_taken_does_not_go_back(fact: Message) -> None:
    assert SessionReactions().react(foreign(fact)) is None


@pytest.mark.parametrize(
    "fact",
    [
        OfferCanceled(**OFFER),
        AgentReleased(**OFFER),
        ContactDequeued(contact_id="ada"),
        ContactEnqueued(contact_id="ada"),
    ],
)
def test_other_facts_are_of_no_concern(fact: Message) -> None:
    assert SessionReactions().react(foreign(fact)) is None


def test_a_fact_that_cannot_be_read_is_not_guessed() -> None:
    damaged = replace(foreign(OfferCreated(**OFFER)), payload=b"\xff")
    with pytest.raises(ValueError, match=r"huntgroup\.routing\.offer\.created\.v1 hash-0"):
        SessionReactions().react(damaged)


@pytest.mark.parametrize("type_", OBSERVATIONS)
def test_every_type_in_the_table_is_a_source_s_and_its_function_takes_that_message(
    type_: str,
) -> None:
    assert service_of(type_) in SessionReactions.sources
    assert get_type_hints(OBSERVATIONS[type_])["fact"] is event_class(type_)
