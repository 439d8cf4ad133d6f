"""Agents who serve several queues: the lower rank first, to each queue its share, and to some only after a while."""

from collections import Counter
from fractions import Fraction
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from huntgroup_routing.app.queries import find_contact, why_text
from huntgroup_routing.core.messages import (
    ContactEnqueued,
    ContactStepped,
    OfferCreated,
    Reason,
    Refused,
)
from huntgroup_routing.core.sharing import ENDS_KEPT, LAP, WEIGHT_MAX, Shares
from huntgroup_routing.core.values import (
    Channel,
    ContactId,
    DecisionRule,
    QueueId,
    RoutingStep,
    ServingGroup,
)

if TYPE_CHECKING:
    from services.routing.tests.conftest import Floor


def by(group: str, rank: int = 0, weight: int = 0, delay_ms: int = 0) -> ServingGroup:
    return ServingGroup(group=group, rank=rank, weight=weight, delay_ms=delay_ms)


def crowd(floor: "Floor", queue_id: str, count: int, at_ms: int = 0) -> None:
    for number in range(count):
        floor.contact(f"{queue_id}{number:02d}", queue_id=queue_id, at_ms=at_ms)


def served(floor: "Floor", slots: int, at_ms: int = 1_000, group: str = "day") -> str:
    """Let an agent of a group come who takes so many; return of which queues they are, in order."""
    events = floor.agent(f"{group}{at_ms}", groups=(group,), at_ms=at_ms, voice=slots)
    return "".join(contact_id[0] for contact_id, _ in floor.offered(events))


# Rank.


def test_a_queue_of_a_higher_number_waits_until_nobody_waits_in_the_lower(floor: "Floor") -> None:
    floor.queue("a", groups=(by("day", rank=2), by("night", rank=1)))
    floor.queue("b", groups=(by("day", rank=1), by("night", rank=2)))
    crowd(floor, "a", 3)
    crowd(floor, "b", 3, at_ms=500)
    assert served(floor, 4) == "bbba"
    assert served(floor, 1, group="night") == "a"


def test_whom_no_rank_is_said_of_comes_by_place_with_rank_nought(floor: "Floor") -> None:
    floor.queue("ranked", groups=(by("day", rank=1),))
    floor.queue("nought", groups=(by("day"),))
    floor.contact("ranked", queue_id="ranked", at_ms=0)
    floor.contact("nought", queue_id="nought", at_ms=20)
    floor.contact("sales", at_ms=10)
    assert served(floor, 3) == "snr"


def test_who_is_of_several_groups_serves_by_the_best_of_their_ranks(floor: "Floor") -> None:
    floor.queue("a", groups=(by("day", rank=3), by("expert", rank=1)))
    floor.queue("b", groups=(by("day", rank=2), by("", rank=0)))
    crowd(floor, "a", 1, at_ms=5)
    crowd(floor, "b", 1)
    events = floor.agent("both", groups=("day", "expert"), at_ms=10)
    assert floor.offered(events) == [("a00", "both")]


def test_a_queue_that_names_groups_is_served_by_them_alone(floor: "Floor") -> None:
    floor.queue("a", groups=(by("day"),))
    crowd(floor, "a", 1)
    assert floor.offered(floor.agent("nobody")) == []
    assert served(floor, 1, group="night") == ""
    assert served(floor, 1) == "a"


def test_the_rest_serve_where_the_queue_says_so_by_a_group_without_a_name(floor: "Floor") -> None:
    floor.queue("a", groups=(by("day", rank=1), by("", rank=2), by("night", delay_ms=9_000)))
    crowd(floor, "a", 2)
    assert served(floor, 1, group="night") == ""  # named, so none of the rest, though not yet asked
    assert floor.offered(floor.agent("anybody")) == [("a00", "anybody")]


def test_priority_counts_within_a_rank_and_not_beyond(floor: "Floor") -> None:
    floor.queue("a", groups=(by("day", rank=1),))
    floor.queue("b", groups=(by("day", rank=2),))
    floor.contact("b", queue_id="b", priority=1_000)
    floor.contact("a1", queue_id="a")
    floor.contact("a2", queue_id="a", priority=1)
    events = floor.agent("grace", groups=("day",), voice=3)
    assert [contact_id for contact_id, _ in floor.offered(events)] == ["a2", "a1", "b"]


# Weight.


def test_queues_of_one_rank_get_their_shares(floor: "Floor") -> None:
    floor.queue("a", groups=(by("day", weight=3),))
    floor.queue("b", groups=(by("day", weight=1),))
    crowd(floor, "a", 12)
    crowd(floor, "b", 12, at_ms=1)
    assert served(floor, 8) == "abaaabaa"
    assert served(floor, 4, at_ms=2_000) == "abaa"  # the team goes on where it was


