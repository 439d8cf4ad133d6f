"""When something is due: a lease runs out, a contact comes to a step, leaves, or rings more widely."""

from itertools import islice, takewhile

from huntgroup_routing.core.state import Contact, Offer, State
from huntgroup_routing.core.values import (
    EXPIRIES_PER_DECISION_MAX,
    LAPSES_PER_DECISION_MAX,
    MOVES_PER_DECISION_MAX,
    RINGS_WIDENED_PER_DECISION_MAX,
    STEPS_PER_DECISION_MAX,
    ContactId,
)


def next_deadline(state: State) -> int | None:
    """Return when the next offer expires, contact comes to a step or has waited enough, or ring widens, if any does.

    While contacts are about to follow a new plan or stand by another priority, or somebody's turn has come near, it has
    come already.
    """
    if state.outdated:
        return state.versions.kept[-1].at_ms
    if state.reprioritizing:
        return next(iter(state.reprioritizing.values()))[1]
    if state.turns:
        return min(state.contacts[contact_id].entered_at_ms for contact_id in state.turns.values())
    lines = (state.leases, state.steps_due, state.rings_due, state.waits_due, state.lapses_due)
    own = (state.hours_due.head, state.lends_due.head, state.watching.due.head)
    heads = (*own, *(line.head for line in lines))
    return min((head[0] for head in heads if head is not None), default=None)


def due(state: State, at_ms: int) -> list[Offer]:
    """Return the pending offers whose lease is over, the earliest first; not more than one decision may hold."""
    leases = takewhile(lambda lease: lease[0] <= at_ms, state.leases.in_order())
    return [state.offers[offer_id] for _, offer_id in islice(leases, EXPIRIES_PER_DECISION_MAX)]


def steps_due(state: State, at_ms: int) -> list[Contact]:
    """Return the contacts that have come to a step, the earliest first; not more than one decision may hold."""
    dues = takewhile(lambda due: due[0] <= at_ms, state.steps_due.in_order())
    return [state.contacts[contact_id] for _, contact_id in islice(dues, STEPS_PER_DECISION_MAX)]


def conditions_due(state: State, at_ms: int) -> list[Contact]:
    """Return contacts that waited for what holds now, by condition; not more than one decision may hold."""
    found: dict[ContactId, Contact] = {}
    dues = state.watching.due.in_order()
    for _, first_id, *condition in takewhile(lambda due: due[0] <= at_ms, dues):
        watches = state.contacts[first_id].watches
        line = next(one.line for one, _ in watches if one.condition == tuple(condition))
        for _, contact_id in takewhile(lambda due: due[0] <= at_ms, line.in_order()):
            found[contact_id] = state.contacts[contact_id]
            if len(found) == STEPS_PER_DECISION_MAX:
                return list(found.values())
    return list(found.values())


def rings_due(state: State, at_ms: int) -> list[Contact]:
    """Return the contacts that may ring at more agents, the earliest first; not more than one decision may hold."""
    dues = takewhile(lambda due: due[0] <= at_ms, state.rings_due.in_order())
    return [
        state.contacts[contact_id] for _, contact_id in islice(dues, RINGS_WIDENED_PER_DECISION_MAX)
    ]


def waits_due(state: State, at_ms: int) -> list[Contact]:
    """Return the contacts that have waited enough, the earliest first; not more than one decision may hold."""
    dues = takewhile(lambda due: due[0] <= at_ms, state.waits_due.in_order())
    return [state.contacts[contact_id] for _, contact_id in islice(dues, MOVES_PER_DECISION_MAX)]


def lapses_due(state: State, at_ms: int) -> list[Contact]:
    """Return the contacts that have waited for certain agents long enough; not more than one decision may hold."""
    dues = takewhile(lambda due: due[0] <= at_ms, state.lapses_due.in_order())
    return [state.contacts[contact_id] for _, contact_id in islice(dues, LAPSES_PER_DECISION_MAX)]
