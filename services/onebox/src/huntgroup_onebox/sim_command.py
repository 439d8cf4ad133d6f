"""`huntgroup sim`: plays seeds of the whole system under faults, and shows how to see a failing one again."""

import argparse
import json
import signal
import sys
import time
from typing import Any, Final

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TaskID,
    TextColumn,
    TimeRemainingColumn,
)

from huntgroup_onebox.sim.runner import Tally, play_many, play_seed, play_shrunk
from huntgroup_onebox.sim.sabotage import SABOTAGES
from huntgroup_onebox.sim.shrink import words_of
from huntgroup_onebox.sim.verdict import Verdict
from huntgroup_onebox.sim.workers import WorkerEndedError

EXIT_CLEAN, EXIT_VIOLATED, EXIT_FAILED = 0, 1, 1
LINES_SHOWN: Final = 60
PLAIN_AFTER_S: Final = 2.0
WIDTH: Final = 200
SHOWN_COUNTS: Final = (
    "ContactInitiated",
    "OfferCreated",
    "ContactConnected",
    "ContactCompleted",
    "ContactAbandoned",
    "Claim",
    "Ignored",
    "replicas checked",
)


def add_parser(verbs: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the verb."""
    verb = verbs.add_parser(
        "sim",
        help="play the whole system under faults, by seed",
        description="Exit code 0: no violation; 1: a violation, with the command that replays it.",
    )
    verb.add_argument("--seeds", type=_positive, default=200, metavar="N", help="default 200")
    verb.add_argument("--seed", type=int, default=0, metavar="S", help="the first one; default 0")
    verb.add_argument("--mode", choices=("safety", "liveness"), default="liveness")
    verb.add_argument(
        "--sabotage", choices=sorted(SABOTAGES), default="", help="break one rule on purpose"
    )
    verb.add_argument("--workers", type=_positive, help="processes; default: one for each core")
    verb.add_argument("--trace", action="store_true", help="show the story of a single seed")
    verb.add_argument("--no-shrink", action="store_true", help="show a failing story as it is")
    verb.add_argument("--json", action="store_true", help="one JSON object instead of lines")
    verb.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Play; return the exit code."""
    started = time.monotonic()
    # Whoever stops a run stops the processes that it started, too.
    signal.signal(signal.SIGTERM, _interrupt)
    if arguments.seeds == 1:
        return _run_one(arguments)
    seeds = range(arguments.seed, arguments.seed + arguments.seeds)
    played = 0
    with _progress(Console(stderr=True), arguments) as progress:
        task = progress.add_task(f"{arguments.mode} seeds", total=len(seeds))

        def show(so_far: Tally) -> None:
            nonlocal played
            played = so_far.seeds
            _show(so_far, progress, task, arguments, started)

        try:
            tally = play_many(
                seeds,
                arguments.mode,
                arguments.sabotage,
                workers=arguments.workers or 0,
                progress=show,
            )
        except KeyboardInterrupt:
            sys.stderr.write(f"stopped after {played} of {arguments.seeds} seeds\n")
            raise
        except WorkerEndedError as error:
            sys.stderr.write(f"huntgroup sim: after {played} of {arguments.seeds} seeds {error}\n")
            return EXIT_FAILED
    _tell(tally, arguments, time.monotonic() - started)
    if not arguments.json:
        for failed in tally.violated[1:]:
            _write(f"VIOLATION in seed {failed.plan.seed}: {failed.violation}")
            _write(f"Again: {_again(failed, arguments.sabotage)}")
        for failed in tally.violated[:1]:
            _explain(failed, arguments)
    return EXIT_VIOLATED if tally.violated else EXIT_CLEAN


def _interrupt(number: int, frame: object) -> None:
    del number, frame
    raise KeyboardInterrupt


def _show(
    so_far: Tally, progress: Progress, task: TaskID, arguments: argparse.Namespace, started: float
) -> None:
    """Say how far it is: a bar on a terminal, else a line on standard error now and then."""
    progress.update(task, completed=so_far.seeds)
    if progress.disable and time.monotonic() - started > PLAIN_AFTER_S:
        sys.stderr.write(
            f"{so_far.seeds}/{arguments.seeds} seeds, {len(so_far.violated)} violations\n"
        )


def _progress(console: Console, arguments: argparse.Namespace) -> Progress:
    return Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
        console=console,
        transient=True,
        disable=arguments.json or not console.is_terminal,
    )


