"""Calls that are recorded, and what the recorder knows of them."""

from typing import Any, Final

from huntgroup.recording.v1 import commands_pb2 as pb
from huntgroup_loadtest.behaviour import CallerPlan
from huntgroup_onebox.chaos.load import QUEUES, SPEED, Load
from huntgroup_onebox.chaos.patience import WITHIN_S, comes
from huntgroup_runtime.rpc.errors import RpcRefusedError

(RECORDED,) = (queue for queue in QUEUES if queue.recorded)
_MILLIS: Final = 1_000


async def recorded_call(load: Load, contact_id: str, seconds: float) -> bool:
    """Let a call be recorded for so long; return whether the recorder has come to know it within a minute."""
    plan = CallerPlan(
        queue=RECORDED,
        patience_ms=WITHIN_S * _MILLIS * SPEED,
        service_ms=seconds * _MILLIS * SPEED,
        hold_ms=0.0,
        hangs_up=True,
    )
    load.call(plan, contact_id)

    async def is_known() -> bool:
        try:
            await recording_of(load, contact_id)
        except RpcRefusedError:
            return False
        return True

    return await comes(is_known)


async def recording_of(load: Load, contact_id: str) -> Any:
    """Return what the recorder shows of a call. Raises `RpcRefusedError` when it knows none."""
    request = pb.GetRecordingRequest(domain=load.domain, contact_id=contact_id)
    return (await load.api.query(load.api.recording.GetRecording, request)).recording
