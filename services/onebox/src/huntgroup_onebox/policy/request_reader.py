"""Plain values of a file as a request, field by field; what does not fit is told in the words of its author."""

from collections.abc import Callable, Collection, Iterable, Mapping
from typing import Any, Final

from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.message import Message

from huntgroup_contracts.rules import REQUIRED
from huntgroup_contracts.validation import violations
from huntgroup_onebox.yaml_file import UNKNOWN, Field, Found, no_such_field
from huntgroup_routing.core.faults import STEP

TYPES: Final = {
    FieldDescriptor.CPPTYPE_STRING: (str, "text"),
    FieldDescriptor.CPPTYPE_BOOL: (bool, "true or false"),
    FieldDescriptor.CPPTYPE_INT32: (int, "a whole number"),
    FieldDescriptor.CPPTYPE_INT64: (int, "a whole number"),
}
BREAKS: Final = "breaks the rule: "


def enum_names(field: Any) -> list[str]:
    """Return the values of an enum as a file says them, without the prefix that all of them have."""
    names = [one.name for one in field.enum_type.values if one.number]
    prefix = field.enum_type.values[0].name.removesuffix("UNSPECIFIED")
    return [name.removeprefix(prefix) for name in names]


class RequestReader:
    """Fills a request from plain values, and notes what does not fit."""

    def __init__(self) -> None:
        self.faults: list[Found] = []

    def fill(self, message: Message, way: Field, said: Any, fields: list[Any]) -> None:
        """Fill these fields of a message with what stands at `way`."""
        if not isinstance(said, Mapping):
            names = ", ".join(one.name for one in fields)
            self.faults.append((way, f"a mapping is expected, of {names}"))
            return
        self.refuse_unknown(way, said, [one.name for one in fields])
        for field in fields:
            if field.name in said:
                self._set(message, field, (*way, field.name), said[field.name])

    def _set(self, message: Message, field: Any, way: Field, value: Any) -> None:
        if not field.is_repeated:
            if field.message_type is not None:
                place = getattr(message, field.name)
                place.SetInParent()
                self.fill(place, way, value, list(field.message_type.fields))
            elif (one := self._scalar(field, way, value)) is not None:
                setattr(message, field.name, one)
            return
        if not isinstance(value, list):
            self.faults.append((way, "a list is expected"))
            return
        items = getattr(message, field.name)
        for index, item in enumerate(value):
            if field.message_type is not None:
                self.fill(items.add(), (*way, index), item, list(field.message_type.fields))
            elif (one := self._scalar(field, (*way, index), item)) is not None:
                items.append(one)

    def _scalar(self, field: Any, way: Field, value: Any) -> Any:
        if field.enum_type is not None:
            names = enum_names(field)
            if value in names:
                prefix = field.enum_type.values[0].name.removesuffix("UNSPECIFIED")
                return field.enum_type.values_by_name[prefix + value].number
            self.faults.append((way, f"one of {', '.join(names)} is expected"))
            return None
        kind, words = TYPES[field.cpp_type]
        if not is_a(value, kind):
            self.faults.append((way, f"{words} is expected"))
            return None
        if kind is int and not -(2**31) <= value < 2**31:
            self.faults.append((way, "the number is too large"))
            return None
        return value

    def refuse_unknown(self, way: Field, said: Mapping[Any, Any], known: Collection[str]) -> None:
        """Note each name that is not among the known ones."""
        for name in said:
            if name not in known:
                self.faults.append(((*way, name), no_such_field(known)))


def is_a(value: Any, kind: type) -> bool:
    """Return whether a value is of a kind; true and false are no numbers."""
    return isinstance(value, kind) and (kind is bool or not isinstance(value, bool))


def broken(
    request: Message, way_of: Callable[[str], Field], known: Collection[Found]
) -> list[Found]:
    """Return what breaks the rule of a field, without what only follows from the faults that are known."""
    found = (
        (way_of(one.field), BREAKS + one.rule)
        for one in violations(request)
        if not one.field.startswith("context")
    )
    return [fault for fault in found if not _follows(fault, known)]


def _follows(fault: Found, known: Iterable[Found]) -> bool:
    """Return whether a fault only follows from one that is known: there, or within, or a field beside is misspelt."""
    way, rule = fault
    missing = rule == BREAKS + REQUIRED
    return any(
        way[: len(one)] == one or (missing and one[:-1] == way[:-1] and told.startswith(UNKNOWN))
        for one, told in known
    )


def steps_of(path: str) -> Field:
    """Return the way that a request calls, for example, `queues[3].steps[0].after_ms`."""
    return tuple(
        int(step["index"]) if step["index"] else step["key"] for step in STEP.finditer(path)
    )
