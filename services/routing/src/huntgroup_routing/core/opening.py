"""How a queue opens and closes: by its hours, and by command."""

from huntgroup_routing.core.hours import (
    DAY_MS,
    ClosedReason,
    CloseQueue,
    OpenQueue,
    QueueClosed,
    QueueOpened,
    head_of,
    open_and_next_change,
    zone_of,
)
from huntgroup_routing.core.messages import Reason, Refused
from huntgroup_routing.core.state import Queue, State
from huntgroup_routing.core.values import HOURS_PER_DECISION_MAX

Change = QueueClosed | QueueOpened


def keep_hours(state: State, at_ms: int) -> tuple[Change, ...]:
    """Open and close the queues whose time has come, and reckon when it comes next.

    A queue whose time zone is known here no more stays as it is, and is asked again a day later.
    """
    due = head_of(state.hours_due.in_order(), at_ms, HOURS_PER_DECISION_MAX)
    return tuple(_by_hours(state.queues[queue_id], at_ms) for queue_id in due)


def _by_hours(queue: Queue, at_ms: int) -> Change:
    assert queue.rules.hours is not None
    zone = zone_of(queue.rules.hours)
    if zone is None:  # known when the hours were set, but not to the time zone database of today
        is_open, next_change_at_ms = not queue.closed_by_hours, at_ms + DAY_MS
    else:
        is_open, next_change_at_ms = open_and_next_change(queue.rules.hours, zone, at_ms)
    kind = QueueOpened if is_open else QueueClosed
    return kind(
        at_ms=at_ms,
        queue_id=queue.queue_id,
        reason=ClosedReason.HOURS,
        next_change_at_ms=next_change_at_ms,
    )


def close_queue(state: State, command: CloseQueue, at_ms: int) -> tuple[Change, ...] | Refused:
    """Close a queue in an emergency; nothing when it is closed so already with the same note."""
    queue = state.queues.get(command.queue_id)
    if queue is None:
        return _unknown(command)
    if queue.closed_note == command.note:
        return ()
    return (
        QueueClosed(
            at_ms=at_ms,
            queue_id=queue.queue_id,
            reason=ClosedReason.BY_COMMAND,
            note=command.note,
        ),
    )


def open_queue(state: State, command: OpenQueue, at_ms: int) -> tuple[Change, ...] | Refused:
    """End an emergency; nothing when there is none."""
    queue = state.queues.get(command.queue_id)
    if queue is None:
        return _unknown(command)
    if queue.closed_note is None:
        return ()
    reason = ClosedReason.BY_COMMAND
    return (QueueOpened(at_ms=at_ms, queue_id=queue.queue_id, reason=reason),)


def _unknown(command: CloseQueue | OpenQueue) -> Refused:
    return Refused(
        reason=Reason.QUEUE_UNKNOWN,
        detail=f"queue_id {command.queue_id!r} names no queue of this domain",
    )


def opened_or_closed(state: State, event: Change) -> None:
    """Let a queue be open or closed from now on. The state is changed in place."""
    queue, closed = state.queues[event.queue_id], isinstance(event, QueueClosed)
    if event.reason is ClosedReason.BY_COMMAND:
        queue.closed_note = event.note if isinstance(event, QueueClosed) else None
        return
    queue.closed_by_hours = closed
    state.reckon_hours(queue, event.next_change_at_ms)
