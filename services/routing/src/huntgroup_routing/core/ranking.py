"""Who is next: an idle agent for a contact by its queue's strategy, the first contact for an agent.

Contacts stand by priority, then age, then id. Agents stand as `core/selection.py` says. An offer ends an agent's
idleness even where another slot is free, so between equals several slots are filled agent by agent in turn.
"""

import heapq
from collections.abc import Collection, Iterable, Iterator, Mapping
from itertools import islice, zip_longest

from huntgroup_routing.core.agents import Agent
from huntgroup_routing.core.eligibility import Ask, Requirement
from huntgroup_routing.core.messages import ContactEnqueued, OfferCreated
from huntgroup_routing.core.selection import BY_CHANCE, Measure, Roster, draw
from huntgroup_routing.core.state import Contact, Queue, State
from huntgroup_routing.core.values import (
    AgentId,
    Channel,
    ContactId,
    DecisionRule,
    Explanation,
    OfferId,
    Place,
    QueueId,
    Strategy,
    offer_id_of,
)

Ranked = tuple[AgentId, int]
"""An agent, and the value by which the strategy ranks them."""

NOBODY: frozenset[AgentId] = frozenset()


def offer_on_arrival(
    state: State, enqueued: ContactEnqueued, ask: Ask | None = None
) -> OfferCreated | None:
    """Return the offer of a contact that arrives to the agent who is next, or None when nobody is idle for it.

    `ask` is what is asked of agents when the contact comes to a step at once.
    """
    queue, channel = state.queues[enqueued.queue_id], enqueued.channel
    if ask is not None or channel is not queue.channel or enqueued.own_skills:
        ask = ask or (enqueued.required_skills, enqueued.requirement)
        requirement = state.pool.find(channel, ask) or state.pool.preview(channel, ask)
    else:
        requirement = queue.requirement
    if not requirement.idle:
        return None
    if queue.strategy is Strategy.LONGEST_IDLE:
        first = islice(requirement.idle.values(), 2)
        ranked = [(agent.agent_id, agent.idle[channel][1]) for agent in first]
    else:
        ranked = Matching(state, enqueued.at_ms).rank(queue, requirement, NOBODY)
    agent_id = ranked[0][0]
    return _offer_created(
        queue,
        contact_id=enqueued.contact_id,
        channel=channel,
        attempt=1,
        enqueued_at_ms=enqueued.enqueued_at_ms,
        agent_id=agent_id,
        at_ms=enqueued.at_ms,
        idle_since_ms=requirement.idle[agent_id].idle[channel][1],
        idle_agents=len(requirement.idle),
        explanation=_by_strategy(queue, ranked),
    )


