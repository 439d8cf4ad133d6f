"""Where the stories are played: all services in one process on SQLite, and as ten processes on real Kafka."""

from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest

from huntgroup_agent_state.settings import AgentStateSettings
from huntgroup_onebox.box import SERVICES, Box
from huntgroup_onebox.cluster_command import Cluster
from huntgroup_testkit.kafka import kafka_or_skip

from .centre import Centre

HEARTBEAT_MS, LEASE_MS = 200, 1_500
PORTS_FROM = 2_000


@pytest.fixture(scope="session")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    """Ten service processes on a Kafka; where there is none, a loud skip."""
    data = tmp_path_factory.mktemp("cluster")
    with kafka_or_skip() as source:
        made = Cluster(
            source.bootstrap_servers,
            2,
            data,
            ports_from=PORTS_FROM,
            environment={
                "HUNTGROUP_DESKTOP_HEARTBEAT_INTERVAL_MS": str(HEARTBEAT_MS),
                "HUNTGROUP_DESKTOP_LEASE_MS": str(LEASE_MS),
                "HUNTGROUP_TAKEOVER_AFTER_MS": "1000",
            },
        )
        try:
            made.start()
            yield made
        finally:
            made.stop()


@pytest.fixture(params=["embedded", pytest.param("kafka", marks=pytest.mark.e2e)])
async def centre(request: Any, tmp_path: Path) -> AsyncIterator[Centre]:
    """A centre with a domain of its own."""
    if request.param == "kafka":
        cluster: Cluster = request.getfixturevalue("cluster")
        made = Centre(cluster.file.addresses)
        yield made
        await made.close()
        return
    box = Box.in_directory(tmp_path / "log", grpc_listen="127.0.0.1:0", http_listen="127.0.0.1:0")
    desktops = AgentStateSettings(
        desktop_heartbeat_interval_ms=HEARTBEAT_MS, desktop_lease_ms=LEASE_MS
    )
    await box.wire(huntgroup_agent_state=desktops)
    await box.process.start()
    await box.ready(20)
    made = Centre(dict.fromkeys(SERVICES, box.address))
    try:
        yield made
    finally:
        await made.close()
        await box.stop()
