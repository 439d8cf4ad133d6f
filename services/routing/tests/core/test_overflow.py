"""What becomes of contacts that their queue does not take, or lets go: limits, longest waits, keys; told in rules."""

from itertools import pairwise
from typing import TYPE_CHECKING

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from huntgroup_routing.core.hours import CloseQueue
from huntgroup_routing.core.leaving import Comer, Leaving
from huntgroup_routing.core.messages import (
    ApplyPolicy,
    ContactDequeued,
    ContactEnqueued,
    ContactKept,
    ContactMoved,
    ExitQueue,
    ObserveContactQueued,
    OfferCanceled,
    OfferCreated,
    OfferExpired,
    Reason,
)
from huntgroup_routing.core.overflow import (
    HOPS_MAX,
    KEPT_FOR_MS,
    Overflow,
    OverflowAction,
    OverflowRule,
    OverflowTrigger,
    endless_way,
    may_be_endless,
)
from huntgroup_routing.core.values import (
    MOVES_PER_DECISION_MAX,
    Channel,
    ContactId,
    DequeueReason,
    QueueId,
    RoutingStep,
    Skill,
)

if TYPE_CHECKING:
    from huntgroup_routing.core.messages import Event
    from huntgroup_routing.core.state import Queue
    from services.routing.tests.conftest import Floor

ADA, SALES, NIGHT = ContactId("ada"), QueueId("sales"), QueueId("night")


def rule(
    trigger: str, limit: int = 0, to: str = "night", *, action: str = "QUEUE", **more: str
) -> OverflowRule:
    """Return a rule that sends contacts to another queue, unless told otherwise."""
    return OverflowRule(
        trigger=OverflowTrigger(trigger),
        limit=limit,
        action=OverflowAction(action),
        queue_id=QueueId(to if action == "QUEUE" else ""),
        **more,
    )


def kinds(events: "tuple[Event, ...]") -> list[type]:
    return [type(event) for event in events]


@pytest.fixture
def two(floor: "Floor") -> "Floor":
    """A floor with a second queue, for the night."""
    floor.queue("night", "patience")
    return floor


# Who is not taken.


def test_who_comes_when_enough_wait_is_not_taken_and_whoever_sent_it_has_it_back(
    two: "Floor",
) -> None:
    two.queue("sales", overflow=(rule("QUEUE_LENGTH", 2, action="HAND_BACK"),))
    two.contact("x1")
    two.contact("x2")
    enqueued, dequeued = two.contact("ada", at_ms=7)
    assert isinstance(enqueued, ContactEnqueued)
    assert dequeued == ContactDequeued(
        at_ms=7,
        contact_id=ADA,
        queue_id=SALES,
        reason=DequeueReason.OVERFLOWED,
        overflow=Overflow(
            trigger=OverflowTrigger.QUEUE_LENGTH,
            action=OverflowAction.HAND_BACK,
            key="",
            limit=2,
            value=2,
            endpoint="",
            policy_version=2,
        ),
        stay=0,
    )
    assert ADA not in two.state.contacts


def test_who_was_handed_back_may_be_queued_again_and_its_offers_count_on(two: "Floor") -> None:
    two.queue("sales", overflow=(rule("EXIT_KEY", key="9", action="HAND_BACK"),))
    two.agent("grace")
    two.contact("ada")
    two.reject("ada.1", "grace", at_ms=1)
    (dequeued,) = two.tell(ExitQueue(contact_id=ADA, key="9"), 2)
    assert isinstance(dequeued, ContactDequeued)
    assert dequeued.attempts == 1
    two.release("ada.1", "grace", at_ms=3)
    again = ObserveContactQueued(
        contact_id=ADA,
        queue_id=SALES,
        channel=Channel.VOICE,
        priority=0,
        required_skills=(),
        enqueued_at_ms=10,
        stay=1,
        attempts=dequeued.attempts,
    )
    _, offer = two.tell(again, 10)
    assert isinstance(offer, OfferCreated)
    assert (offer.offer_id, offer.attempt) == ("ada.2", 2)


