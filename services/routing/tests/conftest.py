"""A floor to tell stories on: every step is decided, checked for side effects, folded, and checked again."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import pytest

from huntgroup_routing.core import RoutingCore
from huntgroup_routing.core.hours import OpeningHours
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
    ObserveAgentWentNotReady,
    ObserveAgentWentReady,
    ObserveContactAbandoned,
    ObserveContactQueued,
    ObserveOfferTurnedAway,
    OfferCreated,
    PassTime,
    Refused,
    RejectOffer,
)
from huntgroup_routing.core.overflow import OverflowRule
from huntgroup_routing.core.state import State
from huntgroup_routing.core.values import (
    AgentId,
    AgentTraits,
    Channel,
    ContactId,
    OfferId,
    QueueId,
    RoutingStep,
    ServingGroup,
    Skill,
    SkillLevel,
    Strategy,
)

RING_MS = 20_000


@dataclass
class Floor:
    """One domain, with the queue `sales` (voice, no skills, 20 s to answer) unless told otherwise."""

    core: RoutingCore = field(default_factory=RoutingCore)
    state: State = field(default_factory=lambda: RoutingCore().initial("acme/emea"))
    history: list[Event] = field(default_factory=list)

    def decide(self, command: Command, at_ms: int) -> tuple[Event, ...] | Refused:
        """Decide, and make sure that deciding changed nothing."""
        before = self.core.dump(self.state)
        decision = self.core.decide(self.state, command, at_ms)
        assert self.core.dump(self.state) == before
        return decision

    def tell(self, command: Command, at_ms: int = 0) -> tuple[Event, ...]:
        """Decide, let it come true, and check every invariant."""
        events = self.decide(command, at_ms)
        assert not isinstance(events, Refused), events
        self.fold(*events)
        return events

    def fold(self, *events: Event) -> None:
        """Let events come true."""
        for event in events:
            self.state = self.core.evolve(self.state, event)
        self.history += events
        assert check(self.state) == []

    def quickly(self, *commands: Command, at_ms: int = 0) -> tuple[Event, ...]:
        """Decide and fold without looking twice: for crowds."""
        all_events: list[Event] = []
        for command in commands:
            events = self.core.decide(self.state, command, at_ms)
            assert not isinstance(events, Refused), events
            for event in events:
                self.state = self.core.evolve(self.state, event)
            all_events += events
        return tuple(all_events)

    def refused(self, command: Command, at_ms: int = 0) -> Refused:
        """Decide what must be refused."""
        decision = self.decide(command, at_ms)
        assert isinstance(decision, Refused), decision
        return decision

    @staticmethod
    def offered(events: tuple[Event, ...]) -> list[tuple[str, str]]:
        """Return contact and agent of each offer among events."""
        return [(one.contact_id, one.agent_id) for one in events if isinstance(one, OfferCreated)]

    @staticmethod
    def queue_command(
        queue_id: str = "sales",
        *skills: str,
        channel: Channel | None = Channel.VOICE,
        ring_timeout_ms: int = RING_MS,
        waiting_max: int = 0,
        strategy: Strategy | None = None,
        reoffer_after_ms: int = 0,
        requirement: str = "",
        steps: tuple[RoutingStep, ...] = (),
        skip_unservable_steps: bool = False,
        ring_max: int = 0,
        ring_every_ms: int = 0,
        pull_requirement: str = "",
        preferred_hold_ms: int = 0,
        prefers_last_agent: bool = False,
        direct_hold_ms: int = 0,
        scorer: str = "",
        overflow: tuple[OverflowRule, ...] = (),
        hours: OpeningHours | None = None,
        priority_point_ms: int = 0,
        groups: tuple[ServingGroup, ...] = (),
        **more: Any,
    ) -> ConfigureQueue:
        """Return the command that configures a queue."""
        return ConfigureQueue(
            queue_id=QueueId(queue_id),
            channel=channel,
            required_skills=tuple(Skill(skill) for skill in skills),
            ring_timeout_ms=ring_timeout_ms,
            wrap_up_timeout_ms=30_000,
            service_level_threshold_ms=20_000,
            waiting_max=waiting_max,
            strategy=strategy,
            reoffer_after_ms=reoffer_after_ms,
            requirement=requirement,
            steps=steps,
            skip_unservable_steps=skip_unservable_steps,
            ring_max=ring_max,
            ring_every_ms=ring_every_ms,
            pull_requirement=pull_requirement,
            preferred_hold_ms=preferred_hold_ms,
            prefers_last_agent=prefers_last_agent,
            direct_hold_ms=direct_hold_ms,
            scorer=scorer,
            overflow=overflow,
            hours=hours,
            priority_point_ms=priority_point_ms,
            groups=groups,
            **more,
        )

    def queue(
        self, queue_id: str = "sales", *skills: str, at_ms: int = 0, **said: Any
    ) -> tuple[Event, ...]:
        """Configure a queue."""
        return self.tell(self.queue_command(queue_id, *skills, **said), at_ms)

    @staticmethod
    def contact_command(
        contact_id: str, queue_id: str = "sales", priority: int = 0, at_ms: int = 0
    ) -> ObserveContactQueued:
        """Return the fact that a contact of no skills of its own was queued."""
        return ObserveContactQueued(
            contact_id=ContactId(contact_id),
            queue_id=QueueId(queue_id),
            channel=Channel.VOICE,
            priority=priority,
            required_skills=(),
            enqueued_at_ms=at_ms,
        )

    def contact(
        self,
        contact_id: str,
        *skills: str,
        queue_id: str = "sales",
        channel: Channel = Channel.VOICE,
        priority: int = 0,
        enqueued_at_ms: int | None = None,
        at_ms: int = 0,
        preferred: tuple[str, ...] = (),
        direct: str = "",
        customer: str = "",
        requirement: str = "",
    ) -> tuple[Event, ...]:
        """Let a contact be queued."""
        return self.tell(
            ObserveContactQueued(
                contact_id=ContactId(contact_id),
                queue_id=QueueId(queue_id),
                channel=channel,
                priority=priority,
                required_skills=tuple(Skill(skill) for skill in skills),
                enqueued_at_ms=at_ms if enqueued_at_ms is None else enqueued_at_ms,
                preferred_agents=tuple(AgentId(agent_id) for agent_id in preferred),
                direct_agent_id=AgentId(direct),
                customer_key=customer,
                requirement=requirement,
            ),
            at_ms,
        )

    def sign_on(
        self,
        agent_id: str,
        *skills: str,
        at_ms: int = 0,
        levels: Mapping[str, int] | None = None,
        groups: tuple[str, ...] = (),
        **slots: int,
    ) -> tuple[Event, ...]:
        """Let an agent sign on, with one voice slot unless told otherwise."""
        levels = levels or {}
        skill_levels = (SkillLevel(skill=Skill(name), level=levels[name]) for name in levels)
        return self.tell(
            ObserveAgentSignedOn(
                agent_id=AgentId(agent_id),
                skills=tuple(Skill(skill) for skill in (*skills, *levels)),
                capacity=tuple(
                    ChannelCapacity(channel=Channel[name.upper()], slots=count)
                    for name, count in (slots or {"voice": 1}).items()
                ),
                traits=AgentTraits(skill_levels=tuple(skill_levels), groups=groups)
                if levels or groups
                else None,
            ),
            at_ms,
        )

    def ready(self, agent_id: str, at_ms: int = 0) -> tuple[Event, ...]:
        """Let an agent want contacts."""
        return self.tell(ObserveAgentWentReady(agent_id=AgentId(agent_id)), at_ms)

    def agent(
        self,
        agent_id: str,
        *skills: str,
        at_ms: int = 0,
        levels: Mapping[str, int] | None = None,
        groups: tuple[str, ...] = (),
        **slots: int,
    ) -> tuple[Event, ...]:
        """Let an agent sign on and be ready."""
        self.sign_on(agent_id, *skills, at_ms=at_ms, levels=levels, groups=groups, **slots)
        return self.ready(agent_id, at_ms)

    def serve(self, contact_id: str, agent_id: str, from_ms: int, to_ms: int) -> None:
        """Let an agent handle the first contact that waits."""
        self.contact(contact_id, at_ms=from_ms)
        self.accept(f"{contact_id}.1", agent_id, at_ms=from_ms)
        self.release(f"{contact_id}.1", agent_id, at_ms=to_ms)

    def not_ready(self, agent_id: str, at_ms: int = 0) -> tuple[Event, ...]:
        """Let an agent take a break."""
        return self.tell(ObserveAgentWentNotReady(agent_id=AgentId(agent_id)), at_ms)

    def sign_off(self, agent_id: str, at_ms: int = 0) -> tuple[Event, ...]:
        """Let an agent leave."""
        return self.tell(ObserveAgentSignedOff(agent_id=AgentId(agent_id)), at_ms)

    def abandon(self, contact_id: str, at_ms: int = 0) -> tuple[Event, ...]:
        """Let a customer give up."""
        return self.tell(ObserveContactAbandoned(contact_id=ContactId(contact_id)), at_ms)

    def accept(self, offer_id: str, agent_id: str, at_ms: int = 0) -> tuple[Event, ...]:
        """Let an agent take a contact."""
        return self.tell(AcceptOffer(offer_id=OfferId(offer_id), agent_id=AgentId(agent_id)), at_ms)

    def reject(self, offer_id: str, agent_id: str, at_ms: int = 0) -> tuple[Event, ...]:
        """Let an agent decline a contact."""
        return self.tell(
            RejectOffer(
                offer_id=OfferId(offer_id), agent_id=AgentId(agent_id), reason="wrong language"
            ),
            at_ms,
        )

    def release(self, offer_id: str, agent_id: str, at_ms: int = 0) -> tuple[Event, ...]:
        """Let a slot come free."""
        return self.tell(
            ObserveAgentReleased(agent_id=AgentId(agent_id), offer_id=OfferId(offer_id)), at_ms
        )

    def turn_away(self, offer_id: str, agent_id: str, at_ms: int = 0) -> tuple[Event, ...]:
        """Let agent-state refuse an offer."""
        return self.tell(
            ObserveOfferTurnedAway(agent_id=AgentId(agent_id), offer_id=OfferId(offer_id)), at_ms
        )

    def pass_time(self, at_ms: int) -> tuple[Event, ...]:
        """Let time pass."""
        return self.tell(PassTime(), at_ms)


@pytest.fixture
def floor() -> Floor:
    floor = Floor()
    floor.queue()
    return floor
