"""Invariant 4, in every journal: a command is carried out once, a refused one changes nothing, none is lost."""

from collections import Counter
from collections.abc import Iterable
from typing import Final

from huntgroup.journal.v1 import journal_pb2 as wire
from huntgroup_eventlog.journal.command_memory import BUCKET_MS, RETENTION_MS
from huntgroup_onebox.audit.compact import CompactMap
from huntgroup_onebox.audit.feed import EventCheck
from huntgroup_onebox.audit.reading import Entry
from huntgroup_onebox.audit.report import Findings

INVARIANT: Final = 4
REMEMBERED_HOURS: Final = RETENTION_MS // BUCKET_MS
"""For so many hours of log time a command id must not be carried out again; later it may."""


class Acknowledged:
    """What clients were told to be done: (service, command id), and whether it is in the log."""

    def __init__(self, commands: Iterable[tuple[str, str]]) -> None:
        self._found = dict.fromkeys(map(_pair, commands), False)

    def saw(self, service: str, command_id: str) -> None:
        """Note a command of the log."""
        if (service, command_id) in self._found:
            self._found[service, command_id] = True

    def finish(self, findings: Findings) -> None:
        """Tell what is not in the log at all."""
        findings.count(INVARIANT, "acknowledged to clients", len(self._found))
        for (service, command_id), found in self._found.items():
            if not found:
                findings.violation(
                    INVARIANT,
                    None,
                    "",
                    f"command {command_id} was acknowledged, but {service}'s journal does not hold it",
                )


def _pair(command: Iterable[str]) -> tuple[str, str]:
    service, command_id = command
    return service, command_id


class Commands(EventCheck):
    """Looks at the outcomes of every batch."""

    def __init__(self, findings: Findings, acknowledged: Acknowledged | None = None) -> None:
        self._findings = findings
        self._acknowledged = acknowledged
        self._carried_out: dict[tuple[str, str], CompactMap] = {}

    def entry(self, entry: Entry) -> None:
        if isinstance(entry.kind, wire.Batch) and entry.kind.outcomes:
            self._check_counts(entry, entry.kind)
            for outcome in entry.kind.outcomes:
                self._check_once(entry, outcome.command_id)

    def forget(self) -> None:
        for carried_out in self._carried_out.values():
            carried_out.forget()

    def _check_counts(self, entry: Entry, batch: wire.Batch) -> None:
        caused = Counter(event.causation_id for event in batch.events)
        for outcome in batch.outcomes:
            self._findings.count(INVARIANT, "refused" if outcome.reason else "carried out")
            follows = caused[outcome.command_id]
            if outcome.reason and (outcome.events or follows):
                why = f"was refused ({outcome.reason}), but {max(outcome.events, follows)} events follow from it"
            elif outcome.events != follows:
                why = f"claims {outcome.events} events of its batch, which has {follows} of it"
            else:
                continue
            self._violation(entry, outcome.command_id, why)

    def _check_once(self, entry: Entry, command_id: str) -> None:
        batch = entry.batch
        carried_out = self._carried_out.setdefault((entry.service, batch.domain), CompactMap())
        hour = batch.at_ms // BUCKET_MS
        before = carried_out.get(command_id)
        if before is not None and hour - before < REMEMBERED_HOURS:
            self._violation(entry, command_id, "was carried out a second time")
        if self._acknowledged is not None:
            self._acknowledged.saw(entry.service, command_id)
        carried_out.put(command_id, hour)

    def _violation(self, entry: Entry, command_id: str, why: str) -> None:
        self._findings.violation(
            INVARIANT, entry.place, entry.batch.domain, f"command {command_id} {why}"
        )
