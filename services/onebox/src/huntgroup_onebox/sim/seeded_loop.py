"""An asyncio event loop in which time is a number, and whose callbacks belong to nodes that can die or freeze.

Real code runs on it unchanged. Nothing is waited for: when nothing is ready, time jumps to the next timer. There are no
sockets and no threads, so equal programs run equally, callback by callback.
"""

# ruff: noqa: SLF001 - a loop of one's own is made of asyncio's inner parts
import asyncio
import contextvars
import heapq
from asyncio import base_events, events
from collections import deque
from collections.abc import Callable
from typing import Any


class Node:
    """A machine of the simulated world: what runs in its context stops when it dies, and waits while it is frozen."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.alive = True
        self.context = contextvars.copy_context()
        self.context.run(_NODE.set, self)
        self.backlog: list[events.Handle] | None = None
        """What waits while the node is frozen; None while it runs."""
        self.calls: set[events.Handle] = set()
        """Those of them that others sent."""

    def __repr__(self) -> str:
        return self.name


_NODE: contextvars.ContextVar[Node | None] = contextvars.ContextVar("node", default=None)


def node_of_this_task() -> Node | None:
    """Return the node whose code is running, or None for the world's own."""
    return _NODE.get()


class Timer(asyncio.TimerHandle):
    """A callback to come: asyncio's, without what its debug mode needs, for a story makes ten thousand of them."""

    def __init__(  # a handle of the loop's own, whose base would ask the loop
        self,
        when: float,
        callback: Callable[..., object],
        args: Any,
        context: contextvars.Context | None,
    ) -> None:
        self._when = when
        self._callback = callback
        self._args = args
        self._context = contextvars.copy_context() if context is None else context
        self._cancelled = False
        self._scheduled = True
        self._source_traceback = None

    def cancel(self) -> None:
        self._cancelled = True


EPOCH_MS = 1_700_000_000_000
"""When stories begin."""
UNHEARD_S = 3.0
"""Longer than an append is waited for."""
CALLBACKS_MAX = 400_000
"""A story that needs more spins on the spot."""


class StalledError(RuntimeError):
    """Nothing is ready and nobody waits for any time: the world would stand still for ever."""


