"""Timed relaxation: what is asked of agents for a contact, step by step, the longer it waits.

A contact follows the plan its queue had when it came. When it comes to a step is derived from its age, so one line of
deadlines per domain is all there is; whoever comes to several at once goes to the last of them.
"""

from dataclasses import dataclass
from typing import NamedTuple

from huntgroup_routing.core.eligibility import Ask, Pool
from huntgroup_routing.core.overflow import OverflowRule, OverflowTrigger
from huntgroup_routing.core.sharing import Crew, CrewFrom
from huntgroup_routing.core.values import Channel, RoutingStep, Skill, skill_set


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

    def ask(self, step: int, own_skills: tuple[Skill, ...], delays_over: int = 0) -> Ask:
        """Return what is asked at a step (0: at first) for a contact with skills of its own."""
        now: Plan | RoutingStep = self if step == 0 else self.steps[step - 1]
        skills = skill_set(now.required_skills, own_skills) if own_skills else now.required_skills
        return (skills, now.requirement, self.crew(delays_over))

    @property
    def delays(self) -> int:
        """How many delays its groups have in all."""
        return max(0, len(self.crews) - 1)

    def crew(self, delays_over: int) -> Crew | None:
        """Return who is asked once so many delays are over; None: whoever can."""
        return self.crews[delays_over][1] if self.crews else None

    def next_at_ms(self, step: int, enqueued_at_ms: int) -> int | None:
        """Return when a contact comes to the step after this one; None when there is none."""
        return enqueued_at_ms + self.steps[step].after_ms if step < len(self.steps) else None

    @property
    def wait_max_ms(self) -> int | None:
        """How long a contact waits in the queue at most; None: as long as it likes."""
        limits = (one.limit for one in self.overflow if one.trigger is OverflowTrigger.WAITED)
        return next(limits, None) if self.overflow else None

    def due_at_ms(self, step: int, delays_over: int, enqueued_at_ms: int) -> int | None:
        """Return when somebody else is asked for a contact: at its next step, or when a group's delay is over."""
        at_ms = self.next_at_ms(step, enqueued_at_ms)
        if delays_over + 1 >= len(self.crews):
            return at_ms
        over_ms = enqueued_at_ms + self.crews[delays_over + 1][0]
        return over_ms if at_ms is None else min(at_ms, over_ms)

    def reached(
        self,
        pool: Pool,
        channel: Channel,
        own_skills: tuple[Skill, ...],
        now: "Reached",
        waited_ms: int,
    ) -> "Reached":
        """Return how far a contact has come that came so far before; it skips what nobody signed on could serve."""
        step, delays_over, skipped = now.step, now.delays_over, 0
        while step < len(self.steps) and self.steps[step].after_ms <= waited_ms:
            step += 1
        while delays_over + 1 < len(self.crews) and self.crews[delays_over + 1][0] <= waited_ms:
            delays_over += 1
        if self.skip_unservable:
            while step < len(self.steps) and not pool.able(
                channel, self.ask(step, own_skills, self.delays)
            ):
                step += 1
                skipped += 1
        return Reached(step, delays_over, skipped)


class Reached(NamedTuple):
    """How far a contact has come on its plan."""

    step: int = 0
    delays_over: int = 0
    """Of its queue's groups."""
    skipped: int = 0
    """Steps that nobody signed on could serve, just now."""
