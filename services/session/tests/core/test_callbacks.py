"""A customer hangs up, keeps their place, and is called back."""

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from huntgroup_session.core.callbacks import WINDOW_MS
from huntgroup_session.core.deadlines import next_deadline
from huntgroup_session.core.eligibility import CALLBACK_AHEAD_MAX_MS
from huntgroup_session.core.messages import (
    CallbackDialFailed,
    CallbackDialRequested,
    CallbackEnded,
    CallbackRequested,
    CallbackScheduled,
    CancelCallback,
    ContactConnected,
    ContactQueued,
    HangUpContact,
    ObserveCallbackPostponed,
    ObserveOfferCreated,
    PassTime,
    Reason,
    Refused,
)
from huntgroup_session.core.state import DIAL_MS
from huntgroup_session.core.values import (
    CallbackEndReason,
    CallbackMode,
    Channel,
    DialOutcome,
    QueueId,
)

from .callback_story import (
    ADA,
    BACK,
    BEN,
    BUSY,
    CAI,
    CALL_BACK,
    FIRST,
    FREED,
    GRACE,
    HOME,
    MAY_CALL,
    QUEUE_BEN,
    SALES,
    SECOND,
    TAKEN,
    names,
)

if TYPE_CHECKING:
    from services.session.tests.conftest import Story


def test_who_waits_becomes_a_callback_where_it_stands(story: "Story") -> None:
    assert story.queued().given(CALL_BACK, 3_000) == (
        CallbackRequested(
            at_ms=3_000,
            contact_id=ADA,
            queue_id=SALES,
            number=HOME,
            not_before_ms=0,
            not_after_ms=500_000,
            priority=5,
            required_skills=("german",),
            enqueued_at_ms=2_000,
            mode=CallbackMode.AGENT_FIRST,
        ),
    )
    assert story.contact().state == "QUEUED"
    assert story.when(CALL_BACK, 4_000) == ()
    assert story.when(HangUpContact(contact_id=ADA), 4_000) == (), "that ends nothing"
    assert story.contact().wait_ms(4_000) == 2_000


def test_the_customer_is_dialled_when_an_agent_has_accepted(story: "Story") -> None:
    story.queued().given(CALL_BACK, 3_000)
    created = ObserveOfferCreated(contact_id=ADA, offer_id=FIRST, agent_id=GRACE, attempt=1)
    story.given(created, 5_000)
    assert story.given(TAKEN, 9_000) == (
        CallbackDialRequested(
            at_ms=9_000,
            contact_id=ADA,
            queue_id=SALES,
            dial=1,
            number=HOME,
            offer_id=FIRST,
            agent_id=GRACE,
            answer_by_ms=9_000 + DIAL_MS,
        ),
    )
    assert story.state.queues[SALES].waiting == 1, "it may come back"
    answered = replace(BUSY, outcome=DialOutcome.ANSWERED)
    assert story.given(answered, 20_000) == (
        ContactConnected(
            at_ms=20_000,
            contact_id=ADA,
            offer_id=FIRST,
            agent_id=GRACE,
            queue_id=SALES,
            channel=Channel.VOICE,
            wait_ms=18_000,
        ),
    )
    assert story.when(answered, 21_000) == (), "the same report again"
    assert story.state.queues[SALES].waiting == 0
    assert next_deadline(story.state) is None


def test_a_busy_line_frees_the_agent_and_is_tried_again_at_the_old_place(story: "Story") -> None:
    assert story.dialing().given(BUSY, 12_000) == (
        CallbackDialFailed(
            at_ms=12_000, contact_id=ADA, queue_id=SALES, dial=1, outcome=DialOutcome.BUSY
        ),
        FREED,
        CallbackScheduled(
            at_ms=12_000,
            contact_id=ADA,
            queue_id=SALES,
            resume_at_ms=72_000,
            in_line=True,
            wait_ms=10_000,
            stay=0,
        ),
    )
    assert next_deadline(story.state) == 72_000
    assert story.when(PassTime(), 71_999) == ()
    assert story.given(PassTime(), 72_000) == (BACK,)
    assert story.contact().wait_ms(73_000) == 1_000, "it waits anew"


def test_so_often_in_vain_and_it_is_over(story: "Story") -> None:
    story.scheduled().given(PassTime(), 72_000)
    story.given(replace(TAKEN, offer_id=SECOND), 80_000)
    events = story.given(replace(BUSY, dial=2, outcome=DialOutcome.NO_ANSWER), 90_000)
    assert names(events) == ["CallbackDialFailed", "ContactConnectionFailed", "CallbackEnded"]
    assert events[-1] == CallbackEnded(
        at_ms=90_000,
        contact_id=ADA,
        queue_id=SALES,
        reason=CallbackEndReason.UNREACHABLE,
        dials=2,
        in_line=True,
        wait_ms=18_000,
        stay=1,
    )
    assert story.contact().state == "LAPSED"
    assert story.state.queues[SALES].waiting == 0


