"""A real Apache Kafka on this machine without Docker: jars from Maven, Java 17, one combined KRaft node.

For `make cluster`, for tests and for measurements; it listens on the loopback only and has no security.
"""

import base64
import ctypes
import fcntl
import os
import shutil
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import threading
import time
import uuid
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future
from contextlib import contextmanager, suppress
from pathlib import Path
from types import TracebackType
from typing import Final, Self

KAFKA_VERSION: Final = "4.1.1"
HOST: Final = "127.0.0.1"

_START_ATTEMPTS = 3
_PR_SET_PDEATHSIG = 1
_QUICK = ("-XX:TieredStopAtLevel=1",)

_POM = f"""<project>
  <modelVersion>4.0.0</modelVersion>
  <groupId>huntgroup</groupId><artifactId>local-kafka</artifactId><version>1</version>
  <dependencies>
    <dependency><groupId>org.apache.kafka</groupId><artifactId>kafka_2.13</artifactId>
      <version>{KAFKA_VERSION}</version></dependency>
    <dependency><groupId>org.slf4j</groupId><artifactId>slf4j-simple</artifactId>
      <version>1.7.36</version></dependency>
  </dependencies>
</project>
"""

_PROPERTIES = """process.roles=broker,controller
node.id=1
controller.quorum.voters=1@{host}:{controller_port}
listeners=PLAINTEXT://{host}:{port},CONTROLLER://{host}:{controller_port}
advertised.listeners=PLAINTEXT://{host}:{port}
controller.listener.names=CONTROLLER
listener.security.protocol.map=CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT
log.dirs={data}
offsets.topic.replication.factor=1
offsets.topic.num.partitions=4
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
group.initial.rebalance.delay.ms=0
auto.create.topics.enable=false
"""


class LocalKafkaUnavailableError(Exception):
    """Kafka cannot run here; the message says what is missing or what the broker wrote last."""


def kafka_home() -> Path:
    """Return where the jars are kept: `HUNTGROUP_KAFKA_HOME`, or `.kafka` at the top of the repository."""
    configured = os.environ.get("HUNTGROUP_KAFKA_HOME")
    if configured:
        return Path(configured)
    here = Path.cwd()
    for folder in (here, *here.parents):
        if (folder / "pyproject.toml").is_file():
            return folder / ".kafka"
    return here / ".kafka"


def ensure_jars(home: Path) -> Path:
    """Return the folder of Kafka's jars, fetching them with Maven when they are not there yet (once, 43 MB).

    Safe for several processes at once. Raises `LocalKafkaUnavailableError`.
    """
    jars = home / "lib"
    home.mkdir(parents=True, exist_ok=True)
    with file_lock(home / "jars.lock"):
        if not (jars / ".complete").exists():
            _fetch_jars(home, jars)
    return jars


@contextmanager
def file_lock(path: Path) -> Iterator[None]:
    """Hold a lock between processes for the length of the block."""
    with path.open("a") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


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
    ) -> None:
        """Prepare a broker that keeps its log in `data`, or in a temporary folder that `stop` removes.

        It listens on `port` when that is free, else on another one; see `port` once it has started. A `short_lived`
        broker is compiled less: it starts with two thirds of the CPU time, and would be slower later.
        """
        self._home = home or kafka_home()
        self._temporary = data is None
        self._folder = (
            data or Path(tempfile.gettempdir()) / f"huntgroup-kafka-{uuid.uuid4().hex[:12]}"
        )
        self._jvm_options = [f"-Xmx{heap_mb}m", *(_QUICK if short_lived else ())]
        self._process: subprocess.Popen[bytes] | None = None
        self._wanted_port = port
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
        java = _java()
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
        self._port, controller_port = _free_ports(2)
        if self._wanted_port and _is_free(self._wanted_port):
            self._port = self._wanted_port
        data = self._folder / "data"
        (self._folder / "server.properties").write_text(
            _PROPERTIES.format(
                host=HOST, port=self._port, controller_port=controller_port, data=data
            )
        )
        if not (data / "meta.properties").exists():
            shutil.copytree(_formatted_storage(self._home, java, jars), data, dirs_exist_ok=True)

    def _run(self, java: str, jars: Path, timeout_s: float) -> None:
        self._process = _spawn(
            [
                *_command(java, jars, self._jvm_options),
                "kafka.Kafka",
                str(self._folder / "server.properties"),
            ],
            self._folder / "broker.log",
        )
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
            return _end_of((self._folder / "broker.log").read_bytes())
        return "it wrote nothing"


