"""How appends to Kafka are spread over producers when one fails: with stand-ins for the producers."""

import asyncio
from collections.abc import Sequence
from types import SimpleNamespace
from typing import Any

import pytest
from aiokafka.errors import KafkaError

from huntgroup_eventlog.adapters import kafka_producing
from huntgroup_eventlog.adapters.kafka_connection import KafkaConnection
from huntgroup_eventlog.adapters.kafka_producing import KafkaProducing
from huntgroup_eventlog.port import AppendFailedError, NewRecord

RECORD = NewRecord(key=b"k", value=b"v")


class StandIn:
    """A producer whose batches are settled by the test."""

    made: list["StandIn"]

    def __init__(self, **options: Any) -> None:
        self.options = options
        self.sent: list[tuple[int, asyncio.Future[Any]]] = []
        self.stopped = False
        StandIn.made.append(self)

    async def start(self) -> None:
        await asyncio.sleep(0)

    async def send(self, topic: str, *, partition: int, **_: object) -> asyncio.Future[Any]:
        future: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        self.sent.append((partition, future))
        return future

    async def stop(self) -> None:
        pending = [future for _, future in self.sent if not future.done()]
        if pending:
            await asyncio.wait(pending)
        self.stopped = True

    def settle(self, which: int, offset: int) -> None:
        self.sent[which][1].set_result(SimpleNamespace(offset=offset))

    def fail(self, which: int) -> None:
        self.sent[which][1].set_exception(KafkaError("refused"))

    @property
    def partitions(self) -> Sequence[int]:
        return [partition for partition, _ in self.sent]


async def topic_exists(topic: str) -> None:
    await asyncio.sleep(0)


@pytest.fixture
def producing(monkeypatch: pytest.MonkeyPatch) -> KafkaProducing:
    StandIn.made = []
    monkeypatch.setattr(kafka_producing, "AIOKafkaProducer", StandIn)
    connection = KafkaConnection(bootstrap_servers="127.0.0.1:1", append_timeout_ms=5_000)
    return KafkaProducing(connection, topic_exists, records_per_producer_max=4)


async def turns() -> None:
    """Let everything that can happen without us happen."""
    for _ in range(50):
        await asyncio.sleep(0)


def start(producing: KafkaProducing, partition: int) -> "asyncio.Task[int]":
    return asyncio.ensure_future(producing.append("t", partition, RECORD))


async def test_the_producer_is_idempotent_and_waits_for_nothing(producing: KafkaProducing) -> None:
    append = start(producing, 0)
    await turns()
    (producer,) = StandIn.made
    assert producer.options["acks"] == "all"
    assert producer.options["enable_idempotence"] is True
    assert producer.options["linger_ms"] == 0
    producer.settle(0, 7)
    assert await append == 7


async def test_an_error_fails_what_follows_in_its_partition_and_makes_a_new_producer(
    producing: KafkaProducing,
) -> None:
    first, second = start(producing, 0), start(producing, 0)
    await turns()
    StandIn.made[0].fail(0)
    for each in (first, second):
        with pytest.raises(AppendFailedError):
            await each
    third = start(producing, 0)
    await turns()
    old, new = StandIn.made
    assert old.stopped
    new.settle(0, 3)
    assert await third == 3


async def test_an_error_in_one_partition_lets_the_others_finish_in_order(
    producing: KafkaProducing,
) -> None:
    bad, good = start(producing, 0), start(producing, 1)
    await turns()
    old = StandIn.made[0]
    old.fail(0)
    with pytest.raises(AppendFailedError):
        await bad
    following, elsewhere = start(producing, 1), start(producing, 2)
    await turns()
    new = StandIn.made[1]
    # Partition 1 waits for what it has under way; partition 2 has nothing and goes on.
    assert new.partitions == [2]
    old.settle(1, 10)
    assert await good == 10
    await turns()
    assert new.partitions == [2, 1]
    new.settle(0, 0)
    new.settle(1, 11)
    assert [await elsewhere, await following] == [0, 11]
    await turns()
    assert old.stopped


async def test_no_answer_in_time_is_a_failed_append(monkeypatch: pytest.MonkeyPatch) -> None:
    StandIn.made = []
    monkeypatch.setattr(kafka_producing, "AIOKafkaProducer", StandIn)
    connection = KafkaConnection(bootstrap_servers="127.0.0.1:1", append_timeout_ms=50)
    producing = KafkaProducing(connection, topic_exists)
    with pytest.raises(AppendFailedError, match="50 ms"):
        await producing.append("t", 0, RECORD)
    assert producing.producers_made == 1
    again = start(producing, 0)
    await turns()
    StandIn.made[1].settle(0, 5)
    assert await again == 5
    await producing.close()


async def test_an_acknowledgement_without_a_position_is_a_failed_append(
    producing: KafkaProducing,
) -> None:
    append = start(producing, 0)
    await turns()
    StandIn.made[0].settle(0, -1)
    with pytest.raises(AppendFailedError, match="position"):
        await append


async def test_a_producer_is_replaced_before_its_sequence_numbers_end(
    producing: KafkaProducing,
) -> None:
    appends = [start(producing, 0) for _ in range(6)]
    await turns()
    old = StandIn.made[0]
    assert old.partitions == [0, 0, 0, 0]
    for which in range(4):
        old.settle(which, which)
    await turns()
    new = StandIn.made[1]
    assert new.partitions == [0, 0]
    new.settle(0, 4)
    new.settle(1, 5)
    assert await asyncio.gather(*appends) == [0, 1, 2, 3, 4, 5]
    assert old.stopped


async def test_closing_fails_what_is_pending(producing: KafkaProducing) -> None:
    append = start(producing, 0)
    await turns()
    await producing.close()
    with pytest.raises(AppendFailedError, match="closed"):
        await append
