"""The other policy: what holds of a queue in the shadow where it was really made, changed or retired."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from msgspec.structs import replace

from huntgroup_routing.core.messages import (
    ConfigureQueue,
    Event,
    QueueConfigured,
    QueueRetired,
    Refused,
)
from huntgroup_routing.core.policy import is_same, rules_of
from huntgroup_routing.core.scorers import Scorer
from huntgroup_routing.core.state import State
from huntgroup_routing.core.values import QueueId


@dataclass(slots=True)
class OtherPolicy:
    """The rules of the queues that it names; others keep those that they have."""

    rules: Mapping[QueueId, ConfigureQueue]
    scorers: Mapping[str, Scorer]
    """Those that queues may name."""
    refused: list[str] = field(default_factory=list)
    """What the core would not do, of its queues and of what they need."""

    def instead(self, event: Event, state: State) -> Event | None:
        """Return what happens in the shadow where a policy was really changed: the same, something else, or nothing."""
        if not isinstance(event, QueueConfigured | QueueRetired):
            return event
        other = self.rules.get(event.queue_id)
        if isinstance(event, QueueRetired):
            return event if other is None else None
        if other is None:
            self._need(event.queue_id, event.scorer)
            return event
        queue = state.queues.get(event.queue_id)
        if queue is not None:
            return event if is_same(queue.rules, event) else None
        self._need(event.queue_id, other.scorer)
        rules = rules_of(other, event.at_ms)
        if isinstance(rules, Refused):
            self.refused.append(f"queue {event.queue_id}: {rules.detail}")
            return None
        same = is_same(rules, event)
        return event if same else replace(rules, domain_version=event.domain_version)

    def _need(self, queue_id: QueueId, scorer: str) -> None:
        if scorer and scorer not in self.scorers:
            self.refused.append(f"queue {queue_id}: scorer {scorer!r} is not installed here")
