"""Routing in a loop with small stand-ins for session and agent-state, whose journals are read in any relative order.

Each journal is read in its own order; everything between them is left to chance. When all has been read, no slot is
held for nothing, nobody is in doubt, and whoever waits is served as soon as somebody is there.
"""

import random
from dataclasses import dataclass, field

import pytest

from huntgroup_routing.core import RoutingCore
from huntgroup_routing.core.invariants import check
from huntgroup_routing.core.messages import (
    AcceptOffer,
    ChannelCapacity,
    Command,
    ConfigureQueue,
    Event,
    ObserveAgentReleased,
    ObserveAgentSignedOff,
    ObserveAgentSignedOn,
    ObserveAgentStoppedResponding,
    ObserveAgentWentNotReady,
    ObserveAgentWentReady,
    ObserveContactAbandoned,
    ObserveContactQueued,
    ObserveOfferTurnedAway,
    OfferAccepted,
    OfferCanceled,
    OfferCreated,
    OfferExpired,
    OfferRejected,
    OfferRescinded,
    PassTime,
    Refused,
    RejectOffer,
)
from huntgroup_routing.core.state import State
from huntgroup_routing.core.values import AgentId, Channel, ContactId, OfferId, QueueId

AGENTS = tuple(AgentId(f"a{number}") for number in range(3))
ENDED = (OfferRejected, OfferExpired, OfferCanceled, OfferRescinded)
Told = tuple[str, AgentId, OfferId]
"""What session tells agent-state: connected, failed or over."""


@dataclass
class Session:
    """Knows who is still there; answers an accepted offer with a conversation or a failure."""

    journal: list[Command | Told] = field(default_factory=list)
    present: list[ContactId] = field(default_factory=list)
    talking: list[tuple[AgentId, OfferId]] = field(default_factory=list)

    def call(self, contact_id: ContactId, at_ms: int) -> None:
        self.present.append(contact_id)
        self.journal.append(
            ObserveContactQueued(
                contact_id=contact_id,
                queue_id=QueueId("sales"),
                channel=Channel.VOICE,
                priority=0,
                required_skills=(),
                enqueued_at_ms=at_ms,
            )
        )

    def hang_up(self, contact_id: ContactId) -> None:
        if contact_id in self.present:
            self.present.remove(contact_id)
            self.journal.append(ObserveContactAbandoned(contact_id=contact_id))

    def read(self, event: Event) -> None:
        if isinstance(event, OfferAccepted):
            there = event.contact_id in self.present
            if there:
                self.present.remove(event.contact_id)
                self.talking.append((event.agent_id, event.offer_id))
            self.journal.append(
                ("connected" if there else "failed", event.agent_id, event.offer_id)
            )

    def end(self, index: int) -> None:
        self.journal.append(("over", *self.talking.pop(index)))


@dataclass
class Agent:
    ready: bool = False
    slots: int = 1
    held: dict[OfferId, str] = field(default_factory=dict)


@dataclass
class AgentState:
    """Knows who is signed on and what they hold.

    What was turned away may still become a conversation; what rang at an agent who left is held until it has ended.
    """

    journal: list[Command] = field(default_factory=list)
    agents: dict[AgentId, Agent] = field(default_factory=dict)
    signed_on: set[AgentId] = field(default_factory=set)
    seen: set[OfferId] = field(default_factory=set)
    early: dict[OfferId, list[Told]] = field(default_factory=dict)

    def sign_on(self, agent_id: AgentId, slots: int) -> None:
        if agent_id not in self.signed_on:
            self.signed_on.add(agent_id)
            agent = self.agents.setdefault(agent_id, Agent())
            agent.ready, agent.slots = False, slots
            capacity = (ChannelCapacity(channel=Channel.VOICE, slots=slots),)
            self.journal.append(
                ObserveAgentSignedOn(agent_id=agent_id, skills=(), capacity=capacity)
            )

    def set_ready(self, agent_id: AgentId, *, ready: bool) -> None:
        if agent_id in self.signed_on and self.agents[agent_id].ready != ready:
            self.agents[agent_id].ready = ready
            kind = ObserveAgentWentReady if ready else ObserveAgentWentNotReady
            self.journal.append(kind(agent_id=agent_id))

    def sign_off(self, agent_id: AgentId) -> None:
        if agent_id in self.signed_on:
            self.signed_on.remove(agent_id)
            self.journal.append(ObserveAgentSignedOff(agent_id=agent_id))
            held = self.agents[agent_id].held
            for offer_id in [one for one, phase in held.items() if phase == "ringing"]:
                held[offer_id] = "withdrawn"

    def release(self, agent_id: AgentId, offer_id: OfferId) -> None:
        del self.agents[agent_id].held[offer_id]
        self.journal.append(ObserveAgentReleased(agent_id=agent_id, offer_id=offer_id))

    def read_routing(self, event: Event) -> None:
        if isinstance(event, OfferCreated):
            self.offered(event.agent_id, event.offer_id)
        elif isinstance(event, ENDED):
            agent = self.agents[event.agent_id]
            phase = agent.held.get(event.offer_id)
            if phase in ("ringing", "withdrawn"):
                if isinstance(event, OfferExpired) and phase == "ringing":
                    agent.ready = False
                    self.journal.append(ObserveAgentStoppedResponding(agent_id=event.agent_id))
                self.release(event.agent_id, event.offer_id)

    def offered(self, agent_id: AgentId, offer_id: OfferId) -> None:
        agent = self.agents[agent_id]
        self.seen.add(offer_id)
        early = self.early.pop(offer_id, [])
        can = agent_id in self.signed_on and agent.ready and len(agent.held) < agent.slots
        if not early and not can:
            self.journal.append(ObserveOfferTurnedAway(agent_id=agent_id, offer_id=offer_id))
            return
        agent.held[offer_id] = "ringing"
        for told in early:
            self.read_session(told)

    def read_session(self, told: Told) -> None:
        what, agent_id, offer_id = told
        held = self.agents[agent_id].held
        if offer_id not in self.seen:
            self.early.setdefault(offer_id, []).append(told)
        elif what == "connected":
            held[offer_id] = "talking"
        elif offer_id in held:
            self.release(agent_id, offer_id)


