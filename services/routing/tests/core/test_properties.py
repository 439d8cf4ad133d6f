"""Whatever is told in whatever order: the state stays whole, and the log alone makes it."""

from collections import Counter
from collections.abc import Iterable

from hypothesis import given, settings
from hypothesis import strategies as st

from huntgroup_routing.core import RoutingCore
from huntgroup_routing.core.invariants import check
from huntgroup_routing.core.messages import (
    AcceptOffer,
    ApplyPolicy,
    AssignContact,
    ChannelCapacity,
    Command,
    ConfigureQueue,
    ContactDequeued,
    Event,
    ObserveAgentReleased,
    ObserveAgentSignedOff,
    ObserveAgentSignedOn,
    ObserveAgentStoppedResponding,
    ObserveAgentWentNotReady,
    ObserveAgentWentReady,
    ObserveContactAbandoned,
    ObserveContactQueued,
    ObserveOfferTurnedAway,
    OfferAccepted,
    OfferCanceled,
    OfferCreated,
    OfferExpired,
    OfferRejected,
    OfferRescinded,
    PassTime,
    PullContact,
    Refused,
    RejectOffer,
    RollBackPolicy,
)
from huntgroup_routing.core.state import State
from huntgroup_routing.core.values import (
    AgentId,
    Channel,
    ContactId,
    OfferId,
    QueueId,
    RoutingStep,
    Skill,
    Strategy,
)

OUTCOMES = (OfferAccepted, OfferRejected, OfferExpired, OfferCanceled, OfferRescinded)

contact_ids = st.sampled_from([ContactId(f"c{number}") for number in range(4)])
queue_ids = st.sampled_from([QueueId("q0"), QueueId("q1")])
agent_ids = st.sampled_from([AgentId(f"a{number}") for number in range(3)])
offer_ids = st.builds(
    lambda contact_id, attempt: OfferId(f"{contact_id}.{attempt}"), contact_ids, st.integers(1, 3)
)
channels = st.sampled_from([Channel.VOICE, Channel.CHAT])
skills = st.sets(st.sampled_from([Skill("french"), Skill("german")])).map(tuple)
timeouts = st.integers(1, 40)
capacities = st.lists(
    st.builds(ChannelCapacity, channel=channels, slots=st.integers(1, 2)), max_size=2
).map(tuple)

