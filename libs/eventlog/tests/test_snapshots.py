"""Where snapshots are kept: what comes late harms nothing, and a store that cannot be read is told."""

from collections.abc import Callable
from typing import Any

import obstore
import pytest
from obstore.exceptions import GenericError
from obstore.store import MemoryStore
from structlog.testing import capture_logs

from huntgroup_eventlog import snapshots
from huntgroup_eventlog.snapshots import End, ObjectSnapshotStore


@pytest.fixture
def store() -> ObjectSnapshotStore:
    return ObjectSnapshotStore(MemoryStore())


def end_at(position: int) -> End:
    async def end() -> int:
        return position

    return end


async def test_the_newest_two_are_kept(store: ObjectSnapshotStore) -> None:
    for position in (10, 20, 30):
        await store.put("routing", 0, position, b"%d" % position, end=end_at(35))
    assert await store.newest_first("routing", 0) == [b"30", b"20"]


async def test_the_newest_two_of_this_code_and_of_the_one_before_are_kept(
    store: ObjectSnapshotStore,
) -> None:
    async def after(*made: tuple[int, str]) -> list[bytes]:
        for position, code in made:
            dumped = f"{position} {code}".encode()
            await store.put("routing", 0, position, dumped, code=code, end=end_at(position + 1))
        return list(await store.newest_first("routing", 0))

    assert await after((10, ""), (20, "old"), (30, "old"), (40, "old")) == [
        *(b"40 old", b"30 old", b"10 "),
    ]
    assert await after((50, "new"), (60, "new"), (70, "new")) == [
        *(b"70 new", b"60 new", b"40 old", b"30 old"),
    ]
    assert await after((80, "old"), (90, "old")) == [b"90 old", b"80 old", b"70 new", b"60 new"]
    assert await after((100, "newest")) == [b"100 newest", b"90 old", b"80 old"]
    assert await after((100, "another")) == [b"100 newest", b"100 another"]


async def test_one_that_is_stored_late_deletes_no_newer_one(store: ObjectSnapshotStore) -> None:
    for position in (20, 30, 10):
        await store.put("routing", 0, position, b"%d" % position, end=end_at(30))
    assert (await store.newest_first("routing", 0))[:2] == [b"30", b"20"]
    await store.put("routing", 0, 40, b"40", end=end_at(45))
    assert await store.newest_first("routing", 0) == [b"40", b"30"]


async def test_what_stands_beyond_the_end_of_the_log_is_of_another_and_goes(
    store: ObjectSnapshotStore,
) -> None:
    await store.put("routing", 0, 9_000, b"of a log that is gone")
    await store.put("routing", 0, 40, b"40", end=end_at(41))
    assert await store.newest_first("routing", 0) == [b"40"]


@pytest.fixture
def failing_times(monkeypatch: pytest.MonkeyPatch) -> Callable[[int], None]:
    monkeypatch.setattr(snapshots, "READ_AGAIN_S", 0.0)
    listing = obstore.list_with_delimiter_async

    def fail(times: int) -> None:
        left = [times]

        async def listed(*args: Any) -> Any:
            left[0] -= 1
            if left[0] >= 0:
                raise GenericError("a hiccup")
            return await listing(*args)

        monkeypatch.setattr(obstore, "list_with_delimiter_async", listed)

    return fail


@pytest.mark.parametrize(("times", "found"), [(1, [b"10"]), (2, [])])
async def test_a_store_that_cannot_be_read_is_tried_again_and_told(
    store: ObjectSnapshotStore,
    failing_times: Callable[[int], None],
    times: int,
    found: list[bytes],
) -> None:
    await store.put("routing", 3, 10, b"10")
    failing_times(times)
    with capture_logs() as logs:
        assert await store.newest_first("routing", 3) == found
    told = [(one["log_level"], one["partition"], one["tries_left"]) for one in logs]
    assert told == [("warning", 3, 1), ("warning", 3, 0)][:times]
    assert "a hiccup" in logs[0]["error"]
