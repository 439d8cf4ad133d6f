"""The written form of queues: a row for each, with the pace of its lanes."""

from collections.abc import Iterable, Sequence

import msgspec

from huntgroup_routing.core.events import QueueConfigured
from huntgroup_routing.core.lines import LaneKey
from huntgroup_routing.core.pace import Pace
from huntgroup_routing.core.queues import note_ages, note_blend
from huntgroup_routing.core.selection import MEASURE_OF
from huntgroup_routing.core.state import Queue, State
from huntgroup_routing.core.steps import Plan
from huntgroup_routing.core.values import NOTHING, USUAL_CHANNEL, AgentId, Strategy
from huntgroup_routing.core.watching import note_conditions


class QueueRow(msgspec.Struct, array_like=True, frozen=True, forbid_unknown_fields=True):
    """A queue."""

    rules: QueueConfigured
    plan: int
    version: int
    plan_version: int
    followed_from: int
    offers: int
    last_agent_id: AgentId
    closed_note: str | None
    closed_by_hours: bool
    hours_change_at_ms: int
    paces: tuple[tuple[LaneKey, Pace], ...]
    """Of its lanes, in the order in which they were opened."""
    answers: int
    estimated_wait_ms: int
    lent: tuple[tuple[str, bool, int], ...]
    lend_due: tuple[int, str] | None


def queue_row(queue: Queue, plans: dict[Plan, int]) -> QueueRow:
    """Return a queue as it is written; plans are numbered as they come."""
    return QueueRow(
        rules=queue.rules,
        plan=plans.setdefault(queue.plan, len(plans)),
        version=queue.version,
        plan_version=queue.plan_version,
        followed_from=queue.followed_from,
        offers=queue.offers,
        last_agent_id=queue.last_agent_id,
        closed_note=queue.closed_note,
        closed_by_hours=queue.closed_by_hours,
        hours_change_at_ms=queue.hours_change_at_ms,
        paces=tuple(queue.waiting.paces),
        answers=queue.answers,
        estimated_wait_ms=queue.estimated_wait_ms,
        lent=tuple((group, *queue.lent[group]) for group in sorted(queue.lent)),
        lend_due=queue.lend_due,
    )


def load_queues(state: State, rows: Iterable[QueueRow], plans: Sequence[Plan]) -> None:
    """Put the queues back; contacts and offers are there later."""
    for row in rows:
        rules, plan = row.rules, plans[row.plan]
        measure = MEASURE_OF.get(rules.strategy or Strategy.LONGEST_IDLE)
        state.weigh(rules.queue_id, plan)
        state.pool.choose_by(measure)
        state.queues[rules.queue_id] = Queue(
            queue_id=rules.queue_id,
            rules=rules,
            plan=plan,
            requirement=state.pool.use(
                rules.channel or USUAL_CHANNEL, plan.ask(0, NOTHING), measure
            ),
            version=row.version,
            plan_version=row.plan_version,
            followed_from=row.followed_from,
            retired=rules.queue_id in state.retired,
            offers=row.offers,
            last_agent_id=row.last_agent_id,
            closed_note=row.closed_note,
            closed_by_hours=row.closed_by_hours,
            answers=row.answers,
            estimated_wait_ms=row.estimated_wait_ms,
            lent={group: (is_here, since_ms) for group, is_here, since_ms in row.lent},
        )
        note_blend(state, state.queues[rules.queue_id])
        state.reckon_lends(state.queues[rules.queue_id], row.lend_due)
        note_conditions(state, state.queues[rules.queue_id])
        note_ages(state, state.queues[rules.queue_id])
        state.reckon_hours(state.queues[rules.queue_id], row.hours_change_at_ms)
        for lane, pace in row.paces:
            state.queues[rules.queue_id].waiting.restore(lane, pace)
