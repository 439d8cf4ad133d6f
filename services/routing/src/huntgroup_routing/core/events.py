"""Every fact that routing states: the events of `huntgroup.routing.v1`. `core/messages.py` lists all messages."""

from msgspec import Struct

from huntgroup_routing.core.blending import BlendRule
from huntgroup_routing.core.facts import ChannelCapacity
from huntgroup_routing.core.hours import OpeningHours
from huntgroup_routing.core.overflow import Overflow, OverflowRule
from huntgroup_routing.core.values import (
    NO_CONTACT,
    AgentId,
    AgentTraits,
    CancelReason,
    Channel,
    ContactId,
    DequeueReason,
    Explanation,
    IneligibleReason,
    LapseReason,
    OfferId,
    QueueId,
    RescindReason,
    RoutingStep,
    ServingGroup,
    Skill,
    StepTrigger,
    Strategy,
    Vocabulary,
)


class QueueConfigured(Struct, frozen=True, kw_only=True, gc=False):
    """A queue was made or changed."""

    at_ms: int
    queue_id: QueueId
    channel: Channel | None
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
    domain_version: int = 0
    applies_to_waiting: bool = False
    priority_point_ms: int = 0
    groups: tuple[ServingGroup, ...] = ()
    callback_attempts: int = 0
    callback_retry_ms: int = 0
    resume_window_ms: int = 0
    callbacks_max: int = 0
    callback_dial_ms: int = 0
    blend: tuple[BlendRule, ...] = ()
    callback_dial_ahead: int = 0
    one_channel: bool = False

    @property
    def only_channel(self) -> Channel | None:
        """The channel whose contacts alone the queue takes; None: it takes any."""
        return self.channel if self.one_channel else None


class QueueRetired(Struct, frozen=True, kw_only=True, gc=False):
    """A queue is no longer in the policy; those who wait in it are served by its last rules."""

    at_ms: int
    queue_id: QueueId
    domain_version: int


class PolicyApplied(Struct, frozen=True, kw_only=True, gc=False):
    """The domain has a new policy; the queues that it changes follow."""

    at_ms: int
    version: int
    author: str
    reason: str
    rolled_back_to: int
    vocabulary: Vocabulary | None
    queues_configured: int
    queues_retired: int


class ContactEnqueued(Struct, frozen=True, kw_only=True, gc=False):
    """A contact took its place."""

    at_ms: int
    contact_id: ContactId
    queue_id: QueueId
    channel: Channel
    priority: int
    required_skills: tuple[Skill, ...]
    enqueued_at_ms: int
    requirement: str = ""
    own_skills: tuple[Skill, ...] = ()
    awaited_agents: tuple[AgentId, ...] = ()
    awaited_until_ms: int = 0
    direct: bool = False
    customer_key: str = ""
    stay: int = 0
    attempts: int = 0
    priority_point_ms: int = 0
    groups: tuple[str, ...] = ()
    resumes: ContactId = NO_CONTACT
    preferred_agents: tuple[AgentId, ...] = ()
    own_requirement: str = ""
    returns: bool = False
    awaits_turn: bool = False
    counted_from_ms: int = 0


class ContactStepped(Struct, frozen=True, kw_only=True, gc=False):
    """Something else is asked of agents for a contact from now on."""

    at_ms: int
    contact_id: ContactId
    queue_id: QueueId
    step: int
    required_skills: tuple[Skill, ...]
    requirement: str
    skipped: int
    delays_over: int = 0
    groups: tuple[str, ...] = ()
    trigger: StepTrigger | None = None
    limit: int = 0
    value: int = 0


class ContactReplanned(Struct, frozen=True, kw_only=True, gc=False):
    """A contact that waits follows the present plan of its queue from now on."""

    at_ms: int
    contact_id: ContactId
    queue_id: QueueId
    step: int
    required_skills: tuple[Skill, ...]
    requirement: str
    skipped: int
    delays_over: int = 0
    groups: tuple[str, ...] = ()
    trigger: StepTrigger | None = None
    limit: int = 0
    value: int = 0


class ContactDequeued(Struct, frozen=True, kw_only=True, gc=False):
    """A contact waits no longer."""

    at_ms: int
    contact_id: ContactId
    queue_id: QueueId
    reason: DequeueReason
    overflow: Overflow | None = None
    attempts: int = 0
    stay: int | None = None
    opens_at_ms: int = 0