@dataclass
class World:
    chance: random.Random
    core: RoutingCore = field(default_factory=RoutingCore)
    state: State = field(default_factory=lambda: RoutingCore().initial("acme/emea"))
    journal: list[Event] = field(default_factory=list)
    session: Session = field(default_factory=Session)
    agent_state: AgentState = field(default_factory=AgentState)
    read: dict[str, int] = field(default_factory=dict)
    at_ms: int = 0
    calls: int = 0

    def tell(self, command: Command) -> None:
        events = self.core.decide(self.state, command, self.at_ms)
        if isinstance(events, Refused):
            return
        for event in events:
            self.state = self.core.evolve(self.state, event)
        self.journal += events

    def unread(self) -> list[str]:
        lengths = {
            "routing > session": len(self.journal),
            "routing > agent-state": len(self.journal),
            "session > routing": len(self.session.journal),
            "session > agent-state": len(self.session.journal),
            "agent-state > routing": len(self.agent_state.journal),
        }
        return [edge for edge, length in lengths.items() if self.read.get(edge, 0) < length]

    def deliver(self, edge: str) -> None:
        index = self.read.get(edge, 0)
        self.read[edge] = index + 1
        match edge:
            case "routing > session":
                self.session.read(self.journal[index])
            case "routing > agent-state":
                self.agent_state.read_routing(self.journal[index])
            case "agent-state > routing":
                self.tell(self.agent_state.journal[index])
            case _:
                said = self.session.journal[index]
                if isinstance(said, tuple) and edge == "session > agent-state":
                    self.agent_state.read_session(said)
                elif not isinstance(said, tuple) and edge == "session > routing":
                    self.tell(said)

    def settle(self) -> None:
        while edges := self.unread():
            self.deliver(self.chance.choice(edges))

    def act(self) -> None:
        agent_id = self.chance.choice(AGENTS)
        match self.chance.choices(range(8), (6, 2, 6, 2, 5, 6, 2, 1))[0]:
            case 0:
                self.calls += 1
                self.session.call(ContactId(f"c{self.calls}"), self.at_ms)
            case 1:
                self.session.hang_up(ContactId(f"c{self.calls - self.chance.randrange(6)}"))
            case 2 | 3 as kind if self.state.offers:
                offer = self.chance.choice(list(self.state.offers.values()))
                if kind == 2:
                    self.tell(AcceptOffer(offer_id=offer.offer_id, agent_id=offer.agent_id))
                else:
                    self.tell(
                        RejectOffer(offer_id=offer.offer_id, agent_id=offer.agent_id, reason="")
                    )
            case 4 if self.session.talking:
                self.session.end(self.chance.randrange(len(self.session.talking)))
            case 5:
                self.agent_state.sign_on(agent_id, slots=self.chance.choice((1, 2)))
                self.agent_state.set_ready(agent_id, ready=True)
            case 6:
                self.agent_state.set_ready(agent_id, ready=False)
            case 7:
                self.agent_state.sign_off(agent_id)
            case _:
                self.tell(PassTime())

    def finish(self) -> None:
        """Let all agents be there, take everything, and end every conversation."""
        for _ in range(4 * self.calls):
            for agent_id in AGENTS:
                self.agent_state.sign_on(agent_id, slots=1)
                self.agent_state.set_ready(agent_id, ready=True)
            self.settle()
            self.tell(PassTime())
            for offer in list(self.state.offers.values()):
                self.tell(AcceptOffer(offer_id=offer.offer_id, agent_id=offer.agent_id))
            self.settle()
            while self.session.talking:
                self.session.end(0)
            self.settle()
            if not self.state.contacts:
                return


@pytest.mark.sim
@pytest.mark.parametrize("seed", range(20))
def test_nobody_is_stuck_whatever_is_read_first(seed: int) -> None:
    world = World(random.Random(seed))
    world.tell(
        ConfigureQueue(
            queue_id=QueueId("sales"),
            channel=Channel.VOICE,
            required_skills=(),
            ring_timeout_ms=200,
            wrap_up_timeout_ms=0,
            service_level_threshold_ms=20_000,
            waiting_max=0,
        )
    )
    hurry = world.chance.choice((0.3, 0.6, 0.9))
    for _ in range(800):
        world.at_ms += world.chance.choice((0, 0, 5, 40))
        edges = world.unread()
        if edges and world.chance.random() < hurry:
            edge = world.chance.choice(edges)
            for _ in range(world.chance.choice((1, 2, 10))):
                if edge in world.unread():
                    world.deliver(edge)
        else:
            world.act()
    assert check(world.state) == []
    world.finish()
    assert world.calls > 30
    assert world.state.contacts == {}
    assert world.session.present == []
    for agent_id in AGENTS:
        agent = world.state.agents[agent_id]
        assert agent.held == {}
        assert agent.available
