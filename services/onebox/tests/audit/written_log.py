"""A log written by hand, record by record: what services would have written, or what they never should."""

from collections.abc import AsyncIterator, Iterable
from pathlib import Path
from typing import Any

from google.protobuf.message import Message

from huntgroup.event.v1.envelope_pb2 import Envelope
from huntgroup.event.v1.options_pb2 import event_type
from huntgroup.journal.v1 import journal_pb2 as wire
from huntgroup_contracts.cloudevents import headers_of
from huntgroup_contracts.registry import SERVICES, topic_events, topic_journal
from huntgroup_eventlog.adapters.embedded import EmbeddedLog
from huntgroup_eventlog.adapters.memory import MemoryLog
from huntgroup_eventlog.journal.chain import GENESIS, chain_after
from huntgroup_eventlog.journal.fold import event_id
from huntgroup_eventlog.partitioning import partition_of
from huntgroup_eventlog.port import NewRecord
from huntgroup_onebox.audit import AuditReport, Violation, audit
from huntgroup_onebox.audit.reading import Entries, Entry, Records
from huntgroup_onebox.audit.report import Findings

DOMAIN = "acme/emea"
PARTITIONS = 2


def type_of(event: Message) -> str:
    return str(event.DESCRIPTOR.GetOptions().Extensions[event_type])


class Journal:
    """One partition of one service's journal, and its public topic."""

    def __init__(self, log: MemoryLog, service: str, partition: int) -> None:
        self.log, self.service, self.partition = log, service, partition
        self.topic = topic_journal(service)
        self.chain, self.epoch, self.seq = GENESIS, 0, 0
        self.at_ms = 0
        self.sequences: dict[str, int] = {}

    @property
    def end(self) -> int:
        return self.log.storage.end_now(self.topic, self.partition)

    def claim(self, at_ms: int = 0, address: str = "127.0.0.1:1") -> int:
        self.epoch, self.seq = self.epoch + 1, 0
        claim = wire.Claim(epoch=self.epoch, owner=self.owner, address=address, at_ms=at_ms)
        return self.accepted("", wire.JournalEntry(claim=claim))

    @property
    def owner(self) -> str:
        return f"owner-{self.epoch}"

    def batch(
        self,
        *events: Message,
        domain: str = DOMAIN,
        at_ms: int | None = None,
        outcomes: Iterable[wire.Outcome] = (),
        key: str | None = None,
        publish: bool = True,
        **more: Any,
    ) -> int:
        """Append a batch; return its position. Events are caused by the one outcome, if there is just one."""
        if not self.epoch:
            self.claim()
        outcomes = list(outcomes)
        cause = outcomes[0].command_id if len(outcomes) == 1 else ""
        self.seq += 1
        self.at_ms = max([self.at_ms, *(getattr(event, "at_ms", 0) for event in events)])
        if at_ms is not None:
            self.at_ms = at_ms
        batch = wire.Batch(
            epoch=self.epoch,
            owner=self.owner,
            seq=self.seq,
            prev_hash=self.chain,
            domain=domain,
            at_ms=self.at_ms,
            outcomes=outcomes,
            **more,
        )
        for event in events:
            self.sequences[domain] = self.sequences.get(domain, 0) + 1
            batch.events.add(
                type=type_of(event),
                payload=event.SerializeToString(deterministic=True),
                sequence=self.sequences[domain],
                causation_id=cause,
            )
        position = self.accepted(domain if key is None else key, wire.JournalEntry(batch=batch))
        if publish:
            for index in range(len(batch.events)):
                self.publish(batch, index)
        return position

    def accepted(self, key: str, entry: wire.JournalEntry) -> int:
        value = entry.SerializeToString(deterministic=True)
        self.chain = chain_after(self.chain, value)
        return self.record(key, value)

    def record(self, key: str, value: bytes) -> int:
        record = NewRecord(key=key.encode(), value=value)
        position = self.log.storage.append_now(self.topic, self.partition, record)
        assert position is not None
        return position

    def publish(self, batch: wire.Batch, index: int, **changed: Any) -> int:
        """Append a public event as it stands in the journal, except for what is `changed`."""
        event = batch.events[index]
        said: dict[str, Any] = {
            "id": event_id(self.chain, index),
            "type": event.type,
            "source": self.service,
            "domain": batch.domain,
            "sequence": event.sequence,
            "time_ms": batch.at_ms,
            "payload": event.payload,
        }
        envelope = Envelope(**(said | changed))
        return self.public_record(
            NewRecord(
                key=envelope.domain.encode(), value=envelope.payload, headers=headers_of(envelope)
            )
        )

    def public_record(self, record: NewRecord) -> int:
        topic = topic_events(self.service)
        position = self.log.storage.append_now(topic, self.partition, record)
        assert position is not None
        return position


