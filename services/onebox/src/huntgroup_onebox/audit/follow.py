"""The continuous auditor: reads on as the log grows, judges between two readings, and tells every violation once."""

import asyncio
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Final

import structlog

from huntgroup_contracts.registry import SERVICES
from huntgroup_eventlog.application import Application
from huntgroup_eventlog.partitioning import partition_of
from huntgroup_eventlog.port import LogUnavailableError
from huntgroup_onebox.audit.auditor import (
    SelfExamining,
    find_interval,
    reporting_with,
    service_applications,
    tell_unchecked,
)
from huntgroup_onebox.audit.checks import Scope
from huntgroup_onebox.audit.database import DatabaseUnavailableError
from huntgroup_onebox.audit.partition import PartitionAudit
from huntgroup_onebox.audit.reading import Ends, find_ends
from huntgroup_onebox.audit.replay import INVARIANT as REPLAY
from huntgroup_onebox.audit.report import INVARIANTS, NOT_APPLICABLE, Violation
from huntgroup_runtime.telemetry import Telemetry

GRACE_MS: Final = 60_000
EVERY_MS: Final = 2_000
BESIDE_EVERY_S: Final = 30.0
EXAMINED_EVERY_S: Final = 3_600.0
SHARE_MAX: Final = 0.05
"""Looking beside the log, and examining its files, may take this share of the time."""
LOGGED_MAX: Final = 1_000
"""So many violations of one invariant are logged; all are counted."""
READY_WITHIN_S: Final = 60.0
"""Whoever has not finished a round for so long is not ready."""

_log = structlog.stdlib.get_logger(__name__)


