"""All partitions of one service's journal in this process: the implementation of the `Journals` port."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, TypeVar

import structlog

from huntgroup_contracts.registry import topic_dlq, topic_events, topic_journal
from huntgroup_eventlog.application import Application, CommandOutcome
from huntgroup_eventlog.journal.decider import Submission
from huntgroup_eventlog.journal.replica import Limits, Role
from huntgroup_eventlog.partitioning import partition_of
from huntgroup_eventlog.port import Log, LogUnavailableError
from huntgroup_eventlog.snapshots import SnapshotStore
from huntgroup_runtime.clock import Clock
from huntgroup_runtime.journal_telemetry import JournalTelemetry
from huntgroup_runtime.life import Surroundings
from huntgroup_runtime.membership import (
    Membership,
    MembershipSettings,
    boot_time_s,
    refuses_connections,
)
from huntgroup_runtime.owner import PartitionOwner
from huntgroup_runtime.ports import Listener
from huntgroup_runtime.settings import RuntimeSettings
from huntgroup_runtime.telemetry import Telemetry

T = TypeVar("T")

RESIGN_WITHIN_S = 3.0
LOG_WITHIN_S, LOG_RETRY_S = 60.0, 1.0

_log = structlog.stdlib.get_logger(__name__)


class ServiceJournals:
    """One service's journal: owns some partitions, follows the others."""

    def __init__(
        self,
        application: Application,
        *,
        log: Log,
        clock: Clock,
        snapshots: SnapshotStore,
        settings: RuntimeSettings,
        telemetry: Telemetry,
        address: str,
        refuses: Callable[[str], Awaitable[bool]] = refuses_connections,
        now_s: Callable[[], float] = boot_time_s,
    ) -> None:
        """`refuses(address)` tells whether nobody listens there any more; ownership goes by `now_s`."""
        self.application = application
        self.topic = topic_journal(application.service)
        self.log = log
        self.clock = clock
        self._settings = settings
        self._snapshots = snapshots
        self._telemetry = telemetry
        self._address = address
        self._refuses = refuses
        self._now_s = now_s
        self._listeners: list[Listener] = []
        self._tasks: list[asyncio.Task[None]] = []
        self._handed_over = False
        # From the beginning: calls come in, and are told to wait for an owner, before `start` has found its topics.
        self.partitions = self._owners()

    def subscribe(self, listener: Listener) -> None:
        """Register a listener before the start."""
        self._listeners.append(listener)

    async def start(self) -> None:
        """Create the topics and begin to follow every partition."""
        service = self.application.service
        own = [topic_journal(service), topic_events(service), topic_dlq(service)]
        sources = [topic_journal(source) for source in self.application.reactions.sources]
        await self._ensure_topics([*own, *sources])
        for owner in self.partitions:
            self._tasks.append(
                asyncio.create_task(owner.run(), name=f"{service}/{owner.partition}")
            )

    async def _ensure_topics(self, topics: Sequence[str]) -> None:
        """Create what is missing; a log that is only just starting gets some time. Raises `LogUnavailableError`."""
        end = asyncio.get_running_loop().time() + LOG_WITHIN_S
        while True:
            try:
                await self.log.ensure_topics(topics)
                return
            except LogUnavailableError as error:
                if asyncio.get_running_loop().time() > end:
                    raise
                _log.warning("log_unavailable", topics=topics, error=str(error))
                await asyncio.sleep(LOG_RETRY_S)

    def _owners(self) -> list[PartitionOwner]:
        settings, service = self._settings, self.application.service
        membership = Membership(
            MembershipSettings(
                replica_index=settings.replica_index,
                replica_count=settings.replica_count,
                heartbeat_ms=settings.heartbeat_ms,
                takeover_after_ms=settings.takeover_after_ms,
            ),
            owner=settings.owner_id,
            address=self._address,
            now_s=self._now_s,
            refuses=self._refuses,
        )
        limits = Limits(
            batch_bytes_closing=settings.batch_bytes_closing,
            batches_in_flight_max=settings.inflight_batches_max,
            inputs_waiting_max=settings.waiting_commands_max,
            remembered_commands_max=settings.remembered_commands_max,
            snapshot_every_records=settings.snapshot_every_records,
        )
        return [
            PartitionOwner(
                Surroundings(
                    application=self.application,
                    partition=partition,
                    log=self.log,
                    clock=self.clock,
                    snapshots=self._snapshots,
                    limits=limits,
                    membership=membership,
                    telemetry=JournalTelemetry(
                        self._telemetry, service=service, topic=self.topic, partition=partition
                    ),
                    listeners=self._listeners,
                    linger_ms=settings.linger_ms,
                )
            )
            for partition in range(self.log.partitions)
        ]

    async def hand_over(self) -> None:
        """Resign what is owned here, and claim no more; go on following who the owners are, for calls under way.

        What cannot be handed over within `RESIGN_WITHIN_S` is decided on no more all the same.
        """
        self._handed_over = True
        resigning = [asyncio.create_task(one.resign()) for one in self.partitions]
        if resigning:
            _, late = await asyncio.wait(resigning, timeout=RESIGN_WITHIN_S)
            for task in late:
                task.cancel()
        await asyncio.gather(*resigning, return_exceptions=True)

    async def stop(self) -> None:
        """Hand over what is owned here, and end."""
        if not self._handed_over:
            await self.hand_over()
        for one in self.partitions:
            one.end()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def submit(
        self,
        domain: str,
        command_id: str,
        command: Any,
        *,
        check: int,
        traceparent: str,
        in_progress: bool = True,
    ) -> CommandOutcome:
        """Decide a command; see `huntgroup_runtime.ports.Journals`."""
        ticket: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        submission = Submission(
            domain,
            command_id,
            command,
            check,
            traceparent,
            ticket,
            given_up=ticket.cancelled,
            in_progress=in_progress,
        )
        outcome: CommandOutcome = await self._partition(domain).submit(submission)
        return outcome

    async def query(self, domain: str, read: Callable[[Any], T]) -> T:
        """Read a domain's state; see `huntgroup_runtime.ports.Journals`."""
        found: T = await self._partition(domain).query(domain, read)
        return found

    def owner_address(self, domain: str) -> str:
        """Return the address of the partition's owner; empty when it is here or unknown."""
        address = self._partition(domain).replica.owner_address
        return "" if address == self._address else address

    def owns(self, domain: str) -> bool:
        """Return whether this replica owns the domain's partition."""
        return self._partition(domain).replica.role is Role.OWNING

    def remembers(self, domain: str, command_id: str) -> bool:
        """Return whether the command was carried out before, as far as this replica knows."""
        return self._partition(domain).replica.remembers(domain, command_id)

    def caught_up(self) -> bool:
        """Return whether every partition is followed to its end, has an owner, and none is halted."""
        return bool(self.partitions) and all(
            one.caught_up
            and one.replica.reader.state.epoch > 0
            and one.replica.role is not Role.HALTED
            for one in self.partitions
        )

    def _partition(self, domain: str) -> PartitionOwner:
        return self.partitions[partition_of(domain, self.log.partitions)]


def all_idle(journals: Sequence[ServiceJournals]) -> bool:
    """Return whether nothing is under way in any of the services, which read none but each other.

    That is: nothing waits or is in flight, and every owner has read the others to their ends.
    """
    for one in journals:
        for owner in one.partitions:
            if not owner.idle():
                return False
    return lag(journals, journals) == 0


def lag(readers: Sequence[ServiceJournals], sources: Sequence[ServiceJournals]) -> int:
    """Return how many positions of `sources` their owners have read and the owners of `readers` have not."""
    ends = {one.topic: one.partitions for one in sources}
    behind = 0
    for one in readers:
        for owner in one.partitions:
            for feed in owner.feeds:
                behind += max(0, ends[feed.topic][owner.partition].replica.position - feed.position)
    return behind


def unrelayed(journals: Sequence[ServiceJournals]) -> int:
    """Return how many batches' events are not on the public topics yet."""
    return sum(len(owner.replica.fold.unrelayed) for one in journals for owner in one.partitions)
