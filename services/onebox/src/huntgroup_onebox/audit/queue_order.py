"""Invariant 1, in routing's journal: who is offered next is who stands first among those who need the same.

Contacts that need the same form one line, ordered by priority (higher first), then age, then id, or by age alone where
a point of priority is worth so much of it; who comes to a step of its queue, or is shown to further groups, changes
lines and keeps its turn. A contact that comes back after an offer finds its old place. The one recorded exception: an
agent who just declined a contact, and whose slot of that offer is not free yet, is offered the next one in line. A
contact may ring at several agents where every offer of it says so, and never twice at one of them.
"""

import heapq
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from google.protobuf.message import Message

from huntgroup.routing.v1 import events_pb2 as routing
from huntgroup_onebox.audit.compact import CompactMap
from huntgroup_onebox.audit.feed import EventCheck, Handler
from huntgroup_onebox.audit.reading import Entry
from huntgroup_onebox.audit.report import Findings

INVARIANT: Final = 1

OUT_OF_TURN: Final = (
    *(routing.DECISION_RULE_PULLED, routing.DECISION_RULE_ASSIGNED),
    *(routing.DECISION_RULE_PREFERRED, routing.DECISION_RULE_DIRECT),
)
"""People may pass contacts over, and some contacts are for certain agents: the offer says so."""

Need = tuple[tuple[int, str], tuple[str, ...], str, str, tuple[str, ...]]
"""Channel and what the contact asks by itself; required skills, the requirement beside them; of a queue that names
groups its id and who is asked now."""

Turn = tuple[int, int, str]
"""Where a contact stands: minus its priority, since when it waits, its id. The least is served first.

Where a point of priority is worth time: 0, since when it waits less what its priority is worth, its id.
"""

_Enters = routing.ContactEnqueued | routing.ContactMoved
"""Says since when a contact waits, and by what it counts."""

_Asks = _Enters | routing.ContactStepped | routing.ContactReplanned
"""Says what a contact needs."""


@dataclass(slots=True)
class _Contact:
    need: Need
    turn: Turn
    queue_id: str
    since_ms: int
    point_ms: int
    stay: int
    """How many stays in queues it had before this one: a later one is no return of who had left."""
    waits: bool = True
    awaits: bool = False
    """It stands in no line, for it waits for certain agents, or for none yet."""
    awaits_turn: bool = False
    """For none yet: its customer is called when its turn comes near."""
    rings: dict[str, str] = field(default_factory=dict)
    """While it rings: by open offer, the agent."""
    together: bool = False
    """Whether its last offer said that it may ring at others, too."""


@dataclass(slots=True)
class _Domain:
    contacts: dict[str, _Contact] = field(default_factory=dict)
    lines: dict[Need, list[Turn]] = field(default_factory=dict)
    """Heaps; whoever does not wait any more is dropped when they come up."""
    held: dict[str, tuple[str, str]] = field(default_factory=dict)
    """By offer, the agent whose slot it still takes, and the contact."""
    declined: Counter[tuple[str, str]] = field(default_factory=Counter)
    """How many slots of an agent offers of a contact still take."""
    gone: CompactMap = field(default_factory=CompactMap)


