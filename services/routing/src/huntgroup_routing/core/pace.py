"""At what pace contacts leave their lane, and how long one at a position will wait by that: all in whole numbers.

Contacts of one queue that are alike in priority and own skills stand in one *lane*, first come, first served. Whoever
serves them, whatever else those agents serve and whoever may overtake: the pace at which a lane is left while somebody
stands in it tells it all. `docs/reference/routing.md` has the formulas and how well they hold.
"""

from dataclasses import dataclass
from math import isqrt

import msgspec

MEMORY_LOG2 = 5
"""A departure counts 1 - 1/32 as much with every later one: about the last 63 are as good as heard."""
ONE = 1 << 10
"""One departure; all sums are kept in this fixed point."""
EFFECTIVE_MAX = (2 << MEMORY_LOG2) - 1
LONGEST_MS = 24 * 3_600_000
"""Nothing longer is estimated."""
RATE = 1 << 40
"""The fixed point of a rate (per ms)."""
PART = 1 << 20
"""The fixed point of shares."""
DECILE = 1_343_851
"""1.2816 in that: the normal distribution has a tenth beyond it on either side."""
GAPS_TRUSTED = 8
"""How many gaps it takes until their spread counts as much as that of chance."""
STALLED = 8
"""A gap of more than so many mean gaps counts as so many: nobody was there, and that tells little of the pace."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Estimate:
    """How long somebody will wait from now until an agent is found, in ms.

    Four of five wait at least `low_ms` and at most `high_ms`; one of ten waits less, one more.
    """

    wait_ms: int
    low_ms: int
    high_ms: int


NO_WAIT = Estimate(wait_ms=0, low_ms=0, high_ms=0)


class Pace(msgspec.Struct, array_like=True, eq=False, gc=False):
    """At what pace a lane is left; sums that fade with every departure, the last one counting most.

    Written as it is, so the order of the fields is part of the format.
    """

    since_ms: int = 0
    """While somebody stands there: since the last departure to an agent, or since the first of them came."""
    open_ms: int = 0
    """How long somebody stood there before that with nobody fetched since."""
    begun: bool = False
    """Somebody was fetched, so gaps can be told."""
    fetched: int = 0
    """Departures to an agent."""
    gaps_ms: int = 0
    """The time between them while somebody stood there."""
    gaps_squared: int = 0
    gave_up: int = 0
    """Of all departures, those to no agent."""
    waited_ms: int = 0
    """How long those who left had waited."""

    def fetch(self, at_ms: int, waited_ms: int) -> None:
        """Count one who goes to an agent after a wait."""
        gap_ms = self.open_ms + at_ms - self.since_ms
        self.since_ms, self.open_ms = at_ms, 0
        if self.begun:
            fetched, gaps_ms = self.fetched, self.gaps_ms
            if fetched and gap_ms * fetched > STALLED * gaps_ms > 0:
                gap_ms = STALLED * gaps_ms // fetched
            self.fetched = fetched + ONE - (fetched >> MEMORY_LOG2)
            self.gaps_ms = gaps_ms + gap_ms * ONE - (gaps_ms >> MEMORY_LOG2)
            self.gaps_squared += gap_ms * gap_ms * ONE - (self.gaps_squared >> MEMORY_LOG2)
        self.begun = True
        self._left(waited_ms)

    def give_up(self, at_ms: int, waited_ms: int, *, last: bool) -> None:
        """Count one who leaves without an agent; they tell nothing of the gap that goes on."""
        if last:
            self.open_ms += at_ms - self.since_ms
        self._left(waited_ms)
        self.gave_up += ONE

    def come_back(self) -> None:
        """Take back one departure: the agent did not take the contact."""
        self.fetched = max(0, self.fetched - ONE)

    def _left(self, waited_ms: int) -> None:
        self.gave_up -= self.gave_up >> MEMORY_LOG2
        self.waited_ms += waited_ms * ONE - (self.waited_ms >> MEMORY_LOG2)

    def estimate(self, position: int, at_ms: int, *, empty: bool) -> Estimate | None:
        """Return the wait of who stands at a position from 1; None before anybody was fetched after a wait."""
        if self.fetched < ONE:
            return None
        open_ms = self.open_ms + (0 if empty else at_ms - self.since_ms)
        exposure_ms = max(1, self.gaps_ms + open_ms * ONE)
        rate = max(1, (self.fetched + ONE) * RATE // exposure_ms)
        leaving = self.gave_up * RATE // self.waited_ms if self.waited_ms else 0
        wait_ms = _time_ms(position, rate, leaving)
        measured_ms = wait_ms * (self.fetched + ONE) // self.fetched
        # A line is longest just after its departures were slow by chance: what was heard is worth less by a third.
        spread, heard = self._spread(), self._effective() * 2 // 3
        low, high = _deciles(position * PART * PART // spread, heard * PART // spread)
        return Estimate(
            wait_ms=min(wait_ms, LONGEST_MS),
            low_ms=min(measured_ms * low // PART, LONGEST_MS),
            high_ms=min(measured_ms * high // PART, LONGEST_MS),
        )

    def _effective(self) -> int:
        """Return how many departures that all count the same would be worth as much, in parts."""
        fetched = self.fetched * (PART // ONE)
        return max(PART, EFFECTIVE_MAX * PART * fetched // ((2 << MEMORY_LOG2) * PART - fetched))

    def _spread(self) -> int:
        """Return the variance of the gaps ÷ their squared mean, in parts, drawn to 1 while there are few."""
        told = self._effective()
        seen = self.gaps_squared * self.fetched * PART // max(1, self.gaps_ms * self.gaps_ms)
        seen += seen * PART // told
        trusted = GAPS_TRUSTED * PART
        spread = ((seen - PART) * told + trusted * PART) // (told + trusted)
        return min(max(spread, PART // 4), PART * 8)


def _time_ms(position: int, rate: int, leaving: int) -> int:
    """Return the sum over all up to a position of 1 ÷ (rate + leaving of those who stand before).

    The first is the one to be fetched; every other one before it may be fetched or give up. The sum is the integral of
    the same plus half of both ends, and that is taken by Simpson's rule over pieces that double the rate.
    """
    ahead = position - 1
    if ahead == 0 or leaving * ahead * PART < rate:
        return position * RATE // rate
    most = rate + ahead * leaving
    total = (RATE // rate + RATE // most) // 2
    low = rate
    while low < most:
        high = min(2 * low, most)
        inner = PART * (high - low) // low + 8 * PART * (high - low) // (low + high)
        inner += PART * (high - low) // high
        total += RATE * inner // (6 * leaving * PART)
        low = high
    return total


def _deciles(ahead: int, heard: int) -> tuple[int, int]:
    """Return what share of its mean (in parts) a time exceeds nine times of ten, and one time of ten.

    It is the time of `ahead` departures measured by that of `heard` others, both in parts: their ratio has the F
    distribution of twice as many degrees of freedom, taken by Paulson's normal approximation of its cube root.
    """
    a, b = PART * PART // (9 * ahead), PART * PART // (9 * heard)
    one_a, one_b = PART - a, PART - b
    under = one_a * one_a * b + one_b * one_b * a - DECILE * DECILE * a * b // PART
    root = isqrt(max(0, under) * PART)
    middle, width = one_a * one_b * PART, DECILE * root
    scale = one_b * one_b * PART - DECILE * DECILE * b
    return _cube((middle - width) // PART, scale), _cube((middle + width) // PART, scale)


def _cube(share: int, scale: int) -> int:
    root = max(0, share) * PART * PART // max(1, scale)
    return root**3 // PART**2
