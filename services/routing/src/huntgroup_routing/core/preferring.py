"""Contacts that are for certain agents: preferred ones, who served the customer last, or one agent alone.

Such a contact has its place in the queue, but stands in a line of each of those agents, not where anybody able looks.
It goes over to that line, with its age, when they are not to be had: the time is over, or none is ready. Once it rang
at one of them in vain, anybody may have it.
"""

from collections.abc import Collection, Iterable, Iterator
from itertools import islice
from typing import Final

from msgspec.structs import replace

from huntgroup_routing.core.agents import Agent
from huntgroup_routing.core.lines import Line
from huntgroup_routing.core.messages import (
    ContactEnqueued,
    ContactMoved,
    ContactRequeued,
    ObserveContactQueued,
    OfferCreated,
    PreferenceLapsed,
)
from huntgroup_routing.core.offering import Given, offer_created, offer_waiting
from huntgroup_routing.core.requirements import Ask
from huntgroup_routing.core.state import TURN, Awaited, Contact, Offer, Queue, Ring, State
from huntgroup_routing.core.values import (
    LAST_AGENTS_MAX,
    AgentId,
    Channel,
    DecisionRule,
    Explanation,
    LapseReason,
    Place,
)

NOT_AWAITING: Final = Awaited(agents=(), until_ms=0, direct=False)


def awaited_by(
    state: State, queue: Queue, command: ObserveContactQueued, ask: Ask, at_ms: int
) -> Awaited | None:
    """Return whom a contact that comes is to wait for; None: it may go to anybody who is able, from the beginning."""
    rules = queue.rules
    if command.direct_agent_id:
        hold_ms = rules.direct_hold_ms
        until_ms = command.enqueued_at_ms + hold_ms if hold_ms else 0
        agent = state.agents.get(command.direct_agent_id)
        if until_ms <= at_ms if until_ms else agent is None or command.channel not in agent.slots:
            return None
        return Awaited(agents=(command.direct_agent_id,), until_ms=until_ms, direct=True)
    preferred = command.preferred_agents
    if not preferred and rules.prefers_last_agent and command.customer_key in state.last_agents:
        preferred = (state.last_agents[command.customer_key],)
    if not preferred:
        return None
    agents = _ready_and_able(state, command.channel, ask, preferred)
    until_ms = command.enqueued_at_ms + rules.preferred_hold_ms
    if not agents or (until_ms <= at_ms and _first_idle(state, agents, command.channel) is None):
        return None
    return Awaited(agents=agents, until_ms=max(until_ms, at_ms + 1), direct=False)


def _ready_and_able(
    state: State, channel: Channel, ask: Ask, agent_ids: tuple[AgentId, ...]
) -> tuple[AgentId, ...]:
    requirement = state.pool.find(channel, ask) or state.pool.preview(channel, ask)
    agents = (state.agents.get(agent_id) for agent_id in dict.fromkeys(agent_ids))
    return tuple(
        agent.agent_id
        for agent in agents
        if agent is not None
        and agent.eligible
        and agent.profile is not None
        and channel in agent.slots
        and requirement.met_by(agent.profile, agent.agent_id)
    )


def _first_idle(state: State, agent_ids: tuple[AgentId, ...], channel: Channel) -> Agent | None:
    agents = (state.agents.get(agent_id) for agent_id in agent_ids)
    return next((one for one in agents if one is not None and channel in one.idle), None)


def offer_on_arrival(state: State, enqueued: ContactEnqueued) -> tuple[OfferCreated, ...]:
    """Return the offer to the first of the awaited agents who is idle, if one is."""
    queue, channel = state.queues[enqueued.queue_id], enqueued.channel
    agent = _first_idle(state, enqueued.awaited_agents, channel)
    if agent is None:
        return ()
    offer = offer_created(
        queue,
        contact_id=enqueued.contact_id,
        channel=channel,
        attempt=enqueued.attempts + 1,
        enqueued_at_ms=enqueued.enqueued_at_ms,
        agent_id=agent.agent_id,
        at_ms=enqueued.at_ms,
        idle_since_ms=agent.idle[channel][1],
        idle_agents=1,
        explanation=_explanation(
            queue, enqueued.enqueued_at_ms, enqueued.priority, direct=enqueued.direct
        ),
        ring=_alone(),
    )
    return (offer,)


def awaited_there(
    state: State, queue: Queue, comer: ObserveContactQueued, ask: Ask, at_ms: int
) -> Awaited | None:
    """Return whom a contact that goes to another queue is to wait for there; for one agent alone it is no more."""
    if not (comer.preferred_agents or comer.customer_key):
        return None
    return awaited_by(state, queue, comer, ask, at_ms)


