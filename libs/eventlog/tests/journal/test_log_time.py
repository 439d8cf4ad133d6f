"""Log time never goes back and never stands still, whatever the clock does."""

from hypothesis import given
from hypothesis import strategies as st

from huntgroup_eventlog.journal.log_time import LogTime


def test_log_time_is_the_clocks_as_long_as_that_goes_forward() -> None:
    time = LogTime()
    assert [time.tick(clock, 0) for clock in (1_000, 1_001, 1_001, 5_000)] == [
        1_000,
        1_001,
        1_001,
        5_000,
    ]


def test_after_a_clock_was_set_back_log_time_goes_on_more_slowly_until_the_clock_has_come_up() -> (
    None
):
    time = LogTime()
    time.tick(3_600_000, 0)
    assert time.tick(1_000, 0) == 3_600_000
    assert time.tick(2_000, 0) == 3_600_900
    assert time.tick(3_600_000 * 20, 0) == 3_600_000 * 20


def test_a_new_owner_goes_on_from_where_the_log_stands() -> None:
    time = LogTime()
    assert time.tick(1_000, 9_000) == 9_000
    assert time.tick(1_100, 9_000) == 9_090


def test_odd_milliseconds_are_not_lost() -> None:
    time = LogTime()
    time.tick(0, 1_000_000)
    reached = [time.tick(clock, 0) for clock in range(1, 1_001)]
    assert reached[-1] == 1_000_900


@given(
    st.lists(st.tuples(st.integers(-5_000, 5_000), st.integers(0, 20_000)), max_size=50),
    st.integers(0, 100_000),
)
def test_it_never_goes_back_and_comes_to_a_deadline_when_it_said(
    moves: list[tuple[int, int]], deadline: int
) -> None:
    time, clock, before = LogTime(), 10_000, 0
    for move, at_least in moves:
        clock = max(0, clock + move)
        reached = time.tick(clock, at_least)
        assert reached >= max(before, at_least, clock)
        before = reached
    if moves and deadline > before:
        wakes = time.clock_at(deadline)
        assert wakes >= clock
        assert time.tick(wakes, 0) >= deadline


def test_a_wake_up_is_no_earlier_than_needed() -> None:
    time = LogTime()
    time.tick(0, 1_000)
    assert time.clock_at(1_090) == 100
    assert time.tick(99, 0) < 1_090
    assert time.tick(100, 0) == 1_090
