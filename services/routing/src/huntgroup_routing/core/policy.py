"""What follows from a change of the rules: checked, put in one form, and told when it changes anything."""

from huntgroup_routing.core.expressions import ExpressionError, parse
from huntgroup_routing.core.messages import ConfigureQueue, QueueConfigured, Reason, Refused
from huntgroup_routing.core.state import Queue, State
from huntgroup_routing.core.steps import Plan
from huntgroup_routing.core.values import (
    QUEUES_MAX,
    WAITING_MAX_DEFAULT,
    RoutingStep,
    Strategy,
    skill_set,
)


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
    requirement = _one_form(command.requirement, "requirement")
    if isinstance(requirement, Refused):
        return requirement
    steps = _steps(command)
    if isinstance(steps, Refused):
        return steps
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
        steps=steps,
        skip_unservable_steps=command.skip_unservable_steps,
    )
    return () if queue is not None and _is_configured_so(queue, event) else (event,)


def _one_form(text: str, where: str) -> str | Refused:
    if not text.strip():
        return ""
    try:
        return str(parse(text))
    except ExpressionError as error:
        return Refused(reason=Reason.REQUIREMENT_INVALID, detail=f"{where}, {error}")


def _steps(command: ConfigureQueue) -> tuple[RoutingStep, ...] | Refused:
    """Return the steps in one form; each is later than the one before and asks for something else."""
    steps: list[RoutingStep] = []
    before_ms = 0
    asked = (
        skill_set(command.required_skills),
        _one_form(command.requirement, "requirement"),
    )
    for number, step in enumerate(command.steps):
        where = f"steps[{number}]"
        if step.after_ms <= before_ms:
            return _wrong_step(
                f"{where}.after_ms {step.after_ms} is not later than {before_ms}, where the one before begins"
            )
        requirement = _one_form(step.requirement, f"{where}.requirement")
        if isinstance(requirement, Refused):
            return requirement
        ask = (skill_set(step.required_skills), requirement)
        if ask == asked:
            return _wrong_step(f"{where} asks for the same as the one before: leave it out")
        steps.append(
            RoutingStep(after_ms=step.after_ms, required_skills=ask[0], requirement=requirement)
        )
        before_ms, asked = step.after_ms, ask
    return tuple(steps)


def _wrong_step(detail: str) -> Refused:
    return Refused(reason=Reason.STEPS_INVALID, detail=detail)


def _is_configured_so(queue: Queue, event: QueueConfigured) -> bool:
    return (
        queue.channel is event.channel
        and queue.ring_timeout_ms == event.ring_timeout_ms
        and queue.wrap_up_timeout_ms == event.wrap_up_timeout_ms
        and queue.service_level_threshold_ms == event.service_level_threshold_ms
        and queue.waiting_max == event.waiting_max
        and queue.strategy is event.strategy
        and queue.reoffer_after_ms == event.reoffer_after_ms
        and queue.plan
        == Plan(
            required_skills=event.required_skills,
            requirement=event.requirement,
            steps=event.steps,
            skip_unservable=event.skip_unservable_steps,
        )
    )
