"""What can be known: pure reads of a domain's state, and the recordings that go on at this replica."""

import asyncio
from collections.abc import Iterator
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Protocol, assert_never

import msgspec

from huntgroup_eventlog.application import AcceptedEvent
from huntgroup_recording.core.decide import known, not_over
from huntgroup_recording.core.messages import (
    Event,
    RecordingAbsent,
    RecordingGapNoted,
    RecordingOmitted,
    RecordingPaused,
    RecordingPolicySet,
    RecordingRequested,
    RecordingResumed,
    RecordingSealed,
    RecordingStarted,
    RecordingStopped,
    Refused,
)
from huntgroup_recording.core.state import Gap, Recording, Sealed, State, Stopped, keep_pause
from huntgroup_recording.core.values import ContactId, PauseReason


class RecordingFacts(msgspec.Struct, frozen=True, kw_only=True):
    """What is known of one recording; location, length, duration and hash are empty until it is SEALED."""

    domain: str
    recording_id: str
    contact_id: str
    state: str
    """REQUESTED, RECORDING, PAUSED, STOPPED, SEALED or ABSENT."""
    location: str = ""
    length_bytes: int = 0
    duration_ms: int = 0
    sha256: str = ""
    gaps: tuple[Gap, ...] = ()


def find_recording(state: State, contact_id: str) -> RecordingFacts | Refused:
    """Return what the domain remembers of a contact's recording, or why there is nothing."""
    recording = known(state, ContactId(contact_id))
    return recording if isinstance(recording, Refused) else facts_of(state.domain, recording)


def why_not_recordable(state: State, contact_id: str) -> Refused | None:
    """Return why no audio of the contact is taken, or None when it is."""
    recording = not_over(state, ContactId(contact_id))
    return recording if isinstance(recording, Refused) else None


def facts_of(domain: str, recording: Recording) -> RecordingFacts:
    """Return the facts of a recording."""
    sealed = recording.phase
    if not isinstance(sealed, Sealed):
        sealed = Sealed(location="", length_bytes=0, duration_ms=0, sha256="")
    return RecordingFacts(
        domain=domain,
        recording_id=recording.recording_id,
        contact_id=recording.contact_id,
        state=recording.state,
        location=sealed.location,
        length_bytes=sealed.length_bytes,
        duration_ms=sealed.duration_ms,
        sha256=sealed.sha256,
        gaps=tuple(recording.gaps),
    )


class StreamEnd(StrEnum):
    """Why a stream of audio is ended from this side."""

    STOPPED = "STOPPED"
    """The conversation is over, and so is the time for late audio."""
    DISPLACED = "DISPLACED"
    """It had fallen silent, and its contact's audio comes by another one now."""
    MOVED = "MOVED"
    """This replica is not the owner any more."""


class AudioStream(Protocol):
    """A stream that delivers audio, as it is seen by those who may have to end it."""

    @property
    def heard_at_ms(self) -> int:
        """When its last chunk came, by the clock's elapsed time."""
        ...

    def end(self, why: StreamEnd) -> None:
        """Take nothing more of it; what has come is stored before it leaves its recording."""
        ...


def _set() -> asyncio.Event:
    event = asyncio.Event()
    event.set()
    return event


@dataclass(slots=True, kw_only=True, eq=False)
class LiveRecording:
    """A recording that is not over, at the replica that owns it."""

    partition: int
    domain: str
    contact_id: str
    recording_id: str
    traceparent: str = ""
    segment: int = 0
    rate_hz: int = 0
    standing: dict[PauseReason, int] = field(default_factory=dict)
    """The pauses that are not over, and since when (ms on the contact's clock)."""
    pauses: list[tuple[int, int]] = field(default_factory=list)
    """Those that are over, from and to."""
    stop_offset_ms: int | None = None
    """When the conversation ended, on the contact's clock; None while it goes on."""

    stream: AudioStream | None = None
    """The one that delivers now."""
    without_stream: asyncio.Event = field(default_factory=_set)
    delivered: asyncio.Event = field(default_factory=asyncio.Event)
    """Set when its client closed the last stream in order, so that nothing more is to be waited for."""
    heard_here: bool = False
    """Whether the last segment came in here, since this replica is the owner: then its end is known."""
    sealing: bool = False
    closed: bool = False
    """No further stream is taken, since the parts are being put together."""


