"""Which log a verb reads: a directory of the embedded log, or a Kafka cluster. Nothing is ever written to it."""

import argparse
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final

from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import KafkaError

from huntgroup_contracts.registry import SERVICES, topic_journal
from huntgroup_eventlog.adapters.embedded_read_only import ReadOnlyEmbeddedLog
from huntgroup_eventlog.adapters.kafka import KafkaLog
from huntgroup_eventlog.port import Log, LogUnavailableError

REQUEST_TIMEOUT_MS: Final = 5_000


def add_source(verb: argparse.ArgumentParser) -> None:
    """Let a verb take `DIR` or `--kafka ADDRESS`."""
    verb.add_argument(
        "directory", nargs="?", type=Path, metavar="DIR", help="a directory with an embedded log"
    )
    verb.add_argument("--kafka", metavar="HOST:PORT", help="the log of a Kafka cluster instead")
    verb.add_argument(
        "--partitions",
        type=_partitions,
        metavar="N",
        help="with --kafka: partitions of each topic; default: asked of the cluster",
    )


def source_name(arguments: argparse.Namespace) -> str:
    """Return the name of the log for people."""
    return str(arguments.kafka or arguments.directory)


def source_problem(arguments: argparse.Namespace) -> str:
    """Return what is wrong with the choice of a log; empty when nothing is."""
    if (arguments.directory is None) == (arguments.kafka is None):
        return "name one log: DIR or --kafka HOST:PORT"
    if arguments.partitions is not None and arguments.kafka is None:
        return "--partitions goes with --kafka; an embedded log knows its own"
    return ""


@asynccontextmanager
async def open_source(arguments: argparse.Namespace) -> AsyncIterator[Log]:
    """Lend the log; raises `LogUnavailableError`."""
    if arguments.kafka is None:
        log: Log = ReadOnlyEmbeddedLog(arguments.directory)
    else:
        # What aiokafka logs on a failure is told by the error; without a handler it would go to standard error, too.
        logging.getLogger("aiokafka").addHandler(logging.NullHandler())
        partitions = arguments.partitions or await kafka_partitions(arguments.kafka)
        log = KafkaLog(arguments.kafka, partitions, driver="librdkafka")
    try:
        yield log
    finally:
        await log.close()


async def kafka_partitions(bootstrap_servers: str) -> int:
    """Return how many partitions the journals on a cluster have; raises `LogUnavailableError`."""
    try:
        admin = AIOKafkaAdminClient(
            bootstrap_servers=bootstrap_servers, request_timeout_ms=REQUEST_TIMEOUT_MS
        )
    except (ValueError, AssertionError) as error:
        raise LogUnavailableError(
            f"{bootstrap_servers!r} is no address of Kafka: {error}"
        ) from error
    try:
        await admin.start()
        topics = await admin.describe_topics()
    except (KafkaError, OSError) as error:
        raise LogUnavailableError(
            f"Kafka at {bootstrap_servers} cannot be reached: {error}"
        ) from error
    finally:
        await admin.close()
    journals = {topic_journal(service) for service in SERVICES}
    counts = [len(topic["partitions"]) for topic in topics if topic["topic"] in journals]
    if not counts:
        raise LogUnavailableError(
            f"Kafka at {bootstrap_servers} has no journal of Huntgroup,"
            f" for example {topic_journal(SERVICES[0])}"
        )
    return counts[0]


def _partitions(text: str) -> int:
    value = int(text)
    if value < 1:
        raise argparse.ArgumentTypeError(f"{text} is not a number of partitions")
    return value
