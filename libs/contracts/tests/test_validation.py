"""Every rule of a request is told by field, value and rule; nothing hostile gets through or takes long."""

import time
from collections.abc import Callable
from types import ModuleType

import pytest
from google.protobuf.message import Message
from hypothesis import given, settings
from hypothesis import strategies as st

from huntgroup.agent_state.v1 import commands_pb2 as agent_pb2
from huntgroup.agent_state.v1.events_pb2 import ChannelCapacity
from huntgroup.event.v1.envelope_pb2 import CommandContext
from huntgroup.recording.v1 import commands_pb2 as recording_pb2
from huntgroup.routing.v1 import commands_pb2 as routing_pb2
from huntgroup.session.v1 import commands_pb2 as session_pb2
from huntgroup.session.v1.events_pb2 import Attribute
from huntgroup_contracts.errors import ContractMismatchError
from huntgroup_contracts.validation import Violation, violations

CompileProto = Callable[[str], ModuleType]
Found = set[tuple[str, str, str]]

CONTEXT = CommandContext(domain="acme/emea", command_id="0197b7a0-7c1e-7000-8000-000000000001")
ID_PATTERN = "pattern [A-Za-z0-9._:-]+"


def found(request: Message) -> Found:
    return {(v.field, v.value, v.rule) for v in violations(request)}


def queue_contact(**fields: object) -> session_pb2.QueueContactRequest:
    usual: dict[str, object] = {"context": CONTEXT, "contact_id": "c-1", "queue_id": "sales"}
    return session_pb2.QueueContactRequest(**{**usual, **fields})  # type: ignore[arg-type]


def sign_on(*capacity: ChannelCapacity) -> agent_pb2.SignOnRequest:
    return agent_pb2.SignOnRequest(context=CONTEXT, agent_id="ada", capacity=capacity)


def start_contact(**fields: object) -> session_pb2.StartContactRequest:
    usual: dict[str, object] = {"context": CONTEXT, "contact_id": "c-1", "channel": 1}
    return session_pb2.StartContactRequest(**{**usual, **fields})  # type: ignore[arg-type]


def configure_queue(**fields: object) -> routing_pb2.ConfigureQueueRequest:
    usual: dict[str, object] = {
        "context": CONTEXT,
        "queue_id": "sales",
        "channel": 1,
        "ring_timeout_ms": 20_000,
        "service_level_threshold_ms": 20_000,
    }
    return routing_pb2.ConfigureQueueRequest(**{**usual, **fields})  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "request_",
    [
        queue_contact(priority=1000, required_skills=["english", "billing"]),
        queue_contact(contact_id="c" * 64),
        sign_on(),
        sign_on(ChannelCapacity(channel=1, slots=1), ChannelCapacity(channel=4, slots=25)),  # type: ignore[arg-type]
        start_contact(attributes=[Attribute(key="Größe", value="a\tb\nc")]),
        start_contact(customer_endpoint="+49 30 12345"),
        configure_queue(),
    ],
)
def test_a_proper_request_passes(request_: Message) -> None:
    assert violations(request_) == []


def test_an_empty_request_lacks_what_is_required() -> None:
    assert found(session_pb2.QueueContactRequest()) == {
        ("context", "", "required"),
        ("contact_id", "", "required"),
        ("queue_id", "", "required"),
    }


def test_an_empty_context_is_looked_into() -> None:
    assert found(queue_contact(context=CommandContext())) == {
        ("context.domain", "", "required"),
        ("context.command_id", "", "required"),
    }


@pytest.mark.parametrize(
    "domain",
    ["acme", "acme/", "/emea", "acme/emea/x", "Acme/emea", "acme/-x", "a b/c", "acme/emea\n"],
)
def test_a_domain_that_is_not_tenant_and_domain(domain: str) -> None:
    request = queue_contact(context=CommandContext(domain=domain, command_id="c"))
    [violation] = violations(request)
    assert violation.field == "context.domain"
    assert violation.rule.startswith("pattern ")


