"""Damage on the disk: a byte that is not as it was written is found by whoever reads it, and named."""

import random
import shutil
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Literal

import pytest

from huntgroup_eventlog.adapters.embedded import EmbeddedLog
from huntgroup_eventlog.adapters.embedded_read_only import ReadOnlyEmbeddedLog
from huntgroup_eventlog.adapters.kafka import KafkaLog
from huntgroup_eventlog.port import Log, LogCorruptError, LogRecord, LogUnavailableError, NewRecord
from huntgroup_runtime.local_kafka import LocalKafka
from huntgroup_runtime.local_kafka_install import LocalKafkaUnavailableError
from huntgroup_testkit.log_reading import read_count

pytestmark = [pytest.mark.integration, pytest.mark.xdist_group("own-kafka")]

JOURNAL, EVENTS = "huntgroup.routing.journal.v1", "huntgroup.routing.events.v1"
FILE = "log.sqlite3"
RECORDS = 40


def record(number: int) -> NewRecord:
    return NewRecord(
        key=b"acme/emea",
        value=random.Random(number).randbytes(10 + number * 37),
        headers={"ce_id": b"%d" % number},
    )


async def write(directory: Path) -> None:
    log = EmbeddedLog(directory, 2, "process")
    await log.ensure_topics([JOURNAL, EVENTS])
    for number in range(RECORDS):
        for topic in (JOURNAL, EVENTS):
            await log.append(topic, number % 2, record(number))
    await log.close()


def flip(file: Path, offset: int, bit: int = 0) -> None:
    with file.open("r+b") as opened:
        opened.seek(offset)
        byte = opened.read(1)[0]
        opened.seek(offset)
        opened.write(bytes([byte ^ 1 << bit]))


async def read_all(log: Log) -> dict[tuple[str, int], list[LogRecord]]:
    """Return everything there is, as the port shows it."""
    found = {}
    for topic in await log.topics():
        for partition in range(log.partitions):
            end = await log.end(topic, partition)
            reader = await log.reader(topic, partition, 0)
            records: list[LogRecord] = []
            while not records or records[-1].position + 1 < end:
                records += await reader.read(7, 0)
            found[topic, partition] = records
    return found


async def test_a_byte_anywhere_in_the_file_is_found_or_is_without_effect(tmp_path: Path) -> None:
    await write(tmp_path / "whole")
    whole = ReadOnlyEmbeddedLog(tmp_path / "whole")
    written = await read_all(whole)
    assert await whole.faults() == []
    await whole.close()
    size = (tmp_path / "whole" / FILE).stat().st_size
    chance = random.Random(7)
    outcomes = {"named": 0, "refused": 0, "structure": 0, "without effect": 0}
    for _ in range(400):
        shutil.rmtree(tmp_path / "damaged", ignore_errors=True)
        shutil.copytree(tmp_path / "whole", tmp_path / "damaged")
        offset = chance.randrange(size)
        flip(tmp_path / "damaged" / FILE, offset, chance.randrange(8))
        outcomes[await outcome(tmp_path / "damaged", written, offset)] += 1
    assert outcomes["named"] > outcomes["without effect"]


async def outcome(
    directory: Path, written: dict[tuple[str, int], list[LogRecord]], offset: int
) -> str:
    """Return how the damage shows; fail when it changes what is read and nobody says so."""
    try:
        log = ReadOnlyEmbeddedLog(directory)
    except (LogCorruptError, LogUnavailableError):
        return "refused"
    try:
        faults = await log.faults()
        found = await read_all(log)
    except LogCorruptError as error:
        return "named" if error.topic else "refused"
    except LogUnavailableError:
        return "refused"
    finally:
        await log.close()
    if found != written:
        assert faults, f"the byte at {offset} changed what is read, and nobody says so"
    return "structure" if faults else "without effect"


async def test_what_is_before_the_damage_is_read_and_nothing_after_it(tmp_path: Path) -> None:
    await write(tmp_path)
    value = record(20).value
    offset = (tmp_path / FILE).read_bytes().index(value)
    flip(tmp_path / FILE, offset + len(value) - 1)
    log: Log = EmbeddedLog(tmp_path, 2, "process")
    reader = await log.reader(JOURNAL, 0, 0)
    assert len(await read_count(reader, 10)) == 10
    for _ in range(2):
        with pytest.raises(LogCorruptError, match="checksum") as told:
            await reader.read(1_000, 0)
        assert (told.value.topic, told.value.partition, told.value.position) == (JOURNAL, 0, 10)
    await log.close()


