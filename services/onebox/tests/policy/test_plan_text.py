"""A plan as people read it: what is now, what becomes of it, and how many contacts it is about."""

import json
from typing import Any

import pytest

from huntgroup.routing.v1.commands_pb2 import PlanPolicyResponse
from huntgroup_onebox.policy.plan_text import plan_lines

TAX = 'skill("tax")'


def lines(
    *fields: tuple[str, Any, Any], kind: str = "CHANGED", applies: bool = True, **said: int
) -> list[str]:
    plan = PlanPolicyResponse(version=1)
    change = plan.changes.add(queue_id="sales", kind=kind, **said)
    for name, before, after in fields:
        change.fields.add(field=name, before=json.dumps(before), after=json.dumps(after))
    return list(plan_lines(plan, applies_to_waiting=applies, width=80))


def test_each_change_is_one_line_in_columns() -> None:
    told = lines(
        ("service_level_threshold_ms", 20_000, 40_000),
        ("requirement", "", 'group == "evening"'),
        ("required_skills", ["tax", "loan"], []),
        ("skip_unservable_steps", False, True),
    )
    assert told == [
        "version 1 -> 2                  NOW        BECOMES",
        "~ sales changes",
        "    service_level_threshold_ms  20000      40000",
        '    requirement                 –          group == "evening"',
        "    required_skills             tax, loan  –",
        "    skip_unservable_steps       false      true",
    ]


def test_of_steps_and_rules_only_what_changes_is_told() -> None:
    before = [{"after_ms": 30_000, "requirement": TAX}, {"after_ms": 60_000, "requirement": ""}]
    after = [{"after_ms": 20_000, "requirement": TAX}]
    hours = {"time_zone": "UTC", "week": ["mon"]}
    told = lines(
        ("steps", before, after),
        ("hours", hours, {**hours, "week": ["tue"]}),
    )
    assert told[2:] == [
        "    steps[0].after_ms  30000  20000",
        "    steps[1]",
        '      now      {"after_ms": 60000, "requirement": ""}',
        "      becomes  –",
        "    hours.week         mon    tue",
    ]


def test_what_is_too_wide_for_the_screen_stands_above_each_other() -> None:
    now = f'{TAX} >= 3 and lang in ("ar", "fa")'
    *_, name, before, after = lines(("requirement", now, now.replace("3", "2")))
    assert (name, before) == ("    requirement", f"      now      {now}")
    assert after == before.replace("now    ", "becomes").replace("3", "2")


@pytest.mark.parametrize("kind", ["MADE", "BROUGHT_BACK"])
def test_of_a_queue_that_comes_only_what_it_says_is_told(kind: str) -> None:
    told = lines(("channel", None, "VOICE"), ("steps", None, []), ("ring_max", None, 0), kind=kind)
    assert told[2:] == ["    channel  –    VOICE"]


def test_how_many_contacts_it_is_about_is_told() -> None:
    told = lines(
        ("requirement", "", TAX), waiting=1_200, ringing=4, change_requirement=12, change_step=3
    )
    assert told[-1].startswith("    1,200 wait and 4 ring: of those that wait 12 get another")
    assert lines(kind="RETIRED", waiting=3)[-1].startswith("    3 wait and 0 ring: they are served")


def test_who_leaves_by_other_rules_is_told() -> None:
    overflow: tuple[str, Any, Any] = (
        "overflow",
        [],
        [{"trigger": "WAITED", "limit": 30_000, "action": "DISCONNECT"}],
    )
    *_, asked, left = lines(overflow, waiting=5, change_leaving=5, leave_at_once=4)
    assert asked.startswith("    5 wait and 0 ring: of those that wait 0 get another requirement")
    assert left == (
        "    5 leave by other rules, 4 of them at once: they have waited as long as these let them"
    )


@pytest.mark.parametrize("field", ["requirement", "groups", "blend", "overflow"])
def test_what_those_who_wait_keep_of_a_change_is_told(field: str) -> None:
    """Said only of a change that they would follow if they were to."""
    asked, thresholds = ((one, "a", "b") for one in (field, "service_level_threshold_ms"))
    kept = "    3 wait and 0 ring: they keep what is asked for them, and when they leave"
    assert lines(asked, applies=False, waiting=3)[-1] == kept
    stays = "    3 wait and 0 ring: what is asked for them stays, and when they leave"
    assert lines(thresholds, applies=False, waiting=3)[-1] == stays
    assert lines(thresholds, waiting=3)[-1] == stays


def test_who_follows_though_it_was_not_to_apply_is_told() -> None:
    """As they do where a policy sends a group home that helps out."""
    told = lines(("blend", "a", "b"), applies=False, waiting=3, change_requirement=3)[-1]
    assert told == (
        "    3 wait and 0 ring: of those that wait 3 get another requirement, 0 come to another step"
    )
