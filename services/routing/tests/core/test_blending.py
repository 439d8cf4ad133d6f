"""Groups that come to a queue when it needs them, and go back: by thresholds apart, never twice in a dwell."""

import random
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import pytest

from huntgroup_routing.core.blending import BlendRule, BlendTrigger, GroupBlended, GroupUnblended
from huntgroup_routing.core.deadlines import next_deadline
from huntgroup_routing.core.invariants import check
from huntgroup_routing.core.messages import (
    AcceptOffer,
    ApplyPolicy,
    ContactReplanned,
    Event,
    ObserveAgentReleased,
    ObserveContactAbandoned,
    PassTime,
    Reason,
    Refused,
    RollBackPolicy,
)
from huntgroup_routing.core.values import AgentId, ContactId, QueueId, ServingGroup

if TYPE_CHECKING:
    from services.routing.tests.conftest import Floor

LENGTH, WAIT, LEVEL = (
    BlendTrigger.QUEUE_LENGTH,
    BlendTrigger.LONGEST_WAIT,
    BlendTrigger.SERVICE_LEVEL,
)
FIRST = (ServingGroup(group="first"),)


def rule(
    enter: int,
    leave: int,
    trigger: BlendTrigger = LENGTH,
    dwell_ms: int = 1_000,
    group: str = "spare",
) -> BlendRule:
    return BlendRule(group=group, trigger=trigger, enter=enter, leave=leave, dwell_ms=dwell_ms)


def open_for(floor: "Floor", *rules: BlendRule, **said: Any) -> None:
    """Have `sales` served by the first group, nobody of it here, and Ada of the spare group idle since 10."""
    floor.queue(groups=FIRST, blend=rules, **said)
    floor.agent("ada", groups=("spare",), at_ms=10)


def blended(floor: "Floor") -> frozenset[str]:
    return floor.state.queues[QueueId("sales")].blended


def settle(floor: "Floor", at_ms: int) -> tuple[Event, ...]:
    """Let all come that is due by a time."""
    told: list[Event] = []
    while events := floor.pass_time(at_ms):
        told += events
    return tuple(told)


def test_a_group_that_is_away_is_not_asked_and_comes_when_enough_wait(floor: "Floor") -> None:
    open_for(floor, rule(2, 0))
    assert floor.offered(floor.contact("c1", at_ms=20)) == []
    assert settle(floor, 21) == ()
    floor.contact("c2", at_ms=30)
    assert next_deadline(floor.state) == 30
    told = settle(floor, 30)
    assert told[0] == GroupBlended(
        at_ms=30, queue_id=QueueId("sales"), group="spare", trigger=LENGTH, value=2, limit=2, rank=0
    )
    assert sum(isinstance(one, ContactReplanned) for one in told) == 2
    assert floor.offered(told) == [("c1", "ada")]


def test_an_agent_of_a_group_that_is_here_serves_like_any_other(floor: "Floor") -> None:
    open_for(floor, rule(1, 0, dwell_ms=60_000))
    floor.contact("c1", at_ms=20)
    settle(floor, 20)
    floor.contact("c2", at_ms=25)
    assert floor.offered(floor.agent("bob", groups=("spare",), at_ms=30)) == [("c2", "bob")]


def test_it_goes_back_at_the_lower_threshold_only_and_not_before_the_dwell_is_over(
    floor: "Floor",
) -> None:
    open_for(floor, rule(3, 1, dwell_ms=1_000))
    for n in range(1, 4):
        floor.contact(f"c{n}", at_ms=20)
    settle(floor, 20)
    floor.accept("c1.1", "ada", at_ms=30)
    assert len(floor.state.queues[QueueId("sales")].waiting) == 2
    assert settle(floor, 5_000) == ()
    floor.abandon("c2", at_ms=5_001)
    assert [type(one) for one in settle(floor, 5_001)] == [GroupUnblended, ContactReplanned]
    assert blended(floor) == frozenset()
    floor.contact("c4", at_ms=5_002)
    floor.contact("c5", at_ms=5_003)
    assert settle(floor, 6_000) == ()
    assert next_deadline(floor.state) == 6_001
    assert isinstance(settle(floor, 6_001)[0], GroupBlended)


def test_contacts_of_a_group_that_goes_stay_with_it_and_it_gets_no_more(floor: "Floor") -> None:
    open_for(floor, rule(1, 0))
    floor.contact("c1", at_ms=20)
    settle(floor, 20)
    floor.accept("c1.1", "ada", at_ms=30)
    assert isinstance(settle(floor, 1_020)[0], GroupUnblended)
    floor.contact("c2", at_ms=1_030)
    assert floor.offered(floor.release("c1.1", "ada", at_ms=1_031)) == []
    assert floor.state.agents[AgentId("ada")].idle


