"""Settings that every service process shares, read from the environment and checked once at the start."""

import os
import secrets
import socket
from collections.abc import Iterable
from typing import Annotated, Any, Literal, TypeVar
from urllib.parse import urlsplit

from pydantic import AfterValidator, Field, SecretStr, ValidationError, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

ENV_PREFIX = "HUNTGROUP_"
PORT_MAX = 65_535

S = TypeVar("S", bound=BaseSettings)


class SettingsError(ValueError):
    """A setting cannot be used; the message names the variable, the value and the rule, one a line."""


def _host_port(value: str) -> str:
    host, separator, port = value.rpartition(":")
    if not separator or not host or not port.isdecimal() or int(port) > PORT_MAX:
        raise ValueError("must be host:port with a port from 0 (choose a free one) to 65535")
    return value


def _optional_host_port(value: str) -> str:
    return _host_port(value) if value else value


def _is_wildcard(address: str) -> bool:
    return address.rpartition(":")[0] in {"0.0.0.0", "[::]", "::", "*"}  # noqa: S104 - only compared


def _log_url(value: str) -> str:
    url = urlsplit(value)
    if url.scheme == "memory" and not url.netloc and not url.path:
        return value
    if url.scheme == "embedded" and (url.netloc or len(url.path) > 1):
        return value
    if url.scheme == "kafka" and url.netloc and not url.path:
        for server in url.netloc.split(","):
            _host_port(server)
        return value
    raise ValueError("must be memory://, embedded:///directory or kafka://host:port,host:port")


def _optional_url(value: str) -> str:
    if value and not urlsplit(value).scheme:
        raise ValueError("must be empty or a URL such as file:///directory or s3://bucket/prefix")
    return value


HostPort = Annotated[str, AfterValidator(_host_port)]
OptionalHostPort = Annotated[str, AfterValidator(_optional_host_port)]
LogUrl = Annotated[str, AfterValidator(_log_url)]
OptionalUrl = Annotated[str, AfterValidator(_optional_url)]


def new_owner_id() -> str:
    """Return a name for this process run: host, process id, and a part that tells two runs apart."""
    return f"{socket.gethostname()}-{os.getpid()}-{secrets.token_hex(4)}"


