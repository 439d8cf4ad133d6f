"""Thousands of random events, played to the core and to a slow router that is plain to see right: every offer agrees.

The slow router knows no index, no heap and no cache: it looks at every agent and every contact, each time.
"""

import random
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import pytest
from msgspec.structs import replace as replaced

from huntgroup_routing.core import RoutingCore
from huntgroup_routing.core.blending import BlendRule
from huntgroup_routing.core.invariants import check
from huntgroup_routing.core.messages import (
    AcceptOffer,
    ApplyPolicy,
    AssignContact,
    ChannelCapacity,
    Command,
    ConfigureQueue,
    ContactDequeued,
    Event,
    ExitQueue,
    ObserveAgentReleased,
    ObserveAgentSignedOff,
    ObserveAgentSignedOn,
    ObserveAgentStoppedResponding,
    ObserveAgentWentNotReady,
    ObserveAgentWentReady,
    ObserveContactAbandoned,
    ObserveContactQueued,
    ObserveOfferTurnedAway,
    OfferCreated,
    PassTime,
    PullContact,
    Refused,
    RejectOffer,
    RollBackPolicy,
)
from huntgroup_routing.core.overflow import (
    WITH_LIMIT,
    OverflowAction,
    OverflowRule,
    OverflowTrigger,
)
from huntgroup_routing.core.scorers import ScoredAgent, ScoredContact
from huntgroup_routing.core.values import (
    AgentId,
    AgentTraits,
    Channel,
    ContactId,
    DequeueReason,
    OfferId,
    QueueId,
    RoutingStep,
    ServingGroup,
    Skill,
    SkillLevel,
    StepTrigger,
    Strategy,
)

from .slow_people import REQUIREMENTS
from .slow_router import Outcome, SlowRouter

SKILLS = tuple(Skill(name) for name in ("billing", "french", "german", "repair"))
GROUPS = ("night", "day")
CHANNELS = (Channel.VOICE, Channel.CHAT)
QUEUES = tuple(QueueId(f"q{number}") for number in range(5))
AGENTS = tuple(AgentId(f"a{number}") for number in range(9))


TRIGGERS = tuple(one for one in OverflowTrigger if one is not OverflowTrigger.WRONG_CHANNEL)
"""A wrong channel is no rule."""


IN_MS = (OverflowTrigger.WAITED, OverflowTrigger.LONGEST_WAIT, OverflowTrigger.ESTIMATED_WAIT)

CONDITIONS = (
    (StepTrigger.QUEUE_LENGTH, 1),
    (StepTrigger.QUEUE_LENGTH, 3),
    (StepTrigger.NOBODY_ON_DUTY, 0),
    (StepTrigger.SERVICE_LEVEL, 70),
)


