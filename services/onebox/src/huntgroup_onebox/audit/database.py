"""Reads the reporting database: its rows, and how much of the journal it says is in them. Nothing is written."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, NamedTuple, Self

from sqlalchemy import Connection, Table, event, inspect, select
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError, SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

from huntgroup_reporting.adapters.ledger import AGENTS_INTERVAL, CURSOR, DRIVERS, LEDGER

TABLES: Final = (LEDGER, AGENTS_INTERVAL)
_STANDS: Final = (CURSOR.c.position, CURSOR.c.epoch, CURSOR.c.owner, CURSOR.c.chain)
"""What is read of a cursor: an older version's has no more."""
READ_ROWS: Final = 5_000


class DatabaseUnavailableError(Exception):
    """The database cannot be read; the message says which and why."""


class RowKey(NamedTuple):
    """A row of the ledger (`who` is a queue) or of the agents' time (an agent)."""

    table: str
    domain: str
    interval_start_ms: int
    who: str

    def __str__(self) -> str:
        whose = "queue" if self.table == LEDGER.name else "agent"
        return f"{self.table} of {whose} {self.who} in the interval from {self.interval_start_ms}"


@dataclass(slots=True, kw_only=True)
class Stored:
    """One partition of the database."""

    position: int = 0
    """Every entry of reporting's journal below it is in the rows."""
    chain: tuple[int, str, bytes] | None = None
    """Epoch, owner and chain value there, as the database says."""
    rows: dict[RowKey, dict[str, int]] = field(default_factory=dict)


class ReportingDatabase:
    """The database, read-only. Used as a context manager, which closes it."""

    def __init__(self, url: str) -> None:
        """Prepare to read what a URL such as `sqlite:////directory/file` names; raises `DatabaseUnavailableError`."""
        try:
            parsed = make_url(url)
        except ArgumentError as error:
            raise DatabaseUnavailableError(f"{url!r} is no URL of a database") from error
        kind = parsed.get_backend_name()
        if kind not in DRIVERS:
            raise DatabaseUnavailableError(f"a database is {' or '.join(DRIVERS)}, not {kind}")
        self._name = parsed.render_as_string(hide_password=True)
        if kind == "sqlite" and not (parsed.database and Path(parsed.database).is_file()):
            raise DatabaseUnavailableError(f"there is no database at {self._name}")
        self._engine = create_async_engine(_read_only(parsed, DRIVERS[kind]))
        if kind == "postgresql":
            event.listen(self._engine.sync_engine, "begin", _begin_read_only)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._engine.dispose()

    async def read(
        self, partition: int, belongs: Callable[[str], bool], *, from_ms: int = 0
    ) -> Stored:
        """Return the rows of the domains that `belongs`, of intervals from `from_ms` on, all as of one moment."""
        try:
            return await self._read(self._engine, partition, belongs, from_ms)
        except (SQLAlchemyError, OSError, ValueError, TypeError) as error:
            why = str(error).partition("\n")[0]
            raise DatabaseUnavailableError(f"{self._name} cannot be read: {why}") from error

    async def _read(
        self, engine: AsyncEngine, partition: int, belongs: Callable[[str], bool], from_ms: int
    ) -> Stored:
        async with engine.connect() as connection, connection.begin():
            if not await connection.run_sync(_has_tables):
                return Stored()
            found = select(*_STANDS).where(CURSOR.c.partition == partition)
            cursor = (await connection.execute(found)).one_or_none()
            stored = Stored()
            if cursor is not None:
                stored.position = cursor.position
                stored.chain = (cursor.epoch, cursor.owner, bytes(cursor.chain))
            for table in TABLES:
                wanted = select(table).where(table.c.interval_start_ms >= from_ms)
                async for row in await connection.stream(wanted, execution_options=_BY_THE_LOT):
                    if belongs(str(row.domain)):
                        key, columns = _row(table, row._asdict())
                        stored.rows[key] = columns
            return stored


_BY_THE_LOT: Final = {"yield_per": READ_ROWS}


def _row(table: Table, row: Mapping[str, Any]) -> tuple[RowKey, dict[str, int]]:
    keys = [column.name for column in table.primary_key]
    columns = {name: value for name, value in row.items() if name not in keys}
    domain, start, who = (row[name] for name in keys)
    return RowKey(table.name, domain, start, who), columns


def _has_tables(connection: Connection) -> bool:
    there = set(inspect(connection).get_table_names())
    return {table.name for table in (*TABLES, CURSOR)} <= there


def _read_only(url: URL, driver: str) -> URL:
    if url.get_backend_name() != "sqlite":
        return url.set(drivername=driver)
    file = Path(str(url.database)).absolute().as_uri()
    return url.set(drivername=driver, database=file, query={"mode": "ro", "uri": "true"})


def _begin_read_only(connection: Connection) -> None:
    connection.exec_driver_sql("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY")
