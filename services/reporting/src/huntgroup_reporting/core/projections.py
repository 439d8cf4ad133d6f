"""The live view: what goes on in a domain now, read from the state as integers.

The state is itself a projection of the public events of session, agent-state and routing: each event becomes an
observation, the observation is decided, and the entries are folded. So the journal and any other reader of the public
events (`follow`) come to the same numbers by the same code.
"""

from dataclasses import dataclass

from huntgroup_reporting.core.decide import decide
from huntgroup_reporting.core.evolve import evolve
from huntgroup_reporting.core.messages import Command
from huntgroup_reporting.core.state import QueueCounts, State
from huntgroup_reporting.core.values import DAY_MS, QueueId, interval_start

ROUTING_STATES = (
    *("OFFLINE", "READY", "RESERVED", "BUSY"),
    *("WORKING_AFTER_CALL", "NOT_READY", "NOT_RESPONDING"),
)
"""Agent-state's names, in the order of its contract."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LiveQueue:
    """One queue now, and its contacts of today (UTC)."""

    queue_id: QueueId
    waiting: int
    ringing: int
    talking: int
    waiting_since_ms: int
    offered: int
    answered: int
    answered_within_threshold: int
    abandoned: int
    abandoned_within_threshold: int
    answered_wait_ms: int


@dataclass(frozen=True, slots=True, kw_only=True)
class LiveDomain:
    """All queues, by id, and how many agents are in which state."""

    queues: tuple[LiveQueue, ...]
    agents: tuple[tuple[str, int], ...]
    noted: int


def follow(state: State, observation: Command, at_ms: int) -> State:
    """Return the state after an observation: what the journal does, without a journal."""
    for event in decide(state, observation, at_ms):
        state = evolve(state, event)
    return state


def live_domain(state: State, at_ms: int) -> LiveDomain:
    """Return the live view at `at_ms`; a day that nothing was counted for yet is all zeros."""
    today = interval_start(at_ms, DAY_MS) <= state.day_start_ms
    return LiveDomain(
        queues=tuple(
            _live_queue(state, queue_id, today=today) for queue_id in sorted(state.queues)
        ),
        agents=tuple(
            (name, state.routing_states[name])
            for name in ROUTING_STATES
            if state.routing_states.get(name)
        ),
        noted=state.noted,
    )


def _live_queue(state: State, queue_id: QueueId, *, today: bool) -> LiveQueue:
    queue = state.queues[queue_id]
    counts = queue.today if today else QueueCounts()
    return LiveQueue(
        queue_id=queue_id,
        waiting=len(queue.waiting),
        ringing=queue.ringing,
        talking=queue.talking,
        waiting_since_ms=next(iter(queue.waiting.values()), 0),
        offered=counts.offered,
        answered=counts.answered,
        answered_within_threshold=counts.answered_within_threshold,
        abandoned=counts.abandoned,
        abandoned_within_threshold=counts.abandoned_within_threshold,
        answered_wait_ms=counts.answered_wait_ms,
    )
