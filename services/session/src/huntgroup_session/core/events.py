"""Every fact that the session service states: the messages of `events.proto`. `core/messages.py` lists all messages."""

from dataclasses import dataclass

from huntgroup_session.core.values import (
    NOBODY,
    AbandonStage,
    AgentId,
    Attribute,
    CallbackEndReason,
    CallbackMode,
    Channel,
    CompletionReason,
    ContactId,
    ConversationId,
    DialOutcome,
    DisconnectReason,
    DiversionAction,
    InitiationMethod,
    OfferId,
    OverflowTrigger,
    QueueId,
    ReturnReason,
)


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
    stay: int = 0
    attempts: int = 0
    preferred_agents: tuple[AgentId, ...] = ()
    direct_agent_id: AgentId = NOBODY
    customer_key: str = ""
    requirement: str = ""
    returns: bool = False
    awaits_turn: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class ContactResumed:
    """A contact has the age of an earlier one, in which its customer was lost."""

    at_ms: int
    contact_id: ContactId
    queue_id: QueueId
    enqueued_at_ms: int
    resumes: ContactId


@dataclass(frozen=True, slots=True, kw_only=True)
class ContactMoved:
    """A contact waits in another queue, with its age; `stay` counts how many queues it was in before."""

    at_ms: int
    contact_id: ContactId
    from_queue_id: QueueId
    queue_id: QueueId
    priority: int
    enqueued_at_ms: int
    wait_ms: int
    stay: int
    trigger: OverflowTrigger


@dataclass(frozen=True, slots=True, kw_only=True)
class ContactReprioritized:
    """A contact that waits stands by another priority from now on, at its age."""

    at_ms: int
    contact_id: ContactId
    queue_id: QueueId
    priority: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ContactHandedBack:
    """Its queue did not take the contact or let it go; it may be queued again."""

    at_ms: int
    contact_id: ContactId
    queue_id: QueueId
    trigger: OverflowTrigger
    key: str
    wait_ms: int
    stay: int
    attempts: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ContactDiverted:
    """Its queue sent the contact elsewhere: to a number, to voice mail, or away. A terminal fact."""

    at_ms: int
    contact_id: ContactId
    queue_id: QueueId
    trigger: OverflowTrigger
    key: str
    action: DiversionAction
    endpoint: str
    wait_ms: int
    stay: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ContactOffered:
    """An agent rings for the contact."""

    at_ms: int
    contact_id: ContactId
    offer_id: OfferId
    agent_id: AgentId
    attempt: int = 0


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
    stay: int = 0


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
    stay: int = 0


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
class CallbackRequested:
    """A customer is to be called back, at the place that the contact has or takes now."""

    at_ms: int
    contact_id: ContactId
    queue_id: QueueId
    number: str
    not_before_ms: int
    not_after_ms: int
    priority: int
    required_skills: tuple[str, ...]
    enqueued_at_ms: int
    came_by_it: bool = False
    mode: CallbackMode | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class CallbackScheduled:
    """A callback stands in no line until `resume_at_ms`; if it did until now, that wait is over."""

    at_ms: int
    contact_id: ContactId
    queue_id: QueueId
    resume_at_ms: int
    in_line: bool
    wait_ms: int
    stay: int


@dataclass(frozen=True, slots=True, kw_only=True)
class CallbackDialRequested:
    """It is time to dial, for an agent who has accepted or for none yet; what came of it is due by `answer_by_ms`."""

    at_ms: int
    contact_id: ContactId
    queue_id: QueueId
    dial: int
    number: str
    offer_id: OfferId
    agent_id: AgentId
    answer_by_ms: int


@dataclass(frozen=True, slots=True, kw_only=True)
class CallbackDialFailed:
    """A customer was dialled in vain."""

    at_ms: int
    contact_id: ContactId
    queue_id: QueueId
    dial: int
    outcome: DialOutcome


@dataclass(frozen=True, slots=True, kw_only=True)
class CallbackAnswered:
    """A customer has answered before there is an agent; that they wait on the line now is told next."""

    at_ms: int
    contact_id: ContactId
    queue_id: QueueId
    dial: int
    wait_ms: int
    stay: int


@dataclass(frozen=True, slots=True, kw_only=True)
class CallbackEnded:
    """A callback is over without a conversation. A terminal fact."""

    at_ms: int
    contact_id: ContactId
    queue_id: QueueId
    reason: CallbackEndReason
    dials: int
    in_line: bool
    wait_ms: int
    stay: int


@dataclass(frozen=True, slots=True, kw_only=True)
class QueueLearned:
    """Contacts may be sent to this queue; at most `waiting_max` wait in it at once."""

    at_ms: int
    queue_id: QueueId
    waiting_max: int
    callback_attempts: int = 0
    callback_retry_ms: int = 0
    callbacks_max: int = 0
    callback_dial_ms: int = 0
    channel: Channel | None = None
    """Contacts of this one alone; None: of any."""


@dataclass(frozen=True, slots=True, kw_only=True)
class QueueForgotten:
    """Contacts may not be sent to this queue any more; those that wait stay."""

    at_ms: int
    queue_id: QueueId
