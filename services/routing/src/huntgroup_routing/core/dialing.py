"""Callbacks whose customers are to answer first: they stand in line for nobody, and leave when their turn comes near.

Then session dials, and lets the contact take its place again when the customer is on the line.
"""

from huntgroup_routing.core.events import ContactDequeued
from huntgroup_routing.core.messages import AgentJoined, AgentLeft, ContactMoved, Event
from huntgroup_routing.core.state import Queue, State
from huntgroup_routing.core.values import MOVES_PER_DECISION_MAX, DequeueReason, Place, QueueId


def call_in_turn(state: State, at_ms: int) -> tuple[Event, ...]:
    """Let go the first callback of each queue whose turn has come near."""
    return tuple(
        ContactDequeued(
            at_ms=at_ms,
            contact_id=contact_id,
            queue_id=queue_id,
            reason=DequeueReason.CALLBACK_DUE,
        )
        for queue_id, contact_id in sorted(state.turns.items())[:MOVES_PER_DECISION_MAX]
    )


def watch_turns(state: State, event: Event) -> None:
    """See anew whose turn has come near where an event says something of a queue. The state is changed in place."""
    if isinstance(event, AgentJoined | AgentLeft):
        watch_all_turns(state)
    if isinstance(event, ContactMoved):
        _watch(state, event.from_queue_id)
    queue_id: QueueId | None = getattr(event, "queue_id", None)
    if queue_id is not None:
        _watch(state, queue_id)


def watch_all_turns(state: State) -> None:
    """See whose turn has come near in every queue. The state is changed in place."""
    for queue_id in state.queues:
        _watch(state, queue_id)


def _watch(state: State, queue_id: QueueId) -> None:
    queue = state.queues.get(queue_id)
    near = None if queue is None else _near(state, queue)
    if near is None:
        state.turns.pop(queue_id, None)
    else:
        state.turns[queue_id] = near[2]


def _near(state: State, queue: Queue) -> Place | None:
    """Return the place of the first who waits for a turn, if that has come near and an agent may follow.

    Nobody is called for a queue that is closed, or while nobody is signed on who could serve them. Who waits where no
    callbacks are taken any more is called as the very first.
    """
    head, ahead = queue.awaiting_turn.head, max(1, queue.rules.callback_dial_ahead)
    if head is None or queue.is_closed or queue.waiting.position(head) > ahead:
        return None
    return head if state.contacts[head[2]].requirement.able else None
