"""The SQLite file of the embedded log: its schema, its settings, who may write it, and its statements.

A row's id is `stream * 2**40 + position`, a stream being `topic id * partitions + partition`: so a partition's records
lie next to each other, in order, in one table without a further index. The view `log` shows them by name. Each row has
a checksum over all that it says, its id too, since SQLite keeps none of what is in its pages.
"""

import fcntl
import json
import os
import sqlite3
import struct
import zlib
from collections.abc import Iterable, Sequence
from functools import cache
from pathlib import Path
from typing import Final, Literal

from huntgroup_eventlog.adapters.embedded_wal import wal_faults
from huntgroup_eventlog.adapters.header_bytes import unpack_headers
from huntgroup_eventlog.port import LogCorruptError, LogRecord, LogUnavailableError

Durability = Literal["power", "process"]
"""What an acknowledged record survives: `power` loss of the machine, or the end of the `process` (kill -9) only."""

Row = tuple[int, bytes, bytes, bytes, int]
"""id, key, packed headers, value, checksum."""

POSITIONS: Final = 1 << 40
READ_BYTES_MAX: Final = 4 * 1_048_576
"""One read takes records until their values pass this many bytes (at least one record)."""

_FILE_NAME = "log.sqlite3"
_LOCK_NAME = "owner.lock"
_FORMAT = 2
_FORMAT_WITHOUT_CHECKSUMS = 1
_INSERT_ROWS_MAX = 512

_SCHEMA = (
    "CREATE TABLE settings (name TEXT PRIMARY KEY, value INTEGER NOT NULL) WITHOUT ROWID",
    "CREATE TABLE topics (id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE)",
    """
    CREATE TABLE records (
        id INTEGER PRIMARY KEY, key BLOB NOT NULL, headers BLOB NOT NULL, value BLOB NOT NULL,
        crc INTEGER NOT NULL
    )
    """,
    """
    CREATE VIEW log AS
        SELECT topics.name AS topic, (records.id >> 40) % settings.value AS "partition",
            records.id & 0xFFFFFFFFFF AS position, key, headers, records.value AS value
        FROM records
        JOIN settings ON settings.name = 'partitions'
        JOIN topics ON topics.id = (records.id >> 40) / settings.value
    """,
)

# All rows come back as one: SQLite lets go of the interpreter's lock at every row, and a busy event loop would take
# 5 ms to give it back each time (measured: 1,000 rows 242 ms one by one, 12 ms as one).
_READ = """
WITH sizes AS (
    SELECT id, sum(length(value)) OVER (ORDER BY id ROWS UNBOUNDED PRECEDING) - length(value) AS before
    FROM (SELECT id, value FROM records WHERE id >= ? AND id < ? ORDER BY id LIMIT ?)
)
SELECT json_group_array(json_array(id, hex(key), hex(headers), hex(value), crc))
FROM (SELECT records.* FROM sizes JOIN records USING (id) WHERE before < ? ORDER BY id)
"""


_ROW_BEGINS = struct.Struct(">QII")
_CORRUPT_CODES = frozenset({sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB})


class DamagedRowError(Exception):
    """The row at `position` of a stream is not as it was written."""

    def __init__(self, position: int) -> None:
        super().__init__(position)
        self.position = position


class OwnerLock:
    """Lets one process at a time write a directory; the operating system frees it when the process ends."""

    def __init__(self, directory: Path) -> None:
        """Take the lock, making the directory if need be.

        Raises `LogUnavailableError`, which names the process that holds the lock.
        """
        try:
            directory.mkdir(parents=True, exist_ok=True)
            self._file = (directory / _LOCK_NAME).open("a+")
        except OSError as error:
            raise LogUnavailableError(
                f"the log in {directory} cannot be opened: {error}"
            ) from error
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            self._file.seek(0)
            owner = self._file.read().strip() or "unknown"
            self._file.close()
            raise LogUnavailableError(
                f"the log in {directory} is open in another process (pid {owner});"
                " stop that one, or open the log read-only"
            ) from None
        self._file.truncate(0)
        self._file.write(f"{os.getpid()}\n")
        self._file.flush()

    def release(self) -> None:
        """Let another process write the directory."""
        self._file.close()


