"""Responses to a reader who may be slow: one is on its way at a time, and a reader who takes none is cut off.

Nothing is queued here: the next response is made when the one before was taken, so what a slow reader costs is one
message and what gRPC's flow control lets be under way.
"""

import asyncio
from collections.abc import AsyncIterator, Callable
from typing import Any, Final

import grpc
from google.protobuf.message import Message

from huntgroup_runtime.rpc import errors
from huntgroup_runtime.rpc.errors import RpcRefusedError

PositionOf = Callable[[Any], str]
"""Where a reader goes on who has read a response; of a request, where it begins."""
SNAPSHOT: Final = "snapshot"
"""The position in streams whose first message says everything that is true: open them again, and nothing is lost."""
COME_AGAIN_MS: Final = 1_000


async def write_all(
    responses: AsyncIterator[Message],
    write: Callable[[bytes], Any],
    *,
    within_s: float | None,
    position: PositionOf | None,
    began: str,
) -> None:
    """Write each response; raises `RpcRefusedError` (SLOW_READER) when one is not taken within `within_s`.

    `position` tells where a reader goes on after a response, and `began` where this stream began; without `position`
    a new stream begins with everything. The response that is not taken in time counts as sent: gRPC takes no write
    back, so whoever reads on until the end of the stream has it.
    """
    at = began if position else SNAPSHOT
    async for response in responses:
        if position:
            at = position(response)
        try:
            async with asyncio.timeout(within_s):
                await write(response.SerializeToString())
        except TimeoutError:
            raise reads_nothing(within_s or 0, at) from None


def reads_nothing(within_s: float, position: str) -> RpcRefusedError:
    """Return the end of a stream whose reader took nothing for `within_s`; an empty position is not known here."""
    bound = f"nothing was read for {within_s:g} s"
    return slow_reader(bound, "HUNTGROUP_GRPC_SLOW_READER_MS", position)


def slow_reader(bound: str, setting: str, position: str) -> RpcRefusedError:
    """Return the end of a stream that was read too slowly: the bound that was reached, and where to go on."""
    known = {"position": position} if position else {}
    return RpcRefusedError(
        grpc.StatusCode.RESOURCE_EXHAUSTED,
        errors.SLOW_READER,
        f"{bound}; open the stream again, from the position that metadata names",
        metadata={"bound": bound, "setting": setting, **known},
        retry_after_ms=COME_AGAIN_MS,
    )
