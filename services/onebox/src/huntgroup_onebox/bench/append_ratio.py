"""What a journal costs over its Kafka client: command → accepted and answered, against append → read back.

Both with one under way at a time, on one partition of the same broker. Ours is the session service's journal as a
process runs it, without gRPC: decide, encode, append, read back, check, fold, answer, and the relay to the public topic
beside. Raw is bare librdkafka with records as large as ours, twice: awaited on an event loop, as every asyncio program
must (a thread polls and wakes the loop), and blocking in one thread, which no server can do.

Judged is the ratio to the blocking client: it is the harder one, and says what Kafka itself could. The other is shown
because it says how much of that the event loop costs anyhow.
"""

import asyncio
import gc
import threading
import time
from typing import Any

import uvloop

from huntgroup_contracts.registry import topic_journal
from huntgroup_eventlog.adapters.kafka import KafkaLog
from huntgroup_eventlog.snapshots import ObjectSnapshotStore
from huntgroup_onebox.bench.echo import SETTINGS, consumer_of, producer_of
from huntgroup_onebox.bench.figure import Measured, percentile, percentiles
from huntgroup_onebox.bench.workbench import Workbench
from huntgroup_runtime.clock import SystemClock
from huntgroup_runtime.journals import ServiceJournals
from huntgroup_runtime.process import GC_THRESHOLDS
from huntgroup_runtime.settings import RuntimeSettings
from huntgroup_runtime.telemetry import Telemetry
from huntgroup_session.core.messages import StartContact
from huntgroup_session.core.values import Channel, ContactId, ConversationId, InitiationMethod
from huntgroup_session.wiring import application

DOMAIN = "bench/append"
RAW_TOPIC = "huntgroup.bench.append.v1"
WARM_UP, ROUND, ROUND_QUICK = 3_000, 1_000, 200
"""A new broker is compiled while it runs; only then are rounds alike."""
OWNED_WITHIN_S = 30.0


def append_ratio(bench: Workbench) -> list[Measured]:
    """Measure rounds of ours and of the raw client in turn."""
    new_loop = uvloop.new_event_loop
    thresholds = gc.get_threshold()
    gc.set_threshold(*GC_THRESHOLDS)  # as every process of ours does; here for both sides
    try:
        with bench.kafka() as broker, asyncio.Runner(loop_factory=new_loop) as runner:
            return runner.run(_measure(bench, broker.bootstrap_servers))
    finally:
        gc.set_threshold(*thresholds)


async def _measure(bench: Workbench, kafka: str) -> list[Measured]:
    count = ROUND_QUICK if bench.quick else ROUND
    log = KafkaLog(kafka, 1, replication_factor=1, driver="librdkafka")
    journals = _journals(log)
    try:
        await log.ensure_topics([RAW_TOPIC])
        await journals.start()
        async with asyncio.timeout(OWNED_WITHIN_S):
            while not journals.owns(DOMAIN):  # noqa: ASYNC110 - ownership is no event here
                await asyncio.sleep(0.01)
        warm_up = WARM_UP // 10 if bench.quick else WARM_UP
        _, size = await _ours(journals, warm_up, 0)
        await _awaited(kafka, size, warm_up)
        rounds: list[dict[str, list[float]]] = []
        for number in range(bench.repeats):
            rounds.append(
                {
                    "journal_ms": (await _ours(journals, count, 1 + number))[0],
                    "awaited_ms": await _awaited(kafka, size, count),
                    "blocking_ms": await asyncio.to_thread(_blocking, kafka, size, count),
                }
            )
            p50s = ", ".join(
                f"{name} p50 {percentile(ms, 0.5):.3f}" for name, ms in rounds[-1].items()
            )
            bench.say(f"journal-append-ratio: {number + 1}: {p50s}")
    finally:
        await journals.stop()
        await log.close()
    return [
        _against("journal-append-ratio", rounds, "awaited_ms", f"awaited, {size} bytes a record"),
        _against("journal-append-ratio-blocking", rounds, "blocking_ms", "blocking in one thread"),
    ]


