"""Properties of the core under any sequence of commands."""

from collections.abc import Iterable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from huntgroup_agent_state.core.decide import WRAP_UPS_PER_DECISION_MAX, decide
from huntgroup_agent_state.core.evolve import evolve
from huntgroup_agent_state.core.invariants import check
from huntgroup_agent_state.core.messages import (
    AgentFinishedWrapUp,
    AgentReleased,
    AgentReserved,
    AgentStartedWrapUp,
    Command,
    CompleteWrapUp,
    Event,
    ObserveContactConnected,
    ObserveContactConnectionFailed,
    ObserveContactDisconnected,
    ObserveOfferCanceled,
    ObserveOfferCreated,
    ObserveOfferExpired,
    ObserveOfferRejected,
    ObserveOfferRescinded,
    PassTime,
    Refused,
    ReportDesktopSilent,
    SetPresence,
    SignOff,
    SignOn,
)
from huntgroup_agent_state.core.state import (
    REMEMBERED_MAX,
    State,
    dump,
    initial,
    load,
    next_deadline,
)
from huntgroup_agent_state.core.values import (
    AgentId,
    Channel,
    ChannelCapacity,
    ContactId,
    OfferId,
    Presence,
    QueueId,
)

DOMAIN = "acme/emea"

agents = st.sampled_from([AgentId("ada"), AgentId("bob")])
contacts = st.sampled_from([ContactId(f"c{n}") for n in range(4)])
offers = st.sampled_from([OfferId(f"c{n}.1") for n in range(4)])
queues = st.just(QueueId("sales"))
channels = st.sampled_from([Channel.VOICE, Channel.CHAT])
capacities = st.lists(
    st.builds(
        ChannelCapacity,
        channel=channels,
        slots=st.integers(0, 3),
        cost=st.integers(0, 2),
        interrupts=st.lists(channels, max_size=1).map(tuple),
    ),
    max_size=2,
).map(tuple)

commands = st.one_of(
    st.builds(
        SignOn, agent_id=agents, capacity=capacities, capacity_units=st.sampled_from([0, 2, 3])
    ),
    st.builds(SignOff, agent_id=agents),
    st.builds(
        SetPresence,
        agent_id=agents,
        presence=st.sampled_from(Presence),
        reason=st.sampled_from(["", "break", "lunch"]),
    ),
    st.builds(CompleteWrapUp, agent_id=agents, contact_id=contacts),
    st.builds(ReportDesktopSilent, agent_id=agents, signed_on_at_ms=st.integers(0, 9)),
    st.just(PassTime()),
    st.builds(
        ObserveOfferCreated,
        offer_id=offers,
        contact_id=contacts,
        agent_id=agents,
        queue_id=queues,
        channel=channels,
        expires_at_ms=st.integers(0, 50),
        wrap_up_timeout_ms=st.integers(0, 5),
    ),
    st.builds(ObserveOfferRejected, offer_id=offers),
    st.builds(ObserveOfferExpired, offer_id=offers),
    st.builds(ObserveOfferCanceled, offer_id=offers),
    st.builds(ObserveOfferRescinded, offer_id=offers),
    st.builds(
        ObserveContactConnected,
        offer_id=offers,
        contact_id=contacts,
        agent_id=agents,
        queue_id=queues,
        channel=channels,
    ),
    st.builds(
        ObserveContactConnectionFailed, offer_id=offers, contact_id=contacts, agent_id=agents
    ),
    st.builds(ObserveContactDisconnected, offer_id=offers, contact_id=contacts, agent_id=agents),
)


def fold(events: Iterable[Event]) -> State:
    state = initial(DOMAIN)
    for event in events:
        state = evolve(state, event)
    return state


@settings(max_examples=400)
@given(st.lists(commands, max_size=60))
def test_any_commands_keep_the_invariants_and_a_state_that_can_be_folded_and_loaded(
    given_commands: list[Command],
) -> None:
    state, log = initial(DOMAIN), []
    for at_ms, command in enumerate(given_commands):
        before = dump(state)
        decided = decide(state, command, at_ms)
        assert dump(state) == before
        if isinstance(decided, Refused):
            assert type(command).__name__[:7] != "Observe"
            continue
        for event in decided:
            assert event.at_ms == at_ms
            state = evolve(state, event)
            log.append(event)
        check(state)
        assert_every_reservation_ends_once(log)
    assert dump(fold(log)) == dump(state)
    assert dump(load(DOMAIN, dump(state))) == dump(state)


