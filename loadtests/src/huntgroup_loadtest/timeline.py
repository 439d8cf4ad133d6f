"""How the time of the played day relates to the time of the services."""

import asyncio
from collections.abc import Awaitable
from dataclasses import dataclass
from typing import Any, TypeVar

from huntgroup_runtime.clock import Activity, Clock

T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class Timeline:
    """Maps the day onto the services' clock: `speed` day-seconds pass in one second of that clock.

    On a virtual clock speed is 1 and the clock jumps; on a real one every duration shrinks by `speed`, also those
    that queues are configured with, so the day stays the same day.
    """

    clock: Clock
    activity: Activity
    start_ms: int
    """When the day's `opens_ms` is on the services' clock."""
    opens_ms: int
    speed: float

    def span_ms(self, day_span_ms: float) -> int:
        """Return a duration of the day in milliseconds of the services; at least 1."""
        return max(1, round(day_span_ms / self.speed))

    def at_ms(self, day_ms: float) -> int:
        """Return a moment of the day (since its midnight) on the services' clock."""
        return self.start_ms + round((day_ms - self.opens_ms) / self.speed)

    def day_ms(self) -> int:
        """Return the time of the day now, since its midnight."""
        return round((self.clock.now_ms() - self.start_ms) * self.speed) + self.opens_ms

    async def until(self, day_ms: float) -> None:
        """Wait for a moment of the day."""
        await self.clock.sleep_until(self.at_ms(day_ms))

    async def sleep(self, day_span_ms: float) -> None:
        """Wait for a span of the day."""
        await self.clock.sleep_until(self.clock.now_ms() + self.span_ms(day_span_ms))

    async def within(self, day_span_ms: float, *futures: "asyncio.Future[Any]") -> bool:
        """Wait for one of `futures`, at most for a span of the day; return whether one is done. None is cancelled."""
        sleeping = asyncio.ensure_future(self.sleep(day_span_ms))
        try:
            await asyncio.wait((sleeping, *futures), return_when=asyncio.FIRST_COMPLETED)
        finally:
            sleeping.cancel()
        return any(future.done() for future in futures)

    async def working(self, work: Awaitable[T]) -> T:
        """Await `work` while a virtual clock stands still."""
        with self.activity:
            return await work
