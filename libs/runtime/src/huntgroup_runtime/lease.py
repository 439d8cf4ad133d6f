"""Whether an owner may still answer from its state: only while nobody else can have become the owner unseen.

A process that was paused does not know it. What it decides does not count, but what it would answer from its state, or
from what it remembers, could be out of date. So it answers only for as long after the writing of its last accepted
batch as every standby waits; then it first has another batch accepted.
"""

import asyncio
from collections import deque

from huntgroup_runtime.membership import Membership


class Lease:
    """What one life knows of its own ownership. Times are the membership's."""

    def __init__(self, membership: Membership) -> None:
        self._membership = membership
        self._written_s: deque[float] = deque()
        self._newest_s = self._confirmed_s = float("-inf")
        self._changed = asyncio.Event()

    def wrote(self, *, claim: bool) -> None:
        """A batch or a claim is being appended now. Of repeated claims the first may be the one that is accepted."""
        if claim and self._written_s:
            return
        self._newest_s = self._membership.now_s()
        self._written_s.append(self._newest_s)

    def read_back(self, in_flight: int) -> None:
        """All but `in_flight` of what was appended has been read back and accepted."""
        if len(self._written_s) <= in_flight:
            return
        while len(self._written_s) > in_flight:
            self._confirmed_s = self._written_s.popleft()
        self._wake()

    def end(self) -> None:
        """Nobody is the owner here any more."""
        self._wake()

    @property
    def is_sure(self) -> bool:
        """Whether nobody else can be the owner."""
        return self._membership.is_sure(self._confirmed_s)

    @property
    def asks(self) -> bool:
        """Whether something is under way that will tell."""
        return bool(self._written_s) and self._membership.is_sure(self._newest_s)

    async def news(self) -> None:
        """Return when something was read back, or ownership has ended."""
        await self._changed.wait()

    def _wake(self) -> None:
        self._changed.set()
        self._changed = asyncio.Event()
