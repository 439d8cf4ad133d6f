"""What follows from a command. Nothing is changed here; `evolve` applies what was decided."""

from typing import assert_never

from huntgroup_agent_state.core.eligibility import (
    presence_on_release,
    sign_on_refusal,
    signed_on,
    turn_away,
    wanted,
    went,
)
from huntgroup_agent_state.core.messages import (
    AgentAskedForPresence,
    AgentFinishedWrapUp,
    AgentReleased,
    AgentReserved,
    AgentSignedOff,
    AgentStartedWrapUp,
    AgentStoppedResponding,
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
    OfferOvertaken,
    OfferTurnedAway,
    PassTime,
    Reason,
    Refused,
    ReportDesktopSilent,
    SetPresence,
    SignOff,
    SignOn,
)
from huntgroup_agent_state.core.state import Agent, Slot, State
from huntgroup_agent_state.core.talking import busy, talks
from huntgroup_agent_state.core.values import (
    DEFAULT_CAPACITY,
    AgentId,
    OfferId,
    Overtaking,
    Presence,
    ReleaseReason,
    SignOffReason,
    SlotPhase,
    WrapUpEnd,
)

WRAP_UPS_PER_DECISION_MAX = 250
"""How many wrap-ups one `PassTime` ends, so that a record stays small; the next one follows at once."""

Events = tuple[Event, ...]


def decide(state: State, command: Command, at_ms: int) -> Events | Refused:
    """Return what happens because of `command` at log time `at_ms`, or why nothing does."""
    match command:
        case ObserveOfferCreated():
            return _offer_created(state, command, at_ms)
        case ObserveContactConnected():
            return _contact_connected(state, command, at_ms)
        case ObserveContactDisconnected():
            return _contact_disconnected(state, command, at_ms)
        case CompleteWrapUp():
            return _complete_wrap_up(state, command, at_ms)
        case SetPresence():
            return _set_presence(state, command, at_ms)
        case PassTime():
            return _pass_time(state, at_ms)
        case ObserveOfferRejected():
            return _ringing_over(state, command.offer_id, ReleaseReason.REJECTED, at_ms)
        case ObserveOfferExpired():
            return _offer_expired(state, command, at_ms)
        case ObserveOfferCanceled():
            reason = (
                ReleaseReason.CONTACT_MOVED
                if command.contact_moved
                else ReleaseReason.CUSTOMER_LEFT
            )
            return _ringing_over(state, command.offer_id, reason, at_ms)
        case ObserveOfferRescinded():
            reason = (
                ReleaseReason.TAKEN_BY_ANOTHER
                if command.taken_by_another
                else ReleaseReason.AGENT_LEFT
            )
            return _ringing_over(state, command.offer_id, reason, at_ms)
        case ObserveContactConnectionFailed():
            return _connection_failed(state, command, at_ms)
        case SignOn():
            return _sign_on(state, command, at_ms)
        case SignOff():
            return _sign_off(state.agents.get(command.agent_id), SignOffReason.BY_AGENT, at_ms)
        case ReportDesktopSilent():
            return _desktop_silent(state, command, at_ms)
        case _:
            assert_never(command)


# Signing on and off.


def _sign_on(state: State, command: SignOn, at_ms: int) -> Events | Refused:
    capacity = command.capacity or DEFAULT_CAPACITY
    refused = sign_on_refusal(state, command, capacity)
    return (signed_on(command, capacity, at_ms),) if refused is None else refused


def _desktop_silent(state: State, command: ReportDesktopSilent, at_ms: int) -> Events:
    agent = state.agents.get(command.agent_id)
    if agent is None or agent.signed_on_at_ms != command.signed_on_at_ms:
        return ()
    return _sign_off(agent, SignOffReason.DESKTOP_SILENT, at_ms)


def _sign_off(agent: Agent | None, reason: SignOffReason, at_ms: int) -> Events:
    if agent is None or not agent.signed_on:
        return ()
    # First that they left, then what they held, so that routing offers nothing in between.
    events: list[Event] = [AgentSignedOff(at_ms=at_ms, agent_id=agent.agent_id, reason=reason)]
    for slot in agent.slots.values():
        match slot.phase:
            case SlotPhase.WRAPPING_UP:
                events.append(_finished(slot, WrapUpEnd.AGENT_LEFT, at_ms))
                events.append(_released(slot, ReleaseReason.AGENT_LEFT, at_ms))
            case SlotPhase.RINGING | SlotPhase.WITHDRAWN | SlotPhase.TALKING:
                pass  # held until the offer or conversation has ended: a yes may be on its way
            case _:
                assert_never(slot.phase)
    return tuple(events)


# Presence.


