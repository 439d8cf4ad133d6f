"""Days so small that every figure can be told by hand."""

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from huntgroup_onebox.simulate import replications
from huntgroup_onebox.simulate.measures import jain
from huntgroup_routing.core.scorers import ScoredAgent, ScoredContact
from huntgroup_routing.core.values import WAITING_MAX_DEFAULT

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


def test_who_rings_counts_among_those_who_wait(day: Path, played: Play) -> None:
    """The first rings for 10 s: for the next two there is no room, as in session."""
    agents = {"team": {"count": 1, "answer_after": {"kind": "deterministic", "value_s": 10}}}
    classes = {"calls": calls(arrivals(day, 0, 1, 2))}
    limits: tuple[dict[str, Any], ...] = (
        {"queues": {"sales": {"waiting_max": 1}}},
        {"waiting_max": 1},
    )
    for limit in limits:
        told = played(folder=day, classes=classes, agents=agents, **limit)["all"]["all"]
        assert told["turned_away"] == pytest.approx(2 / 3)


def test_a_queue_without_a_limit_has_that_of_the_service(day: Path, played: Play) -> None:
    """Of so many who come at once, one is served and as many wait as a queue takes."""
    too_many = WAITING_MAX_DEFAULT + 1 + 10
    came = arrivals(day, *([0] * too_many))
    patience = {"kind": "deterministic", "value_s": 1}
    told = played(folder=day, classes={"calls": calls(came, patience=patience)})["all"]["all"]
    assert told["turned_away"] == pytest.approx(10 / too_many)


def test_who_waits_for_room_where_nobody_ever_leaves_waits_still_at_the_end(
    day: Path, played: Play
) -> None:
    """One is served and two stand in the other queue when the shift is over: for the others there is no room."""
    away = {"trigger": "WAITED", "limit": 60_000, "action": "QUEUE", "queue_id": "spare"}
    told = played(
        folder=day,
        classes={"calls": calls(arrivals(day, 1, 2, 3, 4, 5, 6))},
        queues={"sales": {"policy": {"overflow": [away]}}, "spare": {"waiting_max": 2}},
        agents={"team": {"count": 1, "until_s": 60}},
    )["all"]["all"]
    assert told["left_waiting"] == pytest.approx(5 / 6)


def test_who_waits_for_room_has_it_when_somebody_leaves_after_an_hour(
    day: Path, played: Play
) -> None:
    """Nobody serves: who stands in the other queue is sent away after an hour, and then who waited for room is."""
    away = {"trigger": "WAITED", "limit": 60_000, "action": "QUEUE", "queue_id": "spare"}
    late = {"trigger": "WAITED", "limit": 3_600_000, "action": "DISCONNECT"}
    told = played(
        folder=day,
        classes={"calls": calls(arrivals(day, 1, 2, 3))},
        queues={
            "sales": {"required_skills": ["sales"], "policy": {"overflow": [away]}},
            "spare": {
                "required_skills": ["sales"],
                "waiting_max": 1,
                "policy": {"overflow": [late]},
            },
        },
    )["all"]["all"]
    assert told["sent_away"] == 1


def test_a_step_of_the_queue_lets_other_agents_serve(day: Path, played: Play) -> None:
    """Nobody has the skill; after 30 s none is asked for."""
    policy = {"requirement": 'skill("web") >= 1', "steps": [{"after_ms": 30_000}]}
    figures = played(
        folder=day,
        classes={"calls": calls(arrivals(day, 10))},
        queues={"sales": {"policy": policy}},
    )
    assert figures["classes"]["calls"]["wait_mean_s"] == 30


def test_a_contact_goes_to_another_queue_wherever_that_stands(day: Path, played: Play) -> None:
    """Nobody serves sales; after 30 s its contacts go to a queue that is declared later."""
    away = {"trigger": "WAITED", "limit": 30_000, "action": "QUEUE", "queue_id": "spare"}
    queues = {
        "sales": {"required_skills": ["sales"], "policy": {"overflow": [away]}},
        "spare": {},
    }
    figures = played(folder=day, classes={"calls": calls(arrivals(day, 10))}, queues=queues)
    assert figures["queues"]["sales"]["wait_mean_s"] == 30


