"""The log on Apache Kafka, through aiokafka or librdkafka."""

from collections.abc import Awaitable, Sequence
from importlib import import_module
from typing import Literal

from huntgroup_eventlog.adapters.kafka_aiokafka import AiokafkaDriver
from huntgroup_eventlog.adapters.kafka_connection import KafkaConnection
from huntgroup_eventlog.adapters.kafka_driver import KafkaDriver
from huntgroup_eventlog.adapters.kafka_topics import KafkaTopics
from huntgroup_eventlog.adapters.limits import (
    check_partition,
    check_topic_names,
    record_bytes,
    refused,
)
from huntgroup_eventlog.port import (
    AppendFailedError,
    LogUnavailableError,
    NewRecord,
    Reader,
    RecordTooLargeError,
)


class KafkaLog:
    """The log port on a Kafka cluster. Make it on the event loop that uses it; it connects at first use.

    Records are appended with acks=all and idempotence and read uncommitted: the journal's own rule decides what
    counts. `replication_factor` is for topics that `ensure_topics` creates (three in production: a record is then
    acknowledged by at least two brokers).
    """

    def __init__(
        self,
        connection: KafkaConnection | str,
        partitions: int,
        *,
        replication_factor: int = 3,
        driver: Literal["aiokafka", "librdkafka"] = "aiokafka",
    ) -> None:
        """Prepare the log at `connection`, for short the bootstrap servers.

        The `librdkafka` driver needs the package confluent-kafka and takes half the CPU time; it connects at once.
        """
        if isinstance(connection, str):
            connection = KafkaConnection(bootstrap_servers=connection)
        self._connection = connection
        self._partitions = partitions
        self._topics = KafkaTopics(connection, partitions, replication_factor)
        self._driver = _driver(driver, connection, self._topics)
        self._closed = False

    @property
    def partitions(self) -> int:
        return self._partitions

    def append(self, topic: str, partition: int, record: NewRecord) -> Awaitable[int]:
        check_partition(partition, self._partitions)
        try:
            size = record_bytes(record)
        except RecordTooLargeError as error:
            return refused(error)
        if self._closed:
            return refused(AppendFailedError("the log is closed; nothing was appended"))
        return self._driver.append(topic, partition, record, size)

    async def reader(self, topic: str, partition: int, position: int) -> Reader:
        self._check_open()
        check_partition(partition, self._partitions)
        begin, end = await self._topics.span(topic, partition)
        if position < begin:
            raise LogUnavailableError(
                f"{topic}[{partition}] begins at {begin}: the records at {position} are no longer kept"
            )
        if position > end:
            raise LogUnavailableError(
                f"{topic}[{partition}] ends at {end}, before position {position}"
            )
        return await self._driver.open_reader(topic, partition, position)

    async def end(self, topic: str, partition: int) -> int:
        self._check_open()
        check_partition(partition, self._partitions)
        return await self._topics.end(topic, partition)

    async def topics(self) -> Sequence[str]:
        self._check_open()
        return await self._topics.names()

    async def ensure_topics(self, topics: Sequence[str]) -> None:
        self._check_open()
        check_topic_names(topics)
        await self._topics.ensure(topics)

    async def close(self) -> None:
        if self._closed:
            return
        self._closed = True
        await self._driver.close()
        await self._topics.close()

    def _check_open(self) -> None:
        if self._closed:
            raise LogUnavailableError(f"the log on {self._connection.bootstrap_servers} is closed")


def _driver(name: str, connection: KafkaConnection, topics: KafkaTopics) -> KafkaDriver:
    if name == "aiokafka":
        return AiokafkaDriver(connection, topics)
    # Only on demand: confluent-kafka need not be installed.
    module = import_module("huntgroup_eventlog.adapters.kafka_librdkafka")
    made: KafkaDriver = module.LibrdkafkaDriver(connection, topics)
    return made
