"""The same verbs on a real Kafka, and the consumer that the how-to shows."""

import asyncio
import json
import os
import re
import sqlite3
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from aiokafka.admin import AIOKafkaAdminClient

from huntgroup_eventlog.adapters.kafka import KafkaLog
from huntgroup_eventlog.port import NewRecord
from huntgroup_onebox.cli import main
from huntgroup_runtime.local_kafka import LocalKafka
from huntgroup_runtime.local_kafka_install import LocalKafkaUnavailableError

from .story import tell_the_day, tell_the_ledger
from .written_log import DOMAIN, PARTITIONS, WrittenLog

pytestmark = pytest.mark.integration

ASKED_MAX = 3
HOW_TO = Path(__file__).parents[4] / "docs" / "how-to" / "read-the-event-stream.md"
TOPIC = "huntgroup.session.events.v1"


def a_day() -> WrittenLog:
    log = WrittenLog()
    tell_the_day(log)
    tell_the_ledger(log)
    return log


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("kafka")


@pytest.fixture(scope="module")
def broker(data: Path) -> Iterator[LocalKafka]:
    """A broker of its own: the verbs read topics of fixed names."""
    kafka = LocalKafka(data=data, heap_mb=256)
    try:
        kafka.start()
    except LocalKafkaUnavailableError as error:
        pytest.skip(f"NOT TESTED ON KAFKA: {error}")
    with kafka:
        yield kafka


@pytest.fixture(scope="module")
def address(broker: LocalKafka) -> str:
    asyncio.run(_copy(a_day(), broker.bootstrap_servers))
    return broker.bootstrap_servers


async def _copy(written: WrittenLog, address: str) -> None:
    storage = written.log.storage
    log = KafkaLog(address, storage.partitions, replication_factor=1)
    try:
        await log.ensure_topics(storage.topics())
        for topic in storage.topics():
            for partition in range(storage.partitions):
                for one in storage.read_now(topic, partition, 0, 1_000):
                    record = NewRecord(key=one.key, value=one.value, headers=one.headers)
                    await log.append(topic, partition, record)
    finally:
        await log.close()


async def _again(address: str) -> None:
    """Publish session's events once more, as a relay does that does not know how far it was."""
    written = a_day()
    log = KafkaLog(address, written.log.partitions, replication_factor=1)
    partition = written.journal("session").partition
    try:
        for one in written.log.storage.read_now(TOPIC, partition, 0, 1_000):
            record = NewRecord(key=one.key, value=one.value, headers=one.headers)
            await log.append(TOPIC, partition, record)
    finally:
        await log.close()


def test_the_partitions_are_asked_of_the_cluster_and_the_log_is_audited(
    address: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["verify", "--kafka", address, "--json"]) == 0
    values = json.loads(capsys.readouterr().out)
    assert values["read"]["partitions"] == 2
    assert values["invariants"][0]["counts"]["contacts"] == 2


def test_another_number_of_partitions_than_the_clusters_is_refused(
    address: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["verify", "--kafka", address, "--partitions", "3"]) == 2
    assert "has 2 partitions, not 3" in capsys.readouterr().err


def test_events_are_printed(address: str, capsys: pytest.CaptureFixture[str]) -> None:
    words = ["--no-follow", "--domain", DOMAIN, "--service", "session", "--json"]
    assert main(["events", "--kafka", address, *words]) == 0
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [line["sequence"] for line in lines] == list(range(1, len(lines) + 1))


def test_the_consumer_of_the_how_to_takes_every_event_once(address: str, tmp_path: Path) -> None:
    code = re.search(r"```python\n(.*?)```", HOW_TO.read_text(encoding="utf-8"), re.DOTALL)
    assert code is not None
    lines = [line for line in code[1].splitlines() if line.strip()]
    assert len(lines) <= 30
    program = code[1].replace("127.0.0.1:9092", address)
    expected = a_day().journal("session").sequences[DOMAIN]
    _run_until(program, tmp_path, expected)
    asyncio.run(_again(address))
    _run_until(program, tmp_path, expected, positions=2 * expected)
    (tmp_path / "waits.sqlite3").touch()
    with sqlite3.connect(tmp_path / "waits.sqlite3") as db:
        db.execute("DELETE FROM reached")
    db.close()
    _run_until(program, tmp_path, expected, positions=2 * expected)
    assert _read(tmp_path, "SELECT contact_id, queue_id, wait_ms FROM waits") == [
        ("ada", "sales", 4_000)
    ]


