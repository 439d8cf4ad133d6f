"""Which of the idle agents gets a contact: a story for every strategy, and the order that all but one stand in."""

import random
from collections import Counter
from typing import TYPE_CHECKING

import pytest

from huntgroup_routing.core.agents import Agent, Work
from huntgroup_routing.core.invariants import check
from huntgroup_routing.core.lines import BLOCK_MAX, Key, SortedKeys
from huntgroup_routing.core.messages import AcceptOffer, Event, ObserveAgentReleased, OfferCreated
from huntgroup_routing.core.selection import MOVED_MAX, Measure, Roster
from huntgroup_routing.core.values import AgentId, Channel, OfferId, Skill, Strategy

if TYPE_CHECKING:
    from services.routing.tests.conftest import Floor

MINUTE_MS = 60_000


def who(events: tuple[Event, ...]) -> str:
    """Return the agent of the one offer among events."""
    (offer,) = (one for one in events if isinstance(one, OfferCreated))
    return offer.agent_id


def asked(floor: "Floor", count: int, prefix: str, at_ms: int = 0) -> list[str]:
    """Let contacts come, each accepted and over at once; return who got them."""
    agents = []
    for number in range(count):
        contact_id = f"{prefix}{number}"
        agent_id = who(floor.contact(contact_id, at_ms=at_ms))
        offer_id = OfferId(f"{contact_id}.1")
        floor.quickly(
            AcceptOffer(offer_id=offer_id, agent_id=AgentId(agent_id)),
            ObserveAgentReleased(offer_id=offer_id, agent_id=AgentId(agent_id)),
            at_ms=at_ms,
        )
        agents.append(agent_id)
    return agents


def test_the_most_idle_agent_has_been_idle_longest_in_all(floor: "Floor") -> None:
    floor.agent("grace", at_ms=0)
    floor.not_ready("grace", at_ms=5 * MINUTE_MS)
    floor.agent("alan", at_ms=5 * MINUTE_MS)
    floor.ready("grace", at_ms=8 * MINUTE_MS)
    floor.queue(strategy=Strategy.LONGEST_IDLE)
    assert who(floor.contact("ada", at_ms=9 * MINUTE_MS)) == "alan", "idle for 4 minutes, grace 1"
    floor.abandon("ada", at_ms=9 * MINUTE_MS)
    floor.release("ada.1", "alan", at_ms=9 * MINUTE_MS)
    floor.queue(strategy=Strategy.MOST_IDLE)
    assert who(floor.contact("ben", at_ms=9 * MINUTE_MS)) == "grace", "6 minutes in all, alan 4"


def test_a_break_is_no_idleness(floor: "Floor") -> None:
    floor.queue(strategy=Strategy.MOST_IDLE)
    floor.agent("grace", at_ms=0)
    floor.not_ready("grace", at_ms=1)
    floor.agent("alan", at_ms=5 * MINUTE_MS)
    floor.ready("grace", at_ms=6 * MINUTE_MS)
    assert who(floor.contact("ada", at_ms=7 * MINUTE_MS)) == "alan"


def test_the_agent_with_the_fewest_accepted_contacts_is_next(floor: "Floor") -> None:
    floor.queue(strategy=Strategy.FEWEST_CONTACTS)
    floor.agent("grace")
    floor.serve("ada", "grace", 0, 1)
    floor.serve("ben", "grace", 1, 2)
    floor.agent("alan", at_ms=3)
    floor.serve("cai", "alan", 3, 4)
    assert who(floor.contact("dora", at_ms=5)) == "alan", "one contact against two"
    floor.reject("dora.1", "alan", at_ms=6)
    assert floor.state.contacts
    floor.accept("dora.2", "grace", at_ms=7)
    floor.release("dora.1", "alan", at_ms=8)
    floor.release("dora.2", "grace", at_ms=8)
    assert who(floor.contact("eve", at_ms=9)) == "alan", "a rejected contact does not count"


def test_an_accepted_contact_counts_at_once_for_the_slots_that_are_left(floor: "Floor") -> None:
    floor.queue("chats", strategy=Strategy.FEWEST_CONTACTS, channel=Channel.CHAT)
    floor.agent("grace", chat=3)
    floor.contact("ada", queue_id="chats", channel=Channel.CHAT)
    floor.accept("ada.1", "grace")
    floor.agent("alan", chat=3, at_ms=5)
    assert who(floor.contact("ben", queue_id="chats", channel=Channel.CHAT)) == "alan"


