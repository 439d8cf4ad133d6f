"""The adapters that the suite runs on; the suite itself knows none of them."""

import uuid
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from pathlib import Path
from typing import Literal, cast

import pytest

from huntgroup_eventlog.adapters.embedded import EmbeddedLog
from huntgroup_eventlog.adapters.kafka import KafkaLog
from huntgroup_eventlog.adapters.memory import MemoryLog, MemoryPartitions
from huntgroup_eventlog.port import Log
from huntgroup_testkit.kafka import kafka_or_skip

PARTITIONS = 3

OpenLog = Callable[[int], Log]
"""Open the log with so many partitions; it is the same log each time within a test."""


@pytest.fixture(scope="session")
def kafka_address() -> Iterator[str]:
    with kafka_or_skip() as source:
        yield source.bootstrap_servers


@pytest.fixture(
    params=[
        "memory",
        pytest.param("embedded-power", marks=pytest.mark.integration),
        pytest.param("embedded-process", marks=pytest.mark.integration),
        pytest.param("kafka-aiokafka", marks=pytest.mark.integration),
        pytest.param("kafka-librdkafka", marks=pytest.mark.integration),
    ]
)
def open_log(request: pytest.FixtureRequest, tmp_path: Path) -> OpenLog:
    adapter, _, kind = str(request.param).partition("-")
    if adapter == "memory":
        storage = MemoryPartitions(PARTITIONS)
        return lambda partitions: MemoryLog(partitions, storage=storage)
    if adapter == "embedded":
        survives = cast("Literal['power', 'process']", kind)
        return lambda partitions: EmbeddedLog(tmp_path / "log", partitions, survives)
    address: str = request.getfixturevalue("kafka_address")
    driver = cast("Literal['aiokafka', 'librdkafka']", kind)
    return lambda partitions: KafkaLog(address, partitions, replication_factor=1, driver=driver)


@pytest.fixture
def topic() -> str:
    return f"huntgroup.conformance-{uuid.uuid4().hex[:12]}.journal.v1"


@pytest.fixture
async def log(open_log: OpenLog, topic: str) -> AsyncIterator[Log]:
    opened = open_log(PARTITIONS)
    await opened.ensure_topics([topic])
    yield opened
    await opened.close()


@pytest.fixture
async def reopen(open_log: OpenLog, log: Log) -> AsyncIterator[Callable[[], Awaitable[Log]]]:
    """Close the log, or what was opened last, and open it again."""
    opened = [log]

    async def close_and_open() -> Log:
        await opened[-1].close()
        opened.append(open_log(PARTITIONS))
        return opened[-1]

    yield close_and_open
    await opened[-1].close()
