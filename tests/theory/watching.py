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

from msgspec import convert, structs

from huntgroup_onebox.simulate.centre import Centre, Decide
from huntgroup_onebox.simulate.confidence import student_t
from huntgroup_onebox.simulate.draws import Comer
from huntgroup_onebox.simulate.measures import Measures, Replication
from huntgroup_onebox.simulate.replications import Simulation, prepare
from huntgroup_onebox.simulate.scenario import ContactClass, Poisson, Scenario
from huntgroup_routing.core.decide import decide
from huntgroup_routing.core.values import AgentId

from .oracles import Cost, Pool, relative_value

CONFIDENCE: Final = 0.99
ROOT: Final = Path(__file__).resolve().parents[2]


class Watched(Measures):
    """Also knows, at every moment, how many of each class are there and how many of them are served.

    Agents serve one contact at a time.
    """

    def watch(self, pool: Pool, costs: Sequence[Cost], arrivals: Sequence[float]) -> None:
        """There is an h for each cost, and one for each class: the square of how many of it are there.

        `arrivals` are those of each class; all rates are per mean service time.
        """
        self._steps = [relative_value(pool, cost) for cost in costs]
        self._arrivals = arrivals
        self._pool = pool
        self._there, self._served = [0] * len(arrivals), [0] * len(arrivals)
        self._serves: dict[AgentId, int] = {}
        self._since_ms = 0.0
        self._drifts = [0.0] * (len(costs) + len(arrivals))
        self._watched_ms = 0.0

    @property
    def mean_drifts(self) -> list[float]:
        """The mean of the drift of each h over what was counted."""
        return [drift / self._watched_ms for drift in self._drifts]

    def came(self, comer: Comer) -> None:
        self._advance(comer.at_ms)
        self._there[comer.number] += 1
        super().came(comer)

    def answered(self, comer: Comer, agent_id: AgentId, at_ms: float) -> None:
        self._advance(at_ms)
        self._served[comer.number] += 1
        self._serves[agent_id] = comer.number
        super().answered(comer, agent_id, at_ms)

    def turned_away(self, comer: Comer) -> None:
        self._there[comer.number] -= 1
        super().turned_away(comer)

    def gave_up(self, comer: Comer, at_ms: float) -> None:
        self._advance(at_ms)
        self._there[comer.number] -= 1
        super().gave_up(comer, at_ms)

    def freed(self, agent_id: AgentId, at_ms: float) -> None:
        self._advance(at_ms)
        number = self._serves.pop(agent_id)
        self._there[number] -= 1
        self._served[number] -= 1
        super().freed(agent_id, at_ms)

    def _advance(self, at_ms: float) -> None:
        spent_ms = min(at_ms, self._end_ms) - max(self._since_ms, self._begin_ms)
        if spent_ms > 0:
            impatience, drifts = self._pool.impatience, self._drifts
            there, served = sum(self._there), sum(self._served)
            leaving = served + impatience * (there - served)
            for number, step in enumerate(self._steps):
                down = leaving * step(there - 1) if there else 0.0
                drifts[number] += (self._pool.arrivals * step(there) - down) * spent_ms
            first = len(self._steps)
            for number, arrivals in enumerate(self._arrivals):
                there, served = self._there[number], self._served[number]
                leaving = served + impatience * (there - served)
                drift = arrivals * (2 * there + 1) - leaving * (2 * there - 1)
                drifts[first + number] += drift * spent_ms
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


def judge(
    name: str, values: Sequence[float], controls: Sequence[Sequence[float]], expected: float
) -> Judged:
    """Compare the mean over replications with `expected`; each of the `controls` has mean zero in theory."""
    controlled, apart = list(values), [list(control) for control in controls]
    for number, control in enumerate(apart):
        controlled = _without(controlled, control)
        for later in range(number + 1, len(apart)):
            apart[later] = _without(apart[later], control)
    return Judged(
        name=name,
        expected=expected,
        mean=statistics.fmean(controlled),
        half_width=_half_width(controlled, len(values) - 1 - len(controls)),
        plain_mean=statistics.fmean(values),
        plain_half_width=_half_width(values, len(values) - 1),
    )


def _without(values: Sequence[float], control: Sequence[float]) -> list[float]:
    slope = statistics.linear_regression(control, values).slope
    return [value - slope * one for value, one in zip(values, control, strict=True)]


def _half_width(values: Sequence[float], degrees: int) -> float:
    mean = statistics.fmean(values)
    variance = math.fsum((value - mean) ** 2 for value in values) / degrees
    return student_t(CONFIDENCE, degrees) * math.sqrt(variance / len(values))


@dataclass(frozen=True, slots=True, kw_only=True)
class Watch:
    """The replications of one scenario."""

    name: str
    figures: Sequence[Replication]
    drifts: Sequence[Sequence[float]]

    def values(self, section: str, name: str, figure: str) -> list[float]:
        """Return one figure of every replication."""
        return [one[section][name][figure] for one in self.figures]

    def judge(
        self,
        section: str,
        name: str,
        figure: str,
        *,
        expected: float,
        controls: Sequence[int] = (0,),
    ) -> Judged:
        """Compare a figure with theory, controlled by the drifts with these numbers, and show it."""
        judged = judge(
            f"{self.name}, {name} {figure}",
            self.values(section, name, figure),
            [[drifts[number] for drifts in self.drifts] for number in controls],
            expected,
        )
        sys.stdout.write(f"{judged}\n")
        return judged


def watch(scenario: Scenario, pool: Pool, *costs: Cost, decide: Decide = decide) -> Watch:
    """Play all replications; the drifts are those of `pool`, which is what the scenario would be as one pool.

    The first cost is the number waiting; more may be given. Then come the classes of the scenario, which must have
    Poisson arrivals, and service times of one mean.
    """
    simulation = Simulation(scenario=scenario, folder=ROOT, journals={})
    coming = [_per_hour(one) for one in scenario.classes.values()]
    arrivals = [pool.arrivals * one / sum(coming) for one in coming]
    figures, drifts = [], []
    for number in range(scenario.replications):
        plan, measures = prepare(simulation, number, Watched)
        measures.watch(pool, (pool.waiting, *costs), arrivals)
        Centre(plan, measures, decide).play(lambda _: None)
        figures.append(measures.figures())
        drifts.append(measures.mean_drifts)
    return Watch(name=scenario.name, figures=figures, drifts=drifts)


def _per_hour(one: ContactClass) -> float:
    assert isinstance(one.arrivals, Poisson)
    return one.arrivals.per_hour


def sized(scenario: Scenario, *, contacts: int, replications: int, seed: int) -> Scenario:
    """Return the scenario with runs of such a length."""
    run = structs.replace(scenario.run, contacts=contacts, warm_up_contacts=contacts // 10)
    return structs.replace(scenario, run=run, replications=replications, seed=seed)


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
    return convert(words, Scenario)
