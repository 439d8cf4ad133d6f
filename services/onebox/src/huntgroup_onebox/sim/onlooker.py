"""Sees every record as it reaches the broker, by the reader rule, and says at once when something must never happen.

It folds each journal for itself, so what replicas believe can be held against what is true. Numbers in the messages are
those of the invariants in docs/reference/verify.md.
"""

from collections import Counter, defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, NamedTuple

from huntgroup.journal.v1 import journal_pb2 as wire
from huntgroup_contracts.registry import topic_events, topic_journal
from huntgroup_eventlog.application import Application
from huntgroup_eventlog.journal.chain import ChainReader, Ignored
from huntgroup_eventlog.journal.decider import BATCH_BYTES_MAX
from huntgroup_eventlog.journal.fold import Fold
from huntgroup_eventlog.journal.replica import Replica, Role
from huntgroup_eventlog.journal.snapshot import dump_snapshot
from huntgroup_eventlog.port import LogRecord
from huntgroup_onebox.audit.publication import said_by
from huntgroup_onebox.sim.books import Books, ViolationError
from huntgroup_onebox.sim.sim_log import Broker
from huntgroup_reporting.app.effects import LEDGER_TYPES
from huntgroup_reporting.core.messages import AgentTimeCounted, QueueEntry
from huntgroup_session.core.state import State

PARTITION: Final = 0
DIGEST_BYTES: Final = 32
COMPARE_EVERY: Final = 25
"""Replicas of a service are compared with the truth after every so many batches of its journal."""
HALF_AN_HOUR_MS: Final = 1_800_000
LEASE_EPSILON_MS: Final = 1_500
"""An offer may be open so long after its end, in log time, while nothing is decided in its domain."""


class HonestReader(ChainReader):
    """The reader rule, whatever has been done to the one that services use."""

    def claim_counts(self, claim: wire.Claim) -> bool:
        return claim.epoch > self.state.epoch

    def owner_counts(self, batch: wire.Batch) -> bool:
        return (batch.epoch, batch.owner) == (self.state.epoch, self.state.owner)

    def chain_counts(self, batch: wire.Batch) -> bool:
        return batch.prev_hash == self.state.chain


class LedgerEntry(NamedTuple):
    """One entry of the ledger."""

    position: int
    domain: str
    event: QueueEntry | AgentTimeCounted


@dataclass(frozen=True, slots=True)
class Outcome:
    """What the history says of a command."""

    position: int
    reason: str


class JournalTruth:
    """One journal as it truly is."""

    def __init__(self, application: Application) -> None:
        self.claimed_s = 0.0
        """When the claim that counts came in."""
        self.seen: set[tuple[int, str, int]] = set()
        """Epoch, owner and number of every batch, and of every claim (0), that has come in."""
        self.service = application.service
        self.reader = HonestReader()
        self.fold = Fold(application)
        self.position = 0
        self.batches = 0
        """Accepted."""
        self.outcomes: dict[tuple[str, str], Outcome] = {}
        self.published: defaultdict[str, int] = defaultdict(int)
        """The sequence of the last public event that a consumer has taken, by domain."""
        self.sequences: dict[int, dict[str, int]] = {}
        """By position of a batch with events: the domain's sequence after it."""
        self.other_codes: list[Fold] = []
        self.true_snapshots: dict[str, wire.Snapshot] = {}
        """By code version, the last one made."""

    @property
    def epoch(self) -> int:
        """Of the claim that counts."""
        return self.reader.state.epoch