def open_for_writing(
    directory: Path, partitions: int, durability: Durability
) -> sqlite3.Connection:
    """Open the file, creating it if need be; the caller holds the `OwnerLock`.

    What a process that was killed left in the write-ahead log is looked at first: SQLite would drop what is damaged.
    Raises `LogUnavailableError`, `LogCorruptError`.
    """
    _check_wal(directory)
    try:
        connection = sqlite3.connect(
            directory / _FILE_NAME, isolation_level=None, check_same_thread=False
        )
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute(f"PRAGMA synchronous = {'FULL' if durability == 'power' else 'NORMAL'}")
        version = connection.execute("PRAGMA user_version").fetchone()[0]
        if version == 0:
            _create(connection, partitions)
            _sync_directory(directory)
        elif version == _FORMAT_WITHOUT_CHECKSUMS:
            _add_checksums(connection)
        check_file(connection, directory, partitions)
    except sqlite3.Error as error:
        raise failure(directory, error, "opened") from error
    return connection


def open_for_reading(directory: Path) -> sqlite3.Connection:
    """Open the file to read committed records only; raises `LogUnavailableError`, `LogCorruptError`."""
    file = directory / _FILE_NAME
    if not file.is_file():
        raise LogUnavailableError(f"there is no log in {directory}")
    try:
        connection = sqlite3.connect(
            f"{file.resolve().as_uri()}?mode=ro",
            uri=True,
            isolation_level=None,
            check_same_thread=False,
        )
        connection.execute("PRAGMA busy_timeout = 5000")
        check_file(connection, directory, None)
    except sqlite3.Error as error:
        raise failure(directory, error) from error
    return connection


def failure(
    directory: Path, error: sqlite3.Error, what: str = "read"
) -> LogCorruptError | LogUnavailableError:
    """Return what SQLite's error means for whoever uses the log."""
    told = f"the log in {directory} cannot be {what}: {error}"
    # The low byte is the kind; a statement that was never given to SQLite has no code.
    if getattr(error, "sqlite_errorcode", 0) & 0xFF in _CORRUPT_CODES:
        return LogCorruptError(told)
    return LogUnavailableError(told)


def check_file(connection: sqlite3.Connection, directory: Path, partitions: int | None) -> None:
    """Raise `LogUnavailableError` for another format or number of partitions, `LogCorruptError` for a damaged one."""
    version = connection.execute("PRAGMA user_version").fetchone()[0]
    if version == _FORMAT_WITHOUT_CHECKSUMS:
        raise LogUnavailableError(
            f"the log in {directory} has format 1, without checksums: start its services once, which adds them"
        )
    if version == 0:
        _check_wal(directory)
    if version != _FORMAT:
        raise LogUnavailableError(
            f"the log in {directory} has format {version}; this program reads format {_FORMAT}"
        )
    settings = dict(connection.execute("SELECT name, value FROM settings"))
    if settings != _settings(settings.get("partitions", 0)):
        raise LogCorruptError(f"the settings in {directory / _FILE_NAME} are damaged: {settings}")
    stored = stored_partitions(connection)
    if partitions is not None and partitions != stored:
        raise LogUnavailableError(
            f"the log in {directory} has {stored} partitions, not {partitions}:"
            " the number is fixed when a log is set up"
        )


def _check_wal(directory: Path) -> None:
    for fault in wal_faults(directory / _FILE_NAME):
        raise LogCorruptError(f"the log in {directory} cannot be opened: {fault}")


def stored_partitions(connection: sqlite3.Connection) -> int:
    """Return the number of partitions the file was set up with."""
    found: int = connection.execute(
        "SELECT value FROM settings WHERE name = 'partitions'"
    ).fetchone()[0]
    return found


def read_topics(connection: sqlite3.Connection) -> dict[str, int]:
    """Return the id of each topic by its name."""
    return dict(connection.execute("SELECT name, id FROM topics"))


def insert_topics(connection: sqlite3.Connection, topics: Sequence[str]) -> dict[str, int]:
    """Create the missing topics; return the ids of all."""
    with connection:
        connection.executemany(
            "INSERT OR IGNORE INTO topics (name) VALUES (?)", [(topic,) for topic in topics]
        )
    return read_topics(connection)


def read_end(connection: sqlite3.Connection, stream: int) -> int:
    """Return the position after the stream's last record."""
    last = connection.execute(
        "SELECT max(id) FROM records WHERE id >= ? AND id < ?",
        (stream * POSITIONS, (stream + 1) * POSITIONS),
    ).fetchone()[0]
    return 0 if last is None else last - stream * POSITIONS + 1


