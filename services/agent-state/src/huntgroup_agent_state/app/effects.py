"""Who is still there: heartbeats of desktops, and the end of the lease of those that are silent.

Nothing of it is in the journal except its one consequence, `ReportDesktopSilent`. When a partition becomes owned here,
every lease begins anew: what another replica had heard is not known.
"""

import asyncio
import heapq
import itertools
import zlib
from collections import deque
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from typing import Any

import structlog

from huntgroup_agent_state.app.ports import CloseReason, Desktop
from huntgroup_agent_state.core.messages import AgentSignedOff, AgentSignedOn, ReportDesktopSilent
from huntgroup_agent_state.core.values import AgentId
from huntgroup_eventlog.application import (
    AcceptedEvent,
    NotOwnerError,
    OutcomeUnknownError,
    OverloadedError,
    PartitionHaltedError,
)
from huntgroup_eventlog.partitioning import partition_of
from huntgroup_runtime.clock import Clock
from huntgroup_runtime.ports import Journals

REPORTS_AT_ONCE_MAX = 100
"""How many silent desktops of a partition are reported together; the rest waits."""

_log = structlog.stdlib.get_logger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Liveness:
    """How desktops are watched."""

    heartbeat_interval_ms: int
    lease_ms: int
    """0: nobody is ever taken for silent."""


@dataclass(slots=True, kw_only=True, eq=False)
class _Watched:
    """One agent who is signed on or has a desktop open."""

    domain: str
    agent_id: AgentId
    heard_ms: int
    """By the clock's elapsed time, which nobody sets, like the moments below."""
    signed_on_at_ms: int | None = None
    """By the log."""
    desktop: Desktop | None = None
    asked: int = 0
    answered: int = 0
    ask_at_ms: int = 0
    report_at_ms: int = 0
    """When a report that had no effect is repeated."""
    due_ms: int | None = None
    """When it is looked at next; entries of the heap with another time are void."""


class DesktopRegistry:
    """All watched agents of the partitions that are owned here; a `Listener` of the service's journal."""

    def __init__(
        self, journals: Journals, clock: Clock, liveness: Liveness, *, partitions: int
    ) -> None:
        self._journals = journals
        self._clock = clock
        self._liveness = liveness
        self._partitions = partitions
        self._owned: dict[int, _Partition] = {}

    def owned(self, partition: int, states: dict[str, Any]) -> None:
        """Begin the lease of everybody who is signed on."""
        watching = _Partition(self._journals, self._clock, self._liveness)
        self._owned[partition] = watching
        for domain, state in states.items():
            for agent_id in state.signed_on:
                watching.signed_on(domain, agent_id, state.agents[agent_id].signed_on_at_ms)

    def accepted(self, partition: int, events: list[AcceptedEvent]) -> None:
        """Pass events on to the desktops they concern; begin and end leases."""
        watching = self._owned[partition]
        for accepted in events:
            event = accepted.event
            if isinstance(event, AgentSignedOn):
                watching.signed_on(accepted.domain, event.agent_id, event.at_ms)
            watching.notice(accepted.domain, event)
            if isinstance(event, AgentSignedOff):
                watching.signed_off(accepted.domain, event.agent_id)

    def lost(self, partition: int) -> None:
        """End the streams of a partition that is served elsewhere now."""
        watching = self._owned.pop(partition, None)
        if watching is not None:
            watching.end()

    def open(self, domain: str, agent_id: AgentId, desktop: Desktop) -> None:
        """Watch a desktop that opened; another one of the same agent is closed. Raises `NotOwnerError`."""
        watching = self._watching(domain)
        if watching is None:
            raise NotOwnerError(self._journals.owner_address(domain))
        watching.open(domain, agent_id, desktop)

    def heard(self, domain: str, agent_id: AgentId, desktop: Desktop, nonce: int) -> None:
        """Note the answer to a heartbeat; one that was not asked for, or is answered already, counts for nothing."""
        watching = self._watching(domain)
        if watching is not None:
            watching.heard(domain, agent_id, desktop, nonce)

    def closed(self, domain: str, agent_id: AgentId, desktop: Desktop) -> None:
        """Note that a desktop's stream ended; the agent's lease goes on."""
        watching = self._watching(domain)
        if watching is not None:
            watching.closed(domain, agent_id, desktop)

    def _watching(self, domain: str) -> "_Partition | None":
        return self._owned.get(partition_of(domain, self._partitions))