@dataclass
class Traffic:
    """Plausible commands most of the time, and impossible ones now and then."""

    chance: random.Random
    strategies: Sequence[Strategy] = (Strategy.LONGEST_IDLE,)
    requirements: Sequence[str] = ("",)
    steps: bool = False
    policies: bool = False
    points: Sequence[int] = (0,)
    """What a point of priority may be worth (ms)."""
    groups: Sequence[tuple[ServingGroup, ...]] = ((),)
    """By whom queues may be served."""
    blends: Sequence[tuple[BlendRule, ...]] = ((),)
    """By whom besides, while they need it; of as many as `groups`, and chosen with them."""
    versions: int = 0
    overflow: bool = False
    sign_ons: int = 8
    """How often agents sign on anew, which makes them forget their work."""
    arrivals: int = 22
    """Of a hundred commands or so; with few of them agents are idle for a while."""
    by_hand: bool = False
    for_some: bool = False
    callbacks: bool = False
    called: list[ContactId] = field(default_factory=list)
    """Whose customers answer their calls, sooner or later."""
    shared: bool = False
    """Agents' channels share units and interrupt each other."""
    own: bool = False
    """Whether contacts have requirements of their own."""
    conditions: bool = False
    """Whether steps may have triggers."""
    threshold_ms: int = 20_000
    channels: Sequence[Channel | None] = (None,)
    """What queues may take alone."""
    at_ms: int = 0
    contacts: int = 0
    ringing: list[tuple[OfferId, AgentId]] = field(default_factory=list)
    held: list[tuple[OfferId, AgentId]] = field(default_factory=list)

    def next(self) -> Command:
        self.at_ms += self.chance.choice((0, 0, 1, 50, 400))
        agent_id = self.chance.choice(AGENTS)
        weights = (self.arrivals, 3, 12, 6, 14, 4, self.sign_ons, 4, 1, 16, 1, 2)
        more = (2 * self.policies, 4 * self.overflow)
        if self.by_hand and self.chance.random() < 0.06:
            return self.taken_by_hand(agent_id)
        match self.chance.choices(range(14), (*weights, *more))[0]:
            case 0 | 1 as kind:
                return (
                    self.arrival() if kind == 0 else ObserveContactAbandoned(contact_id=self.old())
                )
            case 2 | 3 as kind:
                offer_id, agent_id = self.one_of(self.ringing)
                if kind == 2:
                    return AcceptOffer(offer_id=offer_id, agent_id=agent_id)
                return RejectOffer(offer_id=offer_id, agent_id=agent_id, reason="")
            case 4 | 5 as kind:
                offer_id, agent_id = self.one_of(self.held, forget=True)
                if kind == 4:
                    return ObserveAgentReleased(agent_id=agent_id, offer_id=offer_id)
                return ObserveOfferTurnedAway(agent_id=agent_id, offer_id=offer_id)
            case 6:
                return self.sign_on(agent_id)
            case 7:
                return ObserveAgentWentNotReady(agent_id=agent_id)
            case 8:
                return ObserveAgentSignedOff(agent_id=agent_id)
            case 9:
                return ObserveAgentWentReady(agent_id=agent_id)
            case 10:
                return self.configure(self.chance.choice(QUEUES))
            case 12:
                return self.change_policy()
            case 13:
                return ExitQueue(contact_id=self.old(), key=self.chance.choice("12"))
            case _:
                return self.chance.choice(
                    (PassTime(), ObserveAgentStoppedResponding(agent_id=agent_id))
                )

    def taken_by_hand(self, agent_id: AgentId) -> Command:
        contact_id = self.old()
        if self.chance.random() < 0.5:
            return PullContact(contact_id=contact_id, agent_id=agent_id)
        return AssignContact(
            contact_id=contact_id,
            agent_id=agent_id,
            supervisor_id=AGENTS[0],
            waive_requirement=self.chance.random() < 0.5,
        )

    def arrival(self) -> ObserveContactQueued:
        if self.called and self.chance.random() < 0.5:  # the customer is on the line
            return replaced(self.new_arrival(), contact_id=self.called.pop(0), stay=9)
        return self.new_arrival()

    def new_arrival(self) -> ObserveContactQueued:
        self.contacts += 1
        return ObserveContactQueued(
            contact_id=ContactId(f"c{self.contacts}"),
            queue_id=self.chance.choice(QUEUES),
            channel=self.chance.choice(CHANNELS),
            priority=self.chance.choice((0, 0, 0, 1, -2)),
            required_skills=self.skills(0.15),
            enqueued_at_ms=max(0, self.at_ms - self.chance.choice((0, 0, 7, 300))),
            returns=self.chance.random() < 0.1,
            awaits_turn=self.callbacks and self.chance.random() < 0.3,
            **(self.whom_for() if self.for_some else {}),
            requirement=self.own_requirement(),
        )

    def own_requirement(self) -> str:
        """Return what a contact asks by itself; now and then nobody can meet it together with the queue's."""
        return self.chance.choice(self.requirements) if self.own else ""

    def whom_for(self) -> dict[str, Any]:
        match self.chance.randrange(5):
            case 0:
                return {"direct_agent_id": self.chance.choice(AGENTS)}
            case 1 | 2:
                return {"preferred_agents": tuple(self.chance.sample(AGENTS, 2))}
            case _:
                return {"customer_key": self.chance.choice(("", "ada", "ben", "cai"))}

    def old(self) -> ContactId:
        return ContactId(f"c{max(0, self.contacts - self.chance.randrange(12))}")

    def one_of(
        self, offers: list[tuple[OfferId, AgentId]], *, forget: bool = False
    ) -> tuple[OfferId, AgentId]:
        if not offers or self.chance.random() < 0.05:
            return OfferId(f"{self.old()}.1"), self.chance.choice(AGENTS)
        index = self.chance.randrange(len(offers))
        return offers.pop(index) if forget else offers[index]

    def sign_on(self, agent_id: AgentId) -> ObserveAgentSignedOn:
        skills = self.skills(0.6)
        levels = (
            SkillLevel(skill=skill, level=self.chance.choice((2, 3, 9)))
            for skill in skills
            if self.chance.random() < 0.5
        )
        return ObserveAgentSignedOn(
            agent_id=agent_id,
            skills=skills,
            traits=AgentTraits(
                skill_levels=tuple(levels),
                languages=tuple(one for one in ("ar", "fa") if self.chance.random() < 0.4),
                groups=tuple(one for one in GROUPS if self.chance.random() < 0.3),
            ),
            capacity=tuple(
                ChannelCapacity(
                    channel=channel,
                    slots=self.chance.choice((1, 1, 2, 3)),
                    cost=self.chance.choice((0, 1, 2, 3)) if self.shared else 0,
                    interrupts=tuple(
                        one
                        for one in CHANNELS
                        if self.shared and one is not channel and self.chance.random() < 0.4
                    ),
                )
                for channel in CHANNELS
                if self.chance.random() < 0.8
            ),
            capacity_units=self.chance.choice((0, 3, 4, 6)) if self.shared else 0,
        )

    def configure(self, queue_id: QueueId) -> ConfigureQueue:
        return ConfigureQueue(
            queue_id=queue_id,
            channel=self.chance.choice(self.channels),
            required_skills=self.skills(0.25),
            ring_timeout_ms=self.chance.choice((400, 2_000, 9_000)),
            wrap_up_timeout_ms=0,
            service_level_threshold_ms=self.threshold_ms,
            waiting_max=0,
            strategy=self.chance.choice(self.strategies),
            reoffer_after_ms=self.chance.choice((0, 0, 1_500)),
            requirement=self.chance.choice(self.requirements),
            steps=self.steps_of_a_kind(),
            skip_unservable_steps=self.chance.random() < 0.5,
            ring_max=self.chance.choice((0, 1, 2, 3)),
            ring_every_ms=self.chance.choice((100, 700)),
            scorer="by-id",
            preferred_hold_ms=self.chance.choice((0, 700, 9_000)),
            prefers_last_agent=self.chance.random() < 0.7,
            direct_hold_ms=self.chance.choice((0, 900, 9_000)),
            pull_requirement=self.chance.choice(("", 'not agent == "a2"')),
            overflow=self.some_rules(queue_id) if self.overflow else (),
            priority_point_ms=self.chance.choice(self.points),
            callback_attempts=int(self.callbacks),
            callback_dial_ahead=self.chance.choice((0, 2, 5)) if self.callbacks else 0,
            resume_window_ms=self.chance.choice((0, 900, 60_000)) if self.for_some else 0,
            **self.served_by(),
        )

    def served_by(self) -> dict[str, Any]:
        if len(self.blends) == 1:
            return {"groups": self.chance.choice(self.groups)}
        groups, blend = self.chance.choice(tuple(zip(self.groups, self.blends, strict=True)))
        return {"groups": groups, "blend": blend}

    def change_policy(self) -> Command:
        waiting = self.chance.random() < 0.6
        if self.versions and self.chance.random() < 0.4:
            version = self.chance.randint(max(0, self.versions - 90), self.versions)
            return RollBackPolicy(version=version, applies_to_waiting=waiting)
        queues = [one for one in QUEUES if self.chance.random() < 0.9]
        return ApplyPolicy(queues=tuple(map(self.configure, queues)), applies_to_waiting=waiting)

    def some_rules(self, queue_id: QueueId) -> tuple[OverflowRule, ...]:
        """Return rules that send contacts to queues of a higher number, or out."""
        rules = []
        for trigger in self.chance.sample(TRIGGERS, self.chance.randrange(5)):
            others = QUEUES[QUEUES.index(queue_id) + 1 :]
            to = (
                self.chance.choice(others) if others and self.chance.random() < 0.8 else QueueId("")
            )
            in_ms = trigger in IN_MS
            limit = self.chance.choice((200, 900, 4_000) if in_ms else (1, 3, 6))
            rules.append(
                OverflowRule(
                    trigger=trigger,
                    limit=limit if trigger in WITH_LIMIT else 0,
                    key=self.chance.choice("12") if trigger is OverflowTrigger.EXIT_KEY else "",
                    action=OverflowAction.QUEUE if to else OverflowAction.DISCONNECT,
                    queue_id=to,
                )
            )
        return tuple(rules)

    def some_steps(self) -> tuple[RoutingStep, ...]:
        at = sorted(self.chance.sample((1, 300, 800, 2_500, 6_000), self.chance.randrange(4)))
        return tuple(
            RoutingStep(
                after_ms=after_ms,
                required_skills=self.skills(0.2),
                requirement=self.chance.choice(self.requirements),
            )
            for after_ms in at
        )

    def steps_of_a_kind(self) -> tuple[RoutingStep, ...]:
        steps = self.some_steps() if self.steps else ()
        return self.some_conditions(steps) if self.conditions else steps

    def some_conditions(self, steps: tuple[RoutingStep, ...]) -> tuple[RoutingStep, ...]:
        """Return steps, some of which have triggers; now and then such as make no sense."""
        return tuple(
            replace(
                one,
                after_ms=self.chance.choice((0, one.after_ms)),
                trigger=trigger,
                limit=limit + 2 * number if trigger is StepTrigger.QUEUE_LENGTH else limit,
            )
            if self.chance.random() < 0.6
            else one
            for number, one in enumerate(steps)
            for trigger, limit in [self.chance.choice(CONDITIONS)]
        )

    def skills(self, probability: float) -> tuple[Skill, ...]:
        return tuple(skill for skill in SKILLS if self.chance.random() < probability)

    def saw(self, events: tuple[Event, ...]) -> None:
        for event in events:
            if isinstance(event, ContactDequeued) and event.reason is DequeueReason.CALLBACK_DUE:
                self.called.append(event.contact_id)
            if isinstance(event, OfferCreated):
                self.ringing.append((event.offer_id, event.agent_id))
                self.held.append((event.offer_id, event.agent_id))
        del self.ringing[:-8]


