"""When calls come in: the built-in day, or a CSV file, wide (counts per interval) or long (one arrival per row)."""

import csv
import random
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path

DAY_MS = 86_400_000
HOUR_MS = 3_600_000
CALLS_MAX = 1_000_000
COUNT_DIGITS_MAX = 9
START = re.compile(r"([01][0-9]|2[0-3]):([0-5][0-9])")
"""The name of an interval: local time to the minute, without seconds and without a zone."""

Rows = Iterator[tuple[int, list[str]]]
"""Rows that are not blank, each with the line it ends on."""

BANK_WEEKDAY_FROM_HOUR = 7
BANK_WEEKDAY = (41, 88, 123, 140, 122, 109, 114, 121, 120, 115, 93, 80, 65, 59, 61, 55, 42)
"""Calls per hour of a small bank's weekday, from 07:00 (Technion "Anonymous Bank" data, 1999)."""


class ArrivalsError(ValueError):
    """A file of arrivals cannot be used; the message names file, line, column and rule."""

    def __init__(self, file: Path, line: int, column: str, rule: str) -> None:
        place = f"{file}:{line}" if line else str(file)
        super().__init__(f"{place}: column {column}: {rule}" if column else f"{place}: {rule}")
        self._told = (file, line, column, rule)

    def __reduce__(self) -> tuple[type["ArrivalsError"], tuple[Path, int, str, str]]:
        """Let it cross from a worker to the process that asked."""
        return ArrivalsError, self._told