def test_the_agent_who_handled_contacts_for_the_least_time_is_next(floor: "Floor") -> None:
    floor.queue(strategy=Strategy.LEAST_HANDLE_TIME)
    floor.agent("grace")
    floor.serve("ada", "grace", 0, 10_000)
    floor.agent("alan", at_ms=10_000)
    floor.serve("ben", "alan", 10_000, 12_000)
    floor.serve("cai", "alan", 12_000, 14_000)
    assert who(floor.contact("dora", at_ms=15_000)) == "alan", "4 seconds against 10"


def test_the_least_occupied_agent_handled_the_smallest_share_of_the_time(floor: "Floor") -> None:
    floor.queue(strategy=Strategy.LEAST_OCCUPIED)
    floor.agent("grace")
    floor.serve("ada", "grace", 0, 10_000)
    floor.not_ready("grace", at_ms=100_000)
    floor.agent("alan", at_ms=100_000)
    floor.serve("ben", "alan", 105_000, 110_000)
    floor.ready("grace", at_ms=110_000)
    assert who(floor.contact("cai", at_ms=110_000)) == "grace", "10 of 100 s against 5 of 10"


def test_round_robin_goes_on_after_whom_the_queue_asked_last(floor: "Floor") -> None:
    floor.queue(strategy=Strategy.ROUND_ROBIN)
    for agent_id in ("dora", "alan", "cai", "ben"):
        floor.agent(agent_id)
    assert asked(floor, 6, "c") == ["alan", "ben", "cai", "dora", "alan", "ben"]
    floor.not_ready("cai")
    floor.agent("bea")
    assert asked(floor, 3, "d") == ["dora", "alan", "bea"], "who is away is passed over"


def test_every_queue_has_a_round_of_its_own(floor: "Floor") -> None:
    for queue_id in ("sales", "repair"):
        floor.queue(queue_id, strategy=Strategy.ROUND_ROBIN)
    for agent_id in ("alan", "ben", "cai"):
        floor.agent(agent_id)
    assert asked(floor, 2, "c") == ["alan", "ben"]
    assert who(floor.contact("x", queue_id="repair")) == "alan"
    assert who(floor.contact("y")) == "cai"


def test_linear_asks_the_first_by_name(floor: "Floor") -> None:
    floor.queue(strategy=Strategy.LINEAR)
    for agent_id in ("dora", "alan", "cai"):
        floor.agent(agent_id)
    assert asked(floor, 3, "c") == ["alan"] * 3
    floor.contact("x")
    assert who(floor.contact("y")) == "cai"


def test_the_best_skilled_agent_is_next_and_between_equals_the_longest_idle(floor: "Floor") -> None:
    floor.queue("sales", "billing", "german", strategy=Strategy.BEST_SKILL)
    floor.agent("grace", "german", levels={"billing": 5}, at_ms=1)
    floor.agent("alan", levels={"billing": 3, "german": 4, "chess": 90}, at_ms=2)
    floor.agent("edsger", levels={"billing": 3, "german": 4}, at_ms=3)
    order = [who(floor.contact(f"c{number}", at_ms=4)) for number in range(3)]
    assert order == ["alan", "edsger", "grace"]


@pytest.mark.parametrize("strategy", [Strategy.RANDOM, Strategy.WEIGHTED_RANDOM])
def test_chance_is_the_same_in_every_replay(floor: "Floor", strategy: Strategy) -> None:
    floor.queue("sales", strategy=strategy)
    for agent_id in ("alan", "ben", "cai"):
        floor.agent(agent_id)
    again = type(floor)(state=floor.core.load("acme/emea", floor.core.dump(floor.state)))
    drawn = asked(floor, 30, "c")
    assert drawn == asked(again, 30, "c")
    assert set(drawn) == {"alan", "ben", "cai"}


