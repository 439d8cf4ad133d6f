"""Everything routing is asked, told or refuses, and every fact it states; the unions stand at the bottom.

Events have the names and fields of `huntgroup.routing.v1`; times are milliseconds since the epoch, durations
milliseconds. Commands carry no time: the decision is given the log's.
"""

from dataclasses import dataclass
from enum import StrEnum

from msgspec import Struct

from huntgroup_routing.core.blending import BlendRule, GroupBlended, GroupUnblended
from huntgroup_routing.core.events import (
    AgentBecameEligible,
    AgentBecameIneligible,
    AgentCapacityFreed,
    AgentJoined,
    AgentLeft,
    ContactDequeued,
    ContactEnqueued,
    ContactReplanned,
    ContactRequeued,
    ContactStepped,
    OfferAccepted,
    OfferCanceled,
    OfferCreated,
    OfferExpired,
    OfferRejected,
    OfferRescinded,
    PolicyApplied,
    PreferenceLapsed,
    QueueConfigured,
    QueueRetired,
    RingWidened,
    ScorerFailed,
)
from huntgroup_routing.core.facts import (
    ChannelCapacity,
    ObserveAgentReleased,
    ObserveAgentSignedOff,
    ObserveAgentSignedOn,
    ObserveAgentStoppedResponding,
    ObserveAgentWentNotReady,
    ObserveAgentWentReady,
    ObserveContactAbandoned,
    ObserveContactQueued,
    ObserveOfferTurnedAway,
)
from huntgroup_routing.core.hours import (
    CloseQueue,
    OpeningHours,
    OpenQueue,
    QueueClosed,
    QueueOpened,
)
from huntgroup_routing.core.overflow import (
    ContactKept,
    ContactMoved,
    ContactReprioritized,
    ExitQueue,
    MoveContact,
    OverflowRule,
    QueueReprioritized,
    SetContactPriority,
    SetQueuePriority,
)
from huntgroup_routing.core.values import (
    AgentId,
    Channel,
    ContactId,
    OfferId,
    QueueId,
    RoutingStep,
    ServingGroup,
    Skill,
    Strategy,
    Vocabulary,
)

__all__ = [
    "AgentBecameEligible",
    "AgentBecameIneligible",
    "AgentCapacityFreed",
    "AgentJoined",
    "AgentLeft",
    "ChannelCapacity",
    "CloseQueue",
    "ContactDequeued",
    "ContactEnqueued",
    "ContactKept",
    "ContactMoved",
    "ContactReplanned",
    "ContactReprioritized",
    "ContactRequeued",
    "ContactStepped",
    "ExitQueue",
    "GroupBlended",
    "GroupUnblended",
    "MoveContact",
    "ObserveAgentReleased",
    "ObserveAgentSignedOff",
    "ObserveAgentSignedOn",
    "ObserveAgentStoppedResponding",
    "ObserveAgentWentNotReady",
    "ObserveAgentWentReady",
    "ObserveContactAbandoned",
    "ObserveContactQueued",
    "ObserveOfferTurnedAway",
    "OfferAccepted",
    "OfferCanceled",
    "OfferCreated",
    "OfferExpired",
    "OfferRejected",
    "OfferRescinded",
    "OpenQueue",
    "PolicyApplied",
    "PreferenceLapsed",
    "QueueClosed",
    "QueueConfigured",
    "QueueOpened",
    "QueueReprioritized",
    "QueueRetired",
    "RingWidened",
    "ScorerFailed",
    "SetContactPriority",
    "SetQueuePriority",
]
"""Told here too, so that one module names every message."""


class Reason(StrEnum):
    """Why a command was refused."""

    TOO_MANY_QUEUES = "TOO_MANY_QUEUES"
    OFFER_UNKNOWN = "OFFER_UNKNOWN"
    QUEUE_UNKNOWN = "QUEUE_UNKNOWN"
    OFFER_ENDED = "OFFER_ENDED"
    WRONG_AGENT = "WRONG_AGENT"
    WRONG_CHANNEL = "WRONG_CHANNEL"
    REQUIREMENT_INVALID = "REQUIREMENT_INVALID"
    CONTACT_UNKNOWN = "CONTACT_UNKNOWN"
    STEPS_INVALID = "STEPS_INVALID"
    CONTACT_RINGS = "CONTACT_RINGS"
    AGENT_NOT_AVAILABLE = "AGENT_NOT_AVAILABLE"
    AGENT_NOT_ABLE = "AGENT_NOT_ABLE"
    PULL_NOT_ALLOWED = "PULL_NOT_ALLOWED"
    HOURS_INVALID = "HOURS_INVALID"
    SCORER_UNKNOWN = "SCORER_UNKNOWN"
    OVERFLOW_INVALID = "OVERFLOW_INVALID"
    EXIT_KEY_UNKNOWN = "EXIT_KEY_UNKNOWN"
    TARGET_FULL = "TARGET_FULL"
    GROUPS_INVALID = "GROUPS_INVALID"
    CALLBACKS_INVALID = "CALLBACKS_INVALID"
    POLICY_CHANGED = "POLICY_CHANGED"
    POLICY_INVALID = "POLICY_INVALID"
    POLICY_TOO_LARGE = "POLICY_TOO_LARGE"
    POLICY_VERSION_UNKNOWN = "POLICY_VERSION_UNKNOWN"


