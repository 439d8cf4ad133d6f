"""How a contact takes its place, and how it comes to the steps of its queue's plan."""

from msgspec.structs import replace

from huntgroup_routing.core.deadlines import lapses_due, rings_due, steps_due
from huntgroup_routing.core.eligibility import Ask
from huntgroup_routing.core.leaving import overflow_on_arrival
from huntgroup_routing.core.messages import (
    ContactEnqueued,
    ContactStepped,
    Event,
    ObserveContactQueued,
)
from huntgroup_routing.core.preferring import awaited_by, lapsed, offer_on_arrival
from huntgroup_routing.core.ranking import Matching, offers_in_turn, offers_on_arrival
from huntgroup_routing.core.resuming import resumed
from huntgroup_routing.core.state import Contact, State
from huntgroup_routing.core.steps import Reached
from huntgroup_routing.core.values import ContactId, QueueId, skill_set


def queue_contact(state: State, command: ObserveContactQueued, at_ms: int) -> tuple[Event, ...]:
    """Let a contact take its place.

    Session queues only where it learned of the queue from us, so an unknown queue is nobody's contact.
    """
    contact_id = command.contact_id
    queue = state.queues.get(command.queue_id)
    if queue is None or contact_id in state.contacts:
        return ()
    if command.stay <= state.ended_contacts.get(contact_id, -1):
        return ()
    command, resumes = resumed(state, queue, command, at_ms)
    plan = queue.plan
    own_skills = skill_set(command.required_skills) if command.required_skills else ()
    skills, requirement, crew = plan.ask(0, own_skills)
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
        customer_key=command.customer_key,
        priority_point_ms=queue.rules.priority_point_ms,
        groups=() if crew is None else crew.groups,
        resumes=resumes,
        preferred_agents=tuple(dict.fromkeys(command.preferred_agents)),
    )
    if (plan.overflow or queue.is_closed) and (elsewhere := overflow_on_arrival(state, enqueued)):
        return elsewhere
    if command.direct_agent_id or command.preferred_agents or command.customer_key:
        awaited = awaited_by(state, queue, command, (skills, requirement, crew), at_ms)
        if awaited is not None:
            enqueued = replace(
                enqueued,
                awaited_agents=awaited.agents,
                awaited_until_ms=awaited.until_ms,
                direct=awaited.direct,
            )
            return (enqueued, *offer_on_arrival(state, enqueued))
    if not plan.steps and not plan.crews:
        return (enqueued, *offers_on_arrival(state, enqueued))
    waited_ms = at_ms - command.enqueued_at_ms
    reached = plan.reached(state.pool, command.channel, own_skills, Reached(), waited_ms)
    if not (reached.step or reached.delays_over):
        return (enqueued, *offers_on_arrival(state, enqueued))
    ask = plan.ask(reached.step, own_skills, reached.delays_over)
    stepped = _stepped(contact_id, queue.queue_id, reached, ask, at_ms)
    return (enqueued, stepped, *offers_on_arrival(state, enqueued, ask))


def _stepped(
    contact_id: ContactId, queue_id: QueueId, reached: Reached, ask: Ask, at_ms: int
) -> ContactStepped:
    crew = ask[2]
    return ContactStepped(
        at_ms=at_ms,
        contact_id=contact_id,
        queue_id=queue_id,
        step=reached.step,
        required_skills=ask[0],
        requirement=ask[1],
        skipped=reached.skipped,
        delays_over=reached.delays_over,
        groups=() if crew is None else crew.groups,
    )


def step_contacts(state: State, at_ms: int) -> tuple[Event, ...]:
    """Let contacts come to their steps, and offer those that wait, in the order of their places."""
    events: list[Event] = []
    asks: list[tuple[Contact, Ask]] = []
    for contact in steps_due(state, at_ms):
        channel, plan = contact.requirement.channel, contact.plan
        waited_ms = at_ms - contact.enqueued_at_ms
        now = Reached(contact.step, contact.delays_over)
        reached = plan.reached(state.pool, channel, contact.own_skills, now, waited_ms)
        ask = plan.ask(reached.step, contact.own_skills, reached.delays_over)
        events.append(_stepped(contact.contact_id, contact.queue_id, reached, ask, at_ms))
        if contact.stands_in_line:
            asks.append((contact, ask))
    return (*events, *offers_in_turn(state, asks, at_ms))


def lapse_preferences(state: State, at_ms: int) -> tuple[Event, ...]:
    """Let contacts that waited for certain agents long enough go to others, in the order of their places."""
    contacts = sorted(lapses_due(state, at_ms), key=lambda each: each.place)
    asks = [(contact, contact.requirement.ask) for contact in contacts]
    return (*lapsed(state, contacts, at_ms), *offers_in_turn(state, asks, at_ms))


def widen_rings(state: State, at_ms: int) -> tuple[Event, ...]:
    """Let contacts that ring ring at more agents, in the order of their places."""
    contacts = sorted(rings_due(state, at_ms), key=lambda each: each.place)
    matching = Matching(state, at_ms, said=len(contacts))
    return tuple(event for contact in contacts for event in matching.widen(contact))
