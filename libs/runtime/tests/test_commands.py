"""Commands and queries over real gRPC: what is checked, what is told, what is tried again."""

import asyncio
from typing import Any

import grpc
import pytest
from google.protobuf import descriptor_pool
from structlog.testing import capture_logs

from huntgroup_eventlog.application import (
    CommandFailedError,
    CommandOutcome,
    CommandReusedError,
    NotOwnerError,
    OutcomeUnknownError,
    OverloadedError,
    PartitionHaltedError,
)
from huntgroup_runtime.rpc.client import RpcClient
from huntgroup_runtime.rpc.commands import RpcApi, checksum
from huntgroup_runtime.rpc.errors import RpcRefusedError, from_rpc_error
from huntgroup_runtime.telemetry import Telemetry

pytestmark = pytest.mark.integration


async def refusal(call: Any) -> RpcRefusedError:
    """Return what a call is refused with, as the in-tree client tells it, without trying again."""
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await call
    return from_rpc_error(caught.value)


async def test_an_accepted_command_is_answered_with_its_receipt(
    start_replica: Any, bells: Any
) -> None:
    replica = await start_replica()
    response = await replica.stub.Ring(bells.ring("c7", note="x"), timeout=5)
    assert (response.receipt.command_id, response.receipt.position) == ("c7", 41)
    assert not response.receipt.repeated
    domain, command_id, command, _, _ = replica.journals.submitted[0]
    assert (domain, command_id) == ("acme/emea", "c7")
    assert (command.bell_id, command.strokes, command.note) == ("tom", 3, "x")
    assert replica.journals.in_progress == [False], "ringing is new work, as the contract says"


async def test_a_repeated_command_says_so(start_replica: Any, journals: Any, bells: Any) -> None:
    again = CommandOutcome(command_id="c1", position=7, repeated=True)
    replica = await start_replica(journals(script=[again]))
    response = await replica.stub.Ring(bells.ring(), timeout=5)
    assert (response.receipt.position, response.receipt.repeated) == (7, True)


async def test_every_broken_rule_is_told_by_path(start_replica: Any, bells: Any) -> None:
    replica = await start_replica()
    refused = await refusal(
        replica.stub.Ring(bells.ring("", bell_id="TOO-LOUD-BELL", strokes=99), timeout=5)
    )
    assert refused.status is grpc.StatusCode.INVALID_ARGUMENT
    assert refused.reason == "INVALID_REQUEST"
    assert {one.field for one in refused.violations} == {"context.command_id", "bell_id", "strokes"}
    strokes = next(one for one in refused.violations if one.field == "strokes")
    assert strokes.rule == "max 12"
    assert "99" in strokes.value
    assert "strokes='99': max 12" in refused.detail
    assert replica.journals.submitted == []


async def test_bytes_that_are_no_request_are_refused(start_replica: Any) -> None:
    replica = await start_replica()
    call = replica.channel.unary_unary(f"/{'huntgroup.bell_tower.v1.BellService'}/Ring")
    refused = await refusal(call(b"\xff\xff\xff", timeout=5))
    assert (refused.status, refused.reason) == (
        grpc.StatusCode.INVALID_ARGUMENT,
        "MALFORMED_REQUEST",
    )


@pytest.mark.parametrize(
    ("reason", "status"),
    [
        ("NO_BELL", grpc.StatusCode.NOT_FOUND),
        ("BELL_CRACKED", grpc.StatusCode.FAILED_PRECONDITION),
        ("NOT_IN_THE_TABLE", grpc.StatusCode.FAILED_PRECONDITION),
    ],
)
async def test_a_refusal_of_the_core_carries_its_reason(
    start_replica: Any, journals: Any, bells: Any, reason: str, status: grpc.StatusCode
) -> None:
    outcome = CommandOutcome(
        command_id="c1", position=9, reason=reason, detail="the bell is cracked"
    )
    replica = await start_replica(journals(script=[outcome]))
    refused = await refusal(replica.stub.Ring(bells.ring(), timeout=5))
    assert (refused.status, refused.reason, refused.detail) == (
        status,
        reason,
        "the bell is cracked",
    )
    assert refused.metadata == {"command_id": "c1", "position": "9"}


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (CommandReusedError("c1 said more"), "INVALID_ARGUMENT COMMAND_ID_REUSED"),
        (PartitionHaltedError("core.py:12"), "INTERNAL PARTITION_HALTED"),
        (OverloadedError("10 wait", 250), "RESOURCE_EXHAUSTED OVERLOADED"),
    ],
)
async def test_errors_of_the_journal_have_their_status(
    start_replica: Any, journals: Any, bells: Any, error: Exception, expected: str
) -> None:
    replica = await start_replica(journals(script=[error]))
    refused = await refusal(replica.stub.Ring(bells.ring(), timeout=5))
    assert f"{refused.status.name} {refused.reason}" == expected
    assert "core.py" not in refused.detail
    assert refused.retry_after_ms == (250 if refused.reason == "OVERLOADED" else 0)


