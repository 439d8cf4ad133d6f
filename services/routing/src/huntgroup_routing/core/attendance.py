"""What becomes of agents: they come, go, are available or not; slots are taken and freed. Changed in place."""

from typing import assert_never

from huntgroup_routing.core.agents import Agent
from huntgroup_routing.core.concurrency import concurrency_of
from huntgroup_routing.core.events import (
    AgentBecameEligible,
    AgentBecameIneligible,
    AgentCapacityFreed,
    AgentJoined,
    AgentLeft,
    OfferCreated,
)
from huntgroup_routing.core.preferring import lose
from huntgroup_routing.core.ringing import idle_as_before
from huntgroup_routing.core.state import State
from huntgroup_routing.core.turns import leave_pool


def agent_changed(
    state: State,
    event: AgentJoined
    | AgentLeft
    | AgentBecameEligible
    | AgentBecameIneligible
    | AgentCapacityFreed,
) -> None:
    """Let an agent come, go, be available or not, or have a slot free again."""
    match event:
        case AgentCapacityFreed():
            _capacity_freed(state, event)
        case AgentBecameEligible():
            _became_eligible(state, event)
        case AgentBecameIneligible():
            _became_ineligible(state, event)
        case AgentJoined():
            _joined(state, event)
        case AgentLeft():
            _left(state, event)
        case _:
            assert_never(event)


def take_slot(state: State, agent: Agent, event: OfferCreated) -> None:
    """Let an offer take a slot: the agent is idle anew where another one fits, and busy where none does."""
    if event.ring_target:
        work = agent.work[event.channel]
        agent.parked[event.offer_id] = (*agent.idle[event.channel], work.idle_ms)
    agent.take(event.offer_id, event.channel)
    if agent.free(event.channel) > 0:
        state.pool.make_idle(agent, event.channel, event.at_ms)
    else:
        state.pool.make_busy(agent, event.channel, event.at_ms)
    for channel in () if agent.concurrency is None else tuple(agent.idle):
        if agent.free(channel) == 0:
            state.pool.make_busy(agent, channel, event.at_ms)


def _joined(state: State, event: AgentJoined) -> None:
    agent = state.agents.get(event.agent_id)
    if agent is None:
        agent = state.agents[event.agent_id] = Agent(agent_id=event.agent_id)
    elif agent.joined:
        _stop(state, agent, event.at_ms)
        leave_pool(state, agent)
    slots = {capacity.channel: capacity.slots for capacity in event.capacity}
    concurrency = concurrency_of(event.capacity_units, event.capacity)
    agent.sign_on(event.skills, event.traits, slots, concurrency, event.at_ms)
    state.pool.join(agent)
    lose(state, event.agent_id, event.at_ms)


def _left(state: State, event: AgentLeft) -> None:
    agent = state.agents[event.agent_id]
    _stop(state, agent, event.at_ms)
    leave_pool(state, agent)
    agent.sign_off()
    lose(state, event.agent_id, event.at_ms)
    _forget_agent_who_left(state, agent)


def _became_eligible(state: State, event: AgentBecameEligible) -> None:
    agent = state.agents[event.agent_id]
    agent.eligible = True
    agent.in_doubt = False
    _make_idle(state, agent, event.at_ms)


def _became_ineligible(state: State, event: AgentBecameIneligible) -> None:
    agent = state.agents[event.agent_id]
    agent.eligible = False
    _stop(state, agent, event.at_ms)
    lose(state, event.agent_id, event.at_ms)


def _capacity_freed(state: State, event: AgentCapacityFreed) -> None:
    agent = state.agents[event.agent_id]
    agent.in_doubt = False
    as_before = idle_as_before(state, agent, event.offer_id)
    channel = agent.let_go(event.offer_id, event.at_ms)
    if channel is not None:
        state.pool.make_busy(agent, channel, event.at_ms)
        if as_before is not None and agent.free(channel) > 0:
            state.pool.make_idle_as_before(agent, channel, as_before)
    if agent.available:
        _make_idle(state, agent, event.at_ms)
    _forget_agent_who_left(state, agent)


def doubt(state: State, agent: Agent, at_ms: int) -> None:
    """Let nobody be offered to an agent until agent-state has said more about them."""
    agent.in_doubt = agent.joined
    _stop(state, agent, at_ms)


def _make_idle(state: State, agent: Agent, since_ms: int) -> None:
    """Make an available agent idle on every channel with a free slot where they are not idle already."""
    for channel in agent.slots:
        if channel not in agent.idle and agent.free(channel) > 0:
            state.pool.make_idle(agent, channel, since_ms)


def _stop(state: State, agent: Agent, at_ms: int) -> None:
    agent.parked.clear()
    for channel in tuple(agent.idle):
        state.pool.make_busy(agent, channel, at_ms)


def _forget_agent_who_left(state: State, agent: Agent) -> None:
    if not agent.joined and not agent.held:
        del state.agents[agent.agent_id]
