"""An offer as it is made: its event, its explanation, and who was given what earlier in the same decision."""

from collections import Counter
from collections.abc import Iterable, Mapping

from huntgroup_routing.core.agents import Agent
from huntgroup_routing.core.messages import OfferCreated
from huntgroup_routing.core.sharing import Turn
from huntgroup_routing.core.state import Contact, Queue, Ring, State
from huntgroup_routing.core.values import (
    RINGS_PER_DECISION_MAX,
    AgentId,
    Channel,
    ContactId,
    DecisionRule,
    Explanation,
    OfferId,
    QueueId,
    offer_id_of,
)

Ranked = tuple[AgentId, int]
"""An agent, and the value by which the strategy ranks them."""


class Given:
    """The agents who were given an offer in one decision, or are not to be asked in it."""

    __slots__ = ("last", "left", "rings_left", "taken", "turn", "without")

    def __init__(self, without: Iterable[AgentId], rings: int = RINGS_PER_DECISION_MAX) -> None:
        self.without = dict.fromkeys(without)
        self.rings_left = rings
        """So many offers more to agents beyond the first of a contact fit into this decision."""
        self.left: dict[tuple[AgentId, Channel], int] = {}
        """Free slots of the agents who were given an offer."""
        self.turn: dict[Channel, dict[AgentId, Agent]] = {}
        """Those of them with a slot left, at the end of the idle order again."""
        self.taken: dict[AgentId, Counter[Channel]] = {}
        """What was given to agents whose channels share."""
        self.last: dict[QueueId, tuple[int, AgentId]] = {}
        """How many offers a queue made, and the agent of the last."""

    def give(self, queue_id: QueueId, agent: Agent, channel: Channel) -> None:
        """Note an offer."""
        agent_id = agent.agent_id
        if agent.concurrency is None:
            left = self.left.get((agent_id, channel))
            left = (agent.free(channel) if left is None else left) - 1
        else:
            left = self._take(agent, channel)
        self.left[agent_id, channel] = left
        turn = self.turn.setdefault(channel, {})
        turn.pop(agent_id, None)
        if left > 0:
            turn[agent_id] = agent
        made, _ = self.last.get(queue_id, (0, agent_id))
        self.last[queue_id] = (made + 1, agent_id)

    def _take(self, agent: Agent, channel: Channel) -> int:
        """Take a slot of an agent whose channels share; return how many more of the channel fit."""
        agent_id = agent.agent_id
        taken = self.taken.setdefault(agent_id, Counter())
        taken[channel] += 1
        for other in agent.idle:
            if other is not channel and not agent.free(other, given=taken):
                self.left[agent_id, other] = 0
                self.turn.get(other, {}).pop(agent_id, None)
        return agent.free(channel, given=taken)

    def gone(self, channel: Channel, idle: Mapping[AgentId, Agent]) -> int:
        """Return how many of those who were idle are so no longer, or are not to be asked."""
        gone = sum(agent_id in idle for agent_id in self.without)
        for (agent_id, of_channel), left in self.left.items():
            gone += of_channel is channel and left == 0 and agent_id in idle
        return gone


class Fitting:
    """What still fits of what an agent whose channels share may be given, one after another, who becomes idle."""

    __slots__ = ("_agent", "_freed", "_taken")

    def __init__(self, agent: Agent, freed: OfferId | None) -> None:
        """`freed` is an offer whose slot counts as free."""
        self._agent = agent
        self._freed = freed
        self._taken = Counter[Channel]()

    def take(self, contact: Contact) -> bool:
        """Return whether a contact fits, and let it take what it needs."""
        agent, channel = self._agent, contact.requirement.channel
        if not agent.free(channel, self._freed, self._taken):
            return False
        self._taken[channel] += 1
        return True


def by_strategy(
    queue: Queue,
    ranked: list[Ranked],
    rule: DecisionRule = DecisionRule.STRATEGY,
    set_aside: int = 0,
    kept_for_others: int = 0,
) -> Explanation:
    """Return why the first of the ranked was chosen."""
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
        kept_for_others=kept_for_others,
    )


def by_line(state: State, first: Contact, turn: Turn, following: Turn | None) -> Explanation:
    """Return why a contact was the first for an agent who became idle."""
    behind = None if following is None else state.contacts[following.place[2]]
    by_rank = turn.rank is not None
    return Explanation(
        rule=DecisionRule.FIRST_BY_RANK if by_rank else DecisionRule.FIRST_IN_LINE,
        strategy=None,
        policy_version=state.queues[first.queue_id].version,
        value=first.enqueued_at_ms,
        runner_up_id="" if behind is None else behind.contact_id,
        runner_up_value=0 if behind is None else behind.enqueued_at_ms,
        priority=first.priority,
        runner_up_priority=0 if behind is None else behind.priority,
        set_aside=0,
        head_start_ms=first.priority * first.priority_point_ms,
        runner_up_head_start_ms=0 if behind is None else behind.priority * behind.priority_point_ms,
        rank=turn.rank or 0,
        runner_up_rank=(following and following.rank) or 0,
    )


def offer_waiting(
    queue: Queue,
    contact: Contact,
    *,
    agent_id: AgentId,
    at_ms: int,
    idle_since_ms: int,
    idle_agents: int,
    explanation: Explanation | None,
    ring: Ring | None = None,
    after: int = 0,
) -> OfferCreated:
    """Return the next offer of a contact that is here; `after` so many others of the same decision."""
    return offer_created(
        queue,
        contact_id=contact.contact_id,
        channel=contact.requirement.channel,
        attempt=contact.attempts + after + 1,
        enqueued_at_ms=contact.enqueued_at_ms,
        agent_id=agent_id,
        at_ms=at_ms,
        idle_since_ms=idle_since_ms,
        idle_agents=idle_agents,
        explanation=explanation,
        ring=ring,
    )


def offer_created(
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
    explanation: Explanation | None,
    ring: Ring | None = None,
) -> OfferCreated:
    """Return an offer by its queue's policy, which may let several ring; `ring` says so of a contact that rings."""
    target = widens_at_ms = 0
    if ring is not None:
        target, widens_at_ms = ring.target, ring.widens_at_ms
    elif queue.ring_max:
        target = queue.ring_target
        widens_at_ms = queue.widens_at_ms(target, at_ms)
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
        ring_target=target,
        widens_at_ms=widens_at_ms,
    )
