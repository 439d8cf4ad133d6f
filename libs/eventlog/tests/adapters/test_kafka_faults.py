"""What only the Kafka log does: it outlives brokers that freeze, stop, end or forget. On a broker of its own."""

import asyncio
import socket
import time
import uuid
from collections.abc import AsyncIterator, Iterator
from typing import Literal

import pytest
from aiokafka import TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, RecordsToDelete
from aiokafka.protocol.metadata import MetadataResponse_v0

from huntgroup_eventlog.adapters.kafka import KafkaLog
from huntgroup_eventlog.adapters.kafka_connection import KafkaConnection
from huntgroup_eventlog.adapters.kafka_topics import KafkaTopics
from huntgroup_eventlog.port import AppendFailedError, LogUnavailableError, NewRecord
from huntgroup_runtime.local_kafka import LocalKafka
from huntgroup_runtime.local_kafka_install import LocalKafkaUnavailableError
from huntgroup_testkit.log_reading import read_count, read_to_end

pytestmark = [pytest.mark.integration, pytest.mark.xdist_group("own-kafka")]

DEADLINE_S = 60.0


@pytest.fixture(scope="module")
def own_broker() -> Iterator[LocalKafka]:
    """A broker that may be frozen and killed: nobody else uses it."""
    own = LocalKafka(short_lived=True)
    try:
        own.start()
    except LocalKafkaUnavailableError as error:
        pytest.skip(f"NOT TESTED ON KAFKA: {error}")
    yield own
    own.stop()


@pytest.fixture
def broker(own_broker: LocalKafka) -> Iterator[LocalKafka]:
    yield own_broker
    own_broker.resume()


@pytest.fixture
def topic() -> str:
    return f"huntgroup.faults-{uuid.uuid4().hex[:12]}.journal.v1"


@pytest.fixture(params=["aiokafka", "librdkafka"])
async def log(
    broker: LocalKafka, topic: str, request: pytest.FixtureRequest
) -> AsyncIterator[KafkaLog]:
    connection = KafkaConnection(
        bootstrap_servers=broker.bootstrap_servers,
        append_timeout_ms=1_500,
        request_timeout_ms=1_500,
        unanswered_ms_max=1_500,
        fetch_max_wait_ms=200,
    )
    opened = KafkaLog(connection, 2, replication_factor=1, driver=request.param)
    until = time.monotonic() + DEADLINE_S
    while True:
        try:
            await opened.ensure_topics([topic])
            break
        except LogUnavailableError:
            assert time.monotonic() < until, "the broker did not recover"
            await asyncio.sleep(0.05)
    yield opened
    await opened.close()


def record(number: int) -> NewRecord:
    return NewRecord(key=b"acme/emea", value=str(number).encode())


async def append_until_it_works(log: KafkaLog, topic: str, number: int) -> int:
    until = time.monotonic() + DEADLINE_S
    while True:
        try:
            return await log.append(topic, 0, record(number))
        except AppendFailedError:
            assert time.monotonic() < until, "the log did not recover"
            await asyncio.sleep(0.1)


async def test_a_frozen_broker_fails_appends_in_time_and_a_new_producer_goes_on(
    broker: LocalKafka, log: KafkaLog, topic: str
) -> None:
    acknowledged = [await log.append(topic, 0, record(n)) for n in range(3)]
    broker.pause()
    started = time.monotonic()
    outcomes = await asyncio.gather(
        *(log.append(topic, partition, record(9)) for partition in (0, 0, 0, 1)),
        return_exceptions=True,
    )
    assert time.monotonic() - started < 10
    assert all(isinstance(each, AppendFailedError) for each in outcomes)
    broker.resume()
    last = await append_until_it_works(log, topic, 3)
    found = await read_to_end(log, topic, 0)
    assert [each.position for each in found[:3]] == acknowledged
    by_position = {each.position: each.value for each in found}
    assert by_position[last] == b"3"
    # The unknown ones may have arrived; nothing else may.
    assert {each.value for each in found} <= {b"0", b"1", b"2", b"3", b"9"}


async def test_a_frozen_broker_makes_a_reader_say_so_and_it_goes_on_where_it_was(
    broker: LocalKafka, log: KafkaLog, topic: str
) -> None:
    reader = await log.reader(topic, 0, 0)
    await log.append(topic, 0, record(0))
    assert [each.value for each in await read_count(reader, 1)] == [b"0"]
    broker.pause()

    async def read_until_it_fails() -> None:
        while True:
            await reader.read(10, 100)

    with pytest.raises(LogUnavailableError, match=r"127\.0\.0\.1"):
        await asyncio.wait_for(read_until_it_fails(), DEADLINE_S)
    with pytest.raises(LogUnavailableError):
        await log.end(topic, 0)
    broker.resume()
    await append_until_it_works(log, topic, 1)
    until = time.monotonic() + DEADLINE_S
    found: list[bytes] = []
    while b"1" not in found and time.monotonic() < until:
        try:
            found += [each.value for each in await reader.read(10, 500)]
        except LogUnavailableError:
            await asyncio.sleep(0.05)
    assert set(found) == {b"1"}


