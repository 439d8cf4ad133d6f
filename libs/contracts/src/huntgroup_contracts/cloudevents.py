"""A public event on Kafka: CloudEvents 1.0 in binary mode, as headers around the payload.

| header | says |
|---|---|
| `ce_id`, `ce_type`, `ce_specversion` | the deterministic id, the public type, `1.0` |
| `ce_source`, `ce_subject` | `/huntgroup/<service>`, the routing domain (also the record's key) |
| `ce_time`, `ce_sequence` | log time (RFC 3339, UTC), the gapless number within (service, domain) as decimal digits |
| `content-type` | `application/protobuf`: the value is the event's message alone |
| `traceparent`, `huntgroup-causation-id` | W3C trace context, id of the cause; left out when empty |

Reading goes through the Kafka binding of the `cloudevents` library, and so do the tests of what is written. Writing
does not: every event of every service is written once, and the library takes twice as long for it.
"""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from cloudevents.core.base import BaseCloudEvent, EventFactory
from cloudevents.core.bindings.kafka import KafkaMessage, from_binary
from cloudevents.core.exceptions import CloudEventValidationError
from cloudevents.core.v1.event import CloudEvent

from huntgroup.event.v1.envelope_pb2 import Envelope

CONTENT_TYPE = "application/protobuf"
SOURCE_PREFIX = "/huntgroup/"
TRACEPARENT = "traceparent"
CAUSATION_ID = "huntgroup-causation-id"

_HEADERS = (
    *("ce_specversion", "ce_id", "ce_type", "ce_source", "ce_subject", "ce_time", "ce_sequence"),
    "content-type",
)
_SPEC_VERSION, _CONTENT_TYPE = b"1.0", CONTENT_TYPE.encode()
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MILLISECOND = timedelta(milliseconds=1)


def headers_of(envelope: Envelope) -> dict[str, bytes]:
    """Return the headers of the record whose key is `envelope.domain` and whose value is `envelope.payload`.

    Raises `ValueError` when id, type, source or domain is empty or the time is not within the years 1 to 9999.
    """
    if not (envelope.id and envelope.type and envelope.source and envelope.domain):
        raise ValueError(
            f"{envelope.type} {envelope.id!r} is no CloudEvent: id, type, source or domain is empty"
        )
    headers = {
        "ce_id": envelope.id.encode(),
        "ce_source": f"{SOURCE_PREFIX}{envelope.source}".encode(),
        "ce_type": envelope.type.encode(),
        "ce_specversion": _SPEC_VERSION,
        "ce_subject": envelope.domain.encode(),
        "ce_time": _rfc_3339(envelope),
        "ce_sequence": b"%d" % envelope.sequence,
        "content-type": _CONTENT_TYPE,
    }
    if envelope.traceparent:
        headers[TRACEPARENT] = envelope.traceparent.encode()
    if envelope.causation_id:
        headers[CAUSATION_ID] = envelope.causation_id.encode()
    return headers


def _rfc_3339(envelope: Envelope) -> bytes:
    try:
        time = _EPOCH + timedelta(milliseconds=envelope.time_ms)
    except OverflowError as error:
        raise ValueError(f"{envelope.type} {envelope.id!r} is no CloudEvent: {error}") from None
    return time.replace(tzinfo=None).isoformat(timespec="microseconds").encode() + b"Z"


def read_envelope(headers: Mapping[str, bytes], key: bytes, value: bytes) -> Envelope:
    """Return the envelope of a public record; the reverse of `headers_of`. Other headers are ignored.

    Raises `ValueError` that says what is missing or wrong, also when the key is not the event's domain.
    """
    missing = [name for name in _HEADERS if name not in headers]
    if missing:
        raise ValueError(f"no public event: headers lack {', '.join(missing)}")
    ours = {name: headers[name] for name in _HEADERS}  # others need be neither names nor text
    try:
        event = from_binary(KafkaMessage(ours, None, value), _BYTES, CloudEvent)
    except CloudEventValidationError as error:
        raise ValueError(f"no CloudEvent: {error}") from None
    attributes = event.get_attributes()
    sequence, source, domain = (attributes[name] for name in ("sequence", "source", "subject"))
    if attributes["datacontenttype"] != CONTENT_TYPE:
        raise ValueError(f"content-type is not {CONTENT_TYPE}")
    if not source.startswith(SOURCE_PREFIX):
        raise ValueError(f"ce_source does not begin with {SOURCE_PREFIX}: {source!r}")
    if not (sequence.isascii() and sequence.isdigit()):
        raise ValueError(f"ce_sequence is no decimal number: {sequence!r}")
    if key != domain.encode():
        raise ValueError(f"the record's key {key!r} is not ce_subject: {domain!r}")
    return Envelope(
        id=attributes["id"],
        type=attributes["type"],
        source=source.removeprefix(SOURCE_PREFIX),
        domain=domain,
        sequence=int(sequence),
        time_ms=(attributes["time"] - _EPOCH) // _MILLISECOND,
        traceparent=headers.get(TRACEPARENT, b"").decode(),
        causation_id=headers.get(CAUSATION_ID, b"").decode(),
        payload=value,
    )


class _Bytes:
    """The library's `Format` for a payload that is bytes already; structured mode is not used."""

    def write_data(self, data: Any, datacontenttype: str | None) -> bytes:
        assert isinstance(data, bytes), datacontenttype
        return data

    def read_data(self, body: bytes, datacontenttype: str | None) -> bytes:
        assert isinstance(body, bytes), datacontenttype
        return body

    def read(self, event_factory: EventFactory | None, data: str | bytes) -> BaseCloudEvent:
        raise NotImplementedError

    def write(self, event: BaseCloudEvent) -> bytes:
        raise NotImplementedError

    def get_content_type(self) -> str:
        raise NotImplementedError


_BYTES = _Bytes()
