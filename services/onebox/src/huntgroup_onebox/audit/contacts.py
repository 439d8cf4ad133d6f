"""Invariant 1, in session's journal: each contact comes in once, waits in one queue at a time, and ends once."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from google.protobuf.message import Message

from huntgroup.session.v1 import events_pb2 as session
from huntgroup_contracts.registry import classes_of
from huntgroup_onebox.audit.compact import CompactMap
from huntgroup_onebox.audit.feed import EventCheck, Handler
from huntgroup_onebox.audit.reading import Entry
from huntgroup_onebox.audit.report import Findings, Place

INVARIANT: Final = 1
ENDS: Final[Mapping[type[Message], str]] = {
    session.ContactCompleted: "completed",
    session.ContactAbandoned: "abandoned",
    session.ContactDiverted: "diverted",
    session.CallbackEnded: "callbacks in vain",
}


@dataclass(slots=True)
class _Domain:
    """The contacts of a domain: where each live one waits (empty: nowhere) and came in, and which are over."""

    live: dict[str, str]
    came_in: dict[str, Place]
    ended: CompactMap
    planned: dict[str, int] = field(default_factory=dict)
    """When callbacks that stand in no line come back."""


class ContactLives(EventCheck):
    """Follows every contact from its beginning to its one end."""

    def __init__(self, findings: Findings, *, ended: bool = False) -> None:
        self._findings = findings
        self._day_ended = ended
        self._domains: dict[str, _Domain] = {}
        self._newest_ms = 0

    def entry(self, entry: Entry) -> None:
        self._newest_ms = max(self._newest_ms, entry.kind.at_ms)

    def handlers(self) -> Mapping[type[Message], Handler]:
        special: dict[type[Message], Handler] = {
            session.ContactInitiated: self._begin,
            session.ContactQueued: self._enter_queue,
            session.ContactMoved: self._change_queue,
            session.ContactHandedBack: self._leave_queue,
            session.ContactConnected: self._leave_queue,
            session.CallbackScheduled: self._plan,
            session.CallbackAnswered: self._leave_queue,
            session.ContactCompleted: self._end,
            session.ContactAbandoned: self._end,
            session.ContactDiverted: self._end,
            session.CallbackEnded: self._end,
        }
        about_contacts: dict[type[Message], Handler] = {
            event: special.get(event, self._go_on)
            for event in classes_of("session").values()
            if "contact_id" in event.DESCRIPTOR.fields_by_name
        }
        # A fact for agent-state, about a contact that is over already.
        about_contacts.pop(session.ContactConnectionFailed)
        return about_contacts

    def finish(self) -> None:
        live = sum(len(domain.live) for domain in self._domains.values())
        self._findings.count(INVARIANT, "live", live)
        if not self._day_ended:
            return
        for name, domain in self._domains.items():
            for contact_id in domain.live:
                if domain.planned.get(contact_id, 0) > self._newest_ms:
                    continue  # to be called back another day
                why = f"contact {contact_id} is still live after the end of the day"
                self._findings.violation(INVARIANT, domain.came_in[contact_id], name, why)

    def forget(self) -> None:
        for domain in self._domains.values():
            domain.ended.forget()

    def _domain(self, name: str) -> _Domain:
        found = self._domains.get(name)
        if found is None:
            found = self._domains[name] = _Domain({}, {}, CompactMap())
        return found

    def _begin(self, entry: Entry, event: session.ContactInitiated) -> None:
        domain = self._domain(entry.batch.domain)
        if event.contact_id in domain.live:
            self._violation(entry, event, "came in a second time while it was live")
        elif domain.ended.get(event.contact_id) is not None:
            self._violation(entry, event, "came in again after it had ended")
        else:
            self._findings.count(INVARIANT, "contacts")
        domain.live[event.contact_id] = ""
        domain.came_in[event.contact_id] = entry.place

    def _plan(self, entry: Entry, event: session.CallbackScheduled) -> None:
        self._leave_queue(entry, event)
        self._domain(entry.batch.domain).planned[event.contact_id] = event.resume_at_ms

    def _enter_queue(self, entry: Entry, event: session.ContactQueued) -> None:
        queue = self._place(entry, event)
        if queue:
            self._violation(
                entry, event, f"was put into queue {event.queue_id} while it waited in {queue}"
            )
        if queue is not None:
            self._domain(entry.batch.domain).live[event.contact_id] = event.queue_id
            self._domain(entry.batch.domain).planned.pop(event.contact_id, None)

    def _change_queue(self, entry: Entry, event: session.ContactMoved) -> None:
        queue = self._place(entry, event)
        if queue is None:
            return
        if queue != event.from_queue_id:
            stood = f"it stood in {queue}" if queue else "it stood in none"
            why = f"was moved from queue {event.from_queue_id} to {event.queue_id} while {stood}"
            self._violation(entry, event, why)
        self._domain(entry.batch.domain).live[event.contact_id] = event.queue_id

    def _leave_queue(self, entry: Entry, event: Any) -> None:
        if self._place(entry, event) is not None:
            self._domain(entry.batch.domain).live[event.contact_id] = ""

    def _end(self, entry: Entry, event: Any) -> None:
        if self._place(entry, event) is None:
            return
        domain = self._domain(entry.batch.domain)
        del domain.live[event.contact_id]
        del domain.came_in[event.contact_id]
        domain.planned.pop(event.contact_id, None)
        domain.ended.put(event.contact_id)
        self._findings.count(INVARIANT, ENDS[type(event)])

    def _go_on(self, entry: Entry, event: Any) -> None:
        self._place(entry, event)

    def _place(self, entry: Entry, event: Any) -> str | None:
        """Return the queue a live contact waits in (empty: none), or None after telling what is wrong."""
        domain = self._domain(entry.batch.domain)
        queue = domain.live.get(event.contact_id)
        if queue is not None:
            return queue
        if domain.ended.get(event.contact_id) is not None:
            self._violation(entry, event, f"has a {event.DESCRIPTOR.name} after it had ended")
        else:
            self._violation(entry, event, f"has a {event.DESCRIPTOR.name} but never came in")
        return None

    def _violation(self, entry: Entry, event: Any, why: str) -> None:
        self._findings.violation(
            INVARIANT, entry.place, entry.batch.domain, f"contact {event.contact_id} {why}"
        )
