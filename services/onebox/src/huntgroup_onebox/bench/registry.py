"""All figures, in the order of the table. A new one: a module with a function like these, a line here, its
objective in `loadtests/slo.toml`, and a line in docs/reference/performance.md.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from huntgroup_onebox.bench.append_ratio import append_ratio
from huntgroup_onebox.bench.contacts import contacts_onebox
from huntgroup_onebox.bench.core_echo import core_echo
from huntgroup_onebox.bench.core_extras import core_extras
from huntgroup_onebox.bench.core_figures import core_memory, core_scale, core_worst
from huntgroup_onebox.bench.core_sql import core_sql
from huntgroup_onebox.bench.figure import Measured
from huntgroup_onebox.bench.memory import memory
from huntgroup_onebox.bench.offered import cluster_figures
from huntgroup_onebox.bench.overload import goodput, soak
from huntgroup_onebox.bench.recovery import recovery
from huntgroup_onebox.bench.replay import replay
from huntgroup_onebox.bench.seeds import seeds
from huntgroup_onebox.bench.simulation_rate import simulation_rate
from huntgroup_onebox.bench.takeover import takeover
from huntgroup_onebox.bench.workbench import Workbench


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """Figures that are measured together."""

    names: tuple[str, ...]
    measure: Callable[[Workbench], Iterable[Measured]]
    """Blocks until it is done; raises `RuntimeError`, `TimeoutError` or `LocalKafkaUnavailableError`."""
    long: bool = False
    """Takes many minutes: only when it is named, or with --all."""


ENTRIES = (
    Entry(names=("journal-append-ratio", "journal-append-ratio-blocking"), measure=append_ratio),
    Entry(names=("contacts-onebox",), measure=contacts_onebox),
    Entry(
        names=("contacts-cluster", "offered-p99-ratio", "offered-p99-ratio-alone"),
        measure=cluster_figures,
    ),
    Entry(names=("takeover-p50", "takeover-p99"), measure=takeover),
    Entry(names=("sim-seeds", "sim-seeds-liveness"), measure=seeds),
    Entry(names=("replay", "replay-over-live"), measure=replay),
    Entry(names=("recovery-ratio",), measure=recovery),
    Entry(names=("memory-onebox",), measure=memory),
    Entry(names=("goodput-overload",), measure=goodput),
    Entry(
        names=("core-agents-ratio", "core-waiting-ratio", "core-queues-ratio", "core-contacts"),
        measure=core_scale,
    ),
    Entry(names=("core-explanations", "core-shadow", "core-shadow-other"), measure=core_extras),
    Entry(names=("core-worst-decision",), measure=core_worst),
    Entry(names=("core-memory-contact", "core-memory-agent"), measure=core_memory),
    Entry(names=("core-sql-ratio", "core-sql-ratio-idle"), measure=core_sql),
    Entry(names=("core-echo-ratio",), measure=core_echo),
    Entry(names=("simulate-contacts",), measure=simulation_rate),
    Entry(names=("soak-memory",), measure=soak, long=True),
)


def figure_names() -> list[str]:
    """Return the names of all figures."""
    return [name for entry in ENTRIES for name in entry.names]


def chosen(names: Sequence[str], *, everything: bool) -> list[Entry]:
    """Return the entries that measure `names`; without names all, the long ones only with `everything`.

    Raises `ValueError` for a name that is none.
    """
    known = figure_names()
    for name in names:
        if name not in known:
            raise ValueError(f"FIGURE {name!r}: must be one of {', '.join(known)}")
    if names:
        return [entry for entry in ENTRIES if set(entry.names) & set(names)]
    return [entry for entry in ENTRIES if everything or not entry.long]
