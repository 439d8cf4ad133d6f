"""A callback whose queue lets it go, moves it, retires or changes its mind comes back as it was promised."""

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from huntgroup_session.core.callbacks import LET_GO_MS, WINDOW_MS
from huntgroup_session.core.messages import (
    CallbackEnded,
    CallbackScheduled,
    ContactMoved,
    ContactQueued,
    ObserveContactMoved,
    ObserveContactResumed,
    ObserveQueueRetired,
    PassTime,
    QueueContact,
)
from huntgroup_session.core.values import (
    CallbackEndReason,
    ContactId,
    OverflowTrigger,
    QueueId,
)

from .callback_story import (
    ADA,
    BACK,
    BUSY,
    CALL_BACK,
    GRACE,
    MAY_CALL,
    SALES,
    TAKEN,
    VOICEMAIL,
    WAITED_ENOUGH,
    names,
)

if TYPE_CHECKING:
    from services.session.tests.conftest import Story


def test_a_queue_that_lets_a_callback_go_gets_it_back_later(story: "Story") -> None:
    """Nobody is there to be given back, or to be sent to a mailbox."""
    story.queued().given(CALL_BACK, 3_000)
    (scheduled,) = story.given(VOICEMAIL, 12_000)
    assert isinstance(scheduled, CallbackScheduled)
    assert scheduled.resume_at_ms == 72_000
    assert story.given(PassTime(), 72_000) == (replace(BACK, attempts=0),)


def test_a_callback_that_was_moved_comes_back_to_where_it_was(story: "Story") -> None:
    story.queued().given(CALL_BACK, 3_000)
    story.given(replace(MAY_CALL, queue_id=QueueId("night")), 3_000)
    moved = ObserveContactMoved(
        contact_id=ADA,
        queue_id=QueueId("night"),
        priority=7,
        enqueued_at_ms=2_000,
        stay=1,
        trigger=OverflowTrigger.WAITED,
    )
    (told,) = story.given(moved, 4_000)
    assert isinstance(told, ContactMoved)
    story.given(TAKEN, 9_000)
    story.given(BUSY, 12_000)
    (back,) = story.given(PassTime(), 72_000)
    assert isinstance(back, ContactQueued)
    assert (back.queue_id, back.priority, back.stay) == ("night", 7, 2)


def test_a_queue_that_retires_keeps_the_places_of_its_callbacks(story: "Story") -> None:
    story.scheduled().given(ObserveQueueRetired(queue_id=SALES), 13_000)
    assert names(story.given(PassTime(), 72_000)) == ["ContactQueued"]
    assert names(story.given(PassTime(), 9_000 + WINDOW_MS)) == ["CallbackEnded"]
    assert SALES not in story.state.queues


def test_a_rule_that_goes_on_holding_lets_a_callback_go_once_a_minute_at_most(
    story: "Story",
) -> None:
    story.queued().given(replace(MAY_CALL, callback_retry_ms=1_000), 2_500)
    story.given(CALL_BACK, 3_000)
    story.given(replace(MAY_CALL, callback_attempts=0, callback_retry_ms=0), 3_500)
    for round_ in range(1, 4):
        (scheduled,) = story.given(VOICEMAIL, round_ * 100_000)
        assert isinstance(scheduled, CallbackScheduled)
        assert scheduled.resume_at_ms == round_ * 100_000 + LET_GO_MS
        assert names(story.given(PassTime(), scheduled.resume_at_ms)) == ["ContactQueued"]


@pytest.mark.parametrize(("opens_at_ms", "comes_at_ms"), [(200_000, 200_000), (13_000, 72_000)])
def test_who_comes_to_a_closed_queue_comes_back_when_it_opens(
    story: "Story", opens_at_ms: int, comes_at_ms: int
) -> None:
    story.queued().given(CALL_BACK, 3_000)
    closed = replace(VOICEMAIL, trigger=OverflowTrigger.CLOSED, opens_at_ms=opens_at_ms)
    (scheduled,) = story.given(closed, 12_000)
    assert isinstance(scheduled, CallbackScheduled)
    assert scheduled.resume_at_ms == comes_at_ms


