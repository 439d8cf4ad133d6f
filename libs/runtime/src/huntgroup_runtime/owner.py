"""The owner loop: runs one replica of one journal partition on asyncio.

All rules are in `huntgroup_eventlog.journal.replica`, which is sans-IO; here is only what carries out its effects:
appends, answers, dead letters, snapshots, and the feeding of what was read.
"""

import asyncio
import time
from collections.abc import Callable
from typing import Any

import structlog

from huntgroup_contracts.registry import topic_journal
from huntgroup_eventlog.application import Application
from huntgroup_eventlog.journal import effects as fx
from huntgroup_eventlog.journal.decider import Submission
from huntgroup_eventlog.journal.fold import Fold
from huntgroup_eventlog.journal.replica import Limits, Replica, Role
from huntgroup_eventlog.journal.source import SourceFeed
from huntgroup_eventlog.port import AppendFailedError, Log, LogUnavailableError, NewRecord
from huntgroup_eventlog.snapshots import SnapshotStore
from huntgroup_runtime.clock import Clock
from huntgroup_runtime.journal_telemetry import JournalTelemetry
from huntgroup_runtime.membership import Membership
from huntgroup_runtime.ports import Listener
from huntgroup_runtime.relay import Relay, dead_letter
from huntgroup_runtime.restore import Restored, restored
from huntgroup_runtime.telemetry import Telemetry

READ_RECORDS_MAX = 500
READ_WAIT_MS = 1_000
RETRY_MS = 200

_log = structlog.get_logger()


