"""What follows when customer and agent are connected: they talk, and one conversation may interrupt others."""

from huntgroup_agent_state.core.concurrency import is_above
from huntgroup_agent_state.core.messages import AgentBecameBusy, ContactInterrupted
from huntgroup_agent_state.core.state import Agent, Slot
from huntgroup_agent_state.core.values import SlotPhase


def talks(
    agent: Agent | None, slot: Slot, at_ms: int
) -> tuple[AgentBecameBusy | ContactInterrupted, ...]:
    """Return that an agent talks to the contact of a slot, and each pair of conversations of which one interrupts."""
    if agent is None:
        return (busy(slot, at_ms),)
    talking = [one for one in agent.slots.values() if one.phase is SlotPhase.TALKING]
    below = (
        _interrupted(one, slot, at_ms)
        for one in talking
        if is_above(agent.capacity, slot.channel, one.channel)
    )
    above = (
        _interrupted(slot, one, at_ms)
        for one in talking
        if is_above(agent.capacity, one.channel, slot.channel)
    )
    return busy(slot, at_ms), *below, *above


def busy(slot: Slot, at_ms: int) -> AgentBecameBusy:
    """Return that a slot is in a conversation."""
    return AgentBecameBusy(
        at_ms=at_ms, agent_id=slot.agent_id, offer_id=slot.offer_id, contact_id=slot.contact_id
    )


def _interrupted(slot: Slot, by: Slot, at_ms: int) -> ContactInterrupted:
    return ContactInterrupted(
        at_ms=at_ms,
        agent_id=slot.agent_id,
        offer_id=slot.offer_id,
        contact_id=slot.contact_id,
        channel=slot.channel,
        by_offer_id=by.offer_id,
        by_contact_id=by.contact_id,
        by_channel=by.channel,
    )
