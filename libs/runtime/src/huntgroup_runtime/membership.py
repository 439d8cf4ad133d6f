"""Who should own which partition: a suggestion from silence and rank. Truth is the claim in the journal.

Claiming is always safe, so this may be quick and wrong. Each replica prefers every `replica_count`-th partition; the
others wait a little longer, in a fixed order, so that replicas that start together share the partitions.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class MembershipSettings:
    """How ownership moves. Times are real, not the services' clock."""

    replica_index: int
    replica_count: int
    heartbeat_ms: int
    """An owner with nothing to say appends an empty batch this often; 0: never (there is no standby)."""
    takeover_after_ms: int
    """A standby claims a partition whose journal was silent this long; 0: at once (there is no other owner)."""


class Membership:
    """What one process knows of the partitions of one service."""

    def __init__(
        self,
        settings: MembershipSettings,
        *,
        owner: str,
        address: str,
        now_s: Callable[[], float] = time.monotonic,
    ) -> None:
        self.owner = owner
        self.address = address
        self._settings = settings
        self._now_s = now_s
        self._heard_s: dict[int, float] = {}
        slowest_ms = max(settings.heartbeat_ms, settings.takeover_after_ms) or 400
        self.check_every_s = min(settings.heartbeat_ms or slowest_ms, slowest_ms) / 4 / 1_000

    def heard(self, partition: int) -> None:
        """Note that the partition's journal said something just now."""
        self._heard_s[partition] = self._now_s()

    def rank(self, partition: int) -> int:
        """Return how many replicas come before this one for the partition."""
        return (partition + self._settings.replica_index) % self._settings.replica_count

    def should_claim(self, partition: int, *, resigned: bool, fresh: bool) -> bool:
        """Return whether the partition should be claimed now: its owner resigned, never was, or is silent."""
        silent_ms = (self._now_s() - self._heard_s.get(partition, 0.0)) * 1_000
        rank = self.rank(partition)
        if resigned or fresh:
            return silent_ms >= rank * self._settings.takeover_after_ms
        return silent_ms >= self._settings.takeover_after_ms * (1 + rank / 2)

    def heartbeat_due(self, appended_at_s: float) -> bool:
        """Return whether an owner that appended last at `appended_at_s` should show a sign of life."""
        heartbeat_ms = self._settings.heartbeat_ms
        return heartbeat_ms > 0 and (self._now_s() - appended_at_s) * 1_000 >= heartbeat_ms
