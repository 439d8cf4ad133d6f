"""Where a Kafka cluster is and how long to wait for it, in one place for every client that is made."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from huntgroup_eventlog.port import KEY_AND_HEADERS_BYTES_MAX, RECORD_BYTES_MAX

MESSAGE_BYTES_MAX: Final = RECORD_BYTES_MAX + KEY_AND_HEADERS_BYTES_MAX + 65_536
"""`max.message.bytes` of our topics: the largest record, and what the format adds to it (headers may be tiny)."""

RECONNECT: Final = {
    "reconnect.backoff.ms": 50,
    "reconnect.backoff.max.ms": 500,
    "topic.metadata.refresh.interval.ms": 250,
}
"""librdkafka's: a broker that comes back, and who leads a partition after a broker is gone, are found within so long.

By default it waits for up to ten seconds for the one. For the other, the thread of the broker that went away undoes
what the metadata had just told, and a partition has no leader until they are asked for again, a second later.
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class KafkaConnection:
    """What all clients of one log share. `client_options` are aiokafka's (security, client id, …)."""

    bootstrap_servers: str
    append_timeout_ms: int = 5_000
    """An append that takes longer has failed with an unknown outcome."""
    request_timeout_ms: int = 5_000
    """How long one request may take; asking for positions and topics takes at most twice as long."""
    unanswered_ms_max: int = 5_000
    """A reader whose broker has not answered for so long says that the log is unavailable."""
    fetch_max_wait_ms: int = 500
    """How long a broker may hold an empty fetch. It answers at the first record, so this costs no latency."""
    client_options: Mapping[str, Any] = field(default_factory=dict)
    librdkafka_options: Mapping[str, Any] = field(default_factory=dict)
    """The same options as librdkafka names them, for that driver; topics are asked for through aiokafka even then."""

    def common(self) -> dict[str, Any]:
        """Return the options of every client."""
        return {
            "bootstrap_servers": self.bootstrap_servers,
            "request_timeout_ms": self.request_timeout_ms,
            "retry_backoff_ms": 50,
            **self.client_options,
        }
