"""Invariant 6, agents: what each agent's time went into, from agent-state's journal alone.

Of all that goes on at once what ranks highest counts: talking, wrapping up, ringing; and if nothing does, idle or not
ready by presence. Who is signed off and in no conversation is not counted.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from google.protobuf.message import Message

from huntgroup.agent_state.v1 import events_pb2 as agent_state
from huntgroup_onebox.audit.feed import Handler
from huntgroup_onebox.audit.reading import Entry
from huntgroup_onebox.audit.totals import Cell, Totals

TALKING: Final = "talking_ms"
WRAPPING_UP: Final = "wrapping_up_ms"
RINGING: Final = "ringing_ms"
IDLE: Final = "idle_ms"
NOT_READY: Final = "not_ready_ms"
RANKED: Final = (TALKING, WRAPPING_UP, RINGING)

PRESENCES: Final[Mapping[type[Message], str]] = {
    agent_state.AgentSignedOn: NOT_READY,
    agent_state.AgentWentNotReady: NOT_READY,
    agent_state.AgentStoppedResponding: NOT_READY,
    agent_state.AgentWentReady: IDLE,
    agent_state.AgentSignedOff: "",
}
PHASES: Final[Mapping[type[Message], str]] = {
    agent_state.AgentReserved: RINGING,
    agent_state.AgentBecameBusy: TALKING,
    agent_state.AgentStartedWrapUp: WRAPPING_UP,
    agent_state.AgentReleased: "",
}


@dataclass(slots=True)
class _Agent:
    presence: str = ""
    phases: dict[str, str] = field(default_factory=dict)
    """By offer."""
    since_ms: int = 0
    entry: Entry | None = None

    @property
    def doing(self) -> str:
        """The figure that the time counts for now; empty: none."""
        for phase in RANKED:
            if phase in self.phases.values():
                return phase
        return self.presence


class AgentTime:
    """Adds up the time of agents: all of what is over, and of what goes on as much as the ledger has counted."""

    def __init__(
        self,
        totals: Totals,
        counted_to_ms: Mapping[tuple[str, str], int],
        interval_ms: int,
    ) -> None:
        self._totals = totals
        self._counted_to_ms = counted_to_ms
        self._interval_ms = interval_ms
        self._agents: dict[tuple[str, str], _Agent] = {}

    def handlers(self) -> Mapping[type[Message], Handler]:
        """Return what to do with which events."""
        return dict.fromkeys(PRESENCES, self._presence) | dict.fromkeys(PHASES, self._phase)

    def under_way(self) -> Totals:
        """Return what goes on, up to where the ledger counts it."""
        totals = Totals(self._totals.probed)
        for key, agent in self._agents.items():
            self._spend(totals, key, agent, self._counted_to_ms.get(key, 0))
        return totals

    def _presence(self, entry: Entry, event: Any) -> None:
        agent = self._agent(entry, event)
        self._become(entry, event, PRESENCES[type(event)], agent.phases)

    def _phase(self, entry: Entry, event: Any) -> None:
        agent = self._agent(entry, event)
        phase = PHASES[type(event)]
        phases = {**agent.phases, event.offer_id: phase}
        if not phase:
            del phases[event.offer_id]
        self._become(entry, event, agent.presence, phases)

    def _agent(self, entry: Entry, event: Any) -> _Agent:
        key = (entry.batch.domain, event.agent_id)
        agent = self._agents.get(key)
        if agent is None:
            agent = self._agents[key] = _Agent()
        return agent

    def _become(self, entry: Entry, event: Any, presence: str, phases: dict[str, str]) -> None:
        """Count the time until now if the agent goes on to something else; forget who is away."""
        key = (entry.batch.domain, event.agent_id)
        agent = self._agents[key]
        after = _Agent(presence, phases, event.at_ms, entry)
        if after.doing == agent.doing:
            agent.presence, agent.phases = presence, phases
        else:
            self._spend(self._totals, key, agent, event.at_ms)
            self._agents[key] = after
        if not after.doing:
            del self._agents[key]

    def _spend(self, totals: Totals, key: tuple[str, str], agent: _Agent, until_ms: int) -> None:
        """Count the time since the last change, cut at the borders of intervals."""
        doing, entry, from_ms = agent.doing, agent.entry, agent.since_ms
        if not doing or entry is None:
            return
        domain, agent_id = key
        while from_ms < until_ms:
            start_ms = from_ms - from_ms % self._interval_ms
            to_ms = min(until_ms, start_ms + self._interval_ms)
            cell = Cell(start_ms, domain, "", doing)
            totals.add(entry, cell, to_ms - from_ms, agent_id)
            from_ms = to_ms
