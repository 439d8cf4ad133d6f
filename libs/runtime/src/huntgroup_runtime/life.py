"""One replica's life on asyncio, from restoration to retirement, with everything that works for it.

All rules are in `huntgroup_eventlog.journal.replica`, which is sans-IO; here is what carries out its effects: appends,
answers, dead letters, snapshots, timers. A life is closed as a whole: nothing of it outlives it, and nobody who asked
it is left without an answer.
"""

import asyncio
import time
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from functools import partial
from typing import Any

import structlog

from huntgroup_contracts.registry import topic_journal
from huntgroup_eventlog.application import Application
from huntgroup_eventlog.journal import effects as fx
from huntgroup_eventlog.journal.decider import Submission
from huntgroup_eventlog.journal.replica import Limits, Replica, Role
from huntgroup_eventlog.journal.snapshot import Restored
from huntgroup_eventlog.port import AppendFailedError, Log, LogUnavailableError, NewRecord
from huntgroup_eventlog.snapshots import SnapshotStore
from huntgroup_runtime.claiming import keep_ownership
from huntgroup_runtime.clock import Clock
from huntgroup_runtime.feeds import READ_RECORDS_MAX, READ_WAIT_MS, Feeds
from huntgroup_runtime.journal_telemetry import JournalTelemetry
from huntgroup_runtime.lease import Lease
from huntgroup_runtime.membership import Membership
from huntgroup_runtime.ports import Listener
from huntgroup_runtime.relay import Relay, dead_letter
from huntgroup_runtime.restore import restored
from huntgroup_runtime.telemetry import Span

STORED_WITHIN_S = 60.0
"""A snapshot that is not stored by then is left out, so that the next one is not held up by a store that hangs."""
PARKING_MAX = 1_000
"""Dead letters of a partition that are on their way at once."""

_log = structlog.stdlib.get_logger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Surroundings:
    """What every life of a partition's replica works with."""

    application: Application
    partition: int
    log: Log
    clock: Clock
    snapshots: SnapshotStore
    limits: Limits
    membership: Membership
    telemetry: JournalTelemetry
    listeners: list[Listener]
    linger_ms: int

    @property
    def topic(self) -> str:
        """The journal's topic."""
        return topic_journal(self.application.service)

    def replica(self, at: Restored | None = None) -> Replica:
        """Return a new replica that begins at `at`; without it, at the beginning of the journal."""
        return Replica(
            self.application,
            partition=self.partition,
            owner=self.membership.owner,
            address=self.membership.address,
            limits=self.limits,
            at=at,
        )