def test_a_queue_that_opens_after_the_window_ends_the_callback(story: "Story") -> None:
    story.queued().given(CALL_BACK, 3_000)
    (ended,) = story.given(replace(VOICEMAIL, opens_at_ms=500_000), 12_000)
    assert isinstance(ended, CallbackEnded)
    assert ended.reason is CallbackEndReason.EXPIRED


def test_another_policy_does_not_change_what_was_promised(story: "Story") -> None:
    story.dialing().given(replace(MAY_CALL, callback_attempts=1, callback_retry_ms=1_000), 10_000)
    scheduled = story.given(BUSY, 12_000)[-1]
    assert isinstance(scheduled, CallbackScheduled)
    assert scheduled.resume_at_ms == 72_000


def test_a_callback_in_a_queue_that_takes_none_is_dialled_as_often_as_promised(
    story: "Story",
) -> None:
    story.queued().given(CALL_BACK, 3_000)
    moved = ObserveContactMoved(
        contact_id=ADA,
        queue_id=QueueId("night"),
        priority=5,
        enqueued_at_ms=2_000,
        stay=1,
        trigger=OverflowTrigger.UNSPECIFIED,
    )
    story.given(moved, 4_000)
    story.given(TAKEN, 9_000)
    scheduled = story.given(BUSY, 12_000)[-1]
    assert isinstance(scheduled, CallbackScheduled)
    assert scheduled.resume_at_ms == 72_000


def test_whom_a_callback_is_for_comes_back_with_it(story: "Story") -> None:
    story.given(MAY_CALL, 0)
    queue = QueueContact(
        contact_id=ADA,
        queue_id=SALES,
        priority=5,
        required_skills=("german",),
        preferred_agents=(GRACE,),
        direct_agent_id=GRACE,
        customer_key="customer-7",
    )
    story.initiated().given(queue, 2_000)
    story.given(CALL_BACK, 3_000)
    story.given(TAKEN, 9_000)
    story.given(BUSY, 12_000)
    assert story.when(PassTime(), 72_000) == (
        replace(
            BACK,
            attempts=0,
            preferred_agents=(GRACE,),
            direct_agent_id=GRACE,
            customer_key="customer-7",
        ),
    )


def test_a_callback_of_who_was_lost_before_comes_back_with_the_first_age(story: "Story") -> None:
    lost = ContactId("ada-before")
    resumed = ObserveContactResumed(contact_id=ADA, resumes=lost, stay=0, enqueued_at_ms=400)
    assert names(story.dialing().given(resumed, 9_500)) == ["ContactResumed"]
    assert story.when(resumed, 9_600) == (), "told once more"
    assert story.when(replace(resumed, stay=1, enqueued_at_ms=1), 9_600) == ()
    story.given(BUSY, 12_000)
    assert story.given(PassTime(), 72_000) == (replace(BACK, enqueued_at_ms=400),)


def test_a_callback_in_line_is_not_let_go_since_callers_wait_no_longer(story: "Story") -> None:
    """How long callers wait on the line says nothing of who waits at home: it keeps its place, and its turn."""
    story.queued().given(CALL_BACK, 3_000)
    (scheduled,) = story.given(WAITED_ENOUGH, 12_000)
    assert isinstance(scheduled, CallbackScheduled)
    assert scheduled.resume_at_ms == 12_000
    assert story.given(PassTime(), 12_000) == (replace(BACK, at_ms=12_000, attempts=0),)


def test_a_callback_in_line_that_is_to_be_dialled_later_waits_for_that(story: "Story") -> None:
    story.queued().given(replace(CALL_BACK, not_before_ms=100_000), 3_000)
    (scheduled,) = story.given(WAITED_ENOUGH, 12_000)
    assert isinstance(scheduled, CallbackScheduled)
    assert scheduled.resume_at_ms == 100_000
