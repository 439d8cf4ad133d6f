"""Who owns a partition when processes stand still, end or halt: nobody answers what may be out of date."""

import asyncio
import socket
import time
from typing import Any

import pytest

from huntgroup.journal.v1 import journal_pb2 as wire
from huntgroup_eventlog.adapters.memory import MemoryLog, MemoryPartitions
from huntgroup_eventlog.application import NotOwnerError, PartitionHaltedError
from huntgroup_eventlog.journal.replica import Role
from huntgroup_eventlog.port import NewRecord
from huntgroup_runtime.journals import ServiceJournals
from huntgroup_runtime.membership import (
    Membership,
    MembershipSettings,
    boot_time_s,
    refuses_connections,
)
from huntgroup_testkit.counter import Add
from huntgroup_testkit.failing_log import FailingLog

from .test_journals import DOMAIN, add, journals, total, until


async def take_over(one: ServiceJournals) -> None:
    """Let a standby claim although the owner is not silent."""
    life = one._partition(DOMAIN)._life
    life.replica.claim(0)
    life.pump()
    await until(lambda: one.owns(DOMAIN), "it took over")


async def two_replicas() -> tuple[FailingLog, ServiceJournals, ServiceJournals]:
    storage = MemoryPartitions(2)
    held = FailingLog(MemoryLog(2, storage=storage))
    first = journals(held, "a", replica_count=2, replica_index=0)
    second = journals(MemoryLog(2, storage=storage), "b", replica_count=2, replica_index=1)
    await first.start()
    await until(lambda: first.owns(DOMAIN), "an owner")
    await second.start()
    await until(second.caught_up, "a standby")
    return held, first, second


async def test_an_owner_that_heard_nothing_for_long_does_not_answer_from_what_it_knew() -> None:
    held, first, second = await two_replicas()
    await add(first, "c1", 5)
    held.held = True
    await take_over(second)
    await add(second, "c2", 2)
    lease = first._partition(DOMAIN)._life._lease
    await until(lambda: not lease.is_sure, "it cannot be sure")
    question = asyncio.create_task(total(first))
    command = asyncio.create_task(add(first, "c3", 1))
    stranger = asyncio.create_task(add(first, "c2", 2))
    await asyncio.wait([question, command, stranger], timeout=0.3)
    assert not any(asked.done() for asked in (question, command, stranger))
    held.held = False
    for asked in (question, command, stranger):
        with pytest.raises(NotOwnerError) as refused:
            await asked
        assert refused.value.address == "b:1"
    assert await total(second) == 7
    await second.stop()
    await first.stop()


async def test_an_owner_that_heard_nothing_for_long_and_still_owns_answers_after_another_batch() -> (
    None
):
    held = FailingLog(MemoryLog(2))
    one = journals(held)
    await one.start()
    await until(lambda: one.owns(DOMAIN), "an owner")
    await add(one, "c1", 5)
    held.held = True
    lease = one._partition(DOMAIN)._life._lease
    await until(lambda: not lease.is_sure, "it cannot be sure")
    question = asyncio.create_task(total(one))
    await asyncio.wait([question], timeout=0.3)
    assert not question.done()
    held.held = False
    assert await question == 5
    assert lease.is_sure
    await one.stop()


async def test_an_owner_whose_machine_was_suspended_asks_the_journal_before_it_answers() -> None:
    slept_s = [0.0]
    held = FailingLog(MemoryLog(2))
    one = journals(
        held,
        takeover_after_ms=60_000,
        now_s=lambda: asyncio.get_running_loop().time() + slept_s[0],
    )
    await one.start()
    await until(lambda: one.owns(DOMAIN), "an owner")
    await add(one, "c1", 5)
    held.held = True
    assert await total(one) == 5
    slept_s[0] = 120.0
    question = asyncio.create_task(total(one))
    await asyncio.wait([question], timeout=0.3)
    assert not question.done()
    held.held = False
    assert await question == 5
    await one.stop()


@pytest.mark.skipif(not hasattr(time, "CLOCK_BOOTTIME"), reason="the platform has no such clock")
def test_ownership_goes_by_a_clock_that_no_suspend_stops(monkeypatch: pytest.MonkeyPatch) -> None:
    times = {time.CLOCK_BOOTTIME: 7.0}
    monkeypatch.setattr(time, "clock_gettime", lambda clock: times[clock])
    assert boot_time_s() == 7.0