class Seldom:
    """Says when something is due again that takes its time."""

    def __init__(self, every_s: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._every_s = every_s
        self._clock = clock
        self._due_s = clock()
        self._begun_s = 0.0

    def begin(self) -> bool:
        """Return whether it is due; then it begins now."""
        self._begun_s = self._clock()
        return self._begun_s >= self._due_s

    def done(self) -> None:
        """Say that it is done: it is due again after a while, the longer it took the later."""
        now_s = self._clock()
        self._due_s = now_s + max(self._every_s, (now_s - self._begun_s) / SHARE_MAX)


class Follower:
    """Follows one log. What it finds goes to the findings of its scope, to the log of the process, and to metrics."""

    def __init__(
        self,
        scope: Scope,
        telemetry: Telemetry,
        *,
        interval_ms: int | None,
        every_ms: int,
        applications: Mapping[str, Application] | None = None,
    ) -> None:
        """`interval_ms` is that of the ledger; None: as its entries show. `applications` are the services' own."""
        self._scope = scope
        self._applications = applications
        self._interval_ms = interval_ms
        self._every_s = every_ms / 1_000
        self._partitions: list[PartitionAudit] = []
        self._beside, self._examined = Seldom(BESIDE_EVERY_S), Seldom(EXAMINED_EVERY_S)
        self._passed_s = 0.0
        self._database_away = False
        self._violations = {
            number: telemetry.counter("huntgroup.audit.violations", {"invariant": str(number)})
            for number in INVARIANTS
            if number not in NOT_APPLICABLE
        }
        self._unchecked = {
            number: telemetry.gauge("huntgroup.audit.unchecked", {"invariant": str(number)})
            for number in self._violations
        }
        self._records = telemetry.counter("huntgroup.audit.records")
        self._lag = telemetry.gauge("huntgroup.audit.lag")
        self._last_pass = telemetry.gauge("huntgroup.audit.last.pass")
        scope.findings.told = self._tell

    @property
    def ready(self) -> bool:
        """Whether everything there was, in the database too, had been audited a moment ago."""
        return bool(self._passed_s) and time.monotonic() - self._passed_s < READY_WITHIN_S

    def state(self) -> Mapping[str, object]:
        """Return what /readyz says."""
        broken = {str(number): one.value for number, one in self._violations.items() if one.value}
        return {
            "ready": self.ready,
            "lag": self._lag.value,
            "violations": broken,
            "not_checked": self._not_checked(),
        }

    def _not_checked(self) -> dict[str, list[str]]:
        unchecked = self._scope.findings.unchecked
        return {str(number): list(parts) for number, parts in sorted(unchecked.items())}

    async def run(self) -> None:
        """Follow until cancelled."""
        try:
            while True:
                started_s = time.monotonic()
                try:
                    await self.round()
                except LogUnavailableError as error:
                    _log.warning("audit_log_unavailable", error=str(error))
                    await self._let_go()
                await asyncio.sleep(max(0.0, self._every_s - (time.monotonic() - started_s)))
        finally:
            await self.close()

    async def close(self) -> None:
        """Let go of the log for good."""
        for partition in self._partitions:
            await partition.__aexit__()

    async def round(self) -> None:
        """Read what is new, and judge. Raises `LogUnavailableError`."""
        numbers = self._numbers()
        ends = await find_ends(self._scope.log, numbers)
        if not self._partitions:
            await self._begin(numbers, ends)
        self._lag.set(ends.records - sum(one.position for one in self._partitions))
        await self._examine()
        beside = self._beside.begin()
        self._database_away &= not beside
        for partition in self._partitions:
            await self._read(partition, ends, database=beside)
        for partition in self._partitions:
            await partition.judge()
        if beside:
            for partition in self._partitions:
                await partition.look_beside()
        for number, gauge in self._unchecked.items():
            gauge.set(len(self._scope.findings.unchecked.get(number, ())))
        if self._database_away:
            return  # it stays due, and this was no whole round
        if beside:
            self._beside.done()
        self._passed_s = time.monotonic()
        self._last_pass.set(int(time.time()))

    def _numbers(self) -> Sequence[int]:
        partitions, domain = self._scope.log.partitions, self._scope.domain
        return [partition_of(domain, partitions)] if domain else range(partitions)

    async def _begin(self, numbers: Sequence[int], ends: Ends) -> None:
        """Make what audits, once all journals are there: who has none is expected to say nothing."""
        scope = self._scope
        there = sorted({service for service, _ in ends.journals})
        if set(there) != set(SERVICES):
            raise LogUnavailableError(f"not all journals are there yet: {', '.join(there)}")
        scope.interval_ms = self._interval_ms or await find_interval(scope.log, numbers, ends)
        if self._applications is None:
            self._applications = service_applications(there, reporting_with(scope.interval_ms))
        scope.applications = self._applications
        tell_unchecked(scope)
        self._partitions = [PartitionAudit(number, scope, ends) for number in numbers]
        _log.info(
            "audit_begins",
            partitions=len(numbers),
            interval_ms=scope.interval_ms,
            not_checked=self._not_checked(),
        )

    async def _read(self, partition: PartitionAudit, ends: Ends, *, database: bool) -> None:
        try:
            await partition.read(ends, self._progress, database=database)
        except DatabaseUnavailableError as error:
            _log.warning("audit_database_unavailable", error=str(error))
            self._database_away = True
            await partition.read(ends, self._progress, database=False)

    def _progress(self, more: int) -> None:
        self._records.add(more)
        self._lag.set(max(0, self._lag.value - more))

    async def _examine(self) -> None:
        """Have the log examine the structure of its files, now and then."""
        log = self._scope.log
        if isinstance(log, SelfExamining) and self._examined.begin():
            for fault in await log.faults():
                self._scope.findings.violation(REPLAY, None, "", fault)
            self._examined.done()

    async def _let_go(self) -> None:
        for partition in self._partitions:
            await partition.let_go()

    def _tell(self, violation: Violation) -> None:
        counter = self._violations[violation.invariant]
        counter.add()
        if counter.value <= LOGGED_MAX:
            values = violation.values()
            name, _ = INVARIANTS[violation.invariant]
            _log.error("invariant_violated", name=name, **values)
