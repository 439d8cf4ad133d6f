"""Waits for what comes by itself, and not for ever."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import Final

WITHIN_S: Final = 60.0
LOOK_EVERY_S: Final = 0.05


async def comes(holds: Callable[[], Awaitable[bool]], within_s: float = WITHIN_S) -> bool:
    """Return True as soon as something holds; False when it has not within the time."""
    end_s = time.monotonic() + within_s
    while not await holds():
        if time.monotonic() > end_s:
            return False
        await asyncio.sleep(LOOK_EVERY_S)
    return True
