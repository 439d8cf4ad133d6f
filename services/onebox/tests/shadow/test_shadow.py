"""Another policy decides along: what would have been different, and what is taken as it was."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import chain
from pathlib import Path
from typing import Any

import pytest
from msgspec import convert
from msgspec.structs import replace as replaced

from huntgroup_onebox.shadow.difference import ALL, Difference, End, Side, differences
from huntgroup_onebox.shadow.past import Answer, Fate, Past
from huntgroup_onebox.shadow.player import Shadow
from huntgroup_onebox.simulate.centre import Centre
from huntgroup_onebox.simulate.measures import Measures
from huntgroup_onebox.simulate.replications import Simulation, prepare
from huntgroup_onebox.simulate.scenario import Scenario
from huntgroup_routing.core import RoutingCore
from huntgroup_routing.core.decide import decide
from huntgroup_routing.core.hours import CloseQueue, OpenQueue
from huntgroup_routing.core.messages import (
    AcceptOffer,
    ChannelCapacity,
    Command,
    ConfigureQueue,
    ContactDequeued,
    ContactEnqueued,
    Event,
    MoveContact,
    ObserveAgentReleased,
    ObserveAgentSignedOn,
    ObserveAgentWentReady,
    ObserveContactAbandoned,
    ObserveContactQueued,
    OfferAccepted,
    OfferCreated,
    OfferExpired,
    PassTime,
    Refused,
    SetContactPriority,
)
from huntgroup_routing.core.scorers import ScoredAgent, ScoredContact, Scorer
from huntgroup_routing.core.state import State
from huntgroup_routing.core.values import (
    AgentId,
    Channel,
    ContactId,
    DequeueReason,
    OfferId,
    QueueId,
    RoutingStep,
    Skill,
    StepTrigger,
    Strategy,
)

SALES, TAX = QueueId("sales"), QueueId("tax")
DAY: dict[str, Any] = {
    "name": "two queues that share some agents",
    "seed": 7,
    "replications": 1,
    "run": {"contacts": 1_500},
    "queues": {"tax": {"required_skills": ["tax"]}, "sales": {}},
    "classes": {
        name: {
            "queue": name,
            "arrivals": {"kind": "poisson", "per_hour": per_hour},
            "service": {"kind": "lognormal", "mean_s": 180, "sigma": 0.8},
            "patience": {"kind": "exponential", "mean_s": 240},
        }
        for name, per_hour in (("sales", 90), ("tax", 60))
    },
    "agents": {
        "generalist": {"count": 4, "answer_after": {"kind": "empirical", "values_s": [2, 3, 30]}},
        "expert": {"count": 3, "skills": ["tax"]},
    },
}


Decided = list[tuple[Event, ...]]


CALM_DAY = DAY | {
    "queues": {"tax": {}, "sales": {}},
    "classes": {
        name: one | {"patience": None, "arrivals": {"kind": "poisson", "per_hour": per_hour}}
        for (name, one), per_hour in zip(DAY["classes"].items(), (54, 36), strict=True)
    },
}
"""Nobody gives up, which fewer calls make bearable, and everybody may serve everybody."""


def played(day: dict[str, Any] = DAY, **queues: dict[str, Any]) -> Decided:
    """Return what routing's journal would hold after the day, with such policies."""
    words = day | {
        "queues": {
            name: one | {"policy": queues.get(name, {})} for name, one in day["queues"].items()
        }
    }
    scenario, decisions = convert(words, Scenario), Decided()
    simulation = Simulation(scenario=scenario, folder=Path(), journals={})

    def noted(state: State, command: Command, at_ms: int) -> tuple[Event, ...] | Refused:
        decision = decide(state, command, at_ms)
        if decision and not isinstance(decision, Refused):
            decisions.append(decision)
        return decision

    plan, measures = prepare(simulation, 0, Measures)
    Centre(plan, measures, noted).play(lambda _: None)
    # A nested command was noted within the one that it followed from; the journal has one after the other.
    return decisions


def shadow_of(
    decisions: Decided, *rules: ConfigureQueue, scorers: Mapping[str, Scorer] | None = None
) -> Shadow:
    past = Past()
    for decision in decisions:
        past.take(decision)
    shadow = Shadow("simulated/centre", past, {one.queue_id: one for one in rules}, scorers or {})
    for decision in decisions:
        shadow.take(decision)
    shadow.finish()
    return shadow


