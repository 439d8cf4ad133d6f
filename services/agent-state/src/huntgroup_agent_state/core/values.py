"""The words of agent state: ids, channels, presence, and the phases of a slot."""

from dataclasses import dataclass
from enum import StrEnum
from typing import NewType

AgentId = NewType("AgentId", str)
ContactId = NewType("ContactId", str)
OfferId = NewType("OfferId", str)
QueueId = NewType("QueueId", str)


class Channel(StrEnum):
    """What a contact speaks through."""

    VOICE = "VOICE"
    CHAT = "CHAT"
    MESSAGE = "MESSAGE"
    CALLBACK = "CALLBACK"


class Presence(StrEnum):
    """What an agent wants: the first layer, set by people only."""

    READY = "READY"
    NOT_READY = "NOT_READY"


class RoutingState(StrEnum):
    """What an agent does: the second layer, derived and never set by hand (CSTA's agent states)."""

    OFFLINE = "OFFLINE"
    NOT_RESPONDING = "NOT_RESPONDING"
    BUSY = "BUSY"
    WORKING_AFTER_CALL = "WORKING_AFTER_CALL"
    RESERVED = "RESERVED"
    NOT_READY = "NOT_READY"
    READY = "READY"


class SlotPhase(StrEnum):
    """How far the contact in a slot is."""

    RINGING = "RINGING"
    WITHDRAWN = "WITHDRAWN"
    """The agent left while it rang; what becomes of the offer is not known yet."""
    TALKING = "TALKING"
    WRAPPING_UP = "WRAPPING_UP"


class SignOffReason(StrEnum):
    """Why an agent is no longer signed on."""

    BY_AGENT = "BY_AGENT"
    DESKTOP_SILENT = "DESKTOP_SILENT"


class WrapUpEnd(StrEnum):
    """What ended after-call work."""

    BY_AGENT = "BY_AGENT"
    TIMER = "TIMER"
    AGENT_LEFT = "AGENT_LEFT"


class ReleaseReason(StrEnum):
    """Why a slot is free again."""

    WRAPPED_UP = "WRAPPED_UP"
    REJECTED = "REJECTED"
    EXPIRED = "EXPIRED"
    CUSTOMER_LEFT = "CUSTOMER_LEFT"
    CONNECTION_FAILED = "CONNECTION_FAILED"
    AGENT_LEFT = "AGENT_LEFT"
    TAKEN_BY_ANOTHER = "TAKEN_BY_ANOTHER"
    CONTACT_MOVED = "CONTACT_MOVED"


class TurnAwayReason(StrEnum):
    """Why an offer could not be given to the agent."""

    NOT_SIGNED_ON = "NOT_SIGNED_ON"
    NOT_READY = "NOT_READY"
    NO_CAPACITY = "NO_CAPACITY"


class Overtaking(StrEnum):
    """What the session service told of an offer before routing's own word of it arrived."""

    CONNECTED = "CONNECTED"
    DISCONNECTED = "DISCONNECTED"
    CONNECTION_FAILED = "CONNECTION_FAILED"


@dataclass(frozen=True, slots=True, kw_only=True)
class ChannelCapacity:
    """How many contacts of a channel an agent takes at once, and what each means for others: the third layer."""

    channel: Channel
    slots: int
    cost: int = 0
    """In units, where the agent's channels share them."""
    interrupts: tuple[Channel, ...] = ()
    """Channels whose contacts do not keep one of this channel away, and get none while one is held."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SkillLevel:
    """How well an agent has a skill, from 1 to 100."""

    skill: str
    level: int


@dataclass(frozen=True, slots=True, kw_only=True)
class AgentAttribute:
    """Something else that is true of an agent."""

    name: str
    value: str


@dataclass(frozen=True, slots=True, kw_only=True)
class AgentTraits:
    """What requirements may ask of an agent, beside the bare names of skills."""

    skill_levels: tuple[SkillLevel, ...] = ()
    languages: tuple[str, ...] = ()
    attributes: tuple[AgentAttribute, ...] = ()
    groups: tuple[str, ...] = ()


DEFAULT_CAPACITY = (ChannelCapacity(channel=Channel.VOICE, slots=1),)
"""Of an agent who signs on without naming any: one voice contact at a time."""

AGENTS_MAX = 50_000
"""Of one domain, who left and still holds a slot included. The same as routing's `AGENTS_MAX` (its core/values.py):
routing does not reckon with one agent more, so that one must be refused here."""

SLOTS_MAX = 25
"""Of one channel of one agent."""

UNITS_MAX = 1_000
"""Of one agent."""
