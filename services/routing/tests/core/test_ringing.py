"""A contact that rings at several agents: one wins, the others go on being idle where they were."""

from collections import Counter
from typing import TYPE_CHECKING

from huntgroup_routing.adapters.mapping import event_codec
from huntgroup_routing.core.messages import (
    AcceptOffer,
    ChannelCapacity,
    ConfigureQueue,
    ContactRequeued,
    Event,
    ObserveAgentReleased,
    ObserveAgentSignedOn,
    ObserveAgentWentReady,
    ObserveContactQueued,
    OfferCanceled,
    OfferCreated,
    OfferExpired,
    OfferRejected,
    OfferRescinded,
    PassTime,
    Reason,
    RingWidened,
)
from huntgroup_routing.core.values import (
    RINGS_PER_DECISION_MAX,
    AgentId,
    Channel,
    ContactId,
    DecisionRule,
    OfferId,
    QueueId,
    RescindReason,
    RoutingStep,
    Strategy,
)

if TYPE_CHECKING:
    from services.routing.tests.conftest import Floor

RING_MS = 20_000
TIME_MS = 1_767_225_600_000


def three_ring(floor: "Floor", ring_max: int = 0) -> None:
    """Let `ada` ring at grace, alan and joan, who became idle in this order."""
    floor.queue(strategy=Strategy.RING_ALL, ring_max=ring_max)
    for at_ms, agent_id in enumerate(("grace", "alan", "joan"), 1):
        floor.agent(agent_id, at_ms=at_ms)
    floor.contact("ada", at_ms=10)


def queued(contact_id: str, queue_id: str) -> ObserveContactQueued:
    return ObserveContactQueued(
        contact_id=ContactId(contact_id),
        queue_id=QueueId(queue_id),
        channel=Channel.VOICE,
        priority=0,
        required_skills=(),
        enqueued_at_ms=TIME_MS,
    )


def names(events: tuple[Event, ...]) -> list[str]:
    return [type(event).__name__ for event in events]


def test_all_idle_agents_ring_the_longest_idle_first(floor: "Floor") -> None:
    three_ring(floor)
    offers = [one for one in floor.history if isinstance(one, OfferCreated)]
    assert [one.agent_id for one in offers] == ["grace", "alan", "joan"]
    assert [one.offer_id for one in offers] == ["ada.1", "ada.2", "ada.3"]
    assert [one.idle_agents for one in offers] == [3, 2, 1]
    assert {one.ring_target for one in offers} == {10}


def test_at_most_so_many_ring_as_the_queue_allows(floor: "Floor") -> None:
    three_ring(floor, ring_max=2)
    assert floor.offered(tuple(floor.history)) == [("ada", "grace"), ("ada", "alan")]
    assert floor.offered(floor.contact("ben", at_ms=11)) == [("ben", "joan")]


def test_the_first_to_accept_has_it_and_the_others_are_taken_back(floor: "Floor") -> None:
    three_ring(floor)
    events = floor.accept("ada.2", "alan", at_ms=15)
    assert names(events) == ["OfferAccepted", "OfferRescinded", "OfferRescinded"]
    rescinded = [one for one in events if isinstance(one, OfferRescinded)]
    assert [(one.agent_id, one.reason, one.ring_ms) for one in rescinded] == [
        ("grace", RescindReason.TAKEN_BY_ANOTHER, 5),
        ("joan", RescindReason.TAKEN_BY_ANOTHER, 5),
    ]
    refused = floor.refused(
        AcceptOffer(offer_id=OfferId("ada.1"), agent_id=AgentId("grace")), at_ms=16
    )
    assert refused.reason is Reason.OFFER_ENDED
    assert "RESCINDED" in refused.detail


def test_who_loses_goes_on_being_idle_where_they_were(floor: "Floor") -> None:
    three_ring(floor)
    floor.agent("mary", at_ms=12)  # rings along, and became idle last
    floor.accept("ada.3", "joan", at_ms=15)
    floor.release("ada.4", "mary", at_ms=16)
    floor.release("ada.2", "alan", at_ms=17)
    floor.release("ada.1", "grace", at_ms=18)
    floor.queue(strategy=Strategy.LONGEST_IDLE, queue_id="other", at_ms=19)
    made = [floor.contact(f"c{number}", queue_id="other", at_ms=20)[1] for number in range(3)]
    offers = [one for one in made if isinstance(one, OfferCreated)]
    assert [(one.agent_id, one.idle_since_ms) for one in offers] == [
        ("grace", 1),
        ("alan", 2),
        ("mary", 12),
    ]


