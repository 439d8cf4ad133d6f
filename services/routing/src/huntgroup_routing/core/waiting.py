"""How a contact stands in line, goes to another queue, and leaves without an agent. The state is changed in place."""

from heapq import merge

from huntgroup_routing.core.events import ContactDequeued
from huntgroup_routing.core.overflow import (
    ContactKept,
    ContactMoved,
    ContactReprioritized,
    OverflowAction,
    OverflowRule,
    OverflowTrigger,
    QueueReprioritized,
)
from huntgroup_routing.core.preferring import await_agents, await_no_more
from huntgroup_routing.core.ringing import end_ring
from huntgroup_routing.core.state import TURN, Awaited, Contact, Queue, State
from huntgroup_routing.core.steps import Plan
from huntgroup_routing.core.values import ContactId, DequeueReason, Place, place_of
from huntgroup_routing.core.watching import watch


def begin_to_wait(state: State, contact: Contact) -> None:
    """Enter a contact that waits, and does not ring, where its age and its time in the queue are watched."""
    ages = state.queues[contact.queue_id].ages
    if ages is not None:
        ages.add((contact.waits_from_ms, contact.contact_id))
    if contact.leaves_at_ms is not None:
        state.waits_due.add((contact.leaves_at_ms, contact.contact_id))


def stop_waiting(state: State, contact: Contact) -> None:
    """Take a contact out again that rings, leaves or is moved."""
    ages = state.queues[contact.queue_id].ages
    if ages is not None:
        ages.remove((contact.waits_from_ms, contact.contact_id))
    if contact.leaves_at_ms is not None:
        state.waits_due.remove((contact.leaves_at_ms, contact.contact_id))


def look_up(state: State, contact: Contact) -> None:
    """Keep indexed what a rule about who is on duty asks for whenever a contact like this comes."""
    plan = state.queues[contact.queue_id].plan
    if any(one.trigger is OverflowTrigger.NOBODY_ON_DUTY for one in plan.overflow):
        for step in range(len(plan.steps) + 1):
            ask = plan.ask(step, contact.own, plan.delays)
            requirement = state.pool.use(contact.requirement.channel, ask, None)
            state.pool.give_back(requirement)
            if requirement.able:
                return


def leave_at(state: State, contact: Contact, at_ms: int | None) -> None:
    """Let a contact have waited enough at another time than so far."""
    if contact.offer_id is None:
        stop_waiting(state, contact)
    contact.leaves_at_ms = at_ms
    if contact.offer_id is None:
        begin_to_wait(state, contact)


def waits_by(plan: Plan, *, returns: bool) -> OverflowRule | None:
    """Return the rule by which a contact leaves that has waited enough; None: it waits as long as it likes.

    A callback that came back goes to another queue by that, but out of routing it does not: nobody is on the line.
    """
    rule = plan.waited
    if rule is None or (returns and rule.action is not OverflowAction.QUEUE):
        return None
    return rule


def leaves_at_ms(plan: Plan, entered_at_ms: int, *, returns: bool) -> int | None:
    """Return when a contact has waited enough that entered a queue with this plan; None: never."""
    rule = waits_by(plan, returns=returns)
    return None if rule is None else entered_at_ms + rule.limit


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
    waiting, waited_ms = queue.waiting, at_ms - contact.entered_at_ms
    if at_ms == contact.entered_at_ms:
        waiting.withdraw(contact.lane, contact.place)
    else:
        waiting.give_up(contact.lane, contact.place, at_ms, waited_ms)


def comes_again(event: ContactDequeued) -> bool:
    """Return whether whoever queued the contact has it back, and may queue it once more."""
    if event.reason in (DequeueReason.CALLBACK_POSTPONED, DequeueReason.CALLBACK_DUE):
        return True
    return event.overflow is not None and event.overflow.action is OverflowAction.HAND_BACK


def to_reprioritize(state: State, queue: Queue, priority: int) -> list[ContactId]:
    """Return the contacts of a queue that have, or are about to have, another priority: in what order they change it.

    First those that are raised, the first first, then those that are lowered, the last first: so nobody passes one of
    the same queue meanwhile who stood, and will stand, before them. Who rings is among them, by its place.
    """
    order = [
        state.contacts[place[2]] for place in merge(queue.waiting.in_order(), _ring(state, queue))
    ]
    raised = (one for one in order if one.priority < priority)
    lowered = (one for one in reversed(order) if one.priority >= priority)
    return [
        one.contact_id
        for one in (*raised, *lowered)
        if one.priority != priority or one.contact_id in state.reprioritizing
    ]


def _ring(state: State, queue: Queue) -> list[Place]:
    """Return the places of the contacts of a queue that ring, in order."""
    if not queue.ringing:
        return []
    ringing = (state.contacts[one.contact_id] for one in state.offers.values())
    return sorted({one.place for one in ringing if one.queue_id == queue.queue_id})


def _queue_reprioritized(state: State, event: QueueReprioritized) -> None:
    for contact_id in to_reprioritize(state, state.queues[event.queue_id], event.priority):
        state.reprioritizing[contact_id] = (event.priority, event.at_ms)
        state.reprioritizing.move_to_end(contact_id)


def stood_otherwise(
    state: State, event: ContactMoved | ContactKept | ContactReprioritized | QueueReprioritized
) -> None:
    """Let a contact stand in another queue or by another priority, or wait on where no queue has room for it."""
    match event:
        case QueueReprioritized():
            _queue_reprioritized(state, event)
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
    turn = contact.awaited is not None and contact.awaited.turn
    contact.awaited = None
    queue, before = state.queues[event.queue_id], contact.requirement
    crew, own = queue.plan.crew(event.delays_over), contact.own.requirement
    ask = (event.required_skills, event.requirement, crew, own)
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
    state.reprioritizing.pop(event.contact_id, None)
    contact.leaves_at_ms = leaves_at_ms(queue.plan, event.at_ms, returns=contact.returns)
    if contact.step_due is not None:
        state.steps_due.add(contact.step_due)
    if turn:
        await_agents(state, contact, TURN)
    elif event.awaited_agents:
        awaited = Awaited(
            agents=event.awaited_agents, until_ms=event.awaited_until_ms, direct=False
        )
        await_agents(state, contact, awaited)
    else:
        contact.requirement.waiting.add(contact.place)
    queue.waiting.add(contact.lane, contact.place, event.at_ms)
    begin_to_wait(state, contact)
    look_up(state, contact)
    watch(state, contact)


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
    state.reprioritizing.pop(event.contact_id, None)
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
        contact.requirement.make_room(contact.place)
