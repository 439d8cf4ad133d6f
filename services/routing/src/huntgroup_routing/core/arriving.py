"""Whom a contact is offered to as it comes: an agent who is idle for it, by its queue's strategy."""

from itertools import islice
from typing import Final

from huntgroup_routing.core.messages import ContactEnqueued
from huntgroup_routing.core.offering import by_strategy, offer_created
from huntgroup_routing.core.ranking import Matching
from huntgroup_routing.core.requirements import Ask
from huntgroup_routing.core.ringing import NOBODY, rung_on_arrival
from huntgroup_routing.core.scoring import Made
from huntgroup_routing.core.selection import BY_CHANCE
from huntgroup_routing.core.state import State
from huntgroup_routing.core.values import Strategy

BY_TURN: Final = BY_CHANCE | {Strategy.ROUND_ROBIN}
"""Strategies by which it counts how many offers a queue made, or to whom."""


def offers_on_arrival(
    state: State, enqueued: ContactEnqueued, ask: Ask | None = None
) -> tuple[Made, ...]:
    """Return the offers of a contact that arrives to whom its queue's strategy names; none when nobody is idle for it.

    `ask` is what is asked of agents when the contact comes to a step at once.
    """
    queue, channel = state.queues[enqueued.queue_id], enqueued.channel
    own = enqueued.own_requirement
    usual = queue.requirement.channel
    if ask is not None or channel is not usual or enqueued.own_skills or own:
        ask = ask or (enqueued.required_skills, enqueued.requirement, queue.plan.crew(0), own)
        requirement = state.pool.find(channel, ask) or state.pool.preview(channel, ask)
    else:
        requirement = queue.requirement
    if not requirement.idle:
        return ()
    if queue.ring_max or queue.strategy is Strategy.SCORED:
        matching, rung = Matching(state, enqueued.at_ms), rung_on_arrival(queue, enqueued)
        return tuple(matching.ring_or_score(rung, requirement))
    if queue.strategy is Strategy.LONGEST_IDLE:
        ranked = [
            (agent_id, requirement.idle[agent_id].idle[channel][1])
            for agent_id in islice(requirement.in_order(), 2)
        ]
        agent_id, idle_since_ms = ranked[0]
    else:
        if queue.strategy in BY_TURN or queue.measure is None:
            ranked = Matching(state, enqueued.at_ms).rank(queue, requirement, NOBODY)
        else:
            ranked = requirement.roster(queue.measure).first(2)
        agent_id = ranked[0][0]
        idle_since_ms = requirement.idle[agent_id].idle[channel][1]
    return (
        offer_created(
            queue,
            contact_id=enqueued.contact_id,
            channel=channel,
            attempt=enqueued.attempts + 1,
            enqueued_at_ms=enqueued.enqueued_at_ms,
            agent_id=agent_id,
            at_ms=enqueued.at_ms,
            idle_since_ms=idle_since_ms,
            idle_agents=len(requirement.idle),
            explanation=by_strategy(queue, ranked) if state.explains else None,
        ),
    )
