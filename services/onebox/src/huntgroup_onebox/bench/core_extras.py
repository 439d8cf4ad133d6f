"""What explanations and a shadow policy cost, in per cent of the CPU time of routing's core alone.

Without explanations: the same core, told to say nothing of each offer. The shadow: another core that takes what
the first one decided: with the same policy, so that it only goes along, and with one by which agents are chosen
otherwise in every queue, so that it parts from the past at the first offers and has a clock of its own.
"""

import gc
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from itertools import chain
from typing import TypeVar

from huntgroup_onebox.bench.core_figures import AGENTS, BUSY, CLIENT, CONTACTS, CONTACTS_QUICK
from huntgroup_onebox.bench.core_work import DOMAIN, Work, apply, busy_centre, spend
from huntgroup_onebox.bench.figure import Measured
from huntgroup_onebox.bench.workbench import Workbench
from huntgroup_onebox.shadow.past import Past
from huntgroup_onebox.shadow.player import Shadow
from huntgroup_routing.core.messages import ConfigureQueue, Event, QueueConfigured
from huntgroup_routing.core.policy import command_of
from huntgroup_routing.core.state import initial
from huntgroup_routing.core.values import QueueId, Strategy

T = TypeVar("T")
Decision = tuple[Event, ...]
Policy = Mapping[QueueId, ConfigureQueue]


def core_extras(bench: Workbench) -> list[Measured]:
    """Measure the core with and without, in turn."""
    contacts = CONTACTS_QUICK if bench.quick else CONTACTS
    work = busy_centre(agents=AGENTS, queues=20, busy=BUSY, contacts=contacts)
    explained, same, others = [], [], []
    before, decisions = _decisions(work)
    other = _other_policy(chain(*before))
    for _ in range(bench.repeats):
        bare_s, core_s = spend(work, explains=False).seconds, spend(work).seconds
        explained.append(100 * (core_s - bare_s) / bare_s)
        same.append(100 * _shadow(before, decisions, {}) / core_s)
        others.append(100 * _shadow(before, decisions, other) / core_s)
    told = f"{AGENTS:,} agents, 20 queues, {BUSY:.0%} busy"
    return [
        Measured(name=name, repeats=repeats, baseline=told, client=CLIENT)
        for name, repeats in (
            ("core-explanations", explained),
            ("core-shadow", same),
            ("core-shadow-other", others),
        )
    ]


def _decisions(work: Work) -> tuple[list[Decision], list[Decision]]:
    """Return what the core decides of the work: before the clock runs, and while it runs."""
    state = initial(DOMAIN)
    before = [apply(state, told, at_ms) for at_ms, told in work.before]
    timed = [apply(state, told, at_ms) for at_ms, told in work.timed]
    return [one for one in before if one], [one for one in timed if one]


def _other_policy(events: Iterable[Event]) -> Policy:
    """Return the rules of all queues, but with agents chosen in a fixed order instead of by how long they are idle."""
    return {
        one.queue_id: replace(command_of(one), strategy=Strategy.LINEAR)
        for one in events
        if isinstance(one, QueueConfigured)
    }


def _shadow(before: Iterable[Decision], decisions: Iterable[Decision], policy: Policy) -> float:
    """Return the CPU seconds that a shadow takes for decisions, both times that it goes through them."""
    past = Past()
    shadow = Shadow(DOMAIN, past, policy)
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
