"""When contacts are to arrive: Poisson arrivals whose rate rises step by step, all times drawn before the first call.

An open loop: a contact is due when it is due, however slow the system is, and everything is measured from that moment.
"""

import random
from collections.abc import Iterator
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Staircase:
    """Steps of `step_s` seconds; each is `factor` times as steep as the one before."""

    first_rate: float
    """Contacts a second on the first step."""
    factor: float
    step_s: float
    steps: int

    def rate(self, step: int) -> float:
        """Return the contacts a second of a step, from 0."""
        return float(self.first_rate * self.factor**step)

    def arrivals_s(self, step: int, seed: int) -> list[float]:
        """Return when contacts of a step arrive, in seconds from its beginning, in order."""
        return list(_poisson(self.rate(step), self.step_s, random.Random(f"{seed} step {step}")))


def _poisson(rate: float, span_s: float, chance: random.Random) -> Iterator[float]:
    at_s = chance.expovariate(rate)
    while at_s < span_s:
        yield at_s
        at_s += chance.expovariate(rate)
