"""What the ledger knows of one domain: the last intervals' numbers, and all that is not over yet. Bounded.

Only `evolve` changes anything here. Indexes are rebuilt on load.
"""

from bisect import bisect_left, insort
from dataclasses import dataclass, field

import msgspec

from huntgroup_reporting.core.values import (
    Activity,
    AgentId,
    ContactId,
    OfferId,
    Presence,
    QueueId,
    SlotPhase,
    WaitOutcome,
)

INTERVALS_MAX = 768
"""Intervals whose numbers are kept here, the newest: 8 days of 15 minutes. Older ones are in the database."""

UNSETTLED_MAX = 200_000
"""Contacts not counted to their end, conversations without a wrap-up, and the reverse: so many of each at most.

More than wait and talk at once in a domain; what never finds its other half is forgotten by it, oldest first.
"""

_FORMAT = 1


class QueueCounts(msgspec.Struct, array_like=True):
    """One row of the ledger: a queue in an interval. Counts and sums, from which every figure follows."""

    offered: int = 0
    answered: int = 0
    answered_within_threshold: int = 0
    abandoned: int = 0
    abandoned_within_threshold: int = 0
    answered_wait_ms: int = 0
    abandoned_wait_ms: int = 0
    wait_ms_max: int = 0
    handled: int = 0
    talk_ms: int = 0
    hold_ms: int = 0
    wrap_up_ms: int = 0
    offers_accepted: int = 0
    offers_rejected: int = 0
    offers_expired: int = 0
    offers_canceled: int = 0
    offers_rescinded: int = 0
    overflowed: int = 0
    overflowed_within_threshold: int = 0
    overflowed_wait_ms: int = 0


class AgentTimes(msgspec.Struct, array_like=True):
    """Wall-clock time of all agents of a domain in an interval, by what they did."""

    idle_ms: int = 0
    ringing_ms: int = 0
    talking_ms: int = 0
    wrapping_up_ms: int = 0
    not_ready_ms: int = 0


class Contact(msgspec.Struct, array_like=True, kw_only=True):
    """A contact that is not counted to the end of its wait; a half that was not seen yet is empty or None."""

    contact_id: ContactId
    queue_id: QueueId = QueueId("")
    enqueued_at_ms: int = 0
    target_ms: int | None = None
    outcome: WaitOutcome | None = None
    wait_ms: int = 0

    @property
    def waits(self) -> bool:
        """Whether it stands in a queue."""
        return bool(self.queue_id) and self.outcome is None


class Conversation(msgspec.Struct, array_like=True, frozen=True, kw_only=True):
    """A conversation that ended, before its wrap-up was seen to end."""

    offer_id: OfferId
    contact_id: ContactId
    queue_id: QueueId
    talk_ms: int
    hold_ms: int


class WrapUp(msgspec.Struct, array_like=True, frozen=True, kw_only=True):
    """A wrap-up that ended, before its conversation was seen to end."""

    offer_id: OfferId
    ended_at_ms: int
    wrap_up_ms: int


class Slot(msgspec.Struct, array_like=True, frozen=True):
    """One contact an agent holds; the queue is empty when the beginning was not seen."""

    queue_id: QueueId
    phase: SlotPhase


class Agent(msgspec.Struct, array_like=True, kw_only=True):
    """An agent whose time is counted: signed on, or still in a conversation."""

    agent_id: AgentId
    counted_to_ms: int
    """Entries cover the agent's time up to here; from here on it is known only what they do."""
    presence: Presence = Presence.SIGNED_OFF
    slots: dict[OfferId, Slot] = msgspec.field(default_factory=dict)

    @property
    def activity(self) -> Activity:
        """What their time counts as now."""
        return activity(self.presence, [slot.phase for slot in self.slots.values()])

    @property
    def routing_state(self) -> str:
        """Agent-state's name for what they do (CSTA's agent states)."""
        if self.presence in (Presence.SIGNED_OFF, Presence.NOT_RESPONDING):
            return "OFFLINE" if self.presence is Presence.SIGNED_OFF else "NOT_RESPONDING"
        phases = [slot.phase for slot in self.slots.values()]
        if SlotPhase.TALKING in phases:
            return "BUSY"
        if SlotPhase.WRAPPING_UP in phases:
            return "WORKING_AFTER_CALL"
        return "RESERVED" if phases else self.presence.value


