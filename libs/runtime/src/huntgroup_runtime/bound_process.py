"""Starts a process that never outlives the one that started it."""

import ctypes
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from pathlib import Path

_PR_SET_PDEATHSIG = 1


def spawn_bound(command: Sequence[str], log: Path) -> subprocess.Popen[bytes]:
    """Start a process that is killed when this one ends, however it ends; it writes to `log`. Raises `OSError`.

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
            started.set_exception(error)
        else:
            started.set_result(process)
            process.wait()

    threading.Thread(target=hold, name="bound-process", daemon=True).start()
    return started.result()


def _die_with_parent() -> Callable[[], object] | None:
    """Return what the new process does before it becomes what it is to be: ask Linux to be killed with its parent."""
    if sys.platform != "linux":
        return None
    prctl = ctypes.CDLL(None).prctl
    return lambda: prctl(_PR_SET_PDEATHSIG, int(signal.SIGKILL), 0, 0, 0)
