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
READ_TRIES, READ_AGAIN_S = 2, 0.5

End = Callable[[], Awaitable[int]]
"""Tells where a partition ends now."""

_log = structlog.stdlib.get_logger(__name__)


class SnapshotStore(Protocol):
    """Keeps the newest snapshots of every partition of every service."""

    async def put(
        self, service: str, partition: int, position: int, dumped: bytes, *, end: End | None = None
    ) -> None:
        """Keep a snapshot and forget all but the newest few, and what stands beyond `end()`.

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
        self, service: str, partition: int, position: int, dumped: bytes, *, end: End | None = None
    ) -> None:
        """Keep a snapshot and forget all but the newest few.

        What stands at a later position is newer, as when this took so long that there is another owner; only beyond
        the end of the log it is of a log that is gone.
        """
        prefix = f"{service}/{partition}/"
        this = f"{prefix}{position:020d}.snapshot"
        try:
            await obstore.put_async(self._store, this, dumped)
            paths = await self._paths(prefix)
            later = [path for path in paths if path > this]
            old = [path for path in paths if path <= this][KEPT:]
            if later and end is not None:
                # Asked after they were listed: what is of this log stands below its end.
                last = f"{prefix}{await end():020d}.snapshot"
                old += [path for path in later if path > last]
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
