"""What a plan of a change foretells for those who wait is what becomes of them, once it is made."""

from random import Random
from typing import TYPE_CHECKING, Any

import pytest
from msgspec.structs import replace as replaced

from huntgroup_routing.core.deadlines import next_deadline
from huntgroup_routing.core.messages import (
    ApplyPolicy,
    ContactDequeued,
    ContactMoved,
    ContactReplanned,
    Event,
)
from huntgroup_routing.core.overflow import OverflowAction, OverflowRule, OverflowTrigger
from huntgroup_routing.core.previews import Forecast, forecasts
from huntgroup_routing.core.state import Contact
from huntgroup_routing.core.values import QueueId, RoutingStep, ServingGroup

if TYPE_CHECKING:
    from services.routing.tests.conftest import Floor

NOW = 60_000
AWAY = OverflowRule(trigger=OverflowTrigger.WAITED, limit=30_000, action=OverflowAction.DISCONNECT)
LATER = OverflowRule(trigger=OverflowTrigger.WAITED, limit=90_000, action=OverflowAction.DISCONNECT)
KEY = OverflowRule(
    trigger=OverflowTrigger.EXIT_KEY, key="1", action=OverflowAction.VOICEMAIL, endpoint="box"
)
ON = OverflowRule(
    trigger=OverflowTrigger.WAITED,
    limit=20_000,
    action=OverflowAction.QUEUE,
    queue_id=QueueId("other"),
)
LATE_HELP = (ServingGroup(group="desk"), ServingGroup(group="help", delay_ms=20_000))


def queue(floor: "Floor", contacts: int = 0, **said: Any) -> None:
    """Make the queue anew; its contacts have waited for a minute at `NOW`."""
    floor.queue("other")
    floor.queue(**said)
    floor.quickly(*(floor.contact_command(f"c{number}") for number in range(contacts)))
    let_pass(floor, NOW - 1)


def let_pass(floor: "Floor", at_ms: int) -> list[Event]:
    """Let all happen that is due until then."""
    told: list[Event] = []
    while (due_ms := next_deadline(floor.state)) is not None and due_ms <= at_ms:
        told += floor.pass_time(max(due_ms, 1))
    return told


def change(floor: "Floor", **said: Any) -> ApplyPolicy:
    wait = said.pop("wait", True)
    queues = (floor.queue_command(**said), floor.queue_command("other"))
    return ApplyPolicy(queues=queues, applies_to_waiting=wait)


def foretold(floor: "Floor", **said: Any) -> Forecast:
    events = floor.decide(change(floor, **said), NOW)
    assert isinstance(events, tuple)
    return next(one for one in forecasts(floor.state, events, NOW) if one.queue_id == "sales")


def test_who_has_waited_too_long_for_the_new_rules_is_foretold_to_leave(floor: "Floor") -> None:
    queue(floor, contacts=5)
    plan = foretold(floor, overflow=(AWAY,))
    assert (plan.change_leaving, plan.leave_at_once, plan.change_requirement) == (5, 5, 0)
    floor.tell(change(floor, overflow=(AWAY,)), NOW)
    let_pass(floor, NOW)
    assert not floor.state.contacts
    assert len([one for one in floor.history if isinstance(one, ContactDequeued)]) == 5


def test_who_keeps_the_plan_is_foretold_to_keep_the_rules_of_leaving(floor: "Floor") -> None:
    queue(floor, contacts=5)
    plan = foretold(floor, overflow=(AWAY,), wait=False)
    assert (plan.change_leaving, plan.leave_at_once) == (0, 0)


@pytest.mark.parametrize(
    ("before", "after", "leaving", "at_once"),
    [
        ((), (LATER,), 2, 0),
        ((LATER,), (), 2, 0),
        ((LATER,), (AWAY,), 2, 2),
        ((LATER,), (KEY, LATER), 2, 0),
        ((KEY,), (), 2, 0),
        ((LATER,), (LATER,), 0, 0),
    ],
)
def test_other_times_and_keys_are_foretold(
    floor: "Floor",
    before: tuple[OverflowRule, ...],
    after: tuple[OverflowRule, ...],
    leaving: int,
    at_once: int,
) -> None:
    queue(floor, contacts=2, overflow=before)
    plan = foretold(floor, overflow=after, reoffer_after_ms=7)
    assert (plan.change_leaving, plan.leave_at_once) == (leaving, at_once)


