"""A state that is folded anew from the log is the one that was there when it was decided, at any cut, on every log."""

import asyncio
import hashlib
import uuid
from collections.abc import AsyncIterator, Iterable, Iterator, Sequence
from dataclasses import dataclass
from importlib import import_module
from itertools import islice
from pathlib import Path
from typing import Any, Final

import pytest

from huntgroup.journal.v1 import journal_pb2 as wire
from huntgroup_eventlog.adapters.embedded import EmbeddedLog
from huntgroup_eventlog.adapters.kafka import KafkaLog
from huntgroup_eventlog.adapters.memory import MemoryLog
from huntgroup_eventlog.application import Application
from huntgroup_eventlog.journal.chain import ChainReader, Ignored, Unreadable, chain_after
from huntgroup_eventlog.journal.fold import Fold
from huntgroup_eventlog.port import Log, NewRecord
from huntgroup_onebox.box import SERVICES
from huntgroup_routing.core import RoutingCore
from huntgroup_routing.core.invariants import check
from huntgroup_routing.core.messages import Refused
from huntgroup_routing.wiring import application as routing
from huntgroup_testkit.kafka import kafka_or_skip

from .history import DOMAIN, Told, names, read_commands, read_journal

APPENDED_AT_ONCE: Final = 100
SNAPSHOTS: Final = 8
INVARIANTS_EVERY: Final = 50


@pytest.fixture(scope="session")
def kafka_address() -> Iterator[str]:
    with kafka_or_skip() as source:
        yield source.bootstrap_servers


@pytest.fixture(
    params=[
        "memory",
        pytest.param("embedded", marks=pytest.mark.integration),
        pytest.param("kafka", marks=pytest.mark.integration),
    ]
)
async def log(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Log]:
    made: Log
    if request.param == "memory":
        made = MemoryLog(1)
    elif request.param == "embedded":
        made = EmbeddedLog(tmp_path / "log", 1, "process")
    else:
        made = KafkaLog(
            request.getfixturevalue("kafka_address"), 1, replication_factor=1, driver="librdkafka"
        )
    yield made
    await made.close()


async def through(log: Log, values: Sequence[bytes]) -> list[wire.Batch | wire.Claim]:
    """Append entries to a log, and return what a reader of it accepts."""
    topic = f"huntgroup.history-{uuid.uuid4().hex[:12]}.journal.v1"
    await log.ensure_topics([topic])
    waiting = iter(values)
    while some := list(islice(waiting, APPENDED_AT_ONCE)):
        records = [NewRecord(key=DOMAIN.encode(), value=value) for value in some]
        await asyncio.gather(*(log.append(topic, 0, record) for record in records))
    reader, chain = await log.reader(topic, 0, 0), ChainReader()
    accepted: list[wire.Batch | wire.Claim] = []
    try:
        while len(accepted) < len(values):
            for record in await reader.read(500, 5_000):
                entry = chain.read(record.value)
                assert not isinstance(entry, Ignored | Unreadable), entry
                accepted.append(entry)
    finally:
        await reader.close()
    return accepted


def digest(core: Any, state: Any) -> bytes:
    return hashlib.sha256(core.dump(state)).digest()


# Routing, decided anew from what it was told.


@dataclass(frozen=True, slots=True)
class Live:
    """What the core decided: the journal, and after each of its batches the hash of the state."""

    journal: Sequence[bytes]
    hashes: Sequence[bytes]


