"""The watchdog notices an event loop that stands still, and only that."""

import asyncio
import threading
import time

import pytest
from structlog.testing import capture_logs

from huntgroup_runtime.metrics import Counter
from huntgroup_runtime.watchdog import LoopWatchdog


def stand_still_on_purpose(seconds: float) -> None:
    time.sleep(seconds)


async def test_a_blocked_loop_is_counted_and_its_stack_logged() -> None:
    blocked = Counter({})
    watchdog = LoopWatchdog(blocked, beat_ms=20, blocked_after_ms=100)
    with capture_logs() as logs:
        watchdog.start()
        await asyncio.sleep(0.1)
        assert blocked.value == 0
        stand_still_on_purpose(0.4)
        await asyncio.sleep(0.1)
        stand_still_on_purpose(0.4)
        await asyncio.sleep(0.1)
        watchdog.stop()
    assert blocked.value == 2, "once for each time"
    assert [one["event"] for one in logs] == [
        "event loop stands still",
        "event loop runs again",
    ] * 2
    assert "stand_still_on_purpose" in logs[0]["stack"]
    assert logs[1]["stood_still_ms"] == pytest.approx(400, abs=150)


async def test_a_loop_that_waits_is_not_blocked() -> None:
    blocked = Counter({})
    watchdog = LoopWatchdog(blocked, beat_ms=20, blocked_after_ms=100)
    watchdog.start()
    await asyncio.sleep(0.5)
    watchdog.stop()
    assert blocked.value == 0
    assert "loop-watchdog" not in {thread.name for thread in threading.enumerate()}