def queue_of(queue_id: QueueId, *skills: str, **rules: Any) -> ConfigureQueue:
    return ConfigureQueue(
        queue_id=queue_id,
        channel=Channel.VOICE,
        required_skills=tuple(Skill(one) for one in skills),
        ring_timeout_ms=20_000,
        wrap_up_timeout_ms=0,
        service_level_threshold_ms=20_000,
        waiting_max=0,
        **rules,
    )


def found(shadow: Shadow, queue_id: str = ALL) -> Difference:
    return differences(shadow)[queue_id]


RINGS = {"strategy": "RING_ALL", "ring_max": 3}


@pytest.mark.parametrize(
    "policy",
    [
        {},
        RINGS,
        {"strategy": "RING_PROGRESSIVELY", "ring_max": 3, "ring_every_ms": 4_000},
        {"strategy": "WEIGHTED_RANDOM", "reoffer_after_ms": 60_000},
        {
            "overflow": [
                {"trigger": "WAITED", "limit": 60_000, "action": "QUEUE", "queue_id": "tax"},
                {"trigger": "QUEUE_LENGTH", "limit": 6, "action": "VOICEMAIL", "endpoint": "v"},
            ]
        },
        {
            "requirement": 'skill("tax") >= 1',
            "steps": [{"after_ms": 30_000}],
            "skip_unservable_steps": True,
        },
        {
            "requirement": 'skill("tax") >= 1',
            "steps": [
                {"trigger": "QUEUE_LENGTH", "limit": 3, "requirement": 'not agent == "eve"'},
                {"trigger": "SERVICE_LEVEL", "limit": 60},
            ],
        },
    ],
)
def test_with_the_same_policy_everything_is_as_it_was(policy: dict[str, Any]) -> None:
    shadow = shadow_of(played(sales=policy))
    assert shadow.offers == shadow.same > 1_000
    difference = found(shadow)
    assert difference.contacts == difference.same_agent + difference.real.left > 1_400
    assert difference.real == difference.shadow


def test_another_strategy_gives_contacts_to_others_and_makes_nobody_wait_otherwise() -> None:
    """Agents are alike, contacts take their time with them, and nobody gives up: as much work is left at any time."""
    linear = [queue_of(one, strategy=Strategy.LINEAR) for one in (SALES, TAX)]
    shadow = shadow_of(played(CALM_DAY), *linear)
    assert shadow.same < shadow.offers / 2
    difference = found(shadow)
    assert difference.other_agent > difference.contacts / 4
    real, other = difference.real.figures(), difference.shadow.figures()
    assert real["left"] == other["left"] == 0
    assert real["wait_mean_s"] > 20
    assert other["wait_mean_s"] == pytest.approx(real["wait_mean_s"], rel=0.001)


def test_where_a_quarter_gave_up_another_order_makes_those_who_may_not_wait_longer() -> None:
    """Who was really answered never gives up here, though a quarter did: the lucky ones of then are others now."""
    difference = found(shadow_of(played(), queue_of(SALES, strategy=Strategy.LINEAR)))
    real, other = difference.real.figures(), difference.shadow.figures()
    assert other["wait_mean_s"] > real["wait_mean_s"]
    assert difference.shadow.left <= difference.real.left


def test_a_requirement_that_more_agents_meet_makes_its_queue_wait_less() -> None:
    shadow = shadow_of(played(), queue_of(TAX))
    tax, sales = found(shadow, TAX), found(shadow, SALES)
    assert tax.shadow.figures()["wait_mean_s"] < 0.9 * tax.real.figures()["wait_mean_s"]
    assert sales.shadow.figures()["wait_mean_s"] > sales.real.figures()["wait_mean_s"]


def test_who_gave_up_is_answered_in_the_shadow_only_before_that_moment() -> None:
    shadow = shadow_of(played(), queue_of(TAX))
    saved = {
        contact_id: fate.left_at_ms
        for contact_id, fate in shadow.past.fates.items()
        if fate.left_at_ms is not None and contact_id in shadow.answers
    }
    assert len(saved) == found(shadow).only_in_shadow > 0
    for contact_id, left_at_ms in saved.items():
        assert shadow.answers[contact_id].at_ms <= left_at_ms


def test_who_was_answered_waits_as_long_as_it_takes() -> None:
    """Nobody of them gives up, so a worse policy shows longer waits and not more who leave."""
    worse = queue_of(SALES, "tax", steps=(RoutingStep(after_ms=120_000),))
    difference = found(shadow_of(played(), worse), SALES)
    assert difference.shadow.figures()["wait_mean_s"] > 2 * difference.real.figures()["wait_mean_s"]
    assert difference.shadow.left <= difference.real.left
    assert difference.only_really == 0


