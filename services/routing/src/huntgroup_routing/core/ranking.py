"""Who is next: an idle agent for a contact by its queue's strategy, the first contact for an agent.

Contacts stand by priority, then age, then id. Agents stand as `core/selection.py` says. An offer ends an agent's
idleness even where another slot is free, so between equals several slots are filled agent by agent in turn.
"""

from collections.abc import Collection, Iterable, Iterator, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import replace
from itertools import zip_longest

from huntgroup_routing.core.agents import Agent
from huntgroup_routing.core.batching import Batch, batch_of
from huntgroup_routing.core.messages import (
    ContactMoved,
    ContactRequeued,
    Event,
    OfferCreated,
    RingWidened,
)
from huntgroup_routing.core.offering import (
    Fitting,
    Given,
    Ranked,
    by_line,
    by_strategy,
    offer_waiting,
)
from huntgroup_routing.core.precedence import before_others, served_in_turn
from huntgroup_routing.core.preferring import (
    awaiting,
    offer_again,
    offer_preferred,
    offer_to_awaited,
)
from huntgroup_routing.core.requirements import Ask, Requirement
from huntgroup_routing.core.ringing import (
    NOBODY,
    Rung,
    idle_as_before,
    let_go_lately,
    offer_along,
    ring_first,
    ring_on,
    ringing_for,
    rung,
    widen,
)
from huntgroup_routing.core.scoring import Made, offer_by_score
from huntgroup_routing.core.selection import BY_CHANCE, Measure, Roster, draw
from huntgroup_routing.core.sharing import Turn
from huntgroup_routing.core.state import Contact, Queue, State
from huntgroup_routing.core.turns import first_turns
from huntgroup_routing.core.values import (
    RINGS_PER_DECISION_MAX,
    AgentId,
    Channel,
    ContactId,
    DecisionRule,
    Explanation,
    OfferId,
    Strategy,
)


