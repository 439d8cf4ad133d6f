"""One gRPC service as a table: each rpc a command of the core, a query of its state, or a stream.

    api = RpcApi(SERVICE, journals=…, peers=…, telemetry=…, statuses={"UNKNOWN_CONTACT": StatusCode.NOT_FOUND})
    api.command("StartContact", StartContact)
    api.query("GetContact", get_contact)

Requests are checked against the rules of the .proto, then served here or carried to the owner of their domain.
"""

import zlib
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Mapping
from contextlib import AbstractContextManager, aclosing, nullcontext
from typing import Any, Final

import grpc
from google.protobuf.descriptor import MethodDescriptor, ServiceDescriptor
from google.protobuf.message import DecodeError, Message
from google.protobuf.message_factory import GetMessageClass

from huntgroup_contracts.codec import CommandCodec
from huntgroup_contracts.validation import violations
from huntgroup_eventlog.application import CommandOutcome, NotOwnerError, Refusal
from huntgroup_runtime.ports import Journals
from huntgroup_runtime.rpc import errors
from huntgroup_runtime.rpc.admission import Shed, Work
from huntgroup_runtime.rpc.errors import RpcRefusedError
from huntgroup_runtime.rpc.forwarding import Peers
from huntgroup_runtime.rpc.gate import Gate, refusal
from huntgroup_runtime.rpc.guard import Context, service_of
from huntgroup_runtime.rpc.ownership import OwnerRouter
from huntgroup_runtime.rpc.streams import PositionOf, write_all
from huntgroup_runtime.rpc.work import work_of
from huntgroup_runtime.telemetry import Telemetry, current_traceparent

Statuses = Mapping[str, grpc.StatusCode]
"""The status of each reason code; a reason that is not named means FAILED_PRECONDITION."""
Read = Callable[[Any, Any], Message | Refusal]
"""Makes the response of a query from (request, state): quick, without keeping or changing the state."""
Call = Callable[[Any], Awaitable[Message]]
Serve = Callable[[Any, Context], Awaitable[bytes | Shed]]
DomainOf = Callable[[Any], str]

_TEXT_MAX: Final = 1_000


