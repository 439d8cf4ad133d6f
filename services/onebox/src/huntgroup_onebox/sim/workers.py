"""Processes that play seeds: each is given a few, tells what became of them, and is given more."""

import os
import signal
import threading
from collections.abc import Callable, Iterator, Sequence
from multiprocessing import get_context, parent_process
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from typing import Generic, TypeVar

Part = TypeVar("Part")
Found = TypeVar("Found")


class WorkerEndedError(RuntimeError):
    """A worker process ended before it had told what it found."""


class Workers(Generic[Part, Found]):
    """Plays parts on several processes. Used as a context manager, whose end is theirs, whatever they are at.

    Pipes alone join them: whoever kills the parent leaves no semaphore behind, and the workers see that it is gone.
    """

    def __init__(self, play: Callable[[Part], Found], count: int) -> None:
        """Have `count` processes call `play`, which must be importable."""
        self._play = play
        self._count = count
        self._processes: dict[Connection, BaseProcess] = {}

    def __enter__(self) -> "Workers[Part, Found]":
        return self

    def __exit__(self, *_: object) -> None:
        for process in self._processes.values():
            process.kill()
        for pipe, process in self._processes.items():
            process.join()
            pipe.close()
        self._processes.clear()

    def found(self, parts: Sequence[Part]) -> Iterator[Found]:
        """Yield what was found in each part, as it comes; raises `WorkerEndedError`."""
        waiting = iter(parts)
        for part in (next(waiting) for _ in range(min(self._count, len(parts)))):
            self._start().send(part)
        while self._processes:
            for pipe in wait(list(self._processes)):
                assert isinstance(pipe, Connection)
                found = self._received(pipe)
                try:
                    pipe.send(next(waiting))
                except StopIteration:
                    pipe.close()
                    self._processes.pop(pipe).join()
                yield found

    def _start(self) -> Connection:
        context = get_context("spawn")
        here, there = context.Pipe()
        process = context.Process(target=_work, args=(there, self._play), daemon=True)
        process.start()
        there.close()
        self._processes[here] = process
        return here

    def _received(self, pipe: Connection) -> Found:
        try:
            found: Found = pipe.recv()
        except (EOFError, ConnectionResetError):
            process = self._processes.pop(pipe)
            process.join()
            raise WorkerEndedError(f"a worker ended with exit code {process.exitcode}") from None
        return found


def _work(pipe: Connection, play: Callable[[Part], Found]) -> None:
    """Play what comes until there is no more; end with the parent, however that was."""
    # Ctrl-C reaches the whole group of processes: it is the parent's to answer.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    parent = parent_process()
    assert parent is not None

    def watch() -> None:
        wait([parent.sentinel])
        os._exit(1)

    threading.Thread(target=watch, name="parent", daemon=True).start()
    while True:
        try:
            part = pipe.recv()
            pipe.send(play(part))
        except (EOFError, BrokenPipeError, ConnectionResetError):
            return  # nobody is there to ask or to tell any more
