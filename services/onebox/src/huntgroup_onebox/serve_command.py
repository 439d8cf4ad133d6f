"""`huntgroup serve`: runs one service, or all five in one process, until told to stop."""

import argparse
import asyncio
import sys
from pathlib import Path

import uvloop

from huntgroup_eventlog.port import LogCorruptError, LogUnavailableError
from huntgroup_onebox.box import SERVICES, Box, directory_problem, wire_of
from huntgroup_runtime.logs import configure_logs
from huntgroup_runtime.process import run_service
from huntgroup_runtime.settings import SettingsError

EXIT_FAILED = 1


def add_parser(verbs: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the verb."""
    verb = verbs.add_parser(
        "serve", help="run one service, or `onebox`: all five in one process on an embedded log"
    )
    verb.add_argument("service", choices=[*SERVICES, "onebox"])
    verb.add_argument(
        "--data", type=Path, default=Path("var/onebox"), help="directory of onebox's log and files"
    )
    verb.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Serve; the environment (HUNTGROUP_…) configures it, see docs/reference/settings.md."""
    if arguments.service != "onebox":
        return run_service(arguments.service, wire_of(arguments.service))
    if problem := directory_problem(arguments.data):
        raise SettingsError(f"--data {problem}")
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        try:
            return runner.run(_onebox(arguments.data))
        except (LogUnavailableError, LogCorruptError) as error:
            sys.stderr.write(f"huntgroup serve: {error}\n")
            return EXIT_FAILED


async def _onebox(directory: Path) -> int:
    box = Box.in_directory(directory)
    configure_logs(
        service="onebox",
        level=box.process.settings.log_level,
        style=box.process.settings.log_format,
    )
    await box.wire()
    try:
        return await box.process.run_until_stopped()
    finally:
        await box.log.close()
