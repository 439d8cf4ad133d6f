"""`huntgroup shadow`: what another policy would have done with the contacts that really came."""

import argparse
import asyncio
import json
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import groupby
from pathlib import Path
from typing import Final

import uvloop
from rich.console import Console

from huntgroup.journal.v1.journal_pb2 import RecordedEvent
from huntgroup_contracts.codec import EventCodec
from huntgroup_contracts.registry import topic_journal
from huntgroup_eventlog.partitioning import partition_of
from huntgroup_eventlog.port import Log, LogCorruptError, LogUnavailableError
from huntgroup_onebox.audit.reading import Entries, Records
from huntgroup_onebox.audit.report import Findings
from huntgroup_onebox.log_source import add_source, open_source, source_problem
from huntgroup_onebox.policy.policy_file import policy_queues
from huntgroup_onebox.shadow.difference import differences, not_over_yet, table
from huntgroup_onebox.shadow.past import Past
from huntgroup_onebox.shadow.player import Shadow
from huntgroup_onebox.verify_command import ProgressBar, domain_name
from huntgroup_onebox.yaml_file import YamlFileError
from huntgroup_routing.adapters.mapping import event_codec
from huntgroup_routing.core.messages import ConfigureQueue, Event
from huntgroup_routing.core.values import QueueId
from huntgroup_routing.wiring import installed_scorers

EXIT_OK: Final = 0
EXIT_FAILED: Final = 1
EXIT_BAD_INPUT: Final = 2
PIPE_WIDTH: Final = 140
EVENTS_MAX: Final = 20_000_000
"""Of one domain; they are read twice, and every contact is remembered."""
SAID: Final = (
    "Real → shadow. Who gave up really does so at the same moment in the shadow unless answered before; who was",
    "answered is taken to wait as long as it takes. Where an agent is asked who really was not, a contact is missed as",
    "often as it really was, then answered after as long as it really rang, and handled as long. Agents pause as they",
    "did. Never served: nobody in the shadow serves them within a day. Service level: docs/reference/kpi.md,",
    "by the threshold that the queue really had. All that is assumed: docs/reference/routing.md.",
)


def add_parser(verbs: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the verb."""
    verb = verbs.add_parser(
        "shadow",
        help="what another policy would have done with the contacts that really came",
        description="Reads routing's journal up to its end, also of a live system; writes nothing."
        " Exit code 0: told; 1: the log has no such domain; 2: bad policy, or the log cannot be read.",
    )
    verb.add_argument("policy", type=Path, metavar="POLICY.yaml", help="the other policy")
    add_source(verb)
    verb.add_argument("--domain", type=domain_name, required=True, help="whose: tenant/domain")
    verb.add_argument("--json", action="store_true", help="one JSON object instead of a table")
    verb.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Play the shadow; return the exit code."""
    problem = source_problem(arguments)
    if problem:
        return _failed(problem, EXIT_BAD_INPUT)
    try:
        rules = policy_queues(arguments.policy)
        with (
            asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner,
            ProgressBar(Console(stderr=True)) as bar,
        ):
            shadow = runner.run(_shadow(arguments, rules, bar))
    except (YamlFileError, LogUnavailableError, LogCorruptError) as error:
        return _failed(str(error), EXIT_BAD_INPUT)
    if shadow.refused:
        return _failed("; ".join(shadow.refused), EXIT_BAD_INPUT)
    if not shadow.past.fates:
        return _failed(f"routing's journal has no contact of {arguments.domain}", EXIT_FAILED)
    _write(arguments, shadow)
    return EXIT_OK


async def _shadow(
    arguments: argparse.Namespace, rules: Mapping[QueueId, ConfigureQueue], bar: ProgressBar
) -> Shadow:
    past = Past()
    shadow = Shadow(arguments.domain, past, rules, installed_scorers())
    async with open_source(arguments) as log:
        end = await _read(log, arguments.domain, past.take, bar, 0)
        await _read(log, arguments.domain, shadow.take, bar, end)
    shadow.finish()
    return shadow


async def _read(
    log: Log, domain: str, take: Callable[[Sequence[Event]], None], bar: ProgressBar, before: int
) -> int:
    """Give each decision of a domain to `take`, to the end or where the pass `before` ended; return that position."""
    topic, partition = topic_journal("routing"), partition_of(domain, log.partitions)
    if topic not in await log.topics():
        raise LogUnavailableError(f"this log has no journal of routing, {topic}")
    codec, count = event_codec(), 0
    async with Records(log, "routing", topic, partition) as records:
        records.end = before or await log.end(topic, partition)
        entries = Entries(records, "routing", Findings())
        while (entry := await entries.head()) is not None:
            entries.move_on()
            if hasattr(entry.kind, "events") and entry.batch.domain == domain:
                for decision in decisions_of(entry.batch.events, codec):
                    take(decision)
                count += len(entry.batch.events)
                if count > EVENTS_MAX:
                    raise LogUnavailableError(
                        f"{domain} has more than {EVENTS_MAX:,} events in routing's journal, the most for a shadow"
                    )
            bar(before + records.position, 2 * records.end)
        return records.end


def decisions_of(
    recorded: Iterable[RecordedEvent], codec: EventCodec[Event]
) -> Iterator[list[Event]]:
    """Yield the events of a batch that followed from one command, one foreign event, or time, which is told once."""
    for _, together in groupby(recorded, lambda one: one.causation_id):
        events = [
            codec.decode(one.type, one.payload) for one in together if one.type in codec.event_types
        ]
        if events:
            yield events


def _write(arguments: argparse.Namespace, shadow: Shadow) -> None:
    found = differences(shadow)
    added = sorted(shadow.rules.keys() - shadow.past.queues)
    if arguments.json:
        told = {
            "domain": arguments.domain,
            "policy": str(arguments.policy),
            "offers": shadow.offers,
            "same_offers": shadow.same,
            "not_repeated": dict(sorted(shadow.unrepeated.items())),
            "queues_added": added,
            "queues": {name: one.values() for name, one in found.items()},
        }
        sys.stdout.write(json.dumps(told, ensure_ascii=False) + "\n")
        return
    console = Console()
    if not console.is_terminal:
        console = Console(width=PIPE_WIDTH)
    title = f"{arguments.domain}, had {arguments.policy} held: {shadow.same:,} of {shadow.offers:,} offers are the same"
    console.print(table(title, found))
    if live := not_over_yet(found):
        console.print(live, highlight=False)
    console.print(" ".join(SAID), highlight=False)
    if added:
        names = ", ".join(added)
        console.print(
            f"Never really there, so that only rules lead to them: {names}.", highlight=False
        )
    for kind, count in sorted(shadow.unrepeated.items()):
        console.print(f"The shadow did not repeat {count:,} × {kind}.", highlight=False)


def _failed(why: str, code: int) -> int:
    sys.stderr.write(f"huntgroup shadow: {why}\n")
    return code
