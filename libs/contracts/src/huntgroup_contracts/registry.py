"""Every public event type of every service, and the names of the services' topics.

A public type such as `huntgroup.session.contact.queued.v1` stands in the .proto of its event, and nowhere else.
"""

from collections.abc import Mapping
from functools import cache
from importlib import import_module

from google.protobuf.message import Message
from google.protobuf.message_factory import GetMessageClass

from huntgroup.event.v1.options_pb2 import event_type
from huntgroup_contracts.errors import ContractMismatchError, UnknownEventError

SERVICES = ("session", "agent-state", "routing", "recording", "reporting")
"""The services that own events, by the name that stands in topics and event types."""


def topic_journal(service: str) -> str:
    """Return the topic of a service's journal, its only truth."""
    return f"huntgroup.{service}.journal.v1"


def topic_events(service: str) -> str:
    """Return the topic on which a service's accepted events are public."""
    return f"huntgroup.{service}.events.v1"


def topic_dlq(service: str) -> str:
    """Return the topic that holds what a service could not take in (dead-letter queue)."""
    return f"huntgroup.{service}.dlq.v1"


def service_of(type_: str) -> str:
    """Return the service that owns a public event type; raises `UnknownEventError` when none does."""
    for service in SERVICES:
        if type_.startswith(f"huntgroup.{service}."):
            return service
    raise UnknownEventError(f"event type of no service: {type_!r}")


@cache
def event_class(type_: str) -> type[Message]:
    """Return the protobuf class of a public event type; raises `UnknownEventError`."""
    try:
        return classes_of(service_of(type_))[type_]
    except KeyError:
        raise UnknownEventError(f"unknown event type: {type_!r}") from None


def event_types() -> tuple[str, ...]:
    """Return all public event types, service by service, in the order of the .proto files."""
    return tuple(type_ for service in SERVICES for type_ in classes_of(service))


@cache
def classes_of(service: str) -> Mapping[str, type[Message]]:
    """Return type → protobuf class for the events of one service; its module is imported when first asked for.

    Raises `ValueError` for no service, `ContractMismatchError` when a type stands twice or names another service.
    """
    if service not in SERVICES:
        raise ValueError(f"no service: {service!r}")
    module = import_module(f"huntgroup.{service.replace('-', '_')}.v1.events_pb2")
    classes: dict[str, type[Message]] = {}
    for descriptor in module.DESCRIPTOR.message_types_by_name.values():
        type_ = descriptor.GetOptions().Extensions[event_type]
        if not type_:
            continue
        if type_ in classes or not type_.startswith(f"huntgroup.{service}."):
            raise ContractMismatchError(f"{descriptor.full_name}: {type_} is not its own type")
        classes[type_] = GetMessageClass(descriptor)
    return classes
