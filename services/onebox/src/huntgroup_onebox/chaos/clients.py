"""A client that never gives up: it repeats every request, with the same command id, and notes every answer."""

import asyncio
import random
import time
from bisect import bisect_left, bisect_right
from typing import Any, Final

import grpc

from huntgroup_loadtest.api import Addresses, Api
from huntgroup_loadtest.timeline import Timeline
from huntgroup_runtime.rpc.errors import RpcRefusedError

ATTEMPT_MS, ATTEMPT_MS_MAX, ALIKE = 1_000, 16_000, 4
PAUSE_S: Final = 0.05
GIVE_UP_S: Final = 120.0
AGAIN: Final = frozenset(
    {
        grpc.StatusCode.UNAVAILABLE,
        grpc.StatusCode.CANCELLED,
        grpc.StatusCode.DEADLINE_EXCEEDED,
        grpc.StatusCode.RESOURCE_EXHAUSTED,
    }
)
ONCE_MORE_SHARE: Final = 0.1
"""Of all answered commands; they are sent again as if the answer had been lost."""
DIFFERING_KEPT: Final = 20


class Answers:
    """When a service answered, in seconds of the monotonic clock."""

    def __init__(self) -> None:
        self._at_s: list[float] = []

    def note(self) -> None:
        """An answer came just now."""
        self._at_s.append(time.monotonic())

    def since(self, from_s: float) -> int:
        """Return how many came after a moment."""
        return len(self._at_s) - bisect_right(self._at_s, from_s)

    def longest_silence_s(self, from_s: float, to_s: float) -> float:
        """Return the longest time between two answers of which the later one came within the span."""
        first = max(1, bisect_left(self._at_s, from_s))
        last = bisect_right(self._at_s, to_s)
        return max((self._at_s[n] - self._at_s[n - 1] for n in range(first, last)), default=0.0)


class StubbornApi(Api):
    """An `Api` whose requests are repeated until they are answered."""

    def __init__(
        self, addresses: Addresses, *, domain: str, run: str, timeline: Timeline, seed: str
    ) -> None:
        super().__init__(addresses, domain=domain, run=run, timeline=timeline)
        self.answers = {service: Answers() for service in addresses}
        self.repeated = 0
        self.sent_again = 0
        self.differing: list[str] = []
        """Commands whose second answer was another than the first; the first few."""
        self._chance = random.Random(f"{seed} again")  # noqa: S311 - chance that repeats by seed

    async def send(self, method: Any, request: Any) -> Any:
        """Return the response; raises `RpcRefusedError` with a core's refusal, a bug, or when nobody ever answered."""
        service = service_of(request)
        response, refused = await self._until_answered(method, request)
        self.answers[service].note()
        if (
            "context" in request.DESCRIPTOR.fields_by_name
            and self._chance.random() < ONCE_MORE_SHARE
        ):
            self.sent_again += 1
            second, again = await self._until_answered(method, request)
            first = said(response, refused)
            if said(second, again) != first and len(self.differing) < DIFFERING_KEPT:
                self.differing.append(
                    f"{service} {request.context.command_id}: {first}, then {said(second, again)}"
                )
        if refused is not None:
            raise refused
        return response

    async def _until_answered(
        self, method: Any, request: Any
    ) -> tuple[Any, RpcRefusedError | None]:
        """Ask again and again, with ever more patience: impatience alone can keep a busy service from answering."""
        end_s, unanswered = time.monotonic() + GIVE_UP_S, 0
        while True:
            # Several times alike: replicas take turns, and only one of them may be frozen.
            patience_ms = min(ATTEMPT_MS << unanswered // ALIKE, ATTEMPT_MS_MAX)
            try:
                return await self._call(method, request, timeout_ms=patience_ms), None
            except RpcRefusedError as refused:
                if refused.status not in AGAIN or time.monotonic() > end_s:
                    return None, refused
                unanswered += refused.status is grpc.StatusCode.DEADLINE_EXCEEDED
            self.repeated += 1
            await asyncio.sleep(PAUSE_S)


def said(response: Any, refused: RpcRefusedError | None) -> str:
    """Return what an answer to a command says, without how it came to be said."""
    if refused is None:
        return f"done at {response.receipt.position}"
    return f"refused {refused.reason} at {refused.metadata.get('position')}"


def service_of(request: Any) -> str:
    """Return the service that a request is for."""
    name: str = request.DESCRIPTOR.full_name
    return name.split(".")[1].replace("_", "-")
