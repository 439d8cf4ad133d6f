"""Handled contacts and the outcomes of offers."""

from importlib import import_module
from typing import TYPE_CHECKING

import pytest

from huntgroup_reporting.core.messages import (
    ConversationNoted,
    HandledContactCounted,
    OfferOutcomeCounted,
    WrapUpNoted,
)
from huntgroup_reporting.core.state import QueueCounts
from huntgroup_reporting.core.values import OfferOutcome

if TYPE_CHECKING:
    from services.reporting.tests.conftest import Day, Facts

QUARTER_MS = 900_000
evolving = import_module("huntgroup_reporting.core.evolve")


def test_a_contact_is_handled_when_its_wrap_up_is_over_and_in_that_interval(
    day: "Day", say: "type[Facts]"
) -> None:
    (noted,) = day.tell(say.disconnected("ada", 200_000, 30_000), QUARTER_MS - 1_000)
    assert isinstance(noted, ConversationNoted)
    assert day.state.intervals == {}, "nothing is handled yet"
    (entry,) = day.tell(say.wrapped_up("ada", QUARTER_MS + 9_000, 10_000), QUARTER_MS + 9_000)
    assert isinstance(entry, HandledContactCounted)
    assert day.queue_row(QUARTER_MS) == QueueCounts(
        handled=1, talk_ms=200_000, hold_ms=30_000, wrap_up_ms=10_000
    )
    assert day.state.conversations == {}


def test_a_wrap_up_seen_before_the_end_of_its_conversation_waits_for_it(
    day: "Day", say: "type[Facts]"
) -> None:
    (noted,) = day.tell(say.wrapped_up("ada", QUARTER_MS + 9_000, 10_000), QUARTER_MS + 9_000)
    assert isinstance(noted, WrapUpNoted)
    (entry,) = day.tell(say.disconnected("ada", 200_000, 30_000), QUARTER_MS + 9_500)
    assert isinstance(entry, HandledContactCounted)
    assert entry.interval_start_ms == say.MONDAY_MS + QUARTER_MS
    assert (entry.talk_ms, entry.hold_ms, entry.wrap_up_ms) == (200_000, 30_000, 10_000)
    assert day.state.wrap_ups == {}


def test_the_same_half_seen_twice_is_noted_once(day: "Day", say: "type[Facts]") -> None:
    assert len(day.tell(say.disconnected("ada", 1), 1)) == 1
    assert day.tell(say.disconnected("ada", 1), 2) == ()
    assert len(day.tell(say.wrapped_up("ben", 5, 1), 5)) == 1
    assert day.tell(say.wrapped_up("ben", 5, 1), 6) == ()


def test_halves_that_never_meet_are_forgotten_oldest_first(
    day: "Day", say: "type[Facts]", monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(evolving, "UNSETTLED_MAX", 2)
    for number in range(4):
        day.tell(say.disconnected(f"talk{number}", 1), number)
        day.tell(say.wrapped_up(f"wrap{number}", number, 1), number)
    assert list(day.state.conversations) == ["talk2.1", "talk3.1"]
    assert list(day.state.wrap_ups) == ["wrap2.1", "wrap3.1"]


@pytest.mark.parametrize("outcome", OfferOutcome)
def test_an_offer_counts_by_its_outcome_in_the_interval_of_its_end(
    day: "Day", say: "type[Facts]", outcome: OfferOutcome
) -> None:
    fact = say.offer_ended("ada.1", outcome, QUARTER_MS, ring_ms=4_000)
    (entry,) = day.tell(fact, QUARTER_MS + 3)
    assert isinstance(entry, OfferOutcomeCounted)
    assert (entry.outcome, entry.ring_ms) == (outcome.value, 4_000)
    row = day.queue_row(QUARTER_MS)
    assert row == QueueCounts(**{f"offers_{outcome.value}": 1})
