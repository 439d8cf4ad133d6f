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
    if zone_of(hours) is None:
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


def zone_of(hours: OpeningHours) -> ZoneInfo | None:
    """Return the time zone of opening hours; None when the time zone database here has none of that name."""
    try:
        return ZoneInfo(hours.time_zone)
    except (ValueError, OSError, KeyError):  # not a name, or no such zone
        return None


def open_and_next_change(hours: OpeningHours, zone: ZoneInfo, at_ms: int) -> tuple[bool, int]:
    """Return whether it is open at a time, and when that changes or is to be reckoned anew (ms)."""
    by_date = _by_date(hours)
    for days in (NEAR_DAYS, FAR_DAYS):
        open_until_ms = at_ms
        for begins_ms, ends_ms in _spans(hours, by_date, zone, at_ms, days):
            if begins_ms > open_until_ms:
                is_open = open_until_ms > at_ms
                return is_open, open_until_ms if is_open else begins_ms
            open_until_ms = max(open_until_ms, ends_ms)
        if open_until_ms > at_ms:
            return True, open_until_ms
    return False, at_ms + (FAR_DAYS - NEAR_DAYS) * DAY_MS


Minutes = list[tuple[int, int]]


def _by_date(hours: OpeningHours) -> dict[date, Minutes]:
    """Return the minutes of the holidays, so that each day is one lookup."""
    by_date: dict[date, Minutes] = {}
    for one in hours.holidays:
        minutes = by_date.setdefault(date.fromisoformat(one.date), [])
        if one.closes_minute:
            minutes.append((one.opens_minute, one.closes_minute))
    return by_date


def _spans(
    hours: OpeningHours, by_date: dict[date, Minutes], zone: ZoneInfo, at_ms: int, days: int
) -> Iterator[tuple[int, int]]:
    """Yield when it is open, from two days before a time on, by their begins; they may meet or overlap."""
    by_weekday: dict[int, Minutes] = {}
    for one in hours.weekly:
        by_weekday.setdefault(one.weekday, []).append((one.opens_minute, one.closes_minute))
    today = datetime.fromtimestamp(at_ms // 1_000, UTC).astimezone(zone).date()
    for ahead in range(-2, days):
        day = today + timedelta(days=ahead)
        minutes = by_date.get(day)
        if minutes is None:
            minutes = by_weekday.get(day.isoweekday(), [])
        for opens, closes in sorted(minutes):
            begins_ms = _at_ms(day, opens, zone, last=False)
            ends_ms = _at_ms(day, closes, zone, last=True)
            if ends_ms > begins_ms:  # else the clock skips all of it
                yield begins_ms, ends_ms


def _at_ms(day: date, minute: int, zone: ZoneInfo, *, last: bool) -> int:
    """Return a minute of a local day as a point in time.

    Of two that the clock shows alike, the first or the last; when it skips the minute, when it does.
    """
    later, minute = divmod(minute, DAY_MINUTES)
    clock = time(minute // 60, minute % 60, fold=int(last))
    local = datetime.combine(day + timedelta(days=later), clock, zone)
    at = int(local.timestamp())
    if datetime.fromtimestamp(at, zone).replace(tzinfo=None) == local.replace(tzinfo=None):
        return at * 1_000
    return _skips_at(local) * 1_000


def _skips_at(skipped: datetime) -> int:
    """Return when the clock skips a local time (s): between its readings by the offsets after and before."""
    before, after = (int(skipped.replace(fold=fold).timestamp()) for fold in (1, 0))
    offset = datetime.fromtimestamp(before, skipped.tzinfo).utcoffset()
    while after - before > 1:
        middle = (before + after) // 2
        if datetime.fromtimestamp(middle, skipped.tzinfo).utcoffset() == offset:
            before = middle
        else:
            after = middle
    return after


def head_of(dues: Iterator[tuple[int, QueueId]], at_ms: int, most: int) -> list[QueueId]:
    """Return the queues whose time has come, the earliest first; not more than one decision may hold."""
    return [queue_id for _, queue_id in islice(takewhile(lambda due: due[0] <= at_ms, dues), most)]
