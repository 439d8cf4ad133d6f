"""How the state follows from the events: one branch per event, nothing refused, nothing judged."""

from bisect import insort
from typing import TypeVar, assert_never

from huntgroup_reporting.core.messages import (
    AbandonedContactCounted,
    AgentPresenceNoted,
    AgentSlotNoted,
    AgentTimeCounted,
    AnsweredContactCounted,
    ContactOutcomeHeld,
    ContactTargetNoted,
    ConversationNoted,
    Event,
    HandledContactCounted,
    OfferedContactCounted,
    OfferOutcomeCounted,
    OverflowedContactCounted,
    QueueEntry,
    QueueTargetNoted,
    WrapUpNoted,
)
from huntgroup_reporting.core.state import (
    INTERVALS_MAX,
    UNSETTLED_MAX,
    Agent,
    AgentTimes,
    Contact,
    Conversation,
    Interval,
    QueueCounts,
    Slot,
    State,
    WrapUp,
    count_to,
    index_agent,
    queue_of,
)
from huntgroup_reporting.core.values import (
    DAY_MS,
    Activity,
    AgentId,
    ContactId,
    OfferOutcome,
    SlotPhase,
    interval_start,
)

K = TypeVar("K")
V = TypeVar("V")


def evolve(state: State, event: Event) -> State:
    """Return the state after `event`: the same object, changed."""
    state.noted += 1
    match event:
        case OfferedContactCounted():
            _offered(state, event)
        case ContactTargetNoted():
            _contact(state, event.contact_id).target_ms = event.service_level_threshold_ms
        case ContactOutcomeHeld():
            _outcome_held(state, event)
        case AnsweredContactCounted() | AbandonedContactCounted() | OverflowedContactCounted():
            _count(state, event)
            _forget_contact(state, event.contact_id)
        case OfferOutcomeCounted():
            _count(state, event)
        case AgentTimeCounted():
            _agent_time(state, event)
        case AgentSlotNoted():
            _agent_slot(state, event)
        case AgentPresenceNoted():
            _agent_presence(state, event)
        case ConversationNoted():
            _conversation_noted(state, event)
        case WrapUpNoted():
            _wrap_up_noted(state, event)
        case HandledContactCounted():
            _handled(state, event)
        case QueueTargetNoted():
            queue_of(state, event.queue_id).target_ms = event.service_level_threshold_ms
        case _:
            assert_never(event)
    return state


# Waits.


def _contact(state: State, contact_id: ContactId) -> Contact:
    """Return a contact, made if it is new; the oldest is forgotten when there are too many."""
    contact = state.contacts.get(contact_id)
    if contact is None:
        contact = state.contacts[contact_id] = Contact(contact_id=contact_id)
        if len(state.contacts) > UNSETTLED_MAX:
            _forget_contact(state, next(iter(state.contacts)))
    return contact


def _forget_contact(state: State, contact_id: ContactId) -> None:
    contact = state.contacts.pop(contact_id, None)
    if contact is not None and contact.waits:
        del state.queues[contact.queue_id].waiting[contact_id]


def _offered(state: State, event: OfferedContactCounted) -> None:
    _count(state, event)
    contact = _contact(state, event.contact_id)
    contact.queue_id = event.queue_id
    contact.enqueued_at_ms = event.enqueued_at_ms
    queue_of(state, event.queue_id).waiting[event.contact_id] = event.enqueued_at_ms


def _outcome_held(state: State, event: ContactOutcomeHeld) -> None:
    contact = state.contacts[event.contact_id]
    del state.queues[contact.queue_id].waiting[event.contact_id]
    contact.outcome = event.outcome
    contact.wait_ms = event.wait_ms


# Conversations.


def _conversation_noted(state: State, event: ConversationNoted) -> None:
    conversation = Conversation(
        offer_id=event.offer_id,
        contact_id=event.contact_id,
        queue_id=event.queue_id,
        talk_ms=event.talk_ms,
        hold_ms=event.hold_ms,
    )
    _remember(state.conversations, event.offer_id, conversation)


def _wrap_up_noted(state: State, event: WrapUpNoted) -> None:
    wrap_up = WrapUp(
        offer_id=event.offer_id, ended_at_ms=event.ended_at_ms, wrap_up_ms=event.wrap_up_ms
    )
    _remember(state.wrap_ups, event.offer_id, wrap_up)


def _handled(state: State, event: HandledContactCounted) -> None:
    _count(state, event)
    state.conversations.pop(event.offer_id, None)
    state.wrap_ups.pop(event.offer_id, None)


def _remember(remembered: dict[K, V], key: K, value: V) -> None:
    remembered[key] = value
    if len(remembered) > UNSETTLED_MAX:
        del remembered[next(iter(remembered))]


# Agents.


def _agent_time(state: State, event: AgentTimeCounted) -> None:
    count_to(state, state.agents[event.agent_id], event.until_ms)
    for start in event.interval_starts:
        interval = _interval(state, start)
        if interval is not None:
            add_agent_time(interval.agents, event)


