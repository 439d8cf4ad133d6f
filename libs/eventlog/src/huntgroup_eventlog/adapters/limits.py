"""What every adapter refuses before it does anything: oversize records, unknown partitions, illegal names."""

import asyncio
import re

from huntgroup_eventlog.port import (
    KEY_AND_HEADERS_BYTES_MAX,
    RECORD_BYTES_MAX,
    NewRecord,
    RecordTooLargeError,
)

_LEGAL_TOPIC = re.compile(r"[A-Za-z0-9._-]{1,249}")


def key_and_headers_bytes(record: NewRecord) -> int:
    """Return how many bytes the key, the header names (UTF-8) and the header values hold."""
    if not record.headers:
        return len(record.key)
    return len(record.key) + sum(
        len(name.encode()) + len(value) for name, value in record.headers.items()
    )


def record_bytes(record: NewRecord) -> int:
    """Return the size of a record in bytes; raise `RecordTooLargeError` beyond the port's limits."""
    value_bytes = len(record.value)
    if value_bytes > RECORD_BYTES_MAX:
        raise RecordTooLargeError(
            f"the record's value has {value_bytes} bytes; the log takes at most {RECORD_BYTES_MAX}"
        )
    beside_bytes = key_and_headers_bytes(record)
    if beside_bytes > KEY_AND_HEADERS_BYTES_MAX:
        raise RecordTooLargeError(
            f"the record's key and headers have {beside_bytes} bytes;"
            f" the log takes at most {KEY_AND_HEADERS_BYTES_MAX}"
        )
    return value_bytes + beside_bytes


def check_partition(partition: int, partitions: int) -> None:
    """Raise `ValueError` when there is no such partition."""
    if not 0 <= partition < partitions:
        raise ValueError(f"partition {partition} is not among 0..{partitions - 1}")


def check_topic_names(topics: object) -> None:
    """Raise `ValueError` for a name that Kafka would refuse, so that all adapters take the same names."""
    if isinstance(topics, str) or not hasattr(topics, "__iter__"):
        raise TypeError("ensure_topics takes a sequence of topic names")
    for name in topics:
        if name in {".", ".."} or not _LEGAL_TOPIC.fullmatch(name):
            raise ValueError(
                f"{name!r} is no topic name: use 1 to 249 of letters, digits, '.', '_' and '-'"
            )


def refused(error: Exception) -> asyncio.Future[int]:
    """Return what an append gives that was refused before anything was done: awaiting it raises `error`."""
    future: asyncio.Future[int] = asyncio.get_running_loop().create_future()
    future.set_exception(error)
    return future