def test_a_step_that_a_crowd_brings_contacts_to_is_come_to_in_the_shadow_alone() -> None:
    crowded = RoutingStep(after_ms=0, trigger=StepTrigger.QUEUE_LENGTH, limit=3)
    closed = found(shadow_of(played(), queue_of(SALES, "latin")), SALES)
    opened = found(shadow_of(played(), queue_of(SALES, "latin", steps=(crowded,))), SALES)
    assert closed.shadow.answered == 0
    assert opened.shadow.answered > opened.real.answered / 2


def test_who_could_be_served_by_nobody_is_told() -> None:
    sales = found(shadow_of(played(), queue_of(SALES, "latin")), SALES)
    assert sales.never_in_shadow == sales.only_really == sales.real.answered > 0
    assert (sales.shadow.answered, sales.shadow.left) == (0, sales.real.left)
    assert sales.shadow.figures()["service_level"] == 0


def test_service_level_is_that_of_the_reports() -> None:
    """Answered in time ÷ (answered + gave up late); who was sent out of routing is in none of it."""
    fate, side = Fate(SALES, came_at_ms=1_000, told_at_ms=1_000, threshold_ms=20_000), Side()
    agent_id = AgentId("a")
    for end in (
        *[End(at_ms=21_000, agent_id=agent_id), End(at_ms=21_001, agent_id=agent_id)],
        *[End(at_ms=5_000, gave_up=True), End(at_ms=90_000, gave_up=True), End(at_ms=90_000)],
    ):
        side.add(end, fate)
    figures = side.figures()
    assert figures["service_level"] == pytest.approx(1 / 3)
    assert (figures["answered"], figures["left"], figures["sent_away"]) == (2, 2, 1)
    assert figures["wait_p90_s"] == 89


def test_a_contact_is_told_with_all_that_it_asks_and_whom_it_prefers() -> None:
    """Nobody who is named is here when they come, so nothing is waited for; both are told all the same."""
    queue = queue_of(SALES, preferred_hold_ms=60_000)
    strict = comes("c", requirement='skill("latin")')
    other = comes("d", preferred_agents=("gone",))
    events = told(queue, *ready("a"), strict, other, *taken("d", "a"))
    shadow = shadow_of(events)
    assert (
        shadow.same
        == shadow.offers
        == sum(isinstance(one, OfferCreated) for one in chain(*events))
        == 1
    )
    named = shadow_of(events, queue)
    assert named.state.contacts[ContactId("c")].own.requirement == 'skill("latin")'


def test_who_is_called_back_waits_anew_as_in_reports() -> None:
    """A second before the callback is put off is in no figure, and a second after it came back is its wait."""
    came = comes("c", at_s=2)
    back = replaced(came, stay=1, returns=True)
    queue = queue_of(SALES, callback_attempts=3)
    events = told(queue, came, POSTPONED, *ready("a"), back, *taken("c", "a"))
    for one in (found(shadow_of(events)), found(shadow_of(events, queue_of(SALES)))):
        assert (one.contacts, one.not_over_yet, one.not_again_in_shadow) == (2, 0, 0)
        for side in (one.real, one.shadow):
            assert (side.answered, side.sent_away, side.waits_ms) == (1, 1, [1_000])
            assert side.figures()["service_level"] == 1.0


def test_who_is_lost_and_back_waits_from_when_they_are_back() -> None:
    queue = queue_of(SALES, resume_window_ms=600_000)
    lost, back = comes("c", at_s=2, customer_key="k"), comes("d", at_s=6, customer_key="k")
    events = told(queue, lost, LEFT, *ready("a"), back, *taken("d", "a"))
    assert any(isinstance(one, ContactEnqueued) and one.resumes == "c" for one in chain(*events))
    real = found(shadow_of(events)).real
    assert (real.left, real.answered, sorted(real.waits_ms)) == (1, 1, [1_000, 1_000])


def test_who_is_answered_in_the_shadow_does_not_come_again_there() -> None:
    """Really it needs what `a` lacks, is called back later, and gets `b`; in the shadow `a` takes it at once."""
    came = comes("c", at_s=4)
    back, expert = replaced(came, stay=1, returns=True), ready("b", skills=(Skill("tax"),))
    waits = (came, PassTime(), PassTime(), POSTPONED)
    events = told(queue_of(SALES, "tax"), *ready("a"), *waits, *expert, back, *taken("c", "b"))
    one = found(shadow_of(events, queue_of(SALES)))
    assert (one.contacts, one.real.answered, one.real.sent_away) == (2, 1, 1)
    assert (one.shadow.answered, one.shadow.sent_away) == (1, 0)
    assert (one.not_again_in_shadow, one.never_in_shadow) == (1, 0)


