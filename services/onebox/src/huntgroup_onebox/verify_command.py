"""`huntgroup verify`: audits a log and says which invariants hold."""

import argparse
import asyncio
import json
import re
import sys
import time
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Final, Self

import uvloop
from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TaskProgressColumn, TextColumn

from huntgroup_contracts.registry import SERVICES
from huntgroup_eventlog.port import LogCorruptError, LogUnavailableError
from huntgroup_onebox.audit import AuditReport, audit
from huntgroup_onebox.audit.beside import Beside, MissingError
from huntgroup_onebox.audit.checks import Scope
from huntgroup_onebox.audit.database import DatabaseUnavailableError
from huntgroup_onebox.audit.follow import EVERY_MS, GRACE_MS
from huntgroup_onebox.audit.offers import EPSILON_MS
from huntgroup_onebox.audit.report import Findings
from huntgroup_onebox.audit_process import follow
from huntgroup_onebox.log_source import add_source, open_source, source_name, source_problem

EXIT_CLEAN: Final = 0
EXIT_VIOLATED: Final = 1
EXIT_UNREADABLE: Final = 2

PROGRESS_AFTER_S: Final = 2.0
PROGRESS_EVERY_S: Final = 0.1
PLAIN_EVERY_S: Final = 5.0
"""Without a terminal a line says how far it is, so often."""
DOMAIN: Final = re.compile(r"[a-z0-9]([a-z0-9-]*[a-z0-9])?/[a-z0-9]([a-z0-9-]*[a-z0-9])?")


class AckedFileError(ValueError):
    """The file of acknowledged commands cannot be used; the message names file and line."""


READING_FAILED: Final = (
    LogUnavailableError,
    LogCorruptError,
    DatabaseUnavailableError,
    MissingError,
    AckedFileError,
)


