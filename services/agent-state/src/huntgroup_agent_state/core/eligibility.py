"""Who may be offered what, and which presence an agent has, wants and gets."""

from dataclasses import replace

from huntgroup_agent_state.core.messages import (
    AgentSignedOn,
    AgentWentNotReady,
    AgentWentReady,
    Reason,
    Refused,
    SignOn,
)
from huntgroup_agent_state.core.state import Agent, State
from huntgroup_agent_state.core.values import (
    AGENTS_MAX,
    SLOTS_MAX,
    UNITS_MAX,
    AgentTraits,
    Channel,
    ChannelCapacity,
    Presence,
    TurnAwayReason,
)

PresenceEvents = tuple[AgentWentReady | AgentWentNotReady, ...]


def turn_away(agent: Agent | None, channel: Channel) -> TurnAwayReason | None:
    """Return why an offer cannot be given to the agent, or None when it can."""
    if agent is None or not agent.signed_on:
        return TurnAwayReason.NOT_SIGNED_ON
    if agent.presence is Presence.NOT_READY or agent.not_responding:
        return TurnAwayReason.NOT_READY
    if not agent.fits(channel):
        return TurnAwayReason.NO_CAPACITY
    return None


def sign_on_refusal(
    state: State, command: SignOn, capacity: tuple[ChannelCapacity, ...]
) -> Refused | None:
    """Return why an agent cannot sign on; who left and holds a slot has a place already."""
    agent_id = command.agent_id
    agent = state.agents.get(agent_id)
    if agent is not None and agent.signed_on:
        return Refused(
            reason=Reason.ALREADY_SIGNED_ON, detail=f"agent_id {agent_id!r} is signed on already"
        )
    if agent is None and len(state.agents) >= AGENTS_MAX:
        return Refused(
            reason=Reason.AGENTS_FULL,
            detail=f"agent_id {agent_id!r} would be new, and a domain has at most {AGENTS_MAX} agents",
        )
    return (
        _capacity_refusal(capacity)
        or _concurrency_refusal(capacity, command.capacity_units)
        or _traits_refusal(command.traits)
    )


def signed_on(command: SignOn, capacity: tuple[ChannelCapacity, ...], at_ms: int) -> AgentSignedOn:
    """Return the event of an agent who may sign on."""
    levels = () if command.traits is None else command.traits.skill_levels
    return AgentSignedOn(
        at_ms=at_ms,
        agent_id=command.agent_id,
        skills=tuple(sorted({*command.skills, *(each.skill for each in levels)})),
        capacity=tuple(_one_form(each, command.capacity_units) for each in capacity),
        traits=_normal(command.traits),
        capacity_units=command.capacity_units,
    )


def _one_form(each: ChannelCapacity, units: int) -> ChannelCapacity:
    """Return a channel's capacity with its cost said, and the channels it interrupts in order."""
    cost = max(1, each.cost) if units else 0
    return replace(each, cost=cost, interrupts=tuple(sorted(set(each.interrupts))))


def _capacity_refusal(capacity: tuple[ChannelCapacity, ...]) -> Refused | None:
    """Return what is wrong with the capacity an agent signs on with."""
    channels = [each.channel for each in capacity]
    for place, each in enumerate(capacity):
        if each.channel in channels[:place]:
            return Refused(
                reason=Reason.CAPACITY_INVALID,
                detail=f"capacity names channel {each.channel} more than once",
            )
        if not 1 <= each.slots <= SLOTS_MAX:
            return Refused(
                reason=Reason.CAPACITY_INVALID,
                detail=f"capacity of channel {each.channel} is {each.slots}, not 1 to {SLOTS_MAX}",
            )
    return None


def _concurrency_refusal(capacity: tuple[ChannelCapacity, ...], units: int) -> Refused | None:
    """Return what is wrong with what channels cost, and with which of them interrupt which."""
    if not 0 <= units <= UNITS_MAX:
        return Refused(
            reason=Reason.CAPACITY_INVALID,
            detail=f"capacity_units is {units}, not 0 to {UNITS_MAX}",
        )
    channels = {each.channel for each in capacity}
    for each in capacity:
        if not 0 <= each.cost <= units:
            rule = f"not 0 to {units}, what capacity_units is"
            if not units:
                rule = "but without capacity_units nothing costs anything"
            return Refused(
                reason=Reason.CAPACITY_INVALID,
                detail=f"cost of channel {each.channel} is {each.cost}, {rule}",
            )
        wrong = next((one for one in each.interrupts if one not in channels - {each.channel}), None)
        if wrong is not None:
            rule = "itself" if wrong is each.channel else "which capacity does not name"
            return Refused(
                reason=Reason.CAPACITY_INVALID,
                detail=f"interrupts of channel {each.channel} names {wrong}, {rule}",
            )
    return None


def _traits_refusal(traits: AgentTraits | None) -> Refused | None:
    """Return what is wrong with the traits an agent signs on with."""
    if traits is None:
        return None
    for field, names in (
        ("skill_levels", [each.skill for each in traits.skill_levels]),
        ("attributes", [each.name for each in traits.attributes]),
    ):
        twice = next((name for place, name in enumerate(names) if name in names[:place]), None)
        if twice is not None:
            return Refused(
                reason=Reason.TRAITS_INVALID,
                detail=f"traits.{field} names {twice!r} more than once",
            )
    return None


def _normal(traits: AgentTraits | None) -> AgentTraits | None:
    """Return traits in the one order they are written in, levels of 1 left out; None when nothing is left."""
    if traits is None:
        return None
    normal = AgentTraits(
        skill_levels=tuple(
            sorted((one for one in traits.skill_levels if one.level > 1), key=lambda one: one.skill)
        ),
        languages=tuple(sorted(set(traits.languages))),
        attributes=tuple(sorted(traits.attributes, key=lambda one: one.name)),
        groups=tuple(sorted(set(traits.groups))),
    )
    return None if normal == AgentTraits() else normal


def wanted(agent: Agent) -> tuple[Presence, str] | None:
    """Return presence and reason that the agent asked for last; None when a missed offer undid it."""
    if agent.pending is not None:
        return agent.pending, agent.pending_reason
    return None if agent.not_responding else (agent.presence, agent.not_ready_reason)


def went(
    agent: Agent, presence: Presence, reason: str, at_ms: int
) -> AgentWentReady | AgentWentNotReady:
    """Return the event by which a presence takes effect."""
    if presence is Presence.READY:
        return AgentWentReady(at_ms=at_ms, agent_id=agent.agent_id)
    return AgentWentNotReady(at_ms=at_ms, agent_id=agent.agent_id, reason=reason)


def presence_on_release(agent: Agent | None, at_ms: int) -> PresenceEvents:
    """Return what takes effect just before a slot comes free, so that routing offers nothing in between."""
    if agent is None or not agent.signed_on:
        return ()
    if agent.pending is not None:
        return (went(agent, agent.pending, agent.pending_reason, at_ms),)
    if agent.turned_away_full and agent.presence is Presence.READY and not agent.not_responding:
        return (AgentWentReady(at_ms=at_ms, agent_id=agent.agent_id),)
    return ()
