"""A real Apache Kafka on this machine without Docker: jars from Maven, Java 17, combined KRaft nodes, one or three.

For `make cluster`, for tests and for measurements; it listens on the loopback only and has no security.
"""

import os
import shutil
import signal
import socket
import struct
import subprocess
import tempfile
import time
import uuid
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Final, Self

from huntgroup_runtime.bound_process import spawn_bound
from huntgroup_runtime.local_kafka_install import (
    QUICK,
    LocalKafkaUnavailableError,
    copy_storage,
    end_of,
    ensure_jars,
    find_java,
    kafka_command,
    kafka_home,
)

HOST: Final = "127.0.0.1"
COPIES_MAX: Final = 3

_START_ATTEMPTS = 3

_PROPERTIES = """process.roles=broker,controller
node.id={node_id}
controller.quorum.voters={voters}
listeners=PLAINTEXT://{host}:{port},CONTROLLER://{host}:{controller_port}
advertised.listeners=PLAINTEXT://{host}:{port}
controller.listener.names=CONTROLLER
listener.security.protocol.map=CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT
log.dirs={data}
offsets.topic.replication.factor={copies}
offsets.topic.num.partitions=4
transaction.state.log.replication.factor={copies}
transaction.state.log.min.isr=1
group.initial.rebalance.delay.ms=0
auto.create.topics.enable=false
"""

_ALONE = """broker.heartbeat.interval.ms={heartbeat_ms}
broker.session.timeout.ms={session_ms}
"""
HEARTBEATS: Final = 6
"""In a session of `session_ms`, which is Kafka's `broker.session.timeout.ms`, so many are sent."""

_PEERS = """broker.heartbeat.interval.ms=200
broker.session.timeout.ms=1200
controller.quorum.fetch.timeout.ms=800
controller.quorum.election.timeout.ms=400
controller.quorum.election.backoff.max.ms=300
replica.fetch.backoff.ms=100
"""
"""With peers: a broker that is silent for 1.2 s loses what it leads (Kafka's default: nine), after 0.8 s its place
at the head of the controllers; and a copy whose new leader does not lead yet asks again after 0.1 s (default: one), for
until it does no append is acknowledged. docs/reference/topics.md explains them for a cluster of your own.
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Seat:
    """A broker's place among its peers: its number from 1, its ports, and where all controllers are."""

    node_id: int
    port: int
    controller_port: int
    voters: str
    copies: int
    """Of Kafka's own topics."""


def answers(port: int, timeout_s: float = 1.0) -> bool:
    """Return whether a Kafka broker on the loopback answers a metadata request and knows itself."""
    client = b"huntgroup-probe"
    # Metadata (api key 3) version 1, correlation id 1, no topics; preceded by its length.
    body = struct.pack(">hhih", 3, 1, 1, len(client)) + client + struct.pack(">i", 0)
    try:
        with socket.create_connection((HOST, port), timeout=timeout_s) as connection:
            connection.sendall(struct.pack(">i", len(body)) + body)
            answer = _receive(connection, 4)
            answer = _receive(connection, struct.unpack(">i", answer)[0])
    except OSError:
        return False
    correlation, brokers = struct.unpack_from(">ii", answer)
    return bool(correlation == 1 and brokers > 0)


