"""A refused call, the same on both sides of the wire: raised by a handler, sent, and raised at the caller."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Final

import grpc
from google.protobuf.any_pb2 import Any as AnyMessage
from google.protobuf.message import DecodeError, Message
from google.rpc import (  # type: ignore[import-untyped]  # has stubs, but no py.typed
    error_details_pb2,
    status_pb2,
)
from grpc_status import rpc_status

from huntgroup_contracts.validation import Violation

DETAILS_KEY: Final = "grpc-status-details-bin"

INVALID_REQUEST: Final = "INVALID_REQUEST"
"""A field breaks a rule; the violations say which."""
MALFORMED_REQUEST: Final = "MALFORMED_REQUEST"
"""The bytes are not the request's message."""
COMMAND_ID_REUSED: Final = "COMMAND_ID_REUSED"
"""The command id was used before for a command that said something else."""
NO_OWNER: Final = "NO_OWNER"
"""Nobody owns the domain at the moment, or the owner cannot be reached: repeat the same request."""
OUTCOME_UNKNOWN: Final = "OUTCOME_UNKNOWN"
"""Ownership moved while the command was under way: repeat the same request, with the same command id."""
OVERLOADED: Final = "OVERLOADED"
"""A bound was reached or calls wait too long, and nothing was done: repeat the same request later."""
DOMAIN_RATE_EXCEEDED: Final = "DOMAIN_RATE_EXCEEDED"
"""The domain sends more commands per second than one may; nothing was done: repeat the same request later."""
TENANT_RATE_EXCEEDED: Final = "TENANT_RATE_EXCEEDED"
"""The tenant sends more commands per second than one may; nothing was done: repeat the same request later."""
DOMAIN_QUEUE_FULL: Final = "DOMAIN_QUEUE_FULL"
"""As many of the domain's commands wait for their answer as may; nothing was done: repeat the same request later."""
TENANT_QUEUE_FULL: Final = "TENANT_QUEUE_FULL"
"""As many of the tenant's commands wait for their answer as may; nothing was done: repeat the same request later."""
TENANT_STREAMS_FULL: Final = "TENANT_STREAMS_FULL"
"""The tenant has as many streams open at this replica as one may: open this one when some have ended."""
STREAMS_FULL: Final = "STREAMS_FULL"
"""As many streams are open at this replica as may be: open this one later, or at another replica."""
SLOW_READER: Final = "SLOW_READER"
"""The stream was read too slowly: open it again, from the position that `metadata` names."""
PARTITION_HALTED: Final = "PARTITION_HALTED"
"""A bug stopped the domain's partition, and no other replica has taken it over; the log of its owner says where."""
DRAINING: Final = "DRAINING"
"""This replica is about to stop: repeat the request, or open the stream again."""
DEADLINE_PASSED: Final = "DEADLINE_PASSED"
"""The call took as long as it may; whether it had an effect is not known."""
INTERNAL_FAULT: Final = "INTERNAL_FAULT"
"""A bug; the log of the replica says more."""

_HALTED_BY: Final = "halted_by"

MESSAGE_BYTES_MAX: Final = 1_024
VIOLATIONS_BYTES_MAX: Final = 2_048
# A message travels twice, once with three bytes for each that is no plain character, and gRPC may drop a whole answer
# whose metadata is larger than 8 KiB.

# With each of these the status is RESOURCE_EXHAUSTED, and a RetryInfo says when to come again.
SHED: Final = frozenset(
    {
        *(OVERLOADED, DOMAIN_RATE_EXCEEDED, TENANT_RATE_EXCEEDED, DOMAIN_QUEUE_FULL),
        *(TENANT_QUEUE_FULL, TENANT_STREAMS_FULL, STREAMS_FULL, SLOW_READER),
    }
)


class RpcRefusedError(Exception):
    """A call was answered with a status other than OK."""

    def __init__(
        self,
        status: grpc.StatusCode,
        reason: str,
        detail: str,
        *,
        violations: Sequence[Violation] = (),
        metadata: Mapping[str, str] | None = None,
        retry_after_ms: int = 0,
    ) -> None:
        super().__init__(f"{status.name} {reason}: {detail}")
        self.status = status
        self.reason = reason
        """The reason code; empty when the other side gave none."""
        self.detail = detail
        """One sentence for people."""
        self.violations = tuple(violations)
        """The fields that break a rule, with INVALID_ARGUMENT."""
        self.metadata = dict(metadata or {})
        self.retry_after_ms = retry_after_ms
        """When to try again, at the earliest; 0: not said."""
        self.elsewhere = False
        """Another process said so, and this one only heard it."""


