"""Contacts that go on to a step when something holds of their queue, or when nobody is left who could serve them.

A contact stands in the watch of each condition ahead of it. What a condition compares is looked at after every event
of its queue, or when agents come and go; while it holds, the first of the watch that has waited long enough is due,
and time takes contacts to their steps in portions. The state is changed in place.
"""

from huntgroup_routing.core.conditions import Condition, Watch, answered
from huntgroup_routing.core.estimates import estimated_wait_of_next
from huntgroup_routing.core.messages import AgentJoined, AgentLeft, ContactMoved, Event
from huntgroup_routing.core.overflow import NO_QUEUE
from huntgroup_routing.core.requirements import Requirement
from huntgroup_routing.core.state import Contact, Queue, State
from huntgroup_routing.core.values import QueueId, StepTrigger


def watch(state: State, contact: Contact) -> None:
    """Let a contact stand where the conditions of the steps ahead of it are looked at."""
    unwatch(state, contact)
    if not contact.plan.is_conditional:
        return
    watches = []
    for condition, after_ms in contact.plan.conditions(contact.step).items():
        due = (contact.enqueued_at_ms + after_ms, contact.contact_id)
        if condition[0] is StepTrigger.NOBODY_ON_DUTY:
            one = _of_requirement(state, contact, condition)
        else:
            one = _of_queue(state, state.queues[contact.queue_id], condition)
        one.line.add(due)
        state.watching.reckon(one, holds=one.holds)
        watches.append((one, due))
    contact.watches = tuple(watches)


def unwatch(state: State, contact: Contact) -> None:
    """Take a contact out that has come to a step, or stands there no longer."""
    for one, due in contact.watches:
        one.line.remove(due)
        state.watching.reckon(one, holds=one.holds)
        if not one.line:
            _close(state, one)
    contact.watches = ()


def _of_queue(state: State, queue: Queue, condition: Condition) -> Watch:
    found = queue.watches.get(condition)
    if found is None:
        holds = queue.figures.compared(*condition) is not None
        found = Watch(condition=condition, of=queue.queue_id, holds=holds)
        queue.watches[condition] = found
        note_conditions(state, queue)
    return found


def _of_requirement(state: State, contact: Contact, condition: Condition) -> Watch:
    """Return the watch of what a contact requires once every group of its queue is asked."""
    plan, channel = contact.plan, contact.requirement.channel
    ask = plan.ask(contact.step, contact.own, plan.delays)
    requirement = state.pool.use(channel, ask, None)
    found = state.watching.deserted.get(requirement)
    if found is not None:
        state.pool.give_back(requirement)
        return found
    found = Watch(condition=condition, of=requirement, holds=not requirement.able)
    state.watching.deserted[requirement] = found
    return found


def _close(state: State, one: Watch) -> None:
    if isinstance(one.of, Requirement):
        del state.watching.deserted[one.of]
        state.pool.give_back(one.of)
    else:
        queue = state.queues[one.of]
        del queue.watches[one.condition]
        note_conditions(state, queue)


def note_conditions(state: State, queue: Queue) -> None:
    """Note whether the figures of a queue are looked at after each of its events."""
    if queue.watches or queue.plan.is_conditional:
        state.watching.queues.add(queue.queue_id)
    else:
        state.watching.queues.discard(queue.queue_id)


def look(state: State, event: Event) -> None:
    """Look whether conditions hold after an event."""
    match event:
        case AgentJoined() | AgentLeft():
            for requirement, one in state.watching.deserted.items():
                state.watching.reckon(one, holds=not requirement.able)
        case ContactMoved():
            _look_at(state, event.from_queue_id, event.at_ms)
            _look_at(state, event.queue_id, event.at_ms)
        case _:
            _look_at(state, getattr(event, "queue_id", NO_QUEUE), event.at_ms)


def _look_at(state: State, queue_id: QueueId, at_ms: int) -> None:
    if queue_id not in state.watching.queues:
        return
    queue = state.queues[queue_id]
    if queue.plan.estimates or any(one is StepTrigger.ESTIMATED_WAIT for one, _ in queue.watches):
        estimate = estimated_wait_of_next(queue, at_ms)
        queue.estimated_wait_ms = 0 if estimate is None else estimate.wait_ms
    look_at_figures(state, queue)


def look_at_figures(state: State, queue: Queue) -> None:
    """Look whether the conditions of a queue hold by its figures as they are known."""
    figures = queue.figures
    for condition, one in queue.watches.items():
        state.watching.reckon(one, holds=figures.compared(*condition) is not None)


def count_answer(queue: Queue, waited_ms: int, *, answered_now: bool) -> None:
    """Count a contact towards the service level: one that is answered, or one that gave up after the threshold."""
    in_time = waited_ms <= queue.service_level_threshold_ms
    if answered_now or not in_time:
        queue.answers = answered(queue.answers, in_time=in_time)
