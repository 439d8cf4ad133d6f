"""What somebody may do for a contact that waits: give it another queue, or another priority."""

from typing import TYPE_CHECKING

import pytest

from huntgroup_routing.core.messages import (
    ContactMoved,
    ContactReprioritized,
    Event,
    MoveContact,
    OfferCanceled,
    OfferCreated,
    QueueReprioritized,
    Reason,
    SetContactPriority,
    SetQueuePriority,
)
from huntgroup_routing.core.overflow import OverflowAction, OverflowRule, OverflowTrigger
from huntgroup_routing.core.values import (
    REPRIORITIZED_PER_DECISION_MAX,
    ContactId,
    QueueId,
    Strategy,
)

if TYPE_CHECKING:
    from services.routing.tests.conftest import Floor

ADA, SALES, NIGHT = ContactId("ada"), QueueId("sales"), QueueId("night")
PUT_FIRST = SetQueuePriority(queue_id=SALES, priority=3)
TO_NIGHT = MoveContact(contact_id=ADA, queue_id=NIGHT)


def reprioritized(event: Event) -> tuple[str, int]:
    assert isinstance(event, ContactReprioritized)
    return event.contact_id, event.priority


def order(floor: "Floor", queue_id: QueueId) -> list[str]:
    return [place[2] for place in floor.state.queues[queue_id].waiting.in_order()]


def test_who_is_moved_keeps_age_and_priority_whatever_the_rules_there_say(floor: "Floor") -> None:
    too_many = OverflowRule(
        trigger=OverflowTrigger.QUEUE_LENGTH, limit=1, action=OverflowAction.DISCONNECT
    )
    floor.queue("night", "patience", overflow=(too_many,))
    floor.contact("ada", at_ms=5)
    floor.contact("ben", queue_id="night", at_ms=9)
    (moved,) = floor.tell(TO_NIGHT, 20)
    assert isinstance(moved, ContactMoved)
    assert (moved.enqueued_at_ms, moved.stay, moved.overflow) == (5, 1, None)
    assert order(floor, NIGHT) == ["ada", "ben"]
    assert floor.tell(TO_NIGHT, 21) == ()


def test_who_rings_is_taken_from_its_agents_and_offered_there(floor: "Floor") -> None:
    floor.queue("sales", strategy=Strategy.RING_ALL)
    floor.queue("night", "patience")
    for agent_id in ("grace", "alan"):
        floor.agent(agent_id)
    floor.agent("mary", "patience", at_ms=1)
    floor.not_ready("mary", at_ms=1)
    floor.contact("ada", at_ms=2)
    floor.ready("mary", at_ms=3)
    events = floor.tell(TO_NIGHT, 4)
    canceled = [one for one in events if isinstance(one, OfferCanceled)]
    assert {one.agent_id for one in canceled} >= {"grace", "alan"}
    assert {one.reason for one in canceled} == {"CONTACT_MOVED"}
    assert isinstance(events[len(canceled)], ContactMoved)


def test_moves_that_cannot_be_are_refused(floor: "Floor") -> None:
    floor.queue("night", waiting_max=1)
    floor.contact("ada")
    floor.contact("ben", queue_id="night")
    nobody = MoveContact(contact_id=ContactId("nobody"), queue_id=NIGHT)
    nowhere = MoveContact(contact_id=ADA, queue_id=QueueId("nowhere"))
    assert floor.refused(nobody).reason is Reason.CONTACT_UNKNOWN
    assert floor.refused(nowhere).reason is Reason.QUEUE_UNKNOWN
    assert floor.refused(TO_NIGHT).reason is Reason.TARGET_FULL
    raised = SetContactPriority(contact_id=ContactId("nobody"), priority=3)
    assert floor.refused(raised).reason is Reason.CONTACT_UNKNOWN


def test_another_priority_is_another_place_at_the_same_age(floor: "Floor") -> None:
    floor.contact("ben", at_ms=1, priority=3)
    floor.contact("ada", at_ms=2)
    raised = SetContactPriority(contact_id=ADA, priority=3)
    (told,) = floor.tell(raised, 9)
    assert told == ContactReprioritized(at_ms=9, contact_id=ADA, queue_id=SALES, priority=3)
    assert order(floor, SALES) == ["ben", "ada"]
    floor.tell(SetContactPriority(contact_id=ADA, priority=4), 10)
    assert floor.tell(SetContactPriority(contact_id=ADA, priority=4), 11) == ()
    assert order(floor, SALES) == ["ada", "ben"]
    again = type(floor)(state=floor.core.load("acme/emea", floor.core.dump(floor.state)))
    assert again.core.dump(again.state) == floor.core.dump(floor.state)
    assert again.offered(again.agent("grace", at_ms=12)) == [("ada", "grace")]