def test_ringing_contacts_do_not_count_as_waiting(two: "Floor") -> None:
    two.queue("sales", overflow=(rule("QUEUE_LENGTH", 1),))
    two.agent("grace")
    two.contact("x1")
    assert kinds(two.contact("ada")) == [ContactEnqueued]


def test_who_comes_when_somebody_has_waited_too_long_goes_elsewhere(two: "Floor") -> None:
    two.queue("sales", overflow=(rule("LONGEST_WAIT", 60_000),))
    two.contact("x1", at_ms=0)
    two.contact("vip", at_ms=10, priority=9)
    assert kinds(two.contact("x2", at_ms=59_999)) == [ContactEnqueued]
    assert kinds(two.contact("ada", at_ms=60_000)) == [ContactEnqueued, ContactMoved]
    assert two.state.contacts[ADA].queue_id == NIGHT
    two.abandon("x1", at_ms=60_001)
    two.abandon("vip", at_ms=60_002)
    assert kinds(two.contact("ben", at_ms=60_003)) == [ContactEnqueued]


def test_the_longest_wait_is_known_of_those_who_waited_before_anybody_asked(two: "Floor") -> None:
    two.contact("x1", at_ms=0)
    two.queue("sales", overflow=(rule("LONGEST_WAIT", 60_000),))
    assert kinds(two.contact("ada", at_ms=60_000)) == [ContactEnqueued, ContactMoved]


def test_who_comes_when_it_would_wait_too_long_by_the_estimate_goes_elsewhere(
    two: "Floor",
) -> None:
    two.queue("sales", overflow=(rule("ESTIMATED_WAIT", 60_000),))
    two.sign_on("grace")
    for number in range(1, 9):  # one every half minute
        two.contact(f"x{number}", at_ms=number)
    for number in range(1, 5):
        two.ready("grace", at_ms=30_000 * number)
        two.accept(f"x{number}.1", "grace", at_ms=30_000 * number)
        two.not_ready("grace", at_ms=30_000 * number)
        two.release(f"x{number}.1", "grace", at_ms=30_000 * number)
    _, moved = two.contact("ada", at_ms=120_000)
    assert isinstance(moved, ContactMoved)
    assert moved.overflow is not None
    assert moved.overflow.value > 60_000
    for number in range(5, 9):
        two.abandon(f"x{number}", at_ms=120_001)
    assert kinds(two.contact("ben", at_ms=120_002)) == [ContactEnqueued]


def test_who_comes_when_nobody_on_duty_could_serve_it_at_any_step_goes_elsewhere(
    two: "Floor",
) -> None:
    on_duty = rule("NOBODY_ON_DUTY", action="VOICEMAIL", endpoint="box-7")
    steps = (RoutingStep(after_ms=60_000),)
    two.queue("sales", "german", steps=steps, overflow=(on_duty,))
    two.sign_on("alan", "german", chat=1)
    _, dequeued = two.contact("ada")
    assert isinstance(dequeued, ContactDequeued)
    assert dequeued.overflow is not None
    assert (dequeued.overflow.action, dequeued.overflow.endpoint) == ("VOICEMAIL", "box-7")
    two.sign_on("grace")
    assert kinds(two.contact("ben")) == [ContactEnqueued], "grace may serve it after a minute"


def test_rules_are_tried_in_their_order(two: "Floor") -> None:
    first = rule("NOBODY_ON_DUTY", action="DISCONNECT")
    two.queue("sales", overflow=(rule("QUEUE_LENGTH", 1), first))
    _, dequeued = two.contact("ada")
    assert isinstance(dequeued, ContactDequeued)
    assert dequeued.overflow is not None
    assert dequeued.overflow.trigger is OverflowTrigger.NOBODY_ON_DUTY


# Another queue.


