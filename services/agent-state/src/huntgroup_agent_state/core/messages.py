"""Everything that can be asked of agent state, and everything that can have happened in it."""

from dataclasses import dataclass
from enum import StrEnum

from huntgroup_agent_state.core.values import (
    AgentId,
    AgentTraits,
    Channel,
    ChannelCapacity,
    ContactId,
    OfferId,
    Overtaking,
    Presence,
    QueueId,
    ReleaseReason,
    SignOffReason,
    TurnAwayReason,
    WrapUpEnd,
)


class Reason(StrEnum):
    """Why a command was refused."""

    AGENTS_FULL = "AGENTS_FULL"
    ALREADY_SIGNED_ON = "ALREADY_SIGNED_ON"
    NOT_SIGNED_ON = "NOT_SIGNED_ON"
    REASON_MISSING = "REASON_MISSING"
    CAPACITY_INVALID = "CAPACITY_INVALID"
    TRAITS_INVALID = "TRAITS_INVALID"
    CONTACT_UNKNOWN = "CONTACT_UNKNOWN"
    NOT_WRAPPING_UP = "NOT_WRAPPING_UP"


@dataclass(frozen=True, slots=True, kw_only=True)
class Refused:
    """An expected "no": nothing happened."""

    reason: Reason
    detail: str


# Commands of agents and desktops.


@dataclass(frozen=True, slots=True, kw_only=True)
class SignOn:
    """An agent comes to work; no capacity means one voice contact at a time."""

    agent_id: AgentId
    skills: tuple[str, ...] = ()
    capacity: tuple[ChannelCapacity, ...] = ()
    traits: AgentTraits | None = None
    capacity_units: int = 0
    """What contacts of all channels may cost together; 0: channels share nothing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SignOff:
    """An agent leaves."""

    agent_id: AgentId


@dataclass(frozen=True, slots=True, kw_only=True)
class SetPresence:
    """Ready or not ready (then with a reason), at once or when a slot comes free."""

    agent_id: AgentId
    presence: Presence
    reason: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class CompleteWrapUp:
    """The after-call work of a contact is done."""

    agent_id: AgentId
    contact_id: ContactId


@dataclass(frozen=True, slots=True, kw_only=True)
class ReportDesktopSilent:
    """No desktop of the agent answered within the lease; holds for that one time of being signed on only."""

    agent_id: AgentId
    signed_on_at_ms: int


@dataclass(frozen=True, slots=True, kw_only=True)
class PassTime:
    """Time has passed: after-call work that is over by now ends."""


# Facts of routing.


@dataclass(frozen=True, slots=True, kw_only=True)
class ObserveOfferCreated:
    """Routing offers a contact to an agent."""

    offer_id: OfferId
    contact_id: ContactId
    agent_id: AgentId
    queue_id: QueueId
    channel: Channel
    expires_at_ms: int
    wrap_up_timeout_ms: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ObserveOfferRejected:
    """The agent declined."""

    offer_id: OfferId


@dataclass(frozen=True, slots=True, kw_only=True)
class ObserveOfferExpired:
    """The agent let it ring out."""

    offer_id: OfferId


@dataclass(frozen=True, slots=True, kw_only=True)
class ObserveOfferCanceled:
    """The customer left while it rang, or somebody moved the contact."""

    offer_id: OfferId
    contact_moved: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class ObserveOfferRescinded:
    """Routing took the offer back: the agent could not take it, or another one did."""

    offer_id: OfferId
    taken_by_another: bool = False


# Facts of the session.


@dataclass(frozen=True, slots=True, kw_only=True)
class ObserveContactConnected:
    """Customer and agent talk."""

    offer_id: OfferId
    contact_id: ContactId
    agent_id: AgentId
    queue_id: QueueId
    channel: Channel


@dataclass(frozen=True, slots=True, kw_only=True)
class ObserveContactConnectionFailed:
    """The agent accepted, but the customer had gone."""

    offer_id: OfferId
    contact_id: ContactId
    agent_id: AgentId


@dataclass(frozen=True, slots=True, kw_only=True)
class ObserveContactDisconnected:
    """The conversation ended."""

    offer_id: OfferId
    contact_id: ContactId
    agent_id: AgentId


# Events; each says in its `.proto` what it means.


@dataclass(frozen=True, slots=True, kw_only=True)
class AgentSignedOn:
    """An agent signed on, not ready yet."""

    at_ms: int
    agent_id: AgentId
    skills: tuple[str, ...]
    capacity: tuple[ChannelCapacity, ...]
    traits: AgentTraits | None = None
    capacity_units: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class AgentSignedOff:
    """An agent left."""

    at_ms: int
    agent_id: AgentId
    reason: SignOffReason


@dataclass(frozen=True, slots=True, kw_only=True)
class AgentWentReady:
    """An agent takes contacts."""

    at_ms: int
    agent_id: AgentId


@dataclass(frozen=True, slots=True, kw_only=True)
class AgentWentNotReady:
    """An agent takes no contacts, for the reason given."""

    at_ms: int
    agent_id: AgentId
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class AgentAskedForPresence:
    """An agent without a free slot chose what to be when one comes free."""

    at_ms: int
    agent_id: AgentId
    presence: Presence
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class AgentStoppedResponding:
    """An offer rang out (RONA): no contacts until the agent acts."""

    at_ms: int
    agent_id: AgentId
    offer_id: OfferId


@dataclass(frozen=True, slots=True, kw_only=True)
class AgentReserved:
    """A slot is held for an offer."""

    at_ms: int
    agent_id: AgentId
    offer_id: OfferId
    contact_id: ContactId
    queue_id: QueueId
    channel: Channel
    expires_at_ms: int
    wrap_up_timeout_ms: int


@dataclass(frozen=True, slots=True, kw_only=True)
class AgentBecameBusy:
    """The slot is in a conversation."""

    at_ms: int
    agent_id: AgentId
    offer_id: OfferId
    contact_id: ContactId


@dataclass(frozen=True, slots=True, kw_only=True)
class ContactInterrupted:
    """The agent talks to another contact, too, whose channel may interrupt this one's."""

    at_ms: int
    agent_id: AgentId
    offer_id: OfferId
    contact_id: ContactId
    channel: Channel
    by_offer_id: OfferId
    by_contact_id: ContactId
    by_channel: Channel


