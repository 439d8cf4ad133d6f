"""The topics of a Kafka cluster and where their partitions begin and end."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import suppress
from typing import Any, TypeVar

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.errors import KafkaError, NoError, TopicAlreadyExistsError, for_code

from huntgroup_eventlog.adapters.kafka_connection import MESSAGE_BYTES_MAX, KafkaConnection
from huntgroup_eventlog.port import LogUnavailableError

T = TypeVar("T")

_TOPICS_READY_S = 30.0
_KNOWN_SHARE = 0.1
"""Clients that were connected before get this share of the time; in the rest others are made, and asked."""


class KafkaTopics:
    """Asks and changes the cluster's metadata; connects at first use."""

    def __init__(
        self, connection: KafkaConnection, partitions: int, replication_factor: int
    ) -> None:
        self._connection = connection
        self._partitions = partitions
        self._replication_factor = replication_factor
        self._known: set[str] = set()
        self._connecting = asyncio.Lock()
        self._admin: AIOKafkaAdminClient | None = None
        self._positions: AIOKafkaConsumer | None = None

    async def names(self) -> list[str]:
        """Return the names of all topics but Kafka's own, sorted; raises `LogUnavailableError`."""
        found = await self._ask("its topics", lambda: self._describe(None))
        return sorted(name for name in found if not name.startswith("__"))

    async def check(self, topic: str) -> None:
        """Raise `LogUnavailableError` unless the topic exists with our number of partitions."""
        if topic in self._known:
            return
        found = await self._ask("its topics", lambda: self._describe(None))
        if topic not in found:
            raise LogUnavailableError(f"there is no topic {topic!r}: call ensure_topics first")
        self._check_partitions(topic, len(found[topic]))
        self._known.add(topic)

    async def span(self, topic: str, partition: int) -> tuple[int, int]:
        """Return the first position that is kept and the one after the last; raises `LogUnavailableError`."""
        await self.check(topic)
        which = TopicPartition(topic, partition)

        async def ask() -> tuple[int, int]:
            assert self._positions is not None
            begin = await self._positions.beginning_offsets([which])
            end = await self._positions.end_offsets([which])
            return begin[which], end[which]

        return await self._ask(f"the positions of {topic}[{partition}]", ask)

    async def end(self, topic: str, partition: int) -> int:
        """Return the position after the last readable record; raises `LogUnavailableError`."""
        await self.check(topic)
        which = TopicPartition(topic, partition)

        async def ask() -> int:
            assert self._positions is not None
            found: int = (await self._positions.end_offsets([which]))[which]
            return found

        return await self._ask(f"the end of {topic}[{partition}]", ask)

    async def ensure(self, topics: Sequence[str]) -> None:
        """Create what is missing and return when every partition has a leader; raises `LogUnavailableError`."""
        wanted = [topic for topic in dict.fromkeys(topics) if topic not in self._known]
        if not wanted:
            return
        found = await self._ask("its topics", lambda: self._describe(None))
        for topic in wanted:
            if topic in found:
                self._check_partitions(topic, len(found[topic]))
        missing = [topic for topic in wanted if topic not in found]
        if missing:
            await self._ask("new topics", lambda: self._create(missing))
        await self._wait_until_led(wanted)
        self._known.update(wanted)

    async def close(self) -> None:
        """Close the connections."""
        await self._let_go(self._positions)

    async def _let_go(self, of: AIOKafkaConsumer | None) -> None:
        """Close the connections, unless others than `of` were made meanwhile."""
        async with self._connecting:
            if self._positions is not of:
                return
            admin, self._admin = self._admin, None
            positions, self._positions = self._positions, None
        for close in (admin and admin.close, positions and positions.stop):
            if close is not None:
                with suppress(KafkaError, OSError):
                    await close()

    async def _ask(self, what: str, ask: Callable[[], Awaitable[T]]) -> T:
        """Connect if need be, ask, and turn every failure into `LogUnavailableError`.

        Clients that do not answer at once are replaced: they may know of one broker only, which told them of nobody
        else while it started, and has died since. They would never ask those they began with.
        """
        total_s = 2 * self._connection.request_timeout_ms / 1000
        try:
            async with asyncio.timeout(total_s):
                known = self._positions
                if known is not None:
                    with suppress(KafkaError, OSError):
                        async with asyncio.timeout(total_s * _KNOWN_SHARE):
                            return await ask()
                    await self._let_go(known)
                await self._connect()
                return await ask()
        except (KafkaError, OSError) as error:
            raise LogUnavailableError(
                f"{self._connection.bootstrap_servers} could not be asked for {what}: {error!r}"
            ) from error

    async def _connect(self) -> None:
        async with self._connecting:
            if self._admin is None:
                admin = AIOKafkaAdminClient(**self._connection.common())
                try:
                    await admin.start()
                except BaseException:
                    await admin.close()
                    raise
                self._admin = admin
            if self._positions is None:
                positions = AIOKafkaConsumer(group_id=None, **self._connection.common())
                try:
                    await positions.start()
                except BaseException:
                    await positions.stop()
                    raise
                self._positions = positions

    async def _describe(self, topics: list[str] | None) -> dict[str, list[Mapping[str, Any]]]:
        assert self._admin is not None
        return {
            topic["topic"]: topic["partitions"]
            for topic in await self._admin.describe_topics(topics)
            if for_code(topic["error_code"]) is NoError
        }

    async def _create(self, topics: Sequence[str]) -> None:
        assert self._admin is not None
        configs = {
            # The log is the truth: nothing may be cleaned away, and no lagging replica may become the leader.
            "cleanup.policy": "delete",
            "retention.ms": "-1",
            "retention.bytes": "-1",
            "unclean.leader.election.enable": "false",
            "min.insync.replicas": str(min(2, self._replication_factor)),
            "max.message.bytes": str(MESSAGE_BYTES_MAX),
        }
        response = await self._admin.create_topics(
            [
                NewTopic(topic, self._partitions, self._replication_factor, topic_configs=configs)
                for topic in topics
            ]
        )
        for topic, code, *reason in response.topic_errors:
            error = for_code(code)
            if error not in (NoError, TopicAlreadyExistsError):
                raise LogUnavailableError(
                    f"topic {topic} could not be created: {error.__name__} {''.join(map(str, reason))}"
                )

    async def _wait_until_led(self, topics: Sequence[str]) -> None:
        until = time.monotonic() + _TOPICS_READY_S
        while True:
            found = await self._ask("its topics", lambda: self._describe(None))
            waiting = [
                topic
                for topic in topics
                if topic not in found or any(each["leader"] < 0 for each in found[topic])
            ]
            if not waiting and await self._leaders_serve(topics):
                break
            if time.monotonic() > until:
                raise LogUnavailableError(
                    f"topics on {self._connection.bootstrap_servers} without a leader that serves"
                    f" after {_TOPICS_READY_S:.0f} s: {', '.join(waiting or topics)}"
                )
            await asyncio.sleep(0.02)
        for topic in topics:
            self._check_partitions(topic, len(found[topic]))

    async def _leaders_serve(self, topics: Sequence[str]) -> bool:
        """Return whether the leaders answer: the metadata name them somewhat earlier, and appends would be refused."""
        assert self._positions is not None
        partitions = range(self._partitions)
        try:
            await self._positions.end_offsets(
                [TopicPartition(topic, each) for topic in topics for each in partitions]
            )
        except KafkaError:
            return False
        return True

    def _check_partitions(self, topic: str, partitions: int) -> None:
        if partitions != self._partitions:
            raise LogUnavailableError(
                f"topic {topic} on {self._connection.bootstrap_servers} has {partitions} partitions,"
                f" not {self._partitions}: the number is the same for all topics of a cluster and fixed"
            )
