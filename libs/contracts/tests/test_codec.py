"""The codec writes what it reads, tells what it cannot carry, and does so before it is used where that is possible."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from enum import Enum, StrEnum
from types import ModuleType
from typing import Any, NewType

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from huntgroup.agent_state.v1 import commands_pb2, events_pb2
from huntgroup.event.v1.envelope_pb2 import CommandContext
from huntgroup_contracts.codec import CommandCodec, EventCodec
from huntgroup_contracts.errors import UnknownEventError

CompileProto = Callable[[str], ModuleType]

PROTO = """
enum Colour { COLOUR_UNSPECIFIED = 0; COLOUR_RED = 1; COLOUR_DARK_BLUE = 7; }
enum Mood { MOOD_UNSPECIFIED = 0; MOOD_GOOD = 1; }
message Inner { string name = 1; int32 count = 2; Colour colour = 3; }
message Everything {
  option (huntgroup.event.v1.event_type) = "huntgroup.test.everything.v1";
  int32 a = 1; int64 b = 2; uint32 c = 3; uint64 d = 4; fixed32 e = 5; fixed64 f = 6;
  sfixed32 g = 7; sfixed64 h = 8; sint32 i = 9; sint64 j = 10;
  bool flag = 11; double number = 12; string text = 13; bytes data = 14;
  Colour colour = 15; Mood mood = 16; Mood perhaps_mood = 17;
  Inner inner = 18; Inner perhaps_inner = 19;
  optional string perhaps_text = 20; optional Colour perhaps_colour = 21;
  repeated string texts = 22; repeated int64 numbers = 23; repeated Colour colours = 24;
  repeated Inner inners = 25; repeated bytes blobs = 26;
}
message Bare { option (huntgroup.event.v1.event_type) = "huntgroup.test.bare.v1"; }
message Single {
  option (huntgroup.event.v1.event_type) = "huntgroup.test.single.v1";
  int64 at_ms = 1;
}
message NotAnEvent { string name = 1; }
"""

TextId = NewType("TextId", str)
LongTextId = NewType("LongTextId", TextId)
Milliseconds = NewType("Milliseconds", int)


class Colour(StrEnum):
    RED = "red"
    DARK_BLUE = "dark blue"


class Mood(Enum):
    UNSPECIFIED = 0
    GOOD = 17


class KnownMood(Enum):
    GOOD = "good"


@dataclass(frozen=True, slots=True, kw_only=True)
class Inner:
    name: str
    count: int
    colour: Colour


@dataclass(frozen=True, slots=True, kw_only=True)
class Everything:
    a: int
    b: Milliseconds
    c: int
    d: int
    e: int
    f: int
    g: int
    h: int
    i: int
    j: int
    flag: bool
    number: float
    text: LongTextId
    data: bytes
    colour: Colour
    mood: Mood
    perhaps_mood: KnownMood | None
    inner: Inner
    perhaps_inner: Inner | None
    perhaps_text: TextId | None
    perhaps_colour: Colour | None
    texts: tuple[TextId, ...]
    numbers: tuple[int, ...]
    colours: tuple[Colour, ...]
    inners: tuple[Inner, ...]
    blobs: tuple[bytes, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Bare:
    pass


@dataclass(frozen=True, slots=True, kw_only=True)
class Single:
    at_ms: int


Event = Everything | Bare | Single

int32s = st.integers(-(2**31), 2**31 - 1)
int64s = st.integers(-(2**63), 2**63 - 1)
uint32s = st.integers(0, 2**32 - 1)
uint64s = st.integers(0, 2**64 - 1)
texts = st.text(st.characters(exclude_categories=["Cs"]))
inners = st.builds(Inner, name=texts, count=int32s, colour=st.sampled_from(Colour))
everythings = st.builds(
    Everything,
    **dict.fromkeys(("a", "g", "i"), int32s),
    **dict.fromkeys(("b", "h", "j"), int64s),
    **dict.fromkeys(("c", "e"), uint32s),
    **dict.fromkeys(("d", "f"), uint64s),
    number=st.floats(allow_nan=False),
    text=texts,
    colour=st.sampled_from(Colour),
    mood=st.sampled_from(Mood),
    perhaps_mood=st.none() | st.sampled_from(KnownMood),
    inner=inners,
    perhaps_inner=st.none() | inners,
    perhaps_text=st.none() | texts,
    perhaps_colour=st.none() | st.sampled_from(Colour),
    texts=st.lists(texts).map(tuple),
    numbers=st.lists(int64s).map(tuple),
    colours=st.lists(st.sampled_from(Colour)).map(tuple),
    inners=st.lists(inners).map(tuple),
    blobs=st.lists(st.binary()).map(tuple),
)
TYPICAL = Everything(
    **dict.fromkeys(("a", "c", "d", "e", "f", "g", "h", "i", "j"), 1),
    b=Milliseconds(5),
    flag=True,
    number=1.5,
    text=LongTextId(TextId("x")),
    data=b"\0",
    colour=Colour.RED,
    mood=Mood.GOOD,
    perhaps_mood=None,
    inner=Inner(name="n", count=2, colour=Colour.DARK_BLUE),
    perhaps_inner=None,
    perhaps_text=None,
    perhaps_colour=None,
    texts=(TextId("a"), TextId("")),
    numbers=(1, 0, -1),
    colours=(Colour.RED,),
    inners=(),
    blobs=(b"",),
)


@pytest.fixture(scope="module")
def pb2(compile_proto: CompileProto) -> ModuleType:
    return compile_proto(PROTO)


@pytest.fixture(scope="module")
def codec(pb2: ModuleType) -> EventCodec[Event]:
    return EventCodec(pb2, (Everything, Bare, Single))


@settings(deadline=None)
@given(event=everythings | st.just(Bare()) | st.builds(Single, at_ms=int64s))
def test_what_is_written_is_read_back(codec: EventCodec[Event], event: Event) -> None:
    event_type, payload = codec.encode(event)
    assert event_type == f"huntgroup.test.{type(event).__name__.lower()}.v1"
    back = codec.decode(event_type, payload)
    assert back == event
    assert codec.encode(back) == (event_type, payload)


def test_collections_are_tuples_and_enums_members_after_reading(codec: EventCodec[Event]) -> None:
    back = codec.decode(*codec.encode(TYPICAL))
    assert isinstance(back, Everything)
    assert type(back.texts) is tuple
    assert type(back.inners) is tuple
    assert back.colours[0] is Colour.RED
    assert back.mood is Mood.GOOD


def test_empty_is_not_absent_where_the_message_tells_them_apart(codec: EventCodec[Event]) -> None:
    empty = replace(TYPICAL, perhaps_text=TextId(""), perhaps_colour=Colour.RED)
    assert codec.decode(*codec.encode(empty)) == empty


def test_the_types_of_a_codec_are_those_of_its_classes(codec: EventCodec[Event]) -> None:
    assert codec.event_types == (
        "huntgroup.test.bare.v1",
        "huntgroup.test.everything.v1",
        "huntgroup.test.single.v1",
    )


def test_an_unknown_type_is_told_by_name(codec: EventCodec[Event]) -> None:
    with pytest.raises(UnknownEventError, match=r"huntgroup\.test\.nothing\.v1"):
        codec.decode("huntgroup.test.nothing.v1", b"")


def test_an_object_that_is_no_event_is_told_by_its_class(codec: EventCodec[Any]) -> None:
    with pytest.raises(UnknownEventError, match=r"test_codec\.Inner"):
        codec.encode(Inner(name="", count=0, colour=Colour.RED))


@pytest.mark.parametrize("payload", [b"\xff", b"\x6a\x05abc", b"\x6a\x01\xff"])
def test_a_damaged_payload_is_a_value_error(codec: EventCodec[Event], payload: bytes) -> None:
    with pytest.raises(ValueError, match=r"huntgroup\.test\.everything\.v1 cannot be read"):
        codec.decode("huntgroup.test.everything.v1", payload)


def test_an_unknown_enum_number_names_field_and_value(
    codec: EventCodec[Event], pb2: ModuleType
) -> None:
    payload = pb2.Everything(colour=4).SerializeToString()
    with pytest.raises(ValueError, match=r"Everything: colour: .*Colour.* known here: 4"):
        codec.decode("huntgroup.test.everything.v1", payload)


def test_an_unspecified_enum_is_refused_where_the_class_has_no_such_member(
    codec: EventCodec[Event],
) -> None:
    with pytest.raises(ValueError, match=r"colour: .* known here: 0"):
        codec.decode("huntgroup.test.everything.v1", b"")


def test_an_enum_member_without_a_number_is_not_written(codec: EventCodec[Event]) -> None:
    with pytest.raises(ValueError, match=r"colour: .*Colour: 'green'"):
        codec.encode(replace(TYPICAL, colour="green"))  # type: ignore[arg-type]


@pytest.mark.parametrize("field", ["text", "a", "inner", "colour", "texts", "mood"])
def test_none_is_not_written_as_empty(codec: EventCodec[Event], field: str) -> None:
    with pytest.raises(ValueError, match=rf"Everything\.{field} is None"):
        codec.encode(replace(TYPICAL, **{field: None}))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("field", "value"),
    [("a", 2**31), ("c", -1), ("b", 2**63), ("numbers", (2**63,)), ("text", "\ud800")],
)
def test_what_the_wire_cannot_carry_is_a_value_error(
    codec: EventCodec[Event], field: str, value: object
) -> None:
    with pytest.raises(ValueError, match=r"."):
        codec.encode(replace(TYPICAL, **{field: value}))  # type: ignore[arg-type]


@pytest.mark.parametrize(("field", "value"), [("a", "1"), ("a", 1.5), ("text", 1), ("data", "x")])
def test_a_value_of_another_kind_is_a_type_error(
    codec: EventCodec[Event], field: str, value: object
) -> None:
    with pytest.raises(TypeError):
        codec.encode(replace(TYPICAL, **{field: value}))  # type: ignore[arg-type]


def test_fields_of_a_newer_version_are_dropped(codec: EventCodec[Event]) -> None:
    event_type, payload = codec.encode(TYPICAL)
    assert codec.decode(event_type, payload + b"\xc2\x3e\x03new") == TYPICAL


# Commands.


class Channel(StrEnum):
    VOICE = "voice"
    CHAT = "chat"
    MESSAGE = "message"
    CALLBACK = "callback"


@dataclass(frozen=True, slots=True, kw_only=True)
class ChannelCapacity:
    channel: Channel
    slots: int
    cost: int = 0
    interrupts: tuple[Channel, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class SkillLevel:
    skill: str
    level: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Attribute:
    name: str
    value: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Traits:
    skill_levels: tuple[SkillLevel, ...] = ()
    languages: tuple[str, ...] = ()
    attributes: tuple[Attribute, ...] = ()
    groups: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class SignOn:
    agent_id: str
    skills: tuple[str, ...]
    capacity: tuple[ChannelCapacity, ...]
    traits: Traits | None = None
    capacity_units: int = 0


def test_a_request_becomes_a_command_without_its_context() -> None:
    codec = CommandCodec(commands_pb2.SignOnRequest, SignOn)
    request = commands_pb2.SignOnRequest(
        context=CommandContext(domain="acme/emea", command_id="c"),
        agent_id="ada",
        skills=["english"],
        capacity=[events_pb2.ChannelCapacity(channel=events_pb2.CHANNEL_CHAT, slots=3)],
    )
    assert codec.decode(request) == SignOn(
        agent_id="ada",
        skills=("english",),
        capacity=(ChannelCapacity(channel=Channel.CHAT, slots=3),),
    )


def test_an_unknown_enum_number_in_a_request_is_a_value_error() -> None:
    codec = CommandCodec(commands_pb2.SignOnRequest, SignOn)
    capacity = events_pb2.ChannelCapacity()
    capacity.channel = 99  # type: ignore[assignment]
    with pytest.raises(ValueError, match=r"channel: .*: 99"):
        codec.decode(commands_pb2.SignOnRequest(capacity=[capacity]))