def test_who_takes_another_contact_meanwhile_is_idle_anew(floor: "Floor") -> None:
    floor.queue(strategy=Strategy.RING_ALL)
    floor.agent("grace", at_ms=1, voice=2)
    floor.agent("alan", at_ms=2)
    floor.contact("ada", at_ms=10)
    floor.contact("ben", at_ms=11)
    floor.accept("ben.1", "grace", at_ms=12)
    floor.accept("ada.2", "alan", at_ms=13)
    floor.release("ada.1", "grace", at_ms=14)
    assert floor.state.agents[AgentId("grace")].idle[Channel.VOICE][1] == 14


def test_only_the_end_of_the_last_offer_sends_it_back(floor: "Floor") -> None:
    three_ring(floor)
    first = floor.reject("ada.1", "grace", at_ms=11)
    assert names(first) == ["OfferRejected"]
    assert isinstance(first[0], OfferRejected)
    assert first[0].others_ringing == 2
    assert names(floor.turn_away("ada.2", "alan", at_ms=12)) == ["OfferRescinded"]
    last = floor.pass_time(10 + RING_MS)
    assert names(last) == ["OfferExpired", "ContactRequeued"]
    assert isinstance(last[0], OfferExpired)
    assert last[0].others_ringing == 0
    assert isinstance(last[1], ContactRequeued)
    assert last[1].offer_id == "ada.3"


def test_whose_offer_ends_is_replaced_by_who_is_next(floor: "Floor") -> None:
    three_ring(floor, ring_max=2)
    assert floor.offered(floor.reject("ada.1", "grace", at_ms=11)) == [("ada", "joan")]


def test_nobody_is_asked_twice_while_it_rings(floor: "Floor") -> None:
    three_ring(floor)
    floor.reject("ada.1", "grace", at_ms=11)
    assert floor.offered(floor.release("ada.1", "grace", at_ms=12)) == []


def test_the_customer_who_leaves_cancels_all_of_them_and_nobody_loses_a_place(
    floor: "Floor",
) -> None:
    three_ring(floor)
    events = floor.abandon("ada", at_ms=15)
    assert names(events) == ["OfferCanceled"] * 3 + ["ContactDequeued"]
    assert {one.agent_id for one in events if isinstance(one, OfferCanceled)} == {
        "grace",
        "alan",
        "joan",
    }
    floor.release("ada.3", "joan", at_ms=16)
    floor.release("ada.1", "grace", at_ms=17)
    assert floor.state.agents[AgentId("grace")].idle[Channel.VOICE][1] == 1


def test_who_comes_next_waits_while_all_ring_and_gets_the_first_who_is_free(
    floor: "Floor",
) -> None:
    three_ring(floor)
    assert floor.offered(floor.contact("ben", at_ms=11)) == []
    floor.accept("ada.2", "alan", at_ms=12)
    assert floor.offered(floor.release("ada.3", "joan", at_ms=13)) == [("ben", "joan")]


def test_who_becomes_idle_rings_along_when_nobody_waits(floor: "Floor") -> None:
    three_ring(floor, ring_max=4)
    created = floor.agent("mary", at_ms=12)[-1]
    assert isinstance(created, OfferCreated)
    assert (created.contact_id, created.agent_id) == ("ada", "mary")
    assert created.explanation is not None
    assert created.explanation.rule is DecisionRule.RINGS_ALONG
    assert created.explanation.value == 4
    assert floor.offered(floor.agent("fay", at_ms=13)) == [], "four is the most"


def test_who_becomes_idle_rings_along_though_no_queue_rings_so_any_more(floor: "Floor") -> None:
    three_ring(floor, ring_max=4)
    floor.queue(strategy=Strategy.LONGEST_IDLE)
    assert floor.offered(floor.agent("mary", at_ms=12)) == [("ada", "mary")]


def test_one_rings_first_and_one_more_every_while(floor: "Floor") -> None:
    floor.queue(strategy=Strategy.RING_PROGRESSIVELY, ring_max=3, ring_every_ms=5_000)
    for at_ms, agent_id in enumerate(("grace", "alan"), 1):
        floor.agent(agent_id, at_ms=at_ms)
    assert floor.offered(floor.contact("ada", at_ms=10)) == [("ada", "grace")]
    assert floor.core.next_deadline(floor.state) == 5_010
    events = floor.pass_time(5_010)
    assert names(events) == ["RingWidened", "OfferCreated"]
    assert floor.offered(events) == [("ada", "alan")]
    events = floor.pass_time(10_010)
    assert isinstance(events[0], RingWidened)
    assert (events[0].ring_target, events[0].widens_at_ms) == (3, 0)
    assert floor.offered(events) == []
    assert floor.offered(floor.agent("joan", at_ms=11_000)) == [("ada", "joan")]


