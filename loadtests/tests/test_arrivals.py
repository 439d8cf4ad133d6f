"""Files of arrivals: what they may look like, and what is said about each way to get one wrong."""

import os
import pickle
from datetime import date
from pathlib import Path

import pytest

from huntgroup_loadtest.arrivals import (
    BANK_WEEKDAY,
    HOUR_MS,
    ArrivalsError,
    bank_weekday,
    read_day,
)

MINUTE_MS = 60_000
WIDE = "date,09:00,09:30,10:00\n1999-09-06,2,0,1\n1999-09-07,1,1,0\n"
LONG = (
    "caller,arrived_at\na,1999-09-06T09:30:01\nb,1999-09-07T00:00:00\nc,1999-09-06T08:15:00.250\n"
)


def written(folder: Path, text: str, encoding: str = "utf-8") -> Path:
    file = folder / "arrivals.csv"
    file.write_bytes(text.encode(encoding))
    return file


def test_the_built_in_day_has_its_calls_in_their_hours() -> None:
    day = bank_weekday(1)
    assert len(day.arrivals_ms) == sum(BANK_WEEKDAY)
    assert day.opens_ms == 7 * HOUR_MS
    assert day.closes_ms == 24 * HOUR_MS
    assert day == bank_weekday(1) != bank_weekday(2)


def test_the_busiest_day_of_a_wide_file_is_played(tmp_path: Path) -> None:
    day = read_day(written(tmp_path, WIDE), None, seed=1)
    assert day.date == date(1999, 9, 6)
    first, second, third = day.arrivals_ms
    assert 9 * HOUR_MS <= first <= second < 9 * HOUR_MS + 30 * MINUTE_MS
    assert 10 * HOUR_MS <= third < 24 * HOUR_MS
    assert list(day.arrivals_ms) == sorted(day.arrivals_ms)


def test_a_day_can_be_chosen(tmp_path: Path) -> None:
    day = read_day(written(tmp_path, WIDE), date(1999, 9, 7), seed=1)
    assert (day.date, len(day.arrivals_ms)) == (date(1999, 9, 7), 2)
    day = read_day(written(tmp_path, LONG), date(1999, 9, 7), seed=1)
    assert (day.date, list(day.arrivals_ms)) == (date(1999, 9, 7), [0])


def test_a_long_file_is_taken_to_the_millisecond(tmp_path: Path) -> None:
    day = read_day(written(tmp_path, LONG), None, seed=1)
    assert day.date == date(1999, 9, 6)
    assert list(day.arrivals_ms) == [
        8 * HOUR_MS + 15 * MINUTE_MS + 250,
        9 * HOUR_MS + 30 * MINUTE_MS + 1_000,
    ]


@pytest.mark.parametrize("text", [WIDE, LONG])
def test_a_byte_order_mark_is_passed_over(tmp_path: Path, text: str) -> None:
    plain = read_day(written(tmp_path, text), None, seed=1)
    assert read_day(written(tmp_path, text, "utf-8-sig"), None, seed=1) == plain


def test_blank_lines_between_rows_are_passed_over(tmp_path: Path) -> None:
    plain = read_day(written(tmp_path, WIDE), None, seed=1)
    spaced = WIDE.replace("\n", "\r\n\r\n")
    assert read_day(written(tmp_path, spaced), None, seed=1) == plain


