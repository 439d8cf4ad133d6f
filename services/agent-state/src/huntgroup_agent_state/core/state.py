"""What is known of the agents of one domain, and how that is written down."""

from bisect import insort
from collections.abc import Iterable
from dataclasses import dataclass, field

import msgspec

from huntgroup_agent_state.core.concurrency import fits, is_above
from huntgroup_agent_state.core.deadlines import WrapUpDeadlines
from huntgroup_agent_state.core.messages import AgentReserved
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
    RoutingState,
    SlotPhase,
)

REMEMBERED_MAX = 10_000
"""How many ended offers, finished wrap-ups and overtaken offers of a domain are remembered, each."""

_FORMAT = 3


@dataclass(slots=True, kw_only=True)
class Slot:
    """One contact that an agent holds."""

    offer_id: OfferId
    contact_id: ContactId
    agent_id: AgentId
    queue_id: QueueId
    channel: Channel
    phase: SlotPhase
    phase_since_ms: int
    ends_at_ms: int
    """When the phase ends by itself; 0 while talking, and when withdrawn."""
    wrap_up_timeout_ms: int

    @property
    def awaits_outcome(self) -> bool:
        """Whether routing or the session has yet to say what became of the offer."""
        return self.phase is SlotPhase.RINGING or self.phase is SlotPhase.WITHDRAWN

    @classmethod
    def ringing(cls, event: AgentReserved) -> "Slot":
        """Return the slot that a reservation takes."""
        return cls(
            offer_id=event.offer_id,
            contact_id=event.contact_id,
            agent_id=event.agent_id,
            queue_id=event.queue_id,
            channel=event.channel,
            phase=SlotPhase.RINGING,
            phase_since_ms=event.at_ms,
            ends_at_ms=event.expires_at_ms,
            wrap_up_timeout_ms=event.wrap_up_timeout_ms,
        )


@dataclass(slots=True, kw_only=True)
class Agent:
    """One agent who is signed on, or who left but still holds a slot."""

    agent_id: AgentId
    signed_on: bool = False
    signed_on_at_ms: int = 0
    skills: tuple[str, ...] = ()
    capacity: tuple[ChannelCapacity, ...] = ()
    capacity_units: int = 0
    traits: AgentTraits | None = None
    presence: Presence = Presence.NOT_READY
    not_ready_reason: str = ""
    pending: Presence | None = None
    pending_reason: str = ""
    not_responding: bool = False
    turned_away_full: bool = False
    """Routing was told that there is no capacity; it waits for the next word that the agent is ready."""
    routing_state: RoutingState = RoutingState.OFFLINE
    state_since_ms: int = 0
    slots: dict[OfferId, Slot] = field(default_factory=dict)

    def fits(self, channel: Channel) -> bool:
        """Return whether one contact more of a channel fits."""
        held = [slot.channel for slot in self.slots.values()]
        return fits(self.capacity, self.capacity_units, held, channel)

    def has_free_slot(self) -> bool:
        """Return whether anything more could be offered."""
        return any(self.fits(each.channel) for each in self.capacity)

    def interrupter(self, slot: Slot) -> Slot | None:
        """Return the first conversation that interrupts that of a slot, if one does."""
        if slot.phase is not SlotPhase.TALKING:
            return None
        talking = (one for one in self.slots.values() if one.phase is SlotPhase.TALKING)
        return next(
            (one for one in talking if is_above(self.capacity, one.channel, slot.channel)), None
        )

    def derived_state(self) -> RoutingState:
        """Return what the agent does: of all that goes on, what ranks highest (Amazon Connect's order)."""
        if not self.signed_on:
            return RoutingState.OFFLINE
        if self.not_responding:
            return RoutingState.NOT_RESPONDING
        phases = [slot.phase for slot in self.slots.values()]
        if SlotPhase.TALKING in phases:
            return RoutingState.BUSY
        if SlotPhase.WRAPPING_UP in phases:
            return RoutingState.WORKING_AFTER_CALL
        if phases:
            return RoutingState.RESERVED
        return RoutingState.READY if self.presence is Presence.READY else RoutingState.NOT_READY


@dataclass(slots=True, kw_only=True)
class State:
    """One domain. Changed by `evolve` only."""

    domain: str
    agents: dict[AgentId, Agent] = field(default_factory=dict)
    ended: dict[OfferId, bool] = field(default_factory=dict)
    """Offers that hold no slot, oldest first; True: turned away, but the session may still connect it."""
    wrapped_up: dict[ContactId, AgentId] = field(default_factory=dict)
    """Contacts whose after-call work is over, and whose it was; oldest first."""
    overtaken: dict[OfferId, Overtaking] = field(default_factory=dict)
    """What the session told of offers that routing has not shown yet; oldest first."""

    # Indexes, rebuilt from the above.
    slots: dict[OfferId, Slot] = field(default_factory=dict)
    signed_on: list[AgentId] = field(default_factory=list)
    """In the order of their ids."""
    wrap_ups: WrapUpDeadlines = field(default_factory=WrapUpDeadlines)


class _Dumped(msgspec.Struct, array_like=True):
    format: int
    domain: str
    agents: list[Agent]
    ended: list[tuple[OfferId, bool]]
    wrapped_up: list[tuple[ContactId, AgentId]]
    overtaken: list[tuple[OfferId, Overtaking]]


def initial(domain: str) -> State:
    """Return a domain in which nobody has signed on yet."""
    return State(domain=domain)


def next_deadline(state: State) -> int | None:
    """Return when the earliest after-call work ends by itself."""
    return state.wrap_ups.next()


def dump(state: State) -> bytes:
    """Return the state as bytes; equal states give equal bytes."""
    return msgspec.msgpack.encode(
        _Dumped(
            format=_FORMAT,
            domain=state.domain,
            agents=[state.agents[agent_id] for agent_id in sorted(state.agents)],
            ended=list(state.ended.items()),
            wrapped_up=list(state.wrapped_up.items()),
            overtaken=list(state.overtaken.items()),
        )
    )


def load(domain: str, dumped: bytes) -> State:
    """Return the state that `dump` wrote; raise `ValueError` when it cannot be read."""
    try:
        read = msgspec.msgpack.decode(dumped, type=_Dumped)
    except msgspec.MsgspecError as error:
        raise ValueError(f"the state of {domain} cannot be read: {error}") from error
    if (read.format, read.domain) != (_FORMAT, domain):
        raise ValueError(
            f"format {read.format} of {read.domain} is not format {_FORMAT} of {domain}"
        )
    state = State(
        domain=domain,
        agents={agent.agent_id: agent for agent in read.agents},
        ended=dict(read.ended),
        wrapped_up=dict(read.wrapped_up),
        overtaken=dict(read.overtaken),
    )
    _index(state, read.agents)
    return state


def _index(state: State, agents: Iterable[Agent]) -> None:
    for agent in agents:
        if agent.signed_on:
            insort(state.signed_on, agent.agent_id)
        for slot in agent.slots.values():
            state.slots[slot.offer_id] = slot
            if slot.phase is SlotPhase.WRAPPING_UP:
                state.wrap_ups.add(slot.offer_id, slot.ends_at_ms)
