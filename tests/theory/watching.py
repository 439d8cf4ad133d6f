"""Plays a scenario on the routing core and estimates its waits with as little noise as can be had.

The number of customers that are there wanders slowly when agents are busy, so the mean wait of even a million contacts
is uncertain by several per cent. But for any function h of that number, the mean drift of h (what arrivals and
departures do to it, at their rates) is zero in the long run, whatever router it is: a control variate that needs to
know nothing of the router (Henderson and Meyn, Efficient simulation of multiclass queueing networks, 1997). With h
from Poisson's equation of a pool, the number waiting and the drift wander against each other.
"""

import math
import statistics
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import msgspec

from huntgroup_onebox.simulate.centre import Centre, Decide
from huntgroup_onebox.simulate.confidence import student_t
from huntgroup_onebox.simulate.draws import Comer
from huntgroup_onebox.simulate.measures import Measures, Replication
from huntgroup_onebox.simulate.replications import Simulation, prepare
from huntgroup_onebox.simulate.scenario import Scenario
from huntgroup_routing.core.decide import decide
from huntgroup_routing.core.values import AgentId

from .oracles import Cost, Pool, relative_value

CONFIDENCE: Final = 0.99
ROOT: Final = Path(__file__).resolve().parents[2]


class Watched(Measures):
    """Also knows, at every moment, how many are there and how many of them are served, and what that does to h."""

    def watch(self, pool: Pool, costs: Sequence[Cost]) -> None:
        """There is an h for each cost; the drift is per mean service time."""
        self._steps = [relative_value(pool, cost) for cost in costs]
        self._pool = pool
        self._there = self._served = 0
        self._since_ms = 0.0
        self._drifts = [0.0] * len(costs)
        self._watched_ms = 0.0

    @property
    def mean_drifts(self) -> list[float]:
        """The mean of the drift of each h over what was counted."""
        return [drift / self._watched_ms for drift in self._drifts]

    def came(self, comer: Comer) -> None:
        self._advance(comer.at_ms)
        self._there += 1
        super().came(comer)

    def answered(self, comer: Comer, agent_id: AgentId, at_ms: float) -> None:
        self._advance(at_ms)
        self._served += 1
        super().answered(comer, agent_id, at_ms)

    def gave_up(self, comer: Comer, at_ms: float) -> None:
        self._advance(at_ms)
        self._there -= 1
        super().gave_up(comer, at_ms)

    def freed(self, agent_id: AgentId, at_ms: float) -> None:
        self._advance(at_ms)
        self._there -= 1
        self._served -= 1
        super().freed(agent_id, at_ms)

    def _advance(self, at_ms: float) -> None:
        spent_ms = min(at_ms, self._end_ms) - max(self._since_ms, self._begin_ms)
        if spent_ms > 0:
            there, served = self._there, self._served
            leaving = served + self._pool.impatience * (there - served)
            for number, step in enumerate(self._steps):
                down = leaving * step(there - 1) if there else 0.0
                self._drifts[number] += (self._pool.arrivals * step(there) - down) * spent_ms
            self._watched_ms += spent_ms
        self._since_ms = at_ms


@dataclass(frozen=True, slots=True, kw_only=True)
class Judged:
    """An estimate against what theory says."""

    name: str
    expected: float
    mean: float
    half_width: float
    plain_mean: float
    plain_half_width: float

    def __str__(self) -> str:
        return (
            f"{self.name}: {self.mean:.6g} ± {self.half_width:.2g} ({CONFIDENCE:.0%}), theory {self.expected:.6g},"
            f" ratio {self.mean / self.expected:.4f} ± {self.half_width / self.expected:.4f};"
            f" without control {self.plain_mean:.6g} ± {self.plain_half_width:.2g}"
        )

    def within(self, tolerance: float) -> bool:
        """Return whether the estimate is that near to theory, and known that well."""
        worst = max(abs(self.mean - self.expected), self.half_width)
        return worst <= tolerance * self.expected


def judge(name: str, values: Sequence[float], controls: Sequence[float], expected: float) -> Judged:
    """Compare the mean over replications with `expected`; `controls` have mean zero in theory."""
    slope = statistics.linear_regression(controls, values).slope
    controlled = [value - slope * control for value, control in zip(values, controls, strict=True)]
    return Judged(
        name=name,
        expected=expected,
        mean=statistics.fmean(controlled),
        half_width=_half_width(controlled, len(values) - 2),
        plain_mean=statistics.fmean(values),
        plain_half_width=_half_width(values, len(values) - 1),
    )


def _half_width(values: Sequence[float], degrees: int) -> float:
    return student_t(CONFIDENCE, degrees) * statistics.stdev(values) / math.sqrt(len(values))


@dataclass(frozen=True, slots=True, kw_only=True)
class Watch:
    """The replications of one scenario."""

    name: str
    figures: Sequence[Replication]
    drifts: Sequence[Sequence[float]]

    def values(self, section: str, name: str, figure: str) -> list[float]:
        """Return one figure of every replication."""
        return [one[section][name][figure] for one in self.figures]

    def judge(self, section: str, name: str, figure: str, expected: float, cost: int = 0) -> Judged:
        """Compare a figure with theory, controlled by the drift of a cost (by number), and show it."""
        controls = [drifts[cost] for drifts in self.drifts]
        judged = judge(
            f"{self.name}, {name} {figure}", self.values(section, name, figure), controls, expected
        )
        sys.stdout.write(f"{judged}\n")
        return judged


def watch(scenario: Scenario, pool: Pool, *costs: Cost, decide: Decide = decide) -> Watch:
    """Play all replications; the drifts are those of `pool`, which is what the scenario would be as one pool.

    The first cost is the number waiting; more may be given.
    """
    simulation = Simulation(scenario=scenario, folder=ROOT, journals={})
    figures, drifts = [], []
    for number in range(scenario.replications):
        plan, measures = prepare(simulation, number, Watched)
        measures.watch(pool, (pool.waiting, *costs))
        Centre(plan, measures, decide).play(lambda _: None)
        figures.append(measures.figures())
        drifts.append(measures.mean_drifts)
    return Watch(name=scenario.name, figures=figures, drifts=drifts)


def pool_scenario(
    pool: Pool, *, service_s: float, contacts: int, replications: int, seed: int
) -> Scenario:
    """Return one queue and one group of agents that are such a pool."""
    exponential = {"kind": "exponential", "mean_s": service_s}
    calls: dict[str, Any] = {
        "queue": "calls",
        "arrivals": {"kind": "poisson", "per_hour": pool.arrivals / service_s * 3_600},
        "service": exponential,
    }
    if pool.impatience:
        calls["patience"] = {"kind": "exponential", "mean_s": service_s / pool.impatience}
    words = {
        "name": f"{pool.agents} agents at {pool.arrivals / pool.agents:.0%}",
        "seed": seed,
        "replications": replications,
        "run": {"contacts": contacts, "warm_up_contacts": contacts // 10},
        "waiting_max": pool.waiting_max or 0,
        "queues": {"calls": {}},
        "classes": {"calls": calls},
        "agents": {"team": {"count": pool.agents}},
    }
    return msgspec.convert(words, Scenario)
