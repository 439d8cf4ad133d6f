"""How many contacts `huntgroup simulate` plays in a second of one core: chance, calendar and statistics included."""

import time
from pathlib import Path

from msgspec import convert

from huntgroup_onebox.bench.figure import Measured
from huntgroup_onebox.bench.workbench import Workbench
from huntgroup_onebox.simulate.replications import Simulation, play
from huntgroup_onebox.simulate.scenario import Scenario

CONTACTS, CONTACTS_QUICK = 50_000, 5_000
AGENTS, AHT_S = 50, 300


def simulation_rate(bench: Workbench) -> list[Measured]:
    """Measure Erlang C: one queue, 50 agents, 90 % busy."""
    contacts = CONTACTS_QUICK if bench.quick else CONTACTS
    calls = {
        "queue": "calls",
        "arrivals": {"kind": "poisson", "per_hour": 0.9 * AGENTS / AHT_S * 3_600},
        "service": {"kind": "exponential", "mean_s": AHT_S},
    }
    words = {
        "name": "bench",
        "run": {"contacts": contacts},
        "queues": {"calls": {}},
        "classes": {"calls": calls},
        "agents": {"team": {"count": AGENTS}},
    }
    simulation = Simulation(scenario=convert(words, Scenario), folder=Path(), journals={})
    rates = []
    for number in range(bench.repeats):
        begun_s = time.process_time()
        play(simulation, number, lambda _: None)
        rates.append(contacts / (time.process_time() - begun_s))
    core = bench.found.get("core-contacts")
    told = "" if core is None else f"; the core alone does {core:,.0f}/s with 1,000 agents"
    return [
        Measured(
            name="simulate-contacts",
            repeats=rates,
            baseline=f"{contacts:,} contacts, {AGENTS} agents{told}",
            client="huntgroup simulate, one process, CPU time",
        )
    ]