class Onlooker:
    """Checks after every record. `told` is called with each accepted event, for the trace.

    `compare` is called with the name of a service when its replicas should be held against the truth, soon.
    """

    def __init__(
        self,
        broker: Broker,
        applications: Mapping[str, list[Application]],
        books: Mapping[str, Books],
        *,
        told: Callable[[str, str, Any], None],
        failed: Callable[[Exception], None],
        compare: Callable[[str], None],
    ) -> None:
        self.counts: Counter[str] = Counter()
        self.acknowledged: list[tuple[str, str]] = []
        self.meant = 0
        """Claims, and batches that say something: heartbeats are none."""
        self.ledger: list[LedgerEntry] = []
        """All entries of the ledger."""
        self.skew_ms = [0, 0]
        """How far log time was behind and ahead of the true time, at most, in any record that counts."""
        self._broker = broker
        self._storage = broker.storage
        self.books = books
        self._told = told
        self._failed = failed
        self._compare = compare
        self.journals = {name: JournalTruth(codes[0]) for name, codes in applications.items()}
        for name, codes in applications.items():
            self.journals[name].other_codes = [Fold(one) for one in codes[1:]]
        self._journal_of = {topic_journal(name): one for name, one in self.journals.items()}
        self._public_of = {topic_events(name): one for name, one in self.journals.items()}
        self._public_read = dict.fromkeys(self._public_of, 0)
        self._storage.listen(self._changed)

    # The log.

    def _changed(self, topic: str, partition: int) -> None:
        try:
            self._look(topic, partition)
        except Exception as error:  # noqa: BLE001 - a story ends with whatever is found
            self._failed(error)

    def _look(self, topic: str, partition: int) -> None:
        if (journal := self._journal_of.get(topic)) is not None:
            for record in self._storage.records_from(topic, partition, journal.position):
                journal.position = record.position + 1
                self._read_entry(journal, record)
        elif (source := self._public_of.get(topic)) is not None:
            for record in self._storage.records_from(topic, partition, self._public_read[topic]):
                self._public_read[topic] = record.position + 1
                self._read_public(source, record)

    def _read_entry(self, journal: JournalTruth, record: LogRecord) -> None:
        entry = journal.reader.read(record.value)
        self.counts[type(entry).__name__] += 1
        if isinstance(entry, Ignored):
            self.counts[self._why_ignored(journal, entry, record)] += 1
        elif isinstance(entry, wire.Claim):
            journal.seen.add((entry.epoch, entry.owner, 0))
            journal.claimed_s = self._broker.loop.time()
            self._note_skew(journal, entry.at_ms)
            journal.fold.at_ms = max(journal.fold.at_ms, entry.at_ms)
            for fold in journal.other_codes:
                fold.at_ms = journal.fold.at_ms
            self.meant += 1
            self._told(entry.owner, "claims", f"epoch {entry.epoch}")
        elif isinstance(entry, wire.Batch):
            journal.seen.add((entry.epoch, entry.owner, entry.seq))
            self._read_batch(journal, entry, record)

    def _note_skew(self, journal: JournalTruth, at_ms: int) -> None:
        ahead_ms = at_ms - self._broker.loop.now_ms()
        if journal.service == "session" and abs(ahead_ms) > HALF_AN_HOUR_MS:
            for books in self.books.values():
                books.guarded = True
        self.skew_ms = [min(self.skew_ms[0], ahead_ms), max(self.skew_ms[1], ahead_ms)]

    def _why_ignored(self, journal: JournalTruth, entry: Ignored, record: LogRecord) -> str:
        """Return, in words that a story counts, what an entry is that does not count."""
        told = (entry.epoch, entry.owner, entry.seq)
        if told in journal.seen:
            return "ignored: came twice"
        journal.seen.add(told)
        if not entry.seq:
            return f"ignored: {'a claim that lost' if entry.epoch == journal.epoch else 'an old claim'}"
        if entry.epoch >= journal.epoch:
            return "ignored: after one that was lost"
        late = self._broker.sent_s.get(record.value, 0.0) > journal.claimed_s
        return f"ignored: of a replaced owner, sent {'after' if late else 'before'} that"

    def _read_batch(self, journal: JournalTruth, batch: wire.Batch, record: LogRecord) -> None:
        if len(record.value) > BATCH_BYTES_MAX:
            raise ViolationError(f"10: a batch of {journal.service} has {len(record.value)} bytes")
        self._check_relayed(journal, batch)
        self.counts["handed over"] += batch.resigned
        self._note_skew(journal, batch.at_ms)
        for outcome in batch.outcomes:
            key = (batch.domain, outcome.command_id)
            if key in journal.outcomes:
                raise ViolationError(f"4: {key} was carried out twice by {journal.service}")
            if outcome.reason and outcome.events:
                raise ViolationError(f"4: {key} was refused and had an effect")
            journal.outcomes[key] = Outcome(record.position, outcome.reason)
        chain = journal.reader.state.chain
        journal.fold.apply(batch, record.position, chain)
        journal.batches += 1
        if not journal.batches % COMPARE_EVERY:
            self._compare(journal.service)
        for fold in journal.other_codes:
            fold.apply(batch, record.position, chain)
        if batch.events:
            domain = journal.fold.domains[batch.domain]
            journal.sequences[record.position] = {batch.domain: domain.sequence}
        books = self.books.get(batch.domain)
        if books is None:
            if batch.domain:
                raise ViolationError(f"8: {journal.service} knows a domain {batch.domain!r}")
            return
        codec = journal.fold.application.codec
        events = [codec.decode(recorded.type, recorded.payload) for recorded in batch.events]
        for recorded, event in zip(batch.events, events, strict=True):
            self._count(event)
            self._told(batch.owner, "records", event)
            books.note(event)
            if recorded.type.startswith(LEDGER_TYPES):
                self.ledger.append(LedgerEntry(record.position, batch.domain, event))
        self.meant += 1
        if journal.service == "session":
            _note_states(books, journal.fold.domains[batch.domain].state, events)
        if journal.service == "routing":
            books.check_leases(batch.at_ms, LEASE_EPSILON_MS)

    def _count(self, event: Any) -> None:
        """Count an event by its name and, where a rule is behind it, once more by what brought that about."""
        name = type(event).__name__
        self.counts[name] += 1
        if (trigger := getattr(event, "trigger", None)) is not None:
            self.counts[f"{name} {trigger}"] += 1

    def _check_relayed(self, journal: JournalTruth, batch: wire.Batch) -> None:
        """A batch says that what is below a position has been published: then it must have been."""
        for position in [one for one in journal.sequences if one < batch.relayed]:
            for domain, sequence in journal.sequences.pop(position).items():
                if journal.published[domain] < sequence:
                    raise ViolationError(
                        f"10: {journal.service} says that it published {domain} up to {sequence}, "
                        f"consumers are at {journal.published[domain]}"
                    )

    def _read_public(self, journal: JournalTruth, record: LogRecord) -> None:
        try:
            said = said_by(journal.service, record)
        except ValueError as error:
            raise ViolationError(f"8: {error}") from None
        # A consumer's rule: take only the next number; what is older or early comes again.
        domain = record.key.decode()
        if said.sequence == journal.published[domain] + 1:
            journal.published[domain] = said.sequence

    # What clients and replicas say.

    def check_reply(
        self, service: str, domain: str, command_id: str, position: int, reason: str
    ) -> None:
        """A client was told what became of a command: that must be so already."""
        known = self.journals[service].outcomes.get((domain, command_id))
        if known is None:
            if position == -1 and reason:
                return  # refused without a trace: nothing is known of the domain
            raise ViolationError(f"4: {command_id} was acknowledged and is not in the history")
        if (known.position, known.reason) != (position, reason):
            told = Outcome(position, reason)
            raise ViolationError(f"4: {command_id} was told {told}, the history says {known}")
        self.acknowledged.append((service, command_id))

    def check_replica(self, replica: Replica) -> None:
        """A replica that has read as far as this must believe the same; an owner, when nothing is in flight.

        One that has retired folds no more: it reads on to know who owns, and answers nothing from what it believed.
        """
        if replica.role is Role.RETIRED:
            return
        journal = self.journals[replica.application.service]
        if replica.reader.state.chain != journal.reader.state.chain or not replica.idle:
            return
        folds = [journal.fold, *journal.other_codes]
        version = replica.application.code_version
        fold = next(one for one in folds if one.application.code_version == version)
        believed = _comparable(replica.snapshot())
        if believed != _true_snapshot(journal, fold, believed):
            raise ViolationError(f"7: {replica.owner} believes what the log does not say")
        self.counts["replicas checked"] += 1

    def check_snapshot(self, service: str, dumped: bytes) -> None:
        """A snapshot is stored: where nothing was accepted since, it must say what is true."""
        journal = self.journals[service]
        snapshot = _comparable(dumped)
        if snapshot.chain != journal.reader.state.chain:
            return
        for fold in [journal.fold, *journal.other_codes]:
            if fold.application.code_version == snapshot.code_version:
                if snapshot != _true_snapshot(journal, fold, snapshot):
                    raise ViolationError(f"7: a snapshot of {service} is not what the log says")
                self.counts["snapshots checked"] += 1

    def unpublished(self) -> list[str]:
        """Return what consumers of public topics have not seen yet."""
        return [
            f"{name} {domain}: {journal.published[domain]} of {known.sequence}"
            for name, journal in self.journals.items()
            for domain, known in journal.fold.domains.items()
            if journal.published[domain] != known.sequence
        ]


