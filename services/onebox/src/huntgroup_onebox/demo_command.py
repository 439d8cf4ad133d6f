"""`huntgroup demo`: a day of calls, played through the public API, with its report and the auditor's verdict."""

import argparse
import asyncio
import json
import math
import shutil
import sys
import tempfile
import time
from datetime import date
from pathlib import Path

import uvloop
from rich.console import Console

from huntgroup_agent_state.settings import AgentStateSettings
from huntgroup_eventlog.adapters.embedded import EmbeddedLog
from huntgroup_eventlog.port import LogCorruptError, LogUnavailableError
from huntgroup_loadtest.api import Api
from huntgroup_loadtest.arrivals import ArrivalsError, Day, bank_weekday, midnight_ms, read_day
from huntgroup_loadtest.behaviour import MINUTE_MS
from huntgroup_loadtest.play import Played, Player
from huntgroup_loadtest.report import DayReport, day_report
from huntgroup_loadtest.timeline import Timeline
from huntgroup_loadtest.wallboard import Wallboard
from huntgroup_onebox.audit import AuditReport, audit
from huntgroup_onebox.audit.beside import Beside
from huntgroup_onebox.audit.database import ReportingDatabase
from huntgroup_onebox.box import SERVICES, Box, directory_problem
from huntgroup_onebox.cluster_command import ClusterFile
from huntgroup_onebox.demo_cluster import ClusterUnreachableError, play_on_cluster
from huntgroup_runtime.clock import Activity, VirtualClock
from huntgroup_runtime.logs import configure_logs

PIPE_WIDTH = 110
DOMAIN = "demo/bank"
EXPLAIN = ".venv/bin/huntgroup explain"
AGENTS, AGENTS_MAX = 12, 500
READY_WITHIN_S, SETTLED_WITHIN_S = 60.0, 60.0
HEARTBEAT_MS, LEASE_MS = 360_000, 780_000
"""A day has many quiet minutes: heartbeats that are rarer than on real desktops make it shorter to play."""
EXIT_OK, EXIT_FAILED, EXIT_BAD_INPUT = 0, 1, 2


