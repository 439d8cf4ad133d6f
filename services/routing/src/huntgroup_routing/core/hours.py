"""When a queue is open: weekly hours and holidays in a time zone, and by command; told as changes at points in time.

What the time zone makes of the hours is reckoned once, when it is decided, and the journal keeps the result: whether
the queue is open, and when that changes. So a later edition of the time zone database changes no replay, only what is
decided from then on.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from enum import StrEnum
from itertools import islice, takewhile
from typing import Final
from zoneinfo import ZoneInfo

from huntgroup_routing.core.values import QueueId

DAY_MINUTES: Final = 1_440
NEAR_DAYS: Final = 9
"""First it is looked for so many days ahead when a queue opens or closes next,"""
FAR_DAYS: Final = 400
"""and then so many; if nothing changes until then, it is reckoned anew."""
DAY_MS: Final = 86_400_000


class ClosedReason(StrEnum):
    """What opened or closed a queue."""

    HOURS = "HOURS"
    BY_COMMAND = "BY_COMMAND"


@dataclass(frozen=True, slots=True, kw_only=True)
class WeeklyHours:
    """Open on a weekday (1: Monday) from one minute of the day to another, which may lie in the next day."""

    weekday: int
    opens_minute: int
    closes_minute: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Holiday:
    """Open on a date from one minute to another instead of the weekly hours; both 0: closed."""

    date: str
    opens_minute: int = 0
    closes_minute: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class OpeningHours:
    """When a queue is open; no weekly hours: never but for holidays that say so."""

    time_zone: str
    weekly: tuple[WeeklyHours, ...] = ()
    holidays: tuple[Holiday, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class CloseQueue:
    """Take nobody any more until `OpenQueue`, whatever the hours say."""

    queue_id: QueueId
    note: str


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenQueue:
    """End what `CloseQueue` began; the hours hold again."""

    queue_id: QueueId


@dataclass(frozen=True, slots=True, kw_only=True)
class QueueClosed:
    """A queue takes nobody; by its hours until `next_change_at_ms`."""

    at_ms: int
    queue_id: QueueId
    reason: ClosedReason
    note: str = ""
    next_change_at_ms: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class QueueOpened:
    """A queue takes contacts again; by its hours until `next_change_at_ms`."""

    at_ms: int
    queue_id: QueueId
    reason: ClosedReason
    next_change_at_ms: int = 0


def hours_complaints(hours: OpeningHours) -> Iterator[str]:
    """Yield what is wrong with opening hours."""
    try:
        ZoneInfo(hours.time_zone)
    except (ValueError, OSError, KeyError):  # not a name, or no such zone
        yield f"hours.time_zone {hours.time_zone!r} is no time zone that is known here"
    for index, weekly in enumerate(hours.weekly):
        if weekly.closes_minute <= weekly.opens_minute:
            yield (
                f"hours.weekly[{index}].closes_minute {weekly.closes_minute} is not later than"
                f" opens_minute {weekly.opens_minute}: a minute of the next day is {DAY_MINUTES} more"
            )
    for index, holiday in enumerate(hours.holidays):
        try:
            date.fromisoformat(holiday.date)
        except ValueError:
            yield f"hours.holidays[{index}].date {holiday.date!r} is no date"
        if holiday.closes_minute < holiday.opens_minute or (
            holiday.opens_minute and holiday.closes_minute == holiday.opens_minute
        ):
            yield (
                f"hours.holidays[{index}].closes_minute {holiday.closes_minute} is not later than"
                f" opens_minute {holiday.opens_minute}"
            )


def open_and_next_change(hours: OpeningHours, at_ms: int) -> tuple[bool, int]:
    """Return whether it is open at a time, and when that changes or is to be reckoned anew (ms)."""
    for days in (NEAR_DAYS, FAR_DAYS):
        spans = list(_spans(hours, at_ms, days))
        for begins_ms, ends_ms in spans:
            if begins_ms <= at_ms < ends_ms:
                return True, ends_ms
            if at_ms < begins_ms:
                return False, begins_ms
    return False, at_ms + (FAR_DAYS - NEAR_DAYS) * DAY_MS


def _spans(hours: OpeningHours, at_ms: int, days: int) -> Iterator[tuple[int, int]]:
    """Yield when it is open, from two days before a time on: spans that neither meet nor overlap, in order."""
    zone = ZoneInfo(hours.time_zone)
    today = datetime.fromtimestamp(at_ms // 1_000, UTC).astimezone(zone).date()
    found = sorted(
        (_at_ms(day, opens, zone, last=False), _at_ms(day, closes, zone, last=True))
        for day in (today + timedelta(days=ahead) for ahead in range(-2, days))
        for opens, closes in _minutes(hours, day)
    )
    begins_ms = ends_ms = 0
    for next_begins_ms, next_ends_ms in found:
        if next_begins_ms > ends_ms:
            if ends_ms > begins_ms:
                yield begins_ms, ends_ms
            begins_ms, ends_ms = next_begins_ms, next_ends_ms
        ends_ms = max(ends_ms, next_ends_ms)
    if ends_ms > begins_ms:
        yield begins_ms, ends_ms


def _minutes(hours: OpeningHours, day: date) -> list[tuple[int, int]]:
    holidays = [one for one in hours.holidays if one.date == day.isoformat()]
    if holidays:
        return [(one.opens_minute, one.closes_minute) for one in holidays if one.closes_minute]
    weekday = day.isoweekday()
    weekly = (one for one in hours.weekly if one.weekday == weekday)
    return [(one.opens_minute, one.closes_minute) for one in weekly]


def _at_ms(day: date, minute: int, zone: ZoneInfo, *, last: bool) -> int:
    """Return a minute of a local day as a point in time; of two that the clock shows alike, the first or the last."""
    later, minute = divmod(minute, DAY_MINUTES)
    clock = time(minute // 60, minute % 60, fold=int(last))
    local = datetime.combine(day + timedelta(days=later), clock, zone)
    return int(local.timestamp()) * 1_000


def head_of(dues: Iterator[tuple[int, QueueId]], at_ms: int, most: int) -> list[QueueId]:
    """Return the queues whose time has come, the earliest first; not more than one decision may hold."""
    return [queue_id for _, queue_id in islice(takewhile(lambda due: due[0] <= at_ms, dues), most)]
