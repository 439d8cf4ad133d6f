"""A cluster of its own, under load: real brokers, two processes a service, two domains."""

import asyncio
import json
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Mapping
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any, Final, Self

from huntgroup_eventlog.adapters.kafka import KafkaLog
from huntgroup_eventlog.partitioning import partition_of
from huntgroup_onebox.box import SERVICES
from huntgroup_onebox.chaos.load import ASK_EVERY_S, Line, Load
from huntgroup_onebox.chaos.watch import JournalWatch
from huntgroup_onebox.cluster_command import (
    AUDITOR,
    COPIES_VARIABLE,
    GRPC_PORT,
    LEDGER_INTERVAL_MS,
    PARTITIONS,
    Cluster,
    grpc_port,
    http_port,
)
from huntgroup_runtime.local_kafka import COPIES_MAX, HOST, LocalKafka, LocalKafkaCluster

REPLICAS: Final = 2
DOMAINS: Final = 2
PORT_STEP: Final = 200
PORTS_TRIED: Final = 100
ANSWERED_WITHIN_S: Final = 60.0
CALM_S: Final = 1.0
ASK_EVERY_S_PEERS: Final = 0.25
"""With several brokers, which do everything several times: a full machine shows how full it is, not the fault."""
SESSION_MS: Final = 4_500
"""A broker that is killed need not stay away for longer than it takes to start."""
LOOK_EVERY_S: Final = 0.02
EPSILON_MS: Final = 60_000
"""What comes late because the machine is busy with other work is no harm here; what never comes is, and is found."""
ENVIRONMENT: Final = {
    # Desktops notice a frozen replica within seconds, and agents come back.
    "HUNTGROUP_DESKTOP_HEARTBEAT_INTERVAL_MS": "1000",
    # Who signs on without a desktop while an owner stands still is there yet when it runs again.
    "HUNTGROUP_DESKTOP_LEASE_MS": "25000",
}

Say = Callable[[str], None]


