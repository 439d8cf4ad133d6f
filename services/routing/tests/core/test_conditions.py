"""Steps that something else than time brings contacts to: crowds, estimates, agents who leave, missed goals."""

from typing import TYPE_CHECKING, Any

import pytest
from msgspec.structs import replace as replaced

from huntgroup_routing.core.conditions import NO_ANSWERS, Figures, answered
from huntgroup_routing.core.messages import (
    ApplyPolicy,
    ContactEnqueued,
    ContactMoved,
    ContactReplanned,
    ContactStepped,
    Event,
    MoveContact,
    Reason,
)
from huntgroup_routing.core.overflow import OverflowAction, OverflowRule, OverflowTrigger
from huntgroup_routing.core.previews import forecasts
from huntgroup_routing.core.soundness import rules_and_faults
from huntgroup_routing.core.values import (
    ANSWERS_COUNTED,
    ANSWERS_MIN,
    CONDITIONS_MAX,
    STEPS_PER_DECISION_MAX,
    ContactId,
    QueueId,
    RoutingStep,
    ServingGroup,
    StepTrigger,
    Vocabulary,
)

if TYPE_CHECKING:
    from services.routing.tests.conftest import Floor

SALES = QueueId("sales")
EXPERT = 'skill("tax") >= 5'
LESS = 'skill("tax") >= 2'


def step(
    trigger: StepTrigger | None, limit: int = 0, after_ms: int = 0, requirement: str = ""
) -> RoutingStep:
    return RoutingStep(after_ms=after_ms, trigger=trigger, limit=limit, requirement=requirement)


CROWDED = step(StepTrigger.QUEUE_LENGTH, 3)
DESERTED = step(StepTrigger.NOBODY_ON_DUTY)


def stepped(events: tuple[Event, ...]) -> list[tuple[str, int, StepTrigger | None, int]]:
    """Return contact, step, what brought it there and the value compared, of each that came to a step."""
    found = [one for one in events if isinstance(one, ContactStepped)]
    return [(one.contact_id, one.step, one.trigger, one.value) for one in found]


def crowd(floor: "Floor", *contact_ids: str, at_ms: int = 0) -> None:
    for contact_id in contact_ids:
        floor.contact(contact_id, at_ms=at_ms)


def test_a_crowd_takes_all_who_wait_to_the_step_and_offers_them_in_turn(floor: "Floor") -> None:
    floor.queue(requirement=EXPERT, steps=(CROWDED,))
    floor.agent("grace", levels={"tax": 1})
    crowd(floor, "ada", "ben", at_ms=5)
    assert floor.core.next_deadline(floor.state) is None
    floor.contact("cai", at_ms=7)
    assert floor.core.next_deadline(floor.state) == 5, "it is due already"
    events = floor.pass_time(7)
    crowded = StepTrigger.QUEUE_LENGTH
    assert stepped(events) == [(one, 1, crowded, 3) for one in ("ada", "ben", "cai")]
    assert floor.offered(events) == [("ada", "grace")]
    assert floor.core.next_deadline(floor.state) == 7 + 20_000, "only the offer's lease"


def test_who_comes_while_it_holds_is_at_the_step_at_once_and_nobody_goes_back(
    floor: "Floor",
) -> None:
    floor.queue(requirement=EXPERT, steps=(CROWDED,))
    crowd(floor, "ada", "ben", "cai")
    floor.pass_time(0)
    assert stepped(floor.contact("dan")) == [("dan", 1, StepTrigger.QUEUE_LENGTH, 3)]
    for gone in ("ada", "ben", "cai"):
        floor.abandon(gone)
    assert floor.state.contacts[ContactId("dan")].step == 1
    assert stepped(floor.contact("eve")) == []


def test_a_condition_counts_only_from_the_age_the_step_names(floor: "Floor") -> None:
    floor.queue(requirement=EXPERT, steps=(step(StepTrigger.QUEUE_LENGTH, 2, after_ms=10_000),))
    floor.contact("ada", at_ms=0)
    floor.contact("ben", at_ms=4_000)
    assert floor.core.next_deadline(floor.state) == 10_000
    assert stepped(floor.pass_time(10_000)) == [("ada", 1, StepTrigger.QUEUE_LENGTH, 2)]
    assert floor.core.next_deadline(floor.state) == 14_000
    floor.abandon("ada", at_ms=12_000)
    assert floor.core.next_deadline(floor.state) is None, "it holds no more"
    assert floor.pass_time(20_000) == ()


