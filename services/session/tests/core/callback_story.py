"""Who calls back whom: the words that the stories of callbacks are told with."""

from dataclasses import replace
from typing import TYPE_CHECKING

from huntgroup_session.core.messages import (
    ContactConnectionFailed,
    ContactQueued,
    Event,
    ObserveAgentSignedOff,
    ObserveAgentSignedOn,
    ObserveCallbackDue,
    ObserveCallbackPostponed,
    ObserveContactOverflowed,
    ObserveOfferAccepted,
    ObserveOfferCreated,
    ObserveQueueConfigured,
    PassTime,
    QueueContact,
    Refused,
    ReportDialOutcome,
    RequestCallback,
)
from huntgroup_session.core.values import (
    AgentId,
    CallbackMode,
    Channel,
    ContactId,
    DialOutcome,
    DiversionAction,
    OfferId,
    OverflowTrigger,
    QueueId,
)

if TYPE_CHECKING:
    from services.session.tests.conftest import Story

ADA, BEN, SALES, GRACE = ContactId("ada"), ContactId("ben"), QueueId("sales"), AgentId("grace")
FIRST, SECOND = OfferId("ada.1"), OfferId("ada.2")
HOME = "+41440000000"
CAI = ContactId("cai")
QUEUE_BEN = QueueContact(contact_id=BEN, queue_id=SALES, priority=5, required_skills=("german",))
MAY_CALL = ObserveQueueConfigured(
    queue_id=SALES, waiting_max=2, callback_attempts=2, callback_retry_ms=60_000
)
CALL_BACK = RequestCallback(
    contact_id=ADA,
    number=HOME,
    not_before_ms=0,
    not_after_ms=500_000,
    queue_id=SALES,
    priority=5,
    required_skills=("german",),
    mode=CallbackMode.AGENT_FIRST,
)
CALL_FIRST = replace(CALL_BACK, mode=CallbackMode.CUSTOMER_FIRST)
DUE = ObserveCallbackDue(contact_id=ADA)
TAKEN = ObserveOfferAccepted(contact_id=ADA, offer_id=FIRST, agent_id=GRACE)
BUSY = ReportDialOutcome(contact_id=ADA, dial=1, outcome=DialOutcome.BUSY)
FREED = ContactConnectionFailed(at_ms=12_000, contact_id=ADA, offer_id=FIRST, agent_id=GRACE)
BACK = ContactQueued(
    at_ms=72_000,
    contact_id=ADA,
    queue_id=SALES,
    channel=Channel.VOICE,
    priority=5,
    required_skills=("german",),
    enqueued_at_ms=2_000,
    stay=1,
    attempts=1,
    returns=True,
)
VOICEMAIL = ObserveContactOverflowed(
    contact_id=ADA,
    trigger=OverflowTrigger.CLOSED,
    key="",
    action=DiversionAction.VOICEMAIL,
    endpoint="box-7",
    attempts=0,
)
WAITED_ENOUGH = replace(VOICEMAIL, trigger=OverflowTrigger.WAITED)
OFFERED = ObserveOfferCreated(contact_id=ADA, offer_id=FIRST, agent_id=GRACE, attempt=1)
JOINED = ObserveAgentSignedOn(agent_id=GRACE)
LEFT = ObserveAgentSignedOff(agent_id=GRACE)


def names(events: tuple[Event, ...] | Refused) -> list[str]:
    assert not isinstance(events, Refused), events
    return [type(event).__name__ for event in events]


def called_first(story: "Story") -> None:
    """Ada wants to answer first; routing lets her go, and she stands in line for nobody from 3,000 on."""
    story.queued().given(CALL_FIRST, 2_500)
    story.given(ObserveCallbackPostponed(contact_id=ADA), 3_000)
    (back,) = story.given(PassTime(), 3_000)
    assert isinstance(back, ContactQueued)
    assert (back.awaits_turn, back.enqueued_at_ms) == (True, 2_000)