class Stage:
    """Where faults are played; used as a context manager, which starts and stops everything."""

    def __init__(
        self,
        folder: Path,
        *,
        seed: str,
        brokers: int = 1,
        environment: Mapping[str, str] | None = None,
    ) -> None:
        self.folder = folder
        self.brokers: LocalKafka | LocalKafkaCluster = (
            LocalKafka(data=folder / "kafka", short_lived=True, session_ms=SESSION_MS)
            if brokers == 1
            else LocalKafkaCluster(data=folder / "kafka", brokers=brokers)
        )
        self.domains = domains_apart(DOMAINS)
        self._copies = min(brokers, COPIES_MAX)
        self._seed = seed
        self._environment = dict(environment or {})
        self._held = AsyncExitStack()

    async def __aenter__(self) -> Self:
        try:
            await self._open()
        except BaseException:
            await self._held.aclose()
            raise
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._held.aclose()

    async def _open(self) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        self._held.push_async_callback(asyncio.to_thread, self.brokers.stop)
        await asyncio.to_thread(self.brokers.start)
        self.ports_from = free_ports_from()
        self.cluster = Cluster(
            self.brokers.bootstrap_servers,
            REPLICAS,
            self.folder,
            ports_from=self.ports_from,
            environment={**ENVIRONMENT, COPIES_VARIABLE: str(self._copies), **self._environment},
        )
        self._held.push_async_callback(asyncio.to_thread, self.cluster.stop)
        await asyncio.to_thread(self.cluster.start)
        self.log = KafkaLog(self.brokers.bootstrap_servers, PARTITIONS, driver="librdkafka")
        self._held.push_async_callback(self.log.close)
        self.watch = JournalWatch(self.log, SERVICES, [self.partition(one) for one in self.domains])
        self._held.push_async_callback(self.watch.close)
        self.watch.start()
        self.loads = {
            domain: Load(
                self._addresses(),
                domain,
                f"{self._seed} {domain}",
                ask_every_s=ASK_EVERY_S if self._copies == 1 else ASK_EVERY_S_PEERS,
            )
            for domain in self.domains
        }
        for load in self.loads.values():
            self._held.push_async_callback(load.close)
        await asyncio.gather(*(load.start() for load in self.loads.values()))
        await self.calm()

    def partition(self, domain: str) -> int:
        """Return the domain's partition."""
        return partition_of(domain, PARTITIONS)

    def address(self, service: str, replica: int) -> str:
        """Return where a replica serves gRPC."""
        return f"{HOST}:{grpc_port(service, replica) + self.ports_from}"

    def _addresses(self) -> dict[str, str]:
        return {
            service: ",".join(self.address(service, each) for each in range(REPLICAS))
            for service in SERVICES
        }

    # Processes.

    def owner(self, service: str, domain: str) -> int:
        """Return the replica that owns a domain, as its journal says."""
        address = self.watch.owner(service, self.partition(domain)).address
        return (int(address.rpartition(":")[2]) - GRPC_PORT - self.ports_from) % 10

    def owned(self, service: str, replica: int) -> list[str]:
        """Return the domains that a replica owns."""
        return [domain for domain in self.domains if self.owner(service, domain) == replica]

    def process(self, service: str, replica: int) -> subprocess.Popen[bytes]:
        """Return the process of a replica."""
        return self.cluster.processes[service, replica]

    async def start_again(self, service: str, replica: int) -> None:
        """Start a replica that was killed, and return when all are ready."""
        self.cluster.launch(service, replica)
        await asyncio.to_thread(self.cluster.wait_until_ready)

    async def metric(self, service: str, replica: int, name: str) -> float:
        """Return the sum of one metric of a replica."""
        url = f"http://{HOST}:{http_port(service, replica) + self.ports_from}/metrics"

        def read() -> list[str]:
            with urllib.request.urlopen(url, timeout=10) as answer:
                found: list[str] = answer.read().decode().splitlines()
            return found

        lines = await asyncio.to_thread(read)
        return sum(float(line.rpartition(" ")[2]) for line in lines if line.startswith(name))

    # What clients see.

    async def answered(
        self, service: str, domains: list[str], since_s: float, times: int = 3
    ) -> bool:
        """Return once a service has answered `times` in each domain since a moment; False when it never does."""
        end_s = time.monotonic() + ANSWERED_WITHIN_S
        while time.monotonic() < end_s:
            if all(self.loads[one].api.answers[service].since(since_s) >= times for one in domains):
                return True
            await asyncio.sleep(LOOK_EVERY_S)
        return False

    def silence_s(self, service: str, domains: list[str], from_s: float) -> float:
        """Return the longest time from a moment until now in which clients of a service had no answer."""
        now_s = time.monotonic()
        return max(
            self.loads[one].api.answers[service].longest_silence_s(from_s, now_s) for one in domains
        )

    async def calm(self) -> None:
        """Return when every service answers everywhere."""
        since_s = time.monotonic()
        await asyncio.gather(*(self.answered(one, self.domains, since_s, 8) for one in SERVICES))
        await asyncio.sleep(CALM_S)

    async def lines(self) -> dict[str, dict[str, Line]]:
        """Return who waits where: by domain and queue."""
        found = await asyncio.gather(*(load.lines() for load in self.loads.values()))
        return dict(zip(self.loads, found, strict=True))

    async def stop_load(self) -> None:
        """Serve who is there, and let nobody come in."""
        await asyncio.gather(*(load.stop() for load in self.loads.values()))

    # The audit.

    async def verify(self, *, ended: bool = False) -> Mapping[str, Any]:
        """Return what `huntgroup verify` says of the log now, with every command clients were told to be done.

        Raises `RuntimeError` when the log cannot be read.
        """
        acked = self.folder / "acked.jsonl"
        acknowledged = [one for load in self.loads.values() for one in load.api.acknowledged]
        acked.write_text("".join(json.dumps(one) + "\n" for one in acknowledged))
        command = [sys.executable, "-m", "huntgroup_onebox.cli", "verify"]
        options = ["--kafka", self.brokers.bootstrap_servers, "--acked", str(acked), "--json"]
        options += ["--interval-ms", str(LEDGER_INTERVAL_MS), "--epsilon-ms", str(EPSILON_MS)]
        options += ["--ended"] if ended else []
        done = await asyncio.to_thread(
            subprocess.run,
            [*command, *options],
            env=self.cluster.environment(AUDITOR, 0),  # recordings, snapshots and the database, too
            capture_output=True,
            text=True,
            check=False,
        )
        try:
            report: Mapping[str, Any] = json.loads(done.stdout)
        except ValueError:
            raise RuntimeError(f"huntgroup verify: {done.stderr.strip()[-500:]}") from None
        return report


def domains_apart(count: int) -> list[str]:
    """Return names of domains in different partitions."""
    found: dict[int, str] = {}
    number = 0
    while len(found) < count:
        domain = f"chaos/d{number}"
        found.setdefault(partition_of(domain, PARTITIONS), domain)
        number += 1
    return list(found.values())


def free_ports_from() -> int:
    """Return what to add to the standard ports so that all of a cluster's are free. Raises `RuntimeError`."""
    for ports_from in range(PORT_STEP, PORT_STEP * PORTS_TRIED, PORT_STEP):
        ports = [
            port(service, replica) + ports_from
            for port in (grpc_port, http_port)
            for service in SERVICES
            for replica in range(REPLICAS)
        ]
        if all(map(_is_free, ports)):
            return ports_from
    raise RuntimeError(f"no {2 * REPLICAS * len(SERVICES)} free ports for a cluster were found")


def _is_free(port: int) -> bool:
    with socket.socket() as one:
        one.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            one.bind((HOST, port))
        except OSError:
            return False
        return True