@pytest.mark.sim
@pytest.mark.parametrize("seed", range(6))
def test_every_offer_is_the_one_a_slow_router_makes(seed: int) -> None:
    play(seed, (Strategy.LONGEST_IDLE,))


@pytest.mark.sim
@pytest.mark.parametrize("seed", [100, 101])
@pytest.mark.parametrize("strategy", Strategy)
def test_every_strategy_chooses_as_a_slow_router_does(strategy: Strategy, seed: int) -> None:
    play(seed, (strategy,), sign_ons=1)


@pytest.mark.sim
@pytest.mark.parametrize("seed", range(200, 206))
def test_queues_may_choose_and_change_their_minds_each_for_itself(seed: int) -> None:
    play(seed, tuple(Strategy))


@pytest.mark.sim
@pytest.mark.parametrize("seed", range(300, 306))
def test_requirements_admit_whom_plain_python_admits(seed: int) -> None:
    strategies = (Strategy.LONGEST_IDLE, Strategy.BEST_SKILL, Strategy.WEIGHTED_RANDOM)
    play(seed, strategies, requirements=tuple(REQUIREMENTS))


@pytest.mark.sim
@pytest.mark.parametrize("seed", range(320, 326))
def test_contacts_ask_something_by_themselves_as_a_slow_router_sees_it(seed: int) -> None:
    strategies = (Strategy.LONGEST_IDLE, Strategy.BEST_SKILL, Strategy.WEIGHTED_RANDOM)
    play(
        seed,
        strategies,
        requirements=tuple(REQUIREMENTS),
        own=True,
        steps=seed % 2 == 0,
        overflow=seed % 3 == 0,
        for_some=seed % 3 == 1,
    )


