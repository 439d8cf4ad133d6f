"""Who listens to a recording: reads so slowly that it is cut off, goes on from where it was, and compares the bytes."""

import asyncio
from collections.abc import Callable, Sequence
from hashlib import sha256
from typing import Final

from grpc.aio import AioRpcError

from huntgroup.recording.v1 import commands_pb2 as recording_pb
from huntgroup_onebox.sim.actors import RECORDING, SLOW_READ_S
from huntgroup_onebox.sim.books import ViolationError
from huntgroup_onebox.sim.client import AGAIN, Client
from huntgroup_recording.core.messages import RecordingSealed
from huntgroup_runtime.rpc.errors import SLOW_READER

METHOD: Final = f"{RECORDING}FetchRecording"
LOOK_AGAIN_S: Final = 0.5
AGAIN_S: Final = 0.3


async def listen(
    client: Client, sealed: Callable[[], Sequence[RecordingSealed]], closing: asyncio.Event
) -> None:
    """Fetch the first recording that is sealed, unless there is none at the end of the story."""
    while not sealed():
        if closing.is_set():
            return
        await asyncio.sleep(LOOK_AGAIN_S)
    await Listener(client, sealed()[0]).fetch()


class Listener:
    """One recording on its way to somebody who reads slowly, until cut off."""

    def __init__(self, client: Client, sealed: RecordingSealed) -> None:
        self._client = client
        self._sealed = sealed
        self._got = bytearray()
        self._slow = True

    async def fetch(self) -> None:
        """Read to the end, however often that is interrupted."""
        sealed = self._sealed
        while len(self._got) < sealed.length_bytes:
            try:
                await self._read()
            except AioRpcError as error:
                self._cut_off(error)
                await asyncio.sleep(AGAIN_S)
        if sha256(self._got).hexdigest() != sealed.sha256:
            raise ViolationError(f"5: {sealed.location} was fetched, and is not what was sealed")
        self._client.saw("recordings fetched")

    async def _read(self) -> None:
        request = recording_pb.FetchRecordingRequest(
            domain=self._client.domain,
            contact_id=self._sealed.contact_id,
            from_byte=len(self._got),
        )
        stream = self._client.open_stream("recording", METHOD)
        try:
            await stream.up.send(request.SerializeToString())
            while (message := await stream.down.receive()) is not None:
                piece = recording_pb.FetchRecordingResponse.FromString(message)
                if piece.offset_bytes != len(self._got):
                    raise ViolationError(
                        f"5: byte {piece.offset_bytes} of {self._sealed.location} came after {len(self._got)}"
                    )
                self._got += piece.data
                if self._slow:
                    await asyncio.sleep(SLOW_READ_S)
        finally:
            stream.cancel()
        if len(self._got) != self._sealed.length_bytes:
            raise ViolationError(f"5: {self._sealed.location} ended at byte {len(self._got)}")

    def _cut_off(self, error: AioRpcError) -> None:
        """Who is too slow is told where to go on, and that is where its bytes end."""
        refused = self._client.stream_ended(METHOD, error)
        if refused.status not in AGAIN:
            raise ViolationError(
                f"5: {self._sealed.location} is sealed, and who fetches it is told {refused}"
            )
        if refused.reason != SLOW_READER:
            return
        self._slow = False
        self._client.saw("fetches cut off")
        if refused.metadata.get("position") != str(len(self._got)):
            raise ViolationError(
                f"10: who has {len(self._got)} bytes is told to go on at {refused.metadata}"
            )
