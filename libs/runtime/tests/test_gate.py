"""Admission and slow readers over real gRPC: who is shed or cut off, and what they are told."""

import asyncio
from types import SimpleNamespace
from typing import Any

import grpc
import pytest

from huntgroup_eventlog.application import OutcomeUnknownError, OverloadedError
from huntgroup_runtime.rpc import forwarding, guard
from huntgroup_runtime.rpc.client import RpcClient
from huntgroup_runtime.rpc.deadline import CallLimits
from huntgroup_runtime.rpc.door import SERVICE, Door
from huntgroup_runtime.rpc.errors import RpcRefusedError, from_rpc_error
from huntgroup_runtime.rpc.gate import answer_to
from huntgroup_runtime.rpc.guard import CallGuard
from huntgroup_runtime.telemetry import Telemetry

pytestmark = pytest.mark.integration

TOLD_WITHIN_S = 0.05
TARGET_S, GIVE_UP_S = 0.05, 0.2
EXHAUSTED = grpc.StatusCode.RESOURCE_EXHAUSTED
TIGHT = {"admission_domain_burst": 2, "admission_domain_commands_per_s": 1}
"""One call of new work, then one of work in progress, then none."""


async def refusal(call: Any) -> RpcRefusedError:
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await call
    return from_rpc_error(caught.value)


async def outcome(call: Any) -> RpcRefusedError | None:
    try:
        await call
    except grpc.aio.AioRpcError as error:
        return from_rpc_error(error)
    return None


async def read_all(stream: Any) -> list[Any]:
    return [message async for message in stream]


async def test_a_call_that_is_shed_is_told_the_bound_the_setting_and_when_to_come_again(
    start_replica: Any, bells: Any
) -> None:
    replica = await start_replica(**TIGHT)
    await replica.stub.Ring(bells.ring("c1"), timeout=5)
    refused = await refusal(replica.stub.Ring(bells.ring("c2"), timeout=5))
    assert (refused.status, refused.reason) == (EXHAUSTED, "DOMAIN_RATE_EXCEEDED")
    assert refused.metadata == {
        "bound": "the domain sends more than 1 commands per second",
        "setting": "HUNTGROUP_ADMISSION_DOMAIN_COMMANDS_PER_S",
    }
    assert 0 < refused.retry_after_ms <= 1_000
    assert [one[1] for one in replica.journals.submitted] == ["c1"], "nothing was done"


async def test_work_in_progress_is_let_in_when_new_work_is_not(
    start_replica: Any, bells: Any
) -> None:
    replica = await start_replica(**TIGHT)
    await replica.stub.Ring(bells.ring("c1"), timeout=5)
    read = replica.stub.GetBell(bells.GetBellRequest(domain="acme/emea", bell_id="tom"), timeout=5)
    assert (await refusal(read)).reason == "DOMAIN_RATE_EXCEEDED"
    count = bells.CountBellsRequest(domain="acme/emea")
    assert (await replica.stub.CountBells(count, timeout=5)).bells == 1
    assert (await refusal(replica.stub.CountBells(count, timeout=5))).status is EXHAUSTED
    other = bells.CountBellsRequest(domain="acme/apac")
    assert (await replica.stub.CountBells(other, timeout=5)).bells == 1


async def test_a_command_that_was_carried_out_is_answered_again_however_full_it_is(
    start_replica: Any, journals: Any, bells: Any
) -> None:
    replica = await start_replica(journals(remembered={"c1"}), **TIGHT)
    for command_id in ("c0", "c1", "c1"):
        await replica.stub.Ring(bells.ring(command_id), timeout=5)
    assert (await refusal(replica.stub.Ring(bells.ring("c2"), timeout=5))).status is EXHAUSTED


