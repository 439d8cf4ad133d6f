"""How a contact comes into a queue, to another one, and out again."""

from huntgroup_session.core.callbacks import callback_let_go
from huntgroup_session.core.eligibility import refuse, refuse_queue
from huntgroup_session.core.messages import (
    ContactDiverted,
    ContactHandedBack,
    ContactMoved,
    ContactQueued,
    ContactReprioritized,
    ContactResumed,
    Event,
    ObserveContactMoved,
    ObserveContactOverflowed,
    ObserveContactReprioritized,
    ObserveContactResumed,
    ObserveQueueConfigured,
    ObserveQueueRetired,
    QueueContact,
    QueueForgotten,
    QueueLearned,
    Refused,
)
from huntgroup_session.core.state import (
    Callback,
    Contact,
    Dialing,
    Initiated,
    Offering,
    Place,
    Queued,
    Scheduled,
    State,
    limits_of,
)

Decision = tuple[Event, ...] | Refused


def queue_contact(state: State, command: QueueContact, at_ms: int) -> Decision:
    """Give the contact a place in a queue that is known and not full."""
    skills = tuple(sorted(set(command.required_skills)))
    match state.find(command.contact_id):
        case Contact(phase=Initiated()) as contact:
            queued = ContactQueued(
                at_ms=at_ms,
                contact_id=contact.contact_id,
                queue_id=command.queue_id,
                channel=contact.channel,
                priority=command.priority,
                required_skills=skills,
                enqueued_at_ms=at_ms,
                stay=contact.stay + 1,
                attempts=contact.attempts,
                preferred_agents=command.preferred_agents,
                direct_agent_id=command.direct_agent_id,
                customer_key=command.customer_key,
                requirement=command.requirement,
            )
            no = refuse_queue(state, contact, command.queue_id, command.requirement)
            return no or (queued,)
        case Contact(
            phase=Queued() | Offering(),
            place=Place(queue_id=command.queue_id, priority=command.priority) as place,
        ) if (place.required_skills, place.requirement) == (skills, command.requirement):
            return ()
        case contact:
            return refuse(contact, command, "it can be queued while INITIATED")


def observe_queue_configured(state: State, command: ObserveQueueConfigured, at_ms: int) -> Decision:
    """Learn of a queue, or of its new limit."""
    queue = state.queues.get(command.queue_id)
    learned = QueueLearned(
        at_ms=at_ms,
        queue_id=command.queue_id,
        waiting_max=command.waiting_max,
        callback_attempts=command.callback_attempts,
        callback_retry_ms=command.callback_retry_ms,
        callbacks_max=command.callbacks_max,
        callback_dial_ms=command.callback_dial_ms,
        channel=command.channel,
    )
    known = queue is not None and queue.open and queue.limits == limits_of(learned)
    return () if known else (learned,)


def observe_queue_retired(state: State, command: ObserveQueueRetired, at_ms: int) -> Decision:
    """Send nobody there any more."""
    queue = state.queues.get(command.queue_id)
    if queue is None or not queue.open:
        return ()
    return (QueueForgotten(at_ms=at_ms, queue_id=command.queue_id),)


def observe_contact_moved(state: State, command: ObserveContactMoved, at_ms: int) -> Decision:
    """Let the contact wait elsewhere, unless the customer has left: routing will hear of that."""
    match state.live.get(command.contact_id):
        case Contact(phase=Queued() | Offering()) as contact if contact.stay < command.stay:
            moved = ContactMoved(
                at_ms=at_ms,
                contact_id=contact.contact_id,
                from_queue_id=contact.place.queue_id,
                queue_id=command.queue_id,
                priority=command.priority,
                enqueued_at_ms=command.enqueued_at_ms,
                wait_ms=contact.wait_ms(at_ms),
                stay=command.stay,
                trigger=command.trigger,
            )
            return (moved,)
        case _:
            return ()


def observe_contact_reprioritized(
    state: State, command: ObserveContactReprioritized, at_ms: int
) -> Decision:
    """Let the contact stand by another priority, here too."""
    match state.live.get(command.contact_id):
        case Contact(phase=Queued() | Offering() | Scheduled()) as contact if (
            contact.place.priority != command.priority
        ):
            reprioritized = ContactReprioritized(
                at_ms=at_ms,
                contact_id=contact.contact_id,
                queue_id=contact.place.queue_id,
                priority=command.priority,
            )
            return (reprioritized,)
        case _:
            return ()


def observe_contact_resumed(state: State, command: ObserveContactResumed, at_ms: int) -> Decision:
    """Let the contact be as old as routing has found, here too: a callback comes back with that age."""
    match state.live.get(command.contact_id):
        case (
            Contact(
                phase=Queued() | Offering() | Scheduled() | Dialing(), stay=command.stay
            ) as contact
        ) if command.enqueued_at_ms < contact.place.enqueued_at_ms:
            resumed = ContactResumed(
                at_ms=at_ms,
                contact_id=contact.contact_id,
                queue_id=contact.place.queue_id,
                enqueued_at_ms=command.enqueued_at_ms,
                resumes=command.resumes,
            )
            return (resumed,)
        case _:
            return ()


def observe_contact_overflowed(
    state: State, command: ObserveContactOverflowed, at_ms: int
) -> Decision:
    """Give the contact back to whoever queued it, or end it here: its queue let it go.

    Nobody is there who could have a callback back, or be sent elsewhere: it takes its place again later.
    """
    match state.live.get(command.contact_id):
        case (
            Contact(
                phase=Queued() | Offering(), callback=Callback(reached=False) as callback
            ) as contact
        ):
            return callback_let_go(contact, callback, command, at_ms)
        case Contact(phase=Queued() | Offering()) as contact:
            return (overflowed(contact, command, at_ms),)
        case _:
            return ()


def overflowed(
    contact: Contact, command: ObserveContactOverflowed, at_ms: int
) -> ContactHandedBack | ContactDiverted:
    """The wait is over without an agent."""
    if command.action is None:
        return ContactHandedBack(
            at_ms=at_ms,
            contact_id=contact.contact_id,
            queue_id=contact.place.queue_id,
            trigger=command.trigger,
            key=command.key,
            wait_ms=contact.wait_ms(at_ms),
            stay=contact.stay,
            attempts=command.attempts,
        )
    return ContactDiverted(
        at_ms=at_ms,
        contact_id=contact.contact_id,
        queue_id=contact.place.queue_id,
        trigger=command.trigger,
        key=command.key,
        action=command.action,
        endpoint=command.endpoint,
        wait_ms=contact.wait_ms(at_ms),
        stay=contact.stay,
    )
