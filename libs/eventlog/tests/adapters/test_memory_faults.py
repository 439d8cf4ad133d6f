"""What the seeded faults of the memory log do, and that they repeat."""

import random

import pytest

from huntgroup_eventlog.adapters.memory import Faults, MemoryLog, MemoryPartitions
from huntgroup_eventlog.port import AppendFailedError, LogRecord, NewRecord
from huntgroup_testkit.log_reading import read_to_end

TOPIC = "huntgroup.routing.journal.v1"
EVERY_FAULT = ["lost", "late", "duplicated", "slow_read", "gap", "late_acked", "lost_acked"]


def record(number: int) -> NewRecord:
    return NewRecord(key=b"acme/emea", value=str(number).encode())


def partitions_with(faults: Faults) -> MemoryPartitions:
    partitions = MemoryPartitions(1, faults)
    partitions.ensure_topics([TOPIC])
    return partitions


def append_many(partitions: MemoryPartitions, count: int) -> list[int | None]:
    return [partitions.append_now(TOPIC, 0, record(each)) for each in range(count)]


def everything(partitions: MemoryPartitions) -> list[LogRecord]:
    """Read to the end, slow reads or not."""
    found: list[LogRecord] = []
    end = partitions.end_now(TOPIC, 0)
    while (found[-1].position + 1 if found else 0) < end:
        found += partitions.read_now(TOPIC, 0, found[-1].position + 1 if found else 0, 100)
    return found


def values(partitions: MemoryPartitions) -> list[int]:
    return [int(each.value) for each in everything(partitions)]


def test_without_faults_every_append_is_told_its_position() -> None:
    partitions = partitions_with(Faults(seed=1))
    assert append_many(partitions, 5) == [0, 1, 2, 3, 4]
    assert values(partitions) == [0, 1, 2, 3, 4]
    assert not partitions.injected


def test_a_lost_append_is_never_there_and_its_outcome_unknown() -> None:
    partitions = partitions_with(Faults(seed=1, lost=1000))
    assert append_many(partitions, 5) == [None] * 5
    assert partitions.deliver_late(TOPIC, 0) == 0
    assert values(partitions) == []
    assert partitions.injected == {"lost": 5}


def test_a_late_append_comes_after_at_most_so_many_others() -> None:
    partitions = partitions_with(Faults(seed=1, late=1000, late_by_max=3))
    assert append_many(partitions, 40) == [None] * 40
    partitions.deliver_late(TOPIC, 0)
    found = values(partitions)
    assert sorted(found) == list(range(40))
    assert found != list(range(40))
    assert all(abs(place - number) <= 3 for place, number in enumerate(found))


def test_an_unknown_outcome_may_be_a_record_that_is_there_at_once() -> None:
    partitions = partitions_with(Faults(seed=1, late=1000, late_by_max=0))
    assert append_many(partitions, 3) == [None] * 3
    assert values(partitions) == [0, 1, 2]


def test_late_records_wait_until_they_are_delivered() -> None:
    partitions = partitions_with(Faults(seed=3, late=1000, late_by_max=1000))
    append_many(partitions, 5)
    waiting = partitions.late_now(TOPIC, 0)
    assert waiting > 0
    assert partitions.deliver_late(TOPIC, 0) == waiting
    assert sorted(values(partitions)) == [0, 1, 2, 3, 4]


def test_a_duplicated_record_is_there_twice() -> None:
    partitions = partitions_with(Faults(seed=1, duplicated=1000, late_by_max=2))
    told = append_many(partitions, 20)
    partitions.deliver_late(TOPIC, 0)
    found = everything(partitions)
    assert sorted(int(each.value) for each in found) == sorted([*range(20), *range(20)])
    by_position = {each.position: int(each.value) for each in found}
    assert [by_position[position] for position in told if position is not None] == list(range(20))


