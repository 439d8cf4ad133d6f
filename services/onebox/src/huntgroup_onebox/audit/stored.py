"""Invariant 7, stored snapshots of a log that is followed: snapshot and what came after it give the state of now."""

from collections.abc import Mapping
from typing import Final

from google.protobuf.message import DecodeError

from huntgroup.journal.v1 import journal_pb2 as wire
from huntgroup_contracts.registry import topic_journal
from huntgroup_eventlog.application import Application
from huntgroup_eventlog.journal.chain import ChainReader
from huntgroup_eventlog.journal.fold import Fold
from huntgroup_eventlog.journal.snapshot import SnapshotRejectedError, load_snapshot
from huntgroup_eventlog.port import Log, LogUnavailableError
from huntgroup_onebox.audit.reading import Records
from huntgroup_onebox.audit.replay import Replay, is_of_other_code
from huntgroup_onebox.audit.report import Findings, Place

INVARIANT: Final = 7


class StoredSnapshots:
    """Looks at every snapshot of one partition of one service once, when it is there."""

    def __init__(self, findings: Findings, application: Application, partition: int) -> None:
        self._findings = findings
        self._application = application
        self._partition = partition
        self._topic = topic_journal(application.service)
        self._seen: set[str] = set()

    async def compare(
        self, log: Log, stored: Mapping[str, bytes], replay: Replay, end: int
    ) -> None:
        """Judge the new ones among `stored`, when `replay` has folded all below `end`. Raises `LogUnavailableError`."""
        self._seen &= stored.keys()
        for file, dumped in stored.items():
            if file not in self._seen and not replay.broken:
                self._seen.add(file)
                await self._judge(log, file, dumped, replay, end)

    async def _judge(self, log: Log, file: str, dumped: bytes, replay: Replay, end: int) -> None:
        try:
            at = load_snapshot(self._application, self._partition, dumped)
        except (DecodeError, SnapshotRejectedError) as error:
            if is_of_other_code(self._application, dumped):
                self._findings.count(INVARIANT, "snapshots of other code")
            else:
                self._findings.violation(INVARIANT, None, "", f"{file} cannot be used: {error}")
            return
        position = at.position
        if position > end:
            self._seen.discard(file)  # it is ahead of what was read: later
            return
        self._findings.count(INVARIANT, "stored snapshots")
        try:
            await self._fold_on(log, at.fold, ChainReader(at.chain), position, end)
            differs = replay.differs_from(at.fold, end)
        except LogUnavailableError:
            raise
        except Exception as error:  # noqa: BLE001 - whatever a core raises stops a service as well
            differs = f"it cannot be folded on, {type(error).__name__}: {error}, which"
        if differs:
            place = Place(topic=self._topic, partition=self._partition, position=position)
            why = f"{file} and what follows it are not the fold of the log: {differs} differs"
            self._findings.violation(INVARIANT, place, "", why)

    async def _fold_on(
        self, log: Log, fold: Fold, chain: ChainReader, position: int, end: int
    ) -> None:
        service = self._application.service
        async with Records(log, service, self._topic, self._partition) as records:
            records.position, records.end = position, end
            while found := await records.next():
                for record in found:
                    entry = chain.read(record.value)
                    if isinstance(entry, wire.Batch):
                        fold.apply(entry, record.position, chain.state.chain)
                    elif isinstance(entry, wire.Claim):
                        fold.at_ms = max(fold.at_ms, entry.at_ms)
