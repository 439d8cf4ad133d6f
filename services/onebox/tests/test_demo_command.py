"""`huntgroup demo` from the outside: what it refuses before anything starts, and a small day from end to end."""

import json
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from huntgroup_eventlog.adapters.embedded_file import OwnerLock
from huntgroup_loadtest.arrivals import HOUR_MS, Day, bank_weekday
from huntgroup_onebox import demo_cluster
from huntgroup_onebox.cli import main
from huntgroup_onebox.cluster_command import CLUSTER_VARIABLE, ClusterFile
from huntgroup_onebox.demo_cluster import interval_warning, timeline_of

SERVICES = ("session", "agent-state", "routing", "recording", "reporting")


@pytest.fixture
def arrivals(tmp_path: Path) -> Path:
    file = tmp_path / "arrivals.csv"
    file.write_text("date,09:00,09:15,09:30,10:00\n1999-09-06,9,8,8,0\n")
    return file


def refusal(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    """Run a demo that is refused; return the one line that says why."""
    assert main(["demo", "--plain", *arguments]) == 2
    told = capsys.readouterr()
    assert told.out == ""
    (line,) = told.err.splitlines()
    return line


def test_a_bad_row_starts_nothing(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, arrivals: Path
) -> None:
    arrivals.write_text("date,09:00\n1999-09-06,many\n")
    data, report = tmp_path / "data", tmp_path / "report.json"
    line = refusal(capsys, "--arrivals", str(arrivals), "--data", str(data), "--json", str(report))
    assert line.startswith(f"huntgroup demo: {arrivals}:2: column 09:00: 'many' is no number")
    assert [file.name for file in tmp_path.iterdir()] == [arrivals.name]


def test_a_blank_first_line_is_named(capsys: pytest.CaptureFixture[str], arrivals: Path) -> None:
    arrivals.write_text("\ndate,09:00\n1999-09-06,1\n")
    assert f"{arrivals}:1: is blank" in refusal(capsys, "--arrivals", str(arrivals))


def test_a_day_without_calls_is_refused(capsys: pytest.CaptureFixture[str], arrivals: Path) -> None:
    arrivals.write_text("date,09:00\n1999-09-06,0\n")
    assert "1999-09-06 has no calls" in refusal(capsys, "--arrivals", str(arrivals))


def test_a_report_that_cannot_be_written_is_refused_first(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    assert "is a directory" in refusal(capsys, "--json", str(tmp_path))
    line = refusal(capsys, "--json", str(tmp_path / "none" / "report.json"))
    assert "its directory does not exist" in line


@pytest.mark.parametrize("name", ["a#b", "a?b"])
def test_names_that_split_a_box_are_refused(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, name: str
) -> None:
    assert "the name must be without" in refusal(capsys, "--data", str(tmp_path / name))
    assert main(["serve", "onebox", "--data", str(tmp_path / name)]) == 2
    assert "the name must be without" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


def test_other_bad_options_are_refused(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    assert "must be onebox or cluster" in refusal(capsys, "--target", "moon")
    assert "--day needs --arrivals" in refusal(capsys, "--day", "1999-09-06")
    (tmp_path / "file").touch()
    assert "must be a new or empty directory" in refusal(capsys, "--data", str(tmp_path))
    cluster = ("--target", "cluster", "--data", str(tmp_path))
    assert "a cluster keeps its own log" in refusal(capsys, *cluster)


# On a cluster.


def free_address() -> str:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return f"127.0.0.1:{one.getsockname()[1]}"


def test_a_cluster_that_does_not_answer_is_one_line(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(demo_cluster, "REACHED_WITHIN_S", 0.2)
    file = tmp_path / "cluster.json"
    address = free_address()
    ClusterFile(kafka=address, partitions=4, addresses=dict.fromkeys(SERVICES, address)).write(file)
    monkeypatch.setenv(CLUSTER_VARIABLE, str(file))
    line = refusal(capsys, "--target", "cluster")
    assert f"does not answer at {address}" in line
    assert "make cluster" in line


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{",
        "[]",
        "7",
        "{}",
        '{"kafka": 1, "partitions": 4, "addresses": {}}',
        '{"kafka": "h:1", "partitions": 4, "addresses": {"session": "h:1"}}',
        '{"kafka": "h:1", "partitions": 4, "addresses": 5}',
        '{"kafka": "h:1", "partitions": 4, "addresses": {}, "colour": "red"}',
    ],
)
def test_a_broken_cluster_file_is_named(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path, text: str
) -> None:
    file = tmp_path / "cluster.json"
    file.write_text(text)
    monkeypatch.setenv(CLUSTER_VARIABLE, str(file))
    assert f"{file} ({CLUSTER_VARIABLE}) describes no cluster" in refusal(
        capsys, "--target", "cluster"
    )


def test_a_missing_cluster_file_is_named(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv(CLUSTER_VARIABLE, str(tmp_path / "none.json"))
    assert "No such file" in refusal(capsys, "--target", "cluster")


def test_a_played_day_begins_with_an_interval_of_the_ledger() -> None:
    day: Day = bank_weekday(1)
    assert timeline_of(day, 200.0, 4_500).start_ms % 4_500 == 0
    assert interval_warning(200.0, 4_500) == ""
    assert "200" not in interval_warning(100.0, 4_500)
    assert "inexact" in interval_warning(400.0, 4_500)
    # With real intervals a quick day is not made to wait for the next quarter of an hour.
    waits_ms = timeline_of(day, 200.0, 900_000).start_ms - timeline_of(day, 200.0, 1).start_ms
    assert waits_ms < 1_000
    assert HOUR_MS / 200 < 900_000


# From end to end.


def huntgroup(*arguments: str) -> "subprocess.CompletedProcess[str]":
    command = [sys.executable, "-m", "huntgroup_onebox.cli", *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=100)


@pytest.mark.integration
def test_a_small_day_is_played_reported_and_audited(tmp_path: Path, arrivals: Path) -> None:
    report, data = tmp_path / "report.json", tmp_path / "data"
    options = ("--arrivals", str(arrivals), "--agents", "3", "--plain", "--json", str(report))
    done = huntgroup("demo", *options, "--data", str(data))
    assert done.returncode == 0, done.stderr
    told = json.loads(report.read_text())
    counts, total = told["counts"], told["report"]["total"]
    assert told["calls"] == counts["calls"] == total["offered"] == 25
    assert total["abandoned"] == counts.get("abandoned", 0)
    assert total["answered"] == counts["answered"] == total["handled"]
    assert total["answered"] + total["abandoned"] == 25
    assert total["offers_accepted"] == counts["answered"]
    by_hour = {row["name"]: row["offered"] for row in told["report"]["hours"]}
    assert by_hour["09:00"] == 25
    assert sum(row["offered"] for row in told["report"]["queues"]) == 25
    assert told["audit"]["clean"] is True
    assert "auditor: clean" in done.stdout
    again = huntgroup("verify", str(data))
    assert again.returncode == 0, again.stdout
    (hint,) = [line for line in done.stdout.splitlines() if "huntgroup explain" in line]
    asked = hint.partition(".venv/bin/huntgroup ")[2].split()
    explained = huntgroup(*asked)
    assert (explained.returncode, asked[1] in explained.stdout) == (0, True), explained.stderr
    # Nothing is played over a log that is there already.
    assert huntgroup("demo", *options, "--data", str(data)).returncode == 2


@pytest.mark.integration
def test_a_directory_in_use_is_one_line(tmp_path: Path) -> None:
    held = OwnerLock(tmp_path)
    try:
        done = huntgroup("serve", "onebox", "--data", str(tmp_path))
    finally:
        held.release()
    assert done.returncode == 1
    (line,) = done.stderr.splitlines()
    assert line.startswith("huntgroup serve: the log in ")
    assert "is open in another process" in line
