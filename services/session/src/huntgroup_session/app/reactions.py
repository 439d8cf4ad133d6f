"""The facts of other services that concern a contact, and what the core is told about each."""

from collections.abc import Callable, Collection, Mapping
from typing import Any, Final

from google.protobuf.message import DecodeError

from huntgroup.agent_state.v1.events_pb2 import (
    AgentFinishedWrapUp,
    AgentSignedOff,
    AgentSignedOn,
)
from huntgroup.routing.v1 import events_pb2 as routing
from huntgroup.routing.v1.events_pb2 import (
    DEQUEUE_REASON_CALLBACK_DUE,
    DEQUEUE_REASON_CALLBACK_POSTPONED,
    RESCIND_REASON_TAKEN_BY_ANOTHER,
    ContactDequeued,
    ContactEnqueued,
    ContactMoved,
    ContactReprioritized,
    OfferAccepted,
    OfferCreated,
    OfferExpired,
    OfferRejected,
    OfferRescinded,
    QueueConfigured,
    QueueRetired,
)
from huntgroup_contracts.registry import event_class
from huntgroup_eventlog.application import ForeignEvent
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


class SessionReactions:
    """Takes in queues, offers and what queues do with contacts from routing, and finished wrap-ups from agent-state."""

    sources = ("routing", "agent-state")

    @property
    def types(self) -> Collection[str]:
        """What `OBSERVATIONS` says something about."""
        return OBSERVATIONS.keys()

    def react(self, event: ForeignEvent) -> Command | None:
        """Return what the core is told, or None; raise `ValueError` when the payload cannot be read."""
        observe = OBSERVATIONS.get(event.type)
        if observe is None:
            return None
        try:
            message = event_class(event.type).FromString(event.payload)
        except DecodeError as error:
            raise ValueError(f"{event.type} {event.event_id} cannot be read: {error}") from error
        return observe(message)


def on_queue_configured(fact: QueueConfigured) -> Command:
    """Contacts may be sent there."""
    return ObserveQueueConfigured(
        queue_id=QueueId(fact.queue_id),
        waiting_max=fact.waiting_max,
        callback_attempts=fact.callback_attempts,
        callback_retry_ms=fact.callback_retry_ms,
        callbacks_max=fact.callbacks_max,
        callback_dial_ms=fact.callback_dial_ms,
        channel=CHANNELS.get(routing.Channel.Name(fact.channel)) if fact.one_channel else None,
    )


def on_queue_retired(fact: QueueRetired) -> Command:
    """Contacts may not be sent there any more."""
    return ObserveQueueRetired(queue_id=QueueId(fact.queue_id))


def on_offer_created(fact: OfferCreated) -> Command:
    """An agent rings."""
    return ObserveOfferCreated(
        contact_id=ContactId(fact.contact_id),
        offer_id=OfferId(fact.offer_id),
        agent_id=AgentId(fact.agent_id),
        attempt=fact.attempt,
    )


def on_offer_accepted(fact: OfferAccepted) -> Command:
    """The agent expects the customer now."""
    return ObserveOfferAccepted(
        contact_id=ContactId(fact.contact_id),
        offer_id=OfferId(fact.offer_id),
        agent_id=AgentId(fact.agent_id),
    )


def on_offer_rejected(fact: OfferRejected) -> Command | None:
    """The agent declined."""
    return offer_failed(fact, ReturnReason.REJECTED)


def on_offer_expired(fact: OfferExpired) -> Command | None:
    """The agent let it ring out."""
    return offer_failed(fact, ReturnReason.EXPIRED)


def on_offer_rescinded(fact: OfferRescinded) -> Command | None:
    """The agent was lost, or another one took the contact: of that, the accepted offer tells."""
    if fact.reason == RESCIND_REASON_TAKEN_BY_ANOTHER:
        return None
    return offer_failed(fact, ReturnReason.AGENT_LOST)


def on_contact_moved(fact: ContactMoved) -> Command:
    """Its queue sent it to another one, or somebody did."""
    return ObserveContactMoved(
        contact_id=ContactId(fact.contact_id),
        queue_id=QueueId(fact.queue_id),
        priority=fact.priority,
        enqueued_at_ms=fact.enqueued_at_ms,
        stay=fact.stay,
        trigger=trigger_of(fact.overflow.trigger),
    )


def on_contact_enqueued(fact: ContactEnqueued) -> Command | None:
    """It took its place, as this service said; perhaps the one that its customer had before."""
    if not fact.resumes:
        return None
    return ObserveContactResumed(
        contact_id=ContactId(fact.contact_id),
        resumes=ContactId(fact.resumes),
        stay=fact.stay,
        enqueued_at_ms=fact.enqueued_at_ms,
    )


