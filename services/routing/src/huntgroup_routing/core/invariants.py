"""What is true of every state of routing, checked the slow way: for tests and simulations."""

from collections import Counter
from collections.abc import Iterator

from huntgroup_routing.core.agents import Agent
from huntgroup_routing.core.conditions import Watch
from huntgroup_routing.core.expressions import meets, parse, who_is
from huntgroup_routing.core.queues import plan_of
from huntgroup_routing.core.requirements import Requirement
from huntgroup_routing.core.resuming import LOST_MAX
from huntgroup_routing.core.selection import Roster
from huntgroup_routing.core.state import Contact, State
from huntgroup_routing.core.values import (
    AGENTS_MAX,
    ENDED_CONTACTS_MAX,
    ENDED_OFFERS_MAX,
    LAST_AGENTS_MAX,
    QUEUES_MAX,
    UNUSED_REQUIREMENTS_MAX,
    VERSIONS_MAX,
    AgentId,
    OfferState,
    Place,
    StepDue,
    StepTrigger,
    WatchDue,
    contact_of,
    place_of,
)


def check(state: State) -> list[str]:
    """Return a sentence for every invariant that does not hold; empty when all is well."""
    return [
        *_contacts(state),
        *_steps(state),
        *_conditions(state),
        *_awaiting(state),
        *_policy(state),
        *_waits(state),
        *_reprioritizing(state),
        *_hours(state),
        *_lent(state),
        *_offers(state),
        *_agents(state),
        *_requirements(state),
        *_queues(state),
        *_bounds(state),
        *_shares(state),
        *_work_left_undone(state),
    ]


def _contacts(state: State) -> Iterator[str]:
    for contact_id, contact in state.contacts.items():
        if contact.place != place_of(
            contact.priority, contact.enqueued_at_ms, contact_id, contact.priority_point_ms
        ):
            yield f"contact {contact_id} lost its place"
        if contact.requirement.ask != contact.plan.ask(
            contact.step, contact.own, contact.delays_over
        ):
            yield f"contact {contact_id} stands in a class that is not that of step {contact.step}"
        if contact_id in state.ended_contacts:
            yield f"contact {contact_id} has left and is here"
        if contact.queue_id not in state.queues:
            yield f"contact {contact_id} is in no queue"
        for offer_id in contact.open_offers:
            if offer_id not in state.offers:
                yield f"contact {contact_id} rings with {offer_id}, which is not open"
        yield from _ring(state, contact)


def _ring(state: State, contact: Contact) -> Iterator[str]:
    ring, contact_id = contact.ring, contact.contact_id
    if ring is None:
        return
    if contact.offer_id not in ring.offers:
        yield f"contact {contact_id} rings with {contact.offer_id} and with {[*ring.offers]}"
    at = [state.offers[offer_id].agent_id for offer_id in ring.offers if offer_id in state.offers]
    if at != [*ring.offers.values()] or len(set(at)) < len(at) or not ring.asked.issuperset(at):
        yield f"contact {contact_id} rings twice at an agent, or at nobody it knows of: {at}"
    if len(ring.offers) > ring.target:
        yield f"contact {contact_id} rings at {len(at)} agents, it may at {ring.target}"


def _awaiting(state: State) -> Iterator[str]:
    """Whoever waits for certain agents stands in their lines and nowhere else, and none of them is idle."""
    lines: dict[AgentId, list[Place]] = {}
    dues: list[StepDue] = []
    for contact in state.contacts.values():
        if contact.awaited is None or contact.offer_id is not None:
            continue
        if contact.awaited.until_ms:
            dues.append((contact.awaited.until_ms, contact.contact_id))
        for agent_id in contact.awaited.agents:
            lines.setdefault(agent_id, []).append(contact.place)
            agent = state.agents.get(agent_id)
            if agent is not None and contact.requirement.channel in agent.idle:
                yield f"contact {contact.contact_id} waits for {agent_id}, who is idle"
    for queue in state.queues.values():
        turns = [
            one.place
            for one in state.contacts.values()
            if one.queue_id == queue.queue_id and one.offer_id is None
            if one.awaited is not None and one.awaited.turn
        ]
        if list(queue.awaiting_turn.in_order()) != sorted(turns):
            yield f"those who wait for their turn in {queue.queue_id} do not stand in its line"
    if {one: sorted(line) for one, line in lines.items()} != {
        one: list(line.in_order()) for one, line in state.awaiting.items()
    }:
        yield "those who wait for certain agents do not stand in their lines"
    if list(state.lapses_due.in_order()) != sorted(dues):
        yield "the preferences to lapse are not those of the contacts"


