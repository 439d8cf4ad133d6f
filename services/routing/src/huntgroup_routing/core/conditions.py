"""What conditions of steps compare, and the contacts that go on to a step when one of them holds."""

from dataclasses import dataclass, field
from typing import Final, NamedTuple

from huntgroup_routing.core.lines import Line
from huntgroup_routing.core.requirements import Requirement
from huntgroup_routing.core.values import (
    ANSWERS_COUNTED,
    ANSWERS_MIN,
    QueueId,
    StepDue,
    StepTrigger,
    WatchDue,
)

Condition = tuple[StepTrigger, int]
"""With its limit."""

NO_ANSWERS: Final = 1
"""Of no contact it is known whether it was answered in time."""


class Figures(NamedTuple):
    """What conditions of steps compare of a queue."""

    waiting: int
    estimated_wait_ms: int
    answers: int
    """A bit for each of the last contacts that were answered or gave up: whether in time; under a leading 1."""

    @property
    def service_level(self) -> int | None:
        """Of a hundred of them, how many were answered in time; None while too few are known."""
        known = self.answers.bit_length() - 1
        return None if known < ANSWERS_MIN else (self.answers.bit_count() - 1) * 100 // known

    def compared(self, trigger: StepTrigger, limit: int) -> int | None:
        """Return the value for which a condition of the queue holds; None when it does not."""
        match trigger:
            case StepTrigger.QUEUE_LENGTH if self.waiting >= limit:
                return self.waiting
            case StepTrigger.ESTIMATED_WAIT if self.estimated_wait_ms >= limit:
                return self.estimated_wait_ms
            case StepTrigger.SERVICE_LEVEL:
                level = self.service_level
                return level if level is not None and level < limit else None
            case _:
                return None


def answered(answers: int, *, in_time: bool) -> int:
    """Return the answers with one more; beyond `ANSWERS_COUNTED` the first is forgotten."""
    more = answers << 1 | in_time
    full = 1 << ANSWERS_COUNTED
    return more if more < full << 1 else more % full | full


@dataclass(slots=True, kw_only=True, eq=False)
class Watch:
    """The contacts that go on when one condition of a queue holds, or nobody is left who could serve them."""

    condition: Condition
    of: QueueId | Requirement
    """Whose figures are looked at: those of a queue, or how many could serve a requirement."""
    line: Line[StepDue] = field(default_factory=Line)
    """By when they have waited long enough."""
    holds: bool = False
    due: WatchDue | None = None
    """When the first of them goes on, while it holds."""


@dataclass(slots=True, kw_only=True, eq=False)
class Watching:
    """All conditions of a domain that contacts wait for."""

    queues: set[QueueId] = field(default_factory=set)
    """Those whose steps have conditions, and those where contacts wait for some."""
    deserted: dict[Requirement, Watch] = field(default_factory=dict)
    """What contacts require that go on when nobody signed on could serve them."""
    due: Line[WatchDue] = field(default_factory=Line)
    """When the first contact of each watch goes on whose condition holds."""

    @property
    def first(self) -> StepDue | None:
        """Who goes on first of those whose condition holds."""
        head = self.due.head
        return None if head is None else (head[0], head[1])

    def reckon(self, watch: Watch, *, holds: bool) -> None:
        """Note whether its condition holds, and so when the first contact goes on."""
        watch.holds, head = holds, watch.line.head
        due = (*head, *watch.condition) if holds and head is not None else None
        if due == watch.due:
            return
        if watch.due is not None:
            self.due.remove(watch.due)
        watch.due = due
        if due is not None:
            self.due.add(due)
