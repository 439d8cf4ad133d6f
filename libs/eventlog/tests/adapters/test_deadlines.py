"""One timer for many futures."""

import asyncio

import pytest

from huntgroup_eventlog.adapters.deadlines import Deadlines


async def test_futures_that_are_not_done_in_time_fail_and_others_do_not() -> None:
    deadlines = Deadlines(0.05)
    loop = asyncio.get_running_loop()
    futures: list[asyncio.Future[int]] = [loop.create_future() for _ in range(4)]
    for each in futures:
        deadlines.add(each)
    futures[1].set_result(1)
    futures[2].cancel()
    for late in (futures[0], futures[3]):
        with pytest.raises(TimeoutError):
            await late
    assert await futures[1] == 1


async def test_the_timer_goes_on_for_those_added_later() -> None:
    deadlines = Deadlines(0.03)
    loop = asyncio.get_running_loop()
    for _ in range(3):
        future: asyncio.Future[int] = loop.create_future()
        deadlines.add(future)
        with pytest.raises(TimeoutError):
            await future


async def test_after_closing_nothing_fails() -> None:
    deadlines = Deadlines(0.01)
    future: asyncio.Future[int] = asyncio.get_running_loop().create_future()
    deadlines.add(future)
    deadlines.close()
    await asyncio.sleep(0.03)
    assert not future.done()
