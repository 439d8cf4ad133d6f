"""Processes that play seeds end with whoever started them, however that ends, and leave nothing behind."""

import math
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from huntgroup_onebox.sim.workers import WorkerEndedError, Workers

pytestmark = pytest.mark.sim

SIM = [sys.executable, "-m", "huntgroup_onebox.cli", "sim", "--seeds", "5000", "--workers", "2"]
WITHIN_S = 60.0


def children_of(pid: int) -> set[int]:
    """Return the processes that one has started and that still run."""
    found = set()
    for status in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = status.read_text().rpartition(")")[2].split()
        except OSError:
            continue  # it has ended meanwhile
        if fields[0] != "Z" and int(fields[1]) == pid:
            found.add(int(status.parent.name))
    return found


def running(pids: set[int]) -> set[int]:
    """Return those that run still."""
    left = set()
    for pid in pids:
        try:
            state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
        except OSError:
            continue
        if state != "Z":
            left.add(pid)
    return left


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="looks at processes in /proc")
@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 130), (signal.SIGKILL, -9)])
def test_the_workers_end_with_the_command(number: signal.Signals, code: int) -> None:
    with subprocess.Popen(SIM, stderr=subprocess.PIPE, text=True) as sim:
        assert sim.stderr is not None
        assert "/5000 seeds" in sim.stderr.readline()  # how far it is: all workers are at work
        workers = children_of(sim.pid)
        assert len(workers) >= 2
        sim.send_signal(number)
        _, said = sim.communicate(timeout=WITHIN_S)
    assert sim.returncode == code
    assert "leaked" not in said
    assert "Traceback" not in said
    if number is signal.SIGTERM:
        assert " of 5000 seeds" in said
    ends_s = time.monotonic() + WITHIN_S
    while running(workers) and time.monotonic() < ends_s:
        time.sleep(0.1)
    assert not running(workers)


def test_every_part_is_played_once() -> None:
    with Workers[int, int](math.factorial, 2) as workers:
        assert sorted(workers.found([1, 2, 3, 4, 5])) == [1, 2, 6, 24, 120]


def test_a_worker_that_ends_by_itself_is_named() -> None:
    with (
        Workers[int, int](sys.exit, 1) as workers,
        pytest.raises(WorkerEndedError, match="a worker ended with exit code 7"),
    ):
        list(workers.found([7]))
