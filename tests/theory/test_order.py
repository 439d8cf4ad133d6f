"""No decision breaks the order: first come, first served, longest idle first, and nobody waits in vain."""

from typing import Any

import pytest
from msgspec import convert

from huntgroup_onebox.simulate.centre import Centre
from huntgroup_onebox.simulate.measures import Measures, Replication
from huntgroup_onebox.simulate.replications import Simulation, prepare
from huntgroup_onebox.simulate.scenario import Scenario
from huntgroup_routing.core.decide import decide
from huntgroup_routing.core.messages import OfferCreated, Refused
from huntgroup_routing.core.values import QueueId, Strategy

from .referee import Referee
from .watching import ROOT

SKILLS = {"plain": ["a"], "both": ["a", "b"], "other": ["b"], "all": ["a", "b", "c"]}
MILLION = 1_000_000


def centre(contacts: int, *, strategy: Strategy = Strategy.LONGEST_IDLE, seed: int = 1) -> Scenario:
    """Return three kinds of calls, some of whose customers give up, and four groups of agents."""
    calls = {
        "service": {"kind": "exponential", "mean_s": 60},
        "patience": {"kind": "exponential", "mean_s": 200},
    }
    words: dict[str, Any] = {
        "name": "order",
        "seed": seed,
        "run": {"contacts": contacts},
        "queues": {
            name: {"required_skills": [name], "policy": {"strategy": strategy}} for name in "abc"
        },
        "classes": {
            name: {"queue": name, "arrivals": {"kind": "poisson", "per_hour": rate}, **calls}
            for name, rate in {"a": 300, "b": 250, "c": 100}.items()
        },
        "agents": {name: {"count": 3, "skills": skills} for name, skills in SKILLS.items()},
    }
    return convert(words, Scenario)


def refereed(scenario: Scenario, *, longest_idle: bool) -> tuple[Referee, Replication]:
    served = {
        QueueId(name): frozenset(group for group, skills in SKILLS.items() if name in skills)
        for name in scenario.queues
    }
    referee = Referee(served, longest_idle=longest_idle)
    simulation = Simulation(scenario=scenario, folder=ROOT, journals={})
    plan, measures = prepare(simulation, 0, Measures)
    Centre(plan, measures, referee.decide).play(lambda _: None)
    return referee, measures.figures()


@pytest.mark.sim
@pytest.mark.parametrize(
    "strategy",
    # A scenario installs no scorers; the slow router of the core's own tests plays them.
    [one for one in Strategy if one is not Strategy.SCORED],
)
def test_nobody_waits_while_somebody_could_serve_by_any_strategy(strategy: Strategy) -> None:
    contacts = 3_000
    referee, figures = refereed(
        centre(contacts, strategy=strategy), longest_idle=strategy is Strategy.LONGEST_IDLE
    )
    assert referee.violations == []
    assert referee.offers > 0.8 * contacts
    everybody = figures["all"]["all"]
    assert everybody["waited"] > 0.2, "nobody waited: nothing was tried"
    assert everybody["abandonment"] > 0.01


@pytest.mark.theory
@pytest.mark.timeout(1_800)
def test_a_million_offers_go_to_the_agent_idle_for_longest_and_by_first_come() -> None:
    referee, figures = refereed(centre(round(1.2 * MILLION)), longest_idle=True)
    assert referee.violations == []
    assert referee.offers >= MILLION
    for group in SKILLS:
        spread = (
            figures["agents"][group]["occupancy_highest"]
            - figures["agents"][group]["occupancy_lowest"]
        )
        assert spread < 0.01, f"{group}: agents who are alike differ by {spread:.2%} of their time"


@pytest.mark.sim
def test_the_referee_sees_another_order() -> None:
    """A queue that goes by chance breaks the rule of the longest idle, and no other."""
    referee, _ = refereed(centre(500, strategy=Strategy.RANDOM), longest_idle=True)
    assert referee.violations
    assert all("was idle before" in one for one in referee.violations)


@pytest.mark.sim
def test_the_referee_sees_who_is_overlooked(monkeypatch: pytest.MonkeyPatch) -> None:
    """A core that does not offer to those who become free leaves contacts and agents waiting for each other."""

    def lazy(*told: Any) -> Any:
        events = decide(*told)
        assert not isinstance(events, Refused)
        return events if len(events) < 2 or not isinstance(events[-1], OfferCreated) else events[:1]

    monkeypatch.setitem(Referee.decide.__globals__, "decide", lazy)
    referee, _ = refereed(centre(50), longest_idle=True)
    assert any("somebody waits in" in one for one in referee.violations)
