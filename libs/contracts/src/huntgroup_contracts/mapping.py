"""The mapping between one protobuf message and one core class, field by field, by name.

Everything is checked and looked up once, when the mapping is built; `compiled.py` writes out what is left to do.
"""

import dataclasses
import inspect
import typing
from collections.abc import Callable, Iterable, Sequence
from operator import attrgetter
from types import NoneType, UnionType
from typing import Any, NamedTuple, Union, get_args, get_origin

import msgspec
from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.message import Message
from google.protobuf.message_factory import GetMessageClass

from huntgroup_contracts.compiled import Convert, FieldCode, Fill, fill_code, read_code
from huntgroup_contracts.enum_mapping import enum_mapping
from huntgroup_contracts.errors import ContractMismatchError, class_name

TYPE_OF_SCALAR: dict[int, type] = {
    FieldDescriptor.CPPTYPE_INT32: int,
    FieldDescriptor.CPPTYPE_INT64: int,
    FieldDescriptor.CPPTYPE_UINT32: int,
    FieldDescriptor.CPPTYPE_UINT64: int,
    FieldDescriptor.CPPTYPE_BOOL: bool,
    FieldDescriptor.CPPTYPE_DOUBLE: float,
}
"""Scalars that need no conversion. float32 is not among them: it does not come back as it went."""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Mapping:
    """Both directions between a message and its core class."""

    to_message: Convert
    """Core value to message; raises `ValueError` for a value that the wire cannot carry."""
    from_message: Convert
    """Message to core value; raises `ValueError` for a value that the core does not know."""
    fill: Fill
    """As `to_message`, into a message that is there; its complaints do not always help."""


class _Item(NamedTuple):
    """The conversions of one value; None where it is the same on both sides, and what is no message is not filled."""

    to_wire: Convert | None = None
    from_wire: Convert | None = None
    fill: Fill | None = None


CONTEXT = "huntgroup.event.v1.CommandContext"

_MADE: dict[tuple[type[Message], type, tuple[str, ...]], Mapping] = {}


def build_mapping(
    message_class: type[Message], core_class: type, leave_out: tuple[str, ...] = ()
) -> Mapping:
    """Return the mapping between `message_class`, without the fields in `leave_out`, and `core_class`.

    Made once for each pair. Raises `ContractMismatchError` that names both when they differ in a field's name or kind
    or in an enum's members.
    """
    key = (message_class, core_class, leave_out)
    if key not in _MADE:
        _MADE[key] = _build(message_class, core_class, leave_out, ())
    return _MADE[key]


def _build(
    message_class: type[Message],
    core_class: type,
    leave_out: tuple[str, ...],
    within: tuple[str, ...],
) -> Mapping:
    descriptor = message_class.DESCRIPTOR
    pair = f"message {descriptor.full_name} and class {class_name(core_class)}"
    if descriptor.full_name in within:
        raise ContractMismatchError(f"{pair}: a message within itself cannot be mapped")
    wire: dict[str, Any] = {
        field.name: field
        for field in descriptor.fields
        if field.name not in leave_out and not (within and is_context(field))
    }
    core = _core_fields(core_class, pair)
    only_wire, only_core = sorted(wire.keys() - core.keys()), sorted(core.keys() - wire.keys())
    if only_wire or only_core:
        raise ContractMismatchError(
            f"{pair}: only the message has {only_wire}, only the class has {only_core}"
        )
    try:
        inspect.signature(core_class).bind(**wire)
    except TypeError as error:  # a field with init=False, an InitVar, an __init__ by hand
        raise ContractMismatchError(f"{pair}: not made from its fields: {error}") from None
    within = (*within, descriptor.full_name)
    fields = [_field(f"{pair}: {name}", wire[name], core[name], within) for name in wire]
    fill = fill_code(fields)
    return Mapping(
        to_message=_to_message(message_class, fields, fill),
        from_message=read_code(core_class, fields),
        fill=fill,
    )


def is_context(field: Any) -> bool:
    """Return whether a field is the context of a command. A request within another has none: the outer one's holds."""
    return field.message_type is not None and field.message_type.full_name == CONTEXT


def _core_fields(core_class: type, pair: str) -> dict[str, Any]:
    """Return the resolved type of every field of a frozen dataclass or Struct."""
    hints = typing.get_type_hints(core_class)
    if issubclass(core_class, msgspec.Struct):
        names, frozen = core_class.__struct_fields__, core_class.__struct_config__.frozen
    elif dataclasses.is_dataclass(core_class):
        names = tuple(field.name for field in dataclasses.fields(core_class))
        frozen = core_class.__dataclass_params__.frozen  # type: ignore[attr-defined]
    else:
        raise ContractMismatchError(f"{pair}: the class is neither a dataclass nor a Struct")
    if not frozen:
        raise ContractMismatchError(f"{pair}: the class is not frozen")
    return {name: hints[name] for name in names}


def _is_core_class(hint: object) -> bool:
    return isinstance(hint, type) and (
        dataclasses.is_dataclass(hint) or issubclass(hint, msgspec.Struct)
    )


