"""What the core is told about the facts of others."""

import pytest
from google.protobuf.message import Message

from huntgroup.agent_state.v1 import events_pb2 as agent_state
from huntgroup.event.v1.options_pb2 import event_type
from huntgroup.routing.v1 import events_pb2 as routing
from huntgroup.session.v1 import events_pb2 as session
from huntgroup_contracts.registry import classes_of
from huntgroup_eventlog.application import ForeignEvent
from huntgroup_reporting.app.reactions import OBSERVATIONS, ReportingReactions
from huntgroup_reporting.core.messages import (
    Command,
    ObserveAgentPresence,
    ObserveAgentSlot,
    ObserveContactDisconnected,
    ObserveContactEnqueued,
    ObserveContactMoved,
    ObserveContactQueued,
    ObserveOfferEnded,
    ObserveQueueConfigured,
    ObserveWaitEnded,
    ObserveWrapUpFinished,
)
from huntgroup_reporting.core.values import (
    AgentId,
    ContactId,
    OfferId,
    OfferOutcome,
    Presence,
    QueueId,
    SlotPhase,
    WaitOutcome,
)

ADA, FIRST, GRACE, SALES = ContactId("ada"), OfferId("ada.1"), AgentId("grace"), QueueId("sales")


def foreign(type_: str, payload: bytes) -> ForeignEvent:
    return ForeignEvent(
        service=type_.split(".")[1],
        domain="acme/emea",
        type=type_,
        payload=payload,
        at_ms=9,
        sequence=1,
        event_id="0-0",
        traceparent="",
    )


def observed(fact: Message) -> Command | None:
    type_ = fact.DESCRIPTOR.GetOptions().Extensions[event_type]
    return ReportingReactions().react(foreign(type_, fact.SerializeToString()))


def ended(outcome: WaitOutcome, stay: str = ADA) -> Command:
    return ObserveWaitEnded(
        contact_id=ContactId(stay), queue_id=SALES, outcome=outcome, ended_at_ms=9, wait_ms=5
    )


def offer_ended(outcome: OfferOutcome) -> Command:
    return ObserveOfferEnded(
        offer_id=FIRST,
        agent_id=GRACE,
        queue_id=SALES,
        outcome=outcome,
        ended_at_ms=9,
        ring_ms=4,
    )


def agent_is(presence: Presence) -> Command:
    return ObserveAgentPresence(agent_id=GRACE, since_ms=9, presence=presence)


def slot_is(phase: SlotPhase, queue_id: str = "") -> Command:
    return ObserveAgentSlot(
        agent_id=GRACE, since_ms=9, offer_id=FIRST, queue_id=QueueId(queue_id), phase=phase
    )


OFFER = {"at_ms": 9, "offer_id": "ada.1", "agent_id": "grace", "queue_id": "sales", "ring_ms": 4}
SLOT = {"at_ms": 9, "offer_id": "ada.1", "agent_id": "grace"}
AGENT = {"at_ms": 9, "agent_id": "grace"}
WAIT = {"at_ms": 9, "contact_id": "ada", "queue_id": "sales", "wait_ms": 5}
IN_QUEUE, IN_MENU = session.ABANDON_STAGE_IN_QUEUE, session.ABANDON_STAGE_IN_MENU
RINGING_STAGE = session.ABANDON_STAGE_WHILE_OFFERING

