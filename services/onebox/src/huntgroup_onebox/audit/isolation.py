"""Invariant 8, in the journals: what belongs to a domain stays in it, and in its partition.

An id that is a UUID, or begins with one, is unique by its making: it must not appear in two domains. Other ids are
names that a tenant chose, and another tenant may choose the same. Each must then have been introduced in its own
domain: a contact by coming in, an offer by being made, an agent by signing on, a recording by being asked for.
"""

import re
from collections.abc import Mapping
from typing import Any, Final

from google.protobuf.message import Message

from huntgroup.agent_state.v1.events_pb2 import AgentSignedOn
from huntgroup.journal.v1 import journal_pb2 as wire
from huntgroup.recording.v1.events_pb2 import RecordingRequested, RecordingSealed
from huntgroup.routing.v1.events_pb2 import OfferCreated
from huntgroup.session.v1.events_pb2 import ContactInitiated
from huntgroup_contracts.registry import SERVICES, classes_of
from huntgroup_eventlog.partitioning import partition_of
from huntgroup_onebox.audit.compact import CompactMap
from huntgroup_onebox.audit.feed import EventCheck, Handler
from huntgroup_onebox.audit.reading import Entry
from huntgroup_onebox.audit.report import Findings, Place

INVARIANT: Final = 8
INTRODUCED_BY: Final[Mapping[str, type[Message]]] = {
    "contact_id": ContactInitiated,
    "offer_id": OfferCreated,
    "agent_id": AgentSignedOn,
    "recording_id": RecordingRequested,
}
"""Per kind of id the event by which it comes into being."""

UUID: Final = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.IGNORECASE)


class Ids:
    """Which id was seen in which domain, over all partitions."""

    def __init__(self, findings: Findings) -> None:
        self._findings = findings
        self._domains: list[str] = []
        self._numbers: dict[str, int] = {}
        self._seen = {kind: CompactMap() for kind in INTRODUCED_BY}
        """Id → twice the number of the domain it was seen in first, plus one once it was introduced there."""
        self._again: dict[tuple[str, str, str], tuple[Place, bool]] = {}
        """Names seen in a further domain: (kind, id, domain) → where first, and whether introduced there."""

    def number(self, domain: str) -> int:
        """Return a number for a domain."""
        found = self._numbers.get(domain)
        if found is None:
            found = self._numbers[domain] = len(self._domains)
            self._domains.append(domain)
        return found

    def see(self, entry: Entry, number: int, kind: str, value: str, *, introduced: bool) -> None:
        """Note an id of a kind in the domain with this number."""
        seen = self._seen[kind]
        before = seen.get(value)
        if before is None or (introduced and before == 2 * number):
            seen.put(value, 2 * number + introduced)
        elif before // 2 != number:
            self._see_again(entry, self._domains[before // 2], kind, value, introduced=introduced)

    def _see_again(
        self, entry: Entry, home: str, kind: str, value: str, *, introduced: bool
    ) -> None:
        domain = entry.batch.domain
        if UUID.match(value):
            why = f"{_noun(kind)} {value} belongs to {home}, where it was seen before"
            self._findings.violation(INVARIANT, entry.place, domain, why)
            return
        place, before = self._again.get((kind, value, domain), (entry.place, False))
        self._again[kind, value, domain] = (place, before or introduced)

    def forget(self) -> None:
        """Forget ids that were seen long ago; agents are few and stay. Names in several domains are not judged then."""
        self._again.clear()
        for kind, seen in self._seen.items():
            if kind != "agent_id":
                seen.forget()

    def finish(self) -> None:
        """Judge the names that were seen in several domains, and tell how much was seen."""
        self._findings.count(INVARIANT, "domains", len(self._domains))
        self._findings.count(INVARIANT, "ids", sum(len(seen) for seen in self._seen.values()))
        shared = {(kind, value) for kind, value, _ in self._again}
        if shared:
            self._findings.count(INVARIANT, "names in several domains", len(shared))
        for (kind, value, domain), (place, introduced) in self._again.items():
            if not introduced:
                why = f"{_noun(kind)} {value} does not come from here, but is known elsewhere"
                self._findings.violation(INVARIANT, place, domain, why)
        for kind, value in sorted(shared):
            seen = self._seen[kind].get(value) or 0
            if not seen % 2:
                why = f"{_noun(kind)} {value} does not come from here, but is known elsewhere"
                self._findings.violation(INVARIANT, None, self._domains[seen // 2], why)


class Isolation(EventCheck):
    """Looks at keys, partitions and ids of one partition of the journals."""

    def __init__(self, findings: Findings, ids: Ids, partitions: int) -> None:
        self._findings = findings
        self._ids = ids
        self._partitions = partitions
        self._domain = ""
        self._number = 0

    def handlers(self) -> Mapping[type[Message], Handler]:
        found: dict[type[Message], Handler] = {}
        for service in SERVICES:
            for event in classes_of(service).values():
                kinds = tuple(
                    (kind, event is introduction)
                    for kind, introduction in INTRODUCED_BY.items()
                    if kind in event.DESCRIPTOR.fields_by_name
                )
                if kinds:
                    found[event] = self._handler(kinds)
        see_ids = found[RecordingSealed]

        def sealed(entry: Entry, event: RecordingSealed) -> None:
            see_ids(entry, event)
            self._sealed(entry, event)

        return found | {RecordingSealed: sealed}

    def entry(self, entry: Entry) -> None:
        if isinstance(entry.kind, wire.Claim):
            return
        batch = entry.kind
        if entry.key != batch.domain.encode():
            why = f"the record's key is {entry.key!r}, its domain {batch.domain!r}"
            self._violation(entry, why)
        if not batch.domain:
            if batch.events or batch.outcomes:
                self._violation(entry, "the batch names no domain, but holds events or outcomes")
        elif batch.domain != self._domain:
            self._enter(entry, batch.domain)

    def _enter(self, entry: Entry, domain: str) -> None:
        self._domain = domain
        self._number = self._ids.number(domain)
        partition = partition_of(domain, self._partitions)
        if partition != entry.place.partition:
            self._violation(entry, f"the domain belongs in partition {partition}")

    def _handler(self, kinds: tuple[tuple[str, bool], ...]) -> Handler:
        see = self._ids.see

        def handle(entry: Entry, event: Any) -> None:
            for kind, introduced in kinds:
                value = getattr(event, kind)
                if value:
                    see(entry, self._number, kind, value, introduced=introduced)

        return handle

    def _sealed(self, entry: Entry, event: RecordingSealed) -> None:
        self._findings.count(INVARIANT, "recordings")
        if not event.location.startswith(f"{entry.batch.domain}/"):
            why = (
                f"recording {event.recording_id} is kept at {event.location!r}, outside its domain"
            )
            self._violation(entry, why)

    def _violation(self, entry: Entry, why: str) -> None:
        self._findings.violation(INVARIANT, entry.place, entry.batch.domain, why)


def _noun(kind: str) -> str:
    return kind.removesuffix("_id")
