"""Offered, answered, abandoned: each contact once, in the interval of its queueing, judged by its own target."""

from importlib import import_module
from typing import TYPE_CHECKING

from huntgroup_reporting.core.messages import (
    AbandonedContactCounted,
    AnsweredContactCounted,
    ContactOutcomeHeld,
    ContactTargetNoted,
    OfferedContactCounted,
    OverflowedContactCounted,
    QueueTargetNoted,
)
from huntgroup_reporting.core.state import QueueCounts

if TYPE_CHECKING:
    import pytest

    from services.reporting.tests.conftest import Day, Facts

QUARTER_MS = 900_000
evolving = import_module("huntgroup_reporting.core.evolve")


def kinds(events: tuple[object, ...]) -> list[type]:
    return [type(event) for event in events]


def test_a_configured_queue_is_noted_with_its_target(day: "Day", say: "type[Facts]") -> None:
    (noted,) = day.tell(say.configured(20_000), 0)
    assert isinstance(noted, QueueTargetNoted)
    assert noted.service_level_threshold_ms == 20_000


def test_a_queue_configured_with_the_same_target_again_changes_nothing(
    day: "Day", say: "type[Facts]"
) -> None:
    day.tell(say.configured(20_000), 0)
    assert day.tell(say.configured(20_000), 1) == ()
    assert kinds(day.tell(say.configured(30_000), 2)) == [QueueTargetNoted]


def test_a_queued_contact_is_offered_in_the_interval_of_its_queueing(
    day: "Day", say: "type[Facts]"
) -> None:
    day.tell(say.configured(), 0)
    (entry,) = day.tell(say.queued("ada", QUARTER_MS + 5), QUARTER_MS + 40)
    assert isinstance(entry, OfferedContactCounted)
    assert entry.interval_start_ms == say.MONDAY_MS + QUARTER_MS
    assert day.queue_row(QUARTER_MS) == QueueCounts(offered=1)


def test_a_contact_that_is_queued_or_enqueued_twice_counts_once(
    day: "Day", say: "type[Facts]"
) -> None:
    day.tell(say.queued("ada", 0), 0)
    assert day.tell(say.queued("ada", 0), 1) == ()
    assert kinds(day.tell(say.enqueued("ada"), 2)) == [ContactTargetNoted]
    assert day.tell(say.enqueued("ada"), 3) == ()


def test_an_answered_contact_counts_where_it_was_queued_and_not_where_it_was_answered(
    day: "Day", say: "type[Facts]"
) -> None:
    day.tell(say.configured(20_000), 0)
    day.tell(say.queued("ada", QUARTER_MS - 10_000), QUARTER_MS - 10_000)
    day.tell(say.enqueued("ada"), QUARTER_MS - 10_000)
    (entry,) = day.tell(say.answered("ada", QUARTER_MS + 10_000, 20_000), QUARTER_MS + 10_000)
    assert isinstance(entry, AnsweredContactCounted)
    assert entry.within_threshold, "20 seconds are within 20 seconds"
    assert day.queue_row(0) == QueueCounts(
        offered=1,
        answered=1,
        answered_within_threshold=1,
        answered_wait_ms=20_000,
        wait_ms_max=20_000,
    )
    assert list(day.state.intervals) == [say.MONDAY_MS]


def test_an_answer_a_millisecond_too_late_is_not_within_the_threshold(
    day: "Day", say: "type[Facts]"
) -> None:
    for fact in (say.configured(20_000), say.queued("ada", 0), say.enqueued("ada")):
        day.tell(fact, 0)
    day.tell(say.answered("ada", 20_001, 20_001), 20_001)
    assert day.queue_row(0).answered == 1
    assert day.queue_row(0).answered_within_threshold == 0


def test_an_abandoned_contact_counts_where_it_was_queued(day: "Day", say: "type[Facts]") -> None:
    for fact in (say.configured(20_000), say.queued("ada", 0), say.enqueued("ada")):
        day.tell(fact, 0)
    (entry,) = day.tell(say.abandoned("ada", QUARTER_MS, QUARTER_MS), QUARTER_MS)
    assert isinstance(entry, AbandonedContactCounted)
    assert day.queue_row(0) == QueueCounts(
        offered=1, abandoned=1, abandoned_wait_ms=QUARTER_MS, wait_ms_max=QUARTER_MS
    )


def test_an_answer_seen_before_the_target_waits_for_it_and_then_counts_once(
    day: "Day", say: "type[Facts]"
) -> None:
    day.tell(say.queued("ada", 0), 0)
    assert kinds(day.tell(say.answered("ada", 25_000, 25_000), 25_000)) == [ContactOutcomeHeld]
    assert day.tell(say.answered("ada", 25_000, 25_000), 25_000) == ()
    assert day.queue_row(0).answered == 0
    day.tell(say.configured(30_000), 26_000)
    (entry,) = day.tell(say.enqueued("ada"), 26_001)
    assert isinstance(entry, AnsweredContactCounted)
    assert entry.within_threshold
    assert entry.interval_start_ms == say.MONDAY_MS
    assert day.state.contacts == {}


