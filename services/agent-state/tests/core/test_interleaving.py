"""Agent state in a loop with small stand-ins for routing and session, whose journals are read in any relative order.

Each keeps the order of its own journal; everything between them is left to chance. When all has been read and nobody
asks for anything more, no slot may be held anywhere, and who wants contacts must be offered them. Whoever says yes only
to what their desktop shows never holds more contacts than they have slots, however often they leave and come back.
"""

import random
from dataclasses import dataclass, field

import pytest

from huntgroup_agent_state.core.concurrency import of_channel
from huntgroup_agent_state.core.decide import decide
from huntgroup_agent_state.core.evolve import evolve
from huntgroup_agent_state.core.invariants import check
from huntgroup_agent_state.core.messages import (
    AgentFinishedWrapUp,
    AgentReleased,
    AgentReserved,
    AgentSignedOff,
    AgentSignedOn,
    AgentStoppedResponding,
    AgentWentNotReady,
    AgentWentReady,
    Command,
    CompleteWrapUp,
    Event,
    ObserveContactConnected,
    ObserveContactConnectionFailed,
    ObserveContactDisconnected,
    ObserveOfferCanceled,
    ObserveOfferCreated,
    ObserveOfferExpired,
    ObserveOfferRejected,
    ObserveOfferRescinded,
    OfferTurnedAway,
    PassTime,
    Refused,
    SetPresence,
    SignOff,
    SignOn,
)
from huntgroup_agent_state.core.state import dump, initial, load, next_deadline
from huntgroup_agent_state.core.values import (
    AgentId,
    Channel,
    ChannelCapacity,
    ContactId,
    OfferId,
    Presence,
    QueueId,
    SlotPhase,
)

AGENTS = [AgentId(f"a{n}") for n in range(3)]


@dataclass
class Offer:
    offer_id: OfferId
    contact_id: ContactId
    agent_id: AgentId
    pending: bool = True


@dataclass
class Routing:
    """Who is eligible, what they hold, and offers to whoever has a slot."""

    journal: list[Command] = field(default_factory=list)
    slots: dict[AgentId, int] = field(default_factory=dict)
    eligible: set[AgentId] = field(default_factory=set)
    held: dict[OfferId, Offer] = field(default_factory=dict)
    waiting: list[ContactId] = field(default_factory=list)
    left: set[ContactId] = field(default_factory=set)
    attempts: dict[ContactId, int] = field(default_factory=dict)

    def offer(self, chance: random.Random) -> None:
        for contact in list(self.waiting):
            idle = [a for a in AGENTS if a in self.eligible and self.free(a) > 0]
            if not idle:
                return
            self.waiting.remove(contact)
            self.attempts[contact] = self.attempts.get(contact, 0) + 1
            agent = chance.choice(idle)
            made = Offer(OfferId(f"{contact}.{self.attempts[contact]}"), contact, agent)
            self.held[made.offer_id] = made
            self.journal.append(
                ObserveOfferCreated(
                    offer_id=made.offer_id,
                    contact_id=contact,
                    agent_id=agent,
                    queue_id=QueueId("sales"),
                    channel=Channel.VOICE,
                    expires_at_ms=0,
                    wrap_up_timeout_ms=chance.choice([0, 5]),
                )
            )

    def free(self, agent: AgentId) -> int:
        held = sum(1 for offer in self.held.values() if offer.agent_id == agent)
        return self.slots.get(agent, 0) - held

    def take_in(self, event: Event) -> None:
        match event:
            case AgentSignedOn():
                self.slots[event.agent_id] = event.capacity[0].slots
            case AgentWentReady():
                self.eligible.add(event.agent_id)
            case AgentWentNotReady() | AgentStoppedResponding():
                self.eligible.discard(event.agent_id)
            case AgentSignedOff():
                self.eligible.discard(event.agent_id)
                self.slots.pop(event.agent_id)
                for offer in [o for o in self.held.values() if o.agent_id == event.agent_id]:
                    self.end(offer, ObserveOfferRescinded(offer_id=offer.offer_id))
            case AgentReleased():
                self.held.pop(event.offer_id, None)
            case OfferTurnedAway():
                self.eligible.discard(event.agent_id)
                offer = self.held.pop(event.offer_id)
                self.end(offer, ObserveOfferRescinded(offer_id=offer.offer_id))
            case _:
                pass

    def end(self, offer: Offer, fact: Command) -> None:
        if not offer.pending:
            return
        offer.pending = False
        self.journal.append(fact)
        if offer.contact_id not in self.left and not isinstance(fact, ObserveOfferCanceled):
            self.waiting.append(offer.contact_id)


