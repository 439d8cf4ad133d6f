"""What follows from a change of the rules: checked, put in one form, and told when it changes anything."""

from huntgroup_routing.core.expressions import ExpressionError, parse
from huntgroup_routing.core.messages import ConfigureQueue, QueueConfigured, Reason, Refused
from huntgroup_routing.core.state import Queue, State
from huntgroup_routing.core.values import QUEUES_MAX, WAITING_MAX_DEFAULT, Strategy, skill_set


def configure_queue(
    state: State, command: ConfigureQueue, at_ms: int
) -> tuple[QueueConfigured, ...] | Refused:
    """Return the change of a queue; nothing when it is so already."""
    queue = state.queues.get(command.queue_id)
    if queue is None and len(state.queues) >= QUEUES_MAX:
        return Refused(
            reason=Reason.TOO_MANY_QUEUES,
            detail=f"queue_id {command.queue_id!r} would be new, and a domain has at most {QUEUES_MAX} queues",
        )
    try:
        requirement = str(parse(command.requirement)) if command.requirement.strip() else ""
    except ExpressionError as error:
        return Refused(reason=Reason.REQUIREMENT_INVALID, detail=f"requirement, {error}")
    event = QueueConfigured(
        at_ms=at_ms,
        queue_id=command.queue_id,
        channel=command.channel,
        required_skills=skill_set(command.required_skills),
        ring_timeout_ms=command.ring_timeout_ms,
        wrap_up_timeout_ms=command.wrap_up_timeout_ms,
        service_level_threshold_ms=command.service_level_threshold_ms,
        waiting_max=command.waiting_max or WAITING_MAX_DEFAULT,
        strategy=command.strategy or Strategy.LONGEST_IDLE,
        reoffer_after_ms=command.reoffer_after_ms,
        requirement=requirement,
    )
    return () if queue is not None and _is_configured_so(queue, event) else (event,)


def _is_configured_so(queue: Queue, event: QueueConfigured) -> bool:
    return (
        queue.channel is event.channel
        and queue.required_skills == event.required_skills
        and queue.ring_timeout_ms == event.ring_timeout_ms
        and queue.wrap_up_timeout_ms == event.wrap_up_timeout_ms
        and queue.service_level_threshold_ms == event.service_level_threshold_ms
        and queue.waiting_max == event.waiting_max
        and queue.strategy is event.strategy
        and queue.reoffer_after_ms == event.reoffer_after_ms
        and queue.expression == event.requirement
    )
