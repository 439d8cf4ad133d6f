"""What every served call goes through: a deadline, a span, and statuses that tell callers enough and never too much."""

import asyncio
import inspect
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import aclosing, nullcontext, suppress
from typing import Any, Final, TypeAlias

import grpc
import structlog

from huntgroup_eventlog.application import (
    CommandFailedError,
    CommandReusedError,
    NotOwnerError,
    OutcomeUnknownError,
    OverloadedError,
    PartitionHaltedError,
)
from huntgroup_runtime.metrics import Counter
from huntgroup_runtime.rpc import errors
from huntgroup_runtime.rpc.admission import Shed
from huntgroup_runtime.rpc.deadline import CallLimits, remaining_s
from huntgroup_runtime.rpc.door import KNOCK
from huntgroup_runtime.rpc.errors import RpcRefusedError, to_status
from huntgroup_runtime.rpc.gate import answer_to
from huntgroup_runtime.rpc.work import work_of_path
from huntgroup_runtime.telemetry import RpcCall, Telemetry

Context = grpc.aio.ServicerContext[Any, Any]
Handler: TypeAlias = "grpc.RpcMethodHandler[Any, Any]"  # generic in its stubs only
Continuation: TypeAlias = "Callable[[grpc.HandlerCallDetails], Awaitable[Handler | None]]"

TRACEPARENT: Final = "traceparent"
TOLD_WITHIN_S: Final = 1.0
"""A status waits behind messages that are not read; no handler waits longer than this for it."""
_STATUSES: Final = {code.value[0]: code for code in grpc.StatusCode}

_log = structlog.stdlib.get_logger(__name__)


class CallGuard(grpc.aio.ServerInterceptor):
    """Wraps each handler of a server once, when it is called first."""

    def __init__(self, limits: CallLimits, telemetry: Telemetry) -> None:
        self._limits = limits
        self._telemetry = telemetry
        self._guarded: dict[str, Handler] = {}
        self._streams: set[asyncio.Task[Any]] = set()
        self._ended: set[asyncio.Task[Any]] = set()
        self._turned_away: dict[tuple[str, str], Counter] = {}
        """By method and reason: as many as there are of both."""

    async def intercept_service(
        self, continuation: Continuation, handler_call_details: grpc.HandlerCallDetails
    ) -> "Handler | None":
        method = handler_call_details.method
        if method == KNOCK:
            return await continuation(handler_call_details)
        guarded = self._guarded.get(method)
        if guarded is None:
            handler = await continuation(handler_call_details)
            if handler is None:
                return None
            guarded = self._guarded[method] = self._guard(handler, method.lstrip("/"))
        return guarded

    def end_streams(self) -> None:
        """End all streams with UNAVAILABLE, reason DRAINING; for a process that is about to stop."""
        for task in self._streams - self._ended:
            self._ended.add(task)
            task.cancel()

    async def streams_ended(self, within_s: float) -> None:
        """Return when the streams that were told to end have ended, or after so long."""
        if self._streams:
            await asyncio.wait(self._streams, timeout=within_s)

    def _guard(self, handler: Handler, method: str) -> Handler:
        codec = (handler.request_deserializer, handler.response_serializer)
        if handler.unary_unary:
            unary = self._unary(handler.unary_unary, method)
            return grpc.unary_unary_rpc_method_handler(unary, *codec)
        if handler.stream_unary:
            unary = self._unary(handler.stream_unary, method, streaming=True)
            return grpc.stream_unary_rpc_method_handler(unary, *codec)
        if handler.unary_stream:
            stream = self._stream(handler.unary_stream, method)
            return grpc.unary_stream_rpc_method_handler(stream, *codec)
        stream = self._stream(handler.stream_stream, method)
        return grpc.stream_stream_rpc_method_handler(stream, *codec)

    def _unary(self, inner: Any, method: str, *, streaming: bool = False) -> Any:
        codes = reason_domain(method)

        async def guarded(request: Any, context: Context) -> Any:
            with self._telemetry.server_call(method, traceparent_of(context)) as call:
                timeout = self._limits.begin(context.time_remaining(), streaming=streaming)
                try:
                    if timeout is None:  # as nearly always: then gRPC itself ends the call
                        _check_wanted(context)
                        response = await inner(request, context)
                    else:
                        async with timeout:
                            _check_wanted(context)
                            response = await inner(request, context)
                except BaseException as error:
                    if await self._fail(_own_timeout(error, timeout), method, context, call):
                        raise
                    return None
                if isinstance(response, Shed):
                    # Said without an exception and from what is made already: an overload is full of it.
                    status = answer_to(response, codes)
                    context.set_code(status.code)
                    context.set_details(status.details)
                    context.set_trailing_metadata(status.trailing_metadata)
                    self._count(response.reason, method)
                    call.finish(status.code)
                    return b""
                call.finish(grpc.StatusCode.OK)
                return response

        return guarded

    def _stream(self, inner: Any, method: str) -> Any:
        run = _writing(inner) if inspect.isasyncgenfunction(inner) else inner

        async def guarded(request: Any, context: Context) -> None:
            task = asyncio.current_task()
            assert task is not None
            self._streams.add(task)
            with self._telemetry.server_call(method, traceparent_of(context)) as call:
                timeout = self._limits.begin(context.time_remaining(), streaming=True)
                try:
                    async with timeout or nullcontext():
                        await run(request, context)
                except BaseException as error:
                    # A caller who reads nothing learns it later, and holds nobody up.
                    with suppress(TimeoutError):
                        async with asyncio.timeout(TOLD_WITHIN_S):
                            if await self._fail(
                                _own_timeout(error, timeout), method, context, call
                            ):
                                raise
                else:
                    call.finish(grpc.StatusCode.OK)
                finally:
                    self._streams.discard(task)
                    self._ended.discard(task)

        return guarded

    async def _fail(
        self, error: BaseException, method: str, context: Context, call: RpcCall
    ) -> bool:
        """Answer with the status that fits `error`, and raise what gRPC raises when a call is aborted.

        True: the error is to be raised as it is.
        """
        if isinstance(error, grpc.aio.AbortError):
            call.finish(_status_of(context))
            return True
        ended = asyncio.current_task() in self._ended
        if isinstance(error, asyncio.CancelledError) and not ended:
            call.finish(grpc.StatusCode.CANCELLED)
            return True
        if not isinstance(error, Exception | asyncio.CancelledError):
            return True
        refused = self._refusal(error, method)
        call.finish(refused.status)
        await self._tell(refused, method, context)
        return False

    async def _tell(self, refused: RpcRefusedError, method: str, context: Context) -> None:
        if not refused.elsewhere:
            self._count(refused.reason, method)
        await context.abort_with_status(to_status(refused, reason_domain(method)))

    def _count(self, reason: str, method: str) -> None:
        """Count what this process turned away, whichever bound did it; what another one did, it counts itself."""
        if reason == errors.SLOW_READER:
            self._telemetry.counter("huntgroup.streams.cut", {"rpc.method": method}).add()
        elif reason in errors.SHED:
            counter = self._turned_away.get((method, reason))
            if counter is None:
                words = {"huntgroup.service": service_of(method), "reason": reason}
                work = work_of_path(method).value
                counter = self._telemetry.counter(
                    "huntgroup.admission.shed", {**words, "work": work}
                )
                self._turned_away[method, reason] = counter
            counter.add()

    def _refusal(self, error: BaseException, method: str) -> RpcRefusedError:
        refused = known_refusal(error)
        if refused is None:
            _log.error("rpc failed", method=method, exc_info=error)
            return RpcRefusedError(
                grpc.StatusCode.INTERNAL,
                errors.INTERNAL_FAULT,
                "a fault of this service; nothing of it is told here",
            )
        if refused.reason == errors.PARTITION_HALTED:
            _log.error("rpc met a halted partition", method=method, error=str(error))
        return refused