async def test_closing_does_not_wait_for_a_frozen_broker(
    broker: LocalKafka, log: KafkaLog, topic: str
) -> None:
    reader = await log.reader(topic, 0, 0)
    await log.append(topic, 0, record(0))
    await read_count(reader, 1)
    broker.pause()
    pending = [asyncio.ensure_future(log.append(topic, 0, record(n))) for n in range(5)]
    await asyncio.sleep(0.05)
    started = time.monotonic()
    await log.close()
    assert time.monotonic() - started < 10
    outcomes = await asyncio.gather(*pending, return_exceptions=True)
    assert all(isinstance(each, AppendFailedError) for each in outcomes)


@pytest.mark.parametrize("how", ["restarted", "killed"])
async def test_positions_go_on_after_the_broker_came_back(
    broker: LocalKafka, log: KafkaLog, topic: str, how: str
) -> None:
    reader = await log.reader(topic, 0, 0)
    acknowledged = [await log.append(topic, 0, record(n)) for n in range(20)]
    assert len(await read_count(reader, 20)) == 20
    if how == "restarted":
        await asyncio.to_thread(broker.restart)
    else:
        broker.kill()
        await asyncio.to_thread(broker.start)
    last = await append_until_it_works(log, topic, 20)
    assert last > acknowledged[-1]
    until = time.monotonic() + DEADLINE_S
    found: list[int] = []
    while last not in found and time.monotonic() < until:
        try:
            found += [each.position for each in await reader.read(10, 500)]
        except LogUnavailableError:
            await asyncio.sleep(0.05)
    assert found[-1] == last
    kept = await read_to_end(log, topic, 0)
    assert [each.position for each in kept[:20]] == acknowledged
    assert [each.value for each in kept[:20]] == [str(n).encode() for n in range(20)]


async def test_a_client_that_knows_only_a_dead_broker_is_replaced(broker: LocalKafka) -> None:
    # What a broker says that has just started, and knows of no other yet, when it dies right after that.
    with socket.create_server(("127.0.0.1", 0)) as listening:
        nobody = listening.getsockname()[1]
    connection = KafkaConnection(
        bootstrap_servers=broker.bootstrap_servers, request_timeout_ms=2_000
    )
    topics = KafkaTopics(connection, 2, 1)
    name = f"huntgroup.faults-{uuid.uuid4().hex[:12]}.journal.v1"
    await topics.ensure([name])
    for client in (topics._admin, topics._positions):
        assert client is not None
        cluster = client._client.cluster
        cluster.update_metadata(MetadataResponse_v0([(7, "127.0.0.1", nobody)], []))
        assert {each.port for each in cluster.brokers()} == {nobody}
    ends = await asyncio.gather(*(topics.end(name, each % 2) for each in range(20)))
    assert set(ends) == {0}
    assert name in await topics.names()
    await topics.close()


async def test_a_position_that_was_retained_away_is_a_clear_error(
    broker: LocalKafka, log: KafkaLog, topic: str
) -> None:
    for number in range(10):
        await log.append(topic, 0, record(number))
    left_behind = await log.reader(topic, 0, 2)
    await left_behind.read(1, 10_000)
    admin = AIOKafkaAdminClient(bootstrap_servers=broker.bootstrap_servers)
    await admin.start()
    await admin.delete_records({TopicPartition(topic, 0): RecordsToDelete(before_offset=7)})
    await admin.close()
    with pytest.raises(LogUnavailableError, match=r"begins at 7.* at 3 are no longer kept"):
        await log.reader(topic, 0, 3)
    reader = await log.reader(topic, 0, 7)
    assert [each.value for each in await read_count(reader, 3)] == [b"7", b"8", b"9"]


@pytest.mark.parametrize("driver", ["aiokafka", "librdkafka"])
async def test_an_address_where_nobody_is_fails_with_its_name(
    driver: Literal["aiokafka", "librdkafka"],
) -> None:
    log = KafkaLog("127.0.0.1:1", 2, driver=driver)
    topic = "huntgroup.routing.journal.v1"
    with pytest.raises(LogUnavailableError, match=r"127\.0\.0\.1:1"):
        await log.topics()
    with pytest.raises(LogUnavailableError, match=r"127\.0\.0\.1:1"):
        await log.reader(topic, 0, 0)
    with pytest.raises(AppendFailedError, match=r"127\.0\.0\.1:1"):
        await log.append(topic, 0, record(0))
    await log.close()