class RpcApi:
    """The handlers of one gRPC service; `register` adds them to a server. Every rpc must be given, once."""

    def __init__(
        self,
        service: ServiceDescriptor,
        *,
        journals: Journals,
        peers: Peers,
        telemetry: Telemetry,
        statuses: Statuses | None = None,
    ) -> None:
        self.name: str = service.full_name
        self._service = service
        self._journals = journals
        self._telemetry = telemetry
        self._statuses = dict(statuses or {})
        self._router = OwnerRouter(journals, peers)
        self._handlers: dict[str, grpc.RpcMethodHandler[Any, Any]] = {}
        self.gate: Gate | None = None
        """Decides who is let in; None, where no server is in front: everybody."""

    def command(self, rpc: str, command_class: type) -> None:
        """Let `rpc` submit a `command_class`; its request has a `context`, its response a `receipt`.

        Raises `ContractMismatchError` when request and command do not say the same.
        """
        method = self._method(rpc)
        self._add_unary(method, self._command_server(method, command_class))

    def query(self, rpc: str, read: Read) -> None:
        """Let `rpc` answer with `read(request, state)` of the request's domain, at its owner.

        `read` raises `NotFoundError(reason, detail)` or returns a refusal when there is no answer.
        """
        method = self._method(rpc)
        work = work_of(method)

        async def serve(request: Message, _: Context) -> bytes | Shed:
            def read_now(state: Any) -> Message | Refusal:
                return read(request, state)

            domain = domain_of(request)
            with self._entered(domain, work) as shed:
                if shed is not None:
                    return shed
                return self._answer(await self._journals.query(domain, read_now))

        self._add_unary(method, serve)

    def unary(self, rpc: str, call: Call, *, at_owner: bool = True) -> None:
        """Let `rpc` answer with `await call(request)`: for answers that need more than the state.

        `call` must be safe to repeat; it may raise `NotFoundError` or `RpcRefusedError`. It runs at the owner of the
        request's domain, or with `at_owner=False` wherever the call comes in.
        """
        method = self._method(rpc)
        work = work_of(method)

        async def serve(request: Message, _: Context) -> bytes | Shed:
            domain = domain_of(request)
            if at_owner:
                self._require_owner(domain)
            with self._entered(domain, work, in_line=False) as shed:
                if shed is not None:
                    return shed
                return self._answer(await call(request))

        self._add_unary(method, serve)

    def unary_stream(
        self,
        rpc: str,
        follow: Callable[[Any], AsyncGenerator[Message, None]],
        *,
        position: PositionOf | None = None,
    ) -> None:
        """Let `rpc` answer with the messages of `follow(request)`, at the owner of the request's domain.

        A stream ends with UNAVAILABLE when `follow` raises `NotOwnerError`: its client opens it again. A reader who is
        too slow is told `position` of the last response that was sent; without it a new stream begins with everything.
        """

        def serve(requests: AsyncIterator[Any]) -> AsyncGenerator[Message, None]:
            async def responses() -> AsyncGenerator[Message, None]:
                request = await anext(requests)
                async with aclosing(follow(request)) as followed:
                    async for response in followed:
                        yield response

            return responses()

        self._add_stream(self._method(rpc), serve, domain_of, position)

    def stream_unary(
        self,
        rpc: str,
        take: Callable[[AsyncIterator[Any]], Awaitable[Message]],
        *,
        domain: DomainOf,
    ) -> None:
        """Let `rpc` answer with `await take(requests)`, at the owner of `domain(first request)`."""

        def serve(requests: AsyncIterator[Any]) -> AsyncGenerator[Message, None]:
            async def response() -> AsyncGenerator[Message, None]:
                yield await take(requests)

            return response()

        self._add_stream(self._method(rpc), serve, domain)

    def stream_stream(
        self,
        rpc: str,
        converse: Callable[[AsyncIterator[Any]], AsyncGenerator[Message, None]],
        *,
        domain: DomainOf,
    ) -> None:
        """Let `rpc` answer with the messages of `converse(requests)`, at the owner of `domain(first request)`."""
        self._add_stream(self._method(rpc), converse, domain)

    def register(self, server: grpc.aio.Server) -> None:
        """Add the handlers to `server`; raises `ValueError` when an rpc of the service has none."""
        missing = [
            method.name for method in self._service.methods if method.name not in self._handlers
        ]
        if missing:
            raise ValueError(f"rpcs of {self.name} without a handler: {', '.join(missing)}")
        handler = grpc.method_handlers_generic_handler(self.name, self._handlers)
        server.add_generic_rpc_handlers((handler,))

    def _method(self, rpc: str) -> MethodDescriptor:
        if rpc in self._handlers:
            raise ValueError(f"{self.name} has a handler of {rpc} already")
        method = self._service.methods_by_name.get(rpc)
        if method is None:
            raise ValueError(f"{self.name} has no rpc {rpc}")
        return method

    def _command_server(self, method: MethodDescriptor, command_class: type) -> Serve:
        codec: CommandCodec[Any, Any] = CommandCodec(
            GetMessageClass(method.input_type), command_class
        )
        response_class = GetMessageClass(method.output_type)
        path, work = method_path(method), work_of(method)
        words = {"huntgroup.service": service_of(self.name), "rpc.method": path.lstrip("/")}
        accepted = self._telemetry.counter("huntgroup.commands.accepted", words)
        repeated = self._telemetry.counter("huntgroup.commands.repeated", words)

        async def serve(request: Any, _: Context) -> bytes | Shed:
            context = request.context

            def known() -> bool:
                return self._journals.remembers(context.domain, context.command_id)

            with self._entered(context.domain, work, known) as shed:
                if shed is not None:
                    return shed
                outcome = await self._journals.submit(
                    context.domain,
                    context.command_id,
                    _decoded(codec, request),
                    check=checksum(path, request),
                    traceparent=current_traceparent(),
                    in_progress=work is Work.IN_PROGRESS,
                )
            if outcome.repeated:
                repeated.add()
            if outcome.reason:
                if not outcome.repeated:
                    self._telemetry.counter(
                        "huntgroup.commands.refused", {**words, "reason": outcome.reason}
                    ).add()
                raise self._refused(outcome)
            if not outcome.repeated:
                accepted.add()
            return _receipt(response_class, outcome)

        return serve

    def _add_unary(self, method: MethodDescriptor, serve: Serve) -> None:
        if method.client_streaming or method.server_streaming:
            raise ValueError(f"{method.full_name} is a stream")
        request_class = GetMessageClass(method.input_type)
        path, work = method_path(method), work_of(method)

        async def handle(raw: bytes, context: Context) -> bytes | Shed:
            request = checked(request_class, raw)
            return await self._router.unary(
                path,
                raw,
                context,
                lambda: serve(request, context),
                seeking=lambda: self.gate.seeking(work) if self.gate else nullcontext(),
            )

        self._handlers[method.name] = grpc.unary_unary_rpc_method_handler(handle)

    def _add_stream(
        self,
        method: MethodDescriptor,
        serve: Callable[[AsyncIterator[Any]], AsyncGenerator[Message, None]],
        domain: DomainOf,
        position: PositionOf | None = None,
    ) -> None:
        if not (method.client_streaming or method.server_streaming):
            raise ValueError(f"{method.full_name} is no stream")
        request_class = GetMessageClass(method.input_type)
        path, work = method_path(method), work_of(method)

        async def handle(raw_requests: AsyncIterator[bytes], context: Context) -> None:
            raw = await anext(raw_requests, None)
            if raw is None:
                raise RpcRefusedError(
                    grpc.StatusCode.INVALID_ARGUMENT,
                    errors.MALFORMED_REQUEST,
                    "the stream ended before its first message",
                )
            first = checked(request_class, raw)

            async def serve_here() -> None:
                requests = _requests(first, request_class, raw_requests)
                # The tokens of one call; how long a stream may wait is its own matter.
                with self._entered(domain(first), work) as shed:
                    if shed is not None:
                        raise refusal(shed)
                async with aclosing(requests), aclosing(serve(requests)) as responses:
                    await write_all(
                        responses,
                        context.write,
                        within_s=self.gate.slow_reader_s if self.gate else None,
                        position=position,
                        began=position(first) if position else "",
                    )

            with self._opened(domain(first), work):
                await self._router.stream(
                    path, domain(first), raw, raw_requests, context, serve=serve_here
                )

        # On the wire a single message is a stream of one, so one kind of handler serves all kinds of streams.
        self._handlers[method.name] = grpc.stream_stream_rpc_method_handler(handle)

    def _answer(self, answer: Message | Refusal) -> bytes:
        if isinstance(answer, Message):
            return answer.SerializeToString()
        raise RpcRefusedError(self._status(answer.reason), answer.reason, answer.detail)

    def _refused(self, outcome: CommandOutcome) -> RpcRefusedError:
        told = {"command_id": outcome.command_id, "position": str(outcome.position)}
        if outcome.repeated:
            told["repeated"] = "true"
        status = self._status(outcome.reason)
        return RpcRefusedError(status, outcome.reason, outcome.detail, metadata=told)

    def _status(self, reason: str) -> grpc.StatusCode:
        return self._statuses.get(reason, grpc.StatusCode.FAILED_PRECONDITION)

    def _require_owner(self, domain: str) -> None:
        if not self._journals.owns(domain):
            raise NotOwnerError(self._journals.owner_address(domain))

    def _entered(
        self,
        domain: str,
        work: Work,
        known: Callable[[], bool] | None = None,
        *,
        in_line: bool = True,
    ) -> AbstractContextManager[Shed | None]:
        """Let a call in at the owner, who alone knows how much is asked of a domain; elsewhere it is only passed on."""
        if self.gate is None or not self._journals.owns(domain):
            return nullcontext()
        return self.gate.entered(domain, work, known=known, in_line=in_line)

    def _opened(self, domain: str, work: Work) -> AbstractContextManager[None]:
        return self.gate.streams.one_more(domain, work) if self.gate else nullcontext()


