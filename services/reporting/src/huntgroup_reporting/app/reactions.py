"""The facts of other services that the ledger is made of, and what the core is told about each."""

from collections.abc import Callable, Collection, Mapping
from typing import Any, Final

from google.protobuf.message import DecodeError

from huntgroup.agent_state.v1 import events_pb2 as agent_state
from huntgroup.routing.v1 import events_pb2 as routing
from huntgroup.session.v1 import events_pb2 as session
from huntgroup_contracts.registry import event_class
from huntgroup_eventlog.application import ForeignEvent
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

OfferEnd = (
    routing.OfferAccepted
    | routing.OfferRejected
    | routing.OfferExpired
    | routing.OfferCanceled
    | routing.OfferRescinded
)
PresenceFact = (
    agent_state.AgentSignedOn
    | agent_state.AgentSignedOff
    | agent_state.AgentWentReady
    | agent_state.AgentWentNotReady
    | agent_state.AgentStoppedResponding
)
SlotFact = (
    agent_state.AgentReserved
    | agent_state.AgentBecameBusy
    | agent_state.AgentStartedWrapUp
    | agent_state.AgentReleased
)


class ReportingReactions:
    """Takes in waits and conversations from session, queues and offers from routing, and what agents do."""

    sources = ("session", "agent-state", "routing")

    @property
    def types(self) -> Collection[str]:
        """What `OBSERVATIONS` says something about."""
        return OBSERVATIONS.keys()

    def react(self, event: ForeignEvent) -> Command | None:
        """Return what the core is told, or None; raise `ValueError` when the payload cannot be read."""
        return observation(event.type, event.payload)


def observation(event_type: str, payload: bytes) -> Command | None:
    """Return what the core is told about a public event, or None; raise `ValueError` when it cannot be read."""
    observe = OBSERVATIONS.get(event_type)
    if observe is None:
        return None
    try:
        message = event_class(event_type).FromString(payload)
    except DecodeError as error:
        raise ValueError(f"a {event_type} cannot be read: {error}") from error
    return observe(message)


def on_contact_queued(fact: session.ContactQueued) -> Command:
    """Session: offered; a callback that comes back to its place waits anew."""
    return ObserveContactQueued(
        contact_id=stay_of(fact.contact_id, fact.stay),
        queue_id=QueueId(fact.queue_id),
        enqueued_at_ms=max(fact.at_ms, fact.enqueued_at_ms),
    )


def on_contact_connected(fact: session.ContactConnected) -> Command:
    """Session: answered."""
    return ObserveWaitEnded(
        contact_id=stay_of(fact.contact_id, fact.stay),
        queue_id=QueueId(fact.queue_id),
        outcome=WaitOutcome.ANSWERED,
        ended_at_ms=fact.at_ms,
        wait_ms=fact.wait_ms,
    )


def on_contact_abandoned(fact: session.ContactAbandoned) -> Command | None:
    """Session: abandoned, unless it was in the menu and so never offered to a queue."""
    if fact.stage == session.ABANDON_STAGE_IN_MENU:
        return None
    return ObserveWaitEnded(
        contact_id=stay_of(fact.contact_id, fact.stay),
        queue_id=QueueId(fact.queue_id),
        outcome=WaitOutcome.ABANDONED,
        ended_at_ms=fact.at_ms,
        wait_ms=fact.wait_ms,
    )


def on_contact_moved(fact: session.ContactMoved) -> Command:
    """Session: overflowed in one queue, offered in the next."""
    return ObserveContactMoved(
        contact_id=stay_of(fact.contact_id, fact.stay - 1),
        from_queue_id=QueueId(fact.from_queue_id),
        moved_at_ms=fact.at_ms,
        wait_ms=fact.wait_ms,
        next_contact_id=stay_of(fact.contact_id, fact.stay),
        queue_id=QueueId(fact.queue_id),
        enqueued_at_ms=max(fact.enqueued_at_ms, fact.at_ms - fact.wait_ms),
    )


def on_callback_left_line(
    fact: session.CallbackScheduled | session.CallbackEnded,
) -> Command | None:
    """Session: a callback stands in line no more, or not for now, if it did."""
    return on_contact_overflowed(fact) if fact.in_line else None


def on_contact_overflowed(
    fact: session.ContactHandedBack
    | session.ContactDiverted
    | session.CallbackScheduled
    | session.CallbackAnswered
    | session.CallbackEnded,
) -> Command:
    """Session: a queue let a contact go, not to an agent and not to another queue."""
    return ObserveWaitEnded(
        contact_id=stay_of(fact.contact_id, fact.stay),
        queue_id=QueueId(fact.queue_id),
        outcome=WaitOutcome.OVERFLOWED,
        ended_at_ms=fact.at_ms,
        wait_ms=fact.wait_ms,
    )


def stay_of(contact_id: str, stay: int) -> ContactId:
    """Return the name of one stay of a contact in a queue: the contact's own for the first, `ada~1` for the next."""
    return ContactId(f"{contact_id}~{stay}" if stay > 0 else contact_id)


def on_contact_disconnected(fact: session.ContactDisconnected) -> Command:
    """Session: the one half of handled."""
    return ObserveContactDisconnected(
        offer_id=OfferId(fact.offer_id),
        contact_id=ContactId(fact.contact_id),
        queue_id=QueueId(fact.queue_id),
        talk_ms=fact.talk_ms,
        hold_ms=fact.hold_ms,
    )


