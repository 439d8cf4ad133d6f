"""Write a golden file for every event, journal entry and snapshot that has none yet: `proto/golden/huntgroup/…`.

A golden file is a pair: `<Message>-<case>.json` says in protobuf's JSON what `<Message>-<case>.binpb` holds as bytes.
It shows that bytes written today can be read by every later version, so it is never changed: the tool adds what is
missing, with values that are a function of the .proto alone, and leaves alone what is there. A message that has grown
fields since gets a further pair, `<Message>-<case>2` and so on. `MANIFEST.sha256` lists every file and only grows
(`sha256sum -c MANIFEST.sha256` checks it).

Before the first release nobody keeps such bytes. Until then `--reset` writes typical files anew after an incompatible
change and drops those whose message is gone. It is refused once the version is 1.0 or a release tag `v…` exists; from
then on an incompatible change is a new event type.
"""

import argparse
import hashlib
import subprocess
import sys
import tomllib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.json_format import MessageToJson
from google.protobuf.message import Message

from huntgroup.journal.v1.journal_pb2 import JournalEntry, Snapshot
from huntgroup_contracts.registry import event_class, event_types

ROOT = Path(__file__).resolve().parent.parent
GOLDEN = Path("proto/golden")
MANIFEST = "MANIFEST.sha256"
CASE = "typical"

TIME_MS = 1_767_225_600_000
"""Times lie in 2026."""
CONTACT, CONVERSATION, RECORDING, COMMAND, CAUSE = (
    f"019b7a00-5c0{number}-7000-8000-00000000000{number}" for number in range(1, 6)
)
TEXTS = {
    "address": ["10.0.0.7:7400"],
    "agent_id": ["agent-7"],
    "causation_id": [COMMAND, CAUSE],
    "code_version": ["0.1.0"],
    "command_id": [COMMAND, CAUSE],
    "contact_id": [CONTACT],
    "conversation_id": [CONVERSATION],
    "customer_endpoint": ["+12025550143"],
    "detail": ["The contact is not in the queue.", "The queue is not known: sales."],
    "domain": ["acme/emea", "acme/apac"],
    "key": ["language", "product"],
    "location": [f"acme/emea/2026/01/01/{RECORDING}.wav"],
    "offer_id": [f"{CONTACT}-1"],
    "outcome": ["accepted"],
    "Outcome.reason": ["WRONG_STATE", "UNKNOWN_QUEUE"],
    "owner": ["routing-0-019b7a00", "routing-1-019b7a01"],
    "queue_id": ["sales"],
    "reason": ["lunch-break"],
    "recording_id": [RECORDING],
    "required_skills": ["billing", "english"],
    "service": ["session"],
    "sha256": [hashlib.sha256(b"golden").hexdigest()],
    "skills": ["billing", "english"],
    "system_endpoint": ["+12025550199"],
    "topic": ["huntgroup.session.journal.v1", "huntgroup.agent-state.journal.v1"],
    "traceparent": [
        "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
        "00-4bf92f3577b34da6a3ce929d0e0e4736-b7ad6b7169203331-01",
    ],
    "type": ["huntgroup.session.contact.queued.v1", "huntgroup.session.contact.offered.v1"],
    "value": ["français", "日本語"],
}
"""Texts by the name of their field (and of its message, where that matters), one for each item of a list."""


