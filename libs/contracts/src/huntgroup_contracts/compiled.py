"""Code for one pair of message and core class, written out when the mapping is built: three times as quick as a loop.

Only names of fields, which are Python's and protobuf's identifiers both, and names given here become part of the code.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

Convert = Callable[[Any], Any]
Fill = Callable[[Any, Any], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class FieldCode:
    """How one field is converted; a direction is None where the value is the same on both sides."""

    name: str
    to_wire: Convert | None
    """Of the whole value."""
    from_wire: Convert | None
    item_to_wire: Convert | None
    """Of one item."""
    fill: Fill | None
    """Of a message: how it is filled from an item."""
    repeated: bool
    optional: bool
    presence: bool


def fill_code(fields: Sequence[FieldCode]) -> Fill:
    """Return a function that fills a message with the values of a core object.

    It raises `TypeError` or `ValueError` for what cannot be written, not always with words that help.
    """
    lines = [line for field in fields for line in _fill_lines(field)] or ["pass"]
    space: dict[str, Any] = {}
    for field in fields:
        space |= {f"convert_{field.name}": field.item_to_wire, f"fill_{field.name}": field.fill}
    fill: Fill = _compiled("fill(message, value)", lines, space)
    return fill


def _fill_lines(field: FieldCode) -> list[str]:
    name = field.name
    if field.repeated and field.fill:
        return [f"for one in value.{name}: fill_{name}(message.{name}.add(), one)"]
    if field.repeated:
        what = f"map(convert_{name}, value.{name})" if field.item_to_wire else f"value.{name}"
        return [f"if value.{name} != (): message.{name}.extend({what})"]
    if field.fill:
        lines = [f"part = message.{name}", "part.SetInParent()", f"fill_{name}(part, value.{name})"]
    elif field.item_to_wire:
        lines = [f"message.{name} = convert_{name}(value.{name})"]
    else:
        lines = [f"message.{name} = value.{name}"]
    if field.optional:
        return [f"if value.{name} is not None:", *(f"    {line}" for line in lines)]
    return lines


def read_code(core_class: type, fields: Sequence[FieldCode]) -> Convert:
    """Return a function that makes a core object of a message; raises `ValueError` for a value that is not known."""
    space: dict[str, Any] = {"core_class": core_class}
    given = []
    for field in fields:
        name = field.name
        value = f"convert_{name}(message.{name})" if field.from_wire else f"message.{name}"
        if field.presence:
            value = f"{value} if message.HasField({name!r}) else None"
        given.append(f"{name}={value}")
        space[f"convert_{name}"] = field.from_wire
    read: Convert = _compiled("read(message)", [f"return core_class({', '.join(given)})"], space)
    return read


def _compiled(head: str, lines: Sequence[str], space: dict[str, Any]) -> Any:
    body = "\n".join(f"    {line}" for line in lines)
    exec(f"def {head}:\n{body}\n", space)  # noqa: S102 - as dataclasses do; see above for what it is made of
    return space[head.partition("(")[0]]
