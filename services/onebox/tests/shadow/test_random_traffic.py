"""Random traffic of all that routing can do: with the same policy a shadow does what was done, offer by offer.

Each traffic is shadowed twice: as long as nothing is different the shadow only goes along; told that something is, it
has its own clock, pairs offers, and frees agents by itself where no fact does, and still nothing may be different.
Both once more where the policy never changes, with that policy as a file would name it: each queue and its rules.
"""

import random
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import chain
from typing import Any

import pytest

from huntgroup_onebox.shadow.difference import ALL, differences
from huntgroup_onebox.shadow.past import Past
from huntgroup_onebox.shadow.player import Shadow
from huntgroup_routing.core import RoutingCore
from huntgroup_routing.core.hours import CloseQueue, OpeningHours, OpenQueue, WeeklyHours
from huntgroup_routing.core.invariants import check
from huntgroup_routing.core.messages import (
    ApplyPolicy,
    Command,
    ConfigureQueue,
    Event,
    MoveContact,
    OfferAccepted,
    OfferCreated,
    PassTime,
    Refused,
    RollBackPolicy,
    SetContactPriority,
    SetQueuePriority,
)
from huntgroup_routing.core.values import AgentId, ContactId, QueueId, Strategy
from services.routing.tests.core.slow_router_story.slow_people import REQUIREMENTS
from services.routing.tests.core.slow_router_story.test_against_slow_router import (
    AGENTS,
    QUEUES,
    RINGING,
    SERVED_BY,
    ById,
    Traffic,
)
from services.routing.tests.core.slow_router_story.test_channels_and_groups import (
    SERVED_BY_SOMETIMES,
)

DOMAIN = "acme/emea"
SOME = {"requirements": tuple(REQUIREMENTS)}
LENT = {
    "groups": [groups for groups, _ in SERVED_BY_SOMETIMES],
    "blends": [blends for _, blends in SERVED_BY_SOMETIMES],
}
OPEN_AT_TIMES = OpeningHours(
    time_zone="UTC", weekly=(WeeklyHours(weekday=4, opens_minute=0, closes_minute=1),)
)
TRAFFICS: dict[str, dict[str, Any]] = {
    "every strategy": {"strategies": tuple(Strategy), "sign_ons": 2},
    "ringing": {"strategies": RINGING, "sign_ons": 2, "arrivals": 8, "by_hand": True},
    "steps": {**SOME, "steps": True, "conditions": True, "threshold_ms": 400},
    "overflow": {"strategies": RINGING, "overflow": True, "steps": True, **SOME},
    "policies": {**SOME, "strategies": tuple(Strategy), "steps": True, "policies": True},
    "certain agents": {"strategies": tuple(Strategy), "for_some": True, "by_hand": True},
    "callbacks": {"strategies": RINGING, "callbacks": True, "by_hand": True, "overflow": True},
    "own requirements": {**SOME, "own": True, "for_some": True, "overflow": True},
    "ranks and shares": {"groups": SERVED_BY, "points": (0, 300), "steps": True, **SOME},
    "blended groups": {**LENT, "strategies": (Strategy.LONGEST_IDLE, *RINGING), "callbacks": True},
    "shared units": {"strategies": tuple(Strategy), "shared": True, "by_hand": True},
    "all at once": {
        **SOME,
        **LENT,
        **dict.fromkeys(("steps", "overflow", "by_hand", "for_some", "callbacks"), True),
        **dict.fromkeys(("shared", "own", "conditions", "policies"), True),
        "strategies": tuple(Strategy),
        "points": (0, 300),
        "threshold_ms": 400,
        "sign_ons": 3,
    },
}

Policy = dict[QueueId, ConfigureQueue]
CHANGES = ConfigureQueue | ApplyPolicy | RollBackPolicy
GAPS = "versions of the policy are missing"
"""So it is in a shadow, which leaves out changes and never rolls one back."""


@dataclass
class Everything(Traffic):
    """The same, and what somebody does about queues and those who wait in them."""

    settled: bool = False
    """Nobody changes the policy."""

    def next(self) -> Command:
        while isinstance(command := self.anything(), CHANGES) and self.settled:
            pass
        return command

    def anything(self) -> Command:
        if self.chance.random() < 0.94:
            return super().next()
        contact_id, queue_id = self.old(), self.chance.choice(QUEUES)
        priority = self.chance.choice((0, 1, 5))
        return self.chance.choice(
            (
                MoveContact(contact_id=contact_id, queue_id=queue_id),
                SetContactPriority(contact_id=contact_id, priority=priority),
                SetQueuePriority(queue_id=queue_id, priority=priority),
                CloseQueue(queue_id=queue_id, note="fire"),
                OpenQueue(queue_id=queue_id),
            )
        )

    def configure(self, queue_id: QueueId) -> ConfigureQueue:
        made = super().configure(queue_id)
        return replace(made, hours=OPEN_AT_TIMES) if self.chance.random() < 0.1 else made