def test_queues_without_a_weight_share_by_place_as_one(floor: "Floor") -> None:
    floor.queue("a", groups=(by("day", weight=2),))
    floor.queue("b", groups=(by("day"),))
    crowd(floor, "a", 6, at_ms=2)
    crowd(floor, "b", 3, at_ms=1)
    floor.contact("s", at_ms=0)
    assert served(floor, 8) == "saabaaba"


def test_nobody_saves_up_while_nobody_waits(floor: "Floor") -> None:
    floor.queue("a", groups=(by("day", weight=1),))
    floor.queue("b", groups=(by("day", weight=1),))
    crowd(floor, "a", 30)
    assert served(floor, 20) == "a" * 20
    crowd(floor, "b", 10, at_ms=2_000)
    assert served(floor, 6, at_ms=3_000) == "bababa"


def test_a_contact_that_finds_agents_idle_counts_as_well(floor: "Floor") -> None:
    floor.queue("a", groups=(by("day", weight=1),))
    floor.queue("b", groups=(by("day", weight=1),))
    floor.agent("grace", groups=("day",), voice=2)
    crowd(floor, "a", 4)
    crowd(floor, "b", 4, at_ms=1)
    assert served(floor, 2, at_ms=2) == "ba"


def test_shares_are_each_teams_own_and_go_with_its_last_agent(floor: "Floor") -> None:
    floor.queue("a", groups=(by("day", weight=1), by("night", weight=1)))
    floor.queue("b", groups=(by("day", weight=1), by("night", weight=1)))
    crowd(floor, "a", 9)
    crowd(floor, "b", 9, at_ms=1)
    assert served(floor, 1, at_ms=10) == "a"
    assert served(floor, 1, at_ms=20, group="night") == "a"
    assert floor.state.shares.keys() == {("day",), ("night",)}
    floor.sign_off("day10", at_ms=30)
    assert floor.state.shares.keys() == {("night",)}


@settings(max_examples=80, deadline=None)
@given(st.lists(st.integers(1, WEIGHT_MAX), min_size=2, max_size=5), st.integers(1, 200), st.data())
def test_while_all_wait_nobody_is_more_than_a_contact_from_their_share(
    weights: list[int], offers: int, data: st.DataObject
) -> None:
    """Of n offers a queue of weight w among W gets n·w/W, one of its own and one of the others' turns away at most."""
    shares, had = Shares(), Counter[QueueId]()
    queues = {QueueId(f"q{number}"): weight for number, weight in enumerate(weights)}
    tie = data.draw(st.permutations(sorted(queues)))
    for _ in range(offers):
        first = min(tie, key=shares.start)
        shares.serve(first, queues[first])
        had[first] += 1
    for one, weight in queues.items():
        for other, other_weight in queues.items():
            apart = abs(Fraction(had[one], weight) - Fraction(had[other], other_weight))
            assert apart <= Fraction(1, weight) + Fraction(1, other_weight)
    assert all(LAP % weight == 0 for weight in range(1, WEIGHT_MAX + 1))


def test_queues_that_are_served_no_more_are_forgotten_and_whose_turn_it_is_stays() -> None:
    """With a queue gone and another come every week, what is kept depends on those that are there, not on all."""
    shares, everything, most = Shares(), dict[QueueId, int](), 0
    for week in range(1_000):
        for weight in (1, 2, 5):
            queue_id = QueueId(f"{week + weight}")
            start = max(shares.clock, everything.get(queue_id, 0))
            assert shares.start(queue_id) == start
            shares.serve(queue_id, weight)
            everything[queue_id] = start + LAP // weight
        most = max(most, len(shares.ends))
    assert len(everything) > 1_000
    assert most <= 2 * ENDS_KEPT
    assert all(shares.start(one) == max(shares.clock, end) for one, end in everything.items())


def test_those_that_are_served_by_turns_are_all_kept() -> None:
    shares = Shares()
    for _ in range(3):
        for number in range(3 * ENDS_KEPT):
            shares.serve(QueueId(str(number)), 1)
    assert len(shares.ends) == 3 * ENDS_KEPT


# Delay.


def test_a_group_is_asked_for_contacts_that_have_waited_so_long(floor: "Floor") -> None:
    floor.queue("a", groups=(by("day"), by("night", delay_ms=20_000)))
    floor.agent("nora", groups=("night",))
    (enqueued,) = floor.contact("ada", queue_id="a", at_ms=1_000)
    assert isinstance(enqueued, ContactEnqueued)
    assert enqueued.groups == ("day",)
    assert floor.core.next_deadline(floor.state) == 21_000
    assert floor.pass_time(20_999) == ()
    stepped, offer = floor.pass_time(21_000)
    assert isinstance(stepped, ContactStepped)
    assert (stepped.step, stepped.delays_over, stepped.groups) == (0, 1, ("day", "night"))
    assert floor.offered((offer,)) == [("ada", "nora")]


