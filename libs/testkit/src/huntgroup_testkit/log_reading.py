"""Reading a log to a known point in tests, on any adapter."""

import time

from huntgroup_eventlog.port import Log, LogRecord, Reader

DEADLINE_S = 30.0


async def read_count(reader: Reader, count: int, limit: int = 1000) -> list[LogRecord]:
    """Return the next `count` records; fail when they have not come within `DEADLINE_S`."""
    found: list[LogRecord] = []
    until = time.monotonic() + DEADLINE_S
    while len(found) < count:
        found += await reader.read(min(limit, count - len(found)), 1000)
        assert time.monotonic() < until, f"{len(found)} of {count} records in {DEADLINE_S} s"
    return found


async def read_to_end(log: Log, topic: str, partition: int, position: int = 0) -> list[LogRecord]:
    """Return everything from `position` to the end as it is now."""
    end = await log.end(topic, partition)
    reader = await log.reader(topic, partition, position)
    found: list[LogRecord] = []
    until = time.monotonic() + DEADLINE_S
    while (found[-1].position + 1 if found else position) < end:
        found += await reader.read(1000, 1000)
        assert time.monotonic() < until, f"end {end} not reached in {DEADLINE_S} s"
    await reader.close()
    return found