async def test_calls_for_a_halted_partition_go_to_who_took_it_over() -> None:
    _, first, second = await two_replicas()
    with pytest.raises(PartitionHaltedError):
        await first.submit(
            DOMAIN, "b", Add(name="x", amount=1, explode=True), check=1, traceparent=""
        )
    halted = first._partition(DOMAIN).replica
    assert halted.role is Role.HALTED
    with pytest.raises(PartitionHaltedError):
        await total(first)
    await until(lambda: second.owns(DOMAIN), "the standby takes over")
    await until(lambda: first.owner_address(DOMAIN) == "b:1", "the halted one learns of it")
    with pytest.raises(NotOwnerError) as refused:
        await add(first, "c1", 1)
    assert refused.value.address == "b:1"
    assert halted.role is Role.HALTED
    assert not first.caught_up()
    await second.stop()
    await first.stop()


STALE_CLAIM = wire.JournalEntry(claim=wire.Claim(epoch=0, owner="x", address="x:1"))


@pytest.mark.parametrize("noise", [b"\xff garbage", STALE_CLAIM.SerializeToString()])
async def test_what_does_not_count_is_no_sign_of_life_of_an_owner_that_died(noise: bytes) -> None:
    log, first, second = await two_replicas()
    await add(first, "c1", 5)
    partition = first._partition(DOMAIN).partition
    for task in first._tasks:
        task.cancel()
    await asyncio.gather(*first._tasks, return_exceptions=True)

    async def make_noise() -> None:
        while True:
            await log.append(first.topic, partition, NewRecord(key=b"", value=noise))
            await asyncio.sleep(0.02)

    noisy = asyncio.create_task(make_noise())
    await until(lambda: second.owns(DOMAIN), "the standby takes over")
    noisy.cancel()
    assert (await add(second, "c1", 5)).repeated
    await second.stop()


STEP_S = 0.075


def membership(now: list[float], asked: list[str], *, ended: bool, **more: Any) -> Membership:
    words = {
        "replica_index": 0,
        "replica_count": 2,
        "heartbeat_ms": 300,
        "takeover_after_ms": 1_500,
    }

    async def refuses(address: str) -> bool:
        asked.append(address)
        return ended

    settings = MembershipSettings(**(words | more))
    return Membership(settings, owner="a", address="a:1", now_s=lambda: now[0], refuses=refuses)


@pytest.mark.parametrize("ended", [True, False])
async def test_an_owner_is_asked_for_after_two_heartbeats_and_gone_when_it_has_ended(
    ended: Any,
) -> None:
    now, asked = [100.0], list[str]()
    one = membership(now, asked, ended=ended)
    one.heard(0)
    now[0] += 0.5
    assert not await one.is_gone(0, "b:1")
    assert asked == []
    now[0] += 0.2
    assert await one.is_gone(0, "b:1") is ended
    assert asked == ["b:1"]


async def test_nobody_is_asked_for_where_no_owner_is_known_or_none_shows_signs_of_life() -> None:
    now, asked = [100.0], list[str]()
    assert not await membership(now, asked, ended=True).is_gone(0, "")
    alone = membership(now, asked, ended=True, heartbeat_ms=0, takeover_after_ms=0)
    assert not await alone.is_gone(0, "b:1")
    assert asked == []


async def test_only_a_port_that_nobody_listens_on_refuses_connections() -> None:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{one.getsockname()[1]}"
        assert await refuses_connections(address)
        one.listen()
        assert not await refuses_connections(address)
    assert not await refuses_connections("no address")


async def claims_within(seconds: int, *, stalls_s: float) -> int:
    """Return how often ownership moves between two replicas whose addresses both refuse, though both live.

    Heartbeats are heard every 0.3 to 0.5 s; once a minute whoever is the owner stands still for `stalls_s`.
    """
    now, asked = [100.0], list[str]()
    replicas = [membership(now, asked, ended=True, replica_index=number) for number in range(2)]
    owner, stalled, claims, beat_s = 0, -1, 0, 0.0
    for step in range(int(seconds / STEP_S)):
        now[0] = 100.0 + step * STEP_S
        into_minute_s = (now[0] - 100.0) % 60
        if into_minute_s < STEP_S:
            stalled = owner
        if not (owner == stalled and into_minute_s < stalls_s) and now[0] >= beat_s:
            beat_s = now[0] + 0.3 + 0.1 * (step % 3)
            for one in replicas:
                one.heard(0)
        if await replicas[1 - owner].is_gone(0, "refuses:1"):
            owner, claims = 1 - owner, claims + 1
            for one in replicas:
                one.heard(0)
    return claims


async def test_an_owner_that_lives_and_cannot_be_reached_stays_the_owner_while_it_is_heard() -> (
    None
):
    assert await claims_within(600, stalls_s=0.0) == 0


async def test_ownership_moves_once_when_an_owner_that_cannot_be_reached_stands_still() -> None:
    assert await claims_within(600, stalls_s=2.0) == 10