def _run_one(arguments: argparse.Namespace) -> int:
    verdict = play_seed(arguments.seed, arguments.mode, arguments.sabotage)
    if arguments.json:
        _write_json(_described(verdict, arguments.sabotage) | {"trace": verdict.trace})
    elif verdict.violation:
        _explain(verdict, arguments)
    else:
        if arguments.trace:
            _write_trace(verdict.trace)
        _write(f"seed {arguments.seed}: no violation in {verdict.steps} steps, {verdict.digest}")
    return EXIT_VIOLATED if verdict.violation else EXIT_CLEAN


def _tell(tally: Tally, arguments: argparse.Namespace, seconds: float) -> None:
    per_minute = tally.seeds / seconds * 60
    if arguments.json:
        _write_json(
            {
                "mode": arguments.mode,
                "first_seed": arguments.seed,
                "seeds": tally.seeds,
                "steps": tally.steps,
                "steps_min": tally.steps_min,
                "seconds": round(seconds, 1),
                "seeds_per_minute": round(per_minute),
                "counts": dict(sorted(tally.counts.items())),
                "violations": [_described(one, arguments.sabotage) for one in tally.violated],
            }
        )
        return
    _write(
        f"{tally.seeds} seeds, {tally.steps} steps (at least {tally.steps_min} each) in {seconds:.1f} s: "
        f"{per_minute:.0f} seeds a minute, {len(tally.violated)} violations"
    )
    if tally.seeds < arguments.seeds:
        _write(f"  stopped after {tally.seeds} of {arguments.seeds} seeds: a violation is enough")
    if arguments.sabotage and tally.violated:
        _write(f"  {arguments.sabotage} was caught, as it must be")
    _write("  " + ", ".join(f"{name} {tally.counts[name]}" for name in SHOWN_COUNTS))


def _explain(failed: Verdict, arguments: argparse.Namespace) -> None:
    """Show the violation, the story in short, and the command that plays it again."""
    seed = failed.plan.seed
    _write(f"VIOLATION in seed {seed}: {failed.violation}")
    shown = failed
    if not arguments.no_shrink:
        shown = play_shrunk(failed, arguments.sabotage)
        left = ", ".join(f"{one.kind} {one.target}" for one in shown.plan.faults) or "no fault"
        _write(f"It needs {len(shown.plan.names())} of {len(failed.plan.names())} things: {left}")
        if shown.violation != failed.violation:
            rule = "the same rule" if words_of(shown) == words_of(failed) else "another rule"
            _write(f"The smaller story below violates {rule}: {shown.violation}")
    _write_trace(shown.trace[-LINES_SHOWN:])
    _write(f"Again: {_again(failed, arguments.sabotage)}")


def _again(failed: Verdict, sabotage: str) -> str:
    seed = f"--seeds 1 --seed {failed.plan.seed} --mode {failed.mode}"
    return f"huntgroup sim {seed}" + (f" --sabotage {sabotage}" if sabotage else "")


def _described(verdict: Verdict, sabotage: str) -> dict[str, Any]:
    return {
        "seed": verdict.plan.seed,
        "mode": verdict.mode,
        "violation": verdict.violation,
        "steps": verdict.steps,
        "digest": verdict.digest,
        "again": _again(verdict, sabotage),
    }


def _write_trace(lines: list[str]) -> None:
    for line in lines:
        _write(line if len(line) <= WIDTH else f"{line[: WIDTH - 1]}…")


def _write(line: str) -> None:
    sys.stdout.write(f"{line}\n")


def _write_json(found: dict[str, Any]) -> None:
    _write(json.dumps(found))


def _positive(text: str) -> int:
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError(f"{text} must be 1 or more")
    return number
