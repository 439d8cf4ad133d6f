"""When a queue takes contacts: by weekly hours, holidays and time zone, and by command; told in days."""

from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import pytest

from huntgroup_routing.core.hours import (
    DAY_MS,
    CloseQueue,
    Holiday,
    OpeningHours,
    OpenQueue,
    QueueClosed,
    QueueOpened,
    WeeklyHours,
    open_and_next_change,
)
from huntgroup_routing.core.messages import (
    ContactDequeued,
    ContactEnqueued,
    ContactKept,
    ContactMoved,
    Reason,
)
from huntgroup_routing.core.overflow import OverflowAction, OverflowRule, OverflowTrigger
from huntgroup_routing.core.values import QueueId

if TYPE_CHECKING:
    from services.routing.tests.conftest import Floor

SALES = QueueId("sales")
NINE, FIVE = 9 * 60, 17 * 60
OFFICE = tuple(
    WeeklyHours(weekday=day, opens_minute=NINE, closes_minute=FIVE) for day in range(1, 6)
)
BERLIN = OpeningHours(time_zone="Europe/Berlin", weekly=OFFICE)


def reckoned(hours: OpeningHours, at_ms: int) -> tuple[bool, int]:
    """Return whether it is open and when that changes, in a time zone that is known."""
    return open_and_next_change(hours, ZoneInfo(hours.time_zone), at_ms)


def utc(text: str) -> int:
    """Return a time in UTC as milliseconds."""
    return int(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp()) * 1_000


@pytest.mark.parametrize(
    ("at", "is_open", "next_change"),
    [
        ("2026-11-26 07:59:59", False, "2026-11-26 08:00"),  # a Thursday in winter: UTC+1
        ("2026-11-26 08:00", True, "2026-11-26 16:00"),
        ("2026-11-27 16:00", False, "2026-11-30 08:00"),  # over the weekend
        ("2026-07-15 07:00", True, "2026-07-15 15:00"),  # in summer: UTC+2
        ("2026-03-27 16:00", False, "2026-03-30 07:00"),  # over the change to summer time
    ],
)
def test_it_is_open_by_the_clock_of_its_time_zone(
    at: str, is_open: object, next_change: str
) -> None:
    assert reckoned(BERLIN, utc(at)) == (is_open, utc(next_change))


def all_week(opens_minute: int, closes_minute: int, *holidays: Holiday) -> OpeningHours:
    """Return hours that are the same every day, in Berlin."""
    week = (
        WeeklyHours(weekday=day, opens_minute=opens_minute, closes_minute=closes_minute)
        for day in range(1, 8)
    )
    return OpeningHours(time_zone="Europe/Berlin", weekly=tuple(week), holidays=holidays)


def test_an_hour_that_the_clock_skips_or_shows_twice_is_as_long_as_it_really_is() -> None:
    night = all_week(120, 180)  # from 2 to 3
    begins, ends = utc("2026-10-25 00:00"), utc("2026-10-25 02:00")
    assert reckoned(night, begins) == (True, ends), "the clock shows it twice"
    is_open, next_change = reckoned(night, utc("2026-03-29 00:59"))
    assert (is_open, next_change) == (False, utc("2026-03-30 00:00")), "the clock skips it"


@pytest.mark.parametrize(
    ("opens", "closes", "begins", "ends"),
    [
        (60, 150, "2026-03-29 00:00", "2026-03-29 01:00"),  # closes in the hour that is skipped
        (150, 300, "2026-03-29 01:00", "2026-03-29 03:00"),  # opens in it
    ],
)
def test_a_minute_that_the_clock_skips_is_when_it_skips_it(
    opens: int, closes: int, begins: str, ends: str
) -> None:
    hours = all_week(opens, closes)
    assert reckoned(hours, utc(begins) - 1) == (False, utc(begins))
    assert reckoned(hours, utc(begins)) == (True, utc(ends))
    assert reckoned(hours, utc(ends))[0] is False


class CountedText(str):
    """A date that counts how often it is compared."""

    __slots__ = ()
    compared = 0

    def __eq__(self, other: object) -> bool:
        CountedText.compared += 1
        return super().__eq__(other)

    __hash__ = str.__hash__


