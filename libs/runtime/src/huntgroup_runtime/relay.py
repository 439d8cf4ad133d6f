"""Publishes accepted events to the service's public topic, and what could not be read to its dead letters.

At least once and in order; `sequence` is gapless per domain, so a consumer that takes only the next number sees every
event once. How far the relay is stands in the journal's own batches, so a new owner goes on where the last one was.
"""

import asyncio
from itertools import islice
from typing import TYPE_CHECKING

import structlog

from huntgroup.event.v1.envelope_pb2 import Envelope
from huntgroup_contracts.cloudevents import headers_of
from huntgroup_contracts.registry import topic_dlq, topic_events
from huntgroup_eventlog.journal.effects import Parked
from huntgroup_eventlog.journal.fold import RelayItem, event_id
from huntgroup_eventlog.journal.replica import Role
from huntgroup_eventlog.port import AppendFailedError, Log, NewRecord, RecordTooLargeError

if TYPE_CHECKING:
    from huntgroup_runtime.life import Life

BATCHES_AT_ONCE_MAX = 50
RETRY_S = 0.2
LINGER_S = 0.005
"""Nobody waits for a public event as for an offer: what is accepted meanwhile goes with it."""

_log = structlog.get_logger()


class Relay:
    """Publishes one partition's events while it is owned here."""

    def __init__(self, life: "Life") -> None:
        self.wake = asyncio.Event()
        self._life = life
        self._service = life.around.application.service

    async def run(self) -> None:
        """Publish what is accepted, in order, until cancelled or retired."""
        around, replica = self._life.around, self._life.replica
        topic = topic_events(self._service)
        while replica.role is Role.OWNING:
            if len(replica.fold.unrelayed) < BATCHES_AT_ONCE_MAX:
                await asyncio.sleep(LINGER_S)
            items = list(islice(replica.fold.unrelayed, BATCHES_AT_ONCE_MAX))
            around.telemetry.relay_lag.set(replica.fold.unrelayed_events)
            if not items:
                self.wake.clear()
                await self.wake.wait()
                continue
            records = [record for item in items for record in self._records(item)]
            appends = [around.log.append(topic, around.partition, record) for record in records]
            failures = [
                one
                for one in await asyncio.gather(*appends, return_exceptions=True)
                if isinstance(one, BaseException)
            ]
            if failures:
                _log.warning(
                    "relay_failed", topic=topic, partition=around.partition, error=str(failures[0])
                )
                await asyncio.sleep(RETRY_S)
                continue
            around.telemetry.relay_published.add(len(records))
            replica.relayed_to(items[-1].position + 1)
            self._life.feeds.room_may_be()

    def _records(self, item: RelayItem) -> list[NewRecord]:
        return [
            NewRecord(
                key=item.domain.encode(),
                value=recorded.payload,
                headers=headers_of(
                    Envelope(
                        id=event_id(item.record_hash, index),
                        type=recorded.type,
                        source=self._service,
                        domain=item.domain,
                        sequence=recorded.sequence,
                        time_ms=item.at_ms,
                        traceparent=recorded.traceparent,
                        causation_id=recorded.causation_id,
                        payload=recorded.payload,
                    )
                ),
            )
            for index, recorded in enumerate(item.events)
        ]


async def dead_letter(log: Log, service: str, partition: int, parked: Parked) -> None:
    """Keep what could not be read, with where it stood and why; failing to keep it is told, not fatal."""
    headers = {
        "huntgroup-source-topic": parked.topic,
        "huntgroup-source-partition": str(partition),
        "huntgroup-source-position": str(parked.position),
        "huntgroup-event-type": parked.event_type,
        "huntgroup-error": parked.error[:1_000],
    }
    record = NewRecord(
        key=parked.domain.encode(),
        value=parked.value,
        headers={name: text.encode() for name, text in headers.items()},
    )
    try:
        await log.append(topic_dlq(service), partition, record)
    except (AppendFailedError, RecordTooLargeError) as error:
        _log.error(
            "dead_letter_lost", topic=parked.topic, position=parked.position, error=str(error)
        )
