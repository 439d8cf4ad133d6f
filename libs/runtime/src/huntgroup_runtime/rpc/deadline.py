"""How long the call under way may still take: every call has an end."""

import asyncio
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Final

from huntgroup_runtime.settings import RuntimeSettings

_END: Final[ContextVar[float]] = ContextVar("huntgroup_deadline")


@dataclass(frozen=True, slots=True, kw_only=True)
class CallLimits:
    """The longest a call may take, in seconds, and what it gets when its caller named no deadline."""

    unary_default_s: float
    unary_max_s: float
    stream_max_s: float

    @classmethod
    def of(cls, settings: RuntimeSettings) -> "CallLimits":
        """Return the limits of a process."""
        return cls(
            unary_default_s=settings.grpc_deadline_ms / 1_000,
            unary_max_s=settings.grpc_deadline_ms_max / 1_000,
            stream_max_s=settings.grpc_stream_ms_max / 1_000,
        )

    def begin(self, asked_s: float | None, *, streaming: bool) -> asyncio.Timeout | None:
        """Set the end of the call under way; return a timeout to enter when gRPC itself does not keep to that end.

        `asked_s` is what is left of the caller's deadline, or None.
        """
        longest_s = self.stream_max_s if streaming else self.unary_max_s
        if asked_s is not None and asked_s <= longest_s:
            _END.set(asyncio.get_running_loop().time() + asked_s)
            return None
        if asked_s is None and not streaming:
            longest_s = self.unary_default_s
        end = asyncio.get_running_loop().time() + longest_s
        _END.set(end)
        return asyncio.timeout_at(end)


def remaining_s() -> float:
    """Return how many seconds the call under way may still take, at least 0. Only within a served call."""
    return max(0.0, _END.get() - asyncio.get_running_loop().time())
