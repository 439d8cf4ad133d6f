"""Audits one partition, as far as it goes and then further: all that is kept of what was read so far.

Reporting's journal comes first in each round: it says how far it has taken in the others, and that is what its figures
can be held against. The other four follow, merged by log time, so that what belongs together is seen close together
and little has to be kept. Then each public topic is held against its journal.
"""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from contextlib import AsyncExitStack
from typing import Final, Self

import structlog

from huntgroup.journal.v1 import journal_pb2 as wire
from huntgroup_contracts.registry import SERVICES, topic_dlq, topic_events, topic_journal
from huntgroup_eventlog.partitioning import partition_of
from huntgroup_eventlog.port import LogCorruptError
from huntgroup_eventlog.snapshots import ObjectSnapshotStore
from huntgroup_onebox.audit.bounds import check_states
from huntgroup_onebox.audit.checks import Checks, Scope
from huntgroup_onebox.audit.database import Stored
from huntgroup_onebox.audit.feed import Check, Feed
from huntgroup_onebox.audit.figures_expected import ExpectedFigures
from huntgroup_onebox.audit.figures_ledger import Ledger
from huntgroup_onebox.audit.reading import Ends, Entries, Records, by_time, find_ends
from huntgroup_onebox.audit.replay import INVARIANT as REPLAY
from huntgroup_onebox.audit.replay import Replay, comparable
from huntgroup_onebox.audit.report import Findings, Place
from huntgroup_onebox.audit.stored import StoredSnapshots
from huntgroup_onebox.audit.vault import check_files

PROGRESS_EVERY: Final = 256
SNAPSHOTS_AWAY: Final = "stored snapshots that cannot be read"
SNAPSHOTS_WITHIN_S: Final = 10.0
"""A store that takes longer for the snapshots of one journal counts as away: clients of some repeat for minutes."""
SNAPSHOT_EVERY: Final = 20_000
"""Who follows a log folds a journal through a snapshot after so many positions."""
DAY_MS: Final = 86_400_000
DATABASE_SPAN_MS: Final = 2 * DAY_MS
"""Who follows a log looks at so much of the database, the newest intervals."""

_log = structlog.stdlib.get_logger(__name__)


