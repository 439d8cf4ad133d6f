"""Contacts wait, ring and leave; agents answer. What follows from each step, told as given, when, then."""

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from huntgroup_routing.core.messages import (
    AcceptOffer,
    ConfigureQueue,
    ContactDequeued,
    ContactEnqueued,
    ContactRequeued,
    OfferAccepted,
    OfferCanceled,
    OfferCreated,
    OfferExpired,
    OfferRejected,
    PassTime,
    QueueConfigured,
    Reason,
    RejectOffer,
)
from huntgroup_routing.core.values import (
    EXPIRIES_PER_DECISION_MAX,
    QUEUES_MAX,
    AgentId,
    CancelReason,
    Channel,
    ContactId,
    DecisionRule,
    DequeueReason,
    Explanation,
    OfferId,
    QueueId,
    Skill,
    Strategy,
)

if TYPE_CHECKING:
    from services.routing.tests.conftest import Floor

ADA, GRACE, SALES = ContactId("ada"), AgentId("grace"), QueueId("sales")
FIRST, SECOND = OfferId("ada.1"), OfferId("ada.2")

CONFIGURE = ConfigureQueue(
    queue_id=QueueId("support"),
    channel=Channel.CHAT,
    required_skills=(Skill("german"), Skill("billing"), Skill("german")),
    ring_timeout_ms=15_000,
    wrap_up_timeout_ms=0,
    service_level_threshold_ms=60_000,
    waiting_max=0,
)


# Queues


def test_a_queue_is_configured_with_its_skills_in_order_and_the_default_bound(
    floor: "Floor",
) -> None:
    assert floor.tell(CONFIGURE, 7) == (
        QueueConfigured(
            at_ms=7,
            queue_id=QueueId("support"),
            channel=Channel.CHAT,
            required_skills=(Skill("billing"), Skill("german")),
            ring_timeout_ms=15_000,
            wrap_up_timeout_ms=0,
            service_level_threshold_ms=60_000,
            waiting_max=10_000,
            strategy=Strategy.LONGEST_IDLE,
            domain_version=2,
            one_channel=True,
        ),
    )


def test_configuring_a_queue_as_it_is_changes_nothing(floor: "Floor") -> None:
    floor.tell(CONFIGURE, 7)
    assert floor.tell(CONFIGURE, 8) == ()


def test_a_changed_queue_counts_for_the_next_offer_and_the_next_contact(floor: "Floor") -> None:
    floor.contact("ada")
    floor.queue("sales", "german", ring_timeout_ms=5_000)
    floor.contact("ben", at_ms=1)
    _, offer = floor.agent("grace", at_ms=2)
    assert isinstance(offer, OfferCreated)
    assert (offer.contact_id, offer.expires_at_ms) == ("ada", 5_002)
    assert floor.offered(floor.agent("helga", "german", at_ms=3)) == [("ben", "helga")]


def test_one_queue_too_many_is_refused(floor: "Floor") -> None:
    floor.quickly(
        *(replace(CONFIGURE, queue_id=QueueId(f"q{number}")) for number in range(QUEUES_MAX - 1))
    )
    refused = floor.refused(CONFIGURE)
    assert refused.reason is Reason.TOO_MANY_QUEUES
    assert "support" in refused.detail
    assert "5000" in refused.detail
    assert len(floor.queue("sales", "german")) == 1, "a queue that is there may still be changed"


# Waiting


def test_a_contact_without_an_idle_agent_takes_its_place(floor: "Floor") -> None:
    floor.queue("support", "german")
    events = floor.contact(
        "ada", "billing", queue_id="support", priority=3, enqueued_at_ms=90, at_ms=100
    )
    assert events == (
        ContactEnqueued(
            at_ms=100,
            contact_id=ADA,
            queue_id=QueueId("support"),
            channel=Channel.VOICE,
            priority=3,
            required_skills=(Skill("billing"), Skill("german")),
            enqueued_at_ms=90,
            own_skills=(Skill("billing"),),
        ),
    )