def _steps(state: State) -> Iterator[str]:
    dues = (contact.step_due for contact in state.contacts.values())
    if list(state.steps_due.in_order()) != sorted(due for due in dues if due is not None):
        yield "the steps to come are not those of the contacts"
    rings = {one.contact_id: one.ring for one in state.contacts.values() if one.ring is not None}
    widening = sorted((one.widens_at_ms, key) for key, one in rings.items() if one.widens_at_ms)
    if list(state.rings_due.in_order()) != widening:
        yield "the rings to widen are not those of the contacts"


def _conditions(state: State) -> Iterator[str]:
    """Whoever has conditions ahead stands in the watch of each, and the first is due if and only if it holds."""
    watching, stand = state.watching, dict[Watch, list[StepDue]]()
    watches = [*watching.deserted.values()]
    watches += (one for queue in state.queues.values() for one in queue.watches.values())
    for contact in state.contacts.values():
        ahead = {
            (condition, contact.enqueued_at_ms + after_ms)
            for condition, after_ms in contact.plan.conditions(contact.step).items()
        }
        if {(one.condition, due[0]) for one, due in contact.watches} != ahead:
            yield f"contact {contact.contact_id} waits for other conditions than its steps have"
        for one, due in contact.watches:
            stand.setdefault(one, []).append(due)
            if one.of != contact.queue_id and one.condition[0] is not StepTrigger.NOBODY_ON_DUTY:
                yield f"contact {contact.contact_id} waits for a condition of {one.of}"
    lines = {one: list(one.line.in_order()) for one in watches}
    if lines != {one: sorted(dues) for one, dues in stand.items()}:
        yield "those who wait for conditions do not stand in their watches"
    dues = sorted(_due(one) for one in watches if _holds(state, one))
    if list(watching.due.in_order()) != dues:
        yield "the conditions that hold are not those that are due"
    looked_at = {one.queue_id for one in state.queues.values() if one.watches}
    looked_at |= {key for key, one in state.queues.items() if one.plan.is_conditional}
    if watching.queues != looked_at:
        yield "the queues looked at are not those with conditions"


def _holds(state: State, watch: Watch) -> bool:
    if isinstance(watch.of, Requirement):
        return watch.of.able == 0
    return state.queues[watch.of].figures.compared(*watch.condition) is not None


def _due(watch: Watch) -> WatchDue:
    head = watch.line.head
    assert head is not None, "a watch in which nobody stands is closed"
    return (*head, *watch.condition)


def _policy(state: State) -> Iterator[str]:
    waiting = (one for one in state.contacts.values() if one.offer_id is None)
    outdated = [
        one.place for one in waiting if one.plan_version < state.queues[one.queue_id].followed_from
    ]
    if list(state.outdated.in_order()) != sorted(outdated):
        yield "those about to follow a new plan are not those with an old one"
    for contact in state.contacts.values():
        queue = state.queues[contact.queue_id]
        if contact.plan_version == queue.plan_version and contact.plan != queue.plan:
            yield f"contact {contact.contact_id} has another plan than its queue had in its version"
    retired = {queue_id for queue_id, queue in state.queues.items() if queue.retired}
    if state.retired.keys() != retired:
        yield "the retired queues are not those that left the policy"
    versions = state.versions
    if [one.version for one in versions.kept] != [
        *range(versions.oldest + 1, versions.version + 1)
    ]:
        yield "versions of the policy are missing"
    if versions.queues != sum(len(one.before) for one in versions.kept):
        yield f"the versions count {versions.queues} changed queues"


def _reprioritizing(state: State) -> Iterator[str]:
    for contact_id in state.reprioritizing.keys() - state.contacts.keys():
        yield f"contact {contact_id} is to stand by another priority and is not here"


def _waits(state: State) -> Iterator[str]:
    waiting = [one for one in state.contacts.values() if one.offer_id is None]
    dues = ((one.leaves_at_ms, one.contact_id) for one in waiting if one.leaves_at_ms is not None)
    if list(state.waits_due.in_order()) != sorted(dues):
        yield "the longest waits to come are not those of the contacts"


def _hours(state: State) -> Iterator[str]:
    dues = ((one.hours_change_at_ms, one.queue_id) for one in state.queues.values())
    if list(state.hours_due.in_order()) != sorted(due for due in dues if due[0]):
        yield "the hours to come are not those of the queues"
    for queue in state.queues.values():
        if (queue.hours_change_at_ms > 0) != (queue.rules.hours is not None):
            yield f"queue {queue.queue_id} has hours and does not keep them, or the reverse"
        if queue.closed_by_hours and queue.rules.hours is None:
            yield f"queue {queue.queue_id} is closed by hours that it does not have"