class NotFoundError(RpcRefusedError):
    """What a query asks for is not there."""

    def __init__(self, reason: str, detail: str) -> None:
        super().__init__(grpc.StatusCode.NOT_FOUND, reason, detail)


def to_status(error: RpcRefusedError, domain: str) -> grpc.Status:
    """Return the rich status of a refusal; `domain` says whose reason codes these are: `huntgroup.routing`."""
    parts: list[Message] = []
    if error.reason:
        parts.append(
            error_details_pb2.ErrorInfo(reason=error.reason, domain=domain, metadata=error.metadata)
        )
    if error.violations:
        request = error_details_pb2.BadRequest()
        for violation in error.violations:
            shown = f"{violation.rule}; the value was {violation.value!r}"
            said = len(violation.field.encode()) + len(shown.encode()) + len(violation.rule)
            if request.field_violations and request.ByteSize() + said > VIOLATIONS_BYTES_MAX:
                break
            request.field_violations.add(
                field=violation.field,
                description=shown,
                reason=violation.rule,
            )
        parts.append(request)
    if error.retry_after_ms:
        retry = error_details_pb2.RetryInfo()
        retry.retry_delay.FromMilliseconds(error.retry_after_ms)
        parts.append(retry)
    code: tuple[int, str] = error.status.value
    status = status_pb2.Status(code=code[0], message=_cut(error.detail))
    for part in parts:
        status.details.add().Pack(part)
    return rpc_status.to_status(status)


def _cut(detail: str) -> str:
    raw = detail.encode()
    if len(raw) <= MESSAGE_BYTES_MAX:
        return detail
    return raw[: MESSAGE_BYTES_MAX - 3].decode(errors="ignore") + "…"


def from_rpc_error(error: grpc.aio.AioRpcError) -> RpcRefusedError:
    """Return what a call was refused with; without a rich status, code and message only."""
    return refused_with(error.code(), error.details() or "", error.trailing_metadata() or ())


def refused_with(
    status: grpc.StatusCode, detail: str, trailing: Iterable[tuple[str, str | bytes]]
) -> RpcRefusedError:
    """Return the refusal that a status, its message and its trailing metadata say."""
    refused = RpcRefusedError(status, "", detail)
    refused.elsewhere = True
    for key, value in trailing:
        if key == DETAILS_KEY and isinstance(value, bytes):
            _read_details(refused, value)
    return refused


def _read_details(refused: RpcRefusedError, raw: bytes) -> None:
    try:
        for part in status_pb2.Status.FromString(raw).details:
            _read_part(refused, part)
    except DecodeError:
        return


def _read_part(refused: RpcRefusedError, part: AnyMessage) -> None:
    info = error_details_pb2.ErrorInfo()
    bad_request = error_details_pb2.BadRequest()
    retry = error_details_pb2.RetryInfo()
    if part.Unpack(info):
        refused.reason = info.reason
        refused.metadata = dict(info.metadata)
        refused.args = (f"{refused.status.name} {refused.reason}: {refused.detail}",)
    elif part.Unpack(bad_request):
        refused.violations = tuple(
            Violation(field=item.field, value=item.description, rule=item.reason)
            for item in bad_request.field_violations
        )
    elif part.Unpack(retry):
        refused.retry_after_ms = retry.retry_delay.ToMilliseconds()


def halted(*, by_this_command: bool) -> RpcRefusedError:
    """Return the answer to a call for a halted partition; metadata says so when the call itself halted it."""
    detail = "the domain's partition is stopped by a fault; operators are told"
    told = {_HALTED_BY: "this command"} if by_this_command else {}
    return RpcRefusedError(grpc.StatusCode.INTERNAL, PARTITION_HALTED, detail, metadata=told)


def is_halted_before(refused: RpcRefusedError) -> bool:
    """Return whether a partition was halted already when the call came: then it may be tried elsewhere."""
    return refused.reason == PARTITION_HALTED and _HALTED_BY not in refused.metadata
