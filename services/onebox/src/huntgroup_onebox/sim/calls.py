"""Calls under way between two nodes: their messages in both directions, their end, and how a handler sees them."""

import asyncio
from collections.abc import Callable
from typing import Any, Final

import grpc
from grpc.aio import AioRpcError, Metadata

from huntgroup_onebox.sim.seeded_loop import Node, SeededLoop
from huntgroup_onebox.sim.weather import Weather

Pairs = tuple[tuple[str, str | bytes], ...]
UP_MESSAGES_MAX: Final = 64
"""Messages that a client may be ahead of its reader; then it waits, as HTTP/2's window makes it."""
DOWN_MESSAGES_MAX: Final = 1
"""The same of a server: few, so that a story meets a reader who is too slow."""


class AbortedError(grpc.aio.AbortError):
    """Ends a handler that has answered with a status."""


def rpc_error(code: grpc.StatusCode, detail: str, trailing: Pairs = ()) -> AioRpcError:
    """Return a call's end as a client sees it."""
    return AioRpcError(code, Metadata(), Metadata(*trailing), detail)


class Pipe:
    """Messages of one direction of a stream, in order; bounded."""

    def __init__(self, loop: SeededLoop, weather: Weather, messages_max: int) -> None:
        self._loop = loop
        self._weather = weather
        self._messages_max = messages_max
        self._messages: list[bytes | None] = []
        self._sent = 0
        self._changed: list[asyncio.Future[None]] = []
        self._at_s = 0.0
        self.broken: AioRpcError | None = None

    async def send(self, message: bytes | None) -> None:
        """Send a message, or None for the end; waits while the reader is far behind. Raises when broken.

        Who gives up waiting has sent it all the same, as with gRPC, which takes no write back.
        """
        try:
            while self._sent >= self._messages_max and self.broken is None:
                await self._wait()
        except asyncio.CancelledError:
            if self.broken is None:
                self._hand_over(message)
            raise
        if self.broken is not None:
            raise self.broken
        self._hand_over(message)

    def _hand_over(self, message: bytes | None) -> None:
        self._sent += 1
        delay_s = max(self._weather.delay_s(), self.next_after_s())
        self._at_s = self._loop.time() + delay_s
        self._loop.call_in_world(delay_s, self._arrive, message)

    def next_after_s(self) -> float:
        """Return in how long, at the earliest, something arrives that is sent now: nothing overtakes."""
        return self._at_s + 1e-6 - self._loop.time()

    async def receive(self) -> bytes | None:
        """Return the next message, None at the end; raises when broken."""
        while not self._messages:
            if self.broken is not None:
                raise self.broken
            await self._wait()
        message = self._messages.pop(0)
        self._sent -= 1
        self._announce()
        return message

    def break_off(self, error: AioRpcError) -> None:
        """End both sides."""
        if self.broken is None:
            self.broken = error
            self._announce()

    def _arrive(self, message: bytes | None) -> None:
        self._messages.append(message)
        self._announce()

    def _announce(self) -> None:
        waiting, self._changed = self._changed, []
        for woken in waiting:
            if not woken.done():
                woken.set_result(None)

    async def _wait(self) -> None:
        woken: asyncio.Future[None] = self._loop.create_future()
        self._changed.append(woken)
        await woken