def _lent(state: State) -> Iterator[str]:
    dues = ((one.lend_due[0], one.queue_id) for one in state.queues.values() if one.lend_due)
    if list(state.lends_due.in_order()) != sorted(dues):
        yield "the groups to come and go are not those of the queues"
    for queue_id, queue in state.queues.items():
        if (queue_id in state.lending) != bool(queue.rules.blend):
            yield f"queue {queue_id} has rules for groups and is not looked at, or the reverse"
        if not queue.lent.keys() <= {one.group for one in queue.rules.blend}:
            yield f"queue {queue_id} has groups here that no rule names"
        if queue.plan != plan_of(queue.rules, queue.blended):
            yield f"queue {queue_id} asks others than {sorted(queue.blended)} let it ask"


def _offers(state: State) -> Iterator[str]:
    for offer_id, offer in state.offers.items():
        contact = state.contacts.get(offer.contact_id)
        agent = state.agents.get(offer.agent_id)
        if offer.state is not OfferState.PENDING:
            yield f"offer {offer_id} is {offer.state} among the pending"
        if contact is None or offer_id not in contact.open_offers:
            yield f"offer {offer_id} has no contact that rings with it"
        if agent is None or agent.held.get(offer_id) is not offer.channel:
            yield f"offer {offer_id} takes no slot of agent {offer.agent_id}"
        if agent is not None and not agent.joined:
            yield f"offer {offer_id} rings at agent {offer.agent_id}, who left"
    leases = list(state.leases.in_order())
    if leases != sorted((offer.expires_at_ms, offer.offer_id) for offer in state.offers.values()):
        yield "the leases are not those of the pending offers"
    for offer_id, offer in state.ended_offers.items():
        if offer.state is OfferState.PENDING or offer_id in state.offers:
            yield f"offer {offer_id} has ended and is pending"


def _agents(state: State) -> Iterator[str]:
    for agent_id, agent in state.agents.items():
        if not agent.joined and (not agent.held or agent.skills or agent.slots or agent.eligible):
            yield f"agent {agent_id} left and is not forgotten"
        for channel in agent.slots:
            if (channel in agent.idle) != (agent.available and agent.free(channel) > 0):
                yield f"agent {agent_id} is wrongly idle or busy for {channel}"
        if +Counter(agent.taken) != Counter(agent.held.values()):
            yield f"agent {agent_id} holds {agent.held}, which is not counted right: {agent.taken}"
        if not agent.held.keys() >= agent.accepted.keys():
            yield f"agent {agent_id} handles what they do not hold"
        if not agent.held.keys() >= agent.parked.keys():
            yield f"agent {agent_id} would go on being idle after what they do not hold"
        if agent.work.keys() != agent.slots.keys():
            yield f"agent {agent_id} has worked on other channels than they have slots"
        if not agent.slots.keys() >= agent.idle.keys():
            yield f"agent {agent_id} is idle for a channel without slots"
        if agent.profile is not None and (agent_id in agent.profile.idle) != bool(agent.idle):
            yield f"agent {agent_id} is idle and not known as such by their profile, or the other way round"


def _requirements(state: State) -> Iterator[str]:
    users: dict[Requirement, int] = dict.fromkeys(state.pool.requirements, 0)
    waiting: dict[Requirement, list[Place]] = {requirement: [] for requirement in users}
    roomy: dict[Requirement, list[Place]] = {requirement: [] for requirement in users}
    for queue in state.queues.values():
        users[queue.requirement] += 1
    for contact in state.contacts.values():
        users[contact.requirement] += 1
        if contact.stands_in_line:
            waiting[contact.requirement].append(contact.place)
        elif contact.ring is not None and 0 < len(contact.ring.offers) < contact.ring.target:
            roomy[contact.requirement].append(contact.place)
    for requirement in state.watching.deserted:
        users[requirement] += 1
    for requirement, count in users.items():
        name = f"requirement {requirement.channel} {requirement.ask}"
        if requirement.users != count:
            yield f"{name} counts {requirement.users} users of {count}"
        if list(requirement.waiting.in_order()) != sorted(waiting[requirement]):
            yield f"{name} has the wrong contacts in line"
        able = sum(
            agent.joined and requirement.channel in agent.slots and _satisfies(agent, requirement)
            for agent in state.agents.values()
        )
        if requirement.able != able:
            yield f"{name} counts {requirement.able} able agents of {able}"
        in_order = [requirement.idle[agent_id] for agent_id in requirement.in_order()]
        if in_order != _idle_for(state, requirement) or len(in_order) != len(requirement.idle):
            yield f"{name} has the wrong idle agents"
        if list(requirement.roomy.in_order()) != sorted(roomy[requirement]):
            yield f"{name} has the wrong contacts that may ring at one more"
        for measure, roster in requirement.rosters.items():
            anew = Roster(measure, requirement.channel, requirement.skills)
            for agent in requirement.idle.values():
                anew.put(agent)
            if list(roster.in_order()) != list(anew.in_order()):
                yield f"{name} has sorted its idle agents wrongly by {measure}"
    if sum(count == 0 for count in users.values()) > UNUSED_REQUIREMENTS_MAX:
        yield "more unused requirements are kept than should be"


