"""Invariant 8, on the public topics: whoever takes only the next number gets exactly the journal's events, in order.

Delivery is at least once: a number that was there before is a duplicate, one that comes before its turn is early, and
both are counted. A number that never comes in its turn is missing. What a journal does not claim to be published yet
may still be to come.
"""

from array import array
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Final, NamedTuple

from huntgroup.journal.v1 import journal_pb2 as wire
from huntgroup_contracts.cloudevents import CONTENT_TYPE, SOURCE_PREFIX, read_envelope
from huntgroup_eventlog.partitioning import partition_of
from huntgroup_eventlog.port import LogRecord
from huntgroup_onebox.audit.feed import EventCheck
from huntgroup_onebox.audit.reading import Entry
from huntgroup_onebox.audit.report import Findings, Place

INVARIANT: Final = 8


EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
MILLISECOND: Final = timedelta(milliseconds=1)
FIXED: Final = {"ce_specversion": b"1.0", "content-type": CONTENT_TYPE.encode()}
"""Headers that are the same in every public event."""


class Said(NamedTuple):
    """What a public record says of its event."""

    sequence: int
    event_id: str
    type: str
    time_ms: int
    payload: bytes


def said_by(service: str, record: LogRecord) -> Said:
    """Return what a record on the public topic of `service` says; raises `ValueError` that says what is wrong.

    A record that looks as ours do is read here, ten times as quick as by the contracts' reader, which judges the rest.
    """
    headers = record.headers
    try:
        right = (
            all(headers[name] == value for name, value in FIXED.items())
            and headers["ce_source"] == f"{SOURCE_PREFIX}{service}".encode()
            and headers["ce_subject"] == record.key
            and headers["ce_sequence"].isdigit()
        )
        if right:
            time = datetime.fromisoformat(headers["ce_time"].decode())
            return Said(
                int(headers["ce_sequence"]),
                headers["ce_id"].decode(),
                headers["ce_type"].decode(),
                (time - EPOCH) // MILLISECOND,
                record.value,
            )
    except (KeyError, ValueError, TypeError):
        pass
    envelope = read_envelope(headers, record.key, record.value)
    if envelope.source != service:
        raise ValueError(f"event {envelope.id} has source {envelope.source}, not {service}")
    return Said(envelope.sequence, envelope.id, envelope.type, envelope.time_ms, envelope.payload)


FORGET_AT_ONCE: Final = 10_000
COMPARED_AGAIN: Final = 10_000
"""So many of the last events that were taken in turn are compared when they come again, by who follows a log."""


@dataclass(slots=True)
class Journaled:
    """One domain of one service: by sequence, from 1, a 64-bit hash of what the journal says of an event."""

    hashes: "array[int]" = field(default_factory=lambda: array("q"))
    published: int = 0
    """The journal claims that everything up to this number is on the public topic."""
    told_to: int = 0
    """That numbers up to this one are not on the public topic was told."""
    forgotten: int = 0
    """So many of the first hashes were forgotten."""
    consistent: bool = True
    """False after a number was out of order in the journal: nothing can be compared any more."""

    @property
    def last(self) -> int:
        """The highest number."""
        return self.forgotten + len(self.hashes)

    def forget(self, below: int) -> None:
        """Forget what is said of the numbers below one, if that is worth the effort."""
        many = min(below - 1, self.last) - self.forgotten
        if many > FORGET_AT_ONCE:
            del self.hashes[:many]
            self.forgotten += many


@dataclass(slots=True)
class _Consumer:
    """Where a consumer of one domain stands that takes only the next number."""

    taken: int = 0
    early_since_ms: int = 0
    """Log time of the journal when the first of those was seen."""
    told: bool = False
    first_early: tuple[int, Place] | None = None
    last_early: tuple[int, Place] | None = None
    """Of the numbers that came before their turn the first and the highest."""

    def take(self, sequence: int, place: Place, at_ms: int) -> str:
        """Return what this record is to the consumer at a log time: empty (in turn), duplicates or early."""
        if sequence <= self.taken:
            return "duplicates"
        if sequence == self.taken + 1:
            self.taken = sequence
            return ""
        if self.missing() is None:
            self.first_early, self.last_early, self.told = None, None, False
            self.early_since_ms = at_ms
        self.first_early = self.first_early or (sequence, place)
        if self.last_early is None or sequence > self.last_early[0]:
            self.last_early = (sequence, place)
        return "early"

    def missing(self) -> tuple[int, Place] | None:
        """Return a number that came although one before it never did in its turn, and where."""
        for early in (self.first_early, self.last_early):
            if early is not None and early[0] > self.taken:
                return early
        return None


