"""What must hold in every state; tests ask after every step."""

from collections.abc import Iterator
from dataclasses import fields

from huntgroup_reporting.core.state import (
    INTERVALS_MAX,
    UNSETTLED_MAX,
    QueueCounts,
    State,
    dump,
    load,
)
from huntgroup_reporting.core.values import Activity


def violations(state: State) -> Iterator[str]:
    """Yield a sentence for everything that does not hold."""
    yield from _bounds(state)
    for start, interval in state.intervals.items():
        for queue_id, row in interval.queues.items():
            yield from (f"{queue_id} at {start}: {rule}" for rule in _row(row))
    for agent in state.agents.values():
        if agent.activity is Activity.AWAY:
            yield f"agent {agent.agent_id} is away and not forgotten"
    yield from _indexes(state)


def _bounds(state: State) -> Iterator[str]:
    if len(state.intervals) > INTERVALS_MAX:
        yield "too many intervals are kept"
    if max(len(state.contacts), len(state.conversations), len(state.wrap_ups)) > UNSETTLED_MAX:
        yield "too much is not settled"
    if any(start < state.kept_from_ms for start in state.intervals):
        yield "an interval is kept that was dropped"
    if state.conversations.keys() & state.wrap_ups.keys():
        yield "both halves of a conversation are there, and it is not counted"


def _row(row: QueueCounts) -> Iterator[str]:
    if row.answered_within_threshold > row.answered:
        yield "more answered within the threshold than at all"
    if row.abandoned_within_threshold > row.abandoned:
        yield "more abandoned within the threshold than at all"
    if row.overflowed_within_threshold > row.overflowed:
        yield "more overflowed within the threshold than at all"
    if row.answered + row.abandoned + row.overflowed > row.offered:
        yield "more answered, abandoned and overflowed than offered"
    if any(amount < 0 for amount in (row.answered, row.handled, row.talk_ms, row.wait_ms_max)):
        yield "a negative number"


def _indexes(state: State) -> Iterator[str]:
    rebuilt = load(state.domain, dump(state), state.interval_ms)
    for field in fields(State):
        mine, theirs = getattr(state, field.name), getattr(rebuilt, field.name)
        if field.name == "routing_states":
            mine = {name: count for name, count in mine.items() if count}
        if mine != theirs:
            yield f"{field.name} is not what a reader of the snapshot would have"
