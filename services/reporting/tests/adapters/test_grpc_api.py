"""Reports and live views by real gRPC, over real journals."""

import asyncio
from contextlib import aclosing
from dataclasses import replace
from importlib import import_module
from typing import TYPE_CHECKING

import grpc
import pytest
from structlog.testing import capture_logs

from huntgroup_eventlog.partitioning import partition_of
from huntgroup_reporting.adapters.ledger import SqlHistory
from huntgroup_reporting.app.ports import LedgerChanges
from huntgroup_reporting.core.state import QueueCounts
from huntgroup_reporting.telemetry import LEDGER_AHEAD, LEDGER_OF_ANOTHER
from huntgroup_runtime.rpc.errors import RpcRefusedError

if TYPE_CHECKING:
    from pathlib import Path

    from services.reporting.tests.adapters.conftest import House, Houses, Teller

QUARTER_MS = 900_000
HOUR_MS = 3_600_000

evolving = import_module("huntgroup_reporting.core.evolve")


@pytest.mark.parametrize(
    ("from_ms", "to_ms", "fields", "reason"),
    [
        (0, 0, {}, "SPAN_EMPTY"),
        (5, 4, {}, "SPAN_EMPTY"),
        (0, 1, {"interval_ms": QUARTER_MS + 1}, "INTERVAL_NOT_MULTIPLE"),
        (0, 1, {"interval_ms": 60_000}, "INTERVAL_NOT_MULTIPLE"),
        (0, 1, {"queue_id": "no queue"}, "INVALID_REQUEST"),
        (0, 1, {"domain": ""}, "INVALID_REQUEST"),
        (0, 1, {"domain": "NoDomain"}, "INVALID_REQUEST"),
    ],
)
async def test_a_report_that_makes_no_sense_is_refused(
    house: "House", from_ms: int, to_ms: int, fields: dict[str, object], reason: str
) -> None:
    with pytest.raises(RpcRefusedError) as refused:
        await house.report(from_ms, to_ms, **fields)
    assert refused.value.status is grpc.StatusCode.INVALID_ARGUMENT
    assert refused.value.reason == reason
    assert refused.value.detail


async def test_a_domain_in_which_nothing_happened_has_an_empty_report(house: "House") -> None:
    report = await house.report(0, HOUR_MS, domain="no/body")
    assert not report.queues
    assert not report.agents
    assert report.interval_ms == QUARTER_MS


async def test_a_report_of_one_queue_leaves_out_the_others(
    house: "House", teller: "type[Teller]"
) -> None:
    await teller(house).known_day()
    assert not (await house.report(0, HOUR_MS, queue_id="support")).queues
    assert len((await house.report(0, HOUR_MS, queue_id="sales")).queues) == 3
    middle = await house.report(QUARTER_MS, 2 * QUARTER_MS)
    assert [row.offered for row in middle.queues] == [3]


async def test_a_report_with_too_many_rows_is_refused(
    house: "House", teller: "type[Teller]", monkeypatch: pytest.MonkeyPatch
) -> None:
    await teller(house).known_day()
    monkeypatch.setattr("huntgroup_reporting.app.queries.ROWS_MAX", 5)
    with pytest.raises(RpcRefusedError, match="shorter span") as refused:
        await house.report(0, HOUR_MS)
    assert refused.value.reason == "ROWS_TOO_MANY"
    assert (await house.report(0, QUARTER_MS)).queues


@pytest.mark.parametrize("kept", [1, 2, 3])
async def test_intervals_the_state_dropped_come_from_the_database(
    house: "House", teller: "type[Teller]", monkeypatch: pytest.MonkeyPatch, kept: int
) -> None:
    monkeypatch.setattr(evolving, "INTERVALS_MAX", kept)
    await teller(house).known_day()
    dropped = await house.report(0, HOUR_MS)
    wide = await house.report(0, HOUR_MS, interval_ms=HOUR_MS)
    assert [row.offered for row in dropped.queues] == [3, 3, 0]
    assert [row.idle_ms for row in dropped.agents] == [555_000, 535_000, 0]
    assert dropped.totals == wide.queues
    assert wide.queues[0].wait_ms_max == 40_000


async def test_a_restart_changes_no_number(houses: "Houses", teller: "type[Teller]") -> None:
    async with houses() as house:
        await teller(house).known_day()
        before = await house.report(0, HOUR_MS)
    async with houses() as house:
        after = await house.report(0, HOUR_MS)
    assert after.queues == before.queues
    assert after.agents == before.agents


async def test_a_lost_database_is_filled_again_from_the_journal(
    houses: "Houses", teller: "type[Teller]", monkeypatch: pytest.MonkeyPatch, tmp_path: "Path"
) -> None:
    monkeypatch.setattr(evolving, "INTERVALS_MAX", 1)
    url = f"sqlite:///{tmp_path}/ledger.sqlite"
    monkeypatch.setenv("HUNTGROUP_REPORTING_DATABASE_URL", url)
    async with houses() as house:
        await teller(house).known_day()
        before = await house.report(0, HOUR_MS)
    async with houses() as house:
        assert (await house.report(0, HOUR_MS)).queues == before.queues
    lose(tmp_path)
    async with houses() as house:
        assert (await house.report(0, HOUR_MS)).queues == before.queues


