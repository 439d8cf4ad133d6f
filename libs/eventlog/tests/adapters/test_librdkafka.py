"""What only the librdkafka driver does: it bounds what waits, and shares consumers between readers."""

import asyncio
import uuid
from collections.abc import AsyncIterator, Iterator

import pytest

from huntgroup_eventlog.adapters import librdkafka_producing, librdkafka_reading
from huntgroup_eventlog.adapters.kafka import KafkaLog
from huntgroup_eventlog.adapters.librdkafka_wakeups import Wakeups
from huntgroup_eventlog.port import LogRecord, LogUnavailableError, NewRecord
from huntgroup_testkit.kafka import kafka_or_skip
from huntgroup_testkit.log_reading import read_count, read_to_end

pytestmark = pytest.mark.integration


@pytest.fixture(scope="module")
def kafka_address() -> Iterator[str]:
    with kafka_or_skip() as source:
        yield source.bootstrap_servers


@pytest.fixture
def topic() -> str:
    return f"huntgroup.librdkafka-{uuid.uuid4().hex[:12]}.journal.v1"


@pytest.fixture
async def log(kafka_address: str, topic: str) -> AsyncIterator[KafkaLog]:
    opened = KafkaLog(kafka_address, 3, replication_factor=1, driver="librdkafka")
    await opened.ensure_topics([topic])
    yield opened
    await opened.close()


async def append_many(log: KafkaLog, topic: str, count: int, partition: int = 0) -> None:
    records = [NewRecord(key=b"k", value=b"%d" % number) for number in range(count)]
    await asyncio.gather(*(log.append(topic, partition, each) for each in records))


async def test_a_slow_reader_is_paused_and_misses_nothing(
    log: KafkaLog, topic: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(librdkafka_reading, "BUFFER_RECORDS_MAX", 100)
    pauses = []
    pause = librdkafka_reading.SharedConsumer.pause

    def counted(
        consumer: librdkafka_reading.SharedConsumer, reader: librdkafka_reading.LibrdkafkaReader
    ) -> None:
        pauses.append(reader.place)
        pause(consumer, reader)

    monkeypatch.setattr(librdkafka_reading.SharedConsumer, "pause", counted)
    await append_many(log, topic, 20_000)
    reader = await log.reader(topic, 0, 0)
    other = await log.reader(topic, 1, 0)
    found: list[LogRecord] = []
    while len(found) < 20_000:
        found += await read_count(reader, 50)
        await asyncio.sleep(0)
    assert [int(each.value) for each in found] == list(range(20_000))
    assert len(pauses) > 1
    await append_many(log, topic, 1, partition=1)
    assert [each.value for each in await read_count(other, 1)] == [b"0"]


async def test_readers_of_one_partition_come_and_go_without_mixing(
    log: KafkaLog, topic: str
) -> None:
    await append_many(log, topic, 300)
    for first in (250, 10, 200, 0, 299):
        one, two = await log.reader(topic, 0, first), await log.reader(topic, 0, 100)
        assert [int(each.value) for each in await read_count(one, 300 - first)] == list(
            range(first, 300)
        )
        assert [int(each.value) for each in await read_count(two, 200)] == list(range(100, 300))
        await one.close()
        await two.close()


async def test_appends_beyond_the_bound_wait_their_turn(
    log: KafkaLog, topic: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(librdkafka_producing, "PENDING_RECORDS_MAX", 7)
    await append_many(log, topic, 500)
    found = await read_to_end(log, topic, 0)
    assert [int(each.value) for each in found] == list(range(500))


async def test_the_client_itself_wakes_who_reads(
    kafka_address: str, topic: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Given a consumer that never looks by itself, when records come one by one, then each is read at once."""
    monkeypatch.setattr(librdkafka_reading, "_IDLE_S", 3_600.0)
    opened = KafkaLog(kafka_address, 3, replication_factor=1, driver="librdkafka")
    try:
        await opened.ensure_topics([topic])
        reader = await opened.reader(topic, 0, 0)
        for number in range(50):
            await opened.append(topic, 0, NewRecord(key=b"k", value=b"%d" % number))
            assert [each.value for each in await read_count(reader, 1)] == [b"%d" % number]
    finally:
        await opened.close()


async def test_a_read_ends_after_its_time_also_when_the_one_before_had_longer(
    log: KafkaLog, topic: str
) -> None:
    reader = await log.reader(topic, 0, 0)
    long = asyncio.create_task(reader.read(10, 60_000))
    await asyncio.sleep(0)
    await append_many(log, topic, 1)
    assert len(await long) == 1
    async with asyncio.timeout(30):
        assert await reader.read(10, 50) == ()
        assert await reader.read(10, 100) == ()


async def test_a_client_library_that_is_built_otherwise_is_refused() -> None:
    class Other:
        """No client: what stands at its beginning is not the C library's."""

        __slots__ = ("kept",)

        def __init__(self) -> None:
            self.kept = bytes(1_000)

    with pytest.raises(LogUnavailableError, match="use the driver aiokafka"):
        Wakeups(Other(), lambda: None)  # type: ignore[arg-type]
