"""What follows from an observation: entries of the ledger, and notes of what waits for its other half.

The journals of session, agent-state and routing are read independently, so of two facts that belong together either
may be seen first. Each entry is decided when the last fact it needs is seen, and says the same in every order. Nothing
is changed here, and nothing is refused.
"""

from collections.abc import Iterator, Mapping
from typing import Final, assert_never

from huntgroup_reporting.core.deadlines import countable_to, due, next_deadline
from huntgroup_reporting.core.messages import (
    AbandonedContactCounted,
    AgentPresenceNoted,
    AgentSlotNoted,
    AgentTimeCounted,
    AnsweredContactCounted,
    Command,
    ContactOutcomeHeld,
    ContactTargetNoted,
    ConversationNoted,
    Event,
    HandledContactCounted,
    ObserveAgentPresence,
    ObserveAgentSlot,
    ObserveContactDisconnected,
    ObserveContactEnqueued,
    ObserveContactMoved,
    ObserveContactQueued,
    ObserveOfferEnded,
    ObserveQueueConfigured,
    ObserveWaitEnded,
    ObserveWrapUpFinished,
    OfferedContactCounted,
    OfferOutcomeCounted,
    OverflowedContactCounted,
    PassTime,
    QueueTargetNoted,
    WrapUpNoted,
)
from huntgroup_reporting.core.state import Agent, Conversation, State, WrapUp, activity
from huntgroup_reporting.core.values import (
    Activity,
    ContactId,
    Part,
    Presence,
    QueueId,
    SlotPhase,
    WaitOutcome,
    interval_start,
    parts_of_span,
)

DEFAULT_TARGET_MS = 20_000
"""The trade's usual "within 20 seconds", for a contact whose queue was never seen to be configured."""

Events = tuple[Event, ...]

WaitEntry = AnsweredContactCounted | AbandonedContactCounted | OverflowedContactCounted

WAIT_ENTRIES: Final[Mapping[WaitOutcome, type[WaitEntry]]] = {
    WaitOutcome.ANSWERED: AnsweredContactCounted,
    WaitOutcome.ABANDONED: AbandonedContactCounted,
    WaitOutcome.OVERFLOWED: OverflowedContactCounted,
}


def decide(state: State, command: Command, at_ms: int) -> Events:
    """Return what follows from `command` at log time `at_ms`."""
    match command:
        case ObserveContactQueued():
            return _contact_queued(state, command, at_ms)
        case ObserveContactEnqueued():
            return _contact_enqueued(state, command, at_ms)
        case ObserveWaitEnded():
            return _wait_ended(state, command, at_ms)
        case ObserveContactMoved():
            return _contact_moved(state, command, at_ms)
        case ObserveOfferEnded():
            return (_offer_ended(state, command, at_ms),)
        case ObserveAgentSlot():
            return _agent_slot(state, command, at_ms)
        case ObserveContactDisconnected():
            return _contact_disconnected(state, command, at_ms)
        case ObserveWrapUpFinished():
            return _wrap_up_finished(state, command, at_ms)
        case ObserveAgentPresence():
            return _agent_presence(state, command, at_ms)
        case ObserveQueueConfigured():
            return _queue_configured(state, command, at_ms)
        case PassTime():
            return _pass_time(state, at_ms)
        case _:
            assert_never(command)


# Queues and waits.


def _queue_configured(state: State, command: ObserveQueueConfigured, at_ms: int) -> Events:
    threshold_ms = command.service_level_threshold_ms
    queue = state.queues.get(command.queue_id)
    if queue is not None and queue.target_ms == threshold_ms:
        return ()
    return (
        QueueTargetNoted(
            at_ms=at_ms, queue_id=command.queue_id, service_level_threshold_ms=threshold_ms
        ),
    )


def _contact_queued(state: State, command: ObserveContactQueued, at_ms: int) -> Events:
    contact = state.contacts.get(command.contact_id)
    if contact is not None and contact.queue_id:
        return ()
    return (
        OfferedContactCounted(
            at_ms=at_ms,
            queue_id=command.queue_id,
            interval_start_ms=interval_start(command.enqueued_at_ms, state.interval_ms),
            contact_id=command.contact_id,
            enqueued_at_ms=command.enqueued_at_ms,
        ),
    )


