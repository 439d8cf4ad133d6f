"""Plays the replications of a scenario, several at once when there are cores, and puts their figures together."""

import math
import multiprocessing
import random
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import FIRST_EXCEPTION, Future, ProcessPoolExecutor, wait
from dataclasses import dataclass
from heapq import merge
from multiprocessing.queues import SimpleQueue
from pathlib import Path
from typing import Final, TypeVar

from huntgroup_onebox.simulate.centre import Centre, Kind, Plan, Worker
from huntgroup_onebox.simulate.confidence import Estimate, estimate
from huntgroup_onebox.simulate.draws import S_MS, Comer, Journals, comers, drawing
from huntgroup_onebox.simulate.measures import Busy, Measures, Replication
from huntgroup_onebox.simulate.queues import commands, sign_on
from huntgroup_onebox.simulate.scenario import CONTACTS_MAX, AgentGroup, Scenario
from huntgroup_routing.core.values import QueueId, Skill
from huntgroup_routing.wiring import installed_scorers

M = TypeVar("M", bound=Measures)

LOOK_EVERY_S: Final = 0.1

Progress = Callable[[int], None]
"""Told how many more contacts have come."""
Estimates = Mapping[str, Mapping[str, Mapping[str, Estimate]]]
"""As `Replication`, with an estimate for each figure."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Simulation:
    """A scenario with all that it refers to."""

    scenario: Scenario
    folder: Path
    """What file names in the scenario are relative to."""
    journals: Journals


def play(simulation: Simulation, number: int, progress: Progress) -> Replication:
    """Play replication `number` (from 0); the same number plays the same, whatever else is played.

    Raises `ArrivalsError` for a file of arrivals that cannot be used.
    """
    plan, measures = prepare(simulation, number, Measures)
    seen = 0

    def told(contacts: int) -> None:
        nonlocal seen
        progress(contacts - seen)
        seen = contacts

    Centre(plan, measures).play(told)
    return measures.figures()


def prepare(simulation: Simulation, number: int, measures: type[M]) -> tuple[Plan, M]:
    """Return replication `number`, drawn, and what counts in it."""
    scenario = simulation.scenario
    plan = _plan(simulation, f"{scenario.seed}.{number}")
    classes = [
        (name, one.queue, scenario.queues[one.queue].service_level_threshold_s * S_MS)
        for name, one in scenario.classes.items()
    ]
    agents = {
        worker.sign_on.agent_id: Busy(worker.group, worker.from_ms, worker.until_ms)
        for worker in plan.workers
    }
    return plan, measures(classes, list(scenario.agents), agents)


def play_all(simulation: Simulation, jobs: int, progress: Progress) -> list[Replication]:
    """Play all replications in `jobs` processes, or in this one when there is one job; raises as `play` does."""
    count = simulation.scenario.replications
    if min(jobs, count) == 1:
        return [play(simulation, number, progress) for number in range(count)]
    # A fork shares what is loaded already; elsewhere than on Linux it is not safe.
    context = multiprocessing.get_context("fork" if sys.platform == "linux" else "spawn")
    told: SimpleQueue[int] = context.SimpleQueue()
    with ProcessPoolExecutor(min(jobs, count), context, _be_told, (told,)) as pool:
        running = [pool.submit(_play_apart, simulation, number) for number in range(count)]
        try:
            _watch(running, told, progress)
        except BaseException:
            pool.shutdown(cancel_futures=True)
            raise
    return [one.result() for one in running]


def together(replications: Sequence[Replication], confidence: float) -> Estimates:
    """Return the mean of each figure over the replications, with its confidence interval."""
    return {
        section: {
            name: {
                figure: estimate([one[section][name][figure] for one in replications], confidence)
                for figure in figures
            }
            for name, figures in named.items()
        }
        for section, named in replications[0].items()
    }


def _watch(
    running: Sequence[Future[Replication]], told: "SimpleQueue[int]", progress: Progress
) -> None:
    left = set(running)
    while left:
        done, left = wait(left, LOOK_EVERY_S, FIRST_EXCEPTION)
        while not told.empty():
            progress(told.get())
        for one in done:
            one.result()


_told: "SimpleQueue[int] | None" = None


def _be_told(told: "SimpleQueue[int]") -> None:
    global _told  # noqa: PLW0603 - a process of the pool has no other place
    _told = told


def _play_apart(simulation: Simulation, number: int) -> Replication:
    assert _told is not None
    return play(simulation, number, _told.put)


def _plan(simulation: Simulation, seed: str) -> Plan:
    scenario = simulation.scenario
    run = scenario.run
    return Plan(
        queues=tuple(commands(scenario.queues)),
        scorers=installed_scorers(),
        waiting_max=scenario.waiting_max,
        kinds=tuple(
            Kind(
                queue_id=QueueId(one.queue),
                channel=scenario.queues[one.queue].contact_channel,
                priority=one.priority,
                required_skills=tuple(Skill(skill) for skill in one.required_skills),
            )
            for one in scenario.classes.values()
        ),
        workers=tuple(
            worker
            for number, (name, group) in enumerate(scenario.agents.items())
            for worker in _workers(number, name, group, seed)
        ),
        comers=_in_order(simulation, seed),
        contacts_max=run.contacts or CONTACTS_MAX,
        until_ms=math.inf if run.until_s is None else run.until_s * S_MS,
        warm_up_contacts=run.warm_up_contacts,
    )


def _in_order(simulation: Simulation, seed: str) -> Iterable[Comer]:
    streams = [
        comers(
            number,
            name,
            one,
            seed=seed,
            folder=simulation.folder,
            journals=simulation.journals,
        )
        for number, (name, one) in enumerate(simulation.scenario.classes.items())
    ]
    return streams[0] if len(streams) == 1 else merge(*streams, key=lambda comer: comer.at_ms)


def _workers(number: int, name: str, group: AgentGroup, seed: str) -> Iterable[Worker]:
    for index in range(group.count):
        chance = random.Random(f"{seed} {name} {index} answer")
        yield Worker(
            sign_on=sign_on(f"{name}-{index + 1}", group),
            group=number,
            from_ms=group.from_s * S_MS,
            until_ms=math.inf if group.until_s is None else group.until_s * S_MS,
            answer_after=drawing(group.answer_after, chance) if group.answer_after else None,
            speed=group.speed,
        )