class SeededLoop(base_events.BaseEventLoop):
    """The loop of one story. `asyncio.run` cannot make it: use `run_until_complete`."""

    _ready: deque[events.Handle]
    _stopping: bool

    def __init__(self) -> None:
        super().__init__()
        self.callbacks = 0
        """How many have run."""
        self.faults: list[dict[str, Any]] = []
        """What nobody caught: each is a bug of the code that is simulated."""
        self._now_s = 0.0
        self._order = 0
        self._timers: list[tuple[float, int, asyncio.TimerHandle]] = []
        self._made: list[asyncio.Task[Any]] = []
        self._unjudged: list[tuple[asyncio.Task[Any], Node | None]] = []
        self._unasked: dict[asyncio.Task[Any], float] = {}
        self.set_task_factory(self._make_task)
        self.set_exception_handler(self._note_fault)

    def time(self) -> float:
        """Return the virtual time in seconds since the story began."""
        return self._now_s

    def now_ms(self) -> int:
        """Return what a clock shows that is right: milliseconds since the epoch."""
        return EPOCH_MS + round(self._now_s * 1_000)

    def freeze(self, node: Node) -> None:
        """Stop running what belongs to `node`, as SIGSTOP does."""
        if node.backlog is None:
            node.backlog = []

    def thaw(self, node: Node, *, calls_first_s: float = 0.0) -> None:
        """Go on where `freeze` stopped it; its timers that are due come at once.

        With `calls_first_s` it hears of calls so much earlier than of all else that came meanwhile: whoever is
        continued may find anything first.
        """
        waiting, node.backlog = node.backlog or [], None
        if calls_first_s:
            self._ready.extend(one for one in waiting if one in node.calls)
            waiting = [one for one in waiting if one not in node.calls]
            self.call_in_world(calls_first_s, self._ready.extend, waiting)
        else:
            self._ready.extend(waiting)
        node.calls.clear()

    def kill(self, node: Node) -> None:
        """End everything that belongs to `node` between two of its callbacks, without a word to anybody."""
        node.alive = False
        node.backlog = None

    def call_in_world(self, delay_s: float, callback: Callable[..., object], *args: object) -> None:
        """Call back later, whatever becomes of the node that is running now: the network's and the broker's part."""
        self.call_at(self._now_s + delay_s, callback, *args, context=_WORLD)

    def call_on(self, node: Node, delay_s: float, callback: Callable[..., object]) -> None:
        """Call back later as a part of `node`."""
        handle = self.call_at(self._now_s + delay_s, callback, context=node.context)
        if node.backlog is not None:
            node.calls.add(handle)

    def run_in_executor(  # type: ignore[override]
        self, executor: object, func: Callable[..., Any], *args: Any
    ) -> asyncio.Future[Any]:
        """Run at once: a thread would bring chance of its own."""
        del executor
        done: asyncio.Future[Any] = self.create_future()
        try:
            done.set_result(func(*args))
        except Exception as error:  # noqa: BLE001 - the caller's to handle
            done.set_exception(error)
        return done

    def _make_task(
        self, loop: asyncio.AbstractEventLoop, work: Any, **more: Any
    ) -> asyncio.Task[Any]:
        """Make a task that is kept for the whole story: no collector may end it in its own way."""
        task = asyncio.Task(work, loop=loop, **more)
        self._made.append(task)
        self._unjudged.append((task, _NODE.get()))
        return task

    def failed_unheard(self) -> list[tuple[str, BaseException]]:
        """Return who ran the tasks that failed, and how, about which nobody has asked for `UNHEARD_S`.

        asyncio says so when such a task is collected, but here tasks are kept. Who gathers several hears of the first
        failure when the last is done. Nobody knows what the dead would have heard.
        """
        left, unasked, found = [], dict[asyncio.Task[Any], float](), []
        for task, node in self._unjudged:
            if node is not None and not node.alive:
                continue
            if not task.done():
                left.append((task, node))
            elif task._log_traceback:
                since_s = self._unasked.get(task, self._now_s)
                if self._now_s - since_s < UNHEARD_S:
                    left.append((task, node))
                    if node is None or node.backlog is None:
                        unasked[task] = since_s
                elif (error := task.exception()) is not None:
                    found.append((node.name if node else "the world", error))
        self._unjudged, self._unasked = left, unasked
        return found

    def dispose(self) -> None:
        """Let go of everything that was under way."""
        self._made.clear()
        self._unjudged.clear()
        self._unasked.clear()
        self._ready.clear()
        self._timers.clear()
        self.close()

    def call_soon(  # type: ignore[override]
        self,
        callback: Callable[..., object],
        *args: Any,
        context: contextvars.Context | None = None,
    ) -> asyncio.Handle:
        handle = Timer(self._now_s, callback, args, context)
        self._ready.append(handle)
        return handle

    def call_later(  # type: ignore[override]
        self,
        delay: float,
        callback: Callable[..., object],
        *args: Any,
        context: contextvars.Context | None = None,
    ) -> asyncio.TimerHandle:
        return self.call_at(self._now_s + delay, callback, *args, context=context)

    def call_at(  # type: ignore[override]
        self,
        when: float,
        callback: Callable[..., object],
        *args: Any,
        context: contextvars.Context | None = None,
    ) -> asyncio.TimerHandle:
        """Arrange a timer; those of one moment come in the order of the calls."""
        timer = Timer(when, callback, args, context)
        self._order += 1
        heapq.heappush(self._timers, (when, self._order, timer))
        return timer

    def _run_once(self) -> None:
        """Run what is ready, again and again, until stopped: asyncio's loop around it has nothing else to do.

        All in one place: it comes ten thousand times in a story.
        """
        ready, timers, pop, of = self._ready, self._timers, heapq.heappop, _NODE
        while not self._stopping:
            if not ready:
                self._now_s = max(self._now_s, self._next_at_s())
            now_s = self._now_s
            while timers and timers[0][0] <= now_s:
                ready.append(pop(timers)[2])
            for _ in range(len(ready)):
                handle = ready.popleft()
                if handle._cancelled:
                    continue
                node = handle._context.get(of)  # type: ignore[attr-defined]  # not in the stubs
                if node is not None:
                    if not node.alive:
                        continue
                    if node.backlog is not None:
                        node.backlog.append(handle)
                        continue
                self.callbacks += 1
                try:
                    handle._context.run(handle._callback, *handle._args)  # type: ignore[attr-defined]
                except Exception as error:  # noqa: BLE001 - whatever it is, it is a fault of the code that runs
                    message = f"Exception in callback {handle._callback}"  # type: ignore[attr-defined]
                    self.call_exception_handler({"message": message, "exception": error})
            if self.callbacks > CALLBACKS_MAX:
                raise StalledError(f"more than {CALLBACKS_MAX} callbacks, at {now_s:.3f} s")

    def _next_at_s(self) -> float:
        """Return the time of the next timer."""
        timers = self._timers
        while timers and timers[0][2]._cancelled:
            heapq.heappop(timers)
        if not timers:
            raise StalledError(f"nothing happens after {self._now_s:.3f} s")
        return timers[0][0]

    def _note_fault(self, loop: object, context: dict[str, Any]) -> None:
        del loop
        # What a dead node left behind is collected some time; that is no news.
        if "was destroyed but it is pending" not in context.get("message", ""):
            self.faults.append(context)

    def _asyncgen_firstiter_hook(self, agen: object) -> None:
        """Nothing: what a dead node left open is not to be closed in order."""

    def _asyncgen_finalizer_hook(self, agen: object) -> None:
        """Nothing, for the same reason."""

    def _write_to_self(self) -> None:
        """Nothing to wake: there is one thread."""

    def _process_events(self, event_list: object) -> None:
        """Nothing: there are no sockets."""


_WORLD = contextvars.copy_context()


def world_context() -> contextvars.Context:
    """Return where what is no node's runs: it goes on whatever becomes of the nodes."""
    return _WORLD
