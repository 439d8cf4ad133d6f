"""What routing is told of other services' facts: each an `Observe…` command. `core/messages.py` lists all messages."""

from dataclasses import dataclass

from msgspec import Struct

from huntgroup_routing.core.values import (
    AgentId,
    AgentTraits,
    Channel,
    ContactId,
    DequeueReason,
    OfferId,
    QueueId,
    Skill,
)


class ChannelCapacity(Struct, frozen=True, kw_only=True, gc=False):
    """How many contacts of a channel an agent takes at once, and what each means for other channels."""

    channel: Channel
    slots: int
    cost: int = 0
    """In units, where the agent's channels share them."""
    interrupts: tuple[Channel, ...] = ()
    """Channels whose contacts do not keep one of this channel away."""


# Facts of session


class ObserveContactQueued(Struct, frozen=True, kw_only=True, gc=False):
    """A contact began to wait; what it asks by itself comes on top of the queue's."""

    contact_id: ContactId
    queue_id: QueueId
    channel: Channel
    priority: int
    required_skills: tuple[Skill, ...]
    enqueued_at_ms: int
    preferred_agents: tuple[AgentId, ...] = ()
    direct_agent_id: AgentId = AgentId("")
    customer_key: str = ""
    stay: int = 0
    attempts: int = 0
    requirement: str = ""
    """Its own, in its one form, beside the queue's."""
    returns: bool = False
    """A callback that comes back: no rule about who comes holds for it but that its queue is closed."""
    awaits_turn: bool = False


class ObserveContactAbandoned(Struct, frozen=True, kw_only=True, gc=False):
    """The customer left, or is to be called back later or not at all."""

    contact_id: ContactId
    reason: DequeueReason = DequeueReason.CUSTOMER_LEFT


# Facts of agent-state


@dataclass(frozen=True, slots=True, kw_only=True)
class ObserveAgentSignedOn:
    """An agent signed on, not ready yet."""

    agent_id: AgentId
    skills: tuple[Skill, ...]
    capacity: tuple[ChannelCapacity, ...]
    traits: AgentTraits | None = None
    capacity_units: int = 0


class ObserveAgentWentReady(Struct, frozen=True, kw_only=True, gc=False):
    """An agent takes contacts."""

    agent_id: AgentId


class ObserveAgentWentNotReady(Struct, frozen=True, kw_only=True, gc=False):
    """An agent takes no contacts for now."""

    agent_id: AgentId


@dataclass(frozen=True, slots=True, kw_only=True)
class ObserveAgentStoppedResponding:
    """An agent let an offer ring out and takes no contacts until they act."""

    agent_id: AgentId


class ObserveAgentReleased(Struct, frozen=True, kw_only=True, gc=False):
    """The slot that an offer had taken is free again."""

    agent_id: AgentId
    offer_id: OfferId


@dataclass(frozen=True, slots=True, kw_only=True)
class ObserveOfferTurnedAway:
    """An offer reached an agent who cannot take it; no slot was held for it."""

    agent_id: AgentId
    offer_id: OfferId


@dataclass(frozen=True, slots=True, kw_only=True)
class ObserveAgentSignedOff:
    """An agent left."""

    agent_id: AgentId
