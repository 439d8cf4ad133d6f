"""What every adapter of the log port does when it is read."""

import asyncio
import time

import pytest

from huntgroup_eventlog.port import Log, LogUnavailableError, NewRecord
from huntgroup_testkit.log_reading import read_count, read_to_end


def record(text: str) -> NewRecord:
    return NewRecord(key=b"acme/emea", value=text.encode())


async def append_all(log: Log, topic: str, count: int, partition: int = 0) -> list[int]:
    return [await log.append(topic, partition, record(str(each))) for each in range(count)]


async def test_records_are_read_in_the_order_of_the_appends(log: Log, topic: str) -> None:
    positions = await append_all(log, topic, 50)
    found = await read_count(await log.reader(topic, 0, 0), 50)
    assert [each.value for each in found] == [str(each).encode() for each in range(50)]
    assert [each.position for each in found] == positions


async def test_a_read_returns_no_more_than_asked_for(log: Log, topic: str) -> None:
    await append_all(log, topic, 5)
    reader = await log.reader(topic, 0, 0)
    first = await reader.read(2, 10_000)
    assert 1 <= len(first) <= 2
    rest = await read_count(reader, 5 - len(first), limit=2)
    assert [each.value for each in [*first, *rest]] == [b"0", b"1", b"2", b"3", b"4"]


async def test_reading_begins_at_any_position(log: Log, topic: str) -> None:
    positions = await append_all(log, topic, 10)
    for first in range(10):
        reader = await log.reader(topic, 0, positions[first])
        found = await read_count(reader, 10 - first)
        assert [each.position for each in found] == positions[first:]
        await reader.close()


async def test_a_reader_at_the_end_gets_what_comes(log: Log, topic: str) -> None:
    await append_all(log, topic, 3)
    reader = await log.reader(topic, 0, await log.end(topic, 0))
    position = await log.append(topic, 0, record("new"))
    (found,) = await read_count(reader, 1)
    assert (found.position, found.value) == (position, b"new")


async def test_a_waiting_read_wakes_promptly_when_a_record_is_appended(
    log: Log, topic: str
) -> None:
    reader = await log.reader(topic, 0, 0)
    delays_s = []
    for each in range(10):
        waiting = asyncio.ensure_future(reader.read(10, 30_000))
        # Time enough to be waiting where records arrive.
        await asyncio.sleep(0.02)
        await log.append(topic, 0, record(str(each)))
        acknowledged = time.monotonic()
        assert [found.value for found in await waiting] == [str(each).encode()]
        delays_s.append(time.monotonic() - acknowledged)
    assert min(delays_s) < 0.1


async def test_an_empty_read_waits_its_time_and_returns_nothing(log: Log, topic: str) -> None:
    reader = await log.reader(topic, 0, 0)
    started = time.monotonic()
    assert list(await reader.read(10, 200)) == []
    assert time.monotonic() - started >= 0.19
    await log.append(topic, 0, record("after"))
    assert [each.value for each in await read_count(reader, 1)] == [b"after"]


async def test_a_read_that_may_not_wait_returns_at_once(log: Log, topic: str) -> None:
    reader = await log.reader(topic, 0, 0)
    assert list(await asyncio.wait_for(reader.read(10, 0), 5)) == []


async def test_two_readers_are_independent(log: Log, topic: str) -> None:
    await append_all(log, topic, 6)
    ahead = await log.reader(topic, 0, 0)
    behind = await log.reader(topic, 0, 0)
    assert len(await read_count(ahead, 6)) == 6
    assert [each.value for each in await read_count(behind, 2)] == [b"0", b"1"]
    await ahead.close()
    assert [each.value for each in await read_count(behind, 4)] == [b"2", b"3", b"4", b"5"]


async def test_many_readers_wait_at_once(log: Log, topic: str) -> None:
    readers = [await log.reader(topic, 0, 0) for _ in range(5)]
    waiting = [asyncio.ensure_future(read_count(each, 2)) for each in readers]
    await append_all(log, topic, 2)
    for found in await asyncio.gather(*waiting):
        assert [each.value for each in found] == [b"0", b"1"]


async def test_partitions_are_independent(log: Log, topic: str) -> None:
    await asyncio.gather(*(append_all(log, topic, 10 + p, p) for p in range(log.partitions)))
    for partition in range(log.partitions):
        found = await read_to_end(log, topic, partition)
        assert [each.value for each in found] == [
            str(each).encode() for each in range(10 + partition)
        ]


async def test_topics_are_independent(log: Log, topic: str) -> None:
    other = topic.replace("journal", "events")
    await log.ensure_topics([other])
    await log.append(topic, 0, record("one"))
    await log.append(other, 0, record("other"))
    assert [each.value for each in await read_to_end(log, topic, 0)] == [b"one"]
    assert [each.value for each in await read_to_end(log, other, 0)] == [b"other"]


async def test_the_end_is_after_the_last_record(log: Log, topic: str) -> None:
    assert await log.end(topic, 1) == 0
    positions = await append_all(log, topic, 4, partition=1)
    assert await log.end(topic, 1) == positions[-1] + 1
    assert await log.end(topic, 0) == 0


async def test_everything_below_the_end_can_be_read(log: Log, topic: str) -> None:
    appending = asyncio.ensure_future(append_all(log, topic, 200))
    while not appending.done():
        end = await log.end(topic, 0)
        found = await read_to_end(log, topic, 0)
        assert len(found) >= end
        await asyncio.sleep(0)
    assert len(await read_to_end(log, topic, 0)) == 200


async def test_a_reader_beyond_the_end_is_refused(log: Log, topic: str) -> None:
    await append_all(log, topic, 2)
    with pytest.raises(LogUnavailableError, match="ends at 2"):
        await log.reader(topic, 0, 3)


async def test_a_topic_that_does_not_exist_cannot_be_read(log: Log) -> None:
    with pytest.raises(LogUnavailableError, match=r"no topic 'huntgroup\.none'"):
        await log.reader("huntgroup.none", 0, 0)
    with pytest.raises(LogUnavailableError, match=r"no topic 'huntgroup\.none'"):
        await log.end("huntgroup.none", 0)


async def test_a_partition_that_does_not_exist_is_an_error_of_the_caller(
    log: Log, topic: str
) -> None:
    for partition in (-1, log.partitions):
        with pytest.raises(ValueError, match="partition"):
            await log.reader(topic, partition, 0)
        with pytest.raises(ValueError, match="partition"):
            await log.append(topic, partition, record("none"))
        with pytest.raises(ValueError, match="partition"):
            await log.end(topic, partition)


async def test_closing_a_reader_ends_its_pending_read(log: Log, topic: str) -> None:
    reader = await log.reader(topic, 0, 0)
    pending = asyncio.ensure_future(reader.read(10, 30_000))
    await asyncio.sleep(0.02)
    await reader.close()
    assert list(await asyncio.wait_for(pending, 5)) == []
    with pytest.raises(LogUnavailableError, match="closed"):
        await reader.read(1, 0)
    await reader.close()


async def test_a_cancelled_read_loses_nothing(log: Log, topic: str) -> None:
    reader = await log.reader(topic, 0, 0)
    pending = asyncio.ensure_future(reader.read(10, 30_000))
    await asyncio.sleep(0.02)
    pending.cancel()
    with pytest.raises(asyncio.CancelledError):
        await pending
    await append_all(log, topic, 3)
    assert [each.value for each in await read_count(reader, 3)] == [b"0", b"1", b"2"]