@dataclass(frozen=True, slots=True, kw_only=True)
class Refused:
    """An expected "no": nothing changed."""

    reason: Reason
    detail: str


# Commands of callers


@dataclass(frozen=True, slots=True, kw_only=True)
class ConfigureQueue:
    """Make or change a queue; contacts that wait already keep the skills they were queued with, and their places.

    No strategy means LONGEST_IDLE.
    """

    queue_id: QueueId
    channel: Channel | None
    """It takes contacts of this one alone; None: of any."""
    required_skills: tuple[Skill, ...]
    ring_timeout_ms: int
    wrap_up_timeout_ms: int
    service_level_threshold_ms: int
    waiting_max: int
    strategy: Strategy | None = None
    reoffer_after_ms: int = 0
    requirement: str = ""
    steps: tuple[RoutingStep, ...] = ()
    skip_unservable_steps: bool = False
    ring_max: int = 0
    ring_every_ms: int = 0
    pull_requirement: str = ""
    preferred_hold_ms: int = 0
    prefers_last_agent: bool = False
    direct_hold_ms: int = 0
    scorer: str = ""
    overflow: tuple[OverflowRule, ...] = ()
    hours: OpeningHours | None = None
    priority_point_ms: int = 0
    groups: tuple[ServingGroup, ...] = ()
    callback_attempts: int = 0
    callback_retry_ms: int = 0
    resume_window_ms: int = 0
    callbacks_max: int = 0
    callback_dial_ms: int = 0
    blend: tuple[BlendRule, ...] = ()
    callback_dial_ahead: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class ApplyPolicy:
    """Make the queues of the domain those given, all of them or none; those that are not given retire."""

    queues: tuple[ConfigureQueue, ...]
    vocabulary: Vocabulary | None = None
    base_version: int | None = None
    author: str = ""
    reason: str = ""
    applies_to_waiting: bool = False
    """Those who wait follow the new requirements and steps, too."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RollBackPolicy:
    """Make the policy of the domain what it was, as a new version; 0 is what it was before the first."""

    version: int
    base_version: int | None = None
    author: str = ""
    reason: str = ""
    applies_to_waiting: bool = False


class AcceptOffer(Struct, frozen=True, kw_only=True, gc=False):
    """The agent takes the offered contact."""

    offer_id: OfferId
    agent_id: AgentId


class RejectOffer(Struct, frozen=True, kw_only=True, gc=False):
    """The agent declines the offered contact."""

    offer_id: OfferId
    agent_id: AgentId
    reason: str


class PullContact(Struct, frozen=True, kw_only=True, gc=False):
    """The agent takes a waiting contact by hand."""

    contact_id: ContactId
    agent_id: AgentId


class AssignContact(Struct, frozen=True, kw_only=True, gc=False):
    """A supervisor gives a waiting contact to an agent."""

    contact_id: ContactId
    agent_id: AgentId
    supervisor_id: AgentId
    waive_requirement: bool


class PassTime(Struct, frozen=True, kw_only=True, gc=False):
    """Time has passed."""


Command = (
    ConfigureQueue
    | ApplyPolicy
    | RollBackPolicy
    | AcceptOffer
    | RejectOffer
    | PullContact
    | AssignContact
    | ExitQueue
    | MoveContact
    | SetContactPriority
    | SetQueuePriority
    | CloseQueue
    | OpenQueue
    | PassTime
    | ObserveContactQueued
    | ObserveContactAbandoned
    | ObserveAgentSignedOn
    | ObserveAgentWentReady
    | ObserveAgentWentNotReady
    | ObserveAgentStoppedResponding
    | ObserveAgentReleased
    | ObserveOfferTurnedAway
    | ObserveAgentSignedOff
)

Event = (
    QueueConfigured
    | QueueRetired
    | PolicyApplied
    | ContactReplanned
    | ContactEnqueued
    | ContactStepped
    | ContactMoved
    | ContactKept
    | ContactReprioritized
    | QueueReprioritized
    | QueueClosed
    | QueueOpened
    | GroupBlended
    | GroupUnblended
    | ContactDequeued
    | ContactRequeued
    | AgentJoined
    | AgentLeft
    | AgentBecameEligible
    | AgentBecameIneligible
    | AgentCapacityFreed
    | OfferCreated
    | OfferAccepted
    | OfferRejected
    | OfferExpired
    | OfferCanceled
    | OfferRescinded
    | RingWidened
    | PreferenceLapsed
    | ScorerFailed
)
