"""What came of the faults: times, problems, a verdict; as lines, JSON, or one page of Markdown."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

PROBLEMS_KEPT: Final = 20
NOTES_KEPT: Final = 20


@dataclass(slots=True, kw_only=True)
class Series:
    """One kind of fault, as often as it was injected into one cluster."""

    fault: str
    """One of `faults.FAULTS`."""
    what: str
    """For people: what was done to whom."""
    measured: str = "takeover"
    seconds: list[float] = field(default_factory=list)
    """For each time, how long clients of what failed had no answer."""
    problems: list[str] = field(default_factory=list)
    """What must not be; the first few are kept, all are counted."""
    problem_count: int = 0
    notes: list[str] = field(default_factory=list)
    """What was seen that is worth telling."""
    audits: int = 0
    passed_over: int = 0
    """Entries of frozen owners that do not count."""
    places: int = 0
    """Of callers who waited when a fault came, looked at again after it."""
    acknowledged: int = 0
    repeated: int = 0
    sent_again: int = 0

    def note(self, what: str) -> None:
        """Note what is worth telling."""
        if len(self.notes) < NOTES_KEPT:
            self.notes.append(what)

    def problem(self, what: str) -> None:
        """Note what must not be."""
        self.problem_count += 1
        if len(self.problems) < PROBLEMS_KEPT:
            self.problems.append(what)

    @property
    def clean(self) -> bool:
        """Whether nothing happened that must not."""
        return self.problem_count == 0 and bool(self.seconds)

    def values(self) -> dict[str, Any]:
        """Return the series for a program."""
        return {
            "fault": self.fault,
            "what": self.what,
            "measured": self.measured,
            "times": len(self.seconds),
            "seconds": [round(one, 3) for one in self.seconds],
            "p50_s": round(percentile(self.seconds, 50), 3),
            "p99_s": round(percentile(self.seconds, 99), 3),
            "audits": self.audits,
            "passed_over": self.passed_over,
            "places": self.places,
            "acknowledged": self.acknowledged,
            "repeated": self.repeated,
            "sent_again": self.sent_again,
            "clean": self.clean,
            "problem_count": self.problem_count,
            "problems": self.problems,
            "notes": self.notes,
        }


def percentile(values: Sequence[float], percent: float) -> float:
    """Return the nearest-rank percentile; 0 of nothing. Of less than 100 values the 99th is the largest."""
    if not values:
        return 0.0
    return sorted(values)[max(0, math.ceil(len(values) * percent / 100) - 1)]


def text(series: Sequence[Series]) -> str:
    """Return the results as lines for a terminal."""
    lines = []
    for one in series:
        verdict = "holds" if one.clean else "VIOLATED"
        lines.append(
            f"{verdict:<8}  {one.what:<44} {len(one.seconds):>3} times · {one.measured}"
            f" p50 {percentile(one.seconds, 50):.2f} s · p99 {percentile(one.seconds, 99):.2f} s"
            f" · {one.acknowledged:,} commands acknowledged"
        )
        lines += [f"            {problem}" for problem in one.problems]
        lines += [f"            note: {note}" for note in one.notes]
    return "\n".join(lines)


PAGE: Final = """# Faults

What happens to callers, agents and their commands when processes, brokers or disks fail. Written by

```sh
{command}
```

{where}

| fault | times | what is timed | p50 | p99 | acknowledged | places | verdict |
|---|--:|---|--:|--:|--:|--:|---|
{rows}

- **takeover**: the longest time in which clients of the service had no answer, from the last one before the fault to
  the first one after it. They ask each service every 0.08 s, with three brokers every 0.25 s, and repeat with the same
  `command_id` until answered.
- **standstill**: the same, of the service that had to wait longest; with one broker it includes how long that was away.
- **until the gap is told**: from the moment the disk was full until `GetRecording` showed what is missing.
- Of fewer than 100 times the p99 is the longest.
- **acknowledged**: commands that were answered as done or refused; {sent_again:,} of all {acknowledged:,} were sent
  again although they had been answered, and {repeated:,} calls were repeated for want of an answer.
- **places**: of callers who waited when a fault came, compared after it: the same order and the same age, unless
  served or gone; of those whom nobody serves, eight in each domain, every one.
- **holds**: after each single fault `huntgroup verify` found no violation in any journal, with every acknowledged
  command in them exactly once; all places were kept; a repeated command was answered as before; and after the last one
  everybody was served, hung up or sent home, with no contact, offer or slot left over. Of a stopped owner: it ended by
  itself. Of a frozen owner: it retired, what it wrote late was refused by every reader and counted, and no call that
  waited at its door was answered from what it knew.

{notes}"""


def page(series: Sequence[Series], command: str, where: str) -> str:
    """Return the results as one page of Markdown."""
    rows = [
        f"| {one.what} | {len(one.seconds)} | {one.measured}"
        f" | {percentile(one.seconds, 50):.2f} s | {percentile(one.seconds, 99):.2f} s"
        f" | {one.acknowledged:,} | {one.places:,} | {'holds' if one.clean else f'**violated {one.problem_count}×**'} |"
        for one in series
    ]
    noted = [
        f"- {one.what}: {line}" for one in series for line in (*one.problems, *one.notes) if line
    ]
    return (
        PAGE.format(
            command=command,
            where=where,
            rows="\n".join(rows),
            sent_again=sum(one.sent_again for one in series),
            acknowledged=sum(one.acknowledged for one in series),
            repeated=sum(one.repeated for one in series),
            notes="\n".join(["## Seen", "", *noted]) if noted else "",
        ).rstrip()
        + "\n"
    )


def verdict(report: Mapping[str, Any]) -> list[str]:
    """Return the violations that `huntgroup verify` told, and what it did not look at."""
    violations = [
        f"invariant {one['invariant']}: {one['topic']} {one['position']}: {one['why']}"
        for one in report["violations"]
    ]
    unchecked = [
        f"invariant {one['invariant']}: not checked: {part}"
        for one in report["invariants"]
        for part in one["not_checked"]
    ]
    return violations + unchecked
