"""Store the journals of a real run for ever: `python tools/write_history.py DIR NAME`.

DIR is an embedded log; the journal of each service becomes tests/histories/NAME.SERVICE.journal.gz. The log must hold
one domain only, so that one partition of each journal tells everything. Nothing that is there is ever overwritten.
"""

import argparse
import asyncio
import sys
from pathlib import Path

from huntgroup_contracts.registry import SERVICES, topic_journal
from huntgroup_eventlog.adapters.embedded_read_only import ReadOnlyEmbeddedLog

ROOT = Path(__file__).resolve().parents[1]


async def journals(directory: Path) -> dict[str, list[bytes]]:
    """Return the entries of the longest partition of each service's journal."""
    log = ReadOnlyEmbeddedLog(directory)
    found = {}
    try:
        for service in SERVICES:
            topic = topic_journal(service)
            ends = {one: await log.end(topic, one) for one in range(log.partitions)}
            partition = max(ends, key=lambda one: ends[one])
            reader = await log.reader(topic, partition, 0)
            values: list[bytes] = []
            while len(values) < ends[partition]:
                values += [record.value for record in await reader.read(500, 1_000)]
            await reader.close()
            found[service] = values
    finally:
        await log.close()
    return found


def main() -> int:
    """Write the files, and print their names and sizes."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("directory", type=Path, metavar="DIR")
    parser.add_argument("name", metavar="NAME")
    arguments = parser.parse_args()
    sys.path.insert(0, str(ROOT))
    from tests.histories.history import FOLDER, write_journal  # noqa: PLC0415 - the format is the tests'

    for service, values in asyncio.run(journals(arguments.directory)).items():
        name = f"{arguments.name}.{service}.journal.gz"
        write_journal(name, values)
        size = (FOLDER / name).stat().st_size
        print(f"{name}: {len(values):,} entries, {size:,} bytes")
    return 0


if __name__ == "__main__":
    sys.exit(main())