def test_who_goes_to_another_queue_keeps_its_age_and_stands_there_by_it(two: "Floor") -> None:
    two.queue("sales", overflow=(rule("WAITED", 20_000),))
    two.contact("ada", at_ms=0)
    two.contact("ben", queue_id="night", at_ms=5_000)
    two.contact("early", queue_id="night", at_ms=5_000, enqueued_at_ms=-1)
    assert two.core.next_deadline(two.state) == 20_000
    (moved,) = two.pass_time(20_000)
    assert isinstance(moved, ContactMoved)
    assert moved == ContactMoved(
        at_ms=20_000,
        contact_id=ADA,
        from_queue_id=SALES,
        queue_id=NIGHT,
        priority=0,
        enqueued_at_ms=0,
        step=0,
        required_skills=(Skill("patience"),),
        requirement="",
        stay=1,
        overflow=moved.overflow,
    )
    assert two.offered(two.agent("grace", "patience", at_ms=20_001)) == [("early", "grace")]
    two.sign_off("grace", at_ms=20_002)
    order = [place[2] for place in two.state.queues[NIGHT].waiting.in_order()]
    assert order == ["early", "ada", "ben"]


def test_whoever_is_idle_there_is_offered_in_the_same_decision(two: "Floor") -> None:
    two.queue("sales", "tax", overflow=(rule("QUEUE_LENGTH", 1), rule("WAITED", 20_000)))
    two.agent("grace", "patience", voice=2)
    two.contact("x1", at_ms=0)
    _, moved, offer = two.contact("ada", at_ms=1)
    assert isinstance(moved, ContactMoved)
    assert isinstance(offer, OfferCreated)
    assert (offer.queue_id, offer.enqueued_at_ms) == (NIGHT, 1)
    moved, offer = two.pass_time(20_000)
    assert isinstance(moved, ContactMoved)
    assert isinstance(offer, OfferCreated)
    assert (offer.contact_id, offer.queue_id, offer.enqueued_at_ms) == ("x1", NIGHT, 0)


def test_its_own_skills_stay_and_it_comes_at_once_to_the_step_of_its_age(two: "Floor") -> None:
    steps = (RoutingStep(after_ms=10_000, required_skills=(Skill("humour"),)),)
    two.queue("night", "patience", steps=steps)
    two.queue("sales", overflow=(rule("WAITED", 20_000),))
    two.contact("ada", "arabic", at_ms=0)
    (moved,) = two.pass_time(20_000)
    assert isinstance(moved, ContactMoved)
    assert (moved.step, moved.required_skills) == (1, ("arabic", "humour"))


def test_the_longest_wait_counts_anew_in_each_queue(two: "Floor") -> None:
    two.queue("night", overflow=(rule("WAITED", 5_000, action="DISCONNECT"),))
    two.queue("sales", overflow=(rule("WAITED", 20_000),))
    two.contact("ada", at_ms=0)
    two.pass_time(20_000)
    assert two.core.next_deadline(two.state) == 25_000
    (dequeued,) = two.pass_time(25_000)
    assert isinstance(dequeued, ContactDequeued)
    assert dequeued.queue_id == NIGHT
    assert dequeued.overflow is not None
    assert dequeued.overflow.value == 5_000
    assert two.core.next_deadline(two.state) is None


def test_who_goes_elsewhere_and_finds_too_many_there_goes_on(two: "Floor") -> None:
    two.queue("last")
    two.queue("night", overflow=(rule("QUEUE_LENGTH", 1, "last"),))
    two.queue("sales", overflow=(rule("QUEUE_LENGTH", 1),))
    two.contact("x1")
    two.contact("x2", queue_id="night")
    events = two.contact("ada")
    assert kinds(events) == [ContactEnqueued, ContactMoved, ContactMoved]
    contact = two.state.contacts[ADA]
    assert (contact.queue_id, contact.stay) == ("last", 2)


def test_a_rule_whose_queue_is_full_is_passed_over(two: "Floor") -> None:
    two.queue("night", waiting_max=1)
    hand_back = rule("NOBODY_ON_DUTY", action="HAND_BACK")
    two.queue("sales", overflow=(rule("QUEUE_LENGTH", 1), hand_back))
    two.sign_on("grace")
    two.contact("x1")
    two.contact("x2", queue_id="night")
    assert kinds(two.contact("ada")) == [ContactEnqueued]
    two.sign_off("grace")
    _, dequeued = two.contact("ben")
    assert isinstance(dequeued, ContactDequeued)


