"""Follows the journals by the reader rule: who owns what, since when, and what was carried out how often."""

import asyncio
import time
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Final

from huntgroup.journal.v1 import journal_pb2 as wire
from huntgroup_contracts.registry import topic_journal
from huntgroup_eventlog.journal.chain import ChainReader, Ignored
from huntgroup_eventlog.port import Log, LogUnavailableError

READ_RECORDS: Final = 1_000
READ_WAIT_MS: Final = 200
RETRY_S: Final = 0.1


@dataclass(frozen=True, slots=True, kw_only=True)
class Ownership:
    """A claim that counts, and when it was seen."""

    epoch: int
    owner: str
    address: str
    seen_s: float


@dataclass(slots=True)
class Journal:
    """One partition of one service's journal, as far as it has been read."""

    service: str
    partition: int
    position: int = 0
    claims: list[Ownership] = field(default_factory=list)
    outcomes: Counter[tuple[str, str]] = field(default_factory=Counter)
    """How often each (domain, command id) has an outcome that counts."""
    ignored: Counter[int] = field(default_factory=Counter)
    """Entries that do not count, by the epoch they were written in."""
    chain: ChainReader = field(default_factory=ChainReader)

    def take(self, value: bytes, seen_s: float) -> None:
        """Take in one entry."""
        entry = self.chain.read(value)
        if isinstance(entry, wire.Claim):
            self.claims.append(
                Ownership(
                    epoch=entry.epoch, owner=entry.owner, address=entry.address, seen_s=seen_s
                )
            )
        elif isinstance(entry, wire.Batch):
            self.outcomes.update((entry.domain, one.command_id) for one in entry.outcomes)
        elif isinstance(entry, Ignored):
            self.ignored[entry.epoch] += 1


class JournalWatch:
    """All journals of some partitions, followed until it is closed."""

    def __init__(self, log: Log, services: Iterable[str], partitions: Iterable[int]) -> None:
        self._log = log
        self.journals = {
            (service, partition): Journal(service, partition)
            for service in services
            for partition in partitions
        }
        self._tasks: list[asyncio.Task[None]] = []

    def start(self) -> None:
        """Begin to follow."""
        for journal in self.journals.values():
            self._tasks.append(asyncio.create_task(self._follow(journal)))

    async def close(self) -> None:
        """Follow no more."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def owner(self, service: str, partition: int) -> Ownership:
        """Return who owns a partition now, as far as it has been read. Raises `LookupError` when nobody does yet."""
        claims = self.journals[service, partition].claims
        if not claims:
            raise LookupError(f"nobody has claimed partition {partition} of {service} yet")
        return claims[-1]

    async def caught_up(self) -> None:
        """Return when everything that is in the journals now has been read. Raises `LogUnavailableError`."""
        for journal in self.journals.values():
            end = await self._log.end(topic_journal(journal.service), journal.partition)
            while journal.position < end:  # noqa: ASYNC110 - it is another task that reads
                await asyncio.sleep(RETRY_S)

    async def _follow(self, journal: Journal) -> None:
        while True:
            try:
                await self._read(journal)
            except LogUnavailableError:
                await asyncio.sleep(RETRY_S)

    async def _read(self, journal: Journal) -> None:
        topic = topic_journal(journal.service)
        reader = await self._log.reader(topic, journal.partition, journal.position)
        try:
            while True:
                for record in await reader.read(READ_RECORDS, READ_WAIT_MS):
                    journal.take(record.value, time.monotonic())
                    journal.position = record.position + 1
        finally:
            await reader.close()
