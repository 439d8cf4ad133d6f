"""Days so small that every figure can be told by hand."""

import math
from pathlib import Path
from typing import Any

import pytest

from huntgroup_onebox.simulate.measures import jain

from .conftest import Play


@pytest.fixture
def day(tmp_path: Path) -> Path:
    return tmp_path


def arrivals(folder: Path, *seconds: float, name: str = "day.csv") -> dict[str, Any]:
    rows = "".join(f"1999-09-06T00:{int(at // 60):02d}:{at % 60:06.3f}\n" for at in seconds)
    (folder / name).write_text(f"arrived_at\n{rows}")
    return {"kind": "csv", "file": name}


def calls(came: dict[str, Any], **said: Any) -> dict[str, Any]:
    service = {"kind": "deterministic", "value_s": 100}
    return {"queue": "sales", "arrivals": came, "service": service, **said}


def test_one_agent_serves_one_after_another(day: Path, played: Play) -> None:
    came = arrivals(day, 10, 60, 95)
    figures = played(folder=day, classes={"calls": calls(came)})["classes"]["calls"]
    assert figures["contacts"] == 3
    assert figures["wait_mean_s"] == pytest.approx((0 + 50 + 115) / 3)
    assert figures["wait_p50_s"] == 50
    assert figures["wait_p99_s"] == 115
    assert figures["waited"] == pytest.approx(2 / 3)
    assert figures["service_level"] == pytest.approx(1 / 3)
    assert figures["abandonment"] == 0


def test_who_has_no_patience_leaves_and_is_not_counted_as_answered(day: Path, played: Play) -> None:
    came = arrivals(day, 10, 60, 95)
    patience = {"kind": "deterministic", "value_s": 20}
    figures = played(folder=day, classes={"calls": calls(came, patience=patience)})["all"]["all"]
    # The second leaves at 80 s, the third is answered at 110 s, within their patience.
    assert figures["abandonment"] == pytest.approx(1 / 3)
    assert figures["asa_s"] == pytest.approx((0 + 15) / 2)
    assert figures["wait_mean_s"] == pytest.approx((0 + 20 + 15) / 3)
    assert (
        figures["service_level"] == 1.0
    )  # to leave within the threshold is not held against anybody


def test_agents_are_busy_while_they_serve_and_wrap_up(day: Path, played: Play) -> None:
    wrap_up = {"kind": "deterministic", "value_s": 50}
    came = arrivals(day, 0, 400)
    figures = played(
        folder=day,
        classes={"calls": calls(came, wrap_up=wrap_up)},
        agents={"team": {"count": 2}, "quick": {"count": 1, "speed": 2.0, "from_s": 300}},
    )["agents"]
    # The first goes to team-1 for 150 s, the second to team-2, idle for longest.
    assert figures["team"]["occupancy"] == pytest.approx(0.15)
    assert figures["team"]["fairness"] == 1.0
    assert figures["quick"]["occupancy"] == 0.0


def test_a_quick_agent_is_done_earlier(day: Path, played: Play) -> None:
    came = arrivals(day, 0, 10)
    quick = {"team": {"count": 1, "speed": 4.0}}
    figures = played(folder=day, classes={"calls": calls(came)}, agents=quick)["classes"]["calls"]
    assert figures["wait_mean_s"] == pytest.approx((0 + 15) / 2)


def test_a_shift_ends_and_what_is_under_way_is_served_to_its_end(day: Path, played: Play) -> None:
    came = arrivals(day, 10, 30, 200)
    shift = {"team": {"count": 1, "from_s": 20, "until_s": 60}}
    told = played(folder=day, classes={"calls": calls(came)}, agents=shift)
    figures = told["classes"]["calls"]
    assert figures["wait_mean_s"] == 10  # the first, who waited for the shift to begin
    assert figures["left_waiting"] == pytest.approx(2 / 3)
    assert told["agents"]["team"]["occupancy"] == 1.0  # overtime is not counted