def test_a_wait_that_grows_calls_a_group_at_its_moment(floor: "Floor") -> None:
    open_for(floor, rule(10_000, 2_000, WAIT))
    floor.contact("c1", at_ms=100)
    floor.contact("c2", at_ms=4_000)
    assert next_deadline(floor.state) == 10_100
    assert settle(floor, 10_099) == ()
    told = settle(floor, 10_100)
    assert isinstance(told[0], GroupBlended)
    assert (told[0].value, told[0].limit) == (10_000, 10_000)
    assert floor.offered(told) == [("c1", "ada")]
    floor.accept("c1.1", "ada", at_ms=10_200)
    assert settle(floor, 20_000) == (), "c2 has waited longer than 2 s"
    floor.abandon("c2", at_ms=20_001)
    assert isinstance(settle(floor, 20_001)[0], GroupUnblended)


def test_a_group_comes_while_too_few_are_answered_in_time(floor: "Floor") -> None:
    open_for(floor, rule(80, 90, LEVEL))
    floor.agent("first", groups=("first",), at_ms=10)
    at_ms = 100_000
    for n in range(30):
        floor.contact(f"late{n}", at_ms=at_ms, enqueued_at_ms=at_ms - 90_000)
        floor.accept(f"late{n}.1", "first", at_ms=at_ms)
        floor.release(f"late{n}.1", "first", at_ms=at_ms)
        at_ms += 100_000
    assert isinstance(settle(floor, at_ms)[0], GroupBlended)


def test_several_groups_come_one_after_the_other(floor: "Floor") -> None:
    open_for(floor, rule(2, 0), rule(3, 1, group="more"))
    floor.agent("bob", groups=("more",), at_ms=11)
    for n in range(1, 5):
        floor.contact(f"c{n}", at_ms=20)
    told = settle(floor, 20)
    assert [one.group for one in told if isinstance(one, GroupBlended)] == ["more", "spare"]
    assert floor.offered(told) == [("c1", "bob"), ("c2", "ada")]


def test_a_group_serves_by_the_rank_of_its_rule(floor: "Floor") -> None:
    """Ada serves chats, too, at rank 0; a call of the queue that she helps out goes behind them at rank 1."""
    spare = ServingGroup(group="spare")
    floor.queue("home", groups=(spare,))
    helped = BlendRule(group="spare", trigger=LENGTH, enter=1, leave=0, dwell_ms=1_000, rank=1)
    floor.queue(groups=FIRST, blend=(helped,))
    floor.contact("old", at_ms=1)
    settle(floor, 1)
    floor.contact("new", queue_id="home", at_ms=5)
    assert floor.offered(floor.agent("ada", groups=("spare",), at_ms=10)) == [("new", "ada")]


def test_the_group_of_all_others_does_not_hold_a_group_that_is_away(floor: "Floor") -> None:
    floor.queue(groups=(ServingGroup(group=""),), blend=(rule(2, 0),))
    floor.agent("ada", groups=("spare",), at_ms=10)
    floor.agent("bob", at_ms=11)
    assert floor.offered(floor.contact("c1", at_ms=20)) == [("c1", "bob")]
    assert floor.offered(floor.contact("c2", at_ms=21)) == []


def test_a_policy_without_the_rule_takes_the_group_back(floor: "Floor") -> None:
    floor.queue(groups=FIRST)
    before = floor.state.versions.version
    open_for(floor, rule(1, 0, dwell_ms=60_000))
    floor.contact("c1", at_ms=20)
    settle(floor, 20)
    assert blended(floor) == {"spare"}
    floor.tell(RollBackPolicy(version=before, applies_to_waiting=True), 30)
    assert blended(floor) == frozenset()
    assert floor.state.lends_due.head is None
    settle(floor, 30)
    floor.contact("c2", at_ms=40)
    assert floor.offered(floor.agent("bob", groups=("spare",), at_ms=50)) == []


def test_who_waits_already_asks_a_group_no_more_that_a_policy_sends_away(floor: "Floor") -> None:
    open_for(floor, rule(2, 0, dwell_ms=60_000))
    floor.agent("bob", groups=("first",), at_ms=11)
    for number in range(4):
        floor.contact(f"c{number}", at_ms=20)
    settle(floor, 20)
    again = type(floor)(state=floor.core.load("acme/emea", floor.core.dump(floor.state)))
    again.queue(groups=FIRST, at_ms=30)
    floor.tell(ApplyPolicy(queues=(floor.queue_command(groups=FIRST),)), 30)
    for each in (floor, again):
        settle(each, 30)
        assert each.offered(each.agent("eve", groups=("spare",), at_ms=50)) == []
        assert each.offered(each.agent("fay", groups=("first",), at_ms=60)) == [("c2", "fay")]