@pytest.mark.sim
@pytest.mark.parametrize("seed", range(500, 508))
def test_policies_come_and_go_and_are_followed_as_a_slow_router_does(seed: int) -> None:
    strategies = (Strategy.LONGEST_IDLE, Strategy.BEST_SKILL)
    play(seed, strategies, requirements=tuple(REQUIREMENTS), steps=True, policies=True)


@pytest.mark.sim
@pytest.mark.parametrize("seed", range(400, 408))
def test_contacts_come_to_their_steps_as_a_slow_router_takes_them(seed: int) -> None:
    strategies = (Strategy.LONGEST_IDLE, Strategy.ROUND_ROBIN)
    play(seed, strategies, requirements=tuple(REQUIREMENTS), steps=True)


@pytest.mark.sim
@pytest.mark.parametrize("seed", range(800, 808))
def test_conditions_bring_contacts_to_steps_as_a_slow_router_sees_them(seed: int) -> None:
    play(
        seed,
        (Strategy.LONGEST_IDLE, *(RINGING if seed % 4 == 3 else ())),
        requirements=tuple(REQUIREMENTS),
        steps=True,
        conditions=True,
        own=seed % 3 == 0,
        policies=seed % 4 == 1,
        overflow=seed % 2 == 0,
        groups=SERVED_BY if seed % 4 == 2 else ((),),
        rounds=1_500,
    )


