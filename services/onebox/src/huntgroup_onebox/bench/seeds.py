"""How many seeds of the whole system under faults are played in a minute: `huntgroup sim`, a process for each core."""

import os
import time

from huntgroup_onebox.bench.figure import Measured
from huntgroup_onebox.bench.workbench import Workbench
from huntgroup_onebox.sim.runner import play_many

SEEDS, SEEDS_QUICK = 60, 4


def seeds(bench: Workbench) -> list[Measured]:
    """Play blocks of other seeds each; raises `RuntimeError` when one of them finds a violation."""
    count = SEEDS_QUICK if bench.quick else SEEDS
    rates, steps = [], []
    for number in range(bench.repeats):
        first = number * count
        started_s = time.monotonic()
        tally = play_many(range(first, first + count), "liveness", "", workers=0)
        rates.append(count / (time.monotonic() - started_s) * 60)
        steps.append(tally.steps_min)
        if tally.violated:
            raise RuntimeError(f"seed {tally.violated[0].plan.seed}: {tally.violated[0].violation}")
        bench.say(f"sim-seeds: {number + 1}: {rates[-1]:,.0f} a minute, {tally.steps:,} steps")
    return [
        Measured(
            name="sim-seeds",
            repeats=rates,
            baseline=f"at least {min(steps):,} steps each before healing, {count} seeds a repeat",
            client=f"{os.cpu_count()} processes; five services and their clients in each seed",
            details={"steps_min": min(steps)},
        )
    ]
