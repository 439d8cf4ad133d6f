"""Who should own which partition: a suggestion from silence and rank. Truth is the claim in the journal.

Claiming is always safe, so this may be quick and wrong. Each replica prefers every `replica_count`-th partition; the
others wait a little longer, in a fixed order, so that replicas that start together share the partitions.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

CLAIM_AGAIN_MS = 2_000
STOOD_STILL_S = 0.5
BEATS_MISSED = 2
"""An owner that has missed so many heartbeats is asked for; one that nobody listens for any more has ended."""
GONE_STEP_MS = 50
RESIGNED_STEP_MS = 100
"""Who ranks next claims so much later what was handed over: longer than it takes to look and to be read."""
SURE_SHARE = 0.9
"""Of the time that standbys wait, an owner is sure for this much: clocks do not run exactly alike."""
ASK_WITHIN_S = 0.2


_GOES_ON: int = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)


def boot_time_s() -> float:
    """Return a time that nobody sets, and that goes on while the machine is suspended, where the platform has one.

    An event loop's time stands still then, while standbys on other machines count on.
    """
    return time.clock_gettime(_GOES_ON)


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
        now_s: Callable[[], float] = boot_time_s,
        refuses: Callable[[str], Awaitable[bool]] | None = None,
    ) -> None:
        """Know nothing yet. `refuses(address)` tells whether nobody listens there; without it nobody is asked."""
        self.owner = owner
        self.address = address
        self.now_s = now_s
        """The time that ownership goes by."""
        self._settings = settings
        self._refuses = refuses or _never
        self._heard_s: dict[int, float] = {}
        slowest_ms = max(settings.heartbeat_ms, settings.takeover_after_ms) or 400
        self.check_every_s = min(settings.heartbeat_ms or slowest_ms, slowest_ms) / 4 / 1_000

    def heard(self, partition: int) -> None:
        """Note that something that counts was read in the partition's journal just now."""
        self._heard_s[partition] = self.now_s()

    def rank(self, partition: int) -> int:
        """Return how many replicas come before this one for the partition."""
        return (partition + self._settings.replica_index) % self._settings.replica_count

    async def is_gone(self, partition: int, address: str) -> bool:
        """Return whether the owner at `address` has been quiet for longer than an owner is, and has ended.

        A process that ended refuses connections at once; one that is slow, frozen or cut off does not.
        """
        beats_ms = BEATS_MISSED * self._settings.heartbeat_ms + self.rank(partition) * GONE_STEP_MS
        if not address or not beats_ms or self._silent_ms(partition) < beats_ms:
            return False
        return await self._refuses(address)

    def should_claim(self, partition: int, *, resigned: bool, fresh: bool, claiming: bool) -> bool:
        """Return whether the partition should be claimed now: its owner resigned, never was, or is silent.

        An own claim that is `claiming` and was not read back yet is given time.
        """
        silent_ms = self._silent_ms(partition)
        if claiming:
            return silent_ms >= max(CLAIM_AGAIN_MS, self._settings.takeover_after_ms)
        rank = self.rank(partition)
        if resigned:
            return silent_ms >= rank * RESIGNED_STEP_MS
        if fresh:
            return silent_ms >= rank * self._settings.takeover_after_ms
        return silent_ms >= self._settings.takeover_after_ms * (1 + rank / 2)

    def slept(self, since_check_s: float) -> bool:
        """Return whether so much time between two checks means that this process stood still (SIGSTOP, a block)."""
        return since_check_s >= self.check_every_s + STOOD_STILL_S

    def heartbeat_due(self, appended_at_s: float) -> bool:
        """Return whether an owner that appended last at `appended_at_s` should show a sign of life."""
        heartbeat_ms = self._settings.heartbeat_ms
        return heartbeat_ms > 0 and (self.now_s() - appended_at_s) * 1_000 >= heartbeat_ms

    def is_sure(self, confirmed_at_s: float) -> bool:
        """Return whether nobody else can own a partition whose owner here wrote at `confirmed_at_s` what was accepted.

        Standbys have heard that, not earlier than it was written, and wait for longer.
        """
        takeover_ms = self._settings.takeover_after_ms
        silent_ms = (self.now_s() - confirmed_at_s) * 1_000
        return not takeover_ms or silent_ms < takeover_ms * SURE_SHARE

    def _silent_ms(self, partition: int) -> float:
        return (self.now_s() - self._heard_s.get(partition, 0.0)) * 1_000


async def refuses_connections(address: str) -> bool:
    """Return whether nobody listens at `host:port`. No answer, or no such host, says nothing: False."""
    host, _, port = address.rpartition(":")
    try:
        async with asyncio.timeout(ASK_WITHIN_S):
            _, writer = await asyncio.open_connection(host, int(port))
    except ConnectionRefusedError:
        return True
    except (OSError, ValueError):
        return False
    writer.close()
    return False


async def _never(_: str) -> bool:
    return False
