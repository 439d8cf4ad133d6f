"""Options of channels and servers: how big a message may be, how often a connection may be probed, how soon tried."""

from collections.abc import Sequence
from typing import Any, Final

Options = Sequence[tuple[str, Any]]

PEER_OPTIONS: Final[Options] = (
    # A replica that comes back is found within half a second; the default waits for up to two minutes.
    ("grpc.initial_reconnect_backoff_ms", 50),
    ("grpc.min_reconnect_backoff_ms", 200),
    ("grpc.max_reconnect_backoff_ms", 500),
    # A silent network is noticed after 20 s at most; the servers allow a probe every 10 s.
    ("grpc.keepalive_time_ms", 15_000),
    ("grpc.keepalive_timeout_ms", 5_000),
    # Retries are ours: they keep to the deadline and the command id.
    ("grpc.enable_retries", 0),
    ("grpc.use_local_subchannel_pool", 1),
)


def server_options(*, message_bytes_max: int, connection_ms_max: int) -> Options:
    """Return the options of a server; connections are renewed after `connection_ms_max` so that load can spread."""
    return (
        *message_limits(message_bytes_max),
        # Without it two processes may share a port unnoticed.
        ("grpc.so_reuseport", 0),
        ("grpc.keepalive_time_ms", 20_000),
        ("grpc.keepalive_timeout_ms", 10_000),
        ("grpc.keepalive_permit_without_calls", 1),
        ("grpc.http2.min_recv_ping_interval_without_data_ms", 10_000),
        ("grpc.http2.max_ping_strikes", 2),
        ("grpc.max_connection_idle_ms", 300_000),
        ("grpc.max_connection_age_ms", connection_ms_max),
        ("grpc.max_connection_age_grace_ms", connection_ms_max),
    )


def message_limits(message_bytes_max: int) -> Options:
    """Return the options that bound one message, received or sent."""
    return (
        ("grpc.max_receive_message_length", message_bytes_max),
        ("grpc.max_send_message_length", message_bytes_max),
    )
