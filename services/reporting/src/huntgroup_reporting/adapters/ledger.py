"""The ledger's rows in a database, by SQLAlchemy Core: SQLite in a file or in memory, or PostgreSQL.

A copy of what the journal says. Other programs may read it; its shape is described in docs/reference/kpi.md.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine, Mapping
from contextlib import asynccontextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any, Final, TypeVar

from sqlalchemy import (
    BigInteger,
    Column,
    ColumnElement,
    Connection,
    Executable,
    Integer,
    LargeBinary,
    MetaData,
    Select,
    String,
    Table,
    case,
    delete,
    event,
    func,
    inspect,
    select,
    text,
    update,
)
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.engine import make_url
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine

from huntgroup_eventlog.journal.chain import GENESIS
from huntgroup_reporting.app.ports import (
    Cursor,
    CursorMovedError,
    HistoryUnavailableError,
    LedgerChanges,
    LedgerRows,
    Span,
)
from huntgroup_reporting.core.state import AgentTimes, QueueCounts

T = TypeVar("T")

DRIVERS: Final[Mapping[str, str]] = {
    "sqlite": "sqlite+aiosqlite",
    "postgresql": "postgresql+asyncpg",
}
"""Kinds of database, as their URLs begin, and what SQLAlchemy reaches them by."""

ROWS_PER_STATEMENT: Final = 500
BEGINNING: Final = Cursor(position=0, epoch=0, owner="", chain=GENESIS)

METADATA: Final = MetaData()

LEDGER: Final = Table(
    "ledger",
    METADATA,
    Column("domain", String(128), primary_key=True),
    Column("interval_start_ms", BigInteger, primary_key=True),
    Column("queue_id", String(64), primary_key=True),
    *(Column(name, BigInteger, nullable=False) for name in QueueCounts.__struct_fields__),
)
AGENTS_INTERVAL: Final = Table(
    "agents_interval",
    METADATA,
    Column("domain", String(128), primary_key=True),
    Column("interval_start_ms", BigInteger, primary_key=True),
    Column("agent_id", String(64), primary_key=True),
    *(Column(name, BigInteger, nullable=False) for name in AgentTimes.__struct_fields__),
)
CURSOR: Final = Table(
    "journal_cursor",
    METADATA,
    Column("partition", Integer, primary_key=True, autoincrement=False),
    Column("position", BigInteger, nullable=False),
    Column("epoch", BigInteger, nullable=False),
    Column("owner", String(128), nullable=False),
    Column("chain", LargeBinary, nullable=False),
    Column("last_record", LargeBinary),
)


class SqlHistory:
    """The database; `open` first, `close` at the end."""

    def __init__(self, engine: AsyncEngine) -> None:
        self._engine = engine
        self._insert = postgresql.insert if engine.dialect.name == "postgresql" else sqlite.insert
        self._ready = False
        # Made once: putting one together takes longer than carrying it out.
        self._upserts: dict[str, Executable] = {}
        self._under_way: set[asyncio.Task[Any]] = set()
        # A SQLite database in memory is one connection, and in a file it has one writer: nothing is gained by more.
        self._at_once = asyncio.Semaphore(1 if engine.dialect.name == "sqlite" else 5)

    @classmethod
    def from_url(cls, url: str) -> "SqlHistory":
        """Reach the database that a URL such as `sqlite:////directory/file` or `postgresql://host/name` names.

        Raises `ValueError` for a kind that is not supported. Nothing is connected yet.
        """
        parsed = make_url(url)
        kind = parsed.get_backend_name()
        if kind not in DRIVERS:
            raise ValueError(f"a database is {' or '.join(DRIVERS)}, not {kind}")
        engine = create_async_engine(parsed.set(drivername=DRIVERS[kind]))
        if kind == "sqlite":
            event.listen(engine.sync_engine, "connect", _tune_sqlite)
        return cls(engine)

    async def close(self) -> None:
        """Wait for what is under way, and let go of the database."""
        await asyncio.gather(*self._under_way, return_exceptions=True)
        await self._engine.dispose()

    async def cursor(self, partition: int) -> Cursor:
        """Return how far a partition has been taken in; a new one from the beginning."""
        return await self._to_its_end(self._cursor(partition))

    async def add(
        self, partition: int, changes: LedgerChanges, before: Cursor, after: Cursor
    ) -> None:
        """Add the changes and move the cursor in one transaction; `CursorMovedError` when another was first."""
        await self._to_its_end(self._add(partition, changes, before, after))

    async def begin_again(
        self, partition: int, belongs: Callable[[str], bool], before: Cursor
    ) -> None:
        """Delete the rows of a partition and its cursor's position in one transaction."""
        await self._to_its_end(self._begin_again(partition, belongs, before))

    async def rows(self, span: Span, rows_max: int) -> LedgerRows:
        """Return the span's rows, added up to its intervals; at most `rows_max` + 1 of each kind."""
        return await self._to_its_end(self._rows(span, rows_max))

    async def _to_its_end(self, work: Coroutine[Any, Any, T]) -> T:
        """Do `work` even if the caller is cancelled meanwhile: no connection is left in the middle of something."""
        task = asyncio.get_running_loop().create_task(work)
        self._under_way.add(task)
        task.add_done_callback(self._under_way.discard)
        return await asyncio.shield(task)

    async def _cursor(self, partition: int) -> Cursor:
        found = select(CURSOR).where(CURSOR.c.partition == partition)
        begin = {"partition": partition, **asdict(BEGINNING)}
        async with self._connected():
            await self._make_tables()
            async with self._engine.begin() as connection:
                await connection.execute(
                    self._insert(CURSOR).values(begin).on_conflict_do_nothing()
                )
                row = (await connection.execute(found)).one()
        return Cursor(
            position=row.position,
            epoch=row.epoch,
            owner=row.owner,
            chain=bytes(row.chain),
            last_record=bytes(row.last_record or b""),
        )

    async def _add(
        self, partition: int, changes: LedgerChanges, before: Cursor, after: Cursor
    ) -> None:
        async with self._connected(), self._engine.begin() as connection:
            await _move(connection, partition, before, after)
            await self._add_rows(connection, LEDGER, changes.queues)
            await self._add_rows(connection, AGENTS_INTERVAL, changes.agents)

    async def _begin_again(
        self, partition: int, belongs: Callable[[str], bool], before: Cursor
    ) -> None:
        async with self._connected(), self._engine.begin() as connection:
            await _move(connection, partition, before, BEGINNING)
            for table in (LEDGER, AGENTS_INTERVAL):
                known = (await connection.execute(select(table.c.domain).distinct())).scalars()
                for domain in filter(belongs, known.all()):
                    await connection.execute(delete(table).where(table.c.domain == domain))

    async def _rows(self, span: Span, rows_max: int) -> LedgerRows:
        async with self._connected():
            await self._make_tables()
            async with self._engine.connect() as connection:
                queues = await connection.execute(_queue_rows(span).limit(rows_max + 1))
                agents = await connection.execute(_agent_rows(span).limit(rows_max + 1))
        return LedgerRows(
            queues={
                (int(start), queue_id): QueueCounts(*(int(number) for number in numbers))
                for start, queue_id, *numbers in queues
            },
            agents={
                int(start): AgentTimes(*(int(number) for number in numbers))
                for start, *numbers in agents
            },
        )

    @asynccontextmanager
    async def _connected(self) -> AsyncIterator[None]:
        """Take turns, and say whatever keeps the database from answering as `HistoryUnavailableError`."""
        async with self._at_once:
            try:
                yield
            except (SQLAlchemyError, OSError) as error:
                raise HistoryUnavailableError(f"the ledger's database: {error}") from error

    async def _make_tables(self) -> None:
        if not self._ready:
            file = self._engine.url.database
            if self._engine.dialect.name == "sqlite" and file:
                await asyncio.to_thread(Path(file).parent.mkdir, parents=True, exist_ok=True)
            async with self._engine.begin() as connection:
                await connection.run_sync(METADATA.create_all)
                await connection.run_sync(_add_missing_columns)
            self._ready = True

    async def _add_rows(
        self,
        connection: AsyncConnection,
        table: Table,
        changes: Mapping[tuple[str, int, str], QueueCounts | AgentTimes],
    ) -> None:
        keys, numbers = _key_and_number_columns(table)
        statement = self._upserts.get(table.name)
        if statement is None:
            insert = self._insert(table)
            sums = {name: _sum(table.c[name], insert.excluded[name]) for name in numbers}
            statement = insert.on_conflict_do_update(index_elements=keys, set_=sums)
            self._upserts[table.name] = statement
        rows = [
            dict(zip(keys, key, strict=True)) | {name: getattr(row, name) for name in numbers}
            for key, row in sorted(changes.items(), key=lambda item: item[0])
        ]
        for first in range(0, len(rows), ROWS_PER_STATEMENT):
            await connection.execute(statement, rows[first : first + ROWS_PER_STATEMENT])


