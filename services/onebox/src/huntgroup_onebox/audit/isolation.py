"""Invariant 8, in the journals: what belongs to a domain stays in it, and in its partition.

The ids of contacts, offers and recordings are unique everywhere. An agent's id is a name that a tenant gives, so two
tenants may use the same one: each must then have signed on in its own domain.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Final

from google.protobuf.message import Message

from huntgroup.agent_state.v1.events_pb2 import AgentSignedOn
from huntgroup.journal.v1 import journal_pb2 as wire
from huntgroup.recording.v1.events_pb2 import RecordingSealed
from huntgroup_contracts.registry import SERVICES, classes_of
from huntgroup_eventlog.partitioning import partition_of
from huntgroup_onebox.audit.compact import CompactMap
from huntgroup_onebox.audit.feed import EventCheck, Handler
from huntgroup_onebox.audit.reading import Entry
from huntgroup_onebox.audit.report import Findings, Place

INVARIANT: Final = 8
UNIQUE: Final = ("contact_id", "offer_id", "recording_id")


class Ids:
    """Which id was seen in which domain, over all partitions."""

    def __init__(self, findings: Findings) -> None:
        self._findings = findings
        self._domains: list[str] = []
        self._numbers: dict[str, int] = {}
        self._seen = {kind: CompactMap() for kind in UNIQUE}
        self._signed_on: dict[str, set[str]] = {}
        self._agents: dict[tuple[str, str], Place] = {}

    def number(self, domain: str) -> int:
        """Return a number for a domain."""
        found = self._numbers.get(domain)
        if found is None:
            found = self._numbers[domain] = len(self._domains)
            self._domains.append(domain)
        return found

    def see(self, entry: Entry, kind: str, value: str, number: int) -> None:
        """Note an id of a kind in the domain with this number."""
        before = self._seen[kind].get(value)
        if before is None:
            self._seen[kind].put(value, number)
        elif before != number:
            name = kind.removesuffix("_id")
            self._findings.violation(
                INVARIANT,
                entry.place,
                entry.batch.domain,
                f"{name} {value} belongs to {self._domains[before]}, where it was seen before",
            )

    def see_agent(self, entry: Entry, agent_id: str) -> None:
        """Note that an event names an agent."""
        key = (entry.batch.domain, agent_id)
        if key not in self._agents:
            self._agents[key] = entry.place

    def sign_on(self, domain: str, agent_id: str) -> None:
        """Note that an agent signed on in a domain."""
        self._signed_on.setdefault(agent_id, set()).add(domain)

    def finish(self) -> None:
        """Judge the agents, and tell how much was seen."""
        self._findings.count(INVARIANT, "domains", len(self._domains))
        self._findings.count(INVARIANT, "ids", sum(len(seen) for seen in self._seen.values()))
        shared = sum(len(domains) > 1 for domains in self._signed_on.values())
        if shared:
            self._findings.count(INVARIANT, "agent names in several domains", shared)
        for (domain, agent_id), place in self._agents.items():
            homes = self._signed_on.get(agent_id, set())
            if homes and domain not in homes:
                why = f"agent {agent_id} never signed on here, but in {', '.join(sorted(homes))}"
                self._findings.violation(INVARIANT, place, domain, why)


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
                fields = event.DESCRIPTOR.fields_by_name
                unique = [kind for kind in UNIQUE if kind in fields]
                if unique or "agent_id" in fields:
                    found[event] = self._handler(unique, names_agent="agent_id" in fields)
        found[AgentSignedOn] = self._signed_on
        found[RecordingSealed] = self._sealed
        return found

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

    def _handler(self, unique: Sequence[str], *, names_agent: bool) -> Handler:
        see, see_agent = self._ids.see, self._ids.see_agent

        def handle(entry: Entry, event: Any) -> None:
            for kind in unique:
                value = getattr(event, kind)
                if value:
                    see(entry, kind, value, self._number)
            if names_agent and event.agent_id:
                see_agent(entry, event.agent_id)

        return handle

    def _signed_on(self, entry: Entry, event: AgentSignedOn) -> None:
        self._ids.sign_on(entry.batch.domain, event.agent_id)

    def _sealed(self, entry: Entry, event: RecordingSealed) -> None:
        for kind in ("contact_id", "recording_id"):
            self._ids.see(entry, kind, getattr(event, kind), self._number)
        self._findings.count(INVARIANT, "recordings")
        if not event.location.startswith(f"{entry.batch.domain}/"):
            why = (
                f"recording {event.recording_id} is kept at {event.location!r}, outside its domain"
            )
            self._violation(entry, why)

    def _violation(self, entry: Entry, why: str) -> None:
        self._findings.violation(INVARIANT, entry.place, entry.batch.domain, why)
