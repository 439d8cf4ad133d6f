"""How a contact takes its place, and how it comes to the steps of its queue's plan."""

from collections.abc import Collection

from msgspec.structs import replace

from huntgroup_routing.core.arriving import offers_on_arrival
from huntgroup_routing.core.deadlines import conditions_due, lapses_due, rings_due, steps_due
from huntgroup_routing.core.leaving import overflow_on_arrival, wrong_channel
from huntgroup_routing.core.messages import (
    ContactEnqueued,
    ContactStepped,
    Event,
    ObserveContactQueued,
)
from huntgroup_routing.core.preferring import (
    awaited_by,
    lapsed,
    lapsed_without,
    offer_on_arrival,
)
from huntgroup_routing.core.ranking import Matching, offers_in_turn
from huntgroup_routing.core.requirements import Ask
from huntgroup_routing.core.resuming import resumed
from huntgroup_routing.core.state import Contact, State, asking_of
from huntgroup_routing.core.steps import Asking, Reached
from huntgroup_routing.core.values import (
    NOTHING,
    AgentId,
    Channel,
    ContactId,
    Own,
    QueueId,
    skill_set,
)


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
    plan, own = queue.plan, _own(command)
    ask = plan.ask(0, own)
    enqueued = ContactEnqueued(
        at_ms=at_ms,
        contact_id=contact_id,
        queue_id=queue.queue_id,
        channel=command.channel,
        priority=command.priority,
        required_skills=ask[0],
        enqueued_at_ms=command.enqueued_at_ms,
        requirement=ask[1],
        own_skills=own.skills,
        own_requirement=own.requirement,
        stay=command.stay,
        attempts=command.attempts,
        customer_key=command.customer_key,
        priority_point_ms=queue.priority_point_ms,
        groups=() if ask[2] is None else ask[2].groups,
        resumes=resumes,
        preferred_agents=_each_once(command.preferred_agents),
        returns=command.returns,
        awaits_turn=command.awaits_turn,
        counted_from_ms=at_ms if resumes or command.returns else 0,
    )
    if not (queue.takes(command.channel) or command.returns):
        return wrong_channel(state, enqueued)
    if (plan.overflow or queue.is_closed) and (elsewhere := overflow_on_arrival(state, enqueued)):
        return elsewhere
    stepped: tuple[ContactStepped, ...] = ()
    if plan.steps or plan.crews:
        asking = Asking(command.channel, own, at_ms - command.enqueued_at_ms)
        reached = plan.reached(state.pool, asking, Reached(), queue.figures)
        if reached.step or reached.delays_over:
            ask = plan.ask(reached.step, own, reached.delays_over)
            stepped = (_stepped(contact_id, queue.queue_id, reached, ask, at_ms),)
    if command.awaits_turn:
        return (enqueued, *stepped)
    if command.direct_agent_id or command.preferred_agents or command.customer_key:
        awaited = awaited_by(state, queue, command, ask, at_ms)
        if awaited is not None:
            enqueued = replace(
                enqueued,
                awaited_agents=awaited.agents,
                awaited_until_ms=awaited.until_ms,
                direct=awaited.direct,
            )
            return (enqueued, *stepped, *offer_on_arrival(state, enqueued))
    return (enqueued, *stepped, *offers_on_arrival(state, enqueued, ask if stepped else None))


def _each_once(agents: tuple[AgentId, ...]) -> tuple[AgentId, ...]:
    return tuple(dict.fromkeys(agents)) if agents else ()


def _own(command: ObserveContactQueued) -> Own:
    if not (command.required_skills or command.requirement):
        return NOTHING
    return Own(skill_set(command.required_skills), command.requirement)


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
        trigger=reached.trigger,
        limit=reached.limit,
        value=reached.value,
    )


def step_contacts(state: State, at_ms: int) -> tuple[Event, ...]:
    """Let contacts come to their steps by time, and offer those that wait, in the order of their places."""
    return _go_on(state, steps_due(state, at_ms), at_ms)


def step_by_condition(state: State, at_ms: int) -> tuple[Event, ...]:
    """The same of those that waited for what holds now."""
    return _go_on(state, conditions_due(state, at_ms), at_ms)


def _go_on(state: State, contacts: list[Contact], at_ms: int) -> tuple[Event, ...]:
    events: list[Event] = []
    asks: list[tuple[Contact, Ask]] = []
    for contact in contacts:
        plan, now = contact.plan, Reached(contact.step, contact.delays_over)
        figures = state.queues[contact.queue_id].figures
        reached = plan.reached(state.pool, asking_of(contact, at_ms), now, figures)
        ask = plan.ask(reached.step, contact.own, reached.delays_over)
        events.append(_stepped(contact.contact_id, contact.queue_id, reached, ask, at_ms))
        if contact.stands_in_line:
            asks.append((contact, ask))
    return (*events, *offers_in_turn(state, asks, at_ms))


def lapse_preferences(state: State, at_ms: int) -> tuple[Event, ...]:
    """Let contacts that waited for certain agents long enough go to others, in the order of their places."""
    contacts = sorted(lapses_due(state, at_ms), key=lambda each: each.place)
    asks = [(contact, contact.requirement.ask) for contact in contacts]
    return (*lapsed(state, contacts, at_ms), *offers_in_turn(state, asks, at_ms))


def lapse_without(
    state: State, agent_id: AgentId, slots: Collection[Channel], at_ms: int
) -> tuple[Event, ...]:
    """Let contacts go to others that are for an agent alone who signs on without their channel."""
    told = lapsed_without(state, agent_id, slots, at_ms)
    contacts = [state.contacts[one.contact_id] for one in told]
    matching = Matching(state, at_ms, [agent_id], said=len(told))
    return (*told, *matching.offer_together([(one, one.requirement.ask) for one in contacts]))


def widen_rings(state: State, at_ms: int) -> tuple[Event, ...]:
    """Let contacts that ring ring at more agents, in the order of their places."""
    contacts = sorted(rings_due(state, at_ms), key=lambda each: each.place)
    matching = Matching(state, at_ms, said=len(contacts))
    return tuple(event for contact in contacts for event in matching.widen(contact))