def test_who_stays_since_nobody_has_room_is_not_foretold_to_leave(floor: "Floor") -> None:
    queue(floor, contacts=2, overflow=(ON,))
    floor.queue("other", waiting_max=1)
    floor.contact("late", at_ms=NOW - 21_000)
    let_pass(floor, NOW)
    plan = foretold(floor, overflow=(ON, KEY))
    assert (plan.waiting, plan.change_leaving, plan.leave_at_once) == (1, 1, 0)


def test_a_callback_that_came_back_is_not_foretold_to_be_sent_away(floor: "Floor") -> None:
    queue(floor)
    floor.tell(replaced(floor.contact_command("ada"), returns=True), 1)
    assert foretold(floor, overflow=(AWAY,)).change_leaving == 0
    assert foretold(floor, overflow=(ON,)).leave_at_once == 1


def test_groups_whose_delay_is_over_are_counted_as_asked(floor: "Floor") -> None:
    floor.sign_on("hal", groups=("help",))
    queue(floor, contacts=5, groups=LATE_HELP)
    plan = foretold(floor, groups=LATE_HELP, overflow=(LATER,))
    assert (plan.change_requirement, plan.become_unservable) == (0, 0)
    more = (*LATE_HELP, ServingGroup(group="lead", delay_ms=NOW))
    assert foretold(floor, groups=more).change_requirement == 5


def test_where_the_plan_stays_nothing_changes(floor: "Floor") -> None:
    """Though a step that nobody could serve then was skipped by those who wait, and somebody can by now."""
    steps = (RoutingStep(after_ms=90_000, requirement='skill("tax")'),)
    said = {"requirement": 'skill("loan")', "steps": steps, "skip_unservable_steps": True}
    queue(floor, contacts=3, **said)
    assert {one.step for one in floor.state.contacts.values()} == {1}
    floor.sign_on("grace", "loan", at_ms=NOW)
    plan = foretold(floor, reoffer_after_ms=5, **said)
    assert (plan.change_requirement, plan.change_step) == (0, 0)


SOME_RULES: dict[str, tuple[Any, ...]] = {
    "requirement": ("", 'skill("tax")'),
    "steps": ((), (RoutingStep(after_ms=15_000, requirement='skill("loan")'),)),
    "skip_unservable_steps": (False, True),
    "groups": ((), LATE_HELP, (ServingGroup(group="help"),)),
    "overflow": ((), (AWAY,), (LATER,), (ON,), (KEY,), (ON, KEY)),
}


@pytest.mark.parametrize("seed", range(40))
def test_what_is_foretold_comes_true(floor: "Floor", seed: int) -> None:
    chance = Random(seed)
    if chance.random() < 0.7:
        floor.sign_on("hal", "tax", groups=("help",))
    queue(floor, **{field: chance.choice(some) for field, some in SOME_RULES.items()})
    for number, age_ms in enumerate((59_000, 45_000, 25_000, 10_000)):
        command = floor.contact_command(f"c{number}", at_ms=NOW - age_ms)
        let_pass(floor, NOW - age_ms)
        floor.tell(replaced(command, returns=chance.random() < 0.3), NOW - age_ms)
    let_pass(floor, NOW)
    before = floor.core.load("acme/emea", floor.core.dump(floor.state)).contacts
    here = {key for key, one in before.items() if one.queue_id == "sales"}
    said = {field: chance.choice(some) for field, some in SOME_RULES.items()}
    plan = foretold(floor, waiting_max=7, **said)
    floor.tell(change(floor, waiting_max=7, **said), NOW)
    told = let_pass(floor, NOW)
    followed = [one for one in told if isinstance(one, ContactReplanned)]
    left = [one for one in told if isinstance(one, ContactDequeued | ContactMoved)]
    assert plan.waiting == len(here)
    assert plan.change_step == sum(one.step != before[one.contact_id].step for one in followed)
    assert plan.change_requirement == sum(
        (one.required_skills, one.requirement, one.groups) != asked(before[one.contact_id])
        for one in followed
    )
    assert plan.leave_at_once == len(left)


def asked(contact: Contact) -> tuple[object, ...]:
    skills, requirement, crew, _ = contact.requirement.ask
    return (skills, requirement, () if crew is None else crew.groups)
