"""The rule that one value breaks: what a field's `rules` option and its kind ask of a single value.

A lower limit that is not written is 0 (proto3 cannot tell `min: 0` from no `min`), so a number that has rules is not
negative unless its `min` is. For a single field, empty or zero means absent, which only `required` forbids; an item
of a repeated field is there even when it is empty, so the pattern holds for it too.
"""

import math
import re
from collections.abc import Callable
from typing import Any

from google.protobuf.descriptor import FieldDescriptor

from huntgroup.event.v1.options_pb2 import FieldRules
from huntgroup_contracts.errors import ContractMismatchError
from huntgroup_contracts.requirements import ExpressionError, one_form

REQUIRED = "required"
KNOWN_VALUE = "known enum value"
NO_CONTROL_CHARACTERS = "no control characters"
NOT_NEGATIVE = "not negative"

Broken = Callable[[Any], str | None]
"""Returns the rule that a value breaks, or None."""

_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")
_INTEGERS = frozenset((FieldDescriptor.CPPTYPE_INT32, FieldDescriptor.CPPTYPE_INT64))
_NUMBERS = _INTEGERS | {
    FieldDescriptor.CPPTYPE_UINT32,
    FieldDescriptor.CPPTYPE_UINT64,
    FieldDescriptor.CPPTYPE_DOUBLE,
    FieldDescriptor.CPPTYPE_FLOAT,
}


def broken_by(field: FieldDescriptor, rules: FieldRules) -> Broken | None:
    """Return the test of one value of a scalar `field`, or None when no value can be wrong.

    Raises `ContractMismatchError` when a rule says nothing about this kind of field (a pattern on a number).
    """
    _refuse_unfit(field, rules)
    # Where absence can be told, the message's own check asks for presence, and an empty value is a value.
    required = rules.required and not (field.is_repeated or field.has_presence)
    if field.enum_type is not None:
        return _enum(frozenset(value.number for value in field.enum_type.values), required=required)
    if field.type == FieldDescriptor.TYPE_STRING:
        return _string(rules, required=required, item=field.is_repeated)
    if field.type == FieldDescriptor.TYPE_BYTES:
        return _bytes(rules, required=required) if required or rules.max_length else None
    if field.cpp_type in _NUMBERS and rules.ByteSize():
        return _number(rules, required=required, time=_is_time(field))
    return _time if _is_time(field) else None


def _is_time(field: FieldDescriptor) -> bool:
    return field.cpp_type in _INTEGERS and field.name.endswith("_ms")


def _refuse_unfit(field: FieldDescriptor, rules: FieldRules) -> None:
    false_is_absent = field.cpp_type == FieldDescriptor.CPPTYPE_BOOL and not field.has_presence
    fits = set() if false_is_absent and not field.is_repeated else {"required"}
    if field.is_repeated:
        fits.add("max_items")
    if field.type == FieldDescriptor.TYPE_STRING:
        fits |= {"max_length", "pattern", "requirement"}
    if field.type == FieldDescriptor.TYPE_BYTES:
        fits.add("max_length")
    if field.cpp_type in _NUMBERS:
        fits |= {"min", "max"}
    unfit = [rule.name for rule, _ in rules.ListFields() if rule.name not in fits]
    if unfit:
        raise ContractMismatchError(f"{field.full_name}: {unfit} say nothing about this field")


def _enum(numbers: frozenset[int], *, required: bool) -> Broken:
    def broken(value: int) -> str | None:
        if required and not value:
            return REQUIRED
        return None if value in numbers else KNOWN_VALUE

    return broken


def _string(rules: FieldRules, *, required: bool, item: bool) -> Broken:
    longest = rules.max_length or math.inf
    matches = re.compile(rules.pattern).fullmatch if rules.pattern else None
    if_empty = REQUIRED if required else None
    if item and matches and not matches(""):
        if_empty = f"pattern {rules.pattern}"

    def broken(value: str) -> str | None:
        if not value:
            return if_empty
        if len(value) > longest:  # first: what follows then takes bounded time
            return f"max_length {longest}"
        if not value.isprintable() and _CONTROL.search(value):
            return NO_CONTROL_CHARACTERS
        if matches is not None and matches(value) is None:
            return f"pattern {rules.pattern}"
        return _unreadable(value) if rules.requirement else None

    return broken


def _unreadable(text: str) -> str | None:
    """Return why a text is no requirement."""
    try:
        one_form(text)
    except ExpressionError as error:
        return str(error)
    return None


def _bytes(rules: FieldRules, *, required: bool) -> Broken:
    longest = rules.max_length or math.inf

    def broken(value: bytes) -> str | None:
        if required and not value:
            return REQUIRED
        return f"max_length {longest}" if len(value) > longest else None

    return broken


def _number(rules: FieldRules, *, required: bool, time: bool) -> Broken:
    lowest, highest = rules.min, rules.max or math.inf

    def broken(value: float) -> str | None:
        if required and not value:
            return REQUIRED
        if time and value < 0:
            return NOT_NEGATIVE
        if lowest <= value <= highest:
            return None
        return f"max {rules.max}" if value > highest else f"min {lowest}"  # not-a-number: min

    return broken


def _time(value: int) -> str | None:
    return NOT_NEGATIVE if value < 0 else None
