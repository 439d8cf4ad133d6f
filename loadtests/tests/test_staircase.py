"""Arrivals of an open loop: drawn before, the same for the same seed, as many as the rate says."""

from huntgroup_loadtest.staircase import Staircase

STAIRS = Staircase(first_rate=100.0, factor=1.5, step_s=20.0, steps=3)


def test_each_step_is_steeper_by_the_factor() -> None:
    assert [STAIRS.rate(step) for step in range(3)] == [100.0, 150.0, 225.0]


def test_arrivals_are_in_order_within_the_step_and_as_many_as_the_rate_says() -> None:
    for step in range(3):
        arrivals = STAIRS.arrivals_s(step, seed=1)
        expected = STAIRS.rate(step) * STAIRS.step_s
        assert arrivals == sorted(arrivals)
        assert 0 < arrivals[0] < arrivals[-1] < STAIRS.step_s
        assert abs(len(arrivals) - expected) < 4 * expected**0.5


def test_the_same_seed_draws_the_same_arrivals_and_another_seed_others() -> None:
    assert STAIRS.arrivals_s(0, seed=1) == STAIRS.arrivals_s(0, seed=1)
    assert STAIRS.arrivals_s(0, seed=1) != STAIRS.arrivals_s(0, seed=2)
    assert STAIRS.arrivals_s(0, seed=1) != STAIRS.arrivals_s(1, seed=1)
