"""Admission where calls come in: the decision of `admission`, with the loop's time, metrics, and rich refusals."""

import asyncio
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Final

import grpc

from huntgroup_runtime.rpc import errors
from huntgroup_runtime.rpc.admission import (
    NEW_SHARE,
    OVERLOADED_RETRY_MS,
    Admission,
    AdmissionLimits,
    Shed,
    Work,
    tenant_of,
)
from huntgroup_runtime.rpc.door import Door
from huntgroup_runtime.rpc.errors import RpcRefusedError
from huntgroup_runtime.settings import ENV_PREFIX, RuntimeSettings
from huntgroup_runtime.telemetry import Telemetry

STREAMS_SHARE: Final = 0.8
"""So much of the calls a process serves at once may be streams: the rest is for calls that end soon."""


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


class OpenStreams:
    """The streams that a process serves, by tenant: bounded for each, and together."""

    def __init__(self, *, tenant_max: int, calls_max: int, telemetry: Telemetry) -> None:
        self._tenant_max = tenant_max
        self._all_max = max(1, int(calls_max * STREAMS_SHARE))
        self._open: Counter[str] = Counter()
        self._all = 0
        self._shown = telemetry.gauge("huntgroup.streams.open")

    @contextmanager
    def one_more(self, domain: str) -> Iterator[None]:
        """Count a stream while it is open; raises `RpcRefusedError`."""
        tenant = tenant_of(domain)
        if self._open[tenant] >= self._tenant_max:
            raise refusal(
                Shed(
                    reason=errors.TENANT_STREAMS_FULL,
                    bound=f"the tenant has {self._tenant_max} streams open at this replica",
                    setting="admission_tenant_streams_max",
                    retry_after_ms=5_000,
                )
            )
        if self._all >= self._all_max:
            raise refusal(
                Shed(
                    reason=errors.STREAMS_FULL,
                    bound=f"{self._all_max} streams are open at this replica",
                    setting="grpc_concurrent_rpcs_max",
                    retry_after_ms=5_000,
                )
            )
        self._open[tenant] += 1
        self._all += 1
        self._shown.set(self._all)
        try:
            yield
        finally:
            self._all -= 1
            self._shown.set(self._all)
            self._open[tenant] -= 1
            if not self._open[tenant]:
                del self._open[tenant]


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
        self._seekers = seekers
        self.slow_reader_s = slow_reader_s
        """A stream whose reader takes nothing for so long is cut off."""
        self._admission = admission
        self._door = door
        self._telemetry = telemetry
        self._words = {"huntgroup.service": service}
        self._waiting = telemetry.gauge("huntgroup.admission.waiting", self._words)

    @contextmanager
    def entered(
        self, domain: str, work: Work, *, known: Callable[[], bool] | None = None
    ) -> Iterator[None]:
        """Let a call in while it is served; raises `RpcRefusedError` with RESOURCE_EXHAUSTED when it is shed.

        `known` tells whether the call repeats one that was carried out: its answer is there already, so it is let in
        for a token of its tenant.
        """
        now_s = asyncio.get_running_loop().time()
        found = self._admission.enter(
            domain,
            work,
            now_s=now_s,
            door_s=self._door.delay_s(now_s),
            crowded=self._door.crowded(now_s),
        )
        if isinstance(found, Shed):
            if known is not None and known():
                shed = self._admission.enter_again(domain, now_s=now_s)
                if shed is None:
                    yield
                    return
                found = shed
            self._count_shed(found.reason, work)
            raise refusal(found)
        self._waiting.set(self._admission.waiting)
        try:
            yield
        finally:
            self._admission.leave(found)
            self._waiting.set(self._admission.waiting)

    @contextmanager
    def seeking(self, work: Work) -> Iterator[None]:
        """Let a call wait for an owner; raises `RpcRefusedError` with RESOURCE_EXHAUSTED when too many do."""
        with ExitStack() as stack:
            try:
                stack.enter_context(self._seekers.one_more(work))
            except RpcRefusedError as refused:
                self._count_shed(refused.reason, work)
                raise
            yield

    def _count_shed(self, reason: str, work: Work) -> None:
        words = {**self._words, "reason": reason, "work": work.value}
        self._telemetry.counter("huntgroup.admission.shed", words).add()


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
