"""Contacts that are offered in one decision: how many of them can be served together, and which agents that takes.

First as many as can be served are; then it is who stands first; then whom each queue's strategy names. So a contact
is not given an agent whom another contact of the same decision needs, while somebody else is idle for it. Who needs
whom is a matching of contacts and agents, kept as large as it can be (by augmenting paths) as contacts get their turns.
"""

from collections.abc import Collection, Iterator, Sequence
from itertools import islice

from huntgroup_routing.core.agents import Agent
from huntgroup_routing.core.offering import Given
from huntgroup_routing.core.requirements import Requirement
from huntgroup_routing.core.values import BATCH_PAIRS_MAX, AgentId, Channel, ContactId

Seat = tuple[AgentId, Channel]
"""An agent's slots of a channel."""


class Batch:
    """The contacts that will be served and have not had their turn, each seated at an agent that it could be given."""

    __slots__ = ("_agents", "_at", "_given", "_less", "_seats", "_where")

    def __init__(self, given: Given, agents: dict[AgentId, Agent]) -> None:
        self._given = given
        self._agents = agents
        self._seats: dict[ContactId, list[Seat]] = {}
        """Of each of them for which agents may be too few: all it could be given."""
        self._at: dict[Seat, list[ContactId]] = {}
        self._where: dict[ContactId, Seat] = {}
        self._less: Seat | None = None
        """A seat that has one place less, for trial."""

    def add(self, contact_id: ContactId, seats: list[Seat]) -> bool:
        """Let a contact count if it can be served beside those added before; return whether it can."""
        self._seats[contact_id] = seats
        if self._seat(contact_id, set()):
            return True
        del self._seats[contact_id]
        return False

    def turn(self, contact_id: ContactId) -> None:
        """Let it be a contact's turn: those after it count."""
        seat = self._where.pop(contact_id, None)
        if seat is not None:
            self._at[seat].remove(contact_id)
            del self._seats[contact_id]

    def needed(self, channel: Channel) -> frozenset[AgentId]:
        """Return the agents without whom one of those after this turn could not be served."""
        return frozenset(
            seat[0]
            for seat in [*self._at]
            if seat[1] is channel and self._at[seat] and not self._spares(seat)
        )

    def gave(self, agent_id: AgentId, channel: Channel) -> None:
        """Let whoever sat at an agent who was given an offer sit elsewhere, if they can."""
        seat = (agent_id, channel)
        at = self._at.get(seat, [])
        while len(at) > self._room(seat):
            contact_id = at.pop()
            del self._where[contact_id]
            self._seat(contact_id, set())

    def _spares(self, seat: Seat) -> bool:
        at = self._at[seat]
        if len(at) < self._room(seat):
            return True
        contact_id = at.pop()
        del self._where[contact_id]
        self._less = seat
        found = self._seat(contact_id, set())
        self._less = None
        if not found:
            at.append(contact_id)
            self._where[contact_id] = seat
        return found

    def _room(self, seat: Seat) -> int:
        left = self._given.left.get(seat)
        if left is None:
            left = self._agents[seat[0]].free(seat[1])
        return left - (seat == self._less)

    def _seat(self, contact_id: ContactId, seen: set[Seat]) -> bool:
        """Seat a contact, moving others along if need be; return whether it could be."""
        for seat in self._seats[contact_id]:
            if seat in seen:
                continue
            seen.add(seat)
            at = self._at.setdefault(seat, [])
            if len(at) < self._room(seat):
                at.append(contact_id)
                self._where[contact_id] = seat
                return True
            for place, other in enumerate(at[: max(0, self._room(seat))]):
                if self._seat(other, seen):
                    at[place] = contact_id
                    self._where[contact_id] = seat
                    return True
        return False


def batch_of(given: Given, turns: Sequence[tuple[ContactId, Requirement]]) -> Batch | None:
    """Return the contacts that compete for agents; None when nobody does, or there is too much to look at.

    Who finds as many idle as contacts there are gets one whatever the others get. Of those who ask the same no more
    count than could be served.
    """
    classes: dict[Requirement, list[ContactId]] = {}
    for contact_id, requirement in turns:
        classes.setdefault(requirement, []).append(contact_id)
    if len(classes) < 2:  # noqa: PLR2004 - those who ask the same get what there is, in turn
        return None
    agents: dict[AgentId, Agent] = {}
    seats: dict[ContactId, list[Seat]] = {}
    for requirement, contact_ids in classes.items():
        idle = list(islice(_idle(requirement, given.without), len(turns)))
        if len(idle) == len(turns):
            continue
        if any(agent.concurrency is not None for agent in idle):
            return None
        channel = requirement.channel
        slots = sum(agent.free(channel) for agent in idle)
        for contact_id in contact_ids[:slots]:
            seats[contact_id] = [(agent.agent_id, channel) for agent in idle]
        agents.update((agent.agent_id, agent) for agent in idle)
    if not seats or sum(map(len, seats.values())) > BATCH_PAIRS_MAX:
        return None
    batch, hopeless = Batch(given, agents), set[Requirement]()
    for contact_id, requirement in turns:
        if contact_id not in seats or requirement in hopeless:
            continue
        if not batch.add(contact_id, seats[contact_id]):
            hopeless.add(requirement)
    return batch


def _idle(requirement: Requirement, without: Collection[AgentId]) -> Iterator[Agent]:
    return (agent for agent_id, agent in requirement.idle.items() if agent_id not in without)
