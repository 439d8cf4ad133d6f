"""Every promise of docs/reference/guarantees.md has a proof that is there and a command that can be run."""

import ast
import re
from collections.abc import Callable, Sequence
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from typing import Any

import pytest

from huntgroup_onebox.bench.registry import figure_names
from huntgroup_onebox.chaos.faults import FAULTS

ROOT = Path(__file__).resolve().parents[2]
PAGE = ROOT / "docs" / "reference" / "guarantees.md"
PROOF = re.compile(r"`((?:tests|libs|services)/[\w./-]+\.py)(?:::(\w+))?`")
BENCH = re.compile(r"huntgroup bench((?: [a-z][a-z0-9-]+)+)")
CHAOS = re.compile(r"huntgroup chaos --faults ([a-z,-]+)")
COLUMNS = 3

Promise = tuple[str, str, str]


def promises(text: str) -> list[Promise]:
    """Return the rows of the table: what is promised, what proves it, what can be run."""
    rows = [line.strip("|").split(" | ") for line in text.splitlines() if line.startswith("| ")]
    return [(one[0], one[1], one[2]) for one in rows[1:] if len(one) == COLUMNS]


TEXT = PAGE.read_text(encoding="utf-8")
PROMISES = promises(TEXT)
PROOFS = sorted(set(PROOF.findall(TEXT)))


@pytest.fixture(scope="module")
def check_docs() -> Any:
    spec = spec_from_file_location("check_docs", ROOT / "tools/check_docs.py")
    assert spec is not None
    assert spec.loader is not None
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def faults_of(
    promise: Promise,
    commands_of: Callable[[str], Sequence[Sequence[str]]],
    why: Callable[[str], Any],
) -> list[str]:
    """Return what is wrong with one promise."""
    _, proof, command = promise
    faults = [] if PROOF.search(proof) else ["no test is named that proves it"]
    if not commands_of(command):
        faults.append("no command is named that runs it")
    faults += why(command)
    figures = {name for found in BENCH.findall(command) for name in found.split()}
    faults += [f"no such figure: {name}" for name in sorted(figures - set(figure_names()))]
    names = {name for found in CHAOS.findall(command) for name in found.split(",")}
    return faults + [f"no such fault: {name}" for name in sorted(names - set(FAULTS))]


def judge(check_docs: Any, promise: Promise) -> list[str]:
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    commands = check_docs.Commands(makefile, check_docs.huntgroup_parser())
    return faults_of(
        promise,
        lambda text: list(check_docs.shown_commands(text)),
        commands.faults,
    )


def test_the_page_names_promises_and_proofs() -> None:
    assert len(PROMISES) > 10
    assert len(PROOFS) > 10


@pytest.mark.parametrize("promise", PROMISES, ids=lambda one: one[0].strip()[:40])
def test_a_promise_has_a_proof_and_a_command(check_docs: Any, promise: Promise) -> None:
    assert judge(check_docs, promise) == []


@pytest.mark.parametrize(
    ("proof", "command", "why"),
    [
        ("every seed", "`make sim`", "no test is named"),
        ("`tests/x.py::test_y`", "some command", "no command is named"),
        ("`tests/x.py::test_y`", "`huntgroup sim --seed many`", "--seed"),
        ("`tests/x.py::test_y`", "`make nothing`", "no such verb"),
        ("`tests/x.py::test_y`", "`huntgroup bench goodput`", "no such figure: goodput"),
        ("`tests/x.py::test_y`", "`huntgroup chaos --faults kill-all`", "is none of"),
    ],
)
def test_a_promise_without_one_is_named(
    check_docs: Any, proof: str, command: str, why: str
) -> None:
    assert why in "; ".join(judge(check_docs, ("We promise", proof, command)))


@pytest.mark.parametrize(("path", "name"), PROOFS)
def test_a_named_proof_exists(path: str, name: str) -> None:
    file = ROOT / path
    assert file.is_file()
    tests = {
        node.name
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8")))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        and node.name.startswith("test_")
    }
    assert tests
    assert not name or name in tests