@pytest.mark.parametrize(
    ("request_", "expected"),
    [
        (queue_contact(contact_id="c" * 65), ("contact_id", "c" * 64, "max_length 64")),
        (queue_contact(contact_id="a b"), ("contact_id", "a b", ID_PATTERN)),
        (queue_contact(contact_id="ä"), ("contact_id", "ä", ID_PATTERN)),
        (queue_contact(priority=-1), ("priority", "-1", "min 0")),
        (queue_contact(priority=1001), ("priority", "1001", "max 1000")),
        (
            queue_contact(required_skills=["ok"] * 51),
            ("required_skills", "51 items", "max_items 50"),
        ),
        (
            queue_contact(required_skills=["ok", "x" * 65]),
            ("required_skills[1]", "x" * 64, "max_length 64"),
        ),
        (queue_contact(required_skills=["ok", ""]), ("required_skills[1]", "", ID_PATTERN)),
        (
            sign_on(ChannelCapacity(channel=1, slots=1), ChannelCapacity(channel=2, slots=26)),  # type: ignore[arg-type]
            ("capacity[1].slots", "26", "max 25"),
        ),
        (sign_on(ChannelCapacity(channel=1)), ("capacity[0].slots", "0", "required")),  # type: ignore[arg-type]
        (sign_on(ChannelCapacity(slots=1)), ("capacity[0].channel", "0", "required")),
        (
            sign_on(ChannelCapacity(channel=9, slots=1)),  # type: ignore[arg-type]
            ("capacity[0].channel", "9", "known enum value"),
        ),
        (start_contact(channel=0), ("channel", "0", "required")),
        (start_contact(channel=-1), ("channel", "-1", "known enum value")),
        (
            start_contact(initiation_method=77),
            ("initiation_method", "77", "known enum value"),
        ),
        (
            start_contact(attributes=[Attribute(key="k")] * 33),
            ("attributes", "33 items", "max_items 32"),
        ),
        (
            start_contact(attributes=[Attribute(key="k"), Attribute(value="v")]),
            ("attributes[1].key", "", "required"),
        ),
        (configure_queue(ring_timeout_ms=0), ("ring_timeout_ms", "0", "required")),
        (configure_queue(ring_timeout_ms=-1), ("ring_timeout_ms", "-1", "not negative")),
        (configure_queue(ring_timeout_ms=600_001), ("ring_timeout_ms", "600001", "max 600000")),
        (configure_queue(waiting_max=-(2**31)), ("waiting_max", "-2147483648", "min 0")),
        (
            recording_pb2.IngestAudioRequest(
                hello=recording_pb2.AudioHello(domain="a/b", contact_id="c", sample_rate_hz=1)
            ),
            ("hello.sample_rate_hz", "1", "min 8000"),
        ),
    ],
)
def test_a_broken_rule_is_told_by_path_value_and_rule(
    request_: Message, expected: tuple[str, str, str]
) -> None:
    assert found(request_) == {expected}


@pytest.mark.parametrize("hostile", ["a\0b", "a\rb", "\x1b[31mred", "a\x7f", "a\x85b", "\x08"])
def test_control_characters_are_refused_where_no_pattern_is(hostile: str) -> None:
    [violation] = violations(start_contact(customer_endpoint=hostile))
    assert violation.field == "customer_endpoint"
    assert violation.rule == "no control characters"
    assert violation.value.isprintable()


def test_a_time_without_rules_is_not_negative_either() -> None:
    chunk = recording_pb2.AudioChunk(offset_ms=-5)
    assert found(recording_pb2.IngestAudioRequest(chunk=chunk)) == {
        ("chunk.offset_ms", "-5", "not negative")
    }


def test_every_violation_is_told_and_always_in_the_same_order() -> None:
    request = queue_contact(
        contact_id="", queue_id=" ", priority=-3, required_skills=["", "ok", "!"]
    )
    told = [violation.field for violation in violations(request)]
    assert told == [
        "contact_id",
        "queue_id",
        "priority",
        "required_skills[0]",
        "required_skills[2]",
    ]
    assert violations(request) == violations(request)


def test_a_long_hostile_value_takes_no_time_and_little_room() -> None:
    hostile = "a" * 1_000_000 + "\0"
    begun = time.perf_counter()
    [domain] = violations(queue_contact(context=CommandContext(domain=hostile, command_id="c")))
    [endpoint] = violations(start_contact(customer_endpoint="\0" * 1_000_000))
    assert time.perf_counter() - begun < 0.5
    assert (domain.rule, domain.value) == ("max_length 128", "a" * 64)
    assert endpoint.rule == "max_length 256"
    assert len(endpoint.value) == 64


@settings(deadline=None)
@given(domain=st.text(st.sampled_from("a-/"), max_size=128))
def test_the_domain_pattern_is_matched_in_linear_time(domain: str) -> None:
    begun = time.perf_counter()
    violations(queue_contact(context=CommandContext(domain=domain, command_id="c")))
    assert time.perf_counter() - begun < 0.5


