"""A short version of `make chaos`: the owners of three services are killed and one is frozen, under load."""

from pathlib import Path

import pytest

from huntgroup_onebox.chaos import faults
from huntgroup_onebox.chaos.checks import at_end
from huntgroup_onebox.chaos.results import Series, text
from huntgroup_onebox.chaos.stage import Stage
from huntgroup_runtime.local_kafka_install import (
    LocalKafkaUnavailableError,
    ensure_jars,
    kafka_home,
)

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(600)]

FROZEN_S = 4.0
SERVED_WITHIN_S = 60.0
"""Only that it comes to an end: how quickly is what `make chaos` measures."""


async def test_nothing_is_lost_when_owners_are_killed_and_frozen_under_load(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    try:
        ensure_jars(kafka_home())
    except LocalKafkaUnavailableError as error:
        pytest.skip(f"NOT TESTED ON KAFKA: {error}")
    monkeypatch.setattr(faults, "FROZEN_S", FROZEN_S)
    series = Series(fault="kill-owner", what="kill and freeze owners")
    async with Stage(tmp_path, seed="7") as stage:
        for number, service in enumerate(("routing", "session", "recording")):
            domain = stage.domains[number % len(stage.domains)]
            await faults.kill_once(stage, series, service, domain)
        await faults.freeze_once(stage, series, "agent-state", stage.domains[0])
        await at_end(stage, series)
    assert series.clean, text([series])
    assert len(series.seconds) == 4
    assert max(series.seconds) < SERVED_WITHIN_S
    assert series.sent_again > 0
    assert series.audits == 5
