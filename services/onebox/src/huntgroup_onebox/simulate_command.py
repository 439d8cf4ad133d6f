"""`huntgroup simulate`: how a centre would fare, told by routing's own core in virtual time."""

import argparse
import asyncio
import json
import os
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Self

import msgspec
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn

from huntgroup_loadtest.arrivals import ArrivalsError
from huntgroup_onebox.simulate.reading import read_scenario
from huntgroup_onebox.simulate.recorded import JournalError, recorded
from huntgroup_onebox.simulate.replications import Estimates, Simulation, play_all, together
from huntgroup_onebox.simulate.report import tables, values
from huntgroup_onebox.simulate.scenario import REPLICATIONS_MAX, Scenario
from huntgroup_onebox.yaml_file import YamlFileError

EXIT_OK: Final = 0
EXIT_BAD_INPUT: Final = 2
PIPE_WIDTH: Final = 130
PROGRESS_AFTER_S: Final = 2.0
PROGRESS_LINE_EVERY_S: Final = 10.0


@dataclass(frozen=True, slots=True, kw_only=True)
class _Spent:
    """What a simulation took."""

    contacts: int
    seconds: float
    cpu_seconds: float
    """Of all processes together."""

    @property
    def per_core_second(self) -> float:
        return self.contacts / max(self.cpu_seconds, 1e-6)


def _cpu_s() -> float:
    """Return the time that this process and those that it ended with have computed."""
    times = os.times()
    return times.user + times.system + times.children_user + times.children_system


def add_parser(verbs: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the verb."""
    verb = verbs.add_parser(
        "simulate",
        help="play a scenario on the routing core in virtual time",
        description="Waits, service level, abandonment, occupancy and fairness of a scenario, with confidence"
        " intervals. The format: docs/reference/scenario.md. Exit code 0: done, 2: bad input.",
    )
    verb.add_argument("scenario", type=Path, metavar="SCENARIO.yaml")
    verb.add_argument("--seed", type=int, help="instead of the scenario's")
    verb.add_argument(
        "--replications", type=_replications, metavar="N", help="instead of the scenario's"
    )
    verb.add_argument(
        "--jobs", type=_jobs, metavar="N", help="replications at once; default: one per core"
    )
    verb.add_argument("--json", action="store_true", help="one JSON object instead of tables")
    verb.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Simulate; return the exit code."""
    try:
        simulation = _simulation(arguments)
        jobs = arguments.jobs or os.cpu_count() or 1
        started_s, started_cpu_s = time.monotonic(), _cpu_s()
        with _Progress(simulation.scenario) as progress:
            replications = play_all(simulation, jobs, progress)
        spent = _Spent(
            contacts=progress.contacts,
            seconds=time.monotonic() - started_s,
            cpu_seconds=_cpu_s() - started_cpu_s,
        )
    except YamlFileError as error:
        sys.stderr.write(f"{error}\n")
        return EXIT_BAD_INPUT
    except (ArrivalsError, JournalError) as error:
        sys.stderr.write(f"huntgroup simulate: {error}\n")
        return EXIT_BAD_INPUT
    figures = together(replications, simulation.scenario.confidence)
    if arguments.json:
        told = _values(simulation.scenario, figures, spent)
        sys.stdout.write(json.dumps(told) + "\n")
    else:
        _print(simulation.scenario, figures, spent)
    return EXIT_OK


def _simulation(arguments: argparse.Namespace) -> Simulation:
    scenario = read_scenario(arguments.scenario)
    said = {
        name: value
        for name in ("seed", "replications")
        if (value := getattr(arguments, name)) is not None
    }
    scenario = msgspec.structs.replace(scenario, **said)
    folder = arguments.scenario.parent
    return Simulation(
        scenario=scenario, folder=folder, journals=asyncio.run(recorded(scenario, folder))
    )


def _print(scenario: Scenario, figures: Estimates, spent: "_Spent") -> None:
    terminal = Console()
    console = terminal if terminal.is_terminal else Console(width=PIPE_WIDTH)
    console.print(scenario.name, style="bold", highlight=False)
    for table in tables(figures):
        console.print(table)
    method = (
        f"± is half the {scenario.confidence:.0%} confidence interval of the mean over"
        f" {scenario.replications} replications of seed {scenario.seed} (Student's t)"
    )
    if scenario.replications == 1:
        method = f"1 replication of seed {scenario.seed}: no confidence interval"
    pace = (
        f"{spent.contacts:,} contacts in {spent.seconds:.1f} s,"
        f" {spent.per_core_second:,.0f} per second of a core; figures: docs/reference/scenario.md"
    )
    for line in (method, pace):
        console.print(line, style="dim", highlight=False)


def _values(scenario: Scenario, figures: Estimates, spent: "_Spent") -> dict[str, object]:
    return {
        "scenario": scenario.name,
        "seed": scenario.seed,
        "replications": scenario.replications,
        "confidence": scenario.confidence,
        "contacts": spent.contacts,
        "seconds": round(spent.seconds, 3),
        "contacts_per_core_second": round(spent.per_core_second),
        "figures": values(figures),
    }


def _replications(text: str) -> int:
    return _between(text, 1, REPLICATIONS_MAX)


def _jobs(text: str) -> int:
    return _between(text, 1, 256)


def _between(text: str, lowest: int, highest: int) -> int:
    value = int(text)
    if not lowest <= value <= highest:
        raise argparse.ArgumentTypeError(f"{text} is not between {lowest} and {highest}")
    return value


class _Progress:
    """Tells how many contacts have come, once that takes longer than a moment: a bar, or lines without a terminal."""

    def __init__(self, scenario: Scenario) -> None:
        self.contacts = 0
        each = scenario.run.contacts
        self._total = None if each is None else each * scenario.replications
        self._console = Console(stderr=True)
        self._bar: Progress | None = None
        self._task = TaskID(0)
        self._next_s = time.monotonic() + PROGRESS_AFTER_S

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self._bar is not None:
            self._bar.stop()

    def __call__(self, more: int) -> None:
        """Note that `more` contacts have come."""
        self.contacts += more
        if time.monotonic() < self._next_s:
            return
        if not self._console.is_terminal:
            self._next_s = time.monotonic() + PROGRESS_LINE_EVERY_S
            of = "" if self._total is None else f" of {self._total:,}"
            sys.stderr.write(f"{self.contacts:,}{of} contacts\n")
            return
        if self._bar is None:
            columns = (TextColumn("contacts"), BarColumn(), MofNCompleteColumn())
            self._bar = Progress(*columns, console=self._console, transient=True)
            self._task = self._bar.add_task("simulate", total=self._total)
            self._bar.start()
        self._bar.update(self._task, completed=self.contacts)