class ById:
    """Prefers agents whose number leaves most when divided by three."""

    version = "1"

    def score(self, contact: ScoredContact, agents: Sequence[ScoredAgent]) -> list[int]:
        return [int(one.agent_id[1:]) % 3 for one in agents if contact.contact_id]


RINGING = (Strategy.RING_ALL, Strategy.RING_PROGRESSIVELY)


@pytest.mark.sim
@pytest.mark.parametrize("seed", range(500, 508))
def test_several_ring_as_a_slow_router_lets_them(seed: int) -> None:
    strategies = (*RINGING, Strategy.LONGEST_IDLE, Strategy.MOST_IDLE)
    play(seed, strategies, sign_ons=4, steps=seed % 2 == 0, rounds=800, by_hand=True)


@pytest.mark.sim
@pytest.mark.parametrize("seed", range(520, 526))
def test_who_lost_a_ring_goes_on_being_idle_as_in_a_slow_router(seed: int) -> None:
    strategies = (*RINGING, Strategy.LONGEST_IDLE, Strategy.MOST_IDLE)
    play(seed, strategies, sign_ons=1, rounds=1_200, arrivals=6)


@pytest.mark.sim
@pytest.mark.parametrize("seed", range(600, 608))
def test_contacts_overflow_as_a_slow_router_sends_them(seed: int) -> None:
    strategies = (Strategy.LONGEST_IDLE, Strategy.LINEAR)
    some_steps = bool(seed % 2)
    play(seed, strategies, requirements=tuple(REQUIREMENTS), steps=some_steps, overflow=True)


@pytest.mark.sim
@pytest.mark.parametrize("seed", range(600, 608))
def test_contacts_wait_for_certain_agents_as_a_slow_router_lets_them(seed: int) -> None:
    strategies = (Strategy.LONGEST_IDLE, Strategy.FEWEST_CONTACTS, *RINGING)
    play(seed, strategies, sign_ons=3, rounds=800, by_hand=True, for_some=True)


@pytest.mark.sim
@pytest.mark.parametrize("seed", range(640, 646))
def test_whom_contacts_are_for_goes_with_them_as_a_slow_router_lets_it(seed: int) -> None:
    strategies = (Strategy.LONGEST_IDLE, Strategy.FEWEST_CONTACTS, *RINGING)
    some = tuple(REQUIREMENTS)
    play(seed, strategies, 3, some, rounds=800, for_some=True, overflow=True)


