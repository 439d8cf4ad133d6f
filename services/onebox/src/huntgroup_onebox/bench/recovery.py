"""How long a restarted process takes until it serves: with ten times the log against once, both with snapshots.

Session, routing and agent-state on one embedded log, as contacts come, wait and hang up. Both logs end alike: a
snapshot of each service, then as many contacts. From the opening of the log to the ownership of all three journals:
snapshot, tail, claim. Both logs are longer than what services keep of contacts that have ended, so the state is of one
size; what grows is the memory of commands, 20 bytes each for a day.
"""

import asyncio
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from statistics import median
from typing import Any

import uvloop

from huntgroup_agent_state.wiring import application as agent_state
from huntgroup_eventlog.adapters.embedded import EmbeddedLog
from huntgroup_eventlog.snapshots import ObjectSnapshotStore
from huntgroup_onebox.bench.figure import Measured
from huntgroup_onebox.bench.workbench import Workbench
from huntgroup_routing.core.messages import ConfigureQueue
from huntgroup_routing.core.values import Channel as QueueChannel
from huntgroup_routing.core.values import QueueId
from huntgroup_routing.wiring import application as routing
from huntgroup_runtime.clock import SystemClock
from huntgroup_runtime.journals import ServiceJournals, all_idle, unrelayed
from huntgroup_runtime.settings import RuntimeSettings
from huntgroup_runtime.telemetry import Telemetry
from huntgroup_session.core.messages import HangUpContact, QueueContact, StartContact
from huntgroup_session.core.values import Channel, ContactId, ConversationId, InitiationMethod
from huntgroup_session.core.values import QueueId as SessionQueueId
from huntgroup_session.wiring import application as session

DOMAIN, QUEUE = "bench/recovery", "sales"
SERVICES = (session, routing, agent_state)
CONTACTS, CONTACTS_QUICK = 12_000, 1_200
"""Of the log once: more than the 10,000 that every service keeps."""
TAIL_SHARE = 0.1
"""Of the contacts of the log once: in both logs so many came after the last snapshot."""
TIMES = 10
AT_ONCE = 64
"""Contacts that come and go at the same time."""
WITHIN_S = 60.0


def recovery(bench: Workbench) -> list[Measured]:
    """Write both logs, then restart on each in turn."""
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return [runner.run(_measure(bench))]


async def _measure(bench: Workbench) -> Measured:
    small, large = bench.directory("log-1x"), bench.directory("log-10x")
    contacts = CONTACTS_QUICK if bench.quick else CONTACTS
    sizes = {}
    for directory, times in ((small, 1), (large, TIMES)):
        bench.say(f"recovery-ratio: writing a log of {times} × {contacts:,} contacts")
        sizes[times] = await _write(directory, contacts * times, round(contacts * TAIL_SHARE))
    ratios = []
    spans: dict[str, list[float]] = {"1x_ms": [], "10x_ms": []}
    await _restart(small)
    for _ in range(2 * bench.repeats):
        once, ten = await _restart(small), await _restart(large)
        ratios.append(ten / once)
        spans["1x_ms"].append(once * 1e3)
        spans["10x_ms"].append(ten * 1e3)
        bench.say(f"recovery-ratio: 1 × {once * 1e3:.0f} ms, 10 × {ten * 1e3:.0f} ms")
    return Measured(
        name="recovery-ratio",
        repeats=ratios,
        baseline=f"1 × is {contacts:,} contacts, {sizes[1]:,} records, {median(spans['1x_ms']):.0f} ms",
        client=(
            f"{len(SERVICES)} services on the embedded log; {contacts * TAIL_SHARE:,.0f} contacts"
            " after the last snapshot"
        ),
        details={"records": sizes, "milliseconds": spans},
    )


class Restartable:
    """Some services on one log, as a process runs them; snapshots are taken only when they are asked for."""

    def __init__(self, directory: Path) -> None:
        self._log = EmbeddedLog(directory, 1, "process")
        self._snapshots = ObjectSnapshotStore.from_url((directory / "snapshots").as_uri())
        settings = RuntimeSettings(
            takeover_after_ms=0,
            heartbeat_ms=0,
            log_partitions=1,
            snapshot_every_records=1_000_000_000,
        )
        self.journals: Sequence[ServiceJournals] = [
            ServiceJournals(
                application(),
                log=self._log,
                clock=SystemClock(),
                snapshots=self._snapshots,
                settings=settings,
                telemetry=Telemetry.off(),
                address="127.0.0.1:1",
            )
            for application in SERVICES
        ]

    async def start(self) -> None:
        """Return when all are owned."""
        for one in self.journals:
            await one.start()
        await _until(lambda: all(one.owns(DOMAIN) for one in self.journals))

    async def stop(self) -> None:
        """Hand over and close the log."""
        for one in self.journals:
            await one.stop()
        await self._log.close()

    async def rest(self) -> None:
        """Return when nothing is under way."""
        await _until(lambda: all_idle(self.journals) and not unrelayed(self.journals))

    async def snapshot(self) -> None:
        """Store a snapshot of every service, at rest."""
        for one in self.journals:
            replica = one.partitions[0].replica
            await self._snapshots.put(
                one.application.service, 0, replica.position, replica.snapshot()
            )

    async def submit(self, service: int, command_id: str, command: Any) -> None:
        """Have a command carried out."""
        journals = self.journals[service]
        outcome = await journals.submit(DOMAIN, command_id, command, check=0, traceparent="")
        if outcome.reason:
            raise RuntimeError(f"{command_id} was refused: {outcome.detail}")


async def _restart(directory: Path) -> float:
    """Return the seconds until a new process would serve."""
    started = time.perf_counter()
    services = Restartable(directory)
    try:
        await services.start()
        return time.perf_counter() - started
    finally:
        await services.stop()


async def _write(directory: Path, contacts: int, tail: int) -> int:
    """Write a log that ends `tail` contacts after its snapshots; return the records of its journals."""
    services = Restartable(directory)
    try:
        await services.start()
        await services.submit(1, "queue", _QUEUE)
        await services.rest()
        await _play(services, 0, contacts - tail)
        await services.snapshot()
        await _play(services, contacts - tail, contacts)
        return sum(one.partitions[0].replica.position for one in services.journals)
    finally:
        await services.stop()


async def _play(services: Restartable, first: int, end: int) -> None:
    for number in range(first, end, AT_ONCE):
        some = range(number, min(number + AT_ONCE, end))
        await asyncio.gather(*(_contact(services, one) for one in some))
    await services.rest()


_QUEUE = ConfigureQueue(
    queue_id=QueueId(QUEUE),
    channel=QueueChannel.VOICE,
    required_skills=(),
    ring_timeout_ms=20_000,
    wrap_up_timeout_ms=20_000,
    service_level_threshold_ms=20_000,
    waiting_max=10_000,
)


async def _contact(services: Restartable, number: int) -> None:
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
    queue = QueueContact(
        contact_id=contact_id, queue_id=SessionQueueId(QUEUE), priority=0, required_skills=()
    )
    await services.submit(0, f"start-{number}", start)
    await services.submit(0, f"queue-{number}", queue)
    await services.submit(0, f"hang-up-{number}", HangUpContact(contact_id=contact_id))


async def _until(holds: Callable[[], bool]) -> None:
    async with asyncio.timeout(WITHIN_S):
        while not holds():  # noqa: ASYNC110 - ownership is no event here
            await asyncio.sleep(0.001)
