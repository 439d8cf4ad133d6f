"""Relaxation: what is asked of agents for a contact, step by step, the longer it waits, or when something holds.

A contact follows the plan its queue had when it came. When it comes to a step by time is derived from its age, so one
line of deadlines per domain is all there is; `core/watching.py` looks when conditions hold. Whoever comes to several
steps at once goes to the last of them, and nobody goes back.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple

from huntgroup_routing.core.conditions import Condition, Figures
from huntgroup_routing.core.eligibility import Pool
from huntgroup_routing.core.overflow import OverflowRule, OverflowTrigger
from huntgroup_routing.core.requirements import Ask
from huntgroup_routing.core.sharing import Crew, CrewFrom
from huntgroup_routing.core.values import (
    CONDITIONS_MAX,
    Channel,
    Own,
    RoutingStep,
    Skill,
    StepTrigger,
    skill_set,
)

PER_CENT: Final = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What a queue asks of agents at first, and then; and where contacts go that it does not take, or lets go."""

    required_skills: tuple[Skill, ...]
    requirement: str
    steps: tuple[RoutingStep, ...] = ()
    skip_unservable: bool = False
    overflow: tuple[OverflowRule, ...] = ()
    crews: tuple[CrewFrom, ...] = ()
    """Who is asked from what age of a contact on; none: whoever can."""

    def ask(self, step: int, own: Own, delays_over: int = 0) -> Ask:
        """Return what is asked at a step (0: at first) for a contact that asks something by itself."""
        now: Plan | RoutingStep = self if step == 0 else self.steps[step - 1]
        skills = skill_set(now.required_skills, own.skills) if own.skills else now.required_skills
        return (skills, now.requirement, self.crew(delays_over), own.requirement)

    @property
    def delays(self) -> int:
        """How many delays its groups have in all."""
        return max(0, len(self.crews) - 1)

    def crew(self, delays_over: int) -> Crew | None:
        """Return who is asked once so many delays are over; None: whoever can."""
        return self.crews[delays_over][1] if self.crews else None

    @property
    def is_conditional(self) -> bool:
        """Whether contacts come to any of its steps by something else than time."""
        return any(one.trigger is not None for one in self.steps)

    @property
    def estimates(self) -> bool:
        """Whether the estimated wait of its queue brings contacts to a step."""
        return any(one.trigger is StepTrigger.ESTIMATED_WAIT for one in self.steps)

    def next_at_ms(self, step: int, enqueued_at_ms: int) -> int | None:
        """Return when a contact comes to a later step by time alone; None when there is none."""
        for one in self.steps[step:]:
            if one.trigger is None:
                return enqueued_at_ms + one.after_ms
        return None

    def conditions(self, step: int) -> dict[Condition, int]:
        """Return what brings a contact to a later step, each with the wait from which on it does (ms)."""
        found: dict[Condition, int] = {}
        for one in self.steps[step:]:
            if one.trigger is not None:
                condition = (one.trigger, one.limit)
                found[condition] = min(one.after_ms, found.get(condition, one.after_ms))
        return found

    @property
    def waited(self) -> OverflowRule | None:
        """The rule about how long a contact waits in the queue at most; None: as long as it likes."""
        rules = (one for one in self.overflow if one.trigger is OverflowTrigger.WAITED)
        return next(rules, None) if self.overflow else None

    def due_at_ms(self, step: int, delays_over: int, enqueued_at_ms: int) -> int | None:
        """Return when somebody else is asked for a contact: at its next step, or when a group's delay is over."""
        at_ms = self.next_at_ms(step, enqueued_at_ms)
        if delays_over + 1 >= len(self.crews):
            return at_ms
        over_ms = enqueued_at_ms + self.crews[delays_over + 1][0]
        return over_ms if at_ms is None else min(at_ms, over_ms)

    def resumed(self, before: "Plan", step: int) -> "Reached":
        """Return from where a contact goes on that was at a step of a plan before: there, if all steps are alike."""
        parts = ("required_skills", "requirement", "steps", "skip_unservable")
        same = all(getattr(self, part) == getattr(before, part) for part in parts)
        return Reached(step if same else 0)

    def reached(self, pool: Pool, asking: "Asking", now: "Reached", figures: Figures) -> "Reached":
        """Return how far a contact has come that came so far before; it skips what nobody signed on could serve.

        `figures` are those of the queue where it stands.
        """
        channel, own, waited_ms = asking
        step, delays_over, skipped, value = now.step, now.delays_over, 0, 0
        while delays_over + 1 < len(self.crews) and self.crews[delays_over + 1][0] <= waited_ms:
            delays_over += 1
        for number, one in enumerate(self.steps[step:], step + 1):
            if one.after_ms > waited_ms:
                continue
            if one.trigger is None:
                step, value = number, 0
            elif one.trigger is StepTrigger.NOBODY_ON_DUTY:
                if not pool.able(channel, self.ask(step, own, self.delays)):
                    step, value = number, 0
            elif (held := figures.compared(one.trigger, one.limit)) is not None:
                step, value = number, held
        by = self.steps[step - 1] if step > now.step else None
        if self.skip_unservable:
            while step < len(self.steps) and not pool.able(
                channel, self.ask(step, own, self.delays)
            ):
                step += 1
                skipped += 1
        return Reached(step, delays_over, skipped, by, value)


