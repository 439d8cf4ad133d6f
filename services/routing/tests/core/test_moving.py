"""What somebody may do for a contact that waits: give it another queue, or another priority."""

from typing import TYPE_CHECKING

from huntgroup_routing.core.messages import (
    ContactMoved,
    ContactReprioritized,
    MoveContact,
    OfferCanceled,
    OfferCreated,
    Reason,
    SetContactPriority,
)
from huntgroup_routing.core.overflow import OverflowAction, OverflowRule, OverflowTrigger
from huntgroup_routing.core.values import ContactId, QueueId, Strategy

if TYPE_CHECKING:
    from services.routing.tests.conftest import Floor

ADA, SALES, NIGHT = ContactId("ada"), QueueId("sales"), QueueId("night")
TO_NIGHT = MoveContact(contact_id=ADA, queue_id=NIGHT)


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
