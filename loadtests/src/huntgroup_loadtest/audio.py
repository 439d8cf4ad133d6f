"""Synthetic audio of both sides of a call, sent to the recording service while the call lasts."""

import asyncio
import math
from array import array
from collections import Counter
from collections.abc import AsyncIterator
from itertools import count

import grpc

from huntgroup.recording.v1 import commands_pb2 as pb
from huntgroup_loadtest.api import Api
from huntgroup_loadtest.behaviour import SECOND_MS
from huntgroup_loadtest.switchboard import Call, Switchboard

RATE_HZ = 8_000
CUSTOMER_HZ, AGENT_HZ = 440, 660
AMPLITUDE = 8_000
STEP_MS = 10 * SECOND_MS
ATTEMPTS, WAITS_DOUBLED = 5, 5
"""So often a stream is opened at least, while the call lasts even more often."""
KEPT_MS = 5_000
"""So much audio, of the services' time, is kept to be sent again."""


def tone(frequency_hz: int) -> bytes:
    """Return one second of a sine, signed 16-bit little-endian; whole periods, so seconds join without a click."""
    turn = 2 * math.pi * frequency_hz / RATE_HZ
    samples = array("h", (round(AMPLITUDE * math.sin(turn * n)) for n in range(RATE_HZ)))
    return samples.tobytes()


class Recorder:
    """Sends the audio of calls that are to be recorded."""

    def __init__(self, api: Api, switchboard: Switchboard) -> None:
        self.counts: Counter[str] = Counter()
        self._api = api
        self._switchboard = switchboard
        self._customer, self._agent = tone(CUSTOMER_HZ), tone(AGENT_HZ)

    def begin(self, call: Call) -> "asyncio.Task[None]":
        """Send the audio of `call` from now on until it is over; the task ends when all of it was received."""
        return asyncio.get_running_loop().create_task(self._send(call))

    async def _send(self, call: Call) -> None:
        timeline = self._api.timeline
        began_ms = timeline.clock.now_ms()
        for attempt in count():
            if attempt >= ATTEMPTS and self._switchboard.find(call.contact_id) is not call:
                break
            await timeline.sleep(SECOND_MS << min(attempt, WAITS_DOUBLED))
            try:
                stream = self._api.recording.IngestAudio(self._chunks(call, began_ms))
                answer = await stream
            except grpc.aio.AioRpcError as error:
                # The recorder may not have heard of the contact yet, or has just been replaced.
                if error.code() not in RETRIED:
                    raise
                continue
            self.counts["recorded"] += 1
            self.counts["recorded seconds"] += answer.received_ms // 1_000
            return
        self.counts["not recorded"] += 1

    async def _chunks(self, call: Call, began_ms: int) -> AsyncIterator[pb.IngestAudioRequest]:
        timeline = self._api.timeline
        hello = pb.AudioHello(
            domain=self._api.domain, contact_id=call.contact_id, sample_rate_hz=RATE_HZ
        )
        yield pb.IngestAudioRequest(hello=hello)
        sent_ms, first = max(0, timeline.clock.now_ms() - began_ms - KEPT_MS), True
        while first or self._switchboard.find(call.contact_id) is call:
            first = False
            await timeline.sleep(STEP_MS)
            now_ms = timeline.clock.now_ms() - began_ms
            with timeline.activity:
                while sent_ms < now_ms:
                    span_ms = min(1_000, now_ms - sent_ms)
                    samples = span_ms * RATE_HZ // 1_000 * 2
                    chunk = pb.AudioChunk(
                        offset_ms=sent_ms,
                        customer=self._customer[:samples],
                        agent=self._agent[:samples],
                    )
                    yield pb.IngestAudioRequest(chunk=chunk)
                    sent_ms += span_ms


RETRIED = frozenset(
    {
        grpc.StatusCode.NOT_FOUND,
        grpc.StatusCode.FAILED_PRECONDITION,
        grpc.StatusCode.UNAVAILABLE,
        grpc.StatusCode.ALREADY_EXISTS,
        # Of a replica that ends in mid-stream the library says one of these.
        grpc.StatusCode.CANCELLED,
        grpc.StatusCode.INTERNAL,
    }
)