def test_a_year_of_holidays_is_not_looked_through_for_every_day() -> None:
    first = date(2026, 1, 1)
    days = (CountedText(first + timedelta(days=ahead)) for ahead in range(400))
    hours = OpeningHours(time_zone="UTC", holidays=tuple(Holiday(date=day) for day in days))
    CountedText.compared = 0
    assert reckoned(hours, utc("2026-01-01 00:00"))[0] is False
    assert CountedText.compared <= len(hours.holidays)


def test_a_time_zone_that_is_known_no_more_leaves_the_queue_as_it_is_for_a_day(
    floor: "Floor", monkeypatch: pytest.MonkeyPatch
) -> None:
    def gone(name: str) -> ZoneInfo:
        raise ZoneInfoNotFoundError(name)

    early, opens = utc("2026-11-26 06:00"), utc("2026-11-26 08:00")
    floor.tell(floor.queue_command("sales", hours=BERLIN), early)
    floor.pass_time(early)
    with monkeypatch.context() as patch:
        patch.setattr("huntgroup_routing.core.hours.ZoneInfo", gone)
        (closed,) = floor.pass_time(opens)
    assert isinstance(closed, QueueClosed)
    assert closed.next_change_at_ms == opens + DAY_MS
    (opened,) = floor.pass_time(opens + DAY_MS)
    assert isinstance(opened, QueueOpened), "known again"


def test_a_night_belongs_to_the_day_on_which_it_begins() -> None:
    night = all_week(22 * 60, 30 * 60)
    assert reckoned(night, utc("2026-11-26 04:00")) == (True, utc("2026-11-26 05:00"))
    closed = Holiday(date="2026-11-25")
    night = all_week(22 * 60, 30 * 60, closed)
    assert reckoned(night, utc("2026-11-26 04:00")) == (False, utc("2026-11-26 21:00"))


def test_hours_that_meet_are_one_and_a_holiday_has_its_own() -> None:
    short = Holiday(date="2026-12-24", opens_minute=NINE, closes_minute=12 * 60)
    hours = all_week(0, 1_440, short, Holiday(date="2026-12-25"))
    before = utc("2026-12-20 12:00")
    assert reckoned(hours, before) == (True, utc("2026-12-23 23:00"))
    assert reckoned(hours, utc("2026-12-24 11:00")) == (False, utc("2026-12-25 23:00"))


def test_hours_that_never_come_and_hours_far_away_are_reckoned_anew_in_time() -> None:
    never = OpeningHours(time_zone="UTC")
    is_open, again = reckoned(never, utc("2026-01-01 00:00"))
    assert (is_open, again > utc("2026-01-01 00:00") + 300 * DAY_MS) == (False, True)
    once = Holiday(date="2026-12-24", opens_minute=NINE, closes_minute=FIVE)
    hours = OpeningHours(time_zone="UTC", holidays=(once,))
    assert reckoned(hours, utc("2026-01-01 00:00")) == (False, utc("2026-12-24 09:00"))


def test_a_queue_opens_and_closes_by_itself_and_hands_back_who_comes_when_it_is_closed(
    floor: "Floor",
) -> None:
    early = utc("2026-11-26 06:00")
    floor.tell(floor.queue_command("sales", hours=BERLIN), early)
    assert floor.core.next_deadline(floor.state) == early
    (closed,) = floor.pass_time(early)
    assert isinstance(closed, QueueClosed)
    assert closed.next_change_at_ms == utc("2026-11-26 08:00")
    enqueued, dequeued = floor.contact("ada", at_ms=early + 1)
    assert isinstance(enqueued, ContactEnqueued)
    assert isinstance(dequeued, ContactDequeued)
    assert dequeued.overflow is not None
    assert (dequeued.overflow.trigger, dequeued.overflow.action) == ("CLOSED", "HAND_BACK")
    assert floor.core.next_deadline(floor.state) == utc("2026-11-26 08:00")
    (opened,) = floor.pass_time(utc("2026-11-26 08:00"))
    assert isinstance(opened, QueueOpened)
    again = type(floor)(state=floor.core.load("acme/emea", floor.core.dump(floor.state)))
    assert again.core.dump(again.state) == floor.core.dump(floor.state)
    assert len(again.contact("ben", at_ms=utc("2026-11-26 08:00"))) == 1


