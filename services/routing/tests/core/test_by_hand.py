"""People take contacts by hand, or give them out: by right, out of turn, and with a reason when it cannot be."""

from typing import TYPE_CHECKING

import pytest

from huntgroup_routing.app.queries import why_text
from huntgroup_routing.core.messages import (
    AssignContact,
    ConfigureQueue,
    OfferAccepted,
    OfferCreated,
    PullContact,
    Reason,
)
from huntgroup_routing.core.values import AgentId, ContactId, DecisionRule, Strategy

if TYPE_CHECKING:
    from services.routing.tests.conftest import Floor


def pull(contact_id: str, agent_id: str) -> PullContact:
    return PullContact(contact_id=ContactId(contact_id), agent_id=AgentId(agent_id))


def assign(contact_id: str, agent_id: str, *, waive: bool = False) -> AssignContact:
    return AssignContact(
        contact_id=ContactId(contact_id),
        agent_id=AgentId(agent_id),
        supervisor_id=AgentId("eve"),
        waive_requirement=waive,
    )


def two_wait(floor: "Floor", pull_requirement: str = 'agent == "grace"') -> None:
    """Let `ada` and `ben` wait for an agent who speaks tax; grace and alan are idle and do not."""
    floor.queue("tax", "tax", pull_requirement=pull_requirement)
    floor.agent("grace", at_ms=1)
    floor.agent("alan", at_ms=2)
    floor.contact("ada", queue_id="tax", at_ms=10)
    floor.contact("ben", queue_id="tax", at_ms=11)


def test_who_may_pull_takes_any_contact_at_once(floor: "Floor") -> None:
    two_wait(floor)
    created, accepted = floor.tell(pull("ben", "grace"), 20)
    assert isinstance(created, OfferCreated)
    assert isinstance(accepted, OfferAccepted)
    assert (created.agent_id, created.idle_since_ms) == ("grace", 1)
    assert accepted.offer_id == created.offer_id == "ben.1"
    why = created.explanation
    assert why is not None
    assert (why.rule, why.asked_by) == (DecisionRule.PULLED, "grace")
    text = why_text(why, created.agent_id, created.idle_agents, created.at_ms)
    assert text.startswith("grace took it from the queue by hand: priority 0, waiting since")


def test_who_may_not_pull_is_told_why(floor: "Floor") -> None:
    two_wait(floor)
    refused = floor.refused(pull("ada", "alan"), 20)
    assert refused.reason is Reason.PULL_NOT_ALLOWED
    assert 'its pull_requirement is agent == "grace"' in refused.detail
    floor.queue("tax", "tax", at_ms=21)
    assert "nobody may" in floor.refused(pull("ada", "grace"), 22).detail


@pytest.mark.parametrize(
    ("contact_id", "agent_id", "reason", "words"),
    [
        ("eve", "grace", Reason.CONTACT_UNKNOWN, "neither waits nor rings"),
        ("cai", "grace", Reason.CONTACT_RINGS, "rings with cai.1"),
        ("ada", "nobody", Reason.AGENT_NOT_AVAILABLE, "is not signed on"),
        ("ada", "joan", Reason.AGENT_NOT_AVAILABLE, "has no free slot for VOICE"),
        ("ada", "mary", Reason.AGENT_NOT_AVAILABLE, "is not ready"),
    ],
)
def test_what_cannot_be_taken_or_given_by_hand_is_refused_with_a_reason(
    floor: "Floor", contact_id: str, agent_id: str, reason: Reason, words: str
) -> None:
    floor.agent("joan")
    floor.contact("cai")
    floor.sign_on("mary")
    two_wait(floor)
    for command in (pull(contact_id, agent_id), assign(contact_id, agent_id)):
        refused = floor.refused(command, 20)
        assert refused.reason is reason
        assert words in refused.detail


def test_a_supervisor_lets_a_contact_ring_at_an_agent(floor: "Floor") -> None:
    two_wait(floor)
    refused = floor.refused(assign("ben", "alan"), 20)
    assert refused.reason is Reason.AGENT_NOT_ABLE
    assert refused.detail.endswith("requires: tax")
    (created,) = floor.tell(assign("ben", "alan", waive=True), 20)
    assert isinstance(created, OfferCreated)
    assert created.expires_at_ms > 20
    why = created.explanation
    assert why is not None
    assert (why.rule, why.asked_by) == (DecisionRule.ASSIGNED, "eve")
    assert "eve gave it to alan by hand" in why_text(why, "alan", 1, 20)  # type: ignore[arg-type]
    assert floor.tell(assign("ben", "alan", waive=True), 21) == (), "it rings there already"
    assert floor.offered(floor.reject("ben.1", "alan", at_ms=22)) == []
    assert floor.state.contacts[ContactId("ben")].offer_id is None, "it waits again"


def test_nobody_rings_along_with_whom_a_supervisor_chose(floor: "Floor") -> None:
    floor.queue("tax", "tax", strategy=Strategy.RING_ALL)
    floor.agent("grace", at_ms=1)
    floor.contact("ada", queue_id="tax", at_ms=10)
    (created,) = floor.tell(assign("ada", "grace", waive=True), 11)
    assert isinstance(created, OfferCreated)
    assert created.ring_target == 0
    assert floor.offered(floor.agent("alan", "tax", at_ms=12)) == []


def test_a_pull_requirement_that_makes_no_sense_is_refused(floor: "Floor") -> None:
    command = floor.queue_command(pull_requirement="skil('a')")
    assert isinstance(command, ConfigureQueue)
    refused = floor.refused(command)
    assert refused.reason is Reason.REQUIREMENT_INVALID
    assert refused.detail.startswith("pull_requirement, character")
