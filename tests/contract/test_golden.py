"""Golden files: every event's wire form is written down, can be read for ever, and is never changed.

`make golden` writes what is missing. A red test here says that bytes in somebody's journal could no longer be read.
"""

import hashlib
import shutil
import subprocess
import sys
from importlib import import_module, util
from pathlib import Path
from typing import Any

import pytest
from google.protobuf.json_format import MessageToDict, Parse
from google.protobuf.message import Message

from huntgroup.journal.v1.journal_pb2 import JournalEntry, Snapshot
from huntgroup_contracts.codec import EventCodec
from huntgroup_contracts.registry import SERVICES, classes_of, event_class, event_types

ROOT = Path(__file__).resolve().parents[2]
FOLDER = "proto/golden"
GOLDEN = ROOT / FOLDER
MANIFEST = GOLDEN / "MANIFEST.sha256"
TOOL = ROOT / "tools" / "write_golden.py"

WRITTEN: list[type[Message]] = [*map(event_class, event_types()), JournalEntry, Snapshot]
CLASSES = {
    message_class.DESCRIPTOR.full_name.replace(".", "/"): message_class for message_class in WRITTEN
}
EXPECTED = {name: f"{name}-typical" for name in CLASSES if not name.endswith("/JournalEntry")}
CASES = sorted(path.relative_to(GOLDEN).as_posix()[:-6] for path in GOLDEN.rglob("*.binpb"))
UNKNOWN_FIELD = b"\xc2\x3e\x03new"  # field 1000, three bytes


def message_class_of(case: str) -> type[Message]:
    return CLASSES[case.rsplit("-", 1)[0]]


def golden_bytes(case: str) -> bytes:
    return (GOLDEN / f"{case}.binpb").read_bytes()


@pytest.mark.parametrize("case", EXPECTED.values())
def test_every_event_and_the_snapshot_have_a_golden_file(case: str) -> None:
    assert (GOLDEN / f"{case}.json").is_file(), "make golden"
    assert (GOLDEN / f"{case}.binpb").is_file(), "make golden"


@pytest.mark.parametrize("kind", ["claim", "batch"])
def test_every_kind_of_journal_entry_has_a_golden_file(kind: str) -> None:
    assert (GOLDEN / f"huntgroup/journal/v1/JournalEntry-{kind}.json").is_file(), "make golden"
    entry = JournalEntry.FromString(golden_bytes(f"huntgroup/journal/v1/JournalEntry-{kind}"))
    assert entry.WhichOneof("kind") == kind


@pytest.mark.parametrize("case", CASES)
def test_bytes_and_json_say_the_same_and_are_written_as_they_were(case: str) -> None:
    message_class = message_class_of(case)
    text = (GOLDEN / f"{case}.json").read_text(encoding="utf-8")
    message = message_class.FromString(golden_bytes(case))
    assert message == Parse(text, message_class())
    assert message.SerializeToString(deterministic=True) == golden_bytes(case)


@pytest.mark.parametrize("case", CASES)
def test_a_reader_tolerates_a_field_it_does_not_know(case: str) -> None:
    message_class = message_class_of(case)
    newer = message_class.FromString(golden_bytes(case) + UNKNOWN_FIELD)
    assert MessageToDict(newer) == MessageToDict(message_class.FromString(golden_bytes(case)))


def codec_of(service: str) -> EventCodec[Any]:
    """Return the codec of a service's own event classes; skip a service that has none yet."""
    name = f"huntgroup_{service.replace('-', '_')}.core.messages"
    try:
        found = util.find_spec(name)
    except ModuleNotFoundError:
        found = None
    if found is None:
        pytest.skip(f"there is no {name} yet")
    messages = import_module(name)
    names = [message_class.DESCRIPTOR.name for message_class in classes_of(service).values()]
    events_pb2 = import_module(f"huntgroup.{service.replace('-', '_')}.v1.events_pb2")
    return EventCodec(events_pb2, [getattr(messages, name) for name in names])


@pytest.mark.parametrize("service", SERVICES)
def test_a_service_reads_its_golden_events_and_writes_them_as_they_were(service: str) -> None:
    codec = codec_of(service)
    for type_, message_class in classes_of(service).items():
        name = message_class.DESCRIPTOR.full_name.replace(".", "/")
        for case in (case for case in CASES if case.rsplit("-", 1)[0] == name):
            event = codec.decode(type_, golden_bytes(case))
            assert codec.encode(event) == (type_, golden_bytes(case))
            assert codec.decode(type_, golden_bytes(case) + UNKNOWN_FIELD) == event


# Never changed: the manifest holds every file, and git shows no change since the first release.


def test_the_manifest_lists_every_file_with_its_hash() -> None:
    files = {
        path.relative_to(GOLDEN).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in GOLDEN.rglob("*-*.*")
    }
    lines = MANIFEST.read_text(encoding="utf-8").splitlines()
    listed = {name: digest for digest, name in (line.split("  ", 1) for line in lines)}
    assert listed == files
    assert len(lines) == len(listed)


