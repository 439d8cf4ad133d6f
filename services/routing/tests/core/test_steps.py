"""Timed relaxation: the longer a contact waits, the more agents may serve it; told in steps."""

from typing import TYPE_CHECKING

import pytest

from huntgroup_routing.core.messages import (
    ContactEnqueued,
    ContactStepped,
    ObserveContactQueued,
    OfferCreated,
    Reason,
)
from huntgroup_routing.core.values import (
    STEPS_PER_DECISION_MAX,
    AgentId,
    Channel,
    ContactId,
    QueueId,
    RoutingStep,
    Skill,
)

if TYPE_CHECKING:
    from services.routing.tests.conftest import Floor

ADA, SALES = ContactId("ada"), QueueId("sales")
EXPERT = 'skill("tax") >= 5'
STEPS = (
    RoutingStep(after_ms=10_000, requirement='skill("tax") >= 2'),
    RoutingStep(after_ms=30_000),
)


@pytest.fixture
def tax(floor: "Floor") -> "Floor":
    """A floor where sales asks for experts, after 10 s for anybody with some skill, after 30 s for anybody."""
    floor.queue("sales", requirement=EXPERT, steps=STEPS, ring_timeout_ms=60_000)
    return floor


def test_a_contact_that_waits_comes_to_its_step_and_is_offered_at_once(tax: "Floor") -> None:
    tax.agent("grace", levels={"tax": 3})
    tax.contact("ada", at_ms=1_000)
    assert tax.core.next_deadline(tax.state) == 11_000
    assert tax.pass_time(10_999) == ()
    stepped, offer = tax.pass_time(11_000)
    assert stepped == ContactStepped(
        at_ms=11_000,
        contact_id=ADA,
        queue_id=SALES,
        step=1,
        required_skills=(),
        requirement='skill("tax") >= 2',
        skipped=0,
    )
    assert isinstance(offer, OfferCreated)
    assert (offer.agent_id, offer.enqueued_at_ms) == ("grace", 1_000)


def test_it_keeps_its_place_before_those_who_came_later(tax: "Floor") -> None:
    tax.contact("ada", at_ms=0)
    tax.queue("repair")
    tax.contact("ben", queue_id="repair", at_ms=5_000)
    tax.pass_time(30_000)
    assert tax.offered(tax.agent("grace", at_ms=31_000)) == [("ada", "grace")]


def test_who_comes_to_several_steps_at_once_goes_to_the_last(tax: "Floor") -> None:
    enqueued, stepped = tax.contact("ada", enqueued_at_ms=0, at_ms=40_000)
    assert isinstance(enqueued, ContactEnqueued)
    assert enqueued.requirement == EXPERT
    assert isinstance(stepped, ContactStepped)
    assert (stepped.step, stepped.requirement, stepped.skipped) == (2, "", 0)
    assert tax.core.next_deadline(tax.state) is None


def test_a_contact_that_comes_late_and_finds_somebody_rings_at_once(tax: "Floor") -> None:
    tax.agent("grace")
    assert tax.offered(tax.contact("ada", enqueued_at_ms=0, at_ms=40_000)) == [("ada", "grace")]


def test_a_step_that_comes_while_it_rings_counts_when_it_waits_again(tax: "Floor") -> None:
    tax.agent("grace", levels={"tax": 9})
    tax.contact("ada", at_ms=0)
    tax.agent("alan", levels={"tax": 2})
    assert [type(one) for one in tax.pass_time(10_000)] == [ContactStepped]
    assert tax.offered(tax.reject("ada.1", "grace", at_ms=11_000)) == [("ada", "alan")]


def test_its_own_skills_stay_when_the_queues_are_relaxed(tax: "Floor") -> None:
    tax.contact("ada", "arabic", at_ms=0)
    tax.agent("grace", levels={"tax": 2})
    (stepped,) = tax.pass_time(10_000)
    assert isinstance(stepped, ContactStepped)
    assert stepped.required_skills == (Skill("arabic"),)
    assert tax.offered(tax.agent("alan", "arabic", levels={"tax": 2})) == [("ada", "alan")]


