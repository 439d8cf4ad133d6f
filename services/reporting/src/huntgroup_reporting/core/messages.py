"""Everything the ledger is told, and everything it can say.

Reporting has no commands of its own: it observes the facts of session, agent-state and routing. Times in an
observation are those of the service that owns the fact; `at_ms` of an event is the log time of this service.
"""

from dataclasses import dataclass
from enum import StrEnum

from huntgroup_reporting.core.values import (
    AgentId,
    ContactId,
    OfferId,
    OfferOutcome,
    Presence,
    QueueId,
    SlotPhase,
    WaitOutcome,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class ObserveQueueConfigured:
    """Routing made or changed a queue."""

    queue_id: QueueId
    service_level_threshold_ms: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ObserveContactQueued:
    """Session: a contact began to wait."""

    contact_id: ContactId
    queue_id: QueueId
    enqueued_at_ms: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ObserveContactEnqueued:
    """Routing: a contact took its place in the queue as it was configured then."""

    contact_id: ContactId
    queue_id: QueueId


@dataclass(frozen=True, slots=True, kw_only=True)
class ObserveWaitEnded:
    """Session: a queued contact was connected, or left."""

    contact_id: ContactId
    queue_id: QueueId
    outcome: WaitOutcome
    ended_at_ms: int
    wait_ms: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ObserveContactMoved:
    """Session: a contact left one queue for another; each stay in a queue is counted there."""

    contact_id: ContactId
    from_queue_id: QueueId
    moved_at_ms: int
    wait_ms: int
    next_contact_id: ContactId
    """The stay in the new queue."""
    queue_id: QueueId
    enqueued_at_ms: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ObserveContactDisconnected:
    """Session: a conversation ended."""

    offer_id: OfferId
    contact_id: ContactId
    queue_id: QueueId
    talk_ms: int
    hold_ms: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ObserveWrapUpFinished:
    """Agent-state: the after-call work of a conversation is over."""

    offer_id: OfferId
    ended_at_ms: int
    wrap_up_ms: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ObserveOfferEnded:
    """Routing: an offer found its one outcome."""

    offer_id: OfferId
    agent_id: AgentId
    queue_id: QueueId
    outcome: OfferOutcome
    ended_at_ms: int
    ring_ms: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ObserveAgentPresence:
    """Agent-state: an agent came, left, or changed what they are there for."""

    agent_id: AgentId
    since_ms: int
    presence: Presence


@dataclass(frozen=True, slots=True, kw_only=True)
class ObserveAgentSlot:
    """Agent-state: a slot was taken, went on, or is free again. The queue is empty where the fact does not name it."""

    agent_id: AgentId
    since_ms: int
    offer_id: OfferId
    queue_id: QueueId
    phase: SlotPhase


@dataclass(frozen=True, slots=True, kw_only=True)
class PassTime:
    """Time has passed: agents who go on doing what they do are counted to the end of the interval."""


@dataclass(frozen=True, slots=True, kw_only=True)
class QueueTargetNoted:
    """Contacts that take their place from now on, in routing's order, are judged by this threshold."""

    at_ms: int
    queue_id: QueueId
    service_level_threshold_ms: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ContactTargetNoted:
    """The contact is judged by the threshold its queue had when it took its place."""

    at_ms: int
    contact_id: ContactId
    service_level_threshold_ms: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ContactOutcomeHeld:
    """A wait ended before the threshold it is judged by was seen."""

    at_ms: int
    contact_id: ContactId
    outcome: WaitOutcome
    wait_ms: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ConversationNoted:
    """A conversation ended; its wrap-up has not been seen to end yet."""

    at_ms: int
    offer_id: OfferId
    contact_id: ContactId
    queue_id: QueueId
    talk_ms: int
    hold_ms: int


@dataclass(frozen=True, slots=True, kw_only=True)
class WrapUpNoted:
    """A wrap-up ended; its conversation has not been seen to end yet."""

    at_ms: int
    offer_id: OfferId
    ended_at_ms: int
    wrap_up_ms: int


@dataclass(frozen=True, slots=True, kw_only=True)
class AgentPresenceNoted:
    """An agent came, left, or changed what they are there for, at `since_ms` of agent-state's log."""

    at_ms: int
    agent_id: AgentId
    since_ms: int
    presence: Presence


@dataclass(frozen=True, slots=True, kw_only=True)
class AgentSlotNoted:
    """A slot of an agent changed at `since_ms` of agent-state's log."""

    at_ms: int
    agent_id: AgentId
    since_ms: int
    offer_id: OfferId
    queue_id: QueueId
    phase: SlotPhase


@dataclass(frozen=True, slots=True, kw_only=True)
class OfferedContactCounted:
    """One more contact was queued; the interval is that of its queueing."""

    at_ms: int
    queue_id: QueueId
    interval_start_ms: int
    contact_id: ContactId
    enqueued_at_ms: int


@dataclass(frozen=True, slots=True, kw_only=True)
class AnsweredContactCounted:
    """One more contact was answered; the interval is that of its queueing."""

    at_ms: int
    queue_id: QueueId
    interval_start_ms: int
    contact_id: ContactId
    wait_ms: int
    within_threshold: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class AbandonedContactCounted:
    """One more contact was abandoned; the interval is that of its queueing."""

    at_ms: int
    queue_id: QueueId
    interval_start_ms: int
    contact_id: ContactId
    wait_ms: int
    within_threshold: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class OverflowedContactCounted:
    """One more contact left the queue by a rule, or was moved; the interval is that of its queueing."""

    at_ms: int
    queue_id: QueueId
    interval_start_ms: int
    contact_id: ContactId
    wait_ms: int
    within_threshold: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class HandledContactCounted:
    """One more contact was handled; the interval is that of the end of its wrap-up."""

    at_ms: int
    queue_id: QueueId
    interval_start_ms: int
    contact_id: ContactId
    talk_ms: int
    hold_ms: int
    wrap_up_ms: int
    offer_id: OfferId


@dataclass(frozen=True, slots=True, kw_only=True)
class AgentTimeCounted:
    """Time an agent spent, per interval of `intervals` in a row; negative where earlier entries counted too much."""

    at_ms: int
    agent_id: AgentId
    interval_start_ms: int
    idle_ms: int
    ringing_ms: int
    talking_ms: int
    wrapping_up_ms: int
    not_ready_ms: int
    until_ms: int
    intervals: int

    @property
    def interval_starts(self) -> range:
        """The intervals that the amounts are for; several in a row are whole ones, so the amounts tell their length."""
        if self.intervals == 1:
            return range(self.interval_start_ms, self.interval_start_ms + 1)
        amounts = self.idle_ms + self.ringing_ms + self.talking_ms
        length_ms = abs(amounts + self.wrapping_up_ms + self.not_ready_ms)
        end_ms = self.interval_start_ms + self.intervals * length_ms
        return range(self.interval_start_ms, end_ms, length_ms)


@dataclass(frozen=True, slots=True, kw_only=True)
class OfferOutcomeCounted:
    """One more offer ended; the interval is that of its end. `outcome` is an `OfferOutcome`."""

    at_ms: int
    queue_id: QueueId
    interval_start_ms: int
    offer_id: OfferId
    agent_id: AgentId
    outcome: str
    ring_ms: int


class Reason(StrEnum):
    """Why a report was refused."""

    SPAN_EMPTY = "SPAN_EMPTY"
    INTERVAL_NOT_MULTIPLE = "INTERVAL_NOT_MULTIPLE"
    ROWS_TOO_MANY = "ROWS_TOO_MANY"
    HISTORY_UNAVAILABLE = "HISTORY_UNAVAILABLE"


@dataclass(frozen=True, slots=True, kw_only=True)
class Refused:
    """An expected "no" to a question; observations are never refused."""

    reason: Reason
    detail: str


Command = (
    ObserveQueueConfigured
    | ObserveContactQueued
    | ObserveContactEnqueued
    | ObserveWaitEnded
    | ObserveContactMoved
    | ObserveContactDisconnected
    | ObserveWrapUpFinished
    | ObserveOfferEnded
    | ObserveAgentPresence
    | ObserveAgentSlot
    | PassTime
)

QueueEntry = (
    OfferedContactCounted
    | AnsweredContactCounted
    | AbandonedContactCounted
    | OverflowedContactCounted
    | HandledContactCounted
    | OfferOutcomeCounted
)
"""The entries that belong to a queue and an interval."""

Event = (
    QueueTargetNoted
    | ContactTargetNoted
    | ContactOutcomeHeld
    | ConversationNoted
    | WrapUpNoted
    | AgentPresenceNoted
    | AgentSlotNoted
    | OfferedContactCounted
    | AnsweredContactCounted
    | AbandonedContactCounted
    | OverflowedContactCounted
    | HandledContactCounted
    | AgentTimeCounted
    | OfferOutcomeCounted
)