def git(root: Path, *arguments: str) -> list[str]:
    identity = ["-c", "user.name=test", "-c", "user.email=test@localhost"]
    command = ["git", *identity, *arguments]
    return subprocess.run(
        command, cwd=root, capture_output=True, text=True, check=True
    ).stdout.splitlines()


def broken_promises(root: Path) -> list[str]:
    """Return every golden file that any release held and that is no longer there as it was."""
    changed = []
    for tag in git(root, "tag", "--list", "v*"):
        has_golden = git(root, "ls-tree", "--name-only", tag, f"{FOLDER}/")
        if has_golden:
            command = ("diff", "--name-status", "--no-renames", "--diff-filter=MDT", tag)
            lines = git(root, *command, "--", FOLDER, f":(exclude){FOLDER}/{MANIFEST.name}")
            changed += [f"{tag}: {line}" for line in lines]
            released = set(git(root, "show", f"{tag}:{FOLDER}/{MANIFEST.name}"))
            kept = set((root / FOLDER / MANIFEST.name).read_text().splitlines())
            changed += [f"{tag}: {line} left the manifest" for line in sorted(released - kept)]
    return changed


def test_no_released_golden_file_was_changed() -> None:
    if shutil.which("git") is None or not (ROOT / ".git").exists():
        pytest.skip("no git history here")
    assert broken_promises(ROOT) == []


# The tool, on a repository of its own.


def run_tool(root: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(TOOL), "--root", str(root), *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False)


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    (tmp_path / "pyproject.toml").write_text('[project]\nversion = "0.1.0"\n')
    git(tmp_path, "init", "--quiet")
    assert run_tool(tmp_path).returncode == 0
    git(tmp_path, "add", ".")
    git(tmp_path, "commit", "--quiet", "--message", "Golden files")
    return tmp_path


def event_file(root: Path) -> Path:
    return root / FOLDER / "huntgroup/session/v1/ContactQueued-typical.json"


def test_the_tool_writes_the_same_every_time_and_adds_only_what_is_missing(
    repository: Path,
) -> None:
    event_file(repository).unlink()
    other = repository / FOLDER / "huntgroup/session/v1/ContactHeld-typical.json"
    other.write_text("mine")
    assert "wrote 1 golden files" in run_tool(repository).stdout
    assert git(repository, "diff", "--name-only") == [other.relative_to(repository).as_posix()]


def test_a_message_that_has_grown_since_gets_a_further_file(repository: Path) -> None:
    before = event_file(repository).with_suffix(".binpb")
    before.write_bytes(before.read_bytes()[:-4])
    assert "wrote 2 golden files" in run_tool(repository).stdout
    after = before.with_name("ContactQueued-typical2.binpb")
    assert after.is_file()
    assert "wrote 0 golden files" in run_tool(repository).stdout
    assert run_tool(repository, "--reset").returncode == 0
    assert not after.exists()


def test_a_reset_writes_typical_files_anew_and_drops_those_of_messages_that_are_gone(
    repository: Path,
) -> None:
    gone = event_file(repository).with_name("ContactForgotten-typical.json")
    by_hand = event_file(repository).with_name("ContactQueued-long.json")
    for path in (event_file(repository), gone, by_hand):
        path.write_text("old")
    assert run_tool(repository, "--reset").returncode == 0
    assert git(repository, "diff", "--name-only") == [f"{FOLDER}/{MANIFEST.name}"]
    assert not gone.exists()
    assert by_hand.read_text() == "old"
    assert "ContactQueued-long.json" in (repository / FOLDER / MANIFEST.name).read_text()


@pytest.mark.parametrize("what", ["tag", "version"])
def test_a_reset_is_refused_after_a_release(repository: Path, what: str) -> None:
    if what == "tag":
        git(repository, "tag", "v0.1.0")
    else:
        (repository / "pyproject.toml").write_text('[project]\nversion = "1.0.0"\n')
    event_file(repository).write_text("old")
    assert run_tool(repository, "--reset").returncode == 1
    assert event_file(repository).read_text() == "old"


@pytest.mark.parametrize("change", ["modify", "delete", "rename", "forget"])
def test_a_change_to_a_released_golden_file_is_found(repository: Path, change: str) -> None:
    git(repository, "tag", "v0.1.0")
    assert broken_promises(repository) == []
    file = event_file(repository)
    match change:
        case "modify":
            file.write_text("mine")
        case "delete":
            file.unlink()
        case "rename":
            file.rename(file.with_name("Other-typical.json"))
        case _:
            (repository / FOLDER / MANIFEST.name).write_text("")
    assert "ContactQueued-typical.json" in "\n".join(broken_promises(repository))


def test_a_new_golden_file_breaks_no_promise(repository: Path) -> None:
    git(repository, "tag", "v0.1.0")
    event_file(repository).with_name("ContactQueued-long.json").write_text("{}")
    assert run_tool(repository).returncode == 0
    assert broken_promises(repository) == []
