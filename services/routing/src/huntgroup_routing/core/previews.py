"""What a change of the policy would do to the contacts that wait now: reckoned from the events that would follow."""

from bisect import bisect_right
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from typing import NamedTuple

from huntgroup_routing.core.messages import Event, QueueConfigured, QueueRetired
from huntgroup_routing.core.overflow import OverflowRule, OverflowTrigger
from huntgroup_routing.core.queues import plan_of
from huntgroup_routing.core.state import Contact, Queue, State
from huntgroup_routing.core.steps import Asking, Plan
from huntgroup_routing.core.values import NOTHING, USUAL_CHANNEL, QueueId
from huntgroup_routing.core.waiting import leaves_at_ms, waits_by


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
    change_leaving: int = 0
    """By rule when they have waited enough, or by key."""
    leave_at_once: int = 0
    """Of those, who have waited enough by then already."""
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
    change_leaving = leave_at_once = 0
    plan = plan_of(event, queue.blended & {one.group for one in event.blend})
    for one, count in _alike(state, queue, plan, _followed_from(queue, event, plan), at_ms):
        contact = one.contact
        channel, own = contact.requirement.channel, contact.own
        resumed = plan.resumed(contact.plan, contact.step)
        asking = Asking(channel, own, one.waited_ms)
        reached = plan.reached(state.pool, asking, resumed, queue.figures)
        step, ask = reached.step, plan.ask(reached.step, own, reached.delays_over)
        could, can = contact.requirement.able, state.pool.able(channel, ask)
        change_requirement += count * (ask != contact.requirement.ask)
        change_step += count * (step != contact.step)
        become_unservable += count * (could > 0 and can == 0)
        become_servable += count * (could == 0 and can > 0)
        waits, keys = _leaving(contact.plan, contact)
        will_wait, will_have = _leaving(plan, contact)
        change_leaving += count * (waits != will_wait or keys != will_have)
        leave_at_once += count * (waits != will_wait and one.waited_enough)
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
        change_leaving=change_leaving,
        leave_at_once=leave_at_once,
        serves_new=_serves_new(state, event),
    )


def _followed_from(queue: Queue, event: QueueConfigured, plan: Plan) -> int:
    """Return from which version of the queue on whoever waits keeps the plan; those with an older one follow this."""
    if not event.applies_to_waiting:
        return queue.followed_from
    return queue.plan_version if plan == queue.plan else queue.version + 1


def _leaving(plan: Plan, contact: Contact) -> tuple[OverflowRule | None, frozenset[OverflowRule]]:
    """Return by which rules of a plan a contact leaves: that has waited enough, or whose customer presses a key."""
    keys = (one for one in plan.overflow if one.trigger is OverflowTrigger.EXIT_KEY)
    return waits_by(plan, returns=contact.returns), frozenset(keys)


def _serves_new(state: State, event: QueueConfigured) -> bool:
    """Return whether anybody signed on, busy or not, could serve a contact that comes, as long as it waits."""
    plan = plan_of(event)
    steps, channel = range(len(plan.steps) + 1), event.channel or USUAL_CHANNEL
    return any(state.pool.able(channel, plan.ask(step, NOTHING, plan.delays)) for step in steps)


class _One(NamedTuple):
    """A contact that is about to follow a plan, one of its kind."""

    contact: Contact
    waited_ms: int
    """What counts of its age: the last at which something begins."""
    waited_enough: bool
    """By the rule of that plan."""


def _alike(
    state: State, queue: Queue, plan: Plan, followed_from: int, at_ms: int
) -> list[tuple[_One, int]]:
    """Return one of each kind of contacts with the same fate among those who follow, and how many of them there are."""
    begins = _begins(plan)
    counts, ones = Counter[tuple[object, ...]](), dict[tuple[object, ...], _One]()
    for place in queue.waiting.in_order():
        contact = state.contacts[place[2]]
        if contact.plan_version >= followed_from:
            continue
        waited_ms = begins[bisect_right(begins, max(0, at_ms - contact.enqueued_at_ms)) - 1]
        over_ms = leaves_at_ms(plan, contact.entered_at_ms, returns=contact.returns)
        one = _One(contact, waited_ms, over_ms is not None and over_ms <= at_ms)
        now = (id(contact.requirement), contact.own, id(contact.plan), contact.step)
        key = (*now, contact.returns, *one[1:])
        counts[key] += 1
        ones[key] = one
    return [(ones[key], count) for key, count in counts.items()]


def _begins(plan: Plan) -> list[int]:
    """Return from what waits on (ms) contacts come to steps, conditions permitting, or delays of groups are over."""
    return sorted(
        {0, *(one.after_ms for one in plan.steps), *(from_ms for from_ms, _ in plan.crews)}
    )
