"""Routed events a second ÷ echoed events a second, through the same client of the same Kafka in one process.

Both read the same records. The echo writes each one again, unchanged. The router reads it as the fact or command that
it is, decides, folds, and writes the events that follow, encoded, as its journal has them: what came at once in one
entry of 128 KiB at the most, chained to the one before. The client is aiokafka, one `send` a record.
"""

import asyncio
import gc
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from statistics import median

import uvloop
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition

from huntgroup.agent_state.v1.events_pb2 import AgentReleased
from huntgroup.journal.v1 import journal_pb2 as wire
from huntgroup.routing.v1.commands_pb2 import AcceptOfferRequest
from huntgroup.session.v1.events_pb2 import Channel, ContactQueued
from huntgroup_eventlog.adapters.kafka import KafkaLog
from huntgroup_eventlog.journal.chain import chain_after
from huntgroup_eventlog.journal.replica import Limits
from huntgroup_onebox.bench.core_work import DOMAIN, Work, apply, busy_centre
from huntgroup_onebox.bench.figure import Measured
from huntgroup_onebox.bench.workbench import Workbench
from huntgroup_routing.adapters.mapping import event_codec
from huntgroup_routing.app.reactions import on_agent_released, on_contact_queued
from huntgroup_routing.core.messages import (
    AcceptOffer,
    Command,
    ObserveAgentReleased,
    ObserveContactQueued,
)
from huntgroup_routing.core.state import initial
from huntgroup_routing.core.values import AgentId, OfferId

TOPIC_IN, TOPIC_OUT = "huntgroup.bench.core-in.v1", "huntgroup.bench.core-out.v1"
KEY = DOMAIN.encode()
CONTACTS, CONTACTS_QUICK = 20_000, 2_000
AGENTS = 1_000
FETCH_WAIT_MS = 20
QUEUED, RELEASED, ACCEPT = b"q", b"r", b"a"
"""The first byte of a record: what the rest is."""

ENTRY_BYTES_MAX = Limits().batch_bytes_closing

