"""docs/reference/topics.md can be ported from: its code agrees with the library."""

import random
import re
from pathlib import Path
from typing import Any

import pytest
from google.protobuf.message import DecodeError

from huntgroup.event.v1.envelope_pb2 import Envelope
from huntgroup.journal.v1.journal_pb2 import Batch, Claim, JournalEntry
from huntgroup_contracts.cloudevents import headers_of
from huntgroup_contracts.registry import SERVICES
from huntgroup_eventlog.adapters.kafka_connection import MESSAGE_BYTES_MAX
from huntgroup_eventlog.journal.chain import ChainReader
from huntgroup_eventlog.partitioning import partition_of

PAGE = (Path(__file__).resolve().parents[2] / "docs/reference/topics.md").read_text("utf-8")
BLOCK = re.compile(r"^```python\n(.*?)^```$", re.MULTILINE | re.DOTALL)
ROW = re.compile(r"^\| `([a-z/]+)` \| (\d+) \| (\d+) \| (\d+) \|$", re.MULTILINE)


@pytest.fixture(scope="module")
def shown() -> dict[str, Any]:
    names: dict[str, Any] = {}
    for block in BLOCK.findall(PAGE):
        exec(block, names)
    return names


def test_the_partition_is_the_library_s(shown: dict[str, Any]) -> None:
    choose = random.Random(11)
    for _ in range(500):
        domain = "".join(chr(choose.randrange(33, 400)) for _ in range(choose.randrange(30)))
        partitions = choose.randrange(1, 64)
        assert shown["partition_of"](domain, partitions) == partition_of(domain, partitions)


def test_the_partitions_in_the_table_are_right() -> None:
    rows = ROW.findall(PAGE)
    assert len(rows) == 3
    for domain, *told in rows:
        assert [partition_of(domain, count) for count in (4, 8, 12)] == [int(one) for one in told]


def entries(seed: int) -> list[bytes]:
    """Return what several writers append who follow the log badly: some lost, late, repeated, or garbage."""
    chance, reader = random.Random(seed), ChainReader()
    chains, written = [bytes(16)], list[bytes]()
    for _ in range(200):
        owner, epoch = f"owner-{chance.randrange(3)}", chance.randrange(8)
        match chance.randrange(8):
            case 0:
                value = JournalEntry(claim=Claim(epoch=epoch, owner=owner)).SerializeToString()
            case 1 if written:
                value = chance.choice(written)
            case 2:
                value = chance.choice((b"", b"\xff", JournalEntry().SerializeToString()))
            case _:
                batch = Batch(
                    epoch=chance.choice((reader.state.epoch, epoch)),
                    owner=chance.choice((reader.state.owner, owner)),
                    prev_hash=chance.choice((chains[-1], chains[-1], chance.choice(chains))),
                    seq=len(written),
                )
                value = JournalEntry(batch=batch).SerializeToString()
        reader.read(value)
        chains.append(reader.state.chain)
        written.append(value)
    return written


@pytest.mark.parametrize("seed", range(20))
def test_the_reader_rule_is_the_library_s(shown: dict[str, Any], seed: int) -> None:
    ours, theirs = ChainReader(), shown["JournalReader"]()
    accepted = 0
    for value in entries(seed):
        try:
            counts = theirs.accepts(value)
        except DecodeError:
            counts = False
        before = ours.accepted
        ours.read(value)
        assert counts == (ours.accepted > before)
        assert theirs.chain == ours.state.chain
        accepted = ours.accepted
    assert accepted > 10


def test_the_table_of_headers_names_them_all() -> None:
    envelope = Envelope(
        id="a-0",
        type="huntgroup.session.contact.queued.v1",
        source="session",
        domain="acme/emea",
        sequence=1,
        time_ms=1_767_225_600_123,
        traceparent="00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
        causation_id="c",
    )
    headers = headers_of(envelope)
    section = PAGE.partition("## Headers of a public event")[2].partition("\n## ")[0]
    assert set(re.findall(r"^\| `([a-z_-]+)` \|", section, re.MULTILINE)) == set(headers)
    assert headers["ce_time"].decode() in section


def test_services_and_limits_are_named() -> None:
    assert all(f"`{service}`" in PAGE for service in SERVICES)
    assert f"`max.message.bytes={MESSAGE_BYTES_MAX}`" in PAGE
