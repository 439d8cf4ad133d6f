"""How those who wait come to follow a plan that is newer than they are: in the order of their places, in portions."""

from itertools import islice

from huntgroup_routing.core.messages import ContactReplanned, Event
from huntgroup_routing.core.ranking import offers_in_turn
from huntgroup_routing.core.requirements import Ask
from huntgroup_routing.core.state import Contact, State, asking_of
from huntgroup_routing.core.values import REPLANS_PER_DECISION_MAX


def replan_contacts(state: State, at_ms: int) -> tuple[Event, ...]:
    """Let the first of them follow the present plan of their queue, and offer them; more than 256 come in turn."""
    events: list[Event] = []
    asks: list[tuple[Contact, Ask]] = []
    for _, _, contact_id in islice(state.outdated.in_order(), REPLANS_PER_DECISION_MAX):
        contact = state.contacts[contact_id]
        queue = state.queues[contact.queue_id]
        plan, asking = queue.plan, asking_of(contact, at_ms)
        resumed = plan.resumed(contact.plan, contact.step)
        reached = plan.reached(state.pool, asking, resumed, queue.figures)
        ask = plan.ask(reached.step, contact.own, reached.delays_over)
        replanned = ContactReplanned(
            at_ms=at_ms,
            contact_id=contact_id,
            queue_id=contact.queue_id,
            step=reached.step,
            required_skills=ask[0],
            requirement=ask[1],
            skipped=reached.skipped,
            delays_over=reached.delays_over,
            groups=() if ask[2] is None else ask[2].groups,
            trigger=reached.trigger,
            limit=reached.limit,
            value=reached.value,
        )
        events.append(replanned)
        if contact.stands_in_line:
            asks.append((contact, ask))
    return (*events, *offers_in_turn(state, asks, at_ms))
