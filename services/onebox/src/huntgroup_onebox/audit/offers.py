"""Invariant 3, in routing's journal: every offer finds exactly one outcome, within its lease and a little more."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from google.protobuf.message import Message

from huntgroup.journal.v1 import journal_pb2 as wire
from huntgroup.routing.v1 import events_pb2 as routing
from huntgroup_onebox.audit.compact import CompactMap
from huntgroup_onebox.audit.feed import EventCheck, Handler
from huntgroup_onebox.audit.reading import Entry
from huntgroup_onebox.audit.report import Findings, Place

INVARIANT: Final = 3
EPSILON_MS: Final = 5_000
"""How much later than its lease ends an offer may find its outcome, in log time, unless set otherwise."""

GAPS_MAX: Final = 1_000
"""So many times without an owner are remembered, the last."""

OUTCOMES: Final[Mapping[type[Message], str]] = {
    routing.OfferAccepted: "accepted",
    routing.OfferRejected: "rejected",
    routing.OfferExpired: "expired",
    routing.OfferCanceled: "canceled",
    routing.OfferRescinded: "rescinded",
}


@dataclass(slots=True)
class OwnerlessTime:
    """When nobody owned the partition: from the last batch before a claim to that claim.

    Nobody can end an offer then. How long that may last is a question of availability, not of this invariant. An owner
    that let a lease pass before it fell silent had stopped working, not gone: its silence is no excuse.
    """

    gaps: list[tuple[int, int]] = field(default_factory=list)
    at_ms: int = 0
    """Log time of the last batch."""

    def take(self, kind: wire.Claim | wire.Batch, *, overdue: Callable[[int], bool]) -> None:
        """Take a claim or a batch of the partition; `overdue` tells whether an outcome was at a log time."""
        if isinstance(kind, wire.Batch):
            self.at_ms = max(self.at_ms, kind.at_ms)
        elif self.at_ms and kind.at_ms > self.at_ms and not overdue(self.at_ms):
            self.gaps.append((self._silent_from_ms(), kind.at_ms))
            del self.gaps[:-GAPS_MAX]

    def _silent_from_ms(self) -> int:
        """Return when the silence began: a claim that only follows another one begins where that ended."""
        return max(self.at_ms, self.gaps[-1][1]) if self.gaps else self.at_ms

    def between(self, from_ms: int, to_ms: int) -> int:
        """Return how much of a span it was."""
        total = 0
        for start_ms, end_ms in reversed(self.gaps):
            if end_ms <= from_ms:
                break
            total += max(0, min(end_ms, to_ms) - max(start_ms, from_ms))
        return total


@dataclass(slots=True)
class _Offer:
    place: Place
    expires_at_ms: int
    told: bool = False


class OfferOutcomes(EventCheck):
    """Follows every offer to its outcome."""

    def __init__(
        self, findings: Findings, epsilon_ms: int = EPSILON_MS, *, ended: bool = False
    ) -> None:
        self._findings = findings
        self._day_ended = ended
        self._epsilon_ms = epsilon_ms
        self._open: dict[tuple[str, str], _Offer] = {}
        self._ended: dict[str, CompactMap] = {}
        self._ownerless = OwnerlessTime()

    def handlers(self) -> Mapping[type[Message], Handler]:
        return {routing.OfferCreated: self._created, **dict.fromkeys(OUTCOMES, self._outcome)}

    def entry(self, entry: Entry) -> None:
        if entry.service == "routing":
            self._ownerless.take(entry.kind, overdue=self._overdue)

    def judge(self) -> None:
        for (domain, offer_id), offer in self._open.items():
            late_ms = self._late_ms(offer, self._ownerless.at_ms)
            if late_ms > self._epsilon_ms and not offer.told:
                offer.told = True
                why = f"offer {offer_id} has no outcome {late_ms:,} ms after its lease ended"
                self._findings.violation(INVARIANT, offer.place, domain, why)

    def finish(self) -> None:
        self._findings.count(INVARIANT, "open", len(self._open))
        self.judge()
        for (domain, offer_id), offer in self._open.items():
            if self._day_ended and not offer.told:
                why = f"offer {offer_id} is still open after the end of the day"
                self._findings.violation(INVARIANT, offer.place, domain, why)

    def forget(self) -> None:
        for ended in self._ended.values():
            ended.forget()

    def _created(self, entry: Entry, event: routing.OfferCreated) -> None:
        key = (entry.batch.domain, event.offer_id)
        self._findings.count(INVARIANT, "offers")
        if key in self._open or self._has_ended(*key):
            self._violation(entry, event.offer_id, "was made twice")
        self._open[key] = _Offer(entry.place, event.expires_at_ms)

    def _outcome(self, entry: Entry, event: Any) -> None:
        domain, outcome = entry.batch.domain, OUTCOMES[type(event)]
        offer = self._open.pop((domain, event.offer_id), None)
        if offer is None:
            before = self._has_ended(domain, event.offer_id)
            state = "had found its outcome before" if before else "was never made"
            self._violation(entry, event.offer_id, f"was {outcome}, but {state}")
            return
        self._findings.count(INVARIANT, outcome)
        self._ended.setdefault(domain, CompactMap()).put(event.offer_id)
        if event.at_ms - offer.expires_at_ms <= self._epsilon_ms:
            return
        late_ms = self._late_ms(offer, event.at_ms)
        if late_ms > self._epsilon_ms:
            self._violation(entry, event.offer_id, f"was {outcome} {late_ms:,} ms after its lease")
        else:
            self._findings.count(INVARIANT, "late for want of an owner")

    def _overdue(self, at_ms: int) -> bool:
        """Return whether an open offer should have found its outcome by then."""
        return any(self._late_ms(offer, at_ms) > self._epsilon_ms for offer in self._open.values())

    def _late_ms(self, offer: _Offer, at_ms: int) -> int:
        """Return how long the lease had been over, as far as somebody could have ended the offer."""
        over_at_ms = offer.expires_at_ms
        return at_ms - over_at_ms - self._ownerless.between(over_at_ms, at_ms)

    def _has_ended(self, domain: str, offer_id: str) -> bool:
        ended = self._ended.get(domain)
        return ended is not None and ended.get(offer_id) is not None

    def _violation(self, entry: Entry, offer_id: str, why: str) -> None:
        self._findings.violation(
            INVARIANT, entry.place, entry.batch.domain, f"offer {offer_id} {why}"
        )
