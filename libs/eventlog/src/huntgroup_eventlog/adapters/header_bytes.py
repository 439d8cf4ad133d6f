"""How headers are stored in one column: for each, the name's and the value's length, then both."""

import struct
from collections.abc import Mapping

_LENGTHS = struct.Struct(">II")


def pack_headers(headers: Mapping[str, bytes]) -> bytes:
    """Return the headers as bytes; none at all for no headers."""
    if not headers:
        return b""
    parts: list[bytes] = []
    for name, value in headers.items():
        encoded = name.encode()
        parts += (_LENGTHS.pack(len(encoded), len(value)), encoded, value)
    return b"".join(parts)


def unpack_headers(packed: bytes) -> dict[str, bytes]:
    """Return what `pack_headers` was given."""
    headers: dict[str, bytes] = {}
    at = 0
    while at < len(packed):
        name_bytes, value_bytes = _LENGTHS.unpack_from(packed, at)
        name_at = at + _LENGTHS.size
        value_at = name_at + name_bytes
        at = value_at + value_bytes
        headers[packed[name_at:value_at].decode()] = packed[value_at:at]
    return headers
