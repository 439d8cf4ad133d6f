"""More calls than a box can take: who was let in is served to the end, nothing is stuck, and the log is in order."""

from pathlib import Path

import pytest

from huntgroup_agent_state.settings import AgentStateSettings
from huntgroup_eventlog.adapters.embedded import EmbeddedLog
from huntgroup_loadtest.open_loop import OpenLoop
from huntgroup_onebox.audit import audit
from huntgroup_onebox.box import SERVICES, Box

pytestmark = pytest.mark.integration

CALLS_PER_S, SECONDS = 500.0, 3.0
"""Several times what a box can take that shares its event loop with all callers and agents."""
AGENTS = 150
TARGET_MS = 100


async def test_every_contact_that_was_let_in_is_answered_ended_and_wrapped_up(
    tmp_path: Path,
) -> None:
    box = Box.in_directory(
        tmp_path / "log",
        grpc_listen="127.0.0.1:0",
        http_listen="127.0.0.1:0",
        log_durability="process",
        admission_delay_target_ms=TARGET_MS,
    )
    await box.wire(huntgroup_agent_state=AgentStateSettings(desktop_lease_ms=120_000))
    await box.process.start()
    await box.ready(20)
    flood = OpenLoop(
        dict.fromkeys(SERVICES, box.address),
        domain="acme/emea",
        run="flood",
        agents=AGENTS,
        call_timeout_ms=5_000,
    )
    try:
        await flood.set_up()
        outcome = await flood.load(CALLS_PER_S, SECONDS)
        await box.settled(30)
    finally:
        await flood.close()
        await box.stop()

    assert outcome.taken > 0, "work went on"
    assert outcome.shed["OVERLOADED"] > 0, "it was more than a box can take"
    assert not outcome.failed, "no command of a contact in progress was refused"
    assert outcome.done == outcome.taken
    log = EmbeddedLog.open_read_only(tmp_path / "log")
    try:
        acknowledged = [one for api in flood.all_apis for one in api.acknowledged]
        verdict = await audit(
            log, snapshots_dir=tmp_path / "log" / "snapshots", acked=acknowledged, ended=True
        )
    finally:
        await log.close()
    assert verdict.clean, [str(line) for line in verdict.lines]
