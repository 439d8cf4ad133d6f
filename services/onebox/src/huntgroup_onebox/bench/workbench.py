"""What every figure works with: a place for files, a Kafka when one is needed, and somebody to tell how far it is."""

import json
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from huntgroup_runtime.local_kafka import LocalKafka

REPEATS, REPEATS_QUICK = 5, 2


@dataclass(slots=True)
class Workbench:
    """Lives as long as one run of `huntgroup bench`; use it with `with`."""

    quick: bool
    found: dict[str, float] = field(default_factory=dict)
    """Values of figures that were measured before in this run, for those that stand on them."""
    _directory: Path = field(
        default_factory=lambda: Path(tempfile.mkdtemp(prefix="huntgroup-bench-"))
    )
    _numbers: int = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        shutil.rmtree(self._directory, ignore_errors=True)

    @property
    def repeats(self) -> int:
        """How often each measurement is repeated."""
        return REPEATS_QUICK if self.quick else REPEATS

    def directory(self, name: str) -> Path:
        """Return a new directory; it is removed at the end of the run."""
        self._numbers += 1
        made = self._directory / f"{self._numbers:03d}-{name}"
        made.mkdir()
        return made

    def say(self, line: str) -> None:
        """Tell how far it is, on standard error."""
        sys.stderr.write(f"  {time.strftime('%H:%M:%S')} {line}\n")
        sys.stderr.flush()

    @contextmanager
    def kafka(self) -> Iterator[LocalKafka]:
        """Run a real Kafka of its own beside the block; raises `LocalKafkaUnavailableError`."""
        self.say("starting Kafka")
        with LocalKafka(data=self.directory("kafka")) as broker:
            yield broker


@contextmanager
def running(
    command: list[str], log: Path, environment: Mapping[str, str] | None = None
) -> Iterator[subprocess.Popen[bytes]]:
    """Run `python -m command…` beside the block; it is asked to end after it, and killed if it does not."""
    with log.open("ab") as output:
        process = subprocess.Popen(  # noqa: S603 - our own modules
            [sys.executable, "-m", *command],
            env=None if environment is None else dict(environment),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
        )
    try:
        yield process
    finally:
        process.terminate()
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def finish(process: subprocess.Popen[bytes], log: Path, within_s: float) -> None:
    """Wait for a process to end by itself; raises `RuntimeError` with its last words when it fails or takes longer."""
    try:
        code = process.wait(within_s)
    except subprocess.TimeoutExpired:
        raise RuntimeError(f"{log.stem} did not end within {within_s:.0f} s") from None
    if code:
        raise RuntimeError(f"{log.stem} ended with code {code}: {last_words(log)}")


def last_words(log: Path) -> str:
    """Return the end of what a process wrote."""
    return log.read_text(encoding="utf-8", errors="replace").strip()[-600:] or "it wrote nothing"


def read_json(file: Path) -> Any:
    """Return what a file holds."""
    return json.loads(file.read_text(encoding="utf-8"))


def free_port() -> int:
    """Return a port of the loopback that is free now."""
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        port: int = one.getsockname()[1]
        return port
