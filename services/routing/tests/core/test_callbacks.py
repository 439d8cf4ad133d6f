"""A callback in routing: a contact like any, but it may leave for later and come back with its age."""

from dataclasses import replace as changed
from typing import TYPE_CHECKING

import pytest
from msgspec.structs import replace

from huntgroup_routing.core.hours import (
    CloseQueue,
    OpeningHours,
    OpenQueue,
    QueueClosed,
    WeeklyHours,
)
from huntgroup_routing.core.messages import (
    ContactDequeued,
    ContactEnqueued,
    ContactMoved,
    MoveContact,
    ObserveContactAbandoned,
    ObserveContactQueued,
    OfferCanceled,
    OfferCreated,
    PassTime,
    Reason,
)
from huntgroup_routing.core.overflow import OverflowAction, OverflowRule, OverflowTrigger
from huntgroup_routing.core.pace import ONE
from huntgroup_routing.core.values import Channel, ContactId, DequeueReason, QueueId

if TYPE_CHECKING:
    from services.routing.tests.conftest import Floor

ADA = ContactId("ada")
POSTPONED = ObserveContactAbandoned(contact_id=ADA, reason=DequeueReason.CALLBACK_POSTPONED)
OVER = ObserveContactAbandoned(contact_id=ADA, reason=DequeueReason.CALLBACK_ENDED)


HAND_BACK, NIGHT = OverflowAction.HAND_BACK, QueueId("night")


def rule(trigger: OverflowTrigger, limit: int = 0) -> OverflowRule:
    return OverflowRule(trigger=trigger, limit=limit, action=HAND_BACK)


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
        returns=stay > 0,
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
    assert (rules.callbacks_max, rules.callback_dial_ms) == (10_000, 120_000)
    floor.tell(floor.queue_command("sales", callback_retry_ms=5_000, callbacks_max=7), 2)
    rules = floor.state.queues[QueueId("sales")].rules
    assert (rules.callback_attempts, rules.callback_retry_ms) == (0, 0)
    assert (rules.callbacks_max, rules.callback_dial_ms) == (0, 0)


def test_a_line_that_was_busy_is_not_dialled_anew_at_once(floor: "Floor") -> None:
    command = floor.queue_command("sales", callback_attempts=3, callback_retry_ms=999)
    refused = floor.refused(command, 1)
    assert (refused.reason, refused.detail) == (
        Reason.CALLBACKS_INVALID,
        "callback_retry_ms 999 is less than 1000",
    )
    floor.tell(changed(command, callback_retry_ms=1_000), 2)


@pytest.mark.parametrize(
    "asked",
    [
        rule(OverflowTrigger.QUEUE_LENGTH, 1),
        rule(OverflowTrigger.LONGEST_WAIT, 50),
        rule(OverflowTrigger.NOBODY_ON_DUTY),
        rule(OverflowTrigger.ESTIMATED_WAIT, 1),
    ],
    ids=lambda one: one.trigger,
)
def test_who_comes_back_is_not_sent_away_while_newcomers_take_the_place(
    floor: "Floor", asked: OverflowRule
) -> None:
    if asked.trigger is OverflowTrigger.ESTIMATED_WAIT:
        fetched_once_in_a_while(floor)
    floor.contact("ben", at_ms=200_000)
    floor.queue("sales", overflow=(asked,), at_ms=200_001)
    newcomer = floor.contact("cai", at_ms=200_100)
    assert isinstance(newcomer[-1], ContactDequeued), "the rule holds"
    (came,) = floor.tell(back(stay=1, attempts=0), 200_100)
    assert isinstance(came, ContactEnqueued)


def fetched_once_in_a_while(floor: "Floor") -> None:
    """Three wait a minute each for the only agent, who leaves."""
    for number in range(3):
        floor.contact(f"c{number}", at_ms=number)
    floor.sign_on("grace")
    for number in range(3):
        floor.ready("grace", at_ms=60_000 * (number + 1))
        floor.accept(f"c{number}.1", "grace", at_ms=60_000 * (number + 1))
        floor.not_ready("grace", at_ms=60_000 * (number + 1))
        floor.release(f"c{number}.1", "grace", at_ms=60_000 * (number + 1) + 1)


