"""The session service's words on the wire: events, the view of a contact, and the status of each refusal."""

from collections.abc import Mapping
from typing import Final, get_args

from grpc import StatusCode

from huntgroup.session.v1 import events_pb2
from huntgroup.session.v1.commands_pb2 import CallbackView, ContactView
from huntgroup.session.v1.events_pb2 import CallbackMode, Channel
from huntgroup_contracts.codec import EventCodec
from huntgroup_session.core.messages import Event, Reason
from huntgroup_session.core.state import Contact

STATUSES: Final[Mapping[str, StatusCode]] = {
    Reason.ATTRIBUTE_REPEATED: StatusCode.INVALID_ARGUMENT,
    Reason.CALLBACKS_FULL: StatusCode.RESOURCE_EXHAUSTED,
    Reason.CALLBACKS_OFF: StatusCode.FAILED_PRECONDITION,
    Reason.CALLBACK_EXISTS: StatusCode.ALREADY_EXISTS,
    Reason.CONTACTS_FULL: StatusCode.RESOURCE_EXHAUSTED,
    Reason.CONTACT_EXISTS: StatusCode.ALREADY_EXISTS,
    Reason.CONTACT_UNKNOWN: StatusCode.NOT_FOUND,
    Reason.QUEUE_FULL: StatusCode.RESOURCE_EXHAUSTED,
    Reason.QUEUE_MISSING: StatusCode.INVALID_ARGUMENT,
    Reason.QUEUE_UNKNOWN: StatusCode.NOT_FOUND,
    Reason.WINDOW_INVALID: StatusCode.INVALID_ARGUMENT,
    Reason.REQUIREMENTS_FULL: StatusCode.RESOURCE_EXHAUSTED,
    Reason.WRONG_AGENT: StatusCode.FAILED_PRECONDITION,
    Reason.WRONG_CHANNEL: StatusCode.FAILED_PRECONDITION,
    Reason.WRONG_STATE: StatusCode.FAILED_PRECONDITION,
}


def event_codec() -> EventCodec[Event]:
    """Return the codec of the events; raises `ContractMismatchError` when core and .proto differ."""
    return EventCodec(events_pb2, get_args(Event))


def contact_view(contact: Contact) -> ContactView:
    """Return a contact as the API shows it."""
    return ContactView(
        contact_id=contact.contact_id,
        conversation_id=contact.conversation_id,
        state=contact.state,
        channel=Channel.Value(f"CHANNEL_{contact.channel}"),
        queue_id=contact.place.queue_id,
        priority=contact.place.priority,
        initiated_at_ms=contact.initiated_at_ms,
        enqueued_at_ms=contact.place.enqueued_at_ms,
        offer_id=contact.offer.offer_id,
        agent_id=contact.offer.agent_id,
        callback=callback_view(contact),
    )


def callback_view(contact: Contact) -> CallbackView | None:
    """Return what makes a contact a callback as the API shows it; None: it is none."""
    callback = contact.callback
    if callback is None:
        return None
    return CallbackView(
        number=callback.number,
        not_before_ms=callback.not_before_ms,
        not_after_ms=callback.not_after_ms,
        dials=callback.dials,
        due_at_ms=contact.callback_due_ms or 0,
        mode=CallbackMode.Value(f"CALLBACK_MODE_{callback.mode}"),
        reached=callback.reached,
    )
