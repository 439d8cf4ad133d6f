"""Plays many seeds on all cores, each worker process its own share, and reports as they come."""

import os
from collections import Counter
from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import dataclass, field
from functools import partial
from typing import Final

from huntgroup_onebox.sim.plan import Plan, plan_of
from huntgroup_onebox.sim.sabotage import SABOTAGES
from huntgroup_onebox.sim.shrink import shrunk
from huntgroup_onebox.sim.stage import play
from huntgroup_onebox.sim.verdict import Mode, Verdict
from huntgroup_onebox.sim.workers import Workers

CHUNK: Final = 10
"""Seeds that a worker plays before it reports."""


@dataclass(slots=True, kw_only=True)
class Tally:
    """What a number of seeds gave."""

    seeds: int = 0
    steps: int = 0
    steps_min: int = 0
    counts: Counter[str] = field(default_factory=Counter)
    violated: list[Verdict] = field(default_factory=list)

    def add(self, other: "Tally") -> None:
        """Take in what a worker found."""
        self.steps_min = min(self.steps_min or other.steps_min, other.steps_min)
        self.seeds += other.seeds
        self.steps += other.steps
        self.counts += other.counts
        self.violated += other.violated


def play_seed(seed: int, mode: Mode, sabotage: str = "") -> Verdict:
    """Play the story of a seed, perhaps with a rule broken on purpose."""
    return play_plan(mode, sabotage, plan_of(seed))


def play_plan(mode: Mode, sabotage: str, plan: Plan) -> Verdict:
    """Play a story."""
    with SABOTAGES[sabotage][0]() if sabotage else nullcontext():
        return play(plan, mode)


def play_shrunk(failed: Verdict, sabotage: str = "") -> Verdict:
    """Return a smaller story that violates the same rule."""
    return shrunk(failed, partial(play_plan, failed.mode, sabotage))


def play_some(seeds: range, mode: Mode, sabotage: str) -> Tally:
    """Play a few seeds, in this process."""
    tally = Tally()
    for seed in seeds:
        verdict = play_seed(seed, mode, sabotage)
        tally.seeds += 1
        tally.steps += verdict.steps
        if verdict.violation:
            tally.violated.append(verdict)
        else:
            tally.steps_min = min(tally.steps_min or verdict.steps, verdict.steps)
        tally.counts += verdict.counts
    return tally


def play_many(
    seeds: range,
    mode: Mode,
    sabotage: str = "",
    *,
    workers: int = 0,
    progress: Callable[[Tally], None] = lambda _: None,
    stop_at: int = 1,
) -> Tally:
    """Play all `seeds` on `workers` processes (0: one for each core); stop after `stop_at` violations.

    Raises `WorkerEndedError`.
    """
    whole = Tally()
    parts = [seeds[start : start + CHUNK] for start in range(0, len(seeds), CHUNK)]
    play = partial(play_some, mode=mode, sabotage=sabotage)
    if len(parts) == 1:
        whole.add(play(seeds))
        return whole
    with Workers[range, Tally](play, workers or os.cpu_count() or 1) as pool:
        for tally in pool.found(parts):
            whole.add(tally)
            progress(whole)
            if len(whole.violated) >= stop_at:
                break
    return whole
