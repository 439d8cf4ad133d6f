"""What a Kafka client library must be able to do for `KafkaLog`; topics and positions are asked elsewhere."""

from collections.abc import Awaitable
from typing import Protocol

from huntgroup_eventlog.port import NewRecord, Reader


class KafkaDriver(Protocol):
    """Appends to and reads partitions that exist; its methods raise what the port says."""

    def append(self, topic: str, partition: int, record: NewRecord, size: int) -> Awaitable[int]:
        """Append one record, which has a legal `size` in bytes."""
        ...

    async def open_reader(self, topic: str, partition: int, position: int) -> Reader:
        """Open a reader at a position that exists."""
        ...

    async def close(self) -> None:
        """Fail what is pending, end all readers and release everything."""
        ...
