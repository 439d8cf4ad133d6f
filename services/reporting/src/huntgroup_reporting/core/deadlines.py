"""When time alone changes something: at the end of an interval, agents who go on as they do are counted up to it.

One deadline per domain, none when nobody's time is counted. The journals of the others are read with some delay, and
with a long one after an outage. Counting ahead of what agent-state tells is not wrong, since a later entry takes back
what was too much, but it is work done twice: so a border is waited for as long as agent-state was behind last, unless
it has been silent for a while.
"""

from heapq import nsmallest

from huntgroup_reporting.core.state import State
from huntgroup_reporting.core.values import AgentId, interval_start

GRACE_MS = 1_000
"""So long after the end of an interval agents are counted up to it."""

SILENCE_MS = 5_000
"""After this long without a word of agent-state there is no backlog."""

AGENTS_PER_DECISION_MAX = 500
"""So many agents are counted in one decision, to keep its record small; the rest is due at once again."""


def next_deadline(state: State) -> int | None:
    """Return the log time at which the next agents are to be counted up to a border, or None."""
    if not state.borders:
        return None
    sure_ms = state.borders[0] + GRACE_MS
    return max(sure_ms, min(sure_ms + state.lag_ms, state.heard_at_ms + SILENCE_MS))


def countable_to(state: State, at_ms: int) -> int:
    """Return the latest border that agents may be counted up to at log time `at_ms`."""
    lag_ms = 0 if at_ms >= state.heard_at_ms + SILENCE_MS else state.lag_ms
    return interval_start(at_ms - GRACE_MS - lag_ms, state.interval_ms)


def due(state: State) -> list[AgentId]:
    """Return the first agents, by id, among those who stand before the first border."""
    return nsmallest(AGENTS_PER_DECISION_MAX, state.by_border[state.borders[0]])
