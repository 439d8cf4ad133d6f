"""The local broker starts, answers, comes back with its log, and never outlives whoever started it."""

import os
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

from huntgroup_runtime import local_kafka
from huntgroup_runtime.local_kafka import LocalKafka, answers
from huntgroup_runtime.local_kafka_install import (
    LocalKafkaUnavailableError,
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


def free_port() -> int:
    with socket.socket() as one:
        one.bind((local_kafka.HOST, 0))
        port: int = one.getsockname()[1]
        return port


def test_a_broker_takes_the_port_it_is_told_when_that_is_free(tmp_path: Path) -> None:
    wanted = free_port()
    broker = LocalKafka(data=tmp_path, port=wanted)
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "meta.properties").touch()
    broker._configure("java", tmp_path)
    assert broker.port == wanted
    with socket.socket() as other:
        other.bind((local_kafka.HOST, wanted))
        other.listen()
        broker._configure("java", tmp_path)
        assert broker.port not in (0, wanted)


def test_a_log_that_was_there_stays_when_the_port_is_taken(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Between choosing a port and binding it another process may take it; that must not cost the log."""
    kept = tmp_path / "data" / "huntgroup.session.journal.v1-0" / "00000000000000000000.log"
    kept.parent.mkdir(parents=True)
    kept.write_bytes(b"acknowledged")
    (tmp_path / "data" / "meta.properties").touch()
    ports = []

    def run(broker: LocalKafka, java: str, jars: Path, timeout_s: float) -> None:
        ports.append(broker.port)
        if len(ports) == 1:
            (tmp_path / "broker.log").write_text("java.net.BindException: Address already in use")
            raise LocalKafkaUnavailableError("Kafka did not come up")

    monkeypatch.setattr(LocalKafka, "_run", run)
    LocalKafka(data=tmp_path).start()
    assert len(set(ports)) == 2
    assert kept.read_bytes() == b"acknowledged"


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
