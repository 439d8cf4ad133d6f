"""What in a file does not fit its format: every fault, in words for its author."""

import re
from collections.abc import Iterator, Mapping
from datetime import date
from typing import Any, Final

import msgspec
from msgspec import inspect

from huntgroup_onebox.yaml_file import Field, Found, no_such_field

NEEDED: Final = "is needed"


def misfits(content: Any, wanted: type) -> list[Found]:
    """Return what does not fit; without any, msgspec converts the content to the type."""
    return list(_misfits(content, inspect.type_info(wanted), ()))


def _misfits(value: Any, kind: inspect.Type, way: Field) -> Iterator[Found]:
    match kind:
        case inspect.AnyType():
            return
        case inspect.UnionType():
            yield from _choice(value, kind, way)
        case inspect.StructType():
            yield from _struct(value, kind, way)
        case inspect.DictType():
            yield from _mapping(value, kind, way)
        case inspect.VarTupleType() | inspect.ListType():
            yield from _list(value, kind, way)
        case _:
            if not _fits(value, kind):
                yield way, f"{_words(kind)} is expected"


def _choice(value: Any, kind: inspect.UnionType, way: Field) -> Iterator[Found]:
    """Look at one of several: a type or nothing, or a struct whose tag says which it is."""
    if value is None and kind.includes_none:
        return
    types = [one for one in kind.types if not isinstance(one, inspect.NoneType)]
    if len(types) == 1:
        yield from _misfits(value, types[0], way)
        return
    tagged = {one.tag: one for one in types if isinstance(one, inspect.StructType)}
    (tag,) = {one.tag_field for one in tagged.values()}
    assert tag is not None
    names = ", ".join(map(str, tagged))
    if not isinstance(value, Mapping):
        yield way, f"a mapping is expected, with {tag}: one of {names}"
    elif tag not in value:
        yield (*way, tag), f"{NEEDED}: one of {names}"
    elif not isinstance(value[tag], str) or value[tag] not in tagged:
        yield (*way, tag), f"one of {names} is expected"
    else:
        yield from _struct(value, tagged[value[tag]], way)


def _struct(value: Any, kind: inspect.StructType, way: Field) -> Iterator[Found]:
    fields = {one.encode_name: one for one in kind.fields}
    known = (*fields, *((kind.tag_field,) if kind.tag_field else ()))
    if not isinstance(value, Mapping):
        yield way, f"a mapping is expected, of {', '.join(known)}"
        return
    for name in value:
        if name not in known:
            yield (*way, name), no_such_field(known)
    for name, field in fields.items():
        if name in value:
            yield from _misfits(value[name], field.type, (*way, name))
        elif field.required:
            yield (*way, name), NEEDED


def _mapping(value: Any, kind: inspect.DictType, way: Field) -> Iterator[Found]:
    if not isinstance(value, Mapping):
        yield way, "a mapping is expected"
        return
    yield from _number_of(len(value), kind, way)
    for name, one in value.items():
        if not _fits(name, kind.key_type):
            yield (*way, name), f"as a name, {_words(kind.key_type)} is expected"
        yield from _misfits(one, kind.value_type, (*way, name))


def _list(value: Any, kind: inspect.VarTupleType | inspect.ListType, way: Field) -> Iterator[Found]:
    if not isinstance(value, list):
        yield way, "a list is expected"
        return
    yield from _number_of(len(value), kind, way)
    for index, one in enumerate(value):
        yield from _misfits(one, kind.item_type, (*way, index))


def _number_of(
    number: int, kind: inspect.DictType | inspect.VarTupleType | inspect.ListType, way: Field
) -> Iterator[Found]:
    if number < (kind.min_length or 0):
        yield way, f"at least {kind.min_length} must be there"
    if kind.max_length is not None and number > kind.max_length:
        yield way, f"{number:,} are too many: at most {kind.max_length:,} may be there"


def _fits(value: Any, kind: inspect.Type) -> bool:
    match kind:
        case inspect.IntType():
            return type(value) is int and _within(value, kind)
        case inspect.FloatType():
            return type(value) in (int, float) and _within(value, kind)
        case inspect.StrType():
            long_enough = isinstance(value, str) and len(value) >= (kind.min_length or 0)
            short_enough = long_enough and (
                kind.max_length is None or len(value) <= kind.max_length
            )
            return short_enough and re.search(kind.pattern or "", value) is not None
        case inspect.EnumType():
            return value in [one.value for one in kind.cls]
        case inspect.DateType():
            return _is_date(value)
        case _:
            raise AssertionError(f"no format has a {kind}")


def _within(value: float, kind: inspect.IntType | inspect.FloatType) -> bool:
    return (
        (kind.ge is None or value >= kind.ge)
        and (kind.gt is None or value > kind.gt)
        and (kind.le is None or value <= kind.le)
        and (kind.lt is None or value < kind.lt)
    )


def _is_date(value: Any) -> bool:
    try:
        msgspec.convert(value, date)
    except msgspec.ValidationError:
        return False
    return True


def _words(kind: inspect.Type) -> str:
    """Return what is expected."""
    match kind:
        case inspect.IntType() | inspect.FloatType():
            noun = "a whole number" if isinstance(kind, inspect.IntType) else "a number"
            bounds = " and ".join(_bounds(kind))
        case inspect.StrType():
            noun, bounds = "text", " and ".join(_shape(kind))
        case inspect.EnumType():
            noun, bounds = f"one of {', '.join(str(one.value) for one in kind.cls)}", ""
        case _:
            noun, bounds = "a date that there is", "like 2026-12-25"
    return f"{noun}, {bounds}," if bounds else noun


def _bounds(kind: inspect.IntType | inspect.FloatType) -> Iterator[str]:
    if kind.ge is not None and kind.le is not None:
        yield f"{kind.ge:,} to {kind.le:,}"
        return
    for word, bound in (
        ("at least", kind.ge),
        ("above", kind.gt),
        ("at most", kind.le),
        ("below", kind.lt),
    ):
        if bound is not None:
            yield f"{word} {bound:,}"


def _shape(kind: inspect.StrType) -> Iterator[str]:
    if kind.max_length is not None:
        yield f"{kind.min_length or 0} to {kind.max_length} characters"
    if kind.pattern is not None:
        yield f"of the form {kind.pattern}"
