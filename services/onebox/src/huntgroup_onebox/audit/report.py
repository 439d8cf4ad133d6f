"""What an audit found: a line per invariant, and the records that broke one."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from rich.text import Text

VIOLATIONS_KEPT: Final = 20
"""So many violations of an invariant are told, the first that were found; all are counted."""

NOTES_KEPT: Final = 20

INVARIANTS: Final[Mapping[int, tuple[str, str]]] = {
    1: ("contacts", "every contact ends once, waits in one queue, and is served in its turn"),
    2: ("capacity", "no agent holds more than their capacity, and every slot is released once"),
    3: ("offers", "every offer finds exactly one outcome in time"),
    4: ("commands", "every acknowledged command is in the log exactly once"),
    5: ("audio", "what is recorded is whole or its gaps have reasons, and pauses are silent"),
    6: ("figures", "the KPI ledger and its database are what follows from the journals"),
    7: ("replay", "the log is as it was written and gives the same state, also through snapshots"),
    8: ("isolation", "nothing crosses a domain, and the public events are the journals' events"),
    9: ("dialer", "nobody is called whom a rule protects"),
    10: ("bounds", "nothing grows beyond its bound, and whoever lags catches up"),
}
"""Number (of the list of invariants the product promises), name, and what it says."""

NOT_APPLICABLE: Final[Mapping[int, str]] = {9: "there is no dialer"}
"""Invariants about what this system does not have, and what that is."""


COUNTS: Final = (
    *("contacts", "completed", "abandoned", "diverted", "callbacks in vain", "live"),
    "offers in turn",
    *("reservations", "released", "held now"),
    *("connected after leaving", "connected beyond capacity", "offers"),
    *("accepted", "rejected", "expired", "canceled", "rescinded", "open"),
    *(
        "late for want of an owner",
        "about to follow",
        "carried out",
        "refused",
        "acknowledged to clients",
    ),
    *("requested", "sealed", "absent", "omitted", "gaps", "pauses"),
    *("files", "pauses listened to", "ledger entries", "figures", "database rows"),
    *("partitions folded twice", "domain states"),
    *("stored snapshots", "snapshots of other code", "snapshots beyond the end"),
    *("domains", "ids", "names in several domains", "recordings"),
    *("public events", "duplicates", "early"),
    *("records", "largest bytes", "most waiting", "most unpublished", "states"),
)
"""All that lines count, in the order in which they show it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """A record of the log."""

    topic: str
    partition: int
    position: int

    def __str__(self) -> str:
        return f"{self.topic} partition {self.partition} position {self.position}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Violation:
    """A record that broke an invariant, and why in one sentence."""

    invariant: int
    place: Place | None
    """None where no record is to blame: something is missing altogether."""
    domain: str
    why: str

    def __str__(self) -> str:
        where = f"{self.place}" if self.place else "no record"
        return f"{where}{', ' if self.domain else ''}{self.domain}: {self.why}"

    def values(self) -> dict[str, Any]:
        """Return the violation for a program."""
        return {
            "invariant": self.invariant,
            "topic": self.place.topic if self.place else None,
            "partition": self.place.partition if self.place else None,
            "position": self.place.position if self.place else None,
            "domain": self.domain,
            "why": self.why,
        }


