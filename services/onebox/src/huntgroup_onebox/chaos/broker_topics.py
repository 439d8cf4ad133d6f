"""Who leads which partition on a cluster of brokers, and whether every copy is up to date."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import KafkaError


class BrokerTopics:
    """Asks a cluster about its topics."""

    def __init__(self, admin: AIOKafkaAdminClient) -> None:
        self._admin = admin

    async def leader(self, topic: str, partition: int) -> int:
        """Return the number of the broker that leads a partition."""
        (found,) = await self._admin.describe_topics([topic])
        (leader,) = [
            int(one["leader"]) for one in found["partitions"] if one["partition"] == partition
        ]
        return leader

    async def all_in_sync(self) -> bool:
        """Return whether every copy of every partition is up to date; False while nobody answers."""
        try:
            found = await self._admin.describe_topics()
        except (KafkaError, OSError):
            return False
        return all(
            len(one["isr"]) == len(one["replicas"])
            for topic in found
            for one in topic["partitions"]
        )


@asynccontextmanager
async def topics_of(bootstrap_servers: str) -> AsyncIterator[BrokerTopics]:
    """Lend a connection to a cluster."""
    admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap_servers)
    await admin.start()
    try:
        yield BrokerTopics(admin)
    finally:
        await admin.close()
