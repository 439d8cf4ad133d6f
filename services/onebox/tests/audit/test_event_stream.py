"""The merged stream of public events: order, gaps, duplicates, and what comes while it is read."""

import asyncio
import random

import pytest

from huntgroup_eventlog.port import LogUnavailableError, NewRecord
from huntgroup_onebox.event_stream import EventStream, Received, Sequences

from .story import enqueued, initiated
from .written_log import DOMAIN, WrittenLog

SERVICES = ("session", "routing")


async def backlog(log: WrittenLog, *, at_end: bool = False) -> list[Received]:
    stream = EventStream(log.log, SERVICES, range(log.log.partitions))
    await stream.open(at_end=at_end)
    return [received async for received in stream.backlog()]


def told(received: list[Received]) -> list[tuple[str, int]]:
    return [(one.service, one.envelope.sequence if one.envelope else 0) for one in received]


async def test_what_is_there_comes_by_log_time_each_service_in_its_order() -> None:
    log = WrittenLog()
    log.tell("routing", enqueued("a", 2))
    log.tell("routing", enqueued("b", 3))
    log.tell("session", initiated("a", 1))
    log.tell("session", initiated("b", 5))
    log.tell("routing", enqueued("c", 4))
    assert told(await backlog(log)) == [
        ("session", 1),
        ("routing", 1),
        ("routing", 2),
        ("routing", 3),
        ("session", 2),
    ]


async def test_at_the_end_nothing_is_left() -> None:
    log = WrittenLog()
    log.tell("session", initiated("a", 1))
    assert await backlog(log, at_end=True) == []


async def test_a_record_that_is_no_event_comes_in_its_place() -> None:
    log = WrittenLog()
    log.tell("session", initiated("a", 1))
    log.journal("session").public_record(NewRecord(key=b"x", value=b"y"))
    log.tell("session", initiated("b", 2))
    received = await backlog(log)
    assert told(received) == [("session", 1), ("session", 0), ("session", 2)]
    assert "no public event" in received[1].error


async def test_a_log_without_public_topics_is_refused() -> None:
    log = WrittenLog()
    with pytest.raises(LogUnavailableError, match=r"no topic huntgroup\.till\.events\.v1"):
        await EventStream(log.log, ["till"], [0]).open(at_end=True)


async def test_what_comes_comes_once_also_across_the_border_to_the_backlog() -> None:
    log = WrittenLog()
    log.tell("session", initiated("a", 1))
    stream = EventStream(log.log, SERVICES, range(log.log.partitions))
    await stream.open(at_end=False)
    seen = [one async for one in stream.backlog()]
    log.tell("session", initiated("b", 2))
    idle: list[int] = []
    live = stream.live(lambda: idle.append(len(seen)))
    try:
        async with asyncio.timeout(5):
            seen.append(await anext(live))
            log.tell("routing", enqueued("a", 1))
            seen.append(await anext(live))
    finally:
        await live.aclose()
    assert told(seen) == [("session", 1), ("session", 2), ("routing", 1)]
    assert idle[0] == 1
    assert not [task for task in asyncio.all_tasks() if task is not asyncio.current_task()]


async def test_a_topic_that_is_not_there_yet_is_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("huntgroup_onebox.event_stream.LOOK_FOR_TOPIC_S", 0.01)
    log = WrittenLog()
    topics = log.log.storage.topics()
    late = "huntgroup.routing.events.v1"
    monkeypatch.setattr(
        log.log.storage, "topics", lambda: [one for one in topics if one != late], raising=True
    )
    stream = EventStream(log.log, SERVICES, range(log.log.partitions))
    await stream.open(at_end=True)
    log.tell("routing", enqueued("a", 1))
    live = stream.live(lambda: None)
    waiting = asyncio.ensure_future(anext(live))
    await asyncio.sleep(0.05)
    assert not waiting.done()
    monkeypatch.setattr(log.log.storage, "topics", lambda: topics, raising=True)
    async with asyncio.timeout(5):
        assert told([await waiting]) == [("routing", 1)]
    await live.aclose()


async def test_a_log_that_goes_away_is_told() -> None:
    log = WrittenLog()
    stream = EventStream(log.log, SERVICES, range(log.log.partitions))
    await stream.open(at_end=True)
    live = stream.live(lambda: None)
    waiting = asyncio.ensure_future(anext(live))
    await asyncio.sleep(0)
    await log.log.close()
    with pytest.raises(LogUnavailableError):
        await waiting


def test_gaps_duplicates_and_late_ones_are_told_apart() -> None:
    sequences = Sequences(1)

    def take(number: int) -> tuple[str, range | None]:
        return sequences.take("session", DOMAIN, number)

    assert take(1) == ("first", None)
    assert take(5) == ("first", range(2, 5))
    assert take(3) == ("late", None)
    assert take(3) == ("duplicate", None)
    assert take(2) == ("late", None)
    assert take(5) == ("duplicate", None)
    assert take(6) == ("first", None)
    assert sequences.take("routing", DOMAIN, 2) == ("first", range(1, 2))
    assert sequences.take("session", "globex/us", 1) == ("first", None)


def test_without_a_first_number_a_stream_begins_wherever_it_does() -> None:
    sequences = Sequences(None)
    assert sequences.take("session", DOMAIN, 40) == ("first", None)
    assert sequences.take("session", DOMAIN, 42) == ("first", range(41, 42))


@pytest.mark.parametrize("seed", range(50))
def test_every_number_is_first_or_late_once_in_any_order_with_repeats(seed: int) -> None:
    chance = random.Random(seed)
    numbers = [chance.randint(1, 30) for _ in range(200)]
    sequences = Sequences(1)
    new = [one for one in numbers if sequences.take("session", DOMAIN, one)[0] != "duplicate"]
    assert sorted(new) == sorted(set(numbers))
