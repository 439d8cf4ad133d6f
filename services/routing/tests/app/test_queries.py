"""What may be asked about a domain."""

from typing import TYPE_CHECKING

import pytest

from huntgroup_routing.app.queries import find_offer, find_queue, first_waiting, why_text
from huntgroup_routing.core.messages import OfferCreated, Reason, Refused
from huntgroup_routing.core.state import Offer
from huntgroup_routing.core.values import OfferId, OfferState, QueueId, Strategy

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


# Why an offer went to its agent, in words.


def told(floor: "Floor", strategy: Strategy) -> str:
    """Let Grace and Alan do a little, and a contact find them idle; return why it went to whom."""
    floor.queue("sales", "billing", strategy=strategy, at_ms=0)
    floor.agent("grace", levels={"billing": 3}, at_ms=0)
    floor.serve("first", "grace", 1_000, 5_000)
    floor.agent("alan", "billing", at_ms=6_000)
    floor.contact("ada", at_ms=10_000)
    offer = floor.state.find_offer(OfferId("ada.1"))
    assert offer is not None
    assert offer.why is not None
    return why_text(offer.why, offer.agent_id, offer.idle_agents, offer.created_at_ms)


@pytest.mark.parametrize(
    ("strategy", "why"),
    [
        (Strategy.LONGEST_IDLE, "grace, one of 2 idle agents: idle since 1970-01-01 00:00:05.000;"),
        (Strategy.MOST_IDLE, "idle for 6.000 s in all; next was alan: idle for 4.000 s in all"),
        (Strategy.FEWEST_CONTACTS, "0 contacts accepted; next was grace: 1 contacts accepted"),
        (Strategy.LEAST_HANDLE_TIME, "0.000 s of handling; next was grace: 4.000 s of handling"),
        (Strategy.LEAST_OCCUPIED, "0.0000 % occupied; next was grace: 80.0000 % occupied"),
        (Strategy.ROUND_ROBIN, "alan, one of 2 idle agents: the next by id"),
        (Strategy.LINEAR, "alan, one of 2 idle agents: the first by id; next was grace"),
        (Strategy.RANDOM, "one of 2 idle agents: drawn by chance"),
        (Strategy.WEIGHTED_RANDOM, "drawn by chance with weight"),
        (Strategy.BEST_SKILL, "grace, one of 2 idle agents: levels of 3 in all; next was alan: le"),
    ],
)
def test_a_strategy_tells_the_figures_it_compared(
    floor: "Floor", strategy: Strategy, why: str
) -> None:
    text = told(floor, strategy)
    assert text.startswith(f"{strategy} chose ")
    assert why in text


def test_the_first_in_line_tells_who_stood_behind(floor: "Floor") -> None:
    for number, priority in enumerate((0, 4, 0)):
        floor.contact(f"c{number}", priority=priority, at_ms=number * 1_000)
    events = floor.agent("grace", at_ms=5_000)
    (offer,) = (one for one in events if isinstance(one, OfferCreated))
    assert offer.explanation is not None
    assert why_text(offer.explanation, offer.agent_id, 1, 5_000) == (
        "grace became idle and got the first of the contacts they may serve: priority 4, waiting"
        " since 1970-01-01 00:00:01.000; next was contact c0: priority 0, waiting since"
        " 1970-01-01 00:00:00.000"
    )


def test_who_was_set_aside_is_told_and_that_nobody_else_was_there(floor: "Floor") -> None:
    floor.queue(reoffer_after_ms=30_000, ring_timeout_ms=60_000)
    floor.agent("grace")
    floor.contact("ada")
    floor.reject("ada.1", "grace", at_ms=1)
    for at_ms, agent_id in ((2, "alan"), (4, "edsger")):
        floor.agent(agent_id, at_ms=at_ms)
    floor.release("ada.1", "grace", at_ms=5)
    for attempt, agent_id, at_ms in ((2, "alan", 6), (3, "edsger", 7)):
        events = floor.reject(f"ada.{attempt}", agent_id, at_ms=at_ms)
        (offer,) = (one for one in events if isinstance(one, OfferCreated))
        assert offer.explanation is not None
        text = why_text(offer.explanation, offer.agent_id, offer.idle_agents, at_ms)
        assert ("1 set aside who had let it go" in text) == (agent_id == "alan")
        assert ("but nobody else was idle" in text) == (agent_id == "edsger")
