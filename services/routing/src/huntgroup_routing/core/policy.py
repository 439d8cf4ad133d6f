"""What follows from a change of the rules: checked, put in one form, and told when it changes anything."""

from collections.abc import Collection, Iterator
from dataclasses import fields
from dataclasses import replace as replaced
from typing import NamedTuple

from msgspec.structs import replace

from huntgroup_routing.core.blending import blend_complaints
from huntgroup_routing.core.expressions import ExpressionError, Term, parse
from huntgroup_routing.core.hours import hours_complaints
from huntgroup_routing.core.messages import ConfigureQueue, QueueConfigured, Reason, Refused
from huntgroup_routing.core.overflow import (
    channel_complaints,
    complaints,
    endless_text,
    endless_way_through,
    targets,
)
from huntgroup_routing.core.queues import droppable, sends_home
from huntgroup_routing.core.state import State
from huntgroup_routing.core.steps import step_complaints
from huntgroup_routing.core.values import (
    CALLBACK_DIAL_MS_DEFAULT,
    CALLBACK_RETRY_MS_DEFAULT,
    CALLBACK_RETRY_MS_MIN,
    CALLBACKS_MAX_DEFAULT,
    QUEUES_MAX,
    RING_EVERY_MS_DEFAULT,
    RING_MAX_DEFAULT,
    WAITING_MAX_DEFAULT,
    Channel,
    RoutingStep,
    Skill,
    Strategy,
    skill_set,
)


class Meaning(NamedTuple):
    """What a text means, and its one form."""

    term: Term
    form: str


Terms = dict[str, Meaning]
"""Of texts, in one decision."""


def configure_queue(
    state: State, command: ConfigureQueue, at_ms: int
) -> tuple[QueueConfigured, ...] | Refused:
    """Return the change of a queue, a version of the domain's policy; nothing when it is so already."""
    queue = state.queues.get(command.queue_id)
    if queue is None and len(state.queues) >= QUEUES_MAX and not droppable(state):
        return Refused(
            reason=Reason.TOO_MANY_QUEUES,
            detail=f"queue_id {command.queue_id!r} would be new, and a domain has at most {QUEUES_MAX} queues",
        )
    rules = rules_of(command, at_ms)
    if isinstance(rules, Refused):
        return rules
    missing = scorer_missing(rules, state.scorers)
    if missing is not None:
        return Refused(reason=Reason.SCORER_UNKNOWN, detail=missing)
    there = {key: one.rules.overflow for key, one in state.queues.items() if not one.retired}
    for text in complaints(command.queue_id, command.overflow, there):
        return Refused(reason=Reason.OVERFLOW_INVALID, detail=text)
    if way := endless_way_through(command.queue_id, command.overflow, there):
        return Refused(reason=Reason.OVERFLOW_INVALID, detail=endless_text(way))
    for text in _wrong_channels(state, command, None if queue is None else queue.channel):
        return Refused(reason=Reason.OVERFLOW_INVALID, detail=text)
    if queue is not None and not queue.retired and is_same(queue.rules, rules):
        return ()
    follow = queue is not None and sends_home(queue, rules)
    version = state.versions.version + 1
    return (replace(rules, domain_version=version, applies_to_waiting=follow),)


def _wrong_channels(
    state: State, command: ConfigureQueue, present: Channel | None
) -> Iterator[str]:
    """Yield which rules would lead where their channel is not taken: those of the queue, and those that name it.

    Those of others only where the channel is not the present one: else they were checked with it.
    """
    there = {one: state.queues[one] for one in targets(command.overflow) if one in state.queues}
    channels = {key: one.channel for key, one in there.items() if key != command.queue_id}
    yield from channel_complaints(command.channel, command.overflow, channels)
    if command.channel in (None, present):
        return
    here = {command.queue_id: command.channel}
    for key, one in state.queues.items():
        if one.retired or key == command.queue_id:
            continue
        for text in channel_complaints(one.channel, one.rules.overflow, here):
            yield f"channel {command.channel}: of queue_id {key!r}, {text}"


def scorer_missing(rules: QueueConfigured, scorers: Collection[str]) -> str | None:
    """Return what is wrong with the scorer that a queue names, when it is not installed here."""
    if rules.strategy is not Strategy.SCORED or rules.scorer in scorers:
        return None
    installed = ", ".join(sorted(scorers)) or "none"
    return f"scorer {rules.scorer!r} is not installed, these are: {installed}"


def rules_of(
    command: ConfigureQueue, at_ms: int, terms: Terms | None = None
) -> QueueConfigured | Refused:
    """Return what a queue is to be, in its one form; refused when that cannot be understood or makes no sense.

    `terms` spares understanding a text twice in one decision; what is new is added.
    """
    terms = {} if terms is None else terms
    return next(wrong_with(command, terms), None) or sound_rules(command, at_ms, terms)


