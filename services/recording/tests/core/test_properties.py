"""What holds after any sequence of commands: sense, replay, snapshots, and refusals without a trace."""

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from huntgroup_recording.core import RecordingCore
from huntgroup_recording.core.invariants import check
from huntgroup_recording.core.messages import (
    Command,
    DeclareAudioLost,
    Event,
    NoteGap,
    ObserveContactConnected,
    ObserveContactDisconnected,
    ObserveContactHeld,
    ObserveContactRetrieved,
    PassTime,
    PauseRecording,
    RecordingAbsent,
    RecordingOmitted,
    RecordingRequested,
    RecordingSealed,
    Refused,
    ResumeRecording,
    SealRecording,
    SetRecordingPolicy,
    StartSegment,
)
from huntgroup_recording.core.values import (
    AgentId,
    ContactId,
    GapReason,
    QueueId,
    RecordingMode,
)

CORE = RecordingCore()
contacts = st.sampled_from([ContactId("ada"), ContactId("ben"), ContactId("cy")])
queues = st.sampled_from([QueueId("sales"), QueueId("billing")])
moments = st.integers(min_value=-2_000, max_value=30_000)

COMMANDS: st.SearchStrategy[Command] = st.one_of(
    st.builds(SetRecordingPolicy, queue_id=queues, mode=st.sampled_from(RecordingMode)),
    st.builds(PauseRecording, contact_id=contacts),
    st.builds(ResumeRecording, contact_id=contacts),
    st.builds(
        StartSegment,
        contact_id=contacts,
        segment=st.integers(1, 4),
        sample_rate_hz=st.sampled_from([8_000, 16_000]),
    ),
    st.builds(
        NoteGap,
        contact_id=contacts,
        from_ms=moments,
        to_ms=moments,
        reason=st.sampled_from(GapReason),
    ),
    st.builds(
        SealRecording,
        contact_id=contacts,
        location=st.just("there"),
        length_bytes=st.just(44),
        duration_ms=st.just(0),
        sha256=st.just("0" * 64),
    ),
    st.builds(DeclareAudioLost, contact_id=contacts),
    st.builds(
        ObserveContactConnected,
        contact_id=contacts,
        queue_id=queues,
        agent_id=st.just(AgentId("grace")),
        carries_audio=st.booleans(),
        connected_at_ms=moments,
    ),
    st.builds(ObserveContactHeld, contact_id=contacts, held_at_ms=moments),
    st.builds(ObserveContactRetrieved, contact_id=contacts, retrieved_at_ms=moments),
    st.builds(ObserveContactDisconnected, contact_id=contacts, disconnected_at_ms=moments),
    st.just(PassTime()),
)
STEPS = st.lists(st.tuples(COMMANDS, st.integers(0, 3_000)), max_size=60)


def play(steps: list[tuple[Command, int]]) -> tuple[Any, list[Event]]:
    """Carry out the steps, each some time after the one before, and return state and log."""
    state, log, at_ms = CORE.initial("acme/emea"), list[Event](), 0
    for command, pause_ms in steps:
        at_ms += pause_ms
        before = CORE.dump(state)
        decision = CORE.decide(state, command, at_ms)
        assert CORE.dump(state) == before, f"{command} changed the state while it was decided"
        if isinstance(decision, Refused):
            assert not type(command).__name__.startswith(("Observe", "PassTime")), decision
            continue
        for event in decision:
            state = CORE.evolve(state, event)
            check(state)
        log.extend(decision)
    return state, log


@given(STEPS)
@settings(max_examples=150, deadline=None)
def test_replay_and_snapshot_give_the_same_state(steps: list[tuple[Command, int]]) -> None:
    state, log = play(steps)
    folded = CORE.initial("acme/emea")
    for event in log:
        folded = CORE.evolve(folded, event)
    assert CORE.dump(folded) == CORE.dump(state)
    loaded = CORE.load("acme/emea", CORE.dump(state))
    assert loaded == state
    assert CORE.dump(loaded) == CORE.dump(state)
    assert CORE.next_deadline(loaded) == CORE.next_deadline(state)


@given(STEPS)
@settings(max_examples=150, deadline=None)
def test_every_contact_has_one_fate_and_every_recording_at_most_one_end(
    steps: list[tuple[Command, int]],
) -> None:
    _, log = play(steps)
    fates = [e.contact_id for e in log if isinstance(e, RecordingRequested | RecordingOmitted)]
    ends = [e.contact_id for e in log if isinstance(e, RecordingSealed | RecordingAbsent)]
    assert len(fates) == len(set(fates))
    assert len(ends) == len(set(ends))
    requested = {e.contact_id for e in log if isinstance(e, RecordingRequested)}
    assert set(ends) <= requested


@given(STEPS)
@settings(max_examples=100, deadline=None)
def test_nothing_silent_is_left_waiting_when_time_goes_on(steps: list[tuple[Command, int]]) -> None:
    state, _ = play(steps)
    while (due_ms := CORE.next_deadline(state)) is not None:
        events = CORE.decide(state, PassTime(), due_ms)
        assert events, "a deadline came and nothing followed"
        assert not isinstance(events, Refused)
        for event in events:
            state = CORE.evolve(state, event)
    check(state)


def test_a_state_that_cannot_be_read_is_told() -> None:
    with pytest.raises(ValueError, match="truncated"):
        CORE.load("acme/emea", CORE.dump(CORE.initial("acme/emea"))[:-1])
