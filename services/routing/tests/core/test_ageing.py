"""Priority that is worth time: a head start in age, not a wall; and how long anybody can be passed over."""

from collections import deque

from hypothesis import given, settings
from hypothesis import strategies as st

from huntgroup_routing.app.queries import why_text
from huntgroup_routing.core.messages import (
    AcceptOffer,
    ChannelCapacity,
    ContactEnqueued,
    ObserveAgentReleased,
    ObserveAgentSignedOn,
    ObserveContactQueued,
    OfferCreated,
    QueueConfigured,
    SetContactPriority,
)
from huntgroup_routing.core.values import AgentId, Channel, ContactId, QueueId
from services.routing.tests.conftest import Floor

POINT_MS = 10_000
GRACE = AgentId("grace")


def served(floor: Floor, at_ms: int) -> list[str]:
    """Let an agent with room for all come, and return whom they get, in order."""
    return [
        contact_id for contact_id, _ in floor.offered(floor.agent("grace", at_ms=at_ms, voice=9))
    ]


def test_a_point_of_priority_is_worth_so_much_waiting(floor: Floor) -> None:
    floor.queue(priority_point_ms=POINT_MS)
    floor.contact("old", at_ms=0)
    floor.contact("urgent", priority=2, at_ms=19_000)
    floor.contact("later", priority=2, at_ms=21_000)
    assert served(floor, 22_000) == ["urgent", "old", "later"]


def test_who_counts_as_waiting_since_the_same_moment_goes_by_id(floor: Floor) -> None:
    floor.queue(priority_point_ms=POINT_MS)
    floor.contact("b", at_ms=0)
    floor.contact("a", priority=1, at_ms=POINT_MS)
    assert served(floor, POINT_MS) == ["a", "b"]


def test_a_negative_priority_is_an_age_that_has_to_be_waited_for_first(floor: Floor) -> None:
    floor.queue(priority_point_ms=POINT_MS)
    floor.contact("patient", priority=-1, at_ms=0)
    floor.contact("usual", at_ms=9_000)
    floor.contact("late", at_ms=11_000)
    assert served(floor, 12_000) == ["usual", "patient", "late"]


def test_each_contact_counts_by_what_its_own_queue_says_a_point_is_worth(floor: Floor) -> None:
    floor.queue("quick", priority_point_ms=60_000)
    floor.queue("slow", priority_point_ms=1_000)
    floor.contact("slow", queue_id="slow", priority=5, at_ms=40_000)
    floor.contact("quick", queue_id="quick", priority=1, at_ms=80_000)
    floor.contact("none", queue_id="quick", at_ms=30_000)
    assert served(floor, 90_000) == ["quick", "none", "slow"]


def test_a_strict_priority_goes_before_all_age_and_after_it_below_zero(floor: Floor) -> None:
    floor.queue("ageing", priority_point_ms=POINT_MS)
    floor.contact("aged", queue_id="ageing", priority=9, at_ms=0)
    floor.contact("below", priority=-1, at_ms=0)
    floor.contact("above", priority=1, at_ms=500_000)
    assert served(floor, 500_000) == ["above", "aged", "below"]


def test_who_waits_already_keeps_their_place_when_the_worth_changes(floor: Floor) -> None:
    floor.contact("old", at_ms=0)
    floor.contact("urgent", priority=1, at_ms=50_000)
    (changed,) = floor.queue(priority_point_ms=POINT_MS, at_ms=51_000)
    assert isinstance(changed, QueueConfigured)
    assert floor.queue(priority_point_ms=POINT_MS, at_ms=51_000) == ()
    (enqueued,) = floor.contact("new", priority=1, at_ms=52_000)
    assert isinstance(enqueued, ContactEnqueued)
    assert enqueued.priority_point_ms == POINT_MS
    assert served(floor, 53_000) == ["urgent", "old", "new"]


def test_a_contact_that_comes_back_finds_the_place_its_priority_gave_it(floor: Floor) -> None:
    floor.queue(priority_point_ms=POINT_MS)
    floor.agent("grace")
    floor.contact("urgent", priority=3, at_ms=20_000)
    floor.contact("old", at_ms=20_001, enqueued_at_ms=0)
    floor.contact("later", at_ms=20_002)
    floor.reject("urgent.1", "grace", at_ms=20_003)
    assert floor.offered(floor.agent("alan", at_ms=20_004)) == [("urgent", "alan")]


def test_the_explanation_tells_what_priority_was_worth(floor: Floor) -> None:
    floor.queue(priority_point_ms=POINT_MS)
    floor.contact("old", at_ms=0)
    floor.contact("urgent", priority=2, at_ms=19_000)
    *_, offer = floor.agent("grace", at_ms=20_000)
    assert isinstance(offer, OfferCreated)
    why = offer.explanation
    assert why is not None
    assert (why.value, why.head_start_ms) == (19_000, 20_000)
    assert (why.runner_up_value, why.runner_up_head_start_ms) == (0, 0)
    text = why_text(why, offer.agent_id, 1, 20_000)
    assert "priority 2 worth 20.000 s, waiting since 1970-01-01 00:00:19.000" in text
    assert "next was contact old: priority 0, waiting since" in text


# How long anybody can be passed over.


Served = tuple[int, int, int]
"""Priority, since when the contact waited, and when it was offered (ms)."""


