"""`huntgroup explain`: tells of one contact which agents it was offered to, and why them and then."""

import argparse
import asyncio
import json
import sys
from collections.abc import AsyncIterator, Sequence
from typing import Any, Final

import uvloop
from rich.console import Console

from huntgroup_contracts.registry import topic_journal
from huntgroup_eventlog.partitioning import partition_of
from huntgroup_eventlog.port import Log, LogCorruptError, LogUnavailableError
from huntgroup_onebox.audit.reading import Entries, Records
from huntgroup_onebox.audit.report import Findings
from huntgroup_onebox.explain_story import Story
from huntgroup_onebox.log_source import add_source, open_source, source_name, source_problem
from huntgroup_onebox.verify_command import ProgressBar, domain_name
from huntgroup_routing.adapters.mapping import event_codec
from huntgroup_routing.app.queries import time_text
from huntgroup_routing.core.messages import Event

EXIT_OK: Final = 0
EXIT_NOT_FOUND: Final = 1
EXIT_UNREADABLE: Final = 2

SERVICE: Final = "routing"


def add_parser(verbs: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the verb."""
    verb = verbs.add_parser(
        "explain",
        help="why a contact went to whom it went, decision by decision",
        description="Exit code 0: told; 1: the log knows no such contact; 2: the log cannot be read.",
    )
    verb.add_argument("contact", metavar="CONTACT", type=_id, help="the contact's id")
    add_source(verb)
    verb.add_argument("--domain", type=domain_name, help="where to look: tenant/domain")
    verb.add_argument("--json", action="store_true", help="one JSON object instead of a page")
    verb.set_defaults(run=run)


def _id(text: str) -> str:
    if not text.strip():
        raise argparse.ArgumentTypeError(f"{text!r} is no contact's id: it must not be empty")
    return text


def run(arguments: argparse.Namespace) -> int:
    """Explain; return the exit code."""
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return runner.run(explain(arguments))


async def explain(arguments: argparse.Namespace) -> int:
    """Write the story of the contact to standard output, or to standard error why there is none."""
    problem = source_problem(arguments)
    if problem:
        return _failed(problem, EXIT_UNREADABLE)
    try:
        with ProgressBar(Console(stderr=True)) as bar:
            async with open_source(arguments) as log:
                found = await stories(log, arguments.contact, arguments.domain or "", bar)
    except (LogUnavailableError, LogCorruptError) as error:
        return _failed(str(error), EXIT_UNREADABLE)
    if not found:
        where = f" in {arguments.domain}" if arguments.domain else ""
        name = source_name(arguments)
        return _failed(
            f"routing's journal in {name} has no contact {arguments.contact!r}{where}", 1
        )
    if arguments.json:
        sys.stdout.write(json.dumps(_values(found), ensure_ascii=False) + "\n")
    else:
        sys.stdout.write("\n".join(page(domain, story) for domain, story in found.items()))
    return EXIT_OK


async def stories(
    log: Log, contact_id: str, domain: str, progress: ProgressBar
) -> dict[str, Story]:
    """Return the contact's story by the domains that know it. Raises `LogUnavailableError`, `LogCorruptError`."""
    topic = topic_journal(SERVICE)
    if topic not in await log.topics():
        raise LogUnavailableError(f"this log has no journal of routing, {topic}")
    partitions: Sequence[int] = range(log.partitions)
    if domain:
        partitions = [partition_of(domain, log.partitions)]
    ends = {partition: await log.end(topic, partition) for partition in partitions}
    found: dict[str, Story] = {}
    done = 0
    for partition, end in ends.items():
        async with Records(log, SERVICE, topic, partition) as records:
            records.end = end
            async for name, event in _events(records):
                if not domain or name == domain:
                    found.setdefault(name, Story(contact_id)).take(event)
                progress(done + records.position, sum(ends.values()))
        done += end
    return {name: story for name, story in found.items() if story.finish()}


async def _events(records: Records) -> AsyncIterator[tuple[str, Event]]:
    """Yield the accepted events of a partition of routing's journal with their domains."""
    codec = event_codec()
    known = set(codec.event_types)
    entries = Entries(records, SERVICE, Findings())
    while (entry := await entries.head()) is not None:
        entries.move_on()
        if not hasattr(entry.kind, "events"):
            continue
        for recorded in entry.batch.events:
            if recorded.type in known:
                yield entry.batch.domain, codec.decode(recorded.type, recorded.payload)


def page(domain: str, story: Story) -> str:
    """Return the story for people."""
    lines = [f"contact {story.contact_id} in {domain} (times in UTC)", ""]
    width = max(len(step.what) for step in story.steps)
    for step in story.steps:
        lines.append(f"{time_text(step.at_ms)}  {step.what:{width}}  {step.text}".rstrip())
        lines += [f"{'':23}    {detail}" for detail in step.details]
    return "\n".join(lines) + "\n"


def _values(found: dict[str, Story]) -> dict[str, Any]:
    return {
        "contact_id": next(iter(found.values())).contact_id,
        "domains": {domain: story.values() for domain, story in found.items()},
    }


def _failed(why: str, code: int) -> int:
    sys.stderr.write(f"huntgroup explain: {why}\n")
    return code
