"""What an audit found: a line per invariant, and the records that broke one."""

from collections.abc import Mapping, Sequence
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
    6: ("figures", "the KPI ledger is what follows from the journals"),
    7: ("replay", "the same log gives the same state, also through snapshots"),
    8: ("isolation", "nothing crosses a domain, and the public events are the journals' events"),
}
"""Number (of the list of invariants the product promises), name, and what it says."""


COUNTS: Final = (
    *("contacts", "completed", "abandoned", "live", "offers in turn"),
    *("reservations", "released", "held now", "connected after leaving", "offers"),
    *("accepted", "rejected", "expired", "canceled", "rescinded", "open"),
    *(
        "late for want of an owner",
        "about to follow",
        "carried out",
        "refused",
        "acknowledged to clients",
    ),
    *("ledger entries", "figures", "partitions folded twice", "domain states"),
    *("stored snapshots", "snapshots of other code", "snapshots beyond the end"),
    *("corrupt snapshots", "domains", "ids", "names in several domains", "recordings"),
    *("public events", "duplicates", "early"),
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
        if self.violated[invariant] <= VIOLATIONS_KEPT:
            self.violations.append(
                Violation(invariant=invariant, place=place, domain=domain, why=why)
            )


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One invariant: what was counted, and how often it was broken."""

    invariant: int
    name: str
    counts: Mapping[str, int]
    violations: int
    first: Violation | None

    def __str__(self) -> str:
        verdict = "VIOLATED" if self.violations else "holds"
        counted = " · ".join(f"{what} {count:,}" for what, count in self.counts.items())
        text = f"{verdict:<8}  {self.invariant} {self.name:<9}  {counted or 'nothing to check'}"
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
        verdict = f"{broken} of {len(self.lines)} invariants violated" if broken else "clean"
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
                    "holds": not line.violations,
                    "counts": dict(line.counts),
                    "violations": line.violations,
                }
                for line in self.lines
            ],
            "notes": list(self.notes),
            "violations": [violation.values() for violation in self.violations],
        }
