"""One byte that is not as it was written, anywhere on the disk: `huntgroup verify` names the place."""

import asyncio
import contextlib
import io
import random
import shutil
import sqlite3
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from huntgroup_eventlog.adapters.embedded_read_only import ReadOnlyEmbeddedLog
from huntgroup_onebox.cli import main
from huntgroup_session.wiring import application

from .story import tell_the_day, tell_the_ledger
from .test_database import copied
from .test_recordings import LOCATION, audio
from .test_recordings import sealed as sealed_as
from .test_replay import replica_after, store
from .written_log import WrittenLog

pytestmark = pytest.mark.integration

FLIPS = 160


async def write(directory: Path) -> None:
    """Keep a day with everything that belongs to it."""
    log = WrittenLog()
    tell_the_day(log, recorded_as=sealed_as(audio(), gaps=0))
    tell_the_ledger(log)
    await log.keep(directory)
    await store(directory / "snapshots", replica_after(log, 9, application()))
    await copied(log, directory / "reporting.sqlite")
    file = directory / "recordings" / LOCATION
    file.parent.mkdir(parents=True)
    file.write_bytes(audio())


async def contents(directory: Path) -> dict[str, Any]:
    """Return what there is to read: not how it is laid out."""
    found: dict[str, Any] = {}
    log = ReadOnlyEmbeddedLog(directory)
    try:
        for topic in await log.topics():
            for partition in range(log.partitions):
                reader = await log.reader(topic, partition, 0)
                found[f"{topic}[{partition}]"] = await reader.read(1_000, 0)
    finally:
        await log.close()
    connection = sqlite3.connect(directory / "reporting.sqlite")
    for table in ("ledger", "agents_interval", "journal_cursor"):
        found[table] = connection.execute(f"SELECT * FROM {table}").fetchall()
    connection.close()
    return found


def verify(directory: Path) -> tuple[int, str]:
    said = io.StringIO()
    with contextlib.redirect_stdout(said), contextlib.redirect_stderr(said):
        code = main(["verify", str(directory)])
    return code, said.getvalue()


def flip(file: Path, offset: int, bit: int) -> None:
    data = bytearray(file.read_bytes())
    data[offset] ^= 1 << bit
    file.write_bytes(data)


def files_of(directory: Path) -> list[Path]:
    return sorted(
        file.relative_to(directory)
        for file in directory.rglob("*")
        if file.is_file() and file.name != "owner.lock" and file.stat().st_size
    )


def test_a_changed_byte_is_named_or_changes_nothing(tmp_path: Path) -> None:
    whole, damaged = tmp_path / "whole", tmp_path / "damaged"
    asyncio.run(write(whole))
    chance, outcomes = random.Random(11), Counter[str]()
    files = files_of(whole)
    shutil.copytree(whole, tmp_path / "read")
    before = asyncio.run(contents(tmp_path / "read"))
    assert verify(tmp_path / "read")[0] == 0
    assert len(files) == 4
    for number in range(FLIPS):
        shutil.rmtree(damaged, ignore_errors=True)
        shutil.copytree(whole, damaged)
        file = files[number % len(files)]
        offset = chance.randrange((whole / file).stat().st_size)
        flip(damaged / file, offset, chance.randrange(8))
        code, said = verify(damaged)
        if code == 0:
            assert file.suffix in {".sqlite", ".sqlite3"}, f"{file} at {offset} is not found"
            assert asyncio.run(contents(damaged)) == before, f"{file} at {offset} is not found"
            outcomes["without effect"] += 1
        else:
            assert named(file, said), f"{file} at {offset} is found, but not named: {said}"
            outcomes[f"found: exit code {code}"] += 1
    assert outcomes["found: exit code 1"] > FLIPS / 2
    assert outcomes.total() == FLIPS


def named(file: Path, said: str) -> bool:
    """Whether the report names the place: the record, the row, or the file."""
    marks = {
        "log.sqlite3": ("position", "log.sqlite3", "the log in"),
        "reporting.sqlite": ("database",),
    }
    return any(mark in said for mark in marks.get(file.name, (file.name,)))
