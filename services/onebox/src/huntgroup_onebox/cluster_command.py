"""`huntgroup cluster`: without Docker, real Kafka and the five services as separate processes, two replicas each.

The same ports as docker-compose.yml gives, so that `huntgroup demo --target cluster` finds either.
"""

import argparse
import json
import os
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from huntgroup_eventlog.adapters.kafka import KafkaLog
from huntgroup_eventlog.port import Log
from huntgroup_onebox.box import SERVICES
from huntgroup_runtime.local_kafka import LocalKafka, LocalKafkaUnavailableError

REPLICAS, REPLICAS_MAX = 2, 5
PARTITIONS = 4
GRPC_PORT, HTTP_PORT = 7410, 7510
"""Replica r (from 0) of service s (from 0) serves gRPC at GRPC_PORT + 10 s + r, and HTTP at HTTP_PORT + 10 s + r."""
KAFKA = "127.0.0.1:9092"
READY_WITHIN_S, STOP_WITHIN_S = 90.0, 15.0
CLUSTER_VARIABLE = "HUNTGROUP_CLUSTER"
EXIT_OK, EXIT_FAILED, EXIT_BAD_INPUT = 0, 1, 2


@dataclass(frozen=True, slots=True, kw_only=True)
class ClusterFile:
    """Where a cluster is: its Kafka, and one replica's address per service (any replica will do)."""

    kafka: str
    partitions: int
    addresses: dict[str, str]

    @classmethod
    def standard(cls, kafka: str = KAFKA) -> "ClusterFile":
        """Return the cluster on the standard ports of this machine."""
        addresses = {service: f"127.0.0.1:{grpc_port(service, 0)}" for service in SERVICES}
        return cls(kafka=kafka, partitions=PARTITIONS, addresses=addresses)

    @classmethod
    def read(cls) -> "ClusterFile":
        """Return the cluster that the file named by HUNTGROUP_CLUSTER describes, else the standard one.

        Raises `ValueError` when the file is not as `write` makes it, `OSError` when it cannot be read.
        """
        path = os.environ.get(CLUSTER_VARIABLE) or str(Path("var/cluster/cluster.json"))
        if not Path(path).exists() and CLUSTER_VARIABLE not in os.environ:
            return cls.standard()
        values: dict[str, Any] = json.loads(Path(path).read_text(encoding="utf-8"))
        try:
            return cls(**values)
        except TypeError as error:
            raise ValueError(f"{path}: {error}") from error

    def write(self, path: Path) -> None:
        """Write the file for `read`."""
        values = {"kafka": self.kafka, "partitions": self.partitions, "addresses": self.addresses}
        path.write_text(json.dumps(values, indent=2) + "\n", encoding="utf-8")

    def open_log(self) -> Log:
        """Open the cluster's log."""
        return KafkaLog(self.kafka, self.partitions, replication_factor=1)


def grpc_port(service: str, replica: int) -> int:
    """Return the standard gRPC port of a replica (from 0) of a service."""
    return GRPC_PORT + 10 * list(SERVICES).index(service) + replica


def http_port(service: str, replica: int) -> int:
    """Return the standard port of a replica's /livez, /readyz and /metrics."""
    return HTTP_PORT + 10 * list(SERVICES).index(service) + replica


def add_parser(verbs: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the verb."""
    verb = verbs.add_parser("cluster", help="real Kafka and ten service processes on this machine")
    verb.add_argument("--kafka", metavar="HOST:PORT", help="use this Kafka instead of starting one")
    verb.add_argument("--replicas", type=int, default=REPLICAS, choices=range(1, REPLICAS_MAX + 1))
    verb.add_argument("--data", type=Path, default=Path("var/cluster"), help="logs and recordings")
    verb.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Start everything, say when it serves, and stop it on SIGINT or SIGTERM."""
    data: Path = arguments.data.absolute()
    data.mkdir(parents=True, exist_ok=True)
    broker = None if arguments.kafka else LocalKafka(data=data / "kafka")
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, _interrupt)
    cluster = None
    try:
        if broker is not None:
            _say("starting Kafka …")
            broker.start()
        address = arguments.kafka or (broker.bootstrap_servers if broker else "")
        cluster = Cluster(address, arguments.replicas, data)
        cluster.start()
        cluster.file.write(data / "cluster.json")
        _say(
            f"ready: Kafka {address}; gRPC "
            + ", ".join(f"{s} {a}" for s, a in cluster.file.addresses.items())
        )
        _say(f"logs in {data}; stop with Ctrl-C; play a day with: huntgroup demo --target cluster")
        return cluster.watch()
    except LocalKafkaUnavailableError as error:
        sys.stderr.write(f"huntgroup cluster: {error}\n")
        return EXIT_BAD_INPUT
    except KeyboardInterrupt:
        return EXIT_OK
    finally:
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, signal.SIG_IGN)
        if cluster is not None:
            cluster.stop()
        if broker is not None:
            broker.stop()


