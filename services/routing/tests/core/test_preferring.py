"""Contacts that are for certain agents: who waits for whom, how long, and then what when they are not to be had."""

from typing import TYPE_CHECKING

from huntgroup_routing.app.queries import why_text
from huntgroup_routing.core.messages import (
    AssignContact,
    ContactEnqueued,
    ContactMoved,
    ContactRequeued,
    Event,
    MoveContact,
    OfferCreated,
    PreferenceLapsed,
)
from huntgroup_routing.core.overflow import OverflowAction, OverflowRule, OverflowTrigger
from huntgroup_routing.core.values import (
    AgentId,
    Channel,
    ContactId,
    DecisionRule,
    LapseReason,
    QueueId,
    Strategy,
)

if TYPE_CHECKING:
    from services.routing.tests.conftest import Floor

HOLD_MS = 60_000
TO_SUPPORT = MoveContact(contact_id=ContactId("ada"), queue_id=QueueId("support"))


def two_agents(floor: "Floor", **policy: object) -> None:
    """Let grace and alan work in a queue that holds contacts for a minute; grace is idle longer."""
    said: dict[str, object] = {"preferred_hold_ms": HOLD_MS, **policy}
    floor.tell(floor.queue_command(**said))  # type: ignore[arg-type]
    floor.agent("grace", at_ms=1)
    floor.agent("alan", at_ms=2)


def busy(floor: "Floor", agent_id: str, at_ms: int) -> None:
    """Let an agent talk to somebody."""
    floor.contact(f"of-{agent_id}", direct=agent_id, at_ms=at_ms)
    floor.accept(f"of-{agent_id}.1", agent_id, at_ms=at_ms)


def rule_of(events: tuple[Event, ...]) -> DecisionRule:
    (offer,) = (one for one in events if isinstance(one, OfferCreated))
    assert offer.explanation is not None
    return offer.explanation.rule


def test_a_preferred_agent_who_is_idle_is_asked_first(floor: "Floor") -> None:
    two_agents(floor)
    events = floor.contact("ada", preferred=("alan",), at_ms=10)
    assert floor.offered(events) == [("ada", "alan")]
    assert rule_of(events) is DecisionRule.PREFERRED
    offer = events[1]
    assert isinstance(offer, OfferCreated)
    assert offer.explanation is not None
    text = why_text(offer.explanation, offer.agent_id, offer.idle_agents, 10)
    assert text.startswith("alan got it since they were preferred: priority 0, waiting since")


def test_of_several_the_first_who_is_idle_is_asked(floor: "Floor") -> None:
    two_agents(floor)
    busy(floor, "grace", 5)
    events = floor.contact("ada", preferred=("grace", "alan"), at_ms=10)
    assert floor.offered(events) == [("ada", "alan")]


def test_a_contact_waits_for_a_busy_one_while_others_are_idle(floor: "Floor") -> None:
    two_agents(floor)
    busy(floor, "alan", 5)
    (enqueued,) = floor.contact("ada", preferred=("alan",), at_ms=10)
    assert isinstance(enqueued, ContactEnqueued)
    assert (enqueued.awaited_agents, enqueued.awaited_until_ms) == (("alan",), 10 + HOLD_MS)
    events = floor.release("of-alan.1", "alan", at_ms=500)
    assert floor.offered(events) == [("ada", "alan")]


def test_then_anybody_may_have_it_with_its_age(floor: "Floor") -> None:
    two_agents(floor)
    busy(floor, "alan", 5)
    floor.contact("ada", preferred=("alan",), at_ms=10)
    assert floor.core.next_deadline(floor.state) == 10 + HOLD_MS
    lapsed, offer = floor.pass_time(10 + HOLD_MS)
    assert isinstance(lapsed, PreferenceLapsed)
    assert lapsed.reason is LapseReason.WAITED_LONG_ENOUGH
    assert isinstance(offer, OfferCreated)
    assert (offer.agent_id, offer.enqueued_at_ms) == ("grace", 10)


