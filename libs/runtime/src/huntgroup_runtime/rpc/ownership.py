"""Carries a call to the owner of its domain: here, or at another replica, for as long as the deadline lasts."""

import asyncio
import random
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractContextManager, ExitStack, nullcontext
from typing import Final

import grpc

from huntgroup_eventlog.application import (
    CommandFailedError,
    NotOwnerError,
    OutcomeUnknownError,
    PartitionHaltedError,
)
from huntgroup_runtime.ports import Journals
from huntgroup_runtime.rpc import errors
from huntgroup_runtime.rpc.admission import Shed
from huntgroup_runtime.rpc.deadline import remaining_s
from huntgroup_runtime.rpc.errors import RpcRefusedError, from_rpc_error
from huntgroup_runtime.rpc.forwarding import (
    HOPS_MAX,
    SERVED,
    Peers,
    StreamNotTakenError,
    forwarded_metadata,
    hops_of,
)
from huntgroup_runtime.rpc.guard import Context

ATTEMPT_S: Final = 2.0
"""A replica that does not answer for so long is asked no more: ownership moves on within that time."""
OWNER_WAIT_S: Final = 10.0
"""A new stream waits so long for an owner; its own end may be an hour away."""
ANSWER_MARGIN_S: Final = 0.05
"""Waiting stops so long before the deadline, so that the caller still learns the reason."""

_PAUSE_S: Final = 0.01
_PAUSE_S_MAX: Final = 0.25


class Pauses:
    """Pauses between tries: longer and longer up to a bound, with jitter, and none beyond the end."""

    def __init__(self, left_s: float) -> None:
        self._end = asyncio.get_running_loop().time() + left_s - ANSWER_MARGIN_S
        self._pause_s = _PAUSE_S

    async def next(self) -> bool:
        """Wait a little; False at once when the end would be passed."""
        pause_s = self._pause_s * random.uniform(0.5, 1.0)  # noqa: S311 - only spreads retries
        if asyncio.get_running_loop().time() + pause_s >= self._end:
            return False
        await asyncio.sleep(pause_s)
        self._pause_s = min(self._pause_s * 2, _PAUSE_S_MAX)
        return True


class OwnerRouter:
    """Finds the owner for one service's calls."""

    def __init__(self, journals: Journals, peers: Peers) -> None:
        self._journals = journals
        self._peers = peers

    async def unary(
        self,
        method: str,
        request: bytes,
        context: Context,
        serve: Callable[[], Awaitable[bytes | Shed]],
        *,
        seeking: Callable[[], AbstractContextManager[None]] = nullcontext,
    ) -> bytes | Shed:
        """Return what `serve` or the owner's replica answers; tries again while nobody is the owner.

        `serve` must be safe to repeat; `seeking` is entered for as long as it is tried again. Raises what they raise,
        or `RpcRefusedError` with what the owner said; UNAVAILABLE with the reason NO_OWNER or OUTCOME_UNKNOWN when
        the deadline is near. A call that was under way when its partition halted waits for the next owner.
        """
        pauses: Pauses | None = None
        unknown = False
        with ExitStack() as waiting:
            while True:
                reason, address = errors.NO_OWNER, ""
                try:
                    return await serve()
                except NotOwnerError as error:
                    address = error.address
                except OutcomeUnknownError:
                    reason = errors.OUTCOME_UNKNOWN
                except PartitionHaltedError as error:
                    if pauses is None or isinstance(error, CommandFailedError):
                        raise
                hops = hops_of(context)
                if self._may_forward(address, hops):
                    try:
                        return await self._forward(address, method, request, context, hops)
                    except _TryAgainError as error:
                        reason = error.reason
                    except RpcRefusedError as refused:
                        if pauses is None or not errors.is_halted_before(refused):
                            raise
                unknown = unknown or reason == errors.OUTCOME_UNKNOWN
                if unknown:
                    reason = errors.OUTCOME_UNKNOWN
                # Only the replica that was called first tries again: tries must not multiply.
                if hops > 0:
                    raise unavailable(reason)
                if pauses is None:
                    pauses = Pauses(remaining_s())
                    _let_wait(waiting, seeking(), reason)
                if not await pauses.next():
                    raise unavailable(reason)

    async def stream(
        self,
        method: str,
        domain: str,
        first: bytes,
        rest: AsyncIterator[bytes],
        context: Context,
        *,
        serve: Callable[[], Awaitable[None]],
    ) -> None:
        """Let `serve` or the owner's replica take a stream; tries again until one has taken it, not after."""
        hops = hops_of(context)
        pauses = Pauses(min(OWNER_WAIT_S, remaining_s()))
        while True:
            if self._journals.owns(domain):
                await context.send_initial_metadata(((SERVED, "here"),))
                await serve()
                return
            address = self._journals.owner_address(domain)
            if self._may_forward(address, hops):
                try:
                    await self._peers.stream(
                        address,
                        method,
                        first,
                        rest,
                        context,
                        metadata=forwarded_metadata(context, hops + 1),
                        timeout_s=remaining_s(),
                    )
                except StreamNotTakenError:
                    pass
                else:
                    return
            if hops > 0 or not await pauses.next():
                raise unavailable(errors.NO_OWNER)

    def _may_forward(self, address: str, hops: int) -> bool:
        return bool(address) and address != self._peers.own_address and hops < HOPS_MAX

    async def _forward(
        self, address: str, method: str, request: bytes, context: Context, hops: int
    ) -> bytes:
        left_s = remaining_s()
        attempt_s = min(left_s, ATTEMPT_S)
        try:
            return await self._peers.unary(
                address,
                method,
                request,
                metadata=forwarded_metadata(context, hops + 1),
                timeout_s=attempt_s,
            )
        except grpc.aio.AioRpcError as error:
            refused = from_rpc_error(error)
            if refused.status is grpc.StatusCode.UNAVAILABLE:
                raise _TryAgainError(refused.reason or errors.NO_OWNER) from None
            if refused.status is grpc.StatusCode.DEADLINE_EXCEEDED and attempt_s < left_s:
                raise _TryAgainError(errors.OUTCOME_UNKNOWN) from None
            raise refused from None


def _let_wait(waiting: ExitStack, seeking: AbstractContextManager[None], reason: str) -> None:
    try:
        waiting.enter_context(seeking)
    except RpcRefusedError:
        if reason == errors.OUTCOME_UNKNOWN:
            raise unavailable(
                reason
            ) from None  # it may have been done: nobody may say that it was not
        raise


class _TryAgainError(Exception):
    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


def unavailable(reason: str) -> RpcRefusedError:
    """Return the answer to a call that found no owner in time."""
    detail = (
        "ownership moved while the command was under way; repeat the same request"
        if reason == errors.OUTCOME_UNKNOWN
        else "no replica serves the domain at the moment; repeat the same request"
    )
    return RpcRefusedError(grpc.StatusCode.UNAVAILABLE, reason, detail)