def _idle_for(state: State, requirement: Requirement) -> list[Agent]:
    idle = [
        agent
        for agent in state.agents.values()
        if requirement.channel in agent.idle and _satisfies(agent, requirement)
    ]
    return sorted(idle, key=lambda agent: agent.idle[requirement.channel][0])


def _satisfies(agent: Agent, requirement: Requirement) -> bool:
    skills, expression, crew, own = requirement.ask
    who = who_is(agent.levels, agent.traits)
    if crew is not None and crew.standing_of(who.groups) is None:
        return False
    return set(agent.skills).issuperset(skills) and all(
        not text or meets(who, agent.agent_id, parse(text, accepted=True))
        for text in (expression, own)
    )


def _queues(state: State) -> Iterator[str]:
    for queue_id, queue in state.queues.items():
        mine = [contact for contact in state.contacts.values() if contact.queue_id == queue_id]
        places = sorted(contact.place for contact in mine if contact.offer_id is None)
        if list(queue.waiting.in_order()) != places:
            yield f"queue {queue_id} has the wrong contacts in line"
        ages = sorted((one.waits_from_ms, one.contact_id) for one in mine if one.offer_id is None)
        if queue.ages is not None and list(queue.ages.in_order()) != ages:
            yield f"queue {queue_id} has the wrong ages of those who wait"
        positions = [queue.waiting.position(place) for place in places]
        if len(queue.waiting) != len(places) or positions != list(range(1, len(places) + 1)):
            yield f"queue {queue_id} counts those who wait wrongly"
        if queue.ringing != len(mine) - len(places):
            yield f"queue {queue_id} counts {queue.ringing} that ring of {len(mine) - len(places)}"


def _bounds(state: State) -> Iterator[str]:
    for name, count, most in (
        ("queues", len(state.queues), QUEUES_MAX),
        ("agents", len(state.agents), AGENTS_MAX),
        ("ended offers", len(state.ended_offers), ENDED_OFFERS_MAX),
        ("versions of the policy", len(state.versions.kept), VERSIONS_MAX),
        ("ended contacts", len(state.ended_contacts), ENDED_CONTACTS_MAX),
        ("lost customers", len(state.lost), LOST_MAX),
        ("last agents", len(state.last_agents), LAST_AGENTS_MAX),
    ):
        if count > most:
            yield f"{count} {name} are kept, at most {most} should be"


def _shares(state: State) -> Iterator[str]:
    weighted = {
        queue_id
        for queue_id, queue in state.queues.items()
        for _, crew in queue.plan.crews[-1:]
        if crew.has_weight
    }
    if state.weighted != weighted or (state.shares and not weighted):
        yield f"{sorted(state.weighted)} are thought to have weights, {sorted(weighted)} do"
    teams = {agent.team for agent in state.agents.values() if agent.joined}
    for team, of_team in state.shares.items():
        if team not in teams:
            yield f"team {team} has shares and nobody is here of it"
        for (channel, rank), shares in of_team.items():
            if max(shares.ends.values(), default=0) <= shares.clock:
                yield f"team {team} has come further at rank {rank} for {channel} than any queue"
    for agent in state.agents.values():
        profile = agent.profile
        if profile is None:
            continue
        for requirement, standing in profile.standings.items():
            crew = requirement.ask[2]
            if crew is None or crew.standing_of(profile.who.groups) != standing:
                yield f"agent {agent.agent_id} serves {requirement.ask} otherwise than it says"


def _work_left_undone(state: State) -> Iterator[str]:
    for contact in state.contacts.values():
        if not contact.stands_in_line:
            continue
        for agent in contact.requirement.idle.values():
            if not _declined_just_now(contact, agent):
                yield f"contact {contact.contact_id} waits while agent {agent.agent_id} is idle"


def _declined_just_now(contact: Contact, agent: Agent) -> bool:
    """The slot of an offer is still taken: agent-state has not heard of the refusal yet."""
    return any(contact_of(offer_id) == contact.contact_id for offer_id in agent.held)