def test_a_contact_is_offered_to_the_longest_idle_agent_at_once(floor: "Floor") -> None:
    floor.agent("grace", at_ms=10)
    floor.agent("alan", at_ms=20)
    _, offer = floor.contact("ada", enqueued_at_ms=95, at_ms=100)
    assert offer == OfferCreated(
        at_ms=100,
        offer_id=FIRST,
        contact_id=ADA,
        agent_id=GRACE,
        queue_id=SALES,
        channel=Channel.VOICE,
        attempt=1,
        expires_at_ms=20_100,
        wrap_up_timeout_ms=30_000,
        enqueued_at_ms=95,
        idle_since_ms=10,
        idle_agents=2,
        explanation=Explanation(
            rule=DecisionRule.STRATEGY,
            strategy=Strategy.LONGEST_IDLE,
            policy_version=1,
            value=10,
            runner_up_id="alan",
            runner_up_value=20,
            priority=0,
            runner_up_priority=0,
            set_aside=0,
        ),
    )


def test_an_agent_without_the_skills_or_the_channel_is_passed_over(floor: "Floor") -> None:
    floor.queue(channel=None)
    floor.agent("grace", "german")
    floor.agent("alan", "german", "billing", chat=1)
    floor.agent("edsger", "german", "billing", at_ms=5)
    assert floor.offered(floor.contact("ada", "billing", "german")) == [("ada", "edsger")]
    assert floor.offered(floor.contact("ben", channel=Channel.CHAT)) == [("ben", "alan")]


@pytest.mark.parametrize(
    ("first", "second"),
    [((5, 20, "b"), (0, 10, "a")), ((0, 10, "b"), (0, 20, "a")), ((0, 10, "a"), (0, 10, "b"))],
    ids=["by priority", "then by age", "then by id"],
)
def test_contacts_are_served_in_the_order_of_their_places(
    floor: "Floor", first: tuple[int, int, str], second: tuple[int, int, str]
) -> None:
    for priority, enqueued_at_ms, contact_id in (second, first):
        floor.contact(contact_id, priority=priority, enqueued_at_ms=enqueued_at_ms)
    assert floor.offered(floor.agent("grace")) == [(first[2], "grace")]
    assert floor.offered(floor.agent("alan")) == [(second[2], "alan")]


def test_an_agent_gets_the_first_contact_over_all_queues_they_can_serve(floor: "Floor") -> None:
    floor.queue("german", "german")
    floor.queue("french", "french")
    floor.contact("ada", queue_id="german", enqueued_at_ms=2)
    floor.contact("ben", queue_id="sales", enqueued_at_ms=1)
    floor.contact("cai", queue_id="french", enqueued_at_ms=0)
    assert floor.offered(floor.agent("grace", "german")) == [("ben", "grace")]


def test_a_contact_told_of_twice_waits_once(floor: "Floor") -> None:
    floor.contact("ada")
    assert floor.contact("ada") == ()
    floor.abandon("ada")
    assert floor.contact("ada") == (), "it left"


def test_a_contact_of_a_queue_that_nobody_configured_is_nobodys(floor: "Floor") -> None:
    assert floor.contact("ada", queue_id="nowhere") == ()


def test_a_waiting_contact_that_gives_up_leaves_its_place(floor: "Floor") -> None:
    floor.contact("ada")
    assert floor.abandon("ada", at_ms=9) == (
        ContactDequeued(
            at_ms=9,
            contact_id=ADA,
            queue_id=SALES,
            reason=DequeueReason.CUSTOMER_LEFT,
            stay=0,
        ),
    )
    assert floor.abandon("ada", at_ms=10) == ()
    assert floor.offered(floor.agent("grace")) == []


def test_a_contact_that_gave_up_before_it_was_queued_is_of_no_concern(floor: "Floor") -> None:
    assert floor.abandon("ada") == ()


def test_a_customer_who_leaves_while_it_rings_cancels_the_offer(floor: "Floor") -> None:
    floor.agent("grace")
    floor.contact("ada", at_ms=100)
    assert floor.abandon("ada", at_ms=4_100) == (
        OfferCanceled(
            at_ms=4_100,
            offer_id=FIRST,
            contact_id=ADA,
            agent_id=GRACE,
            queue_id=SALES,
            reason=CancelReason.CUSTOMER_LEFT,
            ring_ms=4_000,
        ),
        ContactDequeued(
            at_ms=4_100,
            contact_id=ADA,
            queue_id=SALES,
            reason=DequeueReason.CUSTOMER_LEFT,
            stay=0,
        ),
    )
    assert floor.offered(floor.contact("ben")) == [], "the slot is not free yet"
    assert floor.offered(floor.release("ada.1", "grace")) == [("ben", "grace")]