def test_a_queue_that_left_the_policy_takes_nobody_more(two: "Floor") -> None:
    sales = two.queue_command("sales", overflow=(rule("WAITED", 1_000),))
    night = two.queue_command("night")
    two.tell(ApplyPolicy(queues=(sales, night)))
    two.contact("ada", at_ms=0)
    two.tell(ApplyPolicy(queues=(two.queue_command("sales"),)))
    assert kinds(two.pass_time(1_000)) == [ContactKept]
    refused = two.refused(ApplyPolicy(queues=(sales,)))
    assert (
        refused.detail == "queues[0].overflow[0].queue_id: 'night': names no queue of this domain"
    )
    assert two.refused(sales).reason is Reason.OVERFLOW_INVALID


def test_a_policy_that_applies_to_those_who_wait_changes_when_they_go(two: "Floor") -> None:
    two.queue("sales", overflow=(rule("WAITED", 20_000),))
    two.contact("ada", at_ms=0)
    sooner = two.queue_command("sales", overflow=(rule("WAITED", 5_000),))
    two.tell(ApplyPolicy(queues=(sooner, two.queue_command("night")), applies_to_waiting=True), 1)
    two.pass_time(1)
    assert two.core.next_deadline(two.state) == 5_000
    assert kinds(two.pass_time(5_000)) == [ContactMoved]


def test_many_who_waited_enough_at_once_see_each_other_in_the_queue_they_go_to(
    two: "Floor",
) -> None:
    two.queue("night", waiting_max=3)
    two.queue("sales", overflow=(rule("WAITED", 1_000),))
    for number in range(5):
        two.contact(f"c{number}", at_ms=number)
    events = two.pass_time(2_000)
    assert kinds(events) == [ContactKept] * 2 + [ContactMoved] * 3
    assert [one.contact_id for one in events if isinstance(one, ContactKept)] == ["c3", "c4"]
    assert two.core.next_deadline(two.state) == 2_000 + KEPT_FOR_MS
    two.abandon("c0", at_ms=3_000)
    assert kinds(two.pass_time(2_000 + KEPT_FOR_MS)) == [ContactKept, ContactMoved]


def test_more_than_one_decision_may_hold_go_on_in_the_next(two: "Floor") -> None:
    two.queue("sales", overflow=(rule("WAITED", 1_000),))
    arrivals = (
        ObserveContactQueued(
            contact_id=ContactId(f"c{number}"),
            queue_id=SALES,
            channel=Channel.VOICE,
            priority=0,
            required_skills=(),
            enqueued_at_ms=0,
        )
        for number in range(MOVES_PER_DECISION_MAX + 3)
    )
    two.quickly(*arrivals)
    assert len(two.pass_time(1_000)) == MOVES_PER_DECISION_MAX
    assert two.core.next_deadline(two.state) == 1_000
    assert len(two.pass_time(1_000)) == 3


def test_a_queue_in_the_middle_does_not_make_a_way_too_long(floor: "Floor") -> None:
    def to(queue_id: str) -> tuple[OverflowRule, ...]:
        return (rule("QUEUE_LENGTH", 1, queue_id),)

    names = [*(f"b{number}" for number in range(6, 0, -1)), "m"]
    for first, then in pairwise(["", *names]):
        floor.queue(then, overflow=to(first) if first and then != "m" else ())
    for first, then in pairwise(["m", *(f"a{number}" for number in range(1, 6))]):
        floor.queue(then, overflow=to(first))
    refused = floor.refused(floor.queue_command("m", overflow=to("b1")))
    way = "a5 to a4 to a3 to a2 to a1 to m to b1 to b2 to b3 to b4 to b5 to b6"
    assert refused.detail == f"overflow goes through more than 10 queues: {way}"
    floor.queue("m", overflow=to("b2"))


# While it rings.


