"""Finds the length of the ledger's intervals from the ledger itself: each entry names the interval a moment fell in."""

from collections.abc import Mapping
from typing import Any, Final

from google.protobuf.message import Message

from huntgroup.reporting.v1 import events_pb2 as reporting
from huntgroup_onebox.audit.feed import EventCheck, Handler
from huntgroup_onebox.audit.reading import Entry

DAY_MS: Final = 86_400_000
SHORTEST_MS: Final = 1_000
CANDIDATES: Final = tuple(
    DAY_MS // parts for parts in range(1, DAY_MS // SHORTEST_MS + 1) if not DAY_MS % parts
)
"""What an interval can be set to."""

STARTS_MAX: Final = 5_000
"""So many intervals are looked at, the first."""


class IntervalFinder(EventCheck):
    """Takes reporting's journal; `found` is the one length that fits the most intervals."""

    def __init__(self) -> None:
        self._reach_ms: dict[int, int] = {}
        """By the start of an interval, how long it is at least."""

    def handlers(self) -> Mapping[type[Message], Handler]:
        return {
            reporting.OfferedContactCounted: self._offered,
            reporting.AnsweredContactCounted: self._begins,
            reporting.AbandonedContactCounted: self._begins,
            reporting.HandledContactCounted: self._begins,
            reporting.OfferOutcomeCounted: self._begins,
            reporting.AgentTimeCounted: self._agent_time,
        }

    def found(self, otherwise: int) -> int:
        """Return the length; `otherwise` where that fits as well as any, or where there is nothing to go by."""
        if not self._reach_ms:
            return otherwise
        fits = {length: self._fits(length) for length in {*CANDIDATES, otherwise}}
        best = max(fits.values())
        if fits[otherwise] == best:
            return otherwise
        return max(length for length, count in fits.items() if count == best)

    def _fits(self, length: int) -> int:
        """Return how many intervals may have this length."""
        return sum(
            start % length == 0 and reach <= length for start, reach in self._reach_ms.items()
        )

    def _offered(self, _: Entry, event: reporting.OfferedContactCounted) -> None:
        self._note(event.interval_start_ms, event.enqueued_at_ms + 1)

    def _begins(self, _: Entry, event: Any) -> None:
        self._note(event.interval_start_ms, event.interval_start_ms + 1)

    def _agent_time(self, _: Entry, event: reporting.AgentTimeCounted) -> None:
        amounts = event.idle_ms + event.ringing_ms + event.talking_ms
        amounts += event.wrapping_up_ms + event.not_ready_ms
        # Of several intervals each has the amounts, and is as long as they are.
        for each in range(max(1, event.intervals)):
            start_ms = event.interval_start_ms + each * abs(amounts)
            self._note(start_ms, start_ms + max(1, abs(amounts)))

    def _note(self, start_ms: int, end_ms: int) -> None:
        if start_ms in self._reach_ms or len(self._reach_ms) < STARTS_MAX:
            before = self._reach_ms.get(start_ms, 0)
            self._reach_ms[start_ms] = max(before, end_ms - start_ms)