@pytest.mark.sim
@pytest.mark.parametrize("seed", range(660, 666))
def test_callbacks_stand_in_line_for_nobody_until_their_turn_as_in_a_slow_router(seed: int) -> None:
    strategies = (Strategy.LONGEST_IDLE, *RINGING)
    play(seed, strategies, sign_ons=3, rounds=1_200, by_hand=True, overflow=True, callbacks=True)


@pytest.mark.sim
@pytest.mark.parametrize("seed", range(520, 524))
def test_priority_is_worth_time_as_a_slow_router_reckons(seed: int) -> None:
    play(seed, (Strategy.LONGEST_IDLE,), points=(0, 1, 300, 2_000), rounds=1_500)


def serving(*said: tuple[str, int, int, int]) -> tuple[ServingGroup, ...]:
    return tuple(
        ServingGroup(group=group, rank=rank, weight=weight, delay_ms=delay_ms)
        for group, rank, weight, delay_ms in said
    )


SERVED_BY = (
    (),
    serving(("night", 1, 0, 0), ("", 0, 0, 300)),
    serving(("night", 0, 3, 0), ("day", 0, 1, 0)),
    serving(("day", 0, 2, 0), ("night", 1, 1, 800), ("", 2, 0, 0)),
    serving(("", 0, 1, 0), ("night", 0, 0, 2_500)),
    serving(("night", 1, 2, 0), ("day", 1, 2, 0), ("", 1, 5, 0)),
)


@pytest.mark.sim
@pytest.mark.parametrize("seed", range(700, 706))
def test_queues_share_agents_as_a_slow_router_shares_them(seed: int) -> None:
    strategies = RINGING if seed % 5 == 4 else ()
    play(
        seed,
        (Strategy.LONGEST_IDLE, *strategies),
        steps=seed % 2 == 0,
        policies=seed % 3 == 0,
        points=(0, 300),
        groups=SERVED_BY,
        sign_ons=3,
        rounds=1_500,
    )


def outcome(offer: OfferCreated) -> Outcome:
    why = offer.explanation
    assert why is not None
    of_offer = (offer.contact_id, offer.agent_id, offer.attempt)
    return (*of_offer, offer.idle_since_ms, offer.idle_agents, why.runner_up_id)


def play(
    seed: int,
    strategies: Sequence[Strategy],
    sign_ons: int = 8,
    requirements: Sequence[str] = ("",),
    *,
    rounds: int = 2_500,
    traffic_type: type[Traffic] = Traffic,
    router: type[SlowRouter] = SlowRouter,
    **traffic_of: Any,
) -> None:
    """Play; what else is said of the traffic is a field of `Traffic`."""
    chance, core = random.Random(seed), RoutingCore({"by-id": ById()})
    traffic = traffic_type(chance, strategies, requirements, sign_ons=sign_ons, **traffic_of)
    if traffic.conditions:
        traffic.threshold_ms = 400
    slow, state = router(), core.initial("acme/emea")
    # From behind, since queues that others overflow to must be there.
    commands: list[Command] = [traffic.configure(queue_id) for queue_id in reversed(QUEUES)]
    commands += [traffic.sign_on(agent_id) for agent_id in AGENTS]
    history, offers = list[Event](), 0
    for step in range(rounds):
        command = commands.pop(0) if commands else traffic.next()
        if step % 10 == 0 and not commands:
            command = PassTime()
        events = core.decide(state, command, traffic.at_ms)
        if isinstance(events, Refused):
            if isinstance(command, ConfigureQueue | ApplyPolicy):
                continue  # steps that chance made, and that ask for the same
            events = ()
        for event in events:
            state = core.evolve(state, event)
        history += events
        traffic.saw(events)
        traffic.versions = state.versions.version
        made = [outcome(one) for one in events if isinstance(one, OfferCreated)]
        assert made == slow.tell(command, traffic.at_ms), (step, command)
        offers += len(made)
        if step % 5 == 0:
            assert check(state) == [], (step, command)
        if step % 97 == 0:
            state = core.load("acme/emea", core.dump(state))
    folded = core.initial("acme/emea")
    for event in history:
        folded = core.evolve(folded, event)
    assert core.dump(folded) == core.dump(state)
    assert offers > rounds // 15
