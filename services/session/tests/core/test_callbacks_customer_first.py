"""A customer who is to answer first is dialled when the turn comes near, and waits on the line."""

from dataclasses import replace
from typing import TYPE_CHECKING

from huntgroup_session.core.deadlines import next_deadline
from huntgroup_session.core.messages import (
    CallbackAnswered,
    CallbackDialRequested,
    ContactAbandoned,
    ContactConnected,
    ContactQueued,
    HangUpContact,
    PassTime,
)
from huntgroup_session.core.values import (
    DialOutcome,
)

from .callback_story import ADA, BACK, BUSY, DUE, GRACE, SALES, TAKEN, called_first, names

if TYPE_CHECKING:
    from services.session.tests.conftest import Story


def test_who_is_to_answer_first_is_dialled_when_the_turn_comes_near_and_waits_on_the_line(
    story: "Story",
) -> None:
    called_first(story)
    (dial,) = story.given(DUE, 9_000)
    assert isinstance(dial, CallbackDialRequested)
    assert (dial.dial, dial.offer_id, dial.agent_id) == (1, "", "")
    assert story.when(DUE, 9_500) == ()
    answered, queued = story.given(replace(BUSY, outcome=DialOutcome.ANSWERED), 12_000)
    assert answered == CallbackAnswered(
        at_ms=12_000, contact_id=ADA, queue_id=SALES, dial=1, wait_ms=9_000, stay=1
    )
    assert queued == replace(BACK, at_ms=12_000, stay=2, attempts=0)
    assert (story.state.queues[SALES].waiting, story.state.queues[SALES].callbacks) == (1, 0)
    assert next_deadline(story.state) is None, "the customer is there, and decides how long"


def test_who_has_answered_waits_as_anybody_and_may_give_up(story: "Story") -> None:
    called_first(story)
    story.given(DUE, 9_000)
    story.given(replace(BUSY, outcome=DialOutcome.ANSWERED), 12_000)
    (gone,) = story.when(HangUpContact(contact_id=ADA), 15_000)  # type: ignore[misc]
    assert isinstance(gone, ContactAbandoned)
    assert gone.wait_ms == 3_000
    (connected,) = story.given(TAKEN, 20_000)
    assert isinstance(connected, ContactConnected)


def test_who_is_to_answer_first_and_is_busy_is_dialled_again_in_turn(story: "Story") -> None:
    called_first(story)
    story.given(DUE, 9_000)
    assert names(story.given(BUSY, 12_000)) == ["CallbackDialFailed", "CallbackScheduled"]
    (back,) = story.given(PassTime(), 72_000)
    assert isinstance(back, ContactQueued)
    assert back.awaits_turn


def test_an_agent_who_takes_it_by_hand_has_the_customer_dialled(story: "Story") -> None:
    called_first(story)
    (dial,) = story.given(TAKEN, 9_000)
    assert isinstance(dial, CallbackDialRequested)
    assert dial.agent_id == GRACE
    assert names(story.given(replace(BUSY, outcome=DialOutcome.ANSWERED), 12_000)) == [
        "ContactConnected"
    ]
