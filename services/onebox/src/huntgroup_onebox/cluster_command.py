"""`huntgroup cluster`: without Docker, real Kafka and the five services as separate processes, two replicas each.

The same ports as docker-compose.yml gives, so that `huntgroup demo --target cluster` finds either.
"""

import argparse
import fcntl
import json
import os
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections import deque
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn

from huntgroup_eventlog.adapters.kafka import KafkaLog
from huntgroup_eventlog.port import Log
from huntgroup_onebox.box import SERVICES
from huntgroup_runtime.bound_process import spawn_bound
from huntgroup_runtime.local_kafka import COPIES_MAX, LocalKafka, LocalKafkaCluster
from huntgroup_runtime.local_kafka_install import LocalKafkaUnavailableError

REPLICAS, REPLICAS_MAX = 2, 5
PARTITIONS = 4
GRPC_PORT, HTTP_PORT = 7410, 7510
"""Replica r (from 0) of service s (from 0) serves gRPC at GRPC_PORT + 10 s + r, and HTTP at HTTP_PORT + 10 s + r."""
KAFKA_PORT = 9092
KAFKA = f"127.0.0.1:{KAFKA_PORT}"
READY_WITHIN_S, STOP_WITHIN_S = 90.0, 15.0
AGAIN_AFTER_S = 3.0
"""A replica that ended is started again after this; long enough to see another one take its domains over."""
ENDS_MAX, ENDS_WITHIN_S = 5, 60.0
LEDGER_INTERVAL_MS = 4_500
"""A quarter of an hour of a day played at the demo's default speed of 200, so that its hours can be told apart."""
DEFAULTS = {
    "HUNTGROUP_LEDGER_INTERVAL_MS": str(LEDGER_INTERVAL_MS),
    "HUNTGROUP_REPORTING_LIVE_VIEWS": "faust",
}
"""What the environment of `huntgroup cluster` may say otherwise."""
COPIES_VARIABLE = "HUNTGROUP_LOG_REPLICATION_FACTOR"
AUDITOR = "auditor"
"""The continuous auditor's name among the processes; it is one."""
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

        Raises `ValueError`, which names the file, when it cannot be read or is not as `write` makes it.
        """
        named = os.environ.get(CLUSTER_VARIABLE)
        path = Path(named or "var/cluster/cluster.json")
        if not named and not path.exists():
            return cls.standard()
        try:
            values: Any = json.loads(path.read_text(encoding="utf-8"))
            cluster = cls(**values)
            if not isinstance(cluster.kafka, str) or not isinstance(cluster.partitions, int):
                raise TypeError("kafka must be host:port, and partitions a number")
            if set(cluster.addresses) != set(SERVICES):
                raise TypeError(f"addresses must have {', '.join(SERVICES)}")
        except (OSError, ValueError, TypeError) as error:
            told = f" ({CLUSTER_VARIABLE})" if named else ""
            raise ValueError(f"{path}{told} describes no cluster: {error}") from error
        return cluster

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
    """Return the standard port of a replica's /livez, /readyz and /metrics; also of the auditor's."""
    return HTTP_PORT + 10 * [*SERVICES, AUDITOR].index(service) + replica


def add_parser(verbs: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the verb."""
    verb = verbs.add_parser("cluster", help="real Kafka and ten service processes on this machine")
    verb.add_argument("--kafka", metavar="HOST:PORT", help="use this Kafka instead of starting one")
    verb.add_argument(
        "--brokers",
        type=int,
        default=1,
        choices=(1, 3),
        help="Kafka brokers to start; with 3 every record has three copies, and one broker may fail",
    )
    verb.add_argument("--replicas", type=int, default=REPLICAS, choices=range(1, REPLICAS_MAX + 1))
    verb.add_argument("--data", type=Path, default=Path("var/cluster"), help="logs and recordings")
    verb.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Start everything, say when it serves, and stop it on SIGINT or SIGTERM."""
    data: Path = arguments.data.absolute()
    broker = None if arguments.kafka else local_kafka(data / "kafka", arguments.brokers)
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, _interrupt)
    cluster = None
    file = data / "cluster.json"
    stack = ExitStack()
    try:
        data.mkdir(parents=True, exist_ok=True)
        held = stack.enter_context((data / "cluster.lock").open("a"))
        try:
            fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise RuntimeError(f"a cluster is running in {data} already") from None
        if broker is not None:
            _say("starting Kafka …")
            broker.start()
            if broker.port != KAFKA_PORT:
                _say(f"port {KAFKA_PORT} is taken: Kafka is at {broker.bootstrap_servers}")
        address = arguments.kafka or (broker.bootstrap_servers if broker else "")
        copies = min(arguments.brokers, COPIES_MAX)
        cluster = Cluster(
            address,
            arguments.replicas,
            data,
            environment={} if arguments.kafka else {COPIES_VARIABLE: str(copies)},
            audited=True,
        )
        cluster.start()
        cluster.file.write(file)
        _say_ready(cluster.file, data)
        cluster.watch()
    except LocalKafkaUnavailableError as error:
        sys.stderr.write(f"huntgroup cluster: {error}\n")
        return EXIT_BAD_INPUT
    except (RuntimeError, OSError) as error:
        sys.stderr.write(f"huntgroup cluster: {error}\n")
        return EXIT_FAILED
    except KeyboardInterrupt:
        return EXIT_OK
    finally:
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, signal.SIG_IGN)
        if cluster is not None:
            cluster.stop()
            file.unlink(missing_ok=True)
        if broker is not None:
            broker.stop()
        stack.close()


def _say_ready(file: ClusterFile, data: Path) -> None:
    """Say where everything is, and what to do with it."""
    addresses = ", ".join(f"{service} {address}" for service, address in file.addresses.items())
    _say(f"ready: Kafka {file.kafka}; gRPC {addresses}")
    _say(f'logs in {data}; stop with Ctrl-C; play a day with: make demo ARGS="--target cluster"')
    _say(
        f"the auditor follows: http://127.0.0.1:{http_port(AUDITOR, 0)}/readyz; a whole audit:"
        f" .venv/bin/huntgroup verify --kafka {file.kafka}"
    )


def local_kafka(data: Path, brokers: int) -> LocalKafka | LocalKafkaCluster:
    """Return Kafka on the standard port, with its log in `data`; several brokers have a folder each."""
    if brokers == 1:
        return LocalKafka(data=data, port=KAFKA_PORT)
    return LocalKafkaCluster(data=data, brokers=brokers, port=KAFKA_PORT)


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
        audited: bool = False,
    ) -> None:
        """Prepare the processes; `ports_from` is added to every standard port, `environment` to every process's.

        With `audited` the continuous auditor runs beside them.
        """
        addresses = {name: f"127.0.0.1:{grpc_port(name, 0) + ports_from}" for name in SERVICES}
        self.file = ClusterFile(kafka=kafka, partitions=PARTITIONS, addresses=addresses)
        self._replicas = replicas
        self._data = data
        self._ports_from = ports_from
        self._environment = environment or {}
        self._audited = audited
        self.processes: dict[tuple[str, int], subprocess.Popen[bytes]] = {}
        self._ends: dict[tuple[str, int], deque[float]] = {}
        self._due: dict[tuple[str, int], float] = {}

    def start(self) -> None:
        """Start every replica, and return when all are ready. Raises `TimeoutError`, or `RuntimeError` if one ends."""
        for service in SERVICES:
            for replica in range(self._replicas):
                self.launch(service, replica)
        self.wait_until_ready()
        if self._audited:
            self.launch(AUDITOR, 0)  # not waited for: it first reads all that was here before

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
        """Start one replica, which does not outlive this process; its log goes to a file of its own."""
        self.processes[service, replica] = spawn_bound(
            self._command(service),
            self._log_file(service, replica),
            environment=self.environment(service, replica),
            keep_log=True,
        )

    def _command(self, service: str) -> list[str]:
        if service == AUDITOR:
            verb = ["verify", "--follow", "--kafka", self.file.kafka]
            return [sys.executable, "-m", "huntgroup_onebox.cli", *verb]
        return [sys.executable, "-m", SERVICES[service]]

    def environment(self, service: str, replica: int) -> dict[str, str]:
        """Return the environment of one replica."""
        http = http_port(service, replica) + self._ports_from
        serves = {}
        if service != AUDITOR:
            grpc = grpc_port(service, replica) + self._ports_from
            serves["HUNTGROUP_GRPC_LISTEN"] = f"127.0.0.1:{grpc}"
        return {
            **DEFAULTS,
            "HUNTGROUP_REPORTING_DATABASE_URL": f"sqlite:///{self._data / 'reporting.sqlite'}",
            **os.environ,
            "HUNTGROUP_LOG_URL": f"kafka://{self.file.kafka}",
            "HUNTGROUP_LOG_PARTITIONS": str(self.file.partitions),
            **serves,
            "HUNTGROUP_HTTP_LISTEN": f"127.0.0.1:{http}",
            "HUNTGROUP_REPLICA_INDEX": str(replica),
            "HUNTGROUP_REPLICA_COUNT": str(self._replicas),
            "HUNTGROUP_SNAPSHOT_URL": (self._data / "snapshots").as_uri(),
            "HUNTGROUP_RECORDING_STORE_URL": (self._data / "recordings").as_uri(),
            **self._environment,
        }

    def watch(self) -> NoReturn:
        """Start replicas that end again. Raises `RuntimeError` when one ends too often, and what a signal raises."""
        while True:
            self.revive()
            time.sleep(0.2)

    def revive(self) -> None:
        """Say which replicas have ended, and start again those that ended a while ago; see `watch`."""
        now_s = time.monotonic()
        for (service, replica), process in self.processes.items():
            key = service, replica
            if key in self._due:
                if now_s >= self._due[key]:
                    del self._due[key]
                    self.launch(service, replica)
            elif process.poll() is not None:
                ends = self._ends.setdefault(key, deque(maxlen=ENDS_MAX))
                ends.append(now_s)
                how, log = _how(process.returncode), self._log_file(service, replica)
                often = len(ends) == ENDS_MAX and now_s - ends[0] <= ENDS_WITHIN_S
                if often and service != AUDITOR:  # the services can do without an auditor
                    raise RuntimeError(
                        f"{service} {replica} ended {ENDS_MAX} times within {ENDS_WITHIN_S:.0f} s, {how}; see {log}"
                    )
                self._due[key] = now_s + AGAIN_AFTER_S
                _say(f"{service} {replica} ended {how}; again in {AGAIN_AFTER_S:.0f} s; see {log}")

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
                log = self._log_file(service, replica)
                raise RuntimeError(
                    f"{service} {replica} ended {_how(process.returncode)}; see {log}"
                )

    def _log_file(self, service: str, replica: int) -> Path:
        return self._data / f"{service}-{replica}.log"


def _how(code: int) -> str:
    return f"with code {code}" if code >= 0 else f"by {signal.Signals(-code).name}"


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