async def test_a_database_that_is_ahead_of_its_journal_is_told_of_once_and_filled_again(
    houses: "Houses", teller: "type[Teller]", monkeypatch: pytest.MonkeyPatch, tmp_path: "Path"
) -> None:
    monkeypatch.setattr(evolving, "INTERVALS_MAX", 1)
    url = f"sqlite:///{tmp_path}/ledger.sqlite"
    monkeypatch.setenv("HUNTGROUP_REPORTING_DATABASE_URL", url)
    async with houses() as house:
        await teller(house).known_day()
        before = await house.report(0, HOUR_MS)
        at_ms, partition = house.NINE_MS, partition_of("acme/emea", 2)
    history = SqlHistory.from_url(url)
    cursor = await history.cursor(partition)
    lost = LedgerChanges(queues={("acme/emea", at_ms, "sales"): QueueCounts(offered=100)})
    await history.add(partition, lost, cursor, replace(cursor, position=cursor.position + 1_000))
    await history.close()
    with capture_logs() as logs:
        async with houses() as house:
            assert (await house.report(0, HOUR_MS)).queues == before.queues
    (told,) = [log for log in logs if log["event"] == LEDGER_AHEAD]
    assert (told["log_level"], told["partition"]) == ("error", partition)
    assert told["database"] > told["journal"]


async def test_a_database_of_a_log_that_was_replaced_by_a_longer_one_is_told_of_and_filled_again(
    houses: "Houses",
    houses_of_another_log: "Houses",
    teller: "type[Teller]",
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: "Path",
) -> None:
    monkeypatch.setattr(evolving, "INTERVALS_MAX", 1)
    async with houses_of_another_log() as house:
        await teller(house).known_day()
        of_another = await house.report(0, HOUR_MS)
    url = f"sqlite:///{tmp_path}/ledger.sqlite"
    monkeypatch.setenv("HUNTGROUP_REPORTING_DATABASE_URL", url)
    async with houses() as house:
        tell = await teller(house).at(0)
        await tell.queued("before")
        await (await tell.at(1_000)).queued("later")
        before = await house.report(0, HOUR_MS)
        assert [row.offered for row in before.queues] == [1, 1]
    with capture_logs() as logs:
        async with houses_of_another_log() as house:
            assert (await house.report(0, HOUR_MS)).queues == of_another.queues
    (told,) = [log for log in logs if log["event"] == LEDGER_OF_ANOTHER]
    assert (told["log_level"], told["partition"]) == ("error", partition_of("acme/emea", 2))
    assert told["database"] < told["journal"], "the other log is longer"
    with capture_logs() as logs:
        async with houses_of_another_log() as house:
            assert (await house.report(0, HOUR_MS)).queues == of_another.queues
    assert not [log for log in logs if log["event"] == LEDGER_OF_ANOTHER], "now it is its copy"


def lose(folder: "Path") -> None:
    for file in folder.glob("ledger.sqlite*"):
        file.unlink()


async def test_old_intervals_are_unavailable_while_the_database_is_and_new_ones_are_not(
    house: "House", teller: "type[Teller]", monkeypatch: pytest.MonkeyPatch, tmp_path: "Path"
) -> None:
    monkeypatch.setattr(evolving, "INTERVALS_MAX", 1)
    monkeypatch.setattr("huntgroup_reporting.adapters.grpc_api.HISTORY_WAIT_S", 0.3)

    async def no_database(*_: object) -> None:
        await asyncio.Event().wait()

    monkeypatch.setattr("huntgroup_reporting.adapters.ledger.SqlHistory.add", no_database)
    await teller(house).known_day()
    await house.settle()
    with pytest.raises(RpcRefusedError) as refused:
        await house.ask_once(0, HOUR_MS)
    assert refused.value.status is grpc.StatusCode.UNAVAILABLE
    assert refused.value.reason == "HISTORY_UNAVAILABLE"
    assert len((await house.report(2 * QUARTER_MS, HOUR_MS)).queues) == 1


async def test_a_live_view_comes_at_once_and_then_only_when_something_changed(
    house: "House", teller: "type[Teller]"
) -> None:
    tell = teller(house)
    await (await tell.at(0)).queue(threshold_s=20)
    await tell.sign_on("grace")
    await house.settle()
    async with aclosing(house.watch(50)) as views:
        first = await anext(views)
        assert first.as_of_ms == house.NINE_MS
        assert [(queue.queue_id, queue.waiting) for queue in first.queues] == [("sales", 0)]
        assert [(row.state, row.agents) for row in first.agents] == [("NOT_READY", 1)]

        following = asyncio.ensure_future(anext(views))
        done, _ = await asyncio.wait([following], timeout=0.3)
        assert not done, "nothing has changed"

        await tell.queued("a")
        second = await asyncio.wait_for(following, 5)
        assert second.queues[0].waiting == 1
        assert second.queues[0].waiting_since_ms == house.NINE_MS
        assert second.events > first.events


async def test_a_slow_reader_gets_the_latest_view_and_not_all_of_them(
    house: "House", teller: "type[Teller]"
) -> None:
    tell = await teller(house).at(0)
    async with aclosing(house.watch(500)) as views:
        await anext(views)
        for number in range(20):
            await tell.queued(f"c{number}")
        await house.settle()
        last = await anext(views)
        while last.queues[0].waiting < 20:
            last = await anext(views)
        assert last.queues[0].offered == 20
