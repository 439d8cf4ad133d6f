"""Both ways to a live view: the journal's own state, and Faust over the public topics. They say the same."""

import asyncio
import random
import secrets
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from huntgroup.event.v1.envelope_pb2 import Envelope
from huntgroup.session.v1.events_pb2 import ContactQueued
from huntgroup_contracts.cloudevents import headers_of, read_envelope
from huntgroup_eventlog.adapters.kafka import KafkaLog
from huntgroup_eventlog.port import LogRecord, NewRecord
from huntgroup_reporting.adapters.mapping import live_view
from huntgroup_reporting.adapters.views import TOPICS, FaustViews, PublicEvents
from huntgroup_reporting.core import ReportingCore
from huntgroup_runtime.clock import SystemClock
from huntgroup_testkit.kafka import KafkaSource, kafka_or_skip

if TYPE_CHECKING:
    from services.reporting.tests.adapters.conftest import House, Teller

QUARTER_MS = 900_000
DOMAIN = "acme/emea"


def queued(number: int, sequence: int, domain: str = DOMAIN) -> Envelope:
    fact = ContactQueued(
        at_ms=number, contact_id=f"c{number}", queue_id="sales", enqueued_at_ms=number
    )
    return Envelope(
        type="huntgroup.session.contact.queued.v1",
        source="session",
        domain=domain,
        sequence=sequence,
        time_ms=number,
        payload=fact.SerializeToString(),
    )


def waiting(events: PublicEvents, domain: str = DOMAIN) -> int:
    return sum(len(queue.waiting) for queue in events.state(domain).queues.values())


def test_an_event_that_comes_again_counts_once() -> None:
    events = PublicEvents(ReportingCore(QUARTER_MS))
    for envelope in (queued(1, 7), queued(1, 7), queued(2, 8), queued(1, 7), queued(2, 8)):
        events.take(envelope)
    assert (waiting(events), events.taken, events.repeated, events.ahead) == (2, 2, 3, 0)


def test_sequences_are_counted_apart_for_each_domain_and_service() -> None:
    events = PublicEvents(ReportingCore(QUARTER_MS))
    events.take(queued(1, 1))
    events.take(queued(1, 1, "other/one"))
    other_service = queued(2, 1)
    other_service.source = "routing"
    events.take(other_service)
    assert (waiting(events), waiting(events, "other/one"), events.repeated) == (2, 1, 0)


def test_an_event_ahead_of_its_turn_is_left_until_it_comes_again() -> None:
    """A relay whose append failed begins again at the last place it is sure of."""
    events = PublicEvents(ReportingCore(QUARTER_MS))
    taken = []
    for sequence in (41, 42, 44, 41, 42, 43, 44):
        before = events.taken
        events.take(queued(sequence, sequence))
        taken += [sequence] * (events.taken - before)
    assert taken == [41, 42, 43, 44]
    assert (waiting(events), events.repeated, events.ahead) == (4, 2, 1)


def test_from_the_beginning_the_first_event_is_number_1() -> None:
    events = PublicEvents(ReportingCore(QUARTER_MS), from_beginning=True)
    for sequence in (2, 1, 2, 3):
        events.take(queued(sequence, sequence))
    assert (waiting(events), events.taken, events.ahead) == (3, 3, 1)


def test_events_of_no_concern_only_move_the_sequence() -> None:
    events = PublicEvents(ReportingCore(QUARTER_MS))
    events.take(
        Envelope(
            type="huntgroup.session.contact.held.v1", source="session", domain=DOMAIN, sequence=1
        )
    )
    events.take(queued(1, 2))
    assert (waiting(events), events.ahead) == (1, 0)


@pytest.fixture(scope="module")
def kafka() -> Iterator[KafkaSource]:
    with kafka_or_skip() as source:
        yield source


@pytest.fixture
async def kafka_log(kafka: KafkaSource) -> AsyncIterator[KafkaLog]:
    log = KafkaLog(kafka.bootstrap_servers, 2, replication_factor=1)
    yield log
    await log.close()


