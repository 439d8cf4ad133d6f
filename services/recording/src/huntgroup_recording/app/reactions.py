"""The facts of the session service that concern a recording, and what the core is told about each."""

from collections.abc import Callable, Collection, Mapping
from typing import Any, Final

from google.protobuf.message import DecodeError

from huntgroup.session.v1.events_pb2 import (
    CHANNEL_CHAT,
    CHANNEL_MESSAGE,
    ContactConnected,
    ContactDisconnected,
    ContactHeld,
    ContactRetrieved,
)
from huntgroup_contracts.registry import event_class
from huntgroup_eventlog.application import ForeignEvent
from huntgroup_recording.core.messages import (
    Command,
    ObserveContactConnected,
    ObserveContactDisconnected,
    ObserveContactHeld,
    ObserveContactRetrieved,
)
from huntgroup_recording.core.values import AgentId, ContactId, QueueId

WITHOUT_AUDIO: Final = frozenset({CHANNEL_CHAT, CHANNEL_MESSAGE})


class RecordingReactions:
    """Takes in when contacts connect, are held and retrieved, and disconnect. One source, so always in this order."""

    sources = ("session",)

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


def on_contact_connected(fact: ContactConnected) -> Command:
    """The contact's clock begins."""
    return ObserveContactConnected(
        contact_id=ContactId(fact.contact_id),
        queue_id=QueueId(fact.queue_id),
        agent_id=AgentId(fact.agent_id),
        carries_audio=fact.channel not in WITHOUT_AUDIO,
        connected_at_ms=fact.at_ms,
    )


def on_contact_held(fact: ContactHeld) -> Command:
    """Silence begins."""
    return ObserveContactHeld(contact_id=ContactId(fact.contact_id), held_at_ms=fact.at_ms)


def on_contact_retrieved(fact: ContactRetrieved) -> Command:
    """Silence ends."""
    return ObserveContactRetrieved(
        contact_id=ContactId(fact.contact_id), retrieved_at_ms=fact.at_ms
    )


def on_contact_disconnected(fact: ContactDisconnected) -> Command:
    """Nothing follows but what is on its way."""
    return ObserveContactDisconnected(
        contact_id=ContactId(fact.contact_id), disconnected_at_ms=fact.at_ms
    )


OBSERVATIONS: Final[Mapping[str, Callable[[Any], Command]]] = {
    "huntgroup.session.contact.connected.v1": on_contact_connected,
    "huntgroup.session.contact.held.v1": on_contact_held,
    "huntgroup.session.contact.retrieved.v1": on_contact_retrieved,
    "huntgroup.session.contact.disconnected.v1": on_contact_disconnected,
}
"""By public type."""