def test_an_agent_with_two_slots_rings_once_for_a_contact(floor: "Floor") -> None:
    floor.queue(strategy=Strategy.RING_ALL)
    floor.agent("grace", voice=2)
    assert floor.offered(floor.contact("ada")) == [("ada", "grace")]


def crowd(floor: "Floor", count: int, name: str) -> None:
    """Let so many agents be idle."""
    one = ChannelCapacity(channel=Channel.VOICE, slots=1)
    for number in range(count):
        agent_id = AgentId(f"{name}{number:04}")
        sign_on = ObserveAgentSignedOn(agent_id=agent_id, skills=(), capacity=(one,))
        floor.quickly(sign_on, ObserveAgentWentReady(agent_id=agent_id))


def test_more_than_a_decision_holds_ring_in_the_next_one(floor: "Floor") -> None:
    floor.queue(
        "tax",
        "tax",
        strategy=Strategy.RING_ALL,
        ring_max=900,
        steps=(RoutingStep(after_ms=5_000),),
    )
    crowd(floor, 1_900, "a")
    floor.contact("ada", queue_id="tax")
    floor.contact("ben", queue_id="tax", enqueued_at_ms=1, at_ms=1)
    first = floor.quickly(PassTime(), at_ms=5_001)
    rings = Counter(contact_id for contact_id, _ in floor.offered(first))
    assert rings == {"ada": 900, "ben": RINGS_PER_DECISION_MAX - 2 - 900}
    assert floor.core.next_deadline(floor.state) == 5_001
    rest = floor.pass_time(5_001)
    assert names(rest)[0] == "RingWidened"
    assert len(floor.offered(rest)) == 900 - rings["ben"]
    assert floor.core.next_deadline(floor.state) == 5_001 + RING_MS


def test_contacts_that_ring_at_all_there_are_do_not_come_due_again(floor: "Floor") -> None:
    """Each may ring at more than a decision holds, but nobody is idle any more."""
    steps = (RoutingStep(after_ms=5_000),)
    floor.queue("tax", "tax", strategy=Strategy.RING_ALL, ring_max=1_000, steps=steps)
    names_of = [f"c{number:02}" for number in range(20)]
    for contact_id in names_of:
        floor.contact(contact_id, queue_id="tax")
    crowd(floor, 990, "a")
    floor.quickly(PassTime(), at_ms=5_000)
    rest = floor.quickly(PassTime(), at_ms=5_000)
    assert RingWidened in {type(event) for event in rest}
    assert floor.quickly(PassTime(), at_ms=5_000) == ()
    assert floor.core.next_deadline(floor.state) == 5_000 + RING_MS


def test_the_largest_ring_fits_into_a_record(floor: "Floor") -> None:
    """Whatever the ids, a decision is written as one record of at most 512 KiB."""
    queue_id, contact_id, agent = "q" * 64, "c" * 64, "a" * 60
    floor.queue(queue_id, strategy=Strategy.RING_ALL, ring_max=1_000, at_ms=TIME_MS)
    crowd(floor, 1_000, agent)
    codec = event_codec()
    rung = floor.quickly(*[queued(contact_id, queue_id)], at_ms=TIME_MS)
    winner = AcceptOffer(offer_id=OfferId(f"{contact_id}.500"), agent_id=AgentId(f"{agent}0499"))
    for events in (rung, floor.quickly(winner, at_ms=TIME_MS + 1)):
        assert len(events) >= 1_000
        written = [codec.encode(event) for event in events]
        assert sum(len(kind) + len(payload) + 24 for kind, payload in written) < 512 * 1_024


def test_a_ring_of_old_goes_on_when_the_queue_changes_its_mind(floor: "Floor") -> None:
    floor.queue(strategy=Strategy.RING_PROGRESSIVELY, ring_max=3, ring_every_ms=5_000)
    floor.agent("grace", at_ms=1)
    floor.agent("alan", at_ms=2)
    floor.contact("ada", at_ms=10)
    floor.queue(strategy=Strategy.LONGEST_IDLE, at_ms=11)
    assert floor.offered(floor.pass_time(5_010)) == []
    assert floor.tell(PassTime(), 5_011) == ()
    floor.accept("ada.1", "grace", at_ms=6_000)
    assert floor.tell(
        ObserveAgentReleased(agent_id=AgentId("grace"), offer_id=OfferId("ada.1")), 7_000
    )


def test_where_one_rings_nothing_is_said_of_others(floor: "Floor") -> None:
    command = floor.queue_command(ring_max=5)
    assert isinstance(command, ConfigureQueue)
    floor.tell(command)
    floor.agent("grace")
    created = floor.contact("ada")[1]
    assert isinstance(created, OfferCreated)
    assert (created.ring_target, created.widens_at_ms) == (0, 0)
