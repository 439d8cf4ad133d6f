"""What explanations and a shadow policy cost, in per cent of the CPU time of routing's core alone.

Without explanations: the same core, told to say nothing of each offer. The shadow: another core that takes what
the first one decided, with the same policy, so that it has as much to decide.
"""

import gc
import time
from collections.abc import Callable, Iterable
from typing import TypeVar

from huntgroup_onebox.bench.core_figures import AGENTS, BUSY, CLIENT, CONTACTS, CONTACTS_QUICK
from huntgroup_onebox.bench.core_work import DOMAIN, Work, apply, busy_centre, spend
from huntgroup_onebox.bench.figure import Measured
from huntgroup_onebox.bench.workbench import Workbench
from huntgroup_onebox.shadow.past import Past
from huntgroup_onebox.shadow.player import Shadow
from huntgroup_routing.core.messages import Event
from huntgroup_routing.core.state import initial

T = TypeVar("T")
Decision = tuple[Event, ...]


def core_extras(bench: Workbench) -> list[Measured]:
    """Measure the core with and without, in turn."""
    contacts = CONTACTS_QUICK if bench.quick else CONTACTS
    work = busy_centre(agents=AGENTS, queues=20, busy=BUSY, contacts=contacts)
    explained, shadows = [], []
    before, decisions = _decisions(work)
    for _ in range(bench.repeats):
        bare_s, core_s = spend(work, explains=False).seconds, spend(work).seconds
        explained.append(100 * (core_s - bare_s) / bare_s)
        shadows.append(100 * _shadow(before, decisions) / core_s)
    told = f"{AGENTS:,} agents, 20 queues, {BUSY:.0%} busy"
    return [
        Measured(name="core-explanations", repeats=explained, baseline=told, client=CLIENT),
        Measured(name="core-shadow", repeats=shadows, baseline=told, client=CLIENT),
    ]


def _decisions(work: Work) -> tuple[list[Decision], list[Decision]]:
    """Return what the core decides of the work: before the clock runs, and while it runs."""
    state = initial(DOMAIN)
    before = [apply(state, told, at_ms) for at_ms, told in work.before]
    timed = [apply(state, told, at_ms) for at_ms, told in work.timed]
    return [one for one in before if one], [one for one in timed if one]


def _shadow(before: Iterable[Decision], decisions: Iterable[Decision]) -> float:
    """Return the CPU seconds that a shadow takes for decisions, both times that it goes through them."""
    past = Past()
    shadow = Shadow(DOMAIN, past, {})
    spent_s = 0.0
    for take in (past.take, shadow.take):
        _each(before, take)
        gc.collect()
        gc.freeze()
        try:
            begun_s = time.process_time()
            _each(decisions, take)
            spent_s += time.process_time() - begun_s
        finally:
            gc.unfreeze()
    return spent_s


def _each(values: Iterable[T], take: Callable[[T], None]) -> None:
    for value in values:
        take(value)
