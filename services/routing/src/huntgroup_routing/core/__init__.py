"""The pure core of routing, as the journal runs it."""

from collections.abc import Mapping

from huntgroup_routing.core.deadlines import next_deadline
from huntgroup_routing.core.decide import decide
from huntgroup_routing.core.dialing import watch_turns
from huntgroup_routing.core.evolve import evolve
from huntgroup_routing.core.messages import Command, Event, PassTime, Refused
from huntgroup_routing.core.scorers import Scorer
from huntgroup_routing.core.state import State, initial
from huntgroup_routing.core.written import dump, load


class RoutingCore:
    """One domain's queues, waiting contacts, idle agents and offers: every method is a pure function of its arguments.

    `evolve` alone may change the state it is given.
    """

    def __init__(self, scorers: Mapping[str, Scorer] | None = None) -> None:
        """`scorers` are those that queues may name."""
        self._scorers = scorers or {}

    def initial(self, domain: str) -> State:
        """Return the state of a domain in which nothing has happened."""
        state = initial(domain)
        state.scorers = self._scorers
        return state

    def decide(self, state: State, command: Command, at_ms: int) -> tuple[Event, ...] | Refused:
        """Return the events that follow from `command`, or a refusal."""
        return decide(state, command, at_ms)

    def evolve(self, state: State, event: Event) -> State:
        """Return the state after `event`."""
        after = evolve(state, event)
        if after.awaiting_turn or after.turns:
            watch_turns(after, event)
        return after

    def next_deadline(self, state: State) -> int | None:
        """Return when the next lease runs out."""
        return next_deadline(state)

    def pass_time(self) -> PassTime:
        """Return the command that says that time has passed."""
        return PassTime()

    def dump(self, state: State) -> bytes:
        """Return the canonical written form."""
        return dump(state)

    def load(self, domain: str, dumped: bytes) -> State:
        """Return the state that was written; raise `ValueError` when it cannot be read."""
        state = load(domain, dumped)
        state.scorers = self._scorers
        return state
