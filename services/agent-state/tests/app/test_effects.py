"""Heartbeats and leases, in virtual time."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import pytest

from huntgroup_agent_state.app.effects import (
    REPORTS_AT_ONCE_MAX,
    DesktopRegistry,
    Liveness,
)
from huntgroup_agent_state.app.ports import CloseReason
from huntgroup_agent_state.core.messages import (
    AgentSignedOff,
    AgentSignedOn,
    AgentWentReady,
    Event,
    ReportDesktopSilent,
)
from huntgroup_agent_state.core.state import Agent, State
from huntgroup_agent_state.core.values import AgentId, SignOffReason
from huntgroup_eventlog.application import (
    AcceptedEvent,
    CommandOutcome,
    NotOwnerError,
    OverloadedError,
)
from huntgroup_runtime.clock import VirtualClock

DOMAIN = "acme/emea"
ADA = AgentId("ada")
START_MS = 1_000_000


class FakeDesktop:
    def __init__(self) -> None:
        self.events: list[Event] = []
        self.asked: list[tuple[int, int]] = []
        self.closed: list[CloseReason] = []

    def notice(self, event: Event) -> None:
        self.events.append(event)

    def ask(self, nonce: int, answer_within_ms: int) -> None:
        self.asked.append((nonce, answer_within_ms))

    def close(self, reason: CloseReason) -> None:
        self.closed.append(reason)


@dataclass
class FakeJournals:
    """Takes reports; `failing` of them first, and all of them only once the gate is open."""

    failing: int = 0
    gate: asyncio.Event = field(default_factory=asyncio.Event)
    reports: list[tuple[str, ReportDesktopSilent]] = field(default_factory=list)
    waiting: int = 0

    async def submit(
        self,
        domain: str,
        command_id: str,
        command: Any,
        *,
        check: int,
        traceparent: str,
        in_progress: bool = True,
    ) -> CommandOutcome:
        if self.failing:
            self.failing -= 1
            raise OverloadedError("too much")
        self.waiting += 1
        await self.gate.wait()
        self.reports.append((command_id, command))
        return CommandOutcome(command_id=command_id, position=1)

    async def query(self, domain: str, read: Callable[[Any], Any]) -> Any:
        raise NotImplementedError

    def owner_address(self, domain: str) -> str:
        return "elsewhere:1"

    def owns(self, domain: str) -> bool:
        return True

    def remembers(self, domain: str, command_id: str) -> bool:
        raise NotImplementedError

    def caught_up(self) -> bool:
        return True

    def subscribe(self, listener: Any) -> None:
        raise NotImplementedError


class WallClock(VirtualClock):
    """A clock that somebody may set; time goes on as before."""

    set_by_ms = 0

    def now_ms(self) -> int:
        return super().now_ms() + self.set_by_ms


class Watch:
    """A registry that owns the only partition, with virtual time in the hands of the test."""

    def __init__(self, lease_ms: int = 25_000) -> None:
        self.clock = WallClock(START_MS)
        self.journals = FakeJournals()
        self.journals.gate.set()
        liveness = Liveness(heartbeat_interval_ms=10_000, lease_ms=lease_ms)
        self.registry = DesktopRegistry(self.journals, self.clock, liveness, partitions=1)

    def own(self, *signed_on: AgentId) -> None:
        state = State(domain=DOMAIN, signed_on=sorted(signed_on))
        for agent_id in signed_on:
            state.agents[agent_id] = Agent(
                agent_id=agent_id, signed_on=True, signed_on_at_ms=START_MS - 1
            )
        self.registry.owned(0, {DOMAIN: state})

    def open(self, agent_id: AgentId = ADA) -> FakeDesktop:
        desktop = FakeDesktop()
        self.registry.open(DOMAIN, agent_id, desktop)
        return desktop

    def accept(self, *events: Any) -> None:
        self.registry.accepted(0, [accepted(event) for event in events])

    async def to(self, elapsed_ms: int) -> None:
        """Let time go on to so many ms after the start, and everything due on the way happen."""
        arriving = asyncio.create_task(self.clock.sleep_until(START_MS + elapsed_ms))
        while self.clock.elapsed_ms() < START_MS + elapsed_ms:
            await settle()
            self.clock.jump()
        await settle()
        assert arriving.done()

    def reports(self) -> list[ReportDesktopSilent]:
        return [command for _, command in self.journals.reports]


async def settle() -> None:
    for _ in range(5):
        await asyncio.sleep(0)


def accepted(event: Event) -> AcceptedEvent:
    return AcceptedEvent(
        domain=DOMAIN,
        event=event,
        type="",
        payload=b"",
        at_ms=event.at_ms,
        sequence=1,
        event_id="",
        position=1,
        traceparent="",
        causation_id="",
    )


def signed_on(agent_id: AgentId = ADA) -> AgentSignedOn:
    return AgentSignedOn(at_ms=START_MS, agent_id=agent_id, skills=(), capacity=())


def signed_off(agent_id: AgentId = ADA) -> AgentSignedOff:
    return AgentSignedOff(at_ms=START_MS, agent_id=agent_id, reason=SignOffReason.BY_AGENT)


async def test_a_desktop_is_asked_at_each_interval_and_told_how_long_it_has() -> None:
    watch = Watch()
    watch.own()
    desktop = watch.open()
    await watch.to(9_999)
    assert desktop.asked == []
    await watch.to(10_000)
    assert desktop.asked == [(1, 15_000)]
    watch.registry.heard(DOMAIN, ADA, desktop, 1)
    await watch.to(20_000)
    assert desktop.asked == [(1, 15_000), (2, 15_000)]


@pytest.mark.parametrize("set_by_ms", [-3_600_000, 3_600_000])
async def test_a_clock_that_is_set_changes_no_lease(set_by_ms: int) -> None:
    watch = Watch()
    watch.own(ADA)
    desktop = watch.open()
    await watch.to(10_000)
    watch.clock.set_by_ms = set_by_ms
    await watch.to(24_999)
    assert desktop.closed == []
    await watch.to(25_000)
    assert desktop.closed == [CloseReason.DESKTOP_SILENT]
    assert [report.agent_id for report in watch.reports()] == [ADA]


async def test_who_answers_is_never_silent() -> None:
    watch = Watch()
    watch.own()
    watch.accept(signed_on())
    desktop = watch.open()
    for n in range(1, 21):
        await watch.to(n * 10_000 + 14_000)
        watch.registry.heard(DOMAIN, ADA, desktop, n)
    assert desktop.closed == []
    assert watch.reports() == []


async def test_who_does_not_answer_within_the_lease_is_closed_and_reported() -> None:
    watch = Watch()
    watch.own()
    watch.accept(signed_on())
    desktop = watch.open()
    await watch.to(24_999)
    assert desktop.closed == []
    await watch.to(25_000)
    assert desktop.closed == [CloseReason.DESKTOP_SILENT]
    assert watch.reports() == [ReportDesktopSilent(agent_id=ADA, signed_on_at_ms=START_MS)]
    watch.accept(signed_off())
    await watch.to(100_000)
    assert len(watch.reports()) == 1


@pytest.mark.parametrize("nonces", [[0], [2], [-1, 7]])
async def test_only_the_answer_that_was_asked_for_counts(nonces: list[int]) -> None:
    watch = Watch()
    watch.own()
    desktop = watch.open()
    await watch.to(10_000)
    for nonce in nonces:
        watch.registry.heard(DOMAIN, ADA, desktop, nonce)
    await watch.to(25_000)
    assert desktop.closed == [CloseReason.DESKTOP_SILENT]


async def test_an_answer_counts_once() -> None:
    watch = Watch()
    watch.own()
    desktop = watch.open()
    await watch.to(10_000)
    watch.registry.heard(DOMAIN, ADA, desktop, 1)
    await watch.to(19_000)
    watch.registry.heard(DOMAIN, ADA, desktop, 1)
    await watch.to(35_000)
    assert desktop.closed == [CloseReason.DESKTOP_SILENT]


async def test_who_signs_on_without_any_desktop_is_silent_too() -> None:
    watch = Watch()
    watch.own()
    watch.accept(signed_on())
    await watch.to(25_000)
    assert len(watch.reports()) == 1


async def test_who_signs_off_in_time_is_not_reported() -> None:
    watch = Watch()
    watch.own()
    watch.accept(signed_on())
    await watch.to(20_000)
    watch.accept(signed_off())
    await watch.to(60_000)
    assert watch.reports() == []


async def test_a_desktop_that_is_gone_leaves_its_agent_the_rest_of_the_lease() -> None:
    watch = Watch()
    watch.own()
    watch.accept(signed_on())
    await watch.to(5_000)
    desktop = watch.open()
    await watch.to(12_000)
    watch.registry.closed(DOMAIN, ADA, desktop)
    await watch.to(29_999)
    assert watch.reports() == []
    await watch.to(30_000)
    assert len(watch.reports()) == 1
    assert desktop.asked == []


async def test_leases_begin_anew_when_the_partition_becomes_owned() -> None:
    watch = Watch()
    watch.own(ADA)
    await watch.to(20_000)
    watch.registry.lost(0)
    watch.own(ADA)
    await watch.to(44_999)
    assert watch.reports() == []
    await watch.to(45_000)
    assert watch.reports() == [ReportDesktopSilent(agent_id=ADA, signed_on_at_ms=START_MS - 1)]


async def test_a_lost_partition_closes_its_desktops_and_watches_nobody() -> None:
    watch = Watch()
    watch.own(ADA)
    desktop = watch.open()
    watch.registry.lost(0)
    assert desktop.closed == [CloseReason.OWNER_MOVED]
    await watch.to(60_000)
    assert watch.reports() == []
    with pytest.raises(NotOwnerError, match="elsewhere:1"):
        watch.open()


async def test_a_second_desktop_closes_the_first_and_is_the_one_that_counts() -> None:
    watch = Watch()
    watch.own(ADA)
    first, second = watch.open(), watch.open()
    assert (first.closed, second.closed) == ([CloseReason.REPLACED], [])
    watch.registry.closed(DOMAIN, ADA, first)
    await watch.to(10_000)
    assert (first.asked, second.asked) == ([], [(1, 15_000)])
    watch.registry.heard(DOMAIN, ADA, first, 1)
    await watch.to(25_000)
    assert second.closed == [CloseReason.DESKTOP_SILENT]


async def test_events_reach_the_desktop_of_their_agent_only() -> None:
    watch = Watch()
    watch.own()
    desktop = watch.open()
    ready = AgentWentReady(at_ms=START_MS, agent_id=ADA)
    watch.accept(ready, AgentWentReady(at_ms=START_MS, agent_id=AgentId("bob")))
    assert desktop.events == [ready]


async def test_a_report_without_effect_is_repeated_under_the_same_id() -> None:
    watch = Watch()
    watch.journals.failing = 2
    watch.own(ADA)
    await watch.to(44_999)
    assert watch.reports() == []
    await watch.to(55_000)
    ids = [command_id for command_id, _ in watch.journals.reports]
    assert ids == ["desktop-silent.ada.999999"] * 2


async def test_who_is_heard_again_before_the_report_goes_out_is_not_reported() -> None:
    watch = Watch()
    watch.journals.failing = 1
    watch.own(ADA)
    await watch.to(25_000)
    desktop = watch.open()
    await watch.to(49_999)
    assert (watch.reports(), desktop.closed) == ([], [])


async def test_without_a_lease_nobody_is_silent_but_desktops_are_asked() -> None:
    watch = Watch(lease_ms=0)
    watch.own(ADA)
    desktop = watch.open()
    await watch.to(100_000)
    assert desktop.closed == []
    assert watch.reports() == []
    assert desktop.asked[:2] == [(1, 10_000), (2, 10_000)]


async def test_ten_thousand_agents_share_one_timer_and_are_reported_some_at_a_time() -> None:
    watch = Watch()
    watch.journals.gate.clear()
    before = len(asyncio.all_tasks())
    watch.own(*(AgentId(f"a{n:05}") for n in range(10_000)))
    assert len(asyncio.all_tasks()) == before + 1
    await watch.to(25_000)
    assert watch.journals.waiting == REPORTS_AT_ONCE_MAX
    watch.journals.gate.set()
    while len(watch.journals.reports) < 10_000:
        await settle()
    assert len({command.agent_id for command in watch.reports()}) == 10_000