def test_when_the_last_who_could_serve_leaves_it_is_asked_of_others(floor: "Floor") -> None:
    floor.queue(requirement=EXPERT, steps=(DESERTED,))
    floor.agent("grace", levels={"tax": 9})
    floor.not_ready("grace")
    floor.agent("alan")
    floor.contact("ada", at_ms=1)
    assert floor.pass_time(2) == (), "grace is on a break, but here"
    floor.sign_off("grace", at_ms=3)
    events = floor.pass_time(3)
    assert stepped(events) == [("ada", 1, StepTrigger.NOBODY_ON_DUTY, 0)]
    assert floor.offered(events) == [("ada", "alan")]


def test_one_after_the_other_is_tried_when_nobody_is_there(floor: "Floor") -> None:
    floor.queue(
        requirement=EXPERT, steps=(step(StepTrigger.NOBODY_ON_DUTY, requirement=LESS), DESERTED)
    )
    floor.sign_on("alan", levels={"tax": 2})
    assert stepped(floor.contact("ada")) == [("ada", 1, StepTrigger.NOBODY_ON_DUTY, 0)]
    floor.sign_off("alan", at_ms=1)
    assert stepped(floor.pass_time(1)) == [("ada", 2, StepTrigger.NOBODY_ON_DUTY, 0)]


def test_groups_that_are_asked_later_are_there_too(floor: "Floor") -> None:
    groups = (ServingGroup(group="desk"), ServingGroup(group="hall", delay_ms=9_000))
    floor.queue(groups=groups, requirement=EXPERT, steps=(DESERTED,))
    floor.sign_on("grace", levels={"tax": 9}, groups=("hall",))
    assert stepped(floor.contact("ada")) == []
    floor.sign_off("grace", at_ms=1)
    assert stepped(floor.pass_time(1)) == [("ada", 1, StepTrigger.NOBODY_ON_DUTY, 0)]


def test_a_goal_that_is_missed_of_late_brings_help(floor: "Floor") -> None:
    floor.queue(requirement=EXPERT, steps=(step(StepTrigger.SERVICE_LEVEL, 80),))
    floor.agent("grace", levels={"tax": 9})
    in_time = ANSWERS_MIN * 4 // 5
    for number in range(in_time):
        floor.serve(f"c{number}", "grace", number, number)
    floor.not_ready("grace", at_ms=100)
    crowd(floor, *(f"late{number}" for number in range(ANSWERS_MIN - in_time)), at_ms=100)
    for number in range(ANSWERS_MIN - in_time):
        floor.abandon(f"late{number}", at_ms=20_101)
    assert floor.state.queues[SALES].figures.service_level == 80
    floor.contact("ada", at_ms=20_102)
    assert floor.pass_time(20_103) == (), "80 % is not under 80 %"
    floor.contact("ben", at_ms=20_104, enqueued_at_ms=0)
    floor.abandon("ben", at_ms=20_105)
    assert stepped(floor.pass_time(20_106)) == [("ada", 1, StepTrigger.SERVICE_LEVEL, 76)]


def test_who_gives_up_early_does_not_count_against_the_goal(floor: "Floor") -> None:
    floor.contact("ada", at_ms=0)
    floor.abandon("ada", at_ms=20_000)
    assert floor.state.queues[SALES].answers == NO_ANSWERS
    floor.contact("ben", at_ms=0)
    floor.abandon("ben", at_ms=20_001)
    assert floor.state.queues[SALES].answers == 0b10


def in_time(floor: "Floor") -> int:
    """Return how many of the last were answered in time, and that all of them were."""
    answers = floor.state.queues[SALES].answers
    assert answers == 2 ** (answers.bit_length()) - 1
    return answers.bit_length() - 1


