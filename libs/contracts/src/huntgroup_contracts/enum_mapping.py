"""The mapping between a protobuf enum and a Python enum whose member names are the values' names without the prefix."""

import enum
import re
from collections.abc import Callable
from typing import Any

from google.protobuf.descriptor import EnumDescriptor

from huntgroup_contracts.errors import ContractMismatchError, class_name

UNSPECIFIED = "UNSPECIFIED"


def enum_mapping(
    where: str, wire: EnumDescriptor, core: object, *, none_for_zero: bool
) -> tuple[Callable[[Any], Any], Callable[[Any], Any]]:
    """Return the conversions core member → number and number → core member.

    With `none_for_zero`, UNSPECIFIED is None in the core. Both conversions raise `ValueError` for what they do not
    know: a number of a newer version, or UNSPECIFIED where the class has no such member. Raises
    `ContractMismatchError`, beginning with `where`, when the member names differ.
    """
    if not (isinstance(core, type) and issubclass(core, enum.Enum)):
        raise ContractMismatchError(f"{where} is enum {wire.full_name} in the message, but {core}")
    prefix = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", wire.name).upper() + "_"
    numbers = {value.name.removeprefix(prefix): value.number for value in wire.values}
    members = dict(core.__members__)
    if members.keys() - numbers.keys() or numbers.keys() - members.keys() - {UNSPECIFIED}:
        raise ContractMismatchError(
            f"{where}: enum {wire.full_name} has {sorted(numbers)}, "
            f"{class_name(core)} has {sorted(members)}"
        )
    if none_for_zero and (UNSPECIFIED in members or numbers.get(UNSPECIFIED) != 0):
        raise ContractMismatchError(f"{where}: None must be the only word for {UNSPECIFIED}")
    member_of: dict[int, enum.Enum | None] = {
        number: members[name] for name, number in numbers.items() if name in members
    }
    number_of = {members[name]: numbers[name] for name in members}
    if none_for_zero:
        member_of[0] = None
    return _look_up(f"{where}: no value of {class_name(core)}", number_of), _look_up(
        f"{where}: no number of {wire.full_name} that is known here", member_of
    )


def _look_up(complaint: str, table: dict[Any, Any]) -> Callable[[Any], Any]:
    def look_up(key: object) -> object:
        try:
            return table[key]
        except KeyError:
            raise ValueError(f"{complaint}: {key!r}") from None

    return look_up
