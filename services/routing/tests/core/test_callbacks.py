"""A callback in routing: a contact like any, but it may leave for later and come back with its age."""

from typing import TYPE_CHECKING

from huntgroup_routing.core.messages import (
    ContactDequeued,
    ContactEnqueued,
    ObserveContactAbandoned,
    ObserveContactQueued,
    OfferCanceled,
    OfferCreated,
)
from huntgroup_routing.core.values import Channel, ContactId, DequeueReason, QueueId

if TYPE_CHECKING:
    from services.routing.tests.conftest import Floor

ADA = ContactId("ada")
POSTPONED = ObserveContactAbandoned(contact_id=ADA, reason=DequeueReason.CALLBACK_POSTPONED)
OVER = ObserveContactAbandoned(contact_id=ADA, reason=DequeueReason.CALLBACK_ENDED)


def back(stay: int, attempts: int) -> ObserveContactQueued:
    return ObserveContactQueued(
        contact_id=ADA,
        queue_id=QueueId("sales"),
        channel=Channel.VOICE,
        priority=0,
        required_skills=(),
        enqueued_at_ms=1,
        stay=stay,
        attempts=attempts,
    )


def test_who_is_called_later_leaves_and_comes_back_before_the_younger(floor: "Floor") -> None:
    floor.contact("ada", at_ms=1)
    (gone,) = floor.tell(POSTPONED, 5)
    assert isinstance(gone, ContactDequeued)
    assert gone.reason is DequeueReason.CALLBACK_POSTPONED
    floor.contact("ben", at_ms=6)
    (came,) = floor.tell(back(stay=1, attempts=0), 100)
    assert isinstance(came, ContactEnqueued)
    assert floor.offered(floor.agent("grace", at_ms=101)) == [("ada", "grace")]


def test_an_agent_who_rings_is_freed_and_missed_nothing(floor: "Floor") -> None:
    floor.agent("grace")
    floor.contact("ada", at_ms=1)
    canceled, gone = floor.tell(POSTPONED, 5)
    assert isinstance(canceled, OfferCanceled)
    assert canceled.reason == "CALLBACK_POSTPONED"
    assert isinstance(gone, ContactDequeued)
    floor.release("ada.1", "grace", at_ms=6)
    offer = floor.tell(back(stay=1, attempts=1), 100)[-1]
    assert isinstance(offer, OfferCreated)
    assert offer.offer_id == "ada.2"


def test_who_was_dialled_in_vain_comes_back_in_a_later_stay_only(floor: "Floor") -> None:
    floor.agent("grace")
    floor.contact("ada", at_ms=1)
    floor.accept("ada.1", "grace", at_ms=2)
    floor.release("ada.1", "grace", at_ms=3)
    assert floor.tell(back(stay=0, attempts=1), 4) == (), "told of the first stay once more"
    enqueued, offer = floor.tell(back(stay=1, attempts=1), 5)
    assert isinstance(enqueued, ContactEnqueued)
    assert isinstance(offer, OfferCreated)
    assert (offer.offer_id, offer.enqueued_at_ms) == ("ada.2", 1)
    floor.accept("ada.2", "grace", at_ms=6)
    again = type(floor)(state=floor.core.load("acme/emea", floor.core.dump(floor.state)))
    assert again.core.dump(again.state) == floor.core.dump(floor.state)
    assert again.tell(back(stay=1, attempts=1), 7) == ()


def test_a_callback_that_is_over_leaves(floor: "Floor") -> None:
    floor.contact("ada", at_ms=1)
    (gone,) = floor.tell(OVER, 5)
    assert isinstance(gone, ContactDequeued)
    assert gone.reason is DequeueReason.CALLBACK_ENDED
    assert floor.tell(OVER, 6) == ()


def test_how_often_a_queue_lets_callbacks_be_tried_has_one_form(floor: "Floor") -> None:
    floor.tell(floor.queue_command("sales", callback_attempts=3), 1)
    rules = floor.state.queues[QueueId("sales")].rules
    assert (rules.callback_attempts, rules.callback_retry_ms) == (3, 300_000)
    floor.tell(floor.queue_command("sales", callback_retry_ms=5_000), 2)
    rules = floor.state.queues[QueueId("sales")].rules
    assert (rules.callback_attempts, rules.callback_retry_ms) == (0, 0)