def _contact_enqueued(state: State, command: ObserveContactEnqueued, at_ms: int) -> Events:
    contact = state.contacts.get(command.contact_id)
    if contact is not None and contact.target_ms is not None:
        return ()
    target_ms = _target_ms(state, command.queue_id)
    if contact is None or contact.outcome is None:
        return (
            ContactTargetNoted(
                at_ms=at_ms, contact_id=command.contact_id, service_level_threshold_ms=target_ms
            ),
        )
    enqueued_at_ms = contact.enqueued_at_ms
    return (
        _counted(
            command.contact_id,
            contact.queue_id,
            contact.outcome,
            contact.wait_ms,
            interval_start_ms=interval_start(enqueued_at_ms, state.interval_ms),
            target_ms=target_ms,
            at_ms=at_ms,
        ),
    )


def _wait_ended(state: State, command: ObserveWaitEnded, at_ms: int) -> Events:
    contact = state.contacts.get(command.contact_id)
    if contact is not None and contact.queue_id and contact.target_ms is None:
        if contact.outcome is not None:
            return ()
        return (
            ContactOutcomeHeld(
                at_ms=at_ms,
                contact_id=command.contact_id,
                outcome=command.outcome,
                wait_ms=command.wait_ms,
            ),
        )
    # A contact that was forgotten, or whose queueing could not be read, is judged by what its queue aims at now.
    target_ms = contact.target_ms if contact else None
    if target_ms is None:
        target_ms = _target_ms(state, command.queue_id)
    enqueued_at_ms = command.ended_at_ms - command.wait_ms
    return (
        _counted(
            command.contact_id,
            command.queue_id,
            command.outcome,
            command.wait_ms,
            interval_start_ms=interval_start(enqueued_at_ms, state.interval_ms),
            target_ms=target_ms,
            at_ms=at_ms,
        ),
    )


def _contact_moved(state: State, command: ObserveContactMoved, at_ms: int) -> Events:
    left = ObserveWaitEnded(
        contact_id=command.contact_id,
        queue_id=command.from_queue_id,
        outcome=WaitOutcome.OVERFLOWED,
        ended_at_ms=command.moved_at_ms,
        wait_ms=command.wait_ms,
    )
    came = ObserveContactQueued(
        contact_id=command.next_contact_id,
        queue_id=command.queue_id,
        enqueued_at_ms=command.enqueued_at_ms,
    )
    return (*_wait_ended(state, left, at_ms), *_contact_queued(state, came, at_ms))


def _target_ms(state: State, queue_id: QueueId) -> int:
    queue = state.queues.get(queue_id)
    return DEFAULT_TARGET_MS if queue is None or queue.target_ms is None else queue.target_ms


def _counted(
    contact_id: ContactId,
    queue_id: QueueId,
    outcome: WaitOutcome,
    wait_ms: int,
    *,
    interval_start_ms: int,
    target_ms: int,
    at_ms: int,
) -> WaitEntry:
    return WAIT_ENTRIES[outcome](
        at_ms=at_ms,
        queue_id=queue_id,
        interval_start_ms=interval_start_ms,
        contact_id=contact_id,
        wait_ms=wait_ms,
        within_threshold=wait_ms <= target_ms,
    )


# Offers and conversations.


def _offer_ended(state: State, command: ObserveOfferEnded, at_ms: int) -> OfferOutcomeCounted:
    return OfferOutcomeCounted(
        at_ms=at_ms,
        queue_id=command.queue_id,
        interval_start_ms=interval_start(command.ended_at_ms, state.interval_ms),
        offer_id=command.offer_id,
        agent_id=command.agent_id,
        outcome=command.outcome.value,
        ring_ms=command.ring_ms,
    )


def _contact_disconnected(state: State, command: ObserveContactDisconnected, at_ms: int) -> Events:
    if command.offer_id in state.conversations:
        return ()
    conversation = Conversation(
        offer_id=command.offer_id,
        contact_id=command.contact_id,
        queue_id=command.queue_id,
        talk_ms=command.talk_ms,
        hold_ms=command.hold_ms,
    )
    wrap_up = state.wrap_ups.get(command.offer_id)
    if wrap_up is not None:
        return (_handled(state, conversation, wrap_up, at_ms),)
    return (
        ConversationNoted(
            at_ms=at_ms,
            offer_id=command.offer_id,
            contact_id=command.contact_id,
            queue_id=command.queue_id,
            talk_ms=command.talk_ms,
            hold_ms=command.hold_ms,
        ),
    )