@settings(deadline=None)
@given(st.text(st.characters(exclude_categories=["Cs"])), st.integers(-(2**31), 2**31 - 1))
def test_whatever_is_sent_the_answer_is_short_and_printable(text: str, number: int) -> None:
    request = queue_contact(contact_id=text, priority=number, required_skills=[text])
    for violation in violations(request):
        assert isinstance(violation, Violation)
        assert len(violation.value) <= 64
        assert violation.value.isprintable()


# Kinds and rules that the services' requests do not use yet.


def test_bytes_doubles_and_optional_fields(compile_proto: CompileProto) -> None:
    module = compile_proto("""
      message Rare {
        bytes data = 1 [(huntgroup.event.v1.rules) = {required: true max_length: 3}];
        double share = 2 [(huntgroup.event.v1.rules) = {max: 1}];
        optional int32 level = 3 [(huntgroup.event.v1.rules) = {required: true min: -5 max: 5}];
        repeated Rare parts = 4 [(huntgroup.event.v1.rules) = {max_items: 2}];
        repeated int64 ends_ms = 5;
        repeated string names = 6 [(huntgroup.event.v1.rules) = {required: true}];
        bool flag = 7;
      }""")
    good = {"data": b"abc", "level": -5, "names": [""]}
    assert found(module.Rare(**good)) == set()
    assert found(module.Rare()) == {
        ("data", "0 bytes", "required"),
        ("level", "", "required"),
        ("names", "", "required"),
    }
    assert found(module.Rare(**{**good, "data": b"abcd"})) == {("data", "4 bytes", "max_length 3")}
    assert found(module.Rare(**good, share=float("nan"))) == {("share", "nan", "min 0")}
    assert found(module.Rare(**good, share=1.5)) == {("share", "1.5", "max 1")}
    assert found(module.Rare(**{**good, "level": -6})) == {("level", "-6", "min -5")}
    inner = module.Rare(data=b"a", level=0, ends_ms=[3, -1], names=["", "a\0"])
    assert found(module.Rare(**good, parts=[module.Rare(**good), inner])) == {
        ("parts[1].ends_ms[1]", "-1", "not negative"),
        ("parts[1].names[1]", "a\\x00", "no control characters"),
    }


@pytest.mark.parametrize(
    "field",
    [
        'int32 x = 1 [(huntgroup.event.v1.rules) = {pattern: "x"}];',
        "string x = 1 [(huntgroup.event.v1.rules) = {max: 3}];",
        "string x = 1 [(huntgroup.event.v1.rules) = {max_items: 3}];",
        "bytes x = 1 [(huntgroup.event.v1.rules) = {min: 3}];",
        "Bad x = 1 [(huntgroup.event.v1.rules) = {max_length: 3}];",
        "repeated int32 x = 1 [(huntgroup.event.v1.rules) = {max_length: 3}];",
        "bool x = 1 [(huntgroup.event.v1.rules) = {required: true}];",
        "map<string, Bad> x = 1;",
    ],
)
def test_a_rule_that_says_nothing_about_its_field_is_refused(
    compile_proto: CompileProto, field: str
) -> None:
    module = compile_proto(f"message Bad {{ {field} }}")
    with pytest.raises(ContractMismatchError, match=r"Bad\.x"):
        violations(module.Bad())


def test_a_request_within_another_needs_no_context_of_its_own() -> None:
    inner = configure_queue()
    inner.ClearField("context")
    request = routing_pb2.ApplyPolicyRequest(queues=[inner])
    assert [one.field for one in violations(request)] == ["context"]
    request.queues[0].ring_timeout_ms = 0
    assert "queues[0].ring_timeout_ms" in [one.field for one in violations(request)]


def test_a_requirement_that_cannot_be_read_is_told_by_its_character() -> None:
    assert found(queue_contact(requirement='lang == "ar" and not group == "night"')) == set()
    broken = queue_contact(requirement='lang == "ar" and skill("billing") >= "3"')
    ((field, _, rule),) = found(broken)
    assert field == "requirement"
    assert rule.startswith('character 38: a level is a number from 0 to 100, not "3"')
    many = " or ".join(f'skill("s{number}")' for number in range(60))
    ((_, _, rule),) = found(queue_contact(requirement=many))
    assert rule.startswith("character 1: longer than 1000 characters in its one form")
    ((_, _, rule),) = found(queue_contact(requirement='agent == "ada" and agent == "ben"'))
    assert "nobody can ever meet this" in rule
