"""Reads a whole log and checks the invariants it must keep: partition by partition, each journal in one go.

Reporting's journal comes first in each partition: it says how far it has taken in the others, and that is what its
figures can be held against. The other four follow, merged by log time, so that what belongs together is seen close
together and little has to be kept. Then each public topic is held against its journal.
"""

import gc
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import AsyncExitStack, contextmanager
from importlib import import_module
from pathlib import Path
from typing import Final

from obstore.exceptions import BaseError as StoreError

from huntgroup_contracts.registry import SERVICES, topic_events
from huntgroup_eventlog.application import Application
from huntgroup_eventlog.partitioning import partition_of
from huntgroup_eventlog.port import Log
from huntgroup_eventlog.snapshots import ObjectSnapshotStore, SnapshotStore
from huntgroup_onebox.audit.capacity import OfferedSlots, Reservations
from huntgroup_onebox.audit.commands import Acknowledged, Commands
from huntgroup_onebox.audit.consequences import Consequences
from huntgroup_onebox.audit.contacts import ContactLives
from huntgroup_onebox.audit.feed import Check, Feed
from huntgroup_onebox.audit.figures_expected import ExpectedFigures
from huntgroup_onebox.audit.figures_ledger import Ledger
from huntgroup_onebox.audit.isolation import Ids, Isolation
from huntgroup_onebox.audit.offers import EPSILON_MS, OfferOutcomes
from huntgroup_onebox.audit.publication import Publication, Publications
from huntgroup_onebox.audit.queue_order import QueueOrder
from huntgroup_onebox.audit.reading import (
    Ends,
    Entries,
    Progress,
    Records,
    by_time,
    find_ends,
    open_all,
)
from huntgroup_onebox.audit.replay import Replay, comparable
from huntgroup_onebox.audit.report import AuditReport, Findings, Place
from huntgroup_onebox.audit.totals import Totals, differing, explain
from huntgroup_onebox.box import SERVICES as PACKAGES
from huntgroup_reporting.settings import ReportingSettings
from huntgroup_runtime.settings import load_settings

FIGURES: Final = 6
EXPLAINED_MAX: Final = 5
"""For so many figures of a partition that differ the record to blame is looked for."""


async def audit(
    log: Log,
    *,
    snapshots_dir: Path | None = None,
    acked: Iterable[tuple[str, str]] | None = None,
    epsilon_ms: int = EPSILON_MS,
    ended: bool = False,
    interval_ms: int | None = None,
    domain: str = "",
    applications: Mapping[str, Application] | None = None,
    progress: Progress | None = None,
) -> AuditReport:
    """Audit what is in `log` now; the services may go on meanwhile. Nothing is written.

    `acked` is what clients were told to be done: (service, command id). With `domain` only that domain is checked.
    `epsilon_ms` of log time is what may pass before what follows by itself is there. `ended` says that the day is over:
    no contact may be live, no slot held, no offer open.
    `interval_ms` is that of the ledger (by default, as reporting is set here); `applications` fold the journals (by
    default, the five services). Raises `LogUnavailableError`.
    """
    started = time.monotonic()
    partitions: Sequence[int] = range(log.partitions)
    if domain:
        partitions = [partition_of(domain, log.partitions)]
    ends = await find_ends(log, partitions)
    reporting = load_settings(ReportingSettings)
    if interval_ms is not None:
        reporting = reporting.model_copy(update={"ledger_interval_ms": interval_ms})
    if applications is None:
        there = sorted({service for service, _ in ends.journals})
        applications = service_applications(there, reporting)
    auditor = _Auditor(
        log,
        ends,
        Findings(),
        applications=applications,
        snapshots=_snapshot_store(snapshots_dir),
        acknowledged=None if acked is None else Acknowledged(acked),
        epsilon_ms=epsilon_ms,
        ended=ended,
        interval_ms=reporting.ledger_interval_ms,
        domain=domain,
        progress=progress,
    )
    with _few_collections():
        for partition in partitions:
            await auditor.partition(partition)
    auditor.finish()
    return AuditReport.of(auditor.findings, time.monotonic() - started)


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


def _snapshot_store(directory: Path | None) -> SnapshotStore | None:
    if directory is None or not directory.is_dir():
        return None
    try:
        return ObjectSnapshotStore.from_url(directory.absolute().as_uri())
    except StoreError:
        return None


