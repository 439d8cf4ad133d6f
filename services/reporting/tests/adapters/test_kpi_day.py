"""A small known day (`Teller.known_day`), and every figure of it computed by hand.

The same day is written out in docs/reference/kpi.md.
"""

from typing import TYPE_CHECKING, Any

import pytest

from huntgroup.reporting.v1.commands_pb2 import AgentsInterval, GetReportResponse, QueueInterval

if TYPE_CHECKING:
    from services.reporting.tests.adapters.conftest import House, Teller

QUARTER_MS = 900_000


def queue_row(start_ms: int, **fields: Any) -> QueueInterval:
    return QueueInterval(queue_id="sales", interval_start_ms=start_ms, **fields)


def seconds(start_ms: int, occupancy: float, **times: int) -> AgentsInterval:
    fields: dict[str, Any] = {f"{name}_ms": time * 1_000 for name, time in times.items()}
    return AgentsInterval(interval_start_ms=start_ms, occupancy=occupancy, **fields)


def first_quarter(start_ms: int) -> QueueInterval:
    return queue_row(
        start_ms,
        offered=3,  # A, B, C
        answered=2,  # A after 5 s, B after 30 s
        answered_within_threshold=1,  # A
        answered_wait_ms=35_000,
        abandoned=1,  # C after 10 s, counted where it was queued
        abandoned_within_threshold=1,
        abandoned_wait_ms=10_000,
        wait_ms_max=30_000,
        handled=1,  # A
        talk_ms=150_000,
        hold_ms=30_000,
        wrap_up_ms=60_000,
        offers_accepted=2,
        offers_expired=1,
        service_level=1 / 2,  # A ÷ (A, B); C gave up in time
        asa_ms=17_500,
        aht_ms=240_000,
        abandonment=1 / 3,
    )


def second_quarter(start_ms: int) -> QueueInterval:
    return queue_row(
        start_ms,
        offered=3,  # D, E, F
        answered=1,  # F after exactly 20 s
        answered_within_threshold=1,
        answered_wait_ms=20_000,
        abandoned=2,  # D after 40 s, E after 25 s
        abandoned_wait_ms=65_000,
        wait_ms_max=40_000,
        handled=1,  # B, whose wrap-up ended here
        talk_ms=180_000,
        wrap_up_ms=60_000,
        offers_accepted=1,
        offers_rejected=1,
        offers_canceled=1,
        offers_rescinded=1,
        service_level=1 / 3,  # F ÷ (F, D, E)
        asa_ms=20_000,
        aht_ms=240_000,
        abandonment=2 / 3,
    )


def third_quarter(start_ms: int) -> QueueInterval:
    return queue_row(start_ms, handled=1, talk_ms=300_000, wrap_up_ms=50_000, aht_ms=350_000)


def whole_day(start_ms: int) -> QueueInterval:
    return queue_row(
        start_ms,
        offered=6,
        answered=3,
        answered_within_threshold=2,
        answered_wait_ms=55_000,
        abandoned=3,
        abandoned_within_threshold=1,
        abandoned_wait_ms=75_000,
        wait_ms_max=40_000,
        handled=3,
        talk_ms=630_000,
        hold_ms=30_000,
        wrap_up_ms=170_000,
        offers_accepted=3,
        offers_rejected=1,
        offers_expired=1,
        offers_canceled=1,
        offers_rescinded=1,
        service_level=2 / 5,  # A, F ÷ (A, B, F, D, E)
        asa_ms=55_000 / 3,
        aht_ms=830_000 / 3,
        abandonment=3 / 6,
    )


def by_hand(nine_ms: int) -> GetReportResponse:
    first, second, third = (nine_ms + number * QUARTER_MS for number in range(3))
    return GetReportResponse(
        queues=[first_quarter(first), second_quarter(second), third_quarter(third)],
        agents=[
            seconds(
                first, 330 / 885, idle=555, ringing=35, talking=270, wrapping_up=60, not_ready=280
            ),
            seconds(
                second, 440 / 975, idle=535, ringing=55, talking=380, wrapping_up=60, not_ready=470
            ),
            seconds(third, 1.0, talking=10, wrapping_up=50, not_ready=240),
        ],
        totals=[whole_day(first)],
        agents_total=seconds(
            first, 830 / 1_920, idle=1_090, ringing=90, talking=660, wrapping_up=170, not_ready=990
        ),
        interval_ms=QUARTER_MS,
    )


async def test_every_figure_of_a_known_day_is_what_the_hand_computes(
    house: "House", teller: "type[Teller]"
) -> None:
    await teller(house).known_day()
    report = await house.report(0, 3_600_000)
    assert [source.service for source in report.sources] == ["session", "agent-state", "routing"]
    assert all(source.position > 0 for source in report.sources)
    report.ClearField("sources")
    assert report == by_hand(house.NINE_MS)


async def test_wider_rows_add_up(house: "House", teller: "type[Teller]") -> None:
    await teller(house).known_day()
    report = await house.report(0, 3_600_000, interval_ms=3_600_000)
    expected = by_hand(house.NINE_MS)
    assert list(report.queues) == list(expected.totals)
    assert list(report.agents) == [expected.agents_total]


async def test_agents_who_stay_as_they_are_appear_at_every_border(
    house: "House", teller: "type[Teller]"
) -> None:
    tell = teller(house)
    await (await tell.at(0)).sign_on("grace")
    await tell.ready("grace")
    await tell.at(1_801)
    report = await house.report(0, 3_600_000)
    assert [row.idle_ms for row in report.agents] == [QUARTER_MS, QUARTER_MS]


def test_the_hand_made_figures_are_consistent() -> None:
    report = by_hand(0)
    total = report.agents_total
    times = ("idle_ms", "ringing_ms", "talking_ms", "wrapping_up_ms", "not_ready_ms")
    for name in times:
        assert sum(getattr(row, name) for row in report.agents) == getattr(total, name)
    signed_on_s = 2_100 + 900  # Grace, Alan
    assert sum(getattr(total, name) for name in times) == signed_on_s * 1_000
    assert total.occupancy == pytest.approx(0.4323, abs=1e-4)
