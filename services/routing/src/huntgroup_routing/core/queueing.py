"""How a contact takes its place, and how it comes to the steps of its queue's plan."""

from huntgroup_routing.core.deadlines import steps_due
from huntgroup_routing.core.eligibility import Ask
from huntgroup_routing.core.leaving import overflow_on_arrival
from huntgroup_routing.core.messages import (
    ContactEnqueued,
    ContactStepped,
    Event,
    ObserveContactQueued,
)
from huntgroup_routing.core.ranking import offers_in_turn, offers_on_arrival
from huntgroup_routing.core.state import Contact, State
from huntgroup_routing.core.values import ContactId, QueueId, skill_set


def queue_contact(state: State, command: ObserveContactQueued, at_ms: int) -> tuple[Event, ...]:
    """Let a contact take its place.

    Session queues only where it learned of the queue from us, so an unknown queue is nobody's contact.
    """
    contact_id = command.contact_id
    queue = state.queues.get(command.queue_id)
    if queue is None or contact_id in state.contacts or contact_id in state.ended_contacts:
        return ()
    plan, own_skills = queue.plan, skill_set(command.required_skills)
    skills, requirement = plan.ask(0, own_skills)
    enqueued = ContactEnqueued(
        at_ms=at_ms,
        contact_id=contact_id,
        queue_id=queue.queue_id,
        channel=command.channel,
        priority=command.priority,
        required_skills=skills,
        enqueued_at_ms=command.enqueued_at_ms,
        requirement=requirement,
        own_skills=own_skills,
        stay=command.stay,
        attempts=command.attempts,
    )
    if plan.overflow and (elsewhere := overflow_on_arrival(state, enqueued)):
        return elsewhere
    if not plan.steps:
        return (enqueued, *offers_on_arrival(state, enqueued))
    waited_ms = at_ms - command.enqueued_at_ms
    reached = plan.reached(state.pool, command.channel, own_skills, 0, waited_ms)
    if reached[0] == 0:
        return (enqueued, *offers_on_arrival(state, enqueued))
    ask = plan.ask(reached[0], own_skills)
    stepped = _stepped(contact_id, queue.queue_id, reached, ask, at_ms)
    return (enqueued, stepped, *offers_on_arrival(state, enqueued, ask))


def _stepped(
    contact_id: ContactId, queue_id: QueueId, reached: tuple[int, int], ask: Ask, at_ms: int
) -> ContactStepped:
    return ContactStepped(
        at_ms=at_ms,
        contact_id=contact_id,
        queue_id=queue_id,
        step=reached[0],
        required_skills=ask[0],
        requirement=ask[1],
        skipped=reached[1],
    )


def step_contacts(state: State, at_ms: int) -> tuple[Event, ...]:
    """Let contacts come to their steps, and offer those that wait, in the order of their places."""
    events: list[Event] = []
    asks: list[tuple[Contact, Ask]] = []
    for contact in steps_due(state, at_ms):
        channel, plan = contact.requirement.channel, contact.plan
        waited_ms = at_ms - contact.enqueued_at_ms
        reached = plan.reached(state.pool, channel, contact.own_skills, contact.step, waited_ms)
        ask = plan.ask(reached[0], contact.own_skills)
        events.append(_stepped(contact.contact_id, contact.queue_id, reached, ask, at_ms))
        if contact.offer_id is None:
            asks.append((contact, ask))
    return (*events, *offers_in_turn(state, asks, at_ms))
