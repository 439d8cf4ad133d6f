"""A run's figures as a table for people and as JSON for programs."""

from collections.abc import Mapping, Sequence
from typing import Any

from rich.table import Table

from huntgroup_onebox.bench.figure import Measured, Objective, Verdict

STYLES: Mapping[Verdict, str] = {
    "aim": "green",
    "ok": "green",
    "SHORT": "bold red",
    "unsure": "yellow",
    "-": "dim",
}


def table(
    measured: Sequence[Measured], objectives: Mapping[str, Objective], missing: Mapping[str, str]
) -> Table:
    """Return the table: a line a figure; of the `missing` it says why they were not measured."""
    made = Table(title="huntgroup bench", title_justify="left", expand=True)
    for heading in (
        "figure",
        "value",
        "spread",
        "at least",
        "aim",
        "verdict",
        "baseline",
        "client",
    ):
        numeric = heading in ("value", "spread", "at least", "aim")
        made.add_column(heading, justify="right" if numeric else "left", no_wrap=numeric)
    for one in measured:
        objective = objectives[one.name]
        verdict = objective.verdict(one.value, doubted=bool(one.doubts))
        low, high = one.spread
        made.add_row(
            objective.title,
            f"{number(one.value)} {objective.unit}",
            f"{number(low)} … {number(high)}",
            bound(objective, objective.at_least),
            bound(objective, objective.aim),
            f"[{STYLES[verdict]}]{verdict}[/]" + (f": {one.doubts}" if verdict == "unsure" else ""),
            one.baseline,
            one.client,
        )
    for name, why in sorted(missing.items()):
        objective = objectives[name]
        made.add_row(
            objective.title,
            "not measured",
            "–",
            bound(objective, objective.at_least),
            bound(objective, objective.aim),
            f"[{STYLES['unsure']}]–[/]",
            why,
            "–",
        )
    return made


def values(
    measured: Sequence[Measured], objectives: Mapping[str, Objective], machine: Mapping[str, Any]
) -> dict[str, Any]:
    """Return what the JSON file holds."""
    return {
        "machine": dict(machine),
        "figures": [
            {
                "name": one.name,
                "title": objectives[one.name].title,
                "value": one.value,
                "unit": objectives[one.name].unit,
                "spread": list(one.spread),
                "repeats": list(one.repeats),
                "better": objectives[one.name].better,
                "at_least": objectives[one.name].at_least,
                "aim": objectives[one.name].aim,
                "verdict": objectives[one.name].verdict(one.value, doubted=bool(one.doubts)),
                "doubts": one.doubts,
                "baseline": one.baseline,
                "client": one.client,
                "details": one.details,
                "samples": {
                    name: [round(each, 4) for each in samples]
                    for name, samples in one.samples.items()
                },
            }
            for one in measured
        ],
    }


def bound(objective: Objective, limit: float | None) -> str:
    """Return a bound with the way it holds, for example `≤ 1.5`."""
    if limit is None:
        return "–"
    return f"{'≤' if objective.better == 'lower' else '≥'} {number(limit)}"


def number(value: float) -> str:
    """Return a number with three digits that count."""
    if abs(value) >= 100:  # noqa: PLR2004 - digits
        return f"{value:,.0f}"
    return f"{value:.3g}"