class QueueOrder(EventCheck):
    """Follows who waits in routing, and whose turn it is."""

    def __init__(self, findings: Findings) -> None:
        self._findings = findings
        self._domains: dict[str, _Domain] = {}

    def handlers(self) -> Mapping[type[Message], Handler]:
        return {
            routing.ContactEnqueued: self._enqueued,
            routing.ContactStepped: self._stepped,
            routing.ContactReplanned: self._stepped,
            routing.ContactMoved: self._moved,
            routing.ContactReprioritized: self._reprioritized,
            routing.OfferCreated: self._offered,
            routing.ContactRequeued: self._requeued,
            routing.OfferAccepted: self._left,
            routing.ContactDequeued: self._dequeued,
            routing.AgentCapacityFreed: self._freed,
            routing.OfferRescinded: self._rescinded,
            routing.PreferenceLapsed: self._preference_lapsed,
            routing.OfferRejected: self._rings_no_more,
            routing.OfferExpired: self._rings_no_more,
            routing.OfferCanceled: self._rings_no_more,
        }

    def forget(self) -> None:
        for domain in self._domains.values():
            domain.gone.forget()
            # Lines in which nobody was offered hold whoever left them, too.
            waiting = {one.turn for one in domain.contacts.values() if one.waits}
            needs = {one.need for one in domain.contacts.values()}
            domain.lines = {
                need: sorted(waiting.intersection(domain.lines[need])) for need in needs
            }

    def _domain(self, entry: Entry) -> _Domain:
        name = entry.batch.domain
        found = self._domains.get(name)
        if found is None:
            found = self._domains[name] = _Domain()
        return found

    def _enqueued(self, entry: Entry, event: routing.ContactEnqueued) -> None:
        domain, contact_id = self._domain(entry), event.contact_id
        known = domain.contacts.get(contact_id)
        if known is not None:
            why = f"was put into queue {event.queue_id} while it stood in {known.queue_id}"
            self._violation(entry, contact_id, why)
            return
        gone_in = domain.gone.get(contact_id)
        if gone_in is not None and event.stay <= gone_in:
            self._violation(entry, contact_id, f"was queued in {event.queue_id} after it had left")
        need, turn = _need((event.channel, event.own_requirement), event), _turn(event)
        domain.contacts[contact_id] = _Contact(
            need, turn, event.queue_id, event.enqueued_at_ms, event.priority_point_ms, event.stay
        )
        line = domain.lines.setdefault(need, [])
        domain.contacts[contact_id].awaits_turn = event.awaits_turn
        if event.awaited_agents or event.awaits_turn:
            domain.contacts[contact_id].awaits = True
        else:
            heapq.heappush(line, turn)

    def _stepped(
        self, entry: Entry, event: routing.ContactStepped | routing.ContactReplanned
    ) -> None:
        domain = self._domain(entry)
        contact = domain.contacts.get(event.contact_id)
        if contact is None:
            self._violation(entry, event.contact_id, "came to a step without a place in a queue")
            return
        contact.need = _need(contact.need[0], event)
        line = domain.lines.setdefault(contact.need, [])
        if contact.waits and not contact.awaits:
            heapq.heappush(line, contact.turn)

    def _moved(self, entry: Entry, event: routing.ContactMoved) -> None:
        domain = self._domain(entry)
        contact = domain.contacts.get(event.contact_id)
        if contact is None or contact.queue_id != event.from_queue_id:
            stood = "in none" if contact is None else f"in {contact.queue_id}"
            why = f"was moved from queue {event.from_queue_id} while it stood {stood}"
            self._violation(entry, event.contact_id, why)
            return
        if event.HasField("overflow") and event.enqueued_at_ms != contact.since_ms:
            why = f"lost its age: queued at {contact.since_ms}, moved as of {event.enqueued_at_ms}"
            self._violation(entry, event.contact_id, why)
        contact.need, contact.turn = _need(contact.need[0], event), _turn(event)
        contact.queue_id, contact.since_ms = event.queue_id, event.enqueued_at_ms
        contact.waits, contact.awaits = True, contact.awaits_turn or bool(event.awaited_agents)
        contact.point_ms, contact.stay = event.priority_point_ms, event.stay
        line = domain.lines.setdefault(contact.need, [])
        if not contact.awaits:
            heapq.heappush(line, contact.turn)

    def _reprioritized(self, entry: Entry, event: routing.ContactReprioritized) -> None:
        domain = self._domain(entry)
        contact = domain.contacts.get(event.contact_id)
        if contact is None:
            self._violation(entry, event.contact_id, "has another priority without a place")
            return
        point_ms = contact.point_ms
        contact.turn = _turn_of(event.priority, contact.since_ms, event.contact_id, point_ms)
        if contact.waits and not contact.awaits:
            heapq.heappush(domain.lines.setdefault(contact.need, []), contact.turn)

    def _requeued(self, entry: Entry, event: routing.ContactRequeued) -> None:
        domain = self._domain(entry)
        contact = domain.contacts.get(event.contact_id)
        if contact is None or contact.waits:
            state = "never took a place" if contact is None else "stands there already"
            self._violation(entry, event.contact_id, f"went back to its place, but {state}")
            return
        contact.waits, contact.awaits = True, bool(event.awaited_agents)
        contact.awaits_turn = False
        if contact.rings:
            at = ", ".join(contact.rings.values())
            self._violation(entry, event.contact_id, f"went back to its place, but rings at {at}")
            contact.rings.clear()
        if not contact.awaits:
            heapq.heappush(domain.lines[contact.need], contact.turn)

    def _preference_lapsed(self, entry: Entry, event: routing.PreferenceLapsed) -> None:
        domain = self._domain(entry)
        contact = domain.contacts.get(event.contact_id)
        if contact is None or not contact.waits or not contact.awaits:
            self._violation(entry, event.contact_id, "waited for nobody in particular, but lapsed")
            return
        contact.awaits = False
        heapq.heappush(domain.lines[contact.need], contact.turn)

    def _left(self, entry: Entry, event: Any, *, for_good: bool = True) -> None:
        domain = self._domain(entry)
        contact = domain.contacts.pop(event.contact_id, None)
        if contact is None:
            self._violation(
                entry, event.contact_id, f"has a {event.DESCRIPTOR.name} without a place in a queue"
            )
        if for_good:
            domain.gone.put(event.contact_id, 0 if contact is None else contact.stay)

    def _dequeued(self, entry: Entry, event: routing.ContactDequeued) -> None:
        handed_back = event.overflow.action == routing.OVERFLOW_ACTION_HAND_BACK
        called_back = event.reason in (
            routing.DEQUEUE_REASON_CALLBACK_POSTPONED,
            routing.DEQUEUE_REASON_CALLBACK_DUE,
        )
        self._left(entry, event, for_good=not (handed_back or called_back))

    def _offered(self, entry: Entry, event: routing.OfferCreated) -> None:
        domain = self._domain(entry)
        contact = domain.contacts.get(event.contact_id)
        if contact is None or (problem := _not_to_be_offered(contact, event)):
            state = "does not wait" if contact is None else problem
            self._violation(entry, event.contact_id, f"was offered while it {state}")
            return
        if event.enqueued_at_ms != contact.since_ms:
            why = (
                f"lost its age: queued at {contact.since_ms}, offered as of {event.enqueued_at_ms}"
            )
            self._violation(entry, event.contact_id, why)
        out_of_turn = event.explanation.rule in OUT_OF_TURN
        before = None if out_of_turn else self._first_passed_over(domain, contact, event.agent_id)
        if before is not None:
            why = f"was offered to {event.agent_id} out of turn: contact {before} stands before it"
            self._violation(entry, event.contact_id, why)
        self._findings.count(INVARIANT, "offers in turn", before is None)
        contact.waits, contact.together = False, event.ring_target > 0
        contact.rings[event.offer_id] = event.agent_id
        domain.held[event.offer_id] = (event.agent_id, event.contact_id)
        domain.declined[event.agent_id, event.contact_id] += 1

    def _first_passed_over(self, domain: _Domain, contact: _Contact, agent_id: str) -> str | None:
        """Return who stands before the contact and was not declined by the agent just now."""
        line = domain.lines[contact.need]
        declined: list[Turn] = []
        before = None
        while line and line[0] != contact.turn:
            other = domain.contacts.get(line[0][2])
            there = other is not None and other.waits and not other.awaits
            if other is None or not there or (other.need, other.turn) != (contact.need, line[0]):
                heapq.heappop(line)
                continue
            if not domain.declined[agent_id, line[0][2]]:
                before = line[0][2]
                break
            declined.append(heapq.heappop(line))
        for turn in declined:
            heapq.heappush(line, turn)
        return before

    def _freed(self, entry: Entry, event: routing.AgentCapacityFreed) -> None:
        self._give_back(self._domain(entry), event.offer_id)

    def _rescinded(self, entry: Entry, event: routing.OfferRescinded) -> None:
        self._rings_no_more(entry, event)
        if event.reason == routing.RESCIND_REASON_AGENT_TURNED_AWAY:
            self._give_back(self._domain(entry), event.offer_id)

    def _rings_no_more(self, entry: Entry, event: Any) -> None:
        contact = self._domain(entry).contacts.get(event.contact_id)
        if contact is not None:
            contact.rings.pop(event.offer_id, None)

    def _give_back(self, domain: _Domain, offer_id: str) -> None:
        held = domain.held.pop(offer_id, None)
        if held is not None:
            domain.declined[held] -= 1
            if not domain.declined[held]:
                del domain.declined[held]

    def _violation(self, entry: Entry, contact_id: str, why: str) -> None:
        self._findings.violation(
            INVARIANT, entry.place, entry.batch.domain, f"contact {contact_id} {why}"
        )


def _not_to_be_offered(contact: _Contact, event: routing.OfferCreated) -> str:
    """Return why a contact may not be offered; empty when it may."""
    if event.agent_id in contact.rings.values():
        return f"rings at {event.agent_id} already"
    if contact.rings and not (contact.together and event.ring_target > len(contact.rings)):
        return f"rings with {', '.join(contact.rings)}"
    return ""


def _need(own: tuple[int, str], event: _Asks) -> Need:
    groups = tuple(event.groups)
    queue_id = event.queue_id if groups else ""
    return (own, tuple(event.required_skills), event.requirement, queue_id, groups)


def _turn(event: _Enters) -> Turn:
    since_ms, point_ms = event.enqueued_at_ms, event.priority_point_ms
    return _turn_of(event.priority, since_ms, event.contact_id, point_ms)


def _turn_of(priority: int, since_ms: int, contact_id: str, point_ms: int) -> Turn:
    if point_ms:
        return (0, since_ms - priority * point_ms, contact_id)
    return (-priority, since_ms, contact_id)
