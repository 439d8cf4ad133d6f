"""Apache Kafka's jars and formatted storage on this machine: fetched with Maven once, made once, kept."""

import base64
import fcntl
import os
import re
import shutil
import subprocess
import tempfile
import uuid
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Final

KAFKA_VERSION: Final = "4.1.1"
QUICK: Final = ("-XX:TieredStopAtLevel=1",)
"""Compile less: two thirds of the CPU time until a broker serves, and slower later."""

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

_FORMAT_PROPERTIES = """process.roles=broker,controller
node.id=1
controller.quorum.voters=1@127.0.0.1:2
listeners=PLAINTEXT://127.0.0.1:1,CONTROLLER://127.0.0.1:2
controller.listener.names=CONTROLLER
listener.security.protocol.map=CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT
log.dirs={data}
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


def find_java() -> str:
    """Return the program; raises `LocalKafkaUnavailableError`."""
    found = shutil.which("java")
    if found is None:
        raise LocalKafkaUnavailableError(
            "Kafka needs Java 17 or later: there is no java on the PATH"
        )
    return found


def kafka_command(java: str, jars: Path, options: Sequence[str]) -> list[str]:
    """Return the beginning of a command that runs one of Kafka's classes."""
    return [
        java,
        *options,
        "-XX:+UseSerialGC",
        "-Dorg.slf4j.simpleLogger.defaultLogLevel=warn",
        "-cp",
        f"{jars}/*",
    ]


def copy_storage(home: Path, java: str, jars: Path, data: Path, node_id: int) -> None:
    """Make `data` the empty storage of a node; all nodes made from one home have the same cluster id."""
    shutil.copytree(_formatted_storage(home, java, jars), data, dirs_exist_ok=True)
    properties = data / "meta.properties"
    text = re.sub(r"(?m)^node\.id=.*$", f"node.id={node_id}", properties.read_text())
    properties.write_text(re.sub(r"(?m)^directory\.id=.*$", f"directory.id={_new_id()}", text))


def _new_id() -> str:
    # Kafka takes no id that begins with a dash.
    while (made := base64.urlsafe_b64encode(uuid.uuid4().bytes).decode().rstrip("=")).startswith(
        "-"
    ):
        pass
    return made


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
                f"Maven could not fetch Kafka's jars: {end_of(done.stdout + done.stderr)}"
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
            properties.write_text(_FORMAT_PROPERTIES.format(data=data))
            format_storage = ["format", f"--cluster-id={_new_id()}", "-c", str(properties)]
            done = subprocess.run(  # noqa: S603 - fixed program, own arguments
                [*kafka_command(java, jars, QUICK), "kafka.tools.StorageTool", *format_storage],
                capture_output=True,
                check=False,
            )
            if done.returncode != 0:
                raise LocalKafkaUnavailableError(
                    f"Kafka's storage could not be formatted: {end_of(done.stdout + done.stderr)}"
                )
            shutil.rmtree(kept, ignore_errors=True)
            data.rename(kept)
    return kept


def end_of(output: bytes) -> str:
    """Return the last of what a program wrote."""
    return output.decode(errors="replace").strip()[-2000:] or "it wrote nothing"
