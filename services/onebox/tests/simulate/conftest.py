"""Scenarios as a test writes them."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest

from huntgroup_onebox.simulate.measures import Replication
from huntgroup_onebox.simulate.replications import Simulation, play
from huntgroup_onebox.simulate.scenario import Scenario

Play = Callable[..., Replication]


@pytest.fixture
def played() -> Play:
    """Plays one replication of a scenario whose contacts come at given times, unless told otherwise."""

    def run(
        *,
        contacts: str = "",
        folder: Path = Path(),
        classes: dict[str, Any] | None = None,
        **said: Any,
    ) -> Replication:
        words: dict[str, Any] = {
            "name": "test",
            "run": {"until_s": 1_000},
            "queues": {"sales": {"service_level_threshold_s": 20}},
            "agents": {"team": {"count": 1}},
        }
        words["classes"] = classes or {
            "calls": {
                "queue": "sales",
                "arrivals": {"kind": "csv", "file": contacts},
                "service": {"kind": "deterministic", "value_s": 100},
            }
        }
        scenario = msgspec.convert(words | said, Scenario)
        simulation = Simulation(scenario=scenario, folder=folder, journals={})
        return play(simulation, 0, lambda _: None)

    return run