def test_the_hours_until_a_callback_comes_back_are_nobodys_wait(floor: "Floor") -> None:
    floor.queue(callback_attempts=3)
    floor.queue("night")
    floor.agent("grace")
    first = replaced(floor.contact_command("ada", at_ms=1), stay=1, returns=True)
    floor.tell(first, 86_400_000)
    floor.accept("ada.1", "grace", at_ms=86_401_000)
    assert in_time(floor) == 1
    second = replaced(floor.contact_command("ben", "night", at_ms=1), stay=1, returns=True)
    floor.tell(second, 86_402_000)
    floor.tell(MoveContact(contact_id=ContactId("ben"), queue_id=SALES), 86_412_000)
    floor.state = floor.core.load("acme/emea", floor.core.dump(floor.state))
    floor.abandon("ben", at_ms=86_422_000)
    assert in_time(floor) == 1, "20 s on the line are within 20 s"
    third = replaced(floor.contact_command("cai", "night", at_ms=1), stay=1, returns=True)
    floor.tell(third, 86_430_000)
    floor.tell(MoveContact(contact_id=ContactId("cai"), queue_id=SALES), 86_440_000)
    floor.abandon("cai", at_ms=86_450_001)
    assert floor.state.queues[SALES].answers == 0b110, "its wait goes on in another queue"


def test_who_was_lost_and_is_back_did_not_wait_in_between(floor: "Floor") -> None:
    floor.queue(resume_window_ms=600_000)
    floor.contact("ada", customer="+41", at_ms=1)
    floor.abandon("ada", at_ms=1_000)
    (back,) = floor.contact("ada-again", customer="+41", at_ms=60_000)
    assert isinstance(back, ContactEnqueued)
    assert (back.enqueued_at_ms, back.counted_from_ms) == (1, 60_000)
    floor.agent("grace", at_ms=60_500)
    floor.accept("ada-again.1", "grace", at_ms=61_000)
    assert in_time(floor) == 1
    (ben,) = floor.contact("ben", at_ms=62_000)
    assert isinstance(ben, ContactEnqueued)
    assert ben.counted_from_ms == 0, "who comes for the first time counts as queued"


def test_only_the_last_answers_count() -> None:
    answers = NO_ANSWERS
    for _ in range(ANSWERS_COUNTED):
        answers = answered(answers, in_time=False)
    assert Figures(0, 0, answers).service_level == 0
    for number in range(ANSWERS_COUNTED):
        assert Figures(0, 0, answers).service_level == number * 100 // ANSWERS_COUNTED
        answers = answered(answers, in_time=True)
    assert Figures(0, 0, answers).service_level == 100
    assert answers.bit_length() == ANSWERS_COUNTED + 1


def test_a_long_estimated_wait_brings_help(floor: "Floor") -> None:
    floor.queue(requirement=EXPERT, steps=(step(StepTrigger.ESTIMATED_WAIT, 30_000),))
    floor.agent("grace", levels={"tax": 9})
    crowd(floor, *(f"c{number}" for number in range(9)))
    for number in range(5):  # one in ten seconds is served
        floor.accept(f"c{number}.1", "grace", at_ms=number * 10_000)
        floor.release(f"c{number}.1", "grace", at_ms=number * 10_000 + 10_000)
        if floor.state.queues[SALES].estimated_wait_ms >= 30_000:
            break
    assert number > 0, "nothing is known until somebody was fetched after a wait"
    events = floor.pass_time(number * 10_000 + 10_000)
    told = stepped(events)
    assert {(one[1], one[2]) for one in told} == {(1, StepTrigger.ESTIMATED_WAIT)}
    assert len(told) == len(floor.state.contacts)
    assert all(one[3] >= 30_000 for one in told)


def test_time_and_conditions_go_side_by_side_and_the_later_step_wins(floor: "Floor") -> None:
    steps = (
        step(StepTrigger.QUEUE_LENGTH, 2, requirement=LESS),
        step(None, after_ms=5_000, requirement='skill("tax")'),
        step(StepTrigger.QUEUE_LENGTH, 3),
    )
    floor.queue(requirement=EXPERT, steps=steps)
    floor.contact("ada", at_ms=0)
    assert stepped(floor.pass_time(5_000)) == [("ada", 2, None, 0)]
    floor.contact("ben", at_ms=5_000)
    assert stepped(floor.pass_time(5_000)) == [("ben", 1, StepTrigger.QUEUE_LENGTH, 2)]
    floor.contact("cai", at_ms=5_001)
    crowded = StepTrigger.QUEUE_LENGTH
    told = stepped(floor.pass_time(5_001))
    assert told == [(one, 3, crowded, 3) for one in ("ada", "ben", "cai")]


