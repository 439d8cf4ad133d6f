"""Plays a day of calls against the public API: sets up queues, lets callers and agents loose, reports."""

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import grpc

from huntgroup.recording.v1 import commands_pb2 as recording_pb
from huntgroup.recording.v1.events_pb2 import RECORDING_MODE_ALL, RECORDING_MODE_OFF
from huntgroup.reporting.v1 import commands_pb2 as reporting_pb
from huntgroup.routing.v1 import commands_pb2 as routing_pb
from huntgroup.routing.v1.events_pb2 import CHANNEL_VOICE
from huntgroup_loadtest.agents import Agent
from huntgroup_loadtest.api import Api
from huntgroup_loadtest.arrivals import DAY_MS, HOUR_MS, Day
from huntgroup_loadtest.audio import Recorder
from huntgroup_loadtest.behaviour import MINUTE_MS, QUEUES, Queue
from huntgroup_loadtest.callers import Callers
from huntgroup_loadtest.switchboard import Switchboard

SETTLE_MS = 2 * MINUTE_MS
WATCH_INTERVAL_MS = 200
REOPEN_S, REOPEN_S_MAX = 0.1, 2.0

Watcher = Callable[[reporting_pb.WatchDomainResponse, float], None]
"""Called with each live view and the share of the day that is over."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Played:
    """What became of the day."""

    report: reporting_pb.GetReportResponse
    counts: Counter[str]
    acknowledged: list[tuple[str, str]]
    """(service, command id) of every command that was answered."""
    contact_id: str
    """A contact that was answered; empty when none was."""


class Player:
    """One day, one centre, one domain."""

    def __init__(self, api: Api, day: Day, *, agents: int, seed: int) -> None:
        self._api = api
        self._day = day
        switchboard = Switchboard()
        self._recorder = Recorder(api, switchboard)
        self._callers = Callers(api, switchboard, seed)
        self.agents = [
            Agent(number, api, switchboard, self._recorder, seed) for number in range(1, agents + 1)
        ]

    async def play(self, watcher: Watcher, settled: Callable[[], Awaitable[None]]) -> Played:
        """Play the day to its end, await `settled()`, report; raises what a command raises that no core refused."""
        await set_up(self._api, QUEUES)
        await self._api.timeline.until(self._day.opens_ms - MINUTE_MS)
        watching = asyncio.create_task(self._watch(watcher), name="wallboard")
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(self._callers.play(self._day), name="callers")
                for agent in self.agents:
                    group.create_task(agent.play(self._day), name=agent.agent_id)
            for failure in (one for agent in self.agents for one in agent.failures):
                raise RuntimeError(failure)
            await self._api.timeline.sleep(SETTLE_MS)
            await settled()
            report = await self._report()
        finally:
            watching.cancel()
            with suppress(asyncio.CancelledError):
                await watching
        return Played(
            report=report,
            counts=self._counts(),
            acknowledged=self._api.acknowledged,
            contact_id=self._callers.answered_id,
        )

    async def _watch(self, watcher: Watcher) -> None:
        day, timeline = self._day, self._api.timeline
        request = reporting_pb.WatchDomainRequest(
            domain=self._api.domain, interval_ms=WATCH_INTERVAL_MS
        )
        pause_s = REOPEN_S
        while True:
            # A stream ends when the domain moves to another replica, or when its replica ends: the next one goes on.
            with suppress(grpc.aio.AioRpcError):
                async for live in self._api.reporting.WatchDomain(request):
                    over = (timeline.day_ms() - day.opens_ms) / (day.closes_ms - day.opens_ms)
                    watcher(live, min(1.0, max(0.0, over)))
                    pause_s = REOPEN_S
            await asyncio.sleep(pause_s)
            pause_s = min(2 * pause_s, REOPEN_S_MAX)

    async def _report(self) -> reporting_pb.GetReportResponse:
        timeline, day = self._api.timeline, self._day
        request = reporting_pb.GetReportRequest(
            domain=self._api.domain,
            # An interval of the ledger may have begun before the day did, but divides a day.
            from_ms=max(0, timeline.at_ms(day.opens_ms - HOUR_MS) - DAY_MS),
            to_ms=timeline.at_ms(day.closes_ms + 3 * HOUR_MS),
            interval_ms=0,  # the ledger's own: an hour of a quick day may be no multiple of it
        )
        answer: Any = await self._api.query(self._api.reporting.GetReport, request)
        assert isinstance(answer, reporting_pb.GetReportResponse)
        return answer

    def _counts(self) -> Counter[str]:
        counts = self._callers.counts + self._recorder.counts
        for agent in self.agents:
            counts += agent.counts
        counts["commands"] = len(self._api.acknowledged)
        counts["refused"] = self._api.refused
        return counts


async def set_up(api: Api, queues: Sequence[Queue]) -> None:
    """Configure queues, and what is recorded of them."""
    span_ms = api.timeline.span_ms
    for queue in queues:
        configured = routing_pb.ConfigureQueueRequest(
            queue_id=queue.queue_id,
            channel=CHANNEL_VOICE,
            required_skills=queue.skills,
            ring_timeout_ms=span_ms(queue.ring_timeout_ms),
            wrap_up_timeout_ms=span_ms(queue.wrap_up_timeout_ms),
            service_level_threshold_ms=span_ms(queue.service_level_threshold_ms),
        )
        await api.command("routing", api.routing.ConfigureQueue, configured)
        policy = recording_pb.SetRecordingPolicyRequest(
            queue_id=queue.queue_id,
            mode=RECORDING_MODE_ALL if queue.recorded else RECORDING_MODE_OFF,
        )
        await api.command("recording", api.recording.SetRecordingPolicy, policy)