def test_it_does_not_wait_for_who_is_not_there_or_not_ready_or_not_able(floor: "Floor") -> None:
    two_agents(floor)
    floor.not_ready("alan", at_ms=5)
    assert floor.offered(floor.contact("ada", preferred=("alan", "nobody"), at_ms=10)) == [
        ("ada", "grace")
    ]
    floor.queue("tax", "tax", preferred_hold_ms=HOLD_MS, at_ms=11)
    (enqueued,) = floor.contact("ben", queue_id="tax", preferred=("grace",), at_ms=12)
    assert isinstance(enqueued, ContactEnqueued)
    assert enqueued.awaited_agents == ()


def test_without_a_hold_only_who_is_idle_is_preferred(floor: "Floor") -> None:
    two_agents(floor, preferred_hold_ms=0)
    assert floor.offered(floor.contact("ada", preferred=("alan",), at_ms=10)) == [("ada", "alan")]
    assert floor.offered(floor.contact("ben", preferred=("alan",), at_ms=11)) == [("ben", "grace")]


def test_when_the_last_of_them_goes_it_goes_over_at_once(floor: "Floor") -> None:
    two_agents(floor)
    busy(floor, "alan", 5)
    floor.contact("ada", preferred=("alan",), at_ms=10)
    floor.not_ready("alan", at_ms=20)
    assert floor.core.next_deadline(floor.state) == 20
    lapsed, offer = floor.pass_time(20)
    assert isinstance(lapsed, PreferenceLapsed)
    assert lapsed.reason is LapseReason.AGENTS_GONE
    assert isinstance(offer, OfferCreated)
    assert offer.agent_id == "grace"


def test_who_lets_it_ring_in_vain_is_not_waited_for_again(floor: "Floor") -> None:
    two_agents(floor)
    floor.contact("ada", preferred=("alan",), at_ms=10)
    events = floor.reject("ada.1", "alan", at_ms=11)
    assert any(isinstance(one, ContactRequeued) for one in events)
    assert floor.offered(events) == [("ada", "grace")]


def test_of_equal_priority_those_who_wait_for_an_agent_go_first(floor: "Floor") -> None:
    two_agents(floor)
    busy(floor, "alan", 5)
    busy(floor, "grace", 5)
    floor.contact("old", at_ms=6)
    floor.contact("ada", preferred=("alan",), at_ms=10)
    floor.contact("urgent", priority=1, at_ms=11)
    assert floor.offered(floor.release("of-alan.1", "alan", at_ms=20)) == [("urgent", "alan")]
    floor.accept("urgent.1", "alan", at_ms=21)
    assert floor.offered(floor.release("urgent.1", "alan", at_ms=22)) == [("ada", "alan")]
    assert floor.offered(floor.release("of-grace.1", "grace", at_ms=23)) == [("old", "grace")]


def test_with_two_slots_an_agent_gets_their_own_and_the_next_in_line(floor: "Floor") -> None:
    two_agents(floor)
    floor.sign_on("joan", at_ms=3, voice=2)
    busy(floor, "alan", 5)
    busy(floor, "grace", 5)
    floor.contact("old", at_ms=6)
    floor.contact("ada", direct="joan", at_ms=10)
    assert floor.offered(floor.ready("joan", at_ms=20)) == [("ada", "joan"), ("old", "joan")]


def test_who_served_a_customer_last_is_preferred_where_the_queue_says_so(floor: "Floor") -> None:
    two_agents(floor, prefers_last_agent=True)
    floor.contact("ada", customer="+1202", preferred=("alan",), at_ms=10)
    floor.accept("ada.1", "alan", at_ms=11)
    floor.release("ada.1", "alan", at_ms=12)
    assert floor.offered(floor.contact("again", customer="+1202", at_ms=20)) == [("again", "alan")]
    assert floor.offered(floor.contact("other", customer="+1203", at_ms=21)) == [("other", "grace")]


