"""Session, agent-state and routing in one world: their real cores, codecs and reactions, on three logs in memory.

Callers and agents do what chance says. Each service takes in the others' events, in order within a topic and at any
pace across topics. Time is a number. What must never happen is looked for after every step, from outside of the cores.
A seed gives the same story every time.
"""

import random
from collections import deque
from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any

from huntgroup_agent_state.core import messages as agents
from huntgroup_agent_state.core.invariants import check as check_agents
from huntgroup_agent_state.core.values import (
    AgentId,
    AgentTraits,
    Channel,
    ChannelCapacity,
    Presence,
    SlotPhase,
)
from huntgroup_agent_state.wiring import application as agent_state_application
from huntgroup_eventlog.application import Application, Core, ForeignEvent
from huntgroup_onebox.sim.books import Books, Units, ViolationError
from huntgroup_routing.core import messages as routing
from huntgroup_routing.core.blending import BlendRule, BlendTrigger
from huntgroup_routing.core.invariants import check as check_routing
from huntgroup_routing.core.values import AgentId as RoutingAgentId
from huntgroup_routing.core.values import Channel as QueueChannel
from huntgroup_routing.core.values import ContactId as RoutingContactId
from huntgroup_routing.core.values import QueueId, RoutingStep, ServingGroup, Skill, Strategy
from huntgroup_routing.wiring import application as routing_application
from huntgroup_session.core import messages as session
from huntgroup_session.core.state import Offering, Queued
from huntgroup_session.core.values import AgentId as SessionAgentId
from huntgroup_session.core.values import Channel as ContactChannel
from huntgroup_session.core.values import ContactId, ConversationId, InitiationMethod
from huntgroup_session.core.values import QueueId as SessionQueueId
from huntgroup_session.wiring import application as session_application

DOMAIN = "acme/emea"
STEPS_SHOWN = 30
QUEUES: Mapping[str, tuple[str, tuple[str, ...]]] = {
    "sales": ("VOICE", ()),
    "german": ("VOICE", ("german",)),
    "chat": ("CHAT", ()),
    "all": ("VOICE", ()),
    "some": ("CHAT", ()),
}
STRATEGIES: Mapping[str, Strategy] = {
    "sales": Strategy.LONGEST_IDLE,
    "german": Strategy.ROUND_ROBIN,
    "chat": Strategy.FEWEST_CONTACTS,
    "all": Strategy.RING_ALL,
    "some": Strategy.RING_PROGRESSIVELY,
}
AGENTS = tuple(AgentId(f"a{number}") for number in range(4))
PREFERRED = ((), (), (SessionAgentId("a0"),), (SessionAgentId("a1"), SessionAgentId("a2")))
DIRECT = tuple(map(SessionAgentId, ("", "", "", "", "", "a0", "a3")))
SHARED = (
    *[Units(units=0, cost={"VOICE": 0, "CHAT": 0}, interrupts={})] * 2,
    Units(units=2, cost={"VOICE": 2, "CHAT": 1}, interrupts={}),
    Units(units=3, cost={"VOICE": 2, "CHAT": 1}, interrupts={"VOICE": ("CHAT",)}),
    Units(
        units=2, cost={"VOICE": 1, "CHAT": 2}, interrupts={"VOICE": ("CHAT",), "CHAT": ("VOICE",)}
    ),
)
"""What agents' channels share, at times nothing; the last may interrupt either way. Agents change it now and then."""
WRAP_UP_MAX_MS, RING_MS = 200, 300
GROUPS = (ServingGroup(group="late", weight=2, delay_ms=RING_MS), ServingGroup(group="", weight=3))
SPARE = BlendRule(
    group="spare", trigger=BlendTrigger.QUEUE_LENGTH, enter=2, leave=0, dwell_ms=2 * RING_MS
)
GROUP_OF = {AGENTS[0]: ("late",), AGENTS[3]: ("spare",)}
PATIENCE_MS = 60_000
"""Whatever must happen by itself happens within this time, well before session's guard of an hour."""