async def test_a_flood_of_repeats_is_bounded_by_the_tenant_s_tokens(
    start_replica: Any, journals: Any, bells: Any
) -> None:
    few = {"admission_tenant_commands_per_s": 1, "admission_tenant_burst": 10}
    replica = await start_replica(journals(remembered={"c1"}), **TIGHT, **few)
    calls = [replica.stub.Ring(bells.ring("c1"), timeout=5) for _ in range(30)]
    answers = await asyncio.gather(*calls, return_exceptions=True)
    refused = [from_rpc_error(one) for one in answers if isinstance(one, grpc.aio.AioRpcError)]
    assert 5 <= len(answers) - len(refused) <= 15
    assert {(one.status, one.reason) for one in refused} == {(EXHAUSTED, "TENANT_RATE_EXCEEDED")}
    await asyncio.sleep(max(one.retry_after_ms for one in refused) / 1_000)
    answer = await replica.stub.Ring(bells.ring("c1"), timeout=5)
    assert answer.receipt.command_id == "c1"


async def test_calls_that_are_only_passed_on_count_at_the_owner_alone(
    start_replica: Any, journals: Any, bells: Any
) -> None:
    owner = await start_replica()
    entry = await start_replica(journals(owned=False, address=owner.address), **TIGHT)
    for number in range(5):
        await entry.stub.Ring(bells.ring(f"c{number}"), timeout=5)
    assert len(owner.journals.submitted) == 5


async def test_what_the_owner_sheds_comes_back_through_another_replica_as_it_was(
    start_replica: Any, journals: Any, bells: Any
) -> None:
    owner = await start_replica(**TIGHT)
    entry = await start_replica(journals(owned=False, address=owner.address))
    await entry.stub.Ring(bells.ring("c1"), timeout=5)
    refused = await refusal(entry.stub.Ring(bells.ring("c2"), timeout=5))
    assert refused.reason == "DOMAIN_RATE_EXCEEDED"
    assert refused.retry_after_ms > 0
    assert "bound" in refused.metadata


async def test_the_client_comes_again_when_it_was_told_to_and_not_before(
    start_replica: Any, make_settings: Any, bells: Any
) -> None:
    telemetry = Telemetry.of("bells", make_settings())
    replica = await start_replica(
        telemetry=telemetry, admission_domain_burst=2, admission_domain_commands_per_s=5
    )
    loop = asyncio.get_running_loop()
    async with RpcClient(replica.address) as client:
        stub = type(replica.stub)(client.channel)
        begun = loop.time()
        for number in range(3):
            await client.call(stub.Ring, bells.ring(f"c{number}"), timeout_ms=10_000)
        took_s = loop.time() - begun
        with pytest.raises(RpcRefusedError, match="DOMAIN_RATE_EXCEEDED"):
            await client.call(stub.Ring, bells.ring("c9"), timeout_ms=50)
    assert took_s >= 0.4, "two of the three had to wait for a token, 200 ms each"
    assert [one[1] for one in replica.journals.submitted] == ["c0", "c1", "c2"]
    words = {"huntgroup.service": "bell-tower", "reason": "DOMAIN_RATE_EXCEEDED", "work": "new"}
    assert telemetry.counter("huntgroup.admission.shed", words).value <= 4, "few asked in vain"


def shed_of(telemetry: Telemetry, reason: str, work: str) -> float:
    words = {"huntgroup.service": "bell-tower", "reason": reason, "work": work}
    return telemetry.counter("huntgroup.admission.shed", words).value


async def test_what_is_shed_is_counted(start_replica: Any, make_settings: Any, bells: Any) -> None:
    telemetry = Telemetry.of("bells", make_settings())
    replica = await start_replica(telemetry=telemetry, **TIGHT)
    await replica.stub.Ring(bells.ring("c1"), timeout=5)
    await refusal(replica.stub.Ring(bells.ring("c2"), timeout=5))
    assert shed_of(telemetry, "DOMAIN_RATE_EXCEEDED", "new") == 1
    waiting = telemetry.gauge("huntgroup.admission.waiting", {"huntgroup.service": "bell-tower"})
    assert waiting.value == 0


async def test_what_the_journal_and_full_streams_turn_away_is_counted_too(
    start_replica: Any, journals: Any, make_settings: Any, bells: Any
) -> None:
    telemetry = Telemetry.of("bells", make_settings())
    script = [OverloadedError("the public topic is behind")]
    replica = await start_replica(
        journals(script=script), telemetry=telemetry, admission_tenant_streams_max=1
    )
    await refusal(replica.stub.Ring(bells.ring("c1"), timeout=5))
    assert shed_of(telemetry, "OVERLOADED", "new") == 1
    watch = bells.WatchRequest(domain="acme/emea")
    open_ = replica.stub.Watch(watch)
    await open_.read()
    await refusal(read_all(replica.stub.Watch(watch, timeout=5)))
    assert shed_of(telemetry, "TENANT_STREAMS_FULL", "in-progress") == 1
    open_.cancel()