class LiveRecordings:
    """The recordings that are not over, of the partitions owned here, as the accepted events tell."""

    def __init__(self) -> None:
        self._recordings: dict[tuple[str, str], LiveRecording] = {}
        self._expected: dict[tuple[str, str], list[asyncio.Future[None]]] = {}

    def __iter__(self) -> Iterator[LiveRecording]:
        return iter(self._recordings.values())

    def find(self, domain: str, contact_id: str) -> LiveRecording | None:
        """Return the contact's recording, if it is not over."""
        return self._recordings.get((domain, contact_id))

    def expect(self, domain: str, contact_id: str) -> "asyncio.Future[None]":
        """Return a future that is done when something is decided about the contact; cancel it when it is not needed."""
        expected: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        waiting = self._expected.setdefault((domain, contact_id), [])
        waiting.append(expected)

        def forget(_: "asyncio.Future[None]") -> None:
            waiting.remove(expected)
            if not waiting:
                self._expected.pop((domain, contact_id), None)

        expected.add_done_callback(forget)
        return expected

    def owned(self, partition: int, states: dict[str, State]) -> None:
        """Begin to follow a partition that is owned from now on."""
        for domain, state in states.items():
            for recording in state.recordings.values():
                stopped = recording.phase
                self._recordings[domain, recording.contact_id] = LiveRecording(
                    partition=partition,
                    domain=domain,
                    contact_id=recording.contact_id,
                    recording_id=recording.recording_id,
                    segment=recording.segment,
                    rate_hz=recording.sample_rate_hz,
                    standing={pause.reason: pause.from_ms for pause in recording.standing},
                    pauses=list(recording.pauses),
                    stop_offset_ms=stopped.offset_ms if isinstance(stopped, Stopped) else None,
                )

    def lost(self, partition: int) -> None:
        """Forget a partition that is owned no more; its streams end."""
        gone = [one for one in self._recordings.values() if one.partition == partition]
        for recording in gone:
            del self._recordings[recording.domain, recording.contact_id]
            if recording.stream is not None:
                recording.stream.end(StreamEnd.MOVED)

    def apply(self, partition: int, accepted: AcceptedEvent) -> LiveRecording | None:
        """Take in an accepted event; return the recording it is about, as it is then."""
        event: Event = accepted.event
        if isinstance(event, RecordingPolicySet):
            return None
        key = (accepted.domain, event.contact_id)
        match event:
            case RecordingRequested():
                self._recordings[key] = LiveRecording(
                    partition=partition,
                    domain=accepted.domain,
                    contact_id=event.contact_id,
                    recording_id=event.recording_id,
                    traceparent=accepted.traceparent,
                )
                self._decided(key)
            case RecordingOmitted():
                self._decided(key)
            case RecordingSealed() | RecordingAbsent():
                return self._recordings.pop(key)
            case (
                RecordingStarted()
                | RecordingPaused()
                | RecordingResumed()
                | RecordingGapNoted()
                | RecordingStopped()
            ):
                _change(self._recordings[key], event)
            case _:
                assert_never(event)
        return self._recordings.get(key)

    def _decided(self, key: tuple[str, str]) -> None:
        for expected in self._expected.get(key, []):
            if not expected.done():
                expected.set_result(None)


def _change(
    recording: LiveRecording,
    event: RecordingStarted
    | RecordingPaused
    | RecordingResumed
    | RecordingGapNoted
    | RecordingStopped,
) -> None:
    match event:
        case RecordingStarted():
            recording.segment, recording.rate_hz = event.segment, event.sample_rate_hz
        case RecordingPaused():
            recording.standing[event.reason] = event.offset_ms
        case RecordingResumed():
            since_ms = recording.standing.pop(event.reason)
            keep_pause(recording.pauses, (since_ms, event.offset_ms))
        case RecordingStopped():
            recording.stop_offset_ms = event.offset_ms
        case RecordingGapNoted():
            pass  # the state counts gaps
        case _:
            assert_never(event)