def test_a_dial_of_which_nobody_tells_has_failed(story: "Story") -> None:
    story.dialing()
    assert next_deadline(story.state) == 9_000 + DIAL_MS
    (failed, _, scheduled) = story.given(PassTime(), 9_000 + DIAL_MS)
    assert isinstance(failed, CallbackDialFailed)
    assert failed.outcome is DialOutcome.FAILED
    assert isinstance(scheduled, CallbackScheduled)
    late = story.when(replace(BUSY, outcome=DialOutcome.ANSWERED), 9_000 + DIAL_MS)
    assert late == Refused(
        Reason.WRONG_STATE, "contact_id 'ada' is SCHEDULED: dial 1 is over, or never began"
    )


def test_nobody_is_dialled_after_the_window(story: "Story") -> None:
    story.queued().given(replace(CALL_BACK, not_after_ms=60_000), 3_000)
    (ended,) = story.given(PassTime(), 60_000)
    assert isinstance(ended, CallbackEnded)
    assert (ended.reason, ended.in_line, ended.wait_ms) == ("EXPIRED", True, 58_000)


def test_a_dial_in_vain_that_cannot_be_repeated_in_the_window_is_the_last(story: "Story") -> None:
    story.offering().given(replace(CALL_BACK, not_after_ms=72_000), 6_000)
    story.given(TAKEN, 9_000)
    ended = story.given(BUSY, 12_000)[-1]
    assert isinstance(ended, CallbackEnded)
    assert ended.reason is CallbackEndReason.EXPIRED


def test_who_waits_and_is_to_be_called_later_goes_when_routing_has_let_it_go(
    story: "Story",
) -> None:
    story.queued().given(replace(CALL_BACK, not_before_ms=100_000), 3_000)
    assert story.contact().state == "QUEUED"
    (scheduled,) = story.given(ObserveCallbackPostponed(contact_id=ADA), 3_100)
    assert isinstance(scheduled, CallbackScheduled)
    assert (scheduled.resume_at_ms, scheduled.wait_ms) == (100_000, 1_100)
    assert story.when(ObserveCallbackPostponed(contact_id=ADA), 3_200) == ()
    (back,) = story.given(PassTime(), 100_000)
    assert back == replace(BACK, at_ms=100_000, attempts=0)


def test_an_agent_who_accepts_meanwhile_is_free_again(story: "Story") -> None:
    story.offering().given(replace(CALL_BACK, not_before_ms=100_000), 11_000)
    events = story.given(TAKEN, 12_000)
    assert events[0] == FREED
    assert names(events[1:]) == ["CallbackScheduled"]
    (back,) = story.given(PassTime(), 100_000)
    assert isinstance(back, ContactQueued)
    assert back.attempts == 1, "no offer has the number of another"


@pytest.mark.parametrize("not_before_ms", [0, 90_000])
def test_a_callback_may_be_asked_for_without_waiting_first(
    story: "Story", not_before_ms: int
) -> None:
    story.given(MAY_CALL, 0)
    events = story.initiated().given(replace(CALL_BACK, not_before_ms=not_before_ms), 2_000)
    if not_before_ms:
        assert names(events) == ["CallbackRequested", "CallbackScheduled"]
        assert isinstance(events[1], CallbackScheduled)
        assert not events[1].in_line
        assert (story.state.queues[SALES].waiting, story.state.queues[SALES].callbacks) == (0, 1)
        events = story.given(PassTime(), not_before_ms)
        assert names(events) == ["ContactQueued"]
    else:
        assert names(events) == ["ContactQueued", "CallbackRequested"]
    assert isinstance(events[0], ContactQueued)
    assert (events[0].stay, events[0].enqueued_at_ms) == (0, not_before_ms or 2_000)
    assert events[0].returns is bool(not_before_ms), "who comes now is asked as anybody"
    assert story.contact().callback is not None
    assert story.state.queues[SALES].waiting == 1


def test_a_number_is_called_back_once(story: "Story") -> None:
    story.queued().queued(BEN).given(CALL_BACK, 3_000)
    again = replace(CALL_BACK, contact_id=BEN)
    assert story.when(again, 4_000) == Refused(
        Reason.CALLBACK_EXISTS, f"number '{HOME}' is to be called back already: contact_id 'ada'"
    )
    story.given(PassTime(), 500_000)
    assert names(story.when(replace(again, not_after_ms=0), 500_000)) == ["CallbackRequested"]


