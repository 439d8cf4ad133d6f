"""How long contacts will wait: those that do, and one that would come now."""

from huntgroup_routing.core.lines import LaneKey
from huntgroup_routing.core.pace import NO_WAIT, Estimate
from huntgroup_routing.core.state import Contact, Queue, State
from huntgroup_routing.core.values import NOTHING, Channel, Own


def estimated_wait(state: State, contact: Contact, at_ms: int) -> Estimate | None:
    """Return how long a contact waits from now until an agent is found; None while nothing is known of its queue."""
    if contact.offer_id is not None:
        return NO_WAIT
    queue = state.queues[contact.queue_id]
    return queue.waiting.estimate(contact.lane, contact.place, at_ms)


def estimated_wait_of_next(
    queue: Queue, at_ms: int, priority: int = 0, own: Own = NOTHING
) -> Estimate | None:
    """Return how long a contact would wait that came now; None while nothing is known of the queue.

    An agent who is idle for the queue is taken as idle for it.
    """
    if queue.requirement.idle and not queue.waiting:
        return NO_WAIT
    return queue.waiting.estimate((priority, own), None, at_ms)


def estimated_wait_of_comer(
    state: State, queue: Queue, channel: Channel, lane: LaneKey, at_ms: int
) -> Estimate | None:
    """Return the same of a contact of a channel: an agent who is idle for that is taken as idle for it."""
    usual = queue.requirement
    if queue.waiting or channel is usual.channel:
        return estimated_wait_of_next(queue, at_ms, *lane)
    asked = state.pool.find(channel, usual.ask) or state.pool.preview(channel, usual.ask)
    return NO_WAIT if asked.idle else queue.waiting.estimate(lane, None, at_ms)


def estimated_wait_ms(queue: Queue, at_ms: int, priority: int = 0) -> int | None:
    """Return the mean of that alone, for rules of a queue."""
    estimate = estimated_wait_of_next(queue, at_ms, priority)
    return None if estimate is None else estimate.wait_ms
