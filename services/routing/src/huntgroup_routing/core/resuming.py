"""Who was lost while waiting and is queued again soon takes the place they had: once for each loss.

The customer's key says who they are. The queue in which they waited when they left must be the one they come to.
"""

from typing import Final

from msgspec.structs import replace

from huntgroup_routing.core.messages import (
    ContactDequeued,
    ContactEnqueued,
    ObserveContactQueued,
)
from huntgroup_routing.core.state import Contact, Lost, Queue, State
from huntgroup_routing.core.values import NO_CONTACT, ContactId, DequeueReason

LOST_MAX: Final = 10_000
"""So many lost customers of a domain are remembered, the last."""
RESUME_WINDOW_MAX_MS: Final = 3_600_000
"""The longest window that a queue may have; longer ago nobody is remembered."""


def resumed(
    state: State, queue: Queue, command: ObserveContactQueued, at_ms: int
) -> tuple[ObserveContactQueued, ContactId]:
    """Return a contact with the age of the one that its customer was lost in, and that one's id; or as it came."""
    window_ms = queue.resume_window_ms
    lost = state.lost.get((queue.queue_id, command.customer_key)) if window_ms else None
    if not (command.customer_key and queue.takes(command.channel)):
        return command, NO_CONTACT
    if lost is None or at_ms > lost.left_at_ms + window_ms:
        return command, NO_CONTACT
    enqueued_at_ms = min(lost.enqueued_at_ms, command.enqueued_at_ms)
    return replace(command, enqueued_at_ms=enqueued_at_ms), lost.contact_id


def came(state: State, event: ContactEnqueued) -> None:
    """Forget that a contact had left before, and whose place it takes. The state is changed in place."""
    state.ended_contacts.pop(event.contact_id, None)
    if event.resumes:
        state.lost.pop((event.queue_id, event.customer_key), None)


def went(state: State, contact: Contact, event: ContactDequeued) -> None:
    """Remember where a customer stood who is lost, if the queue wants so. The state is changed in place."""
    rules = state.queues[contact.queue_id].rules
    left = event.reason is DequeueReason.CUSTOMER_LEFT
    if not (left and rules.resume_window_ms and contact.customer_key):
        return
    key = (contact.queue_id, contact.customer_key)
    state.lost[key] = Lost(
        contact_id=contact.contact_id,
        enqueued_at_ms=contact.enqueued_at_ms,
        left_at_ms=event.at_ms,
    )
    state.lost.move_to_end(key)
    while len(state.lost) > LOST_MAX or _is_long_ago(state, event.at_ms):
        state.lost.popitem(last=False)


def _is_long_ago(state: State, at_ms: int) -> bool:
    return next(iter(state.lost.values())).left_at_ms + RESUME_WINDOW_MAX_MS < at_ms
