"""The checks of one partition, and what all partitions share."""

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from huntgroup_eventlog.application import Application
from huntgroup_eventlog.port import Log
from huntgroup_eventlog.snapshots import ObjectSnapshotStore
from huntgroup_onebox.audit.bounds import Bounds, Lag
from huntgroup_onebox.audit.capacity import OfferedSlots, Reservations
from huntgroup_onebox.audit.commands import Acknowledged, Commands
from huntgroup_onebox.audit.consequences import Consequences
from huntgroup_onebox.audit.contacts import ContactLives
from huntgroup_onebox.audit.database import ReportingDatabase
from huntgroup_onebox.audit.database_rows import DatabaseRows
from huntgroup_onebox.audit.feed import Check, Feed
from huntgroup_onebox.audit.figures import Figures
from huntgroup_onebox.audit.intake import Clock, Intake
from huntgroup_onebox.audit.isolation import Ids, Isolation
from huntgroup_onebox.audit.offers import EPSILON_MS, OfferOutcomes
from huntgroup_onebox.audit.publication import Publication, Publications
from huntgroup_onebox.audit.queue_order import QueueOrder
from huntgroup_onebox.audit.reading import Ends
from huntgroup_onebox.audit.recordings import RecordingLives
from huntgroup_onebox.audit.report import Findings
from huntgroup_recording.app.ports import RecordingVault


@dataclass(slots=True, kw_only=True)
class Scope:
    """What is audited, how, and what all partitions share."""

    log: Log
    findings: Findings
    applications: Mapping[str, Application]
    epsilon_ms: int
    missing_ms: int = EPSILON_MS
    """How late what follows in another journal may be there, of a log that is read once."""
    interval_ms: int
    snapshots: ObjectSnapshotStore | None = None
    snapshots_in_memory: bool = False
    """Whether the services keep none that could be looked at."""
    acknowledged: Acknowledged | None = None
    vault: RecordingVault | None = None
    database: ReportingDatabase | None = None
    domain: str = ""
    ended: bool = False
    grace_ms: int = 0
    """Who follows a log lets so much time pass before what is missing counts."""
    clock: Clock = time.monotonic
    """Of who follows a log."""
    ids: Ids = field(init=False)

    def __post_init__(self) -> None:
        self.ids = Ids(self.findings)

    @property
    def follow(self) -> bool:
        """Whether the log is followed, rather than read once to its end."""
        return self.grace_ms > 0


class Checks:
    """Every check of one partition, and the two feeds that they hang on."""

    def __init__(self, number: int, scope: Scope, services: Sequence[str], ends: Ends) -> None:
        findings, ended = scope.findings, scope.ended
        self.publications = {
            service: Publication(
                findings,
                service,
                claims_below=ends.early[service, number],
                partitions=scope.log.partitions,
                domain=scope.domain,
            )
            for service in services
        }
        self.figures = Figures(findings, scope.interval_ms, follow=scope.follow)
        self.recordings = RecordingLives(findings, ended=ended, keep_files=scope.vault is not None)
        self.database_rows = DatabaseRows(findings, scope.interval_ms)
        grace_ms = scope.grace_ms or scope.missing_ms
        clock = scope.clock if scope.follow else None
        intake = Intake(grace_ms)
        shared: list[Check] = [
            intake,
            Commands(findings, scope.acknowledged),
            Isolation(findings, scope.ids, scope.log.partitions),
            Publications(self.publications),
            Bounds(findings),
            Lag(findings, number, intake, grace_ms=grace_ms, ended=ended, clock=clock),
        ]
        first: list[Check] = [self.figures.ledger]
        if scope.database is not None:
            first.append(self.database_rows)
        others: list[Check] = [
            ContactLives(findings, ended=ended),
            QueueOrder(findings),
            Reservations(findings, ended=ended),
            OfferedSlots(findings, ended=ended),
            OfferOutcomes(findings, scope.epsilon_ms, ended=ended),
            self.recordings,
            Consequences(findings, set(services), intake, grace_ms=grace_ms, clock=clock),
            self.figures.expected,
        ]
        self.all = [*shared, *first, *others]
        self.of_reporting = Feed(findings, [*shared, *first], scope.domain)
        self.of_others = Feed(findings, [*shared, *others], scope.domain)
