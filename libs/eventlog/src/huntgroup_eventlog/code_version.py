"""Names the code that folds events, so that a snapshot made by other code is never trusted."""

from functools import cache
from hashlib import sha256
from importlib.resources import files
from importlib.resources.abc import Traversable

SHARED = ("huntgroup_eventlog.journal", "huntgroup_contracts", "huntgroup.journal.v1")
"""What folds, remembers and decodes in every service."""


@cache
def code_version(*packages: str) -> str:
    """Return a digest over the Python sources of `packages`, as `huntgroup_routing.core`, and of what they share."""
    digest = sha256()
    for package in (*packages, *SHARED):
        _update(digest, files(package), package)
    return digest.hexdigest()[:16]


def _update(digest: "sha256", folder: Traversable, name: str) -> None:  # type: ignore[valid-type]
    for entry in sorted(folder.iterdir(), key=lambda one: one.name):
        if entry.is_dir() and entry.name != "__pycache__":
            _update(digest, entry, f"{name}/{entry.name}")
        elif entry.name.endswith(".py"):
            digest.update(f"{name}/{entry.name}\n".encode())  # type: ignore[attr-defined]
            digest.update(entry.read_bytes())  # type: ignore[attr-defined]
