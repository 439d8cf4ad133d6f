"""How a contact comes to a step, or to follow another plan. The state is changed in place."""

from huntgroup_routing.core.messages import ContactReplanned, ContactStepped
from huntgroup_routing.core.ringing import move_room
from huntgroup_routing.core.state import Contact, State
from huntgroup_routing.core.steps import Plan
from huntgroup_routing.core.waiting import leave_at, leaves_at_ms
from huntgroup_routing.core.watching import watch


def stepped(state: State, event: ContactStepped) -> None:
    """Let a contact be at a step of its plan."""
    contact = state.contacts[event.contact_id]
    _come_to(state, contact, contact.plan, event)


def replanned(state: State, event: ContactReplanned) -> None:
    """Let a contact follow the present plan of its queue."""
    contact = state.contacts[event.contact_id]
    queue = state.queues[contact.queue_id]
    _come_to(state, contact, queue.plan, event)
    if contact.offer_id is None and contact.plan_version < queue.followed_from:
        state.outdated.remove(contact.place)
    contact.plan_version = queue.plan_version
    at_ms = leaves_at_ms(queue.plan, contact.entered_at_ms, returns=contact.returns)
    leave_at(state, contact, at_ms)


def _come_to(
    state: State, contact: Contact, plan: Plan, event: ContactStepped | ContactReplanned
) -> None:
    """Let a contact be at a step of a plan, and stand in that class; its place in the queue stays what it was."""
    before, measure = contact.requirement, state.queues[contact.queue_id].measure
    crew, own = plan.crew(event.delays_over), contact.own.requirement
    ask = (event.required_skills, event.requirement, crew, own)
    contact.requirement = state.pool.use(before.channel, ask, measure)
    if contact.stands_in_line:
        before.waiting.remove(contact.place)
        contact.requirement.waiting.add(contact.place)
    move_room(contact, before)
    state.pool.give_back(before)
    if contact.step_due is not None:
        state.steps_due.remove(contact.step_due)
    contact.plan, contact.step, contact.delays_over = plan, event.step, event.delays_over
    if contact.step_due is not None:
        state.steps_due.add(contact.step_due)
    watch(state, contact)