class PartitionOwner:
    """One partition: follows its journal, owns it when it may, and begins anew after every loss."""

    def __init__(
        self,
        application: Application,
        partition: int,
        *,
        log: Log,
        clock: Clock,
        snapshots: SnapshotStore,
        limits: Limits,
        membership: Membership,
        telemetry: Telemetry,
        listeners: list[Listener],
        linger_ms: int = 0,
    ) -> None:
        self.application = application
        self.partition = partition
        self.topic = topic_journal(application.service)
        self.caught_up = False
        self._log, self._clock, self._snapshots = log, clock, snapshots
        self._limits, self._membership, self._listeners = limits, membership, listeners
        self._linger_ms = linger_ms
        self.replica = self._new_replica()
        self.telemetry = JournalTelemetry(
            telemetry, service=application.service, topic=self.topic, partition=partition
        )
        self._tracing = telemetry.tracing
        self._relay = Relay(application.service, partition, log, self.telemetry)
        self.feeds: list[SourceFeed] = []
        """The foreign journals that are being read while the partition is owned here."""
        self._tasks: set[asyncio.Task[Any]] = set()
        self._over = asyncio.Event()
        self._room = asyncio.Event()
        self._pump_scheduled = False
        self._appended_at = 0.0
        self._timer: asyncio.Task[None] | None = None
        self._timer_ms: int | None = None
        self._stopping = False
        self._was_owner = False
        self.resigned = asyncio.Event()

    def _new_replica(self, restored_from: Restored | None = None) -> Replica:
        at = restored_from or Restored(fold=Fold(self.application))
        return Replica(
            self.application,
            partition=self.partition,
            owner=self._membership.owner,
            address=self._membership.address,
            limits=self._limits,
            fold=at.fold,
            chain=at.chain,
            position=at.position,
            owner_address=at.owner_address,
        )

    # What others ask.

    async def submit(
        self, domain: str, command_id: str, command: Any, check: int, traceparent: str
    ) -> Any:
        """Return the outcome of a command; raises what the replica raises."""
        ticket: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        self.replica.submit(Submission(domain, command_id, command, check, traceparent, ticket))
        self.schedule()
        return await ticket

    async def query(self, domain: str, read: Callable[[Any], Any]) -> Any:
        """Return `read(state)`, once everything it rests on is accepted."""
        ticket: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        self.replica.query(domain, read, ticket)
        self.schedule()
        return await ticket

    def idle(self) -> bool:
        """Whether this owns the partition and nothing waits or is in flight; feeds and relay are apart."""
        replica = self.replica
        return replica.role is Role.OWNING and replica.idle and not self._pump_scheduled

    async def run(self) -> None:
        """Follow, own, lose, begin anew; ends by cancellation, or when a bug halts the partition."""
        # Not by cancellation alone: Python 3.11's `wait_for`, which clients use, may swallow one.
        while not self._stopping:
            try:
                await self._one_life()
            except LogUnavailableError as error:
                _log.warning(
                    "journal_unavailable",
                    topic=self.topic,
                    partition=self.partition,
                    error=str(error),
                )
            finally:
                await self._end_life()
            if self.replica.role is Role.HALTED:
                await asyncio.Event().wait()
            await asyncio.sleep(RETRY_MS / 1_000)

    async def resign(self) -> None:
        """Hand the partition over, if it is owned here, and follow no more."""
        self._stopping = True
        if self.replica.role is Role.OWNING:
            self.replica.resign()
            self.schedule()
            await self.resigned.wait()
        self._over.set()

    # One life of a replica: from snapshot and log to retirement.

    async def _one_life(self) -> None:
        self._over.clear()
        await self._restore()
        reader = await self._log.reader(self.topic, self.partition, self.replica.position)
        self._spawn(self._live())
        try:
            while not self._over.is_set():
                started = time.perf_counter()
                records = await reader.read(READ_RECORDS_MAX, READ_WAIT_MS)
                if records:
                    self._membership.heard(self.partition)
                    for record in records:
                        self.replica.read(record.position, record.value)
                    self.telemetry.received(time.perf_counter() - started, len(records))
                    self._pump()
                if not self.caught_up:
                    self.caught_up = self.replica.position >= await self._log.end(
                        self.topic, self.partition
                    )
        finally:
            await reader.close()

    async def _restore(self) -> None:
        self.caught_up = False
        self.replica = await restored(self._new_replica, self._log, self._snapshots)
        self.caught_up = True
        self._membership.heard(self.partition)
        self._pump()

    async def _end_life(self) -> None:
        self._over.set()
        if self._was_owner:
            self._was_owner = False
            for listener in self._listeners:
                listener.lost(self.partition)
        tasks = [*self._tasks, *([self._timer] if self._timer else [])]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        self._tasks.clear()
        self.feeds.clear()
        self._timer = self._timer_ms = None

    async def _live(self) -> None:
        """Claim when the partition has no owner that is heard of; show signs of life while it is owned here."""
        membership, partition = self._membership, self.partition
        while True:
            role = self.replica.role
            if role is Role.OWNING:
                if membership.heartbeat_due(self._appended_at):
                    self._pump(heartbeat=True)
            elif role in (Role.FOLLOWING, Role.CLAIMING) and not self._stopping:
                resigned = self.replica.owner_resigned
                fresh = self.replica.reader.state.epoch == 0
                if membership.should_claim(partition, resigned=resigned, fresh=fresh):
                    membership.heard(partition)
                    self.telemetry.claims.add()
                    self.replica.claim(self._clock.now_ms())
                    self._pump()
            await asyncio.sleep(membership.check_every_s)

    def schedule(self) -> None:
        """Advance soon, together with whatever else arrives in this turn of the loop, or within the linger."""
        if self._pump_scheduled:
            return
        self._pump_scheduled = True
        loop = asyncio.get_running_loop()
        if self._linger_ms:
            loop.call_later(self._linger_ms / 1_000, self._pump)
        else:
            loop.call_soon(self._pump)

    def _pump(self, *, heartbeat: bool = False) -> None:
        self._pump_scheduled = False
        started = time.perf_counter()
        self.replica.advance(self._clock.now_ms(), heartbeat=heartbeat)
        if self.replica.effects:
            while self.replica.effects:
                self._carry_out(self.replica.effects.popleft())
            self.telemetry.processed(time.perf_counter() - started)
        if self.replica.role is Role.OWNING:
            self.telemetry.inflight.set(self.replica.in_flight)
            self._set_timer()
            if len(self.replica.decider.inputs) < READ_RECORDS_MAX:
                self._room.set()

    def _carry_out(self, effect: fx.Effect) -> None:
        match effect:
            case fx.Append():
                self._spawn(self._append(effect))
            case fx.Answer(ticket=ticket, result=result):
                _answer(ticket, result)
            case fx.Accepted(events=events):
                self._tell("accepted", lambda one: one.accepted(self.partition, events))
                self._relay.wake.set()
            case fx.Owned():
                self._begin_owning()
            case fx.Retired(reason=reason):
                self._retire(reason)
            case fx.Parked():
                self.telemetry.parked.add()
                _log.error(
                    "record_parked",
                    topic=effect.topic,
                    position=effect.position,
                    error=effect.error,
                )
                self._spawn(
                    dead_letter(self._log, self.application.service, self.partition, effect)
                )
            case fx.SnapshotTaken(position=position, dumped=dumped):
                self._spawn(self._store_snapshot(position, dumped))
            case fx.Halted(error=error, during=during):
                self._halt(error, during)

    async def _append(self, effect: fx.Append) -> None:
        replica, started = self.replica, time.perf_counter()
        self._appended_at = asyncio.get_running_loop().time()
        try:
            await self._log.append(
                self.topic, self.partition, NewRecord(key=effect.key, value=effect.value)
            )
        except AppendFailedError as error:
            self.telemetry.sent(time.perf_counter() - started, type(error).__name__)
            replica.append_failed(str(error))
            self._pump()
            return
        self.telemetry.appended.add()
        self.telemetry.sent(time.perf_counter() - started)

    def _begin_owning(self) -> None:
        _log.info(
            "partition_owned",
            topic=self.topic,
            partition=self.partition,
            epoch=self.replica.reader.state.epoch,
        )
        self._was_owner = True
        fold = self.replica.fold
        for service in self.application.reactions.sources:
            topic = topic_journal(service)
            cursor = fold.sources.get(topic)
            feed = SourceFeed.begin(topic, service, cursor, self.application.reactions)
            self.feeds.append(feed)
            self._spawn(self._feed(feed))
        self._spawn(self._relay.run(self.replica))
        states = {name: domain.state for name, domain in fold.domains.items()}
        self._tell("owned", lambda one: one.owned(self.partition, states))
        self.schedule()

    async def _feed(self, feed: SourceFeed) -> None:
        """Take in a foreign journal for as long as this replica owns the partition."""
        replica = self.replica
        reader = await self._log.reader(feed.topic, self.partition, feed.position)
        try:
            while replica.role is Role.OWNING and not replica.resigning:
                while len(replica.decider.inputs) >= READ_RECORDS_MAX:
                    self._room.clear()
                    await self._room.wait()
                records = await reader.read(READ_RECORDS_MAX, READ_WAIT_MS)
                if records and (linger_ms := self.application.source_linger_ms):
                    await asyncio.sleep(linger_ms / 1_000)
                    records = [*records, *await reader.read(READ_RECORDS_MAX, 0)]
                for record in records:
                    try:
                        source = feed.read(record.position, record.value)
                    except Exception as error:  # noqa: BLE001  a bug in a reaction stops the partition, loudly
                        replica.bug(
                            error, f"reacting to position {record.position} of {feed.topic}"
                        )
                        break
                    if self._tracing:
                        source = source.traced(self.telemetry.process_span)
                    replica.take_in(source)
                if records:
                    self._pump()
        except LogUnavailableError as error:
            replica.append_failed(f"cannot read {feed.topic}: {error}")
            self._pump()
        finally:
            await reader.close()

    def _set_timer(self) -> None:
        wake_ms = self.replica.next_wake_ms()
        if wake_ms is None or (self._timer_ms is not None and self._timer_ms <= wake_ms):
            return
        if self._timer is not None:
            self._timer.cancel()
        self._timer_ms = wake_ms
        self._timer = asyncio.get_running_loop().create_task(self._wait_until(wake_ms))

    async def _wait_until(self, wake_ms: int) -> None:
        await self._clock.sleep_until(wake_ms)
        self._timer = self._timer_ms = None
        self._pump()

    async def _store_snapshot(self, position: int, dumped: bytes) -> None:
        try:
            await self._snapshots.put(self.application.service, self.partition, position, dumped)
        except OSError as error:
            _log.warning(
                "snapshot_not_stored", topic=self.topic, partition=self.partition, error=str(error)
            )

    def _retire(self, reason: str) -> None:
        tell = _log.info if self._stopping else _log.warning
        tell("partition_retired", topic=self.topic, partition=self.partition, reason=reason)
        self.telemetry.retired.add()
        self.resigned.set()
        self._over.set()

    def _halt(self, error: BaseException, during: str) -> None:
        _log.critical(
            "partition_halted",
            topic=self.topic,
            partition=self.partition,
            during=during,
            exc_info=error,
        )
        self.telemetry.halted.set(1)
        self.resigned.set()
        self._over.set()

    def _tell(self, what: str, call: Callable[[Listener], None]) -> None:
        for listener in self._listeners:
            try:
                call(listener)
            except Exception as error:  # noqa: BLE001  a listener's bug must be seen, and must not undo what was decided
                self.replica.bug(error, f"telling a listener what was {what}")

    def _spawn(self, work: Any) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._done)

    def _done(self, task: asyncio.Task[Any]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            self.replica.bug(error, "carrying out an effect")
            self.schedule()


def _answer(ticket: "asyncio.Future[Any]", result: Any) -> None:
    if ticket.done():
        return
    if isinstance(result, Exception):
        ticket.set_exception(result)
    else:
        ticket.set_result(result)