class Life:
    """One replica: follows its journal, owns it when it may, until it retires, halts or is closed."""

    def __init__(self, surroundings: Surroundings) -> None:
        self.around = surroundings
        self.replica = surroundings.replica()
        self.caught_up = False
        self.pump_scheduled = False
        self.over = asyncio.Event()
        self._tasks: set[asyncio.Future[Any]] = set()
        self._timer_ms: int | None = None
        self._timer: asyncio.Task[None] | None = None
        self.appended_at = 0.0
        self._told_owned = False
        self._parking = 0
        self._storing = False
        self._lease = Lease(surroundings.membership)
        self.feeds = Feeds(self)
        self._relay = Relay(self)

    async def live(self) -> None:
        """Restore, follow, own; return when it is over. Raises `LogUnavailableError`; then `close` as always."""
        around = self.around
        self.replica = await restored(around.replica, around.log, around.snapshots)
        self.caught_up = True
        around.membership.heard(around.partition)
        self.pump()
        self.spawn(keep_ownership(self))
        reader = await around.log.reader(around.topic, around.partition, self.replica.position)
        try:
            while not self.over.is_set():
                started = time.perf_counter()
                records = await reader.read(READ_RECORDS_MAX, READ_WAIT_MS)
                if not records:
                    continue
                counts = self.replica.reader.accepted, self.replica.reader.ignored
                for record in records:
                    self.replica.read(record.position, record.value)
                if self.replica.reader.accepted > counts[0]:
                    # What does not count says nothing of the owner, whoever wrote it.
                    around.membership.heard(around.partition)
                if self.replica.role is Role.OWNING:
                    self._lease.read_back(self.replica.in_flight)
                around.telemetry.accepted.add(self.replica.reader.accepted - counts[0])
                around.telemetry.ignored.add(self.replica.reader.ignored - counts[1])
                around.telemetry.received(time.perf_counter() - started, len(records))
                self._carry_out_all()
                # Not at once: whoever has just been answered goes first.
                self._pump_soon()
        finally:
            await reader.close()

    async def resign(self) -> None:
        """Hand over, if the partition is owned here, and end."""
        if self.replica.role is Role.OWNING:
            self.replica.resign()
            self.schedule()
            await self.over.wait()
        self.over.set()

    async def close(self, reason: str) -> None:
        """End everything; whoever waits for an answer gets one: that it is unknown."""
        self.replica.append_failed(reason)
        self._carry_out_all()
        self.over.set()
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        self.around.telemetry.inflight.set(0)
        self.around.telemetry.relay_lag.set(0)

    # What is asked.

    async def submit(self, submission: Submission) -> Any:
        """Return the outcome of a command, whose ticket is a future; raises what the replica raises."""
        if not self._lease.is_sure:
            await self._be_sure()
        self.replica.submit(submission)
        self.schedule()
        return await submission.ticket

    async def query(self, domain: str, read: Callable[[Any], Any]) -> Any:
        """Return `read(state)`, once everything it rests on is accepted."""
        if not self._lease.is_sure:
            await self._be_sure()
        ticket: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        self.replica.query(domain, read, ticket)
        self.schedule()
        return await ticket

    async def _be_sure(self) -> None:
        """Return when nobody else can own the partition, or it is not owned here anyhow: it may have stood still."""
        while self.replica.role is Role.OWNING and not self._lease.is_sure:
            if not self._lease.asks:
                self.pump(heartbeat=True)
            await self._lease.news()

    def schedule(self) -> None:
        """Advance soon, together with whatever else arrives in this turn of the loop, or within the linger."""
        if not self.around.linger_ms:
            self._pump_soon()
        elif not self.pump_scheduled:
            self.pump_scheduled = True
            asyncio.get_running_loop().call_later(self.around.linger_ms / 1_000, self.pump)

    def _pump_soon(self) -> None:
        if not self.pump_scheduled:
            self.pump_scheduled = True
            asyncio.get_running_loop().call_soon(self.pump)

    def pump(self, *, heartbeat: bool = False) -> None:
        """Let the replica decide, and carry out what it wants."""
        self.pump_scheduled = False
        started = time.perf_counter()
        self.replica.advance(self.around.clock.now_ms(), heartbeat=heartbeat)
        if self.replica.effects:
            self._carry_out_all()
            self.around.telemetry.processed(time.perf_counter() - started)
        if self.replica.role is Role.OWNING:
            self.around.telemetry.inflight.set(self.replica.in_flight)
            self._set_timer()
            self.feeds.room_may_be()

    def spawn(self, work: Coroutine[Any, Any, None]) -> None:
        """Run `work` for as long as this life lasts; a failure of it ends the life, a bug halts the partition."""
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._done)

    # Carrying out.

    def _carry_out_all(self) -> None:
        while self.replica.effects:
            self._carry_out(self.replica.effects.popleft())

    def _carry_out(self, effect: fx.Effect) -> None:
        around = self.around
        match effect:
            case fx.Append():
                self._lease.wrote(claim=self.replica.role is Role.CLAIMING)
                self._append(effect)
            case fx.Answer(ticket=ticket, result=result):
                _answer(ticket, result)
            case fx.Accepted():
                self._tell_accepted(effect)
                self._relay.wake.set()
            case fx.Owned():
                self._begin_owning()
            case fx.Retired(reason=reason):
                self._retire(reason)
            case fx.Parked():
                around.telemetry.parked.add()
                _log.error(
                    "record_parked",
                    topic=effect.topic,
                    position=effect.position,
                    error=effect.error,
                )
                self._park(effect)
            case fx.SnapshotTaken(position=position, dumped=dumped):
                if self._storing:
                    self._tell_not_stored("the one before is still on its way")
                else:
                    self._storing = True
                    self.spawn(self._store_snapshot(position, dumped))
            case fx.Halted(error=error, during=during):
                self._halt(error, during)

    def _append(self, effect: fx.Append) -> None:
        """Hand a record to the log now; what becomes of it is heard later."""
        around, started = self.around, time.perf_counter()
        self.appended_at = around.membership.now_s()
        record = NewRecord(key=effect.key, value=effect.value)
        sending = asyncio.ensure_future(around.log.append(around.topic, around.partition, record))
        self._tasks.add(sending)
        sending.add_done_callback(partial(self._appended, started))
        if around.telemetry.tracing:
            self.spawn(_traced(around.telemetry.send_span(effect.causes), sending))

    def _appended(self, started: float, sending: "asyncio.Future[int]") -> None:
        if not sending.cancelled():
            error, telemetry = sending.exception(), self.around.telemetry
            telemetry.sent(time.perf_counter() - started, type(error).__name__ if error else "")
            if error is None:
                telemetry.appended.add()
        self._done(sending)

    def _begin_owning(self) -> None:
        around, fold = self.around, self.replica.fold
        epoch = self.replica.reader.state.epoch
        _log.info("partition_owned", topic=around.topic, partition=around.partition, epoch=epoch)
        self._told_owned = True
        around.telemetry.owned.set(1)
        self.feeds.begin()
        self.spawn(self._relay.run())
        states = {name: domain.state for name, domain in fold.domains.items()}
        self._tell("owned", lambda one: one.owned(around.partition, states))
        self.schedule()

    def _retire(self, reason: str) -> None:
        around = self.around
        tell = _log.info if self.replica.resigning or not self._told_owned else _log.warning
        tell("partition_retired", topic=around.topic, partition=around.partition, reason=reason)
        if self._told_owned:
            around.telemetry.retired.add()
        self._end_owning()

    def _halt(self, error: BaseException, during: str) -> None:
        around = self.around
        _log.critical(
            "partition_halted",
            topic=around.topic,
            partition=around.partition,
            during=during,
            exc_info=error,
        )
        around.telemetry.halted.set(1)
        self._end_owning()

    def _end_owning(self) -> None:
        if self._told_owned:
            self._told_owned = False
            self.around.telemetry.owned.set(0)
            self._tell("lost", lambda one: one.lost(self.around.partition))
        self._lease.end()
        self.over.set()

    def _tell_accepted(self, effect: fx.Accepted) -> None:
        if self.around.listeners:
            events = effect.events()
            self._tell("accepted", lambda one: one.accepted(self.around.partition, events))

    def _tell(self, what: str, call: Callable[[Listener], None]) -> None:
        for listener in self.around.listeners:
            try:
                call(listener)
            except Exception as error:  # noqa: BLE001  a listener's bug must be seen, and must not undo what was decided
                self.replica.bug(error, f"telling a listener what was {what}")

    def _done(self, task: "asyncio.Future[Any]") -> None:
        self._tasks.discard(task)
        error = None if task.cancelled() else task.exception()
        if error is None:
            return
        if isinstance(error, AppendFailedError | LogUnavailableError):
            self.replica.append_failed(str(error))
        else:
            self.replica.bug(error, f"running {task!r}")
        self._carry_out_all()

    # Time.

    def _set_timer(self) -> None:
        wake_ms = self.replica.next_wake_ms()
        if wake_ms is None or (self._timer_ms is not None and self._timer_ms <= wake_ms):
            return
        if self._timer is not None:
            self._timer.cancel()
        self._timer_ms = wake_ms
        self._timer = asyncio.get_running_loop().create_task(self._wait_until(wake_ms))
        self._tasks.add(self._timer)
        self._timer.add_done_callback(self._done)

    async def _wait_until(self, wake_ms: int) -> None:
        await self.around.clock.sleep_until(wake_ms)
        self._timer = self._timer_ms = None
        self.pump()

    async def _store_snapshot(self, position: int, dumped: bytes) -> None:
        around = self.around
        service, partition = around.application.service, around.partition
        code, end = (
            around.application.code_version,
            partial(around.log.end, around.topic, partition),
        )
        try:
            async with asyncio.timeout(STORED_WITHIN_S):
                await around.snapshots.put(service, partition, position, dumped, code=code, end=end)
        except (OSError, LogUnavailableError) as error:  # a timeout is an OSError
            self._tell_not_stored(str(error) or f"not done within {STORED_WITHIN_S:.0f} s")
        else:
            around.telemetry.snapshots_stored.add()
        finally:
            self._storing = False

    def _tell_not_stored(self, error: str) -> None:
        around = self.around
        around.telemetry.snapshots_failed.add()
        _log.warning(
            "snapshot_not_stored", topic=around.topic, partition=around.partition, error=error
        )

    def _park(self, parked: fx.Parked) -> None:
        """Keep what could not be read among the dead letters; a flood of it is only logged."""
        around = self.around
        if self._parking >= PARKING_MAX:
            _log.error("dead_letter_lost", topic=parked.topic, position=parked.position)
            return

        async def keep() -> None:
            try:
                await dead_letter(around.log, around.application.service, around.partition, parked)
            finally:
                self._parking -= 1

        self._parking += 1
        self.spawn(keep())


async def _traced(span: Span, sending: "asyncio.Future[int]") -> None:
    with span:
        await sending


def _answer(ticket: "asyncio.Future[Any]", result: Any) -> None:
    if ticket.done():
        return
    if isinstance(result, Exception):
        ticket.set_exception(result)
    else:
        ticket.set_result(result)