def _add_missing_columns(connection: Connection) -> None:
    """Give tables of an older version what is newer: counts, 0 for what was counted before, and bytes, unknown."""
    for table in (LEDGER, CURSOR):
        there = {column["name"] for column in inspect(connection).get_columns(table.name)}
        for column in table.columns:
            if column.name not in there:
                kind = column.type.compile(connection.dialect)
                filled = "" if column.nullable else " NOT NULL DEFAULT 0"
                added = f"ALTER TABLE {table.name} ADD COLUMN {column.name} {kind}{filled}"
                connection.execute(text(added))


async def _move(connection: AsyncConnection, partition: int, before: Cursor, after: Cursor) -> None:
    """Move the cursor, first of all in a transaction: it locks the partition for whoever else may write it."""
    moved = (
        update(CURSOR)
        .where(
            CURSOR.c.partition == partition,
            CURSOR.c.position == before.position,
            CURSOR.c.chain == before.chain,
        )
        .values(asdict(after))
    )
    if (await connection.execute(moved)).rowcount != 1:
        raise CursorMovedError(f"partition {partition} is no more at {before.position}")


def _key_and_number_columns(table: Table) -> tuple[list[str], list[str]]:
    keys = [column.name for column in table.primary_key]
    return keys, [column.name for column in table.columns if column.name not in keys]


