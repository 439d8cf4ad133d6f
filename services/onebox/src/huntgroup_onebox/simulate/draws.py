"""Chance, drawn by seed: how long something takes, and when contacts come.

Every class of contacts and every purpose has a chance of its own, and a contact's times are drawn as it comes. So the
same seed brings the same contacts whatever agents and policies do, and two policies are compared on equal terms.
Times are milliseconds, as floats: routing is told whole ones.
"""

import math
import random
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from msgspec import Struct

from huntgroup_loadtest.arrivals import read_day
from huntgroup_onebox.simulate.scenario import (
    ContactClass,
    CsvDay,
    Deterministic,
    Distribution,
    Empirical,
    Exponential,
    FromJournal,
    LogNormal,
    Poisson,
    Profile,
)

S_MS = 1_000.0
HOUR_MS = 3_600_000.0

Draw = Callable[[], float]


class Comer(Struct, eq=False, gc=False):
    """A contact before it comes: its class by number, when, and what chance has in store for it."""

    number: int
    at_ms: float
    service_ms: float
    wrap_up_ms: float
    patience_ms: float
    """Infinite for a customer who never leaves."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Recorded:
    """A contact of a real log. Times in milliseconds, the first relative to the first contact of the log."""

    at_ms: int
    handled_ms: int | None
    """From answer to a free agent, or None when nobody answered."""
    gave_up_after_ms: int | None


Journals = Mapping[str, Sequence[Recorded]]
"""The contacts of each class whose arrivals are those of a real log."""


def drawing(distribution: Distribution, chance: random.Random) -> Draw:
    """Return what draws one time (ms) after another."""
    match distribution:
        case Exponential(mean_s=mean_s):
            return _exponential(1 / (mean_s * S_MS), chance)
        case LogNormal(mean_s=mean_s, sigma=sigma):
            mu, lognormal = math.log(mean_s * S_MS) - sigma**2 / 2, chance.lognormvariate
            return lambda: lognormal(mu, sigma)
        case Deterministic(value_s=value_s):
            always = value_s * S_MS
            return lambda: always
        case Empirical(values_s=values_s):
            values, choice = [value * S_MS for value in values_s], chance.choice
            return lambda: choice(values)


def _exponential(rate: float, chance: random.Random) -> Draw:
    """Return what `expovariate` draws, to the last bit, in half the time."""
    uniform, log = chance.random, math.log
    return lambda: -log(1.0 - uniform()) / rate


def comers(
    number: int, name: str, one: ContactClass, *, seed: str, folder: Path, journals: Journals
) -> Iterator[Comer]:
    """Yield the contacts of a class in the order in which they come; without end for `Poisson`.

    Raises `ArrivalsError` for a file of arrivals that cannot be used.
    """

    def chance(purpose: str) -> random.Random:
        return random.Random(f"{seed} {name} {purpose}")

    patience = drawing(one.patience, chance("patience")) if one.patience else lambda: math.inf
    if isinstance(one.arrivals, FromJournal):
        yield from _recorded(number, journals[name], patience, chance("handling"))
        return
    assert one.service is not None
    service = drawing(one.service, chance("service"))
    wrap_up = drawing(one.wrap_up, chance("wrap-up")) if one.wrap_up else lambda: 0.0
    for at_ms in _times(one.arrivals, chance("arrivals"), folder):
        yield Comer(number, at_ms, service(), wrap_up(), patience())


def _times(
    arrivals: Poisson | Profile | CsvDay, chance: random.Random, folder: Path
) -> Iterator[float]:
    match arrivals:
        case Poisson(per_hour=per_hour):
            at_ms, gap_ms = 0.0, _exponential(per_hour / HOUR_MS, chance)
            while True:
                at_ms += gap_ms()
                yield at_ms
        case Profile(interval_s=interval_s, per_hour=rates):
            yield from _by_interval(interval_s * S_MS, rates, chance)
        case CsvDay(file=file, day=day, share=share):
            read = read_day(folder / file, day, chance.getrandbits(32))
            for time_ms in read.arrivals_ms:
                if share == 1.0 or chance.random() < share:
                    yield float(time_ms)


def _by_interval(
    length_ms: float, rates: Sequence[float], chance: random.Random
) -> Iterator[float]:
    """Yield a Poisson process whose rate changes: unit-rate steps are spent at the rate of the time they fall in."""
    left = chance.expovariate(1.0)
    for index, per_hour in enumerate(rates):
        start_ms, rate, gone = index * length_ms, per_hour / HOUR_MS, 0.0
        while rate and gone + left <= rate * length_ms:
            gone += left
            yield start_ms + gone / rate
            left = chance.expovariate(1.0)
        left -= rate * length_ms - gone


def _recorded(
    number: int, contacts: Sequence[Recorded], patience: Draw, chance: random.Random
) -> Iterator[Comer]:
    handled = [one.handled_ms for one in contacts if one.handled_ms is not None]
    for one in contacts:
        drawn_ms, likely_ms = patience(), chance.choice(handled)
        yield Comer(
            number,
            float(one.at_ms),
            float(likely_ms if one.handled_ms is None else one.handled_ms),
            0.0,
            drawn_ms if one.gave_up_after_ms is None else float(one.gave_up_after_ms),
        )