@pytest.mark.parametrize(
    ("text", "place", "rule"),
    [
        ("", ":1: ", "the file is empty"),
        ("\n" + WIDE, ":1: ", "is blank; it must name the columns"),
        ("day,09:00\n", ":1: ", "the first column must be `date`, or one must be `arrived_at`"),
        ("date\n1999-09-06\n", ":1: column date: ", "must be followed by a column per interval"),
        ("date,nine\n", ":1: column nine: ", "must be the start of the interval"),
        ("date,09:00:30\n", ":1: column 09:00:30: ", "hours and minutes such as 09:30"),
        ("date,09:00+02:00\n", ":1: column 09:00+02:00: ", "must be the start"),
        ("date,09:00Z\n", ":1: column 09:00Z: ", "must be the start"),
        ("date,24:00\n", ":1: column 24:00: ", "must be the start"),
        ("date,09:00,\n", ":1: column '': ", "must be the start"),
        ("date,10:00,09:00\n", ":1: column 09:00: ", "in the order of their starts"),
        ("date,09:00,09:00\n", ":1: column 09:00: ", "in the order of their starts"),
        ("date,09:00\n6 Sep,1\n", ":2: column date: ", "'6 Sep' is no date such as 1999-09-06"),
        ("date,09:00\n1999-09-06,x\n", ":2: column 09:00: ", "'x' is no number of calls"),
        ("date,09:00\n1999-09-06,-1\n", ":2: column 09:00: ", "'-1' is no number of calls"),
        ("date,09:00\n1999-09-06,1.5\n", ":2: column 09:00: ", "'1.5' is no number of calls"),
        ("date,09:00\n1999-09-06,\n", ":2: column 09:00: ", "'' is no number of calls"),
        (f"date,09:00\n1999-09-06,{'9' * 5_000}\n", ":2: column 09:00: ", "at most 1000000"),
        ("date,09:00\n1999-09-06,1000001\n", ":2: ", "at most 1000000 a day"),
        ("date,09:00\n1999-09-06,1,2\n", ":2: ", "has 3 columns, the header has 2"),
        ("date,09:00\n\n\n1999-09-06\n", ":4: ", "has 1 columns, the header has 2"),
        ('date,09:00\n"1999-09-06\n",1\n1999-09-07,x\n', ":4: column 09:00: ", "'x' is no number"),
        ("date,09:00\n1999-09-06,1\n1999-09-06,2\n", ":3: column date: ", "is there twice"),
        ("date,09:00\n", ": ", "there is no row"),
        ("caller,arrived_at\na,soon\n", ":2: column arrived_at: ", "'soon' is no ISO 8601 time"),
        ("caller,arrived_at\na,1999-09-06T09:00\nb\n", ":3: column arrived_at: ", "is missing"),
        ("arrived_at\n", ": ", "there is no row"),
    ],
)
def test_what_is_wrong_is_named_by_file_line_column_and_rule(
    tmp_path: Path, text: str, place: str, rule: str
) -> None:
    file = written(tmp_path, text)
    with pytest.raises(ArrivalsError) as refused:
        read_day(file, None, seed=1)
    assert str(refused.value).startswith(f"{file}{place}")
    assert rule in str(refused.value)


@pytest.mark.parametrize("text", [WIDE, LONG])
def test_a_day_that_is_not_in_the_file_is_named(tmp_path: Path, text: str) -> None:
    file = written(tmp_path, text)
    with pytest.raises(ArrivalsError, match="there is no row for 2001-01-01") as refused:
        read_day(file, date(2001, 1, 1), seed=1)
    assert str(file) in str(refused.value)


def test_what_is_wrong_with_a_file_can_be_told_by_another_process(tmp_path: Path) -> None:
    with pytest.raises(ArrivalsError) as refused:
        read_day(tmp_path / "none.csv", None, seed=1)
    assert str(pickle.loads(pickle.dumps(refused.value))) == str(refused.value)


def test_files_that_cannot_be_read_are_named(tmp_path: Path) -> None:
    with pytest.raises(ArrivalsError, match="cannot be read"):
        read_day(tmp_path / "none.csv", None, seed=1)
    with pytest.raises(ArrivalsError, match="cannot be read"):
        read_day(tmp_path, None, seed=1)
    with pytest.raises(ArrivalsError, match="cannot be read"):
        read_day(written(tmp_path, "date,é\n", "latin-1"), None, seed=1)


def test_a_real_centre_s_days_are_read() -> None:
    name = os.environ.get("HUNTGROUP_SAMPLE_ARRIVALS")
    if not name:
        pytest.skip("HUNTGROUP_SAMPLE_ARRIVALS names no file")
    lines = [line.split(",") for line in Path(name).read_text(encoding="utf-8-sig").splitlines()]
    totals = {row[0]: sum(map(int, row[1:])) for row in lines[1:] if len(row) > 1}
    busiest = read_day(Path(name), None, seed=1)
    assert len(busiest.arrivals_ms) == max(totals.values()) == totals[str(busiest.date)]
    for when in (min(totals), max(totals)):
        day = read_day(Path(name), date.fromisoformat(when), seed=1)
        assert len(day.arrivals_ms) == totals[when]
