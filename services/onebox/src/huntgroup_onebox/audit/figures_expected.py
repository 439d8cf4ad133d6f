"""Invariant 6, the journals' side: what the KPI figures must be, computed anew and simply from what happened.

It shares no code with the reporting service. Attribution: a contact counts in the queue and the interval of its
queueing, judged by the threshold the queue had when the contact took its place in routing; a handled contact in the
interval in which its wrap-up ended; an offer in that of its outcome; an agent's time where it was spent.
"""

from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from google.protobuf.message import Message

from huntgroup.agent_state.v1 import events_pb2 as agent_state
from huntgroup.routing.v1 import events_pb2 as routing
from huntgroup.session.v1 import events_pb2 as session
from huntgroup_onebox.audit.agent_time import AgentTime
from huntgroup_onebox.audit.feed import EventCheck, Handler
from huntgroup_onebox.audit.offers import OUTCOMES
from huntgroup_onebox.audit.reading import Entry
from huntgroup_onebox.audit.totals import Totals

AHEAD_MAX: Final = 500_000
"""So many events of a service that reporting has not taken in may wait."""

DEFAULT_THRESHOLD_MS: Final = 20_000
"""Of a queue that was never seen to be configured."""


@dataclass(slots=True)
class _Contact:
    """What is known of a contact that is not counted to the end of its wait; None: not seen yet."""

    enqueued_at_ms: int | None = None
    threshold_ms: int | None = None
    ended: tuple[Entry, str, str, int] | None = None
    """How the wait ended: the record, the queue, the figure's name, the wait."""


def _stay(contact_id: str, stay: int) -> str:
    """Return the name of one stay of a contact in a queue: each is counted there."""
    return f"{contact_id}~{stay}" if stay > 0 else contact_id


def _waits_from_ms(event: session.ContactQueued | session.ContactMoved) -> int:
    """Return when the wait began that ends with this stay or a later one: a callback that comes back waits anew."""
    if isinstance(event, session.ContactMoved):
        return max(event.enqueued_at_ms, event.at_ms - event.wait_ms)
    return max(event.at_ms, event.enqueued_at_ms)


@dataclass(slots=True)
class _Domain:
    thresholds_ms: dict[str, int] = field(default_factory=dict)
    contacts: dict[str, _Contact] = field(default_factory=dict)
    conversations: dict[str, session.ContactDisconnected] = field(default_factory=dict)
    wrap_ups: dict[str, agent_state.AgentFinishedWrapUp] = field(default_factory=dict)
    halves_before: set[str] = field(default_factory=set)
    """Offers of which only one half was known when `forget` was called last."""

    def forget(self) -> None:
        """Forget halves whose other half did not come between two calls."""
        for halves in (self.conversations, self.wrap_ups):
            for offer_id in self.halves_before & halves.keys():
                del halves[offer_id]
        self.halves_before = {*self.conversations, *self.wrap_ups}


