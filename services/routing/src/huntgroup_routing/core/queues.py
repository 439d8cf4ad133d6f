"""What becomes of a queue when its rules change, or when it leaves the policy. The state is changed in place."""

from collections.abc import Collection

from msgspec.structs import replace

from huntgroup_routing.core.blending import BlendTrigger
from huntgroup_routing.core.events import PolicyApplied, QueueConfigured, QueueRetired
from huntgroup_routing.core.lines import Line
from huntgroup_routing.core.overflow import OverflowTrigger
from huntgroup_routing.core.selection import MEASURE_OF
from huntgroup_routing.core.sharing import crews_of
from huntgroup_routing.core.state import Queue, State
from huntgroup_routing.core.steps import Plan
from huntgroup_routing.core.values import NOTHING, QUEUES_MAX, USUAL_CHANNEL, QueueId, Strategy
from huntgroup_routing.core.watching import note_conditions


def policy_changed(state: State, event: QueueConfigured | QueueRetired | PolicyApplied) -> None:
    """Let queues have other rules, or leave the policy. The state is changed in place."""
    match event:
        case QueueConfigured():
            configured(state, event)
        case QueueRetired():
            retired(state, event)
        case PolicyApplied():
            state.versions.begin(event)


def configured(state: State, event: QueueConfigured) -> None:
    """Make the queue, or give it other rules; nobody loses their place."""
    rules = event if event.strategy else replace(event, strategy=Strategy.LONGEST_IDLE)
    queue = state.queues.get(event.queue_id)
    before = None if queue is None or queue.retired else queue.rules
    state.versions.note(event.queue_id, before, event.domain_version, event.at_ms)
    measure = MEASURE_OF.get(rules.strategy or Strategy.LONGEST_IDLE)
    state.pool.choose_by(measure)
    lent = {} if queue is None else _lent_under(queue, rules)
    plan = plan_of(rules, {group for group, (is_here, _) in lent.items() if is_here})
    requirement = state.pool.use(rules.channel or USUAL_CHANNEL, plan.ask(0, NOTHING), measure)
    state.weigh(event.queue_id, plan)
    if queue is None:
        if len(state.queues) >= QUEUES_MAX:
            _forget(state, next(iter(droppable(state))))
        queue = state.queues[event.queue_id] = Queue(
            queue_id=event.queue_id, rules=rules, plan=plan, requirement=requirement
        )
        state.reckon_hours(queue, max(1, event.at_ms) if rules.hours else 0)
        note_conditions(state, queue)
        note_ages(state, queue)
        note_blend(state, queue)
        return
    state.pool.choose_no_more_by(queue.measure)
    state.pool.give_back(queue.requirement)
    queue.requirement = requirement
    if queue.rules.hours != rules.hours:
        state.reckon_hours(queue, max(1, event.at_ms) if rules.hours else 0)
        queue.closed_by_hours = queue.closed_by_hours and rules.hours is not None
    queue.follow(rules)
    queue.lent = lent
    note_blend(state, queue)
    queue.version += 1
    if plan != queue.plan:
        queue.plan, queue.plan_version = plan, queue.version
        note_conditions(state, queue)
    note_ages(state, queue)
    if event.applies_to_waiting:
        _let_those_who_wait_follow(state, queue)
    queue.retired = False
    state.retired.pop(event.queue_id, None)


def retired(state: State, event: QueueRetired) -> None:
    """Keep the queue for those who wait in it and those on their way, but not in the policy."""
    queue = state.queues[event.queue_id]
    state.versions.note(event.queue_id, queue.rules, event.domain_version, event.at_ms)
    queue.retired = True
    state.retired[event.queue_id] = None


def _lent_under(queue: Queue, rules: QueueConfigured) -> dict[str, tuple[bool, int]]:
    """Return which groups are here, or were, of those whom other rules of a queue name as well."""
    named = {one.group for one in rules.blend}
    return {group: one for group, one in queue.lent.items() if group in named}


def sends_home(queue: Queue, rules: QueueConfigured) -> bool:
    """Return whether other rules of a queue send away a group that is here by the present ones: who waits follows."""
    always = {one.group for one in rules.groups}
    return not queue.blended <= always.union(one.group for one in rules.blend)


def note_blend(state: State, queue: Queue) -> None:
    """Note whether groups come to a queue and go; without rules none is due any more."""
    if queue.rules.blend:
        state.lending.add(queue.queue_id)
    else:
        state.lending.discard(queue.queue_id)
        state.reckon_lends(queue, None)


def change_plan(state: State, queue: Queue, plan: Plan) -> None:
    """Give a queue another plan under the same rules, which all who wait in it follow."""
    requirement = state.pool.use(
        queue.rules.channel or USUAL_CHANNEL, plan.ask(0, NOTHING), queue.measure
    )
    state.pool.give_back(queue.requirement)
    queue.requirement = requirement
    state.weigh(queue.queue_id, plan)
    queue.plan, queue.plan_version = plan, queue.version
    _let_those_who_wait_follow(state, queue)


def plan_of(rules: QueueConfigured, blended: Collection[str] = ()) -> Plan:
    """Return what a queue asks of agents, at first and then, while some groups are `blended`."""
    return Plan(
        required_skills=rules.required_skills,
        requirement=rules.requirement,
        steps=rules.steps,
        skip_unservable=rules.skip_unservable_steps,
        overflow=rules.overflow,
        crews=crews_of(rules.queue_id, rules.groups, rules.blend, blended),
    )


def note_ages(state: State, queue: Queue) -> None:
    """Keep the ages of those who wait in order while a rule asks for the longest wait, and only then."""
    by_overflow = any(one.trigger is OverflowTrigger.LONGEST_WAIT for one in queue.plan.overflow)
    by_blend = any(one.trigger is BlendTrigger.LONGEST_WAIT for one in queue.rules.blend)
    if not (by_overflow or by_blend):
        queue.ages = None
    elif queue.ages is None:
        queue.ages = Line()
        waiting = (state.contacts[place[2]] for place in queue.waiting.in_order())
        queue.ages.add_all((one.waits_from_ms, one.contact_id) for one in waiting)


def droppable(state: State) -> list[QueueId]:
    """Return the retired queues that nobody waits in, those that retired first at the front."""
    queues = (state.queues[queue_id] for queue_id in state.retired)
    return [one.queue_id for one in queues if not one.waiting and not one.ringing]


def _forget(state: State, queue_id: QueueId) -> None:
    queue = state.queues.pop(queue_id)
    state.watching.queues.discard(queue_id)
    state.weigh(queue_id, None)
    del state.retired[queue_id]
    state.reckon_hours(queue, 0)
    state.lending.discard(queue_id)
    state.reckon_lends(queue, None)
    state.pool.choose_no_more_by(queue.measure)
    state.pool.give_back(queue.requirement)


def _let_those_who_wait_follow(state: State, queue: Queue) -> None:
    """Line up whoever waits with an older plan; those already in that line stay in it."""
    if not queue.is_followed_in_part:
        return
    already, queue.followed_from = queue.followed_from, queue.plan_version
    state.outdated.add_all(
        place
        for place in queue.waiting.in_order()
        if already <= state.contacts[place[2]].plan_version < queue.plan_version
    )
