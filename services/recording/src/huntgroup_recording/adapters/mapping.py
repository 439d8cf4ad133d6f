"""The recording service's words on the wire: events, the view of a recording, and the status of each refusal."""

from collections.abc import Mapping
from typing import Final, get_args

from grpc import StatusCode

from huntgroup.recording.v1 import events_pb2
from huntgroup.recording.v1.commands_pb2 import GapView, RecordingView
from huntgroup.recording.v1.events_pb2 import GapReason
from huntgroup_contracts.codec import EventCodec
from huntgroup_recording.app.queries import RecordingFacts
from huntgroup_recording.core.messages import Event, Reason
from huntgroup_runtime.rpc.errors import RpcRefusedError

STATUSES: Final[Mapping[str, StatusCode]] = {
    Reason.CONTACT_UNKNOWN: StatusCode.NOT_FOUND,
    Reason.NOT_RECORDED: StatusCode.FAILED_PRECONDITION,
    Reason.RATE_CHANGED: StatusCode.FAILED_PRECONDITION,
    Reason.TOO_MANY_GAPS: StatusCode.RESOURCE_EXHAUSTED,
    Reason.TOO_MANY_POLICIES: StatusCode.RESOURCE_EXHAUSTED,
    Reason.WRONG_SEGMENT: StatusCode.ABORTED,
    Reason.WRONG_STATE: StatusCode.FAILED_PRECONDITION,
}


def event_codec() -> EventCodec[Event]:
    """Return the codec of the events; raises `ContractMismatchError` when core and .proto differ."""
    return EventCodec(events_pb2, get_args(Event))


def refused(reason: str, detail: str) -> RpcRefusedError:
    """Return the answer to a call that the core refused."""
    return RpcRefusedError(STATUSES[reason], reason, detail)


def recording_view(facts: RecordingFacts) -> RecordingView:
    """Return a recording as the API shows it."""
    return RecordingView(
        recording_id=facts.recording_id,
        contact_id=facts.contact_id,
        state=facts.state,
        location=facts.location,
        length_bytes=facts.length_bytes,
        duration_ms=facts.duration_ms,
        sha256=facts.sha256,
        gaps=[
            GapView(
                from_ms=gap.from_ms,
                to_ms=gap.to_ms,
                reason=GapReason.Value(f"GAP_REASON_{gap.reason}"),
            )
            for gap in facts.gaps
        ],
    )