class _Auditor:
    """One audit: what all partitions share."""

    def __init__(
        self,
        log: Log,
        ends: Ends,
        findings: Findings,
        *,
        applications: Mapping[str, Application],
        snapshots: SnapshotStore | None,
        acknowledged: Acknowledged | None,
        epsilon_ms: int,
        ended: bool,
        interval_ms: int,
        domain: str,
        progress: Progress | None,
    ) -> None:
        self.findings = findings
        self._log = log
        self._ends = ends
        self._applications = applications
        self._snapshots = snapshots
        self._acknowledged = acknowledged
        self._epsilon_ms = epsilon_ms
        self._ended = ended
        self._interval_ms = interval_ms
        self._domain = domain
        self._progress = progress
        self._read = 0
        self._ids = Ids(findings)
        self._consequences: list[Consequences] = []
        self._others = [service for service in SERVICES if service != "reporting"]
        for what in ("partitions", "entries", "events", "ignored", "unreadable"):
            findings.saw(what, 0)

    async def partition(self, number: int) -> None:
        """Audit one partition."""
        self.findings.saw("partitions")
        publications = {
            service: self._publication(service, number)
            for service in SERVICES
            if (service, number) in self._ends.journals
        }
        ledger = Ledger(Totals(), self._interval_ms)
        shared: list[Check] = [
            Commands(self.findings, self._acknowledged),
            Isolation(self.findings, self._ids, self._log.partitions),
            Publications(publications),
        ]
        await self._journals(number, ["reporting"], [*shared, ledger])
        expected = self._expected(Totals(), ledger)
        consequences = Consequences(self.findings, {service for service, _ in self._ends.journals})
        self._consequences.append(consequences)
        checks: list[Check] = [
            *shared,
            ContactLives(self.findings, ended=self._ended),
            QueueOrder(self.findings),
            Reservations(self.findings, ended=self._ended),
            OfferedSlots(self.findings, ended=self._ended),
            OfferOutcomes(self.findings, self._epsilon_ms, ended=self._ended),
            consequences,
            expected,
        ]
        await self._journals(number, self._others, checks)
        for check in checks:
            check.finish()
        await self._judge_figures(number, expected.totals, ledger)
        for service, publication in publications.items():
            await self._public_topic(service, number, publication)

    def finish(self) -> None:
        """Judge what spans partitions."""
        self._ids.finish()
        now_ms = max((one.newest_ms for one in self._consequences), default=0)
        for one in self._consequences:
            one.judge(now_ms, self._epsilon_ms)
        if self._acknowledged is not None:
            self._acknowledged.finish(self.findings)

    # Journals.

    async def _journals(
        self, partition: int, services: Sequence[str], checks: Sequence[Check]
    ) -> None:
        """Read the journals of some services once, for the checks and for the replay."""
        feed = Feed(self.findings, checks, self._domain)
        async with AsyncExitStack() as stack:
            records = await open_all(stack, self._log, services, partition, self._ends)
            replays = {one.service: await self._replay(one) for one in records}
            journals = [Entries(one, one.service, self.findings) for one in records]
            before = 0
            async for entry in by_time(journals):
                self.findings.saw("entries")
                feed.take(entry)
                replay = replays[entry.service]
                if replay is not None:
                    replay.take(entry)
                before = self._tell(sum(one.position for one in records), before)
            self._tell(sum(one.end for one in records), before)
            for one in records:
                replay = replays[one.service]
                if replay is not None:
                    replay.finish(one.end)

    async def _replay(self, records: Records) -> Replay | None:
        service, partition = records.service, records.partition
        application = self._applications.get(service)
        if application is None or not records.end:
            return None
        stored = []
        if self._snapshots is not None:
            dumped = await self._snapshots.newest_first(service, partition)
            stored = comparable(self.findings, application, dumped)
        return Replay(
            self.findings,
            application,
            partition,
            topic=records.topic,
            middle=records.end // 2,
            stored=stored,
        )

    # Figures.

    def _expected(self, totals: Totals, ledger: Ledger) -> ExpectedFigures:
        return ExpectedFigures(totals, ledger.taken_in, ledger.counted_to_ms, self._interval_ms)

    async def _judge_figures(self, partition: int, expected: Totals, ledger: Ledger) -> None:
        """Compare the sums; where they differ read once more, to find the record that is to blame."""
        findings = self.findings
        findings.count(FIGURES, "ledger entries", ledger.entries)
        findings.count(FIGURES, "figures", len(ledger.totals.sums.keys() | expected.sums.keys()))
        cells = differing(expected.sums, ledger.totals.sums)
        if not cells:
            return
        probed = frozenset(cells[:EXPLAINED_MAX])
        again = Ledger(Totals(probed), self._interval_ms)
        await self._quietly(partition, ["reporting"], again)
        due = self._expected(Totals(probed), ledger)
        await self._quietly(partition, self._others, due)
        due.finish()
        for cell in cells:
            place, why = explain(cell, due.totals, again.totals)
            findings.violation(FIGURES, place, cell.domain, why)

    async def _quietly(self, partition: int, services: Sequence[str], check: Check) -> None:
        """Read some journals again, for one check, without counting anything twice."""
        unheard = Findings()
        feed = Feed(unheard, [check], self._domain)
        async with AsyncExitStack() as stack:
            records = await open_all(stack, self._log, services, partition, self._ends)
            async for entry in by_time([Entries(one, one.service, unheard) for one in records]):
                feed.take(entry)

    # Public topics.

    def _publication(self, service: str, partition: int) -> Publication:
        return Publication(
            self.findings,
            service,
            claims_below=self._ends.early[service, partition],
            partitions=self._log.partitions,
            domain=self._domain,
        )

    async def _public_topic(self, service: str, partition: int, publication: Publication) -> None:
        topic = topic_events(service)
        end = self._ends.events.get((service, partition), 0)
        async with Records(self._log, service, topic, partition, end) as records:
            before = 0
            while found := await records.next():
                for record in found:
                    place = Place(topic=topic, partition=partition, position=record.position)
                    publication.record(place, record)
                before = self._tell(records.position, before)
        publication.publication_over()

    def _tell(self, now: int, before: int) -> int:
        """Tell the progress after `before` became `now` records of what is read; return `now`."""
        if now != before:
            self._read += now - before
            if self._progress is not None:
                self._progress(self._read, self._ends.records)
        return now
