"""What an agent's channels have to do with each other: units that they share, and which of them may interrupt which.

One contact more of a channel fits when the channel has a slot left; when the units that are left are worth its cost,
where those that it may interrupt count as if they were not there; and when none is held that interrupts it. Both ways
round, neither waits for the other. Whoever takes a contact more never fits more of anything, and whoever lets one go
never less: so what did not fit once does not fit for the rest of a decision.

Agent-state owns the slots and holds offers against the same rule (its core/state.py); here it is mirrored.
"""

from collections.abc import Iterable, Mapping

from msgspec import Struct

from huntgroup_routing.core.facts import ChannelCapacity
from huntgroup_routing.core.values import Channel


class Load(Struct, array_like=True, frozen=True):
    """What a contact of a channel means for others; written as it is, so the order of fields is part of the format."""

    channel: Channel
    cost: int
    interrupts: tuple[Channel, ...]


class Concurrency(Struct, array_like=True, frozen=True):
    """The rule of one agent whose channels are not each for itself."""

    units: int
    """In all; 0: channels share none."""
    loads: tuple[Load, ...]

    def load(self, channel: Channel) -> Load:
        """Return what a contact of a channel means; of one that was held before they signed on with other channels."""
        found = next((one for one in self.loads if one.channel is channel), None)
        return found or Load(channel, 1 if self.units else 0, ())

    def fits(
        self, slots: Mapping[Channel, int], taken: Mapping[Channel, int], channel: Channel
    ) -> int:
        """Return how many more of a channel fit beside so many taken of each."""
        free = slots.get(channel, 0) - taken.get(channel, 0)
        mine, units = self.load(channel), self.units
        for held, count in taken.items():
            if not count or held in mine.interrupts:
                continue
            theirs = self.load(held)
            if channel in theirs.interrupts:
                return 0
            units -= count * theirs.cost
        if self.units:
            free = min(free, units // mine.cost)
        return max(0, free)

    def why_full(self, taken: Mapping[Channel, int], channel: Channel) -> str | None:
        """Return why none of a channel fits although it has a slot, if it is not for want of slots."""
        mine = self.load(channel)
        counted = [
            (self.load(held), taken[held])
            for held in sorted(taken)
            if taken[held] and held not in mine.interrupts
        ]
        above = next((one.channel for one, _ in counted if channel in one.interrupts), None)
        if above is not None:
            return f"holds {above}, which interrupts {channel}"
        used = sum(count * one.cost for one, count in counted)
        if self.units and used + mine.cost > self.units:
            return f"has {used} of {self.units} units taken, and {channel} costs {mine.cost}"
        return None


def concurrency_of(units: int, capacity: Iterable[ChannelCapacity]) -> Concurrency | None:
    """Return the rule of an agent; None when each channel is for itself."""
    loads = tuple(
        Load(one.channel, (one.cost or 1) if units else 0, tuple(sorted(set(one.interrupts))))
        for one in sorted(capacity, key=lambda one: one.channel)
    )
    if not units and not any(one.interrupts for one in loads):
        return None
    return Concurrency(units, loads)