def add_parser(verbs: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the verb."""
    verb = verbs.add_parser("demo", help="play a day of calls and audit it")
    verb.add_argument(
        "--arrivals", type=Path, metavar="FILE", help="CSV, wide or long; else a bank's weekday"
    )
    verb.add_argument(
        "--day", type=date.fromisoformat, metavar="DATE", help="a day of FILE; else the busiest"
    )
    verb.add_argument(
        "--speed",
        type=_positive,
        help="day-seconds per second: at most (onebox; default: as fast as it goes), or exactly (cluster; 200)",
    )
    verb.add_argument(
        "--agents", type=_agents, default=AGENTS, help=f"1 to {AGENTS_MAX}, default {AGENTS}"
    )
    verb.add_argument(
        "--seed", type=int, default=1, help="the same seed plays the same callers and agents"
    )
    verb.add_argument(
        "--data", type=Path, metavar="DIR", help="keep the log there (a new or empty directory)"
    )
    verb.add_argument("--plain", action="store_true", help="lines instead of a picture")
    verb.add_argument("--json", type=Path, metavar="FILE", help="write the report for programs")
    verb.add_argument(
        "--target",
        default="onebox",
        help="`onebox` (started here), or `cluster` (started by `make cluster` or `make up`)",
    )
    verb.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Play; 0: played and clean, 1: failed or a rule was broken, 2: bad input, nothing was started."""
    try:
        day = _day(arguments)
        _check_target(arguments)
    except (ArrivalsError, ValueError) as error:
        sys.stderr.write(f"huntgroup demo: {error}\n")
        return EXIT_BAD_INPUT
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return runner.run(_play(arguments, day))


def _positive(text: str) -> float:
    value = float(text)
    if not math.isfinite(value) or value <= 0:
        raise argparse.ArgumentTypeError(f"{text} is no positive number")
    return value


def _agents(text: str) -> int:
    value = int(text)
    if not 1 <= value <= AGENTS_MAX:
        raise argparse.ArgumentTypeError(f"{text} is not between 1 and {AGENTS_MAX}")
    return value


def _day(arguments: argparse.Namespace) -> Day:
    if arguments.arrivals is not None:
        day = read_day(arguments.arrivals, arguments.day, arguments.seed)
    elif arguments.day is not None:
        raise ValueError("--day needs --arrivals")
    else:
        day = bank_weekday(arguments.seed)
    if not day.arrivals_ms:
        raise ValueError(f"{day.date} has no calls")
    return day


def _check_target(arguments: argparse.Namespace) -> None:
    if arguments.target not in ("onebox", "cluster"):
        raise ValueError(f"--target {arguments.target}: must be onebox or cluster")
    if arguments.target == "cluster" and arguments.data:
        raise ValueError("--data is for onebox; a cluster keeps its own log")
    data: Path | None = arguments.data
    if data is not None and (problem := directory_problem(data)):
        raise ValueError(f"--data {problem}")
    if data is not None and data.exists() and (not data.is_dir() or any(data.iterdir())):
        raise ValueError(f"--data {data}: must be a new or empty directory")
    report: Path | None = arguments.json
    if report is not None and not report.absolute().parent.is_dir():
        raise ValueError(f"--json {report}: its directory does not exist")
    if report is not None and report.is_dir():
        raise ValueError(f"--json {report}: is a directory")


async def _play(arguments: argparse.Namespace, day: Day) -> int:
    started = time.monotonic()
    console = Console()
    if not console.is_terminal:
        console = Console(width=PIPE_WIDTH)
    plain = arguments.plain or not console.is_terminal
    # A machine that stands still for a moment is no news to a viewer; a halted partition is.
    configure_logs(service="demo", level="critical", style="console")
    try:
        if arguments.target == "cluster":
            played, timeline, verdict = await play_on_cluster(arguments, day, console, plain=plain)
        else:
            played, timeline, verdict = await _on_onebox(arguments, day, console, plain=plain)
    except (LogUnavailableError, LogCorruptError, ClusterUnreachableError) as error:
        sys.stderr.write(f"huntgroup demo: {error}\n")
        return EXIT_BAD_INPUT
    report = day_report(played.report, timeline)
    seconds = time.monotonic() - started
    for table in report.tables():
        console.print(table)
    _say_end(console, played, verdict, seconds)
    _say_more(console, arguments, played.contact_id)
    if arguments.json is not None:
        _write_json(arguments.json, day, report, played, verdict=verdict, seconds=seconds)
    return EXIT_OK if verdict.clean else EXIT_FAILED


async def _on_onebox(
    arguments: argparse.Namespace, day: Day, console: Console, *, plain: bool
) -> tuple[Played, Timeline, AuditReport]:
    start_ms = midnight_ms(day.date) + day.opens_ms
    clock = VirtualClock(start_ms - 2 * MINUTE_MS)
    directory: Path = arguments.data or Path(tempfile.mkdtemp(prefix="huntgroup-demo-"))
    try:
        # Without --data nobody will read the log after a power cut, so none is waited for.
        durability = "power" if arguments.data else "process"
        box = Box.in_directory(
            directory,
            clock=clock,
            grpc_listen="127.0.0.1:0",
            http_listen="127.0.0.1:0",
            log_durability=durability,
        )
        timeline = Timeline(
            clock=clock, activity=Activity(), start_ms=start_ms, opens_ms=day.opens_ms, speed=1.0
        )
        addresses = dict.fromkeys(SERVICES, box.address)
        api = Api(addresses, domain=DOMAIN, run=f"demo-{arguments.seed}", timeline=timeline)
        player = Player(api, day, agents=arguments.agents, seed=arguments.seed)
        desktops = AgentStateSettings(
            desktop_heartbeat_interval_ms=HEARTBEAT_MS, desktop_lease_ms=LEASE_MS
        )
        await box.wire(huntgroup_agent_state=desktops)
        await box.process.start()
        try:
            await box.ready(READY_WITHIN_S)
            quiet = Quiet(box, timeline, player)
            driving = asyncio.create_task(clock.run(quiet, arguments.speed or 0.0), name="clock")
            with Wallboard(console, timeline, plain=plain) as wallboard:
                played = await player.play(wallboard.show, lambda: box.settled(SETTLED_WITHIN_S))
            driving.cancel()
        finally:
            await api.close()
            await box.stop()
        verdict = await _audited(directory, played.acknowledged)
    finally:
        if arguments.data is None:
            shutil.rmtree(directory, ignore_errors=True)
    return played, timeline, verdict


async def _audited(directory: Path, acked: list[tuple[str, str]]) -> AuditReport:
    """Audit the log and what is beside it, once the day is over."""
    beside = Beside.of(directory)
    log = EmbeddedLog.open_read_only(directory)
    try:
        async with ReportingDatabase(beside.database or "") as database:
            return await audit(
                log,
                snapshots=beside.open_snapshots(),
                snapshots_in_memory=beside.snapshots is None,
                vault=beside.open_vault(),
                database=database,
                acked=acked,
                ended=True,
            )
    finally:
        await log.close()


class Quiet:
    """Tells whether nothing is under way: not in the services, not in the actors, not between them.

    Messages on desktop streams are counted at both ends. A desktop that was cut off takes some to its grave; a
    difference that stays for a while is taken for such.
    """

    SETTLED_S = 0.05

    def __init__(self, box: Box, timeline: Timeline, player: Player) -> None:
        self._box, self._timeline, self._player = box, timeline, player
        self._lost = (0, 0)
        self._differs_since_s = 0.0

    def __call__(self) -> bool:
        if self._timeline.activity.under_way or not self._box.idle():
            return False
        sent, received = self._box.desktop_messages()
        agents = self._player.agents
        difference = (
            sent - sum(agent.messages_received for agent in agents),
            sum(agent.messages_sent for agent in agents) - received,
        )
        if difference == self._lost:
            self._differs_since_s = 0.0
            return True
        now_s = time.monotonic()
        if not self._differs_since_s:
            self._differs_since_s = now_s
        elif now_s - self._differs_since_s > self.SETTLED_S:
            self._lost = difference
        return False


def _say_end(console: Console, played: Played, verdict: AuditReport, seconds: float) -> None:
    done = " · ".join(f"{name} {count:,}" for name, count in sorted(played.counts.items()))
    console.print(f"callers and agents: {done}", style="dim", highlight=False, soft_wrap=True)
    for line in verdict.lines:
        console.print(str(line), highlight=False, soft_wrap=True)
    style = "bold green" if verdict.clean else "bold red"
    word = "clean" if verdict.clean else "VIOLATED"
    console.print(f"auditor: {word}", style=style, highlight=False)
    console.print(f"played and audited in {seconds:.1f} s", style="dim", highlight=False)


def _say_more(console: Console, arguments: argparse.Namespace, contact_id: str) -> None:
    """Say what the figures mean, what was audited, and what to do next."""
    lines = ["figures: docs/reference/kpi.md; the auditor's lines: docs/reference/verify.md"]
    if arguments.target == "cluster":
        lines.append("the audit covers the cluster's whole log, earlier runs included")
        where = f"--kafka {ClusterFile.read().kafka}"
    elif arguments.data is None:
        lines.append("keep the log with --data DIR, then: .venv/bin/huntgroup verify DIR")
        where = ""
    else:
        lines.append(f"the log is in {arguments.data}: .venv/bin/huntgroup verify {arguments.data}")
        where = str(arguments.data)
    if contact_id and not where:
        lines.append(
            f"why a call went to whom: with --data DIR, too, then: {EXPLAIN} {contact_id} DIR"
        )
    elif contact_id:
        lines.append(f"why a call went to whom: {EXPLAIN} {contact_id} {where}")
    for line in lines:
        console.print(line, style="dim", highlight=False, soft_wrap=True)


def _write_json(
    file: Path,
    day: Day,
    report: DayReport,
    played: Played,
    *,
    verdict: AuditReport,
    seconds: float,
) -> None:
    values = {
        "date": str(day.date),
        "calls": len(day.arrivals_ms),
        "report": report.values(),
        "counts": dict(sorted(played.counts.items())),
        "audit": {"clean": verdict.clean, "lines": [str(line) for line in verdict.lines]},
        "seconds": round(seconds, 3),
    }
    file.write_text(json.dumps(values, indent=2) + "\n", encoding="utf-8")