def test_chance_is_fair_and_the_better_skilled_get_more_where_it_is_weighted(
    floor: "Floor",
) -> None:
    floor.queue("sales", "billing", strategy=Strategy.WEIGHTED_RANDOM)
    floor.agent("alan", levels={"billing": 3})
    floor.agent("ben", "billing")
    counts = Counter(asked(floor, 2_000, "c"))
    assert 1_400 < counts["alan"] < 1_600
    floor.queue("sales", "billing", strategy=Strategy.RANDOM)
    counts = Counter(asked(floor, 2_000, "d"))
    assert 900 < counts["alan"] < 1_100


def roster_of(measure: Measure, weights: dict[str, int]) -> Roster:
    roster = Roster(measure, Channel.VOICE, (Skill("billing"),))
    for rank, (name, weight) in enumerate(weights.items()):
        agent = Agent(agent_id=AgentId(name), work={Channel.VOICE: Work()})
        agent.idle[Channel.VOICE] = (rank, 0)
        agent.levels = {Skill("billing"): weight}
        roster.put(agent)
    return roster


@pytest.mark.parametrize("without", [(), ("b",), ("a", "d"), ("b", "c", "e"), ("nobody",)])
def test_a_number_draws_each_as_often_as_their_weight_says(without: tuple[str, ...]) -> None:
    weights = {"a": 3, "b": 1, "c": 3, "d": 2, "e": 3}
    roster = roster_of(Measure.WEIGHT, weights)
    left = {name: weight for name, weight in weights.items() if name not in without}
    total = sum(left.values())
    names = [AgentId(name) for name in without]
    assert Counter(roster.drawn(number, names) for number in range(total)) == left
    assert roster.drawn(total, names) == roster.drawn(0, names)


def test_nobody_is_drawn_when_nobody_is_left() -> None:
    roster = roster_of(Measure.NAME, {"a": 1, "b": 1})
    assert roster.drawn(7, [AgentId("a"), AgentId("b")]) is None


# Changing strategies, and agents who let a contact go.


def test_a_strategy_holds_from_the_next_offer_on_and_keeps_everybodys_place(
    floor: "Floor",
) -> None:
    for number in range(3):
        floor.contact(f"c{number}", at_ms=number)
    floor.queue(strategy=Strategy.LINEAR, at_ms=9)
    assert [one.contact_id for one in floor.state.contacts.values()] == ["c0", "c1", "c2"]
    for agent_id in ("grace", "edsger", "alan"):
        floor.agent(agent_id, at_ms=10)
    for number, agent_id in enumerate(("grace", "edsger", "alan")):
        floor.accept(f"c{number}.1", agent_id, at_ms=11)
        floor.release(f"c{number}.1", agent_id, at_ms=12 + number)
    assert who(floor.contact("c3", at_ms=20)) == "alan"


def test_what_no_queue_chooses_by_is_not_kept_sorted(floor: "Floor") -> None:
    floor.queue(strategy=Strategy.FEWEST_CONTACTS)
    floor.agent("grace")
    requirement = floor.state.queues[next(iter(floor.state.queues))].requirement
    assert set(requirement.rosters) == {Measure.CONTACTS}
    floor.queue(strategy=Strategy.LONGEST_IDLE)
    assert requirement.rosters == {}


def test_who_let_a_contact_go_is_asked_last_for_a_while(floor: "Floor") -> None:
    floor.queue(reoffer_after_ms=30_000, ring_timeout_ms=60_000)
    floor.agent("grace")
    floor.contact("ada", at_ms=0)
    floor.reject("ada.1", "grace", at_ms=1_000)
    floor.agent("alan", at_ms=2_000)
    floor.release("ada.1", "grace", at_ms=3_000)
    floor.agent("edsger", at_ms=4_000)
    assert floor.offered(floor.reject("ada.2", "alan", at_ms=5_000)) == [("ada", "edsger")]


def test_who_let_a_contact_go_long_enough_ago_is_asked_in_turn(floor: "Floor") -> None:
    floor.queue(reoffer_after_ms=30_000, ring_timeout_ms=60_000)
    floor.agent("grace")
    floor.contact("ada", at_ms=0)
    floor.reject("ada.1", "grace", at_ms=1_000)
    floor.agent("alan", at_ms=2_000)
    floor.release("ada.1", "grace", at_ms=3_000)
    floor.agent("edsger", at_ms=4_000)
    assert floor.offered(floor.reject("ada.2", "alan", at_ms=31_000)) == [("ada", "grace")]