def read_records(
    connection: sqlite3.Connection, stream: int, position: int, limit: int
) -> list[LogRecord]:
    """Return up to `limit` records of the stream at or after `position`, those before a damaged one at most.

    Raises `DamagedRowError` when the first of them is damaged.
    """
    base = stream * POSITIONS
    found = connection.execute(
        _READ, (base + position, base + POSITIONS, limit, READ_BYTES_MAX)
    ).fetchone()[0]
    unhex = bytes.fromhex
    records: list[LogRecord] = []
    # SQLite keeps the order of the subquery in an aggregate, but does not promise it.
    for row_id, *columns, crc in sorted(json.loads(found)):
        key, headers, value = (unhex(column) for column in columns)
        if checksum(row_id, key, headers, value) != crc:
            if records:
                break
            raise DamagedRowError(row_id - base)
        record = LogRecord(
            position=row_id - base, key=key, value=value, headers=unpack_headers(headers)
        )
        records.append(record)
    return records


def checksum(row_id: int, key: bytes, headers: bytes, value: bytes) -> int:
    """Return the CRC-32 of a row: it finds every change of up to four bytes in a row, and all but 1 in 2³² others."""
    crc = zlib.crc32(_ROW_BEGINS.pack(row_id, len(key), len(headers)))
    return zlib.crc32(value, zlib.crc32(headers, zlib.crc32(key, crc)))


def find_faults(connection: sqlite3.Connection, directory: Path) -> list[str]:
    """Return what is wrong with the structure of the file and of its write-ahead log; rows are not looked at."""
    found = [str(line) for (line,) in connection.execute("PRAGMA integrity_check")]
    structure = [] if found == ["ok"] else [f"{_FILE_NAME}: {line}" for line in found]
    return structure + wal_faults(directory / _FILE_NAME)


def insert_rows(connection: sqlite3.Connection, rows: Sequence[Row]) -> None:
    """Write all rows in one transaction; it is durable on return. Raises `sqlite3.Error`."""
    if len(rows) <= _INSERT_ROWS_MAX:
        # One statement, which is a transaction by itself: for each further one a busy event loop would have to let
        # go of the interpreter's lock several times more, see _READ.
        connection.execute(_insert_statement(len(rows)), _flat(rows))
        return
    connection.execute("BEGIN IMMEDIATE")
    try:
        for at in range(0, len(rows), _INSERT_ROWS_MAX):
            some = rows[at : at + _INSERT_ROWS_MAX]
            connection.execute(_insert_statement(len(some)), _flat(some))
        connection.execute("COMMIT")
    except sqlite3.Error:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise


@cache
def _insert_statement(rows: int) -> str:
    return f"INSERT INTO records VALUES {','.join(['(?,?,?,?,?)'] * rows)}"  # noqa: S608 - no input in it


def _flat(rows: Iterable[Row]) -> list[int | bytes]:
    return [column for row in rows for column in row]


def _create(connection: sqlite3.Connection, partitions: int) -> None:
    connection.execute("BEGIN IMMEDIATE")
    for statement in _SCHEMA:
        connection.execute(statement)
    connection.executemany("INSERT INTO settings VALUES (?, ?)", _settings(partitions).items())
    connection.execute(f"PRAGMA user_version = {_FORMAT}")
    connection.execute("COMMIT")


def _settings(partitions: int) -> dict[str, int]:
    return {"partitions": partitions, "crc": zlib.crc32(str(partitions).encode())}


def _add_checksums(connection: sqlite3.Connection) -> None:
    """Bring a file of the first format to this one, in one transaction."""
    connection.create_function("record_checksum", 4, checksum, deterministic=True)
    partitions = stored_partitions(connection)
    connection.execute("BEGIN IMMEDIATE")
    connection.execute("ALTER TABLE records ADD COLUMN crc INTEGER NOT NULL DEFAULT 0")
    connection.execute("UPDATE records SET crc = record_checksum(id, key, headers, value)")
    crc = _settings(partitions)["crc"]
    connection.execute("INSERT INTO settings VALUES ('crc', ?)", (crc,))
    connection.execute(f"PRAGMA user_version = {_FORMAT}")
    connection.execute("COMMIT")


def _sync_directory(directory: Path) -> None:
    """Make the new file's name durable, too."""
    for each in (directory, directory.parent):
        descriptor = os.open(each, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
