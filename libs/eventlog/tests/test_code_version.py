"""What names the code that a snapshot belongs to: all of it that folds, remembers and decodes."""

import shutil
from importlib.resources import files
from pathlib import Path

import pytest

from huntgroup_eventlog import code_version as subject

OWN = "huntgroup.event.v1"
"""Stands for the core of a service: any package that is named."""


def version_with(monkeypatch: pytest.MonkeyPatch, copies: dict[str, Path]) -> str:
    """Return the version when the packages in `copies` are read from there."""
    with monkeypatch.context() as patched:
        patched.setattr(subject, "files", lambda name: copies.get(name) or files(name))
        return subject.code_version.__wrapped__(OWN)


@pytest.mark.parametrize(
    ("package", "file"),
    [
        (OWN, "envelope_pb2.py"),
        ("huntgroup_eventlog.journal", "command_memory.py"),
        ("huntgroup_eventlog.journal", "fold.py"),
        ("huntgroup_contracts", "codec.py"),
        ("huntgroup_contracts", "requirements.py"),
        ("huntgroup.journal.v1", "journal_pb2.py"),
    ],
)
def test_a_change_of_what_a_snapshot_rests_on_changes_the_version(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, package: str, file: str
) -> None:
    copy = tmp_path / package
    shutil.copytree(str(files(package)), copy, ignore=shutil.ignore_patterns("__pycache__"))
    same = version_with(monkeypatch, {package: copy})
    assert same == version_with(monkeypatch, {})
    (copy / file).write_text((copy / file).read_text() + "\n")
    assert version_with(monkeypatch, {package: copy}) != same
