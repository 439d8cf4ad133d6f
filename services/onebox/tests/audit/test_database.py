"""Invariant 6 in the reporting database: every row of every interval is what the ledger's entries add up to."""

import sqlite3
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from huntgroup.journal.v1 import journal_pb2 as wire
from huntgroup_eventlog.journal.chain import ChainReader
from huntgroup_onebox.audit.database import (
    DatabaseUnavailableError,
    ReportingDatabase,
    Stored,
)
from huntgroup_onebox.audit.database_rows import DatabaseRows
from huntgroup_onebox.audit.feed import Feed
from huntgroup_onebox.audit.report import AuditReport, Findings
from huntgroup_reporting.adapters.ledger import SqlHistory
from huntgroup_reporting.adapters.mapping import event_codec
from huntgroup_reporting.app.effects import LEDGER_TYPES, note_entry
from huntgroup_reporting.app.ports import Cursor, LedgerChanges

from .story import T, tell_the_day, tell_the_ledger
from .written_log import WrittenLog, entries_of


def a_day() -> WrittenLog:
    log = WrittenLog()
    tell_the_day(log)
    tell_the_ledger(log)
    return log


async def copied(log: WrittenLog, file: Path, entries: int = 1_000) -> str:
    """Copy the ledger into a database as the service does; return its URL."""
    url = f"sqlite:///{file}"
    history = SqlHistory.from_url(url)
    journal = log.journal("reporting")
    before = await history.cursor(journal.partition)
    chain, changes = ChainReader(), LedgerChanges()
    records = log.log.storage.read_now(journal.topic, journal.partition, 0, entries)
    for record in records:
        entry = chain.read(record.value)
        if not isinstance(entry, wire.Batch):
            continue
        for recorded in entry.events:
            if recorded.type.startswith(LEDGER_TYPES):
                told: Any = event_codec().decode(recorded.type, recorded.payload)
                note_entry(changes, entry.domain, told)
    state = chain.state
    after = Cursor(
        position=records[-1].position + 1, epoch=state.epoch, owner=state.owner, chain=state.chain
    )
    await history.add(journal.partition, changes, before, after)
    await history.close()
    return url


async def report(log: WrittenLog, url: str) -> AuditReport:
    async with ReportingDatabase(url) as database:
        return await log.report(database=database)


def alter(file: Path, statement: str) -> None:
    connection = sqlite3.connect(file)
    assert connection.execute(statement).rowcount == 1
    connection.commit()
    connection.close()


async def test_a_database_that_equals_the_ledger_is_clean(tmp_path: Path) -> None:
    log = a_day()
    found = await report(log, await copied(log, tmp_path / "r"))
    assert found.clean, str(found)
    assert found.lines[5].counts["database rows"] == 2
    assert not found.lines[5].unchecked


async def test_a_database_of_an_older_version_is_read(tmp_path: Path) -> None:
    log = a_day()
    url = await copied(log, tmp_path / "r")
    connection = sqlite3.connect(tmp_path / "r")
    connection.execute("ALTER TABLE journal_cursor DROP COLUMN last_record")
    connection.close()
    found = await report(log, url)
    assert found.clean, str(found)
    assert found.lines[5].counts["database rows"] == 2


async def test_a_database_that_holds_a_long_ledger_is_not_taken_for_one_that_lacks_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("huntgroup_onebox.audit.database_rows.AHEAD_MAX", 2)
    log = a_day()
    found = await report(log, await copied(log, tmp_path / "r"))
    assert found.clean, str(found)


async def test_a_database_that_lacks_too_much_of_the_ledger_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("huntgroup_onebox.audit.database_rows.AHEAD_MAX", 2)
    log = a_day()
    found = await report(log, await copied(log, tmp_path / "r", entries=1))
    assert "the database lacks 3 entries of the ledger" in str(found)