@cache
def applications() -> Mapping[str, Application]:
    """Return the three services as the journal runs them; they keep nothing between two calls."""
    made = (session_application(), agent_state_application(), routing_application())
    return {application.service: application for application in made}


class Service:
    """One service: its state, its log, and how far it has read in the logs of others."""

    def __init__(self, application: Application, core: Core) -> None:
        self.application = application
        self.core = core
        self.state: Any = core.initial(DOMAIN)
        self.log: list[tuple[str, bytes]] = []


class World:
    """One story. `cores` replaces the cores of services by name."""

    def __init__(self, seed: int, cores: Mapping[str, Core] | None = None) -> None:
        self.chance = random.Random(seed)
        self.at_ms = 1_000
        self.steps: deque[str | tuple[int, str, Any, Any]] = deque(maxlen=STEPS_SHOWN)
        self.services = {
            name: Service(application, (cores or {}).get(name, application.core))
            for name, application in applications().items()
        }
        self.read = {
            (name, source): 0
            for name, application in applications().items()
            for source in application.reactions.sources
        }
        self.capacity: Mapping[tuple[str, str], int] = {
            (agent_id, channel): self.chance.choice((1, 1, 2))
            for agent_id in AGENTS
            for channel in ("VOICE", "CHAT")
        }
        self.skilled = {AGENTS[0], *self.chance.sample(AGENTS, 2)}
        self.units = {agent_id: self.chance.choice(SHARED) for agent_id in AGENTS}
        self.books = Books(dict(self.capacity))
        self.contacts: list[ContactId] = []
        self.rang: deque[Any] = deque(maxlen=6)
        """What agents were shown lately and answer, at times too late."""
        self.shown = routing.OfferCreated if seed % 3 == 0 else agents.AgentReserved
        """Desktops show reservations; a gateway that follows routing's public events is earlier than agent-state."""
        for queue_id in QUEUES:
            self._configure(queue_id)

    # What happens in the world.

    def tell(self, name: str, command: Any) -> tuple[Any, ...] | None:
        """Give a service a command; return what followed, None when it was refused."""
        service = self.services[name]
        decided = service.core.decide(service.state, command, self.at_ms)
        self.steps.append((self.at_ms, name, command, decided))
        if not isinstance(decided, tuple):
            return None
        for event in decided:
            service.state = service.core.evolve(service.state, event)
            service.log.append(service.application.codec.encode(event))
            self.books.note(event)
            if isinstance(event, self.shown):
                self.rang.append(event)
        if decided:
            self._check_step()
        return decided

    def unread(self) -> list[tuple[str, str]]:
        """Return who has something to read, and where."""
        return [edge for edge, place in self.read.items() if place < len(self._log(edge))]

    def take_in(self, edge: tuple[str, str]) -> None:
        """Let a service take in the next event of another."""
        name, source = edge
        event_type, payload = self._log(edge)[self.read[edge]]
        self.read[edge] += 1
        fact = ForeignEvent(
            service=source,
            domain=DOMAIN,
            type=event_type,
            payload=payload,
            at_ms=self.at_ms,
            sequence=self.read[edge],
            event_id=f"{source}-{self.read[edge]}",
            traceparent="",
        )
        command = self.services[name].application.reactions.react(fact)
        if command is not None and self.tell(name, command) is None:
            raise ViolationError(f"{name} refuses a fact: {command}")

    def pass_time(self) -> None:
        """Tell every service that time has passed which waits for that."""
        for name, service in self.services.items():
            deadline = service.core.next_deadline(service.state)
            if deadline is not None and deadline <= self.at_ms:
                self.tell(name, service.core.pass_time())

    def run(self, steps: int) -> None:
        """Let so many things happen, then come to an end; raises `ViolationError`."""
        hurry = self.chance.choice((0.4, 0.6, 0.9))
        for _ in range(steps):
            self.at_ms += self.chance.choice((0, 0, 1, 5, 30))
            edges = self.unread()
            if edges and self.chance.random() < hurry:
                edge = self.chance.choice(edges)
                for _ in range(self.chance.choice((1, 1, 3, 10))):
                    if self.read[edge] < len(self._log(edge)):
                        self.take_in(edge)
                continue
            if self.chance.random() < 0.7:
                self.pass_time()
            self.act()
        self.finish()

    # Callers and agents.

    def act(self) -> None:
        """Let one caller or agent do something."""
        deeds = (
            *(self.call, self.caller_leaves, self.answer, self.talk, self.come_and_go),
            self.take_by_hand,
        )
        self.chance.choices(deeds, (20, 8, 26, 12, 22, 6))[0]()

    def call(self) -> None:
        """Somebody calls, and mostly is sent to a queue at once."""
        contact_id = ContactId(f"c{len(self.contacts)}")
        self.contacts.append(contact_id)
        queue_id = self.chance.choice(list(QUEUES))
        start = session.StartContact(
            contact_id=contact_id,
            conversation_id=ConversationId(""),
            channel=ContactChannel(QUEUES[queue_id][0]),
            initiation_method=InitiationMethod.INBOUND,
            customer_endpoint="",
            system_endpoint="",
            attributes=(),
        )
        self.tell("session", start)
        if self.chance.random() < 0.9:
            queue = session.QueueContact(
                contact_id=contact_id,
                queue_id=SessionQueueId(queue_id),
                priority=self.chance.choice((0, 0, 1)),
                required_skills=(),
                preferred_agents=self.chance.choice(PREFERRED),
                direct_agent_id=self.chance.choice(DIRECT),
                customer_key=self.chance.choice(("", "", "one", "two")),
                requirement=self.chance.choice(("", "", 'not agent == "nobody"')),
            )
            self.tell("session", queue)

    def take_by_hand(self) -> None:
        """An agent pulls a contact that waits, or a supervisor gives it to them; mostly that is refused."""
        waiting = [one.contact_id for one in self.services["routing"].state.contacts.values()]
        contact_id = self.chance.choice([*waiting, RoutingContactId("nobody")])
        agent_id = RoutingAgentId(self.chance.choice(AGENTS))
        deed: Any = routing.PullContact(contact_id=contact_id, agent_id=agent_id)
        if self.chance.random() < 0.5:
            deed = routing.AssignContact(
                contact_id=contact_id,
                agent_id=agent_id,
                supervisor_id=RoutingAgentId("eve"),
                waive_requirement=True,
            )
        self.tell("routing", deed)

    def caller_leaves(self) -> None:
        """One of the latest callers hangs up, wherever they are."""
        if self.contacts:
            contact_id = self.chance.choice(self.contacts[-8:])
            self.tell("session", session.HangUpContact(contact_id=contact_id))

    def answer(self) -> None:
        """An agent answers what rings or rang; some leave right after it, and some of them come back at once."""
        if not self.rang:
            return
        offer = self.chance.choice(self.rang)
        answer: Any = routing.RejectOffer(
            offer_id=offer.offer_id, agent_id=offer.agent_id, reason="busy"
        )
        if self.chance.random() < 0.75:
            answer = routing.AcceptOffer(offer_id=offer.offer_id, agent_id=offer.agent_id)
        self.tell("routing", answer)
        if self.chance.random() < 0.15:
            self.tell("agent-state", agents.SignOff(agent_id=offer.agent_id))
            if self.chance.random() < 0.7:
                self.start_work(offer.agent_id)

    def talk(self) -> None:
        """An agent ends, holds or retrieves a conversation, or finishes after-call work."""
        slots = list(self.services["agent-state"].state.slots.values())
        if not slots:
            return
        slot = self.chance.choice(slots)
        names = {"contact_id": slot.contact_id, "agent_id": slot.agent_id}
        deed = self.chance.choices((session.EndContact, session.HoldContact), (3, 1))[0]
        if slot.phase is SlotPhase.WRAPPING_UP:
            self.tell("agent-state", agents.CompleteWrapUp(**names))
        elif self.tell("session", deed(**names)) == ():
            self.tell("session", session.RetrieveContact(**names))

    def come_and_go(self) -> None:
        """An agent signs on, changes presence, signs off, or is not heard of any more."""
        agent_id = self.chance.choice(AGENTS)
        match self.chance.choices(range(4), (12, 3, 2, 1))[0]:
            case 0:
                self.start_work(agent_id)
            case 1:
                self._want(agent_id, Presence.NOT_READY, "break")
            case 2:
                self.tell("agent-state", agents.SignOff(agent_id=agent_id))
            case _:
                known = self.services["agent-state"].state.agents.get(agent_id)
                since_ms = 0 if known is None else known.signed_on_at_ms
                silent = agents.ReportDesktopSilent(agent_id=agent_id, signed_on_at_ms=since_ms)
                self.tell("agent-state", silent)

    def start_work(self, agent_id: AgentId) -> None:
        """An agent signs on unless they have, and is ready."""
        if self.chance.random() < 0.2:
            self.units[agent_id] = self.chance.choice(SHARED)
        shared = self.units[agent_id]
        capacity = tuple(
            ChannelCapacity(
                channel=Channel(channel),
                slots=self.capacity[agent_id, channel],
                cost=shared.cost[channel],
                interrupts=tuple(Channel(other) for other in shared.interrupts.get(channel, ())),
            )
            for channel in ("VOICE", "CHAT")
        )
        skills = ("german",) if agent_id in self.skilled else ()
        traits = AgentTraits(groups=GROUP_OF[agent_id]) if agent_id in GROUP_OF else None
        sign_on = agents.SignOn(
            agent_id=agent_id,
            skills=skills,
            capacity=capacity,
            traits=traits,
            capacity_units=shared.units,
        )
        self.tell("agent-state", sign_on)
        self._want(agent_id, Presence.READY, "")

    # The end: everybody works, nobody calls.

    def finish(self) -> None:
        """Serve whoever waits, let time pass, and look whether anybody or anything is left behind."""
        for contact_id in self.contacts:  # those in a menu would stay there
            contact = self.services["session"].state.live.get(contact_id)
            if contact is not None and contact.state == "INITIATED":
                self.tell("session", session.HangUpContact(contact_id=contact_id))
        patience_ms = self.at_ms + PATIENCE_MS
        self.settle()
        while self.services["session"].state.live:
            for agent_id in AGENTS:
                self.start_work(agent_id)
            self.settle()
            self._serve()
            self._wait_until(patience_ms)
        for agent_id in AGENTS:
            self.start_work(agent_id)
        self.settle()
        self._check_end()

    def settle(self) -> None:
        """Let everything be read, in any order."""
        while edges := self.unread():
            self.take_in(self.chance.choice(edges))

    def _serve(self) -> None:
        """Let agents accept what rings at them, and end what they talk about."""
        for slot in list(self.services["agent-state"].state.slots.values()):
            names = {"agent_id": slot.agent_id}
            if slot.phase is SlotPhase.RINGING:
                self.tell("routing", routing.AcceptOffer(offer_id=slot.offer_id, **names))
            elif slot.phase is SlotPhase.TALKING:
                self.tell("session", session.EndContact(contact_id=slot.contact_id, **names))
        self.settle()

    def _wait_until(self, patience_ms: int) -> None:
        """Go on to whatever time brings next; that must not be later than anybody would wait."""
        self.at_ms += 50
        if self.at_ms > patience_ms:
            live = {key: one.state for key, one in self.services["session"].state.live.items()}
            raise ViolationError(f"contacts are stuck: {live}; {self._held()}")
        self.pass_time()
        self.settle()

    # What must hold.

    def _check_step(self) -> None:
        for name in ("agent-state", "routing"):
            for agent_id, agent in self.services[name].state.agents.items():
                held = [
                    str(one.channel if name == "agent-state" else one)
                    for one in (agent.slots if name == "agent-state" else agent.held).values()
                ]
                for channel in ("VOICE", "CHAT"):
                    if held.count(channel) > self.books.capacity[agent_id, channel]:
                        raise ViolationError(f"{name}: {agent_id} holds {held}, above capacity")
        waits: dict[str, str] = {}
        for queue_id, queue in self.services["routing"].state.queues.items():
            for _, _, contact_id in queue.waiting.in_order():
                if contact_id in waits or self.books.waiting.get(contact_id) != queue_id:
                    raise ViolationError(f"{contact_id} waits in {queue_id} and elsewhere")
                waits[contact_id] = queue_id
        for contact_id, contact in self.services["session"].state.live.items():
            known = self.books.waiting.get(contact_id, contact.place.queue_id)
            if isinstance(contact.phase, Queued | Offering) and known != contact.place.queue_id:
                raise ViolationError(f"{contact_id} waits in {contact.place.queue_id} and {known}")

    def _check_end(self) -> None:
        open_offers = [key for key, one in self.books.outcomes.items() if one is None]
        open_contacts = [key for key, one in self.books.endings.items() if one is None]
        floor, pools = self.services["agent-state"].state, self.services["routing"].state
        for wrong, words in (
            (open_contacts, "contacts never ended"),
            (list(self.books.waiting), "contacts wait for ever"),
            (open_offers, "offers were never decided"),
            (self._held(), "slots are held for nothing"),
            (dict(floor.overtaken), "offers count as overtaken for ever"),
            (self._not_idle(), "agents are ready and get nothing"),
            (check_routing(pools), "routing contradicts itself"),
        ):
            if wrong:
                raise ViolationError(f"{words}: {wrong}")
        check_agents(floor)

    def _held(self) -> Sequence[str]:
        """Return who holds what, in agent-state's eyes and in routing's."""
        floor, pools = self.services["agent-state"].state, self.services["routing"].state
        return [
            *(
                f"agent-state: {one.agent_id} {one.offer_id} {one.phase}"
                for one in floor.slots.values()
            ),
            *(f"routing: {key} {[*one.held]}" for key, one in pools.agents.items() if one.held),
        ]

    def _not_idle(self) -> Sequence[str]:
        floor, pools = self.services["agent-state"].state, self.services["routing"].state
        return [
            agent_id
            for agent_id in AGENTS
            if floor.agents[agent_id].routing_state != "READY"
            or set(pools.agents[agent_id].idle) != {"VOICE", "CHAT"}
        ]

    # Small things.

    def _log(self, edge: tuple[str, str]) -> list[tuple[str, bytes]]:
        return self.services[edge[1]].log

    def _want(self, agent_id: AgentId, presence: Presence, reason: str) -> None:
        wish = agents.SetPresence(agent_id=agent_id, presence=presence, reason=reason)
        self.tell("agent-state", wish)

    def _configure(self, queue_id: str) -> None:
        channel, skills = QUEUES[queue_id]
        configure = routing.ConfigureQueue(
            queue_id=QueueId(queue_id),
            channel=QueueChannel(channel),
            required_skills=tuple(Skill(skill) for skill in skills),
            ring_timeout_ms=RING_MS,
            wrap_up_timeout_ms=self.chance.choice((0, WRAP_UP_MAX_MS)),
            service_level_threshold_ms=1,
            waiting_max=0,
            strategy=STRATEGIES[queue_id],
            reoffer_after_ms=RING_MS,
            priority_point_ms=RING_MS if queue_id == "sales" else 0,
            groups=GROUPS if skills else (),
            blend=(SPARE,) if skills else (),
            steps=(RoutingStep(after_ms=RING_MS),) if skills else (),
            pull_requirement='not agent == "a3"',
            preferred_hold_ms=RING_MS,
            prefers_last_agent=True,
            direct_hold_ms=2 * RING_MS,
            ring_max=self.chance.choice((2, 3)),
            ring_every_ms=RING_MS // 3,
        )
        self.tell("routing", configure)