def offer_preferred(
    state: State, given: Given, contact: Contact, queue: Queue, moved: ContactMoved
) -> list[OfferCreated]:
    """Return the offer of a contact that goes to another queue to the first of the awaited who is idle, if one is."""
    channel = contact.requirement.channel
    for agent in filter(None, map(state.agents.get, moved.awaited_agents)):
        left = given.left.get((agent.agent_id, channel))
        if channel not in agent.idle or left == 0:
            continue
        offer = offer_waiting(
            queue,
            contact,
            agent_id=agent.agent_id,
            at_ms=moved.at_ms,
            idle_since_ms=moved.at_ms if left else agent.idle[channel][1],
            idle_agents=1,
            explanation=_explanation(queue, moved.enqueued_at_ms, moved.priority, direct=False),
            ring=_alone(),
        )
        given.give(queue.queue_id, agent, channel)
        return [offer]
    return []


def awaiting(state: State, agent: Agent, channel: Channel, count: int) -> list[Contact]:
    """Return the first contacts of a channel that wait for an agent."""
    line = state.awaiting.get(agent.agent_id)
    if line is None:
        return []
    contacts = (state.contacts[contact_id] for _, _, contact_id in line.in_order())
    return list(islice((one for one in contacts if one.requirement.channel is channel), count))


def offer_to_awaited(
    state: State, contact: Contact, agent: Agent, at_ms: int, idle_since_ms: int
) -> OfferCreated:
    """Return the offer of a contact to an agent it waits for, who became idle."""
    assert contact.awaited is not None
    return offer_waiting(
        state.queues[contact.queue_id],
        contact,
        agent_id=agent.agent_id,
        at_ms=at_ms,
        idle_since_ms=idle_since_ms,
        idle_agents=1,
        explanation=_explanation(
            state.queues[contact.queue_id],
            contact.enqueued_at_ms,
            contact.priority,
            direct=contact.awaited.direct,
        ),
        ring=_alone(),
    )


def awaits_still(state: State, contact: Contact, offers: Iterable[Offer], at_ms: int) -> Awaited:
    """Return whom a contact goes on waiting for whose offers failed: nobody once it rang at one of them, or by hand
    before its turn.
    """
    awaited = contact.awaited
    mine = (one.agent_id for one in offers if one.contact_id == contact.contact_id)
    if awaited is None or awaited.turn or any(agent_id in awaited.agents for agent_id in mine):
        return NOT_AWAITING
    return _at_most_until(state, awaited, at_ms, contact.requirement.channel)


def offer_again(state: State, given: Given, contact: Contact, at_ms: int) -> list[OfferCreated]:
    """Return the offer to the first of the agents a contact waits for who is idle, and was given nothing so far."""
    awaited, channel = contact.awaited, contact.requirement.channel
    assert awaited is not None
    for agent in filter(None, map(state.agents.get, awaited.agents)):
        left = given.left.get((agent.agent_id, channel))
        if channel in agent.idle and agent.agent_id not in given.without and left != 0:
            since_ms = agent.idle[channel][1] if left is None else at_ms
            given.give(contact.queue_id, agent, channel)
            return [offer_to_awaited(state, contact, agent, at_ms, since_ms)]
    return []


def lapsed(state: State, contacts: list[Contact], at_ms: int) -> Iterator[PreferenceLapsed]:
    """Yield that contacts wait for anybody who is able from now on, and why."""
    for contact in contacts:
        assert contact.awaited is not None
        gone = not _any_here(state, contact.awaited, contact.requirement.channel)
        yield PreferenceLapsed(
            at_ms=at_ms,
            contact_id=contact.contact_id,
            queue_id=contact.queue_id,
            reason=LapseReason.AGENTS_GONE if gone else LapseReason.WAITED_LONG_ENOUGH,
        )


def lapsed_without(
    state: State, agent_id: AgentId, slots: Collection[Channel], at_ms: int
) -> list[PreferenceLapsed]:
    """Return that contacts wait no more for an agent who signs on without their channel, and whom they would await
    without end.
    """
    line = state.awaiting.get(agent_id)
    contacts = [state.contacts[each] for _, _, each in ([] if line is None else line.in_order())]
    return [
        PreferenceLapsed(
            at_ms=at_ms,
            contact_id=contact.contact_id,
            queue_id=contact.queue_id,
            reason=LapseReason.AGENTS_GONE,
        )
        for contact in contacts
        if contact.awaited is not None
        and contact.awaited.until_ms == 0
        and contact.requirement.channel not in slots
    ]


def _at_most_until(
    state: State, awaited: Awaited, at_ms: int, channel: Channel | None = None
) -> Awaited:
    """Return the same, until now when it is not worth while to wait any longer."""
    if 0 < awaited.until_ms <= at_ms or _any_ready(state, awaited, channel):
        return awaited
    return replace(awaited, until_ms=max(1, at_ms))


