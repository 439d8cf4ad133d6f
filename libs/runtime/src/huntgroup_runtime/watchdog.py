"""Notices when the event loop stands still, and says where."""

import asyncio
import sys
import threading
import time
import traceback
from typing import Final

import structlog

from huntgroup_runtime.metrics import Counter

BEAT_MS: Final = 100
BLOCKED_AFTER_MS: Final = 500

_log = structlog.stdlib.get_logger(__name__)


class LoopWatchdog:
    """A thread that expects a sign of life of the event loop every `beat_ms`.

    When there was none for `blocked_after_ms` it counts that and logs the stack of the loop's thread, once for each
    time the loop stands still.
    """

    def __init__(
        self,
        blocked: Counter,
        *,
        beat_ms: int = BEAT_MS,
        blocked_after_ms: int = BLOCKED_AFTER_MS,
    ) -> None:
        self._blocked = blocked
        self._beat_s = beat_ms / 1_000
        self._blocked_after_s = blocked_after_ms / 1_000
        self._beaten_s = 0.0
        self._loop_thread = 0
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._watch, name="loop-watchdog", daemon=True)
        self._next_beat: asyncio.TimerHandle | None = None

    def start(self) -> None:
        """Watch the running event loop from now on."""
        self._loop_thread = threading.get_ident()
        self._beat(asyncio.get_running_loop())
        self._thread.start()

    def stop(self) -> None:
        """Watch no more; waits for the thread, a beat at most."""
        if self._next_beat is not None:
            self._next_beat.cancel()
        self._stopping.set()
        if self._thread.is_alive():
            self._thread.join()

    def _beat(self, loop: asyncio.AbstractEventLoop) -> None:
        self._beaten_s = time.monotonic()
        self._next_beat = loop.call_later(self._beat_s, self._beat, loop)

    def _watch(self) -> None:
        told_of_s = 0.0
        while not self._stopping.wait(self._beat_s):
            beaten_s = self._beaten_s
            if told_of_s and beaten_s != told_of_s:
                _log.warning(
                    "event loop runs again", stood_still_ms=round((beaten_s - told_of_s) * 1_000)
                )
                told_of_s = 0.0
            silent_s = time.monotonic() - beaten_s
            if silent_s > self._blocked_after_s and not told_of_s:
                told_of_s = beaten_s
                self._blocked.add()
                _log.error(
                    "event loop stands still", for_ms=round(silent_s * 1_000), stack=self._stack()
                )

    def _stack(self) -> str:
        frame = sys._current_frames().get(self._loop_thread)  # noqa: SLF001 - there is no public way
        return "".join(traceback.format_stack(frame)) if frame else "(the loop's thread has ended)"
