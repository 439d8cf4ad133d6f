"""A reader over anything that can fetch records from a position and can wait for more."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence

from huntgroup_eventlog.port import LogRecord, LogUnavailableError

Fetch = Callable[[int, int], Awaitable[Sequence[LogRecord]]]
"""Return up to `limit` records at or after `position`: `(position, limit)`; raises `LogUnavailableError`."""

Wait = Callable[[float], Awaitable[None]]
"""Return when there may be something new, at the latest after so many seconds."""


class Cursor:
    """The port's `Reader` for logs in this process."""

    def __init__(
        self, position: int, fetch: Fetch, wait: Wait, interrupt: Callable[[], None] | None = None
    ) -> None:
        self._position = position
        self._fetch = fetch
        self._wait = wait
        self._interrupt = interrupt
        self._closed = False

    async def read(self, limit: int, wait_ms: int) -> Sequence[LogRecord]:
        if self._closed:
            raise LogUnavailableError("the reader is closed")
        until = time.monotonic() + wait_ms / 1000
        # One turn of the loop for the others: a reader far behind would otherwise never let go of it.
        await asyncio.sleep(0)
        while not self._closed:
            records = await self._fetch(self._position, limit)
            if records:
                self._position = records[-1].position + 1
                return records
            left_s = until - time.monotonic()
            if left_s <= 0:
                break
            await self._wait(left_s)
        return []

    async def close(self) -> None:
        self._closed = True
        if self._interrupt is not None:
            self._interrupt()
