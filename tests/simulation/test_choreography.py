"""Three services that only read each other's events: nobody is stuck, in any order, and whoever cheats is caught."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest

from huntgroup_agent_state.core import AgentStateCore
from huntgroup_agent_state.core import messages as agents
from huntgroup_eventlog.application import Core
from huntgroup_onebox.sim.books import ViolationError
from huntgroup_routing.core import RoutingCore
from huntgroup_routing.core import messages as routing
from huntgroup_session.core import SessionCore
from huntgroup_session.core import messages as session

from .choreography_world import World

pytestmark = pytest.mark.sim

SEEDS, SLICES, STEPS = 300, 4, 300
SABOTAGE_SEEDS = 40
HAPPENED = (
    "AgentAskedForPresence",
    "AgentSignedOff",
    "AgentStoppedResponding",
    "ContactAbandoned",
    "ContactCompleted",
    "ContactConnectionFailed",
    "ContactHeld",
    "ContactInterrupted",
    "ContactReturnedToQueue",
    "GroupBlended",
    "GroupUnblended",
    "OfferAccepted",
    "OfferCanceled",
    "OfferExpired",
    "OfferOvertaken",
    "OfferRejected",
    "OfferRescinded",
    "OfferTurnedAway",
    "PreferenceLapsed",
    "RingWidened",
)


def play(seed: int, cores: Mapping[str, Core] | None = None) -> World:
    """Return the world after its story; a violation names the seed and shows the last steps."""
    world = World(seed, cores)
    try:
        world.run(STEPS)
    except (AssertionError, LookupError) as error:
        steps = "\n".join(f"  {step}" for step in world.steps)
        raise ViolationError(f"seed {seed}: {error!r}\n{steps}") from error
    return world


@pytest.mark.parametrize("part", range(SLICES))
def test_every_contact_ends_and_every_agent_is_free_again_whatever_is_read_first(part: int) -> None:
    counts: Counter[str] = Counter()
    for seed in range(part, SEEDS, SLICES):
        counts += play(seed).books.counts
    assert not [name for name in HAPPENED if not counts[name]], "a story without it shows little"


def test_the_same_seed_tells_the_same_story() -> None:
    first, second = play(7), play(7)
    assert {name: one.log for name, one in first.services.items()} == {
        name: one.log for name, one in second.services.items()
    }
    assert len(first.services["routing"].log) > 50


class FreesAtRejection(RoutingCore):
    """Does not wait for agent-state to release who declined."""

    def decide(self, state: Any, command: Any, at_ms: int) -> Any:
        decided = super().decide(state, command, at_ms)
        if not isinstance(command, routing.RejectOffer) or not isinstance(decided, tuple):
            return decided
        freed = routing.AgentCapacityFreed(
            at_ms=at_ms, agent_id=command.agent_id, offer_id=command.offer_id
        )
        return (*decided, freed) if decided else ()


class ForgetsUnits(RoutingCore):
    """Takes each channel of an agent for itself, whatever it says of them."""

    def evolve(self, state: Any, event: Any) -> Any:
        state = super().evolve(state, event)
        if isinstance(event, routing.AgentJoined):
            state.agents[event.agent_id].concurrency = None
        return state


class MishearsUnits(RoutingCore):
    """Lets agents join with one unit less than they signed on with."""

    def decide(self, state: Any, command: Any, at_ms: int) -> Any:
        if isinstance(command, routing.ObserveAgentSignedOn) and command.capacity_units:
            command = replace(command, capacity_units=command.capacity_units - 1)
        return super().decide(state, command, at_ms)


class BooksEverything(AgentStateCore):
    """Reserves an agent whatever they hold."""

    def decide(self, state: Any, command: Any, at_ms: int) -> Any:
        agent = state.agents.get(getattr(command, "agent_id", ""))
        if not isinstance(command, agents.ObserveOfferCreated) or agent is None:
            return super().decide(state, command, at_ms)
        before = agent.capacity, agent.capacity_units
        roomy = (replace(one, slots=100, cost=1, interrupts=()) for one in agent.capacity)
        agent.capacity, agent.capacity_units = tuple(roomy), 0
        decided = super().decide(state, command, at_ms)
        agent.capacity, agent.capacity_units = before
        return decided


class IgnoresCancels(AgentStateCore):
    """Lets an agent's slot wait for a customer who left while it rang."""

    def decide(self, state: Any, command: Any, at_ms: int) -> Any:
        if isinstance(command, agents.ObserveOfferCanceled):
            return ()
        return super().decide(state, command, at_ms)


class AnswersNobody(SessionCore):
    """Says nothing when an agent accepts a contact who is gone."""

    def decide(self, state: Any, command: Any, at_ms: int) -> Any:
        decided = super().decide(state, command, at_ms)
        if not isinstance(decided, tuple):
            return decided
        return tuple(one for one in decided if not isinstance(one, session.ContactConnectionFailed))


@pytest.mark.parametrize(
    ("service", "sabotaged", "words"),
    [
        ("routing", FreesAtRejection(), "above capacity"),
        ("routing", ForgetsUnits(), "OfferCreated of"),
        ("routing", MishearsUnits(), "never signed on so"),
        ("agent-state", BooksEverything(), "AgentReserved of"),
        ("agent-state", IgnoresCancels(), "RINGING"),
        ("session", AnswersNobody(), "slots are held for nothing"),
    ],
)
def test_a_service_that_breaks_its_part_is_caught(
    service: str, sabotaged: Core, words: str
) -> None:
    """The words say that it was caught for the right reason; a story that failed shows how it came to that."""
    for seed in range(SABOTAGE_SEEDS):
        try:
            play(seed, {service: sabotaged})
        except ViolationError as error:
            told, *steps = str(error).splitlines()
            assert told.startswith(f"seed {seed}: ")
            assert 5 < len(steps) <= 30
            if words in told:
                return
    pytest.fail(f"{type(sabotaged).__name__} was never caught")
