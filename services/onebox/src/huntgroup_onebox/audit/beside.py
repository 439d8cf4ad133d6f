"""What belongs to a log and is kept beside it: snapshots, recordings, the reporting database. All only to be read."""

from dataclasses import dataclass
from pathlib import Path
from typing import Self
from urllib.parse import unquote, urlsplit

from obstore.exceptions import BaseError as StoreError

from huntgroup_eventlog.snapshots import ObjectSnapshotStore
from huntgroup_onebox.audit.database import ReportingDatabase
from huntgroup_recording.adapters.store import open_vault
from huntgroup_recording.app.ports import RecordingVault, VaultError
from huntgroup_recording.settings import RecordingSettings
from huntgroup_reporting.settings import ReportingSettings
from huntgroup_runtime.settings import RuntimeSettings, load_settings


class MissingError(Exception):
    """What was named to be audited is not there; the message says what."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Beside:
    """Where each is; None where it is not looked at."""

    snapshots: str | None = None
    """None where services keep them in memory, as they do without a URL."""
    recordings: str | None = None
    database: str | None = None

    @classmethod
    def of(
        cls,
        directory: Path | None,
        *,
        snapshots: str | None = None,
        recordings: str | None = None,
        database: str | None = None,
    ) -> Self:
        """Return what is named, else what the services' settings name, else what is beside an embedded log.

        `snapshots` is a URL or a directory.
        """
        recordings = recordings or _settings_of_recordings()
        database = database or _settings_of_database()
        if directory is not None:
            if recordings is None and (directory / "recordings").is_dir():
                recordings = (directory / "recordings").absolute().as_uri()
            if database is None and (directory / "reporting.sqlite").is_file():
                database = f"sqlite:///{(directory / 'reporting.sqlite').absolute()}"
        snapshots = snapshots or load_settings(RuntimeSettings).snapshot_url or None
        if snapshots is None and directory is not None and (directory / "snapshots").is_dir():
            snapshots = str(directory / "snapshots")
        if snapshots is not None and "://" not in snapshots:
            snapshots = Path(snapshots).absolute().as_uri()
        if snapshots is not None and urlsplit(snapshots).scheme == "memory":
            snapshots = None
        return cls(snapshots=snapshots, recordings=recordings, database=database)

    def open_snapshots(self) -> ObjectSnapshotStore | None:
        """Open the store of snapshots; raises `MissingError`. A directory is not made."""
        if self.snapshots is None:
            return None
        folder = _folder(self.snapshots)
        if folder is not None and not folder.is_dir():
            raise MissingError(f"there are no snapshots in {folder}")
        try:
            return ObjectSnapshotStore.from_url(self.snapshots)
        except (StoreError, ValueError) as error:
            raise MissingError(
                f"the snapshots of {self.snapshots} cannot be read: {error}"
            ) from error

    def open_vault(self) -> RecordingVault | None:
        """Open the store of recordings; raises `MissingError`. A directory is not made."""
        if self.recordings is None:
            return None
        folder = _folder(self.recordings)
        if folder is not None and not folder.is_dir():
            raise MissingError(f"there are no recordings in {folder}")
        timeout_ms = load_settings(RecordingSettings).store_timeout_ms
        try:
            return open_vault(self.recordings, timeout_ms=timeout_ms)
        except VaultError as error:
            raise MissingError(f"the recordings cannot be read: {error}") from error

    def open_database(self) -> ReportingDatabase | None:
        """Open the reporting database; raises `DatabaseUnavailableError`."""
        return None if self.database is None else ReportingDatabase(self.database)


def _settings_of_recordings() -> str | None:
    url = load_settings(RecordingSettings).store_url
    return url if url and url != "memory://" else None


def _settings_of_database() -> str | None:
    return load_settings(ReportingSettings).reporting_database_url.get_secret_value() or None


def _folder(url: str) -> Path | None:
    parts = urlsplit(url)
    return Path(unquote(parts.netloc + parts.path)) if parts.scheme == "file" else None
