"""The driver on aiokafka: pure asyncio, no thread. One consumer per reader.

Measured against one aiokafka consumer for all readers (40 readers, 400-byte records, one broker, two cores to
themselves): append and read back p50 0.53 ms against 0.74, p99 1.02 against 1.36, CPU per record 479 µs against 755;
idle 7 % of a core against 4.6.
"""

from contextlib import suppress

from huntgroup_eventlog.adapters.kafka_connection import KafkaConnection
from huntgroup_eventlog.adapters.kafka_producing import KafkaProducing
from huntgroup_eventlog.adapters.kafka_reading import KafkaReader
from huntgroup_eventlog.adapters.kafka_topics import KafkaTopics
from huntgroup_eventlog.port import NewRecord, Reader


class AiokafkaDriver:
    """See `KafkaDriver`."""

    def __init__(self, connection: KafkaConnection, topics: KafkaTopics) -> None:
        self._connection = connection
        self._producing = KafkaProducing(connection, topics.check)
        self._readers: set[KafkaReader] = set()

    async def append(self, topic: str, partition: int, record: NewRecord, size: int) -> int:  # noqa: ARG002 - it batches by itself
        return await self._producing.append(topic, partition, record)

    async def open_reader(self, topic: str, partition: int, position: int) -> Reader:
        reader = KafkaReader(self._connection, topic, partition, self._readers.discard)
        await reader.start(position)
        self._readers.add(reader)
        return reader

    async def close(self) -> None:
        await self._producing.close()
        for reader in list(self._readers):
            with suppress(Exception):
                await reader.close_with_log()
