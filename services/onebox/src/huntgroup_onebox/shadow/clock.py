"""When time brings something next in the shadow, and what it is that comes about by itself there."""

import heapq
from dataclasses import dataclass, field
from enum import IntEnum
from typing import Final

from huntgroup_routing.core.state import NOBODY, State
from huntgroup_routing.core.values import AgentId, OfferId

LATE_MS: Final = 10_000
"""Time that had passed was noticed so much later at most."""
AFTERWARDS_MS: Final = 86_400_000
"""So long after the last event is looked who may still be served."""
NEVER_MS: Final = 1 << 62
NO_OFFER: Final = OfferId("")

Due = tuple[int, str]
"""When (ms), and the contact or the queue that it is about."""


class Kind(IntEnum):
    """What an appointment is for."""

    ANSWER = 0
    DECLINE = 1
    FREE = 2
    TIME = 3


Appointment = tuple[int, int, Kind, OfferId, AgentId]
"""When (ms), in which order of those at one moment, what, and which offer at whom."""


@dataclass(slots=True)
class Calendar:
    """What is to happen in the shadow and no fact tells of, in order."""

    _heap: list[Appointment] = field(default_factory=list)
    _ties: int = 0

    @property
    def next_ms(self) -> int | None:
        """When the next one is; None: there is none."""
        return self._heap[0][0] if self._heap else None

    def add(
        self, at_ms: int, kind: Kind, offer_id: OfferId = NO_OFFER, agent_id: AgentId = NOBODY
    ) -> None:
        """Let something happen at a moment, after all that is to happen then already."""
        self._ties += 1
        heapq.heappush(self._heap, (at_ms, self._ties, kind, offer_id, agent_id))

    def pop_before(self, at_ms: int) -> Appointment | None:
        """Return the next one and take it out, if it is before a moment."""
        heap = self._heap
        return heapq.heappop(heap) if heap and heap[0][0] < at_ms else None


def brings_before(state: State, at_ms: int) -> bool:
    """Return whether time brings something before a moment; asked after every decision, so it is quick to say no."""
    if state.outdated.head is not None or state.reprioritizing or state.turns:
        return True
    heads = (
        *(state.leases.head, state.steps_due.head, state.rings_due.head, state.waits_due.head),
        *(state.lapses_due.head, state.hours_due.head, state.lends_due.head),
        state.watching.due.head,
    )
    for head in heads:  # noqa: SIM110 - half as long as any() takes
        if head is not None and head[0] < at_ms:
            return True
    return False


def next_due(state: State) -> Due | None:
    """Return what time brings first; what is to be done without delay was due at 0."""
    if state.outdated.head is not None:
        return 0, state.outdated.head[2]
    if state.reprioritizing:
        return 0, next(iter(state.reprioritizing))
    if state.turns:
        return 0, min(state.turns.values())
    lines = (state.steps_due, state.rings_due, state.waits_due, state.lapses_due)
    own = (state.hours_due.head, state.lends_due.head, state.watching.due.head)
    dues = [(one[0], str(one[1])) for one in (*own, *(line.head for line in lines)) if one]
    lease = state.leases.head
    if lease is not None:
        dues.append((lease[0], state.offers[lease[1]].contact_id))
    return min(dues, default=None)
