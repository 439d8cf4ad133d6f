"""Invariant 2: nobody is booked beyond their capacity, by agent-state's own account and by routing's.

Agent-state holds a slot from AgentReserved to AgentReleased; a slot is released exactly once. Routing holds it from
OfferCreated to AgentCapacityFreed, or until agent-state turned the offer away. Both are judged at the moment a slot is
taken: who signs on anew with fewer slots while still talking is not overbooked by that. Where channels share units,
what is held costs no more than there are, but for what the new contact's channel may interrupt; and nothing is taken of
a channel while one is held that interrupts it.

Who is not signed on is reserved for nothing, and nobody beyond what fits, with one exception: they had accepted
already, and the conversation is not taken from them. Agent-state's own facts show that: it had turned the offer away,
or taken it back from who left, or heard of the conversation before the offer.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Protocol

from google.protobuf.message import Message

from huntgroup.agent_state.v1 import events_pb2 as agent_state
from huntgroup.routing.v1 import events_pb2 as routing
from huntgroup_onebox.audit.compact import CompactMap
from huntgroup_onebox.audit.feed import EventCheck, Handler
from huntgroup_onebox.audit.reading import Entry
from huntgroup_onebox.audit.report import Findings, Place

INVARIANT: Final = 2
EXPLAINED: Final = 1
USED: Final = 2


class _Slots(Protocol):
    """`ChannelCapacity`, which both services have."""

    @property
    def channel(self) -> int: ...
    @property
    def slots(self) -> int: ...
    @property
    def cost(self) -> int: ...
    @property
    def interrupts(self) -> Iterable[int]: ...


@dataclass(frozen=True, slots=True)
class Load:
    """What is said of a channel of an agent."""

    slots: int = 0
    cost: int = 0
    interrupts: tuple[int, ...] = ()


@dataclass(slots=True)
class Agent:
    """One agent's slots: by channel how many, by offer the channel that it takes one of, and since which record."""

    capacity: dict[int, Load] | None = None
    """None: not signed on."""
    units: int = 0
    held: dict[str, int] = field(default_factory=dict)
    places: dict[str, Place] = field(default_factory=dict)

    def overbooked(self, channel: int) -> str | None:
        """Return why nothing more of a channel fits, or None when it does."""
        said, name = self.capacity or {}, _name(channel)
        mine, taken = said.get(channel, Load()), [*self.held.values()]
        if taken.count(channel) >= mine.slots:
            return f"has {mine.slots} {name} slots"
        counted = [one for one in taken if one not in mine.interrupts]
        above = next((one for one in counted if channel in said.get(one, Load()).interrupts), None)
        if above is not None:
            return f"talks to {_name(above)}, which interrupts {name},"
        used = sum(max(1, said.get(one, Load()).cost) for one in counted)
        if self.units and used + max(1, mine.cost) > self.units:
            return f"has {used} of {self.units} units taken, {name} costs {max(1, mine.cost)},"
        return None


class _Bookings(EventCheck):
    """What agents of all domains hold, by one service's journal."""

    def __init__(self, findings: Findings, *, ended: bool = False) -> None:
        self._findings = findings
        self._day_ended = ended
        self._agents: dict[tuple[str, str], Agent] = {}

    def finish(self) -> None:
        if not self._day_ended:
            return
        for (domain, agent_id), agent in self._agents.items():
            for offer_id, place in agent.places.items():
                why = f"agent {agent_id} still holds a slot for offer {offer_id} after the end of the day"
                self._findings.violation(INVARIANT, place, domain, why)

    def _agent(self, entry: Entry, agent_id: str) -> Agent:
        key = (entry.batch.domain, agent_id)
        found = self._agents.get(key)
        if found is None:
            found = self._agents[key] = Agent()
        return found

    def _join(self, entry: Entry, agent_id: str, capacity: Iterable[_Slots], units: int) -> None:
        agent = self._agent(entry, agent_id)
        agent.units = units
        agent.capacity = {
            one.channel: Load(one.slots, one.cost, tuple(one.interrupts)) for one in capacity
        }

    def _leave(self, entry: Entry, event: Any) -> None:
        agent = self._agent(entry, event.agent_id)
        agent.capacity = None
        self._forget(entry, event.agent_id, agent)

    def _hold(self, entry: Entry, agent: Agent, offer_id: str, channel: int) -> None:
        agent.held[offer_id] = channel
        agent.places[offer_id] = entry.place

    def _give_back(self, entry: Entry, event: Any) -> bool:
        """Free the slot; return whether there was one."""
        agent = self._agent(entry, event.agent_id)
        held = agent.held.pop(event.offer_id, None) is not None
        agent.places.pop(event.offer_id, None)
        self._forget(entry, event.agent_id, agent)
        return held

    def _forget(self, entry: Entry, agent_id: str, agent: Agent) -> None:
        if agent.capacity is None and not agent.held:
            del self._agents[entry.batch.domain, agent_id]

    def _violation(self, entry: Entry, why: str) -> None:
        self._findings.violation(INVARIANT, entry.place, entry.batch.domain, why)