@dataclass(frozen=True, slots=True, kw_only=True)
class AgentStartedWrapUp:
    """The conversation ended; after-call work runs until then at the latest."""

    at_ms: int
    agent_id: AgentId
    offer_id: OfferId
    contact_id: ContactId
    ends_at_ms: int


@dataclass(frozen=True, slots=True, kw_only=True)
class AgentFinishedWrapUp:
    """After-call work is over."""

    at_ms: int
    agent_id: AgentId
    offer_id: OfferId
    contact_id: ContactId
    ended_by: WrapUpEnd
    wrap_up_ms: int


@dataclass(frozen=True, slots=True, kw_only=True)
class AgentReleased:
    """The slot is free again."""

    at_ms: int
    agent_id: AgentId
    offer_id: OfferId
    contact_id: ContactId
    reason: ReleaseReason


@dataclass(frozen=True, slots=True, kw_only=True)
class OfferTurnedAway:
    """An offer reached an agent who cannot take it."""

    at_ms: int
    agent_id: AgentId
    offer_id: OfferId
    contact_id: ContactId
    reason: TurnAwayReason


@dataclass(frozen=True, slots=True, kw_only=True)
class OfferOvertaken:
    """The session told what became of an offer that routing's journal has not shown here yet."""

    at_ms: int
    agent_id: AgentId
    offer_id: OfferId
    contact_id: ContactId
    overtaking: Overtaking


Command = (
    SignOn
    | SignOff
    | SetPresence
    | CompleteWrapUp
    | ReportDesktopSilent
    | PassTime
    | ObserveOfferCreated
    | ObserveOfferRejected
    | ObserveOfferExpired
    | ObserveOfferCanceled
    | ObserveOfferRescinded
    | ObserveContactConnected
    | ObserveContactConnectionFailed
    | ObserveContactDisconnected
)

Event = (
    AgentSignedOn
    | AgentSignedOff
    | AgentWentReady
    | AgentWentNotReady
    | AgentAskedForPresence
    | AgentStoppedResponding
    | AgentReserved
    | AgentBecameBusy
    | ContactInterrupted
    | AgentStartedWrapUp
    | AgentFinishedWrapUp
    | AgentReleased
    | OfferTurnedAway
    | OfferOvertaken
)