def checked(request_class: type[Message], raw: bytes) -> Any:
    """Return the request; raises `RpcRefusedError` with INVALID_ARGUMENT when it cannot be read or breaks a rule."""
    try:
        request = request_class.FromString(raw)
    except DecodeError:
        raise RpcRefusedError(
            grpc.StatusCode.INVALID_ARGUMENT,
            errors.MALFORMED_REQUEST,
            f"the bytes are no {request_class.DESCRIPTOR.full_name}",
        ) from None
    found = violations(request)
    if found:
        said = "; ".join(f"{item.field}={item.value!r}: {item.rule}" for item in found)
        raise RpcRefusedError(
            grpc.StatusCode.INVALID_ARGUMENT,
            errors.INVALID_REQUEST,
            said[:_TEXT_MAX],
            violations=found,
        )
    return request


def checksum(path: str, request: Message) -> int:
    """Return 32 bits that tell two commands apart: of the rpc and the request without its context."""
    said = type(request)()
    said.CopyFrom(request)
    said.ClearField("context")
    return zlib.crc32(said.SerializeToString(deterministic=True), zlib.crc32(path.encode()))


def domain_of(request: Any) -> str:
    """Return the domain that a request names, in its context or on its own."""
    if "context" in request.DESCRIPTOR.fields_by_name:
        domain: str = request.context.domain
    else:
        domain = request.domain
    return domain


def method_path(method: MethodDescriptor) -> str:
    """Return how the method is called on the wire: `/package.Service/Method`."""
    service: ServiceDescriptor = method.containing_service
    return f"/{service.full_name}/{method.name}"


def _receipt(response_class: type[Message], outcome: CommandOutcome) -> bytes:
    response: Any = response_class()
    receipt = response.receipt
    receipt.command_id = outcome.command_id
    receipt.position = outcome.position
    receipt.repeated = outcome.repeated
    raw: bytes = response.SerializeToString()
    return raw


def _decoded(codec: CommandCodec[Any, Any], request: Any) -> Any:
    try:
        return codec.decode(request)
    except ValueError as error:
        status = grpc.StatusCode.INVALID_ARGUMENT
        raise RpcRefusedError(status, errors.INVALID_REQUEST, str(error)) from None


async def _requests(
    first: Message, request_class: type[Message], rest: AsyncIterator[bytes]
) -> AsyncGenerator[Any, None]:
    yield first
    async for raw in rest:
        yield checked(request_class, raw)