class Matching:
    """Offers contacts to idle agents, one after another within one decision; each offer sees those before it."""

    __slots__ = ("_at_ms", "_last", "_left", "_previews", "_state", "_turn", "_without")

    def __init__(self, state: State, at_ms: int, without: Iterable[AgentId] = ()) -> None:
        self._state = state
        self._at_ms = at_ms
        self._without = dict.fromkeys(without)
        self._previews: dict[tuple[Channel, Ask], Requirement] = {}
        self._left: dict[tuple[AgentId, Channel], int] = {}
        """Free slots of the agents who were given an offer in this decision."""
        self._turn: dict[Channel, dict[AgentId, Agent]] = {}
        """Those of them with a slot left, at the end of the idle order again."""
        self._last: dict[QueueId, tuple[int, AgentId]] = {}
        """How many offers a queue made in this decision, and the agent of the last."""

    def offer(self, contact: Contact, ask: Ask | None = None) -> OfferCreated | None:
        """Return the offer to the agent who is next, or None when nobody is idle for the contact.

        `ask` is what is asked of agents from this decision on, when that is something else.
        """
        requirement, queue = contact.requirement, self._state.queues[contact.queue_id]
        if ask is not None:
            requirement = self._requirement(requirement.channel, ask)
        channel, idle = requirement.channel, requirement.idle
        let_go_by = {
            agent_id
            for agent_id, at_ms in contact.let_go_by
            if self._at_ms < at_ms + queue.reoffer_after_ms
        }
        ranked, rule = self.rank(queue, requirement, let_go_by), DecisionRule.STRATEGY
        if not ranked and let_go_by:
            ranked, rule = self.rank(queue, requirement, NOBODY), DecisionRule.NOBODY_ELSE
        if not ranked:
            return None
        agent_id = ranked[0][0]
        agent = idle[agent_id]
        key = (agent_id, channel)
        again = key in self._left
        created = _offer_waiting(
            self._state,
            contact,
            agent_id=agent_id,
            at_ms=self._at_ms,
            idle_since_ms=self._at_ms if again else agent.idle[channel][1],
            idle_agents=len(idle) - self._gone(channel, idle),
            explanation=_by_strategy(
                queue, ranked, rule, sum(one in idle for one in let_go_by if one != agent_id)
            ),
        )
        left = self._left[key] if again else agent.free(channel)
        self._left[key] = left - 1
        turn = self._turn.setdefault(channel, {})
        turn.pop(agent_id, None)
        if left > 1:
            turn[agent_id] = agent
        made, _ = self._last.get(queue.queue_id, (0, agent_id))
        self._last[queue.queue_id] = (made + 1, agent_id)
        return created

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
            if agent_id in self._without or agent_id in but:
                continue
            left = self._left.get((agent_id, requirement.channel))
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
            return iter(requirement.idle)
        if queue.strategy is not Strategy.ROUND_ROBIN:
            return roster.in_order()
        _, last_agent_id = self._last.get(queue.queue_id, (0, queue.last_agent_id))
        return roster.after(last_agent_id)

    def _drawn(
        self, queue: Queue, requirement: Requirement, but: Collection[AgentId]
    ) -> list[Ranked]:
        measure, channel = queue.measure, requirement.channel
        assert measure is not None
        roster = requirement.roster(measure)
        made, _ = self._last.get(queue.queue_id, (0, None))
        number = draw(self._state.domain, queue.queue_id, queue.offers + made)
        full = (
            agent_id
            for (agent_id, of_channel), left in self._left.items()
            if of_channel is channel and left == 0
        )
        drawn = roster.drawn(number, {*self._without, *but, *full})
        return [] if drawn is None else [(drawn, roster.value_of(requirement.idle[drawn]))]

    def _again(
        self, requirement: Requirement, roster: Roster | None, but: Collection[AgentId]
    ) -> Iterator[Ranked]:
        """Yield who was given an offer in this decision and has a slot left: after their equals, in turn."""
        for agent_id, agent in self._turn.get(requirement.channel, {}).items():
            if agent_id in requirement.idle and agent_id not in but:
                value = self._at_ms if roster is None else roster.value_of(agent, self._at_ms)
                yield agent_id, value

    def _gone(self, channel: Channel, idle: Mapping[AgentId, Agent]) -> int:
        """Return how many of those who were idle are so no longer, or are not to be asked."""
        gone = sum(agent_id in idle for agent_id in self._without)
        for (agent_id, of_channel), left in self._left.items():
            gone += of_channel is channel and left == 0 and agent_id in idle
        return gone


def offers_in_turn(
    state: State, asks: Iterable[tuple[Contact, Ask]], at_ms: int
) -> list[OfferCreated]:
    """Return the offers of contacts of which something else is asked now, in the order of their places."""
    matching = Matching(state, at_ms)
    turns = sorted(asks, key=lambda each: each[0].place)
    offers = (matching.offer(contact, ask) for contact, ask in turns)
    return [offer for offer in offers if offer is not None]


def offers_to(
    state: State,
    agent: Agent,
    at_ms: int,
    *,
    freed: OfferId | None = None,
    returned: Contact | None = None,
) -> list[OfferCreated]:
    """Return the offers to an agent who becomes idle, first contacts first, until slots or contacts run out.

    `freed` is the offer whose slot becomes free now; `returned` its contact when that still rang, and so put the agent
    in doubt: nobody in doubt is idle, so they are idle anew on every channel.
    """
    places: list[tuple[Place, Place | None]] = []
    for channel in agent.slots:
        free = agent.free(channel, after=freed)
        if free > 0:
            first = _first_places(state, agent, channel, free + 1, returned)
            places += zip_longest(first[:free], first[1:])
    places.sort(key=_first)
    since: dict[Channel, int] = {}
    if returned is None:
        since.update((channel, since_ms) for channel, (_, since_ms) in agent.idle.items())
        if freed in agent.held:
            since.pop(agent.held[freed], None)
    offers = []
    for place, following in places:
        contact = state.contacts[place[2]]
        idle = contact.requirement.idle
        offers.append(
            _offer_waiting(
                state,
                contact,
                agent_id=agent.agent_id,
                at_ms=at_ms,
                idle_since_ms=since.pop(contact.requirement.channel, at_ms),
                idle_agents=len(idle) + (agent.agent_id not in idle),
                explanation=_by_line(state.queues[contact.queue_id], place, following),
            )
        )
    return offers


