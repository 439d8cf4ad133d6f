"""What piled up elsewhere comes at once, and routing answers it with many times as much."""

from collections.abc import Sequence
from typing import Any
from uuid import uuid4

from huntgroup_agent_state.core import messages as agents
from huntgroup_agent_state.core.values import AgentId, Channel, ChannelCapacity, Presence
from huntgroup_agent_state.wiring import application as agent_state
from huntgroup_eventlog.application import Application
from huntgroup_eventlog.journal import effects as fx
from huntgroup_eventlog.journal.decider import BATCH_BYTES_MAX, Submission
from huntgroup_eventlog.journal.replica import Replica, Role
from huntgroup_eventlog.journal.source import SourceFeed
from huntgroup_routing.core import messages as routing_messages
from huntgroup_routing.core.values import QueueId
from huntgroup_routing.wiring import application as routing
from huntgroup_session.core import messages as contacts
from huntgroup_session.core import values
from huntgroup_session.wiring import application as session

DOMAIN = "acme/emea"
NOW_MS = 1_760_000_000_000
AGENTS, SLOTS, WAITING = 90, 25, 2_400


class Journal:
    """A service's journal and its owner, without a process."""

    def __init__(self, application: Application) -> None:
        self.entries: list[bytes] = []
        self.owner = Replica(application, partition=0, owner="a", address="a:1")
        self.owner.claim(NOW_MS)
        self.settle()

    def settle(self) -> None:
        """Decide, append and read until nothing happens any more."""
        while True:
            self.owner.advance(NOW_MS)
            appended = [one.value for one in self.owner.effects if isinstance(one, fx.Append)]
            self.owner.effects.clear()
            for value in appended:
                self.entries.append(value)
                self.owner.read(len(self.entries) - 1, value)
            self.owner.relayed_to(self.owner.position)
            if not appended:
                return

    def told(self, commands: Sequence[Any]) -> None:
        """Be told so many commands at once, and carry them out."""
        for command in commands:
            self.owner.submit(Submission(DOMAIN, str(uuid4()), command, 0, "", object()))
        self.settle()

    def follow(self, service: str, other: "Journal") -> None:
        """Take in what another service has decided, from where its own says that it has."""
        reactions = self.owner.application.reactions
        feed = SourceFeed.begin(service, service, self.owner.fold.sources.get(service), reactions)
        for position in range(feed.position, len(other.entries)):
            self.owner.take_in(feed.read(position, other.entries[position]))
        self.settle()


def test_agents_with_many_slots_who_come_back_at_once_do_not_stop_routing() -> None:
    sessions, floor, router = Journal(session()), Journal(agent_state()), Journal(routing())
    router.told([queue()])
    sessions.follow("routing", router)
    for _ in range(WAITING // 200):
        ids = [str(uuid4()) for _ in range(200)]
        sessions.told([start(one) for one in ids])
        sessions.told([enqueue(one) for one in ids])
    router.follow("session", sessions)
    names = [str(uuid4()) for _ in range(AGENTS)]
    floor.told([sign_on(one) for one in names])
    router.follow("agent-state", floor)
    before = len(router.entries)
    floor.told(
        [agents.SetPresence(agent_id=AgentId(one), presence=Presence.READY) for one in names]
    )
    router.follow("agent-state", floor)
    written = router.entries[before:]
    assert router.owner.role is Role.OWNING
    assert sum(map(len, written)) > BATCH_BYTES_MAX
    assert max(map(len, written)) < BATCH_BYTES_MAX / 2
    state = router.owner.fold.domains[DOMAIN].state
    assert sum(len(one.held) for one in state.agents.values()) == AGENTS * SLOTS


def queue() -> routing_messages.ConfigureQueue:
    return routing_messages.ConfigureQueue(
        queue_id=QueueId("chat"),
        channel=None,
        required_skills=(),
        ring_timeout_ms=20_000,
        wrap_up_timeout_ms=0,
        service_level_threshold_ms=20_000,
        waiting_max=10_000,
    )


def start(contact_id: str) -> contacts.StartContact:
    return contacts.StartContact(
        contact_id=values.ContactId(contact_id),
        conversation_id=values.ConversationId(""),
        channel=values.Channel.CHAT,
        initiation_method=values.InitiationMethod.INBOUND,
        customer_endpoint="customer",
        system_endpoint="desk",
        attributes=(),
    )


def enqueue(contact_id: str) -> contacts.QueueContact:
    return contacts.QueueContact(
        contact_id=values.ContactId(contact_id),
        queue_id=values.QueueId("chat"),
        priority=0,
        required_skills=(),
    )


def sign_on(agent_id: str) -> agents.SignOn:
    capacity = ChannelCapacity(channel=Channel.CHAT, slots=SLOTS)
    return agents.SignOn(agent_id=AgentId(agent_id), capacity=(capacity,))
