"""A public record carries its envelope as CloudEvents 1.0 headers that any CloudEvents reader understands."""

from datetime import UTC, datetime

import pytest
from cloudevents.core.bindings.kafka import KafkaMessage, from_kafka_event
from hypothesis import given, settings
from hypothesis import strategies as st

from huntgroup.event.v1.envelope_pb2 import Envelope
from huntgroup_contracts.cloudevents import headers_of, read_envelope

YEAR_9999_MS = 253_402_300_799_999

ENVELOPE = Envelope(
    id="9f" * 32 + "-0",
    type="huntgroup.session.contact.queued.v1",
    source="session",
    domain="acme/emea",
    sequence=17,
    time_ms=1_767_225_600_123,
    traceparent="00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
    causation_id="0197b7a0-7c1e-7000-8000-000000000001",
    payload=b"\x08\x01",
)
HEADERS = {
    "ce_specversion": b"1.0",
    "ce_id": b"9f" * 32 + b"-0",
    "ce_type": b"huntgroup.session.contact.queued.v1",
    "ce_source": b"/huntgroup/session",
    "ce_subject": b"acme/emea",
    "ce_time": b"2026-01-01T00:00:00.123000Z",
    "ce_sequence": b"17",
    "content-type": b"application/protobuf",
    "traceparent": b"00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
    "huntgroup-causation-id": b"0197b7a0-7c1e-7000-8000-000000000001",
}
words = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=40)
envelopes = st.builds(
    Envelope,
    id=words,
    type=words,
    source=words,
    domain=words,
    sequence=st.integers(0, 2**63 - 1),
    time_ms=st.integers(0, YEAR_9999_MS),
    traceparent=st.just("") | words,
    causation_id=st.just("") | words,
    payload=st.binary(max_size=40),
)


def changed(name: str, value: object) -> Envelope:
    envelope = Envelope()
    envelope.CopyFrom(ENVELOPE)
    setattr(envelope, name, value)
    return envelope


def test_the_headers_of_an_event() -> None:
    assert headers_of(ENVELOPE) == HEADERS


def test_what_is_empty_has_no_header() -> None:
    headers = headers_of(Envelope(id="x", type="t", source="session", domain="a/b"))
    assert "traceparent" not in headers
    assert "huntgroup-causation-id" not in headers


@settings(deadline=None)
@given(envelope=envelopes)
def test_what_is_written_is_read_back(envelope: Envelope) -> None:
    headers = headers_of(envelope)
    assert read_envelope(headers, envelope.domain.encode(), envelope.payload) == envelope


def test_the_librarys_own_reader_understands_the_record() -> None:
    event = from_kafka_event(KafkaMessage(HEADERS, b"acme/emea", ENVELOPE.payload))
    assert event.get_time() == datetime(2026, 1, 1, 0, 0, 0, 123_000, tzinfo=UTC)
    assert event.get_extension("sequence") == "17"
    assert event.get_subject() == "acme/emea"


@pytest.mark.parametrize(
    ("written", "time_ms"),
    [
        (b"2026-01-01T00:00:00Z", 1_767_225_600_000),
        (b"2026-01-01T01:00:00.5+01:00", 1_767_225_600_500),
        (b"1970-01-01T00:00:00.000Z", 0),
    ],
)
def test_any_rfc_3339_time_is_read(written: bytes, time_ms: int) -> None:
    headers = {**HEADERS, "ce_time": written}
    assert read_envelope(headers, b"acme/emea", b"").time_ms == time_ms


def test_other_headers_are_ignored() -> None:
    headers = {**HEADERS, "x-mirror": b"\xff", "ce_other": b"\xff", "ce_Not a name": b"1"}
    assert read_envelope(headers, b"acme/emea", ENVELOPE.payload) == ENVELOPE


@pytest.mark.parametrize("name", [name for name in HEADERS if name.startswith(("ce_", "content-"))])
def test_a_missing_header_is_told_by_name(name: str) -> None:
    headers = {key: value for key, value in HEADERS.items() if key != name}
    with pytest.raises(ValueError, match=f"lack {name}$"):
        read_envelope(headers, b"acme/emea", b"")


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("ce_specversion", b"0.3"),
        ("ce_id", b""),
        ("ce_source", b"session"),
        ("ce_time", b"yesterday"),
        ("ce_time", b"2026-01-01T00:00:00"),
        ("ce_sequence", b"-1"),
        ("ce_sequence", b""),
        ("ce_sequence", "٣".encode()),
        ("ce_sequence", b"9" * 5_000),
        ("ce_sequence", b"9223372036854775808"),
        ("ce_type", b"\xff"),
        ("traceparent", b"\xff"),
        ("content-type", b"application/json"),
        ("ce_subject", b"acme/apac"),
    ],
)
def test_a_wrong_header_is_a_value_error(name: str, value: bytes) -> None:
    with pytest.raises(ValueError, match=r"."):
        read_envelope({**HEADERS, name: value}, b"acme/emea", b"")


@pytest.mark.parametrize("key", [b"", b"acme/apac", b"\xff"])
def test_a_key_that_is_not_the_domain_is_refused(key: bytes) -> None:
    with pytest.raises(ValueError, match="key"):
        read_envelope(HEADERS, key, b"")


@pytest.mark.parametrize(
    ("name", "value"),
    [("id", ""), ("type", ""), ("source", ""), ("domain", ""), ("time_ms", 2**62)],
)
def test_an_envelope_that_is_no_cloudevent_is_not_written(name: str, value: object) -> None:
    with pytest.raises(ValueError, match="is no CloudEvent"):
        headers_of(changed(name, value))
