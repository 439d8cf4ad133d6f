"""Where snapshots are kept. Losing one costs time, never truth."""

from collections.abc import Sequence
from contextlib import suppress
from typing import Protocol
from urllib.parse import unquote, urlsplit

import obstore
from obstore.exceptions import BaseError as StoreError
from obstore.store import LocalStore, MemoryStore, ObjectStore, from_url

KEPT = 2


class SnapshotStore(Protocol):
    """Keeps the newest snapshots of every partition of every service."""

    async def put(self, service: str, partition: int, position: int, dumped: bytes) -> None:
        """Keep a snapshot and forget all but the newest few. Raises `OSError` when it cannot be stored."""
        ...

    async def newest_first(self, service: str, partition: int) -> Sequence[bytes]:
        """Return the kept snapshots, newest first; empty when there is none or the store cannot be read."""
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

    async def put(self, service: str, partition: int, position: int, dumped: bytes) -> None:
        """Keep a snapshot and forget all but the newest few.

        What stands at a later position is of a log that is gone, or of an owner whose work will be done again.
        """
        prefix = f"{service}/{partition}/"
        this = f"{prefix}{position:020d}.snapshot"
        try:
            await obstore.put_async(self._store, this, dumped)
            paths = await self._paths(prefix)
            kept = [path for path in paths if path <= this][:KEPT]
            for path in [path for path in paths if path not in kept]:
                with suppress(FileNotFoundError):
                    await obstore.delete_async(self._store, path)
        except StoreError as error:
            raise OSError(f"snapshot at {position} of {prefix}: {error}") from error

    async def newest_first(self, service: str, partition: int) -> Sequence[bytes]:
        """Return the kept snapshots, newest first; one that is replaced meanwhile is left out."""
        found: list[bytes] = []
        try:
            for path in await self._paths(f"{service}/{partition}/"):
                with suppress(FileNotFoundError):
                    kept = await obstore.get_async(self._store, path)
                    found.append(bytes(await kept.bytes_async()))
        except StoreError:
            return []
        return found

    async def _paths(self, prefix: str) -> list[str]:
        listed = await obstore.list_with_delimiter_async(self._store, prefix)
        return sorted((meta["path"] for meta in listed["objects"]), reverse=True)
