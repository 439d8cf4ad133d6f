"""Plays many seeds on all cores, each worker process its own share, and reports as they come."""

import os
import threading
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor, as_completed
from contextlib import nullcontext
from dataclasses import dataclass, field
from functools import partial
from multiprocessing import get_context, parent_process
from multiprocessing.connection import wait
from typing import Final

from huntgroup_onebox.sim.plan import Plan, plan_of
from huntgroup_onebox.sim.sabotage import SABOTAGES
from huntgroup_onebox.sim.shrink import shrunk
from huntgroup_onebox.sim.stage import play
from huntgroup_onebox.sim.verdict import Mode, Verdict

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
    """Play all `seeds` on `workers` processes (0: one for each core); stop after `stop_at` violations."""
    whole = Tally()
    parts = [seeds[start : start + CHUNK] for start in range(0, len(seeds), CHUNK)]
    if len(parts) == 1:
        whole.add(play_some(seeds, mode, sabotage))
        return whole
    with ProcessPoolExecutor(
        workers or os.cpu_count(), mp_context=get_context("spawn"), initializer=_end_with_parent
    ) as pool:
        for tally in _in_turn(pool, parts, mode, sabotage):
            whole.add(tally)
            progress(whole)
            if len(whole.violated) >= stop_at:
                pool.shutdown(wait=True, cancel_futures=True)
                break
    return whole


def _in_turn(
    pool: ProcessPoolExecutor, parts: Iterable[range], mode: Mode, sabotage: str
) -> Iterator[Tally]:
    futures = [pool.submit(play_some, part, mode, sabotage) for part in parts]
    for future in as_completed(futures):
        yield future.result()


def _end_with_parent() -> None:
    """Let this worker end when the process that started it has ended, however that was."""
    parent = parent_process()
    assert parent is not None

    def watch() -> None:
        wait([parent.sentinel])
        os._exit(1)

    threading.Thread(target=watch, name="parent", daemon=True).start()
