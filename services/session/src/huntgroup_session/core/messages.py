"""Everything the session service can be told, and everything it can say.

Commands of the API have the fields of their request in `proto/huntgroup/session/v1/commands.proto`; events are the
messages of `events.proto`, field by field. Every event carries the log time of its decision, commands carry none.
"""

from dataclasses import dataclass
from enum import StrEnum

from huntgroup_session.core.attendance import (
    AgentJoined,
    AgentLeft,
    ObserveAgentSignedOff,
    ObserveAgentSignedOn,
)
from huntgroup_session.core.events import (
    CallbackAnswered,
    CallbackDialFailed,
    CallbackDialRequested,
    CallbackEnded,
    CallbackRequested,
    CallbackScheduled,
    ContactAbandoned,
    ContactCompleted,
    ContactConnected,
    ContactConnectionFailed,
    ContactDisconnected,
    ContactDiverted,
    ContactHandedBack,
    ContactHeld,
    ContactInitiated,
    ContactMoved,
    ContactOffered,
    ContactQueued,
    ContactReprioritized,
    ContactResumed,
    ContactRetrieved,
    ContactReturnedToQueue,
    QueueForgotten,
    QueueLearned,
)
from huntgroup_session.core.values import (
    NOBODY,
    AgentId,
    Attribute,
    CallbackMode,
    Channel,
    ContactId,
    ConversationId,
    DialOutcome,
    DiversionAction,
    InitiationMethod,
    OfferId,
    OverflowTrigger,
    QueueId,
    ReturnReason,
)

__all__ = [
    "AgentJoined",
    "AgentLeft",
    "CallbackAnswered",
    "CallbackDialFailed",
    "CallbackDialRequested",
    "CallbackEnded",
    "CallbackRequested",
    "CallbackScheduled",
    "ContactAbandoned",
    "ContactCompleted",
    "ContactConnected",
    "ContactConnectionFailed",
    "ContactDisconnected",
    "ContactDiverted",
    "ContactHandedBack",
    "ContactHeld",
    "ContactInitiated",
    "ContactMoved",
    "ContactOffered",
    "ContactQueued",
    "ContactReprioritized",
    "ContactResumed",
    "ContactRetrieved",
    "ContactReturnedToQueue",
    "ObserveAgentSignedOff",
    "ObserveAgentSignedOn",
    "QueueForgotten",
    "QueueLearned",
]
"""Told here too, so that one module names every message."""

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
    preferred_agents: tuple[AgentId, ...] = ()
    direct_agent_id: AgentId = NOBODY
    customer_key: str = ""
    requirement: str = ""


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


@dataclass(frozen=True, slots=True, kw_only=True)
class RequestCallback:
    """The customer may hang up and is called back; queue, priority and skills are for a contact that is not queued."""

    contact_id: ContactId
    number: str
    not_before_ms: int
    not_after_ms: int
    queue_id: QueueId
    priority: int
    required_skills: tuple[str, ...]
    mode: CallbackMode | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class CancelCallback:
    """The customer need not be called back any more."""

    contact_id: ContactId


@dataclass(frozen=True, slots=True, kw_only=True)
class ReportDialOutcome:
    """What came of dialling the customer for the `dial`th time."""

    contact_id: ContactId
    dial: int
    outcome: DialOutcome


# Facts of others, and of time.


@dataclass(frozen=True, slots=True, kw_only=True)
class ObserveQueueConfigured:
    """Routing made or changed a queue."""

    queue_id: QueueId
    waiting_max: int
    callback_attempts: int = 0
    callback_retry_ms: int = 0
    callbacks_max: int = 0
    callback_dial_ms: int = 0
    channel: Channel | None = None


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
    attempt: int = 0


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
class ObserveContactMoved:
    """Routing put the contact into another queue."""

    contact_id: ContactId
    queue_id: QueueId
    priority: int
    enqueued_at_ms: int
    stay: int
    trigger: OverflowTrigger


@dataclass(frozen=True, slots=True, kw_only=True)
class ObserveContactReprioritized:
    """Routing lets the contact stand by another priority."""

    contact_id: ContactId
    priority: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ObserveContactResumed:
    """Routing gave the contact the place that its customer had in an earlier one."""

    contact_id: ContactId
    resumes: ContactId
    stay: int
    enqueued_at_ms: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ObserveContactOverflowed:
    """Routing's queue let the contact go; without an action whoever queued it has it back."""

    contact_id: ContactId
    trigger: OverflowTrigger
    key: str
    action: DiversionAction | None
    endpoint: str
    attempts: int
    opens_at_ms: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class ObserveCallbackPostponed:
    """Routing's queue let a callback go until it may be dialled."""

    contact_id: ContactId


@dataclass(frozen=True, slots=True, kw_only=True)
class ObserveCallbackDue:
    """Routing let a callback go since its turn comes near: its customer is to be dialled."""

    contact_id: ContactId


@dataclass(frozen=True, slots=True, kw_only=True)
class ObserveWrapUpFinished:
    """The agent's after-call work for the contact is over."""

    contact_id: ContactId
    offer_id: OfferId
    wrap_up_ms: int


@dataclass(frozen=True, slots=True, kw_only=True)
class PassTime:
    """Time has passed; nothing else happened."""


# Refusals.


class Reason(StrEnum):
    """Why a command was refused."""

    ATTRIBUTE_REPEATED = "ATTRIBUTE_REPEATED"
    CALLBACKS_FULL = "CALLBACKS_FULL"
    CALLBACKS_OFF = "CALLBACKS_OFF"
    CALLBACK_EXISTS = "CALLBACK_EXISTS"
    CONTACTS_FULL = "CONTACTS_FULL"
    CONTACT_EXISTS = "CONTACT_EXISTS"
    CONTACT_UNKNOWN = "CONTACT_UNKNOWN"
    QUEUE_FULL = "QUEUE_FULL"
    QUEUE_MISSING = "QUEUE_MISSING"
    QUEUE_UNKNOWN = "QUEUE_UNKNOWN"
    WINDOW_INVALID = "WINDOW_INVALID"
    REQUIREMENTS_FULL = "REQUIREMENTS_FULL"
    WRONG_AGENT = "WRONG_AGENT"
    WRONG_CHANNEL = "WRONG_CHANNEL"
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
    | RequestCallback
    | CancelCallback
    | ReportDialOutcome
    | ObserveQueueConfigured
    | ObserveQueueRetired
    | ObserveOfferCreated
    | ObserveOfferAccepted
    | ObserveOfferFailed
    | ObserveContactMoved
    | ObserveContactReprioritized
    | ObserveContactResumed
    | ObserveContactOverflowed
    | ObserveCallbackPostponed
    | ObserveAgentSignedOff
    | ObserveAgentSignedOn
    | ObserveCallbackDue
    | ObserveWrapUpFinished
    | PassTime
)

Event = (
    ContactInitiated
    | ContactQueued
    | ContactOffered
    | ContactReturnedToQueue
    | ContactMoved
    | ContactReprioritized
    | ContactResumed
    | ContactHandedBack
    | ContactDiverted
    | ContactConnected
    | ContactConnectionFailed
    | ContactHeld
    | ContactRetrieved
    | ContactAbandoned
    | ContactDisconnected
    | ContactCompleted
    | CallbackRequested
    | CallbackScheduled
    | CallbackDialRequested
    | CallbackDialFailed
    | CallbackAnswered
    | CallbackEnded
    | QueueLearned
    | QueueForgotten
    | AgentLeft
    | AgentJoined
)
