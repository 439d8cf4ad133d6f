"""A plug-in chooses among idle agents; whatever it does, somebody gets the contact, and a replay asks nobody."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import pytest

from huntgroup_routing.app.queries import why_text
from huntgroup_routing.core import RoutingCore
from huntgroup_routing.core.messages import (
    ApplyPolicy,
    Event,
    OfferCreated,
    Reason,
    RollBackPolicy,
    ScorerFailed,
)
from huntgroup_routing.core.scorers import ScoredAgent, ScoredContact
from huntgroup_routing.core.values import SCORED_MAX, DecisionRule, Strategy

if TYPE_CHECKING:
    from services.routing.tests.conftest import Floor


class SpeaksTheSame:
    """Ten points for German, less one for each contact of today."""

    version = "2026-11"

    def __init__(self) -> None:
        self.asked: list[tuple[ScoredContact, Sequence[ScoredAgent]]] = []

    def score(self, contact: ScoredContact, agents: Sequence[ScoredAgent]) -> list[int]:
        self.asked.append((contact, agents))
        return [10 * ("german" in one.levels) - one.contacts for one in agents]


class Answers:
    """Gives whatever it was told to."""

    version = "1"

    def __init__(self, given: Any) -> None:
        self.given = given

    def score(self, contact: ScoredContact, agents: Sequence[ScoredAgent]) -> Any:
        if isinstance(self.given, Exception):
            raise self.given
        return self.given


class TakesAgentsOut:
    """Changes the very agents it is asked about."""

    version = "1"

    def score(self, contact: ScoredContact, agents: Any) -> list[int]:
        agents.pop()
        return [0] * len(agents)


class OfNoVersion:
    """Cannot say what it is."""

    @property
    def version(self) -> str:
        raise LookupError("nobody knows")

    def score(self, contact: ScoredContact, agents: Sequence[ScoredAgent]) -> list[int]:
        return [0] * len(agents)


class UnspeakableError(Exception):
    """An error that fails to say what it is."""

    def __str__(self) -> str:
        raise RuntimeError


def scored(floor: "Floor", scorer: Any) -> None:
    """Let `sales` choose by a scorer; grace is idle longest, alan speaks German."""
    floor.core = RoutingCore({"same-language": scorer})
    floor.state.scorers = {"same-language": scorer}
    floor.queue(strategy=Strategy.SCORED, scorer="same-language", reoffer_after_ms=60_000)
    floor.agent("grace", at_ms=1)
    floor.agent("alan", "german", at_ms=2)


def offer_of(events: tuple[Event, ...]) -> OfferCreated:
    (offer,) = (one for one in events if isinstance(one, OfferCreated))
    return offer


def test_who_has_the_most_points_gets_it_and_the_offer_says_so(floor: "Floor") -> None:
    scorer = SpeaksTheSame()
    scored(floor, scorer)
    offer = offer_of(floor.contact("ada", priority=3, customer="+1", at_ms=10, enqueued_at_ms=7))
    assert offer.agent_id == "alan"
    why = offer.explanation
    assert why is not None
    assert (why.rule, why.strategy) == (DecisionRule.STRATEGY, Strategy.SCORED)
    assert (why.scorer, why.value) == ("same-language 2026-11", 10)
    assert (why.runner_up_id, why.runner_up_value) == ("grace", 0)
    assert why_text(why, offer.agent_id, offer.idle_agents, 10) == (
        "scorer same-language 2026-11 chose alan, one of 2 idle agents: 10 points;"
        " next was grace: 0 points"
    )
    contact, agents = scorer.asked[0]
    assert (contact.contact_id, contact.priority, contact.waited_ms) == ("ada", 3, 3)
    assert contact.customer_key == "+1"
    assert [(one.agent_id, one.idle_ms, one.contacts) for one in agents] == [
        ("grace", 9, 0),
        ("alan", 8, 0),
    ]


def test_of_equals_the_longest_idle_gets_it_and_who_let_it_go_is_not_asked(floor: "Floor") -> None:
    scored(floor, Answers([5, 5]))
    assert offer_of(floor.contact("ada", at_ms=10)).agent_id == "grace"
    assert floor.offered(floor.reject("ada.1", "grace", at_ms=11)) == [("ada", "alan")]


@pytest.mark.parametrize(
    ("given", "error"),
    [
        (ZeroDivisionError("by nothing"), "ZeroDivisionError: by nothing"),
        ([1], "it returned 1 numbers for 2 agents"),
        (None, "it returned NoneType, not a list"),
        ([1, 0.5], "it gave 0.5, which is no whole number of 64 bits"),
        ([True, 1], "it gave True, which is no whole number of 64 bits"),
        ([1, 2**63], f"it gave {2**63}, which is no whole number of 64 bits"),
        (ValueError("x" * 500), ("ValueError: " + "x" * 500)[:200]),
    ],
)
def test_a_scorer_that_fails_is_told_of_and_the_longest_idle_gets_it(
    floor: "Floor", given: Any, error: str
) -> None:
    scored(floor, Answers(given))
    events = floor.contact("ada", at_ms=10)
    failed = events[1]
    assert isinstance(failed, ScorerFailed)
    assert (failed.scorer, failed.error) == ("same-language", error)
    offer = offer_of(events)
    assert offer.agent_id == "grace"
    assert offer.explanation is not None
    assert (offer.explanation.strategy, offer.explanation.scorer) == (Strategy.LONGEST_IDLE, "")


@pytest.mark.parametrize(
    ("scorer", "error"),
    [
        (TakesAgentsOut(), "AttributeError: 'tuple' object has no attribute 'pop'"),
        (OfNoVersion(), "LookupError: nobody knows"),
        (Answers(UnspeakableError()), "UnspeakableError"),
    ],
)
def test_a_scorer_that_misbehaves_stops_nobody(floor: "Floor", scorer: Any, error: str) -> None:
    scored(floor, scorer)
    events = floor.contact("ada", at_ms=10)
    failed = events[1]
    assert isinstance(failed, ScorerFailed)
    assert failed.error == error
    assert offer_of(events).agent_id == "grace"


def test_it_is_asked_about_the_longest_idle_only_so_many(floor: "Floor") -> None:
    scorer = SpeaksTheSame()
    scored(floor, scorer)
    for number in range(SCORED_MAX):
        floor.agent(f"agent-{number}", at_ms=3)
    floor.contact("ada", at_ms=10)
    assert len(scorer.asked[0][1]) == SCORED_MAX


def test_a_queue_cannot_name_a_scorer_that_is_not_installed(floor: "Floor") -> None:
    scored(floor, Answers([]))
    refused = floor.refused(floor.queue_command(strategy=Strategy.SCORED, scorer="other"))
    assert refused.reason is Reason.SCORER_UNKNOWN
    assert refused.detail == "scorer 'other' is not installed, these are: same-language"


def test_nor_can_a_policy(floor: "Floor") -> None:
    floor.queue("tax")
    other = floor.queue_command(strategy=Strategy.SCORED, scorer="other")
    refused = floor.refused(ApplyPolicy(queues=(floor.queue_command("tax"), other)))
    assert refused.reason is Reason.POLICY_INVALID
    assert refused.detail == "queues[1].scorer: 'other': is not installed, these are: none"


def test_nor_can_one_come_back_but_what_is_so_already_hinders_nobody(floor: "Floor") -> None:
    scored(floor, SpeaksTheSame())
    named = floor.state.versions.version
    floor.queue("tax")
    floor.state.scorers = {}
    assert floor.tell(RollBackPolicy(version=named))
    floor.queue()
    refused = floor.refused(RollBackPolicy(version=named))
    assert refused.reason is Reason.SCORER_UNKNOWN
    assert refused.detail == (
        f"version {named}, queue_id 'sales': scorer 'same-language' is not installed,"
        " these are: none"
    )


def test_a_replay_asks_no_scorer_and_a_program_without_it_goes_on(floor: "Floor") -> None:
    scored(floor, SpeaksTheSame())
    floor.contact("ada", at_ms=10)
    elsewhere = RoutingCore()
    folded = elsewhere.initial("acme/emea")
    for event in floor.history:
        folded = elsewhere.evolve(folded, event)
    assert elsewhere.dump(folded) == floor.core.dump(floor.state)
    floor.core = elsewhere
    floor.state = elsewhere.load("acme/emea", elsewhere.dump(folded))
    events = floor.contact("ben", at_ms=20)
    assert isinstance(events[1], ScorerFailed)
    assert events[1].error == "it is not installed here"
    assert offer_of(events).agent_id == "grace"
