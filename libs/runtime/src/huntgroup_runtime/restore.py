"""Brings a replica to where the log ends now: from the newest usable snapshot, then the tail."""

from collections.abc import Callable

import structlog

from huntgroup_contracts.registry import topic_journal
from huntgroup_eventlog.journal.replica import Replica, Role
from huntgroup_eventlog.journal.snapshot import (
    Restored,
    SnapshotRejectedError,
    load_snapshot,
    record_digest,
)
from huntgroup_eventlog.port import Log, LogRecord
from huntgroup_eventlog.snapshots import SnapshotStore
from huntgroup_runtime.feeds import READ_RECORDS_MAX, READ_WAIT_MS

_log = structlog.stdlib.get_logger(__name__)


async def restored(
    make: Callable[[Restored | None], Replica], log: Log, snapshots: SnapshotStore
) -> Replica:
    """Return a replica that has read everything there was when this began; raises `LogUnavailableError`."""
    replica = make(None)
    application, partition = replica.application, replica.partition
    end = await log.end(topic_journal(application.service), partition)
    for dumped in await snapshots.newest_first(application.service, partition):
        try:
            at = load_snapshot(application, partition, dumped)
            resumed = make(at)
            await _follow(resumed, log, end, at)
        except SnapshotRejectedError as error:
            _log.warning(
                "snapshot_rejected",
                service=application.service,
                partition=partition,
                reason=str(error),
            )
        else:
            return resumed
    await _follow(replica, log, end, None)
    return replica


async def _follow(replica: Replica, log: Log, end: int, at: Restored | None) -> None:
    """Read up to `end`. The record before `at` is read, too; raises `SnapshotRejectedError` if it is of another log."""
    if at is not None and not 0 < at.position <= end:
        # The log lost its tail, or is another one: then it is right, not the snapshot.
        raise SnapshotRejectedError(f"it stands at {at.position}, the log ends at {end}")
    unchecked = at
    begin = replica.position - 1 if at else replica.position
    topic = topic_journal(replica.application.service)
    reader = await log.reader(topic, replica.partition, begin)
    try:
        while unchecked or (replica.position < end and replica.role is not Role.HALTED):
            for record in await reader.read(READ_RECORDS_MAX, READ_WAIT_MS):
                if unchecked is not None:
                    _check_before(unchecked, record)
                    unchecked = None
                else:
                    replica.read(record.position, record.value)
    finally:
        await reader.close()


def _check_before(at: Restored, record: LogRecord) -> None:
    if (record.position, record_digest(record.value)) != (at.position - 1, at.last_record):
        raise SnapshotRejectedError(
            f"it stands at {at.position}, and this log says something else before that: it is of another one"
        )