def test_a_contact_for_one_agent_waits_for_them_alone(floor: "Floor") -> None:
    two_agents(floor, direct_hold_ms=90_000)
    (enqueued,) = floor.contact("ada", direct="joan", at_ms=10)
    assert isinstance(enqueued, ContactEnqueued)
    assert (enqueued.awaited_agents, enqueued.direct) == (("joan",), True)
    events = floor.agent("joan", at_ms=1_000)
    assert floor.offered(events) == [("ada", "joan")]
    assert rule_of(events) is DecisionRule.DIRECT
    floor.accept("ada.1", "joan", at_ms=1_500)
    floor.contact("ben", direct="mary", at_ms=2_000)
    lapsed, offer = floor.pass_time(92_000)[-2:]
    assert isinstance(lapsed, PreferenceLapsed)
    assert isinstance(offer, OfferCreated)
    assert offer.contact_id == "ben"


def test_without_an_end_it_waits_while_they_are_signed_on(floor: "Floor") -> None:
    two_agents(floor)
    floor.sign_on("joan", at_ms=3)
    floor.contact("ada", direct="joan", at_ms=10)
    floor.contact("ben", direct="joan", at_ms=11)
    assert floor.core.next_deadline(floor.state) is None
    floor.abandon("ada", at_ms=99)
    floor.sign_off("joan", at_ms=100)
    lapsed, offer = floor.pass_time(100)
    assert isinstance(lapsed, PreferenceLapsed)
    assert (lapsed.contact_id, lapsed.reason) == ("ben", LapseReason.AGENTS_GONE)
    assert floor.offered((offer,)) == [("ben", "grace")]
    assert not floor.state.awaiting


def test_without_an_end_who_is_not_signed_on_is_not_waited_for(floor: "Floor") -> None:
    two_agents(floor)
    events = floor.contact("ada", direct="nobody-knows", at_ms=10)
    assert floor.offered(events) == [("ada", "grace")]


def test_without_an_end_who_has_not_the_channel_is_not_waited_for(floor: "Floor") -> None:
    two_agents(floor)
    floor.sign_on("chris", chat=1, at_ms=5)
    assert floor.offered(floor.contact("ada", direct="chris", at_ms=10)) == [("ada", "grace")]


def test_without_an_end_it_goes_over_when_they_sign_on_without_its_channel(floor: "Floor") -> None:
    two_agents(floor, channel=None)
    floor.sign_on("chris", chat=1, voice=1, at_ms=5)
    floor.contact("ada", direct="chris", at_ms=10)
    floor.contact("chat", direct="chris", channel=Channel.CHAT, at_ms=11)
    joined, lapsed, offer = floor.sign_on("chris", chat=2, at_ms=20)
    assert isinstance(lapsed, PreferenceLapsed)
    assert (lapsed.contact_id, lapsed.reason) == ("ada", "AGENTS_GONE")
    assert floor.offered((joined, offer)) == [("ada", "grace")]


def assigned(floor: "Floor", **hold: int) -> None:
    """Ada waits for joan, who is busy, and a supervisor gives her to alan."""
    two_agents(floor, **hold)
    floor.agent("joan", at_ms=3)
    busy(floor, "joan", 5)
    floor.contact("ada", direct="joan", at_ms=10)
    assign = AssignContact(
        contact_id=ContactId("ada"),
        agent_id=AgentId("alan"),
        supervisor_id=AgentId("eve"),
        waive_requirement=False,
    )
    assert floor.offered(floor.tell(assign, 20)) == [("ada", "alan")]


def test_whom_it_was_assigned_to_declines_and_it_waits_on_for_its_own(floor: "Floor") -> None:
    assigned(floor)
    _, requeued = floor.reject("ada.1", "alan", at_ms=30)
    assert isinstance(requeued, ContactRequeued)
    assert (requeued.awaited_agents, requeued.direct) == (("joan",), True)
    assert floor.offered(floor.release("ada.1", "alan", at_ms=31)) == []
    assert floor.offered(floor.release("of-joan.1", "joan", at_ms=40)) == [("ada", "joan")]
    assert floor.offered(floor.reject("ada.2", "joan", at_ms=50)) == [("ada", "grace")]


