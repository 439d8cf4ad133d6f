"""Brings a replica to where the log ends now: from the newest usable snapshot, then the tail."""

from collections.abc import Callable
from dataclasses import dataclass, field

import structlog

from huntgroup_contracts.registry import topic_journal
from huntgroup_eventlog.journal.chain import ChainState
from huntgroup_eventlog.journal.fold import Fold
from huntgroup_eventlog.journal.replica import Replica, Role
from huntgroup_eventlog.journal.snapshot import SnapshotRejectedError, load_snapshot
from huntgroup_eventlog.port import Log
from huntgroup_eventlog.snapshots import SnapshotStore
from huntgroup_runtime.feeds import READ_RECORDS_MAX, READ_WAIT_MS

_log = structlog.stdlib.get_logger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Restored:
    """Where a replica begins."""

    fold: Fold
    chain: ChainState = field(default_factory=ChainState)
    position: int = 0
    owner_address: str = ""


async def restored(
    make: Callable[[Restored | None], Replica], log: Log, snapshots: SnapshotStore
) -> Replica:
    """Return a replica that has read everything there was when this began; raises `LogUnavailableError`."""
    replica = make(None)
    topic = topic_journal(replica.application.service)
    end = await log.end(topic, replica.partition)
    snapshot = await _newest(replica, snapshots, end)
    if snapshot is not None:
        replica = make(snapshot)
    reader = await log.reader(topic, replica.partition, replica.position)
    try:
        while replica.position < end and replica.role is not Role.HALTED:
            for record in await reader.read(READ_RECORDS_MAX, READ_WAIT_MS):
                replica.read(record.position, record.value)
    finally:
        await reader.close()
    return replica


async def _newest(replica: Replica, snapshots: SnapshotStore, end: int) -> Restored | None:
    application, partition = replica.application, replica.partition
    for dumped in await snapshots.newest_first(application.service, partition):
        try:
            fold, chain, position, address = load_snapshot(application, partition, dumped)
            if position > end:
                # The log lost its tail, or is another one: then it is right, not the snapshot.
                raise SnapshotRejectedError(f"it stands at {position}, the log ends at {end}")
        except SnapshotRejectedError as error:
            _log.warning(
                "snapshot_rejected",
                service=application.service,
                partition=partition,
                reason=str(error),
            )
            continue
        return Restored(fold=fold, chain=chain, position=position, owner_address=address)
    return None
