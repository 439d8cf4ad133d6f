"""The demo's day on a cluster that runs already: is it there, what is its ledger's interval, play, audit."""

import argparse
import asyncio
from dataclasses import dataclass

from rich.console import Console

from huntgroup.reporting.v1 import commands_pb2 as reporting_pb
from huntgroup.reporting.v1.service_pb2_grpc import ReportingServiceStub
from huntgroup_loadtest.api import Api
from huntgroup_loadtest.arrivals import HOUR_MS, Day
from huntgroup_loadtest.behaviour import MINUTE_MS
from huntgroup_loadtest.play import Played, Player
from huntgroup_loadtest.timeline import Timeline
from huntgroup_loadtest.wallboard import Wallboard
from huntgroup_onebox.audit import AuditReport, audit
from huntgroup_onebox.cluster_command import ClusterFile
from huntgroup_onebox.log_source import kafka_partitions
from huntgroup_runtime.clock import Activity, SystemClock
from huntgroup_runtime.rpc.client import RpcClient
from huntgroup_runtime.rpc.errors import RpcRefusedError

SPEED = 200.0
SETTLE_S, REACHED_WITHIN_S, LEAD_MS = 2.0, 5.0, 2_000
QUARTER_MS = 15 * MINUTE_MS


class ClusterUnreachableError(Exception):
    """There is no cluster to play on; the message says what does not answer and how to start one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """A cluster that answers."""

    file: ClusterFile
    domain: str
    """A new one, in which nothing has happened."""
    ledger_interval_ms: int


async def reach(domain: str) -> Target:
    """Return the cluster; raises `ClusterUnreachableError`, also for a file of no use, and `LogUnavailableError`."""
    try:
        file = ClusterFile.read()
    except ValueError as error:
        raise ClusterUnreachableError(str(error)) from error
    await asyncio.gather(*(_reach(service, file.addresses[service]) for service in file.addresses))
    await kafka_partitions(file.kafka)
    async with RpcClient(file.addresses["reporting"]) as client:
        stub = ReportingServiceStub(client.channel)
        nothing = reporting_pb.GetReportRequest(domain=domain, from_ms=0, to_ms=1)
        try:
            answer = await client.call(
                stub.GetReport, nothing, timeout_ms=round(REACHED_WITHIN_S * 1_000)
            )
        except RpcRefusedError as error:
            raise ClusterUnreachableError(f"reporting answers {error}") from error
    return Target(file=file, domain=domain, ledger_interval_ms=answer.interval_ms)


async def _reach(service: str, address: str) -> None:
    host, _, port = address.rpartition(":")
    try:
        async with asyncio.timeout(REACHED_WITHIN_S):
            _, writer = await asyncio.open_connection(host, int(port))
            writer.close()
    except (OSError, ValueError):
        raise ClusterUnreachableError(
            f"no cluster: {service} does not answer at {address}; start one with `make cluster` or `make up`"
        ) from None


def timeline_of(day: Day, speed: float, ledger_interval_ms: int) -> Timeline:
    """Return a timeline that starts soon, with an interval of the ledger when hours can be told apart by it."""
    clock = SystemClock()
    start_ms = clock.now_ms() + max(LEAD_MS, round(2 * MINUTE_MS / speed))
    if ledger_interval_ms * speed <= HOUR_MS:
        start_ms += -start_ms % ledger_interval_ms
    return Timeline(
        clock=clock, activity=Activity(), start_ms=start_ms, opens_ms=day.opens_ms, speed=speed
    )


def interval_warning(speed: float, ledger_interval_ms: int) -> str:
    """Return what is to be said when hours of the report will be inexact; empty when nothing is."""
    if QUARTER_MS / speed >= ledger_interval_ms:
        return ""
    return (
        f"at speed {speed:g} a quarter of an hour is shorter than the ledger's interval of {ledger_interval_ms} ms:"
        " the report's hours are inexact, its totals are not"
    )


async def play_on_cluster(
    arguments: argparse.Namespace, day: Day, console: Console, *, plain: bool
) -> tuple[Played, Timeline, AuditReport]:
    """Play and audit; raises what `reach` raises."""
    now_ms = SystemClock().now_ms()
    target = await reach(f"demo/bank-{now_ms}")
    speed = arguments.speed or SPEED
    if warning := interval_warning(speed, target.ledger_interval_ms):
        console.print(warning, style="yellow", highlight=False)
    timeline = timeline_of(day, speed, target.ledger_interval_ms)
    run_id = f"demo-{arguments.seed}-{now_ms}"
    api = Api(target.file.addresses, domain=target.domain, run=run_id, timeline=timeline)
    player = Player(api, day, agents=arguments.agents, seed=arguments.seed)
    try:
        with Wallboard(console, timeline, plain=plain) as wallboard:
            played = await player.play(wallboard.show, lambda: asyncio.sleep(SETTLE_S))
    finally:
        await api.close()
    log = target.file.open_log()
    try:
        verdict = await audit(log, acked=played.acknowledged, interval_ms=target.ledger_interval_ms)
    finally:
        await log.close()
    return played, timeline, verdict
