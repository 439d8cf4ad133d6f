"""How far a mean over a few independent runs may be from the truth: Student's t.

The quantile is found from the distribution function, which is an incomplete beta function, computed as a continued
fraction (modified Lentz; Press et al., Numerical Recipes, 6.4).
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

PRECISION: Final = 1e-12
STEPS_MAX: Final = 10_000
TINY: Final = 1e-300


@dataclass(frozen=True, slots=True, kw_only=True)
class Estimate:
    """A mean over replications, and half the width of its confidence interval."""

    mean: float
    """NaN when no replication has a value."""
    half_width: float
    """NaN with fewer than two values."""
    replications: int
    """How many had a value."""


def estimate(values: Sequence[float], confidence: float) -> Estimate:
    """Return the mean of the values that are numbers, each of one independent replication."""
    known = [value for value in values if not math.isnan(value)]
    count = len(known)
    if not known:
        return Estimate(mean=math.nan, half_width=math.nan, replications=0)
    mean = math.fsum(known) / count
    if count == 1:
        return Estimate(mean=mean, half_width=math.nan, replications=1)
    variance = math.fsum((value - mean) ** 2 for value in known) / (count - 1)
    half_width = student_t(confidence, count - 1) * math.sqrt(variance / count)
    return Estimate(mean=mean, half_width=half_width, replications=count)


@lru_cache(maxsize=64)
def student_t(confidence: float, degrees: int) -> float:
    """Return t such that a share `confidence` of Student's distribution lies between -t and t."""
    low, high = 0.0, 1.0
    while _within(high, degrees) < confidence:
        high *= 2
    while high - low > PRECISION * high:
        middle = (low + high) / 2
        if _within(middle, degrees) < confidence:
            low = middle
        else:
            high = middle
    return high


def _within(t: float, degrees: int) -> float:
    """Return the share of the distribution between -t and t."""
    return 1.0 - _beta(degrees / 2, 0.5, degrees / (degrees + t * t))


def _beta(a: float, b: float, x: float) -> float:
    """Return the regularised incomplete beta function."""
    if x in (0.0, 1.0):
        return x
    if x > (a + 1) / (a + b + 2):
        return 1.0 - _beta(b, a, 1.0 - x)
    scale = math.lgamma(a + b) - math.lgamma(a) - math.lgamma(b)
    front = math.exp(scale + a * math.log(x) + b * math.log1p(-x))
    return front * _fraction(a, b, x) / a


def _fraction(a: float, b: float, x: float) -> float:
    c, d = 1.0, 1.0 / _not_zero(1.0 - (a + b) * x / (a + 1))
    value = d
    for m in range(1, STEPS_MAX):
        before = value
        even = m * (b - m) * x / ((a + 2 * m - 1) * (a + 2 * m))
        odd = -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1))
        for term in (even, odd):
            d = 1.0 / _not_zero(1.0 + term * d)
            c = _not_zero(1.0 + term / c)
            value *= c * d
        if abs(value - before) < PRECISION * abs(value):
            break
    return value


def _not_zero(value: float) -> float:
    return value if abs(value) > TINY else TINY
