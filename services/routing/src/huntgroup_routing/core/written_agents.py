"""How agents are written down and read again: whom they are, what they hold, and since when they are idle."""

from collections.abc import Iterable

import msgspec

from huntgroup_routing.core.agents import Agent, Work
from huntgroup_routing.core.concurrency import Concurrency
from huntgroup_routing.core.state import State
from huntgroup_routing.core.values import AgentId, AgentTraits, Channel, OfferId, Skill


class AgentRow(msgspec.Struct, array_like=True, frozen=True, forbid_unknown_fields=True):
    """An agent: the order of the fields is the format."""

    agent_id: AgentId
    joined: bool
    eligible: bool
    in_doubt: bool
    skills: tuple[Skill, ...]
    slots: tuple[tuple[Channel, int], ...]
    held: tuple[tuple[OfferId, Channel], ...]
    traits: AgentTraits | None
    accepted: tuple[tuple[OfferId, int], ...]
    work: tuple[tuple[Channel, int, int, int], ...]
    concurrency: Concurrency | None


class IdleRow(msgspec.Struct, array_like=True, frozen=True, forbid_unknown_fields=True):
    """Idle, or parked with an offer: then with how long the agent had been idle before."""

    agent_id: AgentId
    channel: Channel
    since_ms: int
    offer_id: OfferId | None
    idle_ms: int


def agent_row(agent: Agent) -> AgentRow:
    """Return an agent as they are written."""
    return AgentRow(
        agent_id=agent.agent_id,
        joined=agent.joined,
        eligible=agent.eligible,
        in_doubt=agent.in_doubt,
        skills=agent.skills,
        slots=tuple(sorted(agent.slots.items())),
        held=tuple(agent.held.items()),
        traits=agent.traits,
        accepted=tuple(sorted(agent.accepted.items())),
        work=tuple(
            (channel, work.contacts, work.handle_ms, work.idle_ms)
            for channel, work in sorted(agent.work.items())
        ),
        concurrency=agent.concurrency,
    )


def idle_rows(state: State) -> tuple[IdleRow, ...]:
    """Return who is idle, and whose idleness is parked, in the order in which it began."""
    order: list[tuple[int, IdleRow]] = []
    for agent in state.agents.values():
        for channel, (rank, since_ms) in agent.idle.items():
            row = IdleRow(
                agent_id=agent.agent_id,
                channel=channel,
                since_ms=since_ms,
                offer_id=None,
                idle_ms=0,
            )
            order.append((rank, row))
        for offer_id, (rank, since_ms, idle_ms) in agent.parked.items():
            row = IdleRow(
                agent_id=agent.agent_id,
                channel=agent.held[offer_id],
                since_ms=since_ms,
                offer_id=offer_id,
                idle_ms=idle_ms,
            )
            order.append((rank, row))
    order.sort(key=_rank)
    return tuple(row for _, row in order)


def _rank(ranked: tuple[int, IdleRow]) -> int:
    return ranked[0]


def load_agents(state: State, agents: Iterable[AgentRow], idle_rows: Iterable[IdleRow]) -> None:
    """Put agents back as they were."""
    for row in agents:
        agent = Agent(
            agent_id=row.agent_id,
            joined=row.joined,
            eligible=row.eligible,
            in_doubt=row.in_doubt,
            skills=row.skills,
            slots=dict(row.slots),
            held=dict(row.held),
            traits=row.traits,
            accepted=dict(row.accepted),
            work={
                channel: Work(contacts=contacts, handle_ms=handle_ms, idle_ms=idle_ms)
                for channel, contacts, handle_ms, idle_ms in row.work
            },
            concurrency=row.concurrency,
        )
        state.agents[row.agent_id] = agent
        if agent.joined:
            state.pool.join(agent)
    for idle in idle_rows:
        agent = state.agents[idle.agent_id]
        if idle.offer_id is None:
            state.pool.make_idle(agent, idle.channel, idle.since_ms)
        else:
            agent.parked[idle.offer_id] = (state.pool.next_rank(), idle.since_ms, idle.idle_ms)
