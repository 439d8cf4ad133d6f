"""The bounded memory of the newest records."""

from huntgroup_eventlog.adapters.tail_cache import TailCache
from huntgroup_eventlog.port import LogRecord


def record(position: int) -> LogRecord:
    return LogRecord(position=position, key=b"", value=b"")


def filled(bytes_max: int, count: int) -> TailCache:
    cache = TailCache(bytes_max)
    cache.start(1, 0)
    for position in range(count):
        cache.add(1, record(position), 600)
    return cache


def positions(cache: TailCache, position: int, limit: int = 10_000) -> list[int] | None:
    found = cache.read(1, position, limit)
    return None if found is None else [each.position for each in found]


def test_what_is_held_is_read_from_any_position() -> None:
    cache = filled(1_000_000, 10)
    assert positions(cache, 0) == list(range(10))
    assert positions(cache, 7) == [7, 8, 9]
    assert positions(cache, 3, limit=2) == [3, 4]
    assert positions(cache, 10) == []


def test_what_is_older_must_be_fetched_elsewhere() -> None:
    cache = filled(10_000, 1_000)
    assert cache.bytes_held == 10_000
    assert positions(cache, 989) is None
    assert positions(cache, 990) == list(range(990, 1_000))
    assert positions(cache, 999) == [999]


def test_headers_count_as_much_as_they_take() -> None:
    cache = TailCache(10_000)
    cache.start(1, 0)
    headers = {f"name-{number}": b"" for number in range(10)}
    for position in range(1_000):
        cache.add(1, LogRecord(position=position, key=b"", value=b"", headers=headers), 1_000)
    assert cache.bytes_held == 10_000
    assert positions(cache, 995) == list(range(995, 1_000))


def test_eviction_takes_the_oldest_of_all_streams() -> None:
    cache = TailCache(4_000)
    cache.start(1, 0)
    cache.start(2, 0)
    for position in range(3):
        cache.add(1, record(position), 600)
    for position in range(3):
        cache.add(2, record(position), 600)
    assert positions(cache, 1) is None
    assert positions(cache, 2) == [2]
    held = cache.read(2, 0, 10)
    assert held is not None
    assert len(held) == 3


def test_starting_again_forgets_and_keeps_the_bound() -> None:
    cache = filled(10_000, 5)
    cache.start(1, 8)
    assert positions(cache, 7) is None
    assert positions(cache, 8) == []
    for position in range(8, 100):
        cache.add(1, record(position), 600)
    assert cache.bytes_held == 10_000
    assert positions(cache, 90) == list(range(90, 100))


def test_gaps_between_positions_are_stepped_over() -> None:
    cache = TailCache(100_000)
    cache.start(1, 0)
    for position in (2, 5, 9):
        cache.add(1, record(position), 10)
    assert positions(cache, 0) == [2, 5, 9]
    assert positions(cache, 3) == [5, 9]
    assert positions(cache, 6) == [9]
