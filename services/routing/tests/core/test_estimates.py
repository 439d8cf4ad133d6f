"""How long contacts will wait: told by the pace at which those alike left before."""

from random import Random
from typing import TYPE_CHECKING

import pytest

from huntgroup_routing.core.estimates import (
    estimated_wait,
    estimated_wait_ms,
    estimated_wait_of_next,
)
from huntgroup_routing.core.messages import (
    AcceptOffer,
    ContactDequeued,
    ObserveAgentReleased,
    ObserveContactAbandoned,
    RejectOffer,
)
from huntgroup_routing.core.overflow import OverflowAction, OverflowRule, OverflowTrigger
from huntgroup_routing.core.pace import Estimate, Pace
from huntgroup_routing.core.state import Queue
from huntgroup_routing.core.values import LANES_MAX, Channel, ContactId, QueueId

if TYPE_CHECKING:
    from services.routing.tests.conftest import Floor

MINUTE_MS, HOUR_MS = 60_000, 3_600_000
NO_WAIT = Estimate(wait_ms=0, low_ms=0, high_ms=0)


def sales(floor: "Floor") -> Queue:
    return floor.state.queues[QueueId("sales")]


def estimate_of(floor: "Floor", contact_id: str, at_ms: int) -> Estimate:
    found = estimated_wait(floor.state, floor.state.contacts[ContactId(contact_id)], at_ms)
    assert found is not None
    return found


@pytest.fixture
def steady(floor: "Floor") -> "Floor":
    """Grace has served a contact a minute for half an hour; five wait, and the next one rings at 30:00."""
    floor.agent("grace")
    for number in range(6):
        floor.contact(f"c{number}")
    for number in range(30):
        at_ms = number * MINUTE_MS
        floor.accept(f"c{number}.1", "grace", at_ms=at_ms)
        floor.contact(f"c{number + 6}", at_ms=at_ms)
        floor.release(f"c{number}.1", "grace", at_ms=at_ms + MINUTE_MS)
    return floor


def test_nothing_is_known_before_anybody_was_fetched_after_a_wait(floor: "Floor") -> None:
    assert estimated_wait_of_next(sales(floor), 0) is None
    floor.contact("ada")
    assert estimated_wait(floor.state, floor.state.contacts[ContactId("ada")], 1_000) is None


def test_who_finds_an_idle_agent_or_rings_waits_no_longer(floor: "Floor") -> None:
    floor.agent("grace")
    assert estimated_wait_of_next(sales(floor), 0) == NO_WAIT
    floor.contact("ada")
    assert estimate_of(floor, "ada", 0) == NO_WAIT


def test_each_waits_as_long_as_those_before_them_take(steady: "Floor") -> None:
    """At one a minute the first waits a minute and each other one a minute more; the lane's sums are not exact."""
    at_ms = 30 * MINUTE_MS
    for position in range(1, 6):
        estimate = estimate_of(steady, f"c{30 + position}", at_ms)
        assert estimate.wait_ms == pytest.approx(position * MINUTE_MS, rel=0.06)
        assert estimate.low_ms < estimate.wait_ms < estimate.high_ms
    assert estimated_wait_ms(sales(steady), at_ms) == pytest.approx(6 * MINUTE_MS, rel=0.06)


def test_the_longer_nobody_is_fetched_the_longer_it_will_take(steady: "Floor") -> None:
    said = [estimate_of(steady, "c31", (30 + late) * MINUTE_MS).wait_ms for late in (0, 5, 60)]
    assert said == sorted(said)
    assert said[2] > 2 * said[0]


def test_who_gives_up_makes_it_shorter_for_those_behind(steady: "Floor") -> None:
    """Not only by one place: others may give up, too."""
    at_ms = 30 * MINUTE_MS
    before = estimate_of(steady, "c35", at_ms).wait_ms
    steady.abandon("c32", at_ms=at_ms)
    by_one_place = before - before // 5
    assert estimate_of(steady, "c35", at_ms).wait_ms < by_one_place


def test_whom_an_agent_declines_was_not_fetched(steady: "Floor") -> None:
    at_ms = 30 * MINUTE_MS
    before = estimate_of(steady, "c31", at_ms).wait_ms
    steady.reject("c30.1", "grace", at_ms=at_ms)
    assert estimate_of(steady, "c31", at_ms).wait_ms > 2 * before


def test_another_priority_goes_by_its_own_pace_or_else_by_its_position(steady: "Floor") -> None:
    at_ms = 30 * MINUTE_MS
    steady.contact("vip", priority=5, at_ms=at_ms)
    assert estimate_of(steady, "vip", at_ms).wait_ms == pytest.approx(MINUTE_MS, rel=0.06)
    assert estimated_wait_ms(sales(steady), at_ms, priority=9) == estimated_wait_ms(
        sales(steady), at_ms, priority=7
    )


def test_a_night_with_nobody_there_tells_little_of_the_pace(steady: "Floor") -> None:
    steady.not_ready("grace", at_ms=30 * MINUTE_MS)
    steady.release("c30.1", "grace", at_ms=31 * MINUTE_MS)
    steady.ready("grace", at_ms=12 * HOUR_MS)
    said = estimate_of(steady, "c32", 12 * HOUR_MS).wait_ms
    assert said < 3 * MINUTE_MS


def test_positions_are_exact_however_many_wait(floor: "Floor") -> None:
    chance, contacts = Random(7), 1_500
    for number in range(contacts):
        floor.quickly(floor.contact_command(f"c{number}", priority=chance.randrange(3)))
    places = list(sales(floor).waiting.in_order())
    assert [sales(floor).waiting.position(place) for place in places] == list(
        range(1, contacts + 1)
    )