def test_who_comes_old_enough_is_shown_to_all_at_once(floor: "Floor") -> None:
    floor.queue("a", groups=(by("day"), by("night", delay_ms=20_000)))
    floor.agent("nora", groups=("night",), at_ms=50_000)
    enqueued, stepped, offer = floor.contact(
        "ada", queue_id="a", at_ms=50_000, enqueued_at_ms=30_000
    )
    assert isinstance(enqueued, ContactEnqueued)
    assert isinstance(stepped, ContactStepped)
    assert floor.offered((offer,)) == [("ada", "nora")]


def test_delays_and_steps_go_on_side_by_side(floor: "Floor") -> None:
    steps = (RoutingStep(after_ms=10_000), RoutingStep(after_ms=20_000, requirement='lang == "ar"'))
    floor.queue("a", "tax", groups=(by("day"), by("night", delay_ms=20_000)), steps=steps)
    floor.contact("ada", queue_id="a")
    seen = [floor.pass_time(at_ms) for at_ms in (10_000, 20_000)]
    said = [
        (one.step, one.delays_over, one.required_skills)
        for events in seen
        for one in events
        if isinstance(one, ContactStepped)
    ]
    assert said == [(1, 0, ()), (2, 1, ())]
    assert floor.core.next_deadline(floor.state) is None


def test_a_step_is_not_skipped_that_a_group_could_serve_later(floor: "Floor") -> None:
    steps = (RoutingStep(after_ms=30_000),)
    groups = (by("day"), by("night", delay_ms=20_000))
    floor.queue("a", "tax", groups=groups, steps=steps, skip_unservable_steps=True)
    floor.agent("nora", "tax", groups=("night",))
    floor.contact("ada", queue_id="a")
    contact = find_contact(floor.state, ContactId("ada"))
    assert not isinstance(contact, Refused)
    assert contact.step == 0
    assert contact.requirement.able == 0  # not yet


def test_contacts_shown_to_more_keep_their_turn_before_those_who_came_later(
    floor: "Floor",
) -> None:
    floor.queue("a", groups=(by("day"), by("night", delay_ms=10_000)))
    floor.contact("old", queue_id="a", at_ms=0)
    floor.contact("new", queue_id="a", at_ms=5_000)
    floor.pass_time(10_000)
    assert floor.offered(floor.agent("dan", groups=("day",), at_ms=11_000)) == [("old", "dan")]


# What is said, and what is refused.


def test_the_explanation_says_that_rank_decided(floor: "Floor") -> None:
    floor.queue("a", groups=(by("day", rank=1),))
    floor.queue("b", groups=(by("day", rank=2),))
    floor.contact("ben", queue_id="b", at_ms=0)
    floor.contact("ada", queue_id="a", at_ms=1_000)
    *_, offer = floor.agent("dan", groups=("day",), at_ms=2_000)
    assert isinstance(offer, OfferCreated)
    why = offer.explanation
    assert why is not None
    assert (why.rule, why.rank, why.runner_up_rank) == (DecisionRule.FIRST_BY_RANK, 1, 2)
    assert why_text(why, offer.agent_id, 1, 2_000) == (
        "dan became idle and got the first of the contacts they may serve by rank and share: rank 1,"
        " priority 0, waiting since 1970-01-01 00:00:01.000; next was contact ben: rank 2, priority 0,"
        " waiting since 1970-01-01 00:00:00.000"
    )


@pytest.mark.parametrize(
    ("groups", "why"),
    [
        ((by("day"), by("day", rank=1)), "groups[1].group 'day' is named twice"),
        ((by("day", delay_ms=1), by("", delay_ms=9)), "at least one is to be asked at once"),
    ],
)
def test_groups_that_cannot_be_meant_are_refused(
    floor: "Floor", groups: tuple[ServingGroup, ...], why: str
) -> None:
    refused = floor.refused(floor.queue_command("a", groups=groups))
    assert refused.reason is Reason.GROUPS_INVALID
    assert why in refused.detail


def test_what_is_so_already_is_no_event_and_what_changes_holds_for_who_comes(
    floor: "Floor",
) -> None:
    floor.queue("a", groups=(by("day", rank=1, weight=2), by("night", delay_ms=5)))
    assert floor.queue("a", groups=(by("day", rank=1, weight=2), by("night", delay_ms=5))) == ()
    floor.contact("before", queue_id="a", channel=Channel.VOICE)
    assert len(floor.queue("a")) == 1
    floor.contact("after", queue_id="a", at_ms=1)
    assert floor.offered(floor.agent("anybody", at_ms=2)) == [("after", "anybody")]
