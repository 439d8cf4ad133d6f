"""Public events as lines: for people, or as JSON for programs. Personal data is hidden unless it is asked for."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

from google.protobuf.descriptor import EnumDescriptor
from google.protobuf.message import DecodeError, Message

from huntgroup.event.v1.envelope_pb2 import Envelope
from huntgroup_contracts.errors import UnknownEventError
from huntgroup_contracts.registry import event_class
from huntgroup_onebox.event_stream import Received

HIDDEN: Final = "***"
PERSONAL: Final = frozenset(
    {
        "huntgroup.session.v1.ContactInitiated.customer_endpoint",
        "huntgroup.session.v1.Attribute.value",
    }
)
"""Fields that hold personal data, or may (attributes are free text)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Lines:
    """How events are shown."""

    as_json: bool
    personal_data: bool
    name_domain: bool
    """Whether lines for people name the domain; JSON always does."""

    def event(self, received: Received, envelope: Envelope, delivery: str) -> str:
        """Return the line of an event; `delivery` is `first`, `duplicate` or `late`."""
        if self.as_json:
            return json.dumps(self._values(received, envelope, delivery), ensure_ascii=False)
        data = self._data(envelope)
        fields = "(its payload cannot be read here)" if data is None else _text(data)
        parts = [
            _time(envelope.time_ms),
            *([envelope.domain] if self.name_domain else []),
            f"{received.service:<11}",
            f"{envelope.sequence:>6}",
            f"{short_type(envelope):<30}",
            fields,
            *([f"({delivery})"] if delivery != "first" else []),
        ]
        return "  ".join(parts).rstrip()

    def gap(self, service: str, domain: str, gap: range) -> str:
        """Return the line that says which sequences are missing."""
        first, last = gap.start, gap.stop - 1
        if self.as_json:
            values = {"service": service, "domain": domain, "from": first, "to": last}
            return json.dumps({"gap": values})
        which = f"{first}" if first == last else f"{first} to {last}"
        return f"-- gap: {service} {domain} sequence {which} did not come"

    def unreadable(self, received: Received) -> str:
        """Return the line of a record that is no public event."""
        if self.as_json:
            values = {
                "topic": received.topic,
                "partition": received.partition,
                "position": received.position,
                "why": received.error,
            }
            return json.dumps({"unreadable": values}, ensure_ascii=False)
        place = f"{received.topic} partition {received.partition} position {received.position}"
        return f"-- unreadable: {place}: {received.error}"

    def _values(self, received: Received, envelope: Envelope, delivery: str) -> dict[str, Any]:
        return {
            "service": received.service,
            "domain": envelope.domain,
            "sequence": envelope.sequence,
            "type": envelope.type,
            "id": envelope.id,
            "time": _time(envelope.time_ms),
            "time_ms": envelope.time_ms,
            "causation_id": envelope.causation_id,
            "traceparent": envelope.traceparent,
            "partition": received.partition,
            "position": received.position,
            "delivery": delivery,
            "data": self._data(envelope),
        }

    def _data(self, envelope: Envelope) -> dict[str, Any] | None:
        """Return the fields of the event, or None when its type or payload is not known here."""
        try:
            message = event_class(envelope.type).FromString(envelope.payload)
        except (UnknownEventError, DecodeError):
            return None
        return self._fields(message)

    def _fields(self, message: Message) -> dict[str, Any]:
        """Return the fields by name, absent messages left out: numbers as numbers, enum members by their name."""
        found: dict[str, Any] = {}
        for field in message.DESCRIPTOR.fields:
            value: Any = getattr(message, field.name)
            if field.is_repeated:
                found[field.name] = [self._value(field, one) for one in value]
            elif field.message_type is None or message.HasField(field.name):
                found[field.name] = self._value(field, value)
        return found

    def _value(self, field: Any, value: Any) -> Any:
        if field.message_type is not None:
            return self._fields(value)
        if field.full_name in PERSONAL and value and not self.personal_data:
            return HIDDEN
        if field.enum_type is not None:
            return self._member(field.enum_type, value)
        return value.hex() if isinstance(value, bytes) else value

    def _member(self, enum: EnumDescriptor, value: int) -> str | int:
        """Return the name of an enum's member, for people without what all of them have in common."""
        member = enum.values_by_number.get(value)
        if member is None:
            return value
        unspecified = enum.values_by_number[0].name
        return member.name if self.as_json else _member_name(member.name, unspecified)


def short_type(envelope: Envelope) -> str:
    """Return the type without what every type has: `contact.queued` of `huntgroup.session.contact.queued.v1`."""
    return envelope.type.removeprefix(f"huntgroup.{envelope.source}.").removesuffix(".v1")


def _text(values: Mapping[str, Any]) -> str:
    """Return `name=value` of all fields that say something; the time is told already."""
    shown = ((name, value) for name, value in values.items() if name != "at_ms")
    return " ".join(f"{name}={_word(value)}" for name, value in shown if value)


def _word(value: Any) -> str:
    if isinstance(value, list):
        return ",".join(map(_word, value))
    if isinstance(value, dict):
        said = list(value.values())
        while said and not said[-1]:
            said.pop()
        return ":".join(map(_word, said))
    text = str(value)
    return json.dumps(text, ensure_ascii=False) if not text or " " in text else text


def _member_name(name: str, unspecified: str) -> str:
    """Return `READY` for `PRESENCE_READY`, since the first member is `PRESENCE_UNSPECIFIED`; nothing for that one."""
    prefix = unspecified.removesuffix("UNSPECIFIED")
    return "" if name == unspecified else name.removeprefix(prefix)


def _time(at_ms: int) -> str:
    moment = datetime.fromtimestamp(at_ms // 1_000, UTC)
    return f"{moment:%Y-%m-%dT%H:%M:%S}.{at_ms % 1_000:03d}Z"