def _against(name: str, rounds: list[dict[str, list[float]]], raw: str, how: str) -> Measured:
    raw_ms = [each for one in rounds for each in one[raw]]
    return Measured(
        name=name,
        repeats=[percentile(one["journal_ms"], 0.5) / percentile(one[raw], 0.5) for one in rounds],
        baseline=f"raw p50 {percentile(raw_ms, 0.5):.3f} ms, {how}",
        client=f"both: {SETTINGS}; one under way at a time",
        details={"rounds": [{of: percentiles(ms) for of, ms in one.items()} for one in rounds]},
        samples={
            "journal_ms": [each for one in rounds for each in one["journal_ms"]],
            raw: raw_ms,
        },
    )


def _journals(log: KafkaLog) -> ServiceJournals:
    settings = RuntimeSettings(takeover_after_ms=0, heartbeat_ms=0, log_partitions=1)
    return ServiceJournals(
        application(),
        log=log,
        clock=SystemClock(),
        snapshots=ObjectSnapshotStore.from_url(""),
        settings=settings,
        telemetry=Telemetry(service="bench"),
        address="127.0.0.1:1",
    )


async def _ours(
    journals: ServiceJournals, count: int, round_number: int
) -> tuple[list[float], int]:
    """Return milliseconds of `count` commands, one after the other, and the mean size of their records."""
    topic = topic_journal("session")
    log = journals.log
    begins = await log.end(topic, 0)
    spans = []
    for number in range(count):
        name = f"{round_number}-{number}"
        command = StartContact(
            contact_id=ContactId(f"contact-{name}"),
            conversation_id=ConversationId(""),
            channel=Channel.VOICE,
            initiation_method=InitiationMethod.INBOUND,
            customer_endpoint="+15550100",
            system_endpoint="",
            attributes=(),
        )
        started = time.perf_counter()
        await journals.submit(DOMAIN, f"command-{name}", command, check=0, traceparent="")
        spans.append((time.perf_counter() - started) * 1e3)
    reader = await log.reader(topic, 0, begins)
    try:
        sizes = [len(record.value) for record in await reader.read(100, 2_000)]
    finally:
        await reader.close()
    return spans, round(sum(sizes) / len(sizes))


async def _awaited(kafka: str, size: int, count: int) -> list[float]:
    """Return milliseconds of `count` records, one after the other, each until it was read back on the event loop."""
    consumer, producer = consumer_of(kafka, [(RAW_TOPIC, 0)]), producer_of(kafka)
    loop, payload, spans = asyncio.get_running_loop(), bytes(size), []
    back: asyncio.Queue[bytes] = asyncio.Queue()
    stopping = threading.Event()

    def listen() -> None:
        while not stopping.is_set():
            message: Any = consumer.poll(0.1)
            if message is not None and not message.error():
                loop.call_soon_threadsafe(back.put_nowait, message.value())

    listening = asyncio.create_task(asyncio.to_thread(listen))
    try:
        for _ in range(count):
            started = time.perf_counter()
            producer.produce(RAW_TOPIC, payload, b"bench", 0)
            await back.get()
            spans.append((time.perf_counter() - started) * 1e3)
            producer.poll(0)
    finally:
        stopping.set()
        await listening
        producer.flush(5)
        consumer.close()
    return spans


def _blocking(kafka: str, size: int, count: int) -> list[float]:
    """Return the same of one thread that does nothing else, and waits without an event loop."""
    consumer, producer = consumer_of(kafka, [(RAW_TOPIC, 0)]), producer_of(kafka)
    payload = bytes(size)
    spans = []
    try:
        for _ in range(count):
            started = time.perf_counter()
            producer.produce(RAW_TOPIC, payload, b"bench", 0)
            message: Any = None
            while message is None or message.error():
                message = consumer.poll(1.0)
            spans.append((time.perf_counter() - started) * 1e3)
            producer.poll(0)
    finally:
        producer.flush(5)
        consumer.close()
    return spans
