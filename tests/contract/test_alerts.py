"""The alerts that Prometheus loads: rules it can read, over metrics that exist, each with its runbook."""

import re
from pathlib import Path
from typing import Any

import promql_parser
import pytest
import yaml

from huntgroup_eventlog.application import NEW_SHARE
from huntgroup_eventlog.journal.replica import Limits

ROOT = Path(__file__).parents[2]
DOCKER = ROOT / "deploy" / "docker"
LABEL = re.compile(r"\$labels\.(\w+)")
INCREASED = re.compile(r"increase\([^)]*\)+\s*([<>=!]+)\s*([\d.]+)")


def rules() -> list[dict[str, Any]]:
    groups = yaml.safe_load((DOCKER / "alerts.yaml").read_text(encoding="utf-8"))["groups"]
    return [rule for group in groups for rule in group["rules"]]


def metrics_of(expression: object) -> set[str]:
    """Return the names of all metrics in a parsed expression."""
    if isinstance(expression, promql_parser.VectorSelector):
        return {expression.name or ""}
    parts = ("expr", "lhs", "rhs", "param", "vector_selector", "vs", "args")
    found: set[str] = set()
    for part in parts:
        inner = getattr(expression, part, None)
        for one in inner if isinstance(inner, list) else [inner]:
            if one is not None and not isinstance(one, str):
                found |= metrics_of(one)
    return found


METRICS_PAGE = (ROOT / "docs/reference/metrics.md").read_text(encoding="utf-8")
KNOWN = set(re.findall(r"^\| `[a-z.]+` \| `(\w+)` \|", METRICS_PAGE, re.MULTILINE))
"""As the page says, which is made of the code."""


@pytest.mark.parametrize("rule", rules(), ids=lambda rule: rule["alert"])
def test_an_alert_can_be_read_and_is_about_metrics_that_exist(rule: dict[str, Any]) -> None:
    parsed = promql_parser.parse(rule["expr"])
    found = metrics_of(parsed)
    assert found, "an alert that looks at nothing"
    assert found <= KNOWN
    assert rule["labels"]["severity"] in {"warning", "critical"}
    assert re.fullmatch(r"\d+[ms]", rule.get("for", "0s"))


@pytest.mark.parametrize("rule", rules(), ids=lambda rule: rule["alert"])
def test_a_label_that_an_alert_shows_is_one_it_is_about(rule: dict[str, Any]) -> None:
    shown = set(LABEL.findall(rule["annotations"]["summary"]))
    kept = {"instance"} if " by (" not in rule["expr"] else set()
    for names in re.findall(r"(?:by|on) \(([^)]*)\)", rule["expr"]):
        kept |= {name.strip() for name in names.split(",")}
    assert shown <= kept


@pytest.mark.parametrize("rule", rules(), ids=lambda rule: rule["alert"])
def test_how_often_something_happened_is_judged_between_two_numbers(rule: dict[str, Any]) -> None:
    """`increase` extrapolates: what happened once in ten minutes is shown as 1.008 times."""
    for comparison, number in INCREASED.findall(rule["expr"]):
        assert (comparison, number) in {(">", "0"), ("==", "0")} or number.endswith(".5")


def test_any_number_of_owners_but_one_is_told() -> None:
    owned = re.compile(r"\(huntgroup_journal_owned\) ([<>]) 1\b")
    told = {found[1]: rule for rule in rules() if (found := owned.search(rule["expr"]))}
    assert set(told) == {"<", ">"}
    assert {(one["for"], one["labels"]["severity"]) for one in told.values()} == {
        ("30s", "critical")
    }


def runbook_of(rule: dict[str, Any]) -> tuple[str, str]:
    """Return the page of an alert, and the section; empty: it begins at the top."""
    page, _, section = rule["annotations"]["runbook"].partition("#")
    return page, section


def test_every_alert_has_a_runbook_of_its_own_and_every_runbook_an_alert() -> None:
    told = [runbook_of(rule) for rule in rules()]
    pages = {str(page.relative_to(ROOT)) for page in (ROOT / "docs/runbooks").glob("*.md")}
    assert {page for page, _ in told} == pages
    assert len(set(told)) == len(told)
    for page, section in told:
        headings = re.findall(r"^#+ (.+)$", (ROOT / page).read_text(encoding="utf-8"), re.MULTILINE)
        assert section in {"", *(one.lower().replace(" ", "-") for one in headings)}


def test_a_relay_that_falls_behind_is_told_before_new_work_is_refused() -> None:
    [rule] = [rule for rule in rules() if rule["alert"] == "RelayBehind"]
    [told_at] = re.findall(r"or huntgroup_relay_lag > (\d+)", rule["expr"])
    assert int(told_at) <= Limits().unrelayed_batches_max * NEW_SHARE / 2


@pytest.mark.parametrize("rule", rules(), ids=lambda rule: rule["alert"])
def test_a_runbook_names_the_metrics_of_its_alert(rule: dict[str, Any]) -> None:
    page = (ROOT / runbook_of(rule)[0]).read_text(encoding="utf-8")
    for name in metrics_of(promql_parser.parse(rule["expr"])):
        assert name in page


def test_prometheus_loads_the_alerts_and_scrapes_every_process() -> None:
    services = yaml.safe_load((ROOT / "docker-compose.yml").read_text(encoding="utf-8"))["services"]
    settings = yaml.safe_load((DOCKER / "prometheus.yaml").read_text(encoding="utf-8"))
    mounted = [volume.split(":") for volume in services["prometheus"]["volumes"]]
    inside = {target: source for source, target, *_ in mounted}
    assert [inside[file] for file in settings["rule_files"]] == ["./deploy/docker/alerts.yaml"]
    [job] = settings["scrape_configs"]
    ours = {f"{name}:7480" for name, one in services.items() if "build" in one}
    assert set(job["static_configs"][0]["targets"]) == ours
