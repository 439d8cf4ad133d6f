"""The written form of the state, lines, requirements, and the invariants that watch over them."""

import random
from collections.abc import Callable
from typing import TYPE_CHECKING

import pytest
from msgspec.structs import replace

from huntgroup_routing.core import RoutingCore
from huntgroup_routing.core.invariants import check
from huntgroup_routing.core.lines import Line
from huntgroup_routing.core.messages import (
    AcceptOffer,
    ObserveAgentReleased,
    ObserveContactQueued,
    OfferCreated,
)
from huntgroup_routing.core.state import State
from huntgroup_routing.core.values import (
    ENDED_CONTACTS_MAX,
    ENDED_OFFERS_MAX,
    UNUSED_REQUIREMENTS_MAX,
    AgentId,
    Channel,
    ContactId,
    OfferId,
    OfferState,
    Place,
    QueueId,
    RoutingStep,
    Skill,
    StepTrigger,
)

if TYPE_CHECKING:
    from services.routing.tests.conftest import Floor

ADA, GRACE = ContactId("ada"), AgentId("grace")


@pytest.fixture
def busy(floor: "Floor") -> "Floor":
    """A floor with something of everything."""
    floor.queue(channel=None)
    floor.queue("german", "german")
    for number, agent_id in enumerate(("grace", "alan", "edsger", "barbara")):
        floor.agent(agent_id, "german", voice=1, chat=2, at_ms=number)
    floor.contact("ada", at_ms=10)
    floor.accept("ada.1", "grace", at_ms=11)
    floor.contact("ben", queue_id="german", at_ms=12)
    floor.contact("cai", at_ms=13)
    floor.reject("cai.1", "edsger", at_ms=14)
    floor.contact("dora", at_ms=15)
    floor.contact("eve", "french", priority=4, at_ms=16)
    floor.abandon("dora", at_ms=17)
    floor.sign_off("grace", at_ms=18)
    floor.not_ready("alan", at_ms=19)
    crowded = RoutingStep(after_ms=0, trigger=StepTrigger.QUEUE_LENGTH, limit=2)
    for queue_id in ("zulu", "russian"):  # not in the order of their ids
        floor.queue(queue_id, requirement='skill("russian")', steps=(crowded,))
    for number in (1, 0):
        for queue_id in ("zulu", "russian"):
            floor.contact(f"{queue_id}{number}", queue_id=queue_id, at_ms=19)
    assert floor.state.watching.due.head is not None
    return floor


def test_a_state_read_back_is_written_the_same(busy: "Floor") -> None:
    dumped = busy.core.dump(busy.state)
    loaded = busy.core.load("acme/emea", dumped)
    assert check(loaded) == []
    assert busy.core.dump(loaded) == dumped
    assert busy.core.next_deadline(loaded) == busy.core.next_deadline(busy.state)


def test_a_state_read_back_decides_the_same(busy: "Floor") -> None:
    loaded = type(busy)(state=busy.core.load("acme/emea", busy.core.dump(busy.state)))
    for floor in (busy, loaded):
        floor.history.clear()
        floor.ready("alan", at_ms=20)
        for number in range(6):
            floor.contact(f"c{number}", channel=Channel.CHAT, at_ms=21)
        floor.release("cai.1", "edsger", at_ms=22)
        floor.release("ben.1", "alan", at_ms=23)
        floor.agent("odette", "french", "german", at_ms=24)
        for _ in range(3):
            floor.pass_time(10**6)
    assert loaded.history == busy.history
    assert len(busy.offered(tuple(busy.history))) > 6
    assert loaded.core.dump(loaded.state) == busy.core.dump(busy.state)


def test_a_core_that_does_not_say_why_decides_the_same(busy: "Floor") -> None:
    silent = type(busy)(state=busy.core.load("acme/emea", busy.core.dump(busy.state)))
    silent.state.explains = False
    for floor in (busy, silent):
        floor.history.clear()
        floor.ready("alan", at_ms=20)
        for number in range(6):
            floor.contact(f"c{number}", channel=Channel.CHAT, at_ms=21)
        floor.release("cai.1", "edsger", at_ms=22)
        floor.reject("c0.1", floor.state.offers[OfferId("c0.1")].agent_id, at_ms=23)
        floor.pass_time(10**6)
    offers = [one for one in busy.history if isinstance(one, OfferCreated)]
    assert len(offers) > 3
    assert all(one.explanation for one in offers)
    assert [
        replace(one, explanation=None) if isinstance(one, OfferCreated) else one
        for one in busy.history
    ] == silent.history


def test_the_events_alone_make_the_state(busy: "Floor") -> None:
    folded = busy.core.initial("acme/emea")
    for event in busy.history:
        folded = busy.core.evolve(folded, event)
    assert busy.core.dump(folded) == busy.core.dump(busy.state)


