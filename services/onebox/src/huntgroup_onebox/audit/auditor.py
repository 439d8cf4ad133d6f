"""Reads a whole log and checks the invariants it must keep, partition by partition, each journal in one go."""

import gc
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from importlib import import_module
from typing import Final, Protocol, runtime_checkable

from huntgroup_contracts.registry import topic_journal
from huntgroup_eventlog.application import Application
from huntgroup_eventlog.partitioning import partition_of
from huntgroup_eventlog.port import Log
from huntgroup_eventlog.snapshots import ObjectSnapshotStore
from huntgroup_onebox.audit.checks import Scope
from huntgroup_onebox.audit.commands import Acknowledged
from huntgroup_onebox.audit.database import ReportingDatabase
from huntgroup_onebox.audit.feed import Feed
from huntgroup_onebox.audit.interval import IntervalFinder
from huntgroup_onebox.audit.offers import EPSILON_MS
from huntgroup_onebox.audit.partition import PartitionAudit
from huntgroup_onebox.audit.reading import Ends, Entries, Progress, Records, by_time, find_ends
from huntgroup_onebox.audit.replay import INVARIANT as REPLAY
from huntgroup_onebox.audit.report import AuditReport, Findings
from huntgroup_onebox.box import SERVICES as PACKAGES
from huntgroup_recording.app.ports import RecordingVault
from huntgroup_reporting.settings import ReportingSettings
from huntgroup_runtime.settings import load_settings

INTERVAL_RECORDS: Final = 5_000
"""So many records of each partition of reporting's journal are looked at to find the interval."""


@runtime_checkable
class SelfExamining(Protocol):
    """A log that can say what is wrong with the structure of its own files."""

    async def faults(self) -> Sequence[str]:
        """Return a line for each fault."""
        ...


async def audit(
    log: Log,
    *,
    snapshots: ObjectSnapshotStore | None = None,
    snapshots_in_memory: bool = False,
    vault: RecordingVault | None = None,
    database: ReportingDatabase | None = None,
    acked: Iterable[tuple[str, str]] | None = None,
    epsilon_ms: int = EPSILON_MS,
    missing_ms: int | None = None,
    ended: bool = False,
    interval_ms: int | None = None,
    domain: str = "",
    applications: Mapping[str, Application] | None = None,
    progress: Progress | None = None,
) -> AuditReport:
    """Audit what is in `log` now; the services may go on meanwhile. Nothing is written.

    `acked` is what clients were told to be done: (service, command id). With `domain` only that domain is checked.
    `epsilon_ms` is what may pass of a journal's own log time before what follows by itself is in it; `missing_ms`,
    before what follows in another (by default, as much). `ended` says that the day is over: no contact may be live, no
    slot held, no offer open.
    `interval_ms` is that of the ledger (by default, as its entries show); `applications` fold the journals (by default,
    the five services). Without `vault`, `database` or `snapshots` what is in those is not looked at; snapshots are not
    missed where they are kept in memory. Raises `LogUnavailableError`, `DatabaseUnavailableError`.
    """
    started = time.monotonic()
    partitions: Sequence[int] = range(log.partitions)
    if domain:
        partitions = [partition_of(domain, log.partitions)]
    ends = await find_ends(log, partitions)
    findings = Findings()
    scope = Scope(
        log=log,
        findings=findings,
        applications={},
        epsilon_ms=epsilon_ms,
        missing_ms=epsilon_ms if missing_ms is None else missing_ms,
        interval_ms=interval_ms or await find_interval(log, partitions, ends),
        snapshots=snapshots,
        snapshots_in_memory=snapshots_in_memory,
        acknowledged=None if acked is None else Acknowledged(acked),
        vault=vault,
        database=database,
        domain=domain,
        ended=ended,
    )
    there = sorted({service for service, _ in ends.journals})
    if applications is None:
        applications = service_applications(there, reporting_with(scope.interval_ms))
    scope.applications = applications
    _begin(scope)
    with _few_collections():
        await _examine(scope)
        await _read_all(scope, partitions, ends, progress)
    return AuditReport.of(findings, time.monotonic() - started)


def _begin(scope: Scope) -> None:
    """Say at the beginning what will not be looked at."""
    for what in ("partitions", "entries", "events", "ignored", "unreadable"):
        scope.findings.saw(what, 0)
    tell_unchecked(scope)


def tell_unchecked(scope: Scope) -> None:
    """Say which parts of the invariants are not looked at for want of something to look into."""
    if scope.vault is None:
        scope.findings.does_not_check(5, "the store of recordings")
    if scope.database is None:
        scope.findings.does_not_check(6, "the reporting database")
    if scope.snapshots_in_memory:
        scope.findings.does_not_apply(7, "stored snapshots, which are kept in memory")
    elif scope.snapshots is None:
        scope.findings.does_not_check(7, "stored snapshots")


async def _examine(scope: Scope) -> None:
    """Have the log examine the structure of its files."""
    if isinstance(scope.log, SelfExamining):
        for fault in await scope.log.faults():
            scope.findings.violation(REPLAY, None, "", fault)


async def _read_all(
    scope: Scope, partitions: Sequence[int], ends: Ends, progress: Progress | None
) -> None:
    read = 0

    def tell(more: int) -> None:
        nonlocal read
        read += more
        if progress is not None:
            progress(read, ends.records)

    for number in partitions:
        scope.findings.saw("partitions")
        async with PartitionAudit(number, scope, ends) as partition:
            await partition.read(ends, tell)
            await partition.finish()
    scope.ids.finish()
    if scope.acknowledged is not None:
        scope.acknowledged.finish(scope.findings)


async def find_interval(log: Log, partitions: Sequence[int], ends: Ends) -> int:
    """Return the interval that the ledger's entries show; as reporting is set here where they leave it open."""
    finder, unheard = IntervalFinder(), Findings()
    feed = Feed(unheard, [finder])
    for partition in partitions:
        end = min(ends.journals.get(("reporting", partition), 0), INTERVAL_RECORDS)
        async with Records(log, "reporting", topic_journal("reporting"), partition) as records:
            records.end = end
            async for entry in by_time([Entries(records, "reporting", unheard)]):
                feed.take(entry)
    return finder.found(load_settings(ReportingSettings).ledger_interval_ms)


@contextmanager
def _few_collections() -> Iterator[None]:
    """Leave the garbage collector out for the time of the block: an audit makes no cycles, and it costs a quarter."""
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()


def reporting_with(interval_ms: int) -> ReportingSettings:
    """Return reporting's settings with intervals of this length."""
    return load_settings(ReportingSettings).model_copy(update={"ledger_interval_ms": interval_ms})


def service_applications(
    services: Sequence[str], reporting: ReportingSettings
) -> dict[str, Application]:
    """Return the services as their journals run them."""
    found = {}
    for service in services:
        wiring = import_module(f"{PACKAGES[service]}.wiring")
        settings = [reporting] if service == "reporting" else []
        found[service] = wiring.application(*settings)
    return found
