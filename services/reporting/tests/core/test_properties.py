"""Whatever the core observes in whatever order, its promises hold."""

from typing import TYPE_CHECKING, Any, get_args, get_type_hints

from hypothesis import given, settings
from hypothesis import strategies as st

from huntgroup_reporting.core import ReportingCore
from huntgroup_reporting.core.messages import (
    AgentPresenceNoted,
    AgentSlotNoted,
    AgentTimeCounted,
    Command,
    Event,
    ObserveAgentPresence,
    ObserveAgentSlot,
)
from huntgroup_reporting.core.values import (
    AgentId,
    ContactId,
    OfferId,
    OfferOutcome,
    Presence,
    QueueId,
    SlotPhase,
    WaitOutcome,
)

if TYPE_CHECKING:
    from services.reporting.tests.conftest import Day, Facts

BEGIN_MS = 20_000 * 86_400_000

# Few names, so that facts meet; the types of the fields say which to take.
POOLS: dict[Any, st.SearchStrategy[Any]] = {
    ContactId: st.sampled_from(["ada", "ben", "cai"]),
    AgentId: st.sampled_from(["grace", "alan"]),
    OfferId: st.sampled_from(["ada.1", "ada.2", "ben.1"]),
    QueueId: st.sampled_from(["sales", "support"]),
    WaitOutcome: st.sampled_from(WaitOutcome),
    OfferOutcome: st.sampled_from(OfferOutcome),
    Presence: st.sampled_from(Presence),
    SlotPhase: st.sampled_from(SlotPhase),
    int: st.integers(0, 3_000_000),
}


def told(kind: type) -> st.SearchStrategy[Command]:
    """Build an observation; points in time are near the beginning of the story."""
    fields = {name: POOLS[hint] for name, hint in get_type_hints(kind).items()}
    for name in fields.keys() & {"since_ms", "ended_at_ms", "enqueued_at_ms"}:
        fields[name] = st.integers(BEGIN_MS, BEGIN_MS + 4_000_000)
    return st.builds(kind, **fields)


NOT_ALONE = {"ObserveWaitEnded", "ObserveContactMoved"}
# An outcome without a queueing is counted all the same, which breaks "no more answered than offered" on purpose.
KINDS = [kind for kind in get_args(Command) if kind.__name__ not in NOT_ALONE]
COMMANDS = st.one_of(*(told(kind) for kind in KINDS))
PAUSES_MS = st.sampled_from([0, 1, 5_000, 400_000, 901_000])
STORIES = st.lists(st.tuples(PAUSES_MS, COMMANDS), max_size=60)


def play(day: "Day", story: list[tuple[int, Command]], now_ms: int = 0) -> int:
    for pause_ms, command in story:
        now_ms += pause_ms
        day.pass_time(now_ms)
        day.tell(command, now_ms)
    return now_ms


def folded(day: "Day") -> bytes:
    core = ReportingCore(900_000)
    state = core.initial("acme/emea")
    for event in day.events:
        state = core.evolve(state, event)
    return core.dump(state)


@settings(max_examples=200, deadline=None)
@given(STORIES)
def test_the_log_alone_replays_the_state(
    say: "type[Facts]", story: list[tuple[int, Command]]
) -> None:
    day = say.day()
    play(day, story)
    dumped = day.core.dump(day.state)
    assert folded(day) == dumped
    assert day.core.dump(day.core.load("acme/emea", dumped)) == dumped


@settings(max_examples=100, deadline=None)
@given(STORIES, STORIES)
def test_a_state_read_from_a_dump_decides_as_the_one_that_wrote_it(
    say: "type[Facts]", before: list[tuple[int, Command]], after: list[tuple[int, Command]]
) -> None:
    day, again = say.day(), say.day()
    now_ms = play(day, before)
    again.state = again.core.load("acme/emea", day.core.dump(day.state))
    seen = len(day.events)
    play(day, after, now_ms)
    play(again, after, now_ms)
    assert day.events[seen:] == again.events
    assert day.core.dump(day.state) == again.core.dump(again.state)


AGENT_FACTS = st.one_of(told(ObserveAgentPresence), told(ObserveAgentSlot))


@settings(max_examples=200, deadline=None)
@given(st.lists(st.tuples(PAUSES_MS, AGENT_FACTS), max_size=60))
def test_no_time_of_an_agent_is_lost_or_counted_twice(
    say: "type[Facts]", story: list[tuple[int, Command]]
) -> None:
    day = say.day()
    begun_ms: dict[AgentId, int] = {}
    over_ms = 0
    now_ms = 0
    for pause_ms, command in story:
        now_ms += pause_ms
        day.pass_time(now_ms)
        for event in day.tell(command, now_ms):
            if isinstance(event, AgentPresenceNoted | AgentSlotNoted):
                begun_ms.setdefault(event.agent_id, event.since_ms)
                if event.agent_id not in day.state.agents:
                    over_ms += event.since_ms - begun_ms.pop(event.agent_id)
    assert begun_ms.keys() == day.state.agents.keys()
    for agent in day.state.agents.values():
        over_ms += agent.counted_to_ms - begun_ms[agent.agent_id]
    assert over_ms == sum(amount_ms(event) for event in day.events)


def amount_ms(event: Event) -> int:
    if not isinstance(event, AgentTimeCounted):
        return 0
    amounts = (
        *(event.idle_ms, event.ringing_ms, event.talking_ms),
        *(event.wrapping_up_ms, event.not_ready_ms),
    )
    assert sum(1 for amount in amounts if amount) == 1
    return sum(amounts) * len(event.interval_starts)