@pytest.mark.integration
@pytest.mark.timeout(240)  # a broker may have to start first
async def test_faust_on_kafka_and_the_journal_show_the_same_numbers(
    house: "House", teller: "type[Teller]", kafka: KafkaSource, kafka_log: KafkaLog
) -> None:
    suffix = secrets.token_hex(4)
    topics = {topic: f"{topic}.{suffix}" for topic in TOPICS}
    views = FaustViews(
        kafka.bootstrap_servers,
        core=ReportingCore(QUARTER_MS),
        log=kafka_log,
        clock=house.clock,
        topics=list(topics.values()),
    )
    await kafka_log.ensure_topics(list(topics.values()))
    running = asyncio.create_task(views.run())
    try:
        await half_a_day(teller(house))
        events = await publish_twice(house, kafka_log, topics)
        async with asyncio.timeout(120):
            while views.events.taken < events and not running.done():  # noqa: ASYNC110
                await asyncio.sleep(0.05)
        assert views.events.taken == events
        by_faust = live_view(*await views.live(DOMAIN))
    finally:
        running.cancel()
        await asyncio.wait([running])
    by_journal = await anext(house.watch(1_000))
    # The journal also notes the ends of intervals, so it counts more entries; all else is the same.
    by_faust.events = by_journal.events
    assert by_faust == by_journal
    (sales,) = by_journal.queues
    assert (sales.offered, sales.answered, sales.abandoned) == (7, 3, 3)
    assert (sales.waiting, sales.ringing, sales.talking) == (1, 1, 0)
    assert [row.state for row in by_journal.agents] == ["RESERVED"]


@pytest.mark.integration
@pytest.mark.timeout(240)
async def test_stopping_leaves_neither_a_folder_nor_a_task(
    kafka: KafkaSource, kafka_log: KafkaLog, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    temporary, here = tmp_path / "temporary", tmp_path / "here"
    for folder in (temporary, here):
        folder.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(temporary))
    monkeypatch.chdir(here)
    topic, clock = f"stopping.{secrets.token_hex(4)}", SystemClock()
    await kafka_log.ensure_topics([topic])
    event = queued(1, 1)
    event.id = "first"
    record = NewRecord(key=DOMAIN.encode(), value=event.payload, headers=headers_of(event))
    await kafka_log.append(topic, 0, record)
    views = FaustViews(
        kafka.bootstrap_servers,
        core=ReportingCore(QUARTER_MS),
        log=kafka_log,
        clock=clock,
        topics=[topic],
    )
    before = asyncio.all_tasks()
    running = asyncio.create_task(views.run())
    async with asyncio.timeout(120):
        while not views.events.taken and not running.done():  # noqa: ASYNC110
            await asyncio.sleep(0.05)
    assert list(temporary.iterdir()), "its folders are made elsewhere"
    running.cancel()
    async with asyncio.timeout(20):
        while asyncio.all_tasks() - before:  # noqa: ASYNC110
            await asyncio.sleep(0.01)
    assert running.cancelled()
    assert not list(temporary.iterdir())
    assert not list(here.iterdir())


async def half_a_day(tell: "Teller") -> None:
    """The known day, and a contact that is ringing when everybody looks."""
    await tell.known_day()
    await (await tell.at(2_400)).sign_on("grace")
    await tell.ready("grace")
    await tell.queued("g")
    await tell.rings("g.1", "grace")


async def publish_twice(house: "House", kafka_log: KafkaLog, topics: dict[str, str]) -> int:
    """Publish to Kafka what the puppets published, some of it again, as after a crash; return how much it is."""
    rng = random.Random(1)
    events = 0
    await house.settle()
    for source, target in topics.items():
        for partition in range(house.process.log.partitions):
            reader = await house.process.log.reader(source, partition, 0)
            records = list(await reader.read(10_000, 0))
            await reader.close()
            events += len(records)
            cut = rng.randrange(len(records) + 1)
            again = [*records[:cut], *records[cut // 2 :]]
            await asyncio.gather(
                *(kafka_log.append(target, partition, copy_of(record)) for record in again)
            )
    return events


def copy_of(record: LogRecord) -> NewRecord:
    assert read_envelope(record.headers, record.key, record.value).sequence > 0
    return NewRecord(key=record.key, value=record.value, headers=record.headers)
