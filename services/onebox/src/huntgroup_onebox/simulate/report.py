"""The figures of a simulation: tables for people, one object for programs."""

import math
from collections.abc import Callable, Mapping
from typing import Any, Final

from huntgroup_loadtest.fitted import Fitted, Row
from huntgroup_onebox.simulate.confidence import Estimate
from huntgroup_onebox.simulate.replications import Estimates

Show = Callable[[float], str]


def _count(value: float) -> str:
    return f"{value:,.0f}"


def _seconds(value: float) -> str:
    return f"{value:,.1f}" if abs(value) >= 10 else f"{value:.2f}"  # noqa: PLR2004


def _share(value: float) -> str:
    return f"{value:.1%}"


def _ratio(value: float) -> str:
    return f"{value:.3f}"


CONTACTS: Final[Mapping[str, tuple[str, Show]]] = {
    "contacts": ("contacts", _count),
    "wait_mean_s": ("wait s", _seconds),
    "wait_p50_s": ("p50", _seconds),
    "wait_p90_s": ("p90", _seconds),
    "wait_p99_s": ("p99", _seconds),
    "waited": ("waited", _share),
    "service_level": ("SL", _share),
    "abandonment": ("aband.", _share),
    "relative_wait": ("÷ all", _ratio),
}
AGENTS: Final[Mapping[str, tuple[str, Show]]] = {
    "agents": ("agents", _count),
    "answered": ("answered", _count),
    "wait_mean_s": ("wait s", _seconds),
    "occupancy": ("occup.", _share),
    "occupancy_lowest": ("lowest", _share),
    "occupancy_highest": ("highest", _share),
    "fairness": ("fairness", _ratio),
}
RARE: Final[Mapping[str, tuple[str, Show]]] = {
    "turned_away": ("turned away", _share),
    "sent_away": ("sent away", _share),
    "left_waiting": ("left waiting", _share),
}
"""Shown only where it happens."""
WITH_INTERVAL: Final = frozenset({"wait_mean_s", "service_level", "abandonment", "occupancy"})


def tables(figures: Estimates) -> list[Fitted]:
    """Return the tables: queues with all together, classes where they are not the queues, groups of agents."""
    everybody = figures["all"]["all"]
    seen = {figure: shown for figure, shown in RARE.items() if everybody[figure].mean > 0}
    contacts = {**CONTACTS, **seen}
    queues = dict(figures["queues"])
    if len(queues) > 1:
        queues["all"] = everybody
    found = [_table("Queues", queues, contacts)]
    if len(figures["classes"]) > len(figures["queues"]):
        found.append(_table("Classes of contacts", figures["classes"], contacts))
    return [*found, _table("Groups of agents", figures["agents"], AGENTS)]


def values(figures: Estimates) -> dict[str, Any]:
    """Return the figures for programs: null where there is nothing to tell."""
    return {
        section: {
            name: {
                figure: {
                    "mean": _known(found.mean),
                    "half_width": _known(found.half_width),
                    "replications": found.replications,
                }
                for figure, found in estimates.items()
            }
            for name, estimates in named.items()
        }
        for section, named in figures.items()
    }


def _table(
    title: str,
    rows: Mapping[str, Mapping[str, Estimate]],
    columns: Mapping[str, tuple[str, Show]],
) -> Fitted:
    told = [
        Row(
            name,
            [
                _cell(estimates[figure], show, interval=figure in WITH_INTERVAL)
                for figure, (_, show) in columns.items()
            ],
            "bold" if name == "all" else "",
        )
        for name, estimates in rows.items()
    ]
    return Fitted(title, ["", *(heading for heading, _ in columns.values())], told)


def _cell(found: Estimate, show: Show, *, interval: bool) -> str:
    if math.isnan(found.mean):
        return "–"
    if not interval or math.isnan(found.half_width):
        return show(found.mean)
    return f"{show(found.mean)} ± {show(found.half_width)}"


def _known(value: float) -> float | None:
    return None if math.isnan(value) else value