async def test_a_row_that_stands_in_another_place_is_damage(tmp_path: Path) -> None:
    await write(tmp_path)
    connection = sqlite3.connect(tmp_path / FILE)
    connection.execute("UPDATE records SET id = id + 100 WHERE id = (SELECT max(id) FROM records)")
    connection.commit()
    connection.close()
    log = ReadOnlyEmbeddedLog(tmp_path)
    with pytest.raises(LogCorruptError, match=r"events.v1\[1\] at 119: "):
        await read_all(log)
    await log.close()


def looked_into(directory: Path) -> ReadOnlyEmbeddedLog | None:
    """Open a log, or find that it says itself why it cannot be."""
    try:
        return ReadOnlyEmbeddedLog(directory)
    except LogCorruptError as error:
        return None if f"{FILE}-wal: " in error.why else pytest.fail(error.why)


@pytest.mark.parametrize("durability", ["power", "process"])
async def test_transactions_that_a_damaged_frame_hides_are_told(
    tmp_path: Path, durability: Literal["power", "process"]
) -> None:
    log = EmbeddedLog(tmp_path / "live", 1, durability)
    await log.ensure_topics([JOURNAL])
    for number in range(RECORDS):
        await log.append(JOURNAL, 0, record(number))
    wal = f"{FILE}-wal"
    size = (tmp_path / "live" / wal).stat().st_size
    chance, hidden = random.Random(3), 0
    for offset in [None, 0, 20, *(chance.randrange(size) for _ in range(40))]:
        shutil.rmtree(tmp_path / "crashed", ignore_errors=True)
        shutil.copytree(tmp_path / "live", tmp_path / "crashed", ignore=lambda *_: [f"{FILE}-shm"])
        if offset is not None:
            flip(tmp_path / "crashed" / wal, offset)
        crashed = looked_into(tmp_path / "crashed")
        if crashed is None:
            continue
        faults = await crashed.faults()
        read = 0 if JOURNAL not in await crashed.topics() else await crashed.end(JOURNAL, 0)
        await crashed.close()
        # Of what was acknowledged the last transaction alone may be gone unnoticed: so does a torn one look.
        assert faults or read >= RECORDS - 1
        assert not faults or "log.sqlite3-wal: " in faults[0]
        if faults:
            hidden += 1
            with pytest.raises(LogCorruptError, match="frame"):
                EmbeddedLog(tmp_path / "crashed", 1, durability)
        assert offset is not None or (not faults and read == RECORDS)
    assert hidden > 20
    await log.close()


async def test_a_log_without_checksums_gets_them_when_it_is_opened_to_write(tmp_path: Path) -> None:
    await write(tmp_path)
    connection = sqlite3.connect(tmp_path / FILE)
    connection.execute("ALTER TABLE records DROP COLUMN crc")
    connection.execute("DELETE FROM settings WHERE name = 'crc'")
    connection.execute("PRAGMA user_version = 1")
    connection.commit()
    connection.close()
    with pytest.raises(LogUnavailableError, match="format 1, without checksums"):
        ReadOnlyEmbeddedLog(tmp_path)
    log: Log = EmbeddedLog(tmp_path, 2, "process")
    assert await log.append(JOURNAL, 0, record(1)) == RECORDS // 2
    await log.close()
    after = ReadOnlyEmbeddedLog(tmp_path)
    found = await read_all(after)
    await after.close()
    assert sum(map(len, found.values())) == 2 * RECORDS + 1


@pytest.fixture(scope="module")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, Path]]:
    data = tmp_path_factory.mktemp("kafka")
    kafka = LocalKafka(data=data, heap_mb=256)
    try:
        kafka.start()
    except LocalKafkaUnavailableError as error:
        pytest.skip(f"NOT TESTED ON KAFKA: {error}")
    with kafka:
        yield kafka.bootstrap_servers, data


@pytest.mark.parametrize("driver", ["aiokafka", "librdkafka"])
async def test_a_byte_in_a_segment_of_kafka_is_named_and_nothing_after_it_is_read(
    broker: tuple[str, Path], driver: Literal["aiokafka", "librdkafka"]
) -> None:
    address, data = broker
    topic = f"huntgroup.damage.{driver}.v1"
    log = KafkaLog(address, 1, replication_factor=1, driver=driver)
    await log.ensure_topics([topic])
    for number in range(RECORDS):
        await log.append(topic, 0, record(number))
    (segment,) = data.glob(f"**/{topic}-0/*.log")
    flip(segment, segment.read_bytes().index(record(20).value) + 3)
    reader = await log.reader(topic, 0, 0)
    assert len(await read_count(reader, 20)) == 20
    for _ in range(2):
        with pytest.raises(LogCorruptError) as told:
            await read_count(reader, 1)
        assert (told.value.topic, told.value.partition, told.value.position) == (topic, 0, 20)
    await log.close()