def on_contact_reprioritized(fact: ContactReprioritized) -> Command:
    """Somebody put it forward, or back."""
    return ObserveContactReprioritized(
        contact_id=ContactId(fact.contact_id), priority=fact.priority
    )


def on_contact_dequeued(fact: ContactDequeued) -> Command | None:
    """Its queue let it go; that the customer left was told by this service."""
    if fact.reason == DEQUEUE_REASON_CALLBACK_POSTPONED:
        return ObserveCallbackPostponed(contact_id=ContactId(fact.contact_id))
    if fact.reason == DEQUEUE_REASON_CALLBACK_DUE:
        return ObserveCallbackDue(contact_id=ContactId(fact.contact_id))
    if not fact.HasField("overflow"):
        return None
    action = routing.OverflowAction.Name(fact.overflow.action)
    return ObserveContactOverflowed(
        contact_id=ContactId(fact.contact_id),
        trigger=trigger_of(fact.overflow.trigger),
        key=fact.overflow.key,
        action=DIVERSIONS.get(action),
        endpoint=fact.overflow.endpoint,
        attempts=fact.attempts,
        opens_at_ms=fact.opens_at_ms,
    )


def trigger_of(trigger: routing.OverflowTrigger.ValueType) -> OverflowTrigger:
    """Return routing's word as ours."""
    return OverflowTrigger(routing.OverflowTrigger.Name(trigger).removeprefix("OVERFLOW_TRIGGER_"))


def offer_failed(
    fact: OfferRejected | OfferExpired | OfferRescinded, reason: ReturnReason
) -> ObserveOfferFailed | None:
    """The offer came to nothing; the contact waits again unless others ring on."""
    if fact.others_ringing:
        return None
    return ObserveOfferFailed(
        contact_id=ContactId(fact.contact_id), offer_id=OfferId(fact.offer_id), reason=reason
    )


def on_agent_signed_off(fact: AgentSignedOff) -> Command:
    """Nobody is there for the customers who are dialled for that agent."""
    return ObserveAgentSignedOff(agent_id=AgentId(fact.agent_id))


def on_agent_signed_on(fact: AgentSignedOn) -> Command:
    """The agent is there for customers who are dialled."""
    return ObserveAgentSignedOn(agent_id=AgentId(fact.agent_id))


def on_agent_finished_wrap_up(fact: AgentFinishedWrapUp) -> Command:
    """Nothing is left to do for the contact."""
    return ObserveWrapUpFinished(
        contact_id=ContactId(fact.contact_id),
        offer_id=OfferId(fact.offer_id),
        wrap_up_ms=fact.wrap_up_ms,
    )


CHANNELS: Final = {f"CHANNEL_{channel}": channel for channel in Channel}
"""Routing's words as ours; it has none for a queue that takes any."""

DIVERSIONS: Final = {f"OVERFLOW_ACTION_{action}": action for action in DiversionAction}
"""What ends a contact here; another queue is told by `contact.moved`, and all else hands it back."""

OBSERVATIONS: Final[Mapping[str, Callable[[Any], Command | None]]] = {
    "huntgroup.routing.queue.configured.v1": on_queue_configured,
    "huntgroup.routing.queue.retired.v1": on_queue_retired,
    "huntgroup.routing.offer.created.v1": on_offer_created,
    "huntgroup.routing.offer.accepted.v1": on_offer_accepted,
    "huntgroup.routing.offer.rejected.v1": on_offer_rejected,
    "huntgroup.routing.offer.expired.v1": on_offer_expired,
    "huntgroup.routing.offer.rescinded.v1": on_offer_rescinded,
    "huntgroup.routing.contact.enqueued.v1": on_contact_enqueued,
    "huntgroup.routing.contact.moved.v1": on_contact_moved,
    "huntgroup.routing.contact.reprioritized.v1": on_contact_reprioritized,
    "huntgroup.routing.contact.dequeued.v1": on_contact_dequeued,
    "huntgroup.agent-state.agent.signed-on.v1": on_agent_signed_on,
    "huntgroup.agent-state.agent.signed-off.v1": on_agent_signed_off,
    "huntgroup.agent-state.agent.finished-wrap-up.v1": on_agent_finished_wrap_up,
}
"""By public type. `offer.canceled` is not here: why it was is told by this service itself or by `contact.moved`."""