class ExpectedFigures(EventCheck):
    """Adds up what reporting has taken in so far: entries below the positions that its own batches name.

    What it has not taken in yet waits for `catch_up`.
    """

    def __init__(
        self,
        totals: Totals,
        taken_in: Mapping[str, int],
        counted_to_ms: Mapping[tuple[str, str], int],
        interval_ms: int,
        *,
        wait: bool = False,
    ) -> None:
        """`taken_in`: topic → position; `counted_to_ms`: (domain, agent) → up to when the ledger counts time.

        Without `wait` there is no `catch_up`.
        """
        self.totals = totals
        self._taken_in = taken_in
        self._interval_ms = interval_ms
        self._wait = wait
        self._domains: dict[str, _Domain] = {}
        self.left_behind = False
        """Whether reporting lags so far that nothing is compared any more."""
        self._ahead: dict[str, deque[tuple[Handler, Entry, Any]]] = {}
        self._agent_time = AgentTime(totals, counted_to_ms, interval_ms)

    def handlers(self) -> Mapping[type[Message], Handler]:
        mine: dict[type[Message], Handler] = {
            session.ContactQueued: self._queued,
            session.ContactConnected: self._connected,
            session.ContactAbandoned: self._abandoned,
            session.ContactMoved: self._moved,
            session.ContactHandedBack: self._overflowed,
            session.ContactDiverted: self._overflowed,
            session.CallbackScheduled: self._callback_left_line,
            session.CallbackAnswered: self._overflowed,
            session.CallbackEnded: self._callback_left_line,
            session.ContactDisconnected: self._disconnected,
            agent_state.AgentFinishedWrapUp: self._wrapped_up,
            routing.QueueConfigured: self._configured,
            routing.ContactEnqueued: self._enqueued,
            routing.ContactMoved: self._enqueued,
            **dict.fromkeys(OUTCOMES, self._offer_ended),
        }
        limited = {event: self._limited(handler) for event, handler in mine.items()}
        for event, handler in self._agent_time.handlers().items():
            limited[event] = self._limited(handler)
        return limited

    def catch_up(self) -> None:
        """Take what reporting has taken in since it was read here."""
        for topic, waiting in self._ahead.items():
            end = self._taken_in.get(topic, 0)
            while waiting and waiting[0][1].place.position < end:
                handler, entry, event = waiting.popleft()
                handler(entry, event)

    def under_way(self) -> Totals:
        """Return the time of agents that goes on, as much as the ledger has counted of it."""
        return self._agent_time.under_way()

    def forget(self) -> None:
        for domain in self._domains.values():
            domain.forget()

    def _limited(self, handler: Handler) -> Handler:
        taken_in = self._taken_in

        def handle(entry: Entry, event: Any) -> None:
            topic = entry.place.topic
            waiting = self._ahead.get(topic)
            if not waiting and entry.place.position < taken_in.get(topic, 0):
                handler(entry, event)
            elif self._wait and not self.left_behind:
                # Also what has been taken in by now, while something before it waits: in the journal's order.
                waiting = self._ahead.setdefault(topic, deque())
                waiting.append((handler, entry, event))
                self.left_behind = len(waiting) > AHEAD_MAX

        return handle

    def _domain(self, entry: Entry) -> _Domain:
        found = self._domains.get(entry.batch.domain)
        if found is None:
            found = self._domains[entry.batch.domain] = _Domain()
        return found

    def _interval(self, at_ms: int) -> int:
        return at_ms - at_ms % self._interval_ms

    # Waits.

    def _configured(self, entry: Entry, event: routing.QueueConfigured) -> None:
        thresholds = self._domain(entry).thresholds_ms
        thresholds[event.queue_id] = event.service_level_threshold_ms

    def _queued(self, entry: Entry, event: session.ContactQueued | session.ContactMoved) -> None:
        stay = _stay(event.contact_id, event.stay)
        contact = self._domain(entry).contacts.setdefault(stay, _Contact())
        contact.enqueued_at_ms = _waits_from_ms(event)
        interval_ms = self._interval(contact.enqueued_at_ms)
        self.totals.add_queue(entry, event.queue_id, interval_ms, (("offered", 1),), stay)
        self._settle(self._domain(entry), stay, contact)

    def _enqueued(
        self, entry: Entry, event: routing.ContactEnqueued | routing.ContactMoved
    ) -> None:
        domain, stay = self._domain(entry), _stay(event.contact_id, event.stay)
        contact = domain.contacts.setdefault(stay, _Contact())
        contact.threshold_ms = domain.thresholds_ms.get(event.queue_id, DEFAULT_THRESHOLD_MS)
        self._settle(domain, stay, contact)

    def _connected(self, entry: Entry, event: session.ContactConnected) -> None:
        self._wait_ended(entry, event, "answered", event.queue_id, event.stay)

    def _abandoned(self, entry: Entry, event: session.ContactAbandoned) -> None:
        if event.stage != session.ABANDON_STAGE_IN_MENU:
            self._wait_ended(entry, event, "abandoned", event.queue_id, event.stay)

    def _callback_left_line(
        self, entry: Entry, event: session.CallbackScheduled | session.CallbackEnded
    ) -> None:
        if event.in_line:
            self._overflowed(entry, event)

    def _overflowed(self, entry: Entry, event: Any) -> None:
        self._wait_ended(entry, event, "overflowed", event.queue_id, event.stay)

    def _moved(self, entry: Entry, event: session.ContactMoved) -> None:
        self._wait_ended(entry, event, "overflowed", event.from_queue_id, event.stay - 1)
        self._queued(entry, event)

    def _wait_ended(self, entry: Entry, event: Any, figure: str, queue_id: str, stay: int) -> None:
        domain, name = self._domain(entry), _stay(event.contact_id, stay)
        contact = domain.contacts.setdefault(name, _Contact())
        contact.ended = (entry, queue_id, figure, event.wait_ms)
        self._settle(domain, name, contact)

    def _settle(self, domain: _Domain, contact_id: str, contact: _Contact) -> None:
        """Count the end of a wait once both its halves are known."""
        if contact.ended is None or contact.threshold_ms is None or contact.enqueued_at_ms is None:
            return
        entry, queue_id, figure, wait_ms = contact.ended
        figures = (
            (figure, 1),
            (f"{figure}_within_threshold", int(wait_ms <= contact.threshold_ms)),
            (f"{figure}_wait_ms", wait_ms),
        )
        interval_ms = self._interval(contact.enqueued_at_ms)
        self.totals.add_queue(entry, queue_id, interval_ms, figures, contact_id)
        del domain.contacts[contact_id]

    # Offers and conversations.

    def _offer_ended(self, entry: Entry, event: Any) -> None:
        outcome = OUTCOMES[type(event)]
        figures = ((f"offers_{outcome}", 1), (f"offers_{outcome}_ring_ms", event.ring_ms))
        interval_ms = self._interval(event.at_ms)
        self.totals.add_queue(entry, event.queue_id, interval_ms, figures, event.offer_id)

    def _disconnected(self, entry: Entry, event: session.ContactDisconnected) -> None:
        domain = self._domain(entry)
        domain.conversations[event.offer_id] = event
        self._handle(entry, domain, event.offer_id)

    def _wrapped_up(self, entry: Entry, event: agent_state.AgentFinishedWrapUp) -> None:
        domain = self._domain(entry)
        domain.wrap_ups[event.offer_id] = event
        self._handle(entry, domain, event.offer_id)

    def _handle(self, entry: Entry, domain: _Domain, offer_id: str) -> None:
        """Count a conversation whose wrap-up is over, once both are known."""
        if offer_id not in domain.conversations or offer_id not in domain.wrap_ups:
            return
        conversation = domain.conversations.pop(offer_id)
        wrap_up = domain.wrap_ups.pop(offer_id)
        figures = (
            ("handled", 1),
            ("talk_ms", conversation.talk_ms),
            ("hold_ms", conversation.hold_ms),
            ("wrap_up_ms", wrap_up.wrap_up_ms),
        )
        interval_ms = self._interval(wrap_up.at_ms)
        self.totals.add_queue(entry, conversation.queue_id, interval_ms, figures, offer_id)
