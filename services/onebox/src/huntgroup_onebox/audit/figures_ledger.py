"""Invariant 6, the ledger's side: reporting's entries added up, and how far it has taken in the others."""

from collections.abc import Mapping
from typing import Final

from google.protobuf.message import Message

from huntgroup.journal.v1 import journal_pb2 as wire
from huntgroup.reporting.v1 import events_pb2 as reporting
from huntgroup_onebox.audit.agent_time import IDLE, NOT_READY, RINGING, TALKING, WRAPPING_UP
from huntgroup_onebox.audit.feed import EventCheck, Handler
from huntgroup_onebox.audit.reading import Entry
from huntgroup_onebox.audit.totals import Cell, Totals

TIMES: Final = (IDLE, RINGING, TALKING, WRAPPING_UP, NOT_READY)


class Ledger(EventCheck):
    """Adds up reporting's journal."""

    def __init__(self, totals: Totals, interval_ms: int) -> None:
        self.totals = totals
        self.interval_ms = interval_ms
        self.entries = 0
        self.taken_in: dict[str, int] = {}
        """Per topic, the position below which everything was taken in."""
        self.counted_to_ms: dict[tuple[str, str], int] = {}
        """Per (domain, agent), up to when their time is counted."""

    def handlers(self) -> Mapping[type[Message], Handler]:
        return {
            reporting.OfferedContactCounted: self._offered,
            reporting.AnsweredContactCounted: self._answered,
            reporting.AbandonedContactCounted: self._abandoned,
            reporting.OverflowedContactCounted: self._overflowed,
            reporting.HandledContactCounted: self._handled,
            reporting.OfferOutcomeCounted: self._offer_ended,
            reporting.AgentTimeCounted: self._agent_time,
        }

    def entry(self, entry: Entry) -> None:
        if entry.service == "reporting" and isinstance(entry.kind, wire.Batch):
            for source in entry.kind.sources:
                self.taken_in[source.topic] = source.position

    def _offered(self, entry: Entry, event: reporting.OfferedContactCounted) -> None:
        self._add(entry, event, (("offered", 1),), event.contact_id)

    def _answered(self, entry: Entry, event: reporting.AnsweredContactCounted) -> None:
        self._wait_ended(entry, event, "answered")

    def _abandoned(self, entry: Entry, event: reporting.AbandonedContactCounted) -> None:
        self._wait_ended(entry, event, "abandoned")

    def _overflowed(self, entry: Entry, event: reporting.OverflowedContactCounted) -> None:
        self._wait_ended(entry, event, "overflowed")

    def _wait_ended(
        self,
        entry: Entry,
        event: reporting.AnsweredContactCounted
        | reporting.AbandonedContactCounted
        | reporting.OverflowedContactCounted,
        figure: str,
    ) -> None:
        figures = (
            (figure, 1),
            (f"{figure}_within_threshold", int(event.within_threshold)),
            (f"{figure}_wait_ms", event.wait_ms),
        )
        self._add(entry, event, figures, event.contact_id)

    def _handled(self, entry: Entry, event: reporting.HandledContactCounted) -> None:
        figures = (
            ("handled", 1),
            ("talk_ms", event.talk_ms),
            ("hold_ms", event.hold_ms),
            ("wrap_up_ms", event.wrap_up_ms),
        )
        self._add(entry, event, figures, event.offer_id)

    def _offer_ended(self, entry: Entry, event: reporting.OfferOutcomeCounted) -> None:
        figure = f"offers_{event.outcome}"
        figures = ((figure, 1), (f"{figure}_ring_ms", event.ring_ms))
        self._add(entry, event, figures, event.offer_id)

    def _add(
        self,
        entry: Entry,
        event: reporting.OfferedContactCounted
        | reporting.AnsweredContactCounted
        | reporting.AbandonedContactCounted
        | reporting.OverflowedContactCounted
        | reporting.HandledContactCounted
        | reporting.OfferOutcomeCounted,
        figures: tuple[tuple[str, int], ...],
        who: str,
    ) -> None:
        self.entries += 1
        self.totals.add_queue(entry, event.queue_id, event.interval_start_ms, figures, who)

    def _agent_time(self, entry: Entry, event: reporting.AgentTimeCounted) -> None:
        self.entries += 1
        domain = entry.batch.domain
        self.counted_to_ms[domain, event.agent_id] = event.until_ms
        for figure in TIMES:
            amount = getattr(event, figure)
            for each in range(max(1, event.intervals) if amount else 0):
                start_ms = event.interval_start_ms + each * self.interval_ms
                self.totals.add(entry, Cell(start_ms, domain, "", figure), amount, event.agent_id)
