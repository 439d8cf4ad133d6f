"""Tells stories to the core: every step is decided, checked for side effects, folded, and checked for sense."""

from dataclasses import dataclass, field

import pytest

from huntgroup_recording.core import RecordingCore
from huntgroup_recording.core.invariants import check
from huntgroup_recording.core.messages import (
    Command,
    Event,
    ObserveContactConnected,
    ObserveContactDisconnected,
    ObserveContactHeld,
    ObserveContactRetrieved,
    PassTime,
    PauseRecording,
    Refused,
    SealRecording,
    SetRecordingPolicy,
    StartSegment,
)
from huntgroup_recording.core.state import Recording, State
from huntgroup_recording.core.values import AgentId, ContactId, QueueId, RecordingMode

ADA, GRACE, SALES = ContactId("ada"), AgentId("grace"), QueueId("sales")
CONNECTED_MS = 100_000
"""Ada and Grace begin to talk, by the session's log; the recorder learns of it 5 ms later."""


@dataclass
class Story:
    """One domain. Ada calls the queue `sales`, which is recorded; she talks to Grace from 100,000 on."""

    core: RecordingCore = field(default_factory=RecordingCore)
    state: State = field(default_factory=lambda: RecordingCore().initial("acme/emea"))
    events: list[Event] = field(default_factory=list)

    def when(self, command: Command, at_ms: int) -> tuple[Event, ...] | Refused:
        """Decide, and make sure that deciding changed nothing."""
        before = self.core.dump(self.state)
        decision = self.core.decide(self.state, command, at_ms)
        assert self.core.dump(self.state) == before
        return decision

    def given(self, command: Command, at_ms: int) -> tuple[Event, ...]:
        """Decide, and let it come true."""
        events = self.when(command, at_ms)
        assert not isinstance(events, Refused), events
        for event in events:
            self.state = self.core.evolve(self.state, event)
            check(self.state)
        self.events += events
        return events

    def quickly(self, command: Command, at_ms: int) -> None:
        """Decide and let it come true, unchecked: for tests with thousands of steps."""
        events = self.core.decide(self.state, command, at_ms)
        assert not isinstance(events, Refused), events
        for event in events:
            self.state = self.core.evolve(self.state, event)

    def refusal(self, command: Command, at_ms: int) -> str:
        """Decide what must be refused, and return why."""
        decision = self.when(command, at_ms)
        assert isinstance(decision, Refused), decision
        assert decision.detail
        return decision.reason

    @property
    def recording(self) -> Recording:
        """Ada's recording, which must be known."""
        recording = self.state.find(ADA)
        assert recording is not None
        return recording

    @staticmethod
    def connect(
        contact_id: ContactId = ADA, *, carries_audio: bool = True
    ) -> ObserveContactConnected:
        """Return what the session says when a contact connects."""
        return ObserveContactConnected(
            contact_id=contact_id,
            queue_id=SALES,
            agent_id=GRACE,
            carries_audio=carries_audio,
            connected_at_ms=CONNECTED_MS,
        )

    @staticmethod
    def disconnect(contact_id: ContactId = ADA) -> ObserveContactDisconnected:
        """Return what the session says when a conversation ends, after 60 s."""
        return ObserveContactDisconnected(
            contact_id=contact_id, disconnected_at_ms=CONNECTED_MS + 60_000
        )

    @staticmethod
    def seal() -> SealRecording:
        """Return what the recorder says when the file is there."""
        return SealRecording(
            contact_id=ADA,
            location="acme/emea/sealed/rec-ada-0.wav",
            length_bytes=960_044,
            duration_ms=30_000,
            sha256="0" * 64,
        )

    @staticmethod
    def hold(offset_ms: int) -> ObserveContactHeld:
        """Return what the session says when Ada is put on hold."""
        return ObserveContactHeld(contact_id=ADA, held_at_ms=CONNECTED_MS + offset_ms)

    @staticmethod
    def retrieve(offset_ms: int) -> ObserveContactRetrieved:
        """Return what the session says when Ada is taken off hold."""
        return ObserveContactRetrieved(contact_id=ADA, retrieved_at_ms=CONNECTED_MS + offset_ms)

    def policy(self) -> "Story":
        """Everything in `sales` is recorded."""
        self.given(SetRecordingPolicy(queue_id=SALES, mode=RecordingMode.ALL), 1_000)
        return self

    def omitted(self) -> "Story":
        """Ada only writes."""
        self.policy().given(self.connect(ADA, carries_audio=False), CONNECTED_MS + 5)
        return self

    def requested(self) -> "Story":
        """They talk."""
        self.policy().given(self.connect(), CONNECTED_MS + 5)
        return self

    def recording_since(self, at_ms: int = CONNECTED_MS + 100) -> "Story":
        """Audio arrives."""
        self.requested().given(segment(1), at_ms)
        return self

    def held(self) -> "Story":
        """Grace puts Ada on hold after 20 s."""
        self.recording_since().given(self.hold(20_000), CONNECTED_MS + 20_005)
        return self

    def paused(self) -> "Story":
        """Ada reads out her card after 20 s."""
        self.recording_since().given(PauseRecording(contact_id=ADA), CONNECTED_MS + 20_000)
        return self

    def stopped(self) -> "Story":
        """They part after 60 s."""
        self.recording_since().given(self.disconnect(), CONNECTED_MS + 60_005)
        return self

    def stopped_in_silence(self) -> "Story":
        """They part after 60 s, and nothing has arrived."""
        self.requested().given(self.disconnect(), CONNECTED_MS + 60_005)
        return self

    def sealed(self) -> "Story":
        """The file is in the store."""
        self.stopped().given(self.seal(), CONNECTED_MS + 61_000)
        return self

    def absent(self) -> "Story":
        """Nothing arrived within the grace."""
        self.stopped_in_silence().given(PassTime(), CONNECTED_MS + 75_005)
        return self


def segment(number: int, rate_hz: int = 8_000) -> StartSegment:
    return StartSegment(contact_id=ADA, segment=number, sample_rate_hz=rate_hz)


@pytest.fixture
def story() -> Story:
    """Return a domain in which nothing has happened."""
    return Story()
