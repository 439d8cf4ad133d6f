"""Looks into SQLite's write-ahead log for transactions that a damaged frame hides: SQLite drops them without a word.

Each frame has a checksum over all frames before it. At the first that does not fit SQLite takes the log for torn, as it
is after a loss of power, and ignores the rest. Whole transactions of the same log behind that frame tell damage from a
torn end.
The format is at https://sqlite.org/fileformat2.html#walformat.
"""

import struct
from pathlib import Path

_HEADER = struct.Struct(">8I")
_FRAME = struct.Struct(">6I")
_BIG_ENDIAN_BIT = 1


def wal_faults(database: Path) -> list[str]:
    """Return what is wrong with the write-ahead log beside a file; looks twice, for it may be written meanwhile."""
    file = database.with_name(f"{database.name}-wal")
    first = _fault(file)
    return [first] if first and _fault(file) == first else []


def _fault(file: Path) -> str:
    try:
        data = file.read_bytes()
    except FileNotFoundError:
        return ""
    if len(data) <= _HEADER.size:
        return ""
    magic, _, page_bytes, _, *salts, _, _ = _HEADER.unpack_from(data)
    order = ">" if magic & _BIG_ENDIAN_BIT else "<"
    sums = _checksum(data[: _HEADER.size - 8], order, (0, 0))
    if sums != _HEADER.unpack_from(data)[6:]:
        return f"{file.name}: its header is damaged, and hides all of it"
    length = _FRAME.size + page_bytes
    for at in range(_HEADER.size, len(data) - length + 1, length):
        _, commits, salt_1, salt_2, sum_1, sum_2 = _FRAME.unpack_from(data, at)
        if [salt_1, salt_2] != salts:
            return ""  # what is left of an older log
        sums = _checksum(data[at : at + 8] + data[at + _FRAME.size : at + length], order, sums)
        if sums != (sum_1, sum_2):
            # The first commit behind it is its own, unless it is one: an end that is torn may have that.
            hidden = _commits(data, at + length) - (not commits)
            number = (at - _HEADER.size) // length
            told = f"{file.name}: frame {number} is damaged, and hides {hidden} transactions more"
            return told if hidden > 0 else ""
    return ""


def _commits(data: bytes, at: int) -> int:
    """Return how many frames from `at` on end a transaction of the log that the header is of."""
    _, _, page_bytes, _, *salts, _, _ = _HEADER.unpack_from(data)
    found = 0
    for frame_at in range(at, len(data) - _FRAME.size + 1, _FRAME.size + page_bytes):
        _, pages, *frame_salts, _, _ = _FRAME.unpack_from(data, frame_at)
        found += bool(pages) and frame_salts == salts
    return found


def _checksum(data: bytes, order: str, sums: tuple[int, int]) -> tuple[int, int]:
    first, second = sums
    words = struct.unpack(f"{order}{len(data) // 4}I", data)
    for even, odd in zip(words[0::2], words[1::2], strict=True):
        first = (first + even + second) & 0xFFFFFFFF
        second = (second + odd + first) & 0xFFFFFFFF
    return first, second
