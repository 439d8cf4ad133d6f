"""Log time: what an owner writes as the time of its decisions. It never goes back, and it never stands still.

Where the log is ahead of the clock (a clock that had jumped was set right, or the owner before had a quicker one), log
time goes on at nine tenths of the clock's pace until the clock has come up with it. Otherwise nothing would time out
until then: after a jump of an hour, for an hour.
"""

SLOW_NUMERATOR, SLOW_DENOMINATOR = 9, 10


class LogTime:
    """The time of one partition while it is owned here. Milliseconds since the epoch, UTC."""

    def __init__(self) -> None:
        self._at_ms = 0
        self._clock_ms: int | None = None
        self._owed = 0
        """Tenths of milliseconds that went by and are not in the log time yet."""

    def tick(self, clock_ms: int, at_least_ms: int) -> int:
        """Return the log time when the clock shows `clock_ms` and the log has come to `at_least_ms`."""
        elapsed_ms = 0 if self._clock_ms is None else max(0, clock_ms - self._clock_ms)
        self._clock_ms = clock_ms
        self._at_ms = max(self._at_ms, at_least_ms)
        whole, self._owed = divmod(self._owed + elapsed_ms * SLOW_NUMERATOR, SLOW_DENOMINATOR)
        self._at_ms += whole
        if clock_ms >= self._at_ms:
            self._at_ms, self._owed = clock_ms, 0
        return self._at_ms

    def clock_at(self, log_ms: int) -> int:
        """Return what the clock will show when log time comes to `log_ms`, if nobody touches the clock."""
        if self._clock_ms is None or self._clock_ms >= self._at_ms:
            return log_ms
        left = (log_ms - self._at_ms) * SLOW_DENOMINATOR - self._owed
        return min(log_ms, self._clock_ms + max(0, -(-left // SLOW_NUMERATOR)))
