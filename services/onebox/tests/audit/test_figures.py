"""Invariant 6: the ledger is what follows from the journals, to the last millisecond."""

from typing import Any, TypeVar

import pytest
from google.protobuf.message import Message

from huntgroup.agent_state.v1 import events_pb2 as agent_state
from huntgroup.reporting.v1 import events_pb2 as reporting

from .story import (
    T,
    abandoned,
    agent_time,
    at,
    enqueued,
    initiated,
    ledger,
    queue_configured,
    queued,
    tell_the_day,
    tell_the_ledger,
)
from .written_log import WrittenLog

M = TypeVar("M", bound=Message)


def copy(entry: Message, of: type[M]) -> M:
    return of.FromString(entry.SerializeToString())


def with_ledger(entries: dict[str, Message]) -> tuple[WrittenLog, dict[str, int]]:
    log = WrittenLog()
    tell_the_day(log)
    return log, tell_the_ledger(log, entries)


@pytest.mark.parametrize(
    ("name", "figure"),
    [
        ("ada offered", "offered"),
        ("ada answered", "answered"),
        ("ben abandoned", "abandoned"),
        ("outcome", "offers_accepted"),
        ("handled", "handled"),
    ],
)
async def test_an_entry_that_counts_twice_is_named(name: str, figure: str) -> None:
    entries = ledger()
    log, positions = with_ledger({**entries, "again": entries[name]})
    [first] = [one for one in await log.violations(6) if one.why.startswith(f"{figure} of")]
    assert first.place is not None
    assert first.place.topic == "huntgroup.reporting.journal.v1"
    assert first.place.position == positions["again"]
    assert f"{figure} of queue sales in the interval from {T} is" in first.why


async def test_an_entry_that_is_missing_is_told_by_the_record_that_asks_for_it() -> None:
    entries = ledger()
    del entries["ben abandoned"]
    log, _ = with_ledger(entries)
    violations = await log.violations(6)
    figures = {one.why.split(" ")[0] for one in violations}
    assert figures == {"abandoned", "abandoned_within_threshold", "abandoned_wait_ms"}
    assert violations[0].place is not None
    assert violations[0].place.topic == "huntgroup.session.journal.v1"
    assert "is 0 in the ledger and 1 by the journals: for ben it has 0, not 1" in violations[0].why


async def test_a_wait_that_is_wrong_by_a_millisecond_is_found() -> None:
    entries = ledger()
    wrong = copy(entries["ada answered"], reporting.AnsweredContactCounted)
    wrong.wait_ms += 1
    log, positions = with_ledger({**entries, "ada answered": wrong})
    violation = await log.the_violation(6)
    assert violation.place is not None
    assert violation.place.position == positions["ada answered"]
    assert "answered_wait_ms of queue sales" in violation.why
    assert "for ada it has 4,001, not 4,000" in violation.why


async def test_the_wrong_interval_is_found_in_both() -> None:
    entries = ledger()
    wrong = copy(entries["ada offered"], reporting.OfferedContactCounted)
    wrong.interval_start_ms += 900_000
    log, _ = with_ledger({**entries, "ada offered": wrong})
    assert len(await log.violations(6)) == 2


async def test_a_contact_is_judged_by_the_threshold_of_its_queue_when_it_took_its_place() -> None:
    log = WrittenLog()
    tell_the_day(log)
    log.tell("routing", queue_configured(90, threshold_ms=3_000))
    tell_the_ledger(log)
    assert (await log.report()).clean
    strict = WrittenLog()
    tell_the_day(strict, threshold_ms=3_000)
    tell_the_ledger(strict)
    assert [one.why.split(" ")[0] for one in await strict.violations(6)] == [
        "abandoned_within_threshold",
        "answered_within_threshold",
    ]


async def test_the_threshold_may_be_seen_after_the_contact_was_answered() -> None:
    log = WrittenLog()
    log.tell("session", initiated("eve", 1), queued("eve", 1), abandoned("eve", 2, 1_000))
    log.tell("routing", queue_configured(3), enqueued("eve", 3))
    counted: dict[str, Any] = {"queue_id": "sales", "interval_start_ms": T, "contact_id": "eve"}
    log.tell(
        "reporting",
        reporting.OfferedContactCounted(at_ms=at(4), enqueued_at_ms=at(1), **counted),
        reporting.AbandonedContactCounted(
            at_ms=at(4), wait_ms=1_000, within_threshold=True, **counted
        ),
        sources=log.taken_in(),
    )
    assert (await log.report()).clean


async def test_an_agents_time_that_is_wrong_is_found() -> None:
    entries = ledger()
    log, positions = with_ledger({**entries, "talking": agent_time(74, talking_ms=59_000)})
    violation = await log.the_violation(6)
    assert violation.place is not None
    assert violation.place.position == positions["talking"]
    assert "talking_ms of the agents" in violation.why
    assert "for grace it has 59,000, not 60,000" in violation.why


async def test_time_counted_ahead_and_taken_back_adds_up() -> None:
    entries = ledger()
    ahead = {"ahead": agent_time(20, idle_ms=19_000), "back": agent_time(10, idle_ms=-10_000)}
    order = ["target", "on", "not ready", *ahead]
    rest = {name: entry for name, entry in entries.items() if name not in (*order, "idle")}
    log, _ = with_ledger({**{name: (entries | ahead)[name] for name in order}, **rest})
    assert (await log.report()).clean


async def test_time_that_goes_on_is_compared_as_far_as_the_ledger_counts_it() -> None:
    log = WrittenLog()
    tell_the_day(log)
    log.tell("agent-state", agent_state.AgentSignedOn(at_ms=at(200), agent_id="grace"))
    whole = reporting.AgentTimeCounted(
        at_ms=at(2_000),
        agent_id="grace",
        interval_start_ms=T,
        not_ready_ms=700_000,
        until_ms=T + 900_000,
        intervals=1,
    )
    tell_the_ledger(log, {**ledger(), "so far": whole})
    assert (await log.report()).clean


async def test_whole_intervals_in_a_row_are_one_entry() -> None:
    log = WrittenLog()
    tell_the_day(log)
    log.tell("agent-state", agent_state.AgentSignedOn(at_ms=T + 900_000, agent_id="grace"))
    row = reporting.AgentTimeCounted(
        at_ms=at(9_000),
        agent_id="grace",
        interval_start_ms=T + 900_000,
        not_ready_ms=900_000,
        until_ms=T + 3 * 900_000,
        intervals=2,
    )
    tell_the_ledger(log, {**ledger(), "a row": row})
    assert (await log.report()).clean


async def test_what_reporting_has_not_taken_in_yet_is_not_expected_of_it() -> None:
    log = WrittenLog()
    tell_the_day(log)
    tell_the_ledger(log)
    log.tell("session", initiated("eve", 200), queued("eve", 201), abandoned("eve", 202, 1_000))
    assert (await log.report()).clean
    log.tell("reporting", sources=log.taken_in())
    assert {one.why.split(" ")[0] for one in await log.violations(6)} == {"offered"}


async def test_a_ledger_of_other_intervals_is_compared_with_those() -> None:
    log = WrittenLog()
    tell_the_day(log)
    tell_the_ledger(log)
    assert (await log.report(interval_ms=1_800_000)).clean
    assert not (await log.report(interval_ms=60_000)).clean
