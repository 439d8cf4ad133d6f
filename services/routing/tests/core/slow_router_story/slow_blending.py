"""Groups that the slow router lets come to a queue and go: it counts who waits in every queue, after every command."""

from dataclasses import dataclass, field

from huntgroup_routing.core.messages import ConfigureQueue
from huntgroup_routing.core.values import ServingGroup

from .slow_preferring import SlowPreferring

AWAY_MS = 10**15
"""So long nobody waits until a group is asked that is away."""


@dataclass
class SlowBlending(SlowPreferring):
    """Each queue has one rule at most, by its length."""

    lent: dict[tuple[str, str], tuple[bool, int]] = field(default_factory=dict)
    lend_due: dict[str, tuple[int, str]] = field(default_factory=dict)

    def sends_home(self, command: ConfigureQueue) -> bool:
        """Return whether a group that is here would be by no rule any more: all who wait are to ask it no more."""
        named = {one.group for one in command.blend} | {one.group for one in command.groups}
        here = (group for queue_id, group in self.lent if queue_id == command.queue_id)
        return any(self.is_here(command.queue_id, one) and one not in named for one in here)

    def keep_lent(self, command: ConfigureQueue) -> None:
        """Forget the groups that other rules of a queue do not name."""
        named = {one.group for one in command.blend}
        self.lent = {
            key: one
            for key, one in self.lent.items()
            if key[0] != command.queue_id or key[1] in named
        }

    def groups_of(self, command: ConfigureQueue) -> tuple[ServingGroup, ...]:
        """Return who serves a queue now: always, or because it needs them; who is away is never asked."""
        here = [one for one in command.blend if self.is_here(command.queue_id, one.group)]
        away = [one for one in command.blend if one not in here]
        return (
            *command.groups,
            *(ServingGroup(group=one.group, rank=one.rank) for one in here),
            *(ServingGroup(group=one.group, delay_ms=AWAY_MS) for one in away),
        )

    def is_here(self, queue_id: str, group: str) -> bool:
        return self.lent.get((queue_id, group), (False, 0))[0]

    def reckon_lends(self) -> None:
        self.lend_due = {}
        for queue_id, queue in self.queues.items():
            waiting = [one for one in self.contacts if one.queue_id == queue_id and not one.ringing]
            for rule in queue.command.blend:
                is_here, since_ms = self.lent.get((queue_id, rule.group), (False, -rule.dwell_ms))
                limit = rule.leave if is_here else rule.enter
                if len(waiting) <= limit if is_here else len(waiting) >= limit:
                    due_ms = max(self.at_ms, since_ms + rule.dwell_ms)
                    self.lend_due[queue_id] = (due_ms, rule.group)

    def blends(self) -> bool:
        """Let groups come and go whose time it is; return whether any did."""
        due = [queue_id for queue_id, one in self.lend_due.items() if one[0] <= self.at_ms]
        for queue_id in due:
            queue, group = self.queues[queue_id], self.lend_due[queue_id][1]
            self.lent[queue_id, group] = (not self.is_here(queue_id, group), self.at_ms)
            queue.groups = self.groups_of(queue.command)
            queue.plan += 1
            queue.followed_from = queue.plan
        return bool(due)

    def weighted(self) -> bool:
        return any(one.weight for queue in self.queues.values() for one in queue.groups)