def test_a_queue_that_is_closed_takes_no_callback_and_says_when_it_opens(floor: "Floor") -> None:
    monday = WeeklyHours(weekday=1, opens_minute=9 * 60, closes_minute=17 * 60)
    floor.queue("sales", hours=OpeningHours(time_zone="UTC", weekly=(monday,)))
    (closed,) = floor.tell(PassTime(), 1)
    assert isinstance(closed, QueueClosed)
    opens_at_ms = closed.next_change_at_ms
    assert opens_at_ms > 1
    _, gone = floor.tell(back(stay=1, attempts=0), 100)
    assert isinstance(gone, ContactDequeued)
    assert gone.overflow is not None
    assert gone.overflow.trigger is OverflowTrigger.CLOSED
    assert (gone.opens_at_ms, gone.stay) == (opens_at_ms, 1)
    floor.queue("sales", overflow=(rule(OverflowTrigger.QUEUE_LENGTH, 1),), at_ms=200)
    floor.contact("ben", at_ms=201)
    gone = floor.contact("cai", at_ms=202)[-1]
    assert isinstance(gone, ContactDequeued)
    assert gone.opens_at_ms == 0, "it is open"


def test_who_came_back_waits_as_long_as_it_takes(floor: "Floor") -> None:
    waited = rule(OverflowTrigger.WAITED, 60_000)
    floor.queue("sales", overflow=(waited,))
    floor.contact("ben", at_ms=1)
    floor.tell(back(stay=1, attempts=0), 2)
    (gone,) = floor.tell(PassTime(), 60_002)
    assert isinstance(gone, ContactDequeued)
    assert gone.contact_id == "ben"
    again = type(floor)(state=floor.core.load("acme/emea", floor.core.dump(floor.state)))
    for one in (floor, again):
        assert one.core.next_deadline(one.state) is None
        assert ADA in one.state.contacts


def test_who_came_back_goes_to_another_queue_by_a_rule(floor: "Floor") -> None:
    floor.queue("night", overflow=(rule(OverflowTrigger.NOBODY_ON_DUTY),))
    to_night = OverflowRule(
        trigger=OverflowTrigger.WAITED, limit=60_000, action=OverflowAction.QUEUE, queue_id=NIGHT
    )
    floor.queue("sales", overflow=(to_night,))
    floor.tell(back(stay=1, attempts=0), 2)
    (moved,) = floor.tell(PassTime(), 60_002)
    assert isinstance(moved, ContactMoved)
    assert floor.state.contacts[ADA].queue_id == NIGHT


def test_the_time_a_callback_stood_in_no_line_sends_no_newcomer_away(floor: "Floor") -> None:
    floor.queue("sales", overflow=(rule(OverflowTrigger.LONGEST_WAIT, 60_000),))
    floor.tell(back(stay=1, attempts=0), 600_000)
    (came,) = floor.contact("ben", at_ms=659_999)
    assert isinstance(came, ContactEnqueued)
    gone = floor.contact("cai", at_ms=660_000)[-1]
    assert isinstance(gone, ContactDequeued), "by now it has waited so long"


def test_the_time_a_callback_stood_in_no_line_tells_nothing_of_the_pace(floor: "Floor") -> None:
    floor.tell(back(stay=1, attempts=0), 600_000)
    floor.tell(replace(back(stay=1, attempts=0), contact_id=ContactId("ben")), 600_000)
    floor.agent("grace", at_ms=601_000)
    floor.tell(replace(POSTPONED, contact_id=ContactId("ben")), 602_000)
    ((_, pace),) = floor.state.queues[QueueId("sales")].waiting.paces
    assert pace.waited_ms // ONE in range(2_900, 3_001)


def first_to_answer(floor: "Floor", contact_id: str, at_ms: int) -> None:
    command = floor.contact_command(contact_id, at_ms=at_ms)
    floor.tell(replace(command, awaits_turn=True), at_ms)