@settings(max_examples=200)
@given(st.lists(commands, max_size=40), st.lists(commands, max_size=20))
def test_a_loaded_state_decides_as_the_one_that_was_dumped(
    earlier: list[Command], later: list[Command]
) -> None:
    state = initial(DOMAIN)
    for at_ms, command in enumerate(earlier):
        _, state = step(state, command, at_ms)
    other = load(DOMAIN, dump(state))
    for at_ms, command in enumerate(later, start=len(earlier)):
        here, state = step(state, command, at_ms)
        there, other = step(other, command, at_ms)
        assert here == there
        assert dump(state) == dump(other)
        assert next_deadline(state) == next_deadline(other)


def step(state: State, command: Command, at_ms: int) -> tuple[object, State]:
    decided = decide(state, command, at_ms)
    if not isinstance(decided, Refused):
        for event in decided:
            state = evolve(state, event)
    return decided, state


def assert_every_reservation_ends_once(log: list[Event]) -> None:
    held: set[OfferId] = set()
    for event in log:
        if isinstance(event, AgentReserved):
            assert event.offer_id not in held
            held.add(event.offer_id)
        elif isinstance(event, AgentReleased):
            held.remove(event.offer_id)


def wrap_up(n: int, ends_at_ms: int) -> tuple[Event, ...]:
    """Return how an agent of their own comes to wrap up contact n."""
    agent, offer, contact = AgentId(f"a{n}"), OfferId(f"c{n}.1"), ContactId(f"c{n}")
    reserved = AgentReserved(
        at_ms=0,
        agent_id=agent,
        offer_id=offer,
        contact_id=contact,
        queue_id=QueueId("sales"),
        channel=Channel.VOICE,
        expires_at_ms=0,
        wrap_up_timeout_ms=0,
    )
    started = AgentStartedWrapUp(
        at_ms=0, agent_id=agent, offer_id=offer, contact_id=contact, ends_at_ms=ends_at_ms
    )
    return reserved, started


def test_many_wrap_ups_that_end_at_once_are_ended_in_order_and_in_small_decisions() -> None:
    count = 2 * WRAP_UPS_PER_DECISION_MAX + 1
    state = fold(event for n in range(count) for event in wrap_up(n, 1_000 + n * 7 % count))
    ended, sizes = [], []
    while (deadline := next_deadline(state)) is not None:
        assert deadline <= 2_000
        decided, state = step(state, PassTime(), 2_000)
        assert isinstance(decided, tuple)
        ends = [event.offer_id for event in decided if isinstance(event, AgentFinishedWrapUp)]
        ended += ends
        sizes.append(len(ends))
    assert ended == [f"c{n}.1" for n in sorted(range(count), key=lambda n: n * 7 % count)]
    assert sizes == [WRAP_UPS_PER_DECISION_MAX, WRAP_UPS_PER_DECISION_MAX, 1]


def test_only_so_many_ended_offers_are_remembered() -> None:
    state = initial(DOMAIN)
    for n in range(REMEMBERED_MAX + 3):
        failed = ObserveContactConnected(
            offer_id=OfferId(f"c{n}.1"),
            contact_id=ContactId(f"c{n}"),
            agent_id=AgentId("ada"),
            queue_id=QueueId("sales"),
            channel=Channel.VOICE,
        )
        _, state = step(state, failed, n)
    assert len(state.overtaken) == REMEMBERED_MAX
    assert next(iter(state.overtaken)) == "c3.1"
    check(state)


def test_a_state_of_another_domain_or_damaged_bytes_are_refused() -> None:
    dumped = dump(initial(DOMAIN))
    for domain, data in (("acme/apac", dumped), (DOMAIN, dumped[:-1]), (DOMAIN, b"\x01")):
        with pytest.raises(ValueError, match=domain):
            load(domain, data)