async def test_what_the_owner_shed_is_counted_there_and_not_where_the_call_came_in(
    start_replica: Any, journals: Any, make_settings: Any, bells: Any
) -> None:
    here, there = (Telemetry.of("bells", make_settings()) for _ in range(2))
    owner = await start_replica(telemetry=there, **TIGHT)
    entry = await start_replica(journals(owned=False, address=owner.address), telemetry=here)
    await entry.stub.Ring(bells.ring("c1"), timeout=5)
    await refusal(entry.stub.Ring(bells.ring("c2"), timeout=5))
    counted = [shed_of(one, "DOMAIN_RATE_EXCEEDED", "new") for one in (there, here)]
    assert counted == [1, 0]


async def test_an_answer_that_takes_its_time_sheds_nothing_else(
    start_replica: Any, make_settings: Any, monkeypatch: pytest.MonkeyPatch, bells: Any
) -> None:
    telemetry = Telemetry.of("bells", make_settings())
    replica = await start_replica(telemetry=telemetry, admission_delay_target_ms=50)
    monkeypatch.setattr(replica.server.door, "delay_s", lambda _now_s: 0.0)
    monkeypatch.setattr(replica.server.door, "crowded", lambda _now_s: False)
    waiting = telemetry.gauge("huntgroup.admission.waiting", {"huntgroup.service": "bell-tower"})
    slow = replica.stub.CountBells(bells.CountBellsRequest(domain="acme/slow"), timeout=60)
    get = bells.GetBellRequest(domain="acme/slow", bell_id="tom")
    told: list[RpcRefusedError | None] = []
    async with asyncio.timeout(20):
        while not waiting.value:  # noqa: ASYNC110 - no event says so
            await asyncio.sleep(0.01)
    for _ in range(8):  # longer than reads have patience, which is four times the target
        told += [await outcome(replica.stub.GetBell(get, timeout=5))]
        await asyncio.sleep(0.05)
    slow.cancel()
    assert told == [None] * 8


async def test_a_door_before_which_calls_wait_sheds_new_work(
    start_replica: Any, monkeypatch: pytest.MonkeyPatch, bells: Any
) -> None:
    replica = await start_replica()
    monkeypatch.setattr(replica.server.door, "delay_s", lambda _now_s: 0.7)
    monkeypatch.setattr(replica.server.door, "crowded", lambda _now_s: True)
    calls = [replica.stub.Ring(bells.ring(f"c{n}"), timeout=5) for n in range(20)]
    answers = await asyncio.gather(*calls, return_exceptions=True)
    refused = next(from_rpc_error(one) for one in answers if isinstance(one, grpc.aio.AioRpcError))
    assert (refused.status, refused.reason) == (EXHAUSTED, "OVERLOADED")
    assert refused.metadata["bound"] == "calls wait 700 ms"
    assert refused.metadata["setting"] == "HUNTGROUP_ADMISSION_DELAY_TARGET_MS"
    await replica.stub.CountBells(bells.CountBellsRequest(domain="acme/emea"), timeout=5)


async def test_the_answer_to_many_calls_that_are_shed_is_made_once(
    start_replica: Any, monkeypatch: pytest.MonkeyPatch, bells: Any
) -> None:
    replica = await start_replica()
    monkeypatch.setattr(replica.server.door, "delay_s", lambda _now_s: 0.7)
    monkeypatch.setattr(replica.server.door, "crowded", lambda _now_s: True)
    answer_to.cache_clear()
    told: list[RpcRefusedError | None] = []
    for number in range(40):
        told += [await outcome(replica.stub.Ring(bells.ring(f"c{number}"), timeout=5))]
    shed = [one for one in told if one is not None]
    assert len(shed) > 30
    said = {(one.reason, one.detail, one.retry_after_ms) for one in shed}
    assert answer_to.cache_info().misses == len(said) < 10


