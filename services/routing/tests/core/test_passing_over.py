"""Who is kept waiting by contacts of other channels where all share units: by which ones, and for how long."""

import heapq
import random
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest

from huntgroup_routing.core import RoutingCore
from huntgroup_routing.core.messages import (
    AcceptOffer,
    ChannelCapacity,
    Command,
    Event,
    ObserveAgentReleased,
    ObserveAgentSignedOn,
    ObserveAgentWentReady,
    ObserveContactQueued,
    OfferCreated,
    Refused,
)
from huntgroup_routing.core.values import AgentId, Channel, ContactId, QueueId

if TYPE_CHECKING:
    from services.routing.tests.conftest import Floor

VOICE, CHAT, MESSAGE = Channel.VOICE, Channel.CHAT, Channel.MESSAGE
COSTS = {VOICE: 4, MESSAGE: 2, CHAT: 1}
CHEAPER = {VOICE: (CHAT, MESSAGE), MESSAGE: (CHAT,), CHAT: ()}
UNITS = 5
AGENTS = (AgentId("ada"), AgentId("bob"))


@dataclass(frozen=True, slots=True)
class Caller:
    contact_id: ContactId
    channel: Channel
    at_ms: int
    priority: int
    talks_ms: int


def callers_of(chance: random.Random) -> list[Caller]:
    """Return more callers than two agents can serve, of all channels, some of them urgent."""
    return [
        Caller(
            ContactId(f"c{number:03}"),
            chance.choices((VOICE, MESSAGE, CHAT), (2, 2, 5))[0],
            chance.randrange(60_000),
            chance.choice((0, 0, 0, 3)),
            chance.randrange(500, 6_000),
        )
        for number in range(120)
    ]


def sign_on(agent_id: AgentId, *, interrupts: bool) -> ObserveAgentSignedOn:
    capacity = tuple(
        ChannelCapacity(
            channel=channel, slots=3, cost=COSTS[channel], interrupts=below if interrupts else ()
        )
        for channel, below in CHEAPER.items()
    )
    return ObserveAgentSignedOn(
        agent_id=agent_id, skills=(), capacity=capacity, capacity_units=UNITS
    )


class Centre:
    """Two agents who accept at once and talk for as long as the caller likes."""

    def __init__(self, floor: "Floor", point_ms: int, *, interrupts: bool) -> None:
        self._core, self._state = RoutingCore(), RoutingCore().initial("acme/emea")
        self._todo: list[tuple[int, str, Command]] = []
        self.served: dict[ContactId, tuple[AgentId, int]] = {}
        for channel in COSTS:
            name = f"{channel.lower()}s"
            self._do(floor.queue_command(name, channel=channel, priority_point_ms=point_ms), 0)
        for agent_id in AGENTS:
            self._do(sign_on(agent_id, interrupts=interrupts), 0)
            self._do(ObserveAgentWentReady(agent_id=agent_id), 0)

    def play(self, callers: list[Caller]) -> dict[ContactId, tuple[AgentId, int]]:
        """Return who served each caller, and since when."""
        talks_ms = {one.contact_id: one.talks_ms for one in callers}
        for one in callers:
            command = ObserveContactQueued(
                contact_id=one.contact_id,
                queue_id=QueueId(f"{one.channel.lower()}s"),
                channel=one.channel,
                priority=one.priority,
                required_skills=(),
                enqueued_at_ms=one.at_ms,
            )
            heapq.heappush(self._todo, (one.at_ms, f"comes {one.contact_id}", command))
        while self._todo:
            at_ms, _, told = heapq.heappop(self._todo)
            for event in self._do(told, at_ms):
                if isinstance(event, OfferCreated):
                    self._talk(event, at_ms + talks_ms[event.contact_id])
        return self.served

    def _talk(self, offer: OfferCreated, until_ms: int) -> None:
        self.served[offer.contact_id] = (offer.agent_id, offer.at_ms)
        self._do(AcceptOffer(offer_id=offer.offer_id, agent_id=offer.agent_id), offer.at_ms)
        over = ObserveAgentReleased(agent_id=offer.agent_id, offer_id=offer.offer_id)
        heapq.heappush(self._todo, (until_ms, f"ends {offer.contact_id}", over))

    def _do(self, command: Command, at_ms: int) -> tuple[Event, ...]:
        events = self._core.decide(self._state, command, at_ms)
        assert not isinstance(events, Refused), events
        for event in events:
            self._state = self._core.evolve(self._state, event)
        return events


def same_without_cheaper(
    floor: "Floor", callers: list[Caller], channel: Channel, point_ms: int, *, interrupts: bool
) -> bool:
    """Return whether contacts of a channel are served by whom and when they are if no cheaper ones come."""
    dear = [one for one in callers if one.channel not in CHEAPER[channel]]
    alone = Centre(floor, point_ms, interrupts=interrupts).play(dear)
    together = Centre(floor, point_ms, interrupts=interrupts).play(callers)
    mine = [one.contact_id for one in callers if one.channel is channel]
    assert all(one in alone and one in together for one in mine)
    return all(alone[one] == together[one] for one in mine)


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("channel", [VOICE, MESSAGE])
def test_where_channels_interrupt_cheaper_ones_those_keep_nobody_waiting(
    floor: "Floor", channel: Channel, seed: int
) -> None:
    """So what bounds the wait in a channel by itself, a worth of priority, holds with the others, too."""
    callers, point_ms = callers_of(random.Random(seed)), (0, 5_000)[seed % 2]
    assert same_without_cheaper(floor, callers, channel, point_ms, interrupts=True)


def test_without_interruption_cheaper_contacts_keep_dear_ones_waiting(floor: "Floor") -> None:
    callers = callers_of(random.Random(0))
    assert not same_without_cheaper(floor, callers, VOICE, 0, interrupts=False)


@pytest.mark.parametrize("point_ms", [0, 60_000])
def test_no_units_are_kept_for_an_urgent_call_that_costs_more_than_comes_free(
    floor: "Floor", point_ms: int
) -> None:
    """Chats come and go, one at a time; there are never two units free, and neither priority nor age helps."""
    floor.queue("calls", priority_point_ms=point_ms)
    floor.queue("chats", channel=CHAT, priority_point_ms=point_ms)
    both = (
        ChannelCapacity(channel=VOICE, slots=1, cost=2),
        ChannelCapacity(channel=CHAT, slots=2, cost=1),
    )
    ada = AgentId("ada")
    floor.tell(ObserveAgentSignedOn(agent_id=ada, skills=(), capacity=both, capacity_units=2))
    floor.ready("ada")
    for number in (0, 1):
        floor.contact(f"c{number}", queue_id="chats", channel=CHAT, at_ms=number)
        floor.accept(f"c{number}.1", "ada", at_ms=number)
    floor.contact("call", queue_id="calls", priority=9, at_ms=2)
    for number in range(2, 40):
        floor.contact(f"c{number}", queue_id="chats", channel=CHAT, at_ms=number * 1_000)
        over = floor.release(f"c{number - 2}.1", "ada", at_ms=number * 1_000)
        assert floor.offered(over) == [(f"c{number}", "ada")]
        floor.accept(f"c{number}.1", "ada", at_ms=number * 1_000)
    floor.release("c38.1", "ada", at_ms=90_000)
    assert floor.offered(floor.release("c39.1", "ada", at_ms=90_000)) == [("call", "ada")]
