"""Admission where calls come in: the decision of `admission`, with the loop's time, metrics, and rich refusals."""

import asyncio
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import lru_cache
from types import TracebackType
from typing import Final

import grpc

from huntgroup_eventlog.application import NEW_SHARE
from huntgroup_runtime.rpc import errors
from huntgroup_runtime.rpc.admission import (
    OVERLOADED_RETRY_MS,
    Admission,
    AdmissionLimits,
    Shed,
    Waiting,
    Work,
    tenant_of,
)
from huntgroup_runtime.rpc.door import Door
from huntgroup_runtime.rpc.errors import RpcRefusedError, to_status
from huntgroup_runtime.settings import ENV_PREFIX, RuntimeSettings
from huntgroup_runtime.telemetry import Telemetry

STREAMS_SHARE: Final = 0.8
"""So much of the calls a process serves at once may be streams: the rest is for calls that end soon."""
STREAM_RETRY_MS: Final = 5_000
ANSWERS_MAX: Final = 1_000
"""Answers to calls that were shed that are kept made: about a kilobyte each."""


def limits_of(settings: RuntimeSettings) -> AdmissionLimits:
    """Return the bounds that settings say."""
    return AdmissionLimits(
        domain_commands_per_s=settings.admission_domain_commands_per_s,
        domain_burst=settings.admission_domain_burst,
        tenant_commands_per_s=settings.admission_tenant_commands_per_s,
        tenant_burst=settings.admission_tenant_burst,
        domain_waiting_max=settings.admission_domain_waiting_max,
        tenant_waiting_max=settings.admission_tenant_waiting_max,
        delay_target_s=settings.admission_delay_target_ms / 1_000,
    )


@dataclass(slots=True)
class _Open:
    """Streams of one kind."""

    kind: str
    share: float
    """So much of the bounds they may use."""
    together: int = 0
    of_tenant: Counter[str] = field(default_factory=Counter)

    def add(self, tenant: str, number: int) -> None:
        self.together += number
        self.of_tenant[tenant] += number
        if not self.of_tenant[tenant]:
            del self.of_tenant[tenant]


class OpenStreams:
    """The streams that a process serves, by tenant: bounded for each, and together.

    Those that only look on may be half of both bounds: agents and recordings have room, however many do.
    """

    def __init__(self, *, tenant_max: int, calls_max: int, telemetry: Telemetry) -> None:
        self._tenant_max = tenant_max
        self._all_max = max(1, int(calls_max * STREAMS_SHARE))
        self._open = _Open("streams", 1)
        self._onlooking = _Open("streams that only look on", NEW_SHARE)
        self._shown = telemetry.gauge("huntgroup.streams.open")

    @contextmanager
    def one_more(self, domain: str, work: Work) -> Iterator[None]:
        """Count a stream while it is open; raises `RpcRefusedError`."""
        tenant = tenant_of(domain)
        counted = [self._open] if work is Work.IN_PROGRESS else [self._open, self._onlooking]
        for streams in counted:
            if shed := self._full(streams, tenant):
                raise refusal(shed)
        for streams in counted:
            streams.add(tenant, 1)
        self._shown.set(self._open.together)
        try:
            yield
        finally:
            for streams in counted:
                streams.add(tenant, -1)
            self._shown.set(self._open.together)

    def _full(self, streams: _Open, tenant: str) -> Shed | None:
        held = streams.of_tenant[tenant]
        if held >= self._tenant_max * streams.share:
            return Shed(
                reason=errors.TENANT_STREAMS_FULL,
                bound=f"the tenant has {held} {streams.kind} open at this replica",
                setting="admission_tenant_streams_max",
                retry_after_ms=STREAM_RETRY_MS,
            )
        if streams.together >= self._all_max * streams.share:
            return Shed(
                reason=errors.STREAMS_FULL,
                bound=f"{streams.together} {streams.kind} are open at this replica",
                setting="grpc_concurrent_rpcs_max",
                retry_after_ms=STREAM_RETRY_MS,
            )
        return None