class PartitionAudit:
    """One partition. Used as a context manager, which closes what it reads."""

    def __init__(self, number: int, scope: Scope, ends: Ends) -> None:
        self.number = number
        self.newest_ms = 0
        """Newest log time of a batch."""
        self._scope = scope
        self._forgot_ms = 0
        self._stack = AsyncExitStack()
        self._services = [one for one in SERVICES if (one, number) in ends.journals]
        self._journals: dict[str, Entries] = {}
        self._topics: list[Records] = []
        self._replays: dict[str, Replay] = {}
        self._stored: dict[str, StoredSnapshots] = {}
        self._told_damage: list[LogCorruptError] = []
        self._progress: Callable[[int], None] = lambda _more: None
        self._told = 0
        self._checks = Checks(number, scope, self._services, ends)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._stack.aclose()

    async def let_go(self) -> None:
        """Close what is open of the log; the next round opens it again, and goes on where this one was."""
        for records in self._all_records():
            await records.close()

    # Reading.

    @property
    def position(self) -> int:
        """How many positions were read, of all topics."""
        return sum(one.position for one in self._all_records())

    @property
    def damaged(self) -> bool:
        """Whether a journal cannot be read to its end."""
        return any(one.records.damage is not None for one in self._journals.values())

    async def read(
        self, ends: Ends, progress: Callable[[int], None], *, database: bool = True
    ) -> None:
        """Read everything up to `ends`; `progress` is told how many positions more were read.

        Without `database` the reporting database is left alone. Raises `LogUnavailableError`,
        `DatabaseUnavailableError`.
        """
        self._progress, self._told = progress, self.position
        stored = await self._read_database() if database else None
        if stored is not None:
            if stored.position > ends.journals["reporting", self.number]:
                ends = await find_ends(self._scope.log, [self.number])  # both went on meanwhile
            self._checks.database_rows.begin(stored)
        for service in self._services:
            await self._journal(service, ends.journals[service, self.number])
            self._checks.publications[service].go_on(ends.early[service, self.number])
        await self._feed(self._checks.of_reporting, ["reporting"])
        if stored is not None:
            await self._compare_database(stored)
        await self._feed(
            self._checks.of_others, [one for one in self._services if one != "reporting"]
        )
        for service in self._services:
            key = (service, self.number)
            await self._public_topic(service, ends.events.get(key, 0))
            await self._dead_letters(service, ends.letters.get(key, 0))
        self._tell_progress()
        self._tell_damage()

    async def _journal(self, service: str, end: int) -> None:
        """Open a journal, the first time, and have it read to `end`."""
        if service not in self._journals:
            scope = self._scope
            topic = topic_journal(service)
            records = Records(scope.log, service, topic, self.number)
            await self._stack.enter_async_context(records)
            self._journals[service] = Entries(records, service, scope.findings)
            replay = await self._replay(service, end)
            if replay is not None:
                self._replays[service] = replay
        self._journals[service].records.end = end

    async def _replay(self, service: str, end: int) -> Replay | None:
        scope = self._scope
        application = scope.applications.get(service)
        if application is None or not (end or scope.follow):
            return None
        stored = []
        if scope.snapshots is not None and not scope.follow:
            dumped = await self._snapshots_of(service, scope.snapshots) or {}
            stored = comparable(scope.findings, application, self.number, dumped)
        return Replay(
            scope.findings,
            application,
            self.number,
            topic=topic_journal(service),
            middle=SNAPSHOT_EVERY if scope.follow else end // 2,
            stored=stored,
            every=SNAPSHOT_EVERY if scope.follow else 0,
        )

    async def _feed(self, feed: Feed, services: Sequence[str]) -> None:
        findings = self._scope.findings
        journals = [self._journals[one] for one in services if one in self._journals]
        taken = 0
        async for entry in by_time(journals):
            taken += 1
            if not taken % PROGRESS_EVERY:
                self._tell_progress()
            findings.saw("entries")
            if isinstance(entry.kind, wire.Batch):
                self.newest_ms = max(self.newest_ms, entry.kind.at_ms)
            feed.take(entry)
            replay = self._replays.get(entry.service)
            if replay is not None:
                replay.take(entry)
            if self._scope.follow and feed is self._checks.of_others:
                self._forget(entry.kind.at_ms)

    def _forget(self, at_ms: int) -> None:
        """Have everybody forget, once a day of log time, what was over a day before."""
        if at_ms - self._forgot_ms >= DAY_MS:
            self._forgot_ms = at_ms
            for check in self._checks.all:
                check.forget()
            self._scope.ids.forget()

    async def _public_topic(self, service: str, end: int) -> None:
        if self._journals[service].records.damage is not None:
            return  # there is nothing to hold it against
        publication = self._checks.publications[service]
        records = await self._records_of(service, topic_events(service))
        records.end = end
        while found := await records.next():
            for record in found:
                place = Place(topic=records.topic, partition=self.number, position=record.position)
                publication.record(place, record)
            self._tell_progress()

    async def _dead_letters(self, service: str, end: int) -> None:
        """Read what was set aside: whether it can be read at all."""
        records = await self._records_of(service, topic_dlq(service))
        records.end = end
        while found := await records.next():
            self._scope.findings.saw("dead letters", len(found))

    def _tell_progress(self) -> None:
        before, self._told = self._told, self.position
        self._progress(self._told - before)

    async def _records_of(self, service: str, topic: str) -> Records:
        for one in self._topics:
            if one.topic == topic:
                return one
        records = Records(self._scope.log, service, topic, self.number)
        await self._stack.enter_async_context(records)
        self._topics.append(records)
        return records

    def _all_records(self) -> list[Records]:
        return [*(one.records for one in self._journals.values()), *self._topics]

    def _tell_damage(self) -> None:
        findings = self._scope.findings
        for records in self._all_records():
            damage = records.damage
            if damage is None or damage in self._told_damage:
                continue
            self._told_damage.append(damage)
            place = Place(
                topic=records.topic,
                partition=self.number,
                position=max(damage.position, records.position),
            )
            findings.violation(REPLAY, place, "", damage.why)
            findings.note(f"partition {self.number}: {records.topic} is not judged from there on")

    # The database.

    async def _read_database(self) -> Stored | None:
        scope = self._scope
        if scope.database is None or "reporting" not in self._services:
            return None
        partitions = scope.log.partitions

        def belongs(domain: str) -> bool:
            here = partition_of(domain, partitions) == self.number
            return here and scope.domain in ("", domain)

        return await scope.database.read(self.number, belongs, from_ms=self._from_ms())

    async def _compare_database(self, stored: Stored) -> None:
        records = self._journals["reporting"].records
        if records.damage is None:
            self._checks.database_rows.compare(
                stored, end=records.position, from_ms=self._from_ms()
            )

    def _from_ms(self) -> int:
        return max(0, self.newest_ms - DATABASE_SPAN_MS) if self._scope.follow else 0

    # Judging.

    async def judge(self) -> None:
        """Judge between two rounds."""
        scope = self._scope
        if not self.damaged:
            for check in self._checks.all:
                check.judge()
            self._checks.figures.judge()
            for publication in self._checks.publications.values():
                publication.publication_over(scope.grace_ms)
                publication.forget()
        await self._check_files(again=True)

    async def look_beside(self) -> None:
        """Judge the states as they are now, and the snapshots that are new. Raises `LogUnavailableError`."""
        self.check_states()
        store = self._scope.snapshots
        if store is None:
            return
        for service, replay in self._replays.items():
            records = self._journals[service].records
            known = self._stored.get(service)
            if known is None:
                application = self._scope.applications[service]
                known = StoredSnapshots(self._scope.findings, application, self.number)
                self._stored[service] = known
            stored = await self._snapshots_of(service, store)
            if stored is None:
                return  # the next one would not be read either
            await known.compare(self._scope.log, stored, replay, records.position)

    async def _snapshots_of(
        self, service: str, store: ObjectSnapshotStore
    ) -> Mapping[str, bytes] | None:
        """Return the stored snapshots of a journal; None, and that is said, while the store cannot be read."""
        findings = self._scope.findings
        try:
            async with asyncio.timeout(SNAPSHOTS_WITHIN_S):
                kept = await store.kept(service, self.number)
        except OSError as error:
            why = str(error).partition("\n")[0] or "no answer in time"
            if self._scope.follow:
                _log.warning("audit_snapshots_unavailable", error=why)
            else:
                findings.note(f"partition {self.number}: {why}")
            findings.does_not_check(REPLAY, SNAPSHOTS_AWAY)
            return None
        if self._scope.follow:
            findings.checks_again(REPLAY, SNAPSHOTS_AWAY)
        return kept

    async def finish(self) -> None:
        """Judge at the end of the log. Raises `LogUnavailableError`."""
        for service, journal in self._journals.items():
            journal.finish()
            replay = self._replays.get(service)
            if replay is not None and journal.records.damage is None:
                replay.finish(journal.records.end)
        self.check_states()
        await self._check_files(again=False)
        if self.damaged:
            return
        for check in self._checks.all:
            check.finish()
        await self._checks.figures.finish(self._again)
        for publication in self._checks.publications.values():
            publication.publication_over()

    def check_states(self) -> None:
        """Judge the states of all domains as they are now."""
        for service, replay in self._replays.items():
            topic = topic_journal(service)
            position = max(0, self._journals[service].records.position - 1)
            place = Place(topic=topic, partition=self.number, position=position)
            check_states(self._scope.findings, service, replay.states, place)

    async def _check_files(self, *, again: bool) -> None:
        vault, files = self._scope.vault, self._checks.recordings.files
        if vault is not None and files:
            files[:] = await check_files(self._scope.findings, vault, files, again=again)

    async def _again(self, expected: ExpectedFigures, ledger: Ledger) -> None:
        """Read the journals once more for the two sides of the figures, without counting anything twice."""
        unheard = Findings()
        others = [one for one in self._services if one != "reporting"]
        reads: list[tuple[Check, list[str]]] = [(ledger, ["reporting"]), (expected, others)]
        for check, services in reads:
            feed = Feed(unheard, [check], self._scope.domain)
            async with AsyncExitStack() as stack:
                journals = []
                for service in services:
                    before = self._journals.get(service)
                    if before is None:
                        continue
                    records = Records(self._scope.log, service, before.records.topic, self.number)
                    await stack.enter_async_context(records)
                    records.end = before.records.end
                    journals.append(Entries(records, service, unheard))
                async for entry in by_time(journals):
                    feed.take(entry)
