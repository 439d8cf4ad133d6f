"""How long from "queued" to "offered", against a raw two-hop echo through the same Kafka in the same seconds.

Ours: from the moment the caller's QueueContact is due to the moment its OfferCreated can be read from routing's
journal; that is a gRPC call, a decision, a hop, a decision, a hop. The echo: from the moment a message is due to the
moment its answer can be read. Both at Poisson times that are drawn before, at the same rate, heard by one consumer.
"""

import asyncio
import threading
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from google.protobuf.message import DecodeError

from huntgroup.journal.v1 import journal_pb2 as wire
from huntgroup.routing.v1.events_pb2 import OfferCreated
from huntgroup_contracts.registry import topic_journal
from huntgroup_eventlog.adapters.kafka import KafkaLog
from huntgroup_eventlog.partitioning import partition_of
from huntgroup_onebox.bench.contacts import AGENTS, CLIENT, saturation
from huntgroup_onebox.bench.echo import SETTINGS, Heard, Probe
from huntgroup_onebox.bench.figure import Measured, percentile, percentiles
from huntgroup_onebox.bench.load import LoadResult, Stairs, play_load
from huntgroup_onebox.bench.serving import Served, cluster
from huntgroup_onebox.bench.workbench import Workbench, running
from huntgroup_onebox.cluster_command import PARTITIONS

ECHO = ("huntgroup.bench.echo-in.v1", "huntgroup.bench.echo-out.v1")
OFFER_CREATED = "huntgroup.routing.offer.created.v1"
QUEUE_AFTER_MS = 500
"""Longer than a start takes, so that nothing of it is left in what is measured."""
SET_UP_S = 4.0
"""The load signs its agents on before its first contact: the echo goes on for so much longer."""


def cluster_figures(bench: Workbench) -> Iterator[Measured]:
    """Measure the knee of the cluster, then latency at half of it."""
    with bench.kafka() as broker, cluster(bench, broker) as served:
        knee = saturation(bench, served, "contacts-cluster", first_rate=20.0)
        yield knee
        yield from offered(bench, served, broker.bootstrap_servers, knee.value / 2)


def offered(bench: Workbench, served: Served, kafka: str, rate: float) -> Iterator[Measured]:
    """Measure at `rate` contacts a second, with as many echoes a second beside."""
    asyncio.run(_make_topics(kafka))
    seconds = 6.0 if bench.quick else 12.0
    log = bench.directory("echo") / "echo.log"
    rounds: list[_Round] = []
    with running(["huntgroup_onebox.bench.echo", kafka, *ECHO], log):
        _alone(kafka, rate, 2.0, 0)  # the first records of a topic are slow
        for number in range(bench.repeats):
            alone = _alone(kafka, rate, seconds / 2, number)
            with Probe(kafka, ECHO, _journal(number)) as probe:
                stairs = Stairs(first_rate=rate, step_s=seconds, queue_after_ms=QUEUE_AFTER_MS)
                played = _together(bench, served, probe, stairs, number)
            one = _Round(
                ours_ms=_offered_ms(played, probe.heard),
                beside_ms=_beside_ms(played, probe.heard),
                alone_ms=alone,
                load=played.told(),
            )
            rounds.append(one)
            bench.say(f"offered-p99-ratio: {number + 1}: {one}")
    client = f"{rate:.0f} contacts/s and as many echoes; {CLIENT}; echo: {SETTINGS}"
    beside = [one.beside_ms for one in rounds]
    yield _against("offered-p99-ratio", rounds, beside, f"in the same seconds; {client}")
    quiet = [one.alone_ms for one in rounds]
    yield _against("offered-p99-ratio-alone", rounds, quiet, f"before, alone; {client}")


@dataclass(frozen=True, slots=True, kw_only=True)
class _Round:
    """Milliseconds of one round: from queued to offered, of the echo in the same seconds, and of the echo alone."""

    ours_ms: list[float]
    beside_ms: list[float]
    alone_ms: list[float]
    load: Mapping[str, object]

    def __str__(self) -> str:
        return (
            f"queued → offered p99 {percentile(self.ours_ms, 0.99):.1f} ms; echo p99"
            f" {percentile(self.beside_ms, 0.99):.1f} ms beside, {percentile(self.alone_ms, 0.99):.1f} ms alone"
        )

    def values(self) -> dict[str, object]:
        return {
            "queued_to_offered_ms": percentiles(self.ours_ms),
            "echo_beside_ms": percentiles(self.beside_ms),
            "echo_alone_ms": percentiles(self.alone_ms),
            "load": self.load,
        }


def _against(
    name: str, rounds: Sequence[_Round], echoes: Sequence[list[float]], how: str
) -> Measured:
    echo_ms = [ms for one in echoes for ms in one]
    pairs = zip(rounds, echoes, strict=True)
    return Measured(
        name=name,
        repeats=[percentile(one.ours_ms, 0.99) / percentile(echo, 0.99) for one, echo in pairs],
        baseline=f"raw echo p99 {percentile(echo_ms, 0.99):.1f} ms",
        client=how,
        details={"rounds": [one.values() for one in rounds]},
        samples={
            "queued_to_offered_ms": [ms for one in rounds for ms in one.ours_ms],
            "echo_ms": echo_ms,
        },
    )


async def _make_topics(kafka: str) -> None:
    log = KafkaLog(kafka, PARTITIONS, replication_factor=1)
    try:
        await log.ensure_topics(ECHO)
    finally:
        await log.close()


def _alone(kafka: str, rate: float, seconds: float, seed: int) -> list[float]:
    """Return the echo's milliseconds while nothing else goes on."""
    with Probe(kafka, ECHO) as probe:
        probe.send(rate, seconds, seed)
    return [ms for _, ms in probe.heard.echoes]


def _domain(number: int) -> str:
    return f"bench/offered-{number}"


def _journal(number: int) -> tuple[str, int]:
    return topic_journal("routing"), partition_of(_domain(number), PARTITIONS)


def _together(
    bench: Workbench, served: Served, probe: Probe, stairs: Stairs, number: int
) -> LoadResult:
    """Play the load while the echo goes on at the same rate."""
    seconds = stairs.step_s + SET_UP_S
    sending = threading.Thread(target=probe.send, args=(stairs.first_rate, seconds, number))
    sending.start()
    domain, seed = _domain(number), 1_000 + number
    played = play_load(bench, served, stairs, domain=domain, agents=AGENTS, seed=seed)
    sending.join()
    return played


def _beside_ms(played: LoadResult, heard: Heard) -> list[float]:
    """Return the echoes of the time in which contacts came: not of that in which the load signed its agents on."""
    (step,) = played.steps
    return [ms for due_ns, ms in heard.echoes if step["begins_ns"] <= due_ns < step["ends_ns"]]


def _offered_ms(played: LoadResult, heard: Heard) -> list[float]:
    """Return how long each contact took from when its QueueContact was due to its offer in routing's journal."""
    due = {one["contact_id"]: one["queue_due_ns"] for one in played.contacts}
    return [
        (heard_ns - due[contact_id]) / 1e6
        for heard_ns, value in heard.others
        for contact_id in offers_in(value)
        if due.get(contact_id)
    ]


def offers_in(value: bytes) -> list[str]:
    """Return the contacts for which a record of routing's journal holds an offer."""
    entry = wire.JournalEntry()
    try:
        entry.ParseFromString(value)
    except DecodeError:
        return []
    return [
        OfferCreated.FromString(one.payload).contact_id
        for one in entry.batch.events
        if one.type == OFFER_CREATED
    ]