@pytest.mark.parametrize(
    ("rule", "waited_s"),
    [
        ({"trigger": "WAITED", "limit": 30_000, "action": "VOICEMAIL", "endpoint": "box"}, 0),
        ({"trigger": "QUEUE_LENGTH", "limit": 1, "action": "DISCONNECT"}, 50),
    ],
)
def test_who_is_sent_away_by_a_rule_neither_waits_nor_gives_up(
    day: Path, played: Play, rule: dict[str, Any], waited_s: float
) -> None:
    patience = {"kind": "deterministic", "value_s": 300}
    told = played(
        folder=day,
        classes={"calls": calls(arrivals(day, 10, 60, 61), patience=patience)},
        queues={"sales": {"policy": {"overflow": [rule]}}},
    )["classes"]["calls"]
    sent = 2 if rule["action"] == "VOICEMAIL" else 1
    assert told["sent_away"] == pytest.approx(sent / 3)
    assert (told["abandonment"], told["left_waiting"]) == (0, 0)
    assert told["wait_mean_s"] == pytest.approx(waited_s / (3 - sent))


def test_a_group_is_asked_when_its_delay_is_over(day: Path, played: Play) -> None:
    groups = [{"group": "leads"}, {"group": "", "delay_ms": 40_000}]
    figures = played(
        folder=day,
        classes={"calls": calls(arrivals(day, 10))},
        queues={"sales": {"policy": {"groups": groups}}},
    )
    assert figures["all"]["all"]["wait_mean_s"] == 40


def test_a_queue_opens_by_its_hours_and_the_simulation_ends(day: Path, played: Play) -> None:
    """It opens at 00:01 on a Thursday: who comes before is given back."""
    hours = {
        "time_zone": "UTC",
        "weekly": [{"weekday": 4, "opens_minute": 1, "closes_minute": 1_440}],
    }
    told = played(
        folder=day,
        classes={"calls": calls(arrivals(day, 10, 70))},
        queues={"sales": {"policy": {"hours": hours}}},
    )["classes"]["calls"]
    assert (told["sent_away"], told["wait_mean_s"]) == (0.5, 0)


def test_a_queue_may_name_an_installed_scorer(
    day: Path, played: Play, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Last:
        version = "1.0"

        def score(self, contact: ScoredContact, agents: Sequence[ScoredAgent]) -> Sequence[int]:
            return [int(agent.agent_id == "team-3") for agent in agents]

    monkeypatch.setattr(replications, "installed_scorers", lambda: {"last": Last()})
    told = played(
        folder=day,
        classes={"calls": calls(arrivals(day, 0, 200, 400))},
        agents={"team": {"count": 3}},
        queues={"sales": {"policy": {"strategy": "SCORED", "scorer": "last"}}},
        run={"until_s": 500},
    )
    assert told["agents"]["team"]["occupancy_highest"] == pytest.approx(0.6)


@pytest.mark.parametrize(
    ("said", "waited"),
    [
        ({"capacity_units": 2, "costs": {"VOICE": 2}}, [0, 120, 0]),
        (
            {"capacity_units": 2, "costs": {"VOICE": 2}, "interrupts": {"VOICE": ["CHAT"]}},
            [0, 0, 80],
        ),
        ({}, [0, 0, 0]),
    ],
)
def test_channels_of_a_group_share_units_and_interrupt_each_other(
    day: Path, played: Play, said: dict[str, Any], waited: list[float]
) -> None:
    """A chat at 0 s, a call at 10 s, a chat at 30 s; each takes 100 s, and there are two slots for chats."""
    chats = {"queue": "chats", "service": {"kind": "deterministic", "value_s": 100}}
    figures = played(
        folder=day,
        queues={"sales": {}, "chats": {"channel": "CHAT"}},
        agents={"team": {"count": 1, "slots": {"VOICE": 1, "CHAT": 2}, **said}},
        classes={
            "first": chats | {"arrivals": arrivals(day, 0, name="first.csv")},
            "call": calls(arrivals(day, 10, name="call.csv")),
            "second": chats | {"arrivals": arrivals(day, 30, name="second.csv")},
        },
    )["classes"]
    assert [figures[one]["wait_mean_s"] for one in ("first", "call", "second")] == waited


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