def add_parser(verbs: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the verb."""
    verb = verbs.add_parser(
        "verify",
        help="audit a log: every invariant, from what is in it",
        description="Exit code 0: clean; 1: an invariant is violated; 2: the log cannot be read.",
    )
    add_source(verb)
    verb.add_argument("--domain", type=domain_name, help="only this domain: tenant/domain")
    verb.add_argument(
        "--acked",
        type=Path,
        metavar="FILE",
        help='commands that clients were told to be done: lines of ["service", "command id"]',
    )
    _add_beside(verb)
    verb.add_argument(
        "--epsilon-ms",
        type=int,
        default=EPSILON_MS,
        help=f"how late what follows by itself may be there, in log time; default {EPSILON_MS}",
    )
    verb.add_argument(
        "--ended",
        action="store_true",
        help="the day is over: no contact may be live, no slot held, no offer open",
    )
    verb.add_argument(
        "--interval-ms",
        type=_milliseconds,
        help="the ledger's interval; default: as its entries show",
    )
    _add_follow(verb)
    verb.add_argument("--json", action="store_true", help="one JSON object instead of lines")
    verb.set_defaults(run=run)


def _add_beside(verb: argparse.ArgumentParser) -> None:
    verb.add_argument(
        "--snapshots",
        metavar="URL",
        help="stored snapshots: a directory, file:///directory or s3://bucket/prefix; default: DIR/snapshots",
    )
    verb.add_argument(
        "--recordings",
        metavar="URL",
        help="the store of recordings, file:///directory or s3://bucket/prefix; default: DIR/recordings",
    )
    verb.add_argument(
        "--reporting-database",
        metavar="URL",
        help="sqlite:////directory/file or postgresql://user@host/name; default: DIR/reporting.sqlite",
    )


def _add_follow(verb: argparse.ArgumentParser) -> None:
    verb.add_argument(
        "--follow",
        action="store_true",
        help="audit on as the log grows, until SIGTERM; violations are logged, /metrics is served",
    )
    verb.add_argument(
        "--grace-ms",
        type=_milliseconds,
        default=GRACE_MS,
        help=f"with --follow: how late what follows by itself may be there; default {GRACE_MS}",
    )
    verb.add_argument(
        "--every-ms",
        type=_milliseconds,
        default=EVERY_MS,
        help=f"with --follow: how often to read on; default {EVERY_MS}",
    )


def run(arguments: argparse.Namespace) -> int:
    """Audit; return the exit code."""
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return runner.run(verify(arguments))


async def verify(arguments: argparse.Namespace) -> int:
    """Audit, and write the report to standard output, or to standard error why there is none."""
    problem = source_problem(arguments)
    problem = problem or _contradiction(arguments)
    if problem:
        return _unreadable(problem)
    try:
        if arguments.follow:
            return await _follow(arguments)
        report = await _audit(arguments)
    except READING_FAILED as error:
        return _unreadable(str(error))
    if arguments.json:
        sys.stdout.write(json.dumps({"log": source_name(arguments)} | report.values()) + "\n")
    else:
        sys.stdout.write(f"{source_name(arguments)}: {report}\n")
    return EXIT_CLEAN if report.clean else EXIT_VIOLATED


def _contradiction(arguments: argparse.Namespace) -> str:
    """Return why options do not go together; empty when they do."""
    if arguments.acked is not None and arguments.domain:
        return "--acked needs the whole log: leave out --domain"
    if arguments.follow:
        chosen = [name for name in ("acked", "ended", "json") if getattr(arguments, name)]
        if chosen:
            return f"--follow has no end: leave out --{chosen[0]}"
    return ""


async def _follow(arguments: argparse.Namespace) -> int:
    beside = _beside(arguments)
    async with open_source(arguments) as log, AsyncExitStack() as stack:
        database = beside.open_database()
        if database is not None:
            await stack.enter_async_context(database)
        scope = Scope(
            log=log,
            findings=Findings(),
            applications={},
            epsilon_ms=arguments.epsilon_ms,
            interval_ms=0,
            snapshots=beside.open_snapshots(),
            snapshots_in_memory=beside.snapshots is None,
            vault=beside.open_vault(),
            database=database,
            domain=arguments.domain or "",
            grace_ms=arguments.grace_ms,
        )
        violated = await follow(
            scope,
            log_name=source_name(arguments),
            interval_ms=arguments.interval_ms,
            every_ms=arguments.every_ms,
        )
    return EXIT_VIOLATED if any(violated.values()) else EXIT_CLEAN


def _beside(arguments: argparse.Namespace) -> Beside:
    return Beside.of(
        arguments.directory,
        snapshots=arguments.snapshots,
        recordings=arguments.recordings,
        database=arguments.reporting_database,
    )


async def _audit(arguments: argparse.Namespace) -> AuditReport:
    acked = None if arguments.acked is None else read_acked(arguments.acked)
    beside = _beside(arguments)
    with ProgressBar(Console(stderr=True)) as bar:
        async with open_source(arguments) as log, AsyncExitStack() as stack:
            database = beside.open_database()
            if database is not None:
                await stack.enter_async_context(database)
            return await audit(
                log,
                snapshots=beside.open_snapshots(),
                snapshots_in_memory=beside.snapshots is None,
                vault=beside.open_vault(),
                database=database,
                acked=acked,
                epsilon_ms=arguments.epsilon_ms,
                ended=arguments.ended,
                interval_ms=arguments.interval_ms,
                domain=arguments.domain or "",
                progress=bar,
            )


def read_acked(file: Path) -> list[tuple[str, str]]:
    """Return the (service, command id) pairs of a file with one JSON array a line; raises `AckedFileError`."""
    commands = []
    try:
        lines = file.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise AckedFileError(f"{file} cannot be read: {error}") from error
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        try:
            service, command_id = json.loads(line)
        except (ValueError, TypeError):
            service, command_id = None, None
        if service not in SERVICES or not isinstance(command_id, str):
            raise AckedFileError(
                f'{file} line {number} is not ["service", "command id"]: {line[:80]}'
            )
        commands.append((service, command_id))
    return commands


def domain_name(text: str) -> str:
    """Return the name of a domain; for argparse."""
    if not DOMAIN.fullmatch(text):
        raise argparse.ArgumentTypeError(f"{text!r} is no domain such as acme/emea")
    return text


def _milliseconds(text: str) -> int:
    value = int(text)
    if value < 1:
        raise argparse.ArgumentTypeError(f"{text} is no length of an interval")
    return value


class ProgressBar:
    """Shows how far the reading is, when it takes longer than a moment: a bar, or lines where no terminal is."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._bar: Progress | None = None
        self._task = TaskID(0)
        self._next_s = time.monotonic() + PROGRESS_AFTER_S

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self._bar is not None:
            self._bar.stop()

    def __call__(self, done: int, total: int) -> None:
        """Show that `done` of `total` records are read."""
        now_s = time.monotonic()
        if now_s < self._next_s:
            return
        if not self._console.is_terminal:
            self._next_s = now_s + PLAIN_EVERY_S
            sys.stderr.write(f"{done:,} of {total:,} records\n")
            return
        self._next_s = now_s + PROGRESS_EVERY_S
        if self._bar is None:
            columns = (TextColumn("records"), BarColumn(), TaskProgressColumn())
            self._bar = Progress(*columns, console=self._console, transient=True)
            self._task = self._bar.add_task("audit", total=total)
            self._bar.start()
        self._bar.update(self._task, completed=done)


def _unreadable(why: str) -> int:
    sys.stderr.write(f"huntgroup verify: {why}\n")
    return EXIT_UNREADABLE
