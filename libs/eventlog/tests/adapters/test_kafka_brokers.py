"""Three brokers: every record has three copies, and the death of the one that leads a partition is a pause."""

import asyncio
import time
from collections.abc import Iterator

import pytest
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType

from huntgroup_eventlog.adapters.kafka import KafkaLog
from huntgroup_eventlog.port import AppendFailedError, LogUnavailableError, NewRecord
from huntgroup_runtime.local_kafka import LocalKafkaCluster
from huntgroup_runtime.local_kafka_install import LocalKafkaUnavailableError
from huntgroup_testkit.log_reading import read_to_end

pytestmark = [pytest.mark.integration, pytest.mark.xdist_group("own-kafka")]

TOPIC = "huntgroup.brokers.journal.v1"
WITHIN_S = 60.0


@pytest.fixture(scope="module")
def three() -> Iterator[LocalKafkaCluster]:
    made = LocalKafkaCluster()
    try:
        made.start()
    except LocalKafkaUnavailableError as error:
        pytest.skip(f"NOT TESTED ON KAFKA: {error}")
    yield made
    made.stop()


async def test_topics_have_three_copies_and_outlive_the_leader_of_a_partition(
    three: LocalKafkaCluster,
) -> None:
    log = KafkaLog(three.bootstrap_servers, 1, replication_factor=3, driver="librdkafka")
    admin = AIOKafkaAdminClient(bootstrap_servers=three.bootstrap_servers)
    await admin.start()
    try:
        await log.ensure_topics([TOPIC])
        (topic,) = await admin.describe_topics([TOPIC])
        assert sorted(topic["partitions"][0]["replicas"]) == [1, 2, 3]
        assert await config(admin, "min.insync.replicas") == "2"
        assert await config(admin, "unclean.leader.election.enable") == "false"
        acknowledged = [await append_until_it_works(log, number) for number in range(5)]
        leader = topic["partitions"][0]["leader"]
        three.brokers[leader - 1].kill()
        acknowledged += [await append_until_it_works(log, number) for number in range(5, 10)]
        found = {record.position for record in await read_to_end(log, TOPIC, 0)}
        assert found >= set(acknowledged)
        await asyncio.to_thread(three.brokers[leader - 1].start)
    finally:
        await admin.close()
        await log.close()


async def config(admin: AIOKafkaAdminClient, name: str) -> str:
    (answer,) = await admin.describe_configs(
        [ConfigResource(ConfigResourceType.TOPIC, TOPIC, configs={name: ""})]
    )
    found: str = answer.resources[0][4][0][1]
    return found


async def append_until_it_works(log: KafkaLog, number: int) -> int:
    until = time.monotonic() + WITHIN_S
    while True:
        try:
            return await log.append(TOPIC, 0, NewRecord(key=b"acme/emea", value=b"%d" % number))
        except (AppendFailedError, LogUnavailableError):
            assert time.monotonic() < until, "no other broker became the leader"
            await asyncio.sleep(0.05)