def test_who_waits_when_it_closes_stays_and_is_served(floor: "Floor") -> None:
    floor.contact("ada", at_ms=0)
    floor.tell(CloseQueue(queue_id=SALES, note="fire alarm"), 1)
    assert floor.offered(floor.agent("grace", at_ms=2)) == [("ada", "grace")]


def test_an_emergency_closes_whatever_the_hours_say_until_it_is_over(floor: "Floor") -> None:
    close = CloseQueue(queue_id=SALES, note="fire alarm")
    (closed,) = floor.tell(close, 1)
    assert isinstance(closed, QueueClosed)
    assert (closed.reason, closed.note) == ("BY_COMMAND", "fire alarm")
    assert floor.tell(close, 2) == ()
    assert len(floor.contact("ada", at_ms=3)) == 2
    (opened,) = floor.tell(OpenQueue(queue_id=SALES), 4)
    assert isinstance(opened, QueueOpened)
    assert floor.tell(OpenQueue(queue_id=SALES), 5) == ()
    assert len(floor.contact("ben", at_ms=6)) == 1
    assert floor.refused(CloseQueue(queue_id=QueueId("x"), note="-")).reason is Reason.QUEUE_UNKNOWN
    assert floor.refused(OpenQueue(queue_id=QueueId("x"))).reason is Reason.QUEUE_UNKNOWN


def test_a_closed_queue_sends_on_by_its_rule_and_takes_nobody_from_others(floor: "Floor") -> None:
    def to(queue_id: str, trigger: OverflowTrigger, limit: int = 0) -> OverflowRule:
        return OverflowRule(
            trigger=trigger,
            limit=limit,
            action=OverflowAction.QUEUE,
            queue_id=QueueId(queue_id),
        )

    floor.queue("night")
    floor.queue("sales", overflow=(to("night", OverflowTrigger.CLOSED),))
    floor.queue("first", overflow=(to("night", OverflowTrigger.WAITED, 5),))
    floor.tell(CloseQueue(queue_id=SALES, note="-"), 0)
    assert [type(one) for one in floor.contact("ada")] == [ContactEnqueued, ContactMoved]
    floor.tell(CloseQueue(queue_id=QueueId("night"), note="-"), 1)
    floor.contact("ben", queue_id="first", at_ms=1)
    assert [type(one) for one in floor.pass_time(6)] == [ContactKept]
    _, dequeued = floor.contact("cai", at_ms=7)
    assert isinstance(dequeued, ContactDequeued), "both are closed"


def test_hours_that_are_taken_away_close_no_more(floor: "Floor") -> None:
    never = OpeningHours(time_zone="UTC")
    floor.tell(floor.queue_command("sales", hours=never), 1)
    floor.pass_time(1)
    assert floor.state.queues[SALES].is_closed
    floor.tell(floor.queue_command("sales"), 2)
    assert not floor.state.queues[SALES].is_closed
    assert floor.core.next_deadline(floor.state) is None


@pytest.mark.parametrize(
    ("hours", "complaint"),
    [
        (OpeningHours(time_zone="Mars/Olympus"), "hours.time_zone 'Mars/Olympus' is no time zone"),
        (OpeningHours(time_zone="../etc"), "hours.time_zone '../etc' is no time zone"),
        (all_week(60, 60), "hours.weekly[0].closes_minute 60 is not later than opens_minute 60"),
        (all_week(0, 9, Holiday(date="2026-02-30")), "hours.holidays[0].date '2026-02-30' is no"),
        (
            all_week(0, 9, Holiday(date="2026-02-03", opens_minute=9, closes_minute=8)),
            "hours.holidays[0].closes_minute 8 is not later",
        ),
    ],
)
def test_hours_that_cannot_be_are_refused_by_name(
    floor: "Floor", hours: OpeningHours, complaint: str
) -> None:
    refused = floor.refused(floor.queue_command("sales", hours=hours))
    assert refused.reason is Reason.HOURS_INVALID
    assert refused.detail.startswith(complaint)