def test_another_priority_for_a_queue_is_one_for_all_who_stand_in_it(floor: "Floor") -> None:
    floor.agent("grace")
    floor.contact("rings", at_ms=0)
    floor.contact("high", at_ms=1, priority=5)
    floor.contact("low", at_ms=2)
    floor.contact("older", at_ms=3, enqueued_at_ms=-5)
    floor.contact("else", queue_id="sales", at_ms=4, priority=3)
    floor.queue("other")
    floor.contact("other", queue_id="other", at_ms=5, priority=2)
    (told,) = floor.tell(PUT_FIRST, 9)
    assert told == QueueReprioritized(at_ms=9, queue_id=SALES, priority=3, contacts=4)
    assert floor.core.next_deadline(floor.state) == 9
    followed = floor.pass_time(9)
    assert [reprioritized(one) for one in followed] == [
        *(("older", 3), ("rings", 3), ("low", 3)),  # raised, the first first
        ("high", 3),
    ]
    assert order(floor, SALES) == ["older", "high", "low", "else"]
    assert floor.tell(PUT_FIRST, 10) == ()
    floor.contact("new", at_ms=11)
    assert order(floor, SALES)[-1] == "new", "who comes later has the priority it is queued with"
    floor.reject("rings.1", "grace", at_ms=12)
    assert order(floor, SALES) == ["older", "rings", "high", "low", "else", "new"]


def test_those_behind_are_lowered_first(floor: "Floor") -> None:
    for at_ms, contact_id in enumerate(("ada", "ben", "cai")):
        floor.contact(contact_id, at_ms=at_ms, priority=9)
    floor.tell(PUT_FIRST, 9)
    told = floor.pass_time(9)
    assert [reprioritized(one) for one in told] == [(one, 3) for one in ("cai", "ben", "ada")]


def test_many_take_their_new_places_in_several_decisions(floor: "Floor") -> None:
    count = REPRIORITIZED_PER_DECISION_MAX + 4
    floor.quickly(*(floor.contact_command(f"c{number:03}") for number in range(count)), at_ms=1)
    floor.tell(PUT_FIRST, 9)
    assert len(floor.pass_time(9)) == REPRIORITIZED_PER_DECISION_MAX
    last = f"c{count - 1:03}"
    floor.abandon(f"c{count - 2:03}", at_ms=10)
    floor.tell(SetContactPriority(contact_id=ContactId(last), priority=0), 10)
    again = type(floor)(state=floor.core.load("acme/emea", floor.core.dump(floor.state)))
    assert again.core.dump(again.state) == floor.core.dump(floor.state)
    assert len(floor.pass_time(11)) == 2, "one left, and of another one it was said otherwise since"
    assert floor.core.next_deadline(floor.state) is None
    assert floor.state.contacts[ContactId(last)].priority == 0


def test_those_who_ring_take_their_new_places_in_the_same_order_after_a_snapshot(
    floor: "Floor",
) -> None:
    for agent_id in ("grace", "alan"):
        floor.agent(agent_id)
    for contact_id in (
        "zoe",
        "ada",
    ):  # they ring in the order of neither their ids nor their places
        floor.contact(contact_id, at_ms=1)
    again = type(floor)(state=floor.core.load("acme/emea", floor.core.dump(floor.state)))
    for one in (floor, again):
        one.tell(PUT_FIRST, 9)
    assert again.core.dump(again.state) == floor.core.dump(floor.state)
    assert [reprioritized(one) for one in floor.pass_time(9)] == [("ada", 3), ("zoe", 3)]


@pytest.mark.parametrize("before", [0, 9])
def test_nobody_passes_one_who_rings_and_comes_back_between_two_portions(
    floor: "Floor", before: int
) -> None:
    floor.agent("grace")
    for number in range(REPRIORITIZED_PER_DECISION_MAX + 4):
        floor.quickly(floor.contact_command(f"c{number:03}", priority=before), at_ms=number)
    assert floor.state.queues[SALES].ringing == 1
    floor.tell(PUT_FIRST, 999)
    floor.pass_time(999)
    assert floor.state.reprioritizing
    floor.reject("c000.1", "grace", at_ms=999)
    assert order(floor, SALES)[0] == "c000"
    floor.pass_time(999)
    assert order(floor, SALES) == sorted(order(floor, SALES))


def test_a_queue_that_is_not_there_is_refused(floor: "Floor") -> None:
    nowhere = SetQueuePriority(queue_id=QueueId("nowhere"), priority=3)
    assert floor.refused(nowhere).reason is Reason.QUEUE_UNKNOWN
    assert floor.tell(PUT_FIRST, 1) == (), "nobody stands there"


def test_who_rings_comes_back_to_its_new_place(floor: "Floor") -> None:
    floor.agent("grace")
    floor.contact("ada", at_ms=1)
    floor.contact("ben", at_ms=0, enqueued_at_ms=0)
    floor.tell(SetContactPriority(contact_id=ADA, priority=1), 2)
    floor.reject("ada.1", "grace", at_ms=3)
    assert order(floor, SALES) == ["ada", "ben"]


def test_a_contact_that_rings_at_some_of_several_may_still_ring_at_more(floor: "Floor") -> None:
    floor.queue("sales", strategy=Strategy.RING_ALL, ring_max=3)
    floor.agent("grace")
    floor.contact("ada", at_ms=1)
    floor.tell(SetContactPriority(contact_id=ADA, priority=5), 2)
    (_, offer) = floor.agent("alan", at_ms=3)[-2:]
    assert isinstance(offer, OfferCreated)
    assert offer.contact_id == ADA
