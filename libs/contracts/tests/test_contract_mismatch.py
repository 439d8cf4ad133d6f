"""Whatever differs between a class and its message stops the codec from being built, and the text names both."""

import dataclasses
from collections.abc import Callable
from enum import Enum, StrEnum
from types import ModuleType

import msgspec
import pytest

from huntgroup.session.v1 import commands_pb2
from huntgroup_contracts.codec import CommandCodec, EventCodec
from huntgroup_contracts.errors import ContractMismatchError

CompileProto = Callable[[str], ModuleType]

ENUM = "enum Colour { COLOUR_UNSPECIFIED = 0; COLOUR_RED = 1; COLOUR_BLUE = 2; }"
INNER = "message Inner { string name = 1; }"


class Colour(StrEnum):
    RED = "red"
    BLUE = "blue"


class UnspecifiedColour(StrEnum):
    UNSPECIFIED = ""
    RED = "red"
    BLUE = "blue"


class RedOnly(StrEnum):
    RED = "red"


class RedBlueGreen(Enum):
    RED = 1
    BLUE = 2
    GREEN = 3


@dataclasses.dataclass(frozen=True)
class Inner:
    name: str


@dataclasses.dataclass(frozen=True)
class OtherInner:
    label: str


def event(**fields: object) -> type:
    """Return a frozen dataclass named Event."""
    made = dataclasses.make_dataclass("Event", list(fields.items()), frozen=True)
    made.__module__ = "my.messages"
    return made


def build(compile_proto: CompileProto, proto: str, *classes: type) -> EventCodec[object]:
    text = f"""{ENUM} {INNER} message Event {{
      option (huntgroup.event.v1.event_type) = "huntgroup.test.event.v1"; {proto} }}"""
    return EventCodec(compile_proto(text), classes)


AGREE = [
    ("string x = 1;", str),
    ("Colour x = 1;", Colour),
    ("Colour x = 1;", UnspecifiedColour),
    ("Colour x = 1;", Colour | None),
    ("optional int32 x = 1;", int | None),
    ("Inner x = 1;", Inner),
    ("Inner x = 1;", Inner | None),
    ("repeated Inner x = 1;", tuple[Inner, ...]),
]

DIFFER = [
    ("string x = 1;", int),
    ("string x = 1;", bytes),
    ("string x = 1;", Colour),
    ("string x = 1;", str | None),
    ("string x = 1;", str | int),
    ("string x = 1;", tuple[str, ...]),
    ("bytes x = 1;", str),
    ("int32 x = 1;", str),
    ("int32 x = 1;", bool),
    ("int32 x = 1;", float),
    ("bool x = 1;", int),
    ("double x = 1;", int),
    ("float x = 1;", float),
    ("optional string x = 1;", str),
    ("optional Colour x = 1;", Colour),
    ("Colour x = 1;", str),
    ("Colour x = 1;", int),
    ("Colour x = 1;", RedOnly),
    ("Colour x = 1;", RedBlueGreen),
    ("Colour x = 1;", UnspecifiedColour | None),
    ("repeated string x = 1;", str),
    ("repeated string x = 1;", list[str]),
    ("repeated string x = 1;", tuple[str, str]),
    ("repeated string x = 1;", tuple[str]),
    ("repeated string x = 1;", tuple[int, ...]),
    ("repeated string x = 1;", tuple[str, ...] | None),
    ("repeated string x = 1;", tuple),
    ("repeated Colour x = 1;", tuple[RedOnly, ...]),
    ("repeated Inner x = 1;", tuple[OtherInner, ...]),
    ("Inner x = 1;", OtherInner),
    ("Inner x = 1;", str),
    ("Inner x = 1;", "Inner | str"),
    ("map<string, string> x = 1;", dict),
    ("map<string, string> x = 1;", tuple[Inner, ...]),
    ("oneof kind { string x = 1; }", str),
    ("oneof kind { Inner x = 1; }", Inner | None),
]


@pytest.mark.parametrize(("proto", "hint"), AGREE)
def test_kinds_that_agree_are_mapped(compile_proto: CompileProto, proto: str, hint: object) -> None:
    build(compile_proto, proto, event(x=hint))


@pytest.mark.parametrize(("proto", "hint"), DIFFER)
def test_kinds_that_differ_are_refused(
    compile_proto: CompileProto, proto: str, hint: object
) -> None:
    if hint == "Inner | str":
        hint = Inner | str
    with pytest.raises(ContractMismatchError) as caught:
        build(compile_proto, proto, event(x=hint))
    text = str(caught.value)
    assert "x" in text or "Inner" in text
    assert ".Event" in text or ".Inner" in text
    assert "my.messages.Event" in text or "test_contract_mismatch." in text