async def test_a_database_that_stays_away_costs_no_more_memory_than_the_bound(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("huntgroup_onebox.audit.database_rows.AHEAD_MAX", 20)
    findings = Findings()
    rows = DatabaseRows(findings, 900_000)
    log = WrittenLog()
    for second in range(50):
        log.tell("reporting", at_ms=T + second)
    feed, kept = Feed(findings, [rows], ""), []
    async for entry in entries_of(log, "reporting"):
        feed.take(entry)
        kept.append(len(rows._chains))
    assert (max(kept), kept[-1]) == (20, 0)
    [violation] = findings.violations
    assert violation.why == "the database lacks 21 entries of the ledger"
    assert "database rows: the database was left behind" in findings.unchecked[6]


async def test_log_and_database_that_go_on_while_an_audit_begins_are_clean(tmp_path: Path) -> None:
    log = WrittenLog()
    tell_the_day(log)
    file = tmp_path / "r"
    file.touch()

    class GoesOn(ReportingDatabase):
        async def read(self, *args: Any, **more: Any) -> Stored:
            tell_the_ledger(log)
            await copied(log, file)
            return await super().read(*args, **more)

    async with GoesOn(f"sqlite:///{file}") as database:
        found = await log.report(database=database)
    assert found.clean, str(found)
    assert found.lines[5].counts["database rows"] == 2


@pytest.mark.parametrize("entries", [1, 4, 9])
async def test_a_database_that_lags_is_held_against_what_it_says_it_holds(
    tmp_path: Path, entries: int
) -> None:
    log = a_day()
    found = await report(log, await copied(log, tmp_path / "r", entries))
    assert found.clean, str(found)


@pytest.mark.parametrize(
    ("statement", "why"),
    [
        (
            "UPDATE ledger SET answered_wait_ms = answered_wait_ms + 1",
            f"ledger of queue sales in the interval from {T}: answered_wait_ms is 4001, 4000 by the journal",
        ),
        (
            "UPDATE ledger SET wait_ms_max = 1",
            f"ledger of queue sales in the interval from {T}: wait_ms_max is 1, 15000 by the journal",
        ),
        (
            "UPDATE agents_interval SET talking_ms = 0",
            f"agents_interval of agent grace in the interval from {T}: talking_ms is 0, 60000",
        ),
        ("DELETE FROM ledger", f"ledger of queue sales in the interval from {T}: is missing"),
        (
            "UPDATE agents_interval SET agent_id = 'grase'",
            "agents_interval of agent grase in the interval from 1800000000000: follows from no entry",
        ),
        (
            "INSERT INTO agents_interval SELECT domain, 0, agent_id, 0,0,0,0,0 FROM agents_interval",
            "follows from no entry",
        ),
    ],
)
async def test_a_changed_row_is_named(tmp_path: Path, statement: str, why: str) -> None:
    log = a_day()
    url = await copied(log, tmp_path / "r")
    alter(tmp_path / "r", statement)
    violations = [one for one in (await report(log, url)).violations if one.invariant == 6]
    assert any(why in one.why for one in violations), violations
    assert {one.domain for one in violations} == {"acme/emea"}


CURSORS: Mapping[str, str] = {
    "UPDATE journal_cursor SET chain = x'00' WHERE position > 0": "in epoch, owner and chain",
    "UPDATE journal_cursor SET owner = 'x' WHERE position > 0": "in epoch, owner and chain",
    "UPDATE journal_cursor SET position = 999 WHERE position > 0": "up to 999, which ends at 17",
}


@pytest.mark.parametrize("statement", CURSORS)
async def test_a_database_that_stands_elsewhere_than_it_says_is_named(
    tmp_path: Path, statement: str
) -> None:
    log = a_day()
    url = await copied(log, tmp_path / "r")
    alter(tmp_path / "r", statement)
    [violation] = [one for one in (await report(log, url)).violations if one.invariant == 6]
    assert CURSORS[statement] in violation.why


async def test_an_empty_database_is_one_that_holds_nothing_yet(tmp_path: Path) -> None:
    (tmp_path / "r").touch()
    found = await report(a_day(), f"sqlite:///{tmp_path / 'r'}")
    assert found.clean
    assert (tmp_path / "r").stat().st_size == 0


@pytest.mark.parametrize(
    ("url", "why"),
    [
        ("sqlite:////nowhere/r", "there is no database at sqlite:////nowhere/r"),
        ("mysql://host/name", "a database is sqlite or postgresql, not mysql"),
        ("nonsense", "is no URL of a database"),
    ],
)
def test_what_cannot_be_read_is_refused(url: str, why: str) -> None:
    with pytest.raises(DatabaseUnavailableError, match=why):
        ReportingDatabase(url)


async def test_a_database_that_does_not_answer_is_told(tmp_path: Path) -> None:
    database = ReportingDatabase("postgresql://me:secret@127.0.0.1:1/name")
    with pytest.raises(DatabaseUnavailableError, match=r"me:\*\*\*@127.0.0.1:1/name cannot be"):
        async with database:
            await database.read(0, lambda _: True)
    (tmp_path / "r").write_bytes(b"nonsense" * 1_000)
    async with ReportingDatabase(f"sqlite:///{tmp_path / 'r'}") as broken:
        with pytest.raises(DatabaseUnavailableError, match="file is not a database"):
            await broken.read(0, lambda _: True)
