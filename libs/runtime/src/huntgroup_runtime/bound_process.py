"""Starts a process that never outlives the one that started it."""

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Mapping, Sequence
from concurrent.futures import Future
from pathlib import Path

_PR_SET_PDEATHSIG = 1


def spawn_bound(
    command: Sequence[str],
    log: Path,
    *,
    environment: Mapping[str, str] | None = None,
    keep_log: bool = False,
) -> subprocess.Popen[bytes]:
    """Start a process that is killed when this one ends, however it ends; it writes to `log`. Raises `OSError`.

    `environment` is this process's own when none is given; `keep_log` writes behind what is in `log` already.
    Linux kills it at the end of the thread that started it; so one thread each starts it and stays until it ends.
    """
    started: Future[subprocess.Popen[bytes]] = Future()

    def hold() -> None:
        try:
            with log.open("ab" if keep_log else "wb") as output:
                process = subprocess.Popen(  # noqa: S603 - fixed program, own arguments
                    _bound(command),
                    env=environment,
                    stdin=subprocess.DEVNULL,
                    stdout=output,
                    stderr=subprocess.STDOUT,
                    start_new_session=True,
                )
        except OSError as error:
            started.set_exception(error)
        else:
            started.set_result(process)
            process.wait()

    threading.Thread(target=hold, name="bound-process", daemon=True).start()
    return started.result()


def _bound(command: Sequence[str]) -> Sequence[str]:
    """Return a command that first asks Linux to be killed with its parent.

    Not a function between fork and exec: a process with threads may not run much there, and gRPC complains.
    """
    if sys.platform != "linux":
        return command
    program = (
        "import ctypes, os, sys;"
        f"ctypes.CDLL(None).prctl({_PR_SET_PDEATHSIG}, {int(signal.SIGKILL)}, 0, 0, 0);"
        # It may be too late already.
        f"os.getppid() == {os.getpid()} and os.execv(sys.argv[1], sys.argv[1:])"
    )
    return [sys.executable, "-I", "-S", "-c", program, *command]
