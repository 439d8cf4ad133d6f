"""Copies the ledger from the journal into the database, for as long as this replica owns a partition.

The journal is read here once more, by the reader rule, from where the database says that it stands: rows and position
change in one transaction, so a crash, a change of owner or a lost database costs time and never an entry. A database
that was emptied is filled again from the beginning, and so is one that is ahead of the journal, or that took in last
what the journal does not say there: it is the copy of another one, or of an end that was lost. Nothing waits for this
but a report of old intervals.
"""

import asyncio
from collections.abc import Iterable
from typing import Any, Final

import structlog

from huntgroup.journal.v1 import journal_pb2 as wire
from huntgroup_contracts.registry import topic_journal
from huntgroup_eventlog.application import AcceptedEvent, EventCodec
from huntgroup_eventlog.journal.chain import ChainReader, ChainState
from huntgroup_eventlog.journal.snapshot import record_digest
from huntgroup_eventlog.partitioning import partition_of
from huntgroup_eventlog.port import Log, LogRecord, LogUnavailableError, Reader
from huntgroup_reporting.app.ports import (
    Cursor,
    CursorMovedError,
    History,
    HistoryUnavailableError,
    LedgerChanges,
)
from huntgroup_reporting.core.evolve import add_agent_time, add_queue_entry
from huntgroup_reporting.core.messages import AgentTimeCounted, QueueEntry
from huntgroup_reporting.core.state import AgentTimes, QueueCounts
from huntgroup_reporting.telemetry import LEDGER_AHEAD, LEDGER_OF_ANOTHER

RECORDS_MAX: Final = 500
"""Journal records in one transaction."""
READ_WAIT_MS: Final = 1_000
PAUSE_S: Final = 0.2
"""Between two transactions when little is new, so that they are few."""
RETRY_S: Final = 1.0

LEDGER_TYPES: Final = "huntgroup.reporting.ledger."
"""Types of entries begin so; the journal's other events are notes."""

_log = structlog.stdlib.get_logger(__name__)