def activity(presence: Presence, phases: list[SlotPhase]) -> Activity:
    """Return what counts when an agent's slots are in these phases: one conversation is a full hour's work per hour."""
    if SlotPhase.TALKING in phases:
        return Activity.TALKING
    if SlotPhase.WRAPPING_UP in phases:
        return Activity.WRAPPING_UP
    if SlotPhase.RINGING in phases:
        return Activity.RINGING
    if presence is Presence.SIGNED_OFF:
        return Activity.AWAY
    return Activity.IDLE if presence is Presence.READY else Activity.NOT_READY


@dataclass(slots=True, kw_only=True)
class Queue:
    """A queue: what its contacts are judged by, what happened today, who waits."""

    target_ms: int | None = None
    today: QueueCounts = field(default_factory=QueueCounts)

    # Indexes.
    waiting: dict[ContactId, int] = field(default_factory=dict)
    """Since when each contact waits, in the order of queueing: the first has waited longest."""
    ringing: int = 0
    talking: int = 0


@dataclass(slots=True, kw_only=True)
class Interval:
    """The numbers of one interval."""

    queues: dict[QueueId, QueueCounts] = field(default_factory=dict)
    agents: AgentTimes = field(default_factory=AgentTimes)


@dataclass(slots=True, kw_only=True)
class State:
    """One domain."""

    domain: str
    interval_ms: int
    """Length of an interval from now on; a setting, so not part of what is stored."""
    queues: dict[QueueId, Queue] = field(default_factory=dict)
    contacts: dict[ContactId, Contact] = field(default_factory=dict)
    conversations: dict[OfferId, Conversation] = field(default_factory=dict)
    wrap_ups: dict[OfferId, WrapUp] = field(default_factory=dict)
    agents: dict[AgentId, Agent] = field(default_factory=dict)
    intervals: dict[int, Interval] = field(default_factory=dict)
    kept_from_ms: int = 0
    """Every interval from here on is in `intervals`; earlier ones were dropped."""
    day_start_ms: int = 0
    """The day (UTC) that the queues' `today` is about: the latest one that anything was counted for."""
    heard_at_ms: int = 0
    """When agent-state was heard last, by this service's log."""
    lag_ms: int = 0
    """How much later than agent-state's own log that was."""
    noted: int = 0
    """Events so far."""

    # Indexes.
    starts: list[int] = field(default_factory=list)
    """The keys of `intervals`, sorted."""
    borders: list[int] = field(default_factory=list)
    """The keys of `by_border`, sorted: few, since all agents but the latest changed stand before the same border."""
    by_border: dict[int, dict[AgentId, None]] = field(default_factory=dict)
    """Whose time is counted to a point within the interval that ends at the border."""
    routing_states: dict[str, int] = field(default_factory=dict)
    """How many agents are in each of agent-state's states."""


class _Dump(msgspec.Struct, array_like=True):
    """What is stored of a state: no index, and no order but those that mean something."""

    format: int
    queues: list[tuple[QueueId, int | None, QueueCounts]]
    contacts: list[Contact]
    conversations: list[Conversation]
    wrap_ups: list[WrapUp]
    agents: list[Agent]
    intervals: list[tuple[int, list[tuple[QueueId, QueueCounts]], AgentTimes]]
    numbers: tuple[int, int, int, int, int]


def dump(state: State) -> bytes:
    """Return the state in canonical form: equal states give equal bytes."""
    queues, intervals, agents = state.queues, state.intervals, state.agents
    stored = _Dump(
        format=_FORMAT,
        queues=[(one, queues[one].target_ms, queues[one].today) for one in sorted(queues)],
        contacts=list(state.contacts.values()),
        conversations=list(state.conversations.values()),
        wrap_ups=list(state.wrap_ups.values()),
        agents=[agents[agent_id] for agent_id in sorted(agents)],
        intervals=[
            (start, sorted(intervals[start].queues.items()), intervals[start].agents)
            for start in state.starts
        ],
        numbers=(
            state.kept_from_ms,
            state.day_start_ms,
            state.heard_at_ms,
            state.lag_ms,
            state.noted,
        ),
    )
    return msgspec.msgpack.encode(stored)


