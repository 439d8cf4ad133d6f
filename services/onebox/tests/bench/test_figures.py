"""What a figure is worth, which figures there are, and that nothing is measured of which nothing is promised."""

import json
from collections.abc import Callable
from contextlib import nullcontext
from pathlib import Path

import pytest

from huntgroup_onebox import bench_command
from huntgroup_onebox.bench import registry
from huntgroup_onebox.bench.figure import (
    Measured,
    Objective,
    percentile,
    percentiles,
    read_objectives,
)
from huntgroup_onebox.bench.load import LoadResult
from huntgroup_onebox.bench.registry import ENTRIES, Entry, chosen, figure_names
from huntgroup_onebox.bench.report import table, values
from huntgroup_onebox.bench.workbench import Workbench
from huntgroup_onebox.cli import main

ROOT = Path(__file__).resolve().parents[4]
SLO = ROOT / "loadtests/slo.toml"
RATIO = Objective(title="a ratio", unit="×", better="lower", at_least=1.5, aim=1.2)
RATE = Objective(title="a rate", unit="/s", better="higher", at_least=100, aim=300)


@pytest.mark.parametrize(
    ("objective", "value", "verdict"),
    [
        (RATIO, 1.2, "aim"),
        (RATIO, 1.21, "ok"),
        (RATIO, 1.5, "ok"),
        (RATIO, 1.51, "SHORT"),
        (RATE, 300, "aim"),
        (RATE, 100, "ok"),
        (RATE, 99.9, "SHORT"),
        (Objective(title="", unit="", better="higher", aim=6), 5, "ok"),
        (Objective(title="", unit="", better="higher"), 5, "-"),
    ],
)
def test_a_value_is_worth_what_was_promised(
    objective: Objective, value: float, verdict: str
) -> None:
    assert objective.verdict(value) == verdict


def test_what_falls_short_in_a_run_that_proves_nothing_is_unsure() -> None:
    assert RATIO.verdict(1.51, doubted=True) == "unsure"
    assert RATIO.verdict(1.5, doubted=True) == "ok"
    assert RATIO.verdict(1.2, doubted=True) == "aim"


def test_a_percentile_of_all_repeats_is_not_their_median() -> None:
    measured = Measured(name="p99", repeats=[1.0, 2.0, 9.0], whole=8.5, baseline="", client="")
    assert measured.value == 8.5
    assert measured.spread == (1.0, 9.0)


def test_a_figure_is_the_median_of_its_repeats_and_shows_their_spread() -> None:
    measured = Measured(name="rate", repeats=[90.0, 120.0, 100.0], baseline="", client="")
    assert measured.value == 100.0
    assert measured.spread == (90.0, 120.0)


def test_percentiles_are_of_all_samples() -> None:
    samples = [float(each) for each in range(1, 1_001)]
    assert percentile(samples, 0.5) == 501.0
    assert percentiles(samples) == {
        "p50": 501.0,
        "p90": 901.0,
        "p99": 991.0,
        "p99.9": 1_000.0,
        "max": 1_000.0,
        "count": 1_000.0,
    }
    with pytest.raises(ValueError, match="no samples"):
        percentile([], 0.5)


def test_every_figure_has_an_objective_and_a_line_in_the_reference() -> None:
    objectives = read_objectives(SLO)
    assert set(figure_names()) <= objectives.keys()
    assert len(figure_names()) == len(set(figure_names()))
    reference = (ROOT / "docs/reference/performance.md").read_text(encoding="utf-8")
    assert [name for name in objectives if f"`{name}`" not in reference] == []


def test_an_objective_that_is_none_is_named(tmp_path: Path) -> None:
    file = tmp_path / "slo.toml"
    file.write_text('[speed]\ntitle = "a"\nunit = "b"\nbetter = "quicker"\n')
    with pytest.raises(ValueError, match=r"\[speed\]: better='quicker': lower or higher"):
        read_objectives(file)
    file.write_text('[speed]\ntitle = "a"\n')
    with pytest.raises(ValueError, match=r"\[speed\]: .*unit"):
        read_objectives(file)


def stand_in(
    monkeypatch: pytest.MonkeyPatch, measure: Callable[[Workbench], list[Measured]]
) -> None:
    """Let two figures be measured, the first by `measure`, the second by nobody: it fails."""

    def fails(_: Workbench) -> list[Measured]:
        raise RuntimeError("nobody measures this")

    entries = (
        Entry(names=("replay",), measure=measure),
        Entry(names=("sim-seeds",), measure=fails),
    )
    monkeypatch.setattr(registry, "chosen", lambda *_, **__: list(entries))
    monkeypatch.setattr(bench_command, "pinned", nullcontext)
    monkeypatch.setattr(bench_command, "LOOK_S", 0.01)


