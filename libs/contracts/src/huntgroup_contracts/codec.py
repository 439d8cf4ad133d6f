"""How the messages of a core are written and read: events to and from bytes, commands from requests.

    codec = EventCodec(events_pb2, (ContactQueued, ContactAbandoned, …))
    event_type, payload = codec.encode(event)

Core classes are frozen dataclasses, or frozen `msgspec.Struct`s where they are made often (20 times as quick), with the
fields of their protobuf message, by name:

| in the .proto | in the core |
|---|---|
| int32, int64, uint32, … , bool, double, string, bytes | int, bool, float, str, bytes, or a `NewType` of it |
| enum `Channel` with `CHANNEL_VOICE` | an `Enum` with the member `VOICE`; `CHANNEL_UNSPECIFIED` is the member \
`UNSPECIFIED`, or None for `Channel | None`, or else refused |
| message | a dataclass or Struct; `X | None` where its absence means something |
| `optional` scalar | `X | None` |
| repeated | `tuple[X, ...]` |

float, map and oneof are refused: an event says one thing, in numbers that come back as they went.
"""

from collections.abc import Callable, Iterable
from types import ModuleType
from typing import Any, Generic, TypeVar

from google.protobuf.descriptor import FileDescriptor
from google.protobuf.message import DecodeError, Message
from google.protobuf.message_factory import GetMessageClass

from huntgroup.event.v1 import options_pb2
from huntgroup_contracts.errors import ContractMismatchError, UnknownEventError, class_name
from huntgroup_contracts.mapping import build_mapping

EventT = TypeVar("EventT")
CommandT = TypeVar("CommandT")
RequestT = TypeVar("RequestT", bound=Message)

CONTEXT_FIELD = "context"
"""The field of every command request that names domain and command id; it is not part of the command."""


class EventCodec(Generic[EventT]):
    """Writes and reads the events of one service. Built once; raises `ContractMismatchError` then, or never."""

    def __init__(self, pb2_module: ModuleType, classes: Iterable[type[EventT]]) -> None:
        messages = _event_messages(pb2_module)
        self._encoders: dict[type, tuple[str, Callable[[Any], Message]]] = {}
        self._decoders: dict[str, tuple[Callable[[bytes], Message], Callable[[Any], Any]]] = {}
        for core_class in classes:
            try:
                event_type, message_class = messages.pop(core_class.__name__)
            except KeyError:
                raise ContractMismatchError(
                    f"class {class_name(core_class)} has no event message of its own "
                    f"in {pb2_module.__name__}"
                ) from None
            mapping = build_mapping(message_class, core_class)
            self._encoders[core_class] = (event_type, mapping.to_message)
            self._decoders[event_type] = (message_class.FromString, mapping.from_message)
        if messages:
            raise ContractMismatchError(
                f"event messages of {pb2_module.__name__} without a class: {sorted(messages)}"
            )

    @property
    def event_types(self) -> tuple[str, ...]:
        """The public types that the codec knows, sorted."""
        return tuple(sorted(self._decoders))

    def encode(self, event: EventT) -> tuple[str, bytes]:
        """Return the public type of `event` and its payload: equal events give equal bytes.

        Raises `UnknownEventError` for a class that is no event here, `ValueError` or `TypeError` for a value that the
        wire cannot carry (a number out of range, an enum member that has no number).
        """
        try:
            event_type, to_message = self._encoders[type(event)]
        except KeyError:
            raise UnknownEventError(f"no event: {class_name(type(event))}") from None
        return event_type, to_message(event).SerializeToString()  # no maps: always the same bytes

    def decode(self, event_type: str, payload: bytes) -> EventT:
        """Return the event. Fields that a newer version added are dropped.

        Raises `UnknownEventError` for a type that is not among those of the service, `ValueError` when the payload is
        damaged or holds an enum value that is not known here.
        """
        try:
            parse, from_message = self._decoders[event_type]
        except KeyError:
            raise UnknownEventError(f"unknown event type: {event_type!r}") from None
        try:
            message = parse(payload)
        except DecodeError as error:
            raise ValueError(f"payload of {event_type} cannot be read: {error}") from None
        event: EventT = from_message(message)
        return event


class CommandCodec(Generic[RequestT, CommandT]):
    """Turns one kind of request into a command of the core; the request's `context` is left to the caller."""

    def __init__(self, request_class: type[RequestT], command_class: type[CommandT]) -> None:
        self._from_message = build_mapping(
            request_class, command_class, (CONTEXT_FIELD,)
        ).from_message

    def decode(self, request: RequestT) -> CommandT:
        """Return the command; raises `ValueError` for an enum value that is not known here. Validate before."""
        command: CommandT = self._from_message(request)
        return command


def _event_messages(pb2_module: ModuleType) -> dict[str, tuple[str, type[Message]]]:
    """Return public type and class of every message of a module that has a public type, by message name."""
    file: FileDescriptor = pb2_module.DESCRIPTOR
    messages = {}
    for name, descriptor in file.message_types_by_name.items():
        event_type = descriptor.GetOptions().Extensions[options_pb2.event_type]
        if event_type:
            messages[name] = (event_type, GetMessageClass(descriptor))
    return messages
