"""What fits beside what an agent holds is reckoned by three who know nothing of each other: they agree."""

import random

from huntgroup_agent_state.core.concurrency import fits
from huntgroup_agent_state.core.values import Channel as StateChannel
from huntgroup_agent_state.core.values import ChannelCapacity as StateCapacity
from huntgroup_onebox.audit import capacity as audit
from huntgroup_routing.core.agents import Agent
from huntgroup_routing.core.concurrency import concurrency_of
from huntgroup_routing.core.facts import ChannelCapacity
from huntgroup_routing.core.values import AgentId, Channel, OfferId

CHANNELS = tuple(Channel)
NUMBERS = {channel: number for number, channel in enumerate(CHANNELS, 1)}


def some_capacity(chance: random.Random, units: int) -> tuple[ChannelCapacity, ...]:
    named = chance.sample(CHANNELS, chance.randint(1, len(CHANNELS)))
    return tuple(
        ChannelCapacity(
            channel=channel,
            slots=chance.randint(1, 4),
            cost=chance.randint(1, units) if units else 0,
            interrupts=tuple(one for one in named if one is not channel and chance.random() < 0.3),
        )
        for channel in named
    )


def room(
    capacity: tuple[ChannelCapacity, ...], units: int, held: list[Channel], channel: Channel
) -> int:
    """Return how many more agent-state would reserve, one after another."""
    said = tuple(
        StateCapacity(
            channel=StateChannel(one.channel),
            slots=one.slots,
            cost=one.cost,
            interrupts=tuple(map(StateChannel, one.interrupts)),
        )
        for one in capacity
    )
    taken, more, added = [StateChannel(one) for one in held], StateChannel(channel), 0
    while fits(said, units, taken, more):
        taken.append(more)
        added += 1
    return added


def test_agent_state_routing_and_the_audit_agree_on_what_fits() -> None:
    chance, outcomes = random.Random(7), set[int]()
    for _ in range(4_000):
        units = chance.choice((0, 0, 1, 3, 6, 9))
        capacity = some_capacity(chance, units)
        # More than fits may be held, and of channels that are not named: they signed on anew.
        held = chance.choices(CHANNELS, k=chance.randint(0, 5))
        agent = Agent(
            agent_id=AgentId("ada"),
            slots={one.channel: one.slots for one in capacity},
            concurrency=concurrency_of(units, capacity),
            held={OfferId(f"c{number}.1"): channel for number, channel in enumerate(held)},
        )
        audited = audit.Agent(
            capacity={
                NUMBERS[one.channel]: audit.Load(
                    one.slots, one.cost, tuple(NUMBERS[other] for other in one.interrupts)
                )
                for one in capacity
            },
            units=units,
            held={f"c{number}.1": NUMBERS[channel] for number, channel in enumerate(held)},
        )
        for channel in CHANNELS:
            free = agent.free(channel)
            outcomes.add(free)
            assert free == room(capacity, units, held, channel), (capacity, units, held, channel)
            assert (free > 0) == (audited.overbooked(NUMBERS[channel]) is None)
            if held:
                assert agent.free(channel, after=OfferId("c0.1")) == room(
                    capacity, units, held[1:], channel
                )
            assert agent.free(channel, given={CHANNELS[0]: 1}) == room(
                capacity, units, [*held, CHANNELS[0]], channel
            )
    assert outcomes == {0, 1, 2, 3, 4}
