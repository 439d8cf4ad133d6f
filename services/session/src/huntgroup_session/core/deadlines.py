"""When time alone changes something: a contact completes by itself, a callback is due."""

from collections.abc import Iterator
from itertools import islice, takewhile

from huntgroup_session.core.state import State
from huntgroup_session.core.values import ContactId

WRAP_UP_GUARD_MS = 3_600_000
"""The longest wrap-up that routing lets a queue have. One length for all, so who disconnects first is due first."""

DUE_MAX = 500
"""So many contacts complete, and callbacks go on, in one decision: its record stays small. The rest is due at once."""


def next_deadline(state: State) -> int | None:
    """Return the log time at which the next contact is due, or None."""
    wrapped_up = next(iter(state.wrapping.values()), None)
    for due_ms, _ in state.callbacks_due:
        return due_ms if wrapped_up is None else min(due_ms, wrapped_up)
    return wrapped_up


def due(state: State, at_ms: int) -> Iterator[ContactId]:
    """Yield the contacts that are due at `at_ms`, the longest due first."""
    items = takewhile(lambda item: item[1] <= at_ms, state.wrapping.items())
    return (contact_id for contact_id, _ in islice(items, DUE_MAX))


def callbacks_due(state: State, at_ms: int) -> Iterator[ContactId]:
    """Yield the callbacks that are due at `at_ms`, the longest due first."""
    items = takewhile(lambda item: item[0] <= at_ms, state.callbacks_due)
    return (contact_id for _, contact_id in islice(items, DUE_MAX))