def test_a_slow_read_returns_fewer_but_nothing_wrong() -> None:
    partitions = partitions_with(Faults(seed=1, slow_read=500))
    append_many(partitions, 30)
    reads = [partitions.read_now(TOPIC, 0, 0, 30) for _ in range(50)]
    assert {len(each) for each in reads} != {30}
    for found in reads:
        assert [int(each.value) for each in found] == list(range(len(found)))
    assert values(partitions) == list(range(30))


def test_a_gap_skips_a_position() -> None:
    partitions = partitions_with(Faults(seed=1, gap=1000))
    assert append_many(partitions, 3) == [1, 3, 5]
    assert [each.position for each in everything(partitions)] == [1, 3, 5]
    assert [each.position for each in partitions.read_now(TOPIC, 0, 2, 10)] == [3, 5]
    assert partitions.end_now(TOPIC, 0) == 6


def test_acks_that_lie_are_off_unless_asked_for() -> None:
    every_honest_fault = Faults(seed=5, lost=200, late=200, duplicated=200, gap=200)
    partitions = partitions_with(every_honest_fault)
    told = append_many(partitions, 500)
    partitions.deliver_late(TOPIC, 0)
    by_position = {each.position: int(each.value) for each in everything(partitions)}
    for number, position in enumerate(told):
        assert position is None or by_position[position] == number


def test_acks_can_be_made_to_lie() -> None:
    lost = partitions_with(Faults(seed=1, lost_acked=1000))
    assert append_many(lost, 2) == [0, 0]
    assert values(lost) == []
    late = partitions_with(Faults(seed=1, late_acked=1000))
    assert None not in append_many(late, 10)
    late.deliver_late(TOPIC, 0)
    assert sorted(values(late)) == list(range(10))


def play(seed: int) -> tuple[list[int | None], list[int], dict[str, int]]:
    choose = random.Random(seed)
    faults = Faults(seed=seed, **dict.fromkeys(EVERY_FAULT, 150))
    partitions = partitions_with(faults)
    told: list[int | None] = []
    for number in range(200):
        told.append(partitions.append_now(TOPIC, 0, record(number)))
        if choose.random() < 0.2:
            partitions.read_now(TOPIC, 0, choose.randrange(100), 10)
        if choose.random() < 0.05:
            partitions.deliver_late(TOPIC, 0)
    return told, values(partitions), dict(partitions.injected)


@pytest.mark.parametrize("seed", range(20))
def test_equal_seeds_give_equal_logs(seed: int) -> None:
    assert play(seed) == play(seed)


def test_different_seeds_give_different_logs_and_every_fault_strikes() -> None:
    played = [play(seed) for seed in range(20)]
    assert len({str(each) for each in played}) == 20
    assert all(set(injected) == set(EVERY_FAULT) for _, _, injected in played)


async def test_the_log_tells_an_unknown_outcome_as_a_failed_append() -> None:
    log = MemoryLog(1, Faults(seed=1, lost=1000))
    await log.ensure_topics([TOPIC])
    with pytest.raises(AppendFailedError, match="unknown"):
        await log.append(TOPIC, 0, record(0))


async def test_a_waiting_read_sees_a_record_that_comes_late() -> None:
    log = MemoryLog(1, Faults(seed=1, late=1000, slow_read=300, late_by_max=50))
    await log.ensure_topics([TOPIC])
    with pytest.raises(AppendFailedError):
        await log.append(TOPIC, 0, record(7))
    reader = await log.reader(TOPIC, 0, 0)
    log.storage.deliver_late(TOPIC, 0)
    assert [each.value for each in await reader.read(10, 10_000)] == [b"7"]


async def test_logs_on_one_storage_see_each_other() -> None:
    storage = MemoryPartitions(2)
    one, other = MemoryLog(2, storage=storage), MemoryLog(2, storage=storage)
    await one.ensure_topics([TOPIC])
    await one.append(TOPIC, 1, record(1))
    await one.close()
    await other.append(TOPIC, 1, record(2))
    assert [each.value for each in await read_to_end(other, TOPIC, 1)] == [b"1", b"2"]
