"""Student's t against printed tables, and what an estimate says of few values."""

import math

import pytest

from huntgroup_onebox.simulate.confidence import estimate, student_t


@pytest.mark.parametrize(
    ("confidence", "degrees", "printed"),
    [
        (0.95, 1, 12.706),
        (0.95, 4, 2.776),
        (0.95, 9, 2.262),
        (0.99, 19, 2.861),
        (0.999, 19, 3.883),
        (0.90, 120, 1.658),
        (0.95, 999, 1.962),
    ],
)
def test_the_quantile_is_the_one_in_printed_tables(
    confidence: float, degrees: int, printed: float
) -> None:
    assert student_t(confidence, degrees) == pytest.approx(printed, abs=5e-4)


def test_an_interval_is_t_times_the_standard_error() -> None:
    found = estimate([1.0, 2.0, 3.0, 4.0, 5.0], 0.95)
    assert found.mean == 3.0
    assert found.half_width == pytest.approx(2.776 * math.sqrt(2.5 / 5), abs=1e-3)
    assert found.replications == 5


def test_what_has_no_value_is_left_out() -> None:
    assert estimate([math.nan, 2.0, 4.0], 0.95).replications == 2
    assert math.isnan(estimate([math.nan], 0.95).mean)
    assert math.isnan(estimate([7.0], 0.95).half_width)