def _wrap_up_finished(state: State, command: ObserveWrapUpFinished, at_ms: int) -> Events:
    if command.offer_id in state.wrap_ups:
        return ()
    conversation = state.conversations.get(command.offer_id)
    if conversation is None:
        return (
            WrapUpNoted(
                at_ms=at_ms,
                offer_id=command.offer_id,
                ended_at_ms=command.ended_at_ms,
                wrap_up_ms=command.wrap_up_ms,
            ),
        )
    wrap_up = WrapUp(
        offer_id=command.offer_id, ended_at_ms=command.ended_at_ms, wrap_up_ms=command.wrap_up_ms
    )
    return (_handled(state, conversation, wrap_up, at_ms),)


def _handled(
    state: State, conversation: Conversation, wrap_up: WrapUp, at_ms: int
) -> HandledContactCounted:
    return HandledContactCounted(
        at_ms=at_ms,
        queue_id=conversation.queue_id,
        interval_start_ms=interval_start(wrap_up.ended_at_ms, state.interval_ms),
        contact_id=conversation.contact_id,
        offer_id=conversation.offer_id,
        talk_ms=conversation.talk_ms,
        hold_ms=conversation.hold_ms,
        wrap_up_ms=wrap_up.wrap_up_ms,
    )


# Agents.


def _agent_presence(state: State, command: ObserveAgentPresence, at_ms: int) -> Events:
    agent = state.agents.get(command.agent_id)
    if (agent.presence if agent else Presence.SIGNED_OFF) is command.presence:
        return ()
    phases = [slot.phase for slot in agent.slots.values()] if agent else []
    becomes = activity(command.presence, phases)
    return (
        *_time_until(state, agent, command.since_ms, becomes, at_ms),
        AgentPresenceNoted(
            at_ms=at_ms,
            agent_id=command.agent_id,
            since_ms=command.since_ms,
            presence=command.presence,
        ),
    )


def _agent_slot(state: State, command: ObserveAgentSlot, at_ms: int) -> Events:
    agent = state.agents.get(command.agent_id)
    slots = agent.slots if agent else {}
    slot = slots.get(command.offer_id)
    if (slot.phase if slot else SlotPhase.FREE) is command.phase:
        return ()
    phases = [one.phase for offer_id, one in slots.items() if offer_id != command.offer_id]
    becomes = activity(agent.presence if agent else Presence.SIGNED_OFF, [*phases, command.phase])
    return (
        *_time_until(state, agent, command.since_ms, becomes, at_ms),
        AgentSlotNoted(
            at_ms=at_ms,
            agent_id=command.agent_id,
            since_ms=command.since_ms,
            offer_id=command.offer_id,
            queue_id=command.queue_id or (slot.queue_id if slot else QueueId("")),
            phase=command.phase,
        ),
    )


def _time_until(
    state: State, agent: Agent | None, since_ms: int, becomes: Activity, at_ms: int
) -> Iterator[AgentTimeCounted]:
    """Count what the agent did until they went on to something else; take back what was counted beyond."""
    if agent is None or agent.activity is becomes:
        return
    counted_ms = agent.counted_to_ms
    if counted_ms <= since_ms:
        for part in parts_of_span(counted_ms, since_ms, state.interval_ms):
            yield _time(agent, part, part.end_ms, at_ms)
        return
    for part in reversed(list(parts_of_span(since_ms, counted_ms, state.interval_ms))):
        yield _time(agent, part._replace(each_ms=-part.each_ms), part.begin_ms, at_ms)


def _pass_time(state: State, at_ms: int) -> Events:
    deadline_ms = next_deadline(state)
    if deadline_ms is None or deadline_ms > at_ms:
        return ()
    to_ms = countable_to(state, at_ms)
    return tuple(
        _time(agent, part, part.end_ms, at_ms)
        for agent in (state.agents[agent_id] for agent_id in due(state))
        for part in parts_of_span(agent.counted_to_ms, to_ms, state.interval_ms)
    )


def _time(agent: Agent, part: Part, until_ms: int, at_ms: int) -> AgentTimeCounted:
    """Count a part as time of what the agent does; a negative amount takes it back."""
    doing = agent.activity
    return AgentTimeCounted(
        at_ms=at_ms,
        agent_id=agent.agent_id,
        interval_start_ms=part.interval_start_ms,
        idle_ms=part.each_ms if doing is Activity.IDLE else 0,
        ringing_ms=part.each_ms if doing is Activity.RINGING else 0,
        talking_ms=part.each_ms if doing is Activity.TALKING else 0,
        wrapping_up_ms=part.each_ms if doing is Activity.WRAPPING_UP else 0,
        not_ready_ms=part.each_ms if doing is Activity.NOT_READY else 0,
        until_ms=until_ms,
        intervals=part.intervals,
    )