def test_who_rings_is_not_taken_away_and_goes_when_nobody_answered(two: "Floor") -> None:
    two.queue("sales", overflow=(rule("WAITED", 1_000),), ring_timeout_ms=5_000)
    two.agent("grace")
    two.contact("ada", at_ms=0)
    assert two.core.next_deadline(two.state) == 5_000
    assert OfferExpired in kinds(two.pass_time(5_000))
    assert two.core.next_deadline(two.state) == 1_000
    assert kinds(two.pass_time(5_001)) == [ContactMoved]


def test_the_customer_may_leave_by_key_also_while_it_rings(two: "Floor") -> None:
    two.queue("sales", overflow=(rule("EXIT_KEY", key="2"),))
    two.agent("grace")
    two.agent("alan", "patience")
    two.contact("ada", at_ms=0)
    canceled, moved, offer = two.tell(ExitQueue(contact_id=ADA, key="2"), 700)
    assert isinstance(canceled, OfferCanceled)
    assert (canceled.reason, canceled.ring_ms) == ("CUSTOMER_EXITED", 700)
    assert isinstance(moved, ContactMoved)
    assert isinstance(offer, OfferCreated)
    assert (offer.offer_id, offer.agent_id) == ("ada.2", "alan")


@pytest.mark.parametrize(
    ("contact_id", "key", "reason"),
    [
        ("nobody", "2", Reason.CONTACT_UNKNOWN),
        ("ada", "3", Reason.EXIT_KEY_UNKNOWN),
        ("ada", "2", Reason.TARGET_FULL),
    ],
)
def test_a_key_that_leads_nowhere_is_refused(
    two: "Floor", contact_id: str, key: str, reason: Reason
) -> None:
    two.queue("night", waiting_max=1)
    two.queue("sales", overflow=(rule("EXIT_KEY", key="2"),))
    two.contact("x2", queue_id="night")
    two.contact("ada")
    refused = two.refused(ExitQueue(contact_id=ContactId(contact_id), key=key))
    assert refused.reason is reason
    assert key in refused.detail or contact_id in refused.detail