requirements = st.sampled_from(
    ["", "", 'agent == "a1"', 'skill("french") < 3', 'lang != "ar" or group == "vip"']
)
queues = st.builds(
    ConfigureQueue,
    queue_id=queue_ids,
    preferred_hold_ms=st.sampled_from((0, 20)),
    prefers_last_agent=st.booleans(),
    direct_hold_ms=st.sampled_from((0, 30)),
    resume_window_ms=st.sampled_from((0, 30)),
    channel=st.none() | channels,
    required_skills=skills,
    ring_timeout_ms=timeouts,
    wrap_up_timeout_ms=timeouts,
    service_level_threshold_ms=timeouts,
    waiting_max=st.integers(0, 5),
    strategy=st.none() | st.sampled_from(Strategy),
    reoffer_after_ms=st.sampled_from([0, 20]),
    requirement=requirements,
    steps=st.lists(
        st.builds(
            RoutingStep,
            after_ms=st.integers(1, 60),
            required_skills=skills,
            requirement=requirements,
        ),
        max_size=2,
    ).map(tuple),
    skip_unservable_steps=st.booleans(),
)
arrivals = st.builds(
    ObserveContactQueued,
    contact_id=contact_ids,
    queue_id=queue_ids,
    channel=channels,
    priority=st.integers(-1, 1),
    required_skills=skills,
    enqueued_at_ms=st.integers(0, 9),
    preferred_agents=st.lists(agent_ids, max_size=2).map(tuple),
    direct_agent_id=st.sampled_from((AgentId(""), AgentId(""), AgentId("a1"))),
    customer_key=st.sampled_from(("", "x", "y")),
)
commands: st.SearchStrategy[Command] = st.one_of(
    arrivals,
    st.builds(ObserveAgentSignedOn, agent_id=agent_ids, skills=skills, capacity=capacities),
    st.builds(ObserveAgentWentReady, agent_id=agent_ids),
    st.builds(PullContact, contact_id=contact_ids, agent_id=agent_ids),
    st.builds(
        AssignContact,
        contact_id=contact_ids,
        agent_id=agent_ids,
        supervisor_id=agent_ids,
        waive_requirement=st.booleans(),
    ),
    st.builds(AcceptOffer, offer_id=offer_ids, agent_id=agent_ids),
    st.builds(RejectOffer, offer_id=offer_ids, agent_id=agent_ids, reason=st.just("")),
    st.builds(ObserveAgentReleased, agent_id=agent_ids, offer_id=offer_ids),
    st.builds(ObserveOfferTurnedAway, agent_id=agent_ids, offer_id=offer_ids),
    st.builds(ObserveContactAbandoned, contact_id=contact_ids),
    st.just(PassTime()),
    st.builds(ObserveAgentWentNotReady, agent_id=agent_ids),
    st.builds(ObserveAgentStoppedResponding, agent_id=agent_ids),
    st.builds(ObserveAgentSignedOff, agent_id=agent_ids),
    queues,
    st.builds(
        ApplyPolicy,
        queues=st.lists(queues, max_size=3).map(tuple),
        applies_to_waiting=st.booleans(),
    ),
    st.builds(RollBackPolicy, version=st.integers(0, 6), applies_to_waiting=st.booleans()),
)
callers = (
    ConfigureQueue
    | ApplyPolicy
    | RollBackPolicy
    | AcceptOffer
    | RejectOffer
    | PullContact
    | AssignContact
)


@settings(max_examples=300, deadline=None)
@given(
    st.lists(queues, min_size=1, max_size=2),
    st.lists(st.tuples(commands, st.integers(0, 15)), max_size=60),
)
def test_any_story_leaves_the_state_whole(
    given_queues: list[Command], told: list[tuple[Command, int]]
) -> None:
    core = RoutingCore()
    state, at_ms = core.initial("acme/emea"), 0
    history: list[Event] = []
    for command, passed_ms in [*((queue, 0) for queue in given_queues), *told]:
        at_ms += passed_ms
        before = core.dump(state)
        decision = core.decide(state, command, at_ms)
        assert core.dump(state) == before
        if isinstance(decision, Refused):
            assert isinstance(command, callers)
            continue
        for event in decision:
            assert event.at_ms == at_ms
            state = core.evolve(state, event)
        history += decision
        assert check(state) == []
        if not isinstance(command, PassTime):
            assert_repeating_brings_no_second_offer(core, state, command, at_ms)
    assert_every_offer_has_one_outcome(history, pending=set(state.offers))
    folded = core.initial("acme/emea")
    for event in history:
        folded = core.evolve(folded, event)
    dumped = core.dump(state)
    assert core.dump(folded) == dumped
    assert core.dump(core.load("acme/emea", dumped)) == dumped


def assert_repeating_brings_no_second_offer(
    core: RoutingCore, state: State, command: Command, at_ms: int
) -> None:
    """An observation or command that was just carried out says nothing new; who was handed back is so again."""
    again = core.decide(state, command, at_ms)
    if isinstance(again, tuple) and again and isinstance(again[-1], ContactDequeued):
        assert isinstance(command, ObserveContactQueued)
        return
    assert isinstance(again, Refused) or again == (), (command, again)


def assert_every_offer_has_one_outcome(history: Iterable[Event], pending: set[OfferId]) -> None:
    created = Counter(one.offer_id for one in history if isinstance(one, OfferCreated))
    ended = Counter(one.offer_id for one in history if isinstance(one, OUTCOMES))
    assert all(count == 1 for count in (created | ended).values())
    assert set(created) == set(ended) | pending
    assert not set(ended) & pending
