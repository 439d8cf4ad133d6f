"""How a story ended."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from huntgroup_onebox.sim.plan import Plan

Line = tuple[float, str, str, object]
"""When (seconds of the story), who, what, and the event or words."""
Mode = Literal["safety", "liveness"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """How a story ended."""

    plan: Plan
    mode: Mode
    violation: str
    """Empty: none."""
    steps: int
    """Messages delivered, records appended, faults: those of the time before anything is healed."""
    digest: str
    """Of every record of the log, in order: equal stories have equal ones, on any machine."""
    lines: Sequence[Line]
    counts: Counter[str]

    @property
    def trace(self) -> list[str]:
        """Who did what when, as a person reads it."""
        return [f"{at_s:9.3f}  {who:<16} {what} {detail}" for at_s, who, what, detail in self.lines]