def test_lanes_that_nobody_uses_are_forgotten(floor: "Floor") -> None:
    for priority in range(LANES_MAX + 20):
        floor.contact(f"c{priority}", priority=priority, at_ms=priority)
        floor.abandon(f"c{priority}", at_ms=priority)
    assert len(list(sales(floor).waiting.paces)) == LANES_MAX
    assert floor.core.load("acme/emea", floor.core.dump(floor.state)) is not None


def test_the_pace_is_kept_in_the_written_form(steady: "Floor") -> None:
    at_ms = 30 * MINUTE_MS
    said = estimate_of(steady, "c33", at_ms)
    steady.state = steady.core.load("acme/emea", steady.core.dump(steady.state))
    assert estimate_of(steady, "c33", at_ms) == said


@pytest.mark.parametrize(("ahead", "heard"), [(1, 100), (5, 100), (20, 100), (2, 12)])
def test_four_of_five_times_lie_between_the_limits_where_chance_is_pure(
    ahead: int, heard: int
) -> None:
    """Departures at random at one rate: the only uncertainty is theirs, and that of what was heard of them.

    Of the latter a half more is allowed for, so a little more than four of five.
    """
    chance, within, tries = Random(f"{ahead} {heard}"), 0, 2_000
    for _ in range(tries):
        pace, at_ms = Pace(), 0
        for _ in range(heard):
            at_ms += round(chance.expovariate(1 / 10_000))
            pace.fetch(at_ms, 10_000)
        estimate = pace.estimate(ahead, at_ms, empty=False)
        assert estimate is not None
        real_ms = sum(chance.expovariate(1 / 10_000) for _ in range(ahead))
        within += estimate.low_ms <= real_ms <= estimate.high_ms
    assert 0.77 < within / tries < 0.87


def test_more_lanes_than_are_looked_through_are_counted_the_same(floor: "Floor") -> None:
    """Once in the sorted way, which a state that is read again goes on in, and once looked through."""
    chance, at_ms = Random(8), 0
    floor.agent("grace")
    for number in range(900):
        at_ms += 1_000
        contact_id = f"c{number}"
        floor.quickly(
            floor.contact_command(contact_id, priority=chance.randrange(300), at_ms=at_ms),
            at_ms=at_ms,
        )
        ringing = [one for one in floor.state.offers.values() if chance.random() < 0.3]
        for offer in ringing:
            offer_id, agent_id = offer.offer_id, offer.agent_id
            if chance.random() < 0.3:
                floor.quickly(
                    RejectOffer(offer_id=offer_id, agent_id=agent_id, reason=""), at_ms=at_ms
                )
            else:
                floor.quickly(AcceptOffer(offer_id=offer_id, agent_id=agent_id), at_ms=at_ms)
            floor.quickly(
                ObserveAgentReleased(agent_id=agent_id, offer_id=offer_id), at_ms=at_ms + 1
            )
        if number % 100 == 99:
            again = floor.core.load("acme/emea", floor.core.dump(floor.state))
            assert floor.core.dump(again) == floor.core.dump(floor.state)
            mine, other = sales(floor), again.queues[QueueId("sales")]
            many = len(list(other.waiting.paces)) > LANES_MAX
            assert (other.waiting._every is not None) == many
            other.waiting._every = other.waiting._known = None
            places = list(mine.waiting.in_order())
            assert places == list(other.waiting.in_order())
            for place in places[::7]:
                assert mine.waiting.position(place) == other.waiting.position(place)
            for priority in (0, 7, 999):
                assert estimated_wait_ms(mine, at_ms, priority) == estimated_wait_ms(
                    other, at_ms, priority
                )
    lanes = {contact.lane for contact in floor.state.contacts.values() if not contact.offer_id}
    assert len(lanes) > LANES_MAX
    for contact_id in [*floor.state.contacts]:
        floor.quickly(ObserveContactAbandoned(contact_id=contact_id), at_ms=at_ms)
    assert len(list(sales(floor).waiting.paces)) == LANES_MAX, "those empty are forgotten again"


def test_a_chat_does_not_count_on_an_agent_who_takes_calls_alone(floor: "Floor") -> None:
    floor.queue(channel=None)
    floor.agent("alan", chat=1)
    floor.contact("c0", channel=Channel.CHAT)
    for number in range(9):
        at_ms = number * MINUTE_MS
        floor.accept(f"c{number}.1", "alan", at_ms=at_ms)
        floor.contact(f"c{number + 1}", channel=Channel.CHAT, at_ms=at_ms)
        floor.release(f"c{number}.1", "alan", at_ms=at_ms + MINUTE_MS)
    floor.agent("grace", at_ms=9 * MINUTE_MS)
    assert estimated_wait_of_next(sales(floor), 9 * MINUTE_MS) == NO_WAIT
    floor.queue(
        channel=None,
        overflow=(
            OverflowRule(
                trigger=OverflowTrigger.ESTIMATED_WAIT,
                limit=MINUTE_MS // 2,
                action=OverflowAction.DISCONNECT,
            ),
        ),
    )
    *_, gone = floor.contact("chat", channel=Channel.CHAT, at_ms=9 * MINUTE_MS)
    assert isinstance(gone, ContactDequeued)
    came = floor.contact("call", at_ms=9 * MINUTE_MS)
    assert floor.offered(came) == [("call", "grace")]