class LocalKafka:
    """One broker. On Linux it is killed when this process ends, however it ends."""

    def __init__(
        self,
        home: Path | None = None,
        data: Path | None = None,
        *,
        port: int = 0,
        heap_mb: int = 512,
        short_lived: bool = False,
        session_ms: int = 9_000,
        seat: Seat | None = None,
    ) -> None:
        """Prepare a broker that keeps its log in `data`, or in a temporary folder that `stop` removes.

        It listens on `port` when that is free, else on another one; see `port` once it has started. A `short_lived`
        broker is compiled less: it starts with two thirds of the CPU time, and would be slower later.
        After a kill it may come back when `session_ms` are over; on a machine that is too busy for it, a short session
        ends while it runs. A `seat` places it among peers, with their settings; its ports are fixed then.
        """
        self._home = home or kafka_home()
        self._temporary = data is None
        self._folder = (
            data or Path(tempfile.gettempdir()) / f"huntgroup-kafka-{uuid.uuid4().hex[:12]}"
        )
        self._jvm_options = [f"-Xmx{heap_mb}m", *(QUICK if short_lived else ())]
        self._process: subprocess.Popen[bytes] | None = None
        self._wanted_port = port
        self._session_ms = session_ms
        self._seat = seat
        self._port = 0

    @property
    def port(self) -> int:
        """The port on the loopback; the same over restarts."""
        return self._port

    @property
    def bootstrap_servers(self) -> str:
        """The address for clients."""
        return f"{HOST}:{self._port}"

    @property
    def pid(self) -> int:
        """The broker's process id; raises `LocalKafkaUnavailableError` when it does not run."""
        if self._process is None:
            raise LocalKafkaUnavailableError("the broker has not been started")
        return self._process.pid

    def start(self, timeout_s: float = 60.0) -> None:
        """Start the broker and return when it answers; raises `LocalKafkaUnavailableError`."""
        java = find_java()
        jars = ensure_jars(self._home)
        self._folder.mkdir(parents=True, exist_ok=True)
        for attempt in range(1, _START_ATTEMPTS + 1):
            if self._port == 0:
                self._configure(java, jars)
            try:
                self._run(java, jars, timeout_s)
            except LocalKafkaUnavailableError:
                # Another process may have taken a port between our choosing and Kafka's binding it.
                if attempt == _START_ATTEMPTS or "Address already in use" not in self._log_end():
                    raise
                # The log stays: what is in it may be from long before, and does not depend on the port.
                self._port = 0
            else:
                return

    def stop(self, grace_s: float = 20.0) -> None:
        """Stop the broker (SIGTERM, after `grace_s` SIGKILL), and remove a temporary folder."""
        self._end(signal.SIGTERM, grace_s)
        if self._temporary:
            shutil.rmtree(self._folder, ignore_errors=True)

    def restart(self) -> None:
        """Stop the broker in order and start it again at the same address with the same log."""
        self._end(signal.SIGTERM, 20.0)
        self.start()

    def kill(self) -> None:
        """End the broker at once (SIGKILL); `start` brings it back with what it had written."""
        self._end(signal.SIGKILL, 0.0)

    def pause(self) -> None:
        """Freeze the broker (SIGSTOP) and return when it stands: connections stay open and nothing is answered."""
        os.kill(self.pid, signal.SIGSTOP)
        os.waitid(os.P_PID, self.pid, os.WSTOPPED | os.WEXITED | os.WNOWAIT)

    def resume(self) -> None:
        """Undo `pause`."""
        os.kill(self.pid, signal.SIGCONT)

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()

    def _configure(self, java: str, jars: Path) -> None:
        seat = self._seat
        if seat is None:
            port, controller_port = _free_ports(2)
            if self._wanted_port and _is_free(self._wanted_port):
                port = self._wanted_port
            voters = f"1@{HOST}:{controller_port}"
            seat = Seat(
                node_id=1, port=port, controller_port=controller_port, voters=voters, copies=1
            )
        self._port = seat.port
        data = self._folder / "data"
        properties = _PROPERTIES.format(
            node_id=seat.node_id,
            voters=seat.voters,
            host=HOST,
            port=seat.port,
            controller_port=seat.controller_port,
            data=data,
            copies=seat.copies,
        )
        alone = _ALONE.format(
            session_ms=self._session_ms, heartbeat_ms=self._session_ms // HEARTBEATS
        )
        settings = _PEERS if self._seat else alone
        (self._folder / "server.properties").write_text(properties + settings)
        if not (data / "meta.properties").exists():
            copy_storage(self._home, java, jars, data, seat.node_id)

    def _run(self, java: str, jars: Path, timeout_s: float) -> None:
        command = [*kafka_command(java, jars, self._jvm_options), "kafka.Kafka"]
        try:
            self._process = spawn_bound(
                [*command, str(self._folder / "server.properties")], self._folder / "broker.log"
            )
        except OSError as error:
            raise LocalKafkaUnavailableError(f"Kafka did not start: {error}") from error
        until = time.monotonic() + timeout_s
        while not answers(self._port):
            if self._process.poll() is not None or time.monotonic() > until:
                self._end(signal.SIGKILL, 0.0)
                raise LocalKafkaUnavailableError(f"Kafka did not come up: {self._log_end()}")
            time.sleep(0.05)

    def _end(self, how: signal.Signals, grace_s: float) -> None:
        process, self._process = self._process, None
        if process is None:
            return
        with suppress(ProcessLookupError):
            # A paused broker would not see SIGTERM.
            process.send_signal(signal.SIGCONT)
            process.send_signal(how)
        try:
            process.wait(grace_s if how == signal.SIGTERM else None)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()

    def _log_end(self) -> str:
        with suppress(OSError):
            return end_of((self._folder / "broker.log").read_bytes())
        return "it wrote nothing"


