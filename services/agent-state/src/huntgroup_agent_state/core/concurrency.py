"""What fits beside what an agent holds: slots by channel, units that all channels share, and who may interrupt whom.

One contact more of a channel fits when the channel has a slot left; when the units that are left are worth its cost,
where those that it may interrupt count as if they were not there; and when none is held that interrupts it. Both ways
round, neither waits for the other. Routing reckons by the same rule (its core/concurrency.py); an offer that does not
fit here is turned away.
"""

from collections.abc import Iterable, Sequence

from huntgroup_agent_state.core.values import Channel, ChannelCapacity

Capacity = tuple[ChannelCapacity, ...]


def of_channel(capacity: Capacity, channel: Channel) -> ChannelCapacity:
    """Return what is said of a channel; one that is not named has no slots, and costs a unit if it is held."""
    found = next((each for each in capacity if each.channel is channel), None)
    return found or ChannelCapacity(channel=channel, slots=0)


def is_above(capacity: Capacity, one: Channel, other: Channel) -> bool:
    """Return whether contacts of one channel interrupt those of the other, and not the reverse as well."""
    interrupts = of_channel(capacity, one).interrupts
    return other in interrupts and one not in of_channel(capacity, other).interrupts


def fits(capacity: Capacity, units: int, held: Sequence[Channel], channel: Channel) -> bool:
    """Return whether one contact more of a channel fits beside those held."""
    mine = of_channel(capacity, channel)
    if held.count(channel) >= mine.slots:
        return False
    if any(is_above(capacity, other, channel) for other in held):
        return False
    counted = (other for other in held if other not in mine.interrupts)
    return not units or _cost(capacity, counted) + max(1, mine.cost) <= units


def _cost(capacity: Capacity, channels: Iterable[Channel]) -> int:
    return sum(max(1, of_channel(capacity, channel).cost) for channel in channels)