def test_who_let_a_contact_go_is_asked_again_when_there_is_nobody_else(floor: "Floor") -> None:
    floor.queue(reoffer_after_ms=30_000)
    floor.agent("grace")
    floor.contact("ada", at_ms=0)
    floor.reject("ada.1", "grace", at_ms=1_000)
    assert floor.offered(floor.release("ada.1", "grace", at_ms=1_001)) == [("ada", "grace")]


# The measures, and the sorted keys below them.


def test_work_is_counted_from_sign_on(floor: "Floor") -> None:
    floor.agent("grace", at_ms=0)
    floor.contact("ada", at_ms=1_000)
    floor.accept("ada.1", "grace", at_ms=2_000)
    floor.sign_off("grace", at_ms=5_000)
    floor.agent("grace", at_ms=6_000)
    floor.release("ada.1", "grace", at_ms=10_000)
    work = floor.state.agents[AgentId("grace")].work[Channel.VOICE]
    assert (work.contacts, work.handle_ms, work.idle_ms) == (0, 4_000, 0)


def test_an_order_that_is_not_kept_up_is_found_out(floor: "Floor") -> None:
    floor.queue(strategy=Strategy.FEWEST_CONTACTS)
    floor.agent("grace")
    floor.agent("alan")
    assert check(floor.state) == []
    floor.state.agents[AgentId("grace")].work[Channel.VOICE].contacts = 7
    assert any("wrongly by CONTACTS" in said for said in check(floor.state))


def test_sorted_keys_agree_with_a_sorted_list() -> None:
    chance, keys, plain = random.Random(5), SortedKeys(), list[Key]()
    for step in range(8_000):
        if plain and chance.random() < (0.3 if step < 5_000 else 0.8):
            key = plain.pop(chance.randrange(len(plain)))
            keys.remove(key)
        else:
            key = (chance.randrange(40), step, AgentId("a"))
            keys.add(key)
            plain.append(key)
            plain.sort()
        if step % 100 == 0:
            probe = (chance.randrange(41), chance.randrange(step + 1), AgentId("a"))
            less = sum(one < probe for one in plain)
            assert list(keys) == plain
            assert len(keys) == len(plain)
            assert keys.position(probe) == less
            after = less + (probe in plain)
            assert list(keys.after(probe)) == plain[after:] + plain[:after]
            assert [keys.at(place) for place in range(0, len(plain), 97)] == plain[::97]
    assert keys._blocks is not None
    assert max(map(len, keys._blocks)) <= BLOCK_MAX


@pytest.mark.parametrize("measure", [Measure.NAME, Measure.IDLE_SINCE, Measure.WEIGHT])
def test_however_many_come_and_go_between_two_looks_all_are_in_order(measure: Measure) -> None:
    chance, at_ms = random.Random(7), 0
    roster, here = roster_of(measure, {}), dict[str, Agent]()
    agents = [Agent(agent_id=AgentId(f"{n:03}"), work={Channel.VOICE: Work()}) for n in range(200)]
    for looks in range(60):
        for _ in range(chance.choice((0, 1, 3, MOVED_MAX + 9))):
            at_ms += 1
            agent = chance.choice(agents)
            if agent.agent_id in here and chance.random() < 0.6:
                del here[agent.agent_id]
                roster.drop(agent.agent_id)
            else:
                agent.idle[Channel.VOICE] = (at_ms, at_ms)
                agent.levels = {Skill("billing"): chance.randint(1, 3)}
                here[agent.agent_id] = agent
                roster.put(agent)
        in_order = sorted(here.values(), key=lambda one: sorted_by(measure, one))
        assert list(roster.in_order()) == [one.agent_id for one in in_order], looks
        assert roster.first(2) == [(one.agent_id, roster.value_of(one)) for one in in_order[:2]]


def sorted_by(measure: Measure, agent: Agent) -> tuple[int, str]:
    if measure is Measure.WEIGHT:
        return (agent.levels[Skill("billing")], agent.agent_id)
    return (0 if measure is Measure.NAME else agent.idle[Channel.VOICE][1], agent.agent_id)