class Cluster:
    """Service processes on the standard ports."""

    def __init__(
        self,
        kafka: str,
        replicas: int,
        data: Path,
        *,
        ports_from: int = 0,
        environment: Mapping[str, str] | None = None,
    ) -> None:
        """Prepare the processes; `ports_from` is added to every standard port, `environment` to every process's."""
        addresses = {name: f"127.0.0.1:{grpc_port(name, 0) + ports_from}" for name in SERVICES}
        self.file = ClusterFile(kafka=kafka, partitions=PARTITIONS, addresses=addresses)
        self._replicas = replicas
        self._data = data
        self._ports_from = ports_from
        self._environment = environment or {}
        self.processes: dict[tuple[str, int], subprocess.Popen[bytes]] = {}

    def start(self) -> None:
        """Start every replica, and return when all are ready. Raises `TimeoutError`, or `RuntimeError` if one ends."""
        for service in SERVICES:
            for replica in range(self._replicas):
                self.launch(service, replica)
        self.wait_until_ready()

    def wait_until_ready(self) -> None:
        """Return when all replicas are ready. Raises `TimeoutError`, or `RuntimeError` if one ends."""
        end = time.monotonic() + READY_WITHIN_S
        for service, replica in self.processes:
            while not _ready(http_port(service, replica) + self._ports_from):
                self._check_running()
                if time.monotonic() > end:
                    raise TimeoutError(
                        f"{service} {replica} is not ready after {READY_WITHIN_S:.0f} s"
                    )
                time.sleep(0.1)

    def launch(self, service: str, replica: int) -> None:
        """Start one replica; its log goes to a file of its own."""
        grpc = grpc_port(service, replica) + self._ports_from
        http = http_port(service, replica) + self._ports_from
        environment = {
            **os.environ,
            "HUNTGROUP_LOG_URL": f"kafka://{self.file.kafka}",
            "HUNTGROUP_LOG_PARTITIONS": str(self.file.partitions),
            "HUNTGROUP_GRPC_LISTEN": f"127.0.0.1:{grpc}",
            "HUNTGROUP_HTTP_LISTEN": f"127.0.0.1:{http}",
            "HUNTGROUP_REPLICA_INDEX": str(replica),
            "HUNTGROUP_REPLICA_COUNT": str(self._replicas),
            "HUNTGROUP_SNAPSHOT_URL": (self._data / "snapshots").as_uri(),
            "HUNTGROUP_RECORDING_STORE_URL": (self._data / "recordings").as_uri(),
            **self._environment,
        }
        log = (self._data / f"{service}-{replica}.log").open("ab")
        with log:
            self.processes[service, replica] = subprocess.Popen(  # noqa: S603 - our own module
                [sys.executable, "-m", SERVICES[service]],
                env=environment,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    def watch(self) -> int:
        """Return when a replica ends by itself (that is a failure), or raise what a signal raises."""
        while True:
            self._check_running()
            time.sleep(0.5)

    def stop(self) -> None:
        """Ask every replica to drain and end; kill what does not within the time."""
        for process in self.processes.values():
            process.terminate()
        end = time.monotonic() + STOP_WITHIN_S
        for process in self.processes.values():
            try:
                process.wait(max(0.1, end - time.monotonic()))
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()

    def _check_running(self) -> None:
        for (service, replica), process in self.processes.items():
            if process.poll() is not None:
                log = self._data / f"{service}-{replica}.log"
                raise RuntimeError(
                    f"{service} {replica} ended with code {process.returncode}; see {log}"
                )


def _ready(port: int) -> bool:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/readyz", timeout=1) as answer:
            return bool(answer.status == 200)  # noqa: PLR2004 - HTTP OK
    except (urllib.error.URLError, OSError):
        return False


def _interrupt(number: int, frame: object) -> None:
    del number, frame
    raise KeyboardInterrupt


def _say(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()