def test_many_who_go_on_are_told_in_several_decisions(floor: "Floor") -> None:
    count = STEPS_PER_DECISION_MAX + 9
    floor.queue(requirement=EXPERT, steps=(step(StepTrigger.QUEUE_LENGTH, count),))
    floor.quickly(*(floor.contact_command(f"c{number:03}") for number in range(count)))
    assert len(floor.pass_time(1)) == STEPS_PER_DECISION_MAX
    assert floor.core.next_deadline(floor.state) == 0
    assert len(floor.pass_time(1)) == 9
    assert floor.core.next_deadline(floor.state) is None


def test_a_new_plan_with_the_same_steps_takes_nobody_back(floor: "Floor") -> None:
    steps = (CROWDED, step(None, after_ms=50, requirement=LESS))
    floor.queue(requirement=EXPERT, steps=steps)
    crowd(floor, "ada", "ben", "cai")
    floor.pass_time(0)
    floor.abandon("cai")
    leave = OverflowRule(
        trigger=OverflowTrigger.WAITED, limit=99_000, action=OverflowAction.DISCONNECT
    )
    changes: tuple[tuple[dict[str, Any], int, int], ...] = (
        ({"overflow": (leave,)}, 0, 1),
        ({"skip_unservable_steps": True}, 2, 2),  # from the beginning, past all that nobody serves
    )
    for now, (more, changed, reached) in enumerate(changes, 1):
        queue = floor.queue_command(requirement=EXPERT, steps=steps, **more)
        change = ApplyPolicy(queues=(queue,), applies_to_waiting=True)
        before = floor.core.load("acme/emea", floor.core.dump(floor.state))
        events = floor.tell(change, now)
        (forecast,) = forecasts(before, events, now)
        assert forecast.change_step == changed
        told = [one for one in floor.pass_time(now) if isinstance(one, ContactReplanned)]
        assert [one.step for one in told] == [reached, reached]


def test_who_follows_a_new_plan_says_what_brought_it_to_its_step(floor: "Floor") -> None:
    floor.queue(requirement=EXPERT)
    crowd(floor, "ada", "ben", "cai")
    queue = floor.queue_command(requirement=EXPERT, steps=(CROWDED,))
    floor.tell(ApplyPolicy(queues=(queue,), applies_to_waiting=True), 1)
    told = [one for one in floor.pass_time(1) if isinstance(one, ContactReplanned)]
    assert [(one.step, one.trigger, one.limit, one.value) for one in told] == [
        (1, StepTrigger.QUEUE_LENGTH, 3, 3)
    ] * 3


def test_who_is_moved_says_what_brought_it_to_its_step_there(floor: "Floor") -> None:
    late = step(None, after_ms=9_000, requirement=LESS)
    floor.queue("night", requirement=EXPERT, steps=(DESERTED, late))
    floor.contact("ada")
    floor.contact("ben", at_ms=8_000)
    for contact_id, why in (("ada", None), ("ben", StepTrigger.NOBODY_ON_DUTY)):
        command = MoveContact(contact_id=ContactId(contact_id), queue_id=QueueId("night"))
        (moved,) = floor.tell(command, 9_000)
        assert isinstance(moved, ContactMoved)
        assert moved.step_trigger is why
        assert moved.step == (1 if why else 2)


def test_who_goes_on_first_is_the_same_after_a_snapshot(floor: "Floor") -> None:
    for queue_id in ("zed", "abe"):
        floor.queue(queue_id, requirement=EXPERT, steps=(CROWDED,))
    for number in (2, 1, 0):
        for queue_id in ("zed", "abe"):
            contact_id = f"{queue_id}{number}"
            floor.quickly(floor.contact_command(contact_id, queue_id=queue_id))
    again = type(floor)(state=floor.core.load("acme/emea", floor.core.dump(floor.state)))
    told = stepped(floor.pass_time(1))
    assert [one[0] for one in told] == ["abe0", "abe1", "abe2", "zed0", "zed1", "zed2"]
    assert stepped(again.pass_time(1)) == told


