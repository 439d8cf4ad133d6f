"""Opens the log and the snapshot store that the settings name."""

from urllib.parse import urlsplit

from huntgroup_eventlog.port import Log
from huntgroup_eventlog.snapshots import ObjectSnapshotStore, SnapshotStore
from huntgroup_runtime.settings import RuntimeSettings

# ruff: noqa: PLC0415 - a process loads the one adapter that it uses


def open_log(settings: RuntimeSettings) -> Log:
    """Open the log of `log_url`, on the event loop; raises `LogUnavailableError`, at the first use at the latest."""
    url = urlsplit(settings.log_url)
    partitions = settings.log_partitions
    match url.scheme:
        case "kafka":
            from huntgroup_eventlog.adapters.kafka import KafkaLog

            return KafkaLog(
                url.netloc,
                partitions,
                replication_factor=settings.log_replication_factor,
                driver=settings.log_kafka_driver,
            )
        case "embedded":
            from huntgroup_eventlog.adapters.embedded import EmbeddedLog

            return EmbeddedLog(
                url.netloc + url.path, partitions, durability=settings.log_durability
            )
        case _:
            from huntgroup_eventlog.adapters.memory import MemoryLog

            return MemoryLog(partitions)


def open_snapshots(settings: RuntimeSettings) -> SnapshotStore:
    """Open the store of `snapshot_url`; an empty one keeps snapshots in memory, which only costs time at a start."""
    return ObjectSnapshotStore.from_url(settings.snapshot_url)
