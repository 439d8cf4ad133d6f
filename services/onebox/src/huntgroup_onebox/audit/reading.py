"""Reads partitions of the log from the beginning to an end that was fixed before, as records or as accepted entries."""

import heapq
from collections import deque
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass
from typing import Final, Self

from huntgroup.journal.v1 import journal_pb2 as wire
from huntgroup_contracts.registry import SERVICES, topic_dlq, topic_events, topic_journal
from huntgroup_eventlog.journal.chain import ChainReader, Ignored, Unreadable
from huntgroup_eventlog.port import Log, LogCorruptError, LogRecord, LogUnavailableError, Reader
from huntgroup_onebox.audit.report import Findings, Place

READ_RECORDS: Final = 1_000
READ_WAIT_MS: Final = 1_000
SILENT_READS_MAX: Final = 10
"""After so many empty reads before the known end the log counts as unreadable."""

Progress = Callable[[int, int], None]
"""Told how many of how many records were read."""


@dataclass(frozen=True, slots=True)
class Entry:
    """An accepted entry of a journal, and where it stands."""

    service: str
    place: Place
    key: bytes
    kind: wire.Claim | wire.Batch
    chain: bytes
    """The chain value after it: the record hash in the ids of its events."""
    bytes: int
    """Of the record's value."""

    @property
    def batch(self) -> wire.Batch:
        """The batch; only where `kind` is known to be one."""
        assert isinstance(self.kind, wire.Batch)
        return self.kind


class Records:
    """The records of one partition of one topic up to an end that moves. Used as a context manager, which closes it."""

    def __init__(self, log: Log, service: str, topic: str, partition: int) -> None:
        self.service = service
        self.topic = topic
        self.partition = partition
        self.end = 0
        self.position = 0
        self.damage: LogCorruptError | None = None
        """What stopped the reading for good."""
        self._log = log
        self._reader: Reader | None = None
        self._ahead: deque[LogRecord] = deque()
        """Read already, but not before `end`."""

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def close(self) -> None:
        """Let go of the log; reading goes on where it was."""
        self._ahead.clear()
        if self._reader is not None:
            reader, self._reader = self._reader, None
            await reader.close()

    async def next(self) -> Sequence[LogRecord]:
        """Return the next records, none at the end or at damage. Raises `LogUnavailableError`."""
        if self.position >= self.end or self.damage is not None:
            return ()
        if not self._ahead:
            try:
                self._ahead.extend(await self._read())
            except LogCorruptError as damage:
                self.damage = damage
                return ()
        found = []
        while self._ahead and self._ahead[0].position < self.end:
            found.append(self._ahead.popleft())
        # Positions need not be dense: what comes next may be behind the end.
        self.position = found[-1].position + 1 if found else self.end
        return found

    async def _read(self) -> Sequence[LogRecord]:
        if self._reader is None:
            self._reader = await self._log.reader(self.topic, self.partition, self.position)
        for _ in range(SILENT_READS_MAX):
            found = await self._reader.read(READ_RECORDS, READ_WAIT_MS)
            if found:
                return found
        raise LogUnavailableError(
            f"{self.topic}[{self.partition}] gives nothing at {self.position}, before its end {self.end}"
        )


