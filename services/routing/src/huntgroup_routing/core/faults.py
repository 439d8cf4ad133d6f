"""What is wrong with a policy, told alike wherever it is found: the field, its value, and the rule that it breaks."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from huntgroup_routing.core.messages import ConfigureQueue

SHOWN_MAX: Final = 64
"""At most so many characters of a value are shown."""
WAY: Final = re.compile(r"(?:\.?[a-z_]+|\[\d+\])+")
STEP: Final = re.compile(r"\.?(?P<key>[a-z_]+)|\[(?P<index>\d+)\]")
VALUE: Final = re.compile(r"(?:'(?:[^'\\]|\\.)*'|\"(?:[^\"\\]|\\.)*\"|-?\d+|True): ")


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """One thing that is wrong."""

    field: str
    """The way to it in the request, for example `queues[3].steps[0].after_ms`."""
    value: str
    """As it would be written; empty where none was given, or where it is more than one value."""
    rule: str

    def __str__(self) -> str:
        """Return it in one line."""
        return ": ".join(filter(None, (self.field, self.value, self.rule)))

    @classmethod
    def read(cls, line: str) -> "Fault":
        """Return what was written as such a line."""
        way = WAY.match(line)
        field = way[0] if way else ""
        told = line[len(field) :].removeprefix(": ")
        value = VALUE.match(told)
        shown = value[0].removesuffix(": ") if value else ""
        return cls(field=field, value=shown, rule=told[value.end() if value else 0 :])


def fault_of(told: str, queues: Sequence[ConfigureQueue]) -> Fault:
    """Return a sentence about the queues, which begins with the field, as a fault with the value that is there."""
    way = WAY.match(told)
    field = way[0] if way else ""
    found = _value(field, queues)
    rule = told[len(field) :].lstrip(" ,:")
    if isinstance(found, bool) or not isinstance(found, int | str) or not found:
        return Fault(field=field, value="", rule=rule)
    said = str(found) if isinstance(found, int) else repr(str(found)[:SHOWN_MAX])
    for repeated in (said, str(found)):
        if rule.startswith((f"{repeated} ", f"{repeated}: ")):
            rule = rule.removeprefix(repeated).lstrip(" :")
    return Fault(field=field, value=said, rule=rule)


def _value(field: str, queues: Sequence[ConfigureQueue]) -> object:
    """Return what stands at the end of a way, if anything does."""
    found: object = {"queues": queues}
    for step in STEP.finditer(field):
        key, index = step["key"], step["index"]
        if index is not None:
            there = isinstance(found, Sequence) and int(index) < len(found)
            found = found[int(index)] if isinstance(found, Sequence) and there else None
        else:
            found = found.get(key) if isinstance(found, dict) else getattr(found, key, None)
    return found