async def test_the_door_tells_how_long_calls_wait_before_they_are_seen(start_replica: Any) -> None:
    replica = await start_replica()
    loop, door = asyncio.get_running_loop(), replica.server.door
    async with asyncio.timeout(10):
        while not 0 < door.delay_s(loop.time()) < 1:  # noqa: ASYNC110 - a knock is no event
            await asyncio.sleep(0.01)
    assert not door.crowded(loop.time())


async def test_a_door_at_which_nobody_opens_is_crowded(make_settings: Any) -> None:
    telemetry = Telemetry.of("bells", make_settings())

    async def keep_waiting(_: bytes, __: Any) -> bytes:
        await asyncio.Event().wait()
        return b""

    server = grpc.aio.server()
    handler: Any = grpc.unary_unary_rpc_method_handler(keep_waiting)
    server.add_generic_rpc_handlers(
        (grpc.method_handlers_generic_handler(SERVICE, {"Knock": handler}),)
    )
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    loop, door = asyncio.get_running_loop(), Door(TARGET_S, telemetry, give_up_s=GIVE_UP_S)
    door.start(f"127.0.0.1:{port}")
    try:
        seconds = telemetry.metrics.histogram("huntgroup.admission.delay")
        async with asyncio.timeout(20):
            while not sum(seconds.counts):  # noqa: ASYNC110 - a knock is no event
                await asyncio.sleep(0.01)
            while not door.crowded(loop.time()):  # noqa: ASYNC110
                await asyncio.sleep(0.01)
        assert door.delay_s(loop.time()) >= GIVE_UP_S
    finally:
        await door.stop()
        await server.stop(None)


class GoneContext:
    """A call as gRPC hands it over when its caller has gone while it waited."""

    def __init__(self, *, left_s: float, cancelled: bool) -> None:
        self._left_s, self._cancelled = left_s, cancelled
        self.status: Any = None

    def invocation_metadata(self) -> tuple[()]:
        return ()

    def time_remaining(self) -> float:
        return self._left_s

    def cancelled(self) -> bool:
        return self._cancelled

    async def abort_with_status(self, status: Any) -> None:
        self.status = status
        raise grpc.aio.AbortError


@pytest.mark.parametrize(("left_s", "cancelled"), [(0.0, False), (5.0, True)])
async def test_a_call_whose_caller_has_gone_is_not_begun(left_s: float, *, cancelled: bool) -> None:
    begun: list[bytes] = []

    async def handle(request: bytes, _: Any) -> bytes:
        begun.append(request)
        return b""

    handler: Any = grpc.unary_unary_rpc_method_handler(handle)
    limits = CallLimits(unary_default_s=10, unary_max_s=60, stream_max_s=60)

    async def continuation(_: Any) -> Any:
        return handler

    details: Any = SimpleNamespace(method="/huntgroup.bell_tower.v1.BellService/Ring")
    guarded: Any = await CallGuard(limits, Telemetry.off()).intercept_service(continuation, details)
    context = GoneContext(left_s=left_s, cancelled=cancelled)
    with pytest.raises(grpc.aio.AbortError):
        await guarded.unary_unary(b"c1", context)
    assert begun == []
    assert context.status.code is grpc.StatusCode.DEADLINE_EXCEEDED


# No owner.


async def test_who_comes_anew_does_not_take_the_places_of_those_who_are_here_while_nobody_owns(
    start_replica: Any, journals: Any, bells: Any
) -> None:
    replica = await start_replica(journals(owned=False), grpc_concurrent_rpcs_max=60)
    count = bells.CountBellsRequest(domain="acme/emea")
    known = [replica.stub.CountBells(count, timeout=20) for _ in range(20)]
    new = [replica.stub.Ring(bells.ring(f"c{n}"), timeout=20) for n in range(20)]
    answers = asyncio.as_completed([outcome(call) for call in [*known, *new]])
    told = [await next(answers) for _ in range(14)]
    turned_away = [one for one in told if one is not None]
    assert [(one.status, one.reason) for one in turned_away] == [(EXHAUSTED, "OVERLOADED")] * 14
    assert turned_away[0].retry_after_ms == 1_000
    assert "calls wait for an owner of their domain" in turned_away[0].metadata["bound"]
    replica.journals.owned = True
    assert [await next(answers) for _ in range(26)] == [None] * 26