def test_a_queue_to_which_many_ways_lead_is_asked_once_for_each_number_of_hops_left(
    two: "Floor", monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[QueueId] = []
    compared = Leaving._compared

    def counting(
        leaving: Leaving, queue: "Queue", overflow_rule: OverflowRule, comer: Comer
    ) -> int | None:
        asked.append(queue.queue_id)
        return compared(leaving, queue, overflow_rule, comer)

    last = "night"
    for name in (*(f"q{number}" for number in range(HOPS_MAX - 1)), "sales"):
        two.queue(name, overflow=(rule("CLOSED", to=last), rule("NOBODY_ON_DUTY", to=last)))
        last = name
    for name in two.state.queues:
        two.tell(CloseQueue(queue_id=name, note="-"), 0)
    monkeypatch.setattr(Leaving, "_compared", counting)
    assert kinds(two.contact("ada", at_ms=1)) == [ContactEnqueued, ContactDequeued]
    assert len(asked) == 2 * HOPS_MAX, "two rules of every queue on the way"


def test_a_key_says_why_its_queue_takes_nobody(two: "Floor") -> None:
    two.queue("night", waiting_max=1)
    two.queue("sales", overflow=(rule("EXIT_KEY", key="2"),))
    two.contact("ada")
    leave = ExitQueue(contact_id=ContactId("ada"), key="2")
    leads = "key '2' leads to queue_id 'night', which is"
    two.contact("x2", queue_id="night")
    assert two.refused(leave).detail == f"{leads} full: its waiting_max is 1"
    two.abandon("x2")
    two.tell(CloseQueue(queue_id=QueueId("night"), note="fire drill"))
    assert two.refused(leave).detail == (f"{leads} closed, and no rule of its own leads on")
    two.tell(ApplyPolicy(queues=(two.queue_command("sales"),)))
    assert two.refused(leave).detail == f"{leads} no queue of this domain"


# What is kept, and what is refused.


def test_who_waits_keeps_the_rules_it_came_with_and_a_dump_knows_them(two: "Floor") -> None:
    two.queue("sales", overflow=(rule("WAITED", 20_000), rule("LONGEST_WAIT", 90_000)))
    two.contact("ada", at_ms=0)
    two.queue("sales", overflow=(rule("LONGEST_WAIT", 90_000),))
    again = type(two)(state=two.core.load("acme/emea", two.core.dump(two.state)))
    assert again.core.dump(again.state) == two.core.dump(two.state)
    assert kinds(again.pass_time(20_000)) == [ContactMoved]
    assert kinds(again.contact("ben", at_ms=20_001)) == [ContactEnqueued]


@pytest.mark.parametrize(
    ("rules", "complaint"),
    [
        ((rule("QUEUE_LENGTH"),), "overflow[0].limit is missing: QUEUE_LENGTH needs it"),
        ((rule("NOBODY_ON_DUTY", 5),), "overflow[0].limit 5 says nothing: NOBODY_ON_DUTY does not"),
        ((rule("EXIT_KEY"),), "overflow[0].key is missing: EXIT_KEY needs it"),
        ((rule("WAITED", 5, action="VOICEMAIL"),), "overflow[0].endpoint is missing: VOICEMAIL"),
        ((rule("WAITED", 5, ""),), "overflow[0].queue_id is missing: QUEUE needs it"),
        ((rule("WAITED", 5, "nowhere"),), "overflow[0].queue_id 'nowhere' names no queue"),
        ((rule("WAITED", 5, "sales"),), "overflow[0].queue_id 'sales' is the queue itself"),
        ((rule("WAITED", 5), rule("WAITED", 9)), "overflow[1] has the trigger of overflow[0]"),
        ((rule("WAITED", 5),), "overflow goes in a circle: sales to night to late to sales"),
    ],
)
def test_rules_that_cannot_be_are_refused_by_name(
    two: "Floor", rules: tuple[OverflowRule, ...], complaint: str
) -> None:
    two.queue("late", overflow=(rule("WAITED", 5, "sales"),))
    two.queue("night", overflow=(rule("WAITED", 5, "late"),))
    refused = two.refused(two.queue_command("sales", overflow=rules))
    assert refused.reason is Reason.OVERFLOW_INVALID
    assert refused.detail.startswith(complaint)


def test_a_way_through_too_many_queues_is_refused(two: "Floor") -> None:
    for number in range(HOPS_MAX):
        before = f"q{number - 1}" if number else "night"
        two.queue(f"q{number}", overflow=(rule("WAITED", 5, before),))
    refused = two.refused(
        two.queue_command("sales", overflow=(rule("WAITED", 5, f"q{HOPS_MAX - 1}"),))
    )
    assert f"through more than {HOPS_MAX} queues" in refused.detail


ways = st.dictionaries(
    st.sampled_from([QueueId(f"q{number}") for number in range(14)]),
    st.lists(st.sampled_from([f"q{number}" for number in range(14)]), max_size=3, unique=True),
)
LINE = {QueueId(f"q{number}"): [f"q{number + 1}"] for number in range(13)}


@given(ways)
@example(LINE)
@example({**LINE, QueueId(f"q{HOPS_MAX}"): []})
@example({**LINE, QueueId(f"q{HOPS_MAX + 1}"): []})
@example({QueueId("q0"): ["q1"], QueueId("q1"): ["q2"], QueueId("q2"): ["q1"]})
def test_no_endless_way_is_overlooked_where_all_queues_are_looked_at_together(
    named: dict[QueueId, list[str]],
) -> None:
    rules = {
        queue_id: [rule("EXIT_KEY", to=to, key=str(key)) for key, to in enumerate(targets)]
        for queue_id, targets in named.items()
    }
    endless = [queue_id for queue_id in rules if endless_way(queue_id, rules[queue_id], rules)]
    itself = [queue_id for queue_id, targets in named.items() if queue_id in targets]
    assert may_be_endless(rules) >= bool(endless)
    assert may_be_endless(rules) <= bool(endless or itself)
