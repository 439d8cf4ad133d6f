"""The owner loop of one journal partition: one life of a replica after the other."""

import asyncio
from collections.abc import Callable
from typing import Any

import structlog

from huntgroup_eventlog.journal.decider import Submission
from huntgroup_eventlog.journal.replica import Replica, Role
from huntgroup_eventlog.journal.source import SourceFeed
from huntgroup_eventlog.port import LogUnavailableError
from huntgroup_runtime.feeds import READ_RECORDS_MAX, READ_WAIT_MS
from huntgroup_runtime.life import Life, Surroundings

RETRY_S = 0.2
LOOK_AGAIN_S = 1.0

_log = structlog.stdlib.get_logger(__name__)


class PartitionOwner:
    """One partition: follows its journal, owns it when it may, and begins anew after every loss."""

    def __init__(self, surroundings: Surroundings) -> None:
        self.partition = surroundings.partition
        self.telemetry = surroundings.telemetry
        self._around = surroundings
        self._life = Life(surroundings)
        self._resigned = False
        self._stopping = False

    @property
    def replica(self) -> Replica:
        """The replica of the life that is, or was last."""
        return self._life.replica

    @property
    def feeds(self) -> list[SourceFeed]:
        """The foreign journals that are being read while the partition is owned here."""
        return self._life.feeds.open

    @property
    def caught_up(self) -> bool:
        """Whether the replica has read what there was when its life began, and goes on reading."""
        return self._life.caught_up and not self._life.over.is_set()

    async def submit(self, submission: Submission) -> Any:
        """Return the outcome of a command, whose ticket is a future; raises what the replica raises."""
        return await self._life.submit(submission)

    async def query(self, domain: str, read: Callable[[Any], Any]) -> Any:
        """Return `read(state)`, once everything it rests on is accepted."""
        return await self._life.query(domain, read)

    def idle(self) -> bool:
        """Whether this owns the partition and nothing waits or is in flight; feeds and relay are apart."""
        replica = self._life.replica
        return replica.role is Role.OWNING and replica.idle and not self._life.pump_scheduled

    async def run(self) -> None:
        """Live until `resign` or a bug, then only follow who owns the partition, until `end`.

        It does not end by cancellation alone: Python 3.11's `wait_for`, which log clients use, may swallow one.
        """
        while not self._resigned:
            reason = "the process stops"
            try:
                await self._life.live()
            except LogUnavailableError as error:
                reason = str(error)
                _log.warning(
                    "journal_unavailable",
                    topic=self._around.topic,
                    partition=self.partition,
                    error=reason,
                )
            except Exception as error:  # noqa: BLE001  whatever it is, this partition must not go on silently
                self._life.replica.bug(error, "running the owner loop")
            finally:
                await self._life.close(reason)
            if self.replica.role is Role.HALTED:
                break  # it would fail again
            if not self._resigned:
                await asyncio.sleep(RETRY_S)
                self._life = Life(self._around)
        if self._life.caught_up or self.replica.role is Role.HALTED:
            await self._look_on()

    async def _look_on(self) -> None:
        """Read who the owner is, for callers, until `end`."""
        around, replica = self._around, self.replica
        while not self._stopping:
            try:
                reader = await around.log.reader(around.topic, around.partition, replica.position)
                try:
                    while not self._stopping:
                        for record in await reader.read(READ_RECORDS_MAX, READ_WAIT_MS):
                            replica.read(record.position, record.value)
                finally:
                    await reader.close()
            except LogUnavailableError:
                await asyncio.sleep(LOOK_AGAIN_S)
            except Exception as error:  # noqa: BLE001  it was told why it ended; callers are just not carried on
                _log.warning(
                    "partition_not_followed",
                    topic=around.topic,
                    partition=self.partition,
                    error=str(error),
                )
                await asyncio.Event().wait()

    async def resign(self) -> None:
        """Hand the partition over, if it is owned here, and claim it no more."""
        self._resigned = True
        await self._life.resign()

    def end(self) -> None:
        """Follow no more."""
        self._resigned = self._stopping = True
        self._life.over.set()