def _sum(stored: ColumnElement[int], added: ColumnElement[int]) -> ColumnElement[int]:
    """Return what is stored and what is added together; of a maximum, the greater one."""
    if stored.key == "wait_ms_max":
        return case((added > stored, added), else_=stored)
    return stored + added


def _queue_rows(span: Span) -> Select[Any]:
    start = (LEDGER.c.interval_start_ms // span.interval_ms * span.interval_ms).label("start")
    numbers = [
        func.max(LEDGER.c[name]) if name == "wait_ms_max" else func.sum(LEDGER.c[name])
        for name in QueueCounts.__struct_fields__
    ]
    rows = (
        select(start, LEDGER.c.queue_id, *numbers)
        .where(*_within(LEDGER, span))
        .group_by(start, LEDGER.c.queue_id)
    )
    return rows.where(LEDGER.c.queue_id == span.queue_id) if span.queue_id else rows


def _agent_rows(span: Span) -> Select[Any]:
    table = AGENTS_INTERVAL
    start = (table.c.interval_start_ms // span.interval_ms * span.interval_ms).label("start")
    numbers = [func.sum(table.c[name]) for name in AgentTimes.__struct_fields__]
    return select(start, *numbers).where(*_within(table, span)).group_by(start)


def _within(table: Table, span: Span) -> tuple[ColumnElement[bool], ...]:
    start = table.c.interval_start_ms
    return table.c.domain == span.domain, start >= span.from_ms, start < span.to_ms


def _tune_sqlite(connection: Any, _: object) -> None:
    """Let readers in while one writes, and sync seldom: what a power cut takes comes again from the journal."""
    cursor = connection.cursor()
    cursor.execute("PRAGMA journal_mode=WAL")
    cursor.execute("PRAGMA synchronous=NORMAL")
    cursor.close()
