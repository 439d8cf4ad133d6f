"""Millions of ids in little memory: the same as a dictionary, only smaller."""

import random

import pytest

from huntgroup_onebox.audit import compact
from huntgroup_onebox.audit.compact import CompactMap


@pytest.fixture(autouse=True)
def small_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(compact, "RECENT_MAX", 8)
    monkeypatch.setattr(compact, "RUN_MAX", 64)


@pytest.mark.parametrize("seed", range(20))
def test_it_remembers_what_a_dictionary_does(seed: int) -> None:
    chance = random.Random(seed)
    ids, expected = CompactMap(), dict[str, int]()
    for _ in range(600):
        key, number = f"id-{chance.randrange(400)}", chance.randrange(2**32)
        assert ids.get(key) == expected.get(key)
        ids.put(key, number)
        expected[key] = number
    assert {key: ids.get(key) for key in expected} == expected
    assert len(ids) == len(expected)


def test_it_tells_nothing_of_what_it_never_saw() -> None:
    ids = CompactMap()
    for number in range(1_000):
        ids.put(f"id-{number}")
    assert all(ids.get(f"other-{number}") is None for number in range(1_000))