class _Partition:
    """The watched agents of one partition, with one timer for all of them."""

    def __init__(self, journals: Journals, clock: Clock, liveness: Liveness) -> None:
        self._journals = journals
        self._clock = clock
        self._interval_ms = liveness.heartbeat_interval_ms
        self._lease_ms = liveness.lease_ms
        self._watched: dict[tuple[str, AgentId], _Watched] = {}
        self._heap: list[tuple[int, int, _Watched]] = []
        self._ties = itertools.count()
        self._timer = _Restartable(self._keep_time)
        self._timer_ms: int | None = None
        self._silent: deque[_Watched] = deque()
        self._reporter = _Restartable(self._report_all)

    def signed_on(self, domain: str, agent_id: AgentId, at_ms: int) -> None:
        watched = self._watch(domain, agent_id)
        watched.signed_on_at_ms = at_ms
        self._schedule(watched)

    def signed_off(self, domain: str, agent_id: AgentId) -> None:
        watched = self._watched.get((domain, agent_id))
        if watched is not None:
            watched.signed_on_at_ms = None
            self._forget_idle(watched)

    def notice(self, domain: str, event: Any) -> None:
        watched = self._watched.get((domain, event.agent_id))
        if watched is not None and watched.desktop is not None:
            watched.desktop.notice(event)

    def open(self, domain: str, agent_id: AgentId, desktop: Desktop) -> None:
        watched = self._watch(domain, agent_id)
        if watched.desktop is not None:
            watched.desktop.close(CloseReason.REPLACED)
        watched.desktop = desktop
        watched.asked = watched.answered = 0
        watched.ask_at_ms = watched.heard_ms + self._interval_ms
        self._schedule(watched)

    def heard(self, domain: str, agent_id: AgentId, desktop: Desktop, nonce: int) -> None:
        watched = self._watched.get((domain, agent_id))
        if watched is None or watched.desktop is not desktop:
            return
        if watched.answered < nonce <= watched.asked:
            watched.answered = nonce
            # The heap is left alone: when the old end of the lease comes, the new one is seen.
            watched.heard_ms = self._clock.elapsed_ms()

    def closed(self, domain: str, agent_id: AgentId, desktop: Desktop) -> None:
        watched = self._watched.get((domain, agent_id))
        if watched is not None and watched.desktop is desktop:
            watched.desktop = None
            self._forget_idle(watched)

    def end(self) -> None:
        self._timer.stop()
        self._reporter.stop()
        for watched in self._watched.values():
            if watched.desktop is not None:
                watched.desktop.close(CloseReason.OWNER_MOVED)
        self._watched.clear()

    def _watch(self, domain: str, agent_id: AgentId) -> _Watched:
        """Return the agent's entry, heard of just now."""
        now_ms = self._clock.elapsed_ms()
        watched = self._watched.get((domain, agent_id))
        if watched is None:
            watched = _Watched(domain=domain, agent_id=agent_id, heard_ms=now_ms)
            self._watched[domain, agent_id] = watched
        watched.heard_ms = now_ms
        watched.report_at_ms = 0
        return watched

    def _forget_idle(self, watched: _Watched) -> None:
        if watched.signed_on_at_ms is None and watched.desktop is None:
            watched.due_ms = None
            self._watched.pop((watched.domain, watched.agent_id), None)

    # Time.

    def _schedule(self, watched: _Watched) -> None:
        """See that the agent is looked at when something is due, and that the timer knows."""
        moments = []
        if watched.desktop is not None:
            moments.append(watched.ask_at_ms)
        if self._lease_ms:
            moments.append(max(watched.heard_ms + self._lease_ms, watched.report_at_ms))
        due_ms = min(moments, default=None)
        if due_ms is None or due_ms == watched.due_ms:
            return
        watched.due_ms = due_ms
        heapq.heappush(self._heap, (due_ms, next(self._ties), watched))
        if self._timer_ms is None or due_ms < self._timer_ms:
            self._timer_ms = due_ms
            self._timer.start()

    async def _keep_time(self) -> None:
        while self._heap:
            self._timer_ms = self._heap[0][0]
            await self._clock.sleep(max(0, self._timer_ms - self._clock.elapsed_ms()))
            self._look_at_due(self._clock.elapsed_ms())
        self._timer_ms = None

    def _look_at_due(self, now_ms: int) -> None:
        while self._heap and self._heap[0][0] <= now_ms:
            due_ms, _, watched = heapq.heappop(self._heap)
            if watched.due_ms != due_ms:
                continue
            watched.due_ms = None
            # Not the timer again: it is awake.
            self._timer_ms = now_ms
            if self._is_silent(watched, now_ms):
                self._end_lease(watched, now_ms)
            elif watched.desktop is not None and watched.ask_at_ms <= now_ms:
                self._ask(watched, watched.desktop, now_ms)
            if (watched.domain, watched.agent_id) in self._watched:
                self._schedule(watched)

    def _is_silent(self, watched: _Watched, now_ms: int) -> bool:
        return self._lease_ms > 0 and now_ms >= watched.heard_ms + self._lease_ms

    def _ask(self, watched: _Watched, desktop: Desktop, now_ms: int) -> None:
        watched.asked += 1
        watched.ask_at_ms = now_ms + self._interval_ms
        left_ms = watched.heard_ms + self._lease_ms - now_ms
        desktop.ask(watched.asked, left_ms if self._lease_ms else self._interval_ms)

    def _end_lease(self, watched: _Watched, now_ms: int) -> None:
        if watched.desktop is not None:
            watched.desktop.close(CloseReason.DESKTOP_SILENT)
            watched.desktop = None
        self._forget_idle(watched)
        if watched.signed_on_at_ms is not None:
            watched.report_at_ms = now_ms + self._interval_ms
            self._silent.append(watched)
            self._reporter.start_if_idle()

    # Reports.

    async def _report_all(self) -> None:
        while self._silent:
            count = min(len(self._silent), REPORTS_AT_ONCE_MAX)
            batch = [self._silent.popleft() for _ in range(count)]
            await asyncio.gather(*(self._report(watched) for watched in batch))

    async def _report(self, watched: _Watched) -> None:
        at_ms = watched.signed_on_at_ms
        if at_ms is None or not self._is_silent(watched, self._clock.elapsed_ms()):
            return
        # The same id each time: once for every time of being signed on, however often it is repeated.
        command_id = f"desktop-silent.{watched.agent_id}.{at_ms}"
        try:
            await self._journals.submit(
                watched.domain,
                command_id,
                ReportDesktopSilent(agent_id=watched.agent_id, signed_on_at_ms=at_ms),
                check=zlib.crc32(command_id.encode()),
                traceparent="",
            )
        except (OverloadedError, NotOwnerError, OutcomeUnknownError, PartitionHaltedError) as error:
            _log.warning("silent desktop not reported", domain=watched.domain, error=str(error))


class _Restartable:
    """One task at most, which can be started over; that it failed is logged."""

    def __init__(self, run: Callable[[], Coroutine[Any, Any, None]]) -> None:
        self._run = run
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        self.stop()
        self._task = asyncio.create_task(self._run())
        self._task.add_done_callback(_log_failure)

    def start_if_idle(self) -> None:
        if self._task is None or self._task.done():
            self.start()

    def stop(self) -> None:
        if self._task is not None:
            self._task.cancel()
            self._task = None


def _log_failure(task: asyncio.Task[None]) -> None:
    if not task.cancelled() and (error := task.exception()) is not None:
        _log.critical("desktops are not watched any more", exc_info=error)
