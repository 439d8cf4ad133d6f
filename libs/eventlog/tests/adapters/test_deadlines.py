"""One timer for many futures."""

import asyncio

from huntgroup_eventlog.adapters.deadlines import Deadlines


class Told:
    """What was told of futures whose time is over."""

    def __init__(self) -> None:
        self.about: list[str] = []

    def __call__(self, future: "asyncio.Future[int]", about: str) -> None:
        self.about.append(about)
        future.set_result(0)


async def test_futures_that_are_not_done_in_time_are_told_and_others_are_not() -> None:
    told = Told()
    deadlines = Deadlines(0.05, told)
    loop = asyncio.get_running_loop()
    futures: list[asyncio.Future[int]] = [loop.create_future() for _ in range(4)]
    for number, each in enumerate(futures):
        deadlines.add(each, str(number))
    futures[1].set_result(1)
    futures[2].cancel()
    await asyncio.gather(futures[0], futures[3])
    assert told.about == ["0", "3"]
    assert await futures[1] == 1


async def test_the_timer_goes_on_for_those_added_later() -> None:
    told = Told()
    deadlines = Deadlines(0.03, told)
    loop = asyncio.get_running_loop()
    for _ in range(3):
        future: asyncio.Future[int] = loop.create_future()
        deadlines.add(future, "later")
        await future
    assert told.about == ["later"] * 3


async def test_after_closing_nothing_is_told() -> None:
    told = Told()
    deadlines = Deadlines(0.01, told)
    future: asyncio.Future[int] = asyncio.get_running_loop().create_future()
    deadlines.add(future, "closed")
    deadlines.close()
    await asyncio.sleep(0.03)
    assert not future.done()
    assert told.about == []
