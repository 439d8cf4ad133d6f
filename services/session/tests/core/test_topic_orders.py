"""Routing and agent-state are read independently: however their topics interleave, nobody is stuck at the end.

Stand-ins play the two other services: each reads this service's events late and answers later still, in order.
"""

import random
from collections import Counter, defaultdict, deque
from collections.abc import Iterator

import pytest

from huntgroup_session.core import SessionCore
from huntgroup_session.core.deadlines import WRAP_UP_GUARD_MS
from huntgroup_session.core.messages import (
    Command,
    ContactAbandoned,
    ContactCompleted,
    ContactConnected,
    ContactConnectionFailed,
    ContactDisconnected,
    ContactQueued,
    EndContact,
    Event,
    HangUpContact,
    ObserveOfferAccepted,
    ObserveOfferCreated,
    ObserveOfferFailed,
    ObserveQueueConfigured,
    ObserveWrapUpFinished,
    PassTime,
    QueueContact,
    Refused,
    StartContact,
)
from huntgroup_session.core.values import (
    AgentId,
    Channel,
    CompletionReason,
    ContactId,
    ConversationId,
    InitiationMethod,
    OfferId,
    QueueId,
    ReturnReason,
)

SALES = QueueId("sales")
ENDS = {CompletionReason.WRAP_UP_FINISHED, CompletionReason.TIMER}


class Routing:
    """Offers each waiting contact to one agent after another, until one accepts or the customer has left."""

    def __init__(self, chance: random.Random) -> None:
        self.chance = chance
        self.pending: dict[ContactId, ObserveOfferCreated] = {}
        self.attempts: Counter[ContactId] = Counter()
        self.accepted: list[OfferId] = []

    def read(self, event: Event) -> Iterator[Command]:
        if isinstance(event, ContactQueued):
            yield self.offer(event.contact_id)
        elif isinstance(event, ContactAbandoned):
            self.pending.pop(event.contact_id, None)

    def act(self) -> Iterator[Command]:
        """One of the agents that are rung answers, or lets it ring."""
        if not self.pending:
            return
        contact_id = self.chance.choice(sorted(self.pending))
        offer = self.pending.pop(contact_id)
        if self.chance.random() < 0.5:
            self.accepted.append(offer.offer_id)
            yield ObserveOfferAccepted(
                contact_id=contact_id, offer_id=offer.offer_id, agent_id=offer.agent_id
            )
        else:
            reason = self.chance.choice(list(ReturnReason))
            yield ObserveOfferFailed(contact_id=contact_id, offer_id=offer.offer_id, reason=reason)
            yield self.offer(contact_id)

    def offer(self, contact_id: ContactId) -> Command:
        self.attempts[contact_id] += 1
        attempt = self.attempts[contact_id]
        self.pending[contact_id] = ObserveOfferCreated(
            contact_id=contact_id,
            offer_id=OfferId(f"{contact_id}.{attempt}"),
            agent_id=AgentId(f"agent-{attempt % 3}"),
        )
        return self.pending[contact_id]


class World:
    """The session core between two topics that are late by chance."""

    def __init__(self, seed: int) -> None:
        self.chance = random.Random(seed)
        self.core = SessionCore()
        self.state = self.core.initial("acme/emea")
        self.events: list[Event] = []
        self.now_ms = 1_000_000
        self.routing = Routing(self.chance)
        self.read_by_routing = 0
        self.read_by_agents = 0
        self.topics: dict[str, deque[Command]] = defaultdict(deque)

    def tell(self, command: Command) -> None:
        self.now_ms += self.chance.randrange(2_000)
        decision = self.core.decide(self.state, command, self.now_ms)
        if isinstance(decision, Refused):
            return
        for event in decision:
            self.state = self.core.evolve(self.state, event)
        self.events += decision

    def let_in(self, contact_id: ContactId) -> None:
        """A customer will come in, wait, and hang up sooner or later."""
        start = StartContact(
            contact_id=contact_id,
            conversation_id=ConversationId(""),
            channel=Channel.VOICE,
            initiation_method=InitiationMethod.INBOUND,
            customer_endpoint="",
            system_endpoint="",
            attributes=(),
        )
        queue = QueueContact(contact_id=contact_id, queue_id=SALES, priority=0, required_skills=())
        self.topics["calls"] += (start, queue)
        self.topics["hang-ups"].append(HangUpContact(contact_id=contact_id))

    def step(self) -> bool:
        """Let one of all that could happen next happen; False when nothing is left."""
        able = [
            (10, self.read_by_routing < len(self.events), self.let_routing_read),
            (10, self.read_by_agents < len(self.events), self.let_agents_read),
            (10, bool(self.routing.pending), self.let_routing_act),
            (10, bool(self.topics["routing"]), lambda: self.take("routing")),
            (10, bool(self.topics["agent-state"]), lambda: self.take("agent-state")),
            (10, bool(self.topics["calls"]), lambda: self.take("calls")),
            (1, bool(self.topics["hang-ups"]), lambda: self.take("hang-ups")),
        ]
        possible = [(weight, act) for weight, can, act in able if can]
        if possible:
            weights, acts = zip(*possible, strict=True)
            self.chance.choices(acts, weights)[0]()
        return bool(possible)

    def let_routing_read(self) -> None:
        self.topics["routing"] += self.routing.read(self.events[self.read_by_routing])
        self.read_by_routing += 1

    def let_routing_act(self) -> None:
        self.topics["routing"] += self.routing.act()

    def let_agents_read(self) -> None:
        """An agent who talks ends the talk; one who has talked wraps up, and nearly always reports it."""
        event = self.events[self.read_by_agents]
        self.read_by_agents += 1
        if isinstance(event, ContactConnected):
            end = EndContact(contact_id=event.contact_id, agent_id=event.agent_id)
            self.topics["calls"].append(end)
        if isinstance(event, ContactDisconnected) and self.chance.random() < 0.9:
            self.topics["agent-state"].append(
                ObserveWrapUpFinished(
                    contact_id=event.contact_id, offer_id=event.offer_id, wrap_up_ms=5_000
                )
            )

    def take(self, topic: str) -> None:
        self.tell(self.topics[topic].popleft())


@pytest.mark.parametrize("seeds", [range(first, first + 100) for first in (0, 100, 200)])
def test_nobody_is_stuck_however_the_topics_interleave(seeds: range) -> None:
    seen: Counter[str] = Counter()
    for seed in seeds:
        world = World(seed)
        world.tell(ObserveQueueConfigured(queue_id=SALES, waiting_max=100))
        for number in range(5):
            world.let_in(ContactId(f"caller-{number}"))
        while world.step():
            pass
        world.now_ms += WRAP_UP_GUARD_MS
        world.tell(PassTime())
        check_that_all_ended(world)
        seen += Counter(type(event).__name__ for event in world.events)
        seen += Counter(
            event.reason for event in world.events if isinstance(event, ContactCompleted)
        )
    assert seen.keys() >= {"ContactConnectionFailed", "ContactReturnedToQueue", *ENDS}


def check_that_all_ended(world: World) -> None:
    """Every contact ended once, and every agent who accepted heard what became of it once."""
    assert not world.state.live
    ends = Counter(
        event.contact_id
        for event in world.events
        if isinstance(event, ContactAbandoned | ContactCompleted)
    )
    assert ends == Counter(f"caller-{number}" for number in range(5))
    answers = Counter(
        event.offer_id
        for event in world.events
        if isinstance(event, ContactConnected | ContactConnectionFailed)
    )
    assert answers == Counter(world.routing.accepted)