class LedgerWriter:
    """A listener of reporting's journals that keeps the database in step with what is owned here."""

    def __init__(self, history: History, log: Log, codec: EventCodec) -> None:
        self._history = history
        self._log = log
        self._codec = codec
        self._topic = topic_journal("reporting")
        self._tasks: dict[int, asyncio.Task[None]] = {}
        self._reached: dict[int, int] = {}
        self._progress = asyncio.Condition()
        self._failed = asyncio.Event()
        self._error: BaseException | None = None

    def owned(self, partition: int, states: dict[str, Any]) -> None:  # noqa: ARG002 - the port
        """Begin to copy a partition."""
        task = asyncio.get_running_loop().create_task(
            self._copy(partition), name=f"ledger/{partition}"
        )
        task.add_done_callback(self._done)
        self._tasks[partition] = task

    def accepted(self, partition: int, events: list[AcceptedEvent]) -> None:
        """Nothing: the journal itself is read."""

    def lost(self, partition: int) -> None:
        """Leave the partition to its next owner."""
        self._reached.pop(partition, None)
        task = self._tasks.pop(partition, None)
        if task is not None:
            task.cancel()

    async def run(self) -> None:
        """Wait until cancelled, then stop copying; raises what a bug in copying raised."""
        try:
            await self._failed.wait()
            if self._error is not None:
                raise self._error
        finally:
            tasks = list(self._tasks.values())
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def reach(self, partition: int, position: int, within_s: float) -> None:
        """Return when the database holds everything below `position`; raises `HistoryUnavailableError` in time."""
        try:
            async with asyncio.timeout(within_s), self._progress:
                await self._progress.wait_for(lambda: self._reached.get(partition, 0) >= position)
        except TimeoutError:
            reached = self._reached.get(partition, 0)
            raise HistoryUnavailableError(
                f"the database holds the journal up to {reached}, not yet up to {position}"
            ) from None

    async def _copy(self, partition: int) -> None:
        while True:
            try:
                await self._follow(partition)
            except CursorMovedError:
                continue
            except (HistoryUnavailableError, LogUnavailableError) as error:
                _log.warning("ledger cannot be copied", partition=partition, error=str(error))
                await asyncio.sleep(RETRY_S)

    async def _follow(self, partition: int) -> None:
        """Copy what comes; returns when the copy begins again."""
        stored = await self._history.cursor(partition)
        end = await self._log.end(self._topic, partition)
        if stored.position > end:
            await self._begin_again(LEDGER_AHEAD, partition, stored, end)
            return
        first = stored.position - 1 if stored.last_record else stored.position
        reader = await self._log.reader(self._topic, partition, first)
        try:
            if stored.last_record and not await _is_next(reader, stored):
                await self._begin_again(LEDGER_OF_ANOTHER, partition, stored, end)
                return
            await self._note_reached(partition, stored.position)
            await self._copy_from(reader, partition, stored)
        finally:
            await reader.close()

    async def _copy_from(self, reader: Reader, partition: int, stored: Cursor) -> None:
        chain = ChainReader(ChainState(stored.epoch, stored.owner, stored.chain))
        while True:
            records = await reader.read(RECORDS_MAX, READ_WAIT_MS)
            if not records:
                continue
            changes = self._take(chain, records)
            after = Cursor(
                position=records[-1].position + 1,
                epoch=chain.state.epoch,
                owner=chain.state.owner,
                chain=chain.state.chain,
                last_record=record_digest(records[-1].value),
            )
            if changes.queues or changes.agents:
                await self._history.add(partition, changes, stored, after)
                stored = after
            await self._note_reached(partition, after.position)
            if len(records) < RECORDS_MAX:
                await asyncio.sleep(PAUSE_S)

    async def _begin_again(self, why: str, partition: int, stored: Cursor, end: int) -> None:
        """Forget a copy that holds what the journal does not."""

        def belongs(domain: str) -> bool:
            return partition_of(domain, self._log.partitions) == partition

        self._reached.pop(partition, None)
        await self._history.begin_again(partition, belongs, stored)
        _log.error(why, partition=partition, database=stored.position, journal=end)

    def _take(self, chain: ChainReader, records: Iterable[LogRecord]) -> LedgerChanges:
        changes = LedgerChanges()
        for record in records:
            entry = chain.read(record.value)
            if isinstance(entry, wire.Batch):
                for recorded in entry.events:
                    if recorded.type.startswith(LEDGER_TYPES):
                        event = self._codec.decode(recorded.type, recorded.payload)
                        note_entry(changes, entry.domain, event)
        return changes

    async def _note_reached(self, partition: int, position: int) -> None:
        async with self._progress:
            self._reached[partition] = position
            self._progress.notify_all()

    def _done(self, task: asyncio.Task[None]) -> None:
        if not task.cancelled() and (error := task.exception()) is not None:
            self._error = error
            self._failed.set()


async def _is_next(reader: Reader, stored: Cursor) -> bool:
    """Read one record; return whether it is the one that was taken in last."""
    while not (records := await reader.read(1, READ_WAIT_MS)):
        pass
    (record,) = records
    before = stored.position - 1, stored.last_record
    return (record.position, record_digest(record.value)) == before


def note_entry(changes: LedgerChanges, domain: str, entry: QueueEntry | AgentTimeCounted) -> None:
    """Add an entry to what a transaction will change."""
    if isinstance(entry, AgentTimeCounted):
        for start_ms in entry.interval_starts:
            of_agent = (domain, start_ms, entry.agent_id)
            add_agent_time(changes.agents.setdefault(of_agent, AgentTimes()), entry)
        return
    of_queue = (domain, entry.interval_start_ms, entry.queue_id)
    add_queue_entry(changes.queues.setdefault(of_queue, QueueCounts()), entry)
