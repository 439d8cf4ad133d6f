"""`huntgroup chaos`: injects faults into a cluster of real processes under load, and says whether anything was lost."""

import argparse
import asyncio
import json
import logging
import os
import shlex
import shutil
import signal
import sys
import tempfile
import time
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Final

import uvloop

from huntgroup_onebox.bench.machine import machine
from huntgroup_onebox.box import SERVICES
from huntgroup_onebox.chaos.faults import FAULTS
from huntgroup_onebox.chaos.results import Series, page, text
from huntgroup_onebox.chaos.run import Run
from huntgroup_onebox.chaos.tiny_disk import NoTinyDiskError, enter_namespace
from huntgroup_runtime.local_kafka_install import LocalKafkaUnavailableError

EXIT_CLEAN, EXIT_VIOLATED, EXIT_BAD_INPUT = 0, 1, 2
KILLS, KILLS_MAX = 20, 1_000
SEED: Final = 1
KAFKA_LOGGERS: Final = ("huntgroup_eventlog.librdkafka", "aiokafka")


def add_parser(verbs: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the verb."""
    verb = verbs.add_parser(
        "chaos",
        help="kill, freeze and fill what a cluster rests on, under load, and audit it",
        description="Exit code 0: nothing was lost; 1: something was; 2: it cannot run here.",
    )
    verb.add_argument(
        "--faults",
        type=_faults,
        default=list(FAULTS),
        metavar="NAME,…",
        help=f"which ones: {', '.join(FAULTS)}; default: all",
    )
    verb.add_argument(
        "--kills",
        type=_kills,
        default=KILLS,
        metavar="N",
        help=f"kills of each owner; SIGTERM, brokers and disks half as often, SIGSTOP a tenth; default {KILLS}",
    )
    verb.add_argument(
        "--services",
        type=_services,
        default=list(SERVICES),
        metavar="NAME,…",
        help="whose owners are killed, stopped and frozen; default: all",
    )
    verb.add_argument("--seed", type=int, default=SEED, help="draws the moments; default 1")
    verb.add_argument("--data", type=Path, help="keep logs here; default: a temporary folder")
    verb.add_argument("--json", action="store_true", help="one JSON object instead of lines")
    verb.add_argument("--page", type=Path, metavar="FILE", help="write the results as Markdown")
    verb.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Inject the faults; return the exit code."""
    if "full-disk" in arguments.faults:
        enter_namespace()
    try:
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            return runner.run(chaos(arguments))
    except (LocalKafkaUnavailableError, NoTinyDiskError) as error:
        sys.stderr.write(f"huntgroup chaos: {error}\n")
        return EXIT_BAD_INPUT
    except asyncio.CancelledError:
        return EXIT_VIOLATED


async def chaos(arguments: argparse.Namespace) -> int:
    """Inject the faults one after another, and write what came of them."""
    for name in KAFKA_LOGGERS:
        # That a broker is gone is what is done here; without a handler each client would say so on standard error.
        logging.getLogger(name).addHandler(logging.NullHandler())
    task = asyncio.current_task()
    assert task is not None
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, task.cancel)
    folder = arguments.data or Path(tempfile.mkdtemp(prefix="huntgroup-chaos-"))
    began_s = time.monotonic()
    series: list[Series] = []

    def finished(one: Series) -> None:
        series.append(one)
        if arguments.page is not None:
            where = _where(time.monotonic() - began_s)
            arguments.page.write_text(page(series, _command(arguments), where))

    shared = Run(
        folder=folder.absolute(),
        seed=str(arguments.seed),
        kills=arguments.kills,
        services=arguments.services,
        say=_say,
        finished=finished,
    )
    for name in arguments.faults:
        await FAULTS[name](shared)
    clean = all(one.clean for one in series)
    seconds = time.monotonic() - began_s
    if arguments.json:
        values = {
            "clean": clean,
            "seed": arguments.seed,
            "seconds": round(seconds, 1),
            "series": [one.values() for one in series],
        }
        sys.stdout.write(json.dumps(values) + "\n")
    else:
        verdict = "nothing was lost" if clean else f"see the logs in {folder}"
        sys.stdout.write(f"{text(series)}\n{verdict}; {seconds:.0f} s\n")
    if clean and arguments.data is None:
        shutil.rmtree(folder, ignore_errors=True)
    return EXIT_CLEAN if clean else EXIT_VIOLATED


def _where(seconds: float) -> str:
    on = machine()
    return (
        f"One run, on {on['at'][:10]}: {seconds / 60:.0f} minutes on {os.cpu_count()} cores ({on['cpu']}), which also\n"
        "carried the brokers, all ten service processes and the clients. Load average of its last quarter of an hour:"
        f" {os.getloadavg()[2]:.0f}.\nTimes are those of a machine that is as busy as that."
    )


def _command(arguments: argparse.Namespace) -> str:
    options = [f"--kills {arguments.kills}", f"--seed {arguments.seed}"]
    if list(arguments.faults) != list(FAULTS):
        options.insert(0, f"--faults {','.join(arguments.faults)}")
    options.append(f"--page {shlex.quote(str(arguments.page))}")
    return f"make chaos ARGS={shlex.quote(' '.join(options))}"


def _faults(value: str) -> Sequence[str]:
    return _chosen(value, FAULTS)


def _services(value: str) -> Sequence[str]:
    return _chosen(value, SERVICES)


def _chosen(value: str, known: Iterable[str]) -> Sequence[str]:
    names = value.split(",")
    for name in names:
        if name not in known:
            raise argparse.ArgumentTypeError(f"{name!r} is none of {', '.join(known)}")
    return names


def _kills(value: str) -> int:
    if not value.isdecimal() or not 1 <= int(value) <= KILLS_MAX:
        raise argparse.ArgumentTypeError(f"{value!r} is no number from 1 to {KILLS_MAX}")
    return int(value)


def _say(line: str) -> None:
    sys.stderr.write(line + "\n")
    sys.stderr.flush()