class Asking(NamedTuple):
    """A contact, as far as its steps go by it."""

    channel: Channel
    own: Own
    waited_ms: int


class Reached(NamedTuple):
    """How far a contact has come on its plan."""

    step: int = 0
    delays_over: int = 0
    """Of its queue's groups."""
    skipped: int = 0
    """Steps that nobody signed on could serve, just now."""
    by: RoutingStep | None = None
    """The step whose time or trigger brought it further, before any was skipped."""
    value: int = 0
    """What the condition of that step compared."""

    @property
    def trigger(self) -> StepTrigger | None:
        """What that step waits for beside time."""
        return None if self.by is None else self.by.trigger

    @property
    def limit(self) -> int:
        """Of that trigger."""
        return 0 if self.by is None else self.by.limit


WITH_LIMIT: Final = frozenset(
    {StepTrigger.QUEUE_LENGTH, StepTrigger.ESTIMATED_WAIT, StepTrigger.SERVICE_LEVEL}
)


def step_complaints(steps: Sequence[RoutingStep]) -> Iterator[str]:
    """Yield what is wrong with when contacts come to steps."""
    before_ms = conditions = 0
    for number, step in enumerate(steps):
        where = f"steps[{number}]"
        conditions += step.trigger is not None
        if step.trigger is not None and conditions > CONDITIONS_MAX:
            yield f"{where}.trigger {step.trigger}: at most {CONDITIONS_MAX} steps can have one"
        if step.trigger is None and step.after_ms <= before_ms:
            yield (
                f"{where}.after_ms {step.after_ms} is not later than {before_ms},"
                " where the one before begins"
            )
        if step.trigger is not None or step.limit:
            yield from (f"{where}.{text}" for text in _wrong_limit(step))
            yield from (f"{where}.{text}" for text in _never_stood_at(step, number, steps))
        before_ms = max(before_ms, step.after_ms)


def _wrong_limit(step: RoutingStep) -> Iterator[str]:
    if step.trigger in WITH_LIMIT and step.limit <= 0:
        yield f"limit is missing: {step.trigger} needs it"
    elif step.trigger not in WITH_LIMIT and step.limit:
        yield f"limit {step.limit} says nothing: {step.trigger or 'time alone'} does not use it"
    elif step.trigger is StepTrigger.SERVICE_LEVEL and step.limit > PER_CENT:
        yield f"limit {step.limit} is more than {PER_CENT} per cent"


def _never_stood_at(step: RoutingStep, number: int, steps: Sequence[RoutingStep]) -> Iterator[str]:
    """Tell of a later step whose condition holds whenever that of this step does."""
    if step.trigger is None or step.trigger is StepTrigger.NOBODY_ON_DUTY:
        return
    for later, other in enumerate(steps[number + 1 :], number + 1):
        if other.trigger is step.trigger and other.after_ms <= step.after_ms:
            under = step.trigger is StepTrigger.SERVICE_LEVEL
            if other.limit >= step.limit if under else other.limit <= step.limit:
                yield f"trigger {step.trigger}: whenever it holds, that of steps[{later}] does"
                return
