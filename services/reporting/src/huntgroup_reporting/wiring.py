"""Puts the reporting service together; nothing else here makes concrete things."""

from urllib.parse import urlsplit

from huntgroup_contracts.registry import topic_journal
from huntgroup_eventlog.application import Application
from huntgroup_eventlog.code_version import code_version
from huntgroup_eventlog.partitioning import partition_of
from huntgroup_reporting.adapters.grpc_api import Reports, reporting_api
from huntgroup_reporting.adapters.ledger import SqlHistory
from huntgroup_reporting.adapters.mapping import event_codec
from huntgroup_reporting.adapters.streams import JournalViews
from huntgroup_reporting.app.effects import LedgerWriter
from huntgroup_reporting.app.ports import History, JournalPoint, JournalPoints, LiveViews
from huntgroup_reporting.app.reactions import ReportingReactions
from huntgroup_reporting.core import ReportingCore
from huntgroup_reporting.settings import ReportingSettings
from huntgroup_runtime.journals import ServiceJournals
from huntgroup_runtime.process import Process
from huntgroup_runtime.settings import RuntimeSettings, SettingsError, load_settings

SOURCE_LINGER_MS = 50
"""Nobody waits for the ledger: facts are taken in by the handful, which makes a tenth of the batches."""


async def wire(
    process: Process, settings: ReportingSettings | None = None, history: History | None = None
) -> None:
    """Add the ledger, its database and its API to `process`; raises `SettingsError`.

    Without `history` the settings say which database the rows are copied to.
    """
    settings = settings or load_settings(ReportingSettings)
    journals = process.add_journals(application(settings))
    history = history or _database(process, settings)
    writer = LedgerWriter(history, process.log, event_codec())
    journals.subscribe(writer)
    process.add_task("ledger database", writer.run)
    reports = Reports(
        journals=journals,
        points=points_of(journals),
        history=history,
        writer=writer,
        interval_ms=settings.ledger_interval_ms,
    )
    views = live_views(process, journals, settings)
    process.add_api(
        reporting_api(
            reports, views, journals=journals, peers=process.peers, telemetry=process.telemetry
        )
    )


def _database(process: Process, settings: ReportingSettings) -> History:
    database = SqlHistory.from_url(database_url(settings, process.settings))
    process.add_closer("ledger database", database.close)
    return database


def application(settings: ReportingSettings) -> Application:
    """Return the service as the journal runs it."""
    return Application(
        service="reporting",
        core=ReportingCore(settings.ledger_interval_ms),
        codec=event_codec(),
        reactions=ReportingReactions(),
        code_version=code_version("huntgroup_reporting.core", "huntgroup.reporting.v1"),
        source_linger_ms=SOURCE_LINGER_MS,
    )


def database_url(settings: ReportingSettings, runtime: RuntimeSettings) -> str:
    """Return where the ledger's rows are copied to."""
    url = settings.reporting_database_url.get_secret_value()
    if url:
        return url
    log = urlsplit(runtime.log_url)
    if log.scheme == "embedded":
        return f"sqlite:///{log.netloc}{log.path}/reporting.sqlite"
    return "sqlite://"


def points_of(journals: ServiceJournals) -> JournalPoints:
    """Return what tells how much of the own and the others' journals is in a domain's numbers."""
    sources = {service: topic_journal(service) for service in ReportingReactions.sources}

    def point(domain: str) -> JournalPoint:
        partition = partition_of(domain, journals.log.partitions)
        replica = journals.partitions[partition].replica
        taken_in = replica.fold.sources
        return JournalPoint(
            partition=partition,
            position=replica.position,
            sources={
                service: taken_in[topic].position
                for service, topic in sources.items()
                if topic in taken_in
            },
        )

    return point


def live_views(
    process: Process, journals: ServiceJournals, settings: ReportingSettings
) -> LiveViews:
    """Return where WatchDomain's views come from; raises `SettingsError` for Faust without Kafka."""
    if settings.reporting_live_views == "journal":
        return JournalViews(journals, process.clock)
    log = urlsplit(process.settings.log_url)
    if log.scheme != "kafka":
        raise SettingsError(
            "HUNTGROUP_REPORTING_LIVE_VIEWS='faust': needs HUNTGROUP_LOG_URL=kafka://host:port"
        )
    from huntgroup_reporting.adapters.views import (  # noqa: PLC0415 - Faust is loaded where it is used
        FaustViews,
    )

    core = ReportingCore(settings.ledger_interval_ms)
    views = FaustViews(log.netloc, core=core, log=process.log, clock=process.clock)
    process.add_task("faust views", views.run)
    return views
