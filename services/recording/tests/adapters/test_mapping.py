"""The words of the recording service on the wire."""

from huntgroup.recording.v1 import commands_pb2 as pb
from huntgroup.recording.v1 import events_pb2
from huntgroup_recording.adapters.mapping import STATUSES, event_codec, recording_view
from huntgroup_recording.app.queries import RecordingFacts
from huntgroup_recording.core.messages import Reason, RecordingGapNoted
from huntgroup_recording.core.state import Gap
from huntgroup_recording.core.values import ContactId, GapReason, RecordingId


def test_every_event_of_the_contract_has_a_class_and_comes_back_as_it_went() -> None:
    codec = event_codec()
    event = RecordingGapNoted(
        at_ms=1,
        recording_id=RecordingId("rec-ada"),
        contact_id=ContactId("ada"),
        segment=2,
        from_ms=3,
        to_ms=4,
        reason=GapReason.RECORDER_LOST,
    )
    type_, payload = codec.encode(event)
    assert type_ == "huntgroup.recording.recording.gap-noted.v1"
    assert codec.decode(type_, payload) == event
    assert len(codec.event_types) == 10


def test_every_refusal_has_a_status() -> None:
    assert STATUSES.keys() == set(Reason)


def test_a_view_shows_everything_that_is_known() -> None:
    facts = RecordingFacts(
        domain="acme/emea",
        recording_id="rec-ada",
        contact_id="ada",
        state="SEALED",
        location="there",
        length_bytes=44,
        duration_ms=5,
        sha256="ab",
        gaps=(Gap(from_ms=1, to_ms=2, reason=GapReason.STORAGE_FAILED),),
    )
    assert recording_view(facts) == pb.RecordingView(
        recording_id="rec-ada",
        contact_id="ada",
        state="SEALED",
        location="there",
        length_bytes=44,
        duration_ms=5,
        sha256="ab",
        gaps=[
            pb.GapView(from_ms=1, to_ms=2, reason=events_pb2.GAP_REASON_STORAGE_FAILED),
        ],
    )
