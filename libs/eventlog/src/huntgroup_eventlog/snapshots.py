"""Where snapshots are kept. Losing one costs time, never truth."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import suppress
from typing import Protocol
from urllib.parse import unquote, urlsplit

import obstore
import structlog
from obstore.exceptions import BaseError as StoreError
from obstore.store import LocalStore, MemoryStore, ObjectStore, from_url

KEPT = 2
"""Of each code version: of one that is damaged there is another."""
CODES_KEPT = 2
"""A snapshot is of use to the code that made it alone; of the last two, whoever goes back begins from one, too."""
READ_TRIES, READ_AGAIN_S = 2, 0.5

End = Callable[[], Awaitable[int]]
"""Tells where a partition ends now."""

_log = structlog.stdlib.get_logger(__name__)


class SnapshotStore(Protocol):
    """Keeps the newest snapshots of every partition of every service."""

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
        """Keep a snapshot made by `code` and forget all but the newest few, and what stands beyond `end()`.

        Raises `OSError` when it cannot be stored, and what `end` raises; the snapshot is stored then.
        """
        ...

    async def newest_first(self, service: str, partition: int) -> Sequence[bytes]:
        """Return the kept snapshots, newest first; empty when there is none, or the store cannot be read (logged)."""
        ...


class ObjectSnapshotStore:
    """Snapshots in object storage: a directory, S3 or memory, by obstore."""

    def __init__(self, store: ObjectStore) -> None:
        self._store = store

    @classmethod
    def from_url(cls, url: str) -> "ObjectSnapshotStore":
        """Open `file:///directory`, `s3://bucket/prefix`, …; an empty URL keeps snapshots in memory."""
        parts = urlsplit(url)
        if parts.scheme == "file":
            return cls(LocalStore(unquote(parts.path), mkdir=True))
        return cls(from_url(url) if url else MemoryStore())

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
        """Keep a snapshot made by `code` and forget all but the newest few of this code and of the one before.

        What stands at a later position is newer, as when this took so long that there is another owner; only beyond
        the end of the log it is of a log that is gone.
        """
        prefix = f"{service}/{partition}/"
        this = f"{prefix}{name_of(position, code)}"
        try:
            await obstore.put_async(self._store, this, dumped)
            paths = await self._paths(prefix)
            later = [path for path in paths if _position(path) > _position(this)]
            old = outdated(paths[len(later) :], code)
            if later and end is not None:
                # Asked after they were listed: what is of this log stands below its end.
                last = _position(name_of(await end(), code))
                old += [path for path in later if _position(path) > last]
            for path in old:
                with suppress(FileNotFoundError):
                    await obstore.delete_async(self._store, path)
        except StoreError as error:
            raise OSError(f"snapshot at {position} of {prefix}: {error}") from error

    async def newest_first(self, service: str, partition: int) -> Sequence[bytes]:
        """Return the kept snapshots, newest first; one that is replaced meanwhile is left out."""
        for tries_left in reversed(range(READ_TRIES)):
            try:
                return [*(await self.kept(service, partition)).values()]
            except OSError as error:
                _log.warning(
                    "snapshots_not_read",
                    service=service,
                    partition=partition,
                    error=str(error),
                    tries_left=tries_left,
                )
            if tries_left:
                await asyncio.sleep(READ_AGAIN_S)
        return []

    async def kept(self, service: str, partition: int) -> Mapping[str, bytes]:
        """Return the kept snapshots by their paths, newest first; one that is replaced meanwhile is left out.

        Raises `OSError` when the store cannot be read.
        """
        found: dict[str, bytes] = {}
        try:
            for path in await self._paths(f"{service}/{partition}/"):
                with suppress(FileNotFoundError):
                    kept = await obstore.get_async(self._store, path)
                    found[path] = bytes(await kept.bytes_async())
        except StoreError as error:
            raise OSError(
                f"the snapshots of {service}/{partition} are not read: {error}"
            ) from error
        return found

    async def _paths(self, prefix: str) -> list[str]:
        listed = await obstore.list_with_delimiter_async(self._store, prefix)
        return sorted((meta["path"] for meta in listed["objects"]), reverse=True)


def name_of(position: int, code: str) -> str:
    """Return how a snapshot is called: names sort by position, and say which code made it, if that is known."""
    return f"{position:020d}.{code}.snapshot" if code else f"{position:020d}.snapshot"


def _position(path: str) -> str:
    return path.rpartition("/")[2].partition(".")[0]


def outdated(paths: Sequence[str], code: str) -> list[str]:
    """Return which of the snapshots, newest first, can go when `code` has made one: all but the last few."""
    kept, old = {code: 0}, []
    for path in paths:
        by = path.rpartition("/")[2].removesuffix(".snapshot").partition(".")[2]
        if kept.get(by, 0) < (KEPT if by in kept or len(kept) < CODES_KEPT else 0):
            kept[by] = kept.get(by, 0) + 1
        else:
            old.append(path)
    return old
