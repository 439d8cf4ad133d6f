"""Waiting on a clock that somebody sets."""

import asyncio
import time

import pytest

from huntgroup_runtime.clock import SystemClock, VirtualClock

HOUR_NS = 3_600_000_000_000


async def test_a_sleep_ends_although_the_clock_is_set_back(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = SystemClock()
    sleep = asyncio.create_task(clock.sleep(50))
    await asyncio.sleep(0)
    behind_ns = time.time_ns() - HOUR_NS
    monkeypatch.setattr(time, "time_ns", lambda: behind_ns)
    await asyncio.wait_for(sleep, 30)


async def test_a_sleep_on_a_virtual_clock_ends_when_it_has_come_so_far() -> None:
    clock = VirtualClock(1_000)
    sleep = asyncio.create_task(clock.sleep(50))
    await asyncio.sleep(0)
    assert clock.jump()
    await sleep
    assert clock.now_ms() == 1_050
