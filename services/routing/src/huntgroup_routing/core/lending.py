"""When groups come to a queue and go back, and what becomes of it: by thresholds apart, and never twice in a dwell.

What rules compare is looked at after every event of their queue. While one holds, its switch is due: at once, or when
the dwell is over, and a wait that only grows at the moment when it will be long enough. Time carries it out, one group
of a queue after the other; those who wait then come to ask the group, or ask it no more, in the order of their places.
"""

from collections.abc import Iterator

from huntgroup_routing.core.blending import BlendRule, BlendTrigger, GroupBlended, GroupUnblended
from huntgroup_routing.core.hours import head_of
from huntgroup_routing.core.messages import ContactMoved, Event
from huntgroup_routing.core.overflow import NO_QUEUE
from huntgroup_routing.core.queues import change_plan, plan_of
from huntgroup_routing.core.state import Queue, State
from huntgroup_routing.core.values import LENDS_PER_DECISION_MAX, QueueId

Switch = GroupBlended | GroupUnblended


def lend_groups(state: State, at_ms: int) -> tuple[Switch, ...]:
    """Let groups come and go whose time it is, one of each queue."""
    due = head_of(state.lends_due.in_order(), at_ms, LENDS_PER_DECISION_MAX)
    return tuple(_switch(state.queues[queue_id], at_ms) for queue_id in due)


def _switch(queue: Queue, at_ms: int) -> Switch:
    assert queue.lend_due is not None
    rule = next(one for one in queue.rules.blend if one.group == queue.lend_due[1])
    value = value_of(queue, rule, at_ms)
    if rule.group in queue.blended:
        return GroupUnblended(
            at_ms=at_ms,
            queue_id=queue.queue_id,
            group=rule.group,
            trigger=rule.trigger,
            value=value or 0,
            limit=rule.leave,
        )
    return GroupBlended(
        at_ms=at_ms,
        queue_id=queue.queue_id,
        group=rule.group,
        trigger=rule.trigger,
        value=value or 0,
        limit=rule.enter,
        rank=rule.rank,
    )


def value_of(queue: Queue, rule: BlendRule, at_ms: int) -> int | None:
    """Return what a rule compares; None while there is nothing to compare."""
    match rule.trigger:
        case BlendTrigger.QUEUE_LENGTH:
            return len(queue.waiting)
        case BlendTrigger.LONGEST_WAIT:
            since_ms = _longest_since(queue)
            return 0 if since_ms is None else at_ms - since_ms
        case BlendTrigger.SERVICE_LEVEL:
            return queue.figures.service_level


def _longest_since(queue: Queue) -> int | None:
    """Return since when the one waits who has waited longest."""
    head = None if queue.ages is None else queue.ages.head
    return None if head is None else head[0]


# What the events make of it.


def lent(state: State, event: Switch) -> None:
    """Let a group serve a queue or not; whoever waits follows."""
    queue = state.queues[event.queue_id]
    queue.lent[event.group] = (isinstance(event, GroupBlended), event.at_ms)
    queue.version += 1
    change_plan(state, queue, plan_of(queue.rules, queue.blended))


def look_at_blends(state: State, event: Event) -> None:
    """Reckon after an event when the groups of its queue come or go next."""
    if isinstance(event, ContactMoved):
        _look_at(state, event.from_queue_id, event.at_ms)
    _look_at(state, getattr(event, "queue_id", NO_QUEUE), event.at_ms)


def _look_at(state: State, queue_id: QueueId, at_ms: int) -> None:
    if queue_id in state.lending:
        queue = state.queues[queue_id]
        state.reckon_lends(queue, min(_dues(queue, at_ms), default=None))


def _dues(queue: Queue, at_ms: int) -> Iterator[tuple[int, str]]:
    """Yield when each group comes or goes, if nothing else happens."""
    for rule in queue.rules.blend:
        is_here, since_ms = queue.lent.get(rule.group, (False, None))
        from_ms = at_ms if since_ms is None else max(at_ms, since_ms + rule.dwell_ms)
        if rule.trigger is BlendTrigger.LONGEST_WAIT and not is_here:
            longest_ms = _longest_since(queue)
            if longest_ms is not None:
                yield max(from_ms, longest_ms + rule.enter), rule.group
            continue
        value = value_of(queue, rule, from_ms)
        if value is not None and (rule.releases(value) if is_here else rule.calls(value)):
            yield from_ms, rule.group
