"""Addresses on command lines: looked at before anything is sent to them."""

import argparse
from typing import Final

PORT_MAX: Final = 65_535


def addresses(text: str) -> str:
    """Return `host:port`, or several separated by commas, as it is; for argparse, which tells of anything else."""
    for one in text.split(","):
        host, _, port = one.strip().rpartition(":")
        if not host or "/" in host or not port.isdecimal() or not 1 <= int(port) <= PORT_MAX:
            raise argparse.ArgumentTypeError(
                f"{one!r}: must be HOST:PORT with a port from 1 to {PORT_MAX}, for example 127.0.0.1:7400"
            )
    return text