def test_it_rings_at_its_own_at_once_who_became_free_meanwhile(floor: "Floor") -> None:
    assigned(floor)
    floor.release("of-joan.1", "joan", at_ms=25)
    assert floor.offered(floor.reject("ada.1", "alan", at_ms=30)) == [("ada", "joan")]


def test_its_wait_goes_on_being_counted_while_it_rings_at_another(floor: "Floor") -> None:
    assigned(floor, direct_hold_ms=15)
    floor.reject("ada.1", "alan", at_ms=30)
    assert floor.core.next_deadline(floor.state) == 25
    lapsed, offer = floor.pass_time(30)
    assert isinstance(lapsed, PreferenceLapsed)
    assert floor.offered((offer,)) == [("ada", "grace")]


def test_who_signed_off_while_it_rang_at_another_is_waited_for_no_more(floor: "Floor") -> None:
    assigned(floor)
    floor.sign_off("joan", at_ms=25)
    floor.reject("ada.1", "alan", at_ms=30)
    lapsed, offer = floor.pass_time(30)
    assert isinstance(lapsed, PreferenceLapsed)
    assert lapsed.reason is LapseReason.AGENTS_GONE
    assert floor.offered((offer,)) == [("ada", "grace")]


def test_who_signs_on_without_its_channel_while_it_rang_is_waited_for_no_more(
    floor: "Floor",
) -> None:
    assigned(floor)
    floor.sign_on("joan", chat=1, at_ms=25)
    floor.reject("ada.1", "alan", at_ms=30)
    lapsed, offer = floor.pass_time(30)
    assert isinstance(lapsed, PreferenceLapsed)
    assert lapsed.reason is LapseReason.AGENTS_GONE
    assert floor.offered((offer,)) == [("ada", "grace")]


def test_it_rings_at_them_alone_also_where_several_may_ring(floor: "Floor") -> None:
    two_agents(floor, strategy=Strategy.RING_ALL)
    events = floor.contact("ada", preferred=("alan",), at_ms=10)
    assert floor.offered(events) == [("ada", "alan")]
    assert floor.offered(floor.reject("ada.1", "alan", at_ms=11)) == [("ada", "grace")]


def test_a_snapshot_keeps_who_waits_for_whom(floor: "Floor") -> None:
    two_agents(floor, prefers_last_agent=True)
    busy(floor, "alan", 5)
    floor.contact("ada", preferred=("alan",), customer="+1", at_ms=10)
    dumped = floor.core.dump(floor.state)
    floor.state = floor.core.load("acme/emea", dumped)
    assert floor.core.dump(floor.state) == dumped
    assert [*floor.state.awaiting] == [AgentId("alan")]
    assert floor.state.contacts[ContactId("ada")].customer_key == "+1"


def test_a_rule_of_its_queue_sends_it_to_another_where_anybody_may_have_it(floor: "Floor") -> None:
    floor.queue("others")
    to_others = OverflowRule(
        trigger=OverflowTrigger.WAITED,
        action=OverflowAction.QUEUE,
        limit=30_000,
        queue_id=QueueId("others"),
    )
    two_agents(floor, overflow=(to_others,), direct_hold_ms=90_000)
    floor.contact("ada", direct="joan", at_ms=10)
    moved, offer = floor.pass_time(30_010)
    assert isinstance(moved, ContactMoved)
    assert isinstance(offer, OfferCreated)
    assert (offer.agent_id, offer.queue_id, offer.enqueued_at_ms) == ("grace", "others", 10)
    assert not floor.state.awaiting


