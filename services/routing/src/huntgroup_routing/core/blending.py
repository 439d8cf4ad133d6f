"""Groups of agents who serve a queue only while it needs them: the rules, the facts, and what is wrong with rules.

A queue's rules are data of its policy; `core/lending.py` says when they hold, and what becomes of it.
"""

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from huntgroup_routing.core.values import QueueId

PER_CENT: Final = 100


class BlendTrigger(StrEnum):
    """What of the queue is compared."""

    QUEUE_LENGTH = "QUEUE_LENGTH"
    LONGEST_WAIT = "LONGEST_WAIT"
    SERVICE_LEVEL = "SERVICE_LEVEL"


@dataclass(frozen=True, slots=True, kw_only=True)
class BlendRule:
    """When a group comes to a queue, and when it goes back; both count contacts, milliseconds or per cent."""

    group: str
    trigger: BlendTrigger
    enter: int
    leave: int
    dwell_ms: int
    """So long it stays at least, and stays away."""
    rank: int = 0

    @property
    def wants_less(self) -> bool:
        """Whether it comes when the value is low, not high."""
        return self.trigger is BlendTrigger.SERVICE_LEVEL

    def calls(self, value: int) -> bool:
        """Return whether a group that is away is to come."""
        return value < self.enter if self.wants_less else value >= self.enter

    def releases(self, value: int) -> bool:
        """Return whether a group that is here may go back."""
        return value >= self.leave if self.wants_less else value <= self.leave


@dataclass(frozen=True, slots=True, kw_only=True)
class GroupBlended:
    """A group serves a queue from now on, too."""

    at_ms: int
    queue_id: QueueId
    group: str
    trigger: BlendTrigger
    value: int
    limit: int
    rank: int


@dataclass(frozen=True, slots=True, kw_only=True)
class GroupUnblended:
    """A group that came to a queue serves it no more."""

    at_ms: int
    queue_id: QueueId
    group: str
    trigger: BlendTrigger
    value: int
    limit: int


def blend_complaints(rules: Sequence[BlendRule], serving: Collection[str]) -> Iterator[str]:
    """Yield what is wrong with the rules of a queue that some groups serve always."""
    seen: set[str] = set()
    for number, rule in enumerate(rules):
        where = f"blend[{number}]"
        if not serving:
            yield f"{where}: groups is empty, so {rule.group!r} serves the queue already"
        if rule.group in serving:
            yield f"{where}.group {rule.group!r} is among groups: it serves the queue always"
        if rule.group in seen:
            yield f"{where}.group {rule.group!r} is named twice"
        seen.add(rule.group)
        if rule.wants_less and not rule.enter < rule.leave <= PER_CENT:
            yield (
                f"{where}.leave {rule.leave} is not more than enter, {rule.enter}, and at most {PER_CENT}:"
                f" {rule.trigger} comes below the one and goes from the other on"
            )
        elif not rule.wants_less and not rule.leave < rule.enter:
            yield (
                f"{where}.leave {rule.leave} is not less than enter, {rule.enter}:"
                f" {rule.trigger} comes from the one on and goes at the other or below"
            )