class Matching:
    """Offers contacts to idle agents, one after another within one decision; each offer sees those before it."""

    __slots__ = ("_at_ms", "_batch", "_given", "_previews", "_state")

    def __init__(
        self, state: State, at_ms: int, without: Iterable[AgentId] = (), said: int = 0
    ) -> None:
        """`without` are not asked; so many events are `said` in the same decision already."""
        self._state = state
        self._at_ms = at_ms
        self._previews: dict[tuple[Channel, Ask], Requirement] = {}
        self._given = Given(without, RINGS_PER_DECISION_MAX - said)
        self._batch: Batch | None = None

    def offer(
        self, contact: Contact, ask: Ask | None = None, queue: Queue | None = None
    ) -> Sequence[Made]:
        """Return the offers to whom its queue's strategy names; none when nobody is idle for the contact.

        `ask` and `queue` are what is asked of agents from this decision on and where it stands, when that is other.
        """
        requirement, queue = contact.requirement, queue or self._state.queues[contact.queue_id]
        if ask is not None:
            requirement = self._requirement(requirement.channel, ask)
        let_go_by = let_go_lately(contact, queue, self._at_ms)
        if queue.ring_target or queue.strategy is Strategy.SCORED:
            return self.ring_or_score(rung(queue, contact, self._at_ms), requirement, let_go_by)
        channel, idle = requirement.channel, requirement.idle
        kept = NOBODY if self._batch is None else self._batch.needed(channel)
        ranked, rule = self._first_of(queue, requirement, let_go_by, kept)
        if not ranked:
            return []
        agent_id = ranked[0][0]
        agent, again = idle[agent_id], (agent_id, channel) in self._given.left
        created = offer_waiting(
            queue,
            contact,
            agent_id=agent_id,
            at_ms=self._at_ms,
            idle_since_ms=self._at_ms if again else agent.idle[channel][1],
            idle_agents=len(idle) - self._given.gone(channel, idle),
            explanation=self._why(queue, ranked, rule, idle, (let_go_by, kept)),
        )
        self._given.give(queue.queue_id, agent, channel)
        if self._batch is not None:
            self._batch.gave(agent_id, channel)
        return [created]

    def _first_of(
        self,
        queue: Queue,
        requirement: Requirement,
        let_go_by: AbstractSet[AgentId],
        kept: AbstractSet[AgentId],
    ) -> tuple[list[Ranked], DecisionRule]:
        """Return who is next of the idle whom nobody else needs; who let the contact go comes after others."""
        but = let_go_by | kept if kept else let_go_by
        if (ranked := self.rank(queue, requirement, but)) or not let_go_by:
            return ranked, DecisionRule.STRATEGY
        return self.rank(queue, requirement, kept), DecisionRule.NOBODY_ELSE

    def offer_together(self, turns: Sequence[tuple[Contact, Ask | None]]) -> list[Made]:
        """Return the offers of contacts in this order, so that as many as possible are served.

        Where one of them may ring at several, or is given out by a scorer, each is offered for itself.
        """
        asked: list[tuple[ContactId, Requirement]] = []
        for contact, ask in turns if len(turns) > 1 else ():
            queue, requirement = self._state.queues[contact.queue_id], contact.requirement
            if queue.ring_target or queue.strategy is Strategy.SCORED:
                asked.clear()
                break
            if ask is not None:
                requirement = self._requirement(requirement.channel, ask)
            asked.append((contact.contact_id, requirement))
        self._batch = batch_of(self._given, asked)
        offers: list[Made] = []
        for contact, ask in turns:
            if self._batch is not None:
                self._batch.turn(contact.contact_id)
            offers += self.offer(contact, ask)
        self._batch = None
        return offers

    def _why(
        self,
        queue: Queue,
        ranked: list[Ranked],
        rule: DecisionRule,
        idle: Collection[AgentId],
        but: tuple[Collection[AgentId], Collection[AgentId]],
    ) -> Explanation | None:
        if not self._state.explains:
            return None
        chosen, (let_go_by, kept) = ranked[0][0], but
        set_aside = sum(one in idle for one in let_go_by if one != chosen)
        needed = sum(one in idle for one in kept)
        return by_strategy(queue, ranked, rule, set_aside, needed)

    def ring_or_score(
        self, rung: Rung, requirement: Requirement, let_go_by: Collection[AgentId] = NOBODY
    ) -> Sequence[Made]:
        """Return the offers of a contact that waits to all at whom it may ring, or to whom a scorer chooses."""
        if rung.queue.ring_target:
            return ring_first(self._given, rung, requirement, let_go_by)
        return offer_by_score(self._state, self._given, rung, requirement, let_go_by)

    def offer_moved(self, contact: Contact, moved: ContactMoved) -> Sequence[Made]:
        """Return the offers of a contact that goes to another queue: to whom it is for, or to whom that queue names."""
        queue = self._state.queues[moved.queue_id]
        if contact.awaited is not None and contact.awaited.turn:
            return []
        if moved.awaited_agents:
            return offer_preferred(self._state, self._given, contact, queue, moved)
        crew, own = queue.plan.crew(moved.delays_over), contact.own.requirement
        ask = (moved.required_skills, moved.requirement, crew, own)
        return self.offer(contact, ask, queue)

    def ring_on(self, contact: Contact, over: Collection[OfferId]) -> list[OfferCreated]:
        """Return offers to further agents of a contact that rings, some of whose open offers are over now."""
        queue, ring = self._state.queues[contact.queue_id], contact.ring
        assert ring is not None
        left = {key: agent_id for key, agent_id in ring.offers.items() if key not in over}
        return ring_on(self._given, contact, queue, replace(ring, offers=left), self._at_ms)

    def offer_to_own(self, contact: Contact) -> list[OfferCreated]:
        """Return the offer of a contact that goes on waiting for certain agents to the first of them who is idle."""
        return offer_again(self._state, self._given, contact, self._at_ms)

    def widen(self, contact: Contact) -> Iterator[RingWidened | OfferCreated]:
        """Yield that a contact that rings may ring at more agents, and its offers to them."""
        return widen(self._given, contact, self._state.queues[contact.queue_id], self._at_ms)

    def _requirement(self, channel: Channel, ask: Ask) -> Requirement:
        found = self._state.pool.find(channel, ask) or self._previews.get((channel, ask))
        if found is None:
            found = self._previews[channel, ask] = self._state.pool.preview(channel, ask)
        return found

    def rank(
        self, queue: Queue, requirement: Requirement, but: Collection[AgentId]
    ) -> list[Ranked]:
        """Return who is next of the idle, `but` for some, and who after them; by chance only the former."""
        if queue.strategy in BY_CHANCE:
            return self._drawn(queue, requirement, but)
        roster = None if queue.measure is None else requirement.roster(queue.measure)
        by_name = queue.measure is Measure.NAME
        ranked: list[Ranked] = []
        for agent_id in self._in_order(queue, requirement, roster):
            if agent_id in self._given.without or agent_id in but:
                continue
            left = self._given.left.get((agent_id, requirement.channel))
            if left is None or (by_name and left):
                agent = requirement.idle[agent_id]
                if roster is None:
                    ranked.append((agent_id, agent.idle[requirement.channel][1]))
                else:
                    ranked.append((agent_id, roster.value_of(agent)))
                if len(ranked) == 2:  # noqa: PLR2004 - the first and the next
                    break
        if not by_name:
            ranked += self._again(requirement, roster, but)
            ranked.sort(key=_value)
        return ranked[:2]

    def _in_order(
        self, queue: Queue, requirement: Requirement, roster: Roster | None
    ) -> Iterator[AgentId]:
        if roster is None:
            return requirement.in_order()
        if queue.strategy is not Strategy.ROUND_ROBIN:
            return roster.in_order()
        _, last_agent_id = self._given.last.get(queue.queue_id, (0, queue.last_agent_id))
        return roster.after(last_agent_id)

    def _drawn(
        self, queue: Queue, requirement: Requirement, but: Collection[AgentId]
    ) -> list[Ranked]:
        measure, channel = queue.measure, requirement.channel
        assert measure is not None
        roster = requirement.roster(measure)
        made, _ = self._given.last.get(queue.queue_id, (0, None))
        number = draw(self._state.domain, queue.queue_id, queue.offers + made)
        full = (
            agent_id
            for (agent_id, of_channel), left in self._given.left.items()
            if of_channel is channel and left == 0
        )
        drawn = roster.drawn(number, {*self._given.without, *but, *full})
        return [] if drawn is None else [(drawn, roster.value_of(requirement.idle[drawn]))]

    def _again(
        self, requirement: Requirement, roster: Roster | None, but: Collection[AgentId]
    ) -> Iterator[Ranked]:
        """Yield who was given an offer in this decision and has a slot left: after their equals, in turn."""
        for agent_id, agent in self._given.turn.get(requirement.channel, {}).items():
            if agent_id in requirement.idle and agent_id not in but:
                value = self._at_ms if roster is None else roster.value_of(agent, self._at_ms)
                yield agent_id, value