async def test_a_call_that_may_have_been_done_is_never_told_that_nothing_was(
    start_replica: Any, journals: Any, bells: Any
) -> None:
    replica = await start_replica(journals(owned=False), grpc_concurrent_rpcs_max=10)
    waits = replica.stub.Ring(bells.ring("c1"), timeout=20)
    async with asyncio.timeout(5):
        while not replica.journals.submitted:  # noqa: ASYNC110 - the server's work is no event here
            await asyncio.sleep(0.01)
    assert (await refusal(replica.stub.Ring(bells.ring("c2"), timeout=5))).reason == "OVERLOADED"
    # Enough for the one that waits, too, which tries again and again.
    replica.journals.script += [OutcomeUnknownError("the owner was replaced")] * 1_000
    refused = await refusal(replica.stub.Ring(bells.ring("c3"), timeout=5))
    assert (refused.status, refused.reason) == (
        grpc.StatusCode.UNAVAILABLE,
        "OUTCOME_UNKNOWN",
    )
    waits.cancel()


# Streams.


async def test_a_tenant_s_open_streams_are_bounded(start_replica: Any, bells: Any) -> None:
    replica = await start_replica(admission_tenant_streams_max=2)
    open_ = [replica.stub.Watch(bells.WatchRequest(domain=f"acme/d{n}")) for n in range(2)]
    for stream in open_:
        await stream.read()
    refused = await refusal(
        read_all(replica.stub.Watch(bells.WatchRequest(domain="acme/emea"), timeout=5))
    )
    assert (refused.status, refused.reason) == (EXHAUSTED, "TENANT_STREAMS_FULL")
    assert refused.metadata["setting"] == "HUNTGROUP_ADMISSION_TENANT_STREAMS_MAX"
    other = replica.stub.Watch(bells.WatchRequest(domain="other/emea"), timeout=5)
    assert (await other.read()).text == "tick"
    open_[0].cancel()
    async with asyncio.timeout(5):
        while len(replica.ended_streams) < 1:  # noqa: ASYNC110 - the server's end is no event here
            await asyncio.sleep(0.01)
    again = replica.stub.Watch(bells.WatchRequest(domain="acme/emea", strokes=1), timeout=5)
    assert len(await read_all(again)) == 1


async def test_streams_that_only_look_on_leave_half_of_a_tenant_s_to_agents(
    start_replica: Any, bells: Any
) -> None:
    replica = await start_replica(admission_tenant_streams_max=4)
    listen, watch = bells.ListenRequest(domain="acme/emea"), bells.WatchRequest(domain="acme/emea")
    open_ = [replica.stub.Listen(listen) for _ in range(2)]
    for stream in open_:
        await stream.read()
    refused = await refusal(read_all(replica.stub.Listen(listen, timeout=5)))
    assert (refused.status, refused.reason) == (EXHAUSTED, "TENANT_STREAMS_FULL")
    assert "2 streams that only look on" in refused.metadata["bound"]
    open_ += [replica.stub.Watch(watch) for _ in range(2)]
    for stream in open_[2:]:
        assert await stream.read()
    refused = await refusal(read_all(replica.stub.Watch(watch, timeout=5)))
    assert refused.metadata["bound"] == "the tenant has 4 streams open at this replica"


async def test_streams_that_only_look_on_leave_half_of_all_to_agents(
    start_replica: Any, bells: Any
) -> None:
    replica = await start_replica(grpc_concurrent_rpcs_max=10)
    open_ = [replica.stub.Listen(bells.ListenRequest(domain=f"t{n}/d")) for n in range(4)]
    for stream in open_:
        await stream.read()
    late = replica.stub.Listen(bells.ListenRequest(domain="acme/emea"), timeout=5)
    assert (await refusal(read_all(late))).reason == "STREAMS_FULL"
    desktop = replica.stub.Watch(bells.WatchRequest(domain="acme/emea"))
    assert (await desktop.read()).text == "tick"
    desktop.cancel()


