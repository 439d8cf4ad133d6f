"""A process that appends to an embedded log until it is killed, and reports each acknowledged append.

Arguments: directory, durability, partitions. Writes a line `partition position number` per acknowledgement.
"""

import asyncio
import os
import sys
from typing import Literal, cast

from huntgroup_eventlog.adapters.embedded import EmbeddedLog
from huntgroup_eventlog.port import NewRecord

TOPIC = "huntgroup.routing.journal.v1"
IN_FLIGHT = 8


async def append_for_ever(log: EmbeddedLog, partition: int) -> None:
    number = 0
    while True:
        records = [
            NewRecord(key=b"acme/emea", value=b"%d:" % (number + each) + b"x" * 700)
            for each in range(IN_FLIGHT)
        ]
        positions = await asyncio.gather(*(log.append(TOPIC, partition, each) for each in records))
        lines = [f"{partition} {each} {number + n}\n" for n, each in enumerate(positions)]
        # One write to the pipe: the parent reads it even when we are killed right after.
        os.write(1, "".join(lines).encode())
        number += IN_FLIGHT


async def main() -> None:
    survives = cast("Literal['power', 'process']", sys.argv[2])
    log = EmbeddedLog(sys.argv[1], int(sys.argv[3]), survives)
    await log.ensure_topics([TOPIC])
    await asyncio.gather(*(append_for_ever(log, each) for each in range(log.partitions)))


if __name__ == "__main__":
    asyncio.run(main())
