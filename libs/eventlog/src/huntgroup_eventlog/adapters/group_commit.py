"""One thread that writes the embedded log: everything that waits goes into one transaction."""

import asyncio
import contextlib
import queue
import sqlite3
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from huntgroup_eventlog.adapters.embedded_file import POSITIONS, Row, checksum, insert_rows
from huntgroup_eventlog.port import LogRecord

COMMIT_RECORDS_MAX = 4096
"""One transaction holds about so many records at most."""


@dataclass(frozen=True, slots=True, eq=False)
class PendingAppend:
    """A record on its way to the disk, and who waits for it."""

    topic: str
    partition: int
    stream: int
    record: LogRecord
    packed_headers: bytes
    size: int
    done: asyncio.Future[int]

    def row(self) -> Row:
        """Return the row to insert."""
        record, headers = self.record, self.packed_headers
        row_id = self.stream * POSITIONS + record.position
        crc = checksum(row_id, record.key, headers, record.value)
        return row_id, record.key, headers, record.value, crc


@dataclass(frozen=True, slots=True, eq=False)
class PendingWork:
    """Something else to do with the writing connection, and who waits for it."""

    run: Callable[[sqlite3.Connection], object]
    done: asyncio.Future[object]


Report = Callable[[Sequence[PendingAppend], Exception | None], None]
"""Called on the event loop after each transaction: its appends, and why it failed if it did."""

_Work = tuple[asyncio.AbstractEventLoop, "list[PendingAppend] | PendingWork"]


class GroupCommit:
    """The writing thread. It owns the connection and closes it."""

    def __init__(self, connection: sqlite3.Connection, report: Report) -> None:
        self._connection = connection
        self._report = report
        self._queue: queue.SimpleQueue[_Work | None] = queue.SimpleQueue()
        self._abandoned = False
        self._thread = threading.Thread(target=self._work, name="eventlog-writer", daemon=True)
        self._thread.start()

    def submit(self, work: "list[PendingAppend] | PendingWork") -> None:
        """Have the work done, in the order of the calls, and the calling event loop hear of it.

        A list of appends belongs to the thread from here on.
        """
        self._queue.put((asyncio.get_running_loop(), work))

    def close(self) -> None:
        """End the thread after the transaction that is under way; what waits is dropped. Blocks until then."""
        self._abandoned = True
        self._queue.put(None)
        self._thread.join()

    def _work(self) -> None:
        try:
            work = self._queue.get()
            while work is not None and not self._abandoned:
                work = self._serve(*work)
        finally:
            self._connection.close()

    def _serve(
        self, loop: asyncio.AbstractEventLoop, work: "list[PendingAppend] | PendingWork"
    ) -> _Work | None:
        """Do the work and what else has gathered; return what comes next, waiting for it."""
        if isinstance(work, PendingWork):
            self._run(loop, work)
            return self._queue.get()
        batch = work
        while len(batch) < COMMIT_RECORDS_MAX:
            try:
                following = self._queue.get_nowait()
            except queue.Empty:
                break
            if following is None or following[0] is not loop or not isinstance(following[1], list):
                self._commit(loop, batch)
                return following
            batch += following[1]
        self._commit(loop, batch)
        return self._queue.get()

    def _commit(self, loop: asyncio.AbstractEventLoop, batch: list[PendingAppend]) -> None:
        failure: Exception | None = None
        try:
            insert_rows(self._connection, [pending.row() for pending in batch])
        except Exception as error:  # noqa: BLE001 - the callers are told; the thread must go on
            failure = error
        # A closed loop has nobody left who waits.
        with contextlib.suppress(RuntimeError):
            loop.call_soon_threadsafe(self._report, batch, failure)

    def _run(self, loop: asyncio.AbstractEventLoop, work: PendingWork) -> None:
        outcome: object = None
        failure: Exception | None = None
        try:
            outcome = work.run(self._connection)
        except Exception as error:  # noqa: BLE001 - as above
            failure = error
        with contextlib.suppress(RuntimeError):
            loop.call_soon_threadsafe(_settle, work.done, outcome, failure)


def _settle(done: asyncio.Future[object], outcome: object, failure: Exception | None) -> None:
    if done.done():
        return
    if failure is None:
        done.set_result(outcome)
    else:
        done.set_exception(failure)