def _agent_slot(state: State, event: AgentSlotNoted) -> None:
    agent = _take_out(state, event.agent_id, event.since_ms)
    if event.phase is SlotPhase.FREE:
        agent.slots.pop(event.offer_id, None)
    else:
        agent.slots[event.offer_id] = Slot(event.queue_id, event.phase)
    _put_in(state, agent, event)


def _agent_presence(state: State, event: AgentPresenceNoted) -> None:
    agent = _take_out(state, event.agent_id, event.since_ms)
    agent.presence = event.presence
    _put_in(state, agent, event)


def _take_out(state: State, agent_id: AgentId, since_ms: int) -> Agent:
    """Return an agent, taken out of the indexes, or a new one whose time is counted from now on."""
    agent = state.agents.get(agent_id)
    if agent is None:
        return Agent(agent_id=agent_id, counted_to_ms=since_ms)
    index_agent(state, agent, -1)
    return agent


def _put_in(state: State, agent: Agent, event: AgentSlotNoted | AgentPresenceNoted) -> None:
    """Enter an agent into the indexes, or forget who left; note how far behind agent-state is heard."""
    state.heard_at_ms = event.at_ms
    state.lag_ms = max(0, event.at_ms - event.since_ms)
    if agent.activity is Activity.AWAY:
        state.agents.pop(agent.agent_id, None)
        return
    state.agents[agent.agent_id] = agent
    index_agent(state, agent)


# The ledger's rows.


def _count(state: State, entry: QueueEntry) -> None:
    """Add an entry to the row of its interval, and to today's."""
    start_ms = entry.interval_start_ms
    interval = _interval(state, start_ms)
    if interval is not None:
        if entry.queue_id not in interval.queues:
            interval.queues[entry.queue_id] = QueueCounts()
        add_queue_entry(interval.queues[entry.queue_id], entry)
    day_start_ms = interval_start(start_ms, DAY_MS)
    if day_start_ms > state.day_start_ms:
        state.day_start_ms = day_start_ms
        for queue in state.queues.values():
            queue.today = QueueCounts()
    if day_start_ms == state.day_start_ms:
        add_queue_entry(queue_of(state, entry.queue_id).today, entry)


def _interval(state: State, start_ms: int) -> Interval | None:
    """Return the numbers of an interval, made if it is new; None if it is older than those kept."""
    interval = state.intervals.get(start_ms)
    if interval is not None or start_ms < state.kept_from_ms:
        return interval
    interval = state.intervals[start_ms] = Interval()
    insort(state.starts, start_ms)
    if len(state.starts) > INTERVALS_MAX:
        oldest_ms = state.starts.pop(0)
        del state.intervals[oldest_ms]
        state.kept_from_ms = oldest_ms + 1
    return interval


def add_queue_entry(row: QueueCounts, entry: QueueEntry) -> None:
    """Add an entry to the row of its queue and interval."""
    match entry:
        case OfferedContactCounted():
            row.offered += 1
        case AnsweredContactCounted():
            row.answered += 1
            row.answered_within_threshold += entry.within_threshold
            row.answered_wait_ms += entry.wait_ms
            row.wait_ms_max = max(row.wait_ms_max, entry.wait_ms)
        case AbandonedContactCounted():
            row.abandoned += 1
            row.abandoned_within_threshold += entry.within_threshold
            row.abandoned_wait_ms += entry.wait_ms
            row.wait_ms_max = max(row.wait_ms_max, entry.wait_ms)
        case OverflowedContactCounted():
            row.overflowed += 1
            row.overflowed_within_threshold += entry.within_threshold
            row.overflowed_wait_ms += entry.wait_ms
        case HandledContactCounted():
            row.handled += 1
            row.talk_ms += entry.talk_ms
            row.hold_ms += entry.hold_ms
            row.wrap_up_ms += entry.wrap_up_ms
        case OfferOutcomeCounted():
            _add_offer_outcome(row, OfferOutcome(entry.outcome))
        case _:
            assert_never(entry)


def _add_offer_outcome(row: QueueCounts, outcome: OfferOutcome) -> None:
    match outcome:
        case OfferOutcome.ACCEPTED:
            row.offers_accepted += 1
        case OfferOutcome.REJECTED:
            row.offers_rejected += 1
        case OfferOutcome.EXPIRED:
            row.offers_expired += 1
        case OfferOutcome.CANCELED:
            row.offers_canceled += 1
        case OfferOutcome.RESCINDED:
            row.offers_rescinded += 1
        case _:
            assert_never(outcome)


def add_agent_time(row: AgentTimes, entry: AgentTimeCounted) -> None:
    """Add an entry to the row of one of its intervals."""
    row.idle_ms += entry.idle_ms
    row.ringing_ms += entry.ringing_ms
    row.talking_ms += entry.talking_ms
    row.wrapping_up_ms += entry.wrapping_up_ms
    row.not_ready_ms += entry.not_ready_ms
