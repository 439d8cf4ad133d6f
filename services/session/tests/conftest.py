"""Tells stories to the core: every step is decided, checked for side effects, and folded."""

from dataclasses import dataclass, field

import pytest

from huntgroup_session.core import SessionCore
from huntgroup_session.core.messages import (
    CancelCallback,
    Command,
    EndContact,
    Event,
    HangUpContact,
    HoldContact,
    ObserveContactOverflowed,
    ObserveOfferAccepted,
    ObserveOfferCreated,
    ObserveQueueConfigured,
    ObserveWrapUpFinished,
    QueueContact,
    Refused,
    ReportDialOutcome,
    RequestCallback,
    StartContact,
)
from huntgroup_session.core.state import Contact, State
from huntgroup_session.core.values import (
    AgentId,
    Channel,
    ContactId,
    ConversationId,
    DialOutcome,
    DiversionAction,
    InitiationMethod,
    OfferId,
    OverflowTrigger,
    QueueId,
)

ADA, BEN = ContactId("ada"), ContactId("ben")
SALES = QueueId("sales")
GRACE = AgentId("grace")
FIRST = OfferId("ada.1")
BUSY = DialOutcome.BUSY
SALES_QUEUE = ObserveQueueConfigured(
    queue_id=SALES, waiting_max=2, callback_attempts=2, callback_retry_ms=60_000
)
CALL_BACK = RequestCallback(
    contact_id=ADA,
    number="+41440000000",
    not_before_ms=0,
    not_after_ms=0,
    queue_id=SALES,
    priority=5,
    required_skills=("german",),
)


@dataclass
class Story:
    """One domain. The customer Ada calls; the agent Grace works in the queue `sales`, which holds two."""

    core: SessionCore = field(default_factory=SessionCore)
    state: State = field(default_factory=lambda: SessionCore().initial("acme/emea"))
    events: list[Event] = field(default_factory=list)

    def when(self, command: Command, at_ms: int) -> tuple[Event, ...] | Refused:
        """Decide, and make sure that deciding changed nothing."""
        before = self.core.dump(self.state)
        decision = self.core.decide(self.state, command, at_ms)
        assert self.core.dump(self.state) == before
        return decision

    def given(self, command: Command, at_ms: int) -> tuple[Event, ...]:
        """Decide, and let it come true."""
        events = self.when(command, at_ms)
        assert not isinstance(events, Refused), events
        for event in events:
            self.state = self.core.evolve(self.state, event)
        self.events += events
        return events

    def contact(self, contact_id: ContactId = ADA) -> Contact:
        """Return a contact that must be known."""
        contact = self.state.find(contact_id)
        assert contact is not None
        return contact

    def initiated(self, contact_id: ContactId = ADA) -> "Story":
        """Ada calls at 1,000."""
        self.given(start(contact_id), 1_000)
        return self

    def queued(self, contact_id: ContactId = ADA) -> "Story":
        """She waits from 2,000 on."""
        self.given(SALES_QUEUE, 0)
        self.initiated(contact_id).given(queue(contact_id), 2_000)
        return self

    def offering(self) -> "Story":
        """Grace's desktop rings at 5,000."""
        created = ObserveOfferCreated(contact_id=ADA, offer_id=FIRST, agent_id=GRACE, attempt=1)
        self.queued().given(created, 5_000)
        return self

    def connected(self) -> "Story":
        """They talk from 9,000 on."""
        accepted = ObserveOfferAccepted(contact_id=ADA, offer_id=FIRST, agent_id=GRACE)
        self.offering().given(accepted, 9_000)
        return self

    def on_hold(self) -> "Story":
        """Grace asks a colleague at 20,000."""
        self.connected().given(HoldContact(contact_id=ADA, agent_id=GRACE), 20_000)
        return self

    def wrapping(self) -> "Story":
        """Grace ends the call at 60,000."""
        self.connected().given(EndContact(contact_id=ADA, agent_id=GRACE), 60_000)
        return self

    def completed(self) -> "Story":
        """Grace has written her notes at 75,000."""
        finished = ObserveWrapUpFinished(contact_id=ADA, offer_id=FIRST, wrap_up_ms=15_000)
        self.wrapping().given(finished, 75_000)
        return self

    def abandoned(self) -> "Story":
        """Ada gives up at 7,000, while Grace's desktop rings."""
        self.offering().given(HangUpContact(contact_id=ADA), 7_000)
        return self

    def callback_queued(self) -> "Story":
        """She wants to be called back at 3,000, while she waits."""
        self.queued().given(CALL_BACK, 3_000)
        return self

    def callback_offering(self) -> "Story":
        """She wants to be called back at 6,000, while Grace's desktop rings."""
        self.offering().given(CALL_BACK, 6_000)
        return self

    def dialing(self) -> "Story":
        """She wants to be called back at 6,000, while Grace's desktop rings; Grace accepts at 9,000."""
        accepted = ObserveOfferAccepted(contact_id=ADA, offer_id=FIRST, agent_id=GRACE)
        self.offering().given(CALL_BACK, 6_000)
        self.given(accepted, 9_000)
        return self

    def scheduled(self) -> "Story":
        """Her line is busy at 12,000."""
        self.dialing().given(ReportDialOutcome(contact_id=ADA, dial=1, outcome=BUSY), 12_000)
        return self

    def lapsed(self) -> "Story":
        """She needs no call any more at 13,000."""
        self.scheduled().given(CancelCallback(contact_id=ADA), 13_000)
        return self

    def diverted(self) -> "Story":
        """Ada waits too long, and is sent to a mailbox at 7,000."""
        voicemail = ObserveContactOverflowed(
            contact_id=ADA,
            trigger=OverflowTrigger.WAITED,
            key="",
            action=DiversionAction.VOICEMAIL,
            endpoint="box-7",
            attempts=0,
        )
        self.queued().given(voicemail, 7_000)
        return self


def start(contact_id: ContactId) -> StartContact:
    return StartContact(
        contact_id=contact_id,
        conversation_id=ConversationId(""),
        channel=Channel.VOICE,
        initiation_method=InitiationMethod.UNSPECIFIED,
        customer_endpoint="+41440000000",
        system_endpoint="+41800000000",
        attributes=(),
    )


def queue(contact_id: ContactId) -> QueueContact:
    return QueueContact(
        contact_id=contact_id, queue_id=SALES, priority=5, required_skills=("german",)
    )


@pytest.fixture
def story() -> Story:
    """Return a domain in which nothing has happened."""
    return Story()