def told(arrivals: list[tuple[int, int]], others_every: int) -> list[ObserveContactQueued]:
    """Return contacts that come after so long each; all but one of so many are for the agent."""
    at_ms, queued = 0, []
    for number, (gap_ms, priority) in enumerate(arrivals):
        at_ms += gap_ms
        one = ObserveContactQueued(
            contact_id=ContactId(f"c{number:03d}"),
            queue_id=QueueId("sales"),
            channel=Channel.VOICE,
            priority=priority,
            required_skills=(),
            enqueued_at_ms=at_ms,
            preferred_agents=(GRACE,) if others_every and number % others_every != 1 else (),
        )
        queued.append(one)
    return queued


def play(
    arrivals: list[tuple[int, int]], serving_ms: int, point_ms: int, others_every: int = 0
) -> list[Served]:
    """Let one agent serve them all, each for the same time; return them in the order they were served."""
    floor, served, free_at_ms = Floor(), list[Served](), 0
    floor.queue(priority_point_ms=point_ms, ring_timeout_ms=600_000, preferred_hold_ms=90_000)
    floor.agent("grace")
    coming, priorities = deque(told(arrivals, others_every)), dict[str, int]()
    while coming or len(served) < len(arrivals):
        if coming and (not floor.state.agents[GRACE].held or coming[0].enqueued_at_ms < free_at_ms):
            one = coming.popleft()
            priorities[one.contact_id] = one.priority
            now_ms, events = one.enqueued_at_ms, floor.quickly(one, at_ms=one.enqueued_at_ms)
        else:
            offer_id = next(iter(floor.state.agents[GRACE].held))
            released = ObserveAgentReleased(agent_id=GRACE, offer_id=offer_id)
            now_ms, events = free_at_ms, floor.quickly(released, at_ms=free_at_ms)
        for event in events:
            if isinstance(event, OfferCreated):
                served.append((priorities[event.contact_id], event.enqueued_at_ms, now_ms))
                accept = AcceptOffer(offer_id=event.offer_id, agent_id=GRACE)
                floor.quickly(accept, at_ms=now_ms)
                free_at_ms = now_ms + serving_ms
    return served


stories = st.lists(st.tuples(st.integers(0, 400), st.integers(-3, 6)), min_size=2, max_size=60)


@settings(max_examples=60, deadline=None)
@given(stories, st.integers(50, 500), st.integers(1, 600), st.sampled_from((0, 2, 3, 500)))
def test_nobody_is_passed_by_who_came_later_than_the_priorities_are_apart(
    arrivals: list[tuple[int, int]], serving_ms: int, point_ms: int, others_every: int
) -> None:
    """The bound of docs/reference/routing.md: who is passed over, by whom, and so for how long."""
    served = play(arrivals, serving_ms, point_ms, others_every)
    highest = max(priority for priority, _, _ in served)
    for at, (priority, since_ms, served_ms) in enumerate(served):
        spread_ms = (highest - priority) * point_ms
        for other, other_since_ms, other_served_ms in served[:at]:
            if other_served_ms > since_ms:  # and so went before it while it waited
                assert other_since_ms <= since_ms + (other - priority) * point_ms
        ahead = sum(
            one_since_ms <= since_ms + spread_ms
            for number, (_, one_since_ms, _) in enumerate(served)
            if number != at
        )
        assert served_ms - since_ms <= (ahead + 1) * serving_ms


def test_where_priority_is_strict_there_is_no_such_bound() -> None:
    """The same check does fail: a stream of high priority starves whoever is below, for as long as it lasts."""
    stream = [(0, 0), (0, 1), *[(100, 1)] * 200]
    strict = play(stream, serving_ms=100, point_ms=0)
    ageing = play(stream, serving_ms=100, point_ms=1_000)
    waited = [
        [served_ms for priority, _, served_ms in story if priority == 0]
        for story in (strict, ageing)
    ]
    assert waited[0] == [0] or waited[0][0] >= 20_000
    assert waited[1] <= [1_200]


def test_nor_is_there_one_for_who_stands_behind_those_that_are_for_the_agent() -> None:
    """Where priority is strict they go before others of none higher, whenever they come; else by their places."""
    stream = [(0, 0), (0, 0), (0, 0), *[(100, 0)] * 200]
    waited = [
        max(served_ms - since_ms for _, since_ms, served_ms in play(stream, 100, point_ms, 500))
        for point_ms in (0, 1_000)
    ]
    assert waited[0] > 1_000 >= waited[1]


def test_who_is_for_an_agent_has_its_turn_by_place_between_shared_channels_too(
    floor: Floor,
) -> None:
    floor.queue(channel=None, priority_point_ms=POINT_MS, preferred_hold_ms=90_000)
    floor.sign_on("grace", voice=1)
    capacity = (
        ChannelCapacity(channel=Channel.VOICE, slots=1),
        ChannelCapacity(channel=Channel.CHAT, slots=1),
    )
    shared = ObserveAgentSignedOn(
        agent_id=GRACE, skills=(), traits=None, capacity=capacity, capacity_units=1
    )
    floor.tell(shared, 1)
    floor.ready("grace", 1)
    floor.contact("first", at_ms=2)
    floor.accept("first.1", "grace", at_ms=3)
    floor.contact("old", channel=Channel.CHAT, at_ms=4)
    floor.contact("own", preferred=("grace",), at_ms=5)
    assert floor.offered(floor.release("first.1", "grace", at_ms=6)) == [("old", "grace")]


def test_another_priority_is_another_head_start(floor: Floor) -> None:
    floor.queue(priority_point_ms=POINT_MS)
    floor.contact("old", at_ms=0)
    floor.contact("later", at_ms=15_000)
    set_priority = SetContactPriority(contact_id=ContactId("later"), priority=2)
    floor.tell(set_priority, 16_000)
    assert served(floor, 17_000) == ["later", "old"]