async def test_a_bug_is_loud_here_and_tells_nothing_there(start_replica: Any, bells: Any) -> None:
    replica = await start_replica()
    with capture_logs() as logs:
        refused = await refusal(
            replica.stub.CountBells(bells.CountBellsRequest(domain="acme/broken"), timeout=5)
        )
    assert (refused.status, refused.reason) == (grpc.StatusCode.INTERNAL, "INTERNAL_FAULT")
    assert "secret" not in str(refused)
    assert [(one["event"], one["log_level"]) for one in logs] == [("rpc failed", "error")]
    assert "secret" in str(logs[0]["exc_info"])


async def test_an_unknown_outcome_is_tried_again_with_the_same_command_id(
    start_replica: Any, journals: Any, bells: Any
) -> None:
    script = [OutcomeUnknownError(), OutcomeUnknownError(), NotOwnerError()]
    replica = await start_replica(journals(script=script))
    response = await replica.stub.Ring(bells.ring("c5"), timeout=5)
    assert response.receipt.command_id == "c5"
    assert [(one[1], one[3]) for one in replica.journals.submitted] == [
        ("c5", checksum("/huntgroup.bell_tower.v1.BellService/Ring", bells.ring("c5")))
    ] * 4


@pytest.mark.parametrize(
    ("error", "reason"),
    [(OutcomeUnknownError, "OUTCOME_UNKNOWN"), (NotOwnerError, "NO_OWNER")],
)
async def test_trying_again_ends_with_a_reason_before_the_deadline(
    start_replica: Any, journals: Any, bells: Any, error: type[Exception], reason: str
) -> None:
    replica = await start_replica(journals(script=[error() for _ in range(1_000)]))
    refused = await refusal(replica.stub.Ring(bells.ring(), timeout=0.5))
    assert (refused.status, refused.reason) == (grpc.StatusCode.UNAVAILABLE, reason)
    assert len(replica.journals.submitted) < 15, "pauses grow"


async def test_a_command_that_may_have_been_done_is_never_said_not_to_have_been(
    start_replica: Any, journals: Any, bells: Any
) -> None:
    script = [OutcomeUnknownError(), *(NotOwnerError() for _ in range(1_000))]
    replica = await start_replica(journals(script=script))
    refused = await refusal(replica.stub.Ring(bells.ring(), timeout=0.5))
    assert (refused.status, refused.reason) == (grpc.StatusCode.UNAVAILABLE, "OUTCOME_UNKNOWN")


@pytest.mark.parametrize("forwarded", [False, True])
@pytest.mark.parametrize("first", [OutcomeUnknownError, NotOwnerError])
async def test_a_call_under_way_when_its_partition_halts_waits_for_the_next_owner(
    start_replica: Any, journals: Any, bells: Any, first: type[Exception], forwarded: Any
) -> None:
    owner = await start_replica(journals(script=[first(), PartitionHaltedError("halted")]))
    entry = owner
    if forwarded:
        entry = await start_replica(journals(owned=False, address=owner.address))
    response = await entry.stub.Ring(bells.ring("c5"), timeout=5)
    assert response.receipt.command_id == "c5"


@pytest.mark.parametrize("forwarded", [False, True])
async def test_the_command_that_halts_a_partition_is_tried_nowhere_else(
    start_replica: Any, journals: Any, bells: Any, forwarded: Any
) -> None:
    owner = await start_replica(journals(script=[NotOwnerError(), CommandFailedError("bug")]))
    entry = owner
    if forwarded:
        entry = await start_replica(journals(owned=False, address=owner.address))
    refused = await refusal(entry.stub.Ring(bells.ring("c5"), timeout=5))
    assert (refused.status.name, refused.reason) == ("INTERNAL", "PARTITION_HALTED")
    assert len(owner.journals.submitted) == 2


async def test_the_checksum_tells_commands_apart_but_not_their_ids(bells: Any) -> None:
    assert checksum("/a/B", bells.ring("c1")) == checksum("/a/B", bells.ring("c2"))
    assert checksum("/a/B", bells.ring("c1")) != checksum("/a/B", bells.ring("c1", strokes=4))
    assert checksum("/a/B", bells.ring("c1")) != checksum("/a/C", bells.ring("c1"))