class Reservations(_Bookings):
    """Agent-state's account."""

    def __init__(self, findings: Findings, *, ended: bool = False) -> None:
        super().__init__(findings, ended=ended)
        self._were_here = CompactMap()
        """Agents who signed on once."""
        self._crossed = CompactMap()
        """Offers that may be reserved for who has left or has no room: `EXPLAINED`, and once only, `USED`."""

    def handlers(self) -> Mapping[type[Message], Handler]:
        return {
            agent_state.AgentSignedOn: self._signed_on,
            agent_state.AgentSignedOff: self._signed_off,
            agent_state.AgentReserved: self._reserved,
            agent_state.AgentReleased: self._released,
            agent_state.OfferTurnedAway: self._explain,
            agent_state.OfferOvertaken: self._explain,
        }

    def finish(self) -> None:
        held = sum(len(agent.held) for agent in self._agents.values())
        self._findings.count(INVARIANT, "held now", held)
        super().finish()

    def forget(self) -> None:
        self._were_here.forget()
        self._crossed.forget()

    def _signed_off(self, entry: Entry, event: agent_state.AgentSignedOff) -> None:
        self._were_here.put(_key(entry, event.agent_id))
        self._leave(entry, event)

    def _signed_on(self, entry: Entry, event: agent_state.AgentSignedOn) -> None:
        self._join(entry, event.agent_id, event.capacity, event.capacity_units)
        self._were_here.put(_key(entry, event.agent_id))

    def _explain(self, entry: Entry, event: Any) -> None:
        key = _key(entry, event.offer_id)
        if self._crossed.get(key) is None:
            self._crossed.put(key, EXPLAINED)

    def _reserved(self, entry: Entry, event: agent_state.AgentReserved) -> None:
        agent = self._agent(entry, event.agent_id)
        self._findings.count(INVARIANT, "reservations")
        if event.offer_id in agent.held:
            self._violation(
                entry, f"agent {event.agent_id} is reserved twice for offer {event.offer_id}"
            )
        elif agent.capacity is None:
            self._reserved_after_leaving(entry, event)
        elif (why := agent.overbooked(event.channel)) is not None:
            self._reserved_beyond(entry, event, _overbooked(agent, event, why))
        self._hold(entry, agent, event.offer_id, event.channel)

    def _reserved_beyond(self, entry: Entry, event: agent_state.AgentReserved, why: str) -> None:
        key = _key(entry, event.offer_id)
        if self._crossed.get(key) == EXPLAINED:
            self._crossed.put(key, USED)
            self._findings.count(INVARIANT, "connected beyond capacity")
        else:
            self._violation(entry, why)

    def _reserved_after_leaving(self, entry: Entry, event: agent_state.AgentReserved) -> None:
        key = _key(entry, event.offer_id)
        if self._were_here.get(_key(entry, event.agent_id)) is None:
            why = "who never signed on"
        elif (known := self._crossed.get(key)) == EXPLAINED:
            self._crossed.put(key, USED)
            self._findings.count(INVARIANT, "connected after leaving")
            return
        elif known == USED:
            why = "who has left, a second time"
        else:
            why = "who has left, and nothing shows that they had accepted before"
        self._violation(
            entry, f"offer {event.offer_id} is reserved for agent {event.agent_id}, {why}"
        )

    def _released(self, entry: Entry, event: agent_state.AgentReleased) -> None:
        if event.reason == agent_state.RELEASE_REASON_AGENT_LEFT:
            self._explain(entry, event)
        if self._give_back(entry, event):
            self._findings.count(INVARIANT, "released")
            return
        self._violation(
            entry,
            f"agent {event.agent_id} is released from offer {event.offer_id}, which holds no slot"
            " (never reserved, or released before)",
        )


class OfferedSlots(_Bookings):
    """Routing's account."""

    def handlers(self) -> Mapping[type[Message], Handler]:
        return {
            routing.AgentJoined: self._joined,
            routing.AgentLeft: self._leave,
            routing.OfferCreated: self._offered,
            routing.OfferRescinded: self._rescinded,
            routing.AgentCapacityFreed: self._freed,
        }

    def _joined(self, entry: Entry, event: routing.AgentJoined) -> None:
        self._join(entry, event.agent_id, event.capacity, event.capacity_units)

    def _offered(self, entry: Entry, event: routing.OfferCreated) -> None:
        agent = self._agent(entry, event.agent_id)
        self._findings.count(INVARIANT, "offers")
        if agent.capacity is None:
            why = f"offer {event.offer_id} was made to agent {event.agent_id}, who has not joined"
            self._violation(entry, why)
        elif (above := agent.overbooked(event.channel)) is not None:
            self._violation(entry, _overbooked(agent, event, above))
        self._hold(entry, agent, event.offer_id, event.channel)

    def _freed(self, entry: Entry, event: routing.AgentCapacityFreed) -> None:
        self._give_back(entry, event)  # holds none where it only says that a doubt is over

    def _rescinded(self, entry: Entry, event: routing.OfferRescinded) -> None:
        if event.reason == routing.RESCIND_REASON_AGENT_TURNED_AWAY:
            self._give_back(entry, event)


def _key(entry: Entry, name: str) -> str:
    return f"{entry.batch.domain}\n{name}"


def _overbooked(
    agent: Agent, event: agent_state.AgentReserved | routing.OfferCreated, why: str
) -> str:
    held = ", ".join(agent.held) or "none"
    return f"agent {event.agent_id} {why} and got offer {event.offer_id} while holding {held}"


def _name(channel: int) -> str:
    return agent_state.Channel.keys()[channel].removeprefix("CHANNEL_").lower()
