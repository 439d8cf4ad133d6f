"""Which agents are gone: what is told of it, and what is noted, so that nobody is dialled for whom nobody is there."""

from dataclasses import dataclass
from typing import Final

from huntgroup_session.core.values import AgentId

AGENTS_GONE_MAX: Final = 50_000
"""So many agents who left are remembered, the last: no fewer than agent-state's `AGENTS_MAX` at all."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ObserveAgentSignedOff:
    """An agent left, or their desktop fell silent."""

    agent_id: AgentId


@dataclass(frozen=True, slots=True, kw_only=True)
class ObserveAgentSignedOn:
    """An agent has come, perhaps again."""

    agent_id: AgentId


@dataclass(frozen=True, slots=True, kw_only=True)
class AgentLeft:
    """An agent is gone; a yes of theirs that is read later has no customer dialled."""

    at_ms: int
    agent_id: AgentId


@dataclass(frozen=True, slots=True, kw_only=True)
class AgentJoined:
    """An agent who was gone is there again."""

    at_ms: int
    agent_id: AgentId
