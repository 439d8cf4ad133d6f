"""What callers and other replicas see of a replica whose log fails: an answer, and an owner elsewhere or later."""

import asyncio
from typing import Any

import pytest

from huntgroup.journal.v1 import journal_pb2 as wire
from huntgroup_eventlog.adapters.memory import MemoryLog, MemoryPartitions
from huntgroup_eventlog.application import NotOwnerError, OutcomeUnknownError
from huntgroup_eventlog.journal.replica import Role
from huntgroup_eventlog.port import Log
from huntgroup_eventlog.snapshots import ObjectSnapshotStore
from huntgroup_runtime.journals import ServiceJournals
from huntgroup_runtime.membership import Membership, MembershipSettings
from huntgroup_testkit.failing_log import FailingLog

from .test_journals import DOMAIN, add, journals, total, until

TOPIC = "huntgroup.counter.journal.v1"


async def owning(one: ServiceJournals) -> ServiceJournals:
    await one.start()
    await until(lambda: one.owns(DOMAIN), "an owner")
    return one


async def last_batch(log: Log, partition: int) -> wire.Batch:
    reader = await log.reader(TOPIC, partition, 0)
    records = await reader.read(10_000, 10)
    await reader.close()
    return wire.JournalEntry.FromString(records[-1].value).batch


async def test_an_owner_that_cannot_read_serves_no_more_and_answers_nothing_stale() -> None:
    storage = MemoryPartitions(2)
    failing, log = FailingLog(MemoryLog(2, storage=storage)), MemoryLog(2, storage=storage)
    first = await owning(journals(failing, "a", replica_count=2, replica_index=0))
    second = journals(log, "b", replica_count=2, replica_index=1)
    await add(first, "c1", 5)
    await second.start()
    failing.away = True
    await until(lambda: not first.owns(DOMAIN), "the first serves no more")
    with pytest.raises(NotOwnerError):
        await total(first)
    await until(lambda: second.owns(DOMAIN), "the second takes over")
    assert (await add(second, "c1", 5)).repeated
    failing.away = False
    await until(lambda: first.owner_address(DOMAIN) == "b:1", "the first follows the second")
    await second.stop()
    await first.stop()


async def test_a_command_under_way_when_the_log_goes_away_is_answered() -> None:
    failing = FailingLog(MemoryLog(2))
    one = await owning(journals(failing))
    failing.away = True
    with pytest.raises((OutcomeUnknownError, NotOwnerError)):
        await asyncio.wait_for(add(one, "c1"), 3)
    failing.away = False
    await until(lambda: one.owns(DOMAIN), "it owns again")
    await add(one, "c1")
    assert await total(one) == 1
    await one.stop()


async def test_a_source_that_cannot_be_opened_delays_and_does_not_halt() -> None:
    failing = FailingLog(MemoryLog(2))
    source = await owning(journals(failing, service="source"))
    await add(source, "c1", 3)
    failing.cannot_open = "source.journal"
    sink = journals(failing, service="sink", sources=("source",))
    await sink.start()
    await until(
        lambda: sum(p.telemetry.retired.value for p in sink.partitions) > 1, "it gave up twice"
    )
    failing.cannot_open = ""
    await until(lambda: sink.owns(DOMAIN), "it owns")
    async with asyncio.timeout(5):
        while await read_total(sink) != 3:  # noqa: ASYNC110 - the sum is read, not announced
            await asyncio.sleep(0.01)
    await sink.stop()
    await source.stop()


async def read_total(one: ServiceJournals) -> int:
    try:
        return await total(one)
    except NotOwnerError:
        return -1


async def test_a_snapshot_ahead_of_the_log_is_not_believed() -> None:
    store = ObjectSnapshotStore.from_url("")
    one = journals(MemoryLog(2), snapshot_every_records=5, snapshots=store)
    await owning(one)
    for n in range(20):
        await add(one, f"c{n}")
    partition = one._partition(DOMAIN).partition
    async with asyncio.timeout(5):
        while not await store.newest_first("counter", partition):  # noqa: ASYNC110
            await asyncio.sleep(0.01)
    await one.stop()
    again = journals(MemoryLog(2), "b", snapshots=store)
    await owning(again)
    assert await total(again) == 0
    await again.stop()


async def test_handing_over_in_order_also_works_after_an_earlier_retirement() -> None:
    storage = MemoryPartitions(2)
    failing = FailingLog(MemoryLog(2, storage=storage))
    one = await owning(journals(failing))
    failing.away = True
    await until(lambda: not one.owns(DOMAIN), "retired")
    failing.away = False
    await until(lambda: one.owns(DOMAIN), "owns again")
    partition = one._partition(DOMAIN).partition
    await one.stop()
    assert (await last_batch(MemoryLog(2, storage=storage), partition)).resigned


def membership(now: list[float], **more: Any) -> Membership:
    words = {
        "replica_index": 1,
        "replica_count": 2,
        "heartbeat_ms": 300,
        "takeover_after_ms": 1_500,
    }
    settings = MembershipSettings(**(words | more))
    return Membership(settings, owner="a", address="a:1", now_s=lambda: now[0])


def test_a_process_that_stood_still_does_not_take_its_own_silence_for_the_owners() -> None:
    now = [100.0]
    one = membership(now)
    one.heard(1)
    assert not one.slept(one.check_every_s)
    assert one.slept(one.check_every_s + 1.0)


def test_a_claim_under_way_is_given_time() -> None:
    now = [100.0]
    one = membership(now)
    one.heard(1)
    now[0] += 1.6
    assert one.should_claim(1, resigned=False, fresh=False, claiming=False)
    assert not one.should_claim(1, resigned=False, fresh=False, claiming=True)
    now[0] += 1.0
    assert one.should_claim(1, resigned=False, fresh=False, claiming=True)


def test_the_next_in_rank_waits_longer_for_a_silent_owner() -> None:
    now = [100.0]
    one = membership(now)
    one.heard(0)
    now[0] += 1.6
    assert not one.should_claim(0, resigned=False, fresh=False, claiming=False)
    now[0] += 0.7
    assert one.should_claim(0, resigned=False, fresh=False, claiming=False)


def test_what_was_handed_over_is_claimed_at_once_by_one_after_the_other() -> None:
    now = [100.0]
    ranks = [membership(now, replica_index=index, replica_count=3) for index in range(3)]
    for one in ranks:
        one.heard(0)
    claims = []
    for _ in range(3):
        claims.append([one.rank(0) for one in ranks if handed_over(one)])
        now[0] += 0.11
    assert claims == [[0], [0, 1], [0, 1, 2]]


def handed_over(one: Membership) -> bool:
    return one.should_claim(0, resigned=True, fresh=False, claiming=False)


@pytest.mark.parametrize("damaged", ["sink.journal", "source.journal"])
async def test_an_owner_that_meets_a_damaged_record_halts_and_does_not_try_again(
    damaged: str,
) -> None:
    failing = FailingLog(MemoryLog(1))
    source = await owning(journals(failing, service="source"))
    sink = await owning(journals(failing, service="sink", sources=("source",)))
    failing.damaged = damaged
    await add(source, "c1") if "sink" in damaged else None
    await until(lambda: sink.partitions[0].replica.role is Role.HALTED, "it halts")
    failing.damaged = ""
    assert not sink.caught_up()
    assert sink.partitions[0].telemetry.halted.value == 1
    await sink.stop()
    await source.stop()