def test_the_threshold_is_that_of_when_the_contact_came() -> None:
    strict = replace(queue_of(SALES), service_level_threshold_ms=1)
    events = told(strict, comes("c", at_s=2), queue_of(SALES), *ready("a"), *taken("c", "a"))
    assert shadow_of(events).past.fates[ContactId("c")].threshold_ms == 1


def test_a_policy_that_routing_would_refuse_is_told() -> None:
    shadow = shadow_of(played(), queue_of(SALES, requirement='lang = "ar"'))
    assert shadow.refused[0].startswith("queue sales: requirement, character ")


class FirstB:
    """Gives the agent `b` the most points."""

    version = "1"

    def score(self, _contact: ScoredContact, agents: Sequence[ScoredAgent]) -> list[int]:
        return [int(one.agent_id == "b") for one in agents]


def told(*said: Command, scorers: Mapping[str, Scorer] | None = None) -> Decided:
    """Return what follows when `a` and `b` are ready, after what is said first, one thing a second."""
    core, decisions = RoutingCore(scorers), Decided()
    state = core.initial("acme/emea")
    for second, command in enumerate(said, 1):
        decision = core.decide(state, command, second * 1_000)
        assert not isinstance(decision, Refused), decision
        for event in decision:
            state = core.evolve(state, event)
        if decision:
            decisions.append(decision)
    return decisions


def ready(*names: str, skills: tuple[Skill, ...] = ()) -> list[Command]:
    said = list[Command]()
    for name in names:
        voice = ChannelCapacity(channel=Channel.VOICE, slots=1)
        agent_id = AgentId(name)
        said += [
            ObserveAgentSignedOn(agent_id=agent_id, skills=skills, capacity=(voice,)),
            ObserveAgentWentReady(agent_id=agent_id),
        ]
    return said


def comes(name: str, queue_id: QueueId = SALES, at_s: int = 1, **of: Any) -> ObserveContactQueued:
    return ObserveContactQueued(
        contact_id=ContactId(name),
        queue_id=queue_id,
        channel=Channel.VOICE,
        priority=0,
        required_skills=(),
        enqueued_at_ms=at_s * 1_000,
        **of,
    )


def taken(name: str, agent: str) -> list[Command]:
    offer_id, agent_id = OfferId(f"{name}.1"), AgentId(agent)
    return [
        AcceptOffer(offer_id=offer_id, agent_id=agent_id),
        ObserveAgentReleased(offer_id=offer_id, agent_id=agent_id),
    ]


POSTPONED = ObserveContactAbandoned(
    contact_id=ContactId("c"), reason=DequeueReason.CALLBACK_POSTPONED
)
LEFT = ObserveContactAbandoned(contact_id=ContactId("c"))
MOVED = MoveContact(contact_id=ContactId("c"), queue_id=SALES)
FIRST = SetContactPriority(contact_id=ContactId("d"), priority=5)
BY_HAND: dict[str, list[Command]] = {
    "direct": [*ready("a", "b"), comes("c", direct_agent_id="b"), *taken("c", "b")],
    "preferred": [*ready("a", "b"), comes("c", preferred_agents=("b",)), *taken("c", "b")],
    "moved": [*ready("a"), comes("c", TAX), MOVED, *taken("c", "a")],
    "priority": [comes("c"), comes("d"), FIRST, *ready("a"), *taken("d", "a"), *taken("c", "a")],
    "closed": [
        *[CloseQueue(queue_id=SALES, note="fire"), *ready("a"), comes("c")],
        *[OpenQueue(queue_id=SALES), comes("d"), *taken("d", "a")],
    ],
    "last": [
        *[*ready("b"), comes("c", customer_key="k"), *taken("c", "b"), *ready("a")],
        *[comes("x"), *taken("x", "b"), comes("d", customer_key="k"), *taken("d", "b")],
    ],
}


@pytest.mark.parametrize("story", BY_HAND)
def test_what_people_did_and_whom_contacts_are_for_is_as_it_was(story: str) -> None:
    lasting = {"preferred_hold_ms": 60_000, "prefers_last_agent": story == "last"}
    queues = queue_of(SALES, **lasting), queue_of(TAX, "tax")
    events = told(*queues, *BY_HAND[story])
    shadow = shadow_of(events)
    really = [
        (one.contact_id, one.agent_id, one.at_ms)
        for one in chain(*events)
        if isinstance(one, OfferAccepted)
    ]
    assert really
    assert [
        (contact_id, one.agent_id, one.at_ms) for contact_id, one in shadow.answers.items()
    ] == really
    assert shadow.left_at_ms == {
        one.contact_id: one.at_ms for one in chain(*events) if isinstance(one, ContactDequeued)
    }
    assert shadow.same == shadow.offers == len(really)
    assert not shadow.unrepeated


