"""What the recording service knows of one domain: policies, and its recordings, each in one phase of its life.

Only `evolve` changes anything here. Finished recordings are remembered for a while; the store answers for older ones.
"""

from collections import OrderedDict
from dataclasses import dataclass, field

import msgspec

from huntgroup_recording.core.values import (
    AbsenceReason,
    AgentId,
    ContactId,
    GapReason,
    OmissionReason,
    PauseReason,
    QueueId,
    RecordingId,
    RecordingMode,
)

ENDED_MAX = 1_000
"""So many finished recordings of a domain are remembered in full, the last to end."""
OMITTED_MAX = 10_000
"""So many contacts that are not recorded are remembered, the last to connect."""
POLICIES_MAX = 10_000
"""So many queues of a domain may have a policy other than OFF."""
GAPS_MAX = 1_000
"""A recording that is live may have so many gaps; what comes later of such a stream is one gap at its end."""
PAUSES_MAX = 1_000
"""So many ended pauses of a recording are told apart; beyond that the oldest two become one."""


class Live(msgspec.Struct, frozen=True, array_like=True, tag="LIVE"):
    """The conversation goes on."""


class Stopped(msgspec.Struct, frozen=True, array_like=True, kw_only=True, tag="STOPPED"):
    """The conversation ended at `offset_ms` on its clock; the file is not sealed yet."""

    offset_ms: int


class Sealed(msgspec.Struct, frozen=True, array_like=True, kw_only=True, tag="SEALED"):
    """Over: the file is in the store."""

    location: str
    length_bytes: int
    duration_ms: int
    sha256: str


class Absent(msgspec.Struct, frozen=True, array_like=True, kw_only=True, tag="ABSENT"):
    """Over: there is no file."""

    reason: AbsenceReason


Phase = Live | Stopped | Sealed | Absent


class Gap(msgspec.Struct, frozen=True, array_like=True, kw_only=True):
    """Missing audio, on the contact's clock."""

    from_ms: int
    to_ms: int
    reason: GapReason


class Pause(msgspec.Struct, frozen=True, array_like=True, kw_only=True):
    """A pause that stands since `from_ms` on the contact's clock."""

    reason: PauseReason
    from_ms: int


class Recording(msgspec.Struct, array_like=True, kw_only=True):
    """One recording of one contact."""

    recording_id: RecordingId
    contact_id: ContactId
    queue_id: QueueId
    agent_id: AgentId
    connected_at_ms: int
    phase: Phase = Live()
    segment: int = 0
    """The number of the last segment that started; 0: nothing has arrived yet."""
    sample_rate_hz: int = 0
    """Of the first segment and so of all; 0 before it."""
    standing: list[Pause] = []
    """Pauses that are not over, at most one of each reason; a stop leaves them, so that late audio stays silent."""
    pauses: list[tuple[int, int]] = []
    """Pauses that are over, from and to on the contact's clock, in the order of their end."""
    gaps: list[Gap] = []

    @property
    def state(self) -> str:
        """The state by its public name: REQUESTED, RECORDING, PAUSED, STOPPED, SEALED or ABSENT."""
        if not isinstance(self.phase, Live):
            return str(self.phase.__struct_config__.tag)
        if self.standing:
            return "PAUSED"
        return "RECORDING" if self.segment else "REQUESTED"

    @property
    def over(self) -> bool:
        """Whether nothing can happen to it any more."""
        return isinstance(self.phase, Sealed | Absent)

    def pause_for(self, reason: PauseReason) -> Pause | None:
        """Return the standing pause with this reason."""
        return next((pause for pause in self.standing if pause.reason is reason), None)

    def unexplained(self, from_ms: int, to_ms: int) -> list[tuple[int, int]]:
        """Return what neither a pause nor a gap noted before explains of the time between two moments."""
        explained = [*self.pauses, *((pause.from_ms, to_ms) for pause in self.standing)]
        explained.extend((gap.from_ms, gap.to_ms) for gap in self.gaps)
        left, at_ms = [], max(0, from_ms)
        for begin, end in sorted(explained):
            if at_ms < min(begin, to_ms):
                left.append((at_ms, min(begin, to_ms)))
            at_ms = max(at_ms, end)
        if at_ms < to_ms:
            left.append((at_ms, to_ms))
        return left


@dataclass(slots=True, kw_only=True)
class State:
    """One domain."""

    domain: str
    policies: dict[QueueId, RecordingMode] = field(default_factory=dict)
    """Queues whose mode is not OFF."""
    recordings: dict[ContactId, Recording] = field(default_factory=dict)
    """Those that are not over."""
    silent: OrderedDict[ContactId, int] = field(default_factory=OrderedDict)
    """When each stopped recording of which nothing has arrived is given up, the next one first."""
    ended: OrderedDict[ContactId, Recording] = field(default_factory=OrderedDict)
    """The last `ENDED_MAX` to end, the oldest first."""
    omitted: OrderedDict[ContactId, OmissionReason] = field(default_factory=OrderedDict)
    """The last `OMITTED_MAX` contacts that connected and are not recorded, the oldest first."""

    def find(self, contact_id: ContactId) -> Recording | None:
        """Return a recording that is not over or still remembered."""
        return self.recordings.get(contact_id) or self.ended.get(contact_id)


class _Dump(msgspec.Struct, array_like=True):
    """What is stored of a state: no order but those that mean something."""

    policies: list[tuple[QueueId, RecordingMode]]
    recordings: list[Recording]
    silent: list[tuple[ContactId, int]]
    ended: list[Recording]
    omitted: list[tuple[ContactId, OmissionReason]]


def dump(state: State) -> bytes:
    """Return the state in canonical form: equal states give equal bytes."""
    stored = _Dump(
        policies=sorted(state.policies.items()),
        recordings=[state.recordings[contact_id] for contact_id in sorted(state.recordings)],
        silent=list(state.silent.items()),
        ended=list(state.ended.values()),
        omitted=list(state.omitted.items()),
    )
    return msgspec.msgpack.encode(stored)


def load(domain: str, dumped: bytes) -> State:
    """Return the state that `dump` wrote; raise `ValueError` when it cannot be read."""
    stored = msgspec.msgpack.decode(dumped, type=_Dump)
    return State(
        domain=domain,
        policies=dict(stored.policies),
        recordings={recording.contact_id: recording for recording in stored.recordings},
        silent=OrderedDict(stored.silent),
        ended=OrderedDict((recording.contact_id, recording) for recording in stored.ended),
        omitted=OrderedDict(stored.omitted),
    )


def keep_pause(pauses: list[tuple[int, int]], over: tuple[int, int]) -> None:
    """Add a pause that is over to those before it; beyond `PAUSES_MAX` the oldest two become one."""
    pauses.append(over)
    if len(pauses) > PAUSES_MAX:
        (begin, first_end), (second_begin, end) = pauses[:2]
        pauses[:2] = [(min(begin, second_begin), max(first_end, end))]