async def test_a_query_reads_the_state_and_says_what_is_not_there(
    start_replica: Any, bells: Any
) -> None:
    replica = await start_replica()
    found = await replica.stub.GetBell(
        bells.GetBellRequest(domain="acme/emea", bell_id="tom"), timeout=5
    )
    assert found.strokes == 3
    refused = await refusal(
        replica.stub.GetBell(bells.GetBellRequest(domain="acme/emea", bell_id="ben"), timeout=5)
    )
    assert (refused.status, refused.reason) == (grpc.StatusCode.NOT_FOUND, "UNKNOWN_BELL")
    assert "ben" in refused.detail


async def test_a_service_must_give_every_rpc_once(start_replica: Any) -> None:
    replica = await start_replica()
    service = descriptor_pool.Default().FindServiceByName("huntgroup.bell_tower.v1.BellService")
    api = RpcApi(service, journals=replica.journals, peers=replica.peers, telemetry=Telemetry.off())
    api.query("GetBell", lambda _request, _state: None)  # type: ignore[arg-type,return-value]
    with pytest.raises(ValueError, match="has a handler of GetBell already"):
        api.query("GetBell", lambda _request, _state: None)  # type: ignore[arg-type,return-value]
    with pytest.raises(ValueError, match="has no rpc Toll"):
        api.command("Toll", dict)
    with pytest.raises(ValueError, match="Watch is a stream"):
        api.query("Watch", lambda _request, _state: None)  # type: ignore[arg-type,return-value]
    with pytest.raises(
        ValueError, match="without a handler: Ring, CountBells, Watch, Listen, Collect, Talk"
    ):
        api.register(grpc.aio.server())


async def test_the_client_tries_again_until_somebody_answers(
    start_replica: Any, journals: Any, bells: Any
) -> None:
    replica = await start_replica(journals(owned=False), grpc_deadline_ms=100)

    async def become_owner() -> None:
        await asyncio.sleep(0.3)
        replica.journals.owned = True

    async with RpcClient(replica.address) as client, asyncio.TaskGroup() as group:
        group.create_task(become_owner())
        stub = type(replica.stub)(client.channel)
        response = await client.call(stub.Ring, bells.ring("c3"), timeout_ms=5_000)
    assert response.receipt.command_id == "c3"
    assert {one[1] for one in replica.journals.submitted} == {"c3"}


async def test_the_client_raises_what_it_was_refused_with(
    start_replica: Any, journals: Any, bells: Any
) -> None:
    outcome = CommandOutcome(command_id="c1", position=9, reason="NO_BELL", detail="none there")
    replica = await start_replica(journals(script=[outcome]))
    async with RpcClient(replica.address) as client:
        stub = type(replica.stub)(client.channel)
        with pytest.raises(RpcRefusedError, match="NOT_FOUND NO_BELL: none there"):
            await client.call(stub.Ring, bells.ring(), timeout_ms=2_000)
        with pytest.raises(RpcRefusedError) as caught:
            await client.call(stub.Ring, bells.ring(strokes=99), timeout_ms=2_000)
    assert caught.value.violations[0].field == "strokes"


async def test_the_client_gives_up_at_its_deadline_when_nobody_listens(bells: Any) -> None:
    async with RpcClient("127.0.0.1:1") as client:
        call: Any = client.channel.unary_unary("/x.Y/Z", type(bells.ring()).SerializeToString)
        started = asyncio.get_running_loop().time()
        with pytest.raises(RpcRefusedError) as caught:
            await client.call(call, bells.ring(), timeout_ms=600)
    assert caught.value.status is grpc.StatusCode.UNAVAILABLE
    assert asyncio.get_running_loop().time() - started < 1


async def test_the_client_goes_round_its_replicas_and_passes_over_one_that_is_gone(
    start_replica: Any, journals: Any, bells: Any
) -> None:
    one, other = await start_replica(journals()), await start_replica(journals())
    addresses = f"127.0.0.1:1,{one.address},{other.address}"
    async with RpcClient(addresses) as client:
        stub = type(one.stub)(client.channel)
        for number in range(8):
            await client.call(stub.Ring, bells.ring(f"c{number}"), timeout_ms=5_000)
    served = [{said[1] for said in each.journals.submitted} for each in (one, other)]
    assert all(served)
    assert served[0] | served[1] == {f"c{number}" for number in range(8)}
