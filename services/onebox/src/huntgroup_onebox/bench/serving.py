"""The services as users run them, in processes of their own: onebox on an embedded log, or five on Kafka."""

import os
import socket
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from huntgroup_onebox.bench.machine import cpu_s_of
from huntgroup_onebox.bench.workbench import Workbench, free_port, last_words, running
from huntgroup_onebox.box import SERVICES
from huntgroup_onebox.cluster_command import Cluster, grpc_port, http_port
from huntgroup_runtime.local_kafka import LocalKafka

READY_WITHIN_S = 60.0
PORTS_FROM, PORTS_STEP, PORTS_TRIES = 11_000, 200, 20
ENVIRONMENT = {"HUNTGROUP_LOG_LEVEL": "warning"}
"""Beside it every setting is the default of the services, whatever the caller's environment says."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Served:
    """Services that answer."""

    addresses: dict[str, str]
    pids: dict[str, int]
    """By the name of the process."""

    def cpu_s(self) -> dict[str, float]:
        """Return the CPU seconds that each process has used so far."""
        return {name: cpu_s_of(pid) for name, pid in self.pids.items()}


def environment() -> dict[str, str]:
    """Return the caller's environment without any setting of Huntgroup, and ours."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("HUNTGROUP_")}
    return {**kept, **ENVIRONMENT}


@contextmanager
def onebox(bench: Workbench, directory: Path | None = None) -> Iterator[Served]:
    """Run `huntgroup serve onebox` beside the block."""
    data = directory or bench.directory("onebox")
    grpc, http = free_port(), free_port()
    ports = {
        "HUNTGROUP_GRPC_LISTEN": f"127.0.0.1:{grpc}",
        "HUNTGROUP_HTTP_LISTEN": f"127.0.0.1:{http}",
    }
    log = data.parent / f"{data.name}.log"
    command = ["huntgroup_onebox.cli", "serve", "onebox", "--data", str(data)]
    with running(command, log, {**environment(), **ports}) as process:
        end_s = time.monotonic() + READY_WITHIN_S
        while not _ready(http):
            if process.poll() is not None or time.monotonic() > end_s:
                raise RuntimeError(f"onebox did not come up: {last_words(log)}")
            time.sleep(0.05)
        addresses = dict.fromkeys(SERVICES, f"127.0.0.1:{grpc}")
        yield Served(addresses=addresses, pids={"onebox": process.pid})


@contextmanager
def cluster(bench: Workbench, kafka: LocalKafka) -> Iterator[Served]:
    """Run five processes, one replica of each service, on `kafka` beside the block."""
    kept = dict(os.environ)
    os.environ.clear()
    os.environ.update(environment())
    try:
        processes = Cluster(
            kafka.bootstrap_servers,
            1,
            bench.directory("cluster"),
            ports_from=_ports_from(),
            environment={"HUNTGROUP_REPORTING_LIVE_VIEWS": "journal"},
        )
        processes.start()
    finally:
        os.environ.clear()
        os.environ.update(kept)
    try:
        pids = {service: one.pid for (service, _), one in processes.processes.items()}
        yield Served(addresses=processes.file.addresses, pids={**pids, "kafka": kafka.pid})
    finally:
        processes.stop()


def _ports_from() -> int:
    """Return an offset from the standard ports at which all are free."""
    for number in range(PORTS_TRIES):
        offset = PORTS_FROM + number * PORTS_STEP
        ports = [
            port(service, 0) + offset for service in SERVICES for port in (grpc_port, http_port)
        ]
        if all(_is_free(port) for port in ports):
            return offset
    raise RuntimeError("no free ports for a cluster between 18,000 and 23,000")


def _is_free(port: int) -> bool:
    with socket.socket() as one:
        one.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            one.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


def _ready(port: int) -> bool:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/readyz", timeout=1) as answer:
            return bool(answer.status == 200)  # noqa: PLR2004 - HTTP OK
    except (urllib.error.URLError, OSError):
        return False