def main() -> int:
    """Write what is missing; the exit code is 1 when `--reset` is refused."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--root", type=Path, default=ROOT, help="the repository to work on")
    parser.add_argument("--reset", action="store_true", help="before the first release: anew")
    args = parser.parse_args()
    if args.reset and (reason := released(args.root)):
        print(f"golden files are promises now: {reason}", file=sys.stderr)
        return 1
    folder: Path = args.root / GOLDEN
    folder_now = None if args.reset else folder
    wanted = {f"{name}.{suffix}": data for name, suffix, data in typical_files(folder_now)}
    stale = typical_on_disk(folder) if args.reset else set()
    for name in stale - wanted.keys():
        (folder / name).unlink()
    written = [name for name in wanted if name in stale or not (folder / name).exists()]
    for name in written:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(wanted[name])
    write_manifest(folder, keep=not args.reset)
    print(f"wrote {len(written)} golden files, dropped {len(stale - wanted.keys())}")
    return 0


def released(root: Path) -> str:
    """Return why golden files may not change any more, or nothing when they may."""
    version = tomllib.loads((root / "pyproject.toml").read_text())["project"]["version"]
    if not version.startswith("0."):
        return f"the version is {version}"
    tags = subprocess.run(
        ["git", "tag", "--list", "v*"], cwd=root, capture_output=True, text=True, check=True
    ).stdout.split()
    return f"{tags[0]} was released" if tags else ""


def typical_on_disk(folder: Path) -> set[str]:
    """Return the files that this tool wrote; others were made by hand for a case of their own."""
    cases = (CASE, "claim", "batch")
    paths = (path for case in cases for path in folder.rglob(f"*-{case}*.*"))
    return {path.relative_to(folder).as_posix() for path in paths}


def write_manifest(folder: Path, *, keep: bool) -> None:
    """Add the hash of every file that is not listed yet; with `keep` no line changes or goes."""
    manifest = folder / MANIFEST
    lines = manifest.read_text().splitlines() if keep and manifest.exists() else []
    listed = {line.split("  ", 1)[1] for line in lines}
    for path in sorted(folder.rglob("*-*.*")):
        name = path.relative_to(folder).as_posix()
        if name not in listed:
            lines.append(f"{hashlib.sha256(path.read_bytes()).hexdigest()}  {name}")
    manifest.write_text("".join(f"{line}\n" for line in lines))


def typical_files(folder: Path | None) -> Iterator[tuple[str, str, bytes]]:
    """Yield name, suffix and contents of every file that is to be there, beside those of a folder."""
    for first, message in typical_messages():
        name, number = first, 1
        while folder is not None and says_less(folder / f"{name}.binpb", message):
            number += 1
            name = f"{first}{number}"
        json = MessageToJson(message, preserving_proto_field_name=True, ensure_ascii=False)
        yield name, "json", f"{json}\n".encode()
        yield name, "binpb", message.SerializeToString(deterministic=True)


def says_less(path: Path, message: Message) -> bool:
    """Return whether a golden file is there, and holds the message before it grew fields."""
    if not path.exists():
        return False
    return path.read_bytes() != message.SerializeToString(deterministic=True)


def typical_messages() -> Iterator[tuple[str, Message]]:
    """Yield every message that is written down, by the name of its file."""
    for type_ in event_types():
        yield name_of(event_class(type_), CASE), fill(event_class(type_)())
    for kind in ("claim", "batch"):
        entry = JournalEntry()
        fill(getattr(entry, kind))
        yield name_of(JournalEntry, kind), entry
    yield name_of(Snapshot, CASE), fill(Snapshot())


def name_of(message_class: type[Message], case: str) -> str:
    """Return the name of a golden file: the message's full name as a path, and the case."""
    return f"{message_class.DESCRIPTOR.full_name.replace('.', '/')}-{case}"


def fill(message: Message, index: int = 0) -> Message:
    """Give every field of a message a typical value that differs from field to field."""
    message.SetInParent()  # a message without fields is there, too
    fields: Sequence[Any] = message.DESCRIPTOR.fields
    for field in fields:
        place = getattr(message, field.name)
        if field.message_type is not None and field.is_repeated:
            for number in range(2):
                fill(place.add(), number)
        elif field.message_type is not None:
            fill(place, index)
        elif field.is_repeated:
            place.extend([typical(field, 0), typical(field, 1)])
        else:
            setattr(message, field.name, typical(field, index))
    return message


def typical(field: FieldDescriptor, index: int) -> Any:
    """Return the value of a scalar field; `index` tells the items of a list apart."""
    if field.enum_type is not None:
        known = [value.number for value in field.enum_type.values if value.number]
        return known[index % len(known)]
    match field.cpp_type:
        case FieldDescriptor.CPPTYPE_BOOL:
            return True
        case FieldDescriptor.CPPTYPE_DOUBLE:
            return field.number + index + 0.5
        case FieldDescriptor.CPPTYPE_STRING if field.type == FieldDescriptor.TYPE_BYTES:
            return typical_bytes(field.name, index)
        case FieldDescriptor.CPPTYPE_STRING:
            return typical_text(field, index)
        case _:
            return typical_number(field) + index


def typical_text(field: Any, index: int) -> str:
    """Return a text that fits the name of its field."""
    special = TEXTS.get(f"{field.containing_type.name}.{field.name}")
    texts = special or TEXTS.get(field.name, [])
    return texts[index] if index < len(texts) else f"{field.name.replace('_', '-')}-{index + 1}"


def typical_bytes(name: str, index: int) -> bytes:
    """Return bytes: of an event's payload one that can be read, else as long as a hash."""
    if name == "payload":
        event = fill(event_class(TEXTS["type"][index])())
        return event.SerializeToString(deterministic=True)
    return hashlib.sha256(f"{name}{index}".encode()).digest()


def typical_number(field: FieldDescriptor) -> int:
    """Return a number whose size fits the name: a time, a duration or a count."""
    if not field.name.endswith("_ms"):
        return field.number
    if field.name.endswith(("at_ms", "start_ms", "by_ms", "since_ms")):
        return TIME_MS + field.number
    return 1_000 * field.number


if __name__ == "__main__":
    sys.exit(main())
