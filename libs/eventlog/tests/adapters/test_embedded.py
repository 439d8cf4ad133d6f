"""What only the embedded log does: one owner, group commit, surviving kill -9, looking in from outside."""

import asyncio
import os
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest

from huntgroup_eventlog.adapters.embedded import EmbeddedLog
from huntgroup_eventlog.adapters.embedded_file import Durability, checksum
from huntgroup_eventlog.port import AppendFailedError, LogUnavailableError, NewRecord
from huntgroup_testkit.log_reading import read_count, read_to_end

pytestmark = pytest.mark.integration

TOPIC = "huntgroup.routing.journal.v1"
APPENDING = Path(__file__).parent / "appending_process.py"


def record(number: int, size: int = 0) -> NewRecord:
    return NewRecord(key=b"acme/emea", value=b"%d:" % number + bytes(size))


def number_of(value: bytes) -> int:
    return int(value.partition(b":")[0])


def start_appending(
    directory: Path, durability: Durability, partitions: int
) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [sys.executable, str(APPENDING), str(directory), durability, str(partitions)],
        stdout=subprocess.PIPE,
    )


def acknowledgements(line: bytes) -> tuple[int, int, int]:
    partition, position, number = map(int, line.split())
    return partition, position, number


def test_a_second_process_is_refused_and_told_who_holds_the_log(tmp_path: Path) -> None:
    with start_appending(tmp_path, "process", 1) as owner:
        try:
            assert owner.stdout is not None
            owner.stdout.readline()
            with pytest.raises(LogUnavailableError) as refused:
                EmbeddedLog(tmp_path, 1)
        finally:
            owner.kill()
    assert str(tmp_path) in str(refused.value)
    assert f"pid {owner.pid}" in str(refused.value)


async def test_a_second_opening_in_one_process_is_refused(tmp_path: Path) -> None:
    log = EmbeddedLog(tmp_path, 2)
    with pytest.raises(LogUnavailableError, match=f"pid {os.getpid()}"):
        EmbeddedLog(tmp_path, 2)
    await log.close()
    again = EmbeddedLog(tmp_path, 2)
    await again.close()


async def test_another_number_of_partitions_is_refused_and_lets_go_of_the_log(
    tmp_path: Path,
) -> None:
    await EmbeddedLog(tmp_path, 2).close()
    with pytest.raises(LogUnavailableError, match="2 partitions, not 3"):
        EmbeddedLog(tmp_path, 3)
    await EmbeddedLog(tmp_path, 2).close()


async def test_a_file_of_another_format_is_refused(tmp_path: Path) -> None:
    await EmbeddedLog(tmp_path, 2).close()
    connection = sqlite3.connect(tmp_path / "log.sqlite3")
    connection.execute("PRAGMA user_version = 99")
    connection.close()
    with pytest.raises(LogUnavailableError, match="format 99"):
        EmbeddedLog(tmp_path, 2)


def test_a_directory_that_cannot_be_made_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(LogUnavailableError, match="cannot be opened"):
        EmbeddedLog(tmp_path / "file", 2)


@pytest.mark.parametrize("durability", ["power", "process"])
@pytest.mark.parametrize("acknowledged_min", [1, 300, 3000])
async def test_what_was_acknowledged_survives_kill_9(
    tmp_path: Path, durability: Durability, acknowledged_min: int
) -> None:
    with start_appending(tmp_path, durability, 3) as writer:
        assert writer.stdout is not None
        lines = [writer.stdout.readline() for _ in range(acknowledged_min)]
        writer.kill()
        lines += writer.stdout.readlines()
    acknowledged: dict[int, list[tuple[int, int]]] = {0: [], 1: [], 2: []}
    for line in lines:
        partition, position, number = acknowledgements(line)
        acknowledged[partition].append((position, number))
    log = EmbeddedLog(tmp_path, 3, durability)
    for partition, told in acknowledged.items():
        found = await read_to_end(log, TOPIC, partition)
        kept = [(each.position, number_of(each.value)) for each in found]
        # In order and without a gap: what follows the acknowledged was on its way when the process ended.
        assert kept[: len(told)] == told
        assert [number for _, number in kept] == list(range(len(kept)))
        position = await log.append(TOPIC, partition, record(len(kept)))
        assert position == (kept[-1][0] + 1 if kept else 0)
    await log.close()