@pytest.mark.parametrize(
    ("busy", "verdict", "said"),
    [
        (0.02, "SHORT", "short of what is promised: replay"),
        (0.4, "unsure", "the machine was 40% busy with something else"),
    ],
)
def test_figures_are_kept_as_they_come_and_a_busy_machine_proves_nothing(
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    *,
    busy: float,
    verdict: str,
    said: str,
) -> None:
    """Given a figure that falls short and one that fails after it, then the first is in the file, as it is worth."""
    slow = [Measured(name="replay", repeats=[1.0], baseline="", client="")]
    stand_in(monkeypatch, lambda _: slow)
    monkeypatch.setattr(bench_command, "busy_share", lambda _: busy)
    file = tmp_path / "bench.json"
    assert main(["bench", "--json", str(file), "--objectives", str(SLO)]) == 1
    (figure,) = json.loads(file.read_text(encoding="utf-8"))["figures"]
    assert (figure["name"], figure["verdict"]) == ("replay", verdict)
    told = capsys.readouterr()
    assert said in " ".join(told.out.split())
    assert "not measured" in told.out
    assert "sim-seeds: nobody measures this" in told.err


def test_long_figures_are_measured_only_when_they_are_asked_for() -> None:
    assert [entry for entry in chosen([], everything=False) if entry.long] == []
    assert chosen([], everything=True) == list(ENTRIES)
    (entry,) = chosen(["offered-p99-ratio"], everything=False)
    assert "offered-p99-ratio" in entry.names


def load(*steps: tuple[float, int, int], arrived: int = 0) -> LoadResult:
    """Return a load of one-second steps: rate, completed, under way at the end; more may have arrived."""
    second = 1_000_000_000
    contacts = [
        {"step": number, "due_ns": 1, "completed_ns": number * second + each + 1}
        for number, (_, completed, _) in enumerate(steps)
        for each in range(completed)
    ]
    told = [
        {
            "rate": rate,
            "arrived": max(arrived, completed),
            "begins_ns": number * second,
            "ends_ns": (number + 1) * second,
            "under_way": under_way,
            "late_ms_max": 0.0,
        }
        for number, (rate, completed, under_way) in enumerate(steps)
    ]
    return LoadResult(
        contacts=contacts, steps=told, failures={}, client_cores=0.1, cpu_ms_per_contact={}
    )


def test_the_knee_is_what_was_completed_on_the_last_step_that_was_kept_up_with() -> None:
    assert load((10, 10, 1), (20, 19, 2), (40, 25, 30)).knee() == 19
    assert load((40, 25, 30)).knee() == 0


def test_what_is_kept_up_with_after_a_failed_step_counts_for_nothing() -> None:
    assert load((10, 10, 1), (20, 12, 15), (22, 22, 1)).knee() == 10


def test_a_step_on_which_callers_were_turned_away_is_not_kept_up_with() -> None:
    assert load((100, 100, 0), arrived=101).kept_up(0)
    assert not load((100, 98, 0), arrived=100).kept_up(0)


def test_the_table_and_the_file_say_the_same() -> None:
    measured = [Measured(name="rate", repeats=[90.0, 95.0, 99.0], baseline="b", client="c")]
    (row,) = table(measured, {"rate": RATE}, {}).columns[5].cells
    (figure,) = values(measured, {"rate": RATE}, {"cores": 2})["figures"]
    assert row == "[bold red]SHORT[/]"
    assert (figure["verdict"], figure["value"], figure["spread"]) == ("SHORT", 95.0, [90.0, 99.0])


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["speed"], "FIGURE 'speed': must be one of journal-append-ratio,"),
        (["--json", "."], "--json .: must be a file in a directory that exists"),
        (["--objectives", "nowhere.toml"], "--objectives nowhere.toml: No such file"),
    ],
)
def test_bad_input_is_refused_before_anything_runs(
    capsys: pytest.CaptureFixture[str], arguments: list[str], said: str
) -> None:
    options = [] if "--objectives" in arguments else ["--objectives", str(SLO)]
    assert main(["bench", *arguments, *options]) == 2
    assert said in capsys.readouterr().err
