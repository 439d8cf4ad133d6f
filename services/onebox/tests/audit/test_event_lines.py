"""How an event looks as a line."""

import json

import pytest

from huntgroup.agent_state.v1 import events_pb2 as agent_state
from huntgroup.event.v1.envelope_pb2 import Envelope
from huntgroup.session.v1 import events_pb2 as session
from huntgroup_contracts.registry import SERVICES, classes_of
from huntgroup_onebox.event_lines import PERSONAL, Lines
from huntgroup_onebox.event_stream import Received

from .story import T, at, initiated, signed_on
from .written_log import DOMAIN, type_of

TOPIC = "huntgroup.session.events.v1"


def lines(*, as_json: bool = False, personal_data: bool = False, name_domain: bool = True) -> Lines:
    return Lines(as_json=as_json, personal_data=personal_data, name_domain=name_domain)


def envelope_of(event: session.ContactInitiated | agent_state.AgentSignedOn) -> Envelope:
    return Envelope(
        id="abc-0",
        type=type_of(event),
        source=type_of(event).split(".")[1],
        domain=DOMAIN,
        sequence=7,
        time_ms=event.at_ms + 25,
        causation_id="command-1",
        payload=event.SerializeToString(),
    )


def line(envelope: Envelope, shown: Lines, delivery: str = "first") -> str:
    received = Received(envelope.source, TOPIC, 3, 42, envelope)
    return shown.event(received, envelope, delivery)


def test_a_line_for_people_names_what_matters() -> None:
    text = line(envelope_of(signed_on("grace hopper", 1, slots=2)), lines())
    assert text == (
        "2027-01-15T08:00:01.025Z  acme/emea  agent-state       7  agent.signed-on               "
        '  agent_id="grace hopper" capacity=VOICE:2'
    )


def test_the_domain_is_left_out_where_there_is_one_only() -> None:
    text = line(envelope_of(signed_on("grace", 1)), lines(name_domain=False))
    assert DOMAIN not in text


def test_a_repeated_delivery_is_marked() -> None:
    assert line(envelope_of(signed_on("grace", 1)), lines(), "duplicate").endswith("(duplicate)")


def test_personal_data_is_hidden_unless_it_is_asked_for() -> None:
    envelope = envelope_of(initiated("ada", 1))
    for shown in (lines(), lines(as_json=True)):
        assert "+15550123" not in line(envelope, shown)
        assert "gold" not in line(envelope, shown)
        assert "tier" in line(envelope, shown)
    asked = lines(personal_data=True)
    assert "customer_endpoint=+15550123 attributes=tier:gold" in line(envelope, asked)


def test_every_field_that_holds_personal_data_exists() -> None:
    fields = {
        nested.full_name
        for service in SERVICES
        for event in classes_of(service).values()
        for field in event.DESCRIPTOR.fields
        for nested in (field, *(field.message_type.fields if field.message_type else ()))
    }
    assert fields >= PERSONAL


def test_json_holds_the_envelope_and_the_decoded_payload() -> None:
    values = json.loads(line(envelope_of(signed_on("grace", 1)), lines(as_json=True)))
    assert values == {
        "service": "agent-state",
        "domain": DOMAIN,
        "sequence": 7,
        "type": "huntgroup.agent-state.agent.signed-on.v1",
        "id": "abc-0",
        "time": "2027-01-15T08:00:01.025Z",
        "time_ms": at(1) + 25,
        "causation_id": "command-1",
        "traceparent": "",
        "partition": 3,
        "position": 42,
        "delivery": "first",
        "data": {
            "at_ms": at(1),
            "agent_id": "grace",
            "skills": [],
            "capacity": [{"channel": "CHANNEL_VOICE", "slots": 1, "cost": 0, "interrupts": []}],
            "capacity_units": 0,
        },
    }


@pytest.mark.parametrize(
    ("type_", "payload"),
    [
        ("huntgroup.session.contact.cloned.v9", b""),
        ("huntgroup.session.contact.queued.v1", b"\xff"),
    ],
)
def test_an_event_that_is_not_known_here_is_shown_without_its_payload(
    type_: str, payload: bytes
) -> None:
    envelope = Envelope(
        id="a-0", type=type_, source="session", domain=DOMAIN, sequence=1, payload=payload
    )
    assert line(envelope, lines()).endswith("(its payload cannot be read here)")
    assert json.loads(line(envelope, lines(as_json=True)))["data"] is None


def test_gaps_and_records_that_are_no_events_have_lines_of_their_own() -> None:
    broken = Received("session", TOPIC, 3, 42, None, "headers lack ce_id")
    assert lines().gap("session", DOMAIN, range(3, 4)) == (
        "-- gap: session acme/emea sequence 3 did not come"
    )
    assert "sequence 3 to 5 did" in lines().gap("session", DOMAIN, range(3, 6))
    assert lines().unreadable(broken) == (
        f"-- unreadable: {TOPIC} partition 3 position 42: headers lack ce_id"
    )
    as_json = lines(as_json=True)
    assert json.loads(as_json.gap("session", DOMAIN, range(3, 6)))["gap"]["to"] == 5
    assert json.loads(as_json.unreadable(broken))["unreadable"]["position"] == 42


def test_a_value_that_no_enum_member_has_is_shown_as_its_number() -> None:
    event = agent_state.AgentSignedOff.FromString(
        agent_state.AgentSignedOff(at_ms=T, agent_id="grace").SerializeToString() + b"\x18\x63"
    )
    envelope = Envelope(
        id="a-0",
        type=type_of(event),
        source="agent-state",
        domain=DOMAIN,
        sequence=1,
        payload=event.SerializeToString(),
    )
    assert "reason=99" in line(envelope, lines())
