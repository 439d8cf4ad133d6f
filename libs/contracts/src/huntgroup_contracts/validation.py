"""Checks a request against the `rules` of its .proto, before anything else happens.

Some rules hold for every field, written or not: a string has no control character but tab and newline, an enum has a
known number, a signed integer whose name ends in `_ms` is not negative. A field is reported with the first rule that
it breaks; when a repeated field has too many items, they are not looked at. A request within another needs no context
of its own.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from operator import attrgetter
from typing import Any

from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.message import Message
from google.protobuf.message_factory import GetMessageClass

from huntgroup.event.v1.options_pb2 import FieldRules, rules
from huntgroup_contracts.errors import ContractMismatchError
from huntgroup_contracts.mapping import is_context
from huntgroup_contracts.rules import REQUIRED, Broken, broken_by

VALUE_CHARACTERS_MAX = 64
"""At most so many characters of a refused value are shown."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Violation:
    """One field whose value breaks a rule."""

    field: str
    """Path from the request, for example `context.domain` or `capacity[1].slots`."""
    value: str
    """The value as text, at most `VALUE_CHARACTERS_MAX` characters; what cannot be printed is escaped."""
    rule: str
    """The rule, for example `required`, `max_length 64` or `no control characters`."""


Check = Callable[[Any, str, list[Violation]], None]
"""Takes a value and the path of the message around it, and appends what it finds."""


def violations(request: Message) -> list[Violation]:
    """Return every violation in `request`, always in the same order; an empty list when it may pass.

    Raises `ContractMismatchError` when a rule in the .proto says nothing about its field (a pattern on a number), and
    for a map.
    """
    found: list[Violation] = []
    _check_of(type(request))(request, "", found)
    return found


_compiled: dict[type[Message], Check] = {}


def _check_of(message_class: type[Message]) -> Check:
    try:
        return _compiled[message_class]
    except KeyError:
        return _compiled.setdefault(message_class, _message_check(message_class))


def _message_check(message_class: type[Message]) -> Check:
    """Return the check of all fields of a message that can be wrong."""
    always: list[tuple[str, Check]] = []
    with_presence: list[tuple[str, Check | None, bool, bool]] = []
    fields: Sequence[Any] = message_class.DESCRIPTOR.fields
    for field in fields:
        field_rules = field.GetOptions().Extensions[rules]
        check = _field_check(field, field_rules)
        if field.has_presence:
            required = field_rules.required
            with_presence.append((field.name, check, required, is_context(field)))
        elif check is not None:
            always.append((field.name, check))
    read = _reader([name for name, _ in always])
    checks = [check for _, check in always]

    def check_message(message: Message, path: str, found: list[Violation]) -> None:
        for name, check, required, only_outside in with_presence:
            if message.HasField(name):
                if check is not None:
                    check(getattr(message, name), path, found)
            elif required and not (only_outside and path):
                found.append(Violation(field=path + name, value="", rule=REQUIRED))
        for check, value in zip(checks, read(message)):  # noqa: B905 - both come from `always`
            check(value, path, found)

    return check_message


def _reader(names: list[str]) -> Callable[[Message], Any]:
    """Return a function that reads all `names` of a message at once."""
    if len(names) > 1:
        return attrgetter(*names)
    return lambda message: [getattr(message, name) for name in names]  # attrgetter: no tuple


def _field_check(field: FieldDescriptor, field_rules: FieldRules) -> Check | None:
    broken = broken_by(field, field_rules)
    if field.is_repeated:
        return _repeated_check(field, field_rules, _item_check(field, broken))
    name = field.name
    if field.message_type is not None:
        message_class = GetMessageClass(field.message_type)
        prefix = f"{name}."
        # Looked up for each value, not here: a message may contain itself.
        return lambda value, path, found: _check_of(message_class)(value, path + prefix, found)
    if broken is None:
        return None

    def check(value: object, path: str, found: list[Violation]) -> None:
        if (rule := broken(value)) is not None:
            found.append(Violation(field=path + name, value=shown(value), rule=rule))

    return check


def _repeated_check(
    field: FieldDescriptor, field_rules: FieldRules, check_items: Check | None
) -> Check:
    name, required, items_max = field.name, field_rules.required, field_rules.max_items

    def check(values: Sequence[Any], path: str, found: list[Violation]) -> None:
        if not values:
            if required:
                found.append(Violation(field=path + name, value="", rule=REQUIRED))
        elif items_max and len(values) > items_max:
            rule = f"max_items {items_max}"
            found.append(Violation(field=path + name, value=f"{len(values)} items", rule=rule))
        elif check_items is not None:
            check_items(values, path + name, found)

    return check


def _item_check(field: FieldDescriptor, broken: Broken | None) -> Check | None:
    """Return the check of all items of a repeated field; its path is that of the field."""
    if field.message_type is not None:
        if field.message_type.GetOptions().map_entry:
            raise ContractMismatchError(f"{field.full_name}: a map has no rules to check")
        message_class = GetMessageClass(field.message_type)

        def check_messages(values: Sequence[Any], path: str, found: list[Violation]) -> None:
            check_message = _check_of(message_class)
            for index, value in enumerate(values):
                check_message(value, f"{path}[{index}].", found)

        return check_messages
    if broken is None:
        return None

    def check_values(values: Sequence[Any], path: str, found: list[Violation]) -> None:
        for index, value in enumerate(values):
            if (rule := broken(value)) is not None:
                place = f"{path}[{index}]"
                found.append(Violation(field=place, value=shown(value), rule=rule))

    return check_values


def shown(value: object) -> str:
    """Return a refused value as text that is safe to log: short, and what cannot be printed escaped."""
    if isinstance(value, bytes):
        return f"{len(value)} bytes"
    text = str(value)[:VALUE_CHARACTERS_MAX]
    if not text.isprintable():
        text = "".join(c if c.isprintable() else ascii(c)[1:-1] for c in text)
    return text[:VALUE_CHARACTERS_MAX]