def _any_ready(state: State, awaited: Awaited, channel: Channel | None) -> bool:
    """Return whether it is worth while to wait: without end, for one agent alone, while they are signed on."""
    return (awaited.direct and awaited.until_ms > 0) or _any_here(state, awaited, channel)


def _any_here(state: State, awaited: Awaited, channel: Channel | None) -> bool:
    """Return whether one of the agents is ready, or the one agent it is for is signed on: for a channel, or for any."""
    agents = filter(None, map(state.agents.get, awaited.agents))
    if not awaited.direct:
        return any(one.eligible for one in agents)
    return any(one.joined if channel is None else channel in one.slots for one in agents)


def _explanation(queue: Queue, since_ms: int, priority: int, *, direct: bool) -> Explanation:
    return Explanation(
        rule=DecisionRule.DIRECT if direct else DecisionRule.PREFERRED,
        strategy=None,
        policy_version=queue.version,
        value=since_ms,
        runner_up_id="",
        runner_up_value=0,
        priority=priority,
        runner_up_priority=0,
        set_aside=0,
    )


def _alone() -> Ring:
    return Ring(offers={}, asked=set(), target=0)


# What the events make of it.


def take_place(state: State, contact: Contact, event: ContactEnqueued) -> None:
    """Let a contact that comes stand where those look whom it is for."""
    if event.awaits_turn:
        await_agents(state, contact, TURN)
    elif event.awaited_agents:
        awaited = Awaited(
            agents=event.awaited_agents, until_ms=event.awaited_until_ms, direct=event.direct
        )
        await_agents(state, contact, awaited)
    else:
        contact.requirement.waiting.add(contact.place)


def stand_again(state: State, contact: Contact, event: ContactRequeued) -> None:
    """Let a contact that comes back stand where it stood, or among all: for good when it rang at its agents in vain."""
    if event.awaited_agents:
        awaited = Awaited(
            agents=event.awaited_agents, until_ms=event.awaited_until_ms, direct=event.direct
        )
        await_agents(state, contact, awaited)
        return
    if contact.awaited is not None:
        contact.preferred, contact.awaited = None, None
    contact.requirement.waiting.add(contact.place)


def let_anybody_have(state: State, contact: Contact) -> None:
    """Let a contact wait for certain agents no more."""
    await_no_more(state, contact)
    contact.awaited = None
    contact.requirement.waiting.add(contact.place)


def await_agents(state: State, contact: Contact, awaited: Awaited) -> None:
    """Let a contact stand in the lines of the agents it waits for."""
    contact.awaited = awaited
    if awaited.turn:
        state.queues[contact.queue_id].awaiting_turn.add(contact.place)
        state.awaiting_turn += 1
    for agent_id in awaited.agents:
        line = state.awaiting.get(agent_id)
        if line is None:
            line = state.awaiting[agent_id] = Line[Place]()
        line.add(contact.place)
    if awaited.until_ms:
        state.lapses_due.add((awaited.until_ms, contact.contact_id))


def await_no_more(state: State, contact: Contact) -> None:
    """Take a contact out of the lines of the agents it waits for."""
    awaited = contact.awaited
    assert awaited is not None
    if awaited.turn:
        state.queues[contact.queue_id].awaiting_turn.remove(contact.place)
        state.awaiting_turn -= 1
    for agent_id in awaited.agents:
        line = state.awaiting[agent_id]
        line.remove(contact.place)
        if not line:
            del state.awaiting[agent_id]
    if awaited.until_ms:
        state.lapses_due.remove((awaited.until_ms, contact.contact_id))


def lose(state: State, agent_id: AgentId, at_ms: int) -> None:
    """Let the wait of contacts end now for which no agent is ready any more."""
    line = state.awaiting.get(agent_id)
    for _, _, contact_id in [] if line is None else list(line.in_order()):
        contact = state.contacts[contact_id]
        awaited = contact.awaited
        assert awaited is not None
        shorter = _at_most_until(state, awaited, at_ms)
        if shorter is not awaited:
            if awaited.until_ms:
                state.lapses_due.remove((awaited.until_ms, contact_id))
            state.lapses_due.add((shorter.until_ms, contact_id))
            contact.awaited = shorter


def remember_last_agent(state: State, customer_key: str, agent_id: AgentId) -> None:
    """Note who serves a customer; of too many customers the longest ago is forgotten."""
    if not customer_key:
        return
    state.last_agents[customer_key] = agent_id
    state.last_agents.move_to_end(customer_key)
    if len(state.last_agents) > LAST_AGENTS_MAX:
        state.last_agents.popitem(last=False)