def _check_wanted(context: Context) -> None:
    """Raise `RpcRefusedError` when nobody waits for the answer any more: no work is done for it."""
    if context.cancelled() or remaining_s() <= 0:
        status = grpc.StatusCode.DEADLINE_EXCEEDED
        raise RpcRefusedError(status, errors.DEADLINE_PASSED, "the call ended before it was begun")


def known_refusal(error: BaseException) -> RpcRefusedError | None:
    """Return the refusal that an error of the journal or of time means, or None for a bug."""
    match error:
        case RpcRefusedError():
            return error
        case asyncio.CancelledError():
            unavailable = grpc.StatusCode.UNAVAILABLE
            return RpcRefusedError(unavailable, errors.DRAINING, "this replica is stopping")
        case OverloadedError():
            return RpcRefusedError(
                grpc.StatusCode.RESOURCE_EXHAUSTED,
                errors.OVERLOADED,
                str(error),
                retry_after_ms=error.retry_after_ms,
            )
        case CommandReusedError():
            status = grpc.StatusCode.INVALID_ARGUMENT
            return RpcRefusedError(status, errors.COMMAND_ID_REUSED, str(error))
        case PartitionHaltedError():
            return errors.halted(by_this_command=isinstance(error, CommandFailedError))
        case NotOwnerError():
            detail = "this replica does not own the domain any more"
            return RpcRefusedError(grpc.StatusCode.UNAVAILABLE, errors.NO_OWNER, detail)
        case OutcomeUnknownError():
            detail = "ownership moved; repeat the same request"
            return RpcRefusedError(grpc.StatusCode.UNAVAILABLE, errors.OUTCOME_UNKNOWN, detail)
        case _:
            return None


def traceparent_of(context: Context) -> str:
    """Return the caller's trace context as it was sent, unchecked."""
    for key, value in context.invocation_metadata() or ():
        if key == TRACEPARENT and isinstance(value, str):
            return value
    return ""


def reason_domain(method: str) -> str:
    """Return whose reason codes a method answers with: `huntgroup.agent-state` for `huntgroup.agent_state.v1.…`."""
    package = method.partition("/")[0].split(".")
    return ".".join(package[:2]).replace("_", "-")


def service_of(full_name: str) -> str:
    """Return a service as topics and metrics call it: `agent-state` for `huntgroup.agent_state.v1.…`."""
    return full_name.split(".")[1].replace("_", "-")


def _writing(inner: Callable[[Any, Context], AsyncIterator[Any]]) -> Any:
    async def write_all(request: Any, context: Context) -> None:
        async with aclosing(inner(request, context)) as responses:  # type: ignore[type-var]
            async for response in responses:
                await context.write(response)

    return write_all


def _own_timeout(error: BaseException, timeout: asyncio.Timeout | None) -> BaseException:
    """Return `error`, told apart from a handler's own time-out: only the call's end is DEADLINE_EXCEEDED."""
    if isinstance(error, TimeoutError) and timeout is not None and timeout.expired():
        status = grpc.StatusCode.DEADLINE_EXCEEDED
        return RpcRefusedError(status, errors.DEADLINE_PASSED, "the call took too long")
    return error


def _status_of(context: Context) -> grpc.StatusCode:
    code: Any = context.code()  # a number, whatever the stubs say
    return code if isinstance(code, grpc.StatusCode) else _STATUSES[code]