RING_ALL = {"strategy": Strategy.RING_ALL, "ring_max": 2}
TAKES = AcceptOffer(offer_id=OfferId("c.2"), agent_id=AgentId("b"))
LETS_GO = ObserveAgentReleased(offer_id=OfferId("c.1"), agent_id=AgentId("a"))


def test_who_lost_a_ring_and_is_asked_alone_takes_it_when_the_other_one_did() -> None:
    events = told(queue_of(SALES, **RING_ALL), *ready("a", "b"), comes("c"), TAKES, LETS_GO)
    taken_at_ms = next(one[0].at_ms for one in events if isinstance(one[0], OfferAccepted))
    shadow = shadow_of(events, queue_of(SALES))
    assert (shadow.offers, shadow.same) == (1, 1)
    assert shadow.answers[ContactId("c")] == Answer(AgentId("a"), taken_at_ms)


def test_who_rings_along_in_the_shadow_alone_is_free_again_when_another_one_took_it() -> None:
    a_takes = AcceptOffer(offer_id=OfferId("c.1"), agent_id=AgentId("a"))
    b_takes = AcceptOffer(offer_id=OfferId("d.1"), agent_id=AgentId("b"))
    events = told(queue_of(SALES), *ready("a", "b"), comes("c"), a_takes, comes("d"), b_takes)
    shadow = shadow_of(events, queue_of(SALES, **RING_ALL))
    assert (shadow.offers, shadow.same) == (3, 2)
    assert found(shadow).same_agent == 2
    assert shadow.answers[ContactId("d")].at_ms == events[-1][0].at_ms


def test_who_let_it_ring_out_does_so_as_long_as_it_rings() -> None:
    events = told(queue_of(SALES), *ready("a"), comes("c"), *[comes("x", TAX)] * 20, PassTime())
    missed = next(one for one in chain(*events) if isinstance(one, OfferExpired))
    rings_ms = 30_000
    shadow = shadow_of(events, replace(queue_of(SALES), ring_timeout_ms=rings_ms))
    assert missed.ring_ms < rings_ms
    assert (shadow.offers, shadow.same) == (2, 1), "and then it is taken: it was missed once"
    assert shadow.answers[ContactId("c")].at_ms == missed.at_ms - missed.ring_ms + rings_ms


def test_who_is_slower_than_a_ring_is_then_answers_just_in_time() -> None:
    events = told(
        queue_of(SALES), *ready("a"), comes("c"), *[comes("x", TAX)] * 9, *taken("c", "a")
    )
    came_at_ms = next(one[0].at_ms for one in events if isinstance(one[0], ContactEnqueued))
    shadow = shadow_of(events, replace(queue_of(SALES), ring_timeout_ms=3_000))
    assert (shadow.offers, shadow.same) == (2, 1)
    assert shadow.answers[ContactId("c")].at_ms == came_at_ms + 3_000 + 2_999


def test_the_same_policy_with_another_name_for_it_is_the_same() -> None:
    """Told of rules that the queue has, the shadow goes along; told of such that nobody uses, nothing is different."""
    events = played(sales=RINGS)
    same = queue_of(SALES, strategy=Strategy.RING_ALL, ring_max=3)
    for other in (same, replace(same, direct_hold_ms=1)):
        shadow = shadow_of(events, other)
        assert shadow.offers == shadow.same > 1_000
        assert found(shadow).real == found(shadow).shadow


def test_a_contact_moved_into_a_queue_that_the_other_policy_fills_is_told() -> None:
    sales, tax = queue_of(SALES), queue_of(TAX)
    events = told(sales, tax, comes("c", TAX), comes("d"), MOVED)
    shadow = shadow_of(events, replace(sales, waiting_max=1))
    assert shadow.unrepeated == {"MoveContact": 1}


def test_a_queue_with_a_scorer_is_played_with_it_or_refused() -> None:
    scorers = {"x": FirstB()}
    scored = queue_of(SALES, strategy=Strategy.SCORED, scorer="x")
    events = told(scored, *ready("a", "b"), comes("c"), *taken("c", "b"), scorers=scorers)
    assert found(shadow_of(events, scorers=scorers)).same_agent == 1
    assert shadow_of(events).refused == ["queue sales: scorer 'x' is not installed here"]
