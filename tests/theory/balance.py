"""Two agents, one of whom serves both kinds of calls, by their balance equations: no product form, no router.

First come, first served, with the longest idle agent, as anybody would write it down as a Markov chain. Of those who
wait, it need be known only how many b's the agent for a has passed over already, and how many stand behind: each of
these is an a with the share of a's in all arrivals, whatever happened before. The line is cut off at a length that is
hardly ever reached, and the equations are solved by sweeps.
"""

from collections import defaultdict
from dataclasses import dataclass
from typing import Final

LINE_MAX: Final = 45
PRECISION: Final = 1e-9
SWEEPS_MAX: Final = 5_000

NOBODY_A, NOBODY_BOTH, ONE_BUSY, BOTH_BUSY, ALL_BUSY = range(5)
"""All idle, the agent for a or the one for both for longer; one of them busy; or all."""

State = tuple[int, int, int]
"""Which of those, b's passed over, and others behind them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """Means: waits in mean service times, and the parts of the time in which each agent is busy."""

    wait_a: float
    wait_b: float
    busy_one: float
    busy_both: float


def two_agents(a: float, b: float) -> Found:
    """Return what follows when so many of each kind come in a mean service time."""
    into: dict[State, list[tuple[State, float]]] = defaultdict(list)
    leaving: dict[State, float] = defaultdict(float)
    for state in _states():
        for target, rate in _moves(state, a, b):
            into[target].append((state, rate))
            leaving[state] += rate
    share = _solved(into, leaving)
    is_a = a / (a + b)
    waiting_a = sum(part * n * is_a for (_, _, n), part in share.items())
    waiting_b = sum(part * (k + n * (1 - is_a)) for (_, k, n), part in share.items())
    return Found(
        wait_a=waiting_a / a,
        wait_b=waiting_b / b,
        busy_one=sum(part for (kind, _, _), part in share.items() if kind in (ONE_BUSY, ALL_BUSY)),
        busy_both=sum(
            part for (kind, _, _), part in share.items() if kind in (BOTH_BUSY, ALL_BUSY)
        ),
    )


def _states() -> list[State]:
    found: list[State] = [(NOBODY_A, 0, 0), (NOBODY_BOTH, 0, 0), (ONE_BUSY, 0, 0)]
    found += [(BOTH_BUSY, k, 0) for k in range(LINE_MAX + 1)]
    return found + [
        (ALL_BUSY, k, length - k) for length in range(LINE_MAX + 1) for k in range(length + 1)
    ]


def _moves(state: State, a: float, b: float) -> list[tuple[State, float]]:
    """Return where a state leads to, and at what rate; agents finish at rate 1."""
    kind, k, n = state
    if kind == NOBODY_A:
        return [((ONE_BUSY, 0, 0), a), ((BOTH_BUSY, 0, 0), b)]
    if kind == NOBODY_BOTH:
        return [((BOTH_BUSY, 0, 0), a + b)]
    if kind == ONE_BUSY:
        return [((ALL_BUSY, 0, 0), a + b), ((NOBODY_BOTH, 0, 0), 1.0)]
    if kind == ALL_BUSY:
        return _moves_of_all_busy(k, n, a, b)
    done: State = (BOTH_BUSY, k - 1, 0) if k else (NOBODY_A, 0, 0)
    longer = [((BOTH_BUSY, k + 1, 0), b)] if k < LINE_MAX else []
    return [((ALL_BUSY, k, 0), a), (done, 1.0), *longer]


def _moves_of_all_busy(k: int, n: int, a: float, b: float) -> list[tuple[State, float]]:
    found: list[tuple[State, float]] = []
    if k + n < LINE_MAX:
        found.append(((ALL_BUSY, k, n + 1), a + b))
    # The agent for both takes the first in line.
    if k or n:
        found.append(((ALL_BUSY, k - 1, n) if k else (ALL_BUSY, 0, n - 1), 1.0))
    else:
        found.append(((ONE_BUSY, 0, 0), 1.0))
    # The one for a passes over b's until an a is found.
    all_are_b, is_a = 1.0, a / (a + b)
    for passed in range(n):
        found.append(((ALL_BUSY, k + passed, n - 1 - passed), all_are_b * is_a))
        all_are_b *= 1 - is_a
    return [*found, ((BOTH_BUSY, k + n, 0), all_are_b)]


def _solved(
    into: dict[State, list[tuple[State, float]]], leaving: dict[State, float]
) -> dict[State, float]:
    """Return the part of the time spent in each state: what comes in at every state is what goes out."""
    share = dict.fromkeys(leaving, 1.0 / len(leaving))
    for _ in range(SWEEPS_MAX):
        changed = 0.0
        for state, sources in into.items():
            now = sum(share[source] * rate for source, rate in sources) / leaving[state]
            changed += abs(now - share[state])
            share[state] = now
        total = sum(share.values())
        share = {state: part / total for state, part in share.items()}
        if changed < PRECISION * total:
            return share
    raise ArithmeticError(f"no balance after {SWEEPS_MAX} sweeps")
