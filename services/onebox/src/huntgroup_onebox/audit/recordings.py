"""Invariant 5, in recording's journal: every recording has one life, and what is missing of it has a reason."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from google.protobuf.message import Message

from huntgroup.recording.v1 import events_pb2 as recording
from huntgroup_contracts.registry import classes_of
from huntgroup_onebox.audit.compact import CompactMap
from huntgroup_onebox.audit.feed import EventCheck, Handler
from huntgroup_onebox.audit.reading import Entry
from huntgroup_onebox.audit.report import Findings, Place

INVARIANT: Final = 5
TAIL_MS_MAX: Final = 1_000
"""So much earlier than the stop the audio may end without a gap: two clocks."""

Span = tuple[int, int]
"""From and to, on the contact's clock."""


@dataclass(slots=True)
class Life:
    """One recording that is not over."""

    place: Place
    domain: str
    contact_id: str
    segment: int = 0
    rate_hz: int = 0
    standing: dict[int, int] = field(default_factory=dict)
    """By reason, since when."""
    pauses: list[Span] = field(default_factory=list)
    gaps: list[Span] = field(default_factory=list)
    stop_ms: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class SealedFile:
    """What the journal says of a file in the store."""

    place: Place
    domain: str
    recording_id: str
    location: str
    length_bytes: int
    duration_ms: int
    sha256: str
    rate_hz: int
    silent: tuple[Span, ...]
    """Pauses: nothing may be heard in them."""


