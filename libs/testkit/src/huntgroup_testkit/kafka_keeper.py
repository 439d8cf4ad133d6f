"""Keeps one Kafka broker for all test processes of this machine that share a cache folder, as long as there are any.

A process of its own, so that whichever test process came first may leave first. It learns that nobody is left from the
lock every user holds: the operating system frees it even when a user is killed.
"""

import fcntl
import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from huntgroup_runtime.local_kafka import LocalKafka
from huntgroup_runtime.local_kafka_install import LocalKafkaUnavailableError

USERS_LOCK = "users.lock"
ADDRESS = "address.json"


@contextmanager
def using(folder: Path) -> Iterator[None]:
    """Count as a user of the folder's broker for the length of the block."""
    with (folder / USERS_LOCK).open("a") as users:
        fcntl.flock(users, fcntl.LOCK_SH)
        yield


def keep(home: Path, folder: Path) -> int:
    """Run a broker until nobody uses it; write its address, or why there is none."""
    broker = LocalKafka(home, short_lived=True)
    address = folder / ADDRESS
    try:
        try:
            broker.start()
        except LocalKafkaUnavailableError as error:
            _write(address, {"error": str(error)})
            return 1
        _write(address, {"bootstrap_servers": broker.bootstrap_servers, "pid": broker.pid})
        with (folder / USERS_LOCK).open("a") as users:
            fcntl.flock(users, fcntl.LOCK_EX)
            address.unlink(missing_ok=True)
            broker.stop()
    finally:
        broker.stop()
    return 0


def _write(file: Path, content: dict[str, object]) -> None:
    """Write the file in one step: readers see all of it or nothing."""
    draft = file.with_suffix(".draft")
    draft.write_text(json.dumps(content))
    draft.rename(file)


if __name__ == "__main__":
    sys.exit(keep(Path(sys.argv[1]), Path(sys.argv[2])))