# Accepting


def test_an_accepted_contact_is_routings_no_more(floor: "Floor") -> None:
    floor.agent("grace")
    floor.contact("ada", at_ms=100)
    assert floor.accept("ada.1", "grace", at_ms=1_100) == (
        OfferAccepted(
            at_ms=1_100,
            offer_id=FIRST,
            contact_id=ADA,
            agent_id=GRACE,
            queue_id=SALES,
            ring_ms=1_000,
        ),
    )
    assert floor.abandon("ada", at_ms=1_200) == ()
    assert floor.core.next_deadline(floor.state) is None


def test_accepting_twice_is_accepting_once(floor: "Floor") -> None:
    floor.agent("grace")
    floor.contact("ada")
    floor.accept("ada.1", "grace")
    assert floor.accept("ada.1", "grace", at_ms=30_000) == ()


def test_an_offer_nobody_knows_cannot_be_answered(floor: "Floor") -> None:
    refused = floor.refused(AcceptOffer(offer_id=FIRST, agent_id=GRACE))
    assert refused.reason is Reason.OFFER_UNKNOWN
    assert "ada.1" in refused.detail


@pytest.mark.parametrize("answered", [False, True])
def test_another_agents_offer_cannot_be_answered(floor: "Floor", *, answered: bool) -> None:
    floor.agent("grace")
    floor.contact("ada")
    if answered:
        floor.accept("ada.1", "grace")
    mallory = AgentId("mallory")
    accept = floor.refused(AcceptOffer(offer_id=FIRST, agent_id=mallory))
    reject = floor.refused(RejectOffer(offer_id=FIRST, agent_id=mallory, reason=""))
    assert accept.reason is reject.reason is Reason.WRONG_AGENT
    assert "mallory" in accept.detail


def test_an_offer_is_answered_before_its_lease_is_over_or_not_at_all(floor: "Floor") -> None:
    floor.agent("grace")
    floor.contact("ada", at_ms=100)
    command = AcceptOffer(offer_id=FIRST, agent_id=GRACE)
    refused = floor.refused(command, 20_100)
    assert refused.reason is Reason.OFFER_ENDED
    assert "20100" in refused.detail
    assert isinstance(floor.decide(command, 20_099), tuple)


@pytest.mark.parametrize("ending", ["reject", "expire", "abandon", "sign_off"])
def test_an_offer_that_ended_otherwise_cannot_be_accepted(floor: "Floor", ending: str) -> None:
    floor.agent("grace")
    floor.contact("ada")
    match ending:
        case "reject":
            floor.reject("ada.1", "grace")
        case "expire":
            floor.pass_time(20_000)
        case "abandon":
            floor.abandon("ada")
        case _:
            floor.sign_off("grace")
    refused = floor.refused(AcceptOffer(offer_id=FIRST, agent_id=GRACE), 20_001)
    assert refused.reason is Reason.OFFER_ENDED


# Rejecting


def test_a_rejected_contact_goes_back_and_on_to_the_next_idle_agent(floor: "Floor") -> None:
    floor.agent("grace", at_ms=1)
    floor.contact("ada", at_ms=100)
    floor.agent("alan", at_ms=150)
    rejected, requeued, offer = floor.reject("ada.1", "grace", at_ms=600)
    assert rejected == OfferRejected(
        at_ms=600,
        offer_id=FIRST,
        contact_id=ADA,
        agent_id=GRACE,
        queue_id=SALES,
        reason="wrong language",
        ring_ms=500,
    )
    assert requeued == ContactRequeued(at_ms=600, contact_id=ADA, queue_id=SALES, offer_id=FIRST)
    assert isinstance(offer, OfferCreated)
    assert (offer.offer_id, offer.attempt, offer.agent_id) == (SECOND, 2, "alan")
    assert (offer.enqueued_at_ms, offer.idle_since_ms, offer.idle_agents) == (100, 150, 1)


