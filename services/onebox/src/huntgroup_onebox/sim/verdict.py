"""How a story ended."""

from collections import Counter
from dataclasses import dataclass
from typing import Literal

from huntgroup_onebox.sim.plan import Plan

Mode = Literal["safety", "liveness"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """How a story ended."""

    plan: Plan
    mode: Mode
    violation: str
    """Empty: none."""
    steps: int
    """Messages delivered, records appended, faults."""
    digest: str
    """Of every record of the log, in order: equal stories have equal ones, on any machine."""
    trace: list[str]
    counts: Counter[str]
