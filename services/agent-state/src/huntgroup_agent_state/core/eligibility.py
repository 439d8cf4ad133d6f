"""Who may be offered what, and which presence an agent has, wants and gets."""

from huntgroup_agent_state.core.messages import AgentWentNotReady, AgentWentReady, Reason, Refused
from huntgroup_agent_state.core.state import Agent, State
from huntgroup_agent_state.core.values import (
    AGENTS_MAX,
    SLOTS_MAX,
    AgentId,
    Channel,
    ChannelCapacity,
    Presence,
    TurnAwayReason,
)

PresenceEvents = tuple[AgentWentReady | AgentWentNotReady, ...]


def turn_away(agent: Agent | None, channel: Channel) -> TurnAwayReason | None:
    """Return why an offer cannot be given to the agent, or None when it can."""
    if agent is None or not agent.signed_on:
        return TurnAwayReason.NOT_SIGNED_ON
    if agent.presence is Presence.NOT_READY or agent.not_responding:
        return TurnAwayReason.NOT_READY
    if agent.free_slots(channel) <= 0:
        return TurnAwayReason.NO_CAPACITY
    return None


def sign_on_refusal(state: State, agent_id: AgentId) -> Refused | None:
    """Return why an agent cannot sign on, whatever they bring along; who left and holds a slot has a place already."""
    agent = state.agents.get(agent_id)
    if agent is not None and agent.signed_on:
        return Refused(
            reason=Reason.ALREADY_SIGNED_ON, detail=f"agent_id {agent_id!r} is signed on already"
        )
    if agent is None and len(state.agents) >= AGENTS_MAX:
        return Refused(
            reason=Reason.AGENTS_FULL,
            detail=f"agent_id {agent_id!r} would be new, and a domain has at most {AGENTS_MAX} agents",
        )
    return None


def capacity_refusal(capacity: tuple[ChannelCapacity, ...]) -> Refused | None:
    """Return what is wrong with the capacity an agent signs on with."""
    channels = [each.channel for each in capacity]
    for place, each in enumerate(capacity):
        if each.channel in channels[:place]:
            return Refused(
                reason=Reason.CAPACITY_INVALID,
                detail=f"capacity names channel {each.channel} more than once",
            )
        if not 1 <= each.slots <= SLOTS_MAX:
            return Refused(
                reason=Reason.CAPACITY_INVALID,
                detail=f"capacity of channel {each.channel} is {each.slots}, not 1 to {SLOTS_MAX}",
            )
    return None


def wanted(agent: Agent) -> tuple[Presence, str] | None:
    """Return presence and reason that the agent asked for last; None when a missed offer undid it."""
    if agent.pending is not None:
        return agent.pending, agent.pending_reason
    return None if agent.not_responding else (agent.presence, agent.not_ready_reason)


def went(
    agent: Agent, presence: Presence, reason: str, at_ms: int
) -> AgentWentReady | AgentWentNotReady:
    """Return the event by which a presence takes effect."""
    if presence is Presence.READY:
        return AgentWentReady(at_ms=at_ms, agent_id=agent.agent_id)
    return AgentWentNotReady(at_ms=at_ms, agent_id=agent.agent_id, reason=reason)


def presence_on_release(agent: Agent | None, at_ms: int) -> PresenceEvents:
    """Return what takes effect just before a slot comes free, so that routing offers nothing in between."""
    if agent is None or not agent.signed_on:
        return ()
    if agent.pending is not None:
        return (went(agent, agent.pending, agent.pending_reason, at_ms),)
    if agent.turned_away_full and agent.presence is Presence.READY and not agent.not_responding:
        return (AgentWentReady(at_ms=at_ms, agent_id=agent.agent_id),)
    return ()