def on_queue_configured(fact: routing.QueueConfigured) -> Command:
    """Routing: what contacts are judged by from now on."""
    return ObserveQueueConfigured(
        queue_id=QueueId(fact.queue_id), service_level_threshold_ms=fact.service_level_threshold_ms
    )


def on_contact_enqueued(fact: routing.ContactEnqueued | routing.ContactMoved) -> Command:
    """Routing: the contact is judged by what holds now in the queue where it stands."""
    return ObserveContactEnqueued(
        contact_id=stay_of(fact.contact_id, fact.stay), queue_id=QueueId(fact.queue_id)
    )


def offer_ended(outcome: OfferOutcome) -> Callable[[OfferEnd], Command]:
    """Routing: an offer found this outcome."""

    def observe(fact: OfferEnd) -> Command:
        return ObserveOfferEnded(
            offer_id=OfferId(fact.offer_id),
            agent_id=AgentId(fact.agent_id),
            queue_id=QueueId(fact.queue_id),
            outcome=outcome,
            ended_at_ms=fact.at_ms,
            ring_ms=fact.ring_ms,
        )

    return observe


def agent_is(presence: Presence) -> Callable[[PresenceFact], Command]:
    """Agent-state: an agent is there for this from now on."""

    def observe(fact: PresenceFact) -> Command:
        return ObserveAgentPresence(
            agent_id=AgentId(fact.agent_id), since_ms=fact.at_ms, presence=presence
        )

    return observe


def slot_is(phase: SlotPhase) -> Callable[[SlotFact], Command]:
    """Agent-state: a slot is in this phase from now on."""

    def observe(fact: SlotFact) -> Command:
        queue_id = fact.queue_id if isinstance(fact, agent_state.AgentReserved) else ""
        return ObserveAgentSlot(
            agent_id=AgentId(fact.agent_id),
            since_ms=fact.at_ms,
            offer_id=OfferId(fact.offer_id),
            queue_id=QueueId(queue_id),
            phase=phase,
        )

    return observe


def on_agent_finished_wrap_up(fact: agent_state.AgentFinishedWrapUp) -> Command:
    """Agent-state: the other half of handled."""
    return ObserveWrapUpFinished(
        offer_id=OfferId(fact.offer_id), ended_at_ms=fact.at_ms, wrap_up_ms=fact.wrap_up_ms
    )


OBSERVATIONS: Final[Mapping[str, Callable[[Any], Command | None]]] = {
    "huntgroup.session.contact.queued.v1": on_contact_queued,
    "huntgroup.session.contact.moved.v1": on_contact_moved,
    "huntgroup.session.contact.handed-back.v1": on_contact_overflowed,
    "huntgroup.session.contact.diverted.v1": on_contact_overflowed,
    "huntgroup.session.contact.connected.v1": on_contact_connected,
    "huntgroup.session.contact.abandoned.v1": on_contact_abandoned,
    "huntgroup.session.callback.scheduled.v1": on_callback_left_line,
    "huntgroup.session.callback.answered.v1": on_contact_overflowed,
    "huntgroup.session.callback.ended.v1": on_callback_left_line,
    "huntgroup.session.contact.disconnected.v1": on_contact_disconnected,
    "huntgroup.routing.queue.configured.v1": on_queue_configured,
    "huntgroup.routing.contact.enqueued.v1": on_contact_enqueued,
    "huntgroup.routing.contact.moved.v1": on_contact_enqueued,
    "huntgroup.routing.offer.accepted.v1": offer_ended(OfferOutcome.ACCEPTED),
    "huntgroup.routing.offer.rejected.v1": offer_ended(OfferOutcome.REJECTED),
    "huntgroup.routing.offer.expired.v1": offer_ended(OfferOutcome.EXPIRED),
    "huntgroup.routing.offer.canceled.v1": offer_ended(OfferOutcome.CANCELED),
    "huntgroup.routing.offer.rescinded.v1": offer_ended(OfferOutcome.RESCINDED),
    "huntgroup.agent-state.agent.signed-on.v1": agent_is(Presence.NOT_READY),
    "huntgroup.agent-state.agent.signed-off.v1": agent_is(Presence.SIGNED_OFF),
    "huntgroup.agent-state.agent.went-ready.v1": agent_is(Presence.READY),
    "huntgroup.agent-state.agent.went-not-ready.v1": agent_is(Presence.NOT_READY),
    "huntgroup.agent-state.agent.stopped-responding.v1": agent_is(Presence.NOT_RESPONDING),
    "huntgroup.agent-state.agent.reserved.v1": slot_is(SlotPhase.RINGING),
    "huntgroup.agent-state.agent.became-busy.v1": slot_is(SlotPhase.TALKING),
    "huntgroup.agent-state.agent.started-wrap-up.v1": slot_is(SlotPhase.WRAPPING_UP),
    "huntgroup.agent-state.agent.finished-wrap-up.v1": on_agent_finished_wrap_up,
    "huntgroup.agent-state.agent.released.v1": slot_is(SlotPhase.FREE),
}
"""By public type. What became of a contact comes from session alone, what agents do from agent-state alone."""
