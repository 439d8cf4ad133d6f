"""The pure part of the session service: the same commands at the same times always lead to the same events."""

from huntgroup_session.core.deadlines import next_deadline
from huntgroup_session.core.decide import decide
from huntgroup_session.core.evolve import evolve
from huntgroup_session.core.messages import Command, Event, PassTime
from huntgroup_session.core.queueing import Decision
from huntgroup_session.core.state import State, dump, load


class SessionCore:
    """What the journal asks of a service, in one object."""

    def initial(self, domain: str) -> State:
        """Return the state of a domain in which nothing has happened."""
        return State(domain=domain)

    def decide(self, state: State, command: Command, at_ms: int) -> Decision:
        """Return what follows from `command` at log time `at_ms`; see `core/decide.py`."""
        return decide(state, command, at_ms)

    def evolve(self, state: State, event: Event) -> State:
        """Return the state after `event`; see `core/evolve.py`."""
        return evolve(state, event)

    def next_deadline(self, state: State) -> int | None:
        """Return the log time at which the next contact completes by itself, or None."""
        return next_deadline(state)

    def pass_time(self) -> PassTime:
        """Return the command that says that time has passed."""
        return PassTime()

    def dump(self, state: State) -> bytes:
        """Return the state in canonical form: equal states give equal bytes."""
        return dump(state)

    def load(self, domain: str, dumped: bytes) -> State:
        """Return the state that `dump` wrote; raise `ValueError` when it cannot be read."""
        return load(domain, dumped)