class ContactRequeued(Struct, frozen=True, kw_only=True, gc=False):
    """A contact is back at its place after an offer came to nothing."""

    at_ms: int
    contact_id: ContactId
    queue_id: QueueId
    offer_id: OfferId
    awaited_agents: tuple[AgentId, ...] = ()
    awaited_until_ms: int = 0
    direct: bool = False


class PreferenceLapsed(Struct, frozen=True, kw_only=True, gc=False):
    """A contact that waited for certain agents waits for anybody who is able."""

    at_ms: int
    contact_id: ContactId
    queue_id: QueueId
    reason: LapseReason


class ScorerFailed(Struct, frozen=True, kw_only=True, gc=False):
    """A scorer gave no points; the longest idle agent got the contact."""

    at_ms: int
    contact_id: ContactId
    queue_id: QueueId
    scorer: str
    error: str


class RingWidened(Struct, frozen=True, kw_only=True, gc=False):
    """A contact that rings may ring at more agents."""

    at_ms: int
    contact_id: ContactId
    queue_id: QueueId
    ring_target: int
    widens_at_ms: int


class AgentJoined(Struct, frozen=True, kw_only=True, gc=False):
    """An agent can be reckoned with, once eligible."""

    at_ms: int
    agent_id: AgentId
    skills: tuple[Skill, ...]
    capacity: tuple[ChannelCapacity, ...]
    traits: AgentTraits | None = None
    capacity_units: int = 0


class AgentLeft(Struct, frozen=True, kw_only=True, gc=False):
    """An agent signed off; slots that are still taken stay taken until they are freed."""

    at_ms: int
    agent_id: AgentId


class AgentBecameEligible(Struct, frozen=True, kw_only=True, gc=False):
    """An agent takes contacts, idle from now where a slot is free."""

    at_ms: int
    agent_id: AgentId


class AgentBecameIneligible(Struct, frozen=True, kw_only=True, gc=False):
    """An agent takes no contacts."""

    at_ms: int
    agent_id: AgentId
    reason: IneligibleReason


class AgentCapacityFreed(Struct, frozen=True, kw_only=True, gc=False):
    """The slot that an offer had taken is free again; the agent is idle from now."""

    at_ms: int
    agent_id: AgentId
    offer_id: OfferId


class OfferCreated(Struct, frozen=True, kw_only=True, gc=False):
    """A contact rings at an agent until `expires_at_ms`; a slot is taken."""

    at_ms: int
    offer_id: OfferId
    contact_id: ContactId
    agent_id: AgentId
    queue_id: QueueId
    channel: Channel
    attempt: int
    expires_at_ms: int
    wrap_up_timeout_ms: int
    enqueued_at_ms: int
    idle_since_ms: int
    idle_agents: int
    explanation: Explanation | None = None
    ring_target: int = 0
    widens_at_ms: int = 0


class OfferAccepted(Struct, frozen=True, kw_only=True, gc=False):
    """The agent took the contact."""

    at_ms: int
    offer_id: OfferId
    contact_id: ContactId
    agent_id: AgentId
    queue_id: QueueId
    ring_ms: int


class OfferRejected(Struct, frozen=True, kw_only=True, gc=False):
    """The agent declined."""

    at_ms: int
    offer_id: OfferId
    contact_id: ContactId
    agent_id: AgentId
    queue_id: QueueId
    reason: str
    ring_ms: int
    others_ringing: int = 0


class OfferExpired(Struct, frozen=True, kw_only=True, gc=False):
    """The agent let it ring out."""

    at_ms: int
    offer_id: OfferId
    contact_id: ContactId
    agent_id: AgentId
    queue_id: QueueId
    ring_ms: int
    others_ringing: int = 0


class OfferCanceled(Struct, frozen=True, kw_only=True, gc=False):
    """The customer left, or somebody moved the contact, while it rang; not the agent's miss."""

    at_ms: int
    offer_id: OfferId
    contact_id: ContactId
    agent_id: AgentId
    queue_id: QueueId
    reason: CancelReason
    ring_ms: int


class OfferRescinded(Struct, frozen=True, kw_only=True, gc=False):
    """The offer was taken back: the agent could not take it, or another one did."""

    at_ms: int
    offer_id: OfferId
    contact_id: ContactId
    agent_id: AgentId
    queue_id: QueueId
    reason: RescindReason
    ring_ms: int
    others_ringing: int = 0
