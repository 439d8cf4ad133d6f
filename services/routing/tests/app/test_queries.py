"""What may be asked about a domain."""

from typing import TYPE_CHECKING

from huntgroup_routing.app.queries import find_offer, find_queue, first_waiting
from huntgroup_routing.core.messages import Reason, Refused
from huntgroup_routing.core.state import Offer
from huntgroup_routing.core.values import OfferId, OfferState, QueueId

if TYPE_CHECKING:
    from services.routing.tests.conftest import Floor

SALES, FIRST = QueueId("sales"), OfferId("c0.1")


def test_a_queue_is_found_with_the_contacts_that_are_served_first(floor: "Floor") -> None:
    floor.queue("support")
    for number in range(120):
        floor.contact(f"c{number}", priority=number % 3, at_ms=number)
    floor.contact("elsewhere", queue_id="support", priority=9)
    queue = floor.state.queues[SALES]
    assert find_queue(floor.state, SALES) is queue
    found = [contact.contact_id for contact in first_waiting(floor.state, queue)]
    assert len(found) == 100
    assert (found[0], found[40], found[80], found[99]) == ("c2", "c1", "c0", "c57")


def test_what_nobody_configured_is_said_to_be_unknown(floor: "Floor") -> None:
    queue = find_queue(floor.state, QueueId("nowhere"))
    offer = find_offer(floor.state, FIRST)
    assert isinstance(queue, Refused)
    assert isinstance(offer, Refused)
    assert (queue.reason, offer.reason) == (Reason.QUEUE_UNKNOWN, Reason.OFFER_UNKNOWN)
    assert "nowhere" in queue.detail
    assert "c0.1" in offer.detail


def test_an_offer_is_found_while_it_rings_and_after(floor: "Floor") -> None:
    floor.agent("grace")
    floor.contact("c0")
    pending = find_offer(floor.state, FIRST)
    assert isinstance(pending, Offer)
    assert pending.state is OfferState.PENDING
    floor.abandon("c0")
    ended = find_offer(floor.state, FIRST)
    assert isinstance(ended, Offer)
    assert ended.state is OfferState.CANCELED