class Served:
    """A call as its handler sees it: what stands for `grpc.aio.ServicerContext`."""

    def __init__(self, call: "Call") -> None:
        self._call = call
        self._code: grpc.StatusCode | None = None
        self._details = ""
        self._trailing: Pairs = ()

    def invocation_metadata(self) -> Pairs:
        return self._call.metadata

    def time_remaining(self) -> float:
        return max(0.0, self._call.ends_s - self._call.loop.time())

    def cancelled(self) -> bool:
        return self._call.over

    def code(self) -> grpc.StatusCode | None:
        return self._code

    def set_code(self, code: grpc.StatusCode) -> None:
        self._code = code

    def set_details(self, details: str) -> None:
        self._details = details

    def set_trailing_metadata(self, metadata: Pairs) -> None:
        self._trailing = metadata

    def answer(self, response: bytes) -> bytes | AioRpcError:
        """Return what the caller gets: the response, or the status that was set instead."""
        if self._code is None:
            return response
        return rpc_error(self._code, self._details, self._trailing)

    async def send_initial_metadata(self, metadata: Pairs) -> None:
        self._call.initial(metadata)

    async def write(self, message: bytes) -> None:
        try:
            await self._call.down.send(message)
        except AioRpcError:
            await asyncio.Event().wait()  # whose client has gone is cancelled

    async def abort_with_status(self, status: grpc.Status) -> None:
        self._code = status.code
        trailing = tuple(status.trailing_metadata or ())
        self._call.answer_later(rpc_error(status.code, status.details, trailing))
        raise AbortedError


class Call:
    """One call under way between two nodes."""

    def __init__(
        self,
        loop: SeededLoop,
        weather: Weather,
        caller: Node,
        server: Node,
        *,
        metadata: Pairs,
        timeout_s: float,
        unary: bool,
    ) -> None:
        self.unary = unary
        self.loop = loop
        self.caller = caller
        self.server = server
        self.metadata = metadata
        self.ends_s = loop.time() + timeout_s
        self.up = Pipe(loop, weather, UP_MESSAGES_MAX)
        self.down = Pipe(loop, weather, DOWN_MESSAGES_MAX)
        self.taken: asyncio.Future[Pairs] = loop.create_future()
        self.done: asyncio.Future[bytes] = loop.create_future()
        self.task: asyncio.Task[Any] | None = None
        self.before_reply: Callable[[], bool] = bool
        self.ended: Callable[[], object] = bool
        self._over = False
        self._expiry = loop.call_later(timeout_s, self.expire)
        self._weather = weather

    @property
    def over(self) -> bool:
        """Whether the caller waits no longer."""
        return self._over

    def initial(self, metadata: Pairs) -> None:
        """Send the initial metadata to the caller."""
        self.loop.call_in_world(self._weather.delay_s(), self._taken, metadata)

    def answer_later(self, outcome: bytes | AioRpcError) -> None:
        """Send the answer, or how the call ended, behind all messages; that of a unary call may get lost."""
        if self.before_reply():
            return
        lost = self.unary and self._weather.loses()
        if not lost and self._weather.connected(self.caller, self.server):
            delay_s = max(self._weather.delay_s(), self.down.next_after_s())
            self.loop.call_in_world(delay_s, self.end, outcome)

    def end(self, outcome: bytes | AioRpcError) -> None:
        """Let the caller have it; only the first end counts."""
        if self._over:
            return
        self._over = True
        self._expiry.cancel()
        self.ended()
        if not self.done.done():
            if isinstance(outcome, AioRpcError):
                self.done.set_exception(outcome)
                self.done.exception()  # whoever still wants it gets it; nobody needs to
            else:
                self.done.set_result(outcome)
        error = outcome if isinstance(outcome, AioRpcError) else rpc_error(grpc.StatusCode.OK, "")
        self.up.break_off(error)
        self.down.break_off(error)
        if not self.taken.done():
            self.taken.set_result(())
        if self.task is None or not self.task.done():
            self.loop.call_in_world(self._weather.delay_s(), self._cancel_served)

    def cancel(self) -> None:
        """The caller gives up; the server hears of it soon."""
        self.end(rpc_error(grpc.StatusCode.CANCELLED, "given up"))

    def expire(self) -> None:
        """The deadline has come: the caller knows at once, the server soon."""
        self.end(rpc_error(grpc.StatusCode.DEADLINE_EXCEEDED, "no answer in time"))

    def _taken(self, metadata: Pairs) -> None:
        if not self.taken.done():
            self.taken.set_result(metadata)

    def _cancel_served(self) -> None:
        if self.task is not None and self.server.alive:
            self.task.cancel()
