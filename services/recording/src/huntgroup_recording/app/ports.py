"""What the recording service needs of the world: a vault for objects, and an archive of audio in it."""

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from typing import Protocol

from huntgroup_recording.app.queries import RecordingFacts


class VaultError(Exception):
    """The vault cannot be read or written at the moment; the message names the object and the reason."""


class ObjectMissingError(VaultError):
    """There is no such object."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredObject:
    """One object as a listing shows it."""

    path: str
    length_bytes: int


class RecordingVault(Protocol):
    """Object storage. Objects appear whole or not at all; paths are segments joined by `/`.

    Every method raises `VaultError` when the storage fails or does not answer in time.
    """

    async def put(self, path: str, data: bytes) -> None:
        """Store a small object; one that is there is replaced."""
        ...

    async def put_stream(self, path: str, pieces: AsyncIterator[bytes]) -> None:
        """Store an object of any size in bounded memory; when `pieces` raises, that is raised and nothing is stored."""
        ...

    async def get(self, path: str) -> bytes:
        """Return a small object; raises `ObjectMissingError`."""
        ...

    def read(self, path: str, from_byte: int = 0) -> AsyncIterator[bytes]:
        """Return an object of any size, in pieces, from a byte on; raises `ObjectMissingError`."""
        ...

    async def objects(self, folder: str) -> Sequence[StoredObject]:
        """Return the objects right below a folder, sorted by path."""
        ...

    async def folders(self, folder: str) -> Sequence[str]:
        """Return the names of the folders right below a folder, sorted."""
        ...

    async def delete(self, paths: Sequence[str]) -> None:
        """Delete objects; one that is not there is fine."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """A piece of a recording in the vault: so many samples of both sides, from a sample of the contact's clock."""

    path: str
    segment: int
    first_sample: int
    samples: int

    @property
    def end_sample(self) -> int:
        """The sample after its last."""
        return self.first_sample + self.samples


@dataclass(frozen=True, slots=True, kw_only=True)
class Composition:
    """A finished file in the vault."""

    location: str
    length_bytes: int
    duration_ms: int
    sha256: str


class Archive(Protocol):
    """The audio of recordings in a vault: parts while a contact talks, one file afterwards. Raises `VaultError`."""

    async def parts(self, domain: str, recording_id: str) -> Sequence[Part]:
        """Return what has been stored of a recording, in the order of its time."""
        ...

    async def compose(
        self, domain: str, recording_id: str, parts: Sequence[Part], *, rate_hz: int, until_ms: int
    ) -> Composition:
        """Store the parts as one file that lasts until `until_ms` at least; silence is where no part is.

        Safe to repeat: the same parts give the same file at the same place.
        """
        ...

    async def keep(self, facts: RecordingFacts) -> None:
        """Store what is known of a finished recording beside its file, for when nobody else remembers."""
        ...

    async def kept(self, domain: str, contact_id: str) -> RecordingFacts | None:
        """Return what was kept of a recording, or None."""
        ...

    async def discard_parts(self, domain: str, recording_id: str) -> None:
        """Delete the parts of a recording."""
        ...

    async def unfinished(self, domain: str) -> Sequence[str]:
        """Return the ids of the recordings that have parts, sorted."""
        ...
