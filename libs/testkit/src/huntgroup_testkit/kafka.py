"""A Kafka for tests, from the first source there is: a given address, Docker, or a broker from jars on this machine."""

import importlib
import json
import os
import socket
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Literal

import pytest

from huntgroup_runtime.local_kafka import answers
from huntgroup_runtime.local_kafka_install import (
    LocalKafkaUnavailableError,
    ensure_jars,
    file_lock,
    kafka_home,
)
from huntgroup_testkit.kafka_keeper import ADDRESS, using

ADDRESS_VARIABLE: Final = "HUNTGROUP_TEST_KAFKA"
DOCKER_IMAGE: Final = "confluentinc/cp-kafka:8.1.0"
"""Holds Apache Kafka 4.1."""

_START_TIMEOUT_S = 90.0
ANSWER_WITHIN_S: Final = 10.0
"""A broker on a busy machine may take a while to answer; taking it for dead would start another one."""


class NoKafkaError(Exception):
    """There is no Kafka for tests here; the message says why each source failed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class KafkaSource:
    """Where the tests' Kafka is, and what it is."""

    bootstrap_servers: str
    kind: Literal["given", "docker", "local"]


@contextmanager
def kafka_source() -> Iterator[KafkaSource]:
    """Lend a Kafka for the length of the block; others may use it at the same time, so name topics apart.

    Tried in this order: the address in `HUNTGROUP_TEST_KAFKA`; a container, where a Docker engine answers; a broker
    from Maven's jars with Java 17, shared by all test processes. Raises `NoKafkaError` when none of them works.
    """
    given = os.environ.get(ADDRESS_VARIABLE)
    if given:
        yield KafkaSource(bootstrap_servers=given, kind="given")
        return
    container, why_no_docker = _start_container()
    if container is not None:
        try:
            yield KafkaSource(bootstrap_servers=container.get_bootstrap_server(), kind="docker")
        finally:
            container.stop()
        return
    try:
        home = kafka_home()
        ensure_jars(home)
    except LocalKafkaUnavailableError as error:
        raise NoKafkaError(
            f"no Kafka for tests: {ADDRESS_VARIABLE} is not set; {why_no_docker}; {error}"
        ) from error
    folder = home / "shared"
    folder.mkdir(exist_ok=True)
    with _shared_broker(home, folder) as bootstrap_servers:
        yield KafkaSource(bootstrap_servers=bootstrap_servers, kind="local")


@contextmanager
def kafka_or_skip() -> Iterator[KafkaSource]:
    """Lend a Kafka as `kafka_source` does; where there is none, skip, which pytest counts and explains (`-ra`)."""
    with ExitStack() as held:
        try:
            source = held.enter_context(kafka_source())
        except NoKafkaError as error:
            pytest.skip(f"NOT TESTED ON KAFKA: {error}")
        yield source


@contextmanager
def _shared_broker(home: Path, folder: Path) -> Iterator[str]:
    with ExitStack() as held:
        with file_lock(folder / "start.lock"):
            # Waits while a keeper whose last user has left is stopping its broker.
            held.enter_context(using(folder))
            bootstrap_servers = _running(folder) or _start_keeper(home, folder)
        yield bootstrap_servers


def _running(folder: Path) -> str | None:
    """Return the address of the shared broker if it answers."""
    with suppress(OSError):
        bootstrap_servers = json.loads((folder / ADDRESS).read_text()).get("bootstrap_servers", "")
        _, _, port = bootstrap_servers.rpartition(":")
        if port and answers(int(port), timeout_s=ANSWER_WITHIN_S):
            return str(bootstrap_servers)
    return None


def _start_keeper(home: Path, folder: Path) -> str:
    address = folder / ADDRESS
    address.unlink(missing_ok=True)
    # Not a child in the sense of `subprocess`: it outlives this process while others use the broker.
    pid = os.posix_spawn(
        sys.executable,
        [sys.executable, "-m", "huntgroup_testkit.kafka_keeper", str(home), str(folder)],
        os.environ,
        setsid=True,
    )
    until = time.monotonic() + _START_TIMEOUT_S
    while not address.exists():
        ended, status = os.waitpid(pid, os.WNOHANG)
        if ended and not address.exists():
            raise NoKafkaError(f"the process that keeps the broker ended with status {status}")
        if time.monotonic() > until:
            raise NoKafkaError(f"no broker came up in {_START_TIMEOUT_S:.0f} s")
        time.sleep(0.05)
    told = json.loads(address.read_text())
    if "error" in told:
        raise NoKafkaError(told["error"])
    return str(told["bootstrap_servers"])


def _start_container() -> tuple[Any, str]:
    """Return a started container, or None and why there is none."""
    if not _engine_listens():
        return None, "no Docker engine listens"
    try:
        containers = importlib.import_module("testcontainers.community.kafka")
    except ImportError:
        return None, "testcontainers is not installed"
    try:
        container = containers.KafkaContainer(DOCKER_IMAGE).with_kraft()
        container.start()
    except Exception as error:  # noqa: BLE001 - without an engine each version raises something else
        return None, f"no Docker engine answers ({type(error).__name__})"
    return container, ""


def _engine_listens() -> bool:
    """Return whether asking Docker makes sense; its client leaks sockets when there is no engine."""
    host = os.environ.get("DOCKER_HOST", "unix:///var/run/docker.sock")
    if not host.startswith("unix://"):
        return True
    with socket.socket(socket.AF_UNIX) as probe:
        return probe.connect_ex(host.removeprefix("unix://")) == 0
