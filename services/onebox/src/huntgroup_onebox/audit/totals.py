"""Sums of figures by domain, queue and interval, from the journals or from the ledger, and where two of them differ."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

from huntgroup_onebox.audit.reading import Entry
from huntgroup_onebox.audit.report import Place


class Cell(NamedTuple):
    """One figure of the KPI report, sorted by time first."""

    interval_start_ms: int
    domain: str
    queue_id: str
    """Empty: of all agents of the domain."""
    figure: str


@dataclass(slots=True)
class Contribution:
    """What one contact, offer or agent adds to a cell."""

    amount: int
    place: Place


@dataclass(slots=True)
class Totals:
    """The sums; for the cells in `probed` also who contributed what, to name the first who does not fit."""

    probed: frozenset[Cell] = frozenset()
    sums: dict[Cell, int] = field(default_factory=dict)
    contributions: dict[Cell, dict[str, Contribution]] = field(default_factory=dict)

    def add(self, entry: Entry, cell: Cell, amount: int, who: str) -> None:
        """Add what `who` contributes by an event of `entry`."""
        self.sums[cell] = self.sums.get(cell, 0) + amount
        if cell in self.probed:
            mine = self.contributions.setdefault(cell, {})
            before = mine.get(who)
            mine[who] = Contribution(amount + (before.amount if before else 0), entry.place)

    def add_queue(
        self,
        entry: Entry,
        queue_id: str,
        interval_start_ms: int,
        figures: Iterable[tuple[str, int]],
        who: str,
    ) -> None:
        """Add figures of a queue."""
        domain = entry.batch.domain
        for figure, amount in figures:
            self.add(entry, Cell(interval_start_ms, domain, queue_id, figure), amount, who)


def merged(one: Totals, other: Totals) -> Totals:
    """Return two sums added up."""
    totals = Totals(one.probed, dict(one.sums), {c: dict(m) for c, m in one.contributions.items()})
    for cell, amount in other.sums.items():
        totals.sums[cell] = totals.sums.get(cell, 0) + amount
    for cell, theirs in other.contributions.items():
        mine = totals.contributions.setdefault(cell, {})
        for who, more in theirs.items():
            before = mine.get(who)
            mine[who] = Contribution(more.amount + (before.amount if before else 0), more.place)
    return totals


def settle(expected: Totals, under_way: Totals, ledger: Totals) -> None:
    """Forget all sums, so that only what comes from now on is compared: nothing, or what is under way, is left."""
    expected.sums = {cell: -amount for cell, amount in under_way.sums.items() if amount}
    ledger.sums = {}


def differing(expected: Mapping[Cell, int], ledger: Mapping[Cell, int]) -> list[Cell]:
    """Return the cells that differ, the earliest first; nothing and zero are the same."""
    return sorted(
        cell
        for cell in expected.keys() | ledger.keys()
        if expected.get(cell, 0) != ledger.get(cell, 0)
    )


def explain(cell: Cell, expected: Totals, ledger: Totals) -> tuple[Place | None, str]:
    """Return the first record that makes a probed cell differ, and why."""
    by_journals = expected.contributions.get(cell, {})
    by_ledger = ledger.contributions.get(cell, {})
    whose = f"queue {cell.queue_id}" if cell.queue_id else "the agents"
    told = (
        f"{cell.figure} of {whose} in the interval from {cell.interval_start_ms}"
        f" is {ledger.sums.get(cell, 0):,} in the ledger"
        f" and {expected.sums.get(cell, 0):,} by the journals"
    )
    for who in [*by_ledger, *(one for one in by_journals if one not in by_ledger)]:
        mine, theirs = by_ledger.get(who), by_journals.get(who)
        amount, due = mine.amount if mine else 0, theirs.amount if theirs else 0
        if amount != due:
            place = mine.place if mine else theirs.place if theirs else None
            return place, f"{told}: for {who} it has {amount:,}, not {due:,}"
    return None, told
