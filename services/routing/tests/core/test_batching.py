"""Contacts that are offered in one decision: as many as can be are served, then those who stand first."""

from itertools import permutations
from typing import TYPE_CHECKING

from hypothesis import given, settings
from hypothesis import strategies as st

from huntgroup_routing.app.queries import why_text
from huntgroup_routing.core.messages import OfferCreated, PassTime
from huntgroup_routing.core.values import BATCH_PAIRS_MAX, RoutingStep, Strategy

if TYPE_CHECKING:
    from services.routing.tests.conftest import Floor

LATE_MS = 10_000


def wait_for_chief(floor: "Floor", queue_id: str, *skills: str, **said: object) -> None:
    """Let a queue ask for the chief, who never comes, and then for skills."""
    step = RoutingStep(after_ms=LATE_MS, required_skills=skills)  # type: ignore[arg-type]
    floor.tell(floor.queue_command(queue_id, "chief", steps=(step,), **said))  # type: ignore[arg-type]


def choosy(floor: "Floor", **said: object) -> None:
    """Ada may be served by anybody, Ben by grace alone, who has been idle longest."""
    wait_for_chief(floor, "sales", **said)
    wait_for_chief(floor, "tax", "tax")
    floor.agent("grace", "tax", at_ms=1)
    floor.agent("alan", at_ms=2)
    floor.contact("ada", at_ms=10)
    floor.contact("ben", queue_id="tax", at_ms=10)


def test_an_agent_whom_another_contact_needs_is_kept_for_it(floor: "Floor") -> None:
    choosy(floor)
    events = floor.pass_time(10 + LATE_MS)
    assert floor.offered(events) == [("ada", "alan"), ("ben", "grace")]
    first = next(one for one in events if isinstance(one, OfferCreated))
    why = first.explanation
    assert why is not None
    assert (why.kept_for_others, why.runner_up_id) == (1, "")
    said = why_text(why, first.agent_id, first.idle_agents, first.at_ms)
    assert said.endswith("1 kept for others of that moment, whom nobody else could serve")


def test_one_by_one_they_would_not_both_be_served(floor: "Floor") -> None:
    """What the batch is for: had Ada come to her step a moment earlier, Ben would wait."""
    choosy(floor)
    wait_for_chief(floor, "early")
    floor.abandon("ada", at_ms=11)
    floor.contact("zoe", queue_id="early", enqueued_at_ms=5, at_ms=11)
    assert floor.offered(floor.pass_time(5 + LATE_MS)) == [("zoe", "grace")]
    assert floor.offered(floor.pass_time(10 + LATE_MS)) == []


def test_when_not_all_can_be_served_it_is_who_stands_first(floor: "Floor") -> None:
    wait_for_chief(floor, "sales")
    wait_for_chief(floor, "tax", "tax")
    floor.agent("grace", "tax", at_ms=1)
    floor.contact("ada", at_ms=10)
    floor.contact("ben", queue_id="tax", at_ms=10)
    assert floor.offered(floor.pass_time(10 + LATE_MS)) == [("ada", "grace")]


def test_offers_that_end_together_are_matched_together(floor: "Floor") -> None:
    """Both agents let it ring out; of the two idle others one is needed by Ben."""
    floor.queue("tax", "tax")
    for at_ms, agent_id in enumerate(("rose", "sam")):
        floor.agent(agent_id, "tax", at_ms=at_ms)
    floor.contact("ada", at_ms=5)
    floor.contact("ben", queue_id="tax", at_ms=5)
    floor.agent("grace", "tax", at_ms=6)
    floor.agent("alan", at_ms=7)
    offered = floor.offered(floor.pass_time(5 + 20_000))
    assert offered == [("ada", "alan"), ("ben", "grace")]


def test_several_slots_count_and_strategies_still_choose(floor: "Floor") -> None:
    choosy(floor, strategy=Strategy.LINEAR)
    floor.sign_off("grace", at_ms=3)
    floor.sign_on("grace", "tax", at_ms=4, voice=2)
    floor.ready("grace", at_ms=4)
    floor.sign_on("aaron", "tax", at_ms=4)
    floor.ready("aaron", at_ms=5)
    floor.contact("cai", queue_id="tax", at_ms=10)
    offered = floor.offered(floor.pass_time(10 + LATE_MS))
    assert offered == [("ada", "aaron"), ("ben", "grace"), ("cai", "grace")]


def test_too_many_pairs_are_offered_one_by_one(floor: "Floor") -> None:
    wait_for_chief(floor, "sales")
    wait_for_chief(floor, "tax", "tax")
    agents = 12
    assert agents * agents > BATCH_PAIRS_MAX
    for number in range(agents):
        floor.agent(f"a{number:02}", "tax", at_ms=number)
    floor.agent("last", at_ms=agents)
    for number in range(2 * agents):
        floor.contact(f"c{number:02}", queue_id="tax" if number else "sales", at_ms=50)
    offered = floor.offered(floor.pass_time(50 + LATE_MS))
    assert offered[0] == ("c00", "a00"), "the longest idle, though another one needs them"
    assert len(offered) == agents


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.sets(st.integers(0, 3)), min_size=2, max_size=4),
    st.lists(st.integers(0, 3), min_size=2, max_size=4),
)
def test_never_fewer_than_any_way_of_giving_them_out_one_by_one(
    agents: list[set[int]], contacts: list[int]
) -> None:
    """Every order of agents and contacts is tried by hand; nobody who stands first gives way without need."""
    from services.routing.tests.conftest import Floor  # noqa: PLC0415 - a fixture would not be new

    floor = Floor()
    for skill in set(contacts):
        wait_for_chief(floor, f"q{skill}", f"s{skill}")
    for number, skills in enumerate(agents):
        floor.agent(f"a{number}", *(f"s{skill}" for skill in skills), at_ms=number)
    for number, skill in enumerate(contacts):
        floor.contact(f"c{number}", queue_id=f"q{skill}", at_ms=10)
    decided = floor.decide(PassTime(), 10 + LATE_MS)
    assert isinstance(decided, tuple)
    offered = floor.offered(decided)
    best: tuple[int, list[bool]] = (0, [])
    for order in permutations(range(len(agents))):
        for turn in permutations(range(len(contacts))):
            free, served = list(order), [False] * len(contacts)
            for contact in turn:
                able = [one for one in free if contacts[contact] in agents[one]]
                if able:
                    free.remove(able[0])
                    served[contact] = True
            best = max(best, (sum(served), served))
    got = [f"c{number}" in dict(offered) for number in range(len(contacts))]
    assert (sum(got), got) == best