def test_agents_may_take_a_while_to_answer_and_ringing_is_waiting(day: Path, played: Play) -> None:
    came = arrivals(day, 10)
    slow = {"team": {"count": 1, "answer_after": {"kind": "deterministic", "value_s": 4}}}
    told = played(folder=day, classes={"calls": calls(came)}, agents=slow, run={"until_s": 204})
    assert told["classes"]["calls"]["wait_mean_s"] == 4
    assert told["agents"]["team"]["occupancy"] == pytest.approx(0.5)


def test_an_offer_that_rings_out_goes_to_the_next(day: Path, played: Play) -> None:
    came = arrivals(day, 10)
    agents = {
        "absent": {"count": 1, "answer_after": {"kind": "deterministic", "value_s": 90}},
        "team": {"count": 1, "from_s": 1},
    }
    figures = played(folder=day, classes={"calls": calls(came)}, agents=agents)["all"]["all"]
    assert figures["wait_mean_s"] == 20  # the ring timeout of the queue


def test_a_customer_who_leaves_while_it_rings_frees_the_agent(day: Path, played: Play) -> None:
    agents = {"team": {"count": 1, "answer_after": {"kind": "deterministic", "value_s": 8}}}
    classes = {
        "hasty": calls(arrivals(day, 10), patience={"kind": "deterministic", "value_s": 5}),
        "calls": calls(arrivals(day, 20, name="later.csv")),
    }
    told = played(folder=day, classes=classes, agents=agents)["classes"]
    assert told["hasty"]["abandonment"] == 1.0
    assert told["calls"]["wait_mean_s"] == 8


def test_contacts_are_turned_away_where_too_many_wait(day: Path, played: Play) -> None:
    classes = {"calls": calls(arrivals(day, 0, 1, 2, 3))}
    by_queue = played(folder=day, classes=classes, queues={"sales": {"waiting_max": 1}})
    assert by_queue["classes"]["calls"]["turned_away"] == 0.5
    assert played(folder=day, classes=classes, waiting_max=2)["all"]["all"]["turned_away"] == 0.25


def test_a_step_of_the_queue_lets_other_agents_serve(day: Path, played: Play) -> None:
    """Nobody has the skill; after 30 s none is asked for."""
    policy = {"requirement": 'skill("web") >= 1', "steps": [{"after_ms": 30_000}]}
    figures = played(
        folder=day,
        classes={"calls": calls(arrivals(day, 10))},
        queues={"sales": {"policy": policy}},
    )
    assert figures["classes"]["calls"]["wait_mean_s"] == 30


def test_the_warm_up_is_not_counted(day: Path, played: Play) -> None:
    came = arrivals(day, 10, 60, 95)
    told = played(
        folder=day, classes={"calls": calls(came)}, run={"contacts": 3, "warm_up_contacts": 1}
    )
    assert told["classes"]["calls"]["contacts"] == 2
    assert told["classes"]["calls"]["wait_mean_s"] == pytest.approx((50 + 115) / 2)
    assert told["agents"]["team"]["occupancy"] == 1.0  # from 60 s to 95 s


def test_waits_are_told_by_queue_class_and_group_that_answered(day: Path, played: Play) -> None:
    classes = {
        "gold": calls(arrivals(day, 1, name="gold.csv"), priority=10),
        "plain": calls(arrivals(day, 0, 0.5)),
    }
    told = played(folder=day, classes=classes)
    assert told["classes"]["gold"]["wait_mean_s"] == 99
    assert told["classes"]["plain"]["wait_mean_s"] == pytest.approx((0 + 199.5) / 2)
    everybody = (99 + 199.5) / 3
    assert told["queues"]["sales"]["wait_mean_s"] == pytest.approx(everybody)
    assert told["classes"]["gold"]["relative_wait"] == pytest.approx(99 / everybody)
    assert told["agents"]["team"]["wait_mean_s"] == pytest.approx(everybody)


def test_fairness_is_one_where_all_are_alike() -> None:
    assert jain([0.5, 0.5]) == 1.0
    assert jain([1.0, 0.0, 0.0, 0.0]) == 0.25
    assert math.isnan(jain([]))
