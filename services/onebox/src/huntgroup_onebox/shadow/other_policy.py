"""The other policy: what holds of a queue in the shadow where it was really made, changed or retired."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from msgspec.structs import replace

from huntgroup_routing.core.messages import (
    ConfigureQueue,
    Event,
    QueueConfigured,
    QueueRetired,
    Refused,
)
from huntgroup_routing.core.overflow import targets
from huntgroup_routing.core.policy import is_same, rules_of
from huntgroup_routing.core.queues import droppable
from huntgroup_routing.core.scorers import Scorer
from huntgroup_routing.core.state import State
from huntgroup_routing.core.values import QUEUES_MAX, QueueId


@dataclass(slots=True)
class OtherPolicy:
    """The rules of the queues that it names; others keep those that they have."""

    rules: Mapping[QueueId, ConfigureQueue]
    scorers: Mapping[str, Scorer]
    """Those that queues may name."""
    really: Collection[QueueId]
    """The queues that were really made, sooner or later."""
    refused: list[str] = field(default_factory=list)
    """What the core would not do, of its queues and of what they need."""
    _has_begun: bool = False

    def instead(self, decision: Sequence[Event], state: State) -> Iterator[Event]:
        """Yield what happens in the shadow where a policy was really changed: the same, something else, or nothing.

        Each is to be folded before the next one is asked for.
        """
        for event in decision:
            if isinstance(event, QueueConfigured):
                yield from self._configured(event, state)
            elif not isinstance(event, QueueRetired) or self._retires(event.queue_id, state):
                yield event
        for event in decision:
            if isinstance(event, QueueConfigured):
                yield from self._lacking(event, state)

    def _retires(self, queue_id: QueueId, state: State) -> bool:
        """Return whether a queue may go as it did: it is here, and the other policy does not name it."""
        return queue_id in state.queues and queue_id not in self.rules

    def _configured(self, event: QueueConfigured, state: State) -> Iterator[Event]:
        if event.queue_id not in self.rules:
            self._need(event.queue_id, event.scorer)
            if self._fits(event.queue_id, state):
                yield event
            return
        queue = state.queues.get(event.queue_id)
        if queue is None:
            yield from self._made(event.queue_id, event, state)
        elif is_same(queue.rules, event):
            yield event

    def _lacking(self, event: QueueConfigured, state: State) -> Iterator[Event]:
        """Yield what makes the queues that rules lead to, and at first those that nobody really ever makes."""
        ways = [event.queue_id]
        if not self._has_begun:
            self._has_begun = True
            added = [queue_id for queue_id in self.rules if queue_id not in self.really]
            for queue_id in added:
                yield from self._made(queue_id, event, state)
            ways += added
        while ways:
            other = self.rules.get(ways.pop())
            for target in targets(other.overflow) if other else ():
                if target in self.rules and target not in state.queues:
                    yield from self._made(target, event, state)
                    if target in state.queues:
                        ways.append(target)

    def _made(self, queue_id: QueueId, event: QueueConfigured, state: State) -> Iterator[Event]:
        """Yield what makes a queue when another one, or it, is really made: that itself where it says the same."""
        rules = rules_of(self.rules[queue_id], event.at_ms)
        if isinstance(rules, Refused):
            self._refuse(queue_id, rules.detail)
            return
        self._need(queue_id, rules.scorer)
        if self._fits(queue_id, state):
            same = is_same(rules, event)
            yield event if same else replace(rules, domain_version=event.domain_version)

    def _fits(self, queue_id: QueueId, state: State) -> bool:
        fits = queue_id in state.queues or len(state.queues) < QUEUES_MAX or bool(droppable(state))
        if not fits:
            why = f"a domain has at most {QUEUES_MAX} queues, and keeps those that it had"
            self._refuse(queue_id, why)
        return fits

    def _need(self, queue_id: QueueId, scorer: str) -> None:
        if scorer and scorer not in self.scorers:
            self._refuse(queue_id, f"scorer {scorer!r} is not installed here")

    def _refuse(self, queue_id: QueueId, why: str) -> None:
        """Note once what cannot be."""
        if (told := f"queue {queue_id}: {why}") not in self.refused:
            self.refused.append(told)
