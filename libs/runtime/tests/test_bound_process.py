"""What a process starts for itself does not outlive it, and keeps its log."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from huntgroup_runtime.bound_process import spawn_bound

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells the children")

START_AND_WAIT = """
import sys, threading
from pathlib import Path
from huntgroup_runtime.bound_process import spawn_bound
print(spawn_bound(["/bin/sleep", "600"], Path(sys.argv[1])).pid, flush=True)
threading.Event().wait()
"""
WITHIN_S = 30.0


def runs(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return False
    return state != "Z"


def name(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/comm").read_text().strip()
    except OSError:
        return ""


def comes(holds: Callable[[], bool]) -> bool:
    end_s = time.monotonic() + WITHIN_S
    while not holds() and time.monotonic() < end_s:
        time.sleep(0.01)
    return holds()


@pytest.mark.parametrize("frozen", [False, True])
def test_a_child_is_killed_when_its_parent_is(tmp_path: Path, *, frozen: bool) -> None:
    command = [sys.executable, "-c", START_AND_WAIT, str(tmp_path / "log")]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as parent:
        assert parent.stdout
        child = int(parent.stdout.readline())
        assert comes(lambda: name(child) == "sleep")
        if frozen:
            os.kill(child, signal.SIGSTOP)
        parent.kill()
    ended = comes(lambda: not runs(child))
    if not ended:
        os.kill(child, signal.SIGKILL)
    assert ended


@pytest.mark.parametrize(("keep_log", "expected"), [(False, "new\n"), (True, "old\nnew\n")])
def test_a_child_gets_its_environment_and_writes_to_its_log(
    tmp_path: Path, *, keep_log: bool, expected: str
) -> None:
    log = tmp_path / "log"
    log.write_text("old\n")
    process = spawn_bound(
        ["/bin/sh", "-c", "echo $SAID"], log, environment={"SAID": "new"}, keep_log=keep_log
    )
    assert process.wait(WITHIN_S) == 0
    assert log.read_text() == expected
