"""When time alone changes something: a stopped recording of which nothing ever arrived is given up."""

from huntgroup_recording.core.state import State

ABSENCE_GRACE_MS = 15_000
"""So long after the stop audio may still begin to arrive."""


def next_deadline(state: State) -> int | None:
    """Return the log time at which the next silent recording is given up, or None."""
    return next(iter(state.silent.values()), None)
