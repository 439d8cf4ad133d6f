"""Agents with different skills: everybody waits as the product form of FCFS with the longest idle agent says.

Each class of each graph must be within 2 % of the exact value, with a 99 % confidence interval narrower than that. The
graphs are those of loadtests/scenarios/t4-*.yaml, as published with their exact figures.
"""

import pytest

from huntgroup_onebox.simulate.reading import read_scenario
from huntgroup_onebox.simulate.scenario import Poisson, Scenario

from .oracles import Graph, Pool, product_form
from .watching import ROOT, sized, watch

TOLERANCE = 0.02
MEAN_S = 60.0
GRAPHS = ("t4-n", "t4-w", "t4-chain-4", "t4-chain-6")
FIRST_SEED = 21


def graph_of(scenario: Scenario) -> Graph:
    """Return who may serve whom in a scenario with a queue and a skill for each class."""
    arrivals = {}
    for name, one in scenario.classes.items():
        assert isinstance(one.arrivals, Poisson)
        arrivals[name] = one.arrivals.per_hour * MEAN_S / 3_600
    groups = [group for group in scenario.agents.values() for _ in range(group.count)]
    return Graph(
        arrivals=arrivals,
        skills=[frozenset(group.skills) for group in groups],
        rates=[group.speed for group in groups],
    )


def product_form_holds(name: str, *, contacts: int, replications: int) -> None:
    scenario = sized(
        read_scenario(ROOT / f"loadtests/scenarios/{name}.yaml"),
        contacts=contacts,
        replications=replications,
        seed=FIRST_SEED,
    )
    graph = graph_of(scenario)
    exact = product_form(graph)
    pool = Pool(agents=len(graph.skills), arrivals=sum(graph.arrivals.values()))
    watched = watch(scenario, pool)
    for number, (one, wait) in enumerate(exact.wait.items(), start=1):
        judged = watched.judge(
            "classes", one, "wait_mean_s", expected=wait * MEAN_S, controls=[0, number]
        )
        assert judged.within(TOLERANCE), judged
    for group, occupancy in zip(scenario.agents, exact.occupancy, strict=True):
        judged = watched.judge("agents", group, "occupancy", expected=occupancy)
        assert judged.within(TOLERANCE), judged


@pytest.mark.sim
def test_two_agents_of_whom_one_serves_both_kinds_quick() -> None:
    product_form_holds("t4-n", contacts=12_000, replications=16)


@pytest.mark.theory
@pytest.mark.timeout(1_800)
@pytest.mark.parametrize("name", GRAPHS)
def test_every_class_of_every_graph(name: str) -> None:
    product_form_holds(name, contacts=40_000, replications=24)
