"""Time as the services see it: the system's, or a virtual one that jumps when nothing is left to do."""

import asyncio
import heapq
import time
from collections.abc import Callable
from typing import Protocol

QUIET_TURNS = 4
BUSY_PAUSE_S = 0.001
NOBODY_WAITS_PAUSE_S = 0.001


class Clock(Protocol):
    """Where a process gets the time from and waits on it. Milliseconds since the epoch, UTC."""

    def now_ms(self) -> int:
        """Return the time."""
        ...

    def elapsed_ms(self) -> int:
        """Return the time since some moment, for what lasts; it goes on evenly when the clock is set."""
        ...

    async def sleep_until(self, at_ms: int) -> None:
        """Return when the time is at least `at_ms`."""
        ...

    async def sleep(self, for_ms: int) -> None:
        """Return after so long, also when the clock is set meanwhile."""
        ...


class SystemClock:
    """The machine's clock."""

    def now_ms(self) -> int:
        """Return the wall-clock time."""
        return time.time_ns() // 1_000_000

    def elapsed_ms(self) -> int:
        """Return the monotonic time."""
        return time.monotonic_ns() // 1_000_000

    async def sleep_until(self, at_ms: int) -> None:
        """Sleep; a jump of the wall clock is noticed within a second."""
        while (left_ms := at_ms - self.now_ms()) > 0:  # noqa: ASYNC110 - the wall clock has no event to wait for
            await asyncio.sleep(min(left_ms, 1_000) / 1_000)

    async def sleep(self, for_ms: int) -> None:
        """Sleep by the loop's time, which nobody sets."""
        await asyncio.sleep(for_ms / 1_000)


class Activity:
    """Counts work that goes on outside the journals, so that a virtual clock does not run ahead of it."""

    def __init__(self) -> None:
        self.under_way = 0

    def __enter__(self) -> None:
        self.under_way += 1

    def __exit__(self, *_: object) -> None:
        self.under_way -= 1


class VirtualClock:
    """Stands still while anything is under way, and jumps to the next moment somebody waits for.

    So a day of calls is played as fast as the machine allows, and its numbers do not depend on how fast that is.
    `run` drives it; everything that works on behalf of the day reports through `Activity`.
    """

    def __init__(self, start_ms: int) -> None:
        self._now_ms = start_ms
        self._waiting: list[tuple[int, int, asyncio.Future[None]]] = []
        self._ties = 0

    def now_ms(self) -> int:
        """Return the virtual time."""
        return self._now_ms

    def elapsed_ms(self) -> int:
        """Return the virtual time: nobody sets it."""
        return self._now_ms

    async def sleep_until(self, at_ms: int) -> None:
        """Wait until `run` has come to `at_ms`."""
        if at_ms <= self._now_ms:
            return
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._ties += 1
        heapq.heappush(self._waiting, (at_ms, self._ties, future))
        await future

    async def sleep(self, for_ms: int) -> None:
        """Wait until `run` has come so far."""
        await self.sleep_until(self._now_ms + for_ms)

    def jump(self) -> bool:
        """Go on to the next moment that is waited for; False when nobody waits."""
        while self._waiting and self._waiting[0][2].done():
            heapq.heappop(self._waiting)
        if not self._waiting:
            return False
        self._now_ms = max(self._now_ms, self._waiting[0][0])
        while self._waiting and self._waiting[0][0] <= self._now_ms:
            future = heapq.heappop(self._waiting)[2]
            if not future.done():
                future.set_result(None)
        return True

    async def run(self, idle: Callable[[], bool], speed_max: float = 0.0) -> None:
        """Jump whenever `idle()` says that nothing is under way; at most `speed_max` × real time (0: no limit).

        Ends only by cancellation.
        """
        started, origin_ms = time.monotonic(), self._now_ms
        quiet_turns = 0
        while True:
            # A task that was just woken says what it does only when it runs: nothing may stir for some turns.
            quiet_turns = quiet_turns + 1 if idle() else 0
            if quiet_turns < QUIET_TURNS:
                await asyncio.sleep(0 if quiet_turns else BUSY_PAUSE_S)
                continue
            quiet_turns = 0
            if speed_max > 0:
                ahead_s = (self._now_ms - origin_ms) / 1_000 / speed_max - (
                    time.monotonic() - started
                )
                if ahead_s > 0:
                    await asyncio.sleep(ahead_s)
                    continue
            if not self.jump():
                await asyncio.sleep(NOBODY_WAITS_PAUSE_S)
