"""What nodes share beside the log: snapshots, recordings and the ledger's database, each as far away as the broker."""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from typing import Final

from huntgroup_eventlog.snapshots import End, name_of, outdated
from huntgroup_onebox.sim.seeded_loop import Node
from huntgroup_onebox.sim.sim_log import Moment
from huntgroup_onebox.sim.weather import Weather
from huntgroup_recording.adapters.store import MemoryVault
from huntgroup_recording.app.ports import StoredObject, VaultError
from huntgroup_reporting.adapters.ledger import BEGINNING
from huntgroup_reporting.app.ports import (
    Cursor,
    CursorMovedError,
    HistoryUnavailableError,
    LedgerChanges,
    LedgerRows,
    Span,
)
from huntgroup_reporting.core.state import AgentTimes, QueueCounts

PIECE_BYTES: Final = 4_096
"""So little that a short recording comes in several."""
Taken = Callable[[Node, str, int, int, bytes], None]
"""Told each snapshot that is stored: node, service, partition, position, bytes."""


class Snapshots:
    """The newest snapshots of every partition, shared by all nodes."""

    def __init__(self) -> None:
        self.kept: dict[tuple[str, int], dict[str, bytes]] = {}
        """By service and partition, then by name."""

    def of(self, node: Node, weather: Weather, moment: Moment, taken: Taken) -> "NodeSnapshots":
        """Return the store as one node reaches it."""
        return NodeSnapshots(self, node, weather, moment, taken)


class NodeSnapshots:
    """A `SnapshotStore`."""

    def __init__(
        self, shared: Snapshots, node: Node, weather: Weather, moment: Moment, taken: Taken
    ) -> None:
        self._shared = shared
        self._node = node
        self._weather = weather
        self._moment = moment
        self._taken = taken

    async def put(
        self,
        service: str,
        partition: int,
        position: int,
        dumped: bytes,
        *,
        code: str = "",
        end: End | None = None,
    ) -> None:
        del end  # a story has one log
        await self._live_on("before snapshot")
        await _reach(self._node, self._weather, OSError)
        self._taken(self._node, service, partition, position, dumped)
        kept = self._shared.kept.setdefault((service, partition), {})
        # Object storage keeps all or nothing; a file system may keep a part.
        name = name_of(position, code)
        kept[name] = dumped[: len(dumped) // 2]
        await self._live_on("during snapshot")
        kept[name] = dumped
        await self._live_on("after snapshot")
        for old in outdated(sorted(kept, reverse=True), code):
            del kept[old]

    async def _live_on(self, moment: str) -> None:
        """Return, unless the node dies at this moment."""
        if self._moment(self._node, moment):
            await asyncio.Event().wait()

    async def newest_first(self, service: str, partition: int) -> Sequence[bytes]:
        try:
            await _reach(self._node, self._weather, OSError)
        except OSError:
            return []
        kept = self._shared.kept.get((service, partition), {})
        return [kept[name] for name in sorted(kept, reverse=True)]


class NodeVault:
    """A `RecordingVault` over one that all nodes share."""

    def __init__(self, shared: MemoryVault, node: Node, weather: Weather) -> None:
        self._shared = shared
        self._node = node
        self._weather = weather

    async def put(self, path: str, data: bytes) -> None:
        await self._reach()
        await self._shared.put(path, data)

    async def put_stream(self, path: str, pieces: AsyncIterator[bytes]) -> None:
        whole = [bytes(piece) async for piece in pieces]
        await self._reach()
        await self._shared.put(path, b"".join(whole))

    async def get(self, path: str) -> bytes:
        await self._reach()
        return await self._shared.get(path)

    async def read(self, path: str, from_byte: int = 0) -> AsyncIterator[bytes]:
        await self._reach()
        data = (await self._shared.get(path))[from_byte:]
        for start in range(0, len(data), PIECE_BYTES):
            yield data[start : start + PIECE_BYTES]

    async def objects(self, folder: str) -> Sequence[StoredObject]:
        await self._reach()
        return await self._shared.objects(folder)

    async def folders(self, folder: str) -> Sequence[str]:
        await self._reach()
        return await self._shared.folders(folder)

    async def delete(self, paths: Sequence[str]) -> None:
        await self._reach()
        await self._shared.delete(paths)

    async def _reach(self) -> None:
        await _reach(self._node, self._weather, VaultError)
        if self._weather.disk_full:
            raise VaultError("no space left on device")


class Database:
    """The ledger's rows and cursors, shared by all nodes: what SQL's transactions make of them."""

    def __init__(self) -> None:
        self.cursors: dict[int, Cursor] = {}
        self.queues: dict[tuple[str, int, str], QueueCounts] = {}
        self.agents: dict[tuple[str, int, str], AgentTimes] = {}


class NodeHistory:
    """A `History` over the shared database."""

    def __init__(self, database: Database, node: Node, weather: Weather) -> None:
        self.database = database
        self._node = node
        self._weather = weather

    async def cursor(self, partition: int) -> Cursor:
        await _reach(self._node, self._weather, HistoryUnavailableError)
        return self.database.cursors.get(partition, BEGINNING)

    async def add(
        self, partition: int, changes: LedgerChanges, before: Cursor, after: Cursor
    ) -> None:
        await self.move(partition, before, after)
        for key, counts in changes.queues.items():
            row = self.database.queues.setdefault(key, QueueCounts())
            for name in QueueCounts.__struct_fields__:
                both = getattr(row, name), getattr(counts, name)
                setattr(row, name, max(both) if name == "wait_ms_max" else sum(both))
        for key, times in changes.agents.items():
            spent = self.database.agents.setdefault(key, AgentTimes())
            for name in AgentTimes.__struct_fields__:
                setattr(spent, name, getattr(spent, name) + getattr(times, name))

    async def begin_again(
        self, partition: int, belongs: Callable[[str], bool], before: Cursor
    ) -> None:
        await self.move(partition, before, BEGINNING)
        for rows in (self.database.queues, self.database.agents):
            for key in [key for key in rows if belongs(key[0])]:
                del rows[key]

    async def rows(self, span: Span, rows_max: int) -> LedgerRows:
        """Nobody in a story asks for old intervals: they lie within what the state holds."""
        del span, rows_max
        await _reach(self._node, self._weather, HistoryUnavailableError)
        return LedgerRows()

    async def move(self, partition: int, before: Cursor, after: Cursor) -> None:
        """Move the cursor, if it is where the writer believes it."""
        await _reach(self._node, self._weather, HistoryUnavailableError)
        if self.database.cursors.get(partition, BEGINNING) != before:
            raise CursorMovedError(f"partition {partition} is no more at {before.position}")
        self.database.cursors[partition] = after


async def _reach(node: Node, weather: Weather, error: type[Exception]) -> None:
    await asyncio.sleep(weather.delay_s())
    if not weather.reaches_broker(node):
        await asyncio.sleep(1.0)
        raise error("cannot be reached")
