"""How a contact is offered to the idle agent whom a scorer gives the most points, or else to the longest idle."""

from collections.abc import Collection
from types import MappingProxyType

from msgspec.structs import replace

from huntgroup_routing.core.agents import Agent
from huntgroup_routing.core.messages import OfferCreated, ScorerFailed
from huntgroup_routing.core.offering import Given, Ranked, by_strategy, offer_created
from huntgroup_routing.core.requirements import Requirement
from huntgroup_routing.core.ringing import NOBODY, Rung, idle_in_turn
from huntgroup_routing.core.scorers import ScoredAgent, ScoredContact, points
from huntgroup_routing.core.state import State
from huntgroup_routing.core.values import SCORED_MAX, AgentId, Channel, DecisionRule, Strategy

Made = OfferCreated | ScorerFailed


def offer_by_score(
    state: State,
    given: Given,
    rung: Rung,
    requirement: Requirement,
    let_go_by: Collection[AgentId],
) -> list[Made]:
    """Return the offer, after what went wrong with the scorer; nothing when nobody is idle for the contact."""
    agents, rule = idle_in_turn(given, requirement, let_go_by, SCORED_MAX), DecisionRule.STRATEGY
    if not agents and let_go_by:
        agents = idle_in_turn(given, requirement, NOBODY, SCORED_MAX)
        rule = DecisionRule.NOBODY_ELSE
    if not agents:
        return []
    channel, idle, queue = requirement.channel, requirement.idle, rung.queue
    since = {
        one: rung.at_ms if (one, channel) in given.left else idle[one].idle[channel][1]
        for one in agents
    }
    name = queue.rules.scorer
    asked = [_scored(idle[one], channel, rung.at_ms - since[one]) for one in agents]
    found = points(state.scorers.get(name), _contact(rung, requirement), asked)
    made: list[Made] = []
    if isinstance(found, str):
        failed = ScorerFailed(
            at_ms=rung.at_ms,
            contact_id=rung.contact_id,
            queue_id=queue.queue_id,
            scorer=name,
            error=found,
        )
        made.append(failed)
        ranked: list[Ranked] = [(one, since[one]) for one in agents[:2]]
        strategy, by = Strategy.LONGEST_IDLE, ""
    else:
        given_points, version = found
        order = sorted(range(len(agents)), key=lambda place: -given_points[place])
        ranked = [(agents[place], given_points[place]) for place in order[:2]]
        strategy, by = Strategy.SCORED, f"{name} {version}"
    agent = idle[ranked[0][0]]
    aside = sum(one in idle for one in let_go_by if one != agent.agent_id)
    said = by_strategy(queue, ranked, rule, aside)
    created = offer_created(
        queue,
        contact_id=rung.contact_id,
        channel=channel,
        attempt=rung.attempts + 1,
        enqueued_at_ms=rung.enqueued_at_ms,
        agent_id=agent.agent_id,
        at_ms=rung.at_ms,
        idle_since_ms=since[agent.agent_id],
        idle_agents=len(idle) - given.gone(channel, idle),
        explanation=replace(said, strategy=strategy, scorer=by),
    )
    given.give(queue.queue_id, agent, channel)
    return [*made, created]


def _contact(rung: Rung, requirement: Requirement) -> ScoredContact:
    return ScoredContact(
        contact_id=rung.contact_id,
        queue_id=rung.queue.queue_id,
        channel=rung.channel,
        priority=rung.priority,
        waited_ms=rung.at_ms - rung.enqueued_at_ms,
        customer_key=rung.customer_key,
        required_skills=requirement.skills,
    )


def _scored(agent: Agent, channel: Channel, idle_ms: int) -> ScoredAgent:
    assert agent.profile is not None
    who, work = agent.profile.who, agent.work[channel]
    return ScoredAgent(
        agent_id=agent.agent_id,
        idle_ms=idle_ms,
        contacts=work.contacts,
        handle_ms=work.handle_ms,
        occupancy_ppm=work.occupancy_ppm(),
        levels=MappingProxyType(who.levels),
        languages=tuple(sorted(who.languages)),
        groups=tuple(sorted(who.groups)),
        attributes=dict(sorted(who.attributes)),
    )