def test_an_abandonment_seen_before_the_target_waits_for_it(day: "Day", say: "type[Facts]") -> None:
    day.tell(say.queued("ada", 0), 0)
    assert kinds(day.tell(say.abandoned("ada", 9_000, 9_000), 9_000)) == [ContactOutcomeHeld]
    day.tell(say.configured(5_000), 9_001)
    (entry,) = day.tell(say.enqueued("ada"), 9_002)
    assert isinstance(entry, AbandonedContactCounted)
    assert not entry.within_threshold


def test_a_target_seen_before_the_contact_waits_for_it(day: "Day", say: "type[Facts]") -> None:
    day.tell(say.configured(5_000), 0)
    assert kinds(day.tell(say.enqueued("ada"), 0)) == [ContactTargetNoted]
    day.tell(say.configured(60_000), 1)
    assert kinds(day.tell(say.queued("ada", 0), 2)) == [OfferedContactCounted]
    (entry,) = day.tell(say.answered("ada", 6_000, 6_000), 6_000)
    assert isinstance(entry, AnsweredContactCounted)
    assert not entry.within_threshold, "the target when the contact took its place was 5 seconds"


def test_a_contact_of_a_queue_that_was_never_configured_is_judged_by_twenty_seconds(
    day: "Day", say: "type[Facts]"
) -> None:
    for fact in (say.queued("ada", 0), say.enqueued("ada")):
        day.tell(fact, 0)
    (entry,) = day.tell(say.answered("ada", 20_000, 20_000), 20_000)
    assert isinstance(entry, AnsweredContactCounted)
    assert entry.within_threshold


def test_an_outcome_of_a_contact_whose_queueing_was_not_seen_still_counts(
    day: "Day", say: "type[Facts]"
) -> None:
    day.tell(say.configured(5_000), 0)
    (entry,) = day.core.decide(
        day.state, say.answered("ada", QUARTER_MS, 10_000), say.MONDAY_MS + QUARTER_MS
    )
    assert isinstance(entry, AnsweredContactCounted)
    assert entry.interval_start_ms == say.MONDAY_MS
    assert not entry.within_threshold


def test_contacts_that_never_end_are_forgotten_oldest_first(
    day: "Day", say: "type[Facts]", monkeypatch: "pytest.MonkeyPatch"
) -> None:
    monkeypatch.setattr(evolving, "UNSETTLED_MAX", 2)
    for number in range(4):
        day.tell(say.queued(f"c{number}", number), number)
    assert list(day.state.contacts) == ["c2", "c3"]
    assert list(day.state.queues) == ["sales"]
    assert len(day.state.contacts) == 2


def test_intervals_beyond_the_bound_are_dropped_and_late_entries_for_them_are_not_kept(
    day: "Day", say: "type[Facts]", monkeypatch: "pytest.MonkeyPatch"
) -> None:
    monkeypatch.setattr(evolving, "INTERVALS_MAX", 3)
    for number in range(5):
        day.tell(say.queued(f"c{number}", number * QUARTER_MS), number * QUARTER_MS)
    kept = [say.MONDAY_MS + number * QUARTER_MS for number in (2, 3, 4)]
    assert list(day.state.intervals) == kept
    assert say.MONDAY_MS + QUARTER_MS < day.state.kept_from_ms <= kept[0]
    assert day.tell(say.queued("late", 0), 5 * QUARTER_MS) != ()
    assert list(day.state.intervals) == kept


def test_who_is_sent_to_another_queue_is_overflowed_there_and_offered_here(
    day: "Day", say: "type[Facts]"
) -> None:
    for fact in (say.configured(20_000), say.queued("ada", 0), say.enqueued("ada")):
        day.tell(fact, 0)
    left, came = day.tell(say.moved("ada", 15_000), 15_000)
    assert isinstance(left, OverflowedContactCounted)
    assert (left.queue_id, left.wait_ms, left.within_threshold) == ("sales", 15_000, True)
    assert isinstance(came, OfferedContactCounted)
    assert (came.queue_id, came.contact_id, came.enqueued_at_ms) == (
        "support",
        "ada~1",
        say.MONDAY_MS,
    )
    assert day.queue_row(0) == QueueCounts(
        offered=1, overflowed=1, overflowed_within_threshold=1, overflowed_wait_ms=15_000
    )


def test_each_stay_is_judged_by_its_own_target_whatever_is_seen_first(
    day: "Day", say: "type[Facts]"
) -> None:
    day.tell(say.queued("ada", 0), 0)
    kinds_seen = kinds(day.tell(say.moved("ada", 15_000), 15_000))
    assert kinds_seen == [ContactOutcomeHeld, OfferedContactCounted]
    day.tell(say.configured(10_000), 15_001)
    (late,) = day.tell(say.enqueued("ada"), 15_002)
    assert isinstance(late, OverflowedContactCounted)
    assert not late.within_threshold
    assert set(day.state.contacts) == {"ada~1"}