async def test_reading_passes_from_the_file_to_memory_without_a_seam(tmp_path: Path) -> None:
    log = EmbeddedLog(tmp_path, 1, "process", tail_bytes_max=20_000)
    await log.ensure_topics([TOPIC])
    await asyncio.gather(*(log.append(TOPIC, 0, record(n, 600)) for n in range(200)))
    for first in [0, 1, 178, 179, 180, 181, 182, 183, 199, 200]:
        for limit in (1, 7, 1000):
            reader = await log.reader(TOPIC, 0, first)
            found = await read_count(reader, 200 - first, limit)
            assert [number_of(each.value) for each in found] == list(range(first, 200))
            await reader.close()
    await log.close()


async def test_a_reader_that_falls_behind_catches_up_while_appends_go_on(tmp_path: Path) -> None:
    log = EmbeddedLog(tmp_path, 1, "process", tail_bytes_max=20_000)
    await log.ensure_topics([TOPIC])
    reader = await log.reader(TOPIC, 0, 0)

    async def append_all() -> None:
        for first in range(0, 2000, 100):
            await asyncio.gather(*(log.append(TOPIC, 0, record(first + n)) for n in range(100)))

    appending = asyncio.ensure_future(append_all())
    found = await read_count(reader, 2000, limit=13)
    assert [number_of(each.value) for each in found] == list(range(2000))
    await appending
    await log.close()


async def test_a_read_of_large_old_records_is_bounded_in_bytes(tmp_path: Path) -> None:
    log = EmbeddedLog(tmp_path, 1, "process", tail_bytes_max=0)
    await log.ensure_topics([TOPIC])
    await asyncio.gather(*(log.append(TOPIC, 0, record(n, 1_000_000)) for n in range(12)))
    reader = await log.reader(TOPIC, 0, 0)
    first = await reader.read(1000, 10_000)
    assert 1 <= len(first) <= 5
    rest = await read_count(reader, 12 - len(first))
    assert [number_of(each.value) for each in [*first, *rest]] == list(range(12))
    await log.close()


@pytest.mark.parametrize("bounds", [{"pending_records_max": 3}, {"pending_bytes_max": 2_000}])
async def test_appends_beyond_the_bound_wait_their_turn(
    tmp_path: Path, bounds: dict[str, int]
) -> None:
    log = EmbeddedLog(tmp_path, 1, "process", **bounds)
    await log.ensure_topics([TOPIC])
    positions = await asyncio.gather(*(log.append(TOPIC, 0, record(n, 500)) for n in range(300)))
    assert positions == list(range(300))
    # One that is larger than the bound still gets through, alone.
    assert await log.append(TOPIC, 0, record(300, 100_000)) == 300
    found = await read_to_end(log, TOPIC, 0)
    assert [number_of(each.value) for each in found] == list(range(301))
    await log.close()


async def test_waiting_appends_can_be_cancelled(tmp_path: Path) -> None:
    log = EmbeddedLog(tmp_path, 1, "process", pending_records_max=1)
    await log.ensure_topics([TOPIC])
    tasks = [asyncio.ensure_future(log.append(TOPIC, 0, record(n))) for n in range(5)]
    await asyncio.sleep(0)
    tasks[3].cancel()
    outcomes = await asyncio.gather(*tasks, return_exceptions=True)
    assert [each for each in outcomes if isinstance(each, int)] == [0, 1, 2, 4]
    found = await read_to_end(log, TOPIC, 0)
    assert [number_of(each.value) for each in found] == [0, 1, 2, 4]
    await log.close()