@pytest.mark.parametrize("dumped", [b"", b"\x90", b"\xc1", b"\x98\x63" + b"\x90" * 7])
def test_what_is_no_state_is_not_read(dumped: bytes) -> None:
    with pytest.raises(ValueError, match="acme/emea"):
        RoutingCore().load("acme/emea", dumped)


def test_a_state_that_refers_to_what_it_lacks_is_not_read(busy: "Floor") -> None:
    busy.state.queues.clear()
    with pytest.raises(ValueError, match="lacks"):
        busy.core.load("acme/emea", busy.core.dump(busy.state))


def test_a_line_keeps_its_order_whoever_leaves_and_comes_back() -> None:
    chance, line, members = random.Random(3), Line[Place](), set[Place]()
    places: list[Place] = [(n % 3, n % 7, ContactId(f"c{n}")) for n in range(400)]
    for step in range(6_000):
        place = chance.choice(places) if chance.random() < 0.9 else min(members, default=places[0])
        if place in members:
            line.remove(place)
        else:
            line.add(place)
        members ^= {place}
        assert line.head == min(members, default=None)
        assert len(line) == len(members)
        if step % 50 == 0:
            assert list(line.in_order()) == sorted(members)


def test_a_line_does_not_keep_those_who_left() -> None:
    line = Line[Place]()
    for number in range(10_000):
        line.add((0, number, ContactId("c")))
    for number in range(1, 10_000):
        line.remove((0, number, ContactId("c")))
    assert len(line) == 1
    assert line.second is None
    assert line._behind is not None
    assert len(line._behind) < 200


def test_requirements_that_nobody_has_any_more_are_forgotten(floor: "Floor") -> None:
    floor.agent("grace", *(f"s{number}" for number in range(UNUSED_REQUIREMENTS_MAX + 50)))
    floor.not_ready("grace")
    for number in range(UNUSED_REQUIREMENTS_MAX + 50):
        floor.contact(f"c{number}", f"s{number}")
        floor.abandon(f"c{number}")
    assert len(list(floor.state.pool.requirements)) == UNUSED_REQUIREMENTS_MAX + 1
    floor.ready("grace")
    for number in (0, UNUSED_REQUIREMENTS_MAX):
        assert floor.offered(floor.contact(f"again{number}", f"s{number}")) == [
            (f"again{number}", "grace")
        ]
        floor.accept(f"again{number}.1", "grace")
        floor.release(f"again{number}.1", "grace")


def test_what_ended_is_remembered_for_a_while_only(floor: "Floor") -> None:
    floor.agent("grace")
    arrival = ObserveContactQueued(
        contact_id=ADA,
        queue_id=QueueId("sales"),
        channel=Channel.VOICE,
        priority=0,
        required_skills=(),
        enqueued_at_ms=0,
    )
    for number in range(max(ENDED_OFFERS_MAX, ENDED_CONTACTS_MAX) + 1):
        offer_id = OfferId(f"c{number}.1")
        floor.quickly(
            replace(arrival, contact_id=ContactId(f"c{number}")),
            AcceptOffer(offer_id=offer_id, agent_id=GRACE),
            ObserveAgentReleased(agent_id=GRACE, offer_id=offer_id),
        )
    state = floor.state
    assert (len(state.ended_offers), len(state.ended_contacts)) == (
        ENDED_OFFERS_MAX,
        ENDED_CONTACTS_MAX,
    )
    assert OfferId("c0.1") not in state.ended_offers
    assert OfferId("c1.1") in state.ended_offers
    assert check(state) == []


def _double_book(state: State) -> None:
    state.agents[AgentId("frances")].take(OfferId("x.1"), Channel.VOICE)


def _lose_place(state: State) -> None:
    state.contacts[ContactId("eve")].place = (0, 0, ContactId("eve"))


def _lose_offer(state: State) -> None:
    del state.offers[OfferId("ben.1")]


def _end_without_end(state: State) -> None:
    state.offers[OfferId("ben.1")].state = OfferState.ACCEPTED


def _keep_waiting(state: State) -> None:
    state.contacts[ContactId("eve")].requirement.waiting.remove((-4, 16, ContactId("eve")))


def _overlook(state: State) -> None:
    pool = state.pool
    requirement = pool.find(Channel.VOICE, ((Skill("german"),), "", None, ""))
    assert requirement is not None
    requirement.idle.clear()


def _miscount(state: State) -> None:
    next(iter(state.queues.values())).ringing += 1


@pytest.mark.parametrize(
    "damage",
    [_double_book, _lose_place, _lose_offer, _end_without_end, _keep_waiting, _miscount, _overlook],
)
def test_a_damaged_state_is_found_out(busy: "Floor", damage: Callable[[State], None]) -> None:
    busy.agent("frances", "german")
    assert check(busy.state) == []
    damage(busy.state)
    assert check(busy.state) != []
