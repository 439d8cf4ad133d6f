"""Stored histories: commands that a routing domain was told, and journals that services wrote. See README.md."""

import gzip
import json
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, Final

from msgspec import convert, to_builtins

from huntgroup_routing.core import messages
from huntgroup_routing.core.messages import Command

FOLDER: Final = Path(__file__).parent
LENGTH_BYTES: Final = 4
DOMAIN: Final = "histories/kept"
FROM_BEFORE_CHANNELS_KEPT_OUT: Final = frozenset(
    f"routing-{name}.commands.jsonl.gz"
    for name in (
        *("everything", "random-commands", "random-strategies"),
        *("rings-overflow-policies", "shared-agents", "weekday-morning"),
    )
)
"""Told when a queue took contacts of any channel, whichever it named."""

Told = tuple[int, Command]
"""When (log time), and what."""


def write_commands(name: str, told: Iterable[Told]) -> None:
    """Store what a routing domain was told: a line of JSON for each command."""
    lines = (
        json.dumps({"at_ms": at_ms, "told": type(command).__name__, **to_builtins(command)})
        for at_ms, command in told
    )
    _write(name, ("\n".join(lines) + "\n").encode())


def read_commands(name: str) -> Iterator[Told]:
    """Yield what was told, as today's core takes it: fields that are newer than the history have their defaults.

    A queue of a history in which its channel kept nobody out has none.
    """
    for line in _read(name).decode().splitlines():
        words = json.loads(line)
        at_ms, kind = words.pop("at_ms"), getattr(messages, words.pop("told"))
        if name in FROM_BEFORE_CHANNELS_KEPT_OUT:
            _take_any_channel(words, kind)
        yield at_ms, convert(words, kind)


def _take_any_channel(words: dict[str, Any], kind: type[Command]) -> None:
    if kind is messages.ConfigureQueue:
        words["channel"] = None
    for queue in words["queues"] if kind is messages.ApplyPolicy else ():
        queue["channel"] = None


def write_journal(name: str, values: Iterable[bytes]) -> None:
    """Store the entries of a journal partition: each after its length, four bytes, the highest first."""
    _write(name, b"".join(len(value).to_bytes(LENGTH_BYTES) + value for value in values))


def read_journal(name: str) -> Iterator[bytes]:
    """Yield the entries."""
    data, at = _read(name), 0
    while at < len(data):
        start = at + LENGTH_BYTES
        at = start + int.from_bytes(data[at:start])
        yield data[start:at]


def names(suffix: str) -> list[str]:
    """Return the stored files with a suffix."""
    return sorted(path.name for path in FOLDER.glob(f"*{suffix}"))


def _write(name: str, data: bytes) -> None:
    path = FOLDER / name
    if path.exists():
        raise FileExistsError(f"{path} is kept as it is: choose another name")
    path.write_bytes(gzip.compress(data, mtime=0))


def _read(name: str) -> bytes:
    return gzip.decompress((FOLDER / name).read_bytes())