@dataclass(slots=True)
class Findings:
    """What the checks count and find; filled while the log is read."""

    counts: dict[int, dict[str, int]] = field(
        default_factory=lambda: {one: {} for one in INVARIANTS}
    )
    read: dict[str, int] = field(default_factory=dict)
    """What was read at all, and what of it did not count."""
    notes: list[str] = field(default_factory=list)
    """What is to be looked at, though it breaks no invariant; the first few."""
    violations: list[Violation] = field(default_factory=list)
    violated: dict[int, int] = field(default_factory=lambda: dict.fromkeys(INVARIANTS, 0))
    unchecked: dict[int, list[str]] = field(default_factory=dict)
    """By invariant, the parts of it that this audit does not look at."""
    inapplicable: dict[int, list[str]] = field(default_factory=dict)
    """By invariant, the parts of it that there is nothing of."""
    told: Callable[[Violation], None] | None = None
    """Is told every violation when it is found."""

    def does_not_check(self, invariant: int, what: str) -> None:
        """Say that a part of an invariant is not looked at."""
        parts = self.unchecked.setdefault(invariant, [])
        if what not in parts:
            parts.append(what)

    def checks_again(self, invariant: int, what: str) -> None:
        """Say that a part of an invariant is looked at again."""
        parts = self.unchecked.get(invariant, [])
        if what in parts:
            parts.remove(what)
            if not parts:
                del self.unchecked[invariant]

    def does_not_apply(self, invariant: int, what: str) -> None:
        """Say that there is nothing of a part of an invariant."""
        self.inapplicable.setdefault(invariant, []).append(what)

    def most(self, invariant: int, what: str, value: int) -> None:
        """Keep the highest value of what an invariant's line shows."""
        counts = self.counts[invariant]
        counts[what] = max(counts.get(what, 0), value)

    def count(self, invariant: int, what: str, more: int = 1) -> None:
        """Add to a count of an invariant's line."""
        counts = self.counts[invariant]
        counts[what] = counts.get(what, 0) + more

    def saw(self, what: str, more: int = 1) -> None:
        """Add to a count of what was read."""
        self.read[what] = self.read.get(what, 0) + more

    def note(self, what: str) -> None:
        """Note something that breaks no invariant."""
        if len(self.notes) < NOTES_KEPT:
            self.notes.append(what)

    def violation(self, invariant: int, place: Place | None, domain: str, why: str) -> None:
        """Note that a record broke an invariant."""
        self.violated[invariant] += 1
        found = Violation(invariant=invariant, place=place, domain=domain, why=why)
        if self.violated[invariant] <= VIOLATIONS_KEPT:
            self.violations.append(found)
        if self.told is not None:
            self.told(found)


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One invariant: what was counted, and how often it was broken."""

    invariant: int
    name: str
    counts: Mapping[str, int]
    violations: int
    first: Violation | None
    unchecked: Sequence[str] = ()
    """Parts that were not looked at."""
    inapplicable: Sequence[str] = ()
    """Parts of which there is nothing."""

    @property
    def status(self) -> str:
        """`holds`, `violated`, or `not applicable`."""
        if self.violations:
            return "violated"
        return "not applicable" if self.invariant in NOT_APPLICABLE else "holds"

    def __str__(self) -> str:
        verdict = {"holds": "holds", "violated": "VIOLATED"}.get(self.status, "n/a")
        counted = [f"{what} {count:,}" for what, count in self.counts.items()]
        if verdict == "n/a":
            counted = [f"not applicable: {NOT_APPLICABLE[self.invariant]}"]
        counted += [f"not applicable: {what}" for what in self.inapplicable]
        counted += [f"not checked: {what}" for what in self.unchecked]
        name = f"{self.invariant} {self.name}"
        text = f"{verdict:<8}  {name:<11}  {' · '.join(counted) or 'nothing to check'}"
        if self.first is not None:
            text += f"\n            {self.violations:,} times, first at {self.first}"
        return text

    def __rich__(self) -> Text:
        return Text(str(self))


def _order(count: tuple[str, int]) -> int:
    return COUNTS.index(count[0])


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditReport:
    """The verdict over a log."""

    counts: Mapping[str, int]
    """What was read: partitions, entries, events, and how many entries did not count or could not be read."""
    lines: Sequence[Line]
    """One per invariant."""
    violations: Sequence[Violation]
    """The first of each invariant."""
    seconds: float
    notes: Sequence[str] = ()
    """What is to be looked at, though it breaks no invariant."""

    @classmethod
    def of(cls, findings: Findings, seconds: float) -> "AuditReport":
        """Return the report of what was found."""
        lines = []
        for number, (name, _) in INVARIANTS.items():
            mine = (one for one in findings.violations if one.invariant == number)
            lines.append(
                Line(
                    invariant=number,
                    name=name,
                    counts=dict(sorted(findings.counts[number].items(), key=_order)),
                    violations=findings.violated[number],
                    first=next(mine, None),
                    unchecked=tuple(findings.unchecked.get(number, ())),
                    inapplicable=tuple(findings.inapplicable.get(number, ())),
                )
            )
        return cls(
            counts=dict(findings.read),
            lines=tuple(lines),
            violations=tuple(findings.violations),
            seconds=seconds,
            notes=tuple(findings.notes),
        )

    @property
    def clean(self) -> bool:
        """Whether no invariant was broken."""
        return not any(line.violations for line in self.lines)

    def __str__(self) -> str:
        counted = ", ".join(f"{what} {count:,}" for what, count in self.counts.items())
        broken = sum(bool(line.violations) for line in self.lines)
        judged = len(self.lines) - len(NOT_APPLICABLE)
        verdict = f"{broken} of {judged} invariants violated" if broken else "clean"
        noted = [f"note      {note}" for note in self.notes]
        return "\n".join(
            [counted, *noted, *map(str, self.lines), f"{verdict}; {self.seconds:.1f} s"]
        )

    def values(self) -> dict[str, Any]:
        """Return the report for a program."""
        return {
            "clean": self.clean,
            "seconds": round(self.seconds, 3),
            "read": dict(self.counts),
            "invariants": [
                {
                    "invariant": line.invariant,
                    "name": line.name,
                    "says": INVARIANTS[line.invariant][1],
                    "status": line.status,
                    "holds": None if line.status == "not applicable" else not line.violations,
                    "not_checked": list(line.unchecked),
                    "not_applicable": list(line.inapplicable),
                    "counts": dict(line.counts),
                    "violations": line.violations,
                }
                for line in self.lines
            ],
            "notes": list(self.notes),
            "violations": [violation.values() for violation in self.violations],
        }
