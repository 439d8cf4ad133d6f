"""More calls than a tenant may make: who was let in is served to the end, others are told when to come again.

The bound is one of the settings, far below what any machine can do, so that it is reached the same way on each.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final

import grpc
import pytest

from huntgroup.session.v1 import commands_pb2 as session_pb
from huntgroup.session.v1.events_pb2 import CHANNEL_VOICE
from huntgroup_agent_state.settings import AgentStateSettings
from huntgroup_eventlog.adapters.embedded import EmbeddedLog
from huntgroup_eventlog.snapshots import ObjectSnapshotStore
from huntgroup_loadtest.open_loop import OpenLoop
from huntgroup_onebox.audit import audit
from huntgroup_onebox.box import SERVICES, Box
from huntgroup_runtime.rpc import errors
from huntgroup_runtime.rpc.admission import Work
from huntgroup_runtime.rpc.errors import RpcRefusedError, from_rpc_error

pytestmark = pytest.mark.integration

COMMANDS_PER_S: Final = 40
COMMANDS_PER_CONTACT: Final = 3.5
"""Of session: start, queue, end, and the end of some once more, when the answer is not known there yet."""
ALL_IT_TAKES: Final = COMMANDS_PER_S / COMMANDS_PER_CONTACT
TIMES, SECONDS = 3.0, 4.0
HELD: Final = 0.8
"""So much of what is finished when as many come as may must be finished when three times as many come."""
AGENTS: Final = 12
"""Who sign on at once, with three commands each: within the bound, too."""
GATEWAY_MS: Final = 300
REASONS: Final = (
    errors.OVERLOADED,
    errors.DOMAIN_RATE_EXCEEDED,
    errors.TENANT_RATE_EXCEEDED,
    errors.DOMAIN_QUEUE_FULL,
    errors.TENANT_QUEUE_FULL,
)


@asynccontextmanager
async def bounded_box(path: Path) -> AsyncIterator[Box]:
    box = Box.in_directory(
        path,
        grpc_listen="127.0.0.1:0",
        http_listen="127.0.0.1:0",
        log_durability="process",
        admission_domain_commands_per_s=COMMANDS_PER_S,
        admission_domain_burst=COMMANDS_PER_S,
        admission_delay_target_ms=0,
    )
    await box.wire(huntgroup_agent_state=AgentStateSettings(desktop_lease_ms=120_000))
    await box.process.start()
    try:
        await box.ready(20)
        yield box
    finally:
        await box.stop()


def shed(box: Box, work: Work) -> float:
    """Return how many calls of a kind were refused so far, by whichever bound."""
    counter = box.process.telemetry.counter
    return sum(
        counter(
            "huntgroup.admission.shed",
            {"huntgroup.service": service, "reason": reason, "work": work.value},
        ).value
        for service in SERVICES
        for reason in REASONS
    )


async def first_refusal(flood: OpenLoop) -> RpcRefusedError:
    """Start contacts until one is refused, without a client that comes again by itself."""
    api = flood.apis[0]
    for number in range(10 * COMMANDS_PER_S):
        request = session_pb.StartContactRequest(
            context=api.context(), contact_id=f"one-more-{number}", channel=CHANNEL_VOICE
        )
        try:
            await api.session.StartContact(request, timeout=5)
        except grpc.aio.AioRpcError as error:
            return from_rpc_error(error)
        hang_up = session_pb.HangUpContactRequest(contact_id=request.contact_id)
        await api.command("session", api.session.HangUpContact, hang_up)
    raise AssertionError("everybody was let in")


async def test_every_contact_that_was_let_in_is_answered_ended_and_wrapped_up(
    tmp_path: Path,
) -> None:
    async with bounded_box(tmp_path / "log") as box:
        flood = OpenLoop(
            dict.fromkeys(SERVICES, box.address),
            domain="acme/emea",
            run="flood",
            agents=AGENTS,
            call_timeout_ms=GATEWAY_MS,
        )
        try:
            await flood.set_up()
            as_many = await flood.load(ALL_IT_TAKES, SECONDS)
            before = shed(box, Work.IN_PROGRESS)
            too_many = await flood.load(TIMES * ALL_IT_TAKES, SECONDS, seed=2)
            refused_in_progress = shed(box, Work.IN_PROGRESS) - before
            refused = await first_refusal(flood)
            await box.settled(30)
        finally:
            await flood.close()

        assert too_many.shed["DOMAIN_RATE_EXCEEDED"] > 0, "more came than may"
        assert shed(box, Work.NEW) > 0
        assert refused_in_progress == 0, "contacts in progress go before new ones"
        assert not as_many.failed
        assert not too_many.failed
        assert too_many.done == too_many.taken
        assert too_many.done >= HELD * as_many.done > 0, "what gets through stays"
    assert refused.status is grpc.StatusCode.RESOURCE_EXHAUSTED
    assert refused.reason == errors.DOMAIN_RATE_EXCEEDED
    assert refused.retry_after_ms > 0
    log = EmbeddedLog.open_read_only(tmp_path / "log")
    try:
        acknowledged = [one for api in flood.all_apis for one in api.acknowledged]
        kept = ObjectSnapshotStore.from_url((tmp_path / "log" / "snapshots").as_uri())
        verdict = await audit(log, snapshots=kept, acked=acknowledged, ended=True)
    finally:
        await log.close()
    assert verdict.clean, [str(line) for line in verdict.lines]
