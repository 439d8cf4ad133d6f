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

from confluent_kafka import Consumer, cimpl
from confluent_kafka import version as client_version

from huntgroup_eventlog.port import LogUnavailableError

_READ_BYTES = 4_096
_PROBE_BYTES = 512
"""What is looked at in a client lies within so many bytes; a pipe takes as many at once everywhere."""


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
    """Return librdkafka as the client package has loaded it. Raises `LogUnavailableError`."""
    try:
        library = ctypes.CDLL(cimpl.__file__)
        _declare(library)
    except (AttributeError, OSError) as error:
        raise _built_otherwise(str(error)) from error
    return library


def _declare(library: ctypes.CDLL) -> None:
    """Tell the types of what is called; raises `AttributeError` if the library does not give all of it away."""
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


def _client_of(consumer: Consumer, library: ctypes.CDLL) -> int:
    """Return the address of the C client: the first thing in the Python object, recognised by the client's name."""
    address = ctypes.c_size_t.from_address(id(consumer) + object.__basicsize__).value
    name = library.rd_kafka_name(address) if _is_memory(address) else None
    if name is None or b"#consumer-" not in name:
        raise _built_otherwise("no client where one is expected")
    return address


def _built_otherwise(what: str) -> LogUnavailableError:
    return LogUnavailableError(
        f"confluent-kafka {client_version()[0]} is not built as the versions known to the librdkafka driver ({what}):"
        " use the driver aiokafka (HUNTGROUP_LOG_KAFKA_DRIVER)"
    )


def _is_memory(address: int) -> bool:
    """Return whether there is memory at an address: the kernel refuses to read what is none, where we would crash."""
    reads, writes = os.pipe()
    try:
        written = ctypes.CDLL(None).write(writes, ctypes.c_void_p(address), _PROBE_BYTES)
    finally:
        os.close(reads)
        os.close(writes)
    return bool(written == _PROBE_BYTES)
