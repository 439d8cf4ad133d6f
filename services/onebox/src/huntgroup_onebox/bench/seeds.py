"""How many seeds of the whole system under faults are played in a minute: `huntgroup sim`, a process for each core."""

import os
import time
from itertools import pairwise

from huntgroup_onebox.bench.figure import Measured
from huntgroup_onebox.bench.workbench import Workbench
from huntgroup_onebox.sim.runner import CHUNK, Tally, play_many
from huntgroup_onebox.sim.verdict import Mode

SEEDS = {"safety": 160, "liveness": 80}
"""Of one repeat."""
SEEDS_QUICK = 20


def seeds(bench: Workbench) -> list[Measured]:
    """Play both modes; raises `RuntimeError` when a violation is found."""
    return [
        _played(bench, "sim-seeds", "safety"),
        _played(bench, "sim-seeds-liveness", "liveness"),
    ]


def _played(bench: Workbench, name: str, mode: Mode) -> Measured:
    """Play repeat after repeat with the same workers; how long they take to start is none of it."""
    workers = os.cpu_count() or 1
    count = SEEDS_QUICK if bench.quick else SEEDS[mode]
    before = workers * CHUNK
    came: list[tuple[int, float]] = []

    def note(tally: Tally) -> None:
        came.append((tally.seeds, time.monotonic()))
        bench.say(f"{name}: {tally.seeds} seeds, {tally.steps:,} steps")

    tally = play_many(range(before + bench.repeats * count), mode, workers=workers, progress=note)
    if tally.violated:
        raise RuntimeError(f"seed {tally.violated[0].plan.seed}: {tally.violated[0].violation}")
    ends_s = [
        next(at_s for played, at_s in came if played >= before + number * count)
        for number in range(bench.repeats + 1)
    ]
    return Measured(
        name=name,
        repeats=[count / (end - begin) * 60 for begin, end in pairwise(ends_s)],
        baseline=f"at least {tally.steps_min:,} steps each before healing, {count} seeds a repeat",
        client=f"{workers} processes; five services and their clients in each seed; {mode}",
        details={"steps_min": tally.steps_min},
    )