def test_a_group_that_becomes_one_that_always_serves_is_not_sent_away(floor: "Floor") -> None:
    open_for(floor, rule(1, 0, dwell_ms=60_000))
    floor.contact("c1", at_ms=20)
    settle(floor, 20)
    assert settle(floor, 21) == ()
    floor.queue(groups=(*FIRST, ServingGroup(group="spare")), at_ms=30)
    assert settle(floor, 31) == (), "who waits keeps its plan, and asks it still"


def test_other_thresholds_leave_a_group_where_it_is(floor: "Floor") -> None:
    open_for(floor, rule(2, 0, dwell_ms=60_000))
    for n in range(3):
        floor.contact(f"c{n}", at_ms=20)
    settle(floor, 20)
    floor.accept("c0.1", "ada", at_ms=25)
    floor.queue(groups=FIRST, blend=(rule(9, 1, dwell_ms=60_000),), at_ms=30)
    assert blended(floor) == {"spare"}
    assert settle(floor, 70_000) == ()
    floor.abandon("c1", at_ms=70_001)
    assert isinstance(settle(floor, 70_001)[0], GroupUnblended)


@pytest.mark.parametrize(
    ("groups", "rules", "detail"),
    [
        ((), (rule(2, 0),), "blend[0]: groups is empty"),
        ((ServingGroup(group="spare"),), (rule(2, 0),), "blend[0].group 'spare' is among groups"),
        (FIRST, (rule(2, 0), rule(3, 0)), "blend[1].group 'spare' is named twice"),
        (FIRST, (rule(2, 2),), "blend[0].leave 2 is not less than enter, 2"),
        (FIRST, (rule(90, 80, LEVEL),), "blend[0].leave 80 is not more than enter, 90"),
        (FIRST, (rule(90, 101, LEVEL),), "blend[0].leave 101 is not more than enter, 90, and at"),
    ],
)
def test_rules_that_make_no_sense_are_refused(
    floor: "Floor", groups: tuple[ServingGroup, ...], rules: tuple[BlendRule, ...], detail: str
) -> None:
    refused = floor.refused(floor.queue_command(groups=groups, blend=rules))
    assert refused.reason is Reason.GROUPS_INVALID
    assert detail in refused.detail


def test_a_written_state_knows_who_is_here_and_what_is_due(floor: "Floor") -> None:
    open_for(floor, rule(2, 1, dwell_ms=5_000))
    floor.contact("c1", at_ms=20)
    floor.contact("c2", at_ms=20)
    settle(floor, 20)
    due, before = next_deadline(floor.state), floor.core.dump(floor.state)
    floor.state = floor.core.load("acme/emea", before)
    assert next_deadline(floor.state) == due
    assert blended(floor) == {"spare"}
    assert floor.core.dump(floor.state) == before
    assert isinstance(settle(floor, 5_020)[0], GroupUnblended)


@pytest.mark.parametrize("seed", range(12))
def test_a_group_never_switches_twice_within_its_dwell(floor: "Floor", seed: int) -> None:
    """Chance plays; whatever it does, the same group comes and goes in turn, a dwell apart, and nobody is forgotten."""
    chance, at_ms = random.Random(seed), 100
    rules = (rule(3, 1, dwell_ms=2_000), rule(4_000, 500, WAIT, 3_000, group="more"))
    open_for(floor, *rules)
    floor.agent("bob", groups=("more",), at_ms=10)
    floor.agent("eve", groups=("first",), at_ms=10)
    switches: dict[str, list[tuple[int, bool]]] = {"spare": [], "more": []}
    for contacts in range(600):
        at_ms += chance.choice((0, 1, 40, 300, 900))
        offers = [one for one in floor.state.offers.values() if at_ms < one.expires_at_ms]
        commands: list[Any] = [floor.contact_command(f"c{contacts}", at_ms=at_ms)]
        if chance.random() < 0.2:
            someone = ContactId(f"c{chance.randint(0, contacts)}")
            commands = [ObserveContactAbandoned(contact_id=someone)]
        elif offers and chance.random() < (0.1, 0.9)[contacts // 60 % 2]:
            offer = chance.choice(offers)
            said: dict[str, Any] = {"offer_id": offer.offer_id, "agent_id": offer.agent_id}
            commands = [AcceptOffer(**said), ObserveAgentReleased(**said)]
        elif chance.random() < 0.4:
            commands = [PassTime()]
        for event in floor.quickly(*commands, at_ms=at_ms):
            if isinstance(event, GroupBlended | GroupUnblended):
                switches[event.group].append((at_ms, isinstance(event, GroupBlended)))
        assert check(floor.state) == []
    for one in rules:
        told = switches[one.group]
        assert [is_here for _, is_here in told] == [n % 2 == 0 for n in range(len(told))]
        assert all(b - a >= one.dwell_ms for (a, _), (b, _) in pairwise(told))
    assert sum(map(len, switches.values())) > 4, "they hardly moved"
    assert not isinstance(floor.decide(PassTime(), at_ms), Refused)