CASES: list[tuple[type[Message], dict[str, object], Command | None]] = [
    (
        session.ContactQueued,
        {"at_ms": 9, "contact_id": "ada", "queue_id": "sales", "enqueued_at_ms": 9},
        ObserveContactQueued(contact_id=ADA, queue_id=SALES, enqueued_at_ms=9),
    ),
    (  # a callback that is back at its place waits anew
        session.ContactQueued,
        {"at_ms": 9, "contact_id": "ada", "queue_id": "sales", "enqueued_at_ms": 2, "stay": 1},
        ObserveContactQueued(contact_id=ContactId("ada~1"), queue_id=SALES, enqueued_at_ms=9),
    ),
    (session.CallbackScheduled, WAIT | {"in_line": True}, ended(WaitOutcome.OVERFLOWED)),
    (session.CallbackScheduled, WAIT | {"in_line": False}, None),
    (session.CallbackAnswered, WAIT, ended(WaitOutcome.OVERFLOWED)),
    (session.CallbackEnded, WAIT | {"in_line": True}, ended(WaitOutcome.OVERFLOWED)),
    (session.CallbackEnded, WAIT | {"in_line": False}, None),
    (session.ContactConnected, WAIT, ended(WaitOutcome.ANSWERED)),
    (session.ContactAbandoned, WAIT | {"stage": IN_QUEUE}, ended(WaitOutcome.ABANDONED)),
    (session.ContactAbandoned, WAIT | {"stage": RINGING_STAGE}, ended(WaitOutcome.ABANDONED)),
    (session.ContactAbandoned, WAIT | {"stage": IN_MENU}, None),
    (session.ContactHandedBack, WAIT, ended(WaitOutcome.OVERFLOWED)),
    (session.ContactDiverted, WAIT, ended(WaitOutcome.OVERFLOWED)),
    (
        session.ContactDiverted,
        WAIT | {"stay": 2},
        ended(WaitOutcome.OVERFLOWED, "ada~2"),
    ),
    (
        session.ContactMoved,
        WAIT | {"from_queue_id": "support", "enqueued_at_ms": 4, "stay": 1},
        ObserveContactMoved(
            contact_id=ADA,
            from_queue_id=QueueId("support"),
            moved_at_ms=9,
            wait_ms=5,
            next_contact_id=ContactId("ada~1"),
            queue_id=SALES,
            enqueued_at_ms=4,
        ),
    ),
    (
        session.ContactDisconnected,
        {
            "offer_id": "ada.1",
            "contact_id": "ada",
            "queue_id": "sales",
            "talk_ms": 7,
            "hold_ms": 3,
        },
        ObserveContactDisconnected(
            offer_id=FIRST, contact_id=ADA, queue_id=SALES, talk_ms=7, hold_ms=3
        ),
    ),
    (session.ContactHeld, {}, None),
    (
        routing.QueueConfigured,
        {"queue_id": "sales", "service_level_threshold_ms": 20_000},
        ObserveQueueConfigured(queue_id=SALES, service_level_threshold_ms=20_000),
    ),
    (
        routing.ContactEnqueued,
        {"contact_id": "ada", "queue_id": "sales"},
        ObserveContactEnqueued(contact_id=ADA, queue_id=SALES),
    ),
    (
        routing.ContactMoved,
        {"contact_id": "ada", "queue_id": "sales", "stay": 1},
        ObserveContactEnqueued(contact_id=ContactId("ada~1"), queue_id=SALES),
    ),
    (routing.OfferAccepted, OFFER, offer_ended(OfferOutcome.ACCEPTED)),
    (routing.OfferRejected, OFFER, offer_ended(OfferOutcome.REJECTED)),
    (routing.OfferExpired, OFFER, offer_ended(OfferOutcome.EXPIRED)),
    (routing.OfferCanceled, OFFER, offer_ended(OfferOutcome.CANCELED)),
    (routing.OfferRescinded, OFFER, offer_ended(OfferOutcome.RESCINDED)),
    (routing.ContactRequeued, {}, None),
    (agent_state.AgentSignedOn, AGENT, agent_is(Presence.NOT_READY)),
    (agent_state.AgentSignedOff, AGENT, agent_is(Presence.SIGNED_OFF)),
    (agent_state.AgentWentReady, AGENT, agent_is(Presence.READY)),
    (agent_state.AgentWentNotReady, AGENT, agent_is(Presence.NOT_READY)),
    (agent_state.AgentStoppedResponding, AGENT, agent_is(Presence.NOT_RESPONDING)),
    (agent_state.AgentAskedForPresence, AGENT, None),
    (
        agent_state.AgentReserved,
        SLOT | {"queue_id": "sales"},
        slot_is(SlotPhase.RINGING, "sales"),
    ),
    (agent_state.AgentBecameBusy, SLOT, slot_is(SlotPhase.TALKING)),
    (agent_state.AgentStartedWrapUp, SLOT, slot_is(SlotPhase.WRAPPING_UP)),
    (agent_state.AgentReleased, SLOT, slot_is(SlotPhase.FREE)),
    (
        agent_state.AgentFinishedWrapUp,
        SLOT | {"wrap_up_ms": 6},
        ObserveWrapUpFinished(offer_id=FIRST, ended_at_ms=9, wrap_up_ms=6),
    ),
]


@pytest.mark.parametrize(("kind", "fields", "command"), CASES)
def test_a_fact_becomes_what_the_core_is_told(
    kind: type[Message], fields: dict[str, object], command: Command | None
) -> None:
    assert observed(kind(**fields)) == command


def test_every_observed_type_is_one_of_the_sources() -> None:
    known = {type_ for service in ReportingReactions.sources for type_ in classes_of(service)}
    assert OBSERVATIONS.keys() <= known
    told = {kind.DESCRIPTOR.GetOptions().Extensions[event_type] for kind, _, _ in CASES}
    assert OBSERVATIONS.keys() <= told, "every one is among the cases above"


def test_a_payload_that_cannot_be_read_is_told_so() -> None:
    with pytest.raises(ValueError, match="cannot be read"):
        ReportingReactions().react(foreign("huntgroup.session.contact.queued.v1", b"\xff"))