class LocalKafkaCluster:
    """Several brokers, each also a controller: topics may have three copies, and one of three may fail.

    Used like `LocalKafka`; single brokers are in `brokers`, to be killed and started again.
    """

    def __init__(
        self,
        home: Path | None = None,
        data: Path | None = None,
        *,
        brokers: int = 3,
        port: int = 0,
        heap_mb: int = 256,
    ) -> None:
        """Prepare brokers with their logs in folders of `data`, on `port` and those after it when they are free."""
        ports, controllers = _free_ports(brokers), _free_ports(brokers)
        wanted = range(port, port + brokers)
        if port and all(_is_free(each) for each in wanted):
            ports = list(wanted)
        voters = ",".join(
            f"{number}@{HOST}:{each}" for number, each in enumerate(controllers, start=1)
        )
        self.port = ports[0]
        self.brokers = [
            LocalKafka(
                home,
                data / f"broker-{number}" if data else None,
                heap_mb=heap_mb,
                short_lived=True,
                seat=Seat(
                    node_id=number,
                    port=own,
                    controller_port=controller,
                    voters=voters,
                    copies=min(brokers, COPIES_MAX),
                ),
            )
            for number, (own, controller) in enumerate(
                zip(ports, controllers, strict=True), start=1
            )
        ]

    @property
    def bootstrap_servers(self) -> str:
        """The addresses for clients, separated by commas."""
        return ",".join(broker.bootstrap_servers for broker in self.brokers)

    def start(self) -> None:
        """Start all and return when each answers; raises `LocalKafkaUnavailableError`."""
        with ThreadPoolExecutor(len(self.brokers)) as pool:
            # Together: none answers before a majority of the controllers is there.
            for started in [pool.submit(broker.start) for broker in self.brokers]:
                started.result()

    def stop(self) -> None:
        """Stop all, and remove temporary folders."""
        with ThreadPoolExecutor(len(self.brokers)) as pool:
            for stopped in [pool.submit(broker.stop) for broker in self.brokers]:
                stopped.result()


def _free_ports(count: int) -> list[int]:
    with_socket = [socket.socket() for _ in range(count)]
    try:
        for each in with_socket:
            each.bind((HOST, 0))
        return [each.getsockname()[1] for each in with_socket]
    finally:
        for each in with_socket:
            each.close()


def _is_free(port: int) -> bool:
    with socket.socket() as one, suppress(OSError):
        one.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        one.bind((HOST, port))
        return True
    return False


def _receive(connection: socket.socket, count: int) -> bytes:
    received = b""
    while len(received) < count:
        part = connection.recv(count - len(received))
        if not part:
            raise ConnectionError("the connection was closed")
        received += part
    return received
