"""The frame of a process: probes, tasks, and an end in order; on a real journal in memory."""

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import grpc
import pytest
import pytest_asyncio

from huntgroup_eventlog.adapters.memory import MemoryLog
from huntgroup_eventlog.snapshots import ObjectSnapshotStore
from huntgroup_runtime.process import Process
from huntgroup_runtime.settings import SettingsError

pytestmark = pytest.mark.integration


class StandInServiceJournals:
    """What the frame asks of the journals of one service."""

    def __init__(self, steps: list[str]) -> None:
        self.steps = steps
        self.here = False

    async def start(self) -> None:
        self.steps.append("journals started")

    async def hand_over(self) -> None:
        self.steps.append("partitions handed over")

    async def stop(self) -> None:
        self.steps.append("journals stopped")

    def caught_up(self) -> bool:
        return self.here


@pytest_asyncio.fixture
async def make_process(make_settings: Callable[..., Any]) -> AsyncIterator[Callable[..., Process]]:
    made: list[Process] = []

    def make(**overrides: Any) -> Process:
        log = MemoryLog(2)
        snapshots = ObjectSnapshotStore.from_url("")
        process = Process("test", make_settings(**overrides), log=log, snapshots=snapshots)
        made.append(process)
        return process

    yield make
    for process in made:
        await process.stop()
        await process.log.close()


async def get(process: Process, path: str, request: bytes = b"", **headers: str) -> tuple[int, str]:
    host, _, port = process.http_address.rpartition(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    lines = "".join(f"{key}: {value}\r\n" for key, value in headers.items())
    writer.write(request or f"GET {path} HTTP/1.1\r\nHost: x\r\n{lines}\r\n".encode())
    raw = await asyncio.wait_for(reader.read(), 5)
    writer.close()
    head, _, body = raw.decode().partition("\r\n\r\n")
    return int(head.split(" ")[1]) if head else 0, body


async def test_ready_turns_with_the_journals_and_the_drain(make_process: Any) -> None:
    process = make_process()
    steps: list[str] = []
    journals = process._journals["routing"] = StandInServiceJournals(steps)
    await process.start()
    assert await get(process, "/livez") == (200, '{"alive": true}\n')
    status, body = await get(process, "/readyz")
    assert status == 503
    assert '"journals_caught_up": {"routing": false}' in body
    journals.here = True
    assert (await get(process, "/readyz"))[0] == 200
    process._draining = True
    status, body = await get(process, "/readyz")
    assert status == 503
    assert '"draining": true' in body


async def test_health_over_grpc_follows_readiness(make_process: Any) -> None:
    process = make_process()
    journals = process._journals["routing"] = StandInServiceJournals([])
    await process.start()
    async with grpc.aio.insecure_channel(process.address) as channel:
        check: Any = channel.unary_unary("/grpc.health.v1.Health/Check")
        assert await check(b"", timeout=5) == b"\x08\x02", "NOT_SERVING"
        journals.here = True
        async with asyncio.timeout(5):
            while await check(b"", timeout=5) != b"\x08\x01":  # noqa: ASYNC110 - SERVING
                await asyncio.sleep(0.01)


async def test_the_http_server_answers_only_what_it_should(make_process: Any) -> None:
    process = make_process()
    await process.start()
    assert (await get(process, "/else"))[0] == 404
    assert (await get(process, "", b"POST /livez HTTP/1.1\r\n\r\n"))[0] == 405
    assert (await get(process, "", b"nonsense\r\n\r\n"))[0] == 400
    assert (await get(process, "", b"GET /livez HTTP/1.1\r\nx: " + b"y" * 20_000))[0] == 431
    assert (await get(process, "", b"HEAD /livez HTTP/1.1\r\n\r\n")) == (200, "")
    status, body = await get(process, "/metrics")
    assert status == 200
    assert "huntgroup_loop_blocked_total 0.0" in body
    _, body = await get(process, "/metrics", accept="application/openmetrics-text; version=1.0.0")
    assert body.endswith("# EOF\n")


async def test_the_end_is_in_order(make_process: Any) -> None:
    process = make_process()
    steps: list[str] = []
    process._journals["routing"] = StandInServiceJournals(steps)

    begun = asyncio.Event()

    async def effects() -> None:
        begun.set()
        try:
            await asyncio.sleep(60)
        finally:
            steps.append("task cancelled")

    def closer(name: str) -> Callable[[], Any]:
        async def close() -> None:
            steps.append(f"{name} closed")

        return close

    async def broken() -> None:
        raise RuntimeError("cannot close")

    process.add_task("effects", effects)
    process.add_closer("store", closer("store"))
    process.add_closer("broken", broken)
    process.add_closer("client", closer("client"))
    await process.start()
    await asyncio.wait_for(begun.wait(), 5)
    await process.stop()
    assert steps == [
        *("journals started", "partitions handed over", "task cancelled", "journals stopped"),
        *("client closed", "store closed"),
    ]


async def test_a_task_that_fails_stops_the_process_with_code_1(make_process: Any) -> None:
    process = make_process()

    async def fail() -> None:
        await asyncio.sleep(0.05)
        raise RuntimeError("a bug")

    process.add_task("relay", fail)
    assert await asyncio.wait_for(process.run_until_stopped(), 10) == 1


async def test_a_task_may_end(make_process: Any) -> None:
    process = make_process()
    done = asyncio.Event()

    async def warm_up() -> None:
        done.set()

    process.add_task("warm-up", warm_up)
    await process.start()
    await asyncio.wait_for(done.wait(), 5)
    assert (await get(process, "/readyz"))[0] == 200


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
async def test_a_signal_stops_the_process_with_code_0(
    make_process: Any, number: signal.Signals
) -> None:
    process = make_process()

    async def ask_to_stop() -> None:
        os.kill(os.getpid(), number)

    process.add_task("signal", ask_to_stop)
    assert await asyncio.wait_for(process.run_until_stopped(), 10) == 0


async def test_a_failing_start_stops_what_had_started(make_process: Any) -> None:
    first = make_process()
    await first.start()
    with pytest.raises(SettingsError, match="HUNTGROUP_HTTP_LISTEN"):
        await make_process(http_listen=first.http_address).start()


async def test_a_collector_that_is_away_does_not_hold_up_the_end(make_process: Any) -> None:
    process = make_process(otlp_endpoint="http://127.0.0.1:1")
    await process.start()
    with process.telemetry.start_process_span("process x", ""):
        pass
    async with asyncio.timeout(8):
        await process.stop()


MAIN = """
import sys
from huntgroup_runtime.process import Process, run_service

async def wire(process: Process) -> None:
    async def tell() -> None:
        print(process.http_address, flush=True)
    process.add_task("tell", tell)

sys.exit(run_service("routing", wire))
"""


async def test_a_service_runs_from_its_environment_until_sigterm(tmp_path: Path) -> None:
    environment = {
        **os.environ,
        "HUNTGROUP_LOG_URL": f"embedded://{tmp_path}/log",
        "HUNTGROUP_GRPC_LISTEN": "127.0.0.1:0",
        "HUNTGROUP_HTTP_LISTEN": "127.0.0.1:0",
    }
    child = await asyncio.create_subprocess_exec(
        sys.executable,
        "-c",
        MAIN,
        env=environment,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    assert child.stdout is not None
    address = (await asyncio.wait_for(child.stdout.readline(), 20)).decode().strip()
    assert address.startswith("127.0.0.1:")
    child.terminate()
    _, errors = await asyncio.wait_for(child.communicate(), 20)
    assert child.returncode == 0, errors.decode()
    assert '"event": "process stopped"' in errors.decode()