def test_a_contact_that_leaves_has_no_step_to_come(tax: "Floor") -> None:
    tax.contact("ada", at_ms=0)
    tax.abandon("ada", at_ms=5)
    assert tax.core.next_deadline(tax.state) is None


def test_who_waits_keeps_the_steps_it_came_with(tax: "Floor") -> None:
    tax.contact("ada", at_ms=0)
    tax.queue("sales")
    tax.contact("ben", at_ms=1)
    (stepped,) = tax.pass_time(10_000)
    assert isinstance(stepped, ContactStepped)
    assert stepped.contact_id == ADA
    loaded = type(tax)(state=tax.core.load("acme/emea", tax.core.dump(tax.state)))
    assert loaded.core.dump(loaded.state) == tax.core.dump(tax.state)
    assert loaded.core.next_deadline(loaded.state) == 30_000


def test_what_nobody_signed_on_could_serve_is_left_out_when_it_is_wanted(tax: "Floor") -> None:
    tax.queue("sales", requirement=EXPERT, steps=STEPS, skip_unservable_steps=True)
    tax.agent("alan", levels={"tax": 3})
    tax.contact("x", at_ms=0)
    tax.accept("x.1", "alan", at_ms=0)
    _, stepped = tax.contact("ada", at_ms=1)
    assert isinstance(stepped, ContactStepped)
    assert (stepped.step, stepped.skipped) == (1, 1), "alan talks, but could serve it later"
    tax.sign_off("alan", at_ms=2)
    _, stepped = tax.contact("ben", at_ms=3)
    assert isinstance(stepped, ContactStepped)
    assert (stepped.step, stepped.skipped) == (2, 2), "the last step stays, whoever is there"


def test_many_who_come_to_a_step_at_once_are_told_in_several_decisions(tax: "Floor") -> None:
    count = STEPS_PER_DECISION_MAX + 9
    arrivals = (
        ObserveContactQueued(
            contact_id=ContactId(f"c{number}"),
            queue_id=SALES,
            channel=Channel.VOICE,
            priority=0,
            required_skills=(),
            enqueued_at_ms=0,
        )
        for number in range(count)
    )
    tax.quickly(*arrivals)
    assert len(tax.pass_time(10_000)) == STEPS_PER_DECISION_MAX
    assert tax.core.next_deadline(tax.state) == 10_000
    assert len(tax.pass_time(10_000)) == 9


@pytest.mark.parametrize(
    ("steps", "reason", "detail"),
    [
        ((STEPS[1], STEPS[0]), Reason.STEPS_INVALID, "steps[1].after_ms 10000 is not later than 3"),
        (
            (RoutingStep(after_ms=5, requirement='skill("tax") > 4'),),
            Reason.STEPS_INVALID,
            "steps[0] asks for the same as the one before",
        ),
        (
            (STEPS[0], RoutingStep(after_ms=20_000, requirement="lang")),
            Reason.REQUIREMENT_INVALID,
            "steps[1].requirement, character 5",
        ),
    ],
)
def test_steps_that_cannot_be_are_refused_by_name(
    floor: "Floor", steps: tuple[RoutingStep, ...], reason: Reason, detail: str
) -> None:
    refused = floor.refused(floor.queue_command("sales", requirement=EXPERT, steps=steps))
    assert refused.reason is reason
    assert refused.detail.startswith(detail)


def test_those_able_are_counted_as_agents_come_and_go(tax: "Floor") -> None:
    requirement = tax.state.queues[SALES].requirement
    tax.sign_on("grace", levels={"tax": 9})
    tax.sign_on("alan", levels={"tax": 1})
    assert requirement.able == 1
    tax.queue("other", requirement='agent in ("alan", "grace")')
    assert tax.state.queues[QueueId("other")].requirement.able == 2
    tax.sign_off("grace")
    assert (requirement.able, len(tax.state.agents)) == (0, 1)
    assert tax.state.queues[QueueId("other")].requirement.able == 1
    assert AgentId("alan") in tax.state.agents