async def test_a_failed_commit_fails_its_appends_and_the_log_goes_on(tmp_path: Path) -> None:
    log = EmbeddedLog(tmp_path, 1, "process")
    await log.ensure_topics([TOPIC])
    await log.append(TOPIC, 0, record(0))
    # A row is already where the next record belongs, as after a commit that was written but reported as failed.
    other = sqlite3.connect(tmp_path / "log.sqlite3", isolation_level=None)
    [(row_id, key)] = other.execute("SELECT id, key FROM records")
    row = (row_id + 1, key, b"", b"1:", checksum(row_id + 1, key, b"", b"1:"))
    other.execute("INSERT INTO records VALUES (?, ?, ?, ?, ?)", row)
    other.close()
    with pytest.raises(AppendFailedError, match="failed"):
        await log.append(TOPIC, 0, record(99))
    assert await log.append(TOPIC, 0, record(2)) == 2
    found = await read_to_end(log, TOPIC, 0)
    assert [number_of(each.value) for each in found] == [0, 1, 2]
    await log.close()


async def test_looking_in_from_outside_follows_a_running_owner(tmp_path: Path) -> None:
    owner = EmbeddedLog(tmp_path, 2)
    await owner.ensure_topics([TOPIC])
    await owner.append(TOPIC, 1, record(0))
    outside = EmbeddedLog.open_read_only(tmp_path)
    assert outside.partitions == 2
    assert await outside.topics() == [TOPIC]
    assert await outside.end(TOPIC, 1) == 1
    reader = await outside.reader(TOPIC, 1, 0)
    assert number_of((await read_count(reader, 1))[0].value) == 0
    waiting = asyncio.ensure_future(read_count(reader, 2))
    await owner.append(TOPIC, 1, record(1))
    await owner.append(TOPIC, 1, record(2))
    assert [number_of(each.value) for each in await waiting] == [1, 2]
    await outside.close()
    await owner.close()


async def test_looking_in_from_outside_changes_nothing(tmp_path: Path) -> None:
    owner = EmbeddedLog(tmp_path, 1)
    await owner.ensure_topics([TOPIC])
    await owner.append(TOPIC, 0, record(0))
    await owner.close()
    outside = EmbeddedLog.open_read_only(tmp_path)
    with pytest.raises(AppendFailedError, match="read-only"):
        await outside.append(TOPIC, 0, record(1))
    with pytest.raises(LogUnavailableError, match="read-only"):
        await outside.ensure_topics([TOPIC, "huntgroup.other"])
    await outside.ensure_topics([TOPIC])
    with pytest.raises(LogUnavailableError, match="no topic"):
        await outside.end("huntgroup.other", 0)
    assert [number_of(each.value) for each in await read_to_end(outside, TOPIC, 0)] == [0]
    await outside.close()
    with pytest.raises(LogUnavailableError, match="closed"):
        await outside.topics()


def test_looking_into_nothing_is_refused(tmp_path: Path) -> None:
    with pytest.raises(LogUnavailableError, match="no log"):
        EmbeddedLog.open_read_only(tmp_path)


async def test_the_file_can_be_read_by_name_with_any_sqlite(tmp_path: Path) -> None:
    log = EmbeddedLog(tmp_path, 3)
    await log.ensure_topics(["huntgroup.session.journal.v1", TOPIC])
    await log.append(TOPIC, 2, record(0))
    await log.append(TOPIC, 2, record(1))
    await log.close()
    connection = sqlite3.connect(tmp_path / "log.sqlite3")
    rows = connection.execute('SELECT topic, "partition", position, key FROM log').fetchall()
    connection.close()
    assert rows == [(TOPIC, 2, 0, b"acme/emea"), (TOPIC, 2, 1, b"acme/emea")]
