"""The words of the ledger: ids, what agents do, how waits and offers end, and the arithmetic of intervals."""

from collections.abc import Iterator
from enum import StrEnum
from typing import NamedTuple, NewType

ContactId = NewType("ContactId", str)
OfferId = NewType("OfferId", str)
AgentId = NewType("AgentId", str)
QueueId = NewType("QueueId", str)

DAY_MS = 86_400_000


class WaitOutcome(StrEnum):
    """How the wait of a queued contact ended."""

    ANSWERED = "ANSWERED"
    ABANDONED = "ABANDONED"
    OVERFLOWED = "OVERFLOWED"


class Presence(StrEnum):
    """What an agent is there for, as agent-state told it."""

    SIGNED_OFF = "SIGNED_OFF"
    NOT_READY = "NOT_READY"
    READY = "READY"
    NOT_RESPONDING = "NOT_RESPONDING"


class SlotPhase(StrEnum):
    """What an agent's slot is taken by."""

    FREE = "FREE"
    RINGING = "RINGING"
    TALKING = "TALKING"
    WRAPPING_UP = "WRAPPING_UP"


class Activity(StrEnum):
    """What an agent's wall-clock time counts as: of all that goes on at once, what ranks highest."""

    AWAY = "AWAY"
    """Signed off, and in no conversation: not counted at all."""
    IDLE = "IDLE"
    RINGING = "RINGING"
    TALKING = "TALKING"
    WRAPPING_UP = "WRAPPING_UP"
    NOT_READY = "NOT_READY"


class OfferOutcome(StrEnum):
    """How an offer ended; the ledger writes it in lower case."""

    ACCEPTED = "accepted"
    REJECTED = "rejected"
    EXPIRED = "expired"
    CANCELED = "canceled"
    RESCINDED = "rescinded"


def interval_start(at_ms: int, interval_ms: int) -> int:
    """Return the start of the interval that `at_ms` lies in; intervals are aligned to the epoch, so to UTC days."""
    return at_ms - at_ms % interval_ms


class Part(NamedTuple):
    """A piece of a span that lies in one interval, or fills several in a row."""

    interval_start_ms: int
    intervals: int
    each_ms: int
    """So much of each interval."""
    end_ms: int

    @property
    def begin_ms(self) -> int:
        """Where it begins."""
        return self.end_ms - self.intervals * self.each_ms


def parts_of_span(begin_ms: int, end_ms: int, interval_ms: int) -> Iterator[Part]:
    """Cut a span at interval borders: at most a first, a middle of whole intervals, and a last part.

    So a night's idle time is three entries and not a hundred.
    """
    first_ms = interval_start(begin_ms, interval_ms)
    if first_ms < begin_ms < end_ms:
        head_end_ms = min(end_ms, first_ms + interval_ms)
        yield Part(first_ms, 1, head_end_ms - begin_ms, head_end_ms)
        begin_ms = head_end_ms
    whole = (end_ms - begin_ms) // interval_ms
    if whole > 0:
        middle_end_ms = begin_ms + whole * interval_ms
        yield Part(begin_ms, whole, interval_ms, middle_end_ms)
        begin_ms = middle_end_ms
    if begin_ms < end_ms:
        yield Part(begin_ms, 1, end_ms - begin_ms, end_ms)
