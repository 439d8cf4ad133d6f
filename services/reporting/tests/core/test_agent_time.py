"""Every millisecond of a signed-on agent is in the ledger, once, in its interval, as what ranks highest."""

from typing import TYPE_CHECKING

import pytest

from huntgroup_reporting.core.deadlines import AGENTS_PER_DECISION_MAX, GRACE_MS, SILENCE_MS
from huntgroup_reporting.core.messages import (
    AgentPresenceNoted,
    AgentSlotNoted,
    AgentTimeCounted,
    PassTime,
)
from huntgroup_reporting.core.state import AgentTimes
from huntgroup_reporting.core.values import Presence, SlotPhase, parts_of_span

if TYPE_CHECKING:
    from services.reporting.tests.conftest import Day, Facts

QUARTER_MS = 900_000
MINUTE_MS = 60_000
NOT_READY, READY = Presence.NOT_READY, Presence.READY
RINGING, TALKING = SlotPhase.RINGING, SlotPhase.TALKING
WRAPPING_UP, FREE = SlotPhase.WRAPPING_UP, SlotPhase.FREE


def total(day: "Day") -> AgentTimes:
    """Return all time counted, over all intervals."""
    rows = [interval.agents for interval in day.state.intervals.values()]
    fields = AgentTimes.__struct_fields__
    return AgentTimes(*(sum(getattr(row, name) for row in rows) for name in fields))


def sign_on(day: "Day", say: "type[Facts]", agent_id: str, at_ms: int) -> None:
    day.tell(say.presence(agent_id, at_ms, NOT_READY), at_ms)


def test_a_call_counts_phase_by_phase(day: "Day", say: "type[Facts]") -> None:
    sign_on(day, say, "grace", 0)
    day.tell(say.presence("grace", 1_000, READY), 1_000)
    for at_ms, phase in ((3_000, RINGING), (7_000, TALKING), (20_000, WRAPPING_UP), (26_000, FREE)):
        day.tell(say.slot("grace", at_ms, "ada.1", phase), at_ms)
    day.tell(say.presence("grace", 27_000, Presence.SIGNED_OFF), 27_000)
    assert day.agent_row(0) == AgentTimes(
        not_ready_ms=1_000, idle_ms=3_000, ringing_ms=4_000, talking_ms=13_000, wrapping_up_ms=6_000
    )
    assert day.state.agents == {}
    assert day.deadline() is None


def test_what_is_told_twice_is_noted_once(day: "Day", say: "type[Facts]") -> None:
    sign_on(day, say, "grace", 0)
    assert day.tell(say.presence("grace", 5, NOT_READY), 5) == ()
    day.tell(say.slot("grace", 6, "ada.1", RINGING), 6)
    assert day.tell(say.slot("grace", 7, "ada.1", RINGING), 7) == ()
    assert day.tell(say.slot("grace", 8, "other.1", FREE), 8) == ()
    assert day.tell(say.presence("nobody", 9, Presence.SIGNED_OFF), 9) == ()


def test_nothing_is_due_while_nobody_is_signed_on(day: "Day") -> None:
    assert day.deadline() is None
    assert day.tell(PassTime(), 10 * QUARTER_MS) == ()


def test_an_agent_who_stays_idle_is_counted_at_every_border(day: "Day", say: "type[Facts]") -> None:
    sign_on(day, say, "grace", 10 * MINUTE_MS)
    day.tell(say.presence("grace", 10 * MINUTE_MS, READY), 10 * MINUTE_MS)
    assert day.deadline() == QUARTER_MS + GRACE_MS
    assert day.tell(PassTime(), QUARTER_MS) == (), "not due yet"
    (entry,) = day.pass_time(QUARTER_MS + GRACE_MS)
    assert isinstance(entry, AgentTimeCounted)
    assert day.agent_row(0) == AgentTimes(idle_ms=5 * MINUTE_MS)
    day.pass_time(2 * QUARTER_MS + GRACE_MS)
    assert day.agent_row(QUARTER_MS) == AgentTimes(idle_ms=QUARTER_MS)
    assert day.deadline() == 3 * QUARTER_MS + GRACE_MS


