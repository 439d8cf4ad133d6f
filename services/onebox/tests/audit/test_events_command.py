"""`huntgroup events` at the terminal, in this process and as one of its own."""

import argparse
import asyncio
import io
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from huntgroup_eventlog.adapters.embedded import EmbeddedLog
from huntgroup_eventlog.port import NewRecord
from huntgroup_onebox.cli import main, parser
from huntgroup_onebox.events_command import print_events

from .story import enqueued, initiated, queued
from .written_log import DOMAIN, WrittenLog

OTHER = "globex/us"


def chosen(*words: str) -> argparse.Namespace:
    return parser().parse_args(["events", "DIR", *words])


@pytest.fixture
def log() -> WrittenLog:
    """Five events of session and one of routing in one domain, one of session in another."""
    written = WrittenLog()
    for number in range(1, 6):
        written.tell("session", initiated(f"c{number}", number))
    written.tell("routing", enqueued("c1", 1.5))
    written.tell("session", initiated("x1", 2.5), domain=OTHER)
    return written


async def printed(log: WrittenLog, *words: str) -> list[str]:
    output = io.StringIO()
    await print_events(log.log, chosen("--no-follow", *words), output)
    return output.getvalue().splitlines()


async def told(log: WrittenLog, *words: str) -> list[tuple[str, str, int]]:
    values = [json.loads(line) for line in await printed(log, "--json", *words)]
    return [(one["service"], one["domain"], one["sequence"]) for one in values if "type" in one]


async def test_without_following_everything_there_is_is_printed(log: WrittenLog) -> None:
    lines = await printed(log)
    assert len(lines) == 7
    assert lines[0].startswith("2027-01-15T08:00:01.000Z  acme/emea  session           1  contact.")
    assert lines[0].endswith("customer_endpoint=*** attributes=tier:***")


async def test_only_a_domain_or_a_service(log: WrittenLog) -> None:
    assert await told(log, "--domain", OTHER) == [("session", OTHER, 1)]
    assert await told(log, "--service", "routing") == [("routing", DOMAIN, 1)]
    both = await told(log, "--service", "routing", "--service", "session", "--domain", DOMAIN)
    assert len(both) == 6


async def test_from_a_sequence_on(log: WrittenLog) -> None:
    assert await told(log, "--from", "4") == [("session", DOMAIN, 4), ("session", DOMAIN, 5)]


async def test_from_the_end_there_is_nothing_without_following(log: WrittenLog) -> None:
    assert await printed(log, "--from", "end") == []


async def test_a_limit(log: WrittenLog) -> None:
    assert len(await printed(log, "--limit", "3")) == 3


async def test_gaps_and_duplicates_are_shown(log: WrittenLog) -> None:
    journal = log.journal("session")
    [record] = journal.log.storage.read_now("huntgroup.session.events.v1", journal.partition, 1, 1)
    journal.public_record(NewRecord(key=record.key, value=record.value, headers=record.headers))
    log.tell("session", queued("c1", 10), publish=False)
    log.tell("session", queued("c2", 11))
    journal.public_record(NewRecord(key=b"x", value=b"y"))
    lines = await printed(log, "--domain", DOMAIN, "--service", "session")
    assert lines[5].endswith("(duplicate)")
    assert lines[6] == "-- gap: session acme/emea sequence 6 did not come"
    assert "     7  contact.queued" in lines[7]
    assert lines[8].startswith("-- unreadable: huntgroup.session.events.v1 partition")


async def test_events_are_printed_as_they_come(log: WrittenLog) -> None:
    output = io.StringIO()
    printing = asyncio.create_task(print_events(log.log, chosen("--limit", "2"), output))
    await asyncio.sleep(0.05)
    assert output.getvalue() == ""
    log.tell("routing", enqueued("c2", 20))
    log.tell("session", queued("c1", 21))
    async with asyncio.timeout(5):
        await printing
    assert len(output.getvalue().splitlines()) == 2


@pytest.mark.parametrize(
    "words",
    [
        ["--from", "0"],
        ["--from", "yesterday"],
        ["--limit", "0"],
        ["--domain", "ACME"],
        ["--service", "till"],
    ],
)
def test_words_that_mean_nothing_are_refused(words: list[str]) -> None:
    with pytest.raises(SystemExit, match="2"):
        chosen(*words)


def test_a_log_that_cannot_be_read_ends_with_2(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["events", str(tmp_path / "nowhere")]) == 2
    assert capsys.readouterr().err.startswith("huntgroup events: there is no log in")
    assert main(["events"]) == 2
    asyncio.run(_empty(tmp_path))
    assert main(["events", str(tmp_path)]) == 2
    assert "this log has no topic huntgroup.session.events.v1" in capsys.readouterr().err


async def _empty(directory: Path) -> None:
    log = EmbeddedLog(directory, 1, durability="process")
    await log.ensure_topics(["orders"])
    await log.close()


def start(directory: Path, *words: str, **options: Any) -> "subprocess.Popen[str]":
    command = [sys.executable, "-m", "huntgroup_onebox.cli", "events", str(directory), *words]
    return subprocess.Popen(
        command, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE, **options
    )


@pytest.mark.integration
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
async def test_a_signal_ends_it_without_complaint(
    log: WrittenLog, tmp_path: Path, number: signal.Signals
) -> None:
    await log.keep(tmp_path)
    process = start(tmp_path, "--from", "beginning")
    assert process.stdout is not None
    for _ in range(7):
        assert process.stdout.readline()
    process.send_signal(number)
    out, err = process.communicate(timeout=20)
    assert (process.returncode, out, err) == (0, "", "")


@pytest.mark.integration
async def test_it_ends_without_complaint_when_nobody_reads_any_more(
    log: WrittenLog, tmp_path: Path
) -> None:
    await log.keep(tmp_path)
    process = start(tmp_path, "--from", "beginning")
    assert process.stdout is not None
    assert process.stderr is not None
    assert process.stdout.readline()
    process.stdout.close()
    assert process.wait(timeout=20) == 0
    assert process.stderr.read() == ""
    process.stderr.close()


@pytest.mark.integration
async def test_a_pipe_that_is_closed_amid_much_output_is_no_error(tmp_path: Path) -> None:
    log = WrittenLog()
    for number in range(1, 3_000):
        log.tell("session", initiated(f"c{number}", number))
    await log.keep(tmp_path)
    process = start(tmp_path, "--no-follow")
    assert process.stdout is not None
    assert process.stderr is not None
    process.stdout.readline()
    process.stdout.close()
    assert process.wait(timeout=20) == 0
    assert process.stderr.read() == ""
    process.stderr.close()


@pytest.mark.integration
async def test_events_of_a_log_that_another_process_writes_come_soon(
    log: WrittenLog, tmp_path: Path
) -> None:
    await log.keep(tmp_path)
    owner = EmbeddedLog(tmp_path, 2, durability="process")
    process = start(tmp_path, "--limit", "1", "--json", env={**os.environ, "COLUMNS": "80"})
    try:
        storage = log.log.storage
        [record] = storage.read_now(
            "huntgroup.session.events.v1", log.journal("session").partition, 4, 1
        )
        again = NewRecord(key=record.key, value=record.value, headers=record.headers)
        until = time.monotonic() + 30
        while process.poll() is None and time.monotonic() < until:
            partition = log.journal("session").partition
            await owner.append("huntgroup.session.events.v1", partition, again)
            await asyncio.sleep(0.2)
    finally:
        await owner.close()
        out, err = process.communicate(timeout=20)
    assert err == ""
    assert json.loads(out)["sequence"] == 5
