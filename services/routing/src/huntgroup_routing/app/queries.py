"""What may be asked about a domain. A query reads, and keeps nothing of the state."""

from itertools import islice

from huntgroup_routing.core.messages import Reason, Refused
from huntgroup_routing.core.state import Contact, Offer, Queue, State
from huntgroup_routing.core.values import OfferId, QueueId

FIRST_WAITING_MAX = 100


def find_queue(state: State, queue_id: QueueId) -> Queue | Refused:
    """Return a queue; it is the state's own: do not keep it."""
    queue = state.queues.get(queue_id)
    if queue is None:
        return Refused(
            reason=Reason.QUEUE_UNKNOWN,
            detail=f"queue_id {queue_id!r} names no queue of this domain",
        )
    return queue


def first_waiting(state: State, queue: Queue) -> list[Contact]:
    """Return the contacts of a queue that are served first, in the order of their places, at most 100."""
    places = islice(queue.waiting.in_order(), FIRST_WAITING_MAX)
    return [state.contacts[contact_id] for _, _, contact_id in places]


def find_offer(state: State, offer_id: OfferId) -> Offer | Refused:
    """Return an offer that is pending, or among the last to end; it is the state's own: do not keep it."""
    return state.find_offer(offer_id) or Refused(
        reason=Reason.OFFER_UNKNOWN,
        detail=f"offer_id {offer_id!r} names no offer of this domain, or it was over long ago",
    )