def test_those_in_front_may_end_what_took_them_on(floor: "Floor") -> None:
    count = STEPS_PER_DECISION_MAX + 9
    floor.queue(requirement=EXPERT, steps=(step(StepTrigger.QUEUE_LENGTH, count),))
    floor.quickly(*(floor.contact_command(f"c{number:03}") for number in range(count)))
    floor.agent("grace")
    assert len(stepped(floor.pass_time(1))) == STEPS_PER_DECISION_MAX
    assert stepped(floor.pass_time(1)) == [], "grace has one of them: so many wait no more"


def test_a_dump_keeps_what_conditions_compare(floor: "Floor") -> None:
    steps = (CROWDED, step(StepTrigger.NOBODY_ON_DUTY, requirement=LESS))
    floor.queue(requirement=EXPERT, steps=steps)
    floor.queue("other", steps=(step(StepTrigger.ESTIMATED_WAIT, 1, requirement=LESS),))
    floor.agent("grace", levels={"tax": 9})
    crowd(floor, "ada", "ben", "cai", "dan")
    again = type(floor)(state=floor.core.load("acme/emea", floor.core.dump(floor.state)))
    assert again.core.dump(again.state) == floor.core.dump(floor.state)
    assert again.core.next_deadline(again.state) == floor.core.next_deadline(floor.state)
    assert again.pass_time(5) == floor.pass_time(5)


def test_who_is_moved_or_follows_a_new_plan_waits_for_other_conditions(floor: "Floor") -> None:
    floor.queue(requirement=EXPERT, steps=(CROWDED,))
    crowd(floor, "ada", "ben")
    floor.queue(requirement=EXPERT)
    floor.contact("cai")
    assert stepped(floor.pass_time(1)) == [
        (one, 1, StepTrigger.QUEUE_LENGTH, 3) for one in ("ada", "ben")
    ], "they keep the steps they came with"
    for gone in ("ada", "ben"):
        floor.abandon(gone)
    assert not floor.state.watching.queues
    assert not floor.state.watching.deserted


@pytest.mark.parametrize(
    ("steps", "detail"),
    [
        ((step(StepTrigger.QUEUE_LENGTH),), "steps[0].limit is missing: QUEUE_LENGTH needs it"),
        ((step(StepTrigger.NOBODY_ON_DUTY, 3),), "steps[0].limit 3 says nothing: NOBODY_ON_DUTY"),
        ((step(None, 3, after_ms=1),), "steps[0].limit 3 says nothing: time alone"),
        ((step(StepTrigger.SERVICE_LEVEL, 101),), "steps[0].limit 101 is more than 100 per cent"),
        ((step(None),), "steps[0].after_ms 0 is not later than 0"),
        (
            (step(StepTrigger.QUEUE_LENGTH, 9, after_ms=5), step(None, after_ms=5)),
            "steps[1].after_ms 5 is not later than 5",
        ),
        (
            (step(StepTrigger.QUEUE_LENGTH, 9), step(StepTrigger.QUEUE_LENGTH, 8)),
            "steps[0].trigger QUEUE_LENGTH: whenever it holds, that of steps[1] does",
        ),
        (
            (step(StepTrigger.SERVICE_LEVEL, 70), step(StepTrigger.SERVICE_LEVEL, 80)),
            "steps[0].trigger SERVICE_LEVEL: whenever it holds, that of steps[1] does",
        ),
        (
            tuple(step(StepTrigger.QUEUE_LENGTH, n + 1) for n in range(CONDITIONS_MAX + 1)),
            "steps[8].trigger QUEUE_LENGTH: at most 8 steps can have one",
        ),
    ],
)
def test_conditions_that_make_no_sense_are_refused_by_name(
    floor: "Floor", steps: tuple[RoutingStep, ...], detail: str
) -> None:
    refused = floor.refused(floor.queue_command("sales", requirement=EXPERT, steps=steps))
    assert refused.reason is Reason.STEPS_INVALID
    assert refused.detail.startswith(detail)


def test_a_crowd_larger_than_the_queue_is_never_come_to(floor: "Floor") -> None:
    crowded = floor.queue_command("sales", requirement=EXPERT, steps=(CROWDED,), waiting_max=2)
    _, faults = rules_and_faults((crowded,), Vocabulary(), 0)
    (told,) = map(str, faults)
    assert told == "queues[0].steps[0].limit: 3: is never come to: waiting_max is 2"
