"""How quickly journals are replayed: checked, decoded and folded on one core, from a log that onebox really wrote.

Live is what one core does when the same events happen: events a second at onebox's own rate of whole contacts, of all
five services together. So replay ÷ live says how much of a day one core makes good in an hour.
"""

import asyncio
import time
from pathlib import Path

import uvloop

from huntgroup_contracts.registry import topic_journal
from huntgroup_eventlog.adapters.embedded import EmbeddedLog
from huntgroup_eventlog.application import Application
from huntgroup_eventlog.journal.replica import Replica
from huntgroup_eventlog.port import Log, LogRecord
from huntgroup_onebox.audit.auditor import service_applications
from huntgroup_onebox.bench.contacts import contacts_onebox
from huntgroup_onebox.bench.figure import Measured
from huntgroup_onebox.bench.load import Stairs, play_load
from huntgroup_onebox.bench.serving import onebox
from huntgroup_onebox.bench.workbench import Workbench
from huntgroup_onebox.box import SERVICES
from huntgroup_reporting.settings import ReportingSettings
from huntgroup_runtime.settings import load_settings

RATE, AGENTS = 60.0, 50
SECONDS, SECONDS_QUICK = 40.0, 8.0
READ_MAX = 10_000

Journal = tuple[Application, list[list[LogRecord]]]
"""A service and the records of each partition of its journal."""


def replay(bench: Workbench) -> list[Measured]:
    """Measure replay, and set it against live."""
    directory = bench.directory("played")
    seconds = SECONDS_QUICK if bench.quick else SECONDS
    bench.say(f"replay: playing {RATE:.0f} contacts/s for {seconds:.0f} s to have a log")
    with onebox(bench, directory) as served:
        stairs = Stairs(first_rate=RATE, step_s=seconds)
        played = play_load(bench, served, stairs, domain="bench/replay", agents=AGENTS, seed=1)
    contacts = sum(1 for one in played.contacts if one["completed_ns"])
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        journals = runner.run(_read(directory))
    rounds = [_replay(journals) for _ in range(bench.repeats)]
    events = sum(count for count, _ in rounds[0].values())
    rates = [events / sum(spent for _, spent in one.values()) for one in rounds]
    bench.say(f"replay: {events:,} events, {', '.join(f'{rate:,.0f}/s' for rate in rates)}")
    if "contacts-onebox" not in bench.found:
        contacts_onebox(bench)
    live_rate = bench.found["contacts-onebox"]
    if not live_rate:
        raise RuntimeError("there is no live rate to hold replay against: see contacts-onebox")
    live = live_rate * events / max(1, contacts)
    per_service = {
        name: round(count / min(one[name][1] for one in rounds))
        for name, (count, _) in rounds[0].items()
    }
    said = f"{events / max(1, contacts):.1f} events a contact"
    return [
        Measured(
            name="replay",
            repeats=rates,
            baseline=f"{events:,} events of {contacts:,} contacts",
            client="records in memory; reader rule, decode, fold; command memory included",
            details={"events": events, "events_per_s": per_service},
        ),
        Measured(
            name="replay-over-live",
            repeats=[rate / live for rate in rates],
            baseline=f"live {live:,.0f} events/s: {live_rate:.0f} contacts/s × {said}",
            client="as replay",
        ),
    ]


async def _read(directory: Path) -> list[Journal]:
    log = EmbeddedLog.open_read_only(directory)
    try:
        applications = service_applications(list(SERVICES), load_settings(ReportingSettings))
        return [(one, await _partitions(log, name)) for name, one in applications.items()]
    finally:
        await log.close()


async def _partitions(log: Log, service: str) -> list[list[LogRecord]]:
    topic = topic_journal(service)
    found = []
    for partition in range(log.partitions):
        end = await log.end(topic, partition)
        reader = await log.reader(topic, partition, 0)
        records: list[LogRecord] = []
        while not records or records[-1].position + 1 < end:
            more = await reader.read(READ_MAX, 1_000)
            if not more:
                break
            records += more
        await reader.close()
        found.append(records)
    return found


def _replay(journals: list[Journal]) -> dict[str, tuple[int, float]]:
    """Return how many events each service has, and the CPU seconds it took to replay them."""
    spent = {}
    for application, partitions in journals:
        events, begun = 0, time.process_time()
        for number, records in enumerate(partitions):
            replica = _replica(application, number)
            for record in records:
                replica.read(record.position, record.value)
            events += sum(domain.sequence for domain in replica.fold.domains.values())
        spent[application.service] = (events, time.process_time() - begun)
    return spent


def _replica(application: Application, partition: int) -> Replica:
    return Replica(application, partition=partition, owner="bench", address="")