async def test_streams_leave_room_for_calls(start_replica: Any, bells: Any) -> None:
    replica = await start_replica(grpc_concurrent_rpcs_max=10)
    open_ = [replica.stub.Watch(bells.WatchRequest(domain=f"t{n}/d")) for n in range(8)]
    for stream in open_:
        await stream.read()
    refused = await refusal(
        read_all(replica.stub.Watch(bells.WatchRequest(domain="acme/emea"), timeout=5))
    )
    assert refused.reason == "STREAMS_FULL"
    await replica.stub.Ring(bells.ring(), timeout=5)


@pytest.mark.parametrize("forwarded", [False, True])
async def test_a_reader_who_takes_nothing_is_cut_off_and_told_so(
    start_replica: Any,
    journals: Any,
    bells: Any,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
    *,
    forwarded: bool,
) -> None:
    owner = await start_replica(grpc_slow_reader_ms=200)
    entry = await start_replica(
        journals(owned=not forwarded, address=owner.address), grpc_slow_reader_ms=200
    )
    stub = entry.stub if forwarded else owner.stub
    caplog.set_level("ERROR", logger="grpc")
    monkeypatch.setattr(guard, "TOLD_WITHIN_S", TOLD_WITHIN_S)
    stream = stub.Watch(bells.WatchRequest(domain="acme/loud"), timeout=60)
    await stream.read()
    async with asyncio.timeout(20):
        while not owner.ended_streams:  # noqa: ASYNC110 - the owner's end is no event here
            await asyncio.sleep(0.02)
    await asyncio.sleep(5 * TOLD_WITHIN_S)  # it still reads nothing
    shouted, read = owner.shouted, 1
    with pytest.raises(grpc.aio.AioRpcError) as caught:  # noqa: PT012 - one of many reads
        while await stream.read():
            read += 1
    refused = from_rpc_error(caught.value)
    assert (refused.status, refused.reason) == (EXHAUSTED, "SLOW_READER")
    assert refused.metadata["position"] == "snapshot"
    assert refused.retry_after_ms > 0
    assert owner.shouted == shouted, "nothing was made for nobody"
    assert not caplog.records, "the library saw nothing unexpected"
    assert read <= shouted


@pytest.mark.parametrize("through", ["its owner", "another replica", "another that is impatient"])
async def test_a_reader_who_was_cut_off_goes_on_behind_the_last_message_it_has(
    start_replica: Any,
    journals: Any,
    bells: Any,
    monkeypatch: pytest.MonkeyPatch,
    through: str,
) -> None:
    monkeypatch.setattr(forwarding, "OWNER_FIRST_S", 0.2 if "impatient" in through else 60.0)
    monkeypatch.setattr(guard, "TOLD_WITHIN_S", TOLD_WITHIN_S)
    owner = await start_replica(grpc_slow_reader_ms=200)
    entry = await start_replica(
        journals(owned=False, address=owner.address), grpc_slow_reader_ms=200
    )
    stub = owner.stub if through == "its owner" else entry.stub
    stream = stub.Listen(bells.ListenRequest(domain="acme/loud"), timeout=60)
    read = [(await stream.read()).number]
    async with asyncio.timeout(20):
        while not owner.ended_streams:  # noqa: ASYNC110 - the owner's end is no event here
            await asyncio.sleep(0.02)
    await asyncio.sleep(0.5)  # the impatient one has cut it off, too
    with pytest.raises(grpc.aio.AioRpcError) as caught:  # noqa: PT012 - one of many reads
        while message := await stream.read():
            read.append(message.number)
    refused = from_rpc_error(caught.value)
    assert (refused.status, refused.reason) == (EXHAUSTED, "SLOW_READER")
    assert read == list(range(1, len(read) + 1))
    if "impatient" not in through:
        assert refused.metadata["position"] == str(read[-1])
    assert refused.metadata.get("position", str(read[-1])) == str(read[-1])


async def test_a_reader_who_is_slow_but_reads_is_not_cut_off(
    start_replica: Any, bells: Any
) -> None:
    replica = await start_replica(grpc_slow_reader_ms=1_000)
    stream = replica.stub.Watch(bells.WatchRequest(domain="acme/loud"), timeout=60)
    for _ in range(300):
        await stream.read()
        await asyncio.sleep(0.005)
    assert not replica.ended_streams
    stream.cancel()
