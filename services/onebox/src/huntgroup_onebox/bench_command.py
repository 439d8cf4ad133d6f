"""`huntgroup bench`: figures of performance, measured here and now, each beside its baseline and what was promised."""

import argparse
import json
import signal
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import Console

from huntgroup_onebox.bench.figure import Measured, Objective, Verdict, read_objectives
from huntgroup_onebox.bench.machine import busy_share, machine, pinned
from huntgroup_onebox.bench.report import table, values
from huntgroup_onebox.bench.workbench import Workbench
from huntgroup_runtime.local_kafka_install import LocalKafkaUnavailableError
from huntgroup_runtime.logs import configure_logs

if TYPE_CHECKING:
    from huntgroup_onebox.bench.registry import Entry

EXIT_OK, EXIT_FAILED, EXIT_BAD_INPUT = 0, 1, 2
PIPE_WIDTH = 200
OBJECTIVES = Path("loadtests/slo.toml")
LOOK_S = 1.0
BUSY_SHARE_MAX = 0.1
"""A machine that is busier with something else, just before a figure or just after it, proves nothing."""


def add_parser(verbs: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the verb."""
    verb = verbs.add_parser("bench", help="measure this machine's figures of performance")
    verb.add_argument(
        "figures", nargs="*", metavar="FIGURE", help=f"names in {OBJECTIVES}; without any, all"
    )
    verb.add_argument("--all", action="store_true", help="also the figures that take many minutes")
    verb.add_argument("--quick", action="store_true", help="shorter and less exact: does it run?")
    verb.add_argument("--json", type=Path, metavar="FILE", help="write everything for programs")
    verb.add_argument(
        "--objectives", type=Path, default=OBJECTIVES, metavar="FILE", help=f"default {OBJECTIVES}"
    )
    verb.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Measure; 0: everything is at least what is promised, 1: something is not or failed, 2: bad input."""
    from huntgroup_onebox.bench import registry  # noqa: PLC0415 - all figures; other verbs do without

    try:
        objectives = _objectives(arguments.objectives, registry.figure_names())
        entries = registry.chosen(arguments.figures, everything=arguments.all)
        _check_json(arguments.json)
    except ValueError as error:
        sys.stderr.write(f"huntgroup bench: {error}\n")
        return EXIT_BAD_INPUT
    configure_logs(service="bench", level="critical", style="console")
    console = Console()
    if not console.is_terminal:
        console = Console(width=PIPE_WIDTH)
    # Whoever stops a run stops the processes that it started, too.
    before = signal.signal(signal.SIGTERM, _interrupt)
    try:
        with pinned():
            return _run(entries, objectives, arguments, console)
    finally:
        signal.signal(signal.SIGTERM, before)


def _run(
    entries: "list[Entry]",
    objectives: dict[str, Objective],
    arguments: argparse.Namespace,
    console: Console,
) -> int:
    here = machine()
    for name, said in here.items():
        console.print(f"{name}: {said}", style="dim", highlight=False)

    def keep(measured: Sequence[Measured]) -> None:
        if arguments.json is not None:
            text = json.dumps(values(measured, objectives, here), indent=1, ensure_ascii=False)
            arguments.json.write_text(text + "\n", encoding="utf-8")

    measured, missing = _measure(entries, quick=arguments.quick, keep=keep)
    failed = bool(missing)
    if not arguments.figures:
        chosen = {name for entry in entries for name in entry.names}
        missing |= dict.fromkeys(objectives.keys() - chosen, "takes long: --all")
    console.print(table(measured, objectives, missing))
    by_verdict: dict[Verdict, list[str]] = {}
    for one in measured:
        verdict = objectives[one.name].verdict(one.value, doubted=bool(one.doubts))
        by_verdict.setdefault(verdict, []).append(one.name)
    if unsure := by_verdict.get("unsure"):
        console.print(
            f"to be measured again, it proves nothing: {', '.join(unsure)}", style="yellow"
        )
    if short := by_verdict.get("SHORT"):
        console.print(f"short of what is promised: {', '.join(short)}", style="bold red")
    return EXIT_FAILED if short or failed else EXIT_OK


def _objectives(file: Path, names: Sequence[str]) -> dict[str, Objective]:
    try:
        objectives = read_objectives(file)
    except OSError as error:
        raise ValueError(f"--objectives {file}: {error.strerror}") from None
    missing = sorted(set(names) - objectives.keys())
    if missing:
        raise ValueError(f"--objectives {file}: nothing is said of {', '.join(missing)}")
    return objectives


def _check_json(file: Path | None) -> None:
    if file is not None and (file.is_dir() or not file.absolute().parent.is_dir()):
        raise ValueError(f"--json {file}: must be a file in a directory that exists")


def _interrupt(number: int, frame: object) -> None:
    del number, frame
    raise KeyboardInterrupt


def _measure(
    entries: "list[Entry]", *, quick: bool, keep: Callable[[Sequence[Measured]], None]
) -> tuple[list[Measured], dict[str, str]]:
    """Return what was measured, and why what could not be was not; `keep` gets all so far after each."""
    measured: list[Measured] = []
    missing: dict[str, str] = {}
    busy = busy_share(LOOK_S)
    with Workbench(quick=quick) as bench:
        for number, entry in enumerate(entries, start=1):
            started = time.monotonic()
            bench.say(f"[{number}/{len(entries)}] {', '.join(entry.names)}")
            found, why = _found(entry, bench)
            if why:
                missing |= dict.fromkeys(set(entry.names) - {one.name for one in found}, why)
                sys.stderr.write(f"huntgroup bench: {', '.join(entry.names)}: {why}\n")
            before, busy = busy, busy_share(LOOK_S)
            doubts = _doubts(max(before, busy), quick=quick)
            measured += [replace(one, doubts=doubts) for one in found]
            keep(measured)
            bench.say(f"took {time.monotonic() - started:.0f} s")
    return measured, missing


def _found(entry: "Entry", bench: Workbench) -> tuple[list[Measured], str]:
    """Return what was measured of figures that are measured together, and what ended it early, if anything."""
    found: list[Measured] = []
    try:
        found.extend(entry.measure(bench))
    except (
        RuntimeError,
        OSError,
        ValueError,
        LookupError,
        LocalKafkaUnavailableError,
    ) as error:
        return found, str(error) or type(error).__name__
    return found, ""


def _doubts(busy: float, *, quick: bool) -> str:
    if quick:
        return "measured with --quick"
    return f"the machine was {busy:.0%} busy with something else" if busy > BUSY_SHARE_MAX else ""