def _note_states(books: Books, state: State, events: Sequence[Any]) -> None:
    """Note what has become of the contacts that a batch of session speaks of."""
    named = (getattr(event, "contact_id", None) for event in events)
    for contact_id in dict.fromkeys(named):
        if contact_id is not None and (contact := state.find(contact_id)) is not None:
            books.states[contact_id].append(contact.state)


def _true_snapshot(journal: JournalTruth, fold: Fold, believed: wire.Snapshot) -> wire.Snapshot:
    """Return what the log says, as code of one version holds it."""
    version, chain = believed.code_version, journal.reader.state.chain
    kept = journal.true_snapshots.get(version)
    if kept is None or kept.chain != chain:
        dumped = dump_snapshot(
            fold, partition=PARTITION, position=0, chain=journal.reader.state, address=""
        )
        kept = journal.true_snapshots[version] = _comparable(dumped)
    return kept


def _comparable(dumped: bytes) -> wire.Snapshot:
    """Return a snapshot without what differs between replicas that agree.

    That is where each stands among entries that do not count, and how far an owner's relay is beyond what it has said.
    """
    snapshot = wire.Snapshot.FromString(dumped[DIGEST_BYTES:])
    snapshot.ClearField("position")
    snapshot.ClearField("last_record")
    snapshot.ClearField("address")
    snapshot.ClearField("relayed")
    snapshot.ClearField("unrelayed")
    return snapshot