def decided_anew(told: Iterable[Told]) -> Live:
    """Decide a stored history as an owner does: a batch for each command from which something follows."""
    core, codec = RoutingCore(), routing().codec
    state, owner, sequence, last_ms = core.initial(DOMAIN), "history", 0, 0
    claim = wire.JournalEntry(claim=wire.Claim(epoch=1, owner=owner, address="-", at_ms=0))
    journal, hashes = [claim.SerializeToString(deterministic=True)], []
    chain = chain_after(bytes(16), journal[0])
    for at_ms, command in told:
        last_ms = max(last_ms, at_ms)
        events = core.decide(state, command, last_ms)
        if isinstance(events, Refused) or not events:
            continue
        batch = wire.Batch(epoch=1, owner=owner, seq=len(journal), prev_hash=chain, domain=DOMAIN)
        batch.at_ms = last_ms
        for event in events:
            state = core.evolve(state, event)
            sequence += 1
            kind, payload = codec.encode(event)
            batch.events.add(type=kind, payload=payload, sequence=sequence)
        journal.append(wire.JournalEntry(batch=batch).SerializeToString(deterministic=True))
        chain = chain_after(chain, journal[-1])
        hashes.append(digest(core, state))
        if len(hashes) % INVARIANTS_EVERY == 0:
            assert check(state) == []
    return Live(journal, hashes)


@pytest.mark.parametrize("history", names(".commands.jsonl.gz"))
async def test_the_replayed_state_is_the_one_that_decided_at_every_cut(
    history: str, log: Log
) -> None:
    live = decided_anew(read_commands(history))
    core, fold = RoutingCore(), Fold(routing())
    accepted = await through(log, live.journal)
    assert len(accepted) == len(live.hashes) + 1
    every = max(1, len(live.hashes) // SNAPSHOTS)
    for cut, entry in enumerate(accepted[1:]):
        assert isinstance(entry, wire.Batch)
        fold.apply(entry, cut + 1, b"")
        domain = fold.domains[DOMAIN]
        assert digest(core, domain.state) == live.hashes[cut], f"after batch {cut + 1}"
        if cut % every == 0:  # and go on from a snapshot
            domain.state = core.load(DOMAIN, core.dump(domain.state))


def test_an_event_that_changes_the_state_otherwise_is_seen() -> None:
    """Without one event in its middle the history folds to another state, or not at all."""
    live = decided_anew(read_commands(names(".commands.jsonl.gz")[0]))
    chain, fold, core = ChainReader(), Fold(routing()), RoutingCore()
    found = 0
    for cut, value in enumerate(live.journal):
        entry = chain.read(value)
        if isinstance(entry, wire.Batch):
            if cut == len(live.journal) // 2:
                del entry.events[-1]
            try:
                fold.apply(entry, cut, b"")
            except (KeyError, IndexError):
                found += 1
                break
            found += digest(core, fold.domains[DOMAIN].state) != live.hashes[cut - 1]
    assert found


# Journals as services of their time wrote them.


def application_of(service: str) -> Application:
    made = import_module(f"{SERVICES[service]}.wiring").application
    if service == "reporting":
        settings = import_module("huntgroup_reporting.settings").ReportingSettings()
        return made(settings)  # type: ignore[no-any-return]
    return made()  # type: ignore[no-any-return]


@pytest.mark.parametrize("journal", names(".journal.gz"))
async def test_a_journal_of_old_is_folded_by_the_code_of_today(journal: str, log: Log) -> None:
    """Straight on and through snapshots it becomes the same, and what routing made of it breaks no invariant."""
    application = application_of(journal.split(".")[-3])
    core, straight, through_snapshots = application.core, Fold(application), Fold(application)
    values = list(read_journal(journal))
    every = max(1, len(values) // SNAPSHOTS)
    for cut, entry in enumerate(await through(log, values)):
        if isinstance(entry, wire.Claim):
            continue
        for fold in (straight, through_snapshots):
            fold.apply(entry, cut, b"")
        for name, domain in through_snapshots.domains.items():
            dumped = core.dump(domain.state)
            assert dumped == core.dump(straight.domains[name].state), f"at entry {cut}"
            if cut % every == 0:
                domain.state = core.load(name, dumped)
            if application.service == "routing" and cut % INVARIANTS_EVERY == 0:
                assert check(domain.state) == []
    assert straight.domains
