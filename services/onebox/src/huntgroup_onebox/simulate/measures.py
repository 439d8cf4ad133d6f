"""What is counted in one replication, and what follows from it: see docs/reference/scenario.md for every figure."""

import math
from array import array
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from huntgroup_onebox.simulate.draws import S_MS, Comer
from huntgroup_routing.core.values import AgentId

Figures = Mapping[str, float]
"""By name; NaN where there is nothing to tell."""
Replication = Mapping[str, Mapping[str, Figures]]
"""By `all`, `queues`, `classes`, `agents`, and then by name."""

UNKNOWN: Final = math.nan


@dataclass(slots=True, eq=False)
class Served:
    """The counted contacts of one class, or those that one group of agents answered."""

    came: int = 0
    turned_away: int = 0
    sent_away: int = 0
    waiting: int = 0
    answered_ms: "array[float]" = field(default_factory=lambda: array("d"))
    """The wait of each that was answered."""
    gave_up_ms: "array[float]" = field(default_factory=lambda: array("d"))
    """The wait of each that gave up."""


@dataclass(slots=True, eq=False)
class Busy:
    """One agent's time within what is counted."""

    group: int
    from_ms: float
    until_ms: float
    active: int = 0
    since_ms: float = 0.0
    busy_ms: float = 0.0
    ringing_since_ms: float = 0.0
    rang_ms: float = 0.0
    answered: int = 0


