"""The pure core of agent state: no clock, no I/O, no chance."""

from huntgroup_agent_state.core.decide import Events, decide
from huntgroup_agent_state.core.evolve import evolve
from huntgroup_agent_state.core.messages import Command, Event, PassTime, Refused
from huntgroup_agent_state.core.state import State, dump, initial, load, next_deadline

__all__ = ["AgentStateCore"]


class AgentStateCore:
    """The functions of the core, as the journal runs them (`huntgroup_eventlog.application.Core`)."""

    def initial(self, domain: str) -> State:
        return initial(domain)

    def decide(self, state: State, command: Command, at_ms: int) -> Events | Refused:
        return decide(state, command, at_ms)

    def evolve(self, state: State, event: Event) -> State:
        return evolve(state, event)

    def next_deadline(self, state: State) -> int | None:
        return next_deadline(state)

    def pass_time(self) -> PassTime:
        return PassTime()

    def dump(self, state: State) -> bytes:
        return dump(state)

    def load(self, domain: str, dumped: bytes) -> State:
        return load(domain, dumped)
