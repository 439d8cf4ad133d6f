"""What the librdkafka driver does when the client fails for good or is built otherwise; no broker is needed."""

import asyncio
import ctypes
from typing import Any

import pytest
from confluent_kafka import Consumer, cimpl

from huntgroup_eventlog.adapters import librdkafka_reading, librdkafka_wakeups
from huntgroup_eventlog.adapters.kafka_connection import KafkaConnection
from huntgroup_eventlog.adapters.librdkafka_producing import LibrdkafkaProducing
from huntgroup_eventlog.adapters.librdkafka_reading import SharedConsumer
from huntgroup_eventlog.adapters.librdkafka_wakeups import Wakeups
from huntgroup_eventlog.port import AppendFailedError, LogUnavailableError, NewRecord

NOBODY = KafkaConnection(bootstrap_servers="127.0.0.1:1", append_timeout_ms=60_000)
RECORD = NewRecord(key=b"k", value=b"v")
OUT_OF_ORDER_SEQUENCE = 45


async def every_topic_exists(topic: str) -> None:
    del topic


def break_for_good(client: object) -> None:
    """Give a producer a fatal error, by librdkafka's own means for tests."""
    library = ctypes.CDLL(cimpl.__file__)
    library.rd_kafka_test_fatal_error.argtypes = [ctypes.c_void_p, ctypes.c_int, ctypes.c_char_p]
    address = ctypes.c_size_t.from_address(id(client) + object.__basicsize__).value
    library.rd_kafka_test_fatal_error(address, OUT_OF_ORDER_SEQUENCE, b"made by a test")


async def failure_of(append: asyncio.Future[int]) -> str:
    async with asyncio.timeout(20):
        with pytest.raises(AppendFailedError) as told:
            await append
    return str(told.value)


async def until_sent(producing: LibrdkafkaProducing, topic: str) -> asyncio.Future[int]:
    """Append the topic's first record and return when the producer has it."""
    before = producing._pending_records
    append = producing.append(topic, 0, RECORD, 10)
    async with asyncio.timeout(20):
        while producing._pending_records == before:  # noqa: ASYNC110 - nobody tells of it
            await asyncio.sleep(0)
    return append


@pytest.mark.parametrize("heard_by", ["the timer", "the next append"])
async def test_a_producer_that_failed_for_good_is_replaced(heard_by: str) -> None:
    """Given appends under way, when the client fails for good, then they fail and the next has a new producer."""
    escaped: list[dict[str, Any]] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: escaped.append(context))
    producing = LibrdkafkaProducing(NOBODY, every_topic_exists)
    under_way = [await until_sent(producing, "t"), await until_sent(producing, "other")]
    old = producing._current
    assert old is not None
    break_for_good(old._producer)
    if heard_by == "the next append":
        refused = producing.append("t", 0, RECORD, 10)
        assert producing._current is not old, "given up at once, not when the timer comes"
        assert "fatal" in (await failure_of(refused)).lower()
    assert all(["unknown" in await failure_of(each) for each in under_way])
    async with asyncio.timeout(20):
        await asyncio.gather(*producing._ending)
    assert (producing._pending_records, producing._pending_bytes) == (0, 0)
    assert not hasattr(old, "_producer"), "the old client is released"
    later = producing.append("t", 0, RECORD, 10)
    await asyncio.sleep(0)
    assert producing._current not in (None, old)
    assert (producing._pending_records, later.done()) == (1, False)
    await producing.close()
    assert "closed" in await failure_of(later)
    assert escaped == []


async def test_what_an_abandoned_producer_tells_fails_nothing_of_the_next() -> None:
    """Given a new producer, when the old one still tells of what it dropped, then the new appends go on."""
    producing = LibrdkafkaProducing(NOBODY, every_topic_exists)
    first = await until_sent(producing, "t")
    assert producing._current is not None
    break_for_good(producing._current._producer)
    producing._current._report()
    later = producing.append("t", 0, RECORD, 10)
    assert "unknown" in await failure_of(first)
    async with asyncio.timeout(20):
        await asyncio.gather(*producing._ending)
    assert (producing._pending_records, later.done()) == (1, False)
    await producing.close()
    assert "closed" in await failure_of(later)


async def test_closing_with_a_client_that_failed_for_good_settles_all_and_releases_it() -> None:
    producing = LibrdkafkaProducing(NOBODY, every_topic_exists)
    append = await until_sent(producing, "t")
    old = producing._current
    assert old is not None
    break_for_good(old._producer)
    await producing.close()
    assert "closed" in await failure_of(append)
    assert (producing._pending_records, producing._pending_bytes) == (0, 0)
    assert not hasattr(old, "_producer")


async def test_a_client_library_without_what_is_called_is_refused(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    class Bare:
        """A library that gives nothing away."""

    monkeypatch.setattr(ctypes, "CDLL", lambda _: Bare())
    with pytest.raises(LogUnavailableError, match=r"rd_kafka_name.*use the driver aiokafka"):
        Wakeups(object(), lambda: None)  # type: ignore[arg-type]


@pytest.mark.parametrize("address", [0, 1, 0x10, 2**63])
def test_what_is_no_memory_is_not_looked_at(address: int) -> None:
    assert not librdkafka_wakeups._is_memory(address)


def test_memory_is_known_as_such() -> None:
    assert librdkafka_wakeups._is_memory(ctypes.addressof(ctypes.create_string_buffer(4_096)))


async def test_a_consumer_whose_wakeups_are_refused_is_closed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    made: list[Any] = []

    class Kept(Consumer):
        """Remembers itself."""

        def __init__(self, *args: Any, **named: Any) -> None:
            super().__init__(*args, **named)
            made.append(self)

    def refuse(*_: object) -> None:
        raise LogUnavailableError("built otherwise")

    monkeypatch.setattr(librdkafka_reading, "Consumer", Kept)
    monkeypatch.setattr(librdkafka_reading, "Wakeups", refuse)
    with pytest.raises(LogUnavailableError, match="built otherwise"):
        SharedConsumer(NOBODY, lambda: None)
    with pytest.raises(RuntimeError, match="closed"):
        made[0].poll(0)
