"""What a change of the policy would do to the contacts that wait now: reckoned from the events that would follow."""

from bisect import bisect_right
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass

from huntgroup_routing.core.messages import Event, QueueConfigured, QueueRetired
from huntgroup_routing.core.queues import plan_of
from huntgroup_routing.core.state import Contact, Queue, State
from huntgroup_routing.core.steps import Asking, Plan
from huntgroup_routing.core.values import NOTHING, USUAL_CHANNEL, QueueId


@dataclass(frozen=True, slots=True, kw_only=True)
class Forecast:
    """What happens to one queue, and to how many of those who wait in it."""

    queue_id: QueueId
    kind: str
    """MADE, CHANGED, BROUGHT_BACK or RETIRED."""
    before: QueueConfigured | None
    after: QueueConfigured | None
    waiting: int = 0
    ringing: int = 0
    change_requirement: int = 0
    change_step: int = 0
    become_unservable: int = 0
    become_servable: int = 0
    serves_new: bool = True
    """Whether somebody signed on could serve who comes new, at once or at a step."""


def forecasts(state: State, events: Iterable[Event], at_ms: int) -> list[Forecast]:
    """Return what the events of a change would do, queue by queue."""
    found = []
    for event in events:
        queue = None
        if isinstance(event, QueueConfigured | QueueRetired):
            queue = state.queues.get(event.queue_id)
        match event:
            case QueueConfigured() if queue is None:
                made = Forecast(
                    queue_id=event.queue_id,
                    kind="MADE",
                    before=None,
                    after=event,
                    serves_new=_serves_new(state, event),
                )
                found.append(made)
            case QueueConfigured() if queue is not None:
                found.append(_changed(state, queue, event, at_ms))
            case QueueRetired() if queue is not None:
                retired = Forecast(
                    queue_id=event.queue_id,
                    kind="RETIRED",
                    before=queue.rules,
                    after=None,
                    waiting=len(queue.waiting),
                    ringing=queue.ringing,
                )
                found.append(retired)
            case _:
                pass
    return found


def _changed(state: State, queue: Queue, event: QueueConfigured, at_ms: int) -> Forecast:
    change_requirement = change_step = become_unservable = become_servable = 0
    plan = plan_of(event, queue.blended & {one.group for one in event.blend})
    for (contact, time_step), count in (
        _alike(state, queue, plan, at_ms) if (event.applies_to_waiting) else ()
    ):
        channel, own = contact.requirement.channel, contact.own
        waited_ms = _begins(plan)[time_step - 1] if time_step else 0
        resumed = plan.resumed(contact.plan, contact.step)
        reached = plan.reached(state.pool, Asking(channel, own, waited_ms), resumed, queue.figures)
        step, ask = reached.step, plan.ask(reached.step, own, reached.delays_over)
        could, can = contact.requirement.able, state.pool.able(channel, ask)
        change_requirement += count * (ask != contact.requirement.ask)
        change_step += count * (step != contact.step)
        become_unservable += count * (could > 0 and can == 0)
        become_servable += count * (could == 0 and can > 0)
    return Forecast(
        queue_id=queue.queue_id,
        kind="BROUGHT_BACK" if queue.retired else "CHANGED",
        before=None if queue.retired else queue.rules,
        after=event,
        waiting=len(queue.waiting),
        ringing=queue.ringing,
        change_requirement=change_requirement,
        change_step=change_step,
        become_unservable=become_unservable,
        become_servable=become_servable,
        serves_new=_serves_new(state, event),
    )


def _serves_new(state: State, event: QueueConfigured) -> bool:
    """Return whether anybody signed on, busy or not, could serve a contact that comes, as long as it waits."""
    plan = plan_of(event)
    steps, channel = range(len(plan.steps) + 1), event.channel or USUAL_CHANNEL
    return any(state.pool.able(channel, plan.ask(step, NOTHING, plan.delays)) for step in steps)


def _alike(
    state: State, queue: Queue, plan: Plan, at_ms: int
) -> list[tuple[tuple[Contact, int], int]]:
    """Return one of each kind of contacts with the same fate, its step by time, and how many of them there are."""
    begins = _begins(plan)
    counts, ones = Counter[tuple[object, ...]](), dict[tuple[object, ...], tuple[Contact, int]]()
    for place in queue.waiting.in_order():
        contact = state.contacts[place[2]]
        time_step = bisect_right(begins, at_ms - contact.enqueued_at_ms)
        now = (id(contact.requirement), contact.own, id(contact.plan), contact.step)
        key = (*now, time_step)
        counts[key] += 1
        ones[key] = (contact, time_step)
    return [(ones[key], count) for key, count in counts.items()]


def _begins(plan: Plan) -> list[int]:
    """Return from what waits on contacts come to steps, conditions permitting, in order."""
    return sorted(step.after_ms for step in plan.steps)