class WrittenLog:
    """The journals of all services, or of some: nothing is expected of a service without one."""

    def __init__(self, partitions: int = PARTITIONS, services: Iterable[str] | None = None) -> None:
        self.log = MemoryLog(partitions)
        self.add(*SERVICES if services is None else services)
        self._journals: dict[tuple[str, int], Journal] = {}

    def add(self, *services: str) -> None:
        """Let there be journals of these services, too."""
        self.log.storage.ensure_topics(
            [topic(service) for service in services for topic in (topic_journal, topic_events)]
        )

    def journal(self, service: str, domain: str = DOMAIN) -> Journal:
        return self.in_partition(service, partition_of(domain, self.log.partitions))

    def in_partition(self, service: str, partition: int) -> Journal:
        key = (service, partition)
        if key not in self._journals:
            self._journals[key] = Journal(self.log, service, partition)
        return self._journals[key]

    def tell(self, service: str, *events: Message, domain: str = DOMAIN, **more: Any) -> int:
        """Append a batch to a service's journal, and publish it; return its position."""
        return self.journal(service, domain).batch(*events, domain=domain, **more)

    def taken_in(self, domain: str = DOMAIN) -> list[wire.SourcePosition]:
        """Return the positions that say that everything so far has been taken in."""
        journals = [self.journal(one, domain) for one in ("session", "agent-state", "routing")]
        return [wire.SourcePosition(topic=one.topic, position=one.end) for one in journals]

    async def keep(self, directory: Path) -> None:
        """Write everything into an embedded log."""
        storage = self.log.storage
        log = EmbeddedLog(directory, storage.partitions, durability="process")
        try:
            await log.ensure_topics(storage.topics())
            for topic in storage.topics():
                for partition in range(storage.partitions):
                    for one in storage.read_now(topic, partition, 0, 100_000):
                        record = NewRecord(key=one.key, value=one.value, headers=one.headers)
                        await log.append(topic, partition, record)
        finally:
            await log.close()

    async def report(self, **options: Any) -> AuditReport:
        """Audit; without folding, unless the services are named."""
        return await audit(self.log, **({"applications": {}} | options))

    async def violations(self, invariant: int, **options: Any) -> list[Violation]:
        """Return what broke an invariant; every other one must hold."""
        report = await self.report(**options)
        others = [one for one in report.violations if one.invariant != invariant]
        assert not others, others
        return [one for one in report.violations if one.invariant == invariant]

    async def the_violation(self, invariant: int, **options: Any) -> Violation:
        """Return the one violation there is."""
        [violation] = await self.violations(invariant, **options)
        return violation


async def entries_of(log: WrittenLog, service: str) -> AsyncIterator[Entry]:
    """Yield the accepted entries of a journal one by one, as an audit reads them."""
    journal, findings = log.journal(service), Findings()
    async with Records(log.log, service, journal.topic, journal.partition) as records:
        records.end = journal.end
        entries = Entries(records, service, findings)
        while (entry := await entries.head()) is not None:
            entries.move_on()
            yield entry