def _java() -> str:
    java = shutil.which("java")
    if java is None:
        raise LocalKafkaUnavailableError(
            "Kafka needs Java 17 or later: there is no java on the PATH"
        )
    return java


def _fetch_jars(home: Path, jars: Path) -> None:
    maven = shutil.which("mvn")
    if maven is None:
        raise LocalKafkaUnavailableError("Kafka's jars need Maven: there is no mvn on the PATH")
    with tempfile.TemporaryDirectory(dir=home, prefix="fetch-") as folder:
        (Path(folder) / "pom.xml").write_text(_POM)
        fetched = Path(folder) / "lib"
        done = subprocess.run(  # noqa: S603 - fixed program, own arguments
            [maven, "-B", "-q", "dependency:copy-dependencies", f"-DoutputDirectory={fetched}"],
            cwd=folder,
            capture_output=True,
            check=False,
        )
        if done.returncode != 0 or not fetched.is_dir():
            raise LocalKafkaUnavailableError(
                f"Maven could not fetch Kafka's jars: {_end_of(done.stdout + done.stderr)}"
            )
        shutil.rmtree(jars, ignore_errors=True)
        fetched.rename(jars)
        (jars / ".complete").touch()


def _formatted_storage(home: Path, java: str, jars: Path) -> Path:
    """Return an empty storage as Kafka's own tool formats it; kept, because that takes as long as a start."""
    kept = home / f"formatted-{KAFKA_VERSION}"
    with file_lock(home / "jars.lock"):
        if (kept / "meta.properties").exists():
            return kept
        with tempfile.TemporaryDirectory(dir=home, prefix="format-") as folder:
            properties = Path(folder) / "server.properties"
            data = Path(folder) / "data"
            properties.write_text(
                _PROPERTIES.format(host=HOST, port=1, controller_port=2, data=data)
            )
            cluster_id = base64.urlsafe_b64encode(uuid.uuid4().bytes).decode().rstrip("=")
            format_storage = ["format", f"--cluster-id={cluster_id}", "-c", str(properties)]
            done = subprocess.run(  # noqa: S603 - fixed program, own arguments
                [*_command(java, jars, _QUICK), "kafka.tools.StorageTool", *format_storage],
                capture_output=True,
                check=False,
            )
            if done.returncode != 0:
                raise LocalKafkaUnavailableError(
                    f"Kafka's storage could not be formatted: {_end_of(done.stdout + done.stderr)}"
                )
            shutil.rmtree(kept, ignore_errors=True)
            data.rename(kept)
    return kept


def _command(java: str, jars: Path, options: Sequence[str]) -> list[str]:
    return [
        java,
        *options,
        "-XX:+UseSerialGC",
        "-Dorg.slf4j.simpleLogger.defaultLogLevel=warn",
        "-cp",
        f"{jars}/*",
    ]


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


def _spawn(command: list[str], log: Path) -> subprocess.Popen[bytes]:
    """Start a process that is killed when this one ends, however it ends.

    Linux kills it at the end of the thread that started it; so one thread each starts it and stays until it ends.
    """
    started: Future[subprocess.Popen[bytes]] = Future()

    def hold() -> None:
        try:
            with log.open("wb") as output:
                process = subprocess.Popen(  # noqa: S603 - fixed program, own arguments
                    command,
                    stdin=subprocess.DEVNULL,
                    stdout=output,
                    stderr=subprocess.STDOUT,
                    start_new_session=True,
                    preexec_fn=_die_with_parent(),  # noqa: PLW1509 - one system call, prepared before
                )
        except OSError as error:
            started.set_exception(LocalKafkaUnavailableError(f"Kafka did not start: {error}"))
        else:
            started.set_result(process)
            process.wait()

    threading.Thread(target=hold, name="local-kafka", daemon=True).start()
    return started.result()


def _die_with_parent() -> Callable[[], object] | None:
    """Return what the new process does before it becomes Kafka: ask Linux to be killed with its parent."""
    if sys.platform != "linux":
        return None
    prctl = ctypes.CDLL(None).prctl
    return lambda: prctl(_PR_SET_PDEATHSIG, int(signal.SIGKILL), 0, 0, 0)


def _receive(connection: socket.socket, count: int) -> bytes:
    received = b""
    while len(received) < count:
        part = connection.recv(count - len(received))
        if not part:
            raise ConnectionError("the connection was closed")
        received += part
    return received


def _end_of(output: bytes) -> str:
    return output.decode(errors="replace").strip()[-2000:] or "it wrote nothing"
