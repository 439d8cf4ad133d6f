"""Object storage: in memory, and by obstore in a directory, S3, Google Cloud Storage or Azure."""

import asyncio
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

import obstore
from obstore.exceptions import BaseError
from obstore.store import LocalStore, ObjectStore, from_url

from huntgroup_recording.app.ports import (
    ObjectMissingError,
    RecordingVault,
    StoredObject,
    VaultError,
)

PIECE_BYTES: Final = 65_536
RANGE_BYTES: Final = 1_048_576
UPLOAD_PART_BYTES: Final = 5_242_880
"""S3 takes no smaller part of a multipart upload."""
UPLOADS_MAX: Final = 2


class MemoryVault:
    """Objects in this process: for tests, simulations and demonstrations."""

    def __init__(self) -> None:
        self.stored: dict[str, bytes] = {}

    async def put(self, path: str, data: bytes) -> None:
        """Store an object."""
        self.stored[path] = bytes(data)

    async def put_stream(self, path: str, pieces: AsyncIterator[bytes]) -> None:
        """Store an object when all of it is there."""
        self.stored[path] = b"".join([bytes(piece) async for piece in pieces])

    async def get(self, path: str) -> bytes:
        """Return an object."""
        try:
            return self.stored[path]
        except KeyError:
            raise ObjectMissingError(f"{path}: not found") from None

    async def read(self, path: str, from_byte: int = 0) -> AsyncIterator[bytes]:
        """Yield an object, from a byte on."""
        for piece in pieces_of((await self.get(path))[from_byte:]):
            yield piece

    async def objects(self, folder: str) -> Sequence[StoredObject]:
        """List a folder."""
        return [
            StoredObject(path=path, length_bytes=len(self.stored[path]))
            for path in sorted(self.stored)
            if path.rpartition("/")[0] == folder
        ]

    async def folders(self, folder: str) -> Sequence[str]:
        """List the folders of a folder."""
        below = [
            path.removeprefix(folder + "/") for path in self.stored if path.startswith(folder + "/")
        ]
        return sorted({path.partition("/")[0] for path in below if "/" in path})

    async def delete(self, paths: Sequence[str]) -> None:
        """Delete objects."""
        for path in paths:
            self.stored.pop(path, None)


class ObjectVault:
    """Objects by obstore. An operation on a small object that takes longer than `timeout_ms` has failed."""

    def __init__(self, store: ObjectStore, *, timeout_ms: int) -> None:
        self._store = store
        self._timeout_s = timeout_ms / 1_000

    async def put(self, path: str, data: bytes) -> None:
        """Store an object."""
        with _told(path):
            async with asyncio.timeout(self._timeout_s):
                await obstore.put_async(self._store, path, data, use_multipart=False)

    async def put_stream(self, path: str, pieces: AsyncIterator[bytes]) -> None:
        """Store an object by a multipart upload, which is given up when a piece cannot be had."""
        with _told(path):
            await obstore.put_async(
                self._store,
                path,
                pieces,
                use_multipart=True,
                chunk_size=UPLOAD_PART_BYTES,
                max_concurrency=UPLOADS_MAX,
            )

    async def get(self, path: str) -> bytes:
        """Return an object."""
        with _told(path):
            async with asyncio.timeout(self._timeout_s):
                found = await obstore.get_async(self._store, path)
                return bytes(await found.bytes_async())

    async def read(self, path: str, from_byte: int = 0) -> AsyncIterator[bytes]:
        """Yield an object from a byte on, a range at a time: a slow reader holds no connection to the storage."""
        with _told(path):
            async with asyncio.timeout(self._timeout_s):
                length = (await obstore.head_async(self._store, path))["size"]
        for start in range(from_byte, length, RANGE_BYTES):
            with _told(path):
                async with asyncio.timeout(self._timeout_s):
                    end = min(start + RANGE_BYTES, length)
                    data = await obstore.get_range_async(self._store, path, start=start, end=end)
            for piece in pieces_of(bytes(data)):
                yield piece

    async def objects(self, folder: str) -> Sequence[StoredObject]:
        """List a folder."""
        with _told(folder):
            listed = await obstore.list_with_delimiter_async(self._store, folder)
        found = (
            StoredObject(path=one["path"], length_bytes=one["size"]) for one in listed["objects"]
        )
        return sorted(found, key=lambda one: one.path)

    async def folders(self, folder: str) -> Sequence[str]:
        """List the folders of a folder."""
        with _told(folder):
            listed = await obstore.list_with_delimiter_async(self._store, folder)
        return sorted(path.rstrip("/").rpartition("/")[2] for path in listed["common_prefixes"])

    async def delete(self, paths: Sequence[str]) -> None:
        """Delete objects; a directory stops at the first that is missing, so the rest is deleted one by one."""
        with _told(paths[0] if paths else ""):
            try:
                await obstore.delete_async(self._store, list(paths))
            except FileNotFoundError:
                for path in paths:
                    with suppress(FileNotFoundError):
                        await obstore.delete_async(self._store, path)


def open_vault(url: str, *, timeout_ms: int) -> RecordingVault:
    """Open `memory://`, `file:///directory` (`file://directory`: relative), `s3://bucket/prefix`, `gs://…` or `az://…`.

    Credentials and region come from the environment, as the provider names them. Raises `VaultError`.
    """
    parts = urlsplit(url)
    if parts.scheme == "memory":
        return MemoryVault()
    with _told(url):
        if parts.scheme == "file":
            folder = Path(parts.netloc + parts.path)
            store: ObjectStore = LocalStore(folder, automatic_cleanup=True, mkdir=True)
        else:
            store = from_url(url)
    return ObjectVault(store, timeout_ms=timeout_ms)


def pieces_of(data: bytes) -> Iterator[bytes]:
    """Yield `data` in pieces of at most `PIECE_BYTES`."""
    for start in range(0, len(data), PIECE_BYTES):
        yield data[start : start + PIECE_BYTES]


@contextmanager
def _told(path: str) -> Iterator[None]:
    """Tell what fails in the words of the port."""
    try:
        yield
    except FileNotFoundError as error:
        raise ObjectMissingError(f"{path}: {_first_line(error)}") from None
    except TimeoutError:
        raise VaultError(f"{path}: the storage did not answer in time") from None
    except (BaseError, OSError, ValueError) as error:
        raise VaultError(f"{path}: {_first_line(error)}") from error


def _first_line(error: Exception) -> str:
    return str(error).partition("\n")[0]
