"""The memory of commands: what it remembers, for how long, in how much memory, and how little one call does."""

import gc
import tracemalloc

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from huntgroup_eventlog.journal import command_pages
from huntgroup_eventlog.journal.command_memory import (
    BUCKET_MS,
    RETENTION_MS,
    CommandMemory,
    Remembered,
)
from huntgroup_eventlog.journal.command_pages import PAGE_MAX, SHRUNK_PAGES, Pages

HOURS = RETENTION_MS // BUCKET_MS


def filled(count: int, at_ms: int = 0, every: int = 0) -> CommandMemory:
    memory = CommandMemory()
    for n in range(count):
        reason = ("FULL", f"no room for {n}") if every and n % every == 0 else ("", "")
        memory.remember(f"c{n}", Remembered(n, n, *reason), at_ms)
    return memory


def pages_of(memory: CommandMemory) -> list[Pages]:
    return [pages for _, pages in memory._hours]


def test_a_command_is_recalled_until_25_hours_after_its_hour_began() -> None:
    memory = CommandMemory()
    memory.remember("a", Remembered(7, 70, "FULL", "no room"), BUCKET_MS - 1)
    assert memory.recall("b") is None
    memory.remember("b", Remembered(8, 80), RETENTION_MS + BUCKET_MS - 1)
    assert memory.recall("a") == Remembered(7, 70, "FULL", "no room")
    assert memory.count_at(0) == 2
    memory.remember("c", Remembered(9, 90), RETENTION_MS + BUCKET_MS)
    assert memory.recall("a") is None
    assert memory.count_at(0) == 2


def test_a_command_is_remembered_for_at_least_24_hours_of_log_time() -> None:
    memory = CommandMemory()
    memory.remember("a", Remembered(7, 70), BUCKET_MS - 1)
    memory.remember("b", Remembered(8, 80), BUCKET_MS - 1 + RETENTION_MS)
    assert memory.recall("a") is not None


def test_a_position_is_confirmed_after_the_hour_has_turned_and_the_pages_were_split() -> None:
    memory = CommandMemory()
    memory.remember("a", Remembered(-1, 1, "FULL", "no room"), 0)
    for n in range(3 * PAGE_MAX):
        memory.remember(f"c{n}", Remembered(n, n), n % 2 * BUCKET_MS)
    memory.confirm("a", 5)
    memory.confirm("never seen", 6)
    assert memory.recall("a") == Remembered(5, 1, "FULL", "no room")