Handle = Callable[[Sequence[bytes]], Iterable[bytes]]
"""Returns what is to be written for the records that were read at once."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Pass:
    """One time through all records."""

    events_per_s: float
    cpu_us: float
    """Per record, of this process."""


def core_echo(bench: Workbench) -> list[Measured]:
    """Measure the two in turn."""
    contacts = CONTACTS_QUICK if bench.quick else CONTACTS
    work = busy_centre(agents=AGENTS, queues=20, busy=0.9, contacts=contacts)
    new_loop = uvloop.new_event_loop
    with bench.kafka() as broker, asyncio.Runner(loop_factory=new_loop) as runner:
        return [runner.run(_measure(bench, broker.bootstrap_servers, work))]


async def _measure(bench: Workbench, kafka: str, work: Work) -> Measured:
    log = KafkaLog(kafka, 1, replication_factor=1)
    await log.ensure_topics([TOPIC_IN, TOPIC_OUT])
    await log.close()
    values = [_written(at_ms, command) for at_ms, command in work.timed]
    await _fill(kafka, values)
    passes: list[tuple[Pass, Pass]] = []
    for _ in range(bench.repeats):
        echoed = await _pass(kafka, len(values), lambda values: values)
        router = _router(work)
        # As a process does once it is up: what is there already is not looked through again and again.
        gc.collect()
        gc.freeze()
        routed = await _pass(kafka, len(values), router)
        gc.unfreeze()
        passes.append((echoed, routed))
        bench.say(
            f"core-echo-ratio: echo {echoed.events_per_s:,.0f}/s {echoed.cpu_us:.1f} µs,"
            f" routed {routed.events_per_s:,.0f}/s {routed.cpu_us:.1f} µs of CPU a record"
        )
    echo, added = (
        median(one.events_per_s for one, _ in passes),
        median(routed.cpu_us - echoed.cpu_us for echoed, routed in passes),
    )
    return Measured(
        name="core-echo-ratio",
        repeats=[routed.events_per_s / echoed.events_per_s for echoed, routed in passes],
        baseline=f"echo {echo:,.0f} events/s; routing adds {added:.1f} µs of CPU to each",
        client="aiokafka, one send a record, acks=all, idempotent, linger 0; broker on the same cores",
        details={"records": len(values)},
    )


def _written(at_ms: int, command: Command) -> bytes:
    """Return a command as the record that would have brought it, its time before it."""
    match command:
        case ObserveContactQueued():
            queued = ContactQueued(
                contact_id=command.contact_id,
                queue_id=command.queue_id,
                channel=Channel.Value(f"CHANNEL_{command.channel}"),
                enqueued_at_ms=command.enqueued_at_ms,
            )
            kind, payload = QUEUED, queued.SerializeToString()
        case ObserveAgentReleased():
            released = AgentReleased(agent_id=command.agent_id, offer_id=command.offer_id)
            kind, payload = RELEASED, released.SerializeToString()
        case AcceptOffer():
            accept = AcceptOfferRequest(agent_id=command.agent_id, offer_id=command.offer_id)
            kind, payload = ACCEPT, accept.SerializeToString()
        case _:
            raise ValueError(f"{command} is not expected of a centre in its stride")
    return kind + at_ms.to_bytes(8) + payload


def _router(work: Work) -> Handle:
    """Return a router that is where the work begins."""
    state, encode = initial(DOMAIN), event_codec().encode
    for at_ms, command in work.before:
        apply(state, command, at_ms)
    sequence, entries, chain = 0, 0, bytes(16)

    def fill(batch: wire.Batch, values: Iterator[bytes]) -> None:
        """Decide until the batch is full or nothing is left."""
        nonlocal sequence
        size = 0
        for value in values:
            at_ms = int.from_bytes(value[1:9])
            for event in apply(state, _read(value), at_ms):
                sequence += 1
                kind, payload = encode(event)
                batch.events.add(type=kind, payload=payload, sequence=sequence)
                size += len(payload)
            batch.at_ms = at_ms
            if size >= ENTRY_BYTES_MAX:
                return

    def route(read: Sequence[bytes]) -> Iterable[bytes]:
        nonlocal entries, chain
        values = iter(read)
        while True:
            entry = wire.JournalEntry()
            batch = entry.batch
            batch.epoch, batch.owner, batch.domain = 1, "bench", DOMAIN
            batch.seq, batch.prev_hash = entries + 1, chain
            fill(batch, values)
            if not batch.events:
                return
            entries += 1
            written = entry.SerializeToString(deterministic=True)
            chain = chain_after(chain, written)
            yield written

    return route


def _read(value: bytes) -> Command:
    kind, payload = value[:1], value[9:]
    if kind == QUEUED:
        return on_contact_queued(ContactQueued.FromString(payload))
    if kind == RELEASED:
        return on_agent_released(AgentReleased.FromString(payload))
    accept = AcceptOfferRequest.FromString(payload)
    return AcceptOffer(offer_id=OfferId(accept.offer_id), agent_id=AgentId(accept.agent_id))


def _producer(kafka: str) -> AIOKafkaProducer:
    return AIOKafkaProducer(
        bootstrap_servers=kafka, acks="all", enable_idempotence=True, linger_ms=0
    )


async def _fill(kafka: str, values: Sequence[bytes]) -> None:
    producer = _producer(kafka)
    await producer.start()
    for value in values:
        await producer.send(TOPIC_IN, value=value, key=KEY, partition=0)
    await producer.stop()


async def _pass(kafka: str, count: int, handle: Handle) -> Pass:
    """Read all records from the first on, and write what follows; done when everything is acknowledged."""
    producer = _producer(kafka)
    consumer = AIOKafkaConsumer(
        bootstrap_servers=kafka,
        group_id=None,
        fetch_max_wait_ms=FETCH_WAIT_MS,
        enable_auto_commit=False,
    )
    await producer.start()
    await consumer.start()
    consumer.assign([TopicPartition(TOPIC_IN, 0)])
    consumer.seek(TopicPartition(TOPIC_IN, 0), 0)
    begun_s, begun_cpu_s, seen = time.monotonic(), time.process_time(), 0
    while seen < count:
        for records in (await consumer.getmany(timeout_ms=1_000)).values():
            for written in handle([record.value for record in records]):
                await producer.send(TOPIC_OUT, value=written, key=KEY, partition=0)
            seen += len(records)
    await producer.flush()
    seconds, cpu_s = time.monotonic() - begun_s, time.process_time() - begun_cpu_s
    await consumer.stop()
    await producer.stop()
    return Pass(events_per_s=count / seconds, cpu_us=cpu_s / count * 1e6)
