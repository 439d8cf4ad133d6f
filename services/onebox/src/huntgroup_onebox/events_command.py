"""`huntgroup events`: prints public events, from any point on and as they come."""

import argparse
import asyncio
import os
import select
import signal
import sys
from collections.abc import AsyncGenerator, Coroutine
from contextlib import aclosing, suppress
from typing import Any, Final, TextIO

import uvloop

from huntgroup_contracts.registry import SERVICES
from huntgroup_eventlog.partitioning import partition_of
from huntgroup_eventlog.port import Log, LogCorruptError, LogUnavailableError
from huntgroup_onebox.event_lines import Lines
from huntgroup_onebox.event_stream import EventStream, Received, Sequences
from huntgroup_onebox.log_source import add_source, open_source, source_problem
from huntgroup_onebox.verify_command import domain_name

EXIT_OK: Final = 0
EXIT_UNREADABLE: Final = 2
LOOK_AT_PIPE_S: Final = 0.5


def add_parser(verbs: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the verb."""
    verb = verbs.add_parser(
        "events",
        help="print public events as they come, or from any point",
        description="Exit code 0: done, interrupted, or nobody reads the output; 2: the log cannot be read.",
    )
    add_source(verb)
    verb.add_argument("--domain", type=domain_name, help="only this domain: tenant/domain")
    verb.add_argument(
        "--service", action="append", choices=SERVICES, help="only this service; may be repeated"
    )
    verb.add_argument(
        "--from",
        dest="start",
        type=_start,
        metavar="beginning|end|SEQUENCE",
        help="where to begin; default: end, with --no-follow beginning",
    )
    verb.add_argument(
        "--follow",
        action=argparse.BooleanOptionalAction,
        default=True,
        help="go on with what comes (default), or end with what there is",
    )
    verb.add_argument("--json", action="store_true", help="one JSON object a line")
    verb.add_argument("--limit", type=_limit, metavar="N", help="end after N events")
    verb.add_argument(
        "--show-personal-data",
        action="store_true",
        help="show customers' numbers and the values of attributes",
    )
    verb.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Print events; return the exit code."""
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return runner.run(events(arguments))


async def events(arguments: argparse.Namespace) -> int:
    """Print events to standard output until there are no more, a signal comes, or nobody reads any more."""
    problem = source_problem(arguments)
    if problem:
        return _unreadable(problem)
    stopping = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stopping.set)
    try:
        async with open_source(arguments) as log:
            await _until_stopped(print_events(log, arguments, sys.stdout), stopping, sys.stdout)
    except (LogUnavailableError, LogCorruptError) as error:
        return _unreadable(str(error))
    except BrokenPipeError:
        _write_nowhere(sys.stdout)
    finally:
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.remove_signal_handler(number)
    return EXIT_OK


async def print_events(log: Log, arguments: argparse.Namespace, output: TextIO) -> None:
    """Print the events of a log as chosen; raises `LogUnavailableError`, `BrokenPipeError`."""
    start = arguments.start or ("end" if arguments.follow else "beginning")
    domain, left = arguments.domain, arguments.limit
    first = 1 if start == "beginning" else None if start == "end" else int(start)
    sequences = Sequences(first)
    lines = Lines(
        as_json=arguments.json,
        personal_data=arguments.show_personal_data,
        name_domain=not domain,
    )
    partitions = [partition_of(domain, log.partitions)] if domain else range(log.partitions)
    stream = EventStream(log, arguments.service or SERVICES, partitions)
    await stream.open(at_end=start == "end")
    async with aclosing(_received(stream, output, follow=arguments.follow)) as records:
        async for received in records:
            envelope = received.envelope
            if envelope is None:
                output.write(lines.unreadable(received) + "\n")
                continue
            if (domain and envelope.domain != domain) or envelope.sequence < (first or 0):
                continue
            delivery, gap = sequences.take(received.service, envelope.domain, envelope.sequence)
            if gap is not None:
                output.write(lines.gap(received.service, envelope.domain, gap) + "\n")
            output.write(lines.event(received, envelope, delivery) + "\n")
            if left is not None and (left := left - 1) == 0:
                break
    output.flush()


async def _received(
    stream: EventStream, output: TextIO, *, follow: bool
) -> AsyncGenerator[Received, None]:
    """Yield what there is, then what comes; whatever was written is shown before waiting for more."""
    async with aclosing(stream.backlog()) as backlog:
        async for received in backlog:
            yield received
    if follow:
        async with aclosing(stream.live(output.flush)) as live:
            async for received in live:
                yield received


async def _until_stopped(
    printing: Coroutine[Any, Any, None], stopping: asyncio.Event, output: TextIO
) -> None:
    """Run until it is over, until `stopping` is set or nobody reads `output`; raises what it raises."""
    tasks = {
        asyncio.create_task(printing),
        asyncio.create_task(_set(stopping)),
        asyncio.create_task(_unread(output)),
    }
    done, pending = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    for task in pending:
        task.cancel()
    await asyncio.gather(*pending, return_exceptions=True)
    for task in done:
        task.result()


async def _set(event: asyncio.Event) -> None:
    await event.wait()


async def _unread(output: TextIO) -> None:
    """Return when nobody reads `output` any more, also while nothing is written to it."""
    poll = select.poll()
    with suppress(OSError, ValueError):
        poll.register(output.fileno(), 0)
    while not poll.poll(0):  # noqa: ASYNC110 - the reader of a pipe tells nobody that it is gone
        await asyncio.sleep(LOOK_AT_PIPE_S)
    raise BrokenPipeError


def _write_nowhere(output: TextIO) -> None:
    """Let what is still buffered go nowhere, so that the end of the process does not complain about it."""
    with suppress(OSError, ValueError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), output.fileno())


def _start(text: str) -> str | int:
    if text in ("beginning", "end"):
        return text
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is not beginning, end or a sequence from 1")
    return int(text)


def _limit(text: str) -> int:
    value = int(text)
    if value < 1:
        raise argparse.ArgumentTypeError(f"{text} is not a number of events")
    return value


def _unreadable(why: str) -> int:
    sys.stderr.write(f"huntgroup events: {why}\n")
    return EXIT_UNREADABLE
