"""How long a restarted process takes until it serves: with ten times the log against once, both with snapshots.

A session service on the embedded log; both logs end as many records after their last snapshot. From the opening of the
log to the ownership of the partition: snapshot, tail, claim. Contacts come and go, so the state stays of one size; what
grows is the memory of commands, 20 bytes each for a day.
"""

import asyncio
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import uvloop

from huntgroup_eventlog.adapters.embedded import EmbeddedLog
from huntgroup_eventlog.snapshots import ObjectSnapshotStore
from huntgroup_onebox.bench.figure import Measured
from huntgroup_onebox.bench.workbench import Workbench
from huntgroup_runtime.clock import SystemClock
from huntgroup_runtime.journals import ServiceJournals
from huntgroup_runtime.settings import RuntimeSettings
from huntgroup_runtime.telemetry import Telemetry
from huntgroup_session.core.messages import HangUpContact, StartContact
from huntgroup_session.core.values import Channel, ContactId, ConversationId, InitiationMethod
from huntgroup_session.wiring import application

DOMAIN = "bench/recovery"
SNAPSHOT_EVERY, TAIL_RECORDS = 1_000, 500
SNAPSHOTS, SNAPSHOTS_QUICK = 2, 1
TIMES = 10
AT_ONCE = 8
"""Contacts that come and go at the same time: so many commands are in one record."""
OWNED_WITHIN_S = 60.0


def recovery(bench: Workbench) -> list[Measured]:
    """Write both logs, then restart on each in turn."""
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return [runner.run(_measure(bench))]


async def _measure(bench: Workbench) -> Measured:
    small, large = bench.directory("log-1x"), bench.directory("log-10x")
    snapshots = SNAPSHOTS_QUICK if bench.quick else SNAPSHOTS
    sizes = {}
    for directory, times in ((small, 1), (large, TIMES)):
        bench.say(f"recovery-ratio: writing a log of {times} × {snapshots} snapshots and a tail")
        sizes[times] = await _write(directory, snapshots * times)
    ratios = []
    spans: dict[str, list[float]] = {"1x_ms": [], "10x_ms": []}
    await _restart(small)
    for _ in range(bench.repeats):
        once, ten = await _restart(small), await _restart(large)
        ratios.append(ten / once)
        spans["1x_ms"].append(once * 1e3)
        spans["10x_ms"].append(ten * 1e3)
        bench.say(f"recovery-ratio: 1 × {once * 1e3:.0f} ms, 10 × {ten * 1e3:.0f} ms")
    return Measured(
        name="recovery-ratio",
        repeats=ratios,
        baseline=f"1 × is {sizes[1]:,} records, {min(spans['1x_ms']):.0f} ms",
        client=f"embedded log; snapshot every {SNAPSHOT_EVERY:,} records; tail of about {TAIL_RECORDS:,} records",
        details={"records": sizes, "milliseconds": spans},
    )


def _open(directory: Path) -> tuple[EmbeddedLog, ServiceJournals]:
    log = EmbeddedLog(directory, 1, "process")
    settings = RuntimeSettings(
        takeover_after_ms=0,
        heartbeat_ms=0,
        log_partitions=1,
        snapshot_every_records=SNAPSHOT_EVERY,
        inflight_batches_max=1,
    )
    journals = ServiceJournals(
        application(),
        log=log,
        clock=SystemClock(),
        snapshots=ObjectSnapshotStore.from_url((directory / "snapshots").as_uri()),
        settings=settings,
        telemetry=Telemetry.off(),
        address="127.0.0.1:1",
    )
    return log, journals


async def _restart(directory: Path) -> float:
    """Return the seconds until a new process would serve."""
    started = time.perf_counter()
    log, journals = _open(directory)
    try:
        await journals.start()
        await _until(lambda: journals.owns(DOMAIN))
        return time.perf_counter() - started
    finally:
        await journals.stop()
        await log.close()


async def _write(directory: Path, snapshots: int) -> int:
    """Write a log that ends `TAIL_RECORDS` after its last snapshot; return the records of its journal."""
    log, journals = _open(directory)
    records = snapshots * SNAPSHOT_EVERY + TAIL_RECORDS
    try:
        await journals.start()
        await _until(lambda: journals.owns(DOMAIN))
        (owner,) = journals.partitions
        number = 0
        while owner.replica.position < records:
            await asyncio.gather(*(_contact(journals, number + each) for each in range(AT_ONCE)))
            number += AT_ONCE
        return owner.replica.position
    finally:
        await journals.stop()
        await log.close()


async def _contact(journals: ServiceJournals, number: int) -> None:
    contact_id = ContactId(f"contact-{number}")
    start = StartContact(
        contact_id=contact_id,
        conversation_id=ConversationId(""),
        channel=Channel.VOICE,
        initiation_method=InitiationMethod.INBOUND,
        customer_endpoint="+15550100",
        system_endpoint="",
        attributes=(),
    )
    await _submit(journals, f"start-{number}", start)
    await _submit(journals, f"hang-up-{number}", HangUpContact(contact_id=contact_id))


async def _submit(journals: ServiceJournals, command_id: str, command: Any) -> None:
    await journals.submit(DOMAIN, command_id, command, check=0, traceparent="")


async def _until(holds: Callable[[], bool]) -> None:
    async with asyncio.timeout(OWNED_WITHIN_S):
        while not holds():  # noqa: ASYNC110 - ownership is no event here
            await asyncio.sleep(0.001)
