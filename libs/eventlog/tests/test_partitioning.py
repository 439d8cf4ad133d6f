"""The partition of a domain is what every Kafka client computes."""

import random

import pytest
from aiokafka.partitioner import murmur2 as aiokafka_murmur2

from huntgroup_eventlog.partitioning import murmur2, partition_of


@pytest.mark.parametrize(
    ("key", "expected"),
    [
        # From the unit tests of Kafka's Java client, as signed 32-bit integers.
        (b"21", -973932308),
        (b"foobar", -790332482),
        (b"a-little-bit-long-string", -985981536),
        (b"a-little-bit-longer-string", -1486304829),
        (b"lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8", -58897971),
        (b"abc", 479470107),
    ],
)
def test_hashes_are_those_of_the_java_client(key: bytes, expected: int) -> None:
    assert murmur2(key) == expected & 0xFFFFFFFF


def test_hashes_are_those_of_another_client_for_many_keys() -> None:
    choose = random.Random(7)
    for length in range(64):
        for _ in range(50):
            key = choose.randbytes(length)
            assert murmur2(key) == aiokafka_murmur2(key) & 0xFFFFFFFF


@pytest.mark.parametrize("partitions", [1, 3, 12, 50])
def test_partitions_are_those_of_the_default_partitioner(partitions: int) -> None:
    choose = random.Random(partitions)
    for _ in range(500):
        domain = f"tenant-{choose.randrange(10**6)}/é{choose.randrange(100)}"
        expected = (aiokafka_murmur2(domain.encode()) & 0x7FFFFFFF) % partitions
        assert partition_of(domain, partitions) == expected


def test_domains_spread_over_all_partitions() -> None:
    counts = [0] * 12
    for number in range(12_000):
        counts[partition_of(f"acme/{number}", 12)] += 1
    assert min(counts) > 800


def test_known_domains_never_move() -> None:
    domains = ("acme/emea", "acme/apac", "globex/all")
    assert [partition_of(each, 12) for each in domains] == [8, 4, 8]