def sound_rules(command: ConfigureQueue, at_ms: int, terms: Terms) -> QueueConfigured:
    """Return the same, where `wrong_with` found nothing."""
    rings = command.strategy in (Strategy.RING_ALL, Strategy.RING_PROGRESSIVELY)
    calls = command.callback_attempts > 0
    return QueueConfigured(
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
        requirement=_one_form(command.requirement, terms),
        steps=tuple(_step(step, terms) for step in command.steps),
        skip_unservable_steps=command.skip_unservable_steps,
        ring_max=(command.ring_max or RING_MAX_DEFAULT) if rings else 0,
        ring_every_ms=(command.ring_every_ms or RING_EVERY_MS_DEFAULT) if rings else 0,
        pull_requirement=_one_form(command.pull_requirement, terms),
        preferred_hold_ms=command.preferred_hold_ms,
        prefers_last_agent=command.prefers_last_agent,
        direct_hold_ms=command.direct_hold_ms,
        scorer=command.scorer if command.strategy is Strategy.SCORED else "",
        overflow=command.overflow,
        hours=command.hours,
        priority_point_ms=command.priority_point_ms,
        groups=command.groups,
        callback_attempts=command.callback_attempts,
        callback_retry_ms=(command.callback_retry_ms or CALLBACK_RETRY_MS_DEFAULT) if calls else 0,
        resume_window_ms=command.resume_window_ms,
        callbacks_max=(command.callbacks_max or CALLBACKS_MAX_DEFAULT) if calls else 0,
        callback_dial_ms=(command.callback_dial_ms or CALLBACK_DIAL_MS_DEFAULT) if calls else 0,
        blend=command.blend,
        callback_dial_ahead=(command.callback_dial_ahead or 1) if command.callback_attempts else 0,
        one_channel=command.channel is not None,
    )


def command_of(rules: QueueConfigured) -> ConfigureQueue:
    """Return the command that would make a queue what it is."""
    said = {one.name: getattr(rules, one.name) for one in fields(ConfigureQueue)}
    return ConfigureQueue(**(said | {"channel": rules.only_channel}))


def is_same(rules: QueueConfigured, other: QueueConfigured) -> bool:
    """Return whether two say the same of a queue, whenever and as part of whatever version they said it."""
    return rules == replace(
        other,
        at_ms=rules.at_ms,
        domain_version=rules.domain_version,
        applies_to_waiting=rules.applies_to_waiting,
    )


def wrong_with(command: ConfigureQueue, terms: Terms) -> Iterator[Refused]:
    """Yield all that cannot be understood or makes no sense in the rules of a queue; `terms` learns what texts mean."""
    for where in ("requirement", "pull_requirement"):
        yield from _not_understood(getattr(command, where), where, terms)
    yield from _wrong_steps(command, terms)
    for text in hours_complaints(command.hours) if command.hours else ():
        yield Refused(reason=Reason.HOURS_INVALID, detail=text)
    yield from _wrong_groups(command)
    if 0 < command.callback_retry_ms < CALLBACK_RETRY_MS_MIN:
        yield Refused(
            reason=Reason.CALLBACKS_INVALID,
            detail=f"callback_retry_ms {command.callback_retry_ms} is less than {CALLBACK_RETRY_MS_MIN}",
        )


def _not_understood(text: str, where: str, terms: Terms) -> Iterator[Refused]:
    if not text.strip() or text in terms:
        return
    try:
        term = parse(text)
    except ExpressionError as error:
        yield Refused(reason=Reason.REQUIREMENT_INVALID, detail=f"{where}, {error}")
    else:
        form = str(term)
        terms[text] = Meaning(term, text if form == text else form)


def _one_form(text: str, terms: Terms) -> str:
    """Return a text in its one form; as it is where it was not understood."""
    if not text.strip():
        return ""
    return terms[text].form if text in terms else text


def _step(step: RoutingStep, terms: Terms) -> RoutingStep:
    skills, requirement = _asked(step, terms)
    if skills == step.required_skills and requirement == step.requirement:
        return step
    return replaced(step, required_skills=skills, requirement=requirement)


def _asked(one: ConfigureQueue | RoutingStep, terms: Terms) -> tuple[tuple[Skill, ...], str]:
    """Return what a queue at first, or a step of it, asks of agents, in its one form."""
    return (skill_set(one.required_skills), _one_form(one.requirement, terms))


def _wrong_steps(command: ConfigureQueue, terms: Terms) -> Iterator[Refused]:
    """Yield what is wrong with steps: when contacts come to them, and that each asks for something else."""
    yield from map(_wrong_step, step_complaints(command.steps))
    asked = _asked(command, terms)
    for number, step in enumerate(command.steps):
        where = f"steps[{number}]"
        yield from _not_understood(step.requirement, f"{where}.requirement", terms)
        ask = _asked(step, terms)
        if ask == asked:
            yield _wrong_step(f"{where} asks for the same as the one before: leave it out")
        asked = ask


def _wrong_groups(command: ConfigureQueue) -> Iterator[Refused]:
    named: set[str] = set()
    for number, group in enumerate(command.groups):
        if group.group in named:
            yield _wrong_group(f"groups[{number}].group {group.group!r} is named twice")
        named.add(group.group)
    if command.groups and all(group.delay_ms for group in command.groups):
        yield _wrong_group("groups have a delay each: at least one is to be asked at once")
    for text in blend_complaints(command.blend, named):
        yield _wrong_group(text)


def _wrong_group(detail: str) -> Refused:
    return Refused(reason=Reason.GROUPS_INVALID, detail=detail)


def _wrong_step(detail: str) -> Refused:
    return Refused(reason=Reason.STEPS_INVALID, detail=detail)
