"""What every adapter of the log port does when it is appended to, set up and closed."""

import asyncio
import os
from collections.abc import Awaitable, Callable

import pytest

from huntgroup_eventlog.port import (
    KEY_AND_HEADERS_BYTES_MAX,
    RECORD_BYTES_MAX,
    AppendFailedError,
    Log,
    LogUnavailableError,
    NewRecord,
    RecordTooLargeError,
)
from huntgroup_testkit.log_reading import read_count, read_to_end

Reopen = Callable[[], Awaitable[Log]]


def record(text: str) -> NewRecord:
    return NewRecord(key=b"acme/emea", value=text.encode())


async def test_positions_grow(log: Log, topic: str) -> None:
    positions = [await log.append(topic, 0, record(str(each))) for each in range(20)]
    assert positions == sorted(set(positions))


@pytest.mark.parametrize(
    "written",
    [
        NewRecord(key=b"acme/emea", value=b"plain"),
        NewRecord(key=b"", value=b""),
        NewRecord(key=bytes(range(256)), value=bytes(range(256)) * 7),
        NewRecord(
            key=b"k", value=b"v", headers={"ce_type": b"huntgroup.routing.offer.accepted.v1"}
        ),
        NewRecord(key=b"k", value=b"v", headers={"empty": b"", "binary": b"\x00\xff\n", "é": b"1"}),
        NewRecord(key=b"k", value=b"", headers={f"h{each}": os.urandom(9) for each in range(40)}),
    ],
    ids=["plain", "empty", "binary", "header", "odd-headers", "many-headers"],
)
async def test_key_value_and_headers_come_back_as_they_were(
    log: Log, topic: str, written: NewRecord
) -> None:
    await log.append(topic, 2, written)
    (found,) = await read_count(await log.reader(topic, 2, 0), 1)
    assert (found.key, found.value) == (written.key, written.value)
    assert dict(found.headers) == dict(written.headers)


async def test_the_largest_record_is_taken(log: Log, topic: str) -> None:
    key = os.urandom(30_000)
    headers = {"h": os.urandom(KEY_AND_HEADERS_BYTES_MAX - len(key) - 1)}
    largest = NewRecord(key=key, value=os.urandom(RECORD_BYTES_MAX), headers=headers)
    await log.append(topic, 0, largest)
    await log.append(topic, 0, record("after"))
    found, after = await read_count(await log.reader(topic, 0, 0), 2)
    assert found.value == largest.value
    assert (found.key, dict(found.headers)) == (key, headers)
    assert after.value == b"after"


@pytest.mark.parametrize(
    "oversize",
    [
        NewRecord(key=b"k", value=bytes(RECORD_BYTES_MAX + 1)),
        NewRecord(key=bytes(KEY_AND_HEADERS_BYTES_MAX + 1), value=b""),
        NewRecord(key=b"k", value=b"", headers={"é": bytes(KEY_AND_HEADERS_BYTES_MAX - 2)}),
    ],
    ids=["value", "key", "headers"],
)
async def test_an_oversize_record_is_refused_and_nothing_appended(
    log: Log, topic: str, oversize: NewRecord
) -> None:
    await log.append(topic, 0, record("before"))
    with pytest.raises(RecordTooLargeError, match="bytes"):
        await log.append(topic, 0, oversize)
    await log.append(topic, 0, record("after"))
    assert [each.value for each in await read_to_end(log, topic, 0)] == [b"before", b"after"]


async def test_appends_that_overlap_keep_the_order_of_the_calls(log: Log, topic: str) -> None:
    positions = await asyncio.gather(
        *(log.append(topic, 0, record(str(each))) for each in range(2000))
    )
    assert positions == sorted(set(positions))
    found = await read_to_end(log, topic, 0)
    assert [each.value for each in found] == [str(each).encode() for each in range(2000)]
    assert [each.position for each in found] == positions


async def test_large_appends_that_overlap_keep_the_order_of_the_calls(log: Log, topic: str) -> None:
    body = os.urandom(300_000)
    records = [NewRecord(key=b"k", value=b"%03d" % each + body) for each in range(60)]
    positions = await asyncio.gather(*(log.append(topic, 0, each) for each in records))
    found = await read_to_end(log, topic, 0)
    assert [each.position for each in found] == positions
    assert [each.value for each in found] == [each.value for each in records]


