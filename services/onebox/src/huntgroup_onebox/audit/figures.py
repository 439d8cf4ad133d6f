"""Invariant 6: compares the ledger with what follows from the journals, interval by interval."""

from collections.abc import Awaitable, Callable
from typing import Final

from huntgroup_onebox.audit.figures_expected import AHEAD_MAX, ExpectedFigures
from huntgroup_onebox.audit.figures_ledger import Ledger
from huntgroup_onebox.audit.report import Findings
from huntgroup_onebox.audit.totals import Cell, Totals, differing, explain, merged, settle

INVARIANT: Final = 6
EXPLAINED_MAX: Final = 5
"""For so many figures of a partition that differ the record to blame is looked for."""

Again = Callable[[ExpectedFigures, Ledger], Awaitable[None]]
"""Reads the partition once more for the two."""


class Figures:
    """The two sides of one partition."""

    def __init__(self, findings: Findings, interval_ms: int, *, follow: bool) -> None:
        self.ledger = Ledger(Totals(), interval_ms)
        self.expected = self._expected(Totals(), wait=follow)
        self._findings = findings
        self._interval_ms = interval_ms
        self._counted = 0
        self._told_left_behind = False

    def _expected(self, totals: Totals, *, wait: bool) -> ExpectedFigures:
        ledger = self.ledger
        return ExpectedFigures(
            totals, ledger.taken_in, ledger.counted_to_ms, self.ledger.interval_ms, wait=wait
        )

    def judge(self) -> None:
        """Compare as of now; what was compared is forgotten, and what differs is told once."""
        if self.expected.left_behind:
            self._tell_left_behind()
            return
        self.expected.catch_up()
        under_way = self.expected.under_way()
        due = merged(self.expected.totals, under_way)
        for cell in self._differing(due):
            place, why = explain(cell, due, self.ledger.totals)
            self._findings.violation(INVARIANT, place, cell.domain, why)
        settle(self.expected.totals, under_way, self.ledger.totals)

    def _tell_left_behind(self) -> None:
        if not self._told_left_behind:
            self._told_left_behind = True
            why = f"reporting lacks {AHEAD_MAX:,} events of a service: its figures are compared no more"
            self._findings.violation(INVARIANT, None, "", why)
            self._findings.does_not_check(INVARIANT, "figures: reporting was left behind")

    async def finish(self, again: Again) -> None:
        """Compare at the end; where the two differ have the log read once more, to find the record that is to blame."""
        due = merged(self.expected.totals, self.expected.under_way())
        cells = self._differing(due)
        if not cells:
            return
        probed = frozenset(cells[:EXPLAINED_MAX])
        ledger = Ledger(Totals(probed), self._interval_ms)
        expected = self._expected(Totals(probed), wait=False)
        await again(expected, ledger)
        due = merged(expected.totals, expected.under_way())
        for cell in cells:
            place, why = explain(cell, due, ledger.totals)
            self._findings.violation(INVARIANT, place, cell.domain, why)

    def _differing(self, due: Totals) -> list[Cell]:
        ledger = self.ledger
        self._findings.count(INVARIANT, "ledger entries", ledger.entries - self._counted)
        self._counted = ledger.entries
        self._findings.count(INVARIANT, "figures", len(ledger.totals.sums.keys() | due.sums.keys()))
        return differing(due.sums, ledger.totals.sums)
