"""What can be asked about agents. Nothing is changed; what is returned belongs to the state, so copy it at once."""

from bisect import bisect_right

from huntgroup_agent_state.core.state import Agent, State
from huntgroup_agent_state.core.values import AgentId

PAGE_SIZE = 1_000
"""Of a list whose caller named none."""


def find_agent(state: State, agent_id: AgentId) -> Agent | None:
    """Return an agent who is signed on, or who left but still holds a slot; else None."""
    return state.agents.get(agent_id)


def list_agents(state: State, after: AgentId, page_size: int) -> list[Agent]:
    """Return agents who are signed on, in the order of their ids: those after `after`, at most `page_size`."""
    first = bisect_right(state.signed_on, after)
    page = state.signed_on[first : first + (page_size or PAGE_SIZE)]
    return [state.agents[agent_id] for agent_id in page]
