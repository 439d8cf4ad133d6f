"""Invariant 6, in the reporting database: every row is the sum of the ledger's entries that it says are in it."""

from collections import deque
from collections.abc import Mapping
from typing import Any, Final

from google.protobuf.message import Message

from huntgroup.journal.v1 import journal_pb2 as wire
from huntgroup.reporting.v1 import events_pb2 as reporting
from huntgroup_eventlog.journal.chain import GENESIS
from huntgroup_onebox.audit.database import RowKey, Stored
from huntgroup_onebox.audit.feed import EventCheck, Handler
from huntgroup_onebox.audit.figures_ledger import TIMES
from huntgroup_onebox.audit.reading import Entry
from huntgroup_onebox.audit.report import Findings, Place

INVARIANT: Final = 6
AHEAD_MAX: Final = 500_000
"""So many entries and amounts that are not in the database yet are kept; beyond that it counts as left behind."""

QUEUE_COLUMNS: Final = (
    *("offered", "answered", "answered_within_threshold", "abandoned"),
    *("abandoned_within_threshold", "answered_wait_ms", "abandoned_wait_ms", "wait_ms_max"),
    *("handled", "talk_ms", "hold_ms", "wrap_up_ms", "offers_accepted", "offers_rejected"),
    *("offers_expired", "offers_canceled", "offers_rescinded"),
    *("overflowed", "overflowed_within_threshold", "overflowed_wait_ms"),
)
GREATEST: Final = frozenset({"wait_ms_max"})
"""Columns that are the greatest of all amounts, not their sum."""

Change = tuple[int, RowKey, tuple[tuple[str, int], ...], Place]
"""Position of the entry, the row, the amounts, the place."""