def test_time_that_was_not_told_for_hours_comes_in_few_entries(
    day: "Day", say: "type[Facts]"
) -> None:
    sign_on(day, say, "grace", 10 * MINUTE_MS)
    late_ms = 40 * QUARTER_MS + 5_000
    first, *rest = day.pass_time(late_ms)
    assert isinstance(first, AgentTimeCounted)
    assert len(rest) == 1
    assert day.agent_row(0) == AgentTimes(not_ready_ms=5 * MINUTE_MS)
    assert all(
        day.agent_row(number * QUARTER_MS) == AgentTimes(not_ready_ms=QUARTER_MS)
        for number in range(1, 40)
    )


def test_a_change_across_borders_is_split_at_them(day: "Day", say: "type[Facts]") -> None:
    sign_on(day, say, "grace", 10 * MINUTE_MS)
    *entries, noted = day.tell(say.presence("grace", 50 * MINUTE_MS, READY), 50 * MINUTE_MS)
    assert [entry.intervals for entry in entries if isinstance(entry, AgentTimeCounted)] == [
        1,
        2,
        1,
    ]
    assert isinstance(noted, AgentPresenceNoted)
    minutes = [day.agent_row(number * QUARTER_MS).not_ready_ms // MINUTE_MS for number in range(4)]
    assert minutes == [5, 15, 15, 5]


def test_what_was_counted_too_far_is_taken_back(day: "Day", say: "type[Facts]") -> None:
    sign_on(day, say, "grace", 0)
    day.tell(say.presence("grace", 0, READY), 0)
    day.pass_time(2 * QUARTER_MS + GRACE_MS)
    assert day.agent_row(QUARTER_MS) == AgentTimes(idle_ms=QUARTER_MS)
    # Agent-state's word of minute 10 is seen only now.
    late_ms = 2 * QUARTER_MS + GRACE_MS + 5
    entries = day.tell(say.slot("grace", 10 * MINUTE_MS, "ada.1", RINGING), late_ms)
    assert [type(entry) for entry in entries] == [
        AgentTimeCounted,
        AgentTimeCounted,
        AgentSlotNoted,
    ]
    day.tell(say.slot("grace", 20 * MINUTE_MS, "ada.1", TALKING), late_ms)
    day.tell(say.slot("grace", 32 * MINUTE_MS, "ada.1", FREE), late_ms)
    assert day.agent_row(0) == AgentTimes(idle_ms=10 * MINUTE_MS, ringing_ms=5 * MINUTE_MS)
    assert day.agent_row(QUARTER_MS) == AgentTimes(
        ringing_ms=5 * MINUTE_MS, talking_ms=10 * MINUTE_MS
    )
    assert day.agent_row(2 * QUARTER_MS) == AgentTimes(talking_ms=2 * MINUTE_MS)


def test_many_hours_counted_too_far_are_taken_back_in_few_entries(
    day: "Day", say: "type[Facts]"
) -> None:
    sign_on(day, say, "grace", 0)
    day.pass_time(60 * QUARTER_MS)
    entries = day.tell(say.presence("grace", MINUTE_MS, Presence.SIGNED_OFF), 60 * QUARTER_MS)
    assert len(entries) == 3
    assert total(day) == AgentTimes(not_ready_ms=MINUTE_MS)


def test_with_two_chats_at_once_the_wall_clock_counts_once(day: "Day", say: "type[Facts]") -> None:
    sign_on(day, say, "grace", 0)
    day.tell(say.presence("grace", 0, READY), 0)
    steps = (
        (1_000, "ada.1", RINGING),
        (2_000, "ada.1", TALKING),
        (5_000, "ben.1", RINGING),  # while she talks
        (6_000, "ben.1", TALKING),
        (9_000, "ada.1", WRAPPING_UP),  # and goes on with Ben
        (10_000, "ada.1", FREE),
        (12_000, "ben.1", WRAPPING_UP),
        (15_000, "ben.1", FREE),
    )
    for at_ms, offer_id, phase in steps:
        day.tell(say.slot("grace", at_ms, offer_id, phase), at_ms)
    day.tell(say.presence("grace", 16_000, NOT_READY), 16_000)
    assert total(day) == AgentTimes(
        idle_ms=2_000, ringing_ms=1_000, talking_ms=10_000, wrapping_up_ms=3_000
    )


def test_who_signs_off_during_a_conversation_is_counted_to_its_end(
    day: "Day", say: "type[Facts]"
) -> None:
    sign_on(day, say, "grace", 0)
    day.tell(say.slot("grace", 1_000, "ada.1", TALKING), 1_000)
    day.tell(say.presence("grace", 2_000, Presence.SIGNED_OFF), 2_000)
    assert day.state.agents["grace"].routing_state == "OFFLINE"  # type: ignore[index]
    day.tell(say.slot("grace", 5_000, "ada.1", FREE), 5_000)
    assert total(day) == AgentTimes(not_ready_ms=1_000, talking_ms=4_000)
    assert day.state.agents == {}


def test_an_agent_who_does_not_respond_is_not_ready(day: "Day", say: "type[Facts]") -> None:
    sign_on(day, say, "grace", 0)
    day.tell(say.presence("grace", 0, READY), 0)
    day.tell(say.presence("grace", 3_000, Presence.NOT_RESPONDING), 3_000)
    day.tell(say.presence("grace", 9_000, READY), 9_000)
    assert total(day) == AgentTimes(idle_ms=3_000, not_ready_ms=6_000)


def test_many_agents_are_counted_in_decisions_of_bounded_size(
    day: "Day", say: "type[Facts]"
) -> None:
    for number in range(AGENTS_PER_DECISION_MAX + 1):
        command = say.presence(f"a{number:04}", 0, NOT_READY)
        for event in day.core.decide(day.state, command, say.MONDAY_MS):
            day.state = day.core.evolve(day.state, event)
    due_ms = QUARTER_MS + GRACE_MS
    first = day.tell(PassTime(), due_ms)
    assert len(first) == AGENTS_PER_DECISION_MAX
    assert day.deadline() == due_ms, "the rest is due at once"
    assert len(day.tell(PassTime(), due_ms)) == 1
    assert day.deadline() == due_ms + QUARTER_MS
    assert day.agent_row(0) == AgentTimes(not_ready_ms=(AGENTS_PER_DECISION_MAX + 1) * QUARTER_MS)


def test_while_agent_state_is_read_late_borders_wait_for_it(day: "Day", say: "type[Facts]") -> None:
    hour_ms = 4 * QUARTER_MS
    # The log of an hour ago is being read.
    day.tell(say.presence("grace", 14 * MINUTE_MS, READY), hour_ms + 14 * MINUTE_MS)
    assert day.deadline() == hour_ms + 14 * MINUTE_MS + SILENCE_MS
    soon_ms = hour_ms + 14 * MINUTE_MS + 1_000
    day.tell(say.slot("grace", 20 * MINUTE_MS, "ada.1", RINGING), soon_ms)
    assert all(entry.idle_ms >= 0 for entry in day.events if isinstance(entry, AgentTimeCounted))
    # Nothing more comes: that was all of the backlog.
    assert day.deadline() == soon_ms + SILENCE_MS
    day.pass_time(soon_ms + SILENCE_MS)
    assert day.agent_row(QUARTER_MS) == AgentTimes(idle_ms=5 * MINUTE_MS, ringing_ms=10 * MINUTE_MS)


def test_a_clock_that_is_always_ahead_only_delays_a_border(day: "Day", say: "type[Facts]") -> None:
    ahead_ms = 2_000
    for second in range(880, 910):
        what = READY if second % 2 else NOT_READY
        day.tell(say.presence("grace", second * 1_000, what), second * 1_000 + ahead_ms)
        day.tell(say.presence("alan", 0, READY), second * 1_000 + ahead_ms)
        day.pass_time(second * 1_000 + ahead_ms)
    assert day.agent_row(0).idle_ms + day.agent_row(0).not_ready_ms == QUARTER_MS + 20_000


@pytest.mark.parametrize(
    ("begin_ms", "end_ms", "expected"),
    [
        (0, 0, []),
        (5, 5, []),
        (3, 7, [(0, 1, 4, 7)]),
        (3, 10, [(0, 1, 7, 10)]),
        (0, 10, [(0, 1, 10, 10)]),
        (0, 12, [(0, 1, 10, 10), (10, 1, 2, 12)]),
        (7, 45, [(0, 1, 3, 10), (10, 3, 10, 40), (40, 1, 5, 45)]),
        (10, 40, [(10, 3, 10, 40)]),
    ],
)
def test_spans_are_cut_at_borders(
    begin_ms: int, end_ms: int, expected: list[tuple[int, int, int, int]]
) -> None:
    parts = list(parts_of_span(begin_ms, end_ms, 10))
    assert [tuple(part) for part in parts] == expected
    assert sum(part.intervals * part.each_ms for part in parts) == end_ms - begin_ms
