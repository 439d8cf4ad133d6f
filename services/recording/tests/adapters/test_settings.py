"""Where recordings are kept."""

from pathlib import Path

import pytest

from huntgroup_recording.adapters.store import MemoryVault, ObjectVault
from huntgroup_recording.settings import RecordingSettings, store_url_beside
from huntgroup_recording.wiring import vault_of
from huntgroup_runtime.settings import SettingsError, load_settings


@pytest.mark.parametrize("url", ["ftp://x/y", "s3://", "file://", "recordings", "file:"])
def test_a_store_that_is_none_is_refused_with_the_name_of_the_variable(url: str) -> None:
    with pytest.raises(SettingsError, match="HUNTGROUP_RECORDING_STORE_URL"):
        load_settings(RecordingSettings, store_url=url)


@pytest.mark.parametrize(
    ("log_url", "store_url"),
    [
        ("memory://", "memory://"),
        ("embedded://var/log", "file://var/log/recordings"),
        ("embedded:///srv/hunt/", "file:///srv/hunt/recordings"),
    ],
)
def test_recordings_are_kept_beside_the_log(log_url: str, store_url: str) -> None:
    assert store_url_beside(log_url) == store_url
    assert RecordingSettings(store_url=store_url).store_url == store_url


def test_with_kafka_the_store_must_be_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("HUNTGROUP_RECORDING_STORE_URL", raising=False)
    with pytest.raises(SettingsError, match="same for all replicas"):
        vault_of(RecordingSettings(), "kafka://127.0.0.1:9092")


async def test_a_directory_is_made_where_it_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert isinstance(vault_of(RecordingSettings(), "memory://"), MemoryVault)
    vault = vault_of(RecordingSettings(), "embedded://var/log")
    assert isinstance(vault, ObjectVault)
    await vault.put("d/a", b"x")
    assert (tmp_path / "var/log/recordings/d/a").read_bytes() == b"x"


def test_a_directory_that_cannot_be_made_is_told_with_the_name_of_the_variable(
    tmp_path: Path,
) -> None:
    (tmp_path / "file").write_text("no directory")
    settings = RecordingSettings(store_url=f"file://{tmp_path}/file/recordings")
    with pytest.raises(SettingsError, match="HUNTGROUP_RECORDING_STORE_URL"):
        vault_of(settings, "memory://")
