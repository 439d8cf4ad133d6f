"""Where tests get their Kafka from, and that nobody leaves one running."""

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

from huntgroup_runtime.local_kafka import answers
from huntgroup_runtime.local_kafka_install import (
    LocalKafkaUnavailableError,
    ensure_jars,
    kafka_home,
)
from huntgroup_testkit.kafka import NoKafkaError, kafka_or_skip, kafka_source

USE_KAFKA = """
import sys
from huntgroup_testkit.kafka import kafka_source
with kafka_source() as source:
    print(source.bootstrap_servers, flush=True)
    sys.stdin.read()
"""


@contextmanager
def _user(command: list[str]) -> Iterator[subprocess.Popen[bytes]]:
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as user:
        try:
            yield user
        finally:
            user.kill()


def test_a_given_address_comes_first(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HUNTGROUP_TEST_KAFKA", "127.0.0.1:19092")
    with kafka_source() as source:
        assert (source.bootstrap_servers, source.kind) == ("127.0.0.1:19092", "given")


def test_without_any_source_the_skip_says_why(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.delenv("HUNTGROUP_TEST_KAFKA", raising=False)
    monkeypatch.setenv("DOCKER_HOST", f"unix://{tmp_path}/none.sock")
    monkeypatch.setenv("HUNTGROUP_KAFKA_HOME", str(tmp_path))
    monkeypatch.setenv("PATH", os.devnull)
    with (
        pytest.raises(NoKafkaError, match=r"not set; no Docker engine listens; .*no mvn"),
        kafka_source(),
    ):
        pass
    with pytest.raises(pytest.skip.Exception, match="NOT TESTED ON KAFKA"), kafka_or_skip():
        pass


@pytest.mark.integration
@pytest.mark.xdist_group("own-kafka")
def test_processes_share_a_broker_that_ends_with_the_last_even_when_killed(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.delenv("HUNTGROUP_TEST_KAFKA", raising=False)
    monkeypatch.setenv("DOCKER_HOST", f"unix://{tmp_path}/none.sock")
    try:
        jars = ensure_jars(kafka_home())
    except LocalKafkaUnavailableError as error:
        pytest.skip(f"NOT TESTED ON KAFKA: {error}")
    (tmp_path / "lib").symlink_to(jars)
    monkeypatch.setenv("HUNTGROUP_KAFKA_HOME", str(tmp_path))
    command = [sys.executable, "-c", USE_KAFKA]
    with ExitStack() as running:
        users = [running.enter_context(_user(command)) for _ in range(3)]
        addresses = {user.stdout.readline().decode().strip() for user in users if user.stdout}
        assert len(addresses) == 1
        port = int(addresses.pop().rpartition(":")[2])
        told = json.loads((tmp_path / "shared" / "address.json").read_text())
        users[0].kill()
        users[1].kill()
        assert answers(port)
    until = time.monotonic() + 60
    while Path(f"/proc/{told['pid']}").exists() and time.monotonic() < until:
        time.sleep(0.05)
    assert not Path(f"/proc/{told['pid']}").exists()
    assert not answers(port)
