"""The day's report: the ledger's own rows by hour of the day, and a wallboard that outlives its streams."""

import asyncio
from collections.abc import AsyncIterator
from datetime import date
from types import SimpleNamespace
from typing import Any

import grpc
import pytest

from huntgroup.reporting.v1 import commands_pb2 as pb
from huntgroup_loadtest import play
from huntgroup_loadtest.arrivals import HOUR_MS, Day
from huntgroup_loadtest.play import Player
from huntgroup_loadtest.report import day_report
from huntgroup_loadtest.timeline import Timeline
from huntgroup_runtime.clock import Activity, SystemClock

INTERVAL_MS = 4_500


def timeline(start_ms: int = 1_000 * INTERVAL_MS, speed: float = 200.0) -> Timeline:
    return Timeline(
        clock=SystemClock(),
        activity=Activity(),
        start_ms=start_ms,
        opens_ms=7 * HOUR_MS,
        speed=speed,
    )


def queue_row(start_ms: int, offered: int) -> pb.QueueInterval:
    return pb.QueueInterval(queue_id="sales", interval_start_ms=start_ms, offered=offered)


def test_quarters_of_a_quick_day_are_added_up_by_hour() -> None:
    """Each of the four quarters counts in its own hour: the second half does not go to the next one."""
    day = timeline()
    rows = [queue_row(day.start_ms + n * INTERVAL_MS, offered=10**n) for n in range(5)]
    agents = [
        pb.AgentsInterval(interval_start_ms=day.start_ms + n * INTERVAL_MS, talking_ms=1, idle_ms=3)
        for n in range(5)
    ]
    report = day_report(pb.GetReportResponse(queues=rows, agents=agents), day)
    assert [(row.name, row.sums["offered"]) for row in report.hours] == [
        ("07:00", 1_111),
        ("08:00", 10_000),
    ]
    assert report.total.sums["offered"] == 11_111
    assert [row.handling_ms for row in report.hours] == [800, 200]
    assert report.total.occupancy == 0.25


def test_what_was_before_the_day_opens_is_in_the_hour_before() -> None:
    day = timeline()
    report = day_report(pb.GetReportResponse(queues=[queue_row(day.start_ms - 1, 1)]), day)
    assert [row.name for row in report.hours] == ["06:00"]


class Wires:
    """WatchDomain as a cluster in trouble gives it: each stream shows one view, then ends as it is told."""

    def __init__(self, *ends: Exception | None) -> None:
        self.ends = list(ends)
        self.opened = 0

    async def WatchDomain(self, request: Any) -> AsyncIterator[pb.WatchDomainResponse]:
        self.opened += 1
        yield pb.WatchDomainResponse(events=self.opened)
        if not self.ends:
            await asyncio.Event().wait()
        end = self.ends.pop(0)
        if end is not None:
            raise end


async def test_the_wallboard_goes_on_after_its_stream_ended(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(play, "REOPEN_S", 0.001)
    nothing = grpc.aio.Metadata()
    wires = Wires(
        grpc.aio.AioRpcError(grpc.StatusCode.UNAVAILABLE, nothing, nothing),
        None,
        grpc.aio.AioRpcError(grpc.StatusCode.INTERNAL, nothing, nothing),
    )
    api: Any = SimpleNamespace(domain="demo/bank", timeline=timeline(), reporting=wires)
    day = Day(date=date(1999, 9, 6), arrivals_ms=[7 * HOUR_MS])
    seen: asyncio.Queue[int] = asyncio.Queue()
    player = Player(api, day, agents=1, seed=1)
    watching = asyncio.create_task(player._watch(lambda live, over: seen.put_nowait(live.events)))
    assert [await asyncio.wait_for(seen.get(), 5) for _ in range(4)] == [1, 2, 3, 4]
    assert not watching.done()
    watching.cancel()
    await asyncio.gather(watching, return_exceptions=True)
