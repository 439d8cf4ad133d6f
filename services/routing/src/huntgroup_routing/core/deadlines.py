"""When time alone will change something: the lease of an offer runs out."""

from itertools import islice, takewhile

from huntgroup_routing.core.state import Offer, State
from huntgroup_routing.core.values import EXPIRIES_PER_DECISION_MAX


def next_deadline(state: State) -> int | None:
    """Return when the next pending offer expires, or None."""
    head = state.leases.head
    return None if head is None else head[0]


def due(state: State, at_ms: int) -> list[Offer]:
    """Return the pending offers whose lease is over, the earliest first; not more than one decision may hold."""
    leases = takewhile(lambda lease: lease[0] <= at_ms, state.leases.in_order())
    return [state.offers[offer_id] for _, offer_id in islice(leases, EXPIRIES_PER_DECISION_MAX)]