def test_a_requeued_contact_finds_its_place_again(floor: "Floor") -> None:
    floor.contact("zoe", priority=9, at_ms=1)
    floor.contact("ada", at_ms=2)
    floor.contact("ben", at_ms=3)
    floor.agent("grace")
    floor.agent("alan")
    floor.contact("old", at_ms=9, enqueued_at_ms=1)
    floor.reject("ada.1", "alan")
    floor.reject("zoe.1", "grace")
    order = [floor.offered(floor.agent(f"a{number}"))[0][0] for number in range(4)]
    assert order == ["zoe", "old", "ada", "ben"]


def test_rejecting_twice_is_rejecting_once(floor: "Floor") -> None:
    floor.agent("grace")
    floor.contact("ada")
    floor.reject("ada.1", "grace")
    assert floor.reject("ada.1", "grace") == ()


def test_an_accepted_offer_cannot_be_rejected(floor: "Floor") -> None:
    floor.agent("grace")
    floor.contact("ada")
    floor.accept("ada.1", "grace")
    refused = floor.refused(RejectOffer(offer_id=FIRST, agent_id=GRACE, reason=""))
    assert refused.reason is Reason.OFFER_ENDED
    assert "ACCEPTED" in refused.detail


def test_who_declined_gets_the_contact_again_only_when_the_slot_is_free(floor: "Floor") -> None:
    floor.queue(channel=None)
    floor.agent("grace", chat=2)
    floor.contact("ada", channel=Channel.CHAT)
    assert floor.offered(floor.reject("ada.1", "grace")) == [], "though a slot is free"
    assert floor.offered(floor.release("ada.1", "grace")) == [("ada", "grace")]


def test_an_agent_who_is_idle_goes_before_the_one_who_declined(floor: "Floor") -> None:
    floor.agent("grace")
    floor.contact("ada")
    floor.reject("ada.1", "grace")
    floor.agent("alan")
    assert floor.offered(floor.release("ada.1", "grace")) == []
    assert floor.state.contacts[ADA].offer_id == SECOND


# Time


def test_an_unanswered_offer_expires_when_its_lease_is_over(floor: "Floor") -> None:
    floor.agent("grace")
    floor.contact("ada", at_ms=100)
    assert floor.core.next_deadline(floor.state) == 20_100
    assert floor.tell(floor.core.pass_time(), 20_099) == ()
    assert floor.pass_time(20_100) == (
        OfferExpired(
            at_ms=20_100,
            offer_id=FIRST,
            contact_id=ADA,
            agent_id=GRACE,
            queue_id=SALES,
            ring_ms=20_000,
        ),
        ContactRequeued(at_ms=20_100, contact_id=ADA, queue_id=SALES, offer_id=FIRST),
    )
    assert floor.core.next_deadline(floor.state) is None


def test_contacts_of_expired_offers_go_on_in_the_order_of_their_places(floor: "Floor") -> None:
    floor.queue("slow", ring_timeout_ms=30_000)
    floor.agent("grace")
    floor.agent("alan")
    floor.contact("zoe", queue_id="slow", at_ms=1)
    floor.contact("ben", at_ms=2)
    floor.agent("edsger", at_ms=3)
    events = floor.pass_time(40_000)
    assert [type(event) for event in events[:4]] == [OfferExpired] * 2 + [ContactRequeued] * 2
    assert floor.offered(events) == [("zoe", "edsger")], "older, though its lease ended later"


def test_many_leases_that_ran_out_together_take_several_decisions(floor: "Floor") -> None:
    slots = 25
    agents = EXPIRIES_PER_DECISION_MAX // slots + 1
    for number in range(agents):
        floor.agent(f"a{number}", voice=slots)
    for number in range(agents * slots):
        floor.contact(f"c{number:03}")
    for left in (agents * slots - EXPIRIES_PER_DECISION_MAX, 0):
        assert floor.core.next_deadline(floor.state) == 20_000
        floor.pass_time(60_000)
        assert len(floor.state.offers) == left


def test_time_that_passes_without_a_lease_changes_nothing(floor: "Floor") -> None:
    assert floor.tell(PassTime(), 10**12) == ()


def test_an_expired_offer_is_told_once_and_its_agent_gets_nothing_more(floor: "Floor") -> None:
    floor.agent("grace", voice=2)
    floor.contact("ada")
    floor.pass_time(20_000)
    assert floor.pass_time(20_001) == ()
    assert floor.offered(floor.contact("ben", at_ms=20_002)) == [], "grace answers nothing"
