"""What follows here from agents who leave and come: callbacks are dialled for those alone who are there."""

from huntgroup_session.core.callbacks import agent_freed, postponed
from huntgroup_session.core.messages import (
    AgentJoined,
    AgentLeft,
    Event,
    ObserveAgentSignedOff,
    ObserveAgentSignedOn,
)
from huntgroup_session.core.state import State


def observe_agent(
    state: State, command: ObserveAgentSignedOff | ObserveAgentSignedOn, at_ms: int
) -> tuple[Event, ...]:
    """Note who is gone, and let somebody else have the callbacks that were dialled for them, from now on."""
    agent_id = command.agent_id
    is_gone = agent_id in state.gone
    if isinstance(command, ObserveAgentSignedOn):
        return (AgentJoined(at_ms=at_ms, agent_id=agent_id),) if is_gone else ()
    left = () if is_gone else (AgentLeft(at_ms=at_ms, agent_id=agent_id),)
    contacts = [state.live[one] for one in sorted(state.dialing.get(agent_id, ()))]
    lost = (
        event
        for contact in contacts
        if contact.callback is not None
        for event in (
            *agent_freed(contact, at_ms),
            postponed(contact, contact.callback, at_ms, at_ms),
        )
    )
    return (*left, *lost)