def test_whom_it_is_for_goes_along_to_another_queue(floor: "Floor") -> None:
    two_agents(floor)
    floor.queue("support", preferred_hold_ms=2 * HOLD_MS)
    busy(floor, "alan", 5)
    floor.contact("ada", preferred=("alan",), at_ms=10)
    (moved,) = floor.tell(TO_SUPPORT, 20)
    assert isinstance(moved, ContactMoved)
    assert moved.awaited_agents == ("alan",), "not for grace, who is idle"
    assert moved.awaited_until_ms == 10 + 2 * HOLD_MS, "since it was queued"
    again = type(floor)(state=floor.core.load("acme/emea", floor.core.dump(floor.state)))
    assert again.core.dump(again.state) == floor.core.dump(floor.state)
    events = again.release("of-alan.1", "alan", at_ms=500)
    assert again.offered(events) == [("ada", "alan")]
    assert rule_of(events) is DecisionRule.PREFERRED


def test_a_queue_it_overflows_to_asks_anew_who_can_be_had_for_it(floor: "Floor") -> None:
    waited = OverflowRule(
        trigger=OverflowTrigger.WAITED,
        limit=30_000,
        action=OverflowAction.QUEUE,
        queue_id=QueueId("support"),
    )
    floor.queue("support")
    floor.queue("sales", "patience", overflow=(waited,))
    floor.agent("grace", at_ms=1)
    floor.agent("alan", at_ms=2)
    (enqueued,) = floor.contact("ada", preferred=("alan",), at_ms=10)
    assert isinstance(enqueued, ContactEnqueued)
    assert enqueued.awaited_agents == (), "alan cannot serve it there"
    events = floor.pass_time(30_010)
    assert floor.offered(events) == [("ada", "alan")], "grace is idle longer"
    assert rule_of(events) is DecisionRule.PREFERRED


def test_two_who_go_at_once_do_not_get_the_same_agent(floor: "Floor") -> None:
    waited = OverflowRule(
        trigger=OverflowTrigger.WAITED,
        limit=30_000,
        action=OverflowAction.QUEUE,
        queue_id=QueueId("support"),
    )
    floor.queue("support", preferred_hold_ms=HOLD_MS)
    floor.queue("sales", "patience", overflow=(waited,))
    floor.agent("alan", at_ms=2)
    for contact_id in ("ada", "ben"):
        floor.contact(contact_id, preferred=("alan",), at_ms=10)
    assert floor.offered(floor.pass_time(30_010)) == [("ada", "alan")]
    assert floor.state.contacts[ContactId("ben")].awaited is not None


def test_the_agent_of_last_time_is_looked_up_where_the_queue_wants_that(floor: "Floor") -> None:
    two_agents(floor)
    floor.contact("before", preferred=("alan",), customer="+41", at_ms=5)
    floor.accept("before.1", "alan", at_ms=6)
    busy(floor, "grace", 7)
    floor.queue("support", prefers_last_agent=True, preferred_hold_ms=HOLD_MS)
    floor.contact("ada", customer="+41", at_ms=10)
    (moved,) = floor.tell(TO_SUPPORT, 20)
    assert isinstance(moved, ContactMoved)
    assert moved.awaited_agents == ("alan",)


def test_who_let_it_ring_in_vain_is_preferred_nowhere(floor: "Floor") -> None:
    two_agents(floor)
    floor.queue("support", preferred_hold_ms=HOLD_MS)
    busy(floor, "grace", 5)
    floor.contact("ada", preferred=("alan",), at_ms=10)
    floor.reject("ada.1", "alan", at_ms=11)
    moved = floor.tell(TO_SUPPORT, 20)[0]
    assert isinstance(moved, ContactMoved)
    assert moved.awaited_agents == ()


def test_for_one_agent_alone_it_is_no_more_in_another_queue(floor: "Floor") -> None:
    two_agents(floor)
    floor.queue("support", preferred_hold_ms=HOLD_MS)
    busy(floor, "alan", 5)
    floor.contact("ada", direct="alan", at_ms=10)
    assert floor.offered(floor.tell(TO_SUPPORT, 20)) == [("ada", "grace")]
