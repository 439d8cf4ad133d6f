"""The words of the session service: identifiers, and the closed lists of its contract."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Final, NewType

ContactId = NewType("ContactId", str)
ConversationId = NewType("ConversationId", str)
QueueId = NewType("QueueId", str)
OfferId = NewType("OfferId", str)
AgentId = NewType("AgentId", str)
NOBODY: Final = AgentId("")


class Channel(StrEnum):
    """How the customer reaches us."""

    VOICE = "VOICE"
    CHAT = "CHAT"
    MESSAGE = "MESSAGE"
    CALLBACK = "CALLBACK"


class InitiationMethod(StrEnum):
    """How a contact came to be (Amazon Connect's InitiationMethod)."""

    UNSPECIFIED = "UNSPECIFIED"
    INBOUND = "INBOUND"
    API = "API"


class AbandonStage(StrEnum):
    """Where a customer was when they gave up."""

    IN_MENU = "IN_MENU"
    IN_QUEUE = "IN_QUEUE"
    WHILE_OFFERING = "WHILE_OFFERING"


class DisconnectReason(StrEnum):
    """Who ended the conversation (Amazon Connect's DisconnectReason)."""

    CUSTOMER_DISCONNECT = "CUSTOMER_DISCONNECT"
    AGENT_DISCONNECT = "AGENT_DISCONNECT"


class OverflowTrigger(StrEnum):
    """What made a queue not take a contact, or let it go."""

    UNSPECIFIED = "UNSPECIFIED"
    QUEUE_LENGTH = "QUEUE_LENGTH"
    LONGEST_WAIT = "LONGEST_WAIT"
    ESTIMATED_WAIT = "ESTIMATED_WAIT"
    NOBODY_ON_DUTY = "NOBODY_ON_DUTY"
    CLOSED = "CLOSED"
    WAITED = "WAITED"
    EXIT_KEY = "EXIT_KEY"
    WRONG_CHANNEL = "WRONG_CHANNEL"


class DiversionAction(StrEnum):
    """Where a diverted contact went."""

    ENDPOINT = "ENDPOINT"
    VOICEMAIL = "VOICEMAIL"
    DISCONNECT = "DISCONNECT"


class ReturnReason(StrEnum):
    """Why an offered contact went back to its place in the queue."""

    REJECTED = "REJECTED"
    EXPIRED = "EXPIRED"
    AGENT_LOST = "AGENT_LOST"


class CallbackMode(StrEnum):
    """Who is there first when a customer is called back."""

    AGENT_FIRST = "AGENT_FIRST"
    CUSTOMER_FIRST = "CUSTOMER_FIRST"


class DialOutcome(StrEnum):
    """What came of dialling a customer."""

    ANSWERED = "ANSWERED"
    BUSY = "BUSY"
    NO_ANSWER = "NO_ANSWER"
    FAILED = "FAILED"


class CallbackEndReason(StrEnum):
    """Why a callback is over without a conversation."""

    EXPIRED = "EXPIRED"
    UNREACHABLE = "UNREACHABLE"
    CANCELED = "CANCELED"


class CompletionReason(StrEnum):
    """What completed a contact."""

    WRAP_UP_FINISHED = "WRAP_UP_FINISHED"
    BY_COMMAND = "BY_COMMAND"
    TIMER = "TIMER"


@dataclass(frozen=True, slots=True, kw_only=True)
class Attribute:
    """Something the caller wants others to know about the contact."""

    key: str
    value: str