class Measures:
    """Told by the centre what happens; only what comes after the warm-up is counted."""

    def __init__(
        self,
        classes: Sequence[tuple[str, str, float]],
        groups: Sequence[str],
        agents: Mapping[AgentId, Busy],
    ) -> None:
        """`classes` are name, queue and threshold of the service level (ms); contacts name theirs by number."""
        self._classes = classes
        self._groups = groups
        self._agents = agents
        self._of_class = [Served() for _ in classes]
        self._of_group = [Served() for _ in groups]
        self._begin_ms = math.inf
        self._end_ms = math.inf

    def begin(self, at_ms: float) -> None:
        """The warm-up is over: this contact and what follows counts."""
        self._begin_ms = at_ms

    def end(self, at_ms: float) -> None:
        """No more contacts come: agents' time is counted until here."""
        self._end_ms = at_ms

    def came(self, comer: Comer) -> None:
        """A contact is there."""
        if comer.at_ms >= self._begin_ms:
            self._of_class[comer.number].came += 1

    def turned_away(self, comer: Comer) -> None:
        """It found too many waiting."""
        if comer.at_ms >= self._begin_ms:
            self._of_class[comer.number].turned_away += 1

    def sent_away(self, comer: Comer) -> None:
        """A rule of its queue gave it back, sent it out of the centre, or ended it."""
        if comer.at_ms >= self._begin_ms:
            self._of_class[comer.number].sent_away += 1

    def gave_up(self, comer: Comer, at_ms: float) -> None:
        """Its customer left unanswered."""
        if comer.at_ms >= self._begin_ms:
            self._of_class[comer.number].gave_up_ms.append(at_ms - comer.at_ms)

    def rang(self, agent_id: AgentId, at_ms: float) -> None:
        """An offer rings at an agent."""
        self._agents[agent_id].ringing_since_ms = at_ms

    def stopped_ringing(self, agent_id: AgentId, at_ms: float) -> None:
        """The offer has found its end."""
        agent = self._agents[agent_id]
        if not agent.active:
            agent.rang_ms += self._counted(agent, agent.ringing_since_ms, at_ms)

    def answered(self, comer: Comer, agent_id: AgentId, at_ms: float) -> None:
        """An agent took it."""
        agent = self._agents[agent_id]
        if not agent.active:
            agent.since_ms = at_ms
        agent.active += 1
        if comer.at_ms >= self._begin_ms:
            agent.answered += 1
            wait_ms = at_ms - comer.at_ms
            self._of_class[comer.number].answered_ms.append(wait_ms)
            self._of_group[agent.group].answered_ms.append(wait_ms)

    def freed(self, agent_id: AgentId, at_ms: float) -> None:
        """The agent is done with one."""
        agent = self._agents[agent_id]
        agent.active -= 1
        if not agent.active:
            agent.busy_ms += self._counted(agent, agent.since_ms, at_ms)

    def close(self, unanswered: Iterable[Comer]) -> None:
        """Nothing will happen any more."""
        for comer in unanswered:
            if comer.at_ms >= self._begin_ms:
                self._of_class[comer.number].waiting += 1

    def _counted(self, agent: Busy, since_ms: float, until_ms: float) -> float:
        """Return how much of a time is counted: without the warm-up, the end, and what is beyond the shift."""
        begin_ms, end_ms = self._begin_ms, self._end_ms
        if begin_ms <= since_ms >= agent.from_ms and end_ms >= until_ms <= agent.until_ms:
            return until_ms - since_ms  # all of it, as nearly always
        from_ms = max(since_ms, begin_ms, agent.from_ms)
        return max(0.0, min(until_ms, end_ms, agent.until_ms) - from_ms)

    def figures(self) -> Replication:
        """Return what follows."""
        everybody = _waits(self._of_class)
        mean_ms = math.fsum(everybody) / len(everybody) if everybody else UNKNOWN
        queues: dict[str, list[int]] = {}
        for number, (_, queue, _) in enumerate(self._classes):
            queues.setdefault(queue, []).append(number)
        numbers = range(len(self._classes))
        return {
            "all": {"all": self._contacts(numbers, mean_ms)},
            "queues": {name: self._contacts(those, mean_ms) for name, those in queues.items()},
            "classes": {
                name: self._contacts([number], mean_ms)
                for number, (name, _, _) in enumerate(self._classes)
            },
            "agents": {name: self._group(number) for number, name in enumerate(self._groups)},
        }

    def _contacts(self, numbers: Iterable[int], mean_of_all_ms: float) -> Figures:
        numbers = list(numbers)
        served = [self._of_class[number] for number in numbers]
        waits = sorted(_waits(served))
        came, gave_up = sum(one.came for one in served), sum(len(one.gave_up_ms) for one in served)
        answered = len(waits) - gave_up
        within = late = 0
        for number in numbers:
            threshold_ms = self._classes[number][2]
            within += sum(wait <= threshold_ms for wait in self._of_class[number].answered_ms)
            late += sum(wait > threshold_ms for wait in self._of_class[number].gave_up_ms)
        mean_ms = _ratio(math.fsum(waits), len(waits))
        asa_ms = math.fsum(wait for one in served for wait in one.answered_ms)
        return {
            "contacts": float(came),
            "turned_away": _ratio(sum(one.turned_away for one in served), came),
            "sent_away": _ratio(sum(one.sent_away for one in served), came),
            "left_waiting": _ratio(sum(one.waiting for one in served), came),
            "wait_mean_s": mean_ms / S_MS,
            "wait_p50_s": _quantile(waits, 50) / S_MS,
            "wait_p90_s": _quantile(waits, 90) / S_MS,
            "wait_p99_s": _quantile(waits, 99) / S_MS,
            "asa_s": _ratio(asa_ms, answered) / S_MS,
            "waited": _ratio(sum(wait > 0 for wait in waits), len(waits)),
            "service_level": _ratio(within, answered + late),
            "abandonment": _ratio(gave_up, came),
            "relative_wait": _ratio(mean_ms, mean_of_all_ms),
        }

    def _group(self, number: int) -> Figures:
        agents = [agent for agent in self._agents.values() if agent.group == number]
        shares = sorted(
            share for agent in agents if not math.isnan(share := self._occupancy(agent))
        )
        answered = sorted(self._of_group[number].answered_ms)
        return {
            "agents": float(len(agents)),
            "answered": float(len(answered)),
            "wait_mean_s": _ratio(math.fsum(answered), len(answered)) / S_MS,
            "occupancy": _ratio(math.fsum(shares), len(shares)),
            "occupancy_lowest": shares[0] if shares else UNKNOWN,
            "occupancy_highest": shares[-1] if shares else UNKNOWN,
            "fairness": jain(shares),
        }

    def _occupancy(self, agent: Busy) -> float:
        """Return the part of the shift, without ringing, in which the agent served anybody."""
        there_ms = self._counted(agent, 0.0, math.inf) - agent.rang_ms
        return _ratio(agent.busy_ms, there_ms)


def jain(values: Sequence[float]) -> float:
    """Return Jain's index: 1 when all values are equal, 1/n when one has everything."""
    squares = math.fsum(value * value for value in values)
    return _ratio(math.fsum(values) ** 2, len(values) * squares)


def _waits(served: Iterable[Served]) -> list[float]:
    return [wait for one in served for waits in (one.answered_ms, one.gave_up_ms) for wait in waits]


def _ratio(over: float, under: float) -> float:
    return over / under if under else UNKNOWN


def _quantile(ordered: Sequence[float], per_cent: int) -> float:
    """Return the least value that `per_cent` of all values do not exceed."""
    if not ordered:
        return UNKNOWN
    return ordered[max(0, math.ceil(len(ordered) * per_cent / 100) - 1)]
