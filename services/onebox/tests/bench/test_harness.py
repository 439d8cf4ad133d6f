"""`huntgroup bench` from the outside, as quickly as it can be: it measures, tells and ends with the right code."""

import json
from pathlib import Path

import pytest

from huntgroup_onebox.bench.load import Stairs, play_load
from huntgroup_onebox.bench.serving import onebox
from huntgroup_onebox.bench.workbench import Workbench
from huntgroup_onebox.cli import main

SLO = Path(__file__).resolve().parents[4] / "loadtests/slo.toml"


@pytest.mark.e2e
def test_a_figure_is_measured_and_written(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "bench.json"
    arguments = ["memory-onebox", "--quick", "--json", str(file), "--objectives", str(SLO)]
    assert main(["bench", *arguments]) == 0
    told = json.loads(file.read_text(encoding="utf-8"))
    (figure,) = told["figures"]
    assert figure["name"] == "memory-onebox"
    (empty,) = figure["details"]["empty_mib"]
    assert 0 < empty < figure["value"]
    assert figure["doubts"] == "measured with --quick"
    assert told["machine"]["packages"]["grpcio"]
    assert "memory-onebox" in capsys.readouterr().err


@pytest.mark.e2e
def test_what_falls_short_in_a_quick_run_is_to_be_measured_again(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    strict = tmp_path / "slo.toml"
    text = SLO.read_text(encoding="utf-8").replace("at_least = 500\n", "at_least = 1\n")
    strict.write_text(text.replace("aim = 300\n", "aim = 1\n"), encoding="utf-8")
    assert main(["bench", "memory-onebox", "--quick", "--objectives", str(strict)]) == 0
    told = capsys.readouterr().out
    assert "to be measured again, it proves nothing: memory-onebox" in told
    assert "short of what is promised" not in told


@pytest.mark.e2e
def test_whole_contacts_go_through_onebox() -> None:
    with Workbench(quick=True) as bench, onebox(bench) as served:
        stairs = Stairs(first_rate=10.0, step_s=2.0)
        played = play_load(bench, served, stairs, domain="bench/test", agents=10, seed=1)
    assert len(played.contacts) > 0
    assert played.failures == {}
    for contact in played.contacts:
        assert 0 < contact["due_ns"] < contact["queue_sent_ns"] < contact["offered_ns"]
        assert contact["offered_ns"] < contact["completed_ns"]
    assert played.cpu_ms_per_contact["onebox"] > 0
