"""The pure part of reporting: the same observations at the same times always lead to the same ledger."""

from dataclasses import dataclass

from huntgroup_reporting.core.deadlines import next_deadline
from huntgroup_reporting.core.decide import Events, decide
from huntgroup_reporting.core.evolve import evolve
from huntgroup_reporting.core.messages import Command, Event, PassTime
from huntgroup_reporting.core.state import State, dump, load


@dataclass(frozen=True, slots=True)
class ReportingCore:
    """What the journal asks of a service, in one object; `interval_ms` is the length of the ledger's intervals."""

    interval_ms: int

    def initial(self, domain: str) -> State:
        """Return the state of a domain in which nothing has happened."""
        return State(domain=domain, interval_ms=self.interval_ms)

    def decide(self, state: State, command: Command, at_ms: int) -> Events:
        """Return what follows from `command` at log time `at_ms`; see `core/decide.py`."""
        return decide(state, command, at_ms)

    def evolve(self, state: State, event: Event) -> State:
        """Return the state after `event`; see `core/evolve.py`."""
        return evolve(state, event)

    def next_deadline(self, state: State) -> int | None:
        """Return the log time at which agents are counted up to the end of an interval, or None."""
        return next_deadline(state)

    def pass_time(self) -> PassTime:
        """Return the command that says that time has passed."""
        return PassTime()

    def dump(self, state: State) -> bytes:
        """Return the state in canonical form: equal states give equal bytes."""
        return dump(state)

    def load(self, domain: str, dumped: bytes) -> State:
        """Return the state that `dump` wrote; raise `ValueError` when it cannot be read."""
        return load(domain, dumped, self.interval_ms)
