"""Customer and agent talk, hold, part, and the contact completes: always."""

from typing import TYPE_CHECKING

from huntgroup_session.core.deadlines import DUE_MAX, WRAP_UP_GUARD_MS
from huntgroup_session.core.messages import (
    CompleteContact,
    ContactCompleted,
    ContactConnected,
    ContactConnectionFailed,
    ContactDisconnected,
    ContactHeld,
    ContactRetrieved,
    EndContact,
    HangUpContact,
    HoldContact,
    ObserveOfferAccepted,
    ObserveWrapUpFinished,
    PassTime,
    Reason,
    Refused,
    RetrieveContact,
)
from huntgroup_session.core.values import (
    AgentId,
    Channel,
    CompletionReason,
    ContactId,
    DisconnectReason,
    OfferId,
    QueueId,
)

if TYPE_CHECKING:
    from services.session.tests.conftest import Story

ADA, GRACE, ALAN = ContactId("ada"), AgentId("grace"), AgentId("alan")
FIRST, SALES = OfferId("ada.1"), QueueId("sales")
ACCEPTED = ObserveOfferAccepted(contact_id=ADA, offer_id=FIRST, agent_id=GRACE)
HOLD = HoldContact(contact_id=ADA, agent_id=GRACE)
RETRIEVE = RetrieveContact(contact_id=ADA, agent_id=GRACE)
WRAPPED_UP = ObserveWrapUpFinished(contact_id=ADA, offer_id=FIRST, wrap_up_ms=15_000)


def test_an_accepted_offer_connects_and_ends_the_wait(story: "Story") -> None:
    assert story.offering().given(ACCEPTED, 9_000) == (
        ContactConnected(
            at_ms=9_000,
            contact_id=ADA,
            offer_id=FIRST,
            agent_id=GRACE,
            queue_id=SALES,
            channel=Channel.VOICE,
            wait_ms=7_000,
        ),
    )
    assert story.state.queues[SALES].waiting == 0


def test_an_agent_who_accepts_too_late_is_told_so(story: "Story") -> None:
    assert story.abandoned().when(ACCEPTED, 7_100) == (
        ContactConnectionFailed(at_ms=7_100, contact_id=ADA, offer_id=FIRST, agent_id=GRACE),
    )


def test_an_agent_is_told_even_when_the_contact_is_forgotten(story: "Story") -> None:
    failed = ContactConnectionFailed(at_ms=9_000, contact_id=ADA, offer_id=FIRST, agent_id=GRACE)
    assert story.given(ACCEPTED, 9_000) == (failed,)
    assert story.state.find(ADA) is None


def test_a_hold_counts_from_its_beginning_to_its_end(story: "Story") -> None:
    story.connected()
    assert story.given(HOLD, 20_000) == (ContactHeld(at_ms=20_000, contact_id=ADA, agent_id=GRACE),)
    assert story.given(RETRIEVE, 23_500) == (
        ContactRetrieved(at_ms=23_500, contact_id=ADA, agent_id=GRACE, hold_ms=3_500),
    )


def test_a_refusal_names_the_agent_who_does_not_belong(story: "Story") -> None:
    other = HoldContact(contact_id=ADA, agent_id=ALAN)
    assert story.connected().when(other, 20_000) == Refused(
        Reason.WRONG_AGENT, "agent_id 'alan' is not in contact_id 'ada'"
    )


def test_a_refusal_names_the_phase_and_the_rule(story: "Story") -> None:
    assert story.queued().when(HOLD, 3_000) == Refused(
        Reason.WRONG_STATE, "contact_id 'ada' is QUEUED: only a conversation can be put on hold"
    )


def test_a_refusal_names_the_contact_that_is_not_there(story: "Story") -> None:
    assert story.when(HOLD, 3_000) == Refused(
        Reason.CONTACT_UNKNOWN, "contact_id 'ada' is not known, or was over long ago"
    )


def test_talk_and_hold_together_are_all_of_the_conversation(story: "Story") -> None:
    story.on_hold().given(RETRIEVE, 23_000)
    story.given(HOLD, 30_000)
    ended = story.when(EndContact(contact_id=ADA, agent_id=GRACE), 34_000)
    assert ended == (
        ContactDisconnected(
            at_ms=34_000,
            contact_id=ADA,
            offer_id=FIRST,
            agent_id=GRACE,
            queue_id=SALES,
            reason=DisconnectReason.AGENT_DISCONNECT,
            talk_ms=34_000 - 9_000 - 7_000,
            hold_ms=7_000,
            completes_by_ms=34_000 + WRAP_UP_GUARD_MS,
        ),
    )


def test_a_customer_may_hang_up_on_hold(story: "Story") -> None:
    (ended,) = story.on_hold().given(HangUpContact(contact_id=ADA), 25_000)
    assert isinstance(ended, ContactDisconnected)
    assert ended.reason is DisconnectReason.CUSTOMER_DISCONNECT
    assert (ended.talk_ms, ended.hold_ms) == (11_000, 5_000)


def test_a_reported_wrap_up_completes_the_contact(story: "Story") -> None:
    assert story.wrapping().given(WRAPPED_UP, 75_000) == (
        ContactCompleted(
            at_ms=75_000,
            contact_id=ADA,
            queue_id=SALES,
            reason=CompletionReason.WRAP_UP_FINISHED,
            wrap_up_ms=15_000,
        ),
    )
    assert story.core.next_deadline(story.state) is None


def test_a_contact_completed_by_command_ignores_the_later_report(story: "Story") -> None:
    (completed,) = story.wrapping().given(CompleteContact(contact_id=ADA), 61_000)
    assert isinstance(completed, ContactCompleted)
    assert (completed.reason, completed.wrap_up_ms) == (CompletionReason.BY_COMMAND, 0)
    assert story.when(WRAPPED_UP, 75_000) == ()


def test_a_contact_completes_even_if_nobody_reports(story: "Story") -> None:
    story.wrapping()
    due_ms = 60_000 + 3_600_000
    assert story.core.next_deadline(story.state) == due_ms
    assert story.when(PassTime(), due_ms - 1) == ()
    assert story.given(PassTime(), due_ms) == (
        ContactCompleted(
            at_ms=due_ms,
            contact_id=ADA,
            queue_id=SALES,
            reason=CompletionReason.TIMER,
            wrap_up_ms=0,
        ),
    )
    assert story.core.next_deadline(story.state) is None
    assert story.given(PassTime(), due_ms + 1) == ()


def test_many_contacts_that_are_due_complete_in_several_decisions(story: "Story") -> None:
    for number in range(DUE_MAX + 1):
        contact_id = ContactId(f"caller-{number:04}")
        story.queued(contact_id)
        offer = OfferId(f"{contact_id}.1")
        accepted = ObserveOfferAccepted(contact_id=contact_id, offer_id=offer, agent_id=GRACE)
        story.given(accepted, 3_000)
        story.given(HangUpContact(contact_id=contact_id), 4_000 + number)
    late = story.core.pass_time()
    first = story.given(late, 10 * WRAP_UP_GUARD_MS)
    rest = story.given(late, 10 * WRAP_UP_GUARD_MS)
    order = [event.contact_id for event in first + rest if isinstance(event, ContactCompleted)]
    assert (len(first), len(rest)) == (DUE_MAX, 1)
    assert order == sorted(order)
