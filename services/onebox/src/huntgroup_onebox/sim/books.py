"""What an onlooker of the three services can tell from their events alone, and what none of it may ever say."""

from collections import Counter, defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from huntgroup_agent_state.core import messages as agents
from huntgroup_recording.core import messages as recording
from huntgroup_routing.core import messages as routing
from huntgroup_session.core import messages as session

Outcome = (
    routing.OfferAccepted
    | routing.OfferRejected
    | routing.OfferExpired
    | routing.OfferCanceled
    | routing.OfferRescinded
)
Ending = (
    session.ContactAbandoned
    | session.ContactCompleted
    | session.ContactDiverted
    | session.CallbackEnded
)
Seat = tuple[str, str]
"""An agent and a channel."""


class ViolationError(AssertionError):
    """Something happened that must never happen; the message says what."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Units:
    """What an agent's channels share, by channel."""

    units: int
    cost: Mapping[str, int]
    interrupts: Mapping[str, tuple[str, ...]]
    """Which channels contacts of a channel may interrupt."""

    @classmethod
    def said_by(cls, event: agents.AgentSignedOn | routing.AgentJoined) -> "Units":
        """Return what an event says of an agent."""
        return cls(
            units=event.capacity_units,
            cost={one.channel: one.cost for one in event.capacity},
            interrupts={one.channel: one.interrupts for one in event.capacity if one.interrupts},
        )

    def above(self, one: str, other: str) -> bool:
        """Return whether nothing of the other channel is offered while something of this one is held."""
        return other in self.interrupts.get(one, ()) and one not in self.interrupts.get(other, ())