def test_the_dump_of_an_owner_that_confirms_later_is_that_of_a_replay() -> None:
    live, replay = CommandMemory(), CommandMemory()
    waiting: list[tuple[str, int]] = []
    for n in range(6_000):
        at_ms, reason = n * BUCKET_MS // 200, "FULL" if n % 7 == 0 else ""
        live.remember(f"c{n}", Remembered(-1, n, reason, reason.lower()), at_ms)
        replay.remember(f"c{n}", Remembered(n // 3, n, reason, reason.lower()), at_ms)
        waiting.append((f"c{n}", n // 3))
        if len(waiting) == 50:
            for command_id, position in waiting:
                live.confirm(command_id, position)
            waiting.clear()
    assert live.dump() == replay.dump()
    assert live.count_at(0) == replay.count_at(0) == len(range(6_000 - 200 * (HOURS + 1), 6_000))


@pytest.mark.parametrize("count", [0, 1, PAGE_MAX, 5_000])
def test_what_was_loaded_goes_on_as_what_was_dumped(count: int) -> None:
    memory = filled(count, every=3)
    loaded = CommandMemory.load(memory.dump())
    assert loaded.dump() == memory.dump()
    assert loaded.count_at(0) == count
    for one in (memory, loaded):
        for n in range(2_000):
            one.remember(
                f"later{n}", Remembered(n, 1, "FULL" if n % 2 else ""), BUCKET_MS * (n % 3)
            )
    assert loaded.dump() == memory.dump()
    assert all(loaded.recall(f"c{n}") == memory.recall(f"c{n}") for n in range(count))


def test_what_cannot_be_read_is_a_value_error() -> None:
    dumped = filled(2_000, every=9).dump()
    swapped = bytearray(dumped)
    begin = len(dumped) - 20 * 2_000
    swapped[begin : begin + 8], swapped[begin + 8_000 : begin + 8_008] = (
        dumped[begin + 8_000 : begin + 8_008],
        dumped[begin : begin + 8],
    )
    for broken in (b"", b"\x90", dumped[:-1], dumped + b"\0", dumped[4:], bytes(swapped)):
        with pytest.raises(ValueError, match=r".+"):
            CommandMemory.load(broken)


Step = tuple[str, int, int, int]
steps = st.lists(
    st.tuples(
        st.sampled_from(("remember", "remember", "refuse", "confirm", "load")),
        st.integers(0, 40),
        st.integers(0, 1_000),
        st.sampled_from((0, 0, 0, 60_000, BUCKET_MS, 11 * BUCKET_MS, 26 * BUCKET_MS)),
    ),
    max_size=120,
)


@settings(deadline=None)
@given(steps=steps)
def test_it_behaves_as_a_dictionary_with_expiry(steps: list[Step]) -> None:
    with pytest.MonkeyPatch.context() as patch:  # so small that a few commands split pages
        patch.setattr(command_pages, "PAGE_MAX", 4)
        patch.setattr(command_pages, "REFUSALS_MAX", 2)
        patch.setattr(command_pages, "SHRUNK_PAGES", 1)
        compare(steps)


def compare(steps: list[Step]) -> None:
    """Play the steps on the memory and on a plain dictionary, and compare after each."""
    memory, model, now_ms = CommandMemory(), dict[tuple[int, str], Remembered](), 0
    for what, number, value, later in steps:
        command_id = f"c{number}"
        if what == "load":
            memory = CommandMemory.load(memory.dump())
        elif what == "confirm":
            memory.confirm(command_id, value)
            hour = max((hour for hour, one in model if one == command_id), default=None)
            if hour is not None:
                old = model[hour, command_id]
                model[hour, command_id] = Remembered(value, old.check, old.reason, old.detail)
        else:
            now_ms += later
            reason = "FULL" if what == "refuse" else ""
            remembered = Remembered(-1, value, reason, reason and f"no room for {value}")
            memory.remember(command_id, remembered, now_ms)
            hour = now_ms // BUCKET_MS
            model = {key: one for key, one in model.items() if hour - key[0] <= HOURS}
            model[hour, command_id] = remembered
        newest = {command_id: model[hour, command_id] for hour, command_id in sorted(model)}
        assert memory.count_at(0) == len(model)
        assert {f"c{n}": memory.recall(f"c{n}") for n in range(41)} == {
            f"c{n}": newest.get(f"c{n}") for n in range(41)
        }


def test_a_remembered_command_takes_at_most_40_bytes() -> None:
    gc.collect()
    tracemalloc.start()
    try:
        memory = filled(50_000)
        gc.collect()
        used, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert used / memory.count_at(0) <= 40


def test_no_call_does_more_than_the_work_of_a_page() -> None:
    memory, before = filled(1), 1
    (pages,) = pages_of(memory)
    for n in range(1, 20_000):
        memory.remember(f"c{n}", Remembered(n, n), 0)
        assert len(pages._keys) - before in (0, 1), "one call splits one page at most"
        before = len(pages._keys)
    assert max(len(keys) for keys in pages._keys) < PAGE_MAX
    assert len(pages._keys) < 2 * 20_000 / PAGE_MAX + 2


def test_the_turn_of_the_hour_moves_nothing() -> None:
    memory = filled(10_000)
    (pages,) = pages_of(memory)
    arrays = [id(one) for one in pages.raw()]
    memory.remember("next", Remembered(1, 1), BUCKET_MS)
    assert [id(one) for one in pages_of(memory)[0].raw()] == arrays


def test_what_is_forgotten_is_freed_a_little_with_each_command() -> None:
    memory = filled(100_000, every=20)
    left = len(pages_of(memory)[0]._keys)
    refusals = len(pages_of(memory)[0].refusals)
    assert left > 2 * SHRUNK_PAGES
    assert refusals == 2
    memory.remember("much later", Remembered(1, 1), 30 * BUCKET_MS)
    assert memory.count_at(0) == 1
    (forgotten,) = memory._forgotten
    for n in range(1, refusals + left // SHRUNK_PAGES + 1):
        assert len(forgotten._keys) >= left - SHRUNK_PAGES * n
        memory.remember(f"later{n}", Remembered(1, 1), 30 * BUCKET_MS)
    assert not memory._forgotten


def test_a_dictionary_of_refusals_stays_small(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(command_pages, "REFUSALS_MAX", 100)
    memory = filled(1_050, every=1)
    (pages,) = pages_of(memory)
    assert [len(some) for some in pages.refusals] == [100] * 10 + [50]
    assert memory.recall("c3") == Remembered(3, 3, "FULL", "no room for 3")
