"""What each event changes. Nothing is refused here, nothing is judged."""

from bisect import bisect_left, insort
from typing import TypeVar, assert_never

from huntgroup_agent_state.core.messages import (
    AgentAskedForPresence,
    AgentBecameBusy,
    AgentFinishedWrapUp,
    AgentReleased,
    AgentReserved,
    AgentSignedOff,
    AgentSignedOn,
    AgentStartedWrapUp,
    AgentStoppedResponding,
    AgentWentNotReady,
    AgentWentReady,
    ContactInterrupted,
    Event,
    OfferOvertaken,
    OfferTurnedAway,
)
from huntgroup_agent_state.core.state import REMEMBERED_MAX, Agent, Slot, State
from huntgroup_agent_state.core.values import (
    AgentId,
    Presence,
    SlotPhase,
    TurnAwayReason,
)

K = TypeVar("K")
V = TypeVar("V")


def evolve(state: State, event: Event) -> State:
    """Return the state after `event`; it is the same object, changed."""
    match event:
        case AgentReserved():
            _reserved(state, event)
        case AgentBecameBusy():
            _phase(state, event, SlotPhase.TALKING, 0)
        case AgentStartedWrapUp():
            _phase(state, event, SlotPhase.WRAPPING_UP, event.ends_at_ms)
            state.wrap_ups.add(event.offer_id, event.ends_at_ms)
        case AgentFinishedWrapUp():
            state.wrapped_up.pop(event.contact_id, None)
            _remember(state.wrapped_up, event.contact_id, event.agent_id)
        case AgentReleased():
            _released(state, event)
        case AgentWentReady():
            _presence(state.agents[event.agent_id], Presence.READY, "")
        case AgentWentNotReady():
            _presence(state.agents[event.agent_id], Presence.NOT_READY, event.reason)
        case AgentAskedForPresence():
            _asked(state.agents[event.agent_id], event)
        case AgentStoppedResponding():
            _stopped_responding(state.agents[event.agent_id])
        case AgentSignedOn():
            _signed_on(state, event)
        case AgentSignedOff():
            _signed_off(state, event)
        case OfferTurnedAway():
            _turned_away(state, event)
        case OfferOvertaken():
            _remember(state.overtaken, event.offer_id, event.overtaking)
        case ContactInterrupted():
            pass  # a fact for people: it follows from what the agent talks to
        case _:
            assert_never(event)
    _settle(state, event.agent_id, event.at_ms)
    return state


def _reserved(state: State, event: AgentReserved) -> None:
    agent = _agent(state, event)
    slot = Slot.ringing(event)
    agent.slots[event.offer_id] = slot
    state.slots[event.offer_id] = slot
    state.ended.pop(event.offer_id, None)
    state.overtaken.pop(event.offer_id, None)


def _phase(
    state: State, event: AgentBecameBusy | AgentStartedWrapUp, phase: SlotPhase, ends_at_ms: int
) -> None:
    slot = state.slots[event.offer_id]
    slot.phase = phase
    slot.phase_since_ms = event.at_ms
    slot.ends_at_ms = ends_at_ms


def _released(state: State, event: AgentReleased) -> None:
    slot = state.slots.pop(event.offer_id)
    del state.agents[slot.agent_id].slots[event.offer_id]
    state.wrap_ups.discard(event.offer_id)
    _remember(state.ended, event.offer_id, False)


def _presence(agent: Agent, presence: Presence, reason: str) -> None:
    agent.presence = presence
    agent.not_ready_reason = reason
    agent.pending = None
    agent.pending_reason = ""
    agent.not_responding = False
    agent.turned_away_full = False


def _asked(agent: Agent, event: AgentAskedForPresence) -> None:
    as_it_is = (agent.presence, agent.not_ready_reason) == (event.presence, event.reason)
    if as_it_is and not agent.not_responding:
        agent.pending = None
        agent.pending_reason = ""
    else:
        agent.pending = event.presence
        agent.pending_reason = event.reason


def _stopped_responding(agent: Agent) -> None:
    agent.not_responding = True
    if agent.pending is Presence.READY:
        agent.pending = None


def _signed_on(state: State, event: AgentSignedOn) -> None:
    agent = _agent(state, event)
    agent.signed_on = True
    agent.signed_on_at_ms = event.at_ms
    agent.skills = event.skills
    agent.capacity = event.capacity
    agent.capacity_units = event.capacity_units
    agent.traits = event.traits
    _presence(agent, Presence.NOT_READY, "")
    insort(state.signed_on, event.agent_id)


def _signed_off(state: State, event: AgentSignedOff) -> None:
    agent = state.agents[event.agent_id]
    agent.signed_on = False
    _presence(agent, Presence.NOT_READY, "")
    for slot in agent.slots.values():
        if slot.phase is SlotPhase.RINGING:
            slot.phase = SlotPhase.WITHDRAWN
            slot.phase_since_ms = event.at_ms
            slot.ends_at_ms = 0
    del state.signed_on[bisect_left(state.signed_on, event.agent_id)]


def _turned_away(state: State, event: OfferTurnedAway) -> None:
    # Routing may have taken the agent's yes before it hears of this.
    _remember(state.ended, event.offer_id, True)
    if event.reason is TurnAwayReason.NO_CAPACITY:
        state.agents[event.agent_id].turned_away_full = True


def _agent(state: State, event: AgentSignedOn | AgentReserved) -> Agent:
    agent = state.agents.get(event.agent_id)
    if agent is None:
        agent = Agent(agent_id=event.agent_id, state_since_ms=event.at_ms)
        state.agents[event.agent_id] = agent
    return agent


def _remember(remembered: dict[K, V], key: K, value: V) -> None:
    remembered[key] = value
    if len(remembered) > REMEMBERED_MAX:
        del remembered[next(iter(remembered))]


def _settle(state: State, agent_id: AgentId, at_ms: int) -> None:
    """Derive the routing state anew, and forget an agent who left and holds nothing."""
    agent = state.agents.get(agent_id)
    if agent is None:
        return
    if not agent.signed_on and not agent.slots:
        del state.agents[agent_id]
        return
    derived = agent.derived_state()
    if derived is not agent.routing_state:
        agent.routing_state = derived
        agent.state_since_ms = at_ms