@pytest.mark.parametrize(
    ("window", "told"),
    [
        ((0, 3_000), "not_after_ms 3000 is not after 3000, when it may be dialled first"),
        ((9_000, 8_000), "not_after_ms 8000 is not after 9000, when it may be dialled first"),
        (
            (0, CALLBACK_AHEAD_MAX_MS + 3_001),
            "not_after_ms 2592003001 is after 2592003000: it may be 30 days ahead",
        ),
        (
            (CALLBACK_AHEAD_MAX_MS + 3_001, 0),
            "not_before_ms 2592003001 is after 2592003000: it may be 30 days ahead",
        ),
    ],
)
def test_a_window_that_cannot_be_is_refused(
    story: "Story", window: tuple[int, int], told: str
) -> None:
    begins_ms, ends_ms = window
    asked = replace(CALL_BACK, not_before_ms=begins_ms, not_after_ms=ends_ms)
    assert story.queued().when(asked, 3_000) == Refused(Reason.WINDOW_INVALID, told)


def test_a_window_without_an_end_has_a_day(story: "Story") -> None:
    story.queued().given(replace(CALL_BACK, not_after_ms=0), 3_000)
    assert next_deadline(story.state) == 3_000 + WINDOW_MS


def test_a_queue_may_take_no_callbacks(story: "Story") -> None:
    story.queued().given(replace(MAY_CALL, callback_attempts=0), 2_500)
    assert story.when(CALL_BACK, 3_000) == Refused(
        Reason.CALLBACKS_OFF, "queue_id 'sales' takes no callbacks: its callback_attempts is 0"
    )


def test_who_is_to_be_called_tomorrow_takes_no_place_from_who_waits_now(story: "Story") -> None:
    story.given(replace(MAY_CALL, waiting_max=1, callbacks_max=1), 0)
    story.initiated().given(replace(CALL_BACK, not_before_ms=400_000), 2_000)
    story.initiated(BEN).given(QUEUE_BEN, 3_000)
    assert names(story.given(PassTime(), 400_000)) == ["ContactQueued"], "its place was promised"
    assert story.state.queues[SALES].waiting == 2
    story.given(HangUpContact(contact_id=BEN), 400_001)
    full = story.initiated(CAI).when(replace(QUEUE_BEN, contact_id=CAI), 400_002)
    assert isinstance(full, Refused)
    assert full.reason is Reason.QUEUE_FULL


def test_a_queue_calls_back_so_many_and_no_more(story: "Story") -> None:
    story.given(replace(MAY_CALL, callbacks_max=1), 0)
    story.initiated().given(replace(CALL_BACK, not_before_ms=400_000), 2_000)
    other = replace(CALL_BACK, contact_id=BEN, number="+41441111111")
    refused = story.initiated(BEN).when(other, 3_000)
    assert refused == Refused(
        Reason.CALLBACKS_FULL, "queue_id 'sales' calls back no more: its callbacks_max is 1"
    )
    story.given(CancelCallback(contact_id=ADA), 4_000)
    assert names(story.when(other, 5_000)) == ["ContactQueued", "CallbackRequested"]


def test_who_waits_in_no_queue_says_where_to_be_called_back(story: "Story") -> None:
    story.given(MAY_CALL, 0)
    asked = replace(CALL_BACK, queue_id=QueueId(""))
    assert story.initiated().when(asked, 2_000) == Refused(
        Reason.QUEUE_MISSING, "queue_id is empty, but contact_id 'ada' waits in no queue"
    )


@pytest.mark.parametrize(
    "otherwise",
    [{"queue_id": QueueId("night")}, {"priority": 6}, {"required_skills": ()}],
    ids=lambda one: next(iter(one)),
)
def test_the_same_request_again_is_the_same_in_all_that_it_says(
    story: "Story", otherwise: dict[str, Any]
) -> None:
    story.given(MAY_CALL, 0)
    story.initiated().given(CALL_BACK, 2_000)
    assert story.when(CALL_BACK, 3_000) == ()
    refused = story.when(replace(CALL_BACK, **otherwise), 3_000)
    assert isinstance(refused, Refused)
    assert refused.reason is Reason.WRONG_STATE


def test_a_dial_takes_as_long_as_its_queue_said(story: "Story") -> None:
    story.queued().given(replace(MAY_CALL, callback_dial_ms=45_000), 2_500)
    story.given(CALL_BACK, 3_000)
    story.given(MAY_CALL, 3_500)
    (dial,) = story.given(TAKEN, 9_000)
    assert isinstance(dial, CallbackDialRequested)
    assert dial.answer_by_ms == 54_000