@dataclass
class Session:
    """Connects accepted offers unless the customer has gone, and ends conversations."""

    journal: list[Command] = field(default_factory=list)
    gone: set[ContactId] = field(default_factory=set)
    talking: list[Offer] = field(default_factory=list)

    def accepted(self, offer: Offer) -> None:
        ids = (offer.offer_id, offer.contact_id, offer.agent_id)
        if offer.contact_id in self.gone:
            self.journal.append(
                ObserveContactConnectionFailed(offer_id=ids[0], contact_id=ids[1], agent_id=ids[2])
            )
            return
        self.talking.append(offer)
        self.journal.append(
            ObserveContactConnected(
                offer_id=ids[0],
                contact_id=ids[1],
                agent_id=ids[2],
                queue_id=QueueId("sales"),
                channel=Channel.VOICE,
            )
        )

    def hang_up(self, offer: Offer) -> None:
        self.talking.remove(offer)
        self.journal.append(
            ObserveContactDisconnected(
                offer_id=offer.offer_id, contact_id=offer.contact_id, agent_id=offer.agent_id
            )
        )


class World:
    def __init__(self, seed: int, *, early_yes: bool) -> None:
        self.chance = random.Random(seed)
        self.early_yes = early_yes
        """Whether a yes may come before the offer was shown to the agent, by a client that guessed its id."""
        self.back_while_held = self.said_yes_and_left = 0
        self.routing, self.session = Routing(), Session()
        self.accepted: list[Offer] = []
        self.state = initial("acme/emea")
        self.log: list[Event] = []
        self.log_read_by_routing = self.routing_read = self.session_read = 0
        self.at_ms = self.contacts = 0

    def do(self, command: Command) -> None:
        decided = decide(self.state, command, self.at_ms)
        if isinstance(decided, Refused):
            assert not type(command).__name__.startswith("Observe")
            return
        for event in decided:
            self.count_leaving(event)
            self.state = evolve(self.state, event)
            self.log.append(event)
            if isinstance(event, AgentReserved) and not self.early_yes:
                agent = self.state.agents[event.agent_id]
                held = [slot.channel for slot in agent.slots.values()].count(event.channel)
                slots = of_channel(agent.capacity, event.channel).slots
                assert held <= slots, (
                    f"{event.agent_id} has {held - slots} contacts more than slots"
                )
        check(self.state)

    def count_leaving(self, event: Event) -> None:
        """Note what the story is to be about: leaving with a yes under way, and coming back before it is known."""
        slots = [slot for slot in self.state.slots.values() if slot.agent_id == event.agent_id]
        if isinstance(event, AgentSignedOn):
            self.back_while_held += any(slot.phase is SlotPhase.WITHDRAWN for slot in slots)
        elif isinstance(event, AgentSignedOff):
            yes = {offer.offer_id for offer in self.accepted}
            self.said_yes_and_left += any(slot.offer_id in yes for slot in slots)

    def act(self) -> None:
        """Let an agent, a customer or time do something."""
        agent = self.chance.choice(AGENTS)
        ringing = [offer for offer in self.routing.held.values() if offer.pending]
        match self.chance.randrange(12):
            case 0:
                two = (ChannelCapacity(channel=Channel.VOICE, slots=self.chance.randint(1, 2)),)
                self.do(SignOn(agent_id=agent, capacity=two))
            case 1:
                self.do(SignOff(agent_id=agent))
            case 2 | 3:
                self.do(SetPresence(agent_id=agent, presence=Presence.READY))
            case 4:
                self.do(SetPresence(agent_id=agent, presence=Presence.NOT_READY, reason="break"))
            case 5:
                self.contacts += 1
                self.routing.waiting.append(ContactId(f"c{self.contacts}"))
                self.routing.offer(self.chance)
            case 6 | 7 | 8 if ringing:
                self.answer(self.chance.choice(ringing))
            case 9 if self.session.talking:
                self.session.hang_up(self.chance.choice(self.session.talking))
            case 10 if self.state.slots:
                slot = self.chance.choice(list(self.state.slots.values()))
                self.do(CompleteWrapUp(agent_id=slot.agent_id, contact_id=slot.contact_id))
            case _:
                self.at_ms += 1
                self.do(PassTime())

    def answer(self, offer: Offer) -> None:
        match self.chance.randrange(5):
            case 0:
                self.routing.end(offer, ObserveOfferRejected(offer_id=offer.offer_id))
            case 1:
                self.routing.end(offer, ObserveOfferExpired(offer_id=offer.offer_id))
            case 2:
                self.session.gone.add(offer.contact_id)
                if self.chance.random() < 0.5:  # else routing does not know yet
                    self.routing.left.add(offer.contact_id)
                    self.routing.end(offer, ObserveOfferCanceled(offer_id=offer.offer_id))
            case _ if self.early_yes or self.rings(offer):
                offer.pending = False
                self.accepted.append(offer)
            case _:
                pass
        self.routing.offer(self.chance)

    def rings(self, offer: Offer) -> bool:
        slot = self.state.slots.get(offer.offer_id)
        return slot is not None and slot.phase is SlotPhase.RINGING

    def read(self) -> bool:
        """Let one service read one entry of another's journal; False when everything has been read."""
        todo = []
        if self.log_read_by_routing < len(self.log):
            todo.append("log")
        if self.routing_read < len(self.routing.journal):
            todo.append("routing")
        if self.session_read < len(self.session.journal):
            todo.append("session")
        if self.accepted:
            todo.append("accepted")
        if not todo:
            return False
        match self.chance.choice(todo):
            case "log":
                self.routing.take_in(self.log[self.log_read_by_routing])
                self.log_read_by_routing += 1
                self.routing.offer(self.chance)
            case "routing":
                self.do(self.routing.journal[self.routing_read])
                self.routing_read += 1
            case "session":
                self.do(self.session.journal[self.session_read])
                self.session_read += 1
            case _:
                self.session.accepted(self.accepted.pop(0))
        return True

    def settle(self) -> None:
        """Read everything, end every conversation, reject every offer, let all time pass; until nothing is left."""
        while True:
            if self.read():
                continue
            if ringing := [offer for offer in self.routing.held.values() if offer.pending]:
                self.routing.end(ringing[0], ObserveOfferRejected(offer_id=ringing[0].offer_id))
                self.routing.waiting.clear()
            elif self.session.talking:
                self.session.hang_up(self.session.talking[0])
            elif (deadline := next_deadline(self.state)) is not None:
                self.at_ms = max(self.at_ms, deadline)
                self.do(PassTime())
            else:
                return

    def talked(self) -> list[OfferId]:
        told = self.session.journal
        return sorted(f.offer_id for f in told if isinstance(f, ObserveContactDisconnected))

    def wrapped_up(self) -> list[OfferId]:
        return sorted(e.offer_id for e in self.log if isinstance(e, AgentFinishedWrapUp))


@pytest.mark.parametrize("early_yes", [False, True])
@pytest.mark.parametrize("block", range(10))
def test_nobody_is_stuck_or_overbooked_however_the_journals_are_interleaved(
    block: int, *, early_yes: bool
) -> None:
    left_with_yes = back_while_held = 0
    for seed in range(block * 100, block * 100 + 100):
        world = World(seed, early_yes=early_yes)
        for _ in range(200):
            if world.chance.random() < 0.5 or not world.read():
                world.act()
        world.settle()
        assert world.state.slots == {}, seed
        assert world.state.overtaken == {}, seed
        assert world.routing.held == {}, seed
        assert world.talked() == world.wrapped_up(), seed
        for agent_id in AGENTS:
            agent = world.state.agents.get(agent_id)
            ready = agent is not None and agent.signed_on and agent.presence is Presence.READY
            ready = ready and agent is not None and not agent.not_responding
            assert (agent_id in world.routing.eligible) == ready, (seed, agent_id)
        assert dump(load("acme/emea", dump(world.state))) == dump(world.state)
        left_with_yes += world.said_yes_and_left
        back_while_held += world.back_while_held
    assert left_with_yes, "nobody left with a yes under way"
    assert back_while_held, "nobody came back while a slot was held"