def test_a_field_that_only_the_message_has(compile_proto: CompileProto) -> None:
    with pytest.raises(
        ContractMismatchError, match=r"message has \['y'\].*class has \[\]"
    ) as caught:
        build(compile_proto, "string x = 1; string y = 2;", event(x=str))
    assert "my.messages.Event" in str(caught.value)


def test_a_field_that_only_the_class_has(compile_proto: CompileProto) -> None:
    with pytest.raises(ContractMismatchError, match=r"message has \[\].*class has \['y', 'z'\]"):
        build(compile_proto, "string x = 1;", event(x=str, y=str, z=str))


def test_an_event_message_without_a_class(compile_proto: CompileProto) -> None:
    with pytest.raises(ContractMismatchError, match=r"without a class: \['Event'\]"):
        build(compile_proto, "string x = 1;")


def test_a_class_without_an_event_message(compile_proto: CompileProto) -> None:
    with pytest.raises(ContractMismatchError, match=r"test_contract_mismatch\.Inner .*no event"):
        build(compile_proto, "string x = 1;", event(x=str), Inner)


def test_a_class_that_is_given_twice(compile_proto: CompileProto) -> None:
    with pytest.raises(ContractMismatchError, match=r"my\.messages\.Event"):
        build(compile_proto, "string x = 1;", event(x=str), event(x=str))


def test_a_class_that_is_no_dataclass(compile_proto: CompileProto) -> None:
    with pytest.raises(ContractMismatchError, match="neither a dataclass nor a Struct"):
        build(compile_proto, "string x = 1;", type("Event", (), {}))


def test_a_struct_does_as_well_as_a_dataclass_if_it_is_frozen(compile_proto: CompileProto) -> None:
    frozen = msgspec.defstruct("Event", [("x", str)], frozen=True)
    codec = build(compile_proto, "string x = 1;", frozen)
    assert codec.decode(*codec.encode(frozen(x="ada"))) == frozen(x="ada")
    with pytest.raises(ContractMismatchError, match="not frozen"):
        build(compile_proto, "string x = 1;", msgspec.defstruct("Event", [("x", str)]))


def test_a_dataclass_that_can_be_changed(compile_proto: CompileProto) -> None:
    with pytest.raises(ContractMismatchError, match="not frozen"):
        build(compile_proto, "string x = 1;", dataclasses.make_dataclass("Event", [("x", str)]))


def test_a_dataclass_that_is_not_made_from_its_fields(compile_proto: CompileProto) -> None:
    pairs = [("x", str, dataclasses.field(init=False, default=""))]
    made = dataclasses.make_dataclass("Event", pairs, frozen=True)
    with pytest.raises(ContractMismatchError, match="not made from its fields"):
        build(compile_proto, "string x = 1;", made)


@pytest.mark.parametrize("hint", [UnspecifiedColour, Colour | None])
def test_an_enum_of_another_file_without_unspecified(
    compile_proto: CompileProto, hint: object
) -> None:
    text = """enum Tone { TONE_RED = 0; TONE_BLUE = 1; } message Event {
      option (huntgroup.event.v1.event_type) = "huntgroup.test.event.v1"; Tone x = 1; }"""
    module = compile_proto(text)
    EventCodec(module, [event(x=Colour)])
    with pytest.raises(ContractMismatchError, match="UNSPECIFIED"):
        EventCodec(module, [event(x=hint)])


def test_a_message_within_itself(compile_proto: CompileProto) -> None:
    made = dataclasses.make_dataclass("Event", ["x"], frozen=True)
    made.__annotations__["x"] = made | None
    with pytest.raises(ContractMismatchError, match="within itself"):
        build(compile_proto, "Event x = 1;", made)


def test_a_command_that_lacks_a_field_of_its_request() -> None:
    command = dataclasses.make_dataclass("EndContact", [("contact_id", str)], frozen=True)
    with pytest.raises(
        ContractMismatchError, match=r"EndContactRequest.*message has \['agent_id'\]"
    ):
        CommandCodec(commands_pb2.EndContactRequest, command)


def test_a_command_that_holds_the_context() -> None:
    fields = [("context", str), ("contact_id", str), ("agent_id", str)]
    command = dataclasses.make_dataclass("EndContact", fields, frozen=True)
    with pytest.raises(ContractMismatchError, match=r"class has \['context'\]"):
        CommandCodec(commands_pb2.EndContactRequest, command)