class DatabaseRows(EventCheck):
    """Folds reporting's journal into rows, up to where the database says it is, and compares."""

    def __init__(self, findings: Findings, interval_ms: int) -> None:
        self._findings = findings
        self._interval_ms = interval_ms
        self._rows: dict[RowKey, dict[str, int]] = {}
        self._last: dict[RowKey, Place] = {}
        self._ahead: deque[Change] = deque()
        self._chains: deque[tuple[int, tuple[int, str, bytes]]] = deque()
        """Position after an accepted entry, and where the reader rule stands there; of entries the database lacks."""
        self._chain: tuple[int, str, bytes] = (0, "", GENESIS)
        self._told: dict[RowKey, dict[str, int]] = {}
        self._end = 0
        self._behind = False
        self._stored_to = 0

    def begin(self, stored: Stored) -> None:
        """Learn how far the database has come before the journal is read: what lies below need not be kept."""
        self._stored_to = stored.position

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
        if entry.service != "reporting" or self._behind:
            return
        kind = entry.kind
        self._fold_to(min(self._stored_to, entry.place.position))
        self._end = entry.place.position + 1
        self._chains.append((self._end, (kind.epoch, kind.owner, entry.chain)))
        lacks = max(len(self._ahead), len(self._chains))
        if lacks > AHEAD_MAX:
            self._behind = True
            for kept in (self._ahead, self._chains, self._rows, self._last, self._told):
                kept.clear()
            why = f"the database lacks {lacks:,} entries of the ledger"
            domain = kind.domain if isinstance(kind, wire.Batch) else ""
            self._findings.violation(INVARIANT, entry.place, domain, why)
            self._findings.does_not_check(INVARIANT, "database rows: the database was left behind")

    def compare(self, stored: Stored, *, end: int, from_ms: int = 0) -> None:
        """Compare with rows read before the journal was, of intervals from `from_ms` on; older ones are forgotten.

        `end` is up to where the journal was read.
        """
        if self._behind:
            return
        if stored.position > end:
            why = f"the database says it holds the journal up to {stored.position:,}, which ends at {end:,}"
            self._findings.violation(INVARIANT, None, "", why)
            return
        self._fold_to(stored.position)
        if stored.chain is not None and stored.position and stored.chain != self._chain:
            why = (
                f"the database stands at {stored.position:,} in epoch, owner and chain"
                f" {_show(stored.chain)}, the journal there in {_show(self._chain)}"
            )
            self._findings.violation(INVARIANT, None, "", why)
        self._drop_before(from_ms)
        for key in sorted(self._rows.keys() | stored.rows.keys()):
            due, found = self._rows.get(key, {}), stored.rows.get(key, {})
            self._findings.count(INVARIANT, "database rows")
            if due != found and self._told.get(key) != found:
                self._told[key] = found
                self._tell(key, due, found)

    def _tell(self, key: RowKey, due: Mapping[str, int], found: Mapping[str, int]) -> None:
        place = self._last.get(key)
        if not found or not due:
            why = f"database row {key}: {'is missing' if due else 'follows from no entry'}"
            self._findings.violation(INVARIANT, place, key.domain, why)
            return
        for column in [*due, *(one for one in found if one not in due)]:
            if due.get(column) != found.get(column):
                why = f"database row {key}: {column} is {found.get(column)!r}, {due.get(column)!r} by the journal"
                self._findings.violation(INVARIANT, place, key.domain, why)

    def _drop_before(self, from_ms: int) -> None:
        if from_ms:
            for key in [key for key in self._rows if key.interval_start_ms < from_ms]:
                del self._rows[key]
                self._last.pop(key, None)
                self._told.pop(key, None)

    def _fold_to(self, position: int) -> None:
        while self._chains and self._chains[0][0] <= position:
            self._chain = self._chains.popleft()[1]
        while self._ahead and self._ahead[0][0] < position:
            _, key, amounts, place = self._ahead.popleft()
            row = self._rows.get(key)
            if row is None:
                names = TIMES if key.table == "agents_interval" else QUEUE_COLUMNS
                row = self._rows[key] = dict.fromkeys(names, 0)
            for column, amount in amounts:
                before = row.get(column, 0)
                row[column] = max(before, amount) if column in GREATEST else before + amount
            self._last[key] = place

    def _offered(self, entry: Entry, event: reporting.OfferedContactCounted) -> None:
        self._add(entry, event, ("offered", 1))

    def _answered(self, entry: Entry, event: reporting.AnsweredContactCounted) -> None:
        self._wait_ended(entry, event, "answered")

    def _abandoned(self, entry: Entry, event: reporting.AbandonedContactCounted) -> None:
        self._wait_ended(entry, event, "abandoned")

    def _overflowed(self, entry: Entry, event: reporting.OverflowedContactCounted) -> None:
        within = int(event.within_threshold)
        self._add(
            entry,
            event,
            ("overflowed", 1),
            ("overflowed_within_threshold", within),
            ("overflowed_wait_ms", event.wait_ms),
        )

    def _wait_ended(self, entry: Entry, event: Any, column: str) -> None:
        within = int(event.within_threshold)
        self._add(
            entry,
            event,
            (column, 1),
            (f"{column}_within_threshold", within),
            (f"{column}_wait_ms", event.wait_ms),
            ("wait_ms_max", event.wait_ms),
        )

    def _handled(self, entry: Entry, event: reporting.HandledContactCounted) -> None:
        self._add(
            entry,
            event,
            ("handled", 1),
            ("talk_ms", event.talk_ms),
            ("hold_ms", event.hold_ms),
            ("wrap_up_ms", event.wrap_up_ms),
        )

    def _offer_ended(self, entry: Entry, event: reporting.OfferOutcomeCounted) -> None:
        self._add(entry, event, (f"offers_{event.outcome}", 1))

    def _add(self, entry: Entry, event: Any, *amounts: tuple[str, int]) -> None:
        key = RowKey("ledger", entry.batch.domain, event.interval_start_ms, event.queue_id)
        self._change(entry, key, amounts)

    def _agent_time(self, entry: Entry, event: reporting.AgentTimeCounted) -> None:
        amounts = tuple((column, getattr(event, column)) for column in TIMES)
        for each in range(max(1, event.intervals)):
            start_ms = event.interval_start_ms + each * self._interval_ms
            key = RowKey("agents_interval", entry.batch.domain, start_ms, event.agent_id)
            self._change(entry, key, amounts)

    def _change(self, entry: Entry, key: RowKey, amounts: tuple[tuple[str, int], ...]) -> None:
        if not self._behind:
            self._ahead.append((entry.place.position, key, amounts, entry.place))


def _show(chain: tuple[int, str, bytes]) -> str:
    epoch, owner, value = chain
    return f"{epoch}, {owner}, {value.hex()}"
