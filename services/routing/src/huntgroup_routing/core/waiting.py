"""How a contact stands in line, goes to another queue, and leaves without an agent. The state is changed in place."""

from huntgroup_routing.core.events import ContactDequeued
from huntgroup_routing.core.overflow import (
    ContactKept,
    ContactMoved,
    ContactReprioritized,
    OverflowAction,
)
from huntgroup_routing.core.preferring import await_agents, await_no_more
from huntgroup_routing.core.ringing import end_ring
from huntgroup_routing.core.state import Awaited, Contact, Queue, State
from huntgroup_routing.core.steps import Plan
from huntgroup_routing.core.values import DequeueReason, place_of


def begin_to_wait(state: State, contact: Contact) -> None:
    """Enter a contact that waits, and does not ring, where its time in the queue is watched."""
    if contact.leaves_at_ms is not None:
        state.waits_due.add((contact.leaves_at_ms, contact.contact_id))


def stop_waiting(state: State, contact: Contact) -> None:
    """Take a contact out again that rings, leaves or is moved."""
    if contact.leaves_at_ms is not None:
        state.waits_due.remove((contact.leaves_at_ms, contact.contact_id))


def leave_at(state: State, contact: Contact, at_ms: int | None) -> None:
    """Let a contact have waited enough at another time than so far."""
    if contact.offer_id is None:
        stop_waiting(state, contact)
    contact.leaves_at_ms = at_ms
    if contact.offer_id is None:
        begin_to_wait(state, contact)


def leaves_at_ms(plan: Plan, entered_at_ms: int) -> int | None:
    """Return when a contact has waited enough that entered a queue with this plan; None: never."""
    wait_max_ms = plan.wait_max_ms
    return None if wait_max_ms is None else entered_at_ms + wait_max_ms


def step_out(state: State, contact: Contact, queue: Queue) -> None:
    """Take a contact out of the lines of the domain; that of its queue is told why."""
    if contact.awaited is None:
        contact.requirement.waiting.remove(contact.place)
    else:
        await_no_more(state, contact)
    if contact.plan_version < queue.followed_from:
        state.outdated.remove(contact.place)
    stop_waiting(state, contact)


def give_up_waiting(state: State, contact: Contact, at_ms: int) -> None:
    """Let a contact leave its place without an agent; who leaves as it came did not wait."""
    queue = state.queues[contact.queue_id]
    step_out(state, contact, queue)
    waiting, waited_ms = queue.waiting, at_ms - contact.enqueued_at_ms
    if at_ms == contact.entered_at_ms:
        waiting.withdraw(contact.lane, contact.place)
    else:
        waiting.give_up(contact.lane, contact.place, at_ms, waited_ms)


def comes_again(event: ContactDequeued) -> bool:
    """Return whether whoever queued the contact has it back, and may queue it once more."""
    if event.reason is DequeueReason.CALLBACK_POSTPONED:
        return True
    return event.overflow is not None and event.overflow.action is OverflowAction.HAND_BACK


def stood_otherwise(state: State, event: ContactMoved | ContactKept | ContactReprioritized) -> None:
    """Let a contact stand in another queue or by another priority, or wait on where no queue has room for it."""
    match event:
        case ContactMoved():
            _moved(state, event)
        case ContactReprioritized():
            _reprioritized(state, event)
        case ContactKept():
            leave_at(state, state.contacts[event.contact_id], event.next_at_ms)


def _moved(state: State, event: ContactMoved) -> None:
    """Let a contact stand in another queue, by the priority and the age that the event tells, at a step of its plan."""
    contact = state.contacts[event.contact_id]
    if contact.offer_id is None:
        give_up_waiting(state, contact, event.at_ms)
    else:
        contact.offer_id = None
        end_ring(state, contact)
        state.queues[contact.queue_id].ringing -= 1
    if contact.step_due is not None:
        state.steps_due.remove(contact.step_due)
    contact.awaited = None
    queue, before = state.queues[event.queue_id], contact.requirement
    ask = (event.required_skills, event.requirement, queue.plan.crew(event.delays_over))
    contact.requirement = state.pool.use(before.channel, ask, queue.measure)
    state.pool.give_back(before)
    contact.queue_id, contact.plan, contact.step = queue.queue_id, queue.plan, event.step
    contact.delays_over, contact.plan_version = event.delays_over, queue.plan_version
    contact.priority_point_ms = event.priority_point_ms
    contact.priority, contact.enqueued_at_ms = event.priority, event.enqueued_at_ms
    contact.place = place_of(
        event.priority, event.enqueued_at_ms, event.contact_id, event.priority_point_ms
    )
    contact.stay, contact.entered_at_ms = event.stay, event.at_ms
    contact.leaves_at_ms = leaves_at_ms(queue.plan, event.at_ms)
    if contact.step_due is not None:
        state.steps_due.add(contact.step_due)
    if event.awaited_agents:
        awaited = Awaited(
            agents=event.awaited_agents, until_ms=event.awaited_until_ms, direct=False
        )
        await_agents(state, contact, awaited)
    else:
        contact.requirement.waiting.add(contact.place)
    queue.waiting.add(contact.lane, contact.place, event.at_ms)
    begin_to_wait(state, contact)


def _reprioritized(state: State, event: ContactReprioritized) -> None:
    """Let a contact stand by another priority."""
    contact = state.contacts[event.contact_id]
    queue, waits, ring = state.queues[contact.queue_id], contact.offer_id is None, contact.ring
    roomy = ring is not None and ring.roomy
    if waits:
        step_out(state, contact, queue)
        queue.waiting.withdraw(contact.lane, contact.place)
    elif roomy:
        contact.requirement.roomy.remove(contact.place)
    contact.priority = event.priority
    contact.place = place_of(
        event.priority, contact.enqueued_at_ms, event.contact_id, contact.priority_point_ms
    )
    if waits:
        if contact.awaited is None:
            contact.requirement.waiting.add(contact.place)
        else:
            await_agents(state, contact, contact.awaited)
        queue.waiting.add(contact.lane, contact.place, event.at_ms)
        begin_to_wait(state, contact)
        if contact.plan_version < queue.followed_from:
            state.outdated.add(contact.place)
    elif roomy:
        contact.requirement.roomy.add(contact.place)