def _run_until(program: str, directory: Path, taken: int, positions: int = 0) -> None:
    """Run the consumer until it has taken so many events and read so far, then kill it."""
    process = subprocess.Popen([sys.executable, "-c", program], cwd=directory)
    try:
        until = time.monotonic() + 30
        while time.monotonic() < until and process.poll() is None:
            done = _read(directory, "SELECT sequence FROM taken") == [(taken,)]
            reached = _read(directory, "SELECT max(position) FROM reached")
            if done and reached and (reached[0][0] or 0) >= positions:
                break
            time.sleep(0.1)
        assert process.poll() is None
        assert _read(directory, "SELECT sequence FROM taken") == [(taken,)]
    finally:
        process.kill()
        process.wait()


def _read(directory: Path, query: str) -> list[tuple[Any, ...]]:
    with sqlite3.connect(directory / "waits.sqlite3") as db:
        try:
            found = db.execute(query).fetchall()
        except sqlite3.OperationalError:
            found = []
    db.close()
    return found


async def groups(address: str) -> list[tuple[str, ...]]:
    admin = AIOKafkaAdminClient(bootstrap_servers=address)
    await admin.start()
    try:
        found: list[tuple[str, ...]] = await admin.list_consumer_groups()
    finally:
        await admin.close()
    return found


def ends(address: str) -> dict[tuple[str, int], int]:
    async def ask() -> dict[tuple[str, int], int]:
        log = KafkaLog(address, PARTITIONS)
        try:
            return {
                (topic, number): await log.end(topic, number)
                for topic in await log.topics()
                for number in range(PARTITIONS)
            }
        finally:
            await log.close()

    return asyncio.run(ask())


def test_the_continuous_auditor_serves_its_figures_writes_nothing_and_joins_no_group(
    address: str, tmp_path: Path
) -> None:
    before = ends(address), asyncio.run(groups(address))
    command = [sys.executable, "-m", "huntgroup_onebox.cli", "verify", "--follow"]
    said = tmp_path / "auditor.log"
    environment = {**os.environ, "HUNTGROUP_HTTP_LISTEN": "127.0.0.1:0"}
    with said.open("wb") as output:
        process = subprocess.Popen(
            [*command, "--kafka", address, "--every-ms", "100"], env=environment, stderr=output
        )
    try:
        until = time.monotonic() + 60
        while "auditor started" not in said.read_text() and time.monotonic() < until:
            time.sleep(0.1)
        http = json.loads(said.read_text().splitlines()[0])["http"]
        ready = None
        while ready is None and time.monotonic() < until:
            try:
                ready = json.load(urllib.request.urlopen(f"http://{http}/readyz", timeout=5))
            except urllib.error.HTTPError:
                time.sleep(0.1)
        stores = ("the store of recordings", "the reporting database")
        not_checked = {str(number): [what] for number, what in enumerate(stores, start=5)}
        assert ready == {"ready": True, "lag": 0, "violations": {}, "not_checked": not_checked}
        shown = urllib.request.urlopen(f"http://{http}/metrics", timeout=5).read().decode()
        assert 'huntgroup_audit_violations_total{invariant="10"} 0.0' in shown
        assert 'huntgroup_audit_unchecked{invariant="6"} 1.0' in shown
        assert "huntgroup_audit_lag 0.0" in shown
        assert (ends(address), asyncio.run(groups(address))) == before
    finally:
        process.terminate()
        code = process.wait(30)
    assert code == 0, said.read_text()
    assert "auditor stopped" in said.read_text()


def test_a_byte_that_changed_in_a_segment_is_named(
    address: str, data: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The last test: afterwards this log is of no use."""
    partition = a_day().journal("session").partition
    topic = "huntgroup.session.journal.v1"
    (segment,) = data.glob(f"**/{topic}-{partition}/*.log")
    stored = bytearray(segment.read_bytes())
    stored[stored.rindex(b"session.contact.completed")] ^= 1
    with segment.open("r+b") as file:
        file.write(stored)
    # A broker on a busy machine may close a connection: then nothing is judged, and asked again.
    codes = [2]
    while codes[-1] == 2 and len(codes) <= ASKED_MAX:
        codes.append(main(["verify", "--kafka", address]))
    assert codes[-1] == 1
    out = capsys.readouterr().out
    assert "VIOLATED  7 replay     partitions folded twice" in out
    assert f"first at {topic} partition {partition} position " in out
    assert "is not as it was written" in out
    assert "is not judged from there on" in out
