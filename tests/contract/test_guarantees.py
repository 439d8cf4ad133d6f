"""Every test that docs/reference/guarantees.md names as a proof is there."""

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PAGE = ROOT / "docs" / "reference" / "guarantees.md"
PROOF = re.compile(r"`((?:tests|libs|services)/[\w./-]+\.py)(?:::(\w+))?`")
PROOFS = sorted(set(PROOF.findall(PAGE.read_text(encoding="utf-8"))))


def test_the_page_names_proofs() -> None:
    assert len(PROOFS) > 10


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