class Books:
    """Kept event by event. `capacity` is how many slots each agent signs on with, always the same."""

    def __init__(self, capacity: dict[Seat, int]) -> None:
        self.guarded = False
        """Session's log time has jumped so far that its guard of an hour may end a contact."""
        self._signed_on: defaultdict[str, list[Units]] = defaultdict(list)
        """By agent, what they signed on with, one after the other."""
        self._joined: dict[str, Units] = {}
        """By agent, what routing goes by."""
        self.counts: Counter[str] = Counter()
        self.outcomes: dict[str, str | None] = {}
        self.waiting: dict[str, str] = {}
        self.enqueued: list[str] = []
        """Who came to wait, one after the other."""
        self.states: defaultdict[str, list[str]] = defaultdict(list)
        """By contact, what session has said of it, one state after the other."""
        self.endings: dict[str, str | None] = {}
        self.recording: set[str] = set()
        """Recordings that are neither sealed nor declared absent."""
        self.sealed: list[recording.RecordingSealed] = []
        self.capacity = capacity
        self._turned_away: set[str] = set()
        self._rings: dict[str, dict[str, str]] = {}
        """By contact, its open offers and their agents."""
        self._taken_by: dict[str, str] = {}
        self._seats: dict[str, Seat] = {}
        self._talks: dict[str, Seat] = {}
        self._taken: dict[str, Seat] = {}
        """Offers that agent-state has not released or turned away yet: each takes a slot, whatever became of it."""
        self._reserved: dict[str, Seat] = {}
        """Offers that agent-state has reserved and not released."""
        self._overtaken: set[str] = set()
        """Offers of whose conversation agent-state heard first: it asks no more whether they fit."""
        self._excused: dict[str, Seat] = {}
        """Offers that agent-state honours beyond capacity, until it releases them."""
        self._leases: dict[str, int] = {}
        """Open offers and when, in log time, each must have ended."""

    def note(self, event: Any) -> None:
        """Enter an event; raises `ViolationError`."""
        self.counts[type(event).__name__] += 1
        match event:
            case routing.OfferCreated():
                self._offered(event)
            case agents.AgentSignedOn():
                self._signed_on[event.agent_id].append(Units.said_by(event))
            case routing.AgentJoined():
                self._joins(event)
            case agents.AgentReserved():
                self._note_reserved(event)
            case agents.OfferOvertaken():
                self._overtaken.add(event.offer_id)
            case agents.AgentReleased():
                self._reserved.pop(event.offer_id, None)
                self._taken.pop(event.offer_id, None)
                if (seat := self._excused.pop(event.offer_id, None)) is not None:
                    self.capacity[seat] -= 1
            case agents.OfferTurnedAway():
                self._turned_away.add(event.offer_id)
                self._taken.pop(event.offer_id, None)
                self._allow_crossing(event.offer_id)
            case (
                routing.OfferAccepted()
                | routing.OfferRejected()
                | routing.OfferExpired()
                | routing.OfferCanceled()
                | routing.OfferRescinded()
            ):
                self._decided(event)
            case routing.ContactEnqueued():
                if event.contact_id in self.waiting:
                    raise ViolationError(f"{event.contact_id} waits in two queues")
                self.waiting[event.contact_id] = event.queue_id
                self.enqueued.append(event.contact_id)
            case routing.ContactMoved():
                if self.waiting.get(event.contact_id) != event.from_queue_id:
                    raise ViolationError(f"{event.contact_id} was moved from where it is not")
                self.waiting[event.contact_id] = event.queue_id
            case routing.ContactDequeued():
                del self.waiting[event.contact_id]
            case _:
                self._note_contact(event)

    def check_leases(self, at_ms: int, epsilon_ms: int) -> None:
        """Routing decided something at `at_ms`: no offer may be open long after its end."""
        for offer_id, ends_at_ms in self._leases.items():
            if at_ms > ends_at_ms + epsilon_ms:
                raise ViolationError(f"3: {offer_id} is open {at_ms - ends_at_ms} ms after its end")

    def _note_contact(self, event: Any) -> None:
        match event:
            case session.ContactInitiated():
                self.endings[event.contact_id] = None
            case session.ContactConnected():
                seat = self._seats[event.offer_id]
                self._talks[event.contact_id] = seat
                self._check_capacity("talks to", seat, self._talks)
            case session.ContactDisconnected():
                del self._talks[event.contact_id]
            case session.CallbackScheduled():
                self._taken_by.pop(event.contact_id, None)
            case (
                session.ContactAbandoned()
                | session.ContactCompleted()
                | session.ContactDiverted()
                | session.CallbackEnded()
            ):
                self._ended(event)
            case recording.RecordingRequested():
                self.recording.add(event.recording_id)
            case recording.RecordingSealed():
                self.recording.discard(event.recording_id)
                self.sealed.append(event)
            case recording.RecordingAbsent():
                self.recording.discard(event.recording_id)
            case _:
                pass

    def _offered(self, offer: routing.OfferCreated) -> None:
        self.outcomes[offer.offer_id] = None
        self._leases[offer.offer_id] = offer.expires_at_ms
        rings = self._rings.setdefault(offer.contact_id, {})
        if offer.agent_id in rings.values():
            raise ViolationError(f"1: {offer.contact_id} rings twice at {offer.agent_id}")
        if rings and not offer.ring_target > len(rings):
            raise ViolationError(f"1: {offer.offer_id} is made while {rings} ring")
        rings[offer.offer_id] = offer.agent_id
        seat = self._seats[offer.offer_id] = (offer.agent_id, offer.channel)
        self._taken[offer.offer_id] = seat
        self._check_capacity("was offered or holds", seat, self._taken)
        self._check_units(offer, self._taken, self._joined[offer.agent_id])

    def _joins(self, event: routing.AgentJoined) -> None:
        said = self._joined[event.agent_id] = Units.said_by(event)
        if said not in self._signed_on[event.agent_id]:
            raise ViolationError(f"{event.agent_id} joins with {said}, and never signed on so")

    def _note_reserved(self, event: agents.AgentReserved) -> None:
        self._reserved[event.offer_id] = (event.agent_id, event.channel)
        if event.offer_id not in self._turned_away | self._overtaken:
            self._check_units(event, self._reserved, self._signed_on[event.agent_id][-1])

    def _decided(self, event: Outcome) -> None:
        before = self.outcomes[event.offer_id]
        if before is not None:
            raise ViolationError(f"{event.offer_id} has two outcomes: {before}, then {event}")
        self.outcomes[event.offer_id] = type(event).__name__
        self._rings[event.contact_id].pop(event.offer_id)
        self._leases.pop(event.offer_id, None)
        if isinstance(event, routing.OfferAccepted):
            if event.contact_id in self._taken_by:
                raise ViolationError(f"1: {event.contact_id} was taken twice: {event}")
            self._taken_by[event.contact_id] = event.agent_id
            del self.waiting[event.contact_id]
            self._allow_crossing(event.offer_id)

    def _allow_crossing(self, offer_id: str) -> None:
        """Expect one contact more of who said yes while they were turned away: agent-state honours it."""
        accepted = self.outcomes[offer_id] == "OfferAccepted"
        if accepted and offer_id in self._turned_away:
            seat = self._excused[offer_id] = self._seats[offer_id]
            self.capacity[seat] += 1

    def _ended(self, event: Ending) -> None:
        before = self.endings[event.contact_id]
        if before is not None:
            raise ViolationError(f"{event.contact_id} ended twice: {before}, then {event}")
        self.endings[event.contact_id] = type(event).__name__
        by_guard = isinstance(event, session.ContactCompleted) and event.reason == "TIMER"
        if by_guard and not self.guarded:
            raise ViolationError(f"{event.contact_id} was completed by the guard alone")

    def _check_capacity(self, doing: str, seat: Seat, held: dict[str, Seat]) -> None:
        mine = [key for key, one in held.items() if one == seat]
        if len(mine) > self.capacity[seat]:
            raise ViolationError(f"{seat} {doing} {mine}, above capacity {self.capacity[seat]}")

    def _check_units(
        self,
        event: routing.OfferCreated | agents.AgentReserved,
        taken: Mapping[str, Seat],
        said: Units,
    ) -> None:
        """A contact costs no more than is left beside what it may interrupt, and none comes below what is held."""
        held = [
            channel
            for offer_id, (agent_id, channel) in taken.items()
            if agent_id == event.agent_id and offer_id != event.offer_id
        ]
        told = f"{type(event).__name__} of {event.offer_id} goes above capacity: {event.agent_id} holds {held}"
        if any(said.above(one, event.channel) for one in held):
            raise ViolationError(f"{told}, which interrupts it")
        counted = [one for one in held if one not in said.interrupts.get(event.channel, ())]
        cost = sum(max(1, said.cost.get(one, 1)) for one in [*counted, event.channel])
        if said.units and cost > said.units:
            raise ViolationError(f"{told}, and {cost} units are more than {said.units}")
