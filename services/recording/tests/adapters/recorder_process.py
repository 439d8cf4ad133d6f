"""A recording service in a process of its own, to be killed: on an embedded log, next to a puppet of session.

Reads lines `connected CONTACT` and `disconnected CONTACT OFFSET_MS` from standard input. Writes one JSON object per
line: first the address, then every event that was accepted.
"""

import asyncio
import dataclasses
import json
import sys
from importlib import import_module
from pathlib import Path
from typing import Any

from huntgroup.session.v1 import events_pb2 as session
from huntgroup_eventlog.adapters.embedded import EmbeddedLog
from huntgroup_eventlog.application import AcceptedEvent
from huntgroup_eventlog.snapshots import ObjectSnapshotStore
from huntgroup_recording.settings import RecordingSettings
from huntgroup_recording.wiring import wire
from huntgroup_runtime.journals import ServiceJournals
from huntgroup_runtime.logs import configure_logs
from huntgroup_runtime.process import Process
from huntgroup_runtime.telemetry import Telemetry

studio = import_module("conftest")  # beside this file, which is run as a program


class Told:
    """Writes what the recording service says."""

    def owned(self, partition: int, states: dict[str, Any]) -> None:
        return None

    def accepted(self, partition: int, events: list[AcceptedEvent]) -> None:
        for one in events:
            tell({"event": type(one.event).__name__, **dataclasses.asdict(one.event)})

    def lost(self, partition: int) -> None:
        return None


def tell(what: dict[str, Any]) -> None:
    sys.stdout.write(json.dumps(what) + "\n")
    sys.stdout.flush()


async def say(puppet: ServiceJournals, line: str) -> None:
    word, contact_id, *rest = line.split()
    fact: Any = session.ContactConnected(
        at_ms=studio.START_MS,
        contact_id=contact_id,
        queue_id="sales",
        channel=session.CHANNEL_VOICE,
    )
    if word == "disconnected":
        fact = session.ContactDisconnected(
            at_ms=studio.START_MS + int(rest[0]), contact_id=contact_id
        )
    fact_id = f"{word}-{contact_id}-{next(studio.NUMBERS)}"
    await puppet.submit(studio.DOMAIN, fact_id, fact, check=0, traceparent="")


async def main(directory: Path) -> None:
    configure_logs(service="recording", level="warning")
    log = EmbeddedLog(directory / "log", 2)
    process = Process(
        "recording",
        studio.SETTINGS,
        log=log,
        snapshots=ObjectSnapshotStore.from_url(""),
        telemetry=Telemetry.off(),
    )
    puppet = process.add_journals(studio.puppet_session())
    await wire(process, RecordingSettings(store_url=(directory / "recordings").as_uri()))
    process.journals[1].subscribe(Told())
    await process.start()
    tell({"address": process.address})
    while line := await asyncio.to_thread(sys.stdin.readline):
        await say(puppet, line)
    await process.stop()
    await log.close()


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1])))
