"""The database of the ledger's rows, on SQLite and on a real PostgreSQL."""

import asyncio
import itertools
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest
from sqlalchemy import text
from sqlalchemy.engine import make_url
from sqlalchemy.ext.asyncio import create_async_engine

from huntgroup_eventlog.journal.chain import GENESIS
from huntgroup_reporting.adapters.ledger import DRIVERS, SqlHistory
from huntgroup_reporting.app.ports import (
    Cursor,
    CursorMovedError,
    HistoryUnavailableError,
    LedgerChanges,
    Span,
)
from huntgroup_reporting.core.state import AgentTimes, QueueCounts

pytestmark = pytest.mark.integration

QUARTER_MS = 900_000
BEGIN = Cursor(position=0, epoch=0, owner="", chain=GENESIS)
NUMBERS = itertools.count(1)


@pytest.fixture(params=["memory", "file", "postgresql"])
async def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    if request.param == "postgresql":
        server: str = request.getfixturevalue("postgresql_server")
        return await fresh_database(server)
    return "sqlite://" if request.param == "memory" else f"sqlite:///{tmp_path}/ledger.sqlite"


async def fresh_database(server: str) -> str:
    import asyncpg  # noqa: PLC0415 - only where there is a PostgreSQL

    async def connected() -> asyncpg.Connection:
        while True:
            try:
                return await asyncpg.connect(server)
            except (OSError, asyncpg.CannotConnectNowError):
                await asyncio.sleep(0.1)

    name = f"ledger_{next(NUMBERS)}"
    connection = await asyncio.wait_for(connected(), 30)
    await connection.execute(f"CREATE DATABASE {name}")
    await connection.close()
    return f"{server.rpartition('/')[0]}/{name}"


@pytest.fixture
async def history(url: str) -> AsyncIterator[SqlHistory]:
    history = SqlHistory.from_url(url)
    yield history
    await history.close()


def at(position: int) -> Cursor:
    some = bytes([position % 256]) * 16
    return Cursor(position=position, epoch=1, owner="me", chain=some, last_record=some[::2])


def span(from_ms: int = 0, to_ms: int = 10 * QUARTER_MS, **fields: str | int) -> Span:
    defaults = {"domain": "acme/emea", "interval_ms": QUARTER_MS, "queue_id": ""}
    return Span(from_ms=from_ms, to_ms=to_ms, **defaults | fields)  # type: ignore[arg-type]


def some_changes() -> LedgerChanges:
    return LedgerChanges(
        queues={
            ("acme/emea", 0, "sales"): QueueCounts(offered=2, answered=1, wait_ms_max=500),
            ("acme/emea", QUARTER_MS, "sales"): QueueCounts(offered=1, wait_ms_max=70),
            ("acme/emea", QUARTER_MS, "support"): QueueCounts(offered=7),
            ("other/one", 0, "sales"): QueueCounts(offered=100),
        },
        agents={
            ("acme/emea", 0, "grace"): AgentTimes(idle_ms=10, talking_ms=20),
            ("acme/emea", 0, "alan"): AgentTimes(idle_ms=5),
            ("acme/emea", QUARTER_MS, "grace"): AgentTimes(idle_ms=1),
        },
    )


async def test_a_new_partition_begins_at_the_beginning(history: SqlHistory) -> None:
    assert await history.cursor(0) == BEGIN
    assert await history.cursor(0) == BEGIN
    assert (await history.rows(span(), 10)).count == 0


async def test_rows_and_cursor_move_together(history: SqlHistory) -> None:
    await history.cursor(0)
    await history.add(0, some_changes(), BEGIN, at(5))
    assert await history.cursor(0) == at(5)
    assert await history.cursor(1) == BEGIN
    rows = await history.rows(span(), 10)
    assert rows.queues[0, "sales"] == QueueCounts(offered=2, answered=1, wait_ms_max=500)
    assert rows.queues.keys() == {(0, "sales"), (QUARTER_MS, "sales"), (QUARTER_MS, "support")}
    assert rows.agents == {
        0: AgentTimes(idle_ms=15, talking_ms=20),
        QUARTER_MS: AgentTimes(idle_ms=1),
    }


async def test_later_changes_add_to_rows_and_a_maximum_stays_one(history: SqlHistory) -> None:
    await history.cursor(0)
    await history.add(0, some_changes(), BEGIN, at(5))
    more = LedgerChanges(
        queues={
            ("acme/emea", 0, "sales"): QueueCounts(offered=1, wait_ms_max=400),
            ("acme/emea", QUARTER_MS, "sales"): QueueCounts(wait_ms_max=71),
        },
        agents={("acme/emea", 0, "grace"): AgentTimes(idle_ms=-4, talking_ms=4)},
    )
    await history.add(0, more, at(5), at(6))
    rows = await history.rows(span(), 10)
    assert rows.queues[0, "sales"] == QueueCounts(offered=3, answered=1, wait_ms_max=500)
    assert rows.queues[QUARTER_MS, "sales"] == QueueCounts(offered=1, wait_ms_max=71)
    assert rows.agents[0] == AgentTimes(idle_ms=11, talking_ms=24)