async def test_a_cancelled_append_stops_no_other(log: Log, topic: str) -> None:
    tasks = [asyncio.ensure_future(log.append(topic, 0, record(str(n)))) for n in range(9)]
    await asyncio.sleep(0)
    tasks[4].cancel()
    outcomes = await asyncio.gather(*tasks, return_exceptions=True)
    assert all(isinstance(each, int) for n, each in enumerate(outcomes) if n != 4)
    values = [each.value for each in await read_to_end(log, topic, 0)]
    assert [each for each in values if each != b"4"] == [b"%d" % n for n in range(9) if n != 4]


async def test_an_append_to_a_missing_topic_fails(log: Log, topic: str) -> None:
    with pytest.raises(AppendFailedError, match=r"no topic 'huntgroup\.none'"):
        await log.append("huntgroup.none", 0, record("lost"))
    await log.append(topic, 0, record("goes on"))


async def test_topics_are_listed_sorted(log: Log, topic: str) -> None:
    more = [topic.replace("journal", kind) for kind in ("events", "dlq")]
    await log.ensure_topics(more)
    listed = await log.topics()
    assert listed == sorted(listed)
    assert {topic, *more} <= set(listed)


async def test_ensuring_topics_again_changes_nothing(log: Log, topic: str, reopen: Reopen) -> None:
    await log.append(topic, 0, record("kept"))
    await asyncio.gather(log.ensure_topics([topic]), log.ensure_topics([topic, topic]))
    again = await reopen()
    await again.ensure_topics([topic])
    assert [each.value for each in await read_to_end(again, topic, 0)] == [b"kept"]


@pytest.mark.parametrize("name", ["", ".", "a b", "ä", "x" * 250, "a/b"])
async def test_an_illegal_topic_name_is_refused(log: Log, name: str) -> None:
    with pytest.raises(ValueError, match="topic name"):
        await log.ensure_topics([name])


async def test_another_number_of_partitions_is_refused(
    log: Log, topic: str, open_log: Callable[[int], Log]
) -> None:
    async def use(partitions: int) -> None:
        other = open_log(partitions)
        try:
            await other.ensure_topics([topic])
        finally:
            await other.close()

    await log.close()
    with pytest.raises((LogUnavailableError, ValueError), match="partitions"):
        await use(5)


async def test_everything_is_there_after_reopening(log: Log, topic: str, reopen: Reopen) -> None:
    before = await asyncio.gather(*(log.append(topic, 1, record(str(n))) for n in range(300)))
    again = await reopen()
    assert topic in await again.topics()
    assert await again.end(topic, 1) == before[-1] + 1
    position = await again.append(topic, 1, record("300"))
    assert position > before[-1]
    found = await read_to_end(again, topic, 1)
    assert [each.value for each in found] == [str(each).encode() for each in range(301)]
    assert [each.position for each in found] == [*before, position]


async def test_closing_settles_every_pending_append(log: Log, topic: str, reopen: Reopen) -> None:
    tasks = [asyncio.ensure_future(log.append(topic, 0, record(str(n)))) for n in range(200)]
    await asyncio.sleep(0)
    again = await reopen()
    outcomes = await asyncio.wait_for(asyncio.gather(*tasks, return_exceptions=True), 20)
    assert all(isinstance(each, int | AppendFailedError) for each in outcomes)
    kept = {each.position: each.value for each in await read_to_end(again, topic, 0)}
    for number, outcome in enumerate(outcomes):
        if isinstance(outcome, int):
            assert kept[outcome] == str(number).encode()


async def test_closing_ends_a_pending_read(log: Log, topic: str) -> None:
    reader = await log.reader(topic, 0, 0)
    pending = asyncio.ensure_future(reader.read(10, 30_000))
    await asyncio.sleep(0.02)
    await log.close()
    with pytest.raises(LogUnavailableError, match="closed"):
        await asyncio.wait_for(pending, 5)


async def test_a_closed_log_refuses(log: Log, topic: str) -> None:
    reader = await log.reader(topic, 0, 0)
    await log.close()
    await log.close()
    with pytest.raises(AppendFailedError, match="closed"):
        await log.append(topic, 0, record("late"))
    with pytest.raises(LogUnavailableError, match="closed"):
        await reader.read(1, 0)
    with pytest.raises(LogUnavailableError, match="closed"):
        await log.reader(topic, 0, 0)
    with pytest.raises(LogUnavailableError, match="closed"):
        await log.end(topic, 0)
    with pytest.raises(LogUnavailableError, match="closed"):
        await log.topics()
    with pytest.raises(LogUnavailableError, match="closed"):
        await log.ensure_topics([topic])