def offers_in_turn(state: State, asks: Sequence[tuple[Contact, Ask]], at_ms: int) -> list[Made]:
    """Return the offers of contacts of which something else is asked now, in the order of their places."""
    matching = Matching(state, at_ms, said=len(asks))
    return matching.offer_together(sorted(asks, key=lambda each: each[0].place))


def offers_to(
    state: State,
    agent: Agent,
    at_ms: int,
    *,
    freed: OfferId | None = None,
    told: Sequence[Event] = (),
) -> list[OfferCreated]:
    """Return the offers to an agent who becomes idle, first contacts first, until slots or contacts run out.

    `freed` is the offer whose slot becomes free now; `told` is what followed from its end when it still rang. That put
    the agent in doubt, and nobody in doubt is idle, so they are idle anew on every channel.
    """
    returned = _waits_again(state, told)
    of_channels: list[Iterable[tuple[Turn, Turn | None]]] = []
    along: list[Contact] = []
    own: list[Contact] = []
    for channel in agent.slots:
        free = agent.free(channel, after=freed)
        if free > 0:
            first = first_turns(state, agent, channel, free + 1, returned)
            if agent.agent_id in state.awaiting:
                mine = before_others(state, awaiting(state, agent, channel, free), first, free)
                own += mine
                free -= len(mine)
            if first:
                of_channels.append(_with_next(first, free))
            if len(first) < free:
                along += ringing_for(state, agent, channel, free - len(first), at_ms)
    if not (of_channels or own or along):
        return []
    since = {} if told else _idle_since(state, agent, freed)
    offers = []
    # Where each channel is for itself, what fits was counted above.
    fits = None if agent.concurrency is None else Fitting(agent, freed)
    for contact, turn, following in served_in_turn(state, agent, own, of_channels):
        if fits is not None and not fits.take(contact):
            continue
        if turn is None:
            since_ms = since.pop(contact.requirement.channel, at_ms)
            offers.append(offer_to_awaited(state, contact, agent, at_ms, since_ms))
            continue
        offers.append(
            offer_waiting(
                state.queues[contact.queue_id],
                contact,
                agent_id=agent.agent_id,
                at_ms=at_ms,
                idle_since_ms=since.pop(contact.requirement.channel, at_ms),
                idle_agents=_idle_agents(contact, agent, told),
                explanation=by_line(state, contact, turn, following) if state.explains else None,
            )
        )
    for contact in along if fits is None else filter(fits.take, along):
        since_ms = since.pop(contact.requirement.channel, at_ms)
        idle = (since_ms, _idle_agents(contact, agent, told))
        offers.append(offer_along(state, contact, agent, at_ms, idle))
    return offers


def _with_next(first: list[Turn], free: int) -> Iterable[tuple[Turn, Turn | None]]:
    """Return each of those first in turn who fit, with whose turn it is after that."""
    if free == 1:
        return ((first[0], first[1] if len(first) > 1 else None),)
    return zip_longest(first[:free], first[1 : free + 1])


def _waits_again(state: State, told: Sequence[Event]) -> Contact | None:
    """Return the contact that went back to its place and got no other offer in the same decision."""
    match told:
        case (_, ContactRequeued(contact_id=contact_id, awaited_agents=())):
            return state.contacts[contact_id]
        case _:
            return None


def _idle_agents(contact: Contact, agent: Agent, told: Sequence[Event]) -> int:
    """Return how many are idle for a contact with this agent, but for who was given another one just before."""
    channel, idle = contact.requirement.channel, contact.requirement.idle
    there = len(idle) + (agent.agent_id not in idle)
    if not told:
        return there
    return there - sum(
        isinstance(one, OfferCreated)
        and one.agent_id in idle
        and not idle[one.agent_id].free(channel, given={one.channel: 1})
        for one in told
    )


def _idle_since(state: State, agent: Agent, freed: OfferId | None) -> dict[Channel, int]:
    """Return since when an agent is idle, by channel, once the slot of an offer is free."""
    if not (agent.idle or agent.parked):
        return {}
    since = {channel: since_ms for channel, (_, since_ms) in agent.idle.items()}
    if freed is not None and freed in agent.held:
        as_before = idle_as_before(state, agent, freed)
        since.pop(agent.held[freed], None)
        if as_before is not None:
            since[agent.held[freed]] = as_before[1]
    return since


def _value(ranked: Ranked) -> int:
    return ranked[1]
