"""When time alone changes something: a contact completes even if nobody reports the end of its wrap-up."""

from collections.abc import Iterator
from itertools import islice, takewhile

from huntgroup_session.core.state import State
from huntgroup_session.core.values import ContactId

WRAP_UP_GUARD_MS = 3_600_000
"""The longest wrap-up that routing lets a queue have. One length for all, so who disconnects first is due first."""

DUE_MAX = 500
"""So many contacts complete in one decision, to keep its record small; the rest is due at once again."""


def next_deadline(state: State) -> int | None:
    """Return the log time at which the next contact is due, or None."""
    return next(iter(state.wrapping.values()), None)


def due(state: State, at_ms: int) -> Iterator[ContactId]:
    """Yield the contacts that are due at `at_ms`, the longest due first."""
    items = takewhile(lambda item: item[1] <= at_ms, state.wrapping.items())
    return (contact_id for contact_id, _ in islice(items, DUE_MAX))
