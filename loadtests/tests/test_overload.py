"""How the most that gets through is found, and what is played then: against a system whose capacity is known."""

import asyncio
from collections.abc import Callable

import pytest

from huntgroup_loadtest.open_loop import WARM_SHARE, Outcome
from huntgroup_loadtest.overload import Goodput, goodput


class Known:
    """Takes `capacity(number of the load)` contacts a second, and less of them the more come beyond."""

    def __init__(self, capacity: Callable[[int], float], collapse: float = 0.0) -> None:
        self._capacity = capacity
        self._collapse = collapse
        self.rates: list[float] = []

    async def load(self, calls_per_s: float, seconds: float, seed: int = 1) -> Outcome:
        """Return what becomes of the calls, at once."""
        capacity = self._capacity(len(self.rates))
        self.rates.append(calls_per_s)
        beyond = max(0.0, calls_per_s / capacity - 1)
        per_s = min(calls_per_s, capacity * (1 - self._collapse * beyond))
        return Outcome(
            calls_per_s=calls_per_s,
            seconds=seconds,
            offered=round(calls_per_s * seconds),
            done_in_time=round(per_s * seconds * (1 - WARM_SHARE)),
        )


def played(system: Known) -> Goodput:
    """Return what is found of a system."""
    return asyncio.run(
        goodput(system, first_rate=40.0, step_s=8.0, span_s=10.0, rounds=2, tell=lambda _: None)  # type: ignore[arg-type]
    )


def test_the_peak_is_found_and_twice_of_it_is_played_between_once_of_it() -> None:
    system = Known(lambda _: 100.0)
    found = played(system)
    assert found.peak_per_s == pytest.approx(100, rel=0.01)
    assert [round(rate / found.peak_per_s) for rate in system.rates[-8:]] == [1, 2, 2, 1] * 2
    assert found.ratios == pytest.approx([1.0, 1.0], rel=0.01)


def test_a_system_that_does_less_when_more_is_asked_is_seen() -> None:
    assert max(played(Known(lambda _: 100.0, collapse=0.5)).ratios) < 0.7


def test_what_drifts_weighs_on_both_alike() -> None:
    drifting = Known(lambda number: 100.0 * 0.98**number)
    assert played(drifting).ratios == pytest.approx([1.0, 1.0], abs=0.02)


def test_one_slow_step_is_no_peak_and_neither_is_a_slow_start() -> None:
    slow_now_and_then = Known(lambda number: 30.0 if number in {0, 2} else 100.0)
    assert played(slow_now_and_then).peak_per_s == pytest.approx(100, rel=0.01)


def test_a_peak_that_was_found_in_a_slow_moment_is_corrected() -> None:
    slow_climb = Known(lambda number: 30.0 if number < 4 else 100.0)
    found = played(slow_climb)
    assert found.peak_per_s > 90
    assert len(found.rounds) == 2
