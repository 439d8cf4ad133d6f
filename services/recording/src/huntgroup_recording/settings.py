"""The recording service's own settings; those of every process are `huntgroup_runtime.settings`."""

from typing import Annotated
from urllib.parse import urlsplit

from pydantic import AfterValidator, Field
from pydantic_settings import BaseSettings, SettingsConfigDict

SCHEMES = ("memory", "file", "s3", "gs", "az")


def _store_url(value: str) -> str:
    url = urlsplit(value)
    if value and (
        url.scheme not in SCHEMES
        or not (url.scheme == "memory" or url.netloc or url.path.strip("/"))
    ):
        raise ValueError(
            "must be empty, memory://, file:///directory, s3://bucket/prefix, gs://bucket/prefix "
            "or az://container/prefix"
        )
    return value


def store_url_beside(log_url: str) -> str:
    """Return where recordings are kept when nothing else is said; raises `ValueError` when that must be said."""
    url = urlsplit(log_url)
    if url.scheme == "memory":
        return "memory://"
    if url.scheme == "embedded":
        return f"file://{url.netloc}{url.path.rstrip('/')}/recordings"
    raise ValueError("must be given with this log, and be the same for all replicas")


StoreUrl = Annotated[str, AfterValidator(_store_url)]


class RecordingSettings(BaseSettings):
    """Where recordings are kept, and how long is waited for whom. Variables: `HUNTGROUP_RECORDING_` + name."""

    model_config = SettingsConfigDict(
        env_prefix="HUNTGROUP_RECORDING_", env_ignore_empty=True, frozen=True, extra="ignore"
    )

    store_url: StoreUrl = ""
    """Object storage. A `file://` URL without a leading `/` is relative to the working directory. Credentials come
    from the environment under the provider's own names, for example `AWS_ACCESS_KEY_ID` and `AWS_REGION`. Empty: the
    folder `recordings` beside an embedded log, or memory with a log in memory; with Kafka it must be given, since
    every replica must find what another one stored."""
    store_timeout_ms: int = Field(default=5_000, ge=10, le=60_000)
    """A part that is not stored within this time is lost, and noted as a gap."""
    stop_grace_ms: int = Field(default=15_000, ge=0, le=60_000)
    """So long after the stop late audio is waited for, unless the client has closed its stream in order."""
    hello_wait_ms: int = Field(default=1_000, ge=0, le=10_000)
    """A stream may come so long before its contact is known to be connected."""
    silent_stream_ms: int = Field(default=3_000, ge=0, le=60_000)
    """A stream without a chunk for so long gives way to another one of the same contact."""
    compositions_max: int = Field(default=4, ge=1, le=64)
    """So many files are put together at once, each with about 15 MiB in memory."""