def _set_presence(state: State, command: SetPresence, at_ms: int) -> Events | Refused:
    agent = state.agents.get(command.agent_id)
    if agent is None or not agent.signed_on:
        return Refused(
            reason=Reason.NOT_SIGNED_ON, detail=f"agent_id {command.agent_id!r} is not signed on"
        )
    ready = command.presence is Presence.READY
    if not ready and not command.reason:
        return Refused(
            reason=Reason.REASON_MISSING,
            detail="reason is empty, but an agent who is not ready says why",
        )
    reason = "" if ready else command.reason
    if wanted(agent) == (command.presence, reason):
        return ()
    if agent.has_free_slot():
        return (went(agent, command.presence, reason, at_ms),)
    return (
        AgentAskedForPresence(
            at_ms=at_ms, agent_id=agent.agent_id, presence=command.presence, reason=reason
        ),
    )


# Offers.


def _offer_created(state: State, command: ObserveOfferCreated, at_ms: int) -> Events:
    if command.offer_id in state.slots or command.offer_id in state.ended:
        return ()
    agent = state.agents.get(command.agent_id)
    overtaking = state.overtaken.get(command.offer_id)
    if overtaking is None and (away := turn_away(agent, command.channel)) is not None:
        return (
            OfferTurnedAway(
                at_ms=at_ms,
                agent_id=command.agent_id,
                offer_id=command.offer_id,
                contact_id=command.contact_id,
                reason=away,
            ),
        )
    reserved = _reserved(command, command.expires_at_ms, command.wrap_up_timeout_ms, at_ms)
    if overtaking is None:
        return (reserved,)
    return (reserved, *_caught_up(agent, reserved, overtaking, at_ms))


def _caught_up(
    agent: Agent | None, reserved: AgentReserved, overtaking: Overtaking, at_ms: int
) -> Events:
    """Return what the session had told before: the customer was there or not, whatever the agent wants now."""
    slot = Slot.ringing(reserved)
    match overtaking:
        case Overtaking.CONNECTED:
            return talks(agent, slot, at_ms)
        case Overtaking.DISCONNECTED:
            return (busy(slot, at_ms), *_conversation_over(agent, slot, at_ms))
        case Overtaking.CONNECTION_FAILED:
            return _release(agent, slot, ReleaseReason.CONNECTION_FAILED, at_ms)
        case _:
            assert_never(overtaking)


def _ringing_over(state: State, offer_id: OfferId, reason: ReleaseReason, at_ms: int) -> Events:
    slot = state.slots.get(offer_id)
    if slot is None or not slot.awaits_outcome:
        return ()
    return _release(state.agents[slot.agent_id], slot, reason, at_ms)


def _offer_expired(state: State, command: ObserveOfferExpired, at_ms: int) -> Events:
    slot = state.slots.get(command.offer_id)
    if slot is None or not slot.awaits_outcome:
        return ()
    agent = state.agents[slot.agent_id]
    if slot.phase is SlotPhase.WITHDRAWN:  # nobody missed it
        return _release(agent, slot, ReleaseReason.EXPIRED, at_ms)
    stopped = AgentStoppedResponding(at_ms=at_ms, agent_id=agent.agent_id, offer_id=slot.offer_id)
    released = _released(slot, ReleaseReason.EXPIRED, at_ms)
    if agent.pending is Presence.NOT_READY:
        return stopped, went(agent, agent.pending, agent.pending_reason, at_ms), released
    # Who asked to be ready before this must ask again.
    return stopped, released


# Conversations.


def _contact_connected(state: State, command: ObserveContactConnected, at_ms: int) -> Events:
    slot = state.slots.get(command.offer_id)
    if slot is not None:
        agent = state.agents[slot.agent_id]
        return talks(agent, slot, at_ms) if slot.awaits_outcome else ()
    may_connect = state.ended.get(command.offer_id)
    if may_connect is None:
        return _overtaken(state, command, Overtaking.CONNECTED, at_ms)
    if not may_connect:
        return ()
    # It was turned away, yet the agent had said yes: they talk nevertheless.
    reserved = _reserved(command, at_ms, 0, at_ms)
    return reserved, *talks(state.agents.get(command.agent_id), Slot.ringing(reserved), at_ms)


def _connection_failed(state: State, command: ObserveContactConnectionFailed, at_ms: int) -> Events:
    if command.offer_id in state.slots:
        return _ringing_over(state, command.offer_id, ReleaseReason.CONNECTION_FAILED, at_ms)
    if command.offer_id in state.ended:
        return ()
    return _overtaken(state, command, Overtaking.CONNECTION_FAILED, at_ms)


def _contact_disconnected(state: State, command: ObserveContactDisconnected, at_ms: int) -> Events:
    slot = state.slots.get(command.offer_id)
    if slot is None:
        if command.offer_id not in state.overtaken:
            return ()
        return _overtaken(state, command, Overtaking.DISCONNECTED, at_ms)
    if slot.phase is SlotPhase.WRAPPING_UP:
        return ()
    return _conversation_over(state.agents[slot.agent_id], slot, at_ms)


