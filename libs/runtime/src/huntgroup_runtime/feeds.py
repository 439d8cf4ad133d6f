"""Feeds an owner with the journals of the services it reacts to, by the reader rule, at the pace it can take."""

import asyncio
from typing import TYPE_CHECKING

from huntgroup_contracts.registry import topic_journal
from huntgroup_eventlog.journal.replica import Role
from huntgroup_eventlog.journal.source import SourceFeed

if TYPE_CHECKING:
    from huntgroup_runtime.life import Life

READ_RECORDS_MAX = 500
READ_WAIT_MS = 1_000


class Feeds:
    """The foreign journals of one partition while it is owned here."""

    def __init__(self, life: "Life") -> None:
        self.open: list[SourceFeed] = []
        """One per source service."""
        self._life = life
        self._room = asyncio.Event()

    def begin(self) -> None:
        """Read every source from where the own journal says it has been taken in."""
        application, fold = self._life.around.application, self._life.replica.fold
        for service in application.reactions.sources:
            topic = topic_journal(service)
            cursor = fold.sources.get(topic)
            feed = SourceFeed.begin(topic, service, cursor, application.reactions)
            self.open.append(feed)
            self._life.spawn(self._run(feed))

    def room_may_be(self) -> None:
        """Let feeds go on that waited for room."""
        if self._has_room():
            self._room.set()

    def _has_room(self) -> bool:
        replica = self._life.replica
        return len(replica.decider.inputs) < READ_RECORDS_MAX and not replica.relay_behind

    async def _run(self, feed: SourceFeed) -> None:
        life, around = self._life, self._life.around
        linger_ms = around.application.source_linger_ms
        reader = await around.log.reader(feed.topic, around.partition, feed.position)
        try:
            while life.replica.role is Role.OWNING and not life.replica.resigning:
                while not self._has_room():
                    self._room.clear()
                    await self._room.wait()
                records = list(await reader.read(READ_RECORDS_MAX, READ_WAIT_MS))
                if records and linger_ms:
                    await asyncio.sleep(linger_ms / 1_000)
                    records += await reader.read(READ_RECORDS_MAX, 0)
                for record in records:
                    self._take_in(feed, record.position, record.value)
                if records:
                    life.pump()
        finally:
            await reader.close()

    def _take_in(self, feed: SourceFeed, position: int, value: bytes) -> None:
        life = self._life
        try:
            source = feed.read(position, value)
        except Exception as error:  # noqa: BLE001  a bug in a reaction stops the partition, loudly
            life.replica.bug(error, f"reacting to position {position} of {feed.topic}")
            return
        if life.around.telemetry.tracing:
            source = source.traced(life.around.telemetry.process_span)
        life.replica.take_in(source)