def _first_places(
    state: State, agent: Agent, channel: Channel, count: int, returned: Contact | None
) -> list[Place]:
    requirements = state.pool.satisfied_by(agent, channel)
    if returned is None and count == 2:  # noqa: PLR2004 - one slot: the first, and who is next
        return _first_two(requirements)
    lines: list[Iterable[Place]] = [one.waiting.in_order() for one in requirements]
    if returned is not None and returned.requirement in requirements:
        lines.append([returned.place])
    return list(islice(heapq.merge(*lines), count))


def _first_two(requirements: Iterable[Requirement]) -> list[Place]:
    """Return the first two places of all lines: two heads, or the first line's head and who stands behind it."""
    first = second = None
    line = None
    for requirement in requirements:
        head = requirement.waiting.head
        if head is None:
            continue
        if first is None or head < first:
            first, second, line = head, first, requirement.waiting
        elif second is None or head < second:
            second = head
    if first is None or line is None:
        return []
    behind = line.second
    if behind is not None and (second is None or behind < second):
        second = behind
    return [first] if second is None else [first, second]


def _first(places: tuple[Place, Place | None]) -> Place:
    return places[0]


def _value(ranked: Ranked) -> int:
    return ranked[1]


def _by_strategy(
    queue: Queue,
    ranked: list[Ranked],
    rule: DecisionRule = DecisionRule.STRATEGY,
    set_aside: int = 0,
) -> Explanation:
    runner_up_id, runner_up_value = ranked[1] if len(ranked) > 1 else ("", 0)
    return Explanation(
        rule=rule,
        strategy=queue.strategy,
        policy_version=queue.version,
        value=ranked[0][1],
        runner_up_id=runner_up_id,
        runner_up_value=runner_up_value,
        priority=0,
        runner_up_priority=0,
        set_aside=set_aside,
    )


def _by_line(queue: Queue, place: Place, following: Place | None) -> Explanation:
    return Explanation(
        rule=DecisionRule.FIRST_IN_LINE,
        strategy=None,
        policy_version=queue.version,
        value=place[1],
        runner_up_id="" if following is None else following[2],
        runner_up_value=0 if following is None else following[1],
        priority=-place[0],
        runner_up_priority=0 if following is None else -following[0],
        set_aside=0,
    )


def _offer_waiting(
    state: State,
    contact: Contact,
    *,
    agent_id: AgentId,
    at_ms: int,
    idle_since_ms: int,
    idle_agents: int,
    explanation: Explanation,
) -> OfferCreated:
    return _offer_created(
        state.queues[contact.queue_id],
        contact_id=contact.contact_id,
        channel=contact.requirement.channel,
        attempt=contact.attempts + 1,
        enqueued_at_ms=contact.enqueued_at_ms,
        agent_id=agent_id,
        at_ms=at_ms,
        idle_since_ms=idle_since_ms,
        idle_agents=idle_agents,
        explanation=explanation,
    )


def _offer_created(
    queue: Queue,
    *,
    contact_id: ContactId,
    channel: Channel,
    attempt: int,
    enqueued_at_ms: int,
    agent_id: AgentId,
    at_ms: int,
    idle_since_ms: int,
    idle_agents: int,
    explanation: Explanation,
) -> OfferCreated:
    return OfferCreated(
        at_ms=at_ms,
        offer_id=offer_id_of(contact_id, attempt),
        contact_id=contact_id,
        agent_id=agent_id,
        queue_id=queue.queue_id,
        channel=channel,
        attempt=attempt,
        expires_at_ms=at_ms + queue.ring_timeout_ms,
        wrap_up_timeout_ms=queue.wrap_up_timeout_ms,
        enqueued_at_ms=enqueued_at_ms,
        idle_since_ms=idle_since_ms,
        idle_agents=idle_agents,
        explanation=explanation,
    )