def _field(where: str, field: FieldDescriptor, hint: object, within: tuple[str, ...]) -> FieldCode:
    """Return the conversion of one field after checking that both sides mean the same kind."""
    oneof = field.containing_oneof
    if oneof is not None and not oneof.name.startswith("_"):  # "_x" stands for `optional x`
        raise ContractMismatchError(f"{where} is in oneof {oneof.name}, which cannot be mapped")
    if field.is_repeated:
        return _repeated(where, field, hint, within)
    hint, optional = _without_none(hint)
    single_enum = field.enum_type is not None and not field.has_presence
    if optional and not (field.has_presence or single_enum):
        raise ContractMismatchError(f"{where} is always there in the message, but may be None")
    if field.has_presence and field.message_type is None and not optional:
        raise ContractMismatchError(f"{where} is optional in the message, but cannot be None")
    item = _item(where, field, hint, within, none_for_zero=optional and single_enum)
    return FieldCode(
        name=field.name,
        to_wire=_unless_none(item.to_wire) if optional else item.to_wire,
        from_wire=item.from_wire,
        item_to_wire=item.to_wire,
        fill=item.fill,
        repeated=False,
        optional=optional,
        presence=optional and field.has_presence,
    )


def _repeated(
    where: str, field: FieldDescriptor, hint: object, within: tuple[str, ...]
) -> FieldCode:
    match get_origin(hint), get_args(hint):
        case (origin, (item, rest)) if origin is tuple and rest is Ellipsis:
            pass
        case _:
            raise ContractMismatchError(f"{where} is repeated, so not {hint} but tuple[…, ...]")
    one = _item(where, field, item, within, none_for_zero=False)
    return FieldCode(
        name=field.name,
        to_wire=None if one.to_wire is None else _each(one.to_wire),
        from_wire=tuple if one.from_wire is None else _each(one.from_wire),
        item_to_wire=one.to_wire,
        fill=one.fill,
        repeated=True,
        optional=False,
        presence=False,
    )


def _item(
    where: str,
    field: FieldDescriptor,
    hint: object,
    within: tuple[str, ...],
    *,
    none_for_zero: bool,
) -> _Item:
    """Return the conversions of a field that is not repeated, or of one item of a repeated one."""
    if field.message_type is not None:
        is_map = field.message_type.GetOptions().map_entry
        if is_map or not (isinstance(hint, type) and _is_core_class(hint)):
            raise ContractMismatchError(f"{where} cannot be mapped to {hint}")
        nested = _build(GetMessageClass(field.message_type), hint, (), within)
        return _Item(nested.to_message, nested.from_message, nested.fill)
    if field.enum_type is not None:
        return _Item(*enum_mapping(where, field.enum_type, hint, none_for_zero=none_for_zero))
    if field.cpp_type == FieldDescriptor.CPPTYPE_STRING:
        kind: type = bytes if field.type == FieldDescriptor.TYPE_BYTES else str
    else:
        kind = TYPE_OF_SCALAR.get(field.cpp_type, NoneType)
    if _without_new_type(hint) is not kind:
        raise ContractMismatchError(f"{where} is {kind.__name__} in the message, but {hint}")
    return _Item()


def _without_none(hint: object) -> tuple[object, bool]:
    """Return `X, True` for `X | None`, else the hint and False."""
    if get_origin(hint) in (Union, UnionType):
        others = [argument for argument in get_args(hint) if argument is not NoneType]
        if len(others) == 1:
            return others[0], True
    return hint, False


def _without_new_type(hint: object) -> object:
    while (supertype := getattr(hint, "__supertype__", None)) is not None:
        hint = supertype
    return hint


def _unless_none(convert: Convert | None) -> Convert | None:
    if convert is None:
        return None
    return lambda value: None if value is None else convert(value)


def _each(convert: Convert) -> Convert:
    return lambda values: tuple(map(convert, values))


def _reader(names: tuple[str, ...]) -> Callable[[Any], Iterable[Any]]:
    """Return a function that reads all `names` of an object at once."""
    if len(names) > 1:
        return attrgetter(*names)
    return lambda value: [getattr(value, name) for name in names]  # attrgetter gives no tuple here


def _to_message(message_class: type[Message], fields: Sequence[FieldCode], fill: Fill) -> Convert:
    names = tuple(field.name for field in fields)
    read = _reader(names)
    converted = [(field.name, field.to_wire) for field in fields if field.to_wire is not None]
    required = frozenset(field.name for field in fields if not field.optional)
    full_name = message_class.DESCRIPTOR.full_name

    def to_message(value: object) -> Message:
        message = message_class()
        try:
            fill(message, value)
        except (AttributeError, TypeError, ValueError):
            return slowly(value)
        return message

    def slowly(value: object) -> Message:
        """Find the field that is wrong, and say so."""
        values = dict(zip(names, read(value)))  # noqa: B905 - same names, and strict costs 0.1 µs
        # A message takes None for "absent": the empty value would be read back in its place.
        if None in values.values():
            _refuse_none(full_name, values, required)
        for name, convert in converted:
            values[name] = convert(values[name])
        return message_class(**values)

    return to_message


def _refuse_none(full_name: str, values: dict[str, Any], required: frozenset[str]) -> None:
    for name in required:
        if values[name] is None:
            raise ValueError(f"{full_name}.{name} is None")