class Publication:
    """One partition of one service: its journal first, then its public topic."""

    def __init__(
        self, findings: Findings, service: str, *, claims_below: int, partitions: int, domain: str
    ) -> None:
        """Believe only claims of publication in entries below `claims_below`: later ones may be too new."""
        self._findings = findings
        self._service = service
        self.claims_below = claims_below
        self._unbelieved: deque[tuple[int, int]] = deque()
        """Claims in later entries: position of the entry, and what it says."""
        self._partitions = partitions
        self._only = domain
        self._journaled: dict[str, Journaled] = {}
        self._consumers: dict[str, _Consumer] = {}
        self._unpublished: deque[tuple[int, str, int]] = deque()
        self._at_ms = 0

    def entry(self, entry: Entry) -> None:
        """Take an accepted entry of the journal."""
        if isinstance(entry.kind, wire.Claim):
            return
        batch = entry.kind
        if batch.at_ms < self._at_ms:
            why = f"log time goes back from {self._at_ms} to {batch.at_ms}"
            self._findings.violation(INVARIANT, entry.place, batch.domain, why)
        self._at_ms = batch.at_ms
        if batch.events:
            self._note(entry, batch)
        self._claim(entry.place.position, batch.relayed)

    def _claim(self, position: int, relayed: int) -> None:
        """Note what an entry claims to be published, and believe what may be believed by now."""
        claims = self._unbelieved
        if not claims or claims[-1][1] < relayed:
            claims.append((position, relayed))
        while claims and claims[0][0] < self.claims_below:
            self._believe(claims.popleft()[1])

    def _believe(self, relayed: int) -> None:
        while self._unpublished and self._unpublished[0][0] < relayed:
            _, domain, sequence = self._unpublished.popleft()
            self._journaled[domain].published = sequence

    def go_on(self, claims_below: int) -> None:
        """Believe claims in entries below another position, too."""
        self.claims_below = claims_below
        while self._unbelieved and self._unbelieved[0][0] < claims_below:
            self._believe(self._unbelieved.popleft()[1])

    def _note(self, entry: Entry, batch: wire.Batch) -> None:
        journaled = self._journaled.setdefault(batch.domain, Journaled())
        record_hash = entry.chain.hex()
        for index, event in enumerate(batch.events):
            if journaled.consistent and event.sequence != journaled.last + 1:
                journaled.consistent = False
                why = (
                    f"event {event.type} has sequence {event.sequence},"
                    f" after {journaled.last} comes {journaled.last + 1}"
                )
                self._findings.violation(INVARIANT, entry.place, batch.domain, why)
            said = (f"{record_hash}-{index}", event.type, batch.at_ms, event.payload)
            journaled.hashes.append(hash(said))
        self._unpublished.append(
            (entry.place.position, batch.domain, batch.events[len(batch.events) - 1].sequence)
        )

    def record(self, place: Place, record: LogRecord) -> None:
        """Take a record of the public topic."""
        try:
            said = said_by(self._service, record)
        except ValueError as error:
            domain = record.key.decode(errors="replace")
            self._findings.violation(INVARIANT, place, domain, str(error))
            return
        domain = record.key.decode()
        if self._only and domain != self._only:
            return
        self._findings.count(INVARIANT, "public events")
        consumer = self._consumers.get(domain)
        if consumer is None:
            consumer = self._consumers[domain] = _Consumer()
            self._check_partition(place, domain)
        if delivery := consumer.take(said.sequence, place, self._at_ms):
            self._findings.count(INVARIANT, delivery)
        self._compare(place, domain, said)

    def _check_partition(self, place: Place, domain: str) -> None:
        partition = partition_of(domain, self._partitions)
        if partition != place.partition:
            why = f"the public event belongs in partition {partition}"
            self._findings.violation(INVARIANT, place, domain, why)

    def _compare(self, place: Place, domain: str, said: "Said") -> None:
        journaled = self._journaled.get(domain, Journaled())
        sequence = said.sequence
        if not journaled.consistent or 0 < sequence <= journaled.forgotten:
            return
        if not 0 < sequence <= journaled.last:
            why = f"event {sequence} is public, but the journal has {journaled.last} events"
        elif journaled.hashes[sequence - 1 - journaled.forgotten] != hash(said[1:]):
            why = f"public event {sequence} differs from the journal's in id, type, time or payload"
        else:
            return
        self._findings.violation(INVARIANT, place, domain, why)

    def publication_over(self, grace_ms: int = 0) -> None:
        """Judge what is missing on the public topic for longer than a grace, each loss once."""
        for domain, consumer in self._consumers.items():
            late = self._at_ms - consumer.early_since_ms >= grace_ms
            if (missing := consumer.missing()) is not None and late and not consumer.told:
                consumer.told = True
                sequence, place = missing
                why = (
                    f"event {sequence} is public, but {consumer.taken + 1} never comes in its turn"
                )
                self._findings.violation(INVARIANT, place, domain, why)
        for domain, journaled in self._journaled.items():
            consumer = self._consumers.get(domain, _Consumer())
            # What was told of may have come since: then whatever is missing now is another loss.
            known = consumer.taken < journaled.told_to
            if consumer.missing() is None and consumer.taken < journaled.published and not known:
                journaled.told_to = journaled.published
                why = (
                    f"{self._service} claims to have published up to event {journaled.published},"
                    f" but the public topic ends at {consumer.taken}"
                )
                self._findings.violation(INVARIANT, None, domain, why)

    def forget(self) -> None:
        """Forget what was published and taken, except for the last."""
        for domain, journaled in self._journaled.items():
            consumer = self._consumers.get(domain)
            if consumer is not None:
                journaled.forget(min(consumer.taken, journaled.published) - COMPARED_AGAIN)


class Publications(EventCheck):
    """All services of one partition."""

    def __init__(self, by_service: Mapping[str, Publication]) -> None:
        self._by_service = by_service

    def entry(self, entry: Entry) -> None:
        self._by_service[entry.service].entry(entry)
