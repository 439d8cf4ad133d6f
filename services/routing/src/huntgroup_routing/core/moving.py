"""What somebody may do about contacts that wait, and what time does: another queue, another priority, opening hours."""

from itertools import islice

from huntgroup_routing.core.dialing import call_in_turn
from huntgroup_routing.core.exiting import takes_alone
from huntgroup_routing.core.leaving import (
    Hop,
    Leaving,
    cancel,
    comer_of,
    follow,
    leave_after_wait,
)
from huntgroup_routing.core.messages import (
    ContactReprioritized,
    Event,
    MoveContact,
    QueueReprioritized,
    Reason,
    Refused,
    SetContactPriority,
    SetQueuePriority,
)
from huntgroup_routing.core.opening import keep_hours
from huntgroup_routing.core.state import Contact, State
from huntgroup_routing.core.values import (
    REPRIORITIZED_PER_DECISION_MAX,
    CancelReason,
    ContactId,
)
from huntgroup_routing.core.waiting import to_reprioritize


def in_time(state: State, at_ms: int) -> tuple[Event, ...]:
    """Return what time changes about queues and those who wait in them."""
    return (
        reprioritize(state, at_ms)
        or keep_hours(state, at_ms)
        or leave_after_wait(state, at_ms)
        or call_in_turn(state, at_ms)
    )


def move_contact(state: State, command: MoveContact, at_ms: int) -> tuple[Event, ...] | Refused:
    """Let a contact stand in another queue with its age, whatever the rules there say; also while it rings."""
    contact = _find(state, command.contact_id)
    if isinstance(contact, Refused) or contact.queue_id == command.queue_id:
        return contact if isinstance(contact, Refused) else ()
    queue = state.queues.get(command.queue_id)
    if queue is None or queue.retired:
        return Refused(
            reason=Reason.QUEUE_UNKNOWN,
            detail=f"queue_id {command.queue_id!r} names no queue of this domain",
        )
    if not queue.takes(contact.requirement.channel):
        told = takes_alone(queue, contact.requirement.channel)
        return Refused(reason=Reason.WRONG_CHANNEL, detail=f"queue_id {command.queue_id!r}, {told}")
    if len(queue.waiting) + queue.ringing >= queue.waiting_max:
        return Refused(
            reason=Reason.TARGET_FULL,
            detail=f"queue_id {command.queue_id!r} is full: its waiting_max is {queue.waiting_max}",
        )
    hop = Hop(state.queues[contact.queue_id], None, queue)
    canceled = cancel(state, contact, at_ms, CancelReason.CONTACT_MOVED)
    return (*canceled, *follow(Leaving(state, at_ms), [(contact, comer_of(contact), [hop])]))


def set_queue_priority(
    state: State, command: SetQueuePriority, at_ms: int
) -> tuple[Event, ...] | Refused:
    """Let all contacts that stand in a queue stand by another priority, each at its age."""
    queue = state.queues.get(command.queue_id)
    if queue is None:
        return Refused(
            reason=Reason.QUEUE_UNKNOWN,
            detail=f"queue_id {command.queue_id!r} names no queue of this domain",
        )
    others = to_reprioritize(state, queue, command.priority)
    if not others:
        return ()
    return (
        QueueReprioritized(
            at_ms=at_ms,
            queue_id=queue.queue_id,
            priority=command.priority,
            contacts=len(others),
        ),
    )


def reprioritize(state: State, at_ms: int) -> tuple[Event, ...]:
    """Let the next of those whose queue was given another priority stand by it."""
    following = islice(state.reprioritizing.items(), REPRIORITIZED_PER_DECISION_MAX)
    return tuple(
        ContactReprioritized(
            at_ms=at_ms,
            contact_id=contact_id,
            queue_id=state.contacts[contact_id].queue_id,
            priority=priority,
        )
        for contact_id, (priority, _) in following
    )


def set_contact_priority(
    state: State, command: SetContactPriority, at_ms: int
) -> tuple[Event, ...] | Refused:
    """Let a contact stand by another priority, at its age; one that rings finds its new place when it comes back."""
    contact = _find(state, command.contact_id)
    if isinstance(contact, Refused):
        return contact
    if contact.priority == command.priority and contact.contact_id not in state.reprioritizing:
        return ()
    return (
        ContactReprioritized(
            at_ms=at_ms,
            contact_id=contact.contact_id,
            queue_id=contact.queue_id,
            priority=command.priority,
        ),
    )


def _find(state: State, contact_id: ContactId) -> Contact | Refused:
    return state.contacts.get(contact_id) or Refused(
        reason=Reason.CONTACT_UNKNOWN,
        detail=f"contact_id {contact_id!r} neither waits nor rings in this domain",
    )
