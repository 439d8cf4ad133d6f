"""One timer for many futures that all get the same time: cheaper than a timer each, since they end in order."""

import asyncio
import time
from collections import deque
from collections.abc import Callable
from typing import Any, Generic, TypeVar

T = TypeVar("T")


class Deadlines(Generic[T]):
    """Tells of the futures that are not done `timeout_s` after they were added, and of what each is about."""

    def __init__(
        self, timeout_s: float, expired: "Callable[[asyncio.Future[Any], T], None]"
    ) -> None:
        self._timeout_s = timeout_s
        self._expired = expired
        self._waiting: deque[tuple[float, asyncio.Future[Any], T]] = deque()
        self._timer: asyncio.TimerHandle | None = None

    def add(self, future: "asyncio.Future[Any]", about: T) -> None:
        """Give a future its time, from now on."""
        waiting = self._waiting
        while waiting and waiting[0][1].done():
            waiting.popleft()
        waiting.append((time.monotonic() + self._timeout_s, future, about))
        if self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(self._timeout_s, self._expire)

    def close(self) -> None:
        """Forget all futures."""
        self._waiting.clear()
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _expire(self) -> None:
        self._timer = None
        now = time.monotonic()
        while self._waiting and (self._waiting[0][1].done() or self._waiting[0][0] <= now):
            _, future, about = self._waiting.popleft()
            if not future.done():
                self._expired(future, about)
        if self._waiting:
            left_s = self._waiting[0][0] - now
            self._timer = asyncio.get_running_loop().call_later(left_s, self._expire)