class Seekers:
    """The calls of a process that wait until somebody owns their domain: new work and reads may be so many only.

    They are half of what streams leave. While a log is away nobody can be an owner, and without this bound callers who
    come anew would soon take the places of those who are here already.
    """

    def __init__(self, *, calls_max: int) -> None:
        self._most = max(1, round(calls_max * (1 - STREAMS_SHARE) * NEW_SHARE))
        self._seeking = 0

    @contextmanager
    def one_more(self, work: Work) -> Iterator[None]:
        """Count a call while it waits; raises `RpcRefusedError`. Work in progress is let in, and not counted."""
        if work is Work.IN_PROGRESS:
            yield
            return
        if self._seeking >= self._most:
            raise refusal(
                Shed(
                    reason=errors.OVERLOADED,
                    bound=f"{self._seeking} calls wait for an owner of their domain at this replica",
                    setting="grpc_concurrent_rpcs_max",
                    retry_after_ms=OVERLOADED_RETRY_MS,
                )
            )
        self._seeking += 1
        try:
            yield
        finally:
            self._seeking -= 1


class Entry:
    """A call at the gate; within `with` it is served. Without a generator: most of an overload is to pass here."""

    __slots__ = ("_entered", "_gate", "shed")

    def __init__(self, gate: "Gate", entered: Waiting | None, shed: Shed | None) -> None:
        self._gate = gate
        self._entered = entered
        self.shed = shed
        """Why the call is not let in."""

    def __enter__(self) -> Shed | None:
        return self.shed

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        where: TracebackType | None,
    ) -> None:
        if self._entered is not None:
            self._gate.leave(self._entered)


class Gate:
    """Lets the calls of one service in."""

    def __init__(
        self,
        service: str,
        admission: Admission,
        *,
        door: Door,
        streams: OpenStreams,
        seekers: Seekers,
        slow_reader_s: float,
        telemetry: Telemetry,
    ) -> None:
        self.streams = streams
        self.seeking = seekers.one_more
        """Lets a call wait for an owner."""
        self.slow_reader_s = slow_reader_s
        """A stream whose reader takes nothing for so long is cut off."""
        self._admission = admission
        self._door = door
        self._waiting = telemetry.gauge(
            "huntgroup.admission.waiting", {"huntgroup.service": service}
        )

    def entered(
        self,
        domain: str,
        work: Work,
        *,
        known: Callable[[], bool] | None = None,
        in_line: bool = True,
    ) -> Entry:
        """Let a call in while it is served, or say why it is shed: it is to be answered with that, and not served.

        `known` tells whether the call repeats one that was carried out: its answer is there already, so it is let in
        for a token of its tenant. One that is not `in_line` takes time of its own: nobody waits behind it.
        """
        now_s = asyncio.get_running_loop().time()
        found = self._admission.enter(
            domain,
            work,
            now_s=now_s,
            door_s=self._door.delay_s(now_s),
            crowded=self._door.crowded(now_s),
            in_line=in_line,
        )
        if isinstance(found, Shed):
            if known is not None and known():
                return Entry(self, None, self._admission.enter_again(domain, now_s=now_s))
            return Entry(self, None, found)
        self._waiting.set(self._admission.waiting)
        return Entry(self, found, None)

    def leave(self, entered: Waiting) -> None:
        """Note that a call that was let in has been answered, or given up."""
        self._admission.leave(entered)
        self._waiting.set(self._admission.waiting)


def refusal(shed: Shed) -> RpcRefusedError:
    """Return the answer to a call that is shed: what was reached, which setting says so, and when to come again."""
    named = f"{ENV_PREFIX}{shed.setting.upper()}" if shed.setting else ""
    return RpcRefusedError(
        grpc.StatusCode.RESOURCE_EXHAUSTED,
        shed.reason,
        f"{shed.bound}; nothing was done, repeat the same request later",
        metadata={"bound": shed.bound} | ({"setting": named} if named else {}),
        retry_after_ms=shed.retry_after_ms,
    )


@lru_cache(ANSWERS_MAX)
def answer_to(shed: Shed, domain: str) -> grpc.Status:
    """Return the rich status that says `shed`, made once; `domain` is that of its reason code."""
    return to_status(refusal(shed), domain)
