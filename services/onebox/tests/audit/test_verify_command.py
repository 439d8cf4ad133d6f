"""`huntgroup verify` at the terminal."""

import asyncio
import json
import os
import sqlite3
from pathlib import Path

import pytest
from rich.console import Console

from huntgroup_onebox import verify_command
from huntgroup_onebox.audit.beside import Beside
from huntgroup_onebox.cli import main
from huntgroup_onebox.verify_command import ProgressBar

from .story import completed, tell_the_day, tell_the_ledger
from .test_database import copied
from .written_log import WrittenLog


@pytest.fixture
def day() -> WrittenLog:
    log = WrittenLog()
    tell_the_day(log)
    tell_the_ledger(log)
    return log


def kept(log: WrittenLog, directory: Path) -> str:
    asyncio.run(log.keep(directory))
    return str(directory)


def test_a_clean_log_ends_with_0(
    day: WrittenLog, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    directory = kept(day, tmp_path)
    assert main(["verify", directory]) == 0
    out = capsys.readouterr().out
    assert out.startswith(f"{directory}: partitions 2, entries ")
    assert "holds     7 replay     partitions folded twice 5" in out


def test_a_violation_ends_with_1_and_is_named(
    day: WrittenLog, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    position = day.tell("session", completed("ada", 80))
    assert main(["verify", kept(day, tmp_path)]) == 1
    out = capsys.readouterr().out
    assert "VIOLATED  1 contacts " in out
    assert f"huntgroup.session.journal.v1 partition {day.journal('session').partition}" in out
    assert f"position {position}, acme/emea: contact ada has a ContactCompleted after" in out


def test_json_is_one_object(
    day: WrittenLog, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    directory = kept(day, tmp_path)
    assert main(["verify", "--json", directory]) == 0
    values = json.loads(capsys.readouterr().out)
    assert (values["log"], values["clean"], values["violations"]) == (directory, True, [])
    assert values["read"]["partitions"] == 2


def test_a_directory_that_is_not_there_ends_with_2(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["verify", str(tmp_path / "nowhere")]) == 2
    assert f"huntgroup verify: there is no log in {tmp_path}/nowhere" in capsys.readouterr().err


def test_a_file_that_is_no_log_ends_with_2(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "log.sqlite3").write_bytes(b"not a database, but long enough to look at" * 100)
    assert main(["verify", str(tmp_path)]) == 2
    assert "cannot be read" in capsys.readouterr().err


def test_another_database_ends_with_2(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with sqlite3.connect(tmp_path / "log.sqlite3") as connection:
        connection.execute("CREATE TABLE orders (id INTEGER)")
    connection.close()
    assert main(["verify", str(tmp_path)]) == 2
    assert "has format 0" in capsys.readouterr().err


@pytest.mark.parametrize("address", ["127.0.0.1:1", "nonsense"])
def test_a_broker_that_does_not_answer_ends_with_2(
    address: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["verify", "--kafka", address]) == 2
    err = capsys.readouterr().err
    assert err.startswith("huntgroup verify: ")
    assert address in err


@pytest.mark.parametrize(
    "words",
    [
        [],
        ["somewhere", "--kafka", "127.0.0.1:1"],
        ["somewhere", "--partitions", "4"],
        ["somewhere", "--domain", "acme/emea", "--acked", "file"],
    ],
)
def test_words_that_do_not_go_together_end_with_2(
    words: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["verify", *words]) == 2
    assert capsys.readouterr().err.startswith("huntgroup verify: ")


@pytest.mark.parametrize("words", [["--domain", "acme"], ["--partitions", "0"]])
def test_words_that_mean_nothing_are_refused(words: list[str]) -> None:
    with pytest.raises(SystemExit, match="2"):
        main(["verify", "somewhere", *words])


def test_acknowledged_commands_are_read_from_a_file(
    day: WrittenLog, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    acked = tmp_path / "acked.jsonl"
    acked.write_text('["session", "lost-1"]\n\n["routing", "lost-2"]\n')
    assert main(["verify", kept(day, tmp_path), "--acked", str(acked)]) == 1
    assert "command lost-1 was acknowledged, but session's journal" in capsys.readouterr().out


@pytest.mark.parametrize(
    "line", ["nonsense", '["session"]', '["till", "x"]', '["session", 1]', "1"]
)
def test_a_line_that_is_no_command_is_named(
    line: str, day: WrittenLog, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    acked = tmp_path / "acked.jsonl"
    acked.write_text(f'["session", "fine"]\n{line}\n')
    assert main(["verify", kept(day, tmp_path), "--acked", str(acked)]) == 2
    assert f"{acked} line 2 is not" in capsys.readouterr().err


def test_a_file_of_commands_that_is_not_there_is_named(
    day: WrittenLog, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["verify", kept(day, tmp_path), "--acked", str(tmp_path / "none")]) == 2
    assert "none cannot be read" in capsys.readouterr().err


def test_the_interval_is_reportings_own_setting(
    day: WrittenLog, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    directory = kept(day, tmp_path)
    monkeypatch.setenv("HUNTGROUP_LEDGER_INTERVAL_MS", "60000")
    assert main(["verify", directory]) == 1
    assert main(["verify", directory, "--interval-ms", "900000"]) == 0


def test_progress_shows_on_a_terminal_when_it_takes_long(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(verify_command, "PROGRESS_AFTER_S", 0.0)
    monkeypatch.setattr(verify_command, "PROGRESS_EVERY_S", 0.0)
    with Path(os.devnull).open("w") as nowhere:
        console = Console(file=nowhere, force_terminal=True, record=True, width=60)
        with ProgressBar(console) as bar:
            bar(1, 2)
            bar(2, 2)
        assert "records" in console.export_text()
        quiet = Console(file=nowhere, force_terminal=False, record=True)
        with ProgressBar(quiet) as bar:
            bar(1, 2)
        assert quiet.export_text() == ""


def test_what_is_beside_the_log_is_audited_with_it(
    day: WrittenLog, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    directory = kept(day, tmp_path)
    assert main(["verify", directory, "--json"]) == 0
    told = {one["name"]: one for one in json.loads(capsys.readouterr().out)["invariants"]}
    assert told["audio"]["not_checked"] == ["the store of recordings"]
    assert told["figures"]["not_checked"] == ["the reporting database"]
    assert told["replay"]["not_checked"] == []
    assert told["replay"]["not_applicable"] == ["stored snapshots, which are kept in memory"]
    asyncio.run(copied(day, tmp_path / "reporting.sqlite"))
    (tmp_path / "recordings").mkdir()
    (tmp_path / "snapshots").mkdir()
    assert main(["verify", directory]) == 1  # the file of the recording is not there
    out = capsys.readouterr().out
    assert "database rows 2" in out
    assert "not checked" not in out
    assert "recording rec-ada, acme/emea/sealed/rec-ada.wav: it is not in the store" in out


@pytest.mark.parametrize("url", ["", "memory:///"])
def test_snapshots_in_memory_are_nothing_to_look_at(
    url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HUNTGROUP_SNAPSHOT_URL", url)
    beside = Beside.of(None)
    assert beside.snapshots is None
    assert beside.open_snapshots() is None


def test_snapshots_are_opened_where_the_services_keep_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HUNTGROUP_SNAPSHOT_URL", tmp_path.as_uri())
    assert Beside.of(None).open_snapshots() is not None
    monkeypatch.setenv("HUNTGROUP_SNAPSHOT_URL", "s3://bucket/prefix")
    assert Beside.of(None).snapshots == "s3://bucket/prefix"
    assert Beside.of(None, snapshots=str(tmp_path)).snapshots == tmp_path.as_uri()


@pytest.mark.parametrize(
    ("options", "why"),
    [
        (["--snapshots", "file:///nowhere/at/all"], "there are no snapshots in /nowhere/at/all"),
        (["--snapshots", "nonsense://x"], "the snapshots of nonsense://x cannot be read"),
        (["--recordings", "file:///nowhere/at/all"], "there are no recordings in /nowhere/at/all"),
        (["--snapshots", "/nowhere/at/all"], "there are no snapshots in /nowhere/at/all"),
        (["--reporting-database", "sqlite:////nowhere/r"], "there is no database at sqlite"),
    ],
)
def test_what_is_named_and_not_there_is_no_clean_audit(
    options: list[str],
    why: str,
    day: WrittenLog,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert main(["verify", kept(day, tmp_path), *options]) == 2
    assert why in capsys.readouterr().err
