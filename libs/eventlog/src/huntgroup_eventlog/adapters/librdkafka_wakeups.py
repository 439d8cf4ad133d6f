"""Lets librdkafka wake the event loop itself, by a pipe, when a consumer has something to give.

Without it a thread must wait in `poll` and hand over what it gets: two more changes of threads for each record. The
client's C library offers this (`rd_kafka_queue_io_event_enable`), the Python package does not pass it on yet
(confluentinc/confluent-kafka-python#1448), so it is called through ctypes.
"""

import asyncio
import ctypes
import os
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from confluent_kafka import Consumer, cimpl
from confluent_kafka import version as client_version

from huntgroup_eventlog.port import LogUnavailableError

_MAPS = Path("/proc/self/maps")
_READ_BYTES = 4_096


class Wakeups:
    """Calls `ready` on the event loop whenever the consumer's queue was empty and is not any more.

    The queue must then be emptied, or nothing is told again. Raises `LogUnavailableError` with a client library that
    is not built as those we know.
    """

    def __init__(self, consumer: Consumer, ready: Callable[[], None]) -> None:
        self._loop = asyncio.get_running_loop()
        self._ready = ready
        library = _library()
        client = _client_of(consumer, library)
        self._reads, self._writes = os.pipe()
        os.set_blocking(self._reads, False)
        os.set_blocking(self._writes, False)
        queue = library.rd_kafka_queue_get_consumer(client)
        library.rd_kafka_queue_io_event_enable(queue, self._writes, b"1", 1)
        library.rd_kafka_queue_destroy(queue)
        self._loop.add_reader(self._reads, self._woken)

    def stop(self) -> None:
        """Call `ready` no more; the consumer may still write until it is closed."""
        self._loop.remove_reader(self._reads)

    def close(self) -> None:
        """Free the pipe, after the consumer was closed."""
        os.close(self._reads)
        os.close(self._writes)

    def _woken(self) -> None:
        with suppress(BlockingIOError):
            os.read(self._reads, _READ_BYTES)
        self._ready()


def _library() -> ctypes.CDLL:
    """Return librdkafka as the client package has loaded it."""
    library = ctypes.CDLL(cimpl.__file__)
    library.rd_kafka_name.restype = ctypes.c_char_p
    library.rd_kafka_name.argtypes = [ctypes.c_void_p]
    library.rd_kafka_queue_get_consumer.restype = ctypes.c_void_p
    library.rd_kafka_queue_get_consumer.argtypes = [ctypes.c_void_p]
    library.rd_kafka_queue_destroy.argtypes = [ctypes.c_void_p]
    library.rd_kafka_queue_io_event_enable.argtypes = [
        ctypes.c_void_p,
        ctypes.c_int,
        ctypes.c_char_p,
        ctypes.c_size_t,
    ]
    return library


def _client_of(consumer: Consumer, library: ctypes.CDLL) -> int:
    """Return the address of the C client: the first thing in the Python object, recognised by the client's name."""
    address = ctypes.c_size_t.from_address(id(consumer) + object.__basicsize__).value
    name = library.rd_kafka_name(address) if _is_memory(address) else None
    if name is None or b"#consumer-" not in name:
        raise LogUnavailableError(
            f"confluent-kafka {client_version()[0]} is not built as the versions known to the librdkafka driver:"
            " use the driver aiokafka (HUNTGROUP_LOG_KAFKA_DRIVER)"
        )
    return address


def _is_memory(address: int) -> bool:
    """Return whether there is memory at an address, so that looking at it is harmless."""
    if not _MAPS.exists():
        return address != 0
    for line in _MAPS.read_text(encoding="ascii").splitlines():
        span, access = line.split(" ", 2)[:2]
        begin, end = (int(each, 16) for each in span.split("-"))
        if begin <= address < end:
            return access.startswith("rw")
    return False
