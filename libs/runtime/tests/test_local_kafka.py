"""The local broker starts, answers, comes back with its log, and never outlives whoever started it."""

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from huntgroup_runtime.local_kafka import (
    LocalKafka,
    LocalKafkaUnavailableError,
    answers,
    ensure_jars,
    kafka_home,
)

pytestmark = [pytest.mark.integration, pytest.mark.xdist_group("own-kafka")]

START_AND_WAIT = """
import threading
from huntgroup_runtime.local_kafka import LocalKafka
broker = LocalKafka()
threading.Thread(target=broker.start).start()
while True:
    try:
        print(broker.pid, flush=True)
        break
    except Exception:
        pass
threading.Event().wait()
"""


@pytest.fixture(autouse=True)
def _jars() -> None:
    try:
        ensure_jars(kafka_home())
    except LocalKafkaUnavailableError as error:
        pytest.skip(f"NOT TESTED ON KAFKA: {error}")


def has_ended(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return True
    return state == "Z"


def test_a_broker_answers_comes_back_at_its_address_and_stops() -> None:
    with LocalKafka(short_lived=True) as broker:
        address, first = broker.bootstrap_servers, broker.pid
        assert answers(broker.port)
        broker.kill()
        assert not answers(broker.port)
        broker.start()
        assert broker.bootstrap_servers == address
        assert broker.pid != first
        last = broker.pid
    assert has_ended(last)
    with pytest.raises(LocalKafkaUnavailableError, match="not been started"):
        _ = broker.pid


@pytest.mark.skipif(sys.platform != "linux", reason="asks Linux")
def test_a_broker_is_killed_with_the_process_that_started_it() -> None:
    with subprocess.Popen(
        [sys.executable, "-c", START_AND_WAIT], stdout=subprocess.PIPE
    ) as starter:
        assert starter.stdout is not None
        broker = int(starter.stdout.readline())
        starter.kill()
    until = time.monotonic() + 30
    while not has_ended(broker) and time.monotonic() < until:
        time.sleep(0.05)
    assert has_ended(broker)


def test_missing_java_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", os.devnull)
    with pytest.raises(LocalKafkaUnavailableError, match="no java"):
        LocalKafka().start()


def test_missing_maven_is_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", os.devnull)
    with pytest.raises(LocalKafkaUnavailableError, match="no mvn"):
        ensure_jars(tmp_path)


def test_the_cache_folder_can_be_chosen(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("HUNTGROUP_KAFKA_HOME", str(tmp_path))
    assert kafka_home() == tmp_path