class Entries:
    """The accepted entries of one journal partition, one by one, in order."""

    def __init__(self, records: Records, service: str, findings: Findings) -> None:
        self.service = service
        self.records = records
        self._findings = findings
        self._chain = ChainReader()
        self._read: deque[Entry] = deque()
        self._broken: tuple[Place, Ignored] | None = None
        """The first entry that broke the chain and was passed over although its owner had the claim."""
        self._broken_more = 0

    async def head(self) -> Entry | None:
        """Return the next entry without moving on, or None at the end."""
        while not self._read:
            records = await self.records.next()
            if not records:
                return None
            for record in records:
                self._judge(record)
        return self._read[0]

    def move_on(self) -> None:
        """Go on to the entry after the head."""
        self._read.popleft()

    def finish(self) -> None:
        """Judge what was passed over last."""
        self._tell_broken("and nothing was accepted afterwards")

    def _judge(self, record: LogRecord) -> None:
        judged = self._chain.read(record.value)
        if isinstance(judged, Unreadable):
            self._findings.saw("unreadable")
            return
        place = Place(
            topic=self.records.topic, partition=self.records.partition, position=record.position
        )
        if isinstance(judged, Ignored):
            self._findings.saw("ignored")
            if (judged.epoch, judged.owner) == (self._chain.state.epoch, self._chain.state.owner):
                self._break(place, judged)
        else:
            if isinstance(judged, wire.Batch):
                self._tell_broken("and its owner went on")
            self._broken = None  # a claim: who was replaced may have written in vain
            entry = Entry(
                self.service, place, record.key, judged, self._chain.state.chain, len(record.value)
            )
            self._read.append(entry)

    def _break(self, place: Place, ignored: Ignored) -> None:
        if not ignored.seq:
            return  # the claim itself, twice
        if self._broken is None:
            self._broken, self._broken_more = (place, ignored), 0
        else:
            self._broken_more += 1

    def _tell_broken(self, afterwards: str) -> None:
        """Name what an owner wrote in vain within its own claim."""
        if self._broken is None:
            return
        place, one = self._broken
        more = f" and {self._broken_more:,} after it" if self._broken_more else ""
        self._findings.note(
            f"{place}: batch {one.seq}{more} of the current claim (epoch {one.epoch}, {one.owner})"
            f" was passed over: it {one.reason}, {afterwards}"
        )


async def by_time(journals: Sequence[Entries]) -> AsyncIterator[Entry]:
    """Yield the entries of several journals by log time, each journal's in its own order."""
    heads = [
        (entry.kind.at_ms, order, entry)
        for order, journal in enumerate(journals)
        if (entry := await journal.head()) is not None
    ]
    heapq.heapify(heads)
    while heads:
        _, order, entry = heads[0]
        yield entry
        journal = journals[order]
        journal.move_on()
        following = await journal.head()
        if following is None:
            heapq.heappop(heads)
        else:
            heapq.heapreplace(heads, (following.kind.at_ms, order, following))


@dataclass(frozen=True, slots=True, kw_only=True)
class Ends:
    """Where every partition ended when the audit began, taken in an order that makes them comparable."""

    journals: dict[tuple[str, int], int]
    """By service and partition; taken last: what others have taken in or published is within."""
    events: dict[tuple[str, int], int]
    """Of the public topics; taken before the journals."""
    letters: dict[tuple[str, int], int]
    """Of the dead letters."""
    early: dict[tuple[str, int], int]
    """Of the journals; taken first: what they say is published is within `events`."""

    @property
    def records(self) -> int:
        """How many records there are to read, at most."""
        return sum(sum(ends.values()) for ends in (self.journals, self.events, self.letters))


async def find_ends(log: Log, partitions: Sequence[int]) -> Ends:
    """Return the ends of what there is. Raises `LogUnavailableError`, also when there is no journal at all."""
    there = set(await log.topics())
    services = [service for service in SERVICES if topic_journal(service) in there]
    if not services:
        raise LogUnavailableError(
            f"this log has no journal of Huntgroup, for example {topic_journal(SERVICES[0])}"
        )
    public = [service for service in services if topic_events(service) in there]

    async def ends(topic: Callable[[str], str], names: Sequence[str]) -> dict[tuple[str, int], int]:
        return {
            (service, partition): await log.end(topic(service), partition)
            for service in names
            for partition in partitions
        }

    early = await ends(topic_journal, services)
    letters = await ends(topic_dlq, [one for one in services if topic_dlq(one) in there])
    events = await ends(topic_events, public)
    reporting = await ends(topic_journal, [one for one in services if one == "reporting"])
    journals = await ends(topic_journal, [one for one in services if one != "reporting"])
    return Ends(
        journals=journals | reporting,
        events=events,
        letters=letters,
        early=early,
    )
