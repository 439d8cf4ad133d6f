"""What must hold after every event; tests and the simulator call it, the running service does not."""

from huntgroup_agent_state.core.state import REMEMBERED_MAX, Agent, State
from huntgroup_agent_state.core.values import AGENTS_MAX, SlotPhase


def check(state: State) -> None:
    """Raise `AssertionError` with a sentence when the state contradicts itself."""
    for agent in state.agents.values():
        _check_agent(agent)
    held = {
        offer_id: slot for agent in state.agents.values() for offer_id, slot in agent.slots.items()
    }
    assert held == state.slots, "the index of slots differs from what agents hold"
    assert len(state.agents) <= AGENTS_MAX, "more agents are here than the bound allows"
    on = sorted(agent.agent_id for agent in state.agents.values() if agent.signed_on)
    assert on == state.signed_on, "the list of who is signed on is wrong"
    wrapping = [s.ends_at_ms for s in held.values() if s.phase is SlotPhase.WRAPPING_UP]
    assert len(wrapping) == len(state.wrap_ups), "a wrap-up has no deadline, or a deadline none"
    assert state.wrap_ups.next() == min(wrapping, default=None), "the next deadline is wrong"
    assert not state.ended.keys() & held.keys(), "an ended offer still holds a slot"
    assert not state.overtaken.keys() & held.keys(), "a known offer counts as overtaken"
    for remembered in (state.ended, state.wrapped_up, state.overtaken):
        assert len(remembered) <= REMEMBERED_MAX, "more is remembered than the bound allows"


def _check_agent(agent: Agent) -> None:
    who = f"agent {agent.agent_id}"
    assert agent.signed_on or agent.slots, f"{who} left and holds nothing, but is not forgotten"
    assert agent.routing_state is agent.derived_state(), f"{who} is not {agent.routing_state}"
    assert agent.pending is None or not agent.has_free_slot(), f"{who} waits without being busy"
    phases = [slot.phase for slot in agent.slots.values()]
    if not agent.signed_on:
        away = all(phase in (SlotPhase.TALKING, SlotPhase.WITHDRAWN) for phase in phases)
        assert away, f"{who} left, but rings or wraps up"