def load(domain: str, dumped: bytes, interval_ms: int) -> State:
    """Return the state that `dump` wrote; raise `ValueError` when it cannot be read."""
    stored = msgspec.msgpack.decode(dumped, type=_Dump)
    if stored.format != _FORMAT:
        raise ValueError(f"the state of {domain} has format {stored.format}, not {_FORMAT}")
    kept_from_ms, day_start_ms, heard_at_ms, lag_ms, noted = stored.numbers
    state = State(
        domain=domain,
        interval_ms=interval_ms,
        queues={one: Queue(target_ms=target, today=today) for one, target, today in stored.queues},
        contacts={contact.contact_id: contact for contact in stored.contacts},
        conversations={one.offer_id: one for one in stored.conversations},
        wrap_ups={one.offer_id: one for one in stored.wrap_ups},
        agents={agent.agent_id: agent for agent in stored.agents},
        intervals={
            start: Interval(queues=dict(rows), agents=agents)
            for start, rows, agents in stored.intervals
        },
        kept_from_ms=kept_from_ms,
        day_start_ms=day_start_ms,
        heard_at_ms=heard_at_ms,
        lag_ms=lag_ms,
        noted=noted,
        starts=[start for start, _, _ in stored.intervals],
    )
    for contact in stored.contacts:
        if contact.waits:
            queue_of(state, contact.queue_id).waiting[contact.contact_id] = contact.enqueued_at_ms
    for agent in stored.agents:
        index_agent(state, agent)
    return state


def queue_of(state: State, queue_id: QueueId) -> Queue:
    """Return a queue, made when it is mentioned for the first time."""
    queue = state.queues.get(queue_id)
    if queue is None:
        queue = state.queues[queue_id] = Queue()
    return queue


def index_agent(state: State, agent: Agent, sign: int = 1) -> None:
    """Enter an agent into the indexes as they are now, or with `sign` -1 take them out."""
    name = agent.routing_state
    state.routing_states[name] = state.routing_states.get(name, 0) + sign
    for slot in agent.slots.values():
        if slot.queue_id and slot.phase is SlotPhase.RINGING:
            queue_of(state, slot.queue_id).ringing += sign
        elif slot.queue_id and slot.phase is SlotPhase.TALKING:
            queue_of(state, slot.queue_id).talking += sign
    if sign > 0:
        _stand_before(state, agent, _border_ms(state, agent.counted_to_ms))
    else:
        _leave(state, agent, _border_ms(state, agent.counted_to_ms))


def count_to(state: State, agent: Agent, until_ms: int) -> None:
    """Note that an agent's time is counted up to `until_ms`."""
    before_ms = _border_ms(state, agent.counted_to_ms)
    after_ms = _border_ms(state, until_ms)
    agent.counted_to_ms = until_ms
    if before_ms != after_ms:
        _leave(state, agent, before_ms)
        _stand_before(state, agent, after_ms)


def _border_ms(state: State, counted_to_ms: int) -> int:
    """Return the end of the interval that the next millisecond to count lies in."""
    return (counted_to_ms // state.interval_ms + 1) * state.interval_ms


def _stand_before(state: State, agent: Agent, border_ms: int) -> None:
    if border_ms not in state.by_border:
        state.by_border[border_ms] = {}
        insort(state.borders, border_ms)
    state.by_border[border_ms][agent.agent_id] = None


def _leave(state: State, agent: Agent, border_ms: int) -> None:
    del state.by_border[border_ms][agent.agent_id]
    if not state.by_border[border_ms]:
        del state.by_border[border_ms]
        del state.borders[bisect_left(state.borders, border_ms)]