async def test_what_was_added_before_is_not_added_again(history: SqlHistory) -> None:
    await history.cursor(0)
    await history.add(0, some_changes(), BEGIN, at(5))
    with pytest.raises(CursorMovedError):
        await history.add(0, some_changes(), BEGIN, at(5))
    with pytest.raises(CursorMovedError, match="no more at 4"):
        await history.add(0, some_changes(), at(4), at(6))
    assert (await history.rows(span(), 10)).queues[0, "sales"].offered == 2
    assert await history.cursor(0) == at(5)


async def test_of_two_writers_at_once_one_wins(history: SqlHistory) -> None:
    await history.cursor(0)
    results = await asyncio.gather(
        *(history.add(0, some_changes(), BEGIN, at(number)) for number in (5, 6, 7)),
        return_exceptions=True,
    )
    assert sorted(type(result).__name__ for result in results) == [
        *("CursorMovedError", "CursorMovedError", "NoneType"),
    ]
    assert (await history.rows(span(), 10)).queues[0, "sales"].offered == 2


async def test_a_partition_begins_again_without_the_rows_of_its_domains(
    history: SqlHistory,
) -> None:
    await history.cursor(0)
    await history.add(0, some_changes(), BEGIN, at(5))
    with pytest.raises(CursorMovedError):
        await history.begin_again(0, lambda _: True, at(4))
    assert (await history.rows(span(), 10)).count == 5
    await history.begin_again(0, lambda domain: domain == "acme/emea", at(5))
    assert await history.cursor(0) == BEGIN
    assert (await history.rows(span(), 10)).count == 0
    assert (await history.rows(span(domain="other/one"), 10)).count == 1


async def test_rows_are_chosen_and_added_up_as_asked(history: SqlHistory) -> None:
    await history.cursor(0)
    await history.add(0, some_changes(), BEGIN, at(5))
    only = await history.rows(span(queue_id="support"), 10)
    assert list(only.queues) == [(QUARTER_MS, "support")]
    assert len(only.agents) == 2
    late = await history.rows(span(from_ms=1), 10)
    assert late.queues.keys() == {(QUARTER_MS, "sales"), (QUARTER_MS, "support")}
    early = await history.rows(span(to_ms=QUARTER_MS), 10)
    assert early.queues.keys() == {(0, "sales")}
    wide = await history.rows(span(interval_ms=2 * QUARTER_MS), 10)
    assert wide.queues[0, "sales"] == QueueCounts(offered=3, answered=1, wait_ms_max=500)
    assert wide.agents == {0: AgentTimes(idle_ms=16, talking_ms=20)}
    assert len((await history.rows(span(), 1)).queues) == 2, "one more than asked says so"


async def test_many_rows_are_written_in_one_transaction(history: SqlHistory) -> None:
    await history.cursor(0)
    agents = {("acme/emea", 0, f"a{number}"): AgentTimes(idle_ms=1) for number in range(1_700)}
    await history.add(0, LedgerChanges(agents=agents), BEGIN, at(5))
    assert (await history.rows(span(), 10)).agents == {0: AgentTimes(idle_ms=1_700)}


@pytest.mark.parametrize("url", ["file", "postgresql"], indirect=True)
async def test_a_database_of_an_older_version_goes_on(url: str, history: SqlHistory) -> None:
    await history.cursor(0)
    await history.add(0, some_changes(), BEGIN, at(5))
    parsed = make_url(url)
    driver = DRIVERS[parsed.get_backend_name()]
    older = create_async_engine(parsed.set(drivername=driver))
    async with older.begin() as connection:
        await connection.execute(text("ALTER TABLE journal_cursor DROP COLUMN last_record"))
        await connection.execute(text("ALTER TABLE ledger DROP COLUMN handled"))
    await older.dispose()
    newer = SqlHistory.from_url(url)
    unknown = replace(at(5), last_record=b"")
    assert await newer.cursor(0) == unknown
    handled = LedgerChanges(queues={("acme/emea", 0, "sales"): QueueCounts(handled=1)})
    await newer.add(0, handled, unknown, at(6))
    assert await newer.cursor(0) == at(6)
    counts = (await newer.rows(span(), 10)).queues[0, "sales"]
    assert counts == QueueCounts(offered=2, answered=1, handled=1, wait_ms_max=500)
    await newer.close()


async def test_a_database_that_cannot_be_reached_is_said_to_be_unavailable(tmp_path: Path) -> None:
    await asyncio.to_thread((tmp_path / "file").touch)
    history = SqlHistory.from_url(f"sqlite:///{tmp_path}/file/ledger.sqlite")
    with pytest.raises(HistoryUnavailableError, match="ledger's database"):
        await history.cursor(0)
    await history.close()


async def test_another_kind_of_database_is_refused() -> None:
    with pytest.raises(ValueError, match="sqlite or postgresql, not mysql"):
        SqlHistory.from_url("mysql://localhost/ledger")