def _overtaken(
    state: State,
    command: ObserveContactConnected | ObserveContactConnectionFailed | ObserveContactDisconnected,
    overtaking: Overtaking,
    at_ms: int,
) -> Events:
    if state.overtaken.get(command.offer_id) is overtaking:
        return ()
    return (
        OfferOvertaken(
            at_ms=at_ms,
            agent_id=command.agent_id,
            offer_id=command.offer_id,
            contact_id=command.contact_id,
            overtaking=overtaking,
        ),
    )


def _conversation_over(agent: Agent | None, slot: Slot, at_ms: int) -> Events:
    if agent is None or not agent.signed_on:
        return (
            _finished(slot, WrapUpEnd.AGENT_LEFT, at_ms),
            _released(slot, ReleaseReason.AGENT_LEFT, at_ms),
        )
    if slot.wrap_up_timeout_ms <= 0:
        return (
            _finished(slot, WrapUpEnd.TIMER, at_ms),
            *_release(agent, slot, ReleaseReason.WRAPPED_UP, at_ms),
        )
    return (
        AgentStartedWrapUp(
            at_ms=at_ms,
            agent_id=slot.agent_id,
            offer_id=slot.offer_id,
            contact_id=slot.contact_id,
            ends_at_ms=at_ms + slot.wrap_up_timeout_ms,
        ),
    )


# After-call work.


def _complete_wrap_up(state: State, command: CompleteWrapUp, at_ms: int) -> Events | Refused:
    agent = state.agents.get(command.agent_id)
    held = [] if agent is None else list(agent.slots.values())
    slot = next((each for each in held if each.contact_id == command.contact_id), None)
    if slot is None:
        return _no_such_slot(state, command)
    if slot.phase is not SlotPhase.WRAPPING_UP:
        return Refused(
            reason=Reason.NOT_WRAPPING_UP,
            detail=f"contact_id {command.contact_id!r} is {slot.phase}, not WRAPPING_UP",
        )
    return (
        _finished(slot, WrapUpEnd.BY_AGENT, at_ms),
        *_release(agent, slot, ReleaseReason.WRAPPED_UP, at_ms),
    )


def _no_such_slot(state: State, command: CompleteWrapUp) -> Events | Refused:
    if state.wrapped_up.get(command.contact_id) == command.agent_id:
        return ()  # the timer was quicker
    return Refused(
        reason=Reason.CONTACT_UNKNOWN,
        detail=f"agent_id {command.agent_id!r} holds no contact_id {command.contact_id!r}",
    )


def _pass_time(state: State, at_ms: int) -> Events:
    events: list[Event] = []
    settled: set[AgentId] = set()
    for offer_id in state.wrap_ups.due(at_ms, WRAP_UPS_PER_DECISION_MAX):
        slot = state.slots[offer_id]
        events.append(_finished(slot, WrapUpEnd.TIMER, at_ms))
        if slot.agent_id not in settled:
            settled.add(slot.agent_id)
            events.extend(presence_on_release(state.agents[slot.agent_id], at_ms))
        events.append(_released(slot, ReleaseReason.WRAPPED_UP, at_ms))
    return tuple(events)


# The events that end or carry a slot.


def _reserved(
    command: ObserveOfferCreated | ObserveContactConnected,
    expires_at_ms: int,
    wrap_up_timeout_ms: int,
    at_ms: int,
) -> AgentReserved:
    return AgentReserved(
        at_ms=at_ms,
        agent_id=command.agent_id,
        offer_id=command.offer_id,
        contact_id=command.contact_id,
        queue_id=command.queue_id,
        channel=command.channel,
        expires_at_ms=expires_at_ms,
        wrap_up_timeout_ms=wrap_up_timeout_ms,
    )


def _release(agent: Agent | None, slot: Slot, reason: ReleaseReason, at_ms: int) -> Events:
    return (*presence_on_release(agent, at_ms), _released(slot, reason, at_ms))


def _released(slot: Slot, reason: ReleaseReason, at_ms: int) -> AgentReleased:
    return AgentReleased(
        at_ms=at_ms,
        agent_id=slot.agent_id,
        offer_id=slot.offer_id,
        contact_id=slot.contact_id,
        reason=reason,
    )


def _finished(slot: Slot, ended_by: WrapUpEnd, at_ms: int) -> AgentFinishedWrapUp:
    wrapping = slot.phase is SlotPhase.WRAPPING_UP
    return AgentFinishedWrapUp(
        at_ms=at_ms,
        agent_id=slot.agent_id,
        offer_id=slot.offer_id,
        contact_id=slot.contact_id,
        ended_by=ended_by,
        wrap_up_ms=at_ms - slot.phase_since_ms if wrapping else 0,
    )
