"""The length of the ledger's intervals is found from its entries."""

from typing import Any

import pytest

from huntgroup.reporting.v1 import events_pb2 as reporting
from huntgroup_onebox.audit.interval import IntervalFinder

from .story import T

DEFAULT = 900_000
NOTHING: Any = None
"""The finder looks at events only."""


def offered(finder: IntervalFinder, interval_ms: int, *moments: int) -> None:
    for moment in moments:
        start_ms = T + moment - (T + moment) % interval_ms
        event = reporting.OfferedContactCounted(
            interval_start_ms=start_ms, enqueued_at_ms=T + moment
        )
        finder.handlers()[type(event)](NOTHING, event)


@pytest.mark.parametrize("interval_ms", [1_000, 4_500, 60_000, DEFAULT, 3_600_000])
def test_a_busy_ledger_shows_its_interval(interval_ms: int) -> None:
    finder = IntervalFinder()
    offered(finder, interval_ms, *(range(0, 40 * interval_ms, interval_ms // 5)))
    assert finder.found(DEFAULT) == interval_ms


def test_time_of_agents_over_whole_intervals_shows_it_at_once() -> None:
    finder = IntervalFinder()
    event = reporting.AgentTimeCounted(interval_start_ms=T + 4_500, idle_ms=4_500, intervals=3)
    finder.handlers()[type(event)](NOTHING, event)
    offered(finder, 4_500, 0, 4_499)
    assert finder.found(DEFAULT) == 4_500


def test_one_wrong_entry_does_not_matter() -> None:
    finder = IntervalFinder()
    offered(finder, 4_500, *(range(0, 60 * 4_500, 500)))
    event = reporting.HandledContactCounted(interval_start_ms=T + 17)
    finder.handlers()[type(event)](NOTHING, event)
    assert finder.found(DEFAULT) == 4_500


def test_what_fits_as_well_as_any_stays_as_it_is_set() -> None:
    finder = IntervalFinder()
    assert finder.found(DEFAULT) == DEFAULT
    offered(finder, DEFAULT, 10)
    assert finder.found(DEFAULT) == DEFAULT