class RecordingLives(EventCheck):
    """Follows every recording from the request to its one end; what is sealed is left in `files`."""

    def __init__(
        self, findings: Findings, *, ended: bool = False, keep_files: bool = False
    ) -> None:
        """With `keep_files` sealed files are gathered for somebody who looks into the store."""
        self.files: list[SealedFile] = []
        self._findings = findings
        self._day_ended = ended
        self._keep_files = keep_files
        self._live: dict[tuple[str, str], Life] = {}
        self._over: dict[str, CompactMap] = {}

    def handlers(self) -> Mapping[type[Message], Handler]:
        special: dict[type[Message], Handler] = {
            recording.RecordingRequested: self._requested,
            recording.RecordingStarted: self._of_life(self._started),
            recording.RecordingPaused: self._of_life(self._paused),
            recording.RecordingResumed: self._of_life(self._resumed),
            recording.RecordingGapNoted: self._of_life(self._gap),
            recording.RecordingStopped: self._of_life(self._stopped),
            recording.RecordingSealed: self._of_life(self._sealed),
            recording.RecordingAbsent: self._of_life(self._absent),
            recording.RecordingOmitted: self._omitted,
        }
        known = {one for one in classes_of("recording").values() if one in special}
        return {one: special[one] for one in known}

    def finish(self) -> None:
        if not self._day_ended:
            return
        for (_, recording_id), life in self._live.items():
            why = f"recording {recording_id} is not over after the end of the day"
            self._findings.violation(INVARIANT, life.place, life.domain, why)

    def forget(self) -> None:
        for over in self._over.values():
            over.forget()

    def _requested(self, entry: Entry, event: recording.RecordingRequested) -> None:
        key = (entry.batch.domain, event.recording_id)
        self._findings.count(INVARIANT, "requested")
        if key in self._live or self._is_over(*key):
            self._violation(entry, event.recording_id, "was requested a second time")
        self._live[key] = Life(entry.place, entry.batch.domain, event.contact_id)

    def _omitted(self, _entry: Entry, _event: recording.RecordingOmitted) -> None:
        self._findings.count(INVARIANT, "omitted")

    def _of_life(self, handle: Any) -> Handler:
        def found(entry: Entry, event: Any) -> None:
            key = (entry.batch.domain, event.recording_id)
            life = self._live.get(key)
            if life is not None:
                handle(entry, event, life)
                return
            state = "was over" if self._is_over(*key) else "was never requested"
            what = f"has a {event.DESCRIPTOR.name}, but {state}"
            self._violation(entry, event.recording_id, what)

        return found

    def _started(self, entry: Entry, event: recording.RecordingStarted, life: Life) -> None:
        if event.segment != life.segment + 1:
            why = f"begins segment {event.segment} after {life.segment}"
            self._violation(entry, event.recording_id, why)
        if life.rate_hz not in (0, event.sample_rate_hz):
            why = f"goes on at {event.sample_rate_hz} Hz, it began at {life.rate_hz}"
            self._violation(entry, event.recording_id, why)
        life.segment, life.rate_hz = event.segment, event.sample_rate_hz

    def _paused(self, entry: Entry, event: recording.RecordingPaused, life: Life) -> None:
        self._findings.count(INVARIANT, "pauses")
        if event.reason in life.standing:
            self._violation(entry, event.recording_id, "is paused twice for one reason")
        life.standing[event.reason] = event.offset_ms

    def _resumed(self, entry: Entry, event: recording.RecordingResumed, life: Life) -> None:
        since_ms = life.standing.pop(event.reason, None)
        if since_ms is None or since_ms > event.offset_ms:
            self._violation(entry, event.recording_id, "is resumed, but was not paused before")
        else:
            life.pauses.append((since_ms, event.offset_ms))

    def _gap(self, entry: Entry, event: recording.RecordingGapNoted, life: Life) -> None:
        self._findings.count(INVARIANT, "gaps")
        if event.reason == recording.GAP_REASON_UNSPECIFIED:
            self._violation(entry, event.recording_id, "has a gap without a reason")
        if not 0 <= event.from_ms < event.to_ms:
            why = f"has a gap from {event.from_ms} to {event.to_ms} ms"
            self._violation(entry, event.recording_id, why)
        if any(begin < event.to_ms and event.from_ms < end for begin, end in life.gaps):
            why = f"misses the same audio twice, from {event.from_ms} ms"
            self._violation(entry, event.recording_id, why)
        life.gaps.append((event.from_ms, event.to_ms))

    def _stopped(self, entry: Entry, event: recording.RecordingStopped, life: Life) -> None:
        if life.stop_ms is not None:
            self._violation(entry, event.recording_id, "stops a second time")
        life.stop_ms = event.offset_ms

    def _sealed(self, entry: Entry, event: recording.RecordingSealed, life: Life) -> None:
        self._findings.count(INVARIANT, "sealed")
        said, known = (event.segments, event.gaps), (life.segment, len(life.gaps))
        if life.stop_ms is None:
            self._violation(entry, event.recording_id, "is sealed, but has not stopped")
        elif event.duration_ms < life.stop_ms - TAIL_MS_MAX:
            why = f"ends at {event.duration_ms} ms, it stopped at {life.stop_ms}, and no gap explains the rest"
            self._violation(entry, event.recording_id, why)
        if said != known or not life.segment:
            why = f"is sealed with segments and gaps {said}, the journal has {known}"
            self._violation(entry, event.recording_id, why)
        if self._keep_files:
            self.files.append(_file(entry, event, life))
        self._end(entry, event)

    def _absent(self, entry: Entry, event: recording.RecordingAbsent, life: Life) -> None:
        self._findings.count(INVARIANT, "absent")
        silent = event.reason == recording.ABSENCE_REASON_NO_AUDIO
        if life.stop_ms is None or silent == bool(life.segment) or not event.reason:
            reason = recording.AbsenceReason.Name(event.reason)
            why = f"is absent for {reason} after {life.segment} segments, stopped at {life.stop_ms}"
            self._violation(entry, event.recording_id, why)
        self._end(entry, event)

    def _end(self, entry: Entry, event: Any) -> None:
        domain = entry.batch.domain
        del self._live[domain, event.recording_id]
        self._over.setdefault(domain, CompactMap()).put(event.recording_id)

    def _is_over(self, domain: str, recording_id: str) -> bool:
        over = self._over.get(domain)
        return over is not None and over.get(recording_id) is not None

    def _violation(self, entry: Entry, recording_id: str, why: str) -> None:
        self._findings.violation(
            INVARIANT, entry.place, entry.batch.domain, f"recording {recording_id} {why}"
        )


def _file(entry: Entry, event: recording.RecordingSealed, life: Life) -> SealedFile:
    still = [(since_ms, event.duration_ms) for since_ms in life.standing.values()]
    return SealedFile(
        place=entry.place,
        domain=entry.batch.domain,
        recording_id=event.recording_id,
        location=event.location,
        length_bytes=event.length_bytes,
        duration_ms=event.duration_ms,
        sha256=event.sha256,
        rate_hz=life.rate_hz,
        silent=(*life.pauses, *still),
    )
