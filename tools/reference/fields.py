"""The fields of a message as rows of a table, with those of the messages within it."""

from collections.abc import Iterator
from dataclasses import dataclass

from tools.reference.contracts import Contracts, Field

NUMBERS = frozenset({"int32", "int64", "uint32", "uint64", "double"})
TIMES = frozenset({"int32", "int64"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One field by its path, for example `capacity[].slots`."""

    path: str
    kind: str
    rule: str
    meaning: str


def rows_of(
    contracts: Contracts, message: str, *, prefix: str = "", seen: dict[str, str] | None = None
) -> Iterator[Row]:
    """Yield the fields of a message; a message that occurs again is told once."""
    seen = {} if seen is None else seen
    for field in contracts.messages[message].fields:
        path = f"{prefix}{field.name}{'[]' if field.repeated else ''}"
        within = contracts.messages.get(field.kind)
        before = seen.get(field.kind, "")
        meaning = field.comment or (within.comment if within else "")
        if before:
            meaning = f"{meaning} Fields as in `{before}`.".strip()
        kind = kind_of(contracts, field)
        yield Row(path=path, kind=kind, rule=rule_of(field), meaning=meaning)
        if within is not None and not before:
            seen[field.kind] = path
            yield from rows_of(contracts, field.kind, prefix=f"{path}.", seen=seen)


def kind_of(contracts: Contracts, field: Field) -> str:
    """Return the type of a field; an enum's is a link to its values."""
    name = field.kind.rpartition(".")[2]
    if field.kind in contracts.enums:
        service = field.kind.split(".")[1].replace("_", "-")
        name = f"[{name}](events.md#values-in-{service})"
    return f"{name}, one of {field.oneof}" if field.oneof else name


def rule_of(field: Field) -> str:
    """Return the rules of a request's field in words."""
    rules, found = field.rules, []
    if rules.required:
        found.append("required")
    if rules.max_items:
        found.append(f"at most {rules.max_items} items")
    if rules.max_length:
        each = "each " if field.repeated else ""
        found.append(f"{each}at most {rules.max_length:,} characters")
    if field.kind in NUMBERS and rules.ByteSize():
        highest = f"to {rules.max:,}" if rules.max else "or more"
        found.append(f"{rules.min:,} {highest}")
    elif field.kind in TIMES and field.name.endswith("_ms"):
        found.append("0 or more")
    if rules.pattern:
        found.append(f"`{rules.pattern}`")
    if rules.requirement:
        found.append("[a requirement](routing.md#what-a-contact-requires)")
    return ", ".join(found)
