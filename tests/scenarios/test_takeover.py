"""What callers and agents notice when the owners are killed: a pause, and nothing else."""

import asyncio
import time

import pytest

from huntgroup.journal.v1 import journal_pb2 as wire
from huntgroup_contracts.registry import topic_journal
from huntgroup_eventlog.journal.chain import ChainReader
from huntgroup_eventlog.partitioning import partition_of
from huntgroup_onebox.audit import audit
from huntgroup_onebox.cluster_command import LEDGER_INTERVAL_MS, Cluster

from .centre import Centre, eventually

pytestmark = pytest.mark.e2e


async def owner_of(cluster: Cluster, service: str, domain: str) -> tuple[str, int]:
    """Return the process (service, replica) that owns the domain's partition, as the journal says."""
    log = cluster.file.open_log()
    topic, partition = topic_journal(service), partition_of(domain, cluster.file.partitions)
    address, chain = "", ChainReader()
    reader = await log.reader(topic, partition, 0)
    try:
        end, position = await log.end(topic, partition), 0
        while position < end:
            for record in await reader.read(500, 1_000):
                position = record.position + 1
                entry = chain.read(record.value)
                if isinstance(entry, wire.Claim):
                    address = entry.address
    finally:
        await reader.close()
        await log.close()
    return service, int(address.rpartition(":")[2]) % 10


async def test_a_waiting_caller_keeps_place_and_age_when_every_owner_is_killed(
    cluster: Cluster,
) -> None:
    centre = Centre(cluster.file.addresses)
    killed: list[tuple[str, int]] = []
    try:
        await centre.queue()
        for contact_id in ("first", "second", "third"):
            await centre.call(contact_id)
        await eventually(centre.waiting, lambda found: found == ["first", "second", "third"])
        before = [await centre.contact(one, "QUEUED") for one in ("first", "second", "third")]
        for service in ("routing", "session", "agent-state"):
            killed.append(await owner_of(cluster, service, centre.api.domain))
            process = cluster.processes[killed[-1]]
            process.kill()
            process.wait()
        began = time.monotonic()
        centre_now = Centre(survivors(cluster, killed))
        centre_now.api.domain = centre.api.domain
        assert await centre_now.waiting() == ["first", "second", "third"]
        after = [await centre_now.contact(one, "QUEUED") for one in ("first", "second", "third")]
        assert [one.enqueued_at_ms for one in after] == [one.enqueued_at_ms for one in before]
        alice = await centre_now.agent("alice")
        offer = await alice.offer()
        assert offer.contact_id == "first"
        await centre_now.accept(offer, alice)
        assert time.monotonic() - began < 60, "taking over took longer than any caller would wait"
        await centre_now.end("first", alice)
        await centre_now.wrap_up("first", alice)
        assert (await alice.offer(2)).contact_id == "second"
        await centre_now.close()
    finally:
        await centre.close()
        for service, replica in killed:
            cluster.launch(service, replica)
        await asyncio.to_thread(cluster.wait_until_ready)


def survivors(cluster: Cluster, killed: list[tuple[str, int]]) -> dict[str, str]:
    """Return an address per service that is still served."""
    addresses = dict(cluster.file.addresses)
    for service, replica in killed:
        if replica == 0:
            host, _, port = addresses[service].rpartition(":")
            addresses[service] = f"{host}:{int(port) + 1}"
    return addresses


async def test_the_log_of_all_stories_is_clean(cluster: Cluster) -> None:
    log = cluster.file.open_log()
    try:
        report = await audit(log, interval_ms=LEDGER_INTERVAL_MS)
    finally:
        await log.close()
    assert report.clean, "\n".join(str(line) for line in report.lines)
