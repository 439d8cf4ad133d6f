"""The contacts of a real log, from routing's journal alone: for *what if*, the past with other agents or policies."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from google.protobuf.message import DecodeError

from huntgroup.journal.v1 import journal_pb2 as wire
from huntgroup_contracts.registry import topic_journal
from huntgroup_eventlog.adapters.embedded_read_only import ReadOnlyEmbeddedLog
from huntgroup_eventlog.partitioning import partition_of
from huntgroup_eventlog.port import LogUnavailableError
from huntgroup_onebox.audit.reading import Entries, Records
from huntgroup_onebox.audit.report import Findings
from huntgroup_onebox.coming import came_at_ms
from huntgroup_onebox.simulate.draws import Recorded
from huntgroup_onebox.simulate.scenario import FromJournal, Scenario
from huntgroup_routing.adapters.mapping import event_codec
from huntgroup_routing.core.messages import (
    AgentCapacityFreed,
    ContactDequeued,
    ContactEnqueued,
    Event,
    OfferAccepted,
)
from huntgroup_routing.core.values import ContactId, DequeueReason, OfferId

SERVICE: Final = "routing"


class JournalError(ValueError):
    """The contacts of a log cannot be used; the message names class, log and reason."""


@dataclass(slots=True)
class _Contact:
    queue_id: str
    came_at_ms: int
    """The last time, where it came more than once: then it was served, or left for good."""
    handled_ms: int | None = None
    gave_up_after_ms: int | None = None


@dataclass(slots=True)
class _Books:
    """What one domain's journal says of its contacts.

    Patience is told by customers who left alone: whom a rule sent elsewhere, or who wanted to be called back, might
    have waited for longer.
    """

    contacts: dict[ContactId, _Contact] = field(default_factory=dict)
    served: dict[OfferId, tuple[ContactId, int]] = field(default_factory=dict)

    def take(self, event: Event) -> None:
        match event:
            case ContactEnqueued():
                contact = _Contact(event.queue_id, came_at_ms(event))
                self.contacts[event.contact_id] = contact
            case OfferAccepted():
                self.served[event.offer_id] = (event.contact_id, event.at_ms)
            case AgentCapacityFreed() if event.offer_id in self.served:
                contact_id, since_ms = self.served.pop(event.offer_id)
                self.contacts[contact_id].handled_ms = event.at_ms - since_ms
            case ContactDequeued(reason=DequeueReason.CUSTOMER_LEFT):
                contact = self.contacts[event.contact_id]
                contact.gave_up_after_ms = event.at_ms - contact.came_at_ms
            case _:
                pass


async def recorded(scenario: Scenario, folder: Path) -> dict[str, list[Recorded]]:
    """Return the contacts of every class whose arrivals are those of a journal; raises `JournalError`."""
    read: dict[tuple[str, str], _Books] = {}
    found = {}
    for name, one in scenario.classes.items():
        if isinstance(one.arrivals, FromJournal):
            source = (one.arrivals.directory, one.arrivals.domain)
            try:
                if source not in read:
                    read[source] = await _read(folder / source[0], source[1])
                found[name] = _contacts(read[source], one.arrivals.queue)
            except (LogUnavailableError, DecodeError, ValueError, KeyError) as error:
                raise JournalError(
                    f"classes.{name}.arrivals: {folder / source[0]}: {error}"
                ) from error
    return found


async def _read(directory: Path, domain: str) -> _Books:
    books, codec = _Books(), event_codec()
    log = ReadOnlyEmbeddedLog(directory)
    try:
        topic, partition = topic_journal(SERVICE), partition_of(domain, log.partitions)
        end = await log.end(topic, partition)
        async with Records(log, SERVICE, topic, partition) as records:
            records.end = end
            entries = Entries(records, SERVICE, Findings())
            while (entry := await entries.head()) is not None:
                entries.move_on()
                if isinstance(entry.kind, wire.Batch) and entry.kind.domain == domain:
                    for event in entry.kind.events:
                        books.take(codec.decode(event.type, event.payload))
    finally:
        await log.close()
    if not books.contacts:
        raise ValueError(f"routing's journal holds no contact of the domain {domain!r}")
    return books


def _contacts(books: _Books, queue: str) -> list[Recorded]:
    """Return the contacts of a queue, timed from the first of the domain, so that classes keep step."""
    first_ms = min(one.came_at_ms for one in books.contacts.values())
    mine = [one for one in books.contacts.values() if one.queue_id == queue]
    if not any(one.handled_ms is not None for one in mine):
        queues = ", ".join(sorted({one.queue_id for one in books.contacts.values()}))
        raise ValueError(f"nobody of queue {queue!r} was served; there are: {queues}")
    return [
        Recorded(
            at_ms=one.came_at_ms - first_ms,
            handled_ms=one.handled_ms,
            gave_up_after_ms=one.gave_up_after_ms,
        )
        for one in sorted(mine, key=lambda one: one.came_at_ms)
    ]