def decided(
    seed: int, rounds: int, *, prompt: bool, policy: Policy | None = None, **traffic_of: Any
) -> list[tuple[Event, ...]]:
    """Return what is decided of the traffic; `prompt`: time is noticed when it brings something, as in a service.

    A `policy` is filled with that of the beginning, which never changes then.
    """
    chance, core = random.Random(seed), RoutingCore({"by-id": ById()})
    traffic = Everything(chance, settled=policy is not None, **traffic_of)
    state = core.initial(DOMAIN)
    decisions = list[tuple[Event, ...]]()

    def tell(command: Command, at_ms: int) -> None:
        events = core.decide(state, command, at_ms)
        if isinstance(events, Refused) or not events:
            return
        for event in events:
            core.evolve(state, event)
        if policy is not None and isinstance(command, ConfigureQueue):
            policy[command.queue_id] = command
        decisions.append(events)
        traffic.saw(events)
        traffic.versions = state.versions.version

    told: list[Command] = [traffic.configure(queue_id) for queue_id in reversed(QUEUES)]
    told += [traffic.sign_on(agent_id) for agent_id in AGENTS]
    for _ in range(rounds):
        command = told.pop(0) if told else traffic.next()
        while (
            prompt and (due_ms := core.next_deadline(state)) is not None and due_ms <= traffic.at_ms
        ):
            last_ms = decisions[-1][0].at_ms
            tell(PassTime(), max(due_ms, last_ms))
        tell(command, traffic.at_ms)
        while (
            policy is not None
            and isinstance(command, ConfigureQueue)
            and command.queue_id not in policy
        ):
            command = traffic.configure(command.queue_id)  # that one made no sense
            tell(command, traffic.at_ms)
    return decisions


def shadowed(
    decisions: Sequence[Sequence[Event]], *, apart: bool, policy: Policy | None = None
) -> Shadow:
    past = Past()
    for decision in decisions:
        past.take(decision)
    shadow = Shadow(DOMAIN, past, policy or {}, {"by-id": ById()})
    if apart:
        shadow._part()
    for decision in decisions:
        shadow.take(decision)
    return shadow


def assert_as_it_was(shadow: Shadow, decisions: Sequence[Sequence[Event]]) -> None:
    offers = sum(isinstance(one, OfferCreated) for one in chain(*decisions))
    assert (shadow.offers, shadow.same) == (offers, offers)
    really = dict[ContactId, tuple[AgentId, int]]()
    for one in chain(*decisions):
        if isinstance(one, OfferAccepted):
            really[one.contact_id] = (one.agent_id, one.at_ms)
    assert {key: (one.agent_id, one.at_ms) for key, one in shadow.answers.items()} == really
    difference = differences(shadow)[ALL]
    assert difference.real == difference.shadow
    assert difference.contacts > 20
    assert not shadow.unrepeated


@pytest.mark.sim
@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("traffic", TRAFFICS)
def test_with_the_same_policy_random_traffic_is_as_it_was(traffic: str, seed: int) -> None:
    decisions = decided(seed, 900, prompt=False, **TRAFFICS[traffic])
    assert_as_it_was(shadowed(decisions, apart=False), decisions)


@pytest.mark.sim
@pytest.mark.parametrize("seed", range(10, 14))
@pytest.mark.parametrize("traffic", TRAFFICS)
def test_a_shadow_with_its_own_clock_is_as_it_was_too(traffic: str, seed: int) -> None:
    decisions = decided(seed, 900, prompt=True, **TRAFFICS[traffic])
    assert_as_it_was(shadowed(decisions, apart=True), decisions)


@pytest.mark.sim
@pytest.mark.parametrize("seed", range(20, 22))
@pytest.mark.parametrize("traffic", TRAFFICS)
def test_a_policy_that_says_what_it_was_makes_nothing_different(traffic: str, seed: int) -> None:
    policy = Policy()
    decisions = decided(seed, 900, prompt=False, policy=policy, **TRAFFICS[traffic])
    assert len(policy) == len(QUEUES)
    shadow = shadowed(decisions, apart=False, policy=policy)
    assert not shadow.refused
    assert shadow._apart is None, "nothing was different, so it never parted"
    assert_as_it_was(shadow, decisions)


@pytest.mark.sim
@pytest.mark.parametrize("seed", range(30, 32))
@pytest.mark.parametrize("traffic", TRAFFICS)
def test_nor_does_it_in_a_shadow_with_its_own_clock(traffic: str, seed: int) -> None:
    policy = Policy()
    decisions = decided(seed, 900, prompt=True, policy=policy, **TRAFFICS[traffic])
    assert len(policy) == len(QUEUES)
    assert_as_it_was(shadowed(decisions, apart=True, policy=policy), decisions)


@pytest.mark.sim
@pytest.mark.parametrize("traffic", TRAFFICS)
def test_whatever_the_other_policy_says_what_always_holds_holds_in_the_shadow(traffic: str) -> None:
    policy = Policy()
    decided(50, len(QUEUES), prompt=False, policy=policy, **TRAFFICS[traffic])
    decisions = decided(51, 500, prompt=True, **TRAFFICS[traffic])
    shadow = shadowed(decisions, apart=False, policy=policy)
    assert set(check(shadow.state)) <= {GAPS}
    shadow.finish()
    assert set(check(shadow.state)) <= {GAPS}
    assert shadow.same < shadow.offers
    assert policy.keys() <= shadow.state.queues.keys()