def test_who_is_to_answer_first_is_offered_to_nobody_and_called_when_the_turn_comes_near(
    floor: "Floor",
) -> None:
    floor.tell(changed(floor.queue_command("sales", callback_attempts=3), callback_dial_ahead=2), 0)
    for at_ms, contact_id in enumerate(("ben", "cai", "dan"), 1):
        floor.contact(contact_id, at_ms=at_ms)
    first_to_answer(floor, "ada", at_ms=4)
    assert floor.pass_time(10) == (), "three stand before it"
    floor.abandon("dan", at_ms=11)
    assert floor.pass_time(12) == (), "it is the third"
    again = type(floor)(state=floor.core.load("acme/emea", floor.core.dump(floor.state)))
    for each in (floor, again):
        assert each.offered(each.agent("grace", at_ms=13)) == [("ben", "grace")]
        assert each.core.next_deadline(each.state) == 4
        (called,) = each.pass_time(14)
        assert isinstance(called, ContactDequeued)
        assert (called.contact_id, called.reason) == (ADA, "CALLBACK_DUE")
        assert each.offered(each.tell(back(stay=1, attempts=0), 30)) == []
        assert not each.state.turns


def test_an_idle_agent_does_not_get_it_but_its_turn_has_come(floor: "Floor") -> None:
    floor.tell(floor.queue_command("sales", callback_attempts=3), 0)
    floor.agent("grace", at_ms=1)
    first_to_answer(floor, "ada", at_ms=4)
    assert [type(one).__name__ for one in floor.pass_time(4)] == ["ContactDequeued"]
    enqueued, offer = floor.tell(back(stay=1, attempts=0), 30)
    assert isinstance(enqueued, ContactEnqueued)
    assert isinstance(offer, OfferCreated)


def test_nobody_is_called_for_a_closed_queue_or_before_somebody_could_serve_them(
    floor: "Floor",
) -> None:
    night = CloseQueue(queue_id=QueueId("sales"), note="night")
    floor.tell(floor.queue_command("sales", callback_attempts=3), 0)
    floor.contact("ben", at_ms=1)
    first_to_answer(floor, "ada", at_ms=4)
    floor.tell(night, 10)
    floor.abandon("ben", at_ms=11)
    floor.sign_on("chris", at_ms=12, chat=1)
    floor.sign_on("grace", at_ms=12)
    assert floor.pass_time(13) == (), "it is closed"
    floor.sign_off("grace", at_ms=14)
    floor.tell(OpenQueue(queue_id=QueueId("sales")), 15)
    again = type(floor)(state=floor.core.load("acme/emea", floor.core.dump(floor.state)))
    for each in (floor, again):
        assert each.pass_time(16) == (), "nobody is signed on for voice"
        assert each.core.next_deadline(each.state) is None
        each.sign_on("grace", at_ms=17)
        each.tell(night, 18)
        assert each.pass_time(18) == ()
        each.tell(OpenQueue(queue_id=QueueId("sales")), 19)
        (called,) = each.pass_time(19)
        assert isinstance(called, ContactDequeued)
        assert (called.contact_id, called.reason) == (ADA, "CALLBACK_DUE")


def test_who_awaits_a_turn_awaits_it_in_another_queue_too(floor: "Floor") -> None:
    floor.queue("night")
    floor.tell(floor.queue_command("sales", callback_attempts=3), 0)
    floor.contact("ben", at_ms=1)
    first_to_answer(floor, "ada", at_ms=4)
    floor.agent("grace", at_ms=5)
    floor.contact("cai", queue_id="night", at_ms=6)
    moved = floor.tell(MoveContact(contact_id=ADA, queue_id=QueueId("night")), 7)
    assert floor.offered(moved) == []
    assert floor.state.queues[QueueId("night")].awaiting_turn.head is not None
    assert floor.state.queues[QueueId("sales")].awaiting_turn.head is None
    floor.tell(changed(floor.queue_command("night", callback_attempts=3), callback_dial_ahead=2), 8)
    (called,) = floor.pass_time(9)
    assert isinstance(called, ContactDequeued)
