"""Chance is as the distributions say, and the same for the same seed."""

import itertools
import math
import random
import statistics
from pathlib import Path
from typing import Any

import msgspec
import pytest

from huntgroup_onebox.simulate.draws import Comer, Recorded, comers, drawing
from huntgroup_onebox.simulate.scenario import (
    ContactClass,
    Deterministic,
    Distribution,
    Empirical,
    Exponential,
    LogNormal,
)

DRAWN = 20_000


def contacts(seed: str = "1", folder: Path = Path(), journal: Any = (), **said: Any) -> list[Comer]:
    words = {"queue": "sales", "service": {"kind": "exponential", "mean_s": 60}}
    one = msgspec.convert(words | said, ContactClass)
    drawn = comers(0, "calls", one, seed=seed, folder=folder, journals={"calls": journal})
    return list(itertools.islice(drawn, DRAWN))


@pytest.mark.parametrize(
    ("distribution", "mean_ms", "deviation_ms"),
    [
        (Exponential(mean_s=60), 60_000, 60_000),
        (LogNormal(mean_s=180, sigma=0.8), 180_000, 180_000 * math.sqrt(math.exp(0.64) - 1)),
        (Deterministic(value_s=7.5), 7_500, 0),
        (Empirical(values_s=(1.0, 1.0, 4.0)), 2_000, 1_000 * math.sqrt(2)),
    ],
)
def test_times_have_the_mean_and_the_spread_that_the_file_says(
    distribution: Distribution, mean_ms: float, deviation_ms: float
) -> None:
    draw = drawing(distribution, random.Random(1))
    drawn = [draw() for _ in range(DRAWN)]
    assert statistics.fmean(drawn) == pytest.approx(mean_ms, rel=0.03)
    assert statistics.pstdev(drawn) == pytest.approx(deviation_ms, rel=0.1)


def test_poisson_arrivals_are_memoryless_at_their_rate() -> None:
    came = contacts(arrivals={"kind": "poisson", "per_hour": 3_600})
    gaps = [after.at_ms - before.at_ms for before, after in itertools.pairwise(came)]
    assert statistics.fmean(gaps) == pytest.approx(1_000, rel=0.03)
    assert statistics.pstdev(gaps) == pytest.approx(1_000, rel=0.05)


def test_a_profile_brings_each_interval_its_rate_and_nobody_after_it() -> None:
    came = contacts(
        arrivals={"kind": "profile", "interval_s": 3_600, "per_hour": [3_000, 0, 6_000, 1.5]}
    )
    hours = [int(one.at_ms // 3_600_000) for one in came]
    assert hours == sorted(hours)
    assert hours.count(0) == pytest.approx(3_000, rel=0.06)
    assert hours.count(1) == 0
    assert hours.count(2) == pytest.approx(6_000, rel=0.04)
    assert hours[-1] <= 3


def test_a_day_of_a_file_is_shared_out(tmp_path: Path) -> None:
    (tmp_path / "day.csv").write_text("date,09:00,10:00\n1999-09-06,400,0\n1999-09-07,0,600\n")
    arrivals = {"kind": "csv", "file": "day.csv"}
    came = contacts(folder=tmp_path, arrivals=arrivals)
    assert len(came) == 600
    assert min(one.at_ms for one in came) >= 10 * 3_600_000
    first = contacts(folder=tmp_path, arrivals={**arrivals, "day": "1999-09-06", "share": 0.25})
    assert len(first) == pytest.approx(100, abs=30)


def test_the_same_seed_brings_the_same_contacts_and_another_seed_others() -> None:
    poisson = {"kind": "poisson", "per_hour": 60}
    one = contacts(arrivals=poisson, patience={"kind": "exponential", "mean_s": 5})
    patient = contacts(arrivals=poisson)
    times = [(came.at_ms, came.service_ms) for came in one]
    assert times == [(came.at_ms, came.service_ms) for came in patient]
    assert times != [(came.at_ms, came.service_ms) for came in contacts(seed="2", arrivals=poisson)]
    assert all(came.patience_ms == math.inf for came in patient)


def test_contacts_of_a_journal_come_as_they_came() -> None:
    journal = [
        Recorded(at_ms=0, handled_ms=60_000, gave_up_after_ms=None),
        Recorded(at_ms=500, handled_ms=None, gave_up_after_ms=9_000),
    ]
    came = contacts(
        journal=journal,
        service=None,
        patience={"kind": "deterministic", "value_s": 30},
        arrivals={"kind": "journal", "directory": "day", "domain": "a/b", "queue": "sales"},
    )
    assert [(one.at_ms, one.service_ms, one.patience_ms) for one in came] == [
        (0.0, 60_000.0, 30_000.0),
        (500.0, 60_000.0, 9_000.0),
    ]
