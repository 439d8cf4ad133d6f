"""Makes a failing story smaller: leaves out whatever it fails without, until nothing more can go."""

from collections.abc import Callable, Sequence
from typing import Final

from huntgroup_onebox.sim.plan import Plan
from huntgroup_onebox.sim.verdict import Verdict

TRIES_MAX: Final = 120
"""Stories played for one shrinking; what is left then is shown as it is."""


def shrunk(failed: Verdict, play: Callable[[Plan], Verdict]) -> Verdict:
    """Return the smallest story found that violates the same rule; `play` plays one.

    Greedy, in halves first: as delta debugging does (Zeller and Hildebrandt 2002).
    """
    kept, left_out, tries = failed, set[str](), 0
    size = max(1, len(failed.plan.names()) // 2)
    while size and tries < TRIES_MAX:
        names = [name for name in failed.plan.names() if name not in left_out]
        for some in _pieces(names, size):
            if tries >= TRIES_MAX:
                break
            tries += 1
            tried = play(failed.plan.without(left_out | set(some)))
            if rule_of(tried) == rule_of(failed):
                kept = tried
                left_out |= set(some)
        size //= 2
    return kept


def rule_of(verdict: Verdict) -> str:
    """Return which rule a story violates, by the first words that name it: empty for none."""
    return words_of(verdict)[:60]


def words_of(verdict: Verdict) -> str:
    """Return what a story violates, without the names of its people."""
    words = verdict.violation.split()
    return " ".join(word for word in words if word.isalpha() or word.rstrip(":").isdigit())


def _pieces(names: Sequence[str], size: int) -> list[Sequence[str]]:
    return [names[start : start + size] for start in range(0, len(names), size)]
