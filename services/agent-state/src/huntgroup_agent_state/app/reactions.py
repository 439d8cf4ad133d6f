"""Which facts of routing and session concern agents, and how they are put to the core."""

from collections.abc import Callable, Collection, Mapping
from typing import Any, Final

from google.protobuf.message import DecodeError, Message

from huntgroup.event.v1.options_pb2 import event_type
from huntgroup.routing.v1 import events_pb2 as routing
from huntgroup.session.v1 import events_pb2 as session
from huntgroup_agent_state.core.messages import (
    Command,
    ObserveContactConnected,
    ObserveContactConnectionFailed,
    ObserveContactDisconnected,
    ObserveOfferCanceled,
    ObserveOfferCreated,
    ObserveOfferExpired,
    ObserveOfferRejected,
    ObserveOfferRescinded,
)
from huntgroup_agent_state.core.values import AgentId, Channel, ContactId, OfferId, QueueId
from huntgroup_eventlog.application import ForeignEvent

Reaction = Callable[[Any], Command]


class AgentStateReactions:
    """Reads the journals of routing and session (`huntgroup_eventlog.application.Reactions`)."""

    sources: Final = ("routing", "session")

    @property
    def types(self) -> Collection[str]:
        """What there is a reaction to."""
        return _REACTIONS.keys()

    def react(self, event: ForeignEvent) -> Command | None:
        """Return the command for a fact, or None; raises `ValueError` when the payload cannot be read."""
        found = _REACTIONS.get(event.type)
        if found is None:
            return None
        message_class, reaction = found
        try:
            return reaction(message_class.FromString(event.payload))
        except DecodeError as error:
            raise ValueError(f"{event.type} {event.event_id} cannot be read: {error}") from error


def _offer_created(event: routing.OfferCreated) -> Command:
    return ObserveOfferCreated(
        offer_id=OfferId(event.offer_id),
        contact_id=ContactId(event.contact_id),
        agent_id=AgentId(event.agent_id),
        queue_id=QueueId(event.queue_id),
        channel=_channel(routing.Channel.Name(event.channel)),
        expires_at_ms=event.expires_at_ms,
        wrap_up_timeout_ms=event.wrap_up_timeout_ms,
    )


def _offer_rejected(event: routing.OfferRejected) -> Command:
    return ObserveOfferRejected(offer_id=OfferId(event.offer_id))


def _offer_expired(event: routing.OfferExpired) -> Command:
    return ObserveOfferExpired(offer_id=OfferId(event.offer_id))


def _offer_canceled(event: routing.OfferCanceled) -> Command:
    return ObserveOfferCanceled(
        offer_id=OfferId(event.offer_id),
        contact_moved=event.reason == routing.CANCEL_REASON_CONTACT_MOVED,
    )


def _offer_rescinded(event: routing.OfferRescinded) -> Command:
    return ObserveOfferRescinded(
        offer_id=OfferId(event.offer_id),
        taken_by_another=event.reason == routing.RESCIND_REASON_TAKEN_BY_ANOTHER,
    )


def _contact_connected(event: session.ContactConnected) -> Command:
    return ObserveContactConnected(
        offer_id=OfferId(event.offer_id),
        contact_id=ContactId(event.contact_id),
        agent_id=AgentId(event.agent_id),
        queue_id=QueueId(event.queue_id),
        channel=_channel(session.Channel.Name(event.channel)),
    )


def _connection_failed(event: session.ContactConnectionFailed) -> Command:
    return ObserveContactConnectionFailed(
        offer_id=OfferId(event.offer_id),
        contact_id=ContactId(event.contact_id),
        agent_id=AgentId(event.agent_id),
    )


def _contact_disconnected(event: session.ContactDisconnected) -> Command:
    return ObserveContactDisconnected(
        offer_id=OfferId(event.offer_id),
        contact_id=ContactId(event.contact_id),
        agent_id=AgentId(event.agent_id),
    )


def _channel(name: str) -> Channel:
    return Channel(name.removeprefix("CHANNEL_"))


def _by_type(
    reactions: Mapping[type[Message], Reaction],
) -> dict[str, tuple[type[Message], Reaction]]:
    return {
        message_class.DESCRIPTOR.GetOptions().Extensions[event_type]: (message_class, reaction)
        for message_class, reaction in reactions.items()
    }


_REACTIONS: Final = _by_type(
    {
        # An accepted offer is not among them: the agent is busy once the session has connected the customer.
        routing.OfferCreated: _offer_created,
        routing.OfferRejected: _offer_rejected,
        routing.OfferExpired: _offer_expired,
        routing.OfferCanceled: _offer_canceled,
        routing.OfferRescinded: _offer_rescinded,
        session.ContactConnected: _contact_connected,
        session.ContactConnectionFailed: _connection_failed,
        session.ContactDisconnected: _contact_disconnected,
    }
)
