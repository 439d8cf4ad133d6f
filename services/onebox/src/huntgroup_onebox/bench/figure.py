"""What a figure is: what was measured, what it is held against, and the verdict."""

import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median
from typing import Any, Literal

Better = Literal["lower", "higher"]
Verdict = Literal["aim", "ok", "SHORT", "unsure", "-"]
"""The aim is reached; at least what is promised; less than that; less, but in a run that proves nothing; nothing is
promised."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Objective:
    """One entry of `loadtests/slo.toml`."""

    title: str
    unit: str
    better: Better
    at_least: float | None = None
    aim: float | None = None

    def verdict(self, value: float, *, doubted: bool = False) -> Verdict:
        """Return what `value` is worth; `doubted` when the run was short or the machine busy with something else."""
        if self.aim is not None and self._reaches(value, self.aim):
            return "aim"
        if self.at_least is None:
            return "-" if self.aim is None else "ok"
        if self._reaches(value, self.at_least):
            return "ok"
        return "unsure" if doubted else "SHORT"

    def _reaches(self, value: float, bound: float) -> bool:
        return value <= bound if self.better == "lower" else value >= bound


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """One figure as it was measured: one number per repeat, and what it rests on."""

    name: str
    repeats: Sequence[float]
    baseline: str
    """What it was divided by or stands beside, with its own number."""
    client: str
    """Who asked: the client and the settings that matter."""
    details: Mapping[str, Any] = field(default_factory=dict)
    """Percentiles, shares of CPU time, steps: for the JSON file."""
    samples: Mapping[str, Sequence[float]] = field(default_factory=dict)
    """Raw samples by name."""
    whole: float | None = None
    """What all repeats say together, where their median would say something else: a percentile of all."""
    doubts: str = ""
    """Why the run proves nothing, if so: it was short, or the machine was busy with something else."""

    @property
    def value(self) -> float:
        """The median of the repeats, or what they say together."""
        return median(self.repeats) if self.whole is None else self.whole

    @property
    def spread(self) -> tuple[float, float]:
        """The lowest and the highest repeat."""
        return min(self.repeats), max(self.repeats)


def read_objectives(file: Path) -> dict[str, Objective]:
    """Return the objectives by the name of their figure; raises `ValueError` that names the entry that is wrong."""
    objectives = {}
    for name, values in tomllib.loads(file.read_text(encoding="utf-8")).items():
        try:
            objective = Objective(**values)
        except TypeError as error:
            raise ValueError(f"{file.name}: [{name}]: {error}") from None
        if objective.better not in ("lower", "higher"):
            raise ValueError(f"{file.name}: [{name}]: better={objective.better!r}: lower or higher")
        objectives[name] = objective
    return objectives


def percentile(samples: Sequence[float], share: float) -> float:
    """Return the value that a share of the samples does not exceed; of all samples, so it is exact."""
    if not samples:
        raise ValueError("no samples")
    ordered = sorted(samples)
    return ordered[min(len(ordered) - 1, int(len(ordered) * share))]


def percentiles(samples: Sequence[float]) -> dict[str, float]:
    """Return p50, p90, p99, p99.9, the maximum and the number of the samples."""
    ordered = sorted(samples)
    last = len(ordered) - 1
    shares = {"p50": 0.5, "p90": 0.9, "p99": 0.99, "p99.9": 0.999}
    found = {name: ordered[min(last, int(len(ordered) * share))] for name, share in shares.items()}
    return {**found, "max": ordered[-1], "count": float(len(ordered))}
