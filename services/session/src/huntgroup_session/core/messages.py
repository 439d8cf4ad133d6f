"""Everything the session service can be told, and everything it can say.

Commands of the API have the fields of their request in `proto/huntgroup/session/v1/commands.proto`; events are the
messages of `events.proto`, field by field. Every event carries the log time of its decision, commands carry none.
"""

from dataclasses import dataclass
from enum import StrEnum

from huntgroup_session.core.values import (
    AbandonStage,
    AgentId,
    Attribute,
    Channel,
    CompletionReason,
    ContactId,
    ConversationId,
    DisconnectReason,
    InitiationMethod,
    OfferId,
    QueueId,
    ReturnReason,
)

# Commands of the API.


@dataclass(frozen=True, slots=True, kw_only=True)
class StartContact:
    """A contact comes in; an empty conversation id begins a conversation of its own."""

    contact_id: ContactId
    conversation_id: ConversationId
    channel: Channel
    initiation_method: InitiationMethod
    customer_endpoint: str
    system_endpoint: str
    attributes: tuple[Attribute, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class QueueContact:
    """The contact begins to wait for an agent; a higher priority is served first."""

    contact_id: ContactId
    queue_id: QueueId
    priority: int
    required_skills: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class HangUpContact:
    """The customer hangs up, wherever the contact is."""

    contact_id: ContactId


@dataclass(frozen=True, slots=True, kw_only=True)
class EndContact:
    """The agent ends the conversation."""

    contact_id: ContactId
    agent_id: AgentId


@dataclass(frozen=True, slots=True, kw_only=True)
class HoldContact:
    """The agent puts the customer on hold."""

    contact_id: ContactId
    agent_id: AgentId


@dataclass(frozen=True, slots=True, kw_only=True)
class RetrieveContact:
    """The agent takes the customer off hold."""

    contact_id: ContactId
    agent_id: AgentId


@dataclass(frozen=True, slots=True, kw_only=True)
class CompleteContact:
    """Close a disconnected contact without waiting for the report of its wrap-up."""

    contact_id: ContactId


# Facts of others, and of time.


@dataclass(frozen=True, slots=True, kw_only=True)
class ObserveQueueConfigured:
    """Routing made or changed a queue."""

    queue_id: QueueId
    waiting_max: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ObserveQueueRetired:
    """A queue is no longer in routing's policy."""

    queue_id: QueueId


@dataclass(frozen=True, slots=True, kw_only=True)
class ObserveOfferCreated:
    """Routing lets an agent ring for the contact."""

    contact_id: ContactId
    offer_id: OfferId
    agent_id: AgentId


@dataclass(frozen=True, slots=True, kw_only=True)
class ObserveOfferAccepted:
    """The agent took the offer."""

    contact_id: ContactId
    offer_id: OfferId
    agent_id: AgentId


@dataclass(frozen=True, slots=True, kw_only=True)
class ObserveOfferFailed:
    """The offer came to nothing, and not because the customer left."""

    contact_id: ContactId
    offer_id: OfferId
    reason: ReturnReason


@dataclass(frozen=True, slots=True, kw_only=True)
class ObserveWrapUpFinished:
    """The agent's after-call work for the contact is over."""

    contact_id: ContactId
    offer_id: OfferId
    wrap_up_ms: int


@dataclass(frozen=True, slots=True, kw_only=True)
class PassTime:
    """Time has passed; nothing else happened."""


# Events.


@dataclass(frozen=True, slots=True, kw_only=True)
class ContactInitiated:
    """A contact came in."""

    at_ms: int
    contact_id: ContactId
    conversation_id: ConversationId
    channel: Channel
    initiation_method: InitiationMethod
    customer_endpoint: str
    system_endpoint: str
    attributes: tuple[Attribute, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class ContactQueued:
    """A contact began to wait; its age counts from `enqueued_at_ms`, however often it comes back to the queue."""

    at_ms: int
    contact_id: ContactId
    queue_id: QueueId
    channel: Channel
    priority: int
    required_skills: tuple[str, ...]
    enqueued_at_ms: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ContactOffered:
    """An agent rings for the contact."""

    at_ms: int
    contact_id: ContactId
    offer_id: OfferId
    agent_id: AgentId


@dataclass(frozen=True, slots=True, kw_only=True)
class ContactReturnedToQueue:
    """The offer came to nothing; the contact waits on, at its place and with its age."""

    at_ms: int
    contact_id: ContactId
    offer_id: OfferId
    reason: ReturnReason


@dataclass(frozen=True, slots=True, kw_only=True)
class ContactConnected:
    """Customer and agent talk; `wait_ms` is from queued to connected."""

    at_ms: int
    contact_id: ContactId
    offer_id: OfferId
    agent_id: AgentId
    queue_id: QueueId
    channel: Channel
    wait_ms: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ContactConnectionFailed:
    """An accepted offer found no customer any more; the agent is free of it."""

    at_ms: int
    contact_id: ContactId
    offer_id: OfferId
    agent_id: AgentId


@dataclass(frozen=True, slots=True, kw_only=True)
class ContactHeld:
    """The agent put the customer on hold."""

    at_ms: int
    contact_id: ContactId
    agent_id: AgentId


@dataclass(frozen=True, slots=True, kw_only=True)
class ContactRetrieved:
    """The agent took the customer off hold; `hold_ms` is the length of this hold."""

    at_ms: int
    contact_id: ContactId
    agent_id: AgentId
    hold_ms: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ContactAbandoned:
    """The customer left before an agent was reached. A terminal fact."""

    at_ms: int
    contact_id: ContactId
    queue_id: QueueId
    stage: AbandonStage
    wait_ms: int
    offer_id: OfferId


@dataclass(frozen=True, slots=True, kw_only=True)
class ContactDisconnected:
    """The conversation ended; the agent wraps up. `talk_ms` is without the time on hold."""

    at_ms: int
    contact_id: ContactId
    offer_id: OfferId
    agent_id: AgentId
    queue_id: QueueId
    reason: DisconnectReason
    talk_ms: int
    hold_ms: int
    completes_by_ms: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ContactCompleted:
    """The contact and its after-call work are over; `wrap_up_ms` is 0 unless it was reported. A terminal fact."""

    at_ms: int
    contact_id: ContactId
    queue_id: QueueId
    reason: CompletionReason
    wrap_up_ms: int


@dataclass(frozen=True, slots=True, kw_only=True)
class QueueLearned:
    """Contacts may be sent to this queue; at most `waiting_max` wait in it at once."""

    at_ms: int
    queue_id: QueueId
    waiting_max: int


@dataclass(frozen=True, slots=True, kw_only=True)
class QueueForgotten:
    """Contacts may not be sent to this queue any more; those that wait stay."""

    at_ms: int
    queue_id: QueueId


# Refusals.


class Reason(StrEnum):
    """Why a command was refused."""

    ATTRIBUTE_REPEATED = "ATTRIBUTE_REPEATED"
    CONTACTS_FULL = "CONTACTS_FULL"
    CONTACT_EXISTS = "CONTACT_EXISTS"
    CONTACT_UNKNOWN = "CONTACT_UNKNOWN"
    QUEUE_FULL = "QUEUE_FULL"
    QUEUE_UNKNOWN = "QUEUE_UNKNOWN"
    WRONG_AGENT = "WRONG_AGENT"
    WRONG_STATE = "WRONG_STATE"


@dataclass(frozen=True, slots=True)
class Refused:
    """An expected "no": `detail` names the field, the value and the rule in one sentence."""

    reason: Reason
    detail: str


Command = (
    StartContact
    | QueueContact
    | HangUpContact
    | EndContact
    | HoldContact
    | RetrieveContact
    | CompleteContact
    | ObserveQueueConfigured
    | ObserveQueueRetired
    | ObserveOfferCreated
    | ObserveOfferAccepted
    | ObserveOfferFailed
    | ObserveWrapUpFinished
    | PassTime
)

Event = (
    ContactInitiated
    | ContactQueued
    | ContactOffered
    | ContactReturnedToQueue
    | ContactConnected
    | ContactConnectionFailed
    | ContactHeld
    | ContactRetrieved
    | ContactAbandoned
    | ContactDisconnected
    | ContactCompleted
    | QueueLearned
    | QueueForgotten
)
