"""Timed relaxation: what is asked of agents for a contact, step by step, the longer it waits.

A contact follows the plan its queue had when it came. When it comes to a step is derived from its age, so one line of
deadlines per domain is all there is; whoever comes to several at once goes to the last of them.
"""

from dataclasses import dataclass

from huntgroup_routing.core.eligibility import Ask, Pool
from huntgroup_routing.core.overflow import OverflowRule, OverflowTrigger
from huntgroup_routing.core.values import Channel, RoutingStep, Skill, skill_set


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What a queue asks of agents at first, and then; and where contacts go that it does not take, or lets go."""

    required_skills: tuple[Skill, ...]
    requirement: str
    steps: tuple[RoutingStep, ...] = ()
    skip_unservable: bool = False
    overflow: tuple[OverflowRule, ...] = ()

    def ask(self, step: int, own_skills: tuple[Skill, ...]) -> Ask:
        """Return what is asked at a step (0: at first) for a contact with skills of its own."""
        now: Plan | RoutingStep = self if step == 0 else self.steps[step - 1]
        skills = skill_set(now.required_skills, own_skills) if own_skills else now.required_skills
        return (skills, now.requirement)

    def next_at_ms(self, step: int, enqueued_at_ms: int) -> int | None:
        """Return when a contact comes to the step after this one; None when there is none."""
        return enqueued_at_ms + self.steps[step].after_ms if step < len(self.steps) else None

    @property
    def wait_max_ms(self) -> int | None:
        """How long a contact waits in the queue at most; None: as long as it likes."""
        limits = (one.limit for one in self.overflow if one.trigger is OverflowTrigger.WAITED)
        return next(limits, None) if self.overflow else None

    def reached(
        self, pool: Pool, channel: Channel, own_skills: tuple[Skill, ...], step: int, waited_ms: int
    ) -> tuple[int, int]:
        """Return the step that a contact has come to, and how many nobody signed on could serve were skipped."""
        while step < len(self.steps) and self.steps[step].after_ms <= waited_ms:
            step += 1
        skipped = 0
        if self.skip_unservable:
            while step < len(self.steps) and not pool.able(channel, self.ask(step, own_skills)):
                step += 1
                skipped += 1
        return step, skipped