@dataclass(frozen=True, slots=True, kw_only=True)
class Day:
    """One day of calls."""

    date: date
    arrivals_ms: Sequence[int]
    """Milliseconds since midnight, growing."""

    @property
    def opens_ms(self) -> int:
        """Return the hour in which the first call comes in; 0 for a day without calls."""
        return self.arrivals_ms[0] // HOUR_MS * HOUR_MS if self.arrivals_ms else 0

    @property
    def closes_ms(self) -> int:
        """Return the end of the hour in which the last call comes in."""
        return (self.arrivals_ms[-1] // HOUR_MS + 1) * HOUR_MS if self.arrivals_ms else HOUR_MS


def bank_weekday(seed: int) -> Day:
    """Return the built-in day; within each hour calls come in at random, by `seed`."""
    counts = [
        ((BANK_WEEKDAY_FROM_HOUR + hour) * HOUR_MS, HOUR_MS, calls)
        for hour, calls in enumerate(BANK_WEEKDAY)
    ]
    return Day(date=date(1999, 9, 6), arrivals_ms=_spread(counts, seed))


def read_day(file: Path, day: date | None, seed: int) -> Day:
    """Return one day of `file`: the one asked for, or the busiest.

    A wide file begins with `date` and has a column per interval, named by its start (`00:00`, `00:06`, …), with counts.
    A long file has a column `arrived_at` with one ISO time per row. A byte order mark is passed over.
    Raises `ArrivalsError`.
    """
    try:
        with file.open(newline="", encoding="utf-8-sig") as opened:
            rows = _rows(file, opened)
            line, header = next(rows, (0, []))
            if not header:
                raise ArrivalsError(file, 1, "", "the file is empty")
            if line != 1:
                raise ArrivalsError(file, 1, "", "is blank; it must name the columns")
            names = [name.strip() for name in header]
            if names[0] == "date":
                return _read_wide(file, names, rows, day, seed)
            if "arrived_at" in names:
                return _read_long(file, names.index("arrived_at"), rows, day)
    except (OSError, UnicodeDecodeError) as error:
        why = error.strerror if isinstance(error, OSError) else error
        raise ArrivalsError(file, 0, "", f"cannot be read: {why}") from error
    raise ArrivalsError(file, 1, "", "the first column must be `date`, or one must be `arrived_at`")


def _rows(file: Path, opened: Iterable[str]) -> Rows:
    rows = csv.reader(opened)
    try:
        for row in rows:
            if row:
                yield rows.line_num, row
    except csv.Error as error:
        raise ArrivalsError(file, rows.line_num, "", f"is no CSV: {error}") from error


def _read_wide(file: Path, names: Sequence[str], rows: Rows, day: date | None, seed: int) -> Day:
    starts = _interval_starts(file, names)
    lengths = [after - start for start, after in zip(starts, [*starts[1:], DAY_MS], strict=True)]
    found: tuple[int, date, list[int]] | None = None
    seen: set[date] = set()
    for line, row in rows:
        if len(row) != len(names):
            raise ArrivalsError(
                file, line, "", f"has {len(row)} columns, the header has {len(names)}"
            )
        when = _date(file, line, row[0])
        if when in seen:
            raise ArrivalsError(file, line, "date", f"{when} is there twice")
        seen.add(when)
        counts = [
            _count(file, line, name, value) for name, value in zip(names[1:], row[1:], strict=True)
        ]
        total = sum(counts)
        if total > CALLS_MAX:
            raise ArrivalsError(file, line, "", f"{total} calls; at most {CALLS_MAX} a day")
        if when == day or (day is None and (found is None or total > found[0])):
            found = (total, when, counts)
    if found is None:
        wanted = f"there is no row for {day}" if day else "there is no row"
        raise ArrivalsError(file, 0, "", wanted)
    _, when, counts = found
    return Day(
        date=when, arrivals_ms=_spread(list(zip(starts, lengths, counts, strict=True)), seed)
    )


def _read_long(file: Path, column: int, rows: Rows, day: date | None) -> Day:
    days: dict[date, list[int]] = {}
    for line, row in rows:
        if len(row) <= column:
            raise ArrivalsError(file, line, "arrived_at", "is missing")
        try:
            at = datetime.fromisoformat(row[column].strip())
        except ValueError:
            rule = f"{row[column]!r} is no ISO 8601 time such as 1999-09-06T09:30:00"
            raise ArrivalsError(file, line, "arrived_at", rule) from None
        since = timedelta(
            hours=at.hour, minutes=at.minute, seconds=at.second, microseconds=at.microsecond
        )
        arrivals = days.setdefault(at.date(), [])
        arrivals.append(since // timedelta(milliseconds=1))
        if len(arrivals) > CALLS_MAX:
            raise ArrivalsError(
                file, line, "arrived_at", f"more than {CALLS_MAX} calls on {at.date()}"
            )
    if not days:
        raise ArrivalsError(file, 0, "", "there is no row")
    chosen = day or max(days, key=lambda one: (len(days[one]), one))
    if chosen not in days:
        raise ArrivalsError(file, 0, "", f"there is no row for {day}")
    return Day(date=chosen, arrivals_ms=sorted(days[chosen]))


def _interval_starts(file: Path, names: Sequence[str]) -> list[int]:
    starts: list[int] = []
    for name in names[1:]:
        named = START.fullmatch(name)
        if named is None:
            rule = "its name must be the start of the interval, hours and minutes such as 09:30"
            raise ArrivalsError(file, 1, name or repr(name), rule)
        start = (int(named[1]) * 60 + int(named[2])) * 60_000
        if starts and start <= starts[-1]:
            raise ArrivalsError(file, 1, name, "intervals must come in the order of their starts")
        starts.append(start)
    if not starts:
        raise ArrivalsError(file, 1, "date", "must be followed by a column per interval")
    return starts


def _date(file: Path, line: int, value: str) -> date:
    try:
        return date.fromisoformat(value.strip())
    except ValueError:
        raise ArrivalsError(
            file, line, "date", f"{value!r} is no date such as 1999-09-06"
        ) from None


def _count(file: Path, line: int, column: str, value: str) -> int:
    text = value.strip()
    if not text.isascii() or not text.isdigit():
        raise ArrivalsError(file, line, column, f"{value!r} is no number of calls (0 or more)")
    if len(text) > COUNT_DIGITS_MAX:
        raise ArrivalsError(file, line, column, f"at most {CALLS_MAX} calls a day")
    return int(text)


def _spread(counts: Sequence[tuple[int, int, int]], seed: int) -> list[int]:
    """Return arrivals at random within each (start, length, calls): a Poisson process given its counts."""
    chance = random.Random(seed)
    return sorted(
        start + chance.randrange(length) for start, length, calls in counts for _ in range(calls)
    )


def midnight_ms(day: date) -> int:
    """Return the beginning of the day in milliseconds since the epoch, taking local time for UTC."""
    return int(datetime.combine(day, time(), UTC).timestamp()) * 1_000