class RuntimeSettings(BaseSettings):
    """What a service process needs to know that is not its own subject. Variables: `HUNTGROUP_` + upper-case name."""

    model_config = SettingsConfigDict(
        env_prefix=ENV_PREFIX, env_ignore_empty=True, frozen=True, extra="ignore"
    )

    # The log.
    log_url: LogUrl = "embedded://var/log"
    """`memory://` (lost at the end), `embedded:///directory` (SQLite, one machine) or `kafka://host:port,host:port`."""
    log_partitions: int = Field(default=8, ge=1, le=4_096)
    """Partitions of every topic; fixed when a cluster is set up, and the same in all its processes."""
    log_replication_factor: int = Field(default=1, ge=1, le=7)
    """Copies of each topic on Kafka; 3 in production. Without effect elsewhere."""
    log_kafka_driver: Literal["librdkafka", "aiokafka"] = "librdkafka"
    """The client behind the log on Kafka. librdkafka takes half of aiokafka's latency and CPU time."""
    log_durability: Literal["power", "process"] = "power"
    """What an acknowledged append to the embedded log survives: loss of power, or only the end of the process."""

    # Where this process serves.
    grpc_listen: HostPort = "127.0.0.1:7400"
    """The address gRPC is served on; port 0 chooses a free one."""
    grpc_advertised: OptionalHostPort = ""
    """The address at which other replicas reach `grpc_listen`; empty: the bound address itself."""
    http_listen: HostPort = "127.0.0.1:7480"
    """The address of /livez, /readyz and /metrics; port 0 chooses a free one."""

    # Ownership.
    owner_id: str = Field(default_factory=new_owner_id, min_length=1, max_length=128)
    """Unique for each process run; claims carry it."""
    replica_index: int = Field(default=0, ge=0)
    """The number of this replica, from 0: suggests which partitions it claims first."""
    replica_count: int = Field(default=1, ge=1)
    """How many replicas of this service run."""
    heartbeat_ms: int = Field(default=300, ge=0, le=60_000)
    """An owner with nothing to say appends an empty record this often; 0: never, for there is no standby."""
    takeover_after_ms: int = Field(default=1_500, ge=0, le=600_000)
    """A standby claims a partition whose journal was silent this long, or after two missed heartbeats when nobody
    listens at the owner's address any more; 0: at once, for there is no other owner."""

    # The owner loop.
    linger_ms: int = Field(default=0, ge=0, le=1_000)
    """How long a batch may wait for more commands; 0: only while the last append is under way."""
    batch_bytes_closing: int = Field(default=131_072, ge=4_096, le=262_144)
    """A batch that has reached this many bytes takes in nothing more; none exceeds 512 KiB."""
    inflight_batches_max: int = Field(default=8, ge=1, le=1_000)
    """Batches appended but not read back yet, at most, per partition."""
    waiting_commands_max: int = Field(default=10_000, ge=1, le=1_000_000)
    """Commands that wait for a decision, per partition; more are refused with RESOURCE_EXHAUSTED."""
    remembered_commands_max: int = Field(default=16_000_000, ge=1)
    """Command ids remembered per domain, at most; when full, new commands are refused rather than old ids forgotten."""

    # Admission, for each service in each process.
    admission_domain_commands_per_s: int = Field(default=5_000, ge=1, le=10_000_000)
    """Calls per second of one domain, steadily; new work and reads may use half of the burst, the rest is for
    contacts in progress."""
    admission_domain_burst: int = Field(default=10_000, ge=2, le=10_000_000)
    """Calls of one domain that may come at once after a quiet while."""
    admission_tenant_commands_per_s: int = Field(default=10_000, ge=1, le=10_000_000)
    """The same for all domains of one tenant together."""
    admission_tenant_burst: int = Field(default=20_000, ge=2, le=10_000_000)
    """The same for all domains of one tenant together."""
    admission_domain_waiting_max: int = Field(default=4_000, ge=2, le=1_000_000)
    """Calls of one domain that wait for their answer, at most; new work and reads may use half of the places."""
    admission_tenant_waiting_max: int = Field(default=6_000, ge=2, le=1_000_000)
    """The same for all domains of one tenant together."""
    admission_delay_target_ms: int = Field(default=500, ge=0, le=60_000)
    """When calls wait longer than this for longer than this, new work is refused with RESOURCE_EXHAUSTED; 0: never."""
    admission_tenant_streams_max: int = Field(default=6_000, ge=1, le=1_000_000)
    """Streams of one tenant that are open at once."""

    # Snapshots.
    snapshot_every_records: int = Field(default=10_000, ge=1)
    """A snapshot of a partition is written after this many records."""
    snapshot_url: OptionalUrl = ""
    """Where snapshots are kept, an obstore URL such as `file:///directory` or `s3://bucket/prefix`; empty: memory."""

    # gRPC.
    grpc_concurrent_rpcs_max: int = Field(default=10_000, ge=1, le=1_000_000)
    """Calls served at once, streams included; more are refused with RESOURCE_EXHAUSTED."""
    grpc_message_bytes_max: int = Field(default=1_048_576, ge=1_024, le=67_108_864)
    """Bytes of one message, received or sent."""
    grpc_deadline_ms: int = Field(default=10_000, ge=1)
    """Deadline of a unary call whose caller named none."""
    grpc_deadline_ms_max: int = Field(default=60_000, ge=1)
    """A later deadline of a unary call is cut to this."""
    grpc_stream_ms_max: int = Field(default=3_600_000, ge=1_000)
    """A stream ends after this long at the latest; its client opens the next one."""
    grpc_slow_reader_ms: int = Field(default=30_000, ge=10, le=600_000)
    """A stream whose reader takes nothing for so long is cut off with RESOURCE_EXHAUSTED."""
    drain_ms: int = Field(default=10_000, ge=0, le=600_000)
    """How long a stop waits for calls under way."""

    # What is told to the outside.
    otlp_endpoint: str = ""
    """gRPC endpoint of an OpenTelemetry collector, for example `http://127.0.0.1:4317`; empty: nothing is exported."""
    log_level: Literal["debug", "info", "warning", "error", "critical"] = "info"
    log_format: Literal["json", "console"] = "json"

    @model_validator(mode="after")
    def _fits_together(self) -> "RuntimeSettings":
        if self.replica_index >= self.replica_count:
            raise ValueError("replica_index must be below replica_count")
        if self.replica_count > 1 and not self.grpc_advertised and _is_wildcard(self.grpc_listen):
            raise ValueError(
                "grpc_advertised must say where others reach this replica when grpc_listen is every address"
            )
        if self.replica_count > 1 and not (self.heartbeat_ms and self.takeover_after_ms):
            raise ValueError(
                "heartbeat_ms and takeover_after_ms may be 0 only when replica_count is 1"
            )
        if self.takeover_after_ms and self.takeover_after_ms < 2 * self.heartbeat_ms:
            raise ValueError("takeover_after_ms must be at least 2 × heartbeat_ms")
        if self.grpc_deadline_ms > self.grpc_deadline_ms_max:
            raise ValueError("grpc_deadline_ms must not exceed grpc_deadline_ms_max")
        return self


def load_settings(settings_class: type[S], **overrides: Any) -> S:
    """Read `settings_class` from the environment; `overrides` win. Raises `SettingsError`."""
    try:
        return settings_class(**overrides)
    except ValidationError as error:
        raise SettingsError("\n".join(_explain(settings_class, error))) from None


def _explain(settings_class: type[BaseSettings], error: ValidationError) -> Iterable[str]:
    prefix = settings_class.model_config.get("env_prefix", "")
    for item in error.errors(include_url=False, include_context=False):
        rule = item["msg"].removeprefix("Value error, ")
        if not item["loc"]:
            yield f"{prefix}*: {rule}"
            continue
        name = str(item["loc"][0])
        field = settings_class.model_fields.get(name)
        secret = field is not None and field.annotation is SecretStr
        value = "***" if secret else repr(item["input"])
        yield f"{prefix}{name.upper()}={value}: {rule}"
